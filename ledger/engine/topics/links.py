"""One natural person at several enterprises, or in several controlled scenes: a second stage, keyed by surrogates.

Scenes are told of where somebody bought a knife or rented a vehicle, of which there are few, and not of each movement of
chemicals: how many scenes that person is in within any SCENES_MS that hold this one. When more becomes known, it is told again.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right, insort
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, TypeVar

import msgspec

from ledger.engine.ages import Ages
from ledger.engine.goods import Goods
from ledger.engine.inputs import Input, counterparty_of, happened_ms
from ledger.engine.lanes import HORIZON_MS
from ledger.engine.people import handlers_of, who
from ledger.engine.register import Register
from ledger.engine.subjects import COMMON, Subject
from ledger.engine.topics.base import ORIGIN, Row, Topic, common
from ledger.engine.topics.bounded import keep
from ledger.engine.topics.dealings import NEEDED, first_listed

SCENES_MS = 72 * 3_600_000
CHEMICAL = "chemical"
MOST_ANCHORS = 16
"""Knives that one person buys, or vehicles that it rents, of which scenes are told: the newest."""
SMALL_CAR_SEATS = 6
"""Cars for private journeys; with more seats, or of another class, a vehicle carries goods."""
_ANY_INDEX = 2**63
_PRIVATE = ("car", "sedan", "suv")
AGENT = "agent"
"""Role of a person who is enrolled to act for others."""


Item = TypeVar("Item", tuple[int, int], tuple[int, int, str])


class Anchor(msgspec.Struct, array_like=True):
    """A record of a scene other than chemicals, with what a row about it says."""

    at_ms: int
    index: int
    """Of the entry; of a corrected record, of its original."""
    record_id: str
    holder: str
    site: str
    book: str
    event_ms: int
    received_ms: int
    scene: str
    persons: dict[str, int]
    """Person -> scenes that were last told of."""


class LinksState(msgspec.Struct):
    """By surrogate of a person."""

    buyers: dict[str, list[tuple[int, int, str]]] = {}
    """(event ms, index of the entry, enterprise) of the controlled purchases that somebody handled, ascending."""
    chemicals: dict[str, list[tuple[int, int]]] = {}
    """(event ms, index of the entry) of the movements that somebody handled, ascending."""
    anchors: dict[int, Anchor] = {}
    """By index."""
    of_person: dict[str, list[tuple[int, int]]] = {}
    """(event ms, index) of a person's anchors, ascending."""
    legal: dict[str, str] = {}
    """Enterprise -> surrogate of its legal person, as its newest profile discloses it."""
    agents: dict[str, list[str]] = {}
    """Persons whom an enterprise enrolled as agent -> where: holder/ref."""


