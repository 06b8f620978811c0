"""Conditions in CEL (package common-expression-language) behind guards, each against a trap that was seen.

- Undefined names fail only when they are reached: every name is checked against a declared schema when a rule is loaded.
- int and double do not mix, and an int beyond 64 bits becomes a double without a word: no doubles in the source, and
  every integer that enters is checked against its range.
- It costs a microsecond a condition, hundreds of which say no: what is certain is Python (`ledger.engine.transpile`).
- There is no cost limit: sources are short, lists small, macros not nested, no regular expressions; and nothing grows: `+` is
  of integers only (texts and lists doubled forty times over ended the process), `map` is not there.
- `a || b` hides a wrong b: each condition is tried on several sample rows when it is loaded.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from typing import Any

import cel

from ledger.engine.transpile import DOUBTS, Named, Plain, compiled, typed, written
from ledger.errors import RuleError

MAX_SOURCE = 2000
MAX_LIST = 256
INT64_MAX = 2**63 - 1

_OPERATORS = "@in !_ -_ _&&_ _||_ _==_ _!=_ _<_ _<=_ _>_ _>=_ _+_ _-_ _*_ _/_ _%_ _?_:_ @not_strictly_false"
_CALLS = "size startsWith endsWith contains"
FUNCTIONS = frozenset(_OPERATORS.split() + _CALLS.split())
"""What a condition may call. Not `matches` (cost), `double` and `uint` (mixing), times (no zones), `bind`."""

_STRING = re.compile(r"""("(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*')""")
_DOUBLE = re.compile(r"(?<![\w.])(?:\d+\.\d*|\.\d+|\d+[eE][+-]?\d+|\d+[uU])")
_STRANGE = re.compile(r"""//|"{3}|\\|(?<![\w.])[A-Za-z]+"|'""")
"""A comment, or a string of another form (raw, of bytes, of several lines): what stands behind it would pass for a text."""
_EQUALS = re.compile(r'(?<![\w."\])])(""|\w+)\s*(==|!=|\bin\b)\s*(""|\w+)(?![\w.(\[])')
_MACRO = re.compile(r"\.\s*(all|exists|exists_one|map|filter)\s*\(\s*([A-Za-z_]\w*)\s*,")


class Condition:
    """A compiled condition that gives a bool. `names` are the row's fields it reads, sorted."""

    __slots__ = ("_execute", "_plain", "names", "source", "written")

    def __init__(
        self, source: str, schema: Mapping[str, str], parameters: Collection[str] = (), features: Collection[str] = ()
    ) -> None:
        """Compile and check `source` against the types of all names. Raises RuleError, naming what is wrong.

        `parameters` and `features` say which of the names are such; a name in neither is looked for in the row first.
        """
        if len(source) > MAX_SOURCE:
            raise RuleError(f"a condition has at most {MAX_SOURCE} characters, this one {len(source)}")
        bare = _STRING.sub('""', source)
        bound = _check_form(bare)
        try:
            program = cel.compile(source)
        except ValueError as error:
            first = next((line for line in str(error).splitlines() if line.strip()), "syntax error")
            raise RuleError(f"not a CEL expression: {first}") from None
        references = program.references()
        wrong = sorted(set(references["functions"]) - FUNCTIONS)
        if wrong:
            raise RuleError(f"a condition may not call {', '.join(wrong)}")
        names = set(references["variables"]) - bound
        unknown = sorted(names - schema.keys())
        if unknown:
            raise RuleError(f"unknown name {', '.join(unknown)}; known are {', '.join(sorted(schema))}")
        _check_comparisons(bare, {**schema, **dict.fromkeys(bound, "str")})
        self.source = source
        self.names = tuple(sorted(names))
        self._execute = program.execute
        self.written = written(source, schema, parameters, features)
        """The same in Python, where that is certain to be the same."""
        if "+" in bare and typed(source, schema, parameters, features) is None:
            raise RuleError("sums are of integers, and stand in a condition without macros and calls")
        self._plain: Plain[bool] | None = None if self.written is None else compiled(self.written)

    def is_true(self, row: Mapping[str, Any], parameters: Mapping[str, int], bindings: Bindings) -> bool:
        """As `holds`, of this row, which is bound only where CEL itself has to be asked."""
        if self._plain is not None:
            try:
                return self._plain(row, parameters, None)
            except DOUBTS:
                pass
        bindings.bind(row, parameters)
        return self.holds(bindings)

    def holds(self, bindings: Bindings) -> bool:
        """Whether the condition is true of the bound row. Raises RuleError on any error, and on a non-bool."""
        if self._plain is not None:
            try:
                return self._plain(bindings.row, bindings.parameters, bindings.features)
            except DOUBTS:
                pass  # CEL says what is wrong with it, or that nothing is
        bindings.refused = None
        try:
            result = self._execute(bindings.context)
        except (TypeError, KeyError, RuntimeError, ValueError, ArithmeticError) as error:
            # Of a value that a name may not have, CEL only says that the name is not defined.
            said = error if bindings.refused is None else bindings.refused.detail
            raise RuleError(f"{self.source!r}: {said}", code="evaluation") from None
        if result is True or result is False:
            return result
        raise RuleError(f"{self.source!r} gives {type(result).__name__}, not true or false", code="evaluation")


