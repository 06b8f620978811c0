"""Material unaccounted for (MUF): what should be there and was not weighed, and how far from zero that may be by chance.

MUF_t = C_{t-1} + in - out - used - declared loss - C_t, per stream of bulk material; positive is a loss.

Each inventory closes one balance and opens the next, so neighbouring MUFs are correlated and a loss that is hidden in
one comes back in the next with the opposite sign. SITMUF takes that apart: y = L⁻¹ MUF, L the Cholesky factor of the
covariance matrix, is a series of independent values of variance 1 where nothing is lost. The covariance matrix is
tridiagonal, so its factor has two diagonals and a new balance extends it from the last row alone.

Amounts are integers of one base unit (mg or microlitres), errors are parts per million of an amount, variances are
amount² * ppm², exact. Two numbers are rounded: each pivot to one amount² * ppm², each residual to a thousandth of the
amount. Neither grows: a residual's error enters the next with a factor of at most 1 (see `extend`).

Sources: IAEA, Statistical Concepts and Techniques for IAEA Safeguards (SG/SCT/5); Picard, Sequential analysis of
material balances, JNMM 15 (1987) for SITMUF; the error model is engine.md's, "Statistics".
"""

from __future__ import annotations

from collections.abc import Sequence
from math import isqrt
from typing import NamedTuple

from ledger.engine.statistics.fixed import LIMIT_MILLI, MILLI, PPM, clamp, divide


class Measured(NamedTuple):
    """An inventory as it was weighed, with its method's relative errors."""

    amount: int
    random_ppm: int
    systematic_ppm: int


class Balance(NamedTuple):
    """One stream from one complete stock-take to the next. All amounts are >= 0."""

    before: Measured
    """C_{t-1}, with the errors stated when it was counted."""
    came: int
    went: int
    """Out and used."""
    lost: int
    """Declared as lost: evaporated, spilt, sampled."""
    after: Measured
    """C_t; its errors stand for those of what came and went, too."""

    @property
    def muf(self) -> int:
        """Material unaccounted for; positive is a loss."""
        return self.before.amount + self.came - self.went - self.lost - self.after.amount


class Factor(NamedTuple):
    """What the next row of the factor needs of this one."""

    covariance: int
    """With the next balance, <= 0, in amount² * ppm²."""
    pivot: int
    """l², the variance of this MUF given all earlier ones, in amount² * ppm²; 0 where no error was stated."""
    residual_milli: int
    """l * y: this MUF less what the earlier ones let expect, in thousandths of the amount."""


def variance(balance: Balance) -> int:
    """sigma² of the MUF in amount² * ppm².

    (I² + O² + C_t² + C_{t-1}²)(r² + s²) - 2 C_t C_{t-1} s², with O all that left, declared losses among it. Where the
    opening inventory was weighed with other errors r', s' than the closing one, its term is C_{t-1}² (r'² + s'²) and the
    systematic errors share s s': the same where they are the same, and never below zero: (C_t s - C_{t-1} s')².
    """
    before, after = balance.before, balance.after
    own = after.random_ppm**2 + after.systematic_ppm**2
    flows = balance.came**2 + (balance.went + balance.lost) ** 2
    opening = before.amount**2 * (before.random_ppm**2 + before.systematic_ppm**2)
    shared = 2 * after.amount * before.amount * after.systematic_ppm * before.systematic_ppm
    return (flows + after.amount**2) * own + opening - shared


def covariance(balance: Balance) -> int:
    """Covariance of this MUF with the next one, -C_t² r², in amount² * ppm²: one takes C_t away, the other begins with it."""
    return -((balance.after.amount * balance.after.random_ppm) ** 2)


def covariance_matrix(series: Sequence[Balance]) -> list[list[int]]:
    """The whole matrix of consecutive balances, as an auditor would write it down; the fold never builds it."""
    n = len(series)
    matrix = [[0] * n for _ in range(n)]
    for at, balance in enumerate(series):
        matrix[at][at] = variance(balance)
        if at + 1 < n:
            matrix[at][at + 1] = matrix[at + 1][at] = covariance(balance)
    return matrix


def sigma(balance: Balance) -> int:
    """Standard deviation of the MUF, in the amount's unit, to the nearest."""
    return (isqrt(4 * variance(balance) // PPM**2) + 1) // 2


def z_milli(balance: Balance) -> int:
    """MUF / sigma of the single balance, in thousandths; 0 where no error was stated (then it is counted, not weighed)."""
    return _over_root(balance.muf * MILLI, variance(balance))


def extend(previous: Factor | None, balance: Balance) -> Factor:
    """The factor's next row, from the last one alone. O(1).

    l_t² = v_t - c²/l_{t-1}², residual_t = MUF_t - (c/l_{t-1}²) residual_{t-1}, where c is the covariance of the two.
    |c| <= l_{t-1}²: of the earlier variance, C² r² alone belongs to an inventory that nothing before it has seen.
    """
    own = variance(balance)
    muf_milli = balance.muf * MILLI
    link = covariance(balance)
    if previous is None or previous.pivot == 0:
        return Factor(link, own, muf_milli)
    explained = divide(previous.covariance**2, previous.pivot)
    carried = divide(previous.covariance * previous.residual_milli, previous.pivot)
    return Factor(link, max(own - explained, 0), muf_milli - carried)


def sitmuf_milli(factor: Factor) -> int | None:
    """SITMUF of this balance: y in thousandths, None where no error was stated: what is counted has no sigma."""
    return _over_root(factor.residual_milli, factor.pivot) if factor.pivot else None


def _over_root(amount_milli: int, squared: int) -> int:
    """The quotient amount / sqrt(variance) in thousandths, rounded once: floor(sqrt(q)) is isqrt(floor(q)) for any fraction q."""
    if squared == 0:
        return 0
    size = (isqrt(4 * (amount_milli * PPM) ** 2 // squared) + 1) // 2
    return clamp(size if amount_milli >= 0 else -size, LIMIT_MILLI)
