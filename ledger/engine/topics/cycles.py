"""Sales of one substance that lead back to their seller, told in the same words in whatever order they came.

A sale of one day (the *anchor*: substance, seller, buyer, day) closes a cycle when the goods found a way back from its buyer
to its seller within the REACH_DAYS that end on that day: the shortest way, of equal ones that with the least names, each sale
on it with its greatest day. That follows from the sales alone. So a sale that comes late, or is corrected, has all anchors
judged again that it may lie before; what is said otherwise now is taken back first (`gone`).

That is done where a substance goes round among few. Where more than MOST_NEAR enterprises sell to each other, or more than
MOST_AGAIN anchors would have to be judged again, only the sale itself is judged, once, as it comes: there the order of
arrival can decide which of many cycles is told of.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

import msgspec

from ledger.engine.days import DAY_MS
from ledger.engine.inputs import Input
from ledger.engine.topics.base import Row, common
from ledger.engine.topics.told import Told

REACH_DAYS = 30
LATEST_DAYS = 30
"""How late a movement may come and still find the others."""
MAX_LENGTH = 6
"""Enterprises in a cycle."""
MOST_NEAR = 8
MOST_AGAIN = 256
PPM = 1_000_000

Buckets = dict[int, int]
Sales = dict[str, dict[str, dict[str, Buckets]]]
"""By code|dimension, seller and buyer: amount by day (number since 1970)."""
Found = tuple[str, int, int, int]
"""Path, length, span in ms, share in ppm."""


class CyclesState(msgspec.Struct):
    """What stands told, by anchor (`code|dimension|seller|buyer|day`)."""

    told: dict[str, tuple[int, str, int, int, int]] = {}
    """Index of the entry under which it was told, and what was."""
    by_entry: dict[int, list[str]] = {}


class Anchor(NamedTuple):
    """The sales of one day between two enterprises."""

    goods_key: str
    seller: str
    buyer: str
    day: int

    @property
    def name(self) -> str:
        return f"{self.goods_key}|{self.seller}|{self.buyer}|{self.day}"


class Cycles:
    """Reads the sales and writes one CyclesState."""

    def __init__(self, state: CyclesState, sales: Sales, gone: list[tuple[str, int]]) -> None:
        self._sales = sales
        self._told: Told[Found] = Told("cycle", state.told, state.by_entry, gone)

    def near(self, sold: Anchor, received_ms: int) -> list[Anchor] | None:
        """The anchors whose cycles this sale may be part of, itself first; None where there are too many."""
        sellers = self._sales.get(sold.goods_key, {})
        reached, level = {sold.buyer}, [sold.buyer]
        for _ in range(MAX_LENGTH - 1):
            level = [
                one for seller in level for one in sellers.get(seller, ()) if one in sellers and one not in reached
            ]
            reached.update(level)
            if len(reached) > MOST_NEAR:
                return None
            level = list(dict.fromkeys(level))
        anchors = [sold]
        if sold.seller not in reached:
            return anchors
        # What is older than that has lost sales it rested on: what was told of it stands.
        first = max(sold.day, received_ms // DAY_MS - LATEST_DAYS)
        for seller in sorted(reached):
            for buyer in sorted(reached & sellers.get(seller, {}).keys()):
                anchors += [
                    Anchor(sold.goods_key, seller, buyer, day)
                    for day in sellers[seller][buyer]
                    if first <= day <= sold.day + REACH_DAYS and (seller, buyer, day) != sold[1:]
                ]
        return anchors if len(anchors) <= MOST_AGAIN else None

    def tell(self, entry: Input, again: Iterable[Anchor], once: Iterable[Anchor]) -> Iterator[Row]:
        """Judge anchors again, and those `once` of which there are too many."""
        found = {anchor.name: self._find(anchor) for anchor in again}
        yield from self._told.tell(entry, found, lambda name, now: _row(entry, name, now))
        for anchor in once:
            now = self._find(anchor)
            if now is not None:
                yield "cycle", _row(entry, anchor.name, now)

    def _find(self, anchor: Anchor) -> Found | None:
        """The cycle that an anchor closes, if there is one."""
        _, seller, buyer, day = anchor
        sellers = self._sales.get(anchor.goods_key, {})
        amount = sellers.get(seller, {}).get(buyer, {}).get(day, 0)
        if amount <= 0:
            return None
        seen = {seller, buyer}
        level: list[tuple[tuple[str, ...], tuple[int, ...], tuple[int, ...]]] = [((seller, buyer), (day,), (amount,))]
        for length in range(2, MAX_LENGTH + 1):
            for path, days, amounts in level:
                back = _greatest(sellers.get(path[-1], {}).get(seller), day)
                if back is not None:
                    return _found(path, (*days, back[1]), (*amounts, back[0]))
            if length == MAX_LENGTH:
                break
            further = []
            for path, days, amounts in level:
                for following in sorted(sellers.get(path[-1], {}).keys() & sellers.keys()):
                    sold = _greatest(sellers[path[-1]][following], day) if following not in seen else None
                    if sold is not None:
                        seen.add(following)
                        further.append(((*path, following), (*days, sold[1]), (*amounts, sold[0])))
            level = further
        return None

    def prune(self, oldest_day: int) -> None:
        """Forget what no movement can meet any more."""
        self._told.prune(oldest_day)


def _greatest(days: Buckets | None, last: int) -> tuple[int, int] | None:
    """(amount, day) of the greatest day in reach, of equal ones the latest."""
    if not days:
        return None
    best = max(((sold, day) for day, sold in days.items() if last - REACH_DAYS <= day <= last), default=(0, 0))
    return best if best[0] > 0 else None


def _found(path: tuple[str, ...], days: tuple[int, ...], amounts: tuple[int, ...]) -> Found:
    first = path.index(min(path))
    # Begins with the least name, so that the same cycle has one name wherever it was noticed.
    name = ">".join(path[first:] + path[:first])
    return name, len(path), (max(days) - min(days)) * DAY_MS, min(amounts) * PPM // max(amounts)


def _row(entry: Input, name: str, found: Found) -> dict[str, Any]:
    code, dimension, _, _, day = name.split("|")
    path, length, span_ms, share_ppm = found
    return common(entry) | {
        # Days are what is known of the sales of a cycle.
        "event_ms": int(day) * DAY_MS,
        "code": code,
        "dimension": dimension,
        "path": path,
        "length": length,
        "span_ms": span_ms,
        "share_ppm": share_ppm,
    }
