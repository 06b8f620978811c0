"""How each rule does, from the engine's tables and what its process last said."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ledger.engine.days import DAY_MS
from ledger.engine.rules import RuleSet
from ledger.model import UnixMs
from ledger.ports import EngineReader, LogReader
from ledger.rulebench.outcome import REJECTED

SPAN_DAYS = 30
LEAST_CLOSED = 5
"""engine.md: a share of false positives is shown from so many closed alerts on."""


@dataclass(frozen=True, slots=True)
class RuleState:
    """One rule, or what stands beside the rules (`engine.limits.RESERVED`)."""

    rule: str
    title: dict[str, str]
    version: int
    status: str
    """live or shadow; "" for what is no rule, or no rule any more."""
    state: str
    error: str
    last_index: int
    evaluations: int
    alerts: int
    alerts_per_day: float
    """On the mean of the last SPAN_DAYS days; of a rule in shadow nothing is raised."""
    closed: int
    false_positives: float | None
    """Share of closed alerts that were none (false_positive, no_violation, data_error); None below LEAST_CLOSED."""
    us_per_evaluation: float | None
    budget: int | None


@dataclass(frozen=True, slots=True)
class EngineState:
    """The engine as a whole."""

    cursor: int
    lag: int
    ruleset: str
    as_of_ms: int | None
    """When the engine's process last said how it does; None when it does not run."""
    rules: list[RuleState]

    @property
    def well(self) -> bool:
        """Whether nothing is in error."""
        return all(rule.state == "ok" for rule in self.rules)


def health(log: LogReader, engine: EngineReader, rules: RuleSet, said: Mapping[str, Any], now: UnixMs) -> EngineState:
    """Everything that is known; `said` is what the engine's process wrote, `rules` are those in force."""
    rows = {row.rule: row for row in engine.health()}
    raised = engine.rule_alerts(UnixMs(now - SPAN_DAYS * DAY_MS))
    outcomes = engine.rule_outcomes()
    costs = said.get("costs_us", {})
    by_id = {rule.id: rule for rule in rules.rules}
    states = []
    for name in sorted(rows.keys() | by_id.keys()):
        row, rule = rows.get(name), by_id.get(name)
        closed = outcomes.get(name, {})
        total = sum(closed.values()) - closed.get("duplicate", 0)
        wrong = sum(closed.get(outcome, 0) for outcome in REJECTED)
        states.append(
            RuleState(
                rule=name,
                title=rule.title if rule else {"zh": "", "en": ""},
                version=rule.version if rule else row.version if row else 0,
                status=rule.status if rule else "",
                state=row.state if row else "ok",
                error=row.error if row else "",
                last_index=int(row.last_index) if row else -1,
                evaluations=row.evaluations if row else 0,
                alerts=row.alerts if row else 0,
                alerts_per_day=round(raised.get(name, 0) / SPAN_DAYS, 2),
                closed=total,
                false_positives=round(wrong / total, 3) if total >= LEAST_CLOSED else None,
                us_per_evaluation=costs.get(name),
                budget=rule.max_per_day if rule else None,
            )
        )
    cursor = int(engine.cursor())
    return EngineState(
        cursor=cursor,
        lag=max(int(log.size()) - cursor, 0),
        ruleset=str(said.get("ruleset", "") or rules.digest),
        as_of_ms=said.get("as_of_ms"),
        rules=states,
    )
