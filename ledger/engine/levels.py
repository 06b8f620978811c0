"""Rules about how things stand (level subjects), and those that wait (`for`, `since`): they follow received time.

A band *holds* at a moment when its condition is true of the last row and has been for the band's wait. The first band
that holds counts. What is so is kept for each rule and fingerprint (`state.Pending`); an alert is said when an episode begins
and when it gets worse, and hears of it when nothing holds any more.

Not here: rules about what happened (`windows`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from ledger.engine.alerts import RULE_ERROR_QUIET_MS, AlertBook
from ledger.engine.contained import OUTSIDE, said
from ledger.engine.effects import LATE_MS, Effects, Moment, alert_id_of
from ledger.engine.expressions import Bindings
from ledger.engine.heard import Heard
from ledger.engine.lives import TIMER
from ledger.engine.registry import SUBJECTS
from ledger.engine.rules import Rule
from ledger.engine.state import FoldState, Pending, Timer
from ledger.engine.transpile import DOUBTS
from ledger.model import UnixMs

Wake = Callable[[str, Moment, Effects], None]
"""(of what a topic's timer is, now, what is to be committed)."""


class Levels:
    """Evaluates these rules on rows as they come, and on the rows that waited when a timer is due."""

    def __init__(self, state: FoldState, rules: tuple[Rule, ...], book: AlertBook) -> None:
        self._state = state
        self.heard = {rule.id: Heard(rule, state) for rule in rules}
        self._book = book
        self._timers = book.timers
        self._bindings = Bindings()

    def consider(self, heard: Heard, subject: str, row: dict[str, Any], moment: Moment, to: Effects) -> None:
        """Evaluate one rule on one row. Any error becomes visible, never "did not match"."""
        health = heard.health
        health.evaluations += 1
        health.last_index = moment.index
        to.touched_rules[heard.id] = None
        if self._book.probe is not None:
            self._book.probe(heard.rule, subject, row, None)
        try:
            parameters = heard.constants
            if parameters is None:
                parameters = heard.parameters(row)
            try:
                true = (
                    heard.truths(row, parameters, None)
                    if heard.truths is not None
                    else self._true(heard.rule, row, parameters)
                )
            except DOUBTS:
                true = self._true(heard.rule, row, parameters)
            # Of nearly every row nothing holds, and nothing did.
            if True in true:
                self._consider(heard, subject, row, true, parameters, moment, to)
            elif heard.pendings and (pending := heard.pendings.get(name := heard.name_of(row))) is not None:
                self._clear(heard, name, pending, moment, to)
            if health.error:
                self._book.works(health, moment)
        except OUTSIDE:
            raise
        except Exception as error:  # noqa: BLE001 - a fault of ours or of the rule's text: ledger.engine.contained
            self._book.fail(heard.id, said(error), moment, to)

    def _consider(
        self,
        heard: Heard,
        subject: str,
        row: dict[str, Any],
        true: list[bool],
        parameters: dict[str, int],
        moment: Moment,
        to: Effects,
    ) -> None:
        """A band's condition is true."""
        name = heard.name_of(row)
        pending = heard.pendings.get(name)
        if pending is None:
            pending = heard.pendings[name] = Pending()
        held, next_due = self._held(heard, pending, true, row, parameters, moment)
        pending.row = {} if next_due is None else row | {"subject": subject}
        self._timers.put(heard.id, name, next_due, to.timers)
        if held is None:
            self._rest(pending, moment, to)
            return
        self._hold(heard.rule, held, pending, subject, row | parameters, moment, to)

    def _true(self, rule: Rule, row: dict[str, Any], parameters: dict[str, int]) -> list[bool]:
        """Which bands' conditions are true of the row, as CEL says condition by condition; of one out of scope none."""
        bindings = self._bindings
        bindings.bind(row, parameters)
        if rule.scope is not None and not rule.scope.holds(bindings):
            return []
        return [
            band.when.holds(bindings) and (not band.needs or all(row[name] for name in band.needs))
            for band in rule.bands
        ]

    @staticmethod
    def _held(
        heard: Heard,
        pending: Pending,
        true: list[bool],
        row: dict[str, Any],
        parameters: dict[str, int],
        moment: Moment,
    ) -> tuple[int | None, int | None]:
        """(first band that holds, when the next one above it will if nothing changes)."""
        held: int | None = None
        next_due: int | None = None
        for at, band in enumerate(heard.rule.bands):
            if not true[at]:
                pending.since.pop(at, None)
                continue
            if not heard.waits[at]:
                if held is None:
                    held = at
                continue
            since = row[band.since] if band.since else pending.since.setdefault(at, moment.now_ms)
            if held is not None:
                continue
            due = since + band.wait(parameters)
            if moment.now_ms >= due:
                held = at
            elif next_due is None or due < next_due:
                next_due = due
        return held, next_due

    def _clear(self, heard: Heard, name: str, pending: Pending, moment: Moment, to: Effects) -> None:
        """Nothing is true any more, of what something was."""
        pending.since.clear()
        pending.row = {}
        self._timers.put(heard.id, name, None, to.timers)
        if pending.active:
            pending.last_held_ms = moment.now_ms
        self._rest(pending, moment, to)
        if not pending.alert_id:
            del heard.pendings[name]

    def _rest(self, pending: Pending, moment: Moment, to: Effects) -> None:
        """No band holds now. Its alert hears of that, and goes on all the same.

        What ended it may have happened before the alert was said, and have come late: then that was not so, and is taken back.
        """
        if pending.active:
            pending.active = False
            pending.was_so = pending.was_so or not _disproves(moment, pending)
            self._book.hears(pending.alert_id, False, moment, to, disproved=not pending.was_so)

    def _hold(
        self, rule: Rule, band: int, pending: Pending, subject: str, row: dict[str, Any], moment: Moment, to: Effects
    ) -> None:
        quiet_ms = rule.apart_ms
        # Closed, it comes back as a new alert however soon; but not while what was closed merely goes on.
        closed = self._book.lives.is_closed(pending.alert_id)
        rested = not pending.active and (closed or moment.now_ms - pending.last_held_ms >= quiet_ms)
        worse = band < pending.alerted_band
        begins = not pending.alert_id or rested or (closed and worse)
        worse = worse and not begins
        if not pending.active and not begins:
            self._book.hears(pending.alert_id, True, moment, to)
        if not begins and not worse and (band != pending.band or not pending.active):
            self._weigh(rule, band, pending, moment, to)
        if not pending.active or begins or worse:
            pending.from_ms = moment.now_ms
        if begins:
            pending.was_so = False
        pending.last_held_ms = moment.now_ms
        pending.active = SUBJECTS[subject].level
        pending.band = band
        if not begins and not worse:
            return
        alert_id = alert_id_of(rule.id, tuple(row[part] for part in rule.fingerprint), moment.index)
        if alert_id == pending.alert_id:
            return  # a second row of the same entry
        revised = (pending.alert_id, pending.alert_record) if worse else None
        late = row["received_ms"] - row["event_ms"] > LATE_MS
        pending.alert_id, pending.alerted_band = alert_id, band
        pending.alert_record = self._book.say(rule, band, row, moment, to, late=late, revised=revised)

    def _weigh(self, rule: Rule, band: int, pending: Pending, moment: Moment, to: Effects) -> None:
        """A band other than before holds, none that is worse than what was said: what of that stands."""
        taken_back = self._book.lives.is_taken_back(pending.alert_id)
        if band > pending.alerted_band and (taken_back or (pending.active and _disproves(moment, pending))):
            self._book.stands(rule, pending.alert_id, band, moment, to)
        elif taken_back:
            self._book.stands(rule, pending.alert_id, None, moment, to)

    def next_due(self) -> UnixMs | None:
        """When the next timer is due; None when none is set."""
        return self._timers.next_due()

    def fire_due(self, moment: Moment, to: Effects, wake: Mapping[str, Wake]) -> None:
        """Fire every timer that is due, by (due, id); `wake`: whom to ask about those of topics."""
        while (timer := self._timers.take_due(moment.now_ms, to.timers)) is not None:
            if timer.rule == TIMER:
                self._book.life_is_due(timer.fingerprint, moment, to)
            elif timer.rule in wake:
                wake[timer.rule](timer.fingerprint, moment, to)
            else:
                self._fire(timer, moment, to)

    def _fire(self, timer: Timer, moment: Moment, to: Effects) -> None:
        """Evaluate the rule again on the row that waited."""
        heard = self.heard.get(timer.rule)
        pending = heard.pendings.get(timer.fingerprint) if heard is not None else None
        if heard is None or pending is None or not pending.row:
            return  # the rule is gone, or what it waited on
        row = dict(pending.row)
        subject = row.pop("subject")
        self.consider(heard, subject, row, moment, to)

    def prune(self, now_ms: int) -> None:
        """Forget episodes that are over: recovered, and quiet for longer than the rule asks."""
        for rule_id, pendings in self._state.pending.items():
            heard = self.heard.get(rule_id)
            quiet_ms = heard.rule.apart_ms if heard is not None else RULE_ERROR_QUIET_MS
            over = [
                name
                for name, pending in pendings.items()
                if not pending.active and not pending.row and now_ms - pending.last_held_ms > quiet_ms
            ]
            for name in over:
                del pendings[name]


def _disproves(moment: Moment, pending: Pending) -> bool:
    """Whether what is known now had happened already when it was said that this is so."""
    return 0 <= moment.event_ms <= pending.from_ms
