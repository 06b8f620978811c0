"""Records of persons, knives and rental for the fold: short, with facts as append makes them."""

from __future__ import annotations

from msgspec.structs import replace
from typing import Any

from ledger.core.times import format_utc
from tests.engine.helpers import NITRIC, T0, line

RULES = ("B17", "C02", "C04", "G01", "G02", "G03", "H03", "H05")
"""Those that answer to what happened, and wait for nothing."""


def facts(**places: tuple[str, str] | str) -> dict[str, Any]:
    """{place: person or (person, name)}; "" as place is `self_`."""
    ids, links = {}, {}
    for place, who in places.items():
        person, name = who if isinstance(who, tuple) else (who, "")
        at = "/body" if place == "self_" else f"/body/{place}"
        ids[f"{at}/id_number"] = {"valid": True, "minor": False, "age_from": 18, "person": person}
        if name:
            links[f"{at}/name"] = name
    return {"ids": ids, "links": links}


def sale(buyer: str, agent: str, name: str = "") -> tuple[str, dict[str, Any], dict[str, Any]]:
    body = {
        "direction": "out",
        "reason": "sale",
        "counterparty": {"type": "enterprise", "uscc": buyer},
        "lines": [line(1, NITRIC)],
    }
    return "movement", body, facts(agent=(agent, name))


def knife(buyer: str, pieces: int) -> tuple[str, dict[str, Any], dict[str, Any]]:
    knives = {"goods": "knife", "code": "KN-1", "quantity": {"value": str(pieces), "unit": "H87"}}
    body = {"direction": "out", "reason": "sale", "counterparty": {"type": "person"}, "lines": [knives]}
    return "movement", body, facts(counterparty=buyer)


def letting(renter: str, contract: str) -> tuple[str, dict[str, Any], dict[str, Any]]:
    body = {
        "action": "out",
        "contract": contract,
        "vehicle": {"ref": "V1", "class": "van"},
        "renter": {"type": "person"},
        "due_at": format_utc(T0 + 10**9),
    }
    return "rental", body, facts(renter=renter)


def put(run, what, *, at: int, event: int | None = None, holder: str = "A", book: str = "", record_id: str = ""):
    """One of the above into a `Run`; under an id of its own, which a record has whenever it comes."""
    kind, body, known = what
    made = run.entry(
        kind, body, at=at, event=event, holder=holder, book=book or ("office" if kind == "rental" else "B1")
    )
    made = replace(made, facts=known, record_id=record_id or made.record_id)
    run.by_id[made.record_id] = made
    run.fold.step(made, run.to)
    return made


def correct(run, entry, what, *, at: int, told: bool = True):
    """A correction of `entry`; not `told` who it was, it discloses nobody again."""
    kind, body, known = what
    made = run.entry(
        "correction",
        {"corrects": entry.record_id, "kind": kind, "body": body},
        at=at,
        holder=entry.holder,
        book=entry.book,
    )
    made = replace(made, facts=known if told else {})
    run.by_id[made.record_id] = made
    run.fold.step(run.fold.with_before(made, run.by_id.get), run.to)
    return made
