"""The closed schema of engine.md's list of traps: what a condition is checked against at load is what it gets at run time."""

import pytest

from ledger.catalogue import Catalogue
from ledger.engine.alerts import Effects
from ledger.engine.expressions import INT64_MAX, MAX_LIST
from ledger.engine.fold import Fold
from ledger.engine.inputs import unix_ms
from ledger.engine.registry import SUBJECTS
from ledger.engine.rules import Condition, load_rules
from ledger.engine.rulescript import read_script
from ledger.engine.ruletests import CLOCK, alert_of
from ledger.engine.state import FoldState
from ledger.errors import RuleError
from ledger.evaluate import shipped_rules
from tests.engine.helpers import IDENTITY

RULES = shipped_rules()
CATALOGUE = Catalogue.load()
TYPES = {"int": int, "str": str, "bool": bool, "list": list}


def rows_of_all_rules_tests():
    """(subject, row) of every row that the tests of all shipped rules make, as topics give them."""
    seen = []
    for rule in RULES.rules:
        for located in rule.tests:
            test = located.value
            script = read_script(test["events"].items(), unix_ms(test["clock"].value if "clock" in test else CLOCK))
            fold = Fold(FoldState(), RULES, CATALOGUE, IDENTITY)
            by_id = {entry.record_id: entry for entry in script if entry is not None}
            for entry in filter(None, script):
                fold.explain(
                    fold.with_before(entry, by_id.get),
                    Effects(),
                    lambda of, subject, row, _: seen.append((subject, row)) if of is None else None,
                )
                if entry.kind == "alert":
                    fold.witness(alert_of(entry), Effects())
    return seen


ROWS = rows_of_all_rules_tests()


def test_rows__every_subject__was_seen():
    assert {subject for subject, _ in ROWS} == set(SUBJECTS)


@pytest.mark.parametrize("name", sorted(SUBJECTS))
def test_rows__of_each_subject__have_its_fields_all_of_them_of_their_types_and_no_null(name):
    fields = SUBJECTS[name].fields
    for subject, row in ROWS:
        if subject != name:
            continue
        assert set(row) == set(fields), set(row) ^ set(fields)
        for field, kind in fields.items():
            value = row[field]
            assert type(value) is TYPES[kind], (field, value)
            if kind == "int":
                assert -INT64_MAX - 1 <= value <= INT64_MAX
            if kind == "list":
                assert len(value) <= MAX_LIST and all(type(item) is str for item in value)


@pytest.mark.parametrize("name", sorted(SUBJECTS))
def test_subject__fields__are_ascii_names_of_the_four_types(name):
    for field, kind in SUBJECTS[name].fields.items():
        assert field.isascii() and field.isidentifier() and kind in TYPES


def test_subjects__times__are_computed_beforehand_in_the_sites_own_zone():
    """CEL knows no zones: hour and working day are fields, and a condition cannot call for a time."""
    fields = {field for subject in SUBJECTS.values() for field in subject.fields}
    assert {"minute", "is_workday", "clock", "closed_day"} <= fields
    for call in ("timestamp(clock)", "clock.getHours()", "duration('1h')", "clock.getDayOfWeek('Asia/Shanghai')"):
        with pytest.raises(RuleError, match="may not call|not a CEL"):
            Condition(f"{call} == 1", {"clock": "str"})


RULE = """\
schema: rule/1
id: T01
version: 1
status: live
title: {{zh: 测试, en: Test}}
severity: high
legal_basis: [none]
on: [movement]
group_by: [holder]
features:
  {feature}: {{agg: count, window: 1d}}
bands:
  - {{when: 'amount > 0', reason: {{zh: 是, en: 'yes'}}}}
parameters:
  {parameter}: {{value: 5, from: 2020-01-01, basis: test}}
episode: {{fingerprint: [holder], quiet: 1h}}
tests: []
"""


@pytest.mark.parametrize(
    ("feature", "parameter", "right"),
    [("n", "limit", True), ("数", "limit", False), ("n", "límit", False), ("n-1", "limit", False), ("n", "1st", False),
     ("ｎ", "limit", False)],
)  # fmt: skip
def test_rule_file__names_that_conditions_see__are_ascii_identifiers(feature, parameter, right):
    text = RULE.format(feature=feature, parameter=parameter)
    if right:
        load_rules({"T01.yml": text}, {})
        return
    with pytest.raises(RuleError, match=r"^T01\.yml:1[15]: "):
        load_rules({"T01.yml": text}, {})