def truths_of(scope: Condition | None, bands: Sequence[Condition]) -> Plain[list[bool]] | None:
    """Which of the bands' conditions are true of a row, [] of one out of scope; None where only CEL says."""
    written = _all_written(scope, bands)
    return None if written is None else compiled(f"[{', '.join(written[1:])}] if {written[0]} else []")


def first_of(
    scope: Condition | None, bands: Sequence[Condition], needs: Sequence[Sequence[str]]
) -> Plain[int | None] | None:
    """The first of the bands whose condition is true of a row in scope, and what it needs of the features too."""
    written = _all_written(scope, bands)
    if written is None:
        return None
    text = "None"
    for at in range(len(bands) - 1, -1, -1):
        needed = [f"features[{name!r}]" for name in needs[at]]
        text = f"{at} if {' and '.join([written[at + 1], *needed])} else {text}"
    return compiled(f"({text}) if {written[0]} else None")


def _all_written(scope: Condition | None, bands: Sequence[Condition]) -> list[str] | None:
    """The scope's Python and that of each band, in brackets."""
    written = ["True" if scope is None else scope.written, *(band.written for band in bands)]
    return [f"({text})" for text in written] if None not in written else None


def _check_form(bare: str) -> set[str]:
    """Guards on the text without its strings; the names that macros bind."""
    strange = _STRANGE.search(bare)
    if strange:
        raise RuleError(f"{strange[0]!r}: a condition has no comments, and of strings the plain ones only")
    double = _DOUBLE.search(bare)
    if double:
        raise RuleError(f"{double[0]!r}: numbers in a condition are plain integers")
    for match in re.finditer(r"\[", bare):
        if _span(bare, match.start()).count(",") >= MAX_LIST:
            raise RuleError(f"a list in a condition has at most {MAX_LIST} items")
    bound = set()
    for match in _MACRO.finditer(bare):
        if match[1] == "map":
            raise RuleError("a condition may not call map: what it makes may grow without end")
        bound.add(match[2])
        inside = _span(bare, bare.index("(", match.start()))
        if _MACRO.search(inside):
            raise RuleError("macros may not be nested")
    return bound


def _check_comparisons(bare: str, schema: Mapping[str, str]) -> None:
    """CEL finds "x" == 1 false without a word; where both sides are a name or a literal their types must agree."""
    for left, operator, right in _EQUALS.findall(bare):
        kinds = _kind(left, schema), _kind(right, schema)
        if operator == "in":
            if kinds[1] not in ("", "list") or kinds[0] not in ("", "str"):
                raise RuleError(f"{left} in {right}: a text is looked for in a list of texts")
        elif "" not in kinds and kinds[0] != kinds[1]:
            raise RuleError(f"{left} {operator} {right}: {kinds[0]} is compared with {kinds[1]}")


def _kind(operand: str, schema: Mapping[str, str]) -> str:
    """The type of a name or a literal; "" for a name that a macro binds."""
    if operand == '""':
        return "str"
    if operand in ("true", "false"):
        return "bool"
    return "int" if operand.isdigit() else schema.get(operand, "")


def _span(text: str, start: int) -> str:
    """What stands between the bracket at `start` and the one that closes it."""
    depth = 0
    for at in range(start, len(text)):
        if text[at] in "([{":
            depth += 1
        elif text[at] in ")]}":
            depth -= 1
            if depth == 0:
                return text[start + 1 : at]
    return text[start + 1 :]


def check_value(name: str, value: Any) -> Any:
    """`value` when CEL keeps its type: bool, str, None, an int of 64 bits, or a list or tuple of str.

    Raises: RuleError. A Decimal or a greater int would silently become a float.
    """
    if value is None or value is True or value is False or type(value) is str:
        return value
    if type(value) is int:
        if -INT64_MAX - 1 <= value <= INT64_MAX:
            return value
        raise RuleError(f"{name} = {value} does not fit 64 bits", code="evaluation")
    if type(value) in (list, tuple) and len(value) <= MAX_LIST and all(type(item) is str for item in value):
        return list(value)
    raise RuleError(f"{name} is a {type(value).__name__}; a row holds integers, texts, truth values", code="evaluation")


class Bindings:
    """The names a condition sees: one row's fields and its rule's parameters.

    One CEL context for good, whose resolver looks into what is bound; so a row costs only the fields that are read.
    """

    __slots__ = ("context", "features", "parameters", "refused", "row")

    def __init__(self) -> None:
        self.row: Mapping[str, Any] = {}
        self.parameters: Mapping[str, int] = {}
        self.features: Named | None = None
        self.refused: RuleError | None = None
        """Why the value of a name was not handed over."""
        self.context = cel.Context()
        self.context.set_variable_resolver(self._resolve)

    def bind(self, row: Mapping[str, Any], parameters: Mapping[str, int], features: Named | None = None) -> None:
        """Evaluate on this row from now on. No name stands for two things; that was checked at load.

        `features` may compute what it is asked for: a condition that is settled before it reads one costs nothing.
        """
        self.row = row
        self.parameters = parameters
        self.features = features

    def _resolve(self, name: str) -> Any:
        value = self.row.get(name)
        if value is None:
            value = self.parameters.get(name)
            if value is None and self.features is not None:
                value = self.features[name]
        if type(value) is str or value is True or value is False:
            return value
        try:
            return check_value(name, value)
        except RuleError as error:
            self.refused = error
            raise
