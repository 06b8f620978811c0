"""One natural person at several enterprises, or in several controlled scenes: a second stage, keyed by surrogates."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import msgspec

from ledger.engine import traces
from ledger.engine.goods import Goods
from ledger.engine.inputs import Input, plausible_ms
from ledger.engine.people import handlers_of, who
from ledger.engine.register import Register
from ledger.engine.subjects import COMMON, Subject
from ledger.engine.topics.base import Row, Topic, common
from ledger.engine.topics.dealings import first_listed
from ledger.engine.traces import Trace

FANOUT_MS = 30 * 86_400_000
SCENES_MS = 72 * 3_600_000
SMALL_CAR_SEATS = 6
"""Cars for private journeys; with more seats, or of another class, a vehicle carries goods."""
_PRIVATE = ("car", "sedan", "suv")
AGENT = "agent"
"""Role of a person who is enrolled to act for others."""


class LinksState(msgspec.Struct):
    """By surrogate of a person."""

    buyers: dict[str, Trace[str]] = {}
    """Enterprises for which somebody handled controlled purchases."""
    scenes: dict[str, Trace[str]] = {}
    legal: dict[str, str] = {}
    """Enterprise -> surrogate of its legal person, as its newest profile discloses it."""
    agents: dict[str, bool] = {}
    """Persons whom an enterprise enrolled as agent."""


class Links(Topic):
    """Rows that follow a person from enterprise to enterprise."""

    kinds = frozenset({"movement", "rental", "profile", "person"})
    subjects = (
        # A person who handled controlled purchases, and for how many unrelated enterprises within 30 days.
        Subject("fanout", level=False, fields=COMMON | {"person": "str", "enterprises": "int", "is_agent": "bool"}),
        # A person seen in more than one controlled scene within 72 hours.
        Subject("scenes", level=False, fields=COMMON | {"person": "str", "scene": "str", "scenes": "int"}),
    )

    def __init__(self, state: LinksState, register: Register) -> None:
        self._state = state
        self._register = register

    def apply(self, entry: Input, goods: Sequence[Goods]) -> Iterator[Row]:
        """Take in whom a record shows."""
        if entry.kind == "profile":
            person = who(entry, "legal_person").person
            if person:
                self._state.legal[entry.holder] = person
            return
        if entry.kind == "person":
            person = who(entry, "").person
            if person and "role" in entry.body:
                self._state.agents[person] = entry.body["role"] == AGENT and entry.body["action"] != "leave"
            return
        at_ms = plausible_ms(entry.event_ms, entry.received_ms)
        buyers = dict(self._purchases(entry, goods)) if entry.kind == "movement" else {}
        for person, buyer in buyers.items():
            trace = traces.note(self._state.buyers, person, at_ms, entry.record_id, buyer)
            enterprises = traces.worst(trace, at_ms, FANOUT_MS, self._unrelated)
            if enterprises > 1:
                is_agent = self._state.agents.get(person, False)
                yield "fanout", common(entry) | {"person": person, "enterprises": enterprises, "is_agent": is_agent}
        for person, scene in self._seen(entry, goods).items():
            seen = traces.note(self._state.scenes, person, at_ms, entry.record_id, scene)
            scenes = traces.worst(seen, at_ms, SCENES_MS, traces.distinct)
            if scenes > 1:
                yield "scenes", common(entry) | {"person": person, "scene": scene, "scenes": scenes}

    def withdraw(self, before: Input, goods: Sequence[Goods], entry: Input) -> Iterable[Row]:
        """Whom the record showed is as if never seen with it."""
        del entry
        if before.kind == "movement":
            for person, _ in self._purchases(before, goods):
                traces.drop(self._state.buyers, person, before.record_id)
        if before.kind in ("movement", "rental"):
            for person in self._seen(before, goods):
                traces.drop(self._state.scenes, person, before.record_id)
        return ()

    def prune(self, now_ms: int) -> None:
        """Forget what lies behind the windows, and a while longer for what comes late."""
        traces.prune(self._state.buyers, now_ms - FANOUT_MS - traces.LATE_FOR_MS)
        traces.prune(self._state.scenes, now_ms - SCENES_MS - traces.LATE_FOR_MS)

    def _unrelated(self, enterprises: Sequence[str]) -> int:
        """How many, those of one legal person counted once."""
        return len({self._state.legal.get(enterprise, enterprise) for enterprise in enterprises})

    def _purchases(self, entry: Input, goods: Sequence[Goods]) -> Iterator[tuple[str, str]]:
        """(person, enterprise for which he bought): the agent whom the seller saw, the buyer's own agent and handlers."""
        body = entry.body
        if body["reason"] not in ("sale", "purchase") or not first_listed(goods):
            return
        agent = who(entry, "agent").person
        if body["reason"] == "sale" and body["direction"] == "out":
            buyer = body.get("counterparty", {}).get("uscc", "")
            if agent and buyer:
                yield agent, buyer
        elif body["reason"] == "purchase":
            if agent:
                yield agent, entry.holder
            for _, person in handlers_of(entry, self._register):
                if person:
                    yield person, entry.holder

    def _seen(self, entry: Input, goods: Sequence[Goods]) -> dict[str, str]:
        """Person -> scene: chemical, knife, vehicle."""
        body = entry.body
        if entry.kind == "rental":
            if body["action"] != "out" or not _carries(body["vehicle"]):
                return {}
            places = ["renter", *(f"drivers/{at}" for at in range(len(body.get("drivers", ()))))]
            return {person: "vehicle" for place in places if (person := who(entry, place).person)}
        seen: dict[str, str] = {}
        if first_listed(goods):
            seen = {person: "chemical" for _, person in handlers_of(entry, self._register)}
            seen[who(entry, "agent").person] = "chemical"
        if body["reason"] == "sale" and any(item.line.goods == "knife" for item in goods):
            seen[who(entry, "counterparty").person] = "knife"
        seen.pop("", None)
        return seen


def _carries(vehicle: dict[str, Any]) -> bool:
    """Whether a rented vehicle carries goods: every one but a small car; one of unknown class does."""
    return vehicle.get("class") not in _PRIVATE or vehicle.get("seats", 0) > SMALL_CAR_SEATS
