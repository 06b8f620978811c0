"""Tests on a stream of balances: Page's cumulative sums, the single balance, and a spread that is too good to be true.

All work on SITMUF values in thousandths (`accountancy.sitmuf_milli`), so their false alarms do not depend on the stream.
One-sided, at 1,200 weekly streams: protracted 30 a year, abrupt 12, single balance 15. Nothing here is run on sealed
packages: they are counted, sigma is 0, and one that is missing is missing.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from ledger.engine.statistics.accountancy import Balance, Factor, extend, sigma, sitmuf_milli, z_milli
from ledger.engine.statistics.fixed import MILLI, PPM, divide, root

SINGLE_MILLI = 3_500
"""A single balance beyond 3.5 sigma: one-sided 0.0233 % by chance."""
MIN_TOO_GOOD = 20
"""Balances before a spread is judged (catalogue A08)."""
MAX_SPREAD = 64
"""Balances that a spread is taken over: the newest, more than a year of weekly ones."""

_LOWER_MILLI = (
    *(5407, 5921, 6447, 6983, 7529, 8085, 8649, 9222, 9803, 10391, 10986, 11588, 12196, 12811, 13431),
    *(14057, 14688, 15324, 15965, 16611, 17262, 17916, 18575, 19239, 19906, 20576, 21251, 21929, 22610, 23295),
    *(23983, 24674, 25368, 26065, 26765, 27468, 28173, 28881, 29592, 30305, 31020, 31738, 32459, 33181, 33906),
)
"""0.001-quantiles of chi-square with 19, 20, ... 63 degrees of freedom, in thousandths.

The lower incomplete gamma function by its series (Abramowitz and Stegun 6.5.29), solved by bisection; the values for 19,
20, 24, 30, 40, 50 and 60 are those printed in the NIST e-Handbook, 1.3.6.7.4. The tests compute all of them again.
"""


class Pair(NamedTuple):
    """Reference value and limit of Page's test, in thousandths of a standard deviation."""

    k_milli: int
    h_milli: int


PROTRACTED = Pair(250, 10_000)
"""Half a sigma in every balance: found after 37 of them on average, one false alarm in 2,071."""
ABRUPT = Pair(1_000, 3_500)
"""Two sigma at once: found after 4.3 balances on average, one false alarm in 5,341."""


def page_step(sum_milli: int, y_milli: int, pair: Pair) -> int:
    """P_i = max(P_{i-1} + y_i - k, 0); the test signals where the result is greater than h.

    A sum that has signalled begins again at 0 (Page, Continuous inspection schemes, Biometrika 41 (1954)): else one
    great loss would hide for a year that another followed. For gains give -y.
    """
    if sum_milli > pair.h_milli:
        sum_milli = 0
    return max(sum_milli + y_milli - pair.k_milli, 0)


class Sums(NamedTuple):
    """Page's sums of one stream in thousandths; one above its pair's h signals at this balance."""

    loss_protracted: int = 0
    loss_abrupt: int = 0
    gain_protracted: int = 0
    gain_abrupt: int = 0

    @property
    def signals(self) -> bool:
        """Whether one of them is above its limit."""
        return (
            max(self.loss_protracted, self.gain_protracted) > PROTRACTED.h_milli
            or max(self.loss_abrupt, self.gain_abrupt) > ABRUPT.h_milli
        )

    def step(self, y_milli: int) -> Sums:
        """All four after one more value."""
        return Sums(
            page_step(self.loss_protracted, y_milli, PROTRACTED),
            page_step(self.loss_abrupt, y_milli, ABRUPT),
            page_step(self.gain_protracted, -y_milli, PROTRACTED),
            page_step(self.gain_abrupt, -y_milli, ABRUPT),
        )


class Standing(NamedTuple):
    """A stream after one balance: all that the next balance needs, and all that a rule or a page shows."""

    factor: Factor
    muf: int
    sigma: int
    """Of the single MUF, in the amount's unit; 0 where nothing was weighed."""
    z_milli: int
    """MUF / sigma, as if this balance stood alone."""
    y_milli: int | None
    """SITMUF; None where nothing was weighed: then no sum moved, and none signals."""
    sums: Sums


def advance(before: Standing | None, balance: Balance) -> Standing:
    """The stream after one more balance. O(1).

    After a signal the factor begins anew: what is missing was said. Else one great loss would be told again by the balances
    after it, whose SITMUF values go on expecting a part of it back. The sum that signalled begins anew, too; the others
    go on, so that a slow loss is found as one even where the abrupt test finds parts of it.

    A balance without stated errors moves no sum: sigma is 0 for what is counted, and Page is never run on it.
    """
    sums = before.sums if before is not None else Sums()
    factor = extend(None if before is None or sums.signals else before.factor, balance)
    y = sitmuf_milli(factor)
    return Standing(factor, balance.muf, sigma(balance), z_milli(balance), y, sums if y is None else sums.step(y))


class Spread(NamedTuple):
    """How a stream's own SITMUF values spread, against the 1 that the stated errors promise."""

    n: int
    mean_milli: int
    ratio_ppm: int
    """Sample standard deviation (n - 1); 1,000,000 where the stated errors are the real ones."""

    def sigma(self, stated: int) -> int:
        """The stream's own estimate of a stated sigma, in the same unit."""
        return (stated * self.ratio_ppm + PPM // 2) // PPM


def spread(ys_milli: Sequence[int]) -> Spread | None:
    """The spread of a stream's newest values, at most MAX_SPREAD; None with fewer than two.

    The mean is taken out, so that a steady loss does not look like bad weighing.
    """
    ys = ys_milli[-MAX_SPREAD:]
    n = len(ys)
    if n < 2:
        return None
    squares = _centred_squares(ys)
    return Spread(n, divide(sum(ys), n), root(squares * PPM // (n * (n - 1))))


def too_good(mufs: Sequence[int], ys_milli: Sequence[int]) -> bool:
    """Whether weighing could hardly have given so little scatter: n >= 20, at a chance of 0.001 (catalogue A08).

    True where the sum of squares about the mean is below the chi-square quantile with n - 1 degrees of freedom, or
    where every MUF is exactly 0. `ys_milli` holds the values of weighed balances only, `mufs` the same balances.
    """
    ys = ys_milli[-MAX_SPREAD:]
    n = len(ys)
    if n < MIN_TOO_GOOD:
        return False
    if not any(mufs[-MAX_SPREAD:]):
        return True
    return _centred_squares(ys) < n * _LOWER_MILLI[n - MIN_TOO_GOOD] * MILLI


def _centred_squares(ys: Sequence[int]) -> int:
    """The sum of squares about the mean, times n: exact."""
    return len(ys) * sum(y * y for y in ys) - sum(ys) ** 2


def items_missing(before: int, came: int, went: int, lost: int, counted: int) -> int:
    """Sealed packages that should be there and are not; negative where there are more. Exact: sigma is 0."""
    return before + came - went - lost - counted
