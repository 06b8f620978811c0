"""Rules about what happened: judged at the time at which it happened, whatever the order in which it was told.

Rows of a rule with features go into its watch, and every row whose windows they touch is judged again; a row of a rule
without features stands for itself. What holds is a mark on the course of its fingerprint, from which episodes and alerts
follow (`ledger.engine.courses`). A correction takes the marks and rows of the record as it stood out first.

Not here: rules about how things stand, and those that wait (`for`, `since`); they follow received time (`levels`). Of a
rule with features about how things stand, only the features are.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ledger.engine.alerts import AlertBook
from ledger.engine.contained import OUTSIDE, said
from ledger.engine.courses import Course, Episode, Mark, drop, extends, forget, put, replace, settle
from ledger.engine.effects import LATE_MS, Effects, Moment, alert_id_of
from ledger.engine.expressions import Bindings
from ledger.engine.inputs import plausible_ms
from ledger.engine.lanes import HORIZON_MS
from ledger.engine.levels import Levels
from ledger.engine.registry import SUBJECTS
from ledger.engine.rules import Rule
from ledger.engine.state import FoldState
from ledger.engine.topics.base import ORIGIN, Row
from ledger.engine.transpile import DOUBTS
from ledger.engine.watches import Memo, Occurrence, Values, Watch, Watches


@dataclass(frozen=True, slots=True)
class _Held:
    """A row that a band was newly found to hold for."""

    band: int
    time: int
    late: bool
    row: dict[str, Any]


@dataclass(frozen=True, slots=True)
class _Judged:
    """The first band that holds for a row, or None."""

    rule: Rule
    group: str
    occurrence: Occurrence
    band: int | None
    values: Values


@dataclass(slots=True)
class _Changed:
    """A course whose marks changed, and the rows that the new ones are of."""

    rule: Rule
    name: str
    course: Course
    dropped: int | None = None
    """The worst band of the marks that a correction took out."""
    held: list[_Held] = field(default_factory=list)


@dataclass(slots=True)
class _Work:
    """One entry on its way through the rules."""

    entry: int
    """Its index; of a corrected record, of its original."""
    moment: Moment
    to: Effects
    touched: dict[tuple[int, str], tuple[Watch, int, list[Occurrence]]] = field(default_factory=dict)
    """(watch, group) → the earliest time from which its windows are others, and the rows that are new."""
    judged: dict[tuple[str, str, int, int, str], _Judged] = field(default_factory=dict)
    """What rules with features found, by what a mark is of: rule, fingerprint, time, entry, group."""
    changed: dict[tuple[str, str], _Changed] = field(default_factory=dict)
    """By rule and fingerprint."""


def is_about_happenings(rule: Rule) -> bool:
    """Whether all that it listens to are occurrences, and no band waits."""
    return not any(SUBJECTS[name].level for name in rule.on) and not any(band.waits for band in rule.bands)


class Windows:
    """The rules about what happened, and those with features, on one state."""

    def __init__(self, state: FoldState, rules: Sequence[Rule], alerts: AlertBook, levels: Levels) -> None:
        self._state = state
        self._rules = {rule.id: rule for rule in rules}
        self._alerts = alerts
        self._levels = levels
        self._bindings = Bindings()
        self._watches = Watches(state.watches, rules)
        plain: dict[str, list[Rule]] = {}
        for rule in rules:
            if is_about_happenings(rule):
                state.courses.setdefault(rule.id, {})
                for subject in rule.on if not rule.features else ():
                    plain.setdefault(subject, []).append(rule)
        listening = {name: (plain.get(name, []), self._watches.on(name)) for name in SUBJECTS}
        self._by_subject = {name: both for name, both in listening.items() if any(both)}
        """Rules without features, and watches, that listen to a subject; without the subjects that none does."""
        self._marked: dict[int, set[tuple[str, str]]] | None = None
        """Entry → courses that have marks of it; made when the first correction asks."""

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
        work = _Work(entry, moment, to)
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
                for rule in plain:
                    self._judge(rule, "", occurrence, None, work)
            for watch in watches:
                self._take(watch, Occurrence(origin, watch.time_of(row, received_ms), subject, row), work)
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
        for one in work.judged.values():
            self._alone(one.rule, work, self._mark, one.rule, one.group, one.occurrence, one.band, one.values, work)
        for changed in work.changed.values():
            self._alone(changed.rule, work, self._settle, changed, work)

    def _alone(self, rule: Rule, work: _Work, do: Callable[..., None], *given: Any) -> None:
        """Do what concerns one rule; a fault in it is that rule's, and the others go on."""
        try:
            do(*given)
        except OUTSIDE:
            raise
        except Exception as error:  # noqa: BLE001 - contained: ledger.engine.contained
            self._alerts.fail(rule.id, said(error), work.moment, work.to)

    # --- rows --------------------------------------------------------------------------------------------------------

    def _withdraw(self, entry: int, subject: str, work: _Work) -> None:
        """Take out the marks and rows that an entry brought, of one subject or ("") of all."""
        if self._marked is None:
            self._marked = {}
            for rule_id, courses in self._state.courses.items():
                for name, course in courses.items():
                    for mark in course.marks:
                        self._marked.setdefault(mark.entry, set()).add((rule_id, name))
        marked = self._marked.get(entry, set())
        for rule_id, name in sorted(marked):
            rule, known = self._rules.get(rule_id), self._state.courses[rule_id].get(name)
            if rule is None or (subject and subject not in rule.on):
                continue
            marked.discard((rule_id, name))
            dropped = drop(known, entry) if known is not None else None
            if known is not None and dropped is not None:
                work.changed[rule_id, name] = _Changed(rule, name, known, dropped)
        for watch in self._watches.on(subject) if subject else self._watches.watches:
            for group, time in watch.withdraw(entry):
                if not watch.level:
                    _touch(work, watch, group, time, None)

    def _take(self, watch: Watch, occurrence: Occurrence, work: _Work) -> None:
        try:
            group = watch.take(occurrence, self._bindings)
        except OUTSIDE:
            raise
        except Exception as error:  # noqa: BLE001 - contained: ledger.engine.contained
            self._fail(watch, said(error), work)
            return
        if group is not None and watch.level:
            self._judge_all(watch, group, occurrence, {}, work)
        elif group is not None:
            _touch(work, watch, group, occurrence.time, occurrence)

    def _fail(self, watch: Watch, detail: str, work: _Work) -> None:
        for rule in watch.rules:
            self._alerts.fail(rule.id, detail, work.moment, work.to)

    # --- judging -----------------------------------------------------------------------------------------------------

    def _judge_all(self, watch: Watch, group: str, occurrence: Occurrence, memo: Memo, work: _Work) -> None:
        """Judge a row by every rule of its watch, with its features as they now are."""
        for rule in watch.rules:
            values = watch.values(rule, group, occurrence, memo)
            if not watch.level:
                self._judge(rule, group, occurrence, values, work)
                continue
            try:
                row = values.row()
            except OUTSIDE:
                raise
            except Exception as error:  # noqa: BLE001 - contained: ledger.engine.contained
                self._alerts.fail(rule.id, said(error), work.moment, work.to)
                continue
            self._levels.consider(rule, occurrence.subject, row, work.moment, work.to)

    def _judge(self, rule: Rule, group: str, occurrence: Occurrence, values: Values | None, work: _Work) -> None:
        """Judge a row by one rule. Any error becomes visible, never "did not match"."""
        health = self._state.health[rule.id]
        health.evaluations += 1
        health.last_index = work.moment.index
        work.to.touched_rules[rule.id] = None
        if self._alerts.probe is not None:
            self._alerts.probe(rule, occurrence.subject, occurrence.row, values)
        try:
            band = self._band(rule, occurrence.row, values)
            if values is None:
                if band is not None:
                    self._mark(rule, group, occurrence, band, values, work)
            elif band is not None or self._state.courses[rule.id]:
                self._keep_worst(rule, group, occurrence, band, values, work)
            if health.error:
                self._alerts.works(health, work.moment)
        except OUTSIDE:
            raise
        except Exception as error:  # noqa: BLE001 - contained: ledger.engine.contained
            self._alerts.fail(rule.id, said(error), work.moment, work.to)

    def _keep_worst(
        self, rule: Rule, group: str, occurrence: Occurrence, band: int | None, values: Values, work: _Work
    ) -> None:
        """Rows of one entry and group, such as two lines about one substance, are one mark: the worst of them."""
        name = "\x1f".join([occurrence.row[part] for part in rule.fingerprint])
        if band is None and name not in self._state.courses[rule.id]:
            return  # there is no mark to take away
        at = (rule.id, name, occurrence.time, occurrence.entry, group)
        known = work.judged.get(at)
        if known is None or (band is not None and (known.band is None or band < known.band)):
            work.judged[at] = _Judged(rule, group, occurrence, band, values)

    def _band(self, rule: Rule, row: dict[str, Any], values: Values | None) -> int | None:
        """The first band that holds for the row."""
        parameters = rule.constants
        if parameters is None:
            parameters = rule.parameters_at(row["event_ms"])
        if rule.first is not None:
            try:
                return rule.first(row, parameters, values)
            except DOUBTS:
                pass  # CEL says, condition by condition
        bindings = self._bindings
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

    def _mark(
        self, rule: Rule, group: str, occurrence: Occurrence, band: int | None, values: Values | None, work: _Work
    ) -> None:
        courses = self._state.courses[rule.id]
        if band is None and (not rule.features or not courses):
            return
        row = occurrence.row
        name = "\x1f".join([row[part] for part in rule.fingerprint])
        course = courses.get(name)
        if course is None:
            if band is None:
                return
            course = courses[name] = Course()
        at, entry = occurrence.time, occurrence.entry
        quietly = (
            band is not None
            and (rule.id, name) not in work.changed
            and extends(course, Mark(at, entry, group, band), _quiet_ms(rule))
            and not self._alerts.lives.is_closed(course.episodes[-1].alert_id)
            and not self._alerts.is_kept_down(rule, course.episodes[-1].alert_id)
        )
        known = len(course.marks)
        if not rule.features and band is not None:
            changed = put(course, Mark(at, entry, group, band))
        else:
            changed = replace(course, at, entry, group, band)
        if not changed:
            return
        if self._marked is not None:
            self._marked.setdefault(entry, set()).add((rule.id, name))
        if quietly and len(course.marks) > known:
            course.episodes[-1].end = max(course.episodes[-1].end, at)
            return
        change = work.changed.setdefault((rule.id, name), _Changed(rule, name, course))
        if band is not None:
            late = row["received_ms"] - row["event_ms"] > LATE_MS or entry != work.entry
            shown = values.row() if values is not None else row
            change.held.append(_Held(band, at, late, shown | rule.parameters_at(row["event_ms"])))

    # --- episodes ----------------------------------------------------------------------------------------------------

    def _settle(self, changed: _Changed, work: _Work) -> None:
        """Say what is new about a course."""
        course = changed.course
        episodes, lost = settle(course, _quiet_ms(changed.rule))
        new = []
        for episode in episodes:
            held = [h for h in changed.held if episode.start <= h.time <= episode.end]
            if held:
                new.append((min(held, key=lambda h: (h.band, h.time)), episode))
        for worst, episode in sorted(new, key=lambda pair: (pair[0].band, pair[0].time)):
            self._say(changed, episode, worst, work)
        lives = self._alerts.lives
        if lost or any(
            one.alerted_band < one.band or one.joined or lives.is_taken_back(one.alert_id)
            for one in episodes
            if one.alert_id
        ):
            self._weigh(changed, work)
        if not course.marks and not course.episodes:
            self._state.courses[changed.rule.id].pop(changed.name, None)

    def _weigh(self, changed: _Changed, work: _Work) -> None:
        """What stands of the alerts of a course, now that late data may have taken marks out or made them milder."""
        said: dict[str, int] = {}
        standing: dict[str, int] = {}
        for episode in changed.course.episodes:
            for alert_id in (episode.alert_id, *episode.joined) if episode.alert_id else ():
                band = episode.alerted_band if alert_id == episode.alert_id else episode.band
                said[alert_id] = min(band, said.get(alert_id, band)) if band >= 0 else said.get(alert_id, band)
                if episode.band >= 0:
                    standing[alert_id] = min(episode.band, standing.get(alert_id, episode.band))
        for alert_id, worst in said.items():
            if alert_id not in standing:
                self._alerts.hears(alert_id, False, work.moment, work.to, disproved=True)
                continue
            if self._alerts.lives.has_recovered(alert_id):
                self._alerts.hears(alert_id, True, work.moment, work.to)
            milder = standing[alert_id] if standing[alert_id] > worst >= 0 else None
            self._alerts.stands(changed.rule, alert_id, milder, work.moment, work.to)

    def _say(self, changed: _Changed, episode: Episode, held: _Held, work: _Work) -> None:
        rule, lives = changed.rule, self._alerts.lives
        alert_id = alert_id_of(rule.id, tuple(held.row[part] for part in rule.fingerprint), work.moment.index)
        if episode.alert_id and not lives.is_closed(episode.alert_id):
            self._alerts.hears(episode.alert_id, True, work.moment, work.to)
            if held.band >= episode.alerted_band:
                self._alerts.goes_on(rule, episode.alert_id, held.row, work.moment, work.to)
                return
            revised = (episode.alert_id, episode.alert_record)
        else:
            # Closed, it comes back as a new alert however soon; but not when what was closed is only put in other words.
            if episode.alert_id and changed.dropped is not None and held.band >= changed.dropped:
                return
            revised = None
        if any(other.alert_id == alert_id for other in changed.course.episodes):
            # One entry that begins two episodes is one alert, of the worse.
            episode.alert_id, episode.alerted_band = alert_id, held.band
            return
        episode.alert_record = self._alerts.say(
            rule, held.band, held.row, work.moment, work.to, late=held.late, revised=revised
        )
        episode.alert_id, episode.alerted_band = alert_id, held.band

    def behind(self, rule: Rule, row: Mapping[str, Any]) -> dict[str, list[int]]:
        """Of a judged row: each feature's entries, ascending by time."""
        for watch in self._watches.watches:
            if rule in watch.rules:
                return watch.behind(rule, row)
        return {}

    def prune(self, now_ms: int) -> None:
        """Once a day: forget what no row can touch any more."""
        self._watches.prune(now_ms)
        self._marked = None
        for rule_id, courses in self._state.courses.items():
            rule = self._rules.get(rule_id)
            quiet_ms = _quiet_ms(rule) if rule is not None else 0
            for course in courses.values():
                forget(course, now_ms - HORIZON_MS, quiet_ms)
            for name in [name for name, course in courses.items() if not course.marks and not course.episodes]:
                del courses[name]


def _quiet_ms(rule: Rule) -> int:
    return rule.apart_ms


def _touch(work: _Work, watch: Watch, group: str, time: int, new: Occurrence | None) -> None:
    at = id(watch), group
    known = work.touched.get(at)
    news = known[2] if known is not None else []
    if new is not None:
        news.append(new)
    work.touched[at] = watch, time if known is None else min(time, known[1]), news
