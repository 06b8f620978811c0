"""Whose papers were looked at when listed goods changed hands, or a handler was enrolled: what was wrong with them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import msgspec

from ledger.engine.goods import Goods
from ledger.engine.inputs import Input, plausible_ms
from ledger.engine.people import NO_MATCH_STATED, RESIDENT_ID, Who, check_of, is_expired, who
from ledger.engine.subjects import COMMON, Subject
from ledger.engine.topics.base import Row, Topic, common
from ledger.engine.topics.licences import NEEDS


class Sighting(msgspec.Struct, array_like=True):
    """The first record, by event time, that gave a person this name; `times` counts all that did."""

    times: int
    at_ms: int
    record_id: str
    holder: str
    site: str
    book: str
    place: str


class IdentitiesState(msgspec.Struct):
    """By surrogate of a person."""

    names: dict[str, dict[str, Sighting]] = {}
    """Surrogates of the names under which the number was given."""


class Identities(Topic):
    """One row a place of a record in which a person must be, or is, identified."""

    kinds = frozenset({"movement", "person"})
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
            latest = self._see(entry, place, found)
            if latest is not None and latest.record_id == entry.record_id:
                row["names"] = len(self._state.names[found.person])
            elif latest is not None:
                yield "identity", self._renamed(row, latest, found.person)
            yield "identity", row

    def withdraw(self, before: Input, goods: Sequence[Goods], entry: Input) -> Iterable[Row]:
        """What it called the persons counts no more."""
        del entry
        for place, _ in _places(before, goods):
            found = who(before, place)
            names = self._state.names.get(found.person, {})
            if found.name in names:
                names[found.name].times -= 1
                if not names[found.name].times:
                    del names[found.name]
                if not names:
                    del self._state.names[found.person]
        return ()

    def _see(self, entry: Input, place: str, found: Who) -> Sighting | None:
        """Note a name. When it is one more for this person: the newest of his names by event time, whichever came last."""
        if not found.person or not found.name:
            return None
        at_ms = plausible_ms(entry.event_ms, entry.received_ms)
        names = self._state.names.setdefault(found.person, {})
        seen = names.get(found.name)
        if seen is not None:
            seen.times += 1
            if at_ms >= seen.at_ms:
                return None
            names[found.name] = _sighting(entry, place, at_ms, seen.times)
            return None
        names[found.name] = _sighting(entry, place, at_ms, 1)
        return max(names.values(), key=lambda s: (s.at_ms, s.record_id)) if len(names) > 1 else None

    def _renamed(self, row: dict[str, Any], latest: Sighting, person: str) -> dict[str, Any]:
        """The row of a record that came before, and to which another name came late."""
        return row | {
            "holder": latest.holder,
            "site": latest.site,
            "book": latest.book,
            "record_id": latest.record_id,
            "event_ms": latest.at_ms,
            "place": latest.place,
            "missing": False,
            "invalid": False,
            "expired": False,
            "valid_to": "",
            "match_permille": NO_MATCH_STATED,
            "names": len(self._state.names[person]),
        }


def _sighting(entry: Input, place: str, at_ms: int, times: int) -> Sighting:
    return Sighting(times, at_ms, entry.record_id, entry.holder, entry.site, entry.book, _role(place))


def _role(place: str) -> str:
    """What somebody is at a place, wherever in a list he stands: handlers/0 is a handler, vehicle/driver a driver."""
    parts = [part for part in place.split("/") if not part.isdigit()]
    return parts[-1].removesuffix("s") if place else "handler"


def _places(entry: Input, goods: Sequence[Goods]) -> list[tuple[str, bool]]:
    """(place, whether somebody must be identified there), of each person whose papers count here."""
    body = entry.body
    if entry.kind == "person":
        return [] if body["action"] == "leave" else [("", False)]
    if not any(need in item.categories for item in goods for need in NEEDS):
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