class Links(Topic):
    """Rows that follow a person from enterprise to enterprise."""

    kinds = frozenset({"movement", "rental", "profile", "person"})
    goods = NEEDED | {"knife"}
    papers = frozenset({"profile", "person"})
    subjects = (
        # A person who handled a controlled purchase, and for whom: `principal` is one for all enterprises of a legal person.
        Subject("fanout", level=False, fields=COMMON | {"person": "str", "principal": "str", "is_agent": "bool"}),
        # A knife or a vehicle, and a person who is in other controlled scenes within 72 hours of it.
        Subject("scenes", level=False, fields=COMMON | {"person": "str", "scene": "str", "scenes": "int"}),
    )

    def __init__(self, state: LinksState, register: Register) -> None:
        self._state = state
        self._register = register
        self._ages = Ages((index, anchor.at_ms) for index, anchor in state.anchors.items())
        self.gone: list[tuple[str, int]] = []

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
                self._enrolled(person, f"{entry.holder}/{entry.body['ref']}", entry.body)
            return
        seen = self._seen(entry, goods)
        yield from self._put_in(entry, goods, seen)
        if seen:
            yield from self._told_again(seen, happened_ms(entry))

    def _enrolled(self, person: str, at: str, body: Mapping[str, Any]) -> None:
        """An agent is whom any enterprise enrolled as one, whichever of them said so last."""
        others = [other for other in self._state.agents.get(person, ()) if other != at]
        keep(
            self._state.agents,
            person,
            [*others, at] if body["role"] == AGENT and body["action"] != "leave" else others,
        )

    def withdraw(self, before: Input, goods: Sequence[Goods], entry: Input) -> Iterable[Row]:
        """Whom the record showed is as if never seen with it."""
        del entry
        return self._told_again(self._take_out(before, goods), happened_ms(before))

    def correct(
        self, before: Input, before_goods: Sequence[Goods], entry: Input, goods: Sequence[Goods]
    ) -> Iterator[Row]:
        """Only what holds in the end is told."""
        if entry.kind not in ("movement", "rental"):
            yield from self.apply(entry, goods)
            return
        taken_out, seen = self._take_out(before, before_goods), self._seen(entry, goods)
        yield from self._put_in(entry, goods, seen)
        yield from self._told_again(taken_out | seen, happened_ms(entry))

    def parties(self, paper: Input) -> Iterable[str]:
        """For whom a person handled controlled purchases lately: whether it is an agent says its paper."""
        return {buyer for _, _, buyer in self._state.buyers.get(who(paper, "").person, ())}

    def prune(self, now_ms: int) -> None:
        """Forget what no record can meet any more."""
        state, oldest = self._state, now_ms - SCENES_MS - HORIZON_MS
        _forget(state.buyers, now_ms - HORIZON_MS)
        _forget(state.chemicals, oldest)
        for index in self._ages.take(oldest):
            anchor = state.anchors.get(index)
            if anchor is not None and anchor.at_ms >= oldest:
                self._ages.note(index, anchor.at_ms)
            elif anchor is not None:
                del state.anchors[index]
                for person in anchor.persons:
                    _drop(state.of_person, person, index)

    # --- scenes ------------------------------------------------------------------------------------------------------

    def _put_in(self, entry: Input, goods: Sequence[Goods], seen: Mapping[str, str]) -> Iterator[Row]:
        """Take in whom a record shows (`_seen`); the rows of those who handled purchases."""
        at_ms, index = happened_ms(entry), (entry.before or entry).index
        for person, buyer in dict(self._purchases(entry, goods)).items():
            insort(self._state.buyers.setdefault(person, []), (at_ms, index, buyer))
            is_agent, principal = person in self._state.agents, self._state.legal.get(buyer, buyer)
            yield "fanout", common(entry) | {"person": person, "principal": principal, "is_agent": is_agent}
        others: dict[str, int] = {}
        for person, scene in seen.items():
            if scene == CHEMICAL:
                insort(self._state.chemicals.setdefault(person, []), (at_ms, index))
                continue
            others[person] = 0
            anchors = self._state.of_person.setdefault(person, [])
            insort(anchors, (at_ms, index))
            del anchors[:-MOST_ANCHORS]
        if others:
            scene = "vehicle" if entry.kind == "rental" else "knife"
            place = (entry.record_id, entry.holder, entry.site, entry.book)
            self._ages.note(index, at_ms)
            self._state.anchors[index] = Anchor(at_ms, index, *place, entry.event_ms, entry.received_ms, scene, others)

    def _take_out(self, before: Input, goods: Sequence[Goods]) -> dict[str, str]:
        seen = self._seen(before, goods) if before.kind in ("movement", "rental") else {}
        self._state.anchors.pop(before.index, None)
        for person in seen:
            _drop(self._state.chemicals, person, before.index)
            _drop(self._state.of_person, person, before.index)
        for person, _ in self._purchases(before, goods):
            _drop(self._state.buyers, person, before.index)
        return seen

    def _told_again(self, seen: Mapping[str, str], at_ms: int) -> Iterator[Row]:
        """The anchors near a record of these persons, where something else is to be said of them than was."""
        due: dict[int, None] = {}
        for person in seen:
            near = self._state.of_person.get(person, ())
            due |= dict.fromkeys(index for ms, index in near if abs(ms - at_ms) < SCENES_MS)
        for index in sorted(due):
            anchor = self._state.anchors.get(index)
            if anchor is None:
                continue
            now = {person: self._scenes(person, anchor) for person in anchor.persons}
            if now == anchor.persons:
                continue
            if any(scenes > 1 for scenes in anchor.persons.values()):
                self.gone.append(("scenes", index))
            anchor.persons = now
            for person, scenes in now.items():
                if scenes > 1:
                    yield "scenes", _row(anchor) | {"person": person, "scene": anchor.scene, "scenes": scenes}

    def _scenes(self, person: str, anchor: Anchor) -> int:
        """The most scenes within SCENES_MS that hold the anchor and end with a record."""
        chemicals, anchors = self._state.chemicals.get(person, []), self._state.of_person.get(person, ())
        if not chemicals and len(anchors) < 2:
            return 1  # as of nearly every buyer of a knife
        others = [(ms, known.scene) for ms, at in anchors if (known := self._state.anchors.get(at))]
        ends = [ms for ms, _ in others if anchor.at_ms <= ms < anchor.at_ms + SCENES_MS]
        # Of chemicals the first one behind the anchor: a window that ends later holds no other scene for it.
        first = bisect_left(chemicals, (anchor.at_ms,))
        ends += [ms for ms, _ in chemicals[first : first + 1] if ms < anchor.at_ms + SCENES_MS]
        most = 1
        for end in ends:
            held = {scene for ms, scene in others if end - SCENES_MS < ms <= end}
            start = bisect_right(chemicals, (end - SCENES_MS, _ANY_INDEX))
            most = max(most, len(held) + (start < len(chemicals) and chemicals[start][0] <= end))
        return most

    def _purchases(self, entry: Input, goods: Sequence[Goods]) -> Iterator[tuple[str, str]]:
        """(person, enterprise for which he bought): the agent whom the seller saw, the buyer's own agent and handlers."""
        body = entry.body
        if entry.kind != "movement" or body["reason"] not in ("sale", "purchase") or not first_listed(goods):
            return
        agent = who(entry, "agent").person
        if body["reason"] == "sale" and body["direction"] == "out":
            buyer = counterparty_of(body)
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
            seen = {person: CHEMICAL for _, person in handlers_of(entry, self._register)}
            seen[who(entry, "agent").person] = CHEMICAL
        if body["reason"] == "sale" and any(item.line.goods == "knife" for item in goods):
            seen[who(entry, "counterparty").person] = "knife"
        seen.pop("", None)
        return seen


def _row(anchor: Anchor) -> dict[str, Any]:
    return {
        "holder": anchor.holder,
        "site": anchor.site,
        "book": anchor.book,
        "record_id": anchor.record_id,
        "index": anchor.index,
        "received_ms": anchor.received_ms,
        "event_ms": anchor.event_ms,
        ORIGIN: anchor.index,
    }


def _drop(of: dict[str, list[Item]], person: str, index: int) -> None:
    kept = [item for item in of.get(person, ()) if item[1] != index]
    if kept:
        of[person] = kept
    else:
        of.pop(person, None)


def _forget(of: dict[str, list[Item]], oldest: int) -> None:
    """Drop what is older, in place: most persons have nothing that is."""
    for person in [person for person, items in of.items() if items[0][0] < oldest]:
        kept = of[person][bisect_left(of[person], (oldest,)) :]
        if kept:
            of[person] = kept
        else:
            del of[person]


def _carries(vehicle: dict[str, Any]) -> bool:
    """Whether a rented vehicle carries goods: every one but a small car; one of unknown class does."""
    return vehicle.get("class") not in _PRIVATE or vehicle.get("seats", 0) > SMALL_CAR_SEATS
