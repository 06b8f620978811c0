"""Whose papers were looked at when listed goods changed hands, or a handler was enrolled: what was wrong with them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import msgspec

from ledger.engine import traces
from ledger.engine.goods import Goods
from ledger.engine.inputs import Input, happened_ms
from ledger.engine.people import NO_MATCH_STATED, RESIDENT_ID, Who, check_of, is_expired, who
from ledger.engine.subjects import COMMON, Subject
from ledger.engine.topics.base import Row, Topic, common
from ledger.engine.topics.dealings import NEEDED, first_listed
from ledger.engine.traces import Trace

_SEPARATOR = "\x1f"
_FEW = 64
"""Sightings of a person that need no tidying."""
MOST_RENAMED = 32
"""Later sightings of a person that a record which comes late says another name of: the first of them."""
_UNTOLD = {
    "missing": False,
    "invalid": False,
    "expired": False,
    "valid_to": "",
    "match_permille": NO_MATCH_STATED,
}
"""What a row about an earlier record does not say again."""


class IdentitiesState(msgspec.Struct):
    """By surrogate of a person."""

    names: dict[str, dict[str, int]] = {}
    """Surrogates of the names under which the number was given -> how many sightings."""
    sightings: dict[str, Trace[str]] = {}
    """Who gave which name: name, holder, site, book, place, record_id, joined."""


class Identities(Topic):
    """One row a place of a record in which a person must be, or is, identified."""

    kinds = frozenset({"movement", "person"})
    goods = NEEDED
    judged = "identity"
    papers = frozenset({judged})
    subjects = (
        # A person's papers. `who` is the surrogate, or "" where no number was disclosed in time.
        Subject(
            "identity",
            level=False,
            fields=COMMON
            | {
                "kind": "str",
                "place": "str",
                "who": "str",
                "missing": "bool",
                "invalid": "bool",
                "expired": "bool",
                "valid_to": "str",
                "names": "int",
                "match_permille": "int",
            },
        ),
    )

    def __init__(self, state: IdentitiesState) -> None:
        self._state = state
        self.again: dict[str, int] = {}

    def apply(self, entry: Input, goods: Sequence[Goods]) -> Iterator[Row]:
        """The rows of one movement of listed goods, or of a handler's own record."""
        body = entry.body
        for place, needed in _places(entry, goods):
            if entry.kind == "person":
                doc_type, valid_to = body.get("doc_type", RESIDENT_ID), body.get("doc_valid_to", "")
                match_permille = NO_MATCH_STATED
            else:
                _, doc_type, valid_to, match_permille = check_of(body, place)
            found = who(entry, place, doc_type)
            row = common(entry) | {
                "kind": entry.kind,
                "place": _role(place),
                "who": found.person,
                "missing": needed and not found.disclosed,
                "invalid": not found.valid,
                "expired": is_expired(valid_to, entry),
                "valid_to": valid_to,
                "names": 1,
                "match_permille": match_permille,
            }
            row["names"], renamed = self._see(entry, place, found)
            yield "identity", row
            for other in renamed:
                yield "identity", row | _UNTOLD | other

    def withdraw(self, before: Input, goods: Sequence[Goods], entry: Input) -> Iterable[Row]:
        """What it called the persons counts no more; what was said of other records since it did is looked at again."""
        del entry
        for person in {who(before, place).person: None for place, _ in _places(before, goods)}:
            for at_ms, record_id, value in self._state.sightings.get(person, ()):
                if record_id == before.record_id[: traces.ID_SIGNS]:
                    self._rested_on(person, (at_ms, record_id), value.partition(_SEPARATOR)[0])
                    self._forget(person, value)
            traces.drop(self._state.sightings, person, before.record_id)
        return ()

    def correct(
        self, before: Input, before_goods: Sequence[Goods], entry: Input, goods: Sequence[Goods]
    ) -> Iterator[Row]:
        """A correction that calls the same persons the same changes nothing for other records."""
        known = dict(self.again)
        yield from super().correct(before, before_goods, entry, goods)
        if _called(before, before_goods) == _called(entry, goods):
            self.again = known

    def _rested_on(self, person: str, here: tuple[int, str], called: str) -> None:
        """Sightings of a person under another name than it was called here, the nearest: of later ones something was said
        since this one came before them, and under earlier ones that came late something was said of this one.
        """
        others = [item for item in self._state.sightings[person] if item[2].partition(_SEPARATOR)[0] != called]
        earlier = [item for item in others if item[:2] < here]
        for at_ms, _, value in (*earlier[-MOST_RENAMED:], *others[len(earlier) :][:MOST_RENAMED]):
            self.again[value.rpartition(_SEPARATOR)[2]] = at_ms

    def prune(self, now_ms: int) -> None:
        """Of what lies long back, the first and the last time that somebody gave a name at a place are enough."""
        state, long_ago = self._state, now_ms - traces.LATE_FOR_MS
        for person, trace in state.sightings.items():
            if len(trace) <= _FEW:
                continue
            last = {_giver(value): at for at, (_, _, value) in enumerate(trace)}
            kept: Trace[str] = []
            first: set[str] = set()
            for at, item in enumerate(trace):
                giver = _giver(item[2])
                if item[0] >= long_ago or giver not in first or last[giver] == at:
                    kept.append(item)
                else:
                    self._forget(person, item[2])
                first.add(giver)
            state.sightings[person] = kept

    def _see(self, entry: Input, place: str, found: Who) -> tuple[int, list[dict[str, Any]]]:
        """(how many names, where an earlier sighting has another one, else 1; whom a later sighting called otherwise).

        Earlier and later are by event time: whichever record comes first, the same ones are told of.
        """
        if not found.person or not found.name:
            return 1, []
        at_ms = happened_ms(entry)
        value = _SEPARATOR.join((found.name, entry.holder, entry.site, entry.book, _role(place), entry.record_id))
        names = self._state.names.setdefault(found.person, {})
        names[found.name] = names.get(found.name, 0) + 1
        trace = traces.note(self._state.sightings, found.person, at_ms, entry.record_id, value)
        if len(names) == 1:
            return 1, []
        here, before, after = (at_ms, entry.record_id[: traces.ID_SIGNS]), False, list[dict[str, Any]]()
        for ms, start, other in trace:
            name, holder, site, book, role, record_id = other.split(_SEPARATOR)
            if name == found.name:
                continue
            if (ms, start) < here:
                before = True
            elif len(after) < MOST_RENAMED:
                row = {"holder": holder, "site": site, "book": book, "record_id": record_id, "event_ms": ms}
                after.append(row | {"place": role, "who": found.person, "names": len(names)})
        return (len(names) if before else 1), after

    def _forget(self, person: str, value: str) -> None:
        names, name = self._state.names[person], value.partition(_SEPARATOR)[0]
        names[name] -= 1
        if not names[name]:
            del names[name]
        if not names:
            del self._state.names[person]


