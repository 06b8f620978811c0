"""Which rows belong to which rule's windows: rows go into lanes, and what they touch is evaluated again.

A *watch* is what rules with the same subjects, scope, group_by and clock share: their lanes, and the rows themselves of the
last HORIZON_MS (only the fields that the rules' conditions, reasons and fingerprints read). A row that comes late, or is
taken out, touches the windows of the rows after it in the same group; so those are evaluated again, each at its own time
with everything that is now known. What was found for a row is therefore always what would have been found had all come
in the order in which it happened (of up to AGAIN rows in one group).

Only of what happened: rows of level subjects say how things stand now and are evaluated once, as they come.
"""

from __future__ import annotations

import hashlib
from bisect import bisect_left, bisect_right, insort_right
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from operator import itemgetter
from typing import Any

import msgspec

from ledger.engine.ages import Ages
from ledger.engine.expressions import Bindings, Condition
from ledger.engine.features import READY, WINDOW_END, Feature, feature_names
from ledger.engine.heard import Heard, joined
from ledger.engine.inputs import plausible_ms
from ledger.engine.lanes import ASKS_FOR_FIRST, HORIZON_MS, Lane, Seen, WatchState
from ledger.engine.registry import SUBJECTS
from ledger.engine.rules import Rule
from ledger.engine.statistics import ratio_ppm
from ledger.engine.subjects import COMMON


class Occurrence(msgspec.Struct, frozen=True):
    """A row that happened, at the time that counts for its windows. A struct, as `Input` is."""

    entry: int
    time: int
    subject: str
    row: dict[str, Any]


Memo = dict[tuple[Any, ...], tuple[Any, bool]]
"""(lane, feature's content), and for `robust_z` the row's own value → (value, ready): of the rows of one group and moment.

All others look at the lane and the moment only: of thousands of rows about one second, those that are judged again
together share what they are judged by."""


@dataclass(slots=True)
class Plan:
    """A rule's features by the names that they give, each with the lane of its rows; None for ratios of other features."""

    heard: Heard
    features: dict[str, tuple[Feature, Lane | None, tuple[int, str], str]] = field(default_factory=dict)
    """Last the name that says whether it is ready, "" where it always is."""


class Values(msgspec.Struct, frozen=True):
    """The values of a rule's features, and whether they are ready, for one row: each computed when it is first read, and then
    found in the memo. A struct, as `Input` is.
    """

    plan: Plan
    group: str
    occurrence: Occurrence
    memo: Memo

    def __getitem__(self, name: str) -> Any:
        feature, lane, at, ready_name = self.plan.features[name]
        if lane is None:
            ready = self._is_ready(feature.of) and self._is_ready(feature.to) and self[feature.to] > 0
            value = ratio_ppm(self[feature.of], self[feature.to]) if ready else 0
        else:
            row = self.occurrence.row
            key = at if feature.agg != "robust_z" else (*at, row[feature.of])
            known = self.memo.get(key)
            if known is None:
                known = self.memo[key] = lane.value(self.group, feature, self.occurrence.time, row)
            value, ready = known
        return ready if name == ready_name else value

    def _is_ready(self, name: str) -> bool:
        ready_name = self.plan.features[name][3]
        return not ready_name or self[ready_name]

    def row(self) -> dict[str, Any]:
        """The row with all of them."""
        features = {name: self[name] for name in self.plan.features}
        return self.occurrence.row | features | {WINDOW_END: self.occurrence.time}


AGAIN = 32
"""Rows from a late one on, or of one moment, that are judged again: more than honest records that come late have behind
them in one group and a week. Who sends thousands about one second pays for each once, not for all of them each time."""
INDEX_SLACK = 1000
"""The index of entries is made anew when it is larger by so much than twice what it was."""
_Filtered = tuple[Condition | None, Heard, Lane]
"""A lane, the `where` of its rows, and a rule whose parameters that reads."""


