"""Rule files are strict: each defect is refused with its file and line."""

import re
from textwrap import dedent

import pytest

from ledger.engine import rules as rules_module
from ledger.engine.inputs import unix_ms
from ledger.engine.parameters import read_legal_params
from ledger.engine.rules import load_rules, parse_rule
from ledger.engine.ruletests import run_tests
from ledger.errors import RuleError

LEGAL = {"law.days": [("5", "2011-12-01")], "law.text": [("immediate", "2011-12-01")]}
GOOD = """\
schema: rule/1
id: T01
version: 1
status: live
title: {zh: 测试, en: Test}
severity: high
legal_basis: [none]
on: [balance]
scope: 'dimension == "mass"'
bands:
  - {when: 'balance > limit', reason: {zh: '{balance|kg}', en: '{balance|kg}'}}
parameters:
  limit: {value: 5, from: 2020-01-01, basis: test}
episode: {fingerprint: [holder, key], quiet: 1h}
tests: []
"""


def rule(text):
    return parse_rule(text, "T01.yml", LEGAL)


@pytest.mark.parametrize(
    ("more", "wrong"),
    [
        ("x: " + "[" * 100_000, "levels deep"),
        ("x: " + '{"a":' * 100_000, "levels deep"),
        ("- " * 100_000, "levels deep"),
        ("x: &all [1]", "anchors"),
        ("x: [*all]", "anchors"),
        ("x: !!python/object:os.system true", "tags"),
    ],
)
def test_rule__yaml_that_is_a_trap__is_refused_before_it_is_composed(more, wrong):
    with pytest.raises(RuleError, match=rf"^T01\.yml:\d+: .*{wrong}"):
        rule(more)


@pytest.mark.parametrize(
    ("old", "new"), [("version: 1", f"version: {'9' * 5000}"), ("quiet: 1h", f"quiet: {'9' * 5000}h")]
)
def test_rule__number_of_five_thousand_digits__is_none(old, new):
    with pytest.raises(RuleError, match=r"^T01\.yml:\d+: .*expected here"):
        rule(GOOD.replace(old, new))


def test_rule__as_the_module_describes_one__is_loaded():
    described = dedent(re.search(r"\n\n(    schema: rule/1\n.*?)\n\n", rules_module.__doc__, re.S)[1])
    keys = set(re.findall(r"^([a-z_]+):", described, re.M))
    assert keys == {*rules_module._REQUIRED.split(), *rules_module._OPTIONAL.split()} - {"for"}
    loaded = parse_rule(described, "X01.yml", {"cn591.filing.days": [("5", "2011-12-01")]})
    assert (loaded.status, len(loaded.bands), set(loaded.features)) == ("live", 2, {"out_24h"})


def test_rule__good__is_loaded():
    loaded = rule(GOOD)
    assert (loaded.id, loaded.version, loaded.on, loaded.quiet_ms) == ("T01", 1, ("balance",), 3_600_000)
    assert loaded.inputs == ("balance", "dimension", "holder", "key", "limit")


@pytest.mark.parametrize(
    ("old", "new", "line", "said"),
    [
        ("severity: high", "severity: high\nseverty: low", 7, "unknown key 'severty'"),
        ("severity: high", "severity: high\nseverity: low", 7, "stands twice"),
        ("severity: high", "severity: urgent", 6, "none of"),
        ("version: 1", "version: 1.5", 3, "integer"),
        ("version: 1", "version: yes", 3, "integer"),
        ("version: 1\n", "", 1, "'version' is missing"),
        ("schema: rule/1", "schema: rule/2", 1, "none of"),
        ("id: T01", "id: t01", 2, "upper-case"),
        ("on: [balance]", "on: [balances]", 8, "unknown subject"),
        ("dimension ==", "dimenson ==", 9, "unknown name dimenson"),
        ('dimension == "mass"', "dimension == 1", 9, "str is compared with int"),
        ('dimension == "mass"', "balance + 1", 9, "not true or false"),
        ("balance > limit'", "balance > lmit'", 11, "unknown name lmit"),
        ("balance > limit'", 'balance > "x"\'', 11, "int is compared with str"),
        ("balance > limit'", 'sealed || balance > "x"\'', 11, "int is compared with str"),
        ("balance > limit'", 'code == "7697-37-2" && balance > "x"\'', 11, "int is compared with str"),
        ("balance > limit'", "code in [1, 2]'", 11, "str is looked for among int"),
        ("balance > limit'", 'size(code) == "x"\'', 11, "int is compared with str"),
        ("balance > limit'", "sealed ? true : balance > code'", 11, "int is compared with str"),
        ("balance > limit'", "code == null && balance > limit'", 11, "str is compared with NoneType"),
        ("balance > limit'", "sealed || balance + size(code + 1) > limit'", 11, "sums are of integers"),
        ("en: '{balance|kg}'", "en: '{balanse|kg}'", 11, "unknown name balanse"),
        ("en: '{balance|kg}'", "en: '{balance|stone}'", 11, "unknown format"),
        ("en: '{balance|kg}'", "en: '{code|kg}'", 11, "no number"),
        ("en: '{balance|kg}'", "en: '{balance'", 11, "brace"),
        ("quiet: 1h", "quiet: 1 hour", 14, "duration"),
        ("[holder, key]", "[holder, balance]", 14, "no text field"),
        (
            "limit: {value: 5, from: 2020-01-01, basis: test}",
            "limit: {value: 5, from: 2020-13-01, basis: t}",
            13,
            "date",
        ),
        ("limit: {value: 5, from: 2020-01-01, basis: test}", "limit: {value: 5, from: 2020-01-01}", 13, "basis"),
        ("limit: {value: 5, from: 2020-01-01, basis: test}", "limit: {legal: law.none, as: days}", 13, "no legal"),
        ("limit: {value: 5, from: 2020-01-01, basis: test}", "limit: {legal: law.text, as: days}", 13, "no integer"),
        ("limit: {value: 5", "balance: {value: 5", 13, "field of the rows"),
        ("tests: []", "tests: &anchor []", 15, "anchor"),
        ("tests: []", "sla: {ack: 1h}\ntests: []", 15, "'handle' is missing"),
        ("tests: []", "sla: {ack: 2h, handle: 1h}\ntests: []", 15, "before it is handled"),
        ("tests: []", "sla: {ack: 0s, handle: 1h}\ntests: []", 15, "neither at once"),
        ("tests: []", "sla: {ack: 1h, handle: soon}\ntests: []", 15, "duration"),
        ("tests: []", "order_template: rect flow\ntests: []", 15, "upper-case"),
        ("tests: []", "tests: []\n  x", 16, "T01"),
    ],
)
def test_rule__defect__is_refused_with_its_line(old, new, line, said):
    assert old in GOOD
    with pytest.raises(RuleError, match=said) as raised:
        rule(GOOD.replace(old, new, 1))
    if said != "T01":
        assert raised.value.detail.startswith(f"T01.yml:{line}: ")


