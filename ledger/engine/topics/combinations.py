"""What one buyer has bought of a restricted set, under all its names and from all sellers.

Each purchase counts by the day on which it happened, told by either end or by both. A row is about one day on which goods of
a set were bought, and says how many groups of it are held within the WINDOW_DAYS that end on that day; the set is known by its
name alone. That follows from the purchases alone: one that comes late, or is corrected, has the days behind it told again.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import msgspec

from ledger.catalogue.restricted import RestrictedSets
from ledger.engine.days import DAY_MS
from ledger.engine.goods import Goods, concentration_ppm
from ledger.engine.inputs import Input, counterparty_of, happened_ms
from ledger.engine.register import Register
from ledger.engine.subjects import COMMON, Subject
from ledger.engine.topics.base import Row, Topic, common
from ledger.engine.topics.linked import Linked
from ledger.engine.topics.told import Told

WINDOW_DAYS = 90
LATEST_DAYS = 30
"""How late a purchase may be told and still meet the others."""
MOST_AGAIN = 64
"""Days behind a purchase that are told again."""
NEW_DAYS = 400
"""A substance not bought for so long is new again."""


_Found = tuple[str, int, int, bool, bool]
"""Buyer, enterprises, groups held, usual, new_substance."""


class CombinationsState(msgspec.Struct):
    """Buyer -> group (by the digest of what is in it, so that another file's groups are others) or code -> day -> purchases."""

    groups: dict[str, dict[str, dict[int, int]]] = {}
    codes: dict[str, dict[str, dict[int, int]]] = {}
    told: dict[str, tuple[int, str, int, int, bool, bool]] = {}
    """What was said (of party|set|day): index of the entry, and buyer, enterprises, groups held, usual, new_substance."""
    by_entry: dict[int, list[str]] = {}


class Combinations(Topic):
    """One row for each set that a purchase adds to, when all of its groups are held or all but one."""

    kinds = frozenset({"movement"})
    reasons = frozenset({"purchase", "sale"})
    papers = frozenset({"profile", "person"})
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
        self.gone: list[tuple[str, int]] = []
        self._told: Told[_Found] = Told("combination", state.told, state.by_entry, self.gone)
        self._names = [[_name(group) for group in one.groups] for one in sets.sets]
        self._codes = {item.code for one in sets.sets for group in one.groups for item in group}

    def apply(self, entry: Input, goods: Sequence[Goods]) -> Iterator[Row]:
        """Take in a purchase, whoever tells of it."""
        return self._tell(entry, self._posted(entry, goods, 1))

    def withdraw(self, before: Input, goods: Sequence[Goods], entry: Input) -> Iterable[Row]:
        """It was not bought."""
        return self._tell(entry, self._posted(before, goods, -1))

    def correct(
        self, before: Input, before_goods: Sequence[Goods], entry: Input, goods: Sequence[Goods]
    ) -> Iterable[Row]:
        """Only what holds in the end is told."""
        days = self._posted(before, before_goods, -1)
        return self._tell(entry, [*days, *self._posted(entry, goods, 1)])

    def _posted(self, entry: Input, goods: Sequence[Goods], by: int) -> list[tuple[str, int, int]]:
        """Post a purchase: (buyer, set, day) of all that it may change."""
        items = [line for line, _, _ in goods if line.code in self._codes]
        buyer = _buyer(entry) if items else ""
        if not buyer:
            return []
        self._post(entry, goods, buyer, by)
        day = happened_ms(entry) // DAY_MS
        sets = {
            at for line in items for at, _ in self._sets.groups_of(line.code, concentration_ppm(line.concentration))
        }
        party = self._linked.party(buyer)
        return [
            (buyer, at, later)
            for at in sorted(sets)
            for later in sorted({day} | {d for d in self._days(party, at) if day < d < day + WINDOW_DAYS})[:MOST_AGAIN]
        ]

    def _days(self, party: Sequence[str], at: int) -> Iterator[int]:
        """The days on which a party bought goods of a set."""
        for one in party:
            groups = self._state.groups.get(one, {})
            for group in self._names[at]:
                yield from groups.get(group, ())

    def _tell(self, entry: Input, bought: Sequence[tuple[str, int, int]]) -> Iterator[Row]:
        """Judge days again; what is said otherwise now is taken back first."""
        found = {}
        for buyer, at, day in bought:
            party = self._linked.party(buyer)
            found[f"{party[0]}|{self._sets.sets[at].name}|{day}"] = self._found(entry, party, at, day)
        return self._told.tell(
            entry,
            found,
            lambda name, now: self._row(entry, name, now),
            # A buyer that has become one with others is told of under their name.
            is_known=lambda name, now: self._linked.party(now[0])[0] == name.partition("|")[0],
        )

    def _found(self, entry: Input, party: Sequence[str], at: int, day: int) -> _Found | None:
        """What is to be said of a day; its buyer is the first by name."""
        one, groups = self._sets.sets[at], self._state.groups
        buyers = [
            buyer for buyer in party if any(day in groups.get(buyer, {}).get(name, ()) for name in self._names[at])
        ]
        if not buyers:
            return None
        held = sum(
            any(day - WINDOW_DAYS < d <= day for buyer in party for d in groups.get(buyer, {}).get(name, ()))
            for name in self._names[at]
        )
        # Of a set of two groups, all but one is any purchase at all.
        if held < len(one.groups) and not (held == len(one.groups) - 1 and held > 1):
            return None
        codes = {item.code for group in one.groups for item in group}
        is_new = any(self._is_new(party, code, day) for code in sorted(codes))
        usual = one.is_usual_in(self._register.profile_at(buyers[0], entry.event_ms).industry)
        return buyers[0], len(party), held, usual, is_new

    def _is_new(self, party: Sequence[str], code: str, day: int) -> bool:
        """Whether a party bought a substance on this day, and not in the NEW_DAYS before it."""
        known = [self._state.codes.get(one, {}).get(code, {}) for one in party]
        return any(day in days for days in known) and not any(day - NEW_DAYS < d < day for days in known for d in days)

    def _row(self, entry: Input, name: str, now: _Found) -> dict[str, Any]:
        party, set_name, day = name.split("|")
        groups = next((len(one.groups) for one in self._sets.sets if one.name == set_name), now[2])
        return (
            common(entry)
            | {"event_ms": int(day) * DAY_MS, "party": party, "set": set_name, "groups": groups}
            | dict(zip(("buyer", "enterprises", "held", "usual", "new_substance"), now, strict=True))
        )

    def _post(self, entry: Input, goods: Sequence[Goods], buyer: str, by: int) -> None:
        day = happened_ms(entry) // DAY_MS
        for line, _, _ in goods:
            if line.code not in self._codes:
                continue
            _add(self._state.codes, buyer, line.code, day, by)
            for at, number in self._sets.groups_of(line.code, concentration_ppm(line.concentration)):
                _add(self._state.groups, buyer, self._names[at][number], day, by)

    def prune(self, now_ms: int) -> None:
        """Forget what no purchase can meet any more."""
        today = now_ms // DAY_MS
        state, oldest = self._state, today - WINDOW_DAYS - LATEST_DAYS
        _drop_before(state.groups, oldest)
        _drop_before(state.codes, today - NEW_DAYS)
        self._told.prune(oldest)


def _name(group: object) -> str:
    return hashlib.sha256(repr(group).encode()).hexdigest()[:16]


def _buyer(entry: Input) -> str:
    body = entry.body
    if (body["direction"], body["reason"]) == ("in", "purchase"):
        return entry.holder
    if (body["direction"], body["reason"]) == ("out", "sale"):
        return counterparty_of(body)
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
