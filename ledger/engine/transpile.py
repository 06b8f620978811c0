"""Conditions in the plain part of CEL as Python, so that a row that a rule does not concern costs no interpreter.

What is written here has to say what CEL says, or nothing: whatever is not certain raises `DoubtError`, when the condition is
loaded or on the row that brings it about, and then CEL itself is asked. So CEL decides wherever the two could differ:

- only names, plain literals, comparisons of integers, equality, `&&`, `||`, `!`, `?:`, `in` and integer arithmetic; macros,
  calls, members, escapes in strings, comparisons of texts by order and operands of unlike types are not written at all;
- each name that is read has its declared type, a list only texts, an integer 64 bits, and so has every intermediate result
  (CEL: overflow);
- a quotient or remainder is of nothing negative (CEL rounds towards zero, Python down), and by no zero;
- in CEL `a && b` is false where b is, even if a fails. Here a fails first: that is a doubt too.

The proof is a differential test on generated conditions and on all shipped ones (tests/engine/test_transpile.py).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator, Mapping
from typing import Any, Protocol, TypeVar

from ledger.errors import RuleError

T = TypeVar("T")


class Named(Protocol):
    """Values by name: a table, or what computes them (`ledger.engine.watches.Values`)."""

    def __getitem__(self, name: str, /) -> Any:
        """The value. Raises KeyError where there is none."""


Plain = Callable[[Mapping[str, Any], Mapping[str, int], Named | None], T]
"""(row, parameters, features) → what conditions say. Raises any of DOUBTS where CEL has to."""

LEAST, MOST = -(2**63), 2**63 - 1
MAX_DEPTH = 40
"""Nested or chained operations; far above what a rule says, far below what Python's own parser takes."""
_TOKEN = re.compile(
    r"""\s*(?:([A-Za-z_]\w*)|(\d+)|"([^"\\\n]*)"|'([^'\\\n]*)'|(&&|\|\||[=!<>]=|[-+*/%!<>?:(),\[\]]))""", re.ASCII
)
_ORDERS = ("<", "<=", ">", ">=")
_CHECKS = {
    "int": f"type({{0}}) is int and {LEAST} <= {{0}} <= {MOST}",
    # Joining raises TypeError, which is a doubt, at a member that is no text; it costs a sixth of asking each one's type.
    "list": "type({0}) is list and len({0}) <= 256 and ''.join({0}) is not None",
}


class DoubtError(Exception):
    """CEL has to decide here; ask it."""


DOUBTS = (DoubtError, RuleError, LookupError, TypeError, ValueError, AttributeError, ArithmeticError)
"""What Python's form may raise: CEL then says what is wrong, or that nothing is."""


def _doubt() -> Any:
    raise DoubtError


def written(
    source: str, schema: Mapping[str, str], parameters: Collection[str] = (), features: Collection[str] = ()
) -> str | None:
    """A condition in Python, an expression over `row`, `parameters` and `features`; None where the same is not certain.

    `schema` gives the type of every name (int, str, bool, list); those in neither `parameters` nor `features` are the row's.
    """
    text, kind = typed(source, schema, parameters, features) or ("", "")
    return text if kind == "bool" else None


def typed(
    source: str, schema: Mapping[str, str], parameters: Collection[str] = (), features: Collection[str] = ()
) -> tuple[str, str] | None:
    """`written`, of an expression of any type, with that type."""
    try:
        writer = _Writer(source, schema, parameters, features)
        found = writer.expression()
        writer.expect("")
    except DoubtError:
        return None
    return found


def compiled(text: str) -> Plain[Any]:
    """The function of what `written` gave, or of an expression made of several."""
    # The text is this module's own: of a rule file's it holds names and literals, checked and quoted by what is below.
    plain: Plain[Any] = eval(f"lambda row, parameters, features: {text}", {"doubt": _doubt})  # noqa: S307
    return plain


_Typed = tuple[str, str]
"""(Python text, type)."""


