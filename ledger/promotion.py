"""A rule becomes live only with passing tests, and inside its budget on the installation's own history."""

from __future__ import annotations

from collections.abc import Mapping

from ledger.engine.days import DAY_MS, date_of
from ledger.engine.goods import Classifier
from ledger.engine.rules import Rule, RuleSet
from ledger.engine.ruletests import run_tests

SPAN_MS = 30 * DAY_MS
DEFAULT_PER_DAY = 5
"""Of a rule without a budget of its own: engine.md, one person's attention."""


def promoted(old: RuleSet, new: RuleSet) -> tuple[Rule, ...]:
    """The rules that are live in the new set and were not in the old one: in shadow, a draft, or not there."""
    live = {rule.id for rule in old.rules if rule.status == "live"}
    return tuple(rule for rule in new.rules if rule.status == "live" and rule.id not in live)


def altered(old: RuleSet, new: RuleSet) -> tuple[Rule, ...]:
    """The live rules of the new set whose text is another one than in the old set, where it was live too."""
    live = {rule.id: rule.digest for rule in old.rules if rule.status == "live"}
    return tuple(rule for rule in new.rules if rule.status == "live" and live.get(rule.id, rule.digest) != rule.digest)


def objections(
    old: RuleSet, new: RuleSet, days: Mapping[str, Mapping[str, int]], now_ms: int, classifier: Classifier
) -> list[str]:
    """Why rules may not become live, or go on with another text; `days`: alerts of each rule by local day, as the new set finds them in the log."""
    since = date_of(now_ms - SPAN_MS)
    found = []
    fresh = promoted(old, new)
    for rule in (*fresh, *altered(old, new)):
        failed = [outcome for outcome in run_tests([rule], classifier) if outcome.detail]
        if failed:
            found.append(f"{rule.id}: {len(failed)} of its tests fail, first {failed[0].name!r}: {failed[0].detail}")
        if rule in fresh:
            # One that is live already has said what it had to say of those days; a bad one must not hold up its mending.
            found += over_budget(rule, {day: n for day, n in days.get(rule.id, {}).items() if day >= since})
    return found


def over_budget(rule: Rule, days: Mapping[str, int]) -> list[str]:
    """The busiest day, where it is above the rule's budget."""
    day, most = max(days.items(), key=lambda item: (item[1], item[0]), default=("", 0))
    budget = rule.max_per_day or DEFAULT_PER_DAY
    return [f"{rule.id}: {most} alerts on {day}, its budget is {budget} a day"] if most > budget else []
