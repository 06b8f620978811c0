"""Conditions as trees: every part with CEL's own value, whatever decided already."""

import itertools

import pytest

from ledger.engine.conditiontree import failing, parse, valued
from ledger.engine.expressions import Bindings, Condition
from ledger.engine.subjects import sample_rows
from ledger.engine.registry import SUBJECTS
from tests.engine.helpers import RULES


def shape(part):
    return part.source if not part.parts else (part.operator, *map(shape, part.parts))


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("a", "a"),
        ("(a)", "a"),
        ("!a", ("!", "a")),
        ("a && !b || c", ("||", ("&&", "a", ("!", "b")), "c")),
        ("a && (b || c)", ("&&", "a", ("||", "b", "c"))),
        ("(a || b) && (c || d)", ("&&", ("||", "a", "b"), ("||", "c", "d"))),
        ("x > 3", (">", "x", "3")),
        ("2 * x >= y - 1", (">=", "2 * x", "y - 1")),
        ("s == \"a && b\"", ("==", "s", "\"a && b\"")),
        ("s != 'it\\'s (' && a", ("&&", ("!=", "s", "'it\\'s ('"), "a")),
        ('"k" in list', ("in", '"k"', "list")),
        ("kind_in > 1 && inside", ("&&", (">", "kind_in", "1"), "inside")),
        ("a ? x < 1 : y < 2", ("?:", "a", ("<", "x", "1"), ("<", "y", "2"))),
        ("x > (a ? 1 : 2) && b", ("&&", (">", "x", ("?:", "a", "1", "2")), "b")),
        ("list.exists(e, e == 's' || e == 't')", "list.exists(e, e == 's' || e == 't')"),
        ("!(a && b)", ("!", ("&&", "a", "b"))),
        ("!list.exists(e, e == 's')", ("!", "list.exists(e, e == 's')")),
        ("size(list) > 2", (">", "size(list)", "2")),
        ("a == b == c", ("==", ("==", "a", "b"), "c")),
    ],
)
def test_parse__each_form__as_cel_reads_it(source, expected):
    assert shape(parse(source)) == expected


def test_valued__what_decided_already__does_not_hide_the_rest():
    tree = valued(parse("a && x > 3 && s == 'k'"), {"a": False, "x": 7, "s": "m"}, {})
    assert [(p.source, p.value) for p in tree.parts] == [("a", False), ("x > 3", True), ("s == 'k'", False)]
    assert [p.value for p in tree.parts[1].parts] == [7, 3] and tree.parts[1].parts[1].is_literal
    assert [p.source for p in failing(tree)] == ["a", "s == 'k'"]


def test_valued__a_part_that_raises__says_so_and_the_others_have_their_values():
    tree = valued(parse("a || 1 / x > 2"), {"a": True, "x": 0}, {})
    assert tree.value is True and "zero" in tree.parts[1].error.lower() and tree.parts[0].value is True


def test_failing__of_alternatives__all():
    tree = valued(parse("(a || b) && c"), {"a": False, "b": False, "c": True}, {})
    assert [p.source for p in failing(tree)] == ["a", "b"]


def conditions():
    for rule in RULES.rules:
        for condition in [*(band.when for band in rule.bands), *([rule.scope] if rule.scope else [])]:
            yield pytest.param(rule, condition, id=f"{rule.id}: {condition.source[:40]}")


@pytest.mark.parametrize(("rule", "condition"), list(conditions()))
def test_every_shipped_condition__made_again_of_its_parts__has_cels_value(rule, condition):
    fields = dict.fromkeys(condition.names, "int")
    for subject in rule.on:
        fields |= {name: kind for name, kind in SUBJECTS[subject].fields.items()}
    fields |= {name: feature.kind for name, feature in rule.features.items()}
    fields |= {f"{name}_ready": "bool" for name in rule.features}
    bindings = Bindings()
    for row in itertools.islice(sample_rows(fields), 16):
        bindings.bind(row, {})
        tree = valued(parse(condition.source), row, {})
        try:
            expected = condition.holds(bindings)
        except Exception:
            continue
        assert tree.value is expected and combined(tree) is expected


def combined(tree):
    """The tree's value from the values of its parts."""
    if tree.operator == "||":
        return any(combined(part) for part in tree.parts)
    if tree.operator == "&&":
        return all(combined(part) for part in tree.parts)
    if tree.operator == "!":
        return not combined(tree.parts[0])
    if tree.operator == "?:":
        return combined(tree.parts[1] if combined(tree.parts[0]) else tree.parts[2])
    return tree.value


def test_condition__is_what_rules_hold():
    assert Condition("x > 1", {"x": "int"}).names == ("x",)
