"""Flows of one substance through enterprises: what leaves a user soon after it came, and what comes back to its sender.

What passed through (B14) is told at the time of the receipt or of the sale, whichever came last, and of who is a user by the
profile that is known then: of two books of one enterprise the order can decide the hour, and so the window, of the finding.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import msgspec

from ledger.core.times import format_utc
from ledger.engine.goods import Goods
from ledger.engine.inputs import Input, plausible_ms
from ledger.engine.register import Register
from ledger.engine.subjects import COMMON, Subject
from ledger.engine.topics.base import Row, Topic, common
from ledger.engine.topics.cycles import LATEST_DAYS, REACH_DAYS, Anchor, Buckets, Cycles, CyclesState, Sales
from ledger.model import UnixMs

HOUR_MS = 3_600_000
DAY_MS = 24 * HOUR_MS
PASS_HOURS = 48
"""How soon after a receipt what leaves counts as passed through (catalogue B14)."""
PPM = 1_000_000


class FlowsState(msgspec.Struct):
    """Amounts by hour or day (number since 1970). What happens within one of them is one: so an enterprise that moves the same
    goods a thousand times a day costs no more than one that moves them once, and the order of arrival does not matter.

    By holder|code|dimension, hours; by code|dimension, seller and buyer, days.
    """

    receipts: dict[str, Buckets] = {}
    leaving: dict[str, Buckets] = {}
    sales: Sales = {}
    cycles: CyclesState = msgspec.field(default_factory=CyclesState)


class Flows(Topic):
    """Receipts and sales by substance."""

    kinds = frozenset({"movement"})
    reasons = frozenset({"purchase", "sale", "transfer"})
    subjects = (
        # What left an enterprise within two days after one receipt.
        Subject(
            "passthrough",
            level=False,
            fields=COMMON
            | {
                "code": "str",
                "dimension": "str",
                "user": "bool",
                "resale": "bool",
                "approval": "bool",
                "came": "int",
                "left": "int",
                "share_ppm": "int",
                "since": "str",
                "since_ms": "int",
            },
        ),
        # Sales of one substance that lead back to their beginning (`topics.cycles`).
        Subject(
            "cycle",
            level=False,
            fields=COMMON
            | {"code": "str", "dimension": "str", "path": "str", "length": "int", "span_ms": "int", "share_ppm": "int"},
        ),
    )

    def __init__(self, state: FlowsState, register: Register) -> None:
        self._state = state
        self._register = register
        self._cycles = Cycles(state.cycles, state.sales)
        self.gone: list[tuple[str, int]] = []

    def apply(self, entry: Input, goods: Sequence[Goods]) -> Iterator[Row]:
        """Receipts and sales; everything else neither comes from nor goes to another party."""
        if not _is_receipt(entry) and not _leaves(entry):
            return
        yield from self._apply(entry, goods)
        yield from self._cycles_of(entry, goods)

    def withdraw(self, before: Input, goods: Sequence[Goods], entry: Input) -> Iterable[Row]:
        """Take a record's amounts out. What passed through is not unsaid: an alert stays, its revision follows."""
        sold = self._sold(before, goods)
        self._withdraw(before, goods)
        return self._told(entry, sold)

    def correct(
        self, before: Input, before_goods: Sequence[Goods], entry: Input, goods: Sequence[Goods]
    ) -> Iterator[Row]:
        """Of cycles only what holds in the end is told."""
        sold = self._sold(before, before_goods)
        self._withdraw(before, before_goods)
        if _is_receipt(entry) or _leaves(entry):
            yield from self._apply(entry, goods)
        yield from self._told(entry, [*sold, *self._sold(entry, goods)])

    def _apply(self, entry: Input, goods: Sequence[Goods]) -> Iterator[Row]:
        came = _is_receipt(entry)
        at_ms = int(plausible_ms(entry.event_ms, entry.received_ms))
        for goods_key, amount in _amounts(goods).items():
            self._post(entry, goods_key, at_ms, amount)
            if self._is_user(entry.holder):
                yield from self._passed(entry, goods_key, at_ms // HOUR_MS, amount, came=came)

    def _withdraw(self, before: Input, goods: Sequence[Goods]) -> None:
        if _is_receipt(before) or _leaves(before):
            at_ms = int(plausible_ms(before.event_ms, before.received_ms))
            for goods_key, amount in _amounts(goods).items():
                self._post(before, goods_key, at_ms, -amount)

    def _cycles_of(self, entry: Input, goods: Sequence[Goods]) -> Iterable[Row]:
        sold = self._sold(entry, goods)
        return self._told(entry, sold) if sold else ()

    def _sold(self, entry: Input, goods: Sequence[Goods]) -> list[tuple[Anchor, list[Anchor] | None]]:
        """What a record says was sold to another enterprise, and whose cycles that may be part of."""
        other = entry.body.get("counterparty", {}).get("uscc", "")
        if not _leaves(entry) or other in ("", entry.holder):
            return []
        day = int(plausible_ms(entry.event_ms, entry.received_ms)) // DAY_MS
        sales = [Anchor(goods_key, entry.holder, other, day) for goods_key in _amounts(goods)]
        return [(anchor, self._cycles.near(anchor, entry.received_ms)) for anchor in sales]

    def _told(self, entry: Input, sold: Sequence[tuple[Anchor, list[Anchor] | None]]) -> Iterable[Row]:
        again = [anchor for _, anchors in sold for anchor in anchors or ()]
        once = [anchor for anchor, anchors in sold if anchors is None]
        return self._cycles.tell(entry, again, once, self.gone)

    def _post(self, entry: Input, goods_key: str, at_ms: int, amount: int) -> None:
        place = f"{entry.holder}|{goods_key}"
        _add((self._state.receipts if _is_receipt(entry) else self._state.leaving), place, at_ms // HOUR_MS, amount)
        other = entry.body.get("counterparty", {}).get("uscc", "")
        if _leaves(entry) and other not in ("", entry.holder):
            buyers = self._state.sales.setdefault(goods_key, {}).setdefault(entry.holder, {})
            _add(buyers, other, at_ms // DAY_MS, amount)

    def _passed(self, entry: Input, goods_key: str, hour: int, amount: int, *, came: bool) -> Iterator[Row]:
        """One row: of the receipt of which the greatest part left, among those that this movement concerns."""
        code, dimension = goods_key.split("|")
        place = f"{entry.holder}|{goods_key}"
        receipts, leaving = self._state.receipts.get(place, {}), self._state.leaving.get(place, {})
        resale = not came and entry.body["reason"] == "sale"
        row = common(entry) | {
            "code": code,
            "dimension": dimension,
            "user": True,
            "resale": resale,
            "approval": bool(entry.body.get("permits")),
        }
        anchors = [hour] if came else [h for h in range(hour - PASS_HOURS, hour + 1) if receipts.get(h, 0) > 0]
        worst: tuple[int, int, int, int] | None = None
        for anchor in anchors:
            # Several receipts of the same two days are one receipt: else one sale would pass each of them through.
            window = range(anchor, anchor + PASS_HOURS + 1)
            together, left = sum(receipts.get(h, 0) for h in window), sum(leaving.get(h, 0) for h in window)
            share = min(left * PPM // max(together, 1), PPM)
            if left > 0 and (worst is None or share > worst[0]):
                worst = (share, anchor, together, left)
        if worst is not None:
            share, anchor, together, left = worst
            since_ms = UnixMs(anchor * HOUR_MS)
            yield (
                "passthrough",
                row
                | {"came": together, "left": left, "share_ppm": share}
                | {"since": format_utc(since_ms), "since_ms": since_ms},
            )
        elif resale:
            yield "passthrough", row | {"came": 0, "left": amount, "share_ppm": 0, "since": "", "since_ms": 0}

    def _is_user(self, holder: str) -> bool:
        roles = set(self._register.profile(holder).roles)
        return "user" in roles and roles.isdisjoint({"producer", "trader", "seller", "dealer", "shop"})

    def prune(self, now_ms: int) -> None:
        """Forget what no movement can meet any more."""
        oldest_hour = now_ms // HOUR_MS - PASS_HOURS - 24 * LATEST_DAYS
        for by in (self._state.receipts, self._state.leaving):
            _drop_before(by, oldest_hour)
        oldest_day = now_ms // DAY_MS - REACH_DAYS - LATEST_DAYS
        for goods_key, sellers in list(self._state.sales.items()):
            for seller, buyers in list(sellers.items()):
                _drop_before(buyers, oldest_day)
                if not buyers:
                    del sellers[seller]
            if not sellers:
                del self._state.sales[goods_key]
        self._cycles.prune(oldest_day)


def _is_receipt(entry: Input) -> bool:
    return entry.body["direction"] == "in" and entry.body["reason"] in ("purchase", "transfer")


def _leaves(entry: Input) -> bool:
    # A return to the supplier is no resale.
    return entry.body["direction"] == "out" and entry.body["reason"] in ("sale", "transfer")


def _amounts(goods: Sequence[Goods]) -> dict[str, int]:
    """Amount by code|dimension; empties left out."""
    sums: dict[str, int] = {}
    for line, listing in goods:
        if listing.listed and not line.attributes.get("empty"):
            key = f"{line.code}|{line.dimension}"
            sums[key] = sums.get(key, 0) + line.amount
    return sums


def _add(by: dict[str, Buckets], at: str, number: int, amount: int) -> None:
    buckets = by.setdefault(at, {})
    total = buckets.get(number, 0) + amount
    if total:
        buckets[number] = total
    else:
        buckets.pop(number, None)
        if not buckets:
            del by[at]


def _drop_before(by: dict[str, Buckets], oldest: int) -> None:
    for at, buckets in list(by.items()):
        kept = {number: amount for number, amount in buckets.items() if number >= oldest}
        if kept:
            by[at] = kept
        else:
            del by[at]
