"""The shipped pack as a whole: nothing is missing, every key counts, and the four kinds of tests are what they say."""

import json
import re
from pathlib import Path

import pytest

from ledger.catalogue import Catalogue
from ledger.core.life import SEVERITIES
from ledger.engine import ruletests
from ledger.engine.registry import SUBJECTS
from ledger.engine.rulelint import lint_rule
from ledger.engine.rules import parse_rule
from ledger.engine.ruletests import ABOUT, check_test, run_tests
from ledger.engine.yamlfile import load_yaml
from ledger.errors import RuleError
from ledger.evaluate import shipped_rules
from ledger.guidance import forms
from ledger.rulesets import shipped_legal, shipped_sources

SOURCES = {name: text for name, text in shipped_sources().items() if name != "exceptions.yml"}
LEGAL = shipped_legal()
RULES = {rule.id: rule for rule in shipped_rules().rules}
FILES = {load_yaml(text, name).value["id"].value: name for name, text in SOURCES.items()}
CATALOGUE = Catalogue.load()
PACK = set(
    "A01 A02 A03 A04 A05 A06 A07 A08 A09 A10 A11 B01 B02 B03 B04 B06 B08 B09 B10 B11 B12 B13 B14 B15 B16 B17 "
    "C01 C02 C03 C04 C05 C06 C07 C08 D01 D02 D03 D04 D05 D06 D07 D08 D09 E01 E02 E04 E07 E08 F01 F02 F03 F04 "
    "G01 G02 G03 G04 G05 H01 H02 H03 H05".split()
)
"""Issue 3, point 3, rule by rule. B05, B07, E05, E06, H04 need sensors or positions; E03 is for the EU."""
LATER = set("B05 B07 E05 E06 H04 E03".split())
CJK = re.compile(r"[\u4e00-\u9fff]")


def test_pack__every_rule_that_the_issue_names__is_there_and_no_other():
    assert set(RULES) == set(FILES) == PACK
    named = {
        row["id"] for row in json.loads((Path(__file__).parent / "data" / "rule_catalogue.json").read_text("utf-8"))
    }
    assert named == PACK | LATER


def test_pack__c07_and_d09__are_in_shadow_and_all_others_live():
    assert {rule.id for rule in RULES.values() if rule.status == "shadow"} == {"C07", "D09"}
    assert {rule.status for rule in RULES.values()} == {"live", "shadow"}


@pytest.mark.parametrize("rule", RULES.values(), ids=lambda rule: rule.id)
def test_rule__speaks_both_languages_names_its_law_and_its_order_form(rule):
    document = load_yaml(SOURCES[FILES[rule.id]], FILES[rule.id]).value
    for located in (document["title"], *(band.value["reason"] for band in document["bands"].items())):
        said = located.plain()
        assert set(said) == {"zh", "en"}
        assert CJK.search(said["zh"]), said
        assert not CJK.search(said["en"]) and len(said["en"]) >= 7, said
    assert rule.legal_basis and all(rule.legal_basis)
    assert rule.order_template in forms()
    assert rule.severity in SEVERITIES


@pytest.mark.parametrize("rule", RULES.values(), ids=lambda rule: rule.id)
def test_rule__each_number_of_its_own__has_a_date_from_which_it_holds_and_a_ground(rule):
    document = load_yaml(SOURCES[FILES[rule.id]], FILES[rule.id])
    for name, item in document.value.get("parameters", load_yaml("{}", "")).value.items():
        for version in item.value if isinstance(item.value, list) else [item]:
            keys = set(version.value)
            assert keys == {"value", "from", "basis"} or keys == {"legal", "as"}, (rule.id, name)
    assert all(versions for versions in (parameter.versions for parameter in rule.parameters.values()))


