"""Fixed-point arithmetic: the same integers from the same inputs on every machine.

No float enters or leaves. Libraries of mathematics differ between processors and compilers in the last bit of a
logarithm, and one such bit would be another digest of the state; integers of Python do not differ. What is a fraction
is carried in thousandths (`_milli`), millionths (`_micro`) or parts per million (`_ppm`), rounded to the nearest, halves
away from zero.
"""

from __future__ import annotations

from functools import lru_cache
from math import isqrt

PPM = 1_000_000
MILLI = 1_000
LIMIT_MILLI = 10**9
"""A statistic further out than a million stands as a million: it still fits a condition's 64 bits and is told as well."""
LIMIT_PPM = 10**15
"""The same for ratios: a thousand million times as much, or something where there should be nothing."""

_BITS = 48
_LN2 = 0xB17217F7D1CF79AC  # ln 2 * 2^64, to the nearest; OEIS A002162
_ONE_THIRD, _ONE_FIFTH, _ONE_SEVENTH, _ONE_NINTH, _ONE_ELEVENTH = ((1 << _BITS) // n for n in (3, 5, 7, 9, 11))
_ONE = 1 << _BITS
_MICRO_SCALE = 1 << (_BITS - 1)


def divide(numerator: int, denominator: int) -> int:
    """The quotient, to the nearest integer, halves away from zero. Raises ZeroDivisionError."""
    if denominator < 0:
        numerator, denominator = -numerator, -denominator
    size = (2 * abs(numerator) + denominator) // (2 * denominator)
    return size if numerator >= 0 else -size


def root(number: int) -> int:
    """The square root, to the nearest integer. Raises ValueError below zero."""
    return (isqrt(4 * number) + 1) // 2


def clamp(value: int, limit: int) -> int:
    """`value`, held between -limit and limit."""
    return max(-limit, min(limit, value))


def ratio_ppm(part: int, whole: int) -> int:
    """The ratio part / whole in parts per million, whole >= 0. Nothing of nothing is 0; something of nothing is LIMIT_PPM."""
    if whole <= 0:
        return 0 if part == 0 else LIMIT_PPM if part > 0 else -LIMIT_PPM
    return clamp(divide(part * PPM, whole), LIMIT_PPM)


@lru_cache(maxsize=65_536)
def ln_micro(number: int) -> int:
    """The natural logarithm of a positive integer, in millionths; at most 0.501 millionths off.

    number = m * 2^k with m in [2/3, 4/3); ln m = 2 artanh x, x = (m - 1)/(m + 1), |x| <= 1/5, by the first six terms
    of x + x^3/3 + x^5/5 + ... (Abramowitz and Stegun 4.1.27): the seventh is below 1.3e-10.

    Quantities repeat, and a robust z asks for hundreds of them at a time: so the newest are kept.

    Raises: ValueError for zero and below.
    """
    if number <= 0:
        raise ValueError(f"{number} has no logarithm")
    exponent = number.bit_length()
    if 3 * number < 2 << exponent:
        exponent -= 1
    power = 1 << exponent
    x = ((number - power) << _BITS) // (number + power)
    square = x * x >> _BITS
    series = _ONE_NINTH + (square * _ONE_ELEVENTH >> _BITS)
    series = _ONE_SEVENTH + (square * series >> _BITS)
    series = _ONE_FIFTH + (square * series >> _BITS)
    series = _ONE_THIRD + (square * series >> _BITS)
    series = _ONE + (square * series >> _BITS)
    # 2 * series * x is ln m in 2^-96; ln 2 comes down from 2^-64 to 2^-48 only after it was multiplied.
    scaled = (exponent * _LN2 >> 64 - _BITS) + (2 * x * series >> _BITS)
    return (scaled * PPM + _MICRO_SCALE) >> _BITS