class _Writer:
    """A recursive descent through CEL's grammar (cel-spec, langdef.md, Syntax), writing Python as it goes."""

    def __init__(
        self, source: str, schema: Mapping[str, str], parameters: Collection[str], features: Collection[str]
    ) -> None:
        self._tokens = list(_tokens(source))
        self._at = 0
        self._schema, self._parameters, self._features = schema, parameters, features
        self._depth = self._temporaries = 0

    def expect(self, word: str) -> None:
        if self._take() != word:
            raise DoubtError

    def expression(self) -> _Typed:
        """`a ? b : c`, or what binds closer."""
        self._deeper()
        condition = self._any_of("||", lambda: self._any_of("&&", self._relation))
        if self._peek() == "?":
            self._take()
            text, kind = self._any_of("||", lambda: self._any_of("&&", self._relation))
            self.expect(":")
            other, other_kind = self.expression()
            if condition[1] != "bool" or kind != other_kind:
                raise DoubtError
            condition = f"({text} if {condition[0]} else {other})", kind
        self._depth -= 1
        return condition

    def _any_of(self, operator: str, part: Callable[[], _Typed]) -> _Typed:
        parts = [part()]
        while self._peek() == operator:
            self._take()
            parts.append(part())
        if len(parts) == 1:
            return parts[0]
        if any(kind != "bool" for _, kind in parts):
            raise DoubtError
        return "(" + (" or " if operator == "||" else " and ").join(text for text, _ in parts) + ")", "bool"

    def _relation(self) -> _Typed:
        left, kind = self._sum()
        operator = self._peek()
        if operator == "in":
            self._take()
            return f"({left} in {self._list_of(kind)})", "bool"
        if operator not in ("==", "!=", *_ORDERS):
            return left, kind
        self._take()
        right, right_kind = self._sum()
        if kind != right_kind or kind == "list" or (operator in _ORDERS and kind != "int"):
            raise DoubtError
        return f"({left} {operator} {right})", "bool"

    def _list_of(self, kind: str) -> str:
        """What stands behind `in`: a field with a list of texts, or literals of the operand's own type."""
        if self._peek() != "[":
            text, found = self._primary()
            if found != "list" or kind != "str":
                raise DoubtError
            return text
        items = []
        while self._take() in ("[", ","):
            text, found = self._literal(self._take())
            if found != kind:
                raise DoubtError
            items.append(text)
        if self._tokens[self._at - 1] != "]":
            raise DoubtError
        return f"({', '.join(items)},)"

    def _sum(self) -> _Typed:
        return self._chain(("+", "-"), lambda: self._chain(("*", "/", "%"), self._unary))

    def _chain(self, operators: tuple[str, ...], part: Callable[[], _Typed]) -> _Typed:
        left, kind = part()
        depth = self._depth
        while (operator := self._peek()) in operators:
            self._take()
            right, right_kind = part()
            if kind != "int" or right_kind != "int":
                raise DoubtError
            self._deeper()
            left = (
                self._divided(left, operator, right) if operator in "/%" else self._kept(f"{left} {operator} {right}")
            )
        self._depth = depth
        return left, kind

    def _divided(self, left: str, operator: str, right: str) -> str:
        over, by = self._temporary(), self._temporary()
        operator = "//" if operator == "/" else operator
        return f"({over} {operator} {by} if ({over} := {left}) >= 0 and ({by} := {right}) > 0 else doubt())"

    def _kept(self, text: str) -> str:
        """The result of an operation, which has to fit 64 bits."""
        name = self._temporary()
        return f"({name} if {LEAST} <= ({name} := {text}) <= {MOST} else doubt())"

    def _unary(self) -> _Typed:
        operator = self._peek()
        if operator not in ("!", "-"):
            return self._primary()
        self._take()
        self._deeper()
        text, kind = self._unary()
        self._depth -= 1
        if kind != ("bool" if operator == "!" else "int"):
            raise DoubtError
        return (f"(not {text})" if operator == "!" else self._kept(f"-{text}")), kind

    def _primary(self) -> _Typed:
        word = self._take()
        if word == "(":
            inside = self.expression()
            self.expect(")")
            return inside
        if word in ("true", "false") or not (word.isidentifier() and word != "in"):
            return self._literal(word)
        kind = self._schema.get(word)
        if kind is None or self._peek() in ("(", "["):
            raise DoubtError
        return self._read(word, kind), kind

    def _read(self, name: str, kind: str) -> str:
        source = "parameters" if name in self._parameters else "features" if name in self._features else "row"
        # A prefix, because a field may be called what Python keeps for itself.
        read = f"n_{name}"
        check = _CHECKS.get(kind, f"type({{0}}) is {kind}")
        first = f"({read} := {source}[{name!r}])"
        return f"({read} if {check.replace('{0}', first, 1).replace('{0}', read)} else doubt())"

    @staticmethod
    def _literal(word: str) -> _Typed:
        if word in ("true", "false"):
            return word.capitalize(), "bool"
        if word[:1] == '"':
            return repr(word[1:]), "str"
        # A zero in front: not worth knowing what CEL makes of it.
        if not word.isdigit() or (word[0] == "0" and word != "0") or int(word) > MOST:
            raise DoubtError
        return word, "int"

    def _peek(self) -> str:
        return self._tokens[self._at]

    def _take(self) -> str:
        word = self._tokens[self._at]
        self._at = min(self._at + 1, len(self._tokens) - 1)
        return word

    def _temporary(self) -> str:
        self._temporaries += 1
        return f"t_{self._temporaries}"

    def _deeper(self) -> None:
        self._depth += 1
        if self._depth > MAX_DEPTH:
            raise DoubtError


def _tokens(source: str) -> Iterator[str]:
    """Names, numbers and operators as they stand, strings as `"` and their text; "" at the end."""
    at, end = 0, len(source.rstrip())
    while at < end:
        found = _TOKEN.match(source, at)
        if found is None:
            raise DoubtError
        at = found.end()
        name, number, double, single, operator = found.groups()
        text = double if double is not None else single
        yield name or number or operator or f'"{text}'
    yield ""
