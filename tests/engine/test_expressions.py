"""Each guard of engine.md's list of CEL traps, shown to be needed and to work."""

from decimal import Decimal

import cel
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ledger.engine.expressions import INT64_MAX, Bindings, Condition, check_value
from ledger.errors import RuleError
from tests.engine.helpers import HOUR, Run, line

SCHEMA = {"a": "int", "b": "int", "word": "str", "tags": "list", "flag": "bool"}


def holds(source, **row):
    bindings = Bindings()
    bindings.bind(row, {})
    return Condition(source, SCHEMA).holds(bindings)


def test_condition__names_of_the_row__are_read():
    assert holds("a > 2 * b && 'x' in tags", a=5, b=2, tags=["x"])
    assert not holds("a > 2 * b", a=4, b=2)


def test_condition__parameters__are_seen_beside_the_row():
    bindings = Bindings()
    bindings.bind({"a": 5}, {"b": 4})
    assert Condition("a > b", SCHEMA).holds(bindings)


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("unknown > 1", "unknown name unknown"),
        ("a > 1 || unknwon > 2", "unknown name unknwon"),
        ("a * 1.5 > 2", "plain integers"),
        ("a > 1e3", "plain integers"),
        ("a > 1u", "plain integers"),
        ("double(a) > b", "may not call double"),
        ("word.matches('x+')", "may not call matches"),
        ("timestamp(word) > timestamp(word)", "may not call"),
        ("tags.exists(t, tags.exists(u, u == t))", "nested"),
        ("a in [" + ",".join(["1"] * 257) + "]", "at most 256"),
        ("a > " + "1 + " * 600 + "1", "at most 2000"),
        ("word == 1", "str is compared with int"),
        ("1 != word", "int is compared with str"),
        ("a == b && flag == 'true'", "bool is compared with str"),
        ("a > 0 || word == b", "str is compared with int"),
        ("a in tags", "looked for"),
        ("'x' in word", "looked for"),
        ("tags.exists(t, t == 1)", "str is compared with int"),
        ("tags. exists(t, tags\n. exists(u, u == t))", "nested"),
        ("a > 1 // it's\n|| a * 1.5 > 2.0 // it's", "no comments"),
        ("r'\\' == word || a * 1.5 > 2.0 || word == r'\\'", "no comments"),
        ("b'a' == word", "plain ones only"),
        ('word == """a"""', "plain ones only"),
        ("'a''b' == word", "plain ones only"),
        ("a >", "not a CEL expression"),
        ("gewicht_größe > 1", "not a CEL expression"),
    ],
)
def test_condition__guarded__is_refused_at_load(source, said):
    with pytest.raises(RuleError, match=said):
        Condition(source, SCHEMA)


@pytest.mark.parametrize(
    "source",
    ["word == '1.5'", "tags.exists(t, t == 'x')", "a in [1, 2, 3]", "flag ? a > 1 : b > 1", "word.startsWith('1e5')"],
)
def test_condition__allowed__is_taken(source):
    Condition(source, SCHEMA)


@pytest.mark.parametrize(
    ("source", "row"),
    [
        ("a + b > 0", {"a": INT64_MAX, "b": 1}),
        ("a / b > 0", {"a": 1, "b": 0}),
        ("a > b", {"a": 1, "b": "x"}),
        ("a > b", {"a": 1}),
        ("a + b", {"a": 1, "b": 1}),
        ("a > 1", {"a": INT64_MAX + 1}),
        ("a > 1", {"a": 1.5}),
        ("a > 1", {"a": Decimal("1.5")}),
        ("size(tags) > 1", {"tags": ["x"] * 257}),
    ],
)
def test_condition__error_while_evaluating__raises_and_is_never_no(source, row):
    with pytest.raises(RuleError) as raised:
        holds(source, **row)
    assert raised.value.code in ("evaluation", "rule")


def test_condition__a_value_that_may_not_enter__is_named_in_the_error():
    for value, said in ((INT64_MAX + 1, "a = 9223372036854775808 does not fit 64 bits"), (1.5, "a is a float")):
        with pytest.raises(RuleError, match=said):
            holds("a > b", a=value, b=1)
    with pytest.raises(RuleError, match="division by zero"):
        holds("a / b > 1", a=1, b=0)


PARTS = [
    'word == "x"',
    "word != 'x'",
    '"x" in tags',
    "'' in tags",
    "flag",
    "!flag",
    "a > b",
    "(flag || a > 1)",
    'word == "a && b"',
    "!('x' in tags)",
    "a / b > 1",
]


