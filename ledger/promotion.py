"""From shadow to live: only with passing tests, and inside the budget on the installation's own history."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta, timezone

from ledger.engine.goods import Classifier
from ledger.engine.rules import Rule, RuleSet
from ledger.engine.ruletests import run_tests

SPAN_DAYS = 30
DEFAULT_PER_DAY = 5
"""Of a rule without a budget of its own: engine.md, one person's attention."""
_LOCAL = timezone(timedelta(hours=8))


def promoted(old: RuleSet, new: RuleSet) -> tuple[Rule, ...]:
    """The rules that are live in the new set and were not in the old one: in shadow, a draft, or not there."""
    live = {rule.id for rule in old.rules if rule.status == "live"}
    return tuple(rule for rule in new.rules if rule.status == "live" and rule.id not in live)


def local_day(ms: int) -> str:
    """The county's date of a moment."""
    return datetime.fromtimestamp(ms / 1000, UTC).astimezone(_LOCAL).date().isoformat()


def objections(
    old: RuleSet, new: RuleSet, days: Mapping[str, Mapping[str, int]], now_ms: int, classifier: Classifier
) -> list[str]:
    """Why rules may not become live; `days`: alerts of each rule by local day, as the new set finds them in the log."""
    since = local_day(now_ms - SPAN_DAYS * 86_400_000)
    found = []
    for rule in promoted(old, new):
        failed = [outcome for outcome in run_tests([rule], classifier) if outcome.detail]
        if failed:
            found.append(f"{rule.id}: {len(failed)} of its tests fail, first {failed[0].name!r}: {failed[0].detail}")
        found += over_budget(rule, {day: n for day, n in days.get(rule.id, {}).items() if day >= since})
    return found


def over_budget(rule: Rule, days: Mapping[str, int]) -> list[str]:
    """The busiest day, where it is above the rule's budget."""
    day, most = max(days.items(), key=lambda item: (item[1], item[0]), default=("", 0))
    budget = rule.max_per_day or DEFAULT_PER_DAY
    return [f"{rule.id}: {most} alerts on {day}, its budget is {budget} a day"] if most > budget else []
