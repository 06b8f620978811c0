"""What is usual here: robust z of a quantity against its own history, and quantiles of daily totals."""

from __future__ import annotations

from collections.abc import Sequence

from ledger.engine.statistics.fixed import LIMIT_MILLI, clamp, divide, ln_micro

MIN_SAMPLE = 12
"""Below it a median says little; engine.md and the catalogue's B08."""


def robust_z_milli(log_micro: int, logs_micro: Sequence[int], least: int = MIN_SAMPLE) -> int | None:
    """How far one logarithm lies from the median of a sample, in thousandths of a standard deviation.

    Modified z: 0.6745 (x - median)/MAD, MAD the median of the absolute deviations; where that is 0, because more than
    half of the sample is one value, (x - median)/(1.253314 * mean absolute deviation). Both are Iglewicz and Hoaglin,
    How to Detect and Handle Outliers (ASQC 1993), section 3.3. 3.5 is their limit.

    `logs_micro` is the sample, unsorted. It includes the judged value where the sample is the whole series, as in the
    source; a caller that judges a new value by what went before leaves it out.

    Returns: None with fewer than `least` values. Where all values are one and x is another, LIMIT_MILLI by its sign:
    a condition that wants more than that also asks for a ratio.
    """
    n = len(logs_micro)
    if n < least:
        return None
    # All in halves: the median of an even number of integers is one, and so is that of their deviations.
    twice_median = _twice_median(sorted(logs_micro))
    away = 2 * log_micro - twice_median
    deviations = sorted([abs(2 * x - twice_median) for x in logs_micro])
    four_mad = _twice_median(deviations)
    if four_mad:
        return clamp(divide(1349 * away, four_mad), LIMIT_MILLI)  # 1349 = 2 * 674.5
    total = sum(deviations)
    if total:
        return clamp(divide(1_000_000_000 * n * away, 1_253_314 * total), LIMIT_MILLI)
    return 0 if away == 0 else LIMIT_MILLI if away > 0 else -LIMIT_MILLI


def quantity_z_milli(quantity: int, quantities: Sequence[int], least: int = MIN_SAMPLE) -> int | None:
    """`robust_z_milli` of the logarithms of positive quantities; those of zero are left out, as they have none."""
    if quantity <= 0:
        return None
    return robust_z_milli(ln_micro(quantity), [ln_micro(q) for q in quantities if q > 0], least)


def _twice_median(ordered: Sequence[int]) -> int:
    middle = len(ordered) // 2
    return 2 * ordered[middle] if len(ordered) % 2 else ordered[middle - 1] + ordered[middle]


def nearest_rank(values: Sequence[int], percent: int) -> int:
    """The least value that at least `percent` per cent of `values` do not exceed (nearest rank, NIST e-Handbook 2.6.2).

    Always one of the values, so nothing is interpolated and nothing rounded.

    Raises: ValueError without values, or where percent is not 1 to 100.
    """
    if not values or not 1 <= percent <= 100:
        raise ValueError("a quantile needs values, and a percentage from 1 to 100")
    return sorted(values)[-(-percent * len(values) // 100) - 1]


def daily_quantile(totals: Sequence[int], percent: int, min_days: int) -> int | None:
    """The quantile of daily totals, None with fewer than `min_days` of them. Whether idle days count as 0 is the caller's."""
    return nearest_rank(totals, percent) if len(totals) >= min_days else None
