"""Flows of one substance through enterprises: what leaves a user soon after it came, and what comes back to its sender.

Who is a user follows from the profile that stood at the time; one that comes late has a week's movements judged again.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import msgspec

from ledger.engine.days import DAY_MS
from ledger.engine.goods import Goods
from ledger.engine.inputs import Input, counterparty_of, happened_ms
from ledger.engine.register import Profile, Register
from ledger.engine.subjects import COMMON, Subject
from ledger.engine.topics.base import Row, Topic
from ledger.engine.topics.cycles import LATEST_DAYS, REACH_DAYS, Anchor, Cycles, CyclesState, Sales
from ledger.engine.topics.passing import HOUR_MS, Passing, PassingState, add, drop_before

_DEALING = frozenset({"producer", "trader", "seller", "dealer", "shop"})


class FlowsState(msgspec.Struct):
    """Amounts by hour or day (number since 1970). What happens within one of them is one: so an enterprise that moves the same
    goods a thousand times a day costs no more than one that moves them once, and the order of arrival does not matter.

    By holder|code|dimension, hours; by code|dimension, seller and buyer, days.
    """

    passing: PassingState = msgspec.field(default_factory=PassingState)
    sales: Sales = {}
    cycles: CyclesState = msgspec.field(default_factory=CyclesState)


class Flows(Topic):
    """Receipts and sales by substance."""

    kinds = frozenset({"movement"})
    reasons = frozenset({"purchase", "sale", "transfer"})
    papers = frozenset({"profile"})
    subjects = (
        # What left a user in one hour, against what it received in the two days before (`topics.passing`).
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
        self.gone: list[tuple[str, int]] = []
        self._passing = Passing(state.passing, self.gone)
        self._cycles = Cycles(state.cycles, state.sales, self.gone)

    def apply(self, entry: Input, goods: Sequence[Goods]) -> Iterator[Row]:
        """Receipts and sales; everything else neither comes from nor goes to another party."""
        if not _is_receipt(entry) and not _leaves(entry):
            return
        yield from self._passed(entry, self._post(entry, goods, 1))
        yield from self._cycles_of(entry, goods)

    def withdraw(self, before: Input, goods: Sequence[Goods], entry: Input) -> Iterator[Row]:
        """Take a record's amounts out, and what they were told of."""
        sold = self._sold(before, goods)
        yield from self._passed(entry, self._post(before, goods, -1))
        yield from self._told(entry, sold)

    def correct(
        self, before: Input, before_goods: Sequence[Goods], entry: Input, goods: Sequence[Goods]
    ) -> Iterator[Row]:
        """Only what holds in the end is told."""
        sold = self._sold(before, before_goods)
        changed = [*self._post(before, before_goods, -1), *self._post(entry, goods, 1)]
        yield from self._passed(entry, changed)
        yield from self._told(entry, [*sold, *self._sold(entry, goods)])

    def _cycles_of(self, entry: Input, goods: Sequence[Goods]) -> Iterable[Row]:
        sold = self._sold(entry, goods)
        return self._told(entry, sold) if sold else ()

    def _sold(self, entry: Input, goods: Sequence[Goods]) -> list[tuple[Anchor, list[Anchor] | None]]:
        """What a record says was sold to another enterprise, and whose cycles that may be part of."""
        other = counterparty_of(entry.body)
        if not _leaves(entry) or other in ("", entry.holder):
            return []
        day = happened_ms(entry) // DAY_MS
        sales = [Anchor(goods_key, entry.holder, other, day) for goods_key in _amounts(goods)]
        return [(anchor, self._cycles.near(anchor, entry.received_ms)) for anchor in sales]

    def _told(self, entry: Input, sold: Sequence[tuple[Anchor, list[Anchor] | None]]) -> Iterable[Row]:
        again = [anchor for _, anchors in sold for anchor in anchors or ()]
        once = [anchor for anchor, anchors in sold if anchors is None]
        return self._cycles.tell(entry, again, once)

    def _post(self, entry: Input, goods: Sequence[Goods], sign: int) -> list[tuple[str, int]]:
        """Take a record's amounts in (1) or out (-1): the (holder|code|dimension, hour) that changed."""
        came, leaves = _is_receipt(entry), _leaves(entry)
        if not came and not leaves:
            return []
        at_ms, changed = happened_ms(entry), []
        other = counterparty_of(entry.body)
        for goods_key, amount in _amounts(goods).items():
            place, hour = f"{entry.holder}|{goods_key}", at_ms // HOUR_MS
            if came:
                self._passing.came(place, hour, sign * amount)
            else:
                resold = entry.body["reason"] == "sale" and not entry.body.get("permits")
                self._passing.left(place, hour, sign * amount, sign if resold else 0)
            changed.append((place, hour))
            if leaves and other not in ("", entry.holder):
                buyers = self._state.sales.setdefault(goods_key, {}).setdefault(entry.holder, {})
                add(buyers, other, at_ms // DAY_MS, sign * amount)
        return changed

    def _passed(self, entry: Input, changed: Sequence[tuple[str, int]]) -> Iterable[Row]:
        # Mostly it is no user's; what is put right may have been one's when it was told of.
        if not changed or (entry.before is None and not any(map(_is_user, self._register.profiles(entry.holder)))):
            return ()
        return self._passing.tell(entry, changed, lambda at_ms: self._was_user(entry.holder, at_ms))

    def _was_user(self, holder: str, at_ms: int) -> bool:
        return _is_user(self._register.profile_at(holder, at_ms))

    def prune(self, now_ms: int) -> None:
        """Forget what no movement can meet any more."""
        self._passing.prune(now_ms)
        oldest_day = now_ms // DAY_MS - REACH_DAYS - LATEST_DAYS
        for goods_key, sellers in list(self._state.sales.items()):
            for seller, buyers in list(sellers.items()):
                drop_before(buyers, oldest_day)
                if not buyers:
                    del sellers[seller]
            if not sellers:
                del self._state.sales[goods_key]
        self._cycles.prune(oldest_day)


def _is_user(profile: Profile) -> bool:
    return "user" in profile.roles and _DEALING.isdisjoint(profile.roles)


def _is_receipt(entry: Input) -> bool:
    return entry.body["direction"] == "in" and entry.body["reason"] in ("purchase", "transfer")


def _leaves(entry: Input) -> bool:
    # A return to the supplier is no resale.
    return entry.body["direction"] == "out" and entry.body["reason"] in ("sale", "transfer")


def _amounts(goods: Sequence[Goods]) -> dict[str, int]:
    """Amount by code|dimension; empties left out."""
    sums: dict[str, int] = {}
    for line, listing, _ in goods:
        if listing.listed and not line.attributes.get("empty"):
            key = f"{line.code}|{line.dimension}"
            sums[key] = sums.get(key, 0) + line.amount
    return sums
