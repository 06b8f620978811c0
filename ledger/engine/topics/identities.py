"""Whose papers were looked at when listed goods changed hands, or a handler was enrolled: what was wrong with them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import msgspec

from ledger.engine.goods import Goods
from ledger.engine.inputs import Input
from ledger.engine.people import RESIDENT_ID, check_of, is_expired, who
from ledger.engine.subjects import COMMON, Subject
from ledger.engine.topics.base import Row, Topic, common
from ledger.engine.topics.licences import NEEDS


class IdentitiesState(msgspec.Struct):
    """By surrogate of a person."""

    names: dict[str, dict[str, int]] = {}
    """Surrogates of the names under which the number was given -> how many records said so."""


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
            self._name(entry, place, 1)
            if entry.kind == "person":
                doc_type, valid_to = body.get("doc_type", RESIDENT_ID), body.get("doc_valid_to", "")
                match_permille = check_of(body, place).match_permille
            else:
                _, doc_type, valid_to, match_permille = check_of(body, place)
            found = who(entry, place, doc_type)
            yield (
                "identity",
                common(entry)
                | {
                    "kind": entry.kind,
                    "place": _role(place),
                    "who": found.person,
                    "missing": needed and not found.disclosed,
                    "invalid": not found.valid,
                    "expired": is_expired(valid_to, entry),
                    "valid_to": valid_to,
                    "names": len(self._state.names.get(found.person, ())),
                    "match_permille": match_permille,
                },
            )

    def withdraw(self, before: Input, goods: Sequence[Goods], entry: Input) -> Iterable[Row]:
        """What it called the persons counts no more."""
        del entry
        for place, _ in _places(before, goods):
            self._name(before, place, -1)
        return ()

    def _name(self, entry: Input, place: str, times: int) -> None:
        found = who(entry, place)
        if not found.person or not found.name:
            return
        names = self._state.names.setdefault(found.person, {})
        names[found.name] = names.get(found.name, 0) + times
        if names[found.name] <= 0:
            del names[found.name]
        if not names:
            del self._state.names[found.person]


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
