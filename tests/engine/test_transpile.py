"""What Python says of a condition is what CEL says, or nothing: on generated conditions and rows, and on all shipped ones."""

from typing import Any

import cel
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from ledger.engine.expressions import Bindings, Condition
from ledger.engine.features import feature_names
from ledger.engine.registry import SUBJECTS
from ledger.engine.rules import Rule
from ledger.engine.transpile import DOUBTS, MAX_DEPTH, compiled, written
from ledger.errors import RuleError
from ledger.evaluate import shipped_rules

LEAST, MOST = -(2**63), 2**63 - 1
SCHEMA = {
    "a": "int", "b": "int", "word": "str", "class": "str", "tags": "list", "flag": "bool", "other": "bool",
    "limit": "int", "n_7d": "int", "n_7d_ready": "bool",
}  # fmt: skip
PARAMETERS, FEATURES = ("limit",), ("n_7d", "n_7d_ready")
RULES = shipped_rules().rules


def conditions_of(rule: Rule) -> list[Condition]:
    """All conditions of a rule."""
    wheres = [feature.where for feature in rule.features.values()]
    return [one for one in (rule.scope, *(band.when for band in rule.bands), *wheres) if one is not None]


def said_by_cel(source: str, bindings: Bindings) -> Any:
    """What CEL finds, by the bindings' own resolver; the class of error for any error."""
    try:
        return cel.compile(source).execute(bindings.context)
    except (TypeError, KeyError, RuntimeError, ValueError, ArithmeticError):
        return RuleError


def said_by_python(source: str, bindings: Bindings, schema=SCHEMA, parameters=PARAMETERS, features=FEATURES) -> Any:
    """What Python finds; None where that is CEL's to say."""
    text = written(source, schema, parameters, features)
    if text is None:
        return None
    try:
        return compiled(text)(bindings.row, bindings.parameters, bindings.features)
    except DOUBTS:
        return None


INTS = st.sampled_from([0, 1, -1, 2, 3, 7, -7, 10, 2**31, 2**62, MOST, LEAST]) | st.integers(LEAST, MOST)
TEXTS = st.sampled_from(["", "x", "y", "a && b", "危", "'"])
VALUES = {"int": INTS, "bool": st.booleans(), "str": TEXTS, "list": st.lists(TEXTS, max_size=3)}
MEMBERS = st.sampled_from(["x", "y", "", None, True, 1, 2**64, 1.5, b"x", ["x"], ("x",), {"x": 1}, frozenset("x")])
MIXED = st.lists(MEMBERS, max_size=3)
ODD = st.sampled_from([None, True, 1, 2**64, -(2**70), 1.5, "1", b"x", ["x"], ("x",), ["x"] * 300]) | MIXED
"""What no row should hold."""


