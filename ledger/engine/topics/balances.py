"""Rows of material accountancy (`topics.accountancy`): their schemas, and what they say of a stream."""

from __future__ import annotations

from typing import Any

from ledger.core.balancekey import key_parts
from ledger.engine import streams
from ledger.engine.statistics import LIMIT_MILLI, clamp, spread, too_good
from ledger.engine.streams import Derived, Stream
from ledger.engine.subjects import COMMON, GOODS, Subject

_INT64 = 2**62
_BALANCE = {
    "key": "str",
    "band": "str",
    "sealed": "bool",
    "stocktake": "str",
    "stated": "bool",
    "weighed": "bool",
    "shortage": "bool",
    "difference": "int",
    "muf": "int",
    "before": "int",
    "came": "int",
    "went": "int",
    "lost": "int",
    "counted": "int",
    "missing_pieces": "int",
    "sigma": "int",
    "z_milli": "int",
    "sitmuf_milli": "int",
    "n": "int",
    "spread_ppm": "int",
    "sigma_estimated": "int",
}


# The balance of one stream that a complete stock-take closed; again when a late or corrected record changes it.
MATERIAL_BALANCE = Subject("material_balance", level=False, fields=COMMON | GOODS | _BALANCE)
# How a stream stands after its newest balance: Page's sums (k 0.25 and 1.0), the spread of all its balances.
MATERIAL_STREAM = Subject(
    "material_stream",
    level=True,
    fields=COMMON
    | GOODS
    | _BALANCE
    | {
        "loss_protracted_milli": "int",
        "loss_abrupt_milli": "int",
        "gain_protracted_milli": "int",
        "gain_abrupt_milli": "int",
        "too_good": "bool",
        "moved_balances": "int",
        "moved_spread_ppm": "int",
    },
)
# One goods line of bulk material that was declared lost, and what its stream lost within 30 days.
DECLARED_LOSS = Subject(
    "declared_loss",
    level=False,
    fields=COMMON
    | GOODS
    | {
        "key": "str",
        "cause": "str",
        "amount": "int",
        "lost_month": "int",
        "handled": "int",
        "rate_ppm": "int",
        "volatile": "bool",
        "losses": "int",
        "compared": "bool",
        "z_milli": "int",
    },
)


def is_sealed(key: str) -> bool:
    """Whether a stream's goods are counted, not weighed."""
    parts = key_parts(key)
    return parts.packaging == "sealed" or parts.dimension == "count"


def goods_fields(key: str, stream: Stream) -> dict[str, Any]:
    """The fields of `GOODS` of a stream."""
    parts = key_parts(key)
    return {
        "code": parts.code,
        "form": parts.form,
        "packaging": parts.packaging,
        "dimension": parts.dimension,
        "categories": stream.categories,
    }


def balance_row(key: str, stream: Stream, at: int, known: Derived) -> dict[str, Any]:
    """The balance that period `at` closes; of the series, what was known then."""
    before, period = streams.period_at(stream, at - 1), streams.period_at(stream, at)
    standing = streams.standing(stream, known, at)
    sealed = is_sealed(key)
    missing = before.pieces + period.net_pieces - period.pieces if sealed else 0
    weighed = standing.y_milli is not None
    own = spread([y for y in known.ys_milli(0, at) if y is not None]) if weighed else None
    return {
        "event_ms": period.taken.cutoff_ms,
        "key": key,
        "band": key_parts(key).band,
        "sealed": sealed,
        "stocktake": period.taken.record_id,
        "stated": period.taken.stated,
        "weighed": weighed,
        "shortage": missing > 0 or standing.muf > 0,
        "difference": abs(standing.muf),
        "muf": standing.muf,
        "before": before.counted,
        "came": period.came,
        "went": period.went,
        "lost": period.lost,
        "counted": period.counted,
        "missing_pieces": missing,
        "sigma": clamp(standing.sigma, _INT64),
        "z_milli": standing.z_milli,
        "sitmuf_milli": standing.y_milli or 0,
        "n": own.n if own else 0,
        "spread_ppm": clamp(own.ratio_ppm, _INT64) if own else 0,
        "sigma_estimated": clamp(own.sigma(standing.sigma), _INT64) if own else 0,
    }


def series_fields(known: Derived) -> dict[str, Any]:
    """What is tested of the whole series after its newest balance."""
    last = known.newest[-1]
    # A tank that nobody touched shows the same figure twice, which is no wonder: only balances with flows are judged.
    moved = [
        (muf, y, judged & streams.STATED)
        for muf, y, judged in zip(known.mufs, known.ys_milli(), known.judged, strict=True)
        if y is not None and judged & streams.MOVED
    ]
    mufs = [muf for muf, _, _ in moved]
    ys = [y for _, y, _ in moved]
    good = too_good(mufs, ys) and (not any(mufs) or all(stated for _, _, stated in moved))
    own = spread(ys)
    signals = last.y_milli is not None
    return {
        "loss_protracted_milli": _shown(last.sums.loss_protracted, show=signals),
        "loss_abrupt_milli": _shown(last.sums.loss_abrupt, show=signals),
        "gain_protracted_milli": _shown(last.sums.gain_protracted, show=signals),
        "gain_abrupt_milli": _shown(last.sums.gain_abrupt, show=signals),
        "too_good": good,
        "moved_balances": own.n if own else len(moved),
        "moved_spread_ppm": clamp(own.ratio_ppm, _INT64) if own else 0,
    }


def _shown(value: int, *, show: bool) -> int:
    return clamp(value, LIMIT_MILLI) if show else 0
