"""The natural persons of a record, as its facts and its identity checks show them; never a name or a number.

A *place* is where a person stands in the body: `agent`, `counterparty`, `handlers/0`, `drivers/1`, `renter`, `payer`; ""
for a `person` record itself. Facts speak of the pointers that were disclosed (`ledger.core.facts`).
"""

from __future__ import annotations

from typing import Any, NamedTuple

from ledger.engine.inputs import Input
from ledger.engine.register import Register

NO_MATCH_STATED = 1000
"""Of a place without a comparison of face and photograph: nothing speaks against it."""
RESIDENT_ID = "resident_id"


class Who(NamedTuple):
    """One place. All that is not known has a harmless value; `disclosed` says whether a number was given at all."""

    disclosed: bool
    person: str
    """Surrogate, "" where the number names nobody."""
    name: str
    """Surrogate of the name."""
    valid: bool
    """A resident ID by its check character; True for papers of another type, which have none."""
    minor: bool
    age_from: int
    """Greatest legal age reached on the day of the event (14, 16, 18), 0 below; -1 where it is not known."""


class Check(NamedTuple):
    """What an identity check states of a place."""

    stated: bool
    doc_type: str
    valid_to: str
    """YYYY-MM-DD, "" where it is not stated."""
    match_permille: int


_NO_CHECK = Check(stated=False, doc_type=RESIDENT_ID, valid_to="", match_permille=NO_MATCH_STATED)


_NOBODY = Who(disclosed=False, person="", name="", valid=True, minor=False, age_from=-1)


def who(entry: Input, place: str, doc_type: str = RESIDENT_ID) -> Who:
    """What the facts say of the person at a place; `doc_type` as an identity check or the body states it."""
    if not entry.facts:
        return _NOBODY  # as of nearly every record of goods
    at = f"/body/{place}" if place else "/body"
    name = entry.facts.get("links", {}).get(f"{at}/name", "")
    fact: dict[str, Any] | None = entry.facts.get("ids", {}).get(f"{at}/id_number")
    if fact is None:
        return Who(disclosed=False, person="", name=name, valid=True, minor=False, age_from=-1)
    age_from = fact.get("age_from")
    return Who(
        disclosed=True,
        person=fact.get("person") or "",
        name=name,
        valid=fact["valid"] or doc_type != RESIDENT_ID,
        minor=fact["minor"] is True,
        age_from=-1 if age_from is None else age_from,
    )


def check_of(body: dict[str, Any], place: str) -> Check:
    """The identity check whose subject is this place."""
    for check in body.get("identity_checks", ()):
        if check["subject"] == place:
            return Check(
                stated=True,
                doc_type=check["doc_type"],
                valid_to=check.get("doc_valid_to", ""),
                match_permille=check.get("match_permille", NO_MATCH_STATED),
            )
    return _NO_CHECK


def is_expired(valid_to: str, entry: Input) -> bool:
    """Whether a document had run out on the signer's own local day of the event."""
    return valid_to != "" and valid_to < entry.event_time[:10]


def person_behind(entry: Input, place: str, ref: str, register: Register) -> str:
    """The surrogate of a handler: disclosed with the record, or else with the enterprise's own `person` record; or ""."""
    found = who(entry, place).person
    if found:
        return found
    fact = register.facts_of(entry.holder, ref, entry.event_ms).get("ids", {}).get("/body/id_number")
    return "" if fact is None else fact.get("person") or ""


def handlers_of(entry: Input, register: Register) -> list[tuple[str, str]]:
    """(ref, surrogate or "") of each handler of a record, in its order."""
    return [
        (handler["ref"], person_behind(entry, f"handlers/{at}", handler["ref"], register))
        for at, handler in enumerate(entry.body.get("handlers", ()))
    ]