def expressions(kind: str, depth: int) -> st.SearchStrategy[str]:
    """Sources of a type, now and then of another one."""
    names = [name for name, of in SCHEMA.items() if of == kind]
    leaves = st.sampled_from(names)
    if kind == "int":
        leaves |= st.sampled_from(["0", "1", "2", "7", "9223372036854775807", "007", "-9223372036854775808"])
    if kind == "bool":
        leaves |= st.sampled_from(["true", "false"])
    if kind == "str":
        leaves |= st.sampled_from(['"x"', "'y'", '""', "'a && b'", '"危"', r'"\n"', "r'x'", '"""x"""'])
    if depth == 0 or kind == "list":
        return leaves
    ints, bools, texts = (expressions(of, depth - 1) for of in ("int", "bool", "str"))
    anything = ints | bools | texts | st.sampled_from(["tags", "size(tags)", "[1, 2]", "word.startsWith('x')", "1u", "1.0"])
    forms = [leaves, st.tuples(bools, ints if kind == "int" else bools if kind == "bool" else texts).flatmap(
        lambda pair: st.builds(lambda other: f"({pair[0]} ? {pair[1]} : {other})", expressions(kind, depth - 1) | anything)
    )]  # fmt: skip
    if kind == "int":
        operators = st.sampled_from(["+", "-", "*", "/", "%"])
        forms += [
            st.builds(lambda a, o, b: f"({a} {o} {b})", ints, operators, ints),
            st.builds(lambda a, o, b: f"{a} {o} {b}", ints, operators, ints),
            st.builds(lambda a: f"-({a})", ints),
            st.builds(lambda a: f"-{a}", ints),
        ]
    if kind == "bool":
        orders = st.sampled_from(["<", "<=", ">", ">=", "==", "!="])
        joins = st.sampled_from(["&&", "||"])
        forms += [
            st.builds(lambda a, o, b: f"({a} {o} {b})", ints, orders, ints),
            st.builds(lambda a, o, b: f"{a} {o} {b}", ints | texts, orders, ints | texts),
            st.builds(lambda a, o, b: f"({a} {o} {b})", texts, orders, texts),
            st.builds(lambda a, b: f"{a} in tags && {b}", texts, bools),
            st.builds(lambda a: f"({a} in ['x', \"y\"])", texts),
            st.builds(lambda a: f"({a} in [1, 2, 7])", ints),
            st.builds(lambda a, o, b: f"{a} {o} {b}", bools, joins, bools),
            st.builds(lambda a, o, b: f"({a} {o} {b})", bools, joins, bools),
            st.builds(lambda a: f"!({a})", bools),
            st.builds(lambda a: f"!{a}", bools),
            st.builds(lambda a, o, b: f"({a} {o} {b})", anything, orders | joins, anything),
        ]
    return st.one_of(forms)


def rows(odd: bool) -> st.SearchStrategy[dict[str, Any]]:
    return st.fixed_dictionaries({name: VALUES[kind] | ODD if odd else VALUES[kind] for name, kind in SCHEMA.items()})


def bound(values: dict[str, Any]) -> Bindings:
    bindings = Bindings()
    parts = [{name: values[name] for name in names if name in values} for names in (PARAMETERS, FEATURES)]
    row = {name: value for name, value in values.items() if name not in (*PARAMETERS, *FEATURES)}
    bindings.bind(row, *parts)
    return bindings


@settings(max_examples=400, deadline=None)
@given(source=expressions("bool", 3), values=rows(odd=False))
def test_python__generated_condition__says_what_cel_says_or_nothing(source, values):
    bindings = bound(values)
    found = said_by_python(source, bindings)
    assume(found is not None)
    assert found is said_by_cel(source, bindings)


@settings(max_examples=400, deadline=None)
@given(source=expressions("bool", 2), values=rows(odd=True), gone=st.sets(st.sampled_from(sorted(SCHEMA)), max_size=2))
def test_python__row_of_wrong_types__says_what_cel_says_or_nothing(source, values, gone):
    for name in gone:
        del values[name]
    bindings = bound(values)
    found = said_by_python(source, bindings)
    assume(found is not None)
    assert found is said_by_cel(source, bindings)


@settings(max_examples=200, deadline=None)
@given(source=expressions("bool", 3), values=rows(odd=True))
def test_condition__generated__raises_where_cel_fails_and_else_says_the_same(source, values):
    bindings = bound(values)
    try:
        condition = Condition(source, SCHEMA, PARAMETERS, FEATURES)
    except RuleError:
        return
    expected = said_by_cel(source, bindings)
    try:
        assert condition.holds(bindings) is expected
    except RuleError:
        assert expected is RuleError or type(expected) is not bool


@settings(max_examples=300, deadline=None)
@given(tags=MIXED, word=st.sampled_from(["x", "y", ""]), source=st.sampled_from(["'x' in tags", "word in tags", "!('' in tags)"]))
def test_python__list_of_mixed_types__says_what_cel_says_or_nothing(tags, word, source):
    bindings = bound({"tags": tags, "word": word})
    found = said_by_python(source, bindings)
    assert (found is None) == any(type(member) is not str for member in tags)
    assert found is None or found is said_by_cel(source, bindings)


