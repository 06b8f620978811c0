"""What rules about what happened say: marks on the course of a fingerprint, its episodes, and the alerts about them.

What holds of a row is a mark (`ledger.engine.courses`); how rows are judged: `ledger.engine.windows`. All marks of an entry
are put before anything is said of the courses that they changed.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import msgspec

from ledger.engine.alerts import AlertBook
from ledger.engine.courses import Course, Episode, Mark, drop, extends, forget, put, replace, settle
from ledger.engine.effects import LATE_MS, Effects, Moment, alert_id_of
from ledger.engine.heard import Heard
from ledger.engine.lanes import HORIZON_MS
from ledger.engine.state import FoldState
from ledger.engine.watches import Occurrence, Values, Watch


@dataclass(frozen=True, slots=True)
class _Held:
    """A row that a band was newly found to hold for."""

    band: int
    time: int
    late: bool
    row: dict[str, Any]


@dataclass(slots=True)
class Changed:
    """A course whose marks changed, and the rows that the new ones are of."""

    heard: Heard
    name: str
    course: Course
    dropped: int | None = None
    """The worst band of the marks that a correction took out."""
    held: list[_Held] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Judged:
    """The first band that holds for a row, or None."""

    heard: Heard
    group: str
    occurrence: Occurrence
    band: int | None
    values: Values


class Work(msgspec.Struct):
    """One entry on its way through the rules. A struct, as `Input` is."""

    entry: int
    """Its index; of a corrected record, of its original."""
    moment: Moment
    to: Effects
    touched: dict[tuple[int, str], tuple[Watch, int, list[Occurrence]]] = {}
    """(watch, group) → the earliest time from which its windows are others, and the rows that are new."""
    judged: dict[tuple[str, str, int, int, str], Judged] = {}
    """What rules with features found, by what a mark is of: rule, fingerprint, time, entry, group."""
    changed: dict[tuple[str, str], Changed] = {}
    """By rule and fingerprint."""


class Episodes:
    """Works on the courses of one state."""

    def __init__(self, state: FoldState, heard: dict[str, Heard], alerts: AlertBook) -> None:
        self._state = state
        self._heard = heard
        self._alerts = alerts
        self._marked: dict[int, set[tuple[str, str]]] | None = None
        """Entry → courses that have marks of it; made when the first correction asks."""

    # --- marks -------------------------------------------------------------------------------------------------------

    def withdraw(self, entry: int, subject: str, work: Work) -> None:
        """Take out the marks that an entry brought, of rules on one subject or ("") of all."""
        if self._marked is None:
            self._marked = {}
            for rule_id, courses in self._state.courses.items():
                for name, course in courses.items():
                    for mark in course.marks:
                        self._marked.setdefault(mark.entry, set()).add((rule_id, name))
        marked = self._marked.get(entry, set())
        for rule_id, name in sorted(marked):
            heard, known = self._heard.get(rule_id), self._state.courses[rule_id].get(name)
            if heard is None or (subject and subject not in heard.rule.on):
                continue
            marked.discard((rule_id, name))
            dropped = drop(known, entry) if known is not None else None
            if known is not None and dropped is not None:
                work.changed[rule_id, name] = Changed(heard, name, known, dropped)

    def mark(
        self, heard: Heard, group: str, occurrence: Occurrence, band: int | None, values: Values | None, work: Work
    ) -> None:
        """A band holds for the row, or (None) none does any more."""
        rule, courses = heard.rule, heard.courses
        if band is None and (not rule.features or not courses):
            return
        row = occurrence.row
        name = heard.name_of(row)
        course = courses.get(name)
        if course is None:
            if band is None:
                return
            course = courses[name] = Course()
        at, entry = occurrence.time, occurrence.entry
        quietly = (
            band is not None
            and (rule.id, name) not in work.changed
            and extends(course, Mark(at, entry, group, band), rule.apart_ms)
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
        change = work.changed.setdefault((rule.id, name), Changed(heard, name, course))
        if band is not None:
            late = row["received_ms"] - row["event_ms"] > LATE_MS or entry != work.entry
            shown = values.row() if values is not None else row
            change.held.append(_Held(band, at, late, shown | rule.parameters_at(row["event_ms"])))

    # --- episodes ----------------------------------------------------------------------------------------------------

    def settle(self, changed: Changed, work: Work) -> None:
        """Say what is new about a course."""
        course = changed.course
        episodes, lost = settle(course, changed.heard.rule.apart_ms)
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
            changed.heard.courses.pop(changed.name, None)

    def _weigh(self, changed: Changed, work: Work) -> None:
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
            self._alerts.stands(changed.heard.rule, alert_id, milder, work.moment, work.to)

    def _say(self, changed: Changed, episode: Episode, held: _Held, work: Work) -> None:
        rule, lives = changed.heard.rule, self._alerts.lives
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

    def prune(self, now_ms: int) -> None:
        """Once a day: forget what no row can touch any more."""
        self._marked = None
        for rule_id, courses in self._state.courses.items():
            heard = self._heard.get(rule_id)
            quiet_ms = heard.rule.apart_ms if heard is not None else 0
            for course in courses.values():
                forget(course, now_ms - HORIZON_MS, quiet_ms)
            for name in [name for name, course in courses.items() if not course.marks and not course.episodes]:
                del courses[name]