def _called(entry: Input, goods: Sequence[Goods]) -> set[tuple[str, str]]:
    return {(found.person, found.name) for place, _ in _places(entry, goods) if (found := who(entry, place)).person}


def _giver(value: str) -> str:
    """All of a sighting but its record."""
    return value.rpartition(_SEPARATOR)[0]


def _role(place: str) -> str:
    """What somebody is at a place, wherever in a list he stands: handlers/0 is a handler, vehicle/driver a driver."""
    parts = [part for part in place.split("/") if not part.isdigit()]
    return parts[-1].removesuffix("s") if place else "handler"


def _places(entry: Input, goods: Sequence[Goods]) -> list[tuple[str, bool]]:
    """(place, whether somebody must be identified there), of each person whose papers count here."""
    body = entry.body
    if entry.kind == "person":
        return [] if body["action"] == "leave" else [("", False)]
    if not first_listed(goods):
        return []
    sells = body["reason"] == "sale" and body["direction"] == "out"
    # Decree 591 art. 41(1): the seller records the agent's name and number; of a buyer who is a person, his own.
    buyer = "counterparty" if body.get("counterparty", {}).get("type") == "person" else "agent"
    asked = {buyer: True} if sells else {}
    for pointer in entry.facts.get("ids", ()):
        asked.setdefault(pointer.removeprefix("/body/").removesuffix("/id_number"), False)
    for check in body.get("identity_checks", ()):
        asked.setdefault(check["subject"], False)
    return list(asked.items())
