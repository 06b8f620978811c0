"""Handlers of listed goods against the enterprise's register of persons, as it stood when they acted.

Told is the worst that a handler did lately: acts of KEPT_MS count, whichever came last, and then the newest by event time. So
neither the order in which books come nor what the handler did next day decides whether somebody acted who was not enrolled;
a record of the register that comes late, but was made before the act, does.
"""

from __future__ import annotations

from bisect import insort
from collections.abc import Iterator, Sequence
from datetime import date
from typing import Any

import msgspec

from ledger.engine.goods import Goods
from ledger.engine.inputs import Input, happened_ms
from ledger.engine.lanes import HORIZON_MS
from ledger.engine.subjects import COMMON, Subject
from ledger.engine.topics.base import Row, Topic, common
from ledger.engine.topics.bounded import keep
from ledger.engine.topics.dealings import NEEDED, first_listed

OPEN_FOR_MS = 90 * 86_400_000
"""An act by somebody who was never enrolled waits so long for a record that says otherwise."""
KEPT_MS = HORIZON_MS
"""For so long after it came an act counts beside newer ones of the same handler: as late as records may come."""
BEGINNER_DAYS = 366
"""Acts of who is enrolled for longer, and trained, are not remembered: nobody calls that a beginner."""
MOST_ALIKE = 4
"""Acts of one handler of one day, or that would be told in the same words, that are remembered: the newest."""
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
    """What somebody did of whom something might be said."""

    at_ms: int
    record_id: str
    day: str
    came_ms: int
    row: dict[str, Any]


class RosterState(msgspec.Struct):
    """By holder/ref."""

    standings: dict[str, list[Standing]] = {}
    acts: dict[str, list[Act]] = {}


class Roster(Topic):
    """One row for each handler of a movement of listed goods."""

    kinds = frozenset({"movement", "person"})
    goods = NEEDED
    papers = frozenset({"person"})
    subjects = (
        # Whether a handler was enrolled, trained and no beginner when lately seen with listed goods.
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
                happened_ms(entry),
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
        if code:
            for ref in _refs(entry):
                yield self._row(f"{entry.holder}/{ref}", entry, self._act(entry, ref, code))

    def withdraw(self, before: Input, goods: Sequence[Goods], entry: Input) -> Iterator[Row]:
        """A corrected `person` record stands no more; of a corrected movement, whom it named did not act."""
        del goods
        if before.kind == "person":
            keep(self._state.standings, _at(before), [
                s for s in self._state.standings.get(_at(before), ()) if s.record_id != before.record_id
            ])  # fmt: skip
            return
        for ref in _refs(before):
            act = self._forget(f"{before.holder}/{ref}", before.record_id)
            if act is not None:
                yield self._row(f"{before.holder}/{ref}", entry, _harmless(act))

    def correct(
        self, before: Input, before_goods: Sequence[Goods], entry: Input, goods: Sequence[Goods]
    ) -> Iterator[Row]:
        """Of a movement one row a handler: nobody is told for a moment that what goes on has ended."""
        if before.kind == "person":
            yield from super().correct(before, before_goods, entry, goods)
            return
        code, named = first_listed(goods), _refs(entry)
        for ref in dict.fromkeys([*_refs(before), *named]):
            at = f"{entry.holder}/{ref}"
            was = self._forget(at, before.record_id)
            if code and ref in named:
                act = self._act(entry, ref, code)
                if was is not None and _is_away(was) and _is_away(act):
                    act.row["since_ms"] = was.row["since_ms"]
                yield self._row(at, entry, act)
            elif was is not None:
                yield self._row(at, entry, _harmless(was))

    def prune(self, now_ms: int) -> None:
        """Forget acts that nobody explained."""
        for at, acts in list(self._state.acts.items()):
            if any(act.at_ms <= now_ms - OPEN_FOR_MS for act in acts):
                keep(self._state.acts, at, [act for act in acts if act.at_ms > now_ms - OPEN_FOR_MS])

    def _explained(self, at: str, entry: Input) -> Iterator[Row]:
        """A record that came after an act may say that its handler was enrolled then."""
        acts = self._state.acts.get(at)
        if not acts:
            return
        for act in acts:
            act.row = act.row | self._standing(at, act.at_ms, act.day)
        last = acts[-1]
        keep(self._state.acts, at, [act for act in acts if _is_notable(act)])
        yield self._row(at, entry, last)

    def _act(self, entry: Input, ref: str, code: str) -> Act:
        at, at_ms, day = f"{entry.holder}/{ref}", happened_ms(entry), entry.event_time[:10]
        came_ms = (entry.before or entry).received_ms
        row = common(entry) | {"ref": ref, "code": code} | self._standing(at, at_ms, day) | {"since_ms": came_ms}
        return Act(at_ms, entry.record_id, day, came_ms, row)

    def _row(self, at: str, entry: Input, act: Act) -> Row:
        """The worst of this act and those that count beside it; who is not enrolled was not since the first of them came."""
        acts = self._state.acts.get(at)
        if acts is not None:
            oldest_ms = entry.received_ms - KEPT_MS
            counting = [one for one in acts if one.at_ms > act.at_ms or one.came_ms > oldest_ms]
            if _is_away(act):
                _carry(acts, act)
            keep(self._state.acts, at, counting)
            acts = counting
        if _is_notable(act) and (acts is None or act not in acts):
            acts = self._state.acts.setdefault(at, [])
            insort(acts, act, key=_when)
            alike = [one for one in acts if _kind(one) == _kind(act)]
            if len(alike) > MOST_ALIKE:
                acts.remove(alike[0])
                _carry(alike[:1], alike[1])
        if not acts:
            return "handler", act.row
        worst = min((*acts, act), key=_badness)
        since_ms = min((one.row["since_ms"] for one in acts if _is_away(one)), default=worst.came_ms)
        return "handler", worst.row | {"index": entry.index, "since_ms": since_ms}

    def _forget(self, at: str, record_id: str) -> Act | None:
        acts = self._state.acts.get(at, [])
        act = next((one for one in acts if one.record_id == record_id), None)
        if act is not None:
            keep(self._state.acts, at, [one for one in acts if one is not act])
        return act

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


def _refs(entry: Input) -> dict[str, None]:
    return dict.fromkeys(handler["ref"] for handler in entry.body.get("handlers", ()))


def _is_away(act: Act) -> bool:
    return bool(act.row["state"] != "enrolled")


def _is_notable(act: Act) -> bool:
    return _is_away(act) or not act.row["trained"] or act.row["days"] < BEGINNER_DAYS


def _kind(act: Act) -> tuple[Any, ...]:
    return act.row["state"], act.row["trained"], act.row["days"]


def _carry(acts: Sequence[Act], to: Act) -> None:
    """Whoever acts every day without being enrolled does not put off the day on which that is asked about."""
    to.row["since_ms"] = min([to.row["since_ms"], *(one.row["since_ms"] for one in acts if _is_away(one))])


def _harmless(act: Act) -> Act:
    """The act is not one any more."""
    row = act.row | {"state": "enrolled", "trained": True, "days": NO_BEGINNER}
    return Act(act.at_ms, act.record_id, act.day, act.came_ms, row)


def _when(act: Act) -> tuple[int, str]:
    return act.at_ms, act.record_id


def _badness(act: Act) -> tuple[bool, bool, int, int, str]:
    """The worst first; of equal ones the newest, of those of one moment any, but always the same."""
    row = act.row
    return row["state"] == "enrolled", row["trained"], row["days"], -act.at_ms, act.record_id


def _at(entry: Input) -> str:
    return f"{entry.holder}/{entry.body['ref']}"
