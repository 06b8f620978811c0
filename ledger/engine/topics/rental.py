"""Rented vehicles: who rents, drives and pays; when they are due back; how many one person has."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import msgspec

from ledger.engine.ages import Ages
from ledger.engine.goods import Goods
from ledger.engine.inputs import Input, happened_ms, unix_ms
from ledger.engine.people import NO_MATCH_STATED, Who, check_of, is_expired, who
from ledger.engine.subjects import COMMON, Subject
from ledger.engine.topics.base import ORIGIN, Row, Topic, common

OUTS_MS = 7 * 86_400_000
KEPT_FOR_MS = 60 * 86_400_000
"""After its return a contract waits so long for what comes late; one that never ends, a year after it was due."""
NEVER_BACK_MS = 365 * 86_400_000
MOST_HELD = 32
"""Contracts of one renter that are compared, the newest told: far more than anybody may have at once."""


class Contract(msgspec.Struct, array_like=True):
    """One contract of one lessor, from all records that speak of it, in whatever order they came."""

    site: str = ""
    book: str = ""
    record_id: str = ""
    """Of the record that let it out; "" as long as only others came."""
    index: int = -1
    """Of its entry; when it was corrected, of its first."""
    out_ms: int = 0
    event_ms: int = 0
    received_ms: int = 0
    renter: str = ""
    vehicle: str = ""
    dues: list[tuple[int, str, int]] = []
    """(event ms, record_id, due ms) of the letting and of each extension."""
    returns: list[tuple[int, str]] = []
    told: tuple[int, int] = (0, 0)
    """What was last said of its letting: contracts at once, and within 7 days."""

    @property
    def due_ms(self) -> int:
        """As the newest word by event time has it."""
        return max(self.dues)[2]

    @property
    def returned_ms(self) -> int:
        """The first return; 0 while it is out."""
        return min(self.returns)[0] if self.returns else 0

    @property
    def over_ms(self) -> int:
        """Since when it is over, or counts as such: one that never ends, a year after it was due."""
        return self.returned_ms or (self.due_ms + NEVER_BACK_MS - KEPT_FOR_MS if self.dues else 0)


class RentalState(msgspec.Struct):
    """`contracts` by holder/contract, `of_renter` by surrogate."""

    contracts: dict[str, Contract] = {}
    of_renter: dict[str, list[str]] = {}


class Rental(Topic):
    """Rows of `rental` records."""

    kinds = frozenset({"rental"})
    subjects = (
        # A vehicle let out: the papers of those who rent, drive and pay.
        Subject(
            "letting",
            level=False,
            fields=COMMON
            | {
                "contract": "str",
                "vehicle": "str",
                "renter": "str",
                "renter_type": "str",
                "missing": "bool",
                "invalid": "bool",
                "expired": "bool",
                "undriven": "bool",
                "other_payer": "bool",
                "match_permille": "int",
            },
        ),
        # A vehicle let out to a known person: how many that person has when it begins, and began within 7 days.
        Subject(
            "renting",
            level=False,
            fields=COMMON | {"contract": "str", "renter": "str", "simultaneous": "int", "outs_7d": "int"},
        ),
        # A contract, as long as its vehicle is out.
        Subject(
            "contract",
            level=True,
            fields=COMMON | {"contract": "str", "vehicle": "str", "due_ms": "int", "returned": "bool"},
        ),
    )

    def __init__(self, state: RentalState) -> None:
        self._state = state
        self._ages = Ages((at, contract.over_ms) for at, contract in state.contracts.items())
        self.gone: list[tuple[str, int]] = []

    def apply(self, entry: Input, goods: Sequence[Goods]) -> Iterator[Row]:
        """Take in a letting, an extension or a return."""
        del goods
        body = entry.body
        at = f"{entry.holder}/{body['contract']}"
        at_ms = happened_ms(entry)
        contract = self._state.contracts.setdefault(at, Contract())
        if body["action"] == "return":
            contract.returns.append((at_ms, entry.record_id))
        else:
            contract.dues.append((at_ms, entry.record_id, unix_ms(body["due_at"])))
        # Looked at soon, when nearly all are over: noted for the day on which it would be without a return, a year's were held.
        self._ages.note(at, min(at_ms, contract.over_ms))
        if body["action"] == "out":
            if contract.told != (0, 0):  # let again under the same name: what was told of the first letting is no more
                self.gone.append(("renting", contract.index))
            contract.site, contract.book, contract.index = entry.site, entry.book, (entry.before or entry).index
            contract.record_id, contract.out_ms = entry.record_id, at_ms
            contract.event_ms, contract.received_ms = entry.event_ms, entry.received_ms
            contract.vehicle, contract.told = body["vehicle"]["ref"], (0, 0)
            yield "letting", common(entry) | self._letting(entry, at, contract)
        yield from self._renting(contract.renter)
        yield from _row(entry, body["contract"], contract)

    def withdraw(self, before: Input, goods: Sequence[Goods], entry: Input) -> Iterator[Row]:
        """What the record said of its contract is unsaid."""
        del goods
        body = before.body
        at = f"{before.holder}/{body['contract']}"
        contract = self._state.contracts.get(at)
        if contract is None:
            return
        gone = list(_row(entry, body["contract"], contract))
        contract.dues = [due for due in contract.dues if due[1] != before.record_id]
        contract.returns = [back for back in contract.returns if back[1] != before.record_id]
        self._ages.note(at, contract.over_ms)
        renter = contract.renter
        if contract.record_id == before.record_id:
            self._forget_renter(at, contract)
            contract.record_id = contract.renter = ""
        yield from self._renting(renter)
        if contract.dues:
            yield from _row(entry, body["contract"], contract)
            return
        if not contract.returns:
            del self._state.contracts[at]
        # Should the correction speak of another contract, nobody waits for this one.
        for subject, row in gone:
            yield subject, row | {"returned": True}

    def prune(self, now_ms: int) -> None:
        """Forget contracts that ended long ago."""
        contracts, oldest = self._state.contracts, now_ms - KEPT_FOR_MS
        for at in self._ages.take(oldest):
            contract = contracts.get(at)
            if contract is not None and contract.over_ms >= oldest:
                self._ages.note(at, contract.over_ms)
            elif contract is not None:
                self._forget_renter(at, contracts.pop(at))

    def _letting(self, entry: Input, at: str, contract: Contract) -> dict[str, Any]:
        body = entry.body
        renter_type = body.get("renter", {}).get("type", "person")
        check = check_of(body, "renter")
        renter = who(entry, "renter", check.doc_type)
        drivers = [
            who(entry, place, check_of(body, place).doc_type)
            for place in (f"drivers/{n}" for n in range(len(body.get("drivers", ()))))
        ]
        payer = who(entry, "payer")
        if renter_type == "person" and renter.person:
            self._note_renter(at, contract, renter.person)
        asked = [renter, *drivers] if renter_type == "person" else drivers
        return {
            "contract": body["contract"],
            "vehicle": contract.vehicle,
            "renter": renter.person,
            "renter_type": renter_type,
            "missing": not asked or any(not person.disclosed for person in asked),
            "invalid": any(not person.valid for person in asked),
            "expired": any(is_expired(item.get("doc_valid_to", ""), entry) for item in body.get("identity_checks", ())),
            "undriven": renter_type == "person" and _is_missing(renter, drivers),
            "other_payer": bool(payer.person) and _is_missing(payer, [renter, *drivers]),
            "match_permille": min(
                (item.get("match_permille", NO_MATCH_STATED) for item in body.get("identity_checks", ())),
                default=NO_MATCH_STATED,
            ),
        }

    def _note_renter(self, at: str, contract: Contract, renter: str) -> None:
        contract.renter = renter
        others = self._state.of_renter.setdefault(renter, [])
        if at not in others:
            others.append(at)
            del others[:-MOST_HELD]

    def _renting(self, renter: str) -> Iterator[Row]:
        """The lettings to a renter of which something else is to be said than was, each at its own time.

        So it does not matter which of them, or whether a return, came first.
        """
        held = [(at, self._state.contracts[at]) for at in self._state.of_renter.get(renter, ())]
        for at, contract in held:
            simultaneous = sum(_runs(other, contract.out_ms) for _, other in held)
            outs = sum(contract.out_ms - OUTS_MS < other.out_ms <= contract.out_ms for _, other in held)
            if contract.told == (simultaneous, outs):
                continue
            if contract.told != (0, 0):
                self.gone.append(("renting", contract.index))
            contract.told = (simultaneous, outs)
            holder, _, name = at.partition("/")
            yield (
                "renting",
                {
                    "holder": holder,
                    "site": contract.site,
                    "book": contract.book,
                    "record_id": contract.record_id,
                    "index": contract.index,
                    "received_ms": contract.received_ms,
                    "event_ms": contract.event_ms,
                    "contract": name,
                    "renter": renter,
                    "simultaneous": simultaneous,
                    "outs_7d": outs,
                    ORIGIN: contract.index,
                },
            )

    def _forget_renter(self, at: str, contract: Contract) -> None:
        if not contract.renter:
            return
        kept = [other for other in self._state.of_renter.get(contract.renter, ()) if other != at]
        if kept:
            self._state.of_renter[contract.renter] = kept
        else:
            self._state.of_renter.pop(contract.renter, None)


def _runs(contract: Contract, at_ms: int) -> bool:
    return contract.out_ms <= at_ms and not 0 < contract.returned_ms <= at_ms


def _is_missing(person: Who, among: Sequence[Who]) -> bool:
    """Whether a known person is not one of these, all of whom are known."""
    return bool(person.person and among and all(o.person for o in among)) and person.person not in {
        other.person for other in among
    }


def _row(entry: Input, name: str, contract: Contract) -> Iterable[Row]:
    """How the contract stands; nothing before it is known when its vehicle is due."""
    if not contract.dues:
        return
    yield (
        "contract",
        common(entry)
        | {
            "site": contract.site or entry.site,
            "book": contract.book or entry.book,
            "record_id": contract.record_id or entry.record_id,
            "contract": name,
            "vehicle": contract.vehicle,
            "due_ms": contract.due_ms,
            "returned": bool(contract.returns),
        },
    )