def test_rule__sla_and_order_template__are_optional_and_typed():
    loaded = rule(GOOD)
    assert (loaded.sla.ack_ms, loaded.sla.handle_ms, loaded.order_template) == (None, None, "")
    loaded = rule(GOOD.replace("tests: []", "sla: {ack: 30m, handle: 24h}\norder_template: RECT-FLOW\ntests: []"))
    assert (loaded.sla.ack_ms, loaded.sla.handle_ms) == (1_800_000, 86_400_000)
    assert loaded.order_template == "RECT-FLOW"


def test_rule__legal_parameter__has_its_date_and_unit():
    loaded = rule(GOOD.replace("{value: 5, from: 2020-01-01, basis: test}", "{legal: law.days, as: days}"))
    assert loaded.parameters_at(0) == {"limit": 5 * 86_400_000}


def test_rule__legal_parameter_that_changed__the_row_in_force_counts():
    text = GOOD.replace("{value: 5, from: 2020-01-01, basis: test}", "{legal: law.days, as: integer}")
    table = read_legal_params("param_id,value,effective_from\nlaw.days,3,2026-05-01\nlaw.days,5,2011-12-01\n")
    loaded = parse_rule(text, "T01.yml", table)
    may = unix_ms("2026-05-01T00:00:00+08:00")
    assert [loaded.parameters_at(at) for at in (may - 1, may)] == [{"limit": 5}, {"limit": 3}]
    with pytest.raises(RuleError, match="same day"):
        parse_rule(text, "T01.yml", {"law.days": [("5", "2011-12-01"), ("6", "2011-12-01")]})


def test_rule__parameter_versions__the_one_in_force_counts_from_the_countys_midnight():
    versions = "[{value: 5, from: 2020-01-01, basis: a}, {value: 7, from: 2026-01-01, basis: b}]"
    loaded = rule(GOOD.replace("{value: 5, from: 2020-01-01, basis: test}", versions))
    new_year = unix_ms("2026-01-01T00:00:00+08:00")
    assert loaded.parameters_at(0) == {"limit": 5}
    assert loaded.parameters_at(new_year - 1) == {"limit": 5}
    assert loaded.parameters_at(new_year) == {"limit": 7}


def test_ruleset__digest__changes_with_text_and_with_legal_numbers():
    text = GOOD.replace("{value: 5, from: 2020-01-01, basis: test}", "{legal: law.days, as: days}")
    one = load_rules({"a.yml": text}, LEGAL).digest
    assert load_rules({"b.yml": text}, LEGAL).digest == one
    assert load_rules({"a.yml": text + "# more\n"}, LEGAL).digest != one
    assert load_rules({"a.yml": text}, {"law.days": [("6", "2011-12-01")]}).digest != one


def test_ruleset__two_files_with_one_id__are_refused():
    with pytest.raises(RuleError, match="two files"):
        load_rules({"a.yml": GOOD, "b.yml": GOOD}, LEGAL)


def test_ruleset__draft_and_retired__are_checked_and_left_out():
    assert load_rules({"a.yml": GOOD.replace("status: live", "status: draft")}, LEGAL).rules == ()
    with pytest.raises(RuleError):
        load_rules({"a.yml": GOOD.replace("status: live", "status: draft").replace("limit'", "limt'")}, LEGAL)


def test_run_tests__a_rule_without_the_four_sorts__fails():
    outcomes = run_tests([rule(GOOD)], lambda *_: frozenset())
    assert [o.detail for o in outcomes] == ["there is none"] * 4


@pytest.mark.parametrize(
    ("expect", "passes"),
    [("[{at: 0m, band: 0}]", True), ("[]", False), ("[{at: 1m, band: 0}]", False), ("[{at: 0m, band: 1}]", False)],
)
def test_run_tests__expectation__is_compared(expect, passes):
    test = "tests:\n  - {name: n, about: fires, events: [{at: 0m, stocktake: [{code: x, kg: 1, store: R}]}], expect: "
    outcomes = run_tests([rule(GOOD.replace("tests: []", test + expect + "}"))], lambda *_: frozenset())
    assert (outcomes[0].detail == "") is passes


def test_legal_params__rows_of_one_id__are_its_versions():
    table = read_legal_params("param_id,value,effective_from\nx,5,2011-12-01\ny,no,-\nx,6,2026-05-01\n")
    assert table == {"x": [("5", "2011-12-01"), ("6", "2026-05-01")], "y": [("no", "-")]}
