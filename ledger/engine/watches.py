"""Which rows belong to which rule's windows: rows go into lanes, and what they touch is evaluated again.

A *watch* is what rules with the same subjects, scope, group_by and clock share: their lanes, and the rows themselves of the
last HORIZON_MS (only the fields that the rules' conditions, reasons and fingerprints read). A row that comes late, or is
taken out, touches the windows of the rows after it in the same group; so those are evaluated again, each at its own time
with everything that is now known. What was found for a row is therefore always what would have been found had all come
in the order in which it happened.

Only of what happened: rows of level subjects say how things stand now and are evaluated once, as they come.
"""

from __future__ import annotations

import hashlib
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from ledger.engine.expressions import Bindings, Condition
from ledger.engine.features import READY, WINDOW_END, Feature
from ledger.engine.inputs import plausible_ms
from ledger.engine.lanes import HORIZON_MS, Lane, Seen, WatchState
from ledger.engine.registry import SUBJECTS
from ledger.engine.rules import Rule
from ledger.engine.statistics import ratio_ppm
from ledger.engine.subjects import COMMON


@dataclass(frozen=True, slots=True)
class Occurrence:
    """A row that happened, at the time that counts for its windows."""

    entry: int
    time: int
    subject: str
    row: dict[str, Any]


@dataclass(slots=True)
class _Plan:
    """A rule's features, each with the lane that holds its rows; None for ratios, which are of other features."""

    rule: Rule
    features: list[tuple[Feature, Lane | None]] = field(default_factory=list)


_Filtered = tuple[Condition | None, Rule, Lane]
"""A lane, the `where` of its rows, and a rule whose parameters that reads."""


class Watch:
    """Rules that look at the same rows in the same groups."""

    def __init__(self, state: WatchState, rules: list[Rule]) -> None:
        self.rules = rules
        self._rule = first = rules[0]
        self.content = _content(first)
        self._received = any(feature.received for feature in first.features.values())
        self.level = SUBJECTS[first.on[0]].level
        fields = set(COMMON) | set(first.group_by)
        for rule in rules:
            reads = {
                *rule.inputs,
                *(feature.of for feature in rule.features.values()),
                "dimension",
                "sealed",
                *rule.keeps,
            }
            # What parameters and features give is not the row's.
            fields |= {name for name in reads if all(name in SUBJECTS[subject].fields for subject in rule.on)}
        self._fields = tuple(sorted(fields))
        self._plans, self._lanes = _lanes(state, rules, self.content)
        name = _digest(self.content, *self._fields)
        self._seen: dict[str, Seen] = {} if self.level else state.seen.setdefault(name, {})
        self._groups: dict[int, set[str]] | None = None
        self._by_rule = {plan.rule.id: plan for plan in self._plans}

    def names(self) -> Iterator[str]:
        """What this watch keeps in the state, by name."""
        yield _digest(self.content, *self._fields)

    # --- rows --------------------------------------------------------------------------------------------------------

    def take(self, occurrence: Occurrence, bindings: Bindings) -> str | None:
        """Take a row in; its group, None when it is out of scope."""
        row = occurrence.row
        if self._rule.scope is not None:
            bindings.bind(row, self._rule.parameters_at(row["event_ms"]))
            if not self._rule.scope.holds(bindings):
                return None
        group = "\x1f".join([row[name] for name in self._rule.group_by])
        for where, rule, lane in self._lanes:
            if where is not None:
                bindings.bind(row, rule.parameters_at(row["event_ms"]))
                if not where.holds(bindings):
                    continue
            lane.add(group, occurrence.time, occurrence.entry, row)
        if not self.level:
            self._remember(group, occurrence)
        if self._groups is not None:
            self._groups.setdefault(occurrence.entry, set()).add(group)
        return group

    def time_of(self, row: Mapping[str, Any]) -> int:
        """The time that counts: claimed (but not ahead of receipt), or of receipt."""
        return row["received_ms"] if self._received else plausible_ms(row["event_ms"], row["received_ms"])

    def _remember(self, group: str, occurrence: Occurrence) -> None:
        seen = self._seen.get(group)
        if seen is None:
            seen = self._seen[group] = Seen()
        values = [occurrence.subject, *(occurrence.row.get(name) for name in self._fields)]
        at = bisect_right(seen.times, occurrence.time)
        seen.times.insert(at, occurrence.time)
        seen.entries.insert(at, occurrence.entry)
        seen.rows.insert(at, values)

    def withdraw(self, entry: int) -> Iterator[tuple[str, int]]:
        """Take out what an entry brought: (group, earliest time of it)."""
        if self._groups is None:
            self._groups = {}
            for by, group in self._all_entries():
                self._groups.setdefault(by, set()).add(group)
        for group in sorted(self._groups.pop(entry, ())):
            times = [lane.remove(group, entry) for _, _, lane in self._lanes]
            seen = self._seen.get(group)
            if seen is not None and entry in seen.entries:
                times.append(seen.times[seen.entries.index(entry)])
                _keep(seen, [at for at, by in enumerate(seen.entries) if by != entry])
            found = [time for time in times if time is not None]
            if found:
                yield group, min(found)

    def _all_entries(self) -> Iterator[tuple[int, str]]:
        for _, _, lane in self._lanes:
            yield from lane.keys_by_entry()
        for group, seen in self._seen.items():
            yield from ((entry, group) for entry in seen.entries)

    def since(self, group: str, time: int) -> Iterator[Occurrence]:
        """The rows of a group from a time on."""
        seen = self._seen.get(group)
        if seen is None:
            return
        for at in range(bisect_left(seen.times, time), len(seen.times)):
            subject, *values = seen.rows[at]
            yield Occurrence(seen.entries[at], seen.times[at], subject, dict(zip(self._fields, values, strict=True)))

    def prune(self, now_ms: int) -> None:
        """Forget what no row can touch any more."""
        oldest = now_ms if self._received else now_ms - HORIZON_MS  # nothing is received late
        for _, _, lane in self._lanes:
            lane.prune(oldest)
        for group in [group for group, seen in self._seen.items() if not seen.times or seen.times[0] <= oldest]:
            seen = self._seen[group]
            _keep(seen, range(bisect_right(seen.times, oldest), len(seen.times)))
            if not seen.times:
                del self._seen[group]
        self._groups = None

    # --- features ----------------------------------------------------------------------------------------------------

    def with_features(self, rule: Rule, group: str, occurrence: Occurrence, memo: dict[Any, Any]) -> dict[str, Any]:
        """The row with the rule's features at its time. `memo` is shared by the rules that look at this row."""
        row = occurrence.row | {WINDOW_END: occurrence.time}
        for feature, lane in self._by_rule[rule.id].features:
            if lane is None:
                ready = row.get(feature.of + READY, True) and row.get(feature.to + READY, True) and row[feature.to] > 0
                row[feature.name] = ratio_ppm(row[feature.of], row[feature.to]) if ready else 0
                row[feature.name + READY] = ready
                continue
            at = (id(lane), feature.content)
            if at not in memo:
                memo[at] = lane.value(group, feature, occurrence.time, occurrence.row)
            row[feature.name], ready = memo[at]
            if feature.needs_ready:
                row[feature.name + READY] = ready
        return row

    def behind(self, rule: Rule, row: Mapping[str, Any]) -> dict[str, list[int]]:
        """Of a row with features: the entries that each feature looked at, ascending by time."""
        group = "\x1f".join([row[name] for name in self._rule.group_by])
        return {
            feature.name: [] if lane is None else lane.entries(group, feature, row[WINDOW_END])
            for feature, lane in self._by_rule[rule.id].features
        }