class Watch:
    """Rules that look at the same rows in the same groups."""

    def __init__(self, state: WatchState, heard: list[Heard]) -> None:
        self.rules = rules = [one.rule for one in heard]
        self._first = heard[0]
        first = rules[0]
        self._scope = first.scope
        self._group_of = joined(first.group_by)
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
                "by_seller",
                "n",
                *rule.keeps,
            }
            # What parameters and features give is not the row's.
            fields |= {name for name in reads if all(name in SUBJECTS[subject].fields for subject in rule.on)}
        self._fields = tuple(sorted(fields))
        self._read: Callable[[Mapping[str, Any]], tuple[Any, ...]] = itemgetter(*self._fields)
        self.plans, self._lanes = _lanes(state, heard, self.content)
        name = _digest(self.content, *self._fields)
        self._seen: dict[str, list[Seen]] = {} if self.level else state.seen.setdefault(name, {})
        self._ages = Ages((group, seen[0][0]) for group, seen in self._seen.items())
        self._groups: dict[int, tuple[str, ...]] | None = None
        """Entry → groups that may hold rows of it, made when the first correction asks; and how many when it was made."""
        self._indexed = 0

    def names(self) -> Iterator[str]:
        """What this watch keeps in the state, by name."""
        yield _digest(self.content, *self._fields)

    # --- rows --------------------------------------------------------------------------------------------------------

    def take(self, occurrence: Occurrence, bindings: Bindings) -> str | None:
        """Take a row in; its group, None when it is out of scope."""
        row = occurrence.row
        if self._scope is not None and not self._scope.is_true(row, self._first.parameters(row), bindings):
            return None
        group = self._group_of(row)
        for where, heard, lane in self._lanes:
            if where is None or where.is_true(row, heard.parameters(row), bindings):
                lane.add(group, occurrence.time, occurrence.entry, row)
        if not self.level:
            self._remember(group, occurrence)
        if self._groups is not None:
            _index(self._groups, occurrence.entry, group)
        return group

    def time_of(self, row: Mapping[str, Any], received_ms: int) -> int:
        """The time that counts: claimed, but not ahead of when the record first came (`received_ms`); or the row's receipt."""
        return row["received_ms"] if self._received else plausible_ms(row["event_ms"], received_ms)

    def _remember(self, group: str, occurrence: Occurrence) -> None:
        time = occurrence.time
        new = (time, occurrence.entry, occurrence.subject, *self._read(occurrence.row))
        seen = self._seen.get(group)
        if seen is None:
            self._seen[group] = [new]
            self._ages.note(group, time)
        elif time >= seen[-1][0]:
            seen.append(new)
        else:
            if time < seen[0][0]:
                self._ages.note(group, time)
            insort_right(seen, new, key=_time)

    def withdraw(self, entry: int) -> Iterator[tuple[str, int]]:
        """Take out what an entry brought: (group, earliest time of it)."""
        if self._groups is None:
            self._groups = {}
            for by, group in self._all_entries():
                _index(self._groups, by, group)
            self._indexed = len(self._groups)
        for group in sorted(self._groups.pop(entry, ())):
            times = [lane.remove(group, entry) for _, _, lane in self._lanes]
            seen = self._seen.get(group, [])
            first = next((one for one in seen if one[1] == entry), None)
            if first is not None:
                times.append(first[0])
                kept = [one for one in seen if one[1] != entry]
                if kept:
                    self._seen[group] = kept
                else:
                    del self._seen[group]
            found = [time for time in times if time is not None]
            if found:
                yield group, min(found)

    def _all_entries(self) -> Iterator[tuple[int, str]]:
        for _, _, lane in self._lanes:
            yield from lane.keys_by_entry()
        for group, seen in self._seen.items():
            yield from ((one[1], group) for one in seen)

    def since(self, group: str, time: int) -> Iterator[Occurrence]:
        """The rows of a group from a time on: the first AGAIN of them."""
        seen = self._seen.get(group, [])
        first = bisect_left(seen, time, key=_time)
        for at, entry, subject, *values in seen[first : first + AGAIN]:
            yield Occurrence(entry, at, subject, dict(zip(self._fields, values, strict=True)))

    def is_last(self, group: str, time: int) -> bool:
        """Whether from a time on, which is that of a row, there is no other row of a group."""
        seen = self._seen[group]
        return bool(seen[-1][0] == time and (len(seen) == 1 or seen[-2][0] != time))

    def prune(self, now_ms: int) -> None:
        """Forget what no row can touch any more."""
        oldest = now_ms if self._received else now_ms - HORIZON_MS  # nothing is received late
        for _, _, lane in self._lanes:
            lane.prune(oldest)
        for group in self._ages.take(oldest):
            seen = self._seen.get(group, [])
            kept = seen[bisect_right(seen, oldest, key=_time) :]
            if kept:
                self._seen[group] = kept
                self._ages.note(group, kept[0][0])
            else:
                self._seen.pop(group, None)
        # What was forgotten may go on standing there, but only a quarter more. Made anew after every day, it cost the first
        # correction of each day a walk through all rows: a day's work that grew with the windows.
        if self._groups is not None and 4 * len(self._groups) > 5 * self._indexed + 4 * INDEX_SLACK:
            self._groups = None

    # --- features ----------------------------------------------------------------------------------------------------

    def behind(self, rule: Rule, row: Mapping[str, Any]) -> dict[str, list[int]]:
        """Of a row with features: the entries that each feature looked at, ascending by time."""
        group = self._group_of(row)
        plan = next(plan for plan in self.plans if plan.heard.id == rule.id)
        return {
            feature.name: [] if lane is None else lane.entries(group, feature, row[WINDOW_END])
            for feature, lane, _, _ in plan.features.values()
        }


