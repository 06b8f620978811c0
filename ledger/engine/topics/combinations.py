"""What one buyer has bought of a restricted set, under all its names and from all sellers.

Each purchase counts by the day on which it happened, told by either end or by both. A row says how many groups of a set
are held within one window of WINDOW_DAYS that holds the purchase; the set is known by its name alone.
"""

from __future__ import annotations

import hashlib
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Sequence

import msgspec

from ledger.catalogue.restricted import RestrictedSets
from ledger.engine.goods import Goods, concentration_ppm
from ledger.engine.inputs import Input, plausible_ms
from ledger.engine.register import Register
from ledger.engine.subjects import COMMON, Subject
from ledger.engine.topics.base import Row, Topic, common
from ledger.engine.topics.linked import Linked

DAY_MS = 86_400_000
WINDOW_DAYS = 90
LATEST_DAYS = 30
"""How late a purchase may be told and still meet the others."""
NEW_DAYS = 400
"""A substance not bought for so long is new again."""


class CombinationsState(msgspec.Struct):
    """Buyer -> group (by the digest of what is in it, so that another file's groups are others) or code -> day -> purchases."""

    groups: dict[str, dict[str, dict[int, int]]] = {}
    codes: dict[str, dict[str, dict[int, int]]] = {}


class Combinations(Topic):
    """One row for each set that a purchase adds to, when all of its groups are held or all but one."""

    kinds = frozenset({"movement"})
    reasons = frozenset({"purchase", "sale"})
    subjects = (
        Subject(
            "combination",
            level=False,
            fields=COMMON
            | {
                "buyer": "str",
                "party": "str",
                "enterprises": "int",
                "set": "str",
                "groups": "int",
                "held": "int",
                "usual": "bool",
                "new_substance": "bool",
            },
        ),
    )

    def __init__(self, state: CombinationsState, register: Register, linked: Linked, sets: RestrictedSets) -> None:
        self._state = state
        self._register = register
        self._linked = linked
        self._sets = sets
        self._names = [[_name(group) for group in one.groups] for one in sets.sets]
        self._codes = {item.code for one in sets.sets for group in one.groups for item in group}

    def apply(self, entry: Input, goods: Sequence[Goods]) -> Iterator[Row]:
        """Take in a purchase, whoever tells of it."""
        items = [line for line, _ in goods if line.code in self._codes]
        buyer = _buyer(entry) if items else ""
        if not buyer:
            return
        day = int(plausible_ms(entry.event_ms, entry.received_ms)) // DAY_MS
        party = self._linked.party(buyer)
        touched: dict[int, bool] = {}
        for line in items:
            known = [self._state.codes.get(one, {}).get(line.code, {}) for one in party]
            is_new = not any(day - NEW_DAYS < before < day for days in known for before in days)
            for at, _ in self._sets.groups_of(line.code, concentration_ppm(line.concentration)):
                touched[at] = touched.get(at, False) or is_new
        self._post(entry, goods, buyer, 1)
        industry = self._register.profile(buyer).industry
        for at, is_new in touched.items():
            one = self._sets.sets[at]
            held = self._held(party, self._names[at], day)
            # Of a set of two groups, all but one is any purchase at all.
            if held == len(one.groups) or (held == len(one.groups) - 1 and held > 1):
                yield (
                    "combination",
                    common(entry)
                    | {"buyer": buyer, "party": party[0], "enterprises": len(party), "set": one.name}
                    | {"groups": len(one.groups), "held": held}
                    | {"usual": one.is_usual_in(industry), "new_substance": is_new},
                )

    def withdraw(self, before: Input, goods: Sequence[Goods], entry: Input) -> Iterable[Row]:
        """It was not bought."""
        del entry
        buyer = _buyer(before)
        if buyer:
            self._post(before, goods, buyer, -1)
        return ()

    def _post(self, entry: Input, goods: Sequence[Goods], buyer: str, by: int) -> None:
        day = int(plausible_ms(entry.event_ms, entry.received_ms)) // DAY_MS
        for line, _ in goods:
            if line.code not in self._codes:
                continue
            _add(self._state.codes, buyer, line.code, day, by)
            for at, number in self._sets.groups_of(line.code, concentration_ppm(line.concentration)):
                _add(self._state.groups, buyer, self._names[at][number], day, by)

    def _held(self, party: Sequence[str], groups: Sequence[str], day: int) -> int:
        """The most groups held in one window that holds the day."""
        days_of = [
            sorted({day for one in party for day in self._state.groups.get(one, {}).get(group, ())}) for group in groups
        ]
        ends = {day} | {end for days in days_of for end in days if day < end < day + WINDOW_DAYS}
        return max(
            sum(bisect_right(days, end) > bisect_left(days, end - WINDOW_DAYS + 1) for days in days_of) for end in ends
        )

    def prune(self, now_ms: int) -> None:
        """Forget what no purchase can meet any more."""
        today = now_ms // DAY_MS
        _drop_before(self._state.groups, today - WINDOW_DAYS - LATEST_DAYS)
        _drop_before(self._state.codes, today - NEW_DAYS)


def _name(group: object) -> str:
    return hashlib.sha256(repr(group).encode()).hexdigest()[:16]


def _buyer(entry: Input) -> str:
    body = entry.body
    if (body["direction"], body["reason"]) == ("in", "purchase"):
        return entry.holder
    if (body["direction"], body["reason"]) == ("out", "sale"):
        return str(body.get("counterparty", {}).get("uscc", ""))
    return ""


def _add(of: dict[str, dict[str, dict[int, int]]], buyer: str, at: str, day: int, by: int) -> None:
    things = of.setdefault(buyer, {})
    days = things.setdefault(at, {})
    days[day] = days.get(day, 0) + by
    if days[day] <= 0:
        del days[day]
    if not days:
        del things[at]
    if not things:
        del of[buyer]


def _drop_before(of: dict[str, dict[str, dict[int, int]]], oldest: int) -> None:
    for buyer, things in list(of.items()):
        for at, days in list(things.items()):
            kept = {day: count for day, count in days.items() if day >= oldest}
            if kept:
                things[at] = kept
            else:
                del things[at]
        if not things:
            del of[buyer]
