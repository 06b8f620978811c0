"""A rule beside what the state keeps of it: a row that comes finds both at once, without a look-up by the rule's name.

Of hundreds of rows nearly all say nothing to any rule; what each costs is what the engine costs.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from operator import itemgetter
from typing import Any

from ledger.engine.courses import Course
from ledger.engine.registry import SUBJECTS
from ledger.engine.rules import Rule
from ledger.engine.state import FoldState, Health, Pending

SEPARATOR = "\x1f"


class Heard:
    """One rule on one state. The state's tables are made where they are lacking, and from then on are the same ones."""

    __slots__ = ("constants", "courses", "first", "health", "id", "name_of", "pendings", "rule", "truths", "waits")

    def __init__(self, rule: Rule, state: FoldState) -> None:
        self.rule = rule
        self.id = rule.id
        self.constants = rule.constants
        self.truths = rule.truths
        self.first = rule.first
        self.waits = tuple(band.waits for band in rule.bands)
        self.health: Health = state.health.setdefault(rule.id, Health())
        self.pendings: dict[str, Pending] = state.pending.setdefault(rule.id, {})
        self.courses: dict[str, Course] = state.courses.setdefault(rule.id, {}) if is_about_happenings(rule) else {}
        self.name_of = joined(rule.fingerprint)
        """A row's fingerprint as one text."""

    def parameters(self, row: Mapping[str, Any]) -> dict[str, int]:
        """Each parameter's value in force when that happened which the row tells of."""
        return self.rule.parameters_at(row["event_ms"]) if self.constants is None else self.constants


def is_about_happenings(rule: Rule) -> bool:
    """Whether all that it listens to are occurrences, and no band waits."""
    return not any(SUBJECTS[name].level for name in rule.on) and not any(band.waits for band in rule.bands)


def joined(names: tuple[str, ...]) -> Callable[[Mapping[str, Any]], str]:
    """What reads these text fields of a row as one text."""
    if len(names) == 1:
        return itemgetter(names[0])
    if not names:
        return lambda _row: ""
    read: Callable[[Mapping[str, Any]], tuple[str, ...]] = itemgetter(*names)
    return lambda row: SEPARATOR.join(read(row))