SHIPPED = [(rule, condition) for rule in RULES for condition in conditions_of(rule)]


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.id)
def test_shipped__every_condition__is_written_in_python(rule):
    assert [condition.source for condition in conditions_of(rule) if condition.written is None] == []
    assert rule.first is not None
    assert (rule.truths is None) == bool(rule.features)


@settings(max_examples=400, deadline=None)
@given(chosen=st.sampled_from(SHIPPED), data=st.data())
def test_shipped__rows_of_its_subjects__say_what_cel_says_or_nothing(chosen, data):
    rule, condition = chosen
    fields = {name: kind for subject in rule.on for name, kind in SUBJECTS[subject].fields.items()}
    given_ = feature_names(rule.features)
    constants = sorted({value for parameter in rule.parameters.values() for _, value in parameter.versions})
    near = st.sampled_from([near for value in constants or [0] for near in (value - 1, value, value + 1)])
    literals = st.sampled_from([part for part in condition.source.split('"')[1::2]] or ["x"])
    values = {"int": INTS | near, "bool": st.booleans(), "str": TEXTS | literals, "list": st.lists(literals, max_size=2)}
    kinds = fields | given_ | dict.fromkeys(rule.parameters, "int")
    drawn = {name: data.draw(values[kinds[name]], label=name) for name in condition.names}
    bindings = Bindings()
    bindings.bind(
        {name: value for name, value in drawn.items() if name not in rule.parameters and name not in given_},
        {name: value for name, value in drawn.items() if name in rule.parameters},
        {name: value for name, value in drawn.items() if name in given_},
    )
    found = said_by_python(condition.source, bindings, kinds, rule.parameters, given_)
    assume(found is not None)
    assert found is said_by_cel(condition.source, bindings)


@pytest.mark.parametrize(
    "source",
    [
        "word < class",
        "size(tags) > 1",
        "word.startsWith('x')",
        "tags.exists(t, t == 'x')",
        r"word == 'a\'b'",
        "word == r'x'",
        "tags == tags",
        "a == flag",
        "a < b < limit",
        "a == 1u",
        "a == 0x1",
        "a == 01",
        "a > 9223372036854775808",
        "flag ? 1 : 2",
        "flag ? a : word",
        "a in tags",
        "a in []",
        "a + word == 'x'",
        "tags[0] == 'x'",
        "a // b",
        "true, true",
        "true true",
        "unknown",
        "word in ['x', 1]",
        "(" * (MAX_DEPTH + 1) + "flag" + ")" * (MAX_DEPTH + 1),
        "!" * (MAX_DEPTH + 1) + "flag",
        "a > " + "1 + " * MAX_DEPTH + "1",
        "a >",
        "",
    ],
)
def test_written__what_is_not_certain_to_be_the_same__is_left_to_cel(source):
    assert written(source, SCHEMA, PARAMETERS, FEATURES) is None


@pytest.mark.parametrize(
    ("source", "row"),
    [
        ("a > 0", {"a": True}),
        ("a > 0", {"a": 2**63}),
        ("a + b > 0", {"a": MOST, "b": 1}),
        ("a * b < 0", {"a": 2**62, "b": 2}),
        ("-a < 0", {"a": LEAST}),
        ("a / b > 0", {"a": -7, "b": 2}),
        ("a / b > 0", {"a": 7, "b": 0}),
        ("a % b > 0", {"a": -7, "b": 2}),
        ("flag", {"flag": 1}),
        ("flag && other", {"flag": True, "other": None}),
        ("word == 'x'", {"word": 1}),
        ("'x' in tags", {"tags": "x"}),
        ("'x' in tags", {"tags": ["x"] * 257}),
        ("'x' in tags", {"tags": ["x", 1]}),
        ("'x' in tags", {"tags": [None, "x"]}),
        ("a > 0", {}),
    ],
)
def test_python__value_that_cel_could_take_otherwise__leaves_it_to_cel(source, row):
    assert said_by_python(source, bound(row)) is None
