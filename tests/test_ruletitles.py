"""Titles of rules, read without the engine."""

import subprocess
import sys

from ledger.ruletitles import rule_titles, title_of
from ledger.rulesets import shipped_rules


def test_rule_titles__every_shipped_rule__as_the_engine_reads_it():
    shipped = {rule.id: dict(rule.title) for rule in shipped_rules().rules}
    assert len(shipped) > 50
    assert {rule: dict(title) for rule, title in rule_titles().items() if rule in shipped} == shipped
    assert list(rule_titles()) == sorted(rule_titles())


def test_title_of__both_languages__and_nothing_for_a_stranger():
    assert title_of("A01", "zh") == "账面库存为负"
    assert title_of("A01", "en") == "Negative book stock"
    assert title_of("RULE-ERROR", "en") and title_of("RULE-ERROR", "zh")
    assert title_of("Z99", "en") == title_of("Z99", "zh") == ""


def test_ruletitles__imported__brings_no_engine():
    code = "import sys, ledger.ruletitles as r; r.rule_titles(); print([m for m in sys.modules if m.startswith('ledger.engine')])"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"
