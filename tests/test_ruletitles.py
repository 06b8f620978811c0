"""Titles of rules, read without the engine."""

import re
import subprocess
import sys

import yaml

from ledger.ruletitles import rule_numbers, rule_titles, title_of
from ledger.rulesets import shipped_rules, shipped_sources


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


def test_rule_numbers__parameters_that_are_times_and_amounts_in_reasons__are_known_as_such():
    numbers = rule_numbers()
    assert numbers["D05"] == {"late": "span", "late_much": "span", "ahead": "span"} | {
        name: form for name, form in numbers["D05"].items() if name not in ("late", "late_much", "ahead")
    }
    assert numbers["B08"]["mean"] == numbers["B08"]["month"] == "amount" and "least" not in numbers["B08"]
    assert (
        numbers["B08"]["limit"] == "milli"
        and numbers["B09"]["twofold"] == "percent"
        and numbers["C04"]["match_floor"] == "permille"
    )
    assert numbers["A05"]["floor_other"] == "amount" and numbers["A02"]["assumed_mg"] == "kg"
    for rule in shipped_rules().rules:
        text = next(text for name, text in shipped_sources().items() if name.startswith(rule.id + "-"))
        for name, given in (yaml.safe_load(text).get("parameters") or {}).items():
            timed = re.fullmatch(r"[0-9]+[smhd]", str(given.get("value", ""))) or given.get("as") in ("days", "hours")
            assert (numbers[rule.id].get(name) == "span") == bool(timed), (rule.id, name)