# --- its tests --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("rule", RULES.values(), ids=lambda rule: rule.id)
def test_rule__has_tests_that_fire_that_do_not_at_the_boundary_and_across_a_restart(rule):
    by_kind = {about: [] for about in ABOUT}
    for test in rule.tests:
        by_kind[check_test(test)].append(test)
    assert all(by_kind.values()), {about for about, tests in by_kind.items() if not tests}
    assert all(test.value["expect"].items() for test in by_kind["fires"])
    assert all(not [e for e in test.value["expect"].items() if "rule" not in e.value] for test in by_kind["silent"])
    for test in by_kind["restart"]:
        assert len(test.value["events"].items()) >= 2, "nothing to split"


@pytest.mark.parametrize("rule", RULES.values(), ids=lambda rule: rule.id)
def test_rule__each_of_its_bands__is_expected_by_a_test_of_its_file(rule):
    """That what a test expects comes is `test_shipped_rules`; a band that none expects could say anything, or never hold."""
    expected = [item for test in rule.tests for item in test.plain()["expect"]]
    reached = {item["band"] for item in expected if item.get("rule", rule.id) == rule.id and "band" in item}
    assert reached == set(range(len(rule.bands)))


@pytest.mark.parametrize("about", ABOUT)
def test_run_tests__a_rule_without_one_kind_of_test__fails(about):
    text = SOURCES[FILES["A01"]]
    document = load_yaml(text, "A01.yml")
    left = [test for test in document.value["tests"].value if test.value["about"].value != about]
    document.value["tests"] = type(document)(left, "A01.yml", document.value["tests"].line)
    rule = ruletests.replace(RULES["A01"], tests=tuple(left))
    outcomes = [outcome for outcome in run_tests([rule], CATALOGUE) if outcome.detail]
    assert [(outcome.about, outcome.detail) for outcome in outcomes] == [(about, "there is none")]


def _splits(monkeypatch, rule):
    """(events of the test, where it was restarted) of each run of each test."""
    seen = []
    real = ruletests._fold

    def fold(rule, script, classifier, restart_at):
        seen.append((id(script), len(script), restart_at))
        return real(rule, script, classifier, restart_at)

    monkeypatch.setattr(ruletests, "_fold", fold)
    assert not [outcome for outcome in run_tests([rule], CATALOGUE) if outcome.detail]
    return seen


@pytest.mark.parametrize("rule_id", ["A01", "B02", "B10", "F02", "G03"])
def test_run_tests__every_test__is_split_at_every_point(monkeypatch, rule_id):
    seen = _splits(monkeypatch, RULES[rule_id])
    uninterrupted = [at for at, (_, _, restart) in enumerate(seen) if restart is None]
    assert len(uninterrupted) == len(RULES[rule_id].tests)
    for start, end in zip(uninterrupted, [*uninterrupted[1:], len(seen)], strict=True):
        length = seen[start][1]
        assert [restart for _, _, restart in seen[start + 1 : end]] == list(range(1, length))


def test_run_tests__something_that_a_snapshot_loses__is_found_at_its_split_point(monkeypatch):
    """The restart is a real one: what is not in the snapshot is gone."""
    real = ruletests.decode_state

    def forgetful(data):
        state = real(data)
        state.timers.clear()
        return state

    monkeypatch.setattr(ruletests, "decode_state", forgetful)
    details = {outcome.detail for outcome in run_tests([RULES["B02"]], CATALOGUE) if outcome.detail}
    assert any(re.fullmatch(r"a restart after event \d+ changes the alerts", detail) for detail in details), details


# --- every key counts -------------------------------------------------------------------------------------------------

FREE = {"parameters", "features", "match", "persons", "facts", "more", "body", "inputs", "attributes"}
"""What stands below these is named by who writes it, or is a record of formats.md with a schema of its own."""


def _mappings(located, path=()):
    """(path, mapping) of every mapping whose keys the form of a rule file fixes."""
    if isinstance(located.value, dict):
        if not path or path[-1] not in FREE:
            yield path, located
        if path and path[-1] in FREE - {"parameters", "features"}:
            return
        for name, item in located.value.items():
            yield from _mappings(item, (*path, name))
    elif isinstance(located.value, list):
        for item in located.value:
            yield from _mappings(item, (*path, "-"))