@settings(max_examples=300, deadline=None)
@given(
    parts=st.lists(st.sampled_from(PARTS), min_size=1, max_size=4),
    joiner=st.sampled_from([" && ", " && ", "&&", " || "]),
    row=st.fixed_dictionaries(
        {
            "a": st.integers(-2, 2),
            "b": st.integers(-2, 2),
            "word": st.sampled_from(["x", "", "a && b", "y"]),
            "tags": st.lists(st.sampled_from(["x", "", "y"]), max_size=2),
            "flag": st.booleans(),
        }
    ),
)
def test_condition__its_plain_parts_looked_at_first__says_what_cel_says(parts, joiner, row):
    source = joiner.join(parts)
    try:
        expected = cel.compile(source).execute(row)
    except (ValueError, RuntimeError, TypeError, ArithmeticError) as error:
        expected = type(error)
    try:
        found = holds(source, **row)
    except RuleError:
        assert isinstance(expected, type)
    else:
        assert found is expected


@pytest.mark.parametrize(
    ("source", "row"),
    [
        ("word == 'x'", {}),
        ("'x' in tags", {"tags": "x"}),
        ("flag", {"flag": 1}),
        ("!flag && word != 'x'", {"flag": None, "word": "y"}),
    ],
)
def test_condition__a_plain_part_of_another_type_than_declared__raises(source, row):
    with pytest.raises(RuleError):
        holds(source, **row)


def test_trap__int_beyond_64_bits__would_have_become_a_float():
    assert isinstance(cel.compile("a").execute({"a": 2**70}), float)
    with pytest.raises(RuleError):
        check_value("a", 2**70)


def test_trap__equality_of_different_types__would_have_been_false_for_ever():
    assert cel.compile("word == 1").execute({"word": "1"}) is False


def test_trap__undefined_name__would_have_been_hidden_by_the_short_circuit():
    assert cel.compile("a > 0 || nowhere > 1").execute({"a": 1}) is True


def test_trap__integer_times_a_fraction__would_have_failed_only_when_it_is_evaluated():
    program = cel.compile("a * 1.5 > 2.0")
    with pytest.raises(TypeError):
        program.execute({"a": 2})


def test_trap__decimal__would_have_become_a_float():
    assert isinstance(cel.compile("a").execute({"a": Decimal("1.5")}), float)
    with pytest.raises(RuleError):
        check_value("a", Decimal("1.5"))


def test_trap__nested_macros__would_have_cost_what_their_lists_multiply_to():
    assert cel.compile("tags.all(t, tags.all(u, size(u) > 0))").execute({"tags": ["x"] * 300}) is True
    for macro in ("all", "exists", "exists_one", "map", "filter"):
        with pytest.raises(RuleError, match="nested"):
            Condition(f"size(tags.filter(t, tags.{macro}(u, u == t))) > 0", SCHEMA)


def test_trap__what_doubles__would_have_grown_until_no_memory_is_left():
    doubled = "tags" + ".map(t, t + t)" * 16
    assert cel.compile(f"{doubled}.all(t, size(t) > 60000)").execute({"tags": ["x"]}) is True
    assert cel.compile("size(tags" + " + tags" * 500 + ") > 500").execute({"tags": ["x"] * 2}) is True
    for source, said in (
        (f"{doubled}.all(t, size(t) > 60000)", "may not call map"),
        ("size(tags" + ".map(t, [t, t])" * 40 + ") > 0", "may not call map"),
        ("size(tags . map (t, t)) > 0", "may not call map"),
        ("size(tags" + " + tags" * 200 + ") > 500", "sums are of integers"),
        ("word + word + word == 'x'", "sums are of integers"),
        ("tags.exists(t, t + t == 'xx')", "sums are of integers"),
        ("'a' + word == 'x'", "sums are of integers"),
        ("a + size(tags + tags) > 1", "sums are of integers"),
    ):
        with pytest.raises(RuleError, match=said):
            Condition(source, SCHEMA)
    assert holds("a + b + 1 > 2 && word != 'a+b'", a=1, b=1, word="x")


def test_bindings__all_rules_and_rows__share_a_context(monkeypatch):
    """Building one costs as much as evaluating several rules."""
    made = []
    real = cel.Context
    monkeypatch.setattr(cel, "Context", lambda *rest, **more: made.append(1) or real(*rest, **more))
    run = Run()
    before = len(made)
    for hour in range(1, 6):
        run.move("in", line(1), at=hour * HOUR)
    assert before <= 3 and len(made) == before
