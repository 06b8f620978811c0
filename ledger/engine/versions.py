"""What happens to the fold where a rule set takes effect: which rules go on as they were, and from what the others begin.

A set takes effect behind its `ruleset` entry. By then its own fold of everything up to there is made, in silence (the
*filled* state: windows, waits, open conditions as they would be had these rules always been there). From both follows the
state with which the fold goes on, and from nothing else, so that a fold from index 0 comes by the same:

- what topics and features remember is the filled state's. It follows from the log and the rules, never from what was said;
- a rule that is unchanged (same text, same parameters, same catalogue) goes on exactly as it was;
- a rule that is new or changed has the filled state's waits and marks. What it would have said before is not said: but a
  row that comes after it takes effect, and holds, is. Where its previous version has an alert open on the same
  fingerprint, that alert is its own, and nothing is said again until it gets worse;
- lives, exceptions, what was counted, and the place in the engine's own book go on.
"""

from __future__ import annotations

import msgspec

from ledger.engine.alerts import RULE_ERROR
from ledger.engine.courses import Course, Episode, near
from ledger.engine.effects import Effects, Moment
from ledger.engine.lives import TIMER, Lives
from ledger.engine.registry import TOPICS
from ledger.engine.rules import Rule, RuleSet
from ledger.engine.state import FoldState, Health, Pending, Timer

_GOES_ON = ("life", "inhibition", "health", "own_seq", "own_prev")
"""Fields of the state that follow from what was said."""


def is_unchanged(rule: Rule, old: RuleSet, new: RuleSet) -> bool:
    """Whether `rule` of the new set says the same as its namesake of the old one, and of the same rows."""
    before = next((other for other in old.rules if other.id == rule.id), None)
    return (
        before is not None
        and before.digest == rule.digest
        and before.parameters == rule.parameters
        and all(old.parts.get(part) == new.parts.get(part) for part in ("catalogue", "restricted_sets"))
    )


def take_effect(
    state: FoldState, filled: FoldState, old: RuleSet, new: RuleSet, moment: Moment, to: Effects
) -> FoldState:
    """The state in which the fold goes on with `new`, where `state` is the one that `old` reached.

    `filled` is used up. `to` takes what has to be committed: timers that differ, alerts whose condition does not hold
    any more under the new text.
    """
    lives = Lives(state.life)
    timers = {timer_id: timer for timer_id, timer in state.timers.items() if timer.rule == TIMER}
    pending: dict[str, dict[str, Pending]] = {RULE_ERROR: state.pending.get(RULE_ERROR, {})}
    courses: dict[str, dict[str, Course]] = {}
    before = {rule.id: rule for rule in old.rules}
    for rule in new.rules:
        if is_unchanged(rule, old, new):
            pending[rule.id] = state.pending.get(rule.id, {})
            if rule.id in state.courses:
                courses[rule.id] = state.courses[rule.id]
            timers |= _timers_of(state, rule.id)
            continue
        said = rule.id in before and before[rule.id].status == "live"
        pending[rule.id] = _pending(
            filled.pending.get(rule.id, {}), state.pending.get(rule.id, {}) if said else {}, lives, to
        )
        if rule.id in filled.courses:
            courses[rule.id] = _courses(
                filled.courses[rule.id],
                state.courses.get(rule.id, {}) if said else {},
                rule.apart_ms,
                lives,
                to,
            )
        timers |= _timers_of(filled, rule.id)
        health = state.health.setdefault(rule.id, Health())
        if health.error:
            health.error, health.last_index = "", moment.index
        to.touched_rules[rule.id] = None
    running = {rule.id for rule in new.rules}
    for rule in old.rules:
        if rule.id not in running and rule.id in to.touched_rules:
            to.touched_rules[rule.id] = rule.version  # its row is of the set under which it ran last
    for topic in TOPICS:
        if topic.timer:  # what topics remember is the filled state's, and so is when they are asked again
            timers |= _timers_of(filled, topic.timer)
    for timer_id in sorted(state.timers.keys() | timers.keys()):
        if state.timers.get(timer_id) != timers.get(timer_id):
            to.timers[timer_id] = timers.get(timer_id)
    kept = {name: getattr(state, name) for name in _GOES_ON}
    return msgspec.structs.replace(
        filled, **kept, pending=pending, courses=courses, timers=timers, ruleset=new.digest, pruned_ms=state.pruned_ms
    )


def _timers_of(state: FoldState, rule: str) -> dict[str, Timer]:
    return {timer_id: timer for timer_id, timer in state.timers.items() if timer.rule == rule}


def _pending(filled: dict[str, Pending], known: dict[str, Pending], lives: Lives, to: Effects) -> dict[str, Pending]:
    merged: dict[str, Pending] = {}
    for name, pending in filled.items():
        before = known.get(name)
        if before is not None and before.alert_id:
            active = before.active and pending.active
            if before.active and not active:
                lives.holds_again(before.alert_id, False, to.life)
            merged[name] = msgspec.structs.replace(
                before, since=pending.since, row=pending.row, active=active, last_held_ms=before.last_held_ms
            )
        elif pending.since or pending.row:
            merged[name] = Pending(since=pending.since, row=pending.row)
    for name, before in known.items():
        if name in merged or not before.alert_id:
            continue
        if before.active:
            lives.holds_again(before.alert_id, False, to.life)
        merged[name] = msgspec.structs.replace(before, since={}, row={}, active=False)
    return merged


def _courses(
    filled: dict[str, Course], known: dict[str, Course], quiet_ms: int, lives: Lives, to: Effects
) -> dict[str, Course]:
    merged: dict[str, Course] = {}
    for name, course in filled.items():
        said = known[name].episodes if name in known else []
        episodes = []
        for silent in course.episodes:
            if silent.band < 0:
                continue  # its rows were taken back before anybody heard of it
            alert = next(
                (e for e in said if e.alert_id and near(silent.start, silent.end, e.start, e.end, quiet_ms)), None
            )
            episodes.append(
                Episode(
                    silent.start,
                    silent.end,
                    silent.band,
                    *((alert.alert_id, alert.alert_record, alert.alerted_band, alert.joined) if alert else ()),
                )
            )
        merged[name] = Course(course.marks, episodes)
    for name, before in known.items():
        course = merged.setdefault(name, Course())
        taken = {episode.alert_id for episode in course.episodes}
        for episode in before.episodes:
            if episode.alert_id and episode.alert_id not in taken:
                if episode.band >= 0:
                    lives.holds_again(episode.alert_id, False, to.life)
                episode.band = -1
                course.episodes.append(episode)
        course.episodes.sort(key=lambda episode: (episode.start, episode.end))
        if not course.marks and not course.episodes:
            del merged[name]
    return merged