def _lanes(state: WatchState, heard: Iterable[Heard], content: str) -> tuple[list[Plan], list[_Filtered]]:
    """One lane for each `where`, with the columns and the length that its features need together."""
    grouped: dict[str, list[Feature]] = {}
    first: dict[str, Heard] = {}
    for one in heard:
        for feature in one.rule.features.values():
            if feature.agg != "ratio_ppm":
                where = _condition(one.rule, feature.where)
                first.setdefault(where, one)
                grouped.setdefault(where, []).append(feature)
    lanes: dict[str, Lane] = {}
    filtered: list[_Filtered] = []
    for where, features in grouped.items():
        columns = tuple(sorted({feature.of for feature in features if feature.of}))
        keep_ms = max(feature.reach_ms for feature in features)
        series = state.lanes.setdefault(_digest(content, where, *columns, str(keep_ms)), {})
        asks = any(feature.agg in ASKS_FOR_FIRST for feature in features)
        lanes[where] = Lane(series, columns, keep_ms, remembers_first=asks)
        filtered.append((features[0].where, first[where], lanes[where]))
    plans = [
        Plan(
            one,
            {
                name: (feature, lane, (id(lane), feature.content), feature.name + READY if feature.needs_ready else "")
                for feature in one.rule.features.values()
                for lane in [None if feature.agg == "ratio_ppm" else lanes[_condition(one.rule, feature.where)]]
                for name in feature_names({feature.name: feature})
            },
        )
        for one in heard
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


_time: Callable[[Seen], int] = itemgetter(0)


def _digest(*parts: str) -> str:
    return hashlib.sha256("\x1f".join(parts).encode()).hexdigest()[:32]


def _index(groups: dict[int, tuple[str, ...]], entry: int, group: str) -> None:
    """Tuples: nearly all entries are in one group, and a set of one takes four times as much."""
    known = groups.get(entry, ())
    if group not in known:
        groups[entry] = (*known, group)


class Watches:
    """All watches of a rule set on one state."""

    def __init__(self, state: WatchState, heard: Iterable[Heard]) -> None:
        grouped: dict[str, list[Heard]] = {}
        for one in heard:
            if one.rule.features:
                grouped.setdefault(_content(one.rule), []).append(one)
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
