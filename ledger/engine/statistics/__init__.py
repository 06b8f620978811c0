"""Statistics of the rules engine: pure functions of integers, no state, the same result on every machine.

- `fixed`: rounding, roots, ratios, logarithms in fixed point.
- `robust`: robust z against an own history, quantiles of daily totals.
- `accountancy`: material balances, their error model, the incremental Cholesky factor, SITMUF.
- `sequential`: Page's tests, the single balance, the spread that is too good.

Not here, and not to be added: Benford's law and tests for round numbers (71 % of real declarations are round).
"""

from ledger.engine.statistics.accountancy import Balance, Factor, Measured
from ledger.engine.statistics.fixed import LIMIT_MILLI, LIMIT_PPM, clamp, divide, ln_micro, ratio_ppm, root
from ledger.engine.statistics.robust import MIN_SAMPLE, daily_quantile, nearest_rank, quantity_z_milli, robust_z_milli
from ledger.engine.statistics.sequential import (
    ABRUPT,
    PROTRACTED,
    SINGLE_MILLI,
    Pair,
    Spread,
    Standing,
    Sums,
    advance,
    items_missing,
    page_step,
    spread,
    too_good,
)

__all__ = [
    "ABRUPT",
    "LIMIT_MILLI",
    "LIMIT_PPM",
    "MIN_SAMPLE",
    "PROTRACTED",
    "SINGLE_MILLI",
    "Balance",
    "Factor",
    "Measured",
    "Pair",
    "Spread",
    "Standing",
    "Sums",
    "advance",
    "clamp",
    "daily_quantile",
    "divide",
    "items_missing",
    "ln_micro",
    "nearest_rank",
    "page_step",
    "quantity_z_milli",
    "ratio_ppm",
    "robust_z_milli",
    "root",
    "spread",
    "too_good",
]