def _found(document, text, file):
    """What reading and looking at the tests of an altered document says first."""
    from ledger.engine.rules import read_rule

    try:
        rule = read_rule(document, text, LEGAL)
        for test in rule.tests:
            check_test(test)
    except RuleError as error:
        return error.detail
    return ""


LEVELS = set()


@pytest.mark.parametrize("name", sorted(SOURCES), ids=lambda name: name[:3])
def test_rule_file__an_unknown_key_at_any_level__is_refused_with_its_line(name):
    text = SOURCES[name]
    document = load_yaml(text, name)
    seen = set()
    for path, mapping in list(_mappings(document)):
        if path in seen:
            continue  # one of each kind of place is enough
        seen.add(path)
        mapping.value["typo_of_a_key"] = type(mapping)("x", name, 4711)
        said = _found(document, text, name)
        del mapping.value["typo_of_a_key"]
        a_record = re.match(rf"{re.escape(name)}:\d+: this \w+ is not of its schema: ", said)
        assert a_record or said.startswith(f"{name}:4711: unknown key 'typo_of_a_key'"), (path, said)
    LEVELS.update(seen)
    assert _found(document, text, name) == ""


@pytest.mark.parametrize("name", sorted(SOURCES), ids=lambda name: name[:3])
def test_rule_file__any_key_misspelt__is_refused_with_a_line_of_the_file(name):
    """What was optional is then unknown, what was needed is missing or unknown; nothing is passed over."""
    text = SOURCES[name]
    document = load_yaml(text, name)
    seen = set()
    for path, mapping in list(_mappings(document)):
        for key in list(mapping.value):
            if (*path, key) in seen:
                continue
            seen.add((*path, key))
            kept = dict(mapping.value)
            mapping.value.clear()
            mapping.value.update({f"{k}_" if k == key else k: item for k, item in kept.items()})
            said = _found(document, text, name)
            mapping.value.clear()
            mapping.value.update(kept)
            assert re.match(rf"{re.escape(name)}:\d+: ", said), (path, key, said)


def test_rule_file__levels_tried_above__are_all_that_there_are():
    if len(LEVELS) == 0:
        pytest.skip("only this test was run")
    tops = {path[0] for path in LEVELS if path}
    assert {"title", "bands", "episode", "budget", "sla", "parameters", "features", "inhibited_by", "tests"} <= tops


def test_lint__each_shipped_file__has_nothing_to_say():
    for name, text in SOURCES.items():
        rule, problems = lint_rule(text, name, LEGAL)
        assert (rule is not None, problems) == (True, [])


# --- classes and what they are made of ----------------------------------------------------------------------------------


def test_pack__every_subject__has_a_rule_that_listens_to_it():
    heard = {name for rule in RULES.values() for name in rule.on}
    assert heard == set(SUBJECTS)


def test_pack__night_alone_and_round_numbers_and_the_greatest_month_alone__decide_nothing():
    """engine.md, Statistics: not to be used. A condition that reads one of them reads something else too."""
    for rule in RULES.values():
        assert not {feature.agg for feature in rule.features.values()} & {"benford", "round"}
        for band in rule.bands:
            names = set(band.when.names) - set(rule.parameters)
            scope = set(rule.scope.names) if rule.scope else set()
            if {"minute", "local_hour", "is_night"} & (names | scope):
                assert rule.on == ("off_hours",), f"{rule.id}: only outside of the hours that a site itself stated"
            greatest = {n for n, f in rule.features.items() if f.agg == "max_of_months"}
            if names & greatest:
                others = names - greatest - {f"{n}_ready" for n in greatest}
                assert others & rule.features.keys() - {"month"}, (rule.id, band.when.source)


def test_parse_rule__all_shipped__under_their_own_ids():
    for rule_id, name in FILES.items():
        assert name.startswith(f"{rule_id}-")
        assert parse_rule(SOURCES[name], name, LEGAL).id == rule_id
