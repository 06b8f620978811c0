"""Rules about what happened: judged at the time at which it happened, whatever the order in which it was told.

Rows of a rule with features go into its watch, and every row whose windows they touch is judged again; a row of a rule
without features stands for itself. What holds is a mark on the course of its fingerprint, from which episodes and alerts
follow (`ledger.engine.episodes`). A correction takes the marks and rows of the record as it stood out first.

Not here: rules about how things stand, and those that wait (`for`, `since`); they follow received time (`levels`). Of a
rule with features about how things stand, only the features are.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ledger.engine.alerts import AlertBook
from ledger.engine.contained import OUTSIDE, said
from ledger.engine.effects import Effects, Moment
from ledger.engine.episodes import Episodes, Judged, Work
from ledger.engine.expressions import Bindings
from ledger.engine.heard import Heard, is_about_happenings
from ledger.engine.inputs import plausible_ms
from ledger.engine.levels import Levels
from ledger.engine.registry import SUBJECTS
from ledger.engine.rules import Rule
from ledger.engine.state import FoldState
from ledger.engine.topics.base import ORIGIN, Row
from ledger.engine.transpile import DOUBTS
from ledger.engine.watches import Memo, Occurrence, Values, Watch, Watches


class Windows:
    """The rules about what happened, and those with features, on one state."""

    def __init__(self, state: FoldState, alerts: AlertBook, levels: Levels) -> None:
        self._alerts = alerts
        self._levels = levels
        self._bindings = Bindings()
        self._watches = Watches(state.watches, levels.heard.values())
        self._episodes = Episodes(state, levels.heard, alerts)
        plain: dict[str, list[Heard]] = {}
        for heard in levels.heard.values():
            if not heard.rule.features and is_about_happenings(heard.rule):
                for subject in heard.rule.on:
                    plain.setdefault(subject, []).append(heard)
        listening = {name: (plain.get(name, []), self._watches.on(name)) for name in SUBJECTS}
        self._by_subject = {name: both for name, both in listening.items() if any(both)}
        """Rules without features, and watches, that listen to a subject; without the subjects that none does."""

    @staticmethod
    def handles(rule: Rule) -> bool:
        """Whether rows of this rule come here, and not to `Levels.consider`."""
        return bool(rule.features) or is_about_happenings(rule)

    def fold(
        self,
        rows: Sequence[Row],
        entry: int,
        moment: Moment,
        to: Effects,
        *,
        came_ms: int | None = None,
        gone: Sequence[tuple[str, int]] = (),
    ) -> None:
        """Take the rows of one entry in. Of a correction, `entry` is the original's index, whose rows leave first, and
        `came_ms` when that was received: ahead of that it claimed, and claims still.

        `gone`: rows of a subject that an entry brought and that this one does away with (`Topic.gone`).
        """
        work = Work(entry, moment, to)
        if came_ms is not None:
            self._withdraw(entry, "", work)
        for subject, origin in gone:
            self._withdraw(origin, subject, work)
        for subject, row in rows:
            listening = self._by_subject.get(subject)
            if listening is None:
                continue
            plain, watches = listening
            origin = row.pop(ORIGIN, entry)
            received_ms = row["received_ms"] if came_ms is None or origin != entry else came_ms
            if plain:
                occurrence = Occurrence(origin, plausible_ms(row["event_ms"], received_ms), subject, row)
                for heard in plain:
                    self._judge(heard, "", occurrence, None, work)
            for watch in watches:
                self._take(watch, Occurrence(origin, watch.time_of(row, received_ms), subject, row), work)
        if work.touched:
            self._judge_touched(work)
        for one in work.judged.values():
            self._alone(
                one.heard, work, self._episodes.mark, one.heard, one.group, one.occurrence, one.band, one.values, work
            )
        for changed in work.changed.values():
            self._alone(changed.heard, work, self._episodes.settle, changed, work)

    def _alone(self, heard: Heard, work: Work, do: Callable[..., None], *given: Any) -> None:
        """Do what concerns one rule; a fault in it is that rule's, and the others go on."""
        try:
            do(*given)
        except OUTSIDE:
            raise
        except Exception as error:  # noqa: BLE001 - contained: ledger.engine.contained
            self._alerts.fail(heard.id, said(error), work.moment, work.to)

    # --- rows --------------------------------------------------------------------------------------------------------

    def _withdraw(self, entry: int, subject: str, work: Work) -> None:
        """Take out the marks and rows that an entry brought, of one subject or ("") of all."""
        self._episodes.withdraw(entry, subject, work)
        for watch in self._watches.on(subject) if subject else self._watches.watches:
            for group, time in watch.withdraw(entry):
                if not watch.level:
                    _touch(work, watch, group, time, None)

    def _take(self, watch: Watch, occurrence: Occurrence, work: Work) -> None:
        try:
            group = watch.take(occurrence, self._bindings)
        except OUTSIDE:
            raise
        except Exception as error:  # noqa: BLE001 - contained: ledger.engine.contained
            self._fail(watch, said(error), work)
            return
        if group is None:
            return
        if watch.level:
            self._stand(watch, group, occurrence, work)
        else:
            _touch(work, watch, group, occurrence.time, occurrence)

    def _fail(self, watch: Watch, detail: str, work: Work) -> None:
        for rule in watch.rules:
            self._alerts.fail(rule.id, detail, work.moment, work.to)

    # --- judging -----------------------------------------------------------------------------------------------------

    def _stand(self, watch: Watch, group: str, occurrence: Occurrence, work: Work) -> None:
        """How things stand, with the features of each rule."""
        memo: Memo = {}
        for plan in watch.plans:
            try:
                row = Values(plan, group, occurrence, memo).row()
            except OUTSIDE:
                raise
            except Exception as error:  # noqa: BLE001 - contained: ledger.engine.contained
                self._alerts.fail(plan.heard.id, said(error), work.moment, work.to)
                continue
            self._levels.consider(plan.heard, occurrence.subject, row, work.moment, work.to)

    def _judge_touched(self, work: Work) -> None:
        """Judge the rows of watches whose windows are others now."""
        for (_, group), (watch, time, new) in work.touched.items():
            # Nearly always the new row is the last, and all that is to be judged.
            if len(new) == 1 and watch.is_last(group, time):
                self._judge_all(watch, group, new[0], {}, work)
                continue
            again = list(watch.since(group, time))
            judged = {(occurrence.entry, occurrence.time) for occurrence in again}
            memos: dict[int, Memo] = {}
            for occurrence in [*again, *(one for one in new if (one.entry, one.time) not in judged)]:
                self._judge_all(watch, group, occurrence, memos.setdefault(occurrence.time, {}), work)

    def _judge_all(self, watch: Watch, group: str, occurrence: Occurrence, memo: Memo, work: Work) -> None:
        """Judge a row by every rule of its watch, with its features as they now are."""
        for plan in watch.plans:
            self._judge(plan.heard, group, occurrence, Values(plan, group, occurrence, memo), work)

    def _judge(self, heard: Heard, group: str, occurrence: Occurrence, values: Values | None, work: Work) -> None:
        """Judge a row by one rule. Any error becomes visible, never "did not match"."""
        health = heard.health
        health.evaluations += 1
        health.last_index = work.moment.index
        work.to.touched_rules[heard.id] = None
        if self._alerts.probe is not None:
            self._alerts.probe(heard.rule, occurrence.subject, occurrence.row, values)
        try:
            band = self._band(heard, occurrence.row, values)
            if values is None:
                if band is not None:
                    self._episodes.mark(heard, group, occurrence, band, values, work)
            elif band is not None or heard.courses:
                _keep_worst(heard, group, occurrence, band, values, work)
            if health.error:
                self._alerts.works(health, work.moment)
        except OUTSIDE:
            raise
        except Exception as error:  # noqa: BLE001 - contained: ledger.engine.contained
            self._alerts.fail(heard.id, said(error), work.moment, work.to)

    def _band(self, heard: Heard, row: dict[str, Any], values: Values | None) -> int | None:
        """The first band that holds for the row."""
        parameters = heard.constants
        if parameters is None:
            parameters = heard.parameters(row)
        if heard.first is not None:
            try:
                return heard.first(row, parameters, values)
            except DOUBTS:
                pass  # CEL says, condition by condition
        rule, bindings = heard.rule, self._bindings
        bindings.bind(row, parameters, values)
        # A watch asked for the scope when it took the row in.
        if rule.scope is not None and values is None and not rule.scope.holds(bindings):
            return None
        for at, band in enumerate(rule.bands):
            if values is not None and not all(values[name] for name in band.needs):
                continue
            if band.when.holds(bindings):
                return at
        return None

    def behind(self, rule: Rule, row: Mapping[str, Any]) -> dict[str, list[int]]:
        """Of a judged row: each feature's entries, ascending by time."""
        for watch in self._watches.watches:
            if rule in watch.rules:
                return watch.behind(rule, row)
        return {}

    def prune(self, now_ms: int) -> None:
        """Once a day: forget what no row can touch any more."""
        self._watches.prune(now_ms)
        self._episodes.prune(now_ms)


def _keep_worst(heard: Heard, group: str, occurrence: Occurrence, band: int | None, values: Values, work: Work) -> None:
    """Rows of one entry and group, such as two lines about one substance, are one mark: the worst of them."""
    name = heard.name_of(occurrence.row)
    if band is None and name not in heard.courses:
        return  # there is no mark to take away
    at = (heard.id, name, occurrence.time, occurrence.entry, group)
    known = work.judged.get(at)
    if known is None or (band is not None and (known.band is None or band < known.band)):
        work.judged[at] = Judged(heard, group, occurrence, band, values)


def _touch(work: Work, watch: Watch, group: str, time: int, new: Occurrence | None) -> None:
    at = id(watch), group
    known = work.touched.get(at)
    if known is None:
        work.touched[at] = watch, time, [] if new is None else [new]
        return
    if new is not None:
        known[2].append(new)
    if time < known[1]:
        work.touched[at] = watch, time, known[2]
