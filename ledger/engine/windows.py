"""Rules with features: rows go into their watches, and every row whose windows were touched is evaluated again."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ledger.engine.alerts import AlertBook, Effects, Moment
from ledger.engine.expressions import Bindings
from ledger.engine.rules import Rule
from ledger.engine.state import FoldState
from ledger.engine.topics.base import Row
from ledger.engine.watches import Occurrence, Watch, Watches
from ledger.errors import RuleError

_FAULTS = (LookupError, TypeError, ValueError, AttributeError, ArithmeticError)


class Windows:
    """The rules with features on one state."""

    def __init__(self, state: FoldState, rules: Sequence[Rule], alerts: AlertBook) -> None:
        self._watches = Watches(state.watches, rules)
        self._alerts = alerts
        self._bindings = Bindings()

    def fold(self, rows: Sequence[Row], entry: int, corrects: bool, moment: Moment, to: Effects) -> None:
        """Take the rows of one entry in. Of a correction, `entry` is the original's index, and its rows leave first."""
        touched: dict[tuple[int, str], tuple[Watch, int]] = {}
        if corrects:
            for watch in self._watches.watches:
                for group, time in watch.withdraw(entry):
                    _touch(touched, watch, group, time)
        for subject, row in rows:
            for watch in self._watches.on(subject):
                self._take(watch, Occurrence(entry, watch.time_of(row), subject, row), touched, moment, to)
        for (_, group), (watch, time) in touched.items():
            for occurrence in watch.since(group, time):
                self._evaluate(watch, group, occurrence, moment, to)

    def _take(
        self,
        watch: Watch,
        occurrence: Occurrence,
        touched: dict[tuple[int, str], tuple[Watch, int]],
        moment: Moment,
        to: Effects,
    ) -> None:
        try:
            group = watch.take(occurrence, self._bindings)
        except RuleError as error:
            self._fail(watch, error.detail, moment, to)
            return
        except _FAULTS as error:
            self._fail(watch, f"{type(error).__name__}: {error}", moment, to)
            return
        if group is None:
            return
        if watch.level:
            self._evaluate(watch, group, occurrence, moment, to)
        else:
            _touch(touched, watch, group, occurrence.time)

    def _fail(self, watch: Watch, detail: str, moment: Moment, to: Effects) -> None:
        for rule in watch.rules:
            self._alerts.fail(rule.id, detail, moment, to)

    def _evaluate(self, watch: Watch, group: str, occurrence: Occurrence, moment: Moment, to: Effects) -> None:
        memo: dict[Any, Any] = {}
        for rule in watch.rules:
            row = watch.with_features(rule, group, occurrence, memo)
            self._alerts.consider(rule, occurrence.subject, row, moment, to)

    def prune(self, now_ms: int) -> None:
        """Once a day: forget what is settled."""
        self._watches.prune(now_ms)


def _touch(touched: dict[tuple[int, str], tuple[Watch, int]], watch: Watch, group: str, time: int) -> None:
    at = id(watch), group
    if at not in touched or time < touched[at][1]:
        touched[at] = watch, time
