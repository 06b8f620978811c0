"""Quantities as exact integers in base units: milligram, microlitre, piece (formats.md section 2, Quantity).

Unit codes are UN/ECE Recommendation 20. Nothing here rounds and nothing is a float; volume never becomes mass here.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

Dimension = Literal["mass", "volume", "count"]

MAX_BASE_AMOUNT = 10**16
"""Ten thousand tonnes in milligrams: above any store, and sums of 900 of them still fit 63 bits."""


@dataclass(frozen=True, slots=True)
class Unit:
    """One unit code: what it measures, how many base units it is, and how many decimals a value may have."""

    code: str
    dimension: Dimension
    base: int
    decimals: int


UNITS: dict[str, Unit] = {
    unit.code: unit
    for unit in (
        Unit("MGM", "mass", 1, 0),
        Unit("GRM", "mass", 10**3, 3),
        Unit("KGM", "mass", 10**6, 6),
        Unit("TNE", "mass", 10**9, 6),
        Unit("MLT", "volume", 10**3, 3),
        Unit("LTR", "volume", 10**6, 6),
        Unit("MTQ", "volume", 10**9, 6),
        Unit("H87", "count", 1, 0),
    )
}

_VALUE = re.compile(r"(0|[1-9][0-9]{0,11})(?:\.([0-9]{1,6}))?")
_MASS_STEPS = ((10**9, "t"), (10**6, "kg"), (10**3, "g"), (1, "mg"))
_VOLUME_STEPS = ((10**9, "m³"), (10**6, "L"), (10**3, "mL"), (1, "µL"))

LB_UG = 453_592_370
"""International avoirdupois pound in micrograms, exact: 0.45359237 kg (NIST SP 811, B.8)."""


def to_base(value: str, unit: str) -> tuple[int, Dimension]:
    """The amount in milligrams, microlitres or pieces. Raises ValueError on any other form, decimals, or size."""
    known = UNITS.get(unit)
    if known is None:
        raise ValueError(f"unit must be one of {', '.join(UNITS)}")
    match = _VALUE.fullmatch(value)
    if match is None:
        raise ValueError(f"{value!r} is not a decimal of at most 12 digits before and 6 after the point")
    fraction = match[2] or ""
    if len(fraction) > known.decimals:
        raise ValueError(f"a value in {unit} has at most {known.decimals} decimals")
    amount = int(match[1]) * known.base
    if fraction:
        amount += int(fraction) * known.base // 10 ** len(fraction)
    if amount > MAX_BASE_AMOUNT:
        raise ValueError(f"{value} {unit} is more than 10^16 base units")
    return amount, known.dimension


def from_base(amount: int, unit: str) -> str:
    """The value of `amount` base units in `unit`, without trailing zeros. Raises ValueError where it is not exact."""
    known = UNITS[unit]
    scaled, rest = divmod(amount * 10**known.decimals, known.base)
    if rest:
        raise ValueError(f"{amount} base units are no exact value in {unit}")
    if known.decimals == 0:
        return str(scaled)
    whole, fraction = divmod(scaled, 10**known.decimals)
    tail = f"{fraction:0{known.decimals}d}".rstrip("0")
    return f"{whole}.{tail}" if tail else str(whole)


def lb_to_mg(pounds: str) -> int:
    """Pounds as a plain decimal ("47955.0") to milligrams, exact to the microgram and then rounded half up."""
    match = re.fullmatch(r"([0-9]{1,12})(?:\.([0-9]{1,6}))?", pounds)
    if match is None:
        raise ValueError(f"{pounds!r} is not a plain decimal")
    fraction = match[2] or ""
    scale = int("1" + "0" * len(fraction))  # 10**n would be typed Any
    micrograms = int(match[1] + fraction) * LB_UG
    return (micrograms + 500 * scale) // (1000 * scale)


def _format(amount: int, steps: tuple[tuple[int, str], ...]) -> str:
    sign = "-" if amount < 0 else ""
    size = abs(amount)
    step, name = next(((s, n) for s, n in steps if size >= s), steps[-1])
    whole, rest = divmod(size, step)
    digits = len(str(step)) - 1
    tail = f"{rest:0{digits}d}".rstrip("0") if rest else ""
    return f"{sign}{whole:,}{'.' + tail if tail else ''} {name}"


def format_mass(mass_mg: int) -> str:
    """For people, exact: 1,500,000 mg is "1.5 kg", 2·10^9 mg "2 t"."""
    return _format(mass_mg, _MASS_STEPS)


def format_volume(volume_ul: int) -> str:
    """For people, exact: 1,500,000 µL is "1.5 L"."""
    return _format(volume_ul, _VOLUME_STEPS)
