"""Small rules for tests, as text: only what a test is about has to be written."""

from ledger.engine.rules import RuleSet, load_rules

_RULE = """\
schema: rule/1
id: {id}
version: 1
status: {status}
title: {{zh: 测试, en: Test}}
severity: {severity}
legal_basis: [none]
on: [{on}]
{more}
bands:
{bands}
episode: {{fingerprint: [{fingerprint}], quiet: {quiet}}}
tests: []
"""


def rule_text(
    id="T01",
    *,
    on="movement",
    bands=("true",),
    fingerprint="holder, site, book",
    quiet="1h",
    more="",
    severity="high",
    status="live",
) -> str:
    """The text of one rule; `bands` are conditions, or (condition, further keys) such as ("n > 2", "severity: low")."""
    lines = []
    for band in bands:
        when, keys = (band, "") if isinstance(band, str) else band
        lines.append(f"  - {{when: '{when}', reason: {{zh: 有, en: some}}{', ' + keys if keys else ''}}}")
    return _RULE.format(
        id=id,
        status=status,
        severity=severity,
        on=on,
        more=more,
        bands="\n".join(lines),
        fingerprint=fingerprint,
        quiet=quiet,
    )


def rules_of(*texts: str, **more: str) -> RuleSet:
    """The set of these rules; `more` are files by name, dots written as two underscores."""
    return load_rules(
        {f"{at}.yml": text for at, text in enumerate(texts)} | {name.replace("__", "."): t for name, t in more.items()},
        {},
    )
