"""Handlers of listed goods against the enterprise's register of persons, as it stood when they acted."""

from __future__ import annotations

from bisect import insort
from collections.abc import Iterator, Sequence
from datetime import date
from typing import Any

import msgspec

from ledger.engine.goods import Goods
from ledger.engine.inputs import Input, plausible_ms
from ledger.engine.subjects import COMMON, Subject
from ledger.engine.topics.base import Row, Topic, common
from ledger.engine.topics.dealings import first_listed

OPEN_FOR_MS = 90 * 86_400_000
"""An act by somebody who was never enrolled waits so long for a record that says otherwise."""

NO_BEGINNER = 36_500
"""Days of somebody of whom nothing has to be said any more."""


class Standing(msgspec.Struct, array_like=True):
    """One `person` record; by event time, what it does not state stands as before."""

    at_ms: int
    record_id: str
    enrolled: bool
    training_valid_to: str | None
    valid_from: str | None
    day: str
    """Local day of the record's event time."""


class Act(msgspec.Struct, array_like=True):
    """The last thing that somebody did who was not enrolled then; the row has since when that goes on."""

    at_ms: int
    day: str
    row: dict[str, Any]


class RosterState(msgspec.Struct):
    """By holder/ref."""

    standings: dict[str, list[Standing]] = {}
    open: dict[str, Act] = {}


class Roster(Topic):
    """One row for each handler of a movement of listed goods."""

    kinds = frozenset({"movement", "person"})
    subjects = (
        # Whether a handler was enrolled, trained and no beginner when last seen with listed goods.
        Subject(
            "handler",
            level=True,
            fields=COMMON
            | {"ref": "str", "code": "str", "state": "str", "trained": "bool", "days": "int", "since_ms": "int"},
        ),
    )

    def __init__(self, state: RosterState) -> None:
        self._state = state

    def apply(self, entry: Input, goods: Sequence[Goods]) -> Iterator[Row]:
        """Take in a handler's record; the rows of a movement, and of an act that this record explains."""
        if entry.kind == "person":
            standing = Standing(
                plausible_ms(entry.event_ms, entry.received_ms),
                entry.record_id,
                entry.body["action"] != "leave",
                entry.body.get("training_valid_to"),
                entry.body.get("valid_from"),
                entry.event_time[:10],
            )
            insort(self._state.standings.setdefault(_at(entry), []), standing, key=lambda s: (s.at_ms, s.record_id))
            yield from self._explained(_at(entry), entry)
            return
        code = first_listed(goods)
        if not code:
            return
        at_ms, day = plausible_ms(entry.event_ms, entry.received_ms), entry.event_time[:10]
        for ref in dict.fromkeys(handler["ref"] for handler in entry.body.get("handlers", ())):
            at = f"{entry.holder}/{ref}"
            row = common(entry) | {"ref": ref, "code": code} | self._standing(at, at_ms, day)
            before = self._state.open.get(at)
            # Whoever acts every day without being enrolled does not put off the day on which that is asked about.
            row["since_ms"] = before.row["since_ms"] if before is not None else entry.received_ms
            if row["state"] != "enrolled":
                self._state.open[at] = Act(at_ms, day, row)
            yield "handler", row

    def withdraw(self, before: Input, goods: Sequence[Goods], entry: Input) -> Iterator[Row]:
        """A corrected `person` record stands no more; of a corrected movement, whom it named did not act."""
        del goods
        if before.kind == "person":
            kept = [s for s in self._state.standings.get(_at(before), ()) if s.record_id != before.record_id]
            if kept:
                self._state.standings[_at(before)] = kept
            else:
                self._state.standings.pop(_at(before), None)
            return
        for handler in before.body.get("handlers", ()):
            act = self._state.open.get(f"{before.holder}/{handler['ref']}")
            if act is not None and act.row["record_id"] == before.record_id:
                del self._state.open[f"{before.holder}/{handler['ref']}"]
                yield (
                    "handler",
                    act.row
                    | {
                        "state": "enrolled",
                        "trained": True,
                        "days": NO_BEGINNER,
                        "index": entry.index,
                    },
                )

    def prune(self, now_ms: int) -> None:
        """Forget acts that nobody explained."""
        self._state.open = {at: act for at, act in self._state.open.items() if act.at_ms > now_ms - OPEN_FOR_MS}

    def _explained(self, at: str, entry: Input) -> Iterator[Row]:
        """A record that came after an act may say that its handler was enrolled then."""
        act = self._state.open.get(at)
        if act is None:
            return
        standing = self._standing(at, act.at_ms, act.day)
        if standing["state"] == "enrolled":
            del self._state.open[at]
            yield "handler", act.row | standing | {"index": entry.index}

    def _standing(self, at: str, at_ms: int, day: str) -> dict[str, Any]:
        """State (enrolled, left, unknown), trained, days since the enrolment or the stated beginning."""
        state, training, begun = "unknown", "", ""
        for standing in self._state.standings.get(at, ()):
            if standing.at_ms > at_ms:
                break
            state = "enrolled" if standing.enrolled else "left"
            training = training if standing.training_valid_to is None else standing.training_valid_to
            begun = (standing.valid_from or begun or standing.day) if standing.enrolled else ""
        days = (date.fromisoformat(day) - date.fromisoformat(begun)).days if begun else 0
        return {"state": state, "trained": training >= day, "days": max(days, 0)}


def _at(entry: Input) -> str:
    return f"{entry.holder}/{entry.body['ref']}"