def _lanes(state: WatchState, rules: Iterable[Rule], content: str) -> tuple[list[_Plan], list[_Filtered]]:
    """One lane for each `where`, with the columns and the length that its features need together."""
    grouped: dict[str, list[Feature]] = {}
    first: dict[str, Rule] = {}
    for rule in rules:
        for feature in rule.features.values():
            if feature.agg != "ratio_ppm":
                where = _condition(rule, feature.where)
                first.setdefault(where, rule)
                grouped.setdefault(where, []).append(feature)
    lanes: dict[str, Lane] = {}
    filtered: list[_Filtered] = []
    for where, features in grouped.items():
        columns = tuple(sorted({feature.of for feature in features if feature.of}))
        keep_ms = max(feature.reach_ms for feature in features)
        series = state.lanes.setdefault(_digest(content, where, *columns, str(keep_ms)), {})
        lanes[where] = Lane(series, columns, keep_ms)
        filtered.append((features[0].where, first[where], lanes[where]))
    plans = [
        _Plan(
            rule,
            [
                (feature, None if feature.agg == "ratio_ppm" else lanes[_condition(rule, feature.where)])
                for feature in rule.features.values()
            ],
        )
        for rule in rules
    ]
    return plans, filtered


def _condition(rule: Rule, condition: Condition | None) -> str:
    """A condition's content: its source, and the values of the parameters that it reads."""
    if condition is None:
        return ""
    read = [(name, rule.parameters[name].versions) for name in condition.names if name in rule.parameters]
    return f"{condition.source} {read}" if read else condition.source


def _content(rule: Rule) -> str:
    received = any(feature.received for feature in rule.features.values())
    return "\n".join((" ".join(rule.on), " ".join(rule.group_by), str(received), _condition(rule, rule.scope)))


def _digest(*parts: str) -> str:
    return hashlib.sha256("\x1f".join(parts).encode()).hexdigest()[:32]


def _keep(seen: Seen, positions: Iterable[int]) -> None:
    kept = list(positions)
    seen.times = [seen.times[at] for at in kept]
    seen.entries = [seen.entries[at] for at in kept]
    seen.rows = [seen.rows[at] for at in kept]


class Watches:
    """All watches of a rule set on one state."""

    def __init__(self, state: WatchState, rules: Iterable[Rule]) -> None:
        grouped: dict[str, list[Rule]] = {}
        for rule in rules:
            if rule.features:
                grouped.setdefault(_content(rule), []).append(rule)
        self.watches = [Watch(state, sharing) for sharing in grouped.values()]
        self._by_subject: dict[str, list[Watch]] = {}
        for watch in self.watches:
            for subject in watch.rules[0].on:
                self._by_subject.setdefault(subject, []).append(watch)

    def on(self, subject: str) -> list[Watch]:
        """The watches that listen to a subject."""
        return self._by_subject.get(subject, [])

    def prune(self, now_ms: int) -> None:
        """Once a day: forget what is settled."""
        for watch in self.watches:
            watch.prune(now_ms)
