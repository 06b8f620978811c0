"""Rule files that are not shipped: drafts, checked and put in the place of their namesakes."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace

from ledger.catalogue.restricted import RestrictedSets
from ledger.engine.parameters import LegalParams
from ledger.engine.restraints import EXCEPTIONS
from ledger.engine.rulelint import Problem, lint_rule, problem_of
from ledger.engine.rules import Rule, RuleSet, load_rules, parse_rule
from ledger.errors import RuleError
from ledger.rulesets import present_catalogue, shipped_legal, shipped_sources

__all__ = ["Problem", "lint", "load_all", "load_running", "load_with", "overlaid", "rules_in"]

_ID = re.compile(r"^id:\s*[\"']?([A-Z0-9-]+)", re.MULTILINE)


def lint(
    drafts: Mapping[str, str],
    shipped: Mapping[str, str] | None = None,
    legal: LegalParams | None = None,
) -> list[Problem]:
    """Everything that is wrong with these files (name → text), by file and line; and with the set that they make
    together with the shipped rules whose ids they do not bear.
    """
    legal = shipped_legal() if legal is None else legal
    problems: list[Problem] = []
    seen: dict[str, str] = {}
    for file, text in sorted(drafts.items()):
        if file.endswith(EXCEPTIONS):
            continue
        rule, found = lint_rule(text, file, legal)
        problems += found
        if rule is not None and rule.id in seen:
            problems.append(Problem(file, 1, f"rule {rule.id} stands in {seen[rule.id]} too"))
        elif rule is not None:
            seen[rule.id] = file
    if not problems:
        try:
            load_rules(overlaid(drafts, shipped), legal, present_catalogue())
        except RuleError as error:
            problem = problem_of(error, next(iter(sorted(drafts)), ""))
            named = next((seen[name] for name in seen if error.detail.startswith(name)), None)
            problems.append(Problem(named, 1, error.detail) if named else problem)
    return sorted(problems)


def overlaid(drafts: Mapping[str, str], shipped: Mapping[str, str] | None = None) -> dict[str, str]:
    """The shipped files with drafts in the place of those that bear the same id."""
    ids = {found[1] for text in drafts.values() if (found := _ID.search(text))}
    kept = {
        name: text
        for name, text in (shipped_sources() if shipped is None else shipped).items()
        if name not in drafts and ((found := _ID.search(text)) is None or found[1] not in ids)
    }
    return kept | {EXCEPTIONS if name.endswith(EXCEPTIONS) else name: text for name, text in drafts.items()}


def load_with(drafts: Mapping[str, str], restricted: RestrictedSets | None = None) -> RuleSet:
    """The shipped rules with these drafts in their places. Raises RuleError."""
    return load_rules(overlaid(drafts), shipped_legal(), present_catalogue(), restricted)


def load_running(drafts: Mapping[str, str], restricted: RestrictedSets | None = None) -> RuleSet:
    """As `load_with`, with the drafts' rules as if they were live, whatever their status. Raises RuleError."""
    rules = load_with(drafts, restricted)
    everything = load_all(drafts)
    running = {rule.id: rule for rule in rules.rules}
    running |= {rule.id: replace(rule, status="live") for rule in rules_in(everything, drafts)}
    return replace(rules, rules=tuple(running[name] for name in sorted(running)))


def load_all(drafts: Mapping[str, str]) -> dict[str, Rule]:
    """Every rule of these files and of the shipped ones that they do not replace, drafts and retired ones too, by id."""
    legal = shipped_legal()
    sources = overlaid(drafts)
    load_rules(sources, legal, present_catalogue())
    return {
        rule.id: rule
        for rule in (parse_rule(text, name, legal) for name, text in sources.items() if name != EXCEPTIONS)
    }


def rules_in(rules: Mapping[str, Rule], drafts: Mapping[str, str]) -> list[Rule]:
    """Those of `rules` that stand in these files, by id."""
    ids = {found[1] for text in drafts.values() if (found := _ID.search(text))}
    return [rules[rule_id] for rule_id in sorted(ids) if rule_id in rules]
