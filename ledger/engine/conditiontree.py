"""A condition as a tree, each part with its value and none left out because another decided already.

CEL stops at the first part of `a && b` that decides, and says nothing of why. To show a person why a rule held, or did not,
the text is split at its boolean operators and comparisons (strings and brackets respected), and each part is evaluated by
CEL itself on the same row. Parts are never evaluated by other code, so what is shown is what CEL finds.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import cel

from ledger.engine.expressions import Bindings
from ledger.errors import RuleError

_COMPARISONS = ("==", "!=", "<=", ">=", "<", ">")
_LITERAL = re.compile(r"""-?\d+|true|false|"[^"]*"|'[^']*'""")
_WORD = re.compile(r"\w")


@dataclass(frozen=True, slots=True)
class Part:
    """A piece of a condition. `operator`: `||`, `&&`, `!`, `?:`, a comparison, `in`, or "" for what is not split further."""

    source: str
    operator: str = ""
    parts: tuple[Part, ...] = ()


@dataclass(slots=True)
class Valued:
    """A part with its value: bool, int, str, list; or why it has none (`error`)."""

    source: str
    operator: str
    value: Any
    error: str = ""
    parts: list[Valued] = field(default_factory=list)

    @property
    def is_literal(self) -> bool:
        """Whether the source says it all."""
        return bool(_LITERAL.fullmatch(self.source))


def parse(source: str) -> Part:
    """The tree of a condition that compiles."""
    text = _bare(source.strip())
    if (cut := _ternary(text)) is not None:
        at, colon = cut
        return Part(text, "?:", (parse(text[:at]), parse(text[at + 1 : colon]), parse(text[colon + 1 :])))
    for operator in ("||", "&&"):
        pieces = _split(text, operator)
        if len(pieces) > 1:
            return Part(text, operator, tuple(parse(piece) for piece in pieces))
    if (found := _comparison(text)) is not None:
        operator, left, right = found
        return Part(text, operator, (parse(left), parse(right)))
    if text.startswith("!"):
        return Part(text, "!", (parse(text[1:]),))
    return Part(text)


def valued(part: Part, row: Mapping[str, Any], parameters: Mapping[str, int]) -> Valued:
    """The tree with the values that its parts have on this row."""
    bindings = Bindings()
    bindings.bind(row, parameters)
    return _valued(part, bindings)


def _valued(part: Part, bindings: Bindings) -> Valued:
    value, error = None, ""
    try:
        value = cel.compile(part.source).execute(bindings.context)
    except (TypeError, KeyError, RuntimeError, ValueError, ArithmeticError) as failure:
        error = str(failure).splitlines()[0]
    return Valued(part.source, part.operator, value, error, [_valued(child, bindings) for child in part.parts])


class TypeCheck:
    """The types of every part of a condition, tried on sample rows; none is hidden by another that decides already.

    CEL looks at the types of what it comes to, and finds `"1" == 1` and `null == 1` false without a word.
    """

    def __init__(self, source: str) -> None:
        self._nodes: list[tuple[Part, Any, tuple[int, ...]]] = []
        self._add(parse(source))

    def look(self, bindings: Bindings) -> None:
        """Try every part on the bound row. Raises RuleError naming the smallest part whose types do not fit."""
        values: list[Any] = []
        for part, program, children in self._nodes:
            if problem := _misfit(part, [values[child] for child in children]):
                raise RuleError(f"{part.source!r}: {problem}")
            try:
                values.append(program.execute(bindings.context))
            except TypeError as error:
                raise RuleError(f"{part.source!r}: {str(error).splitlines()[0]}") from None
            except (KeyError, RuntimeError, ValueError, ArithmeticError):
                # Too great, or divided by nothing: these values are that, not the types; the whole is tried as it stands.
                values.append(_NOTHING)

    def _add(self, part: Part) -> int:
        children = tuple(self._add(child) for child in part.parts)
        self._nodes.append((part, cel.compile(part.source), children))
        return len(self._nodes) - 1


_NOTHING = object()


def _misfit(part: Part, values: list[Any]) -> str:
    """What is wrong with the types of a part's operands; "" for nothing."""
    if _NOTHING in values or not part.operator:
        return ""
    kinds = [type(value).__name__ for value in values]
    if part.operator in ("&&", "||", "!"):
        return next((f"{kind} is no truth value" for kind in kinds if kind != "bool"), "")
    if part.operator == "?:":
        return "" if kinds[0] == "bool" and kinds[1] == kinds[2] else f"{' : '.join(kinds)} do not fit"
    if part.operator == "in":
        items = {type(item).__name__ for item in values[1]} if kinds[1] == "list" else {kinds[1]}
        return "" if items <= {kinds[0]} else f"{kinds[0]} is looked for among {', '.join(sorted(items))}"
    return "" if kinds[0] == kinds[1] else f"{kinds[0]} is compared with {kinds[1]}"


def failing(tree: Valued) -> list[Valued]:
    """The smallest parts that make the whole false: those without which it would have held."""
    if tree.value is True:
        return []
    if tree.operator == "&&":
        return [found for part in tree.parts if part.value is not True for found in failing(part)]
    if tree.operator == "||":
        return [found for part in tree.parts for found in failing(part)]
    if tree.operator == "?:":
        chosen = tree.parts[1] if tree.parts[0].value is True else tree.parts[2]
        return failing(chosen)
    return [tree]


# --- splitting -------------------------------------------------------------------------------------------------------


def _depths(text: str) -> Iterator[tuple[int, int, bool]]:
    """(position, bracket depth behind it, whether it is a bracket) of each character outside of strings."""
    depth, quote, at = 0, "", 0
    while at < len(text):
        char = text[at]
        if quote:
            if char == "\\":
                at += 1
            elif char == quote:
                quote = ""
        elif char in "\"'":
            quote = char
        else:
            depth += (char in "([{") - (char in ")]}")
            yield at, depth, char in "([{)]}"
        at += 1


def _top(text: str) -> Iterator[int]:
    """Positions outside of strings and brackets."""
    return (at for at, depth, is_bracket in _depths(text) if depth == 0 and not is_bracket)


def _bare(text: str) -> str:
    """Without brackets around the whole."""
    while text.startswith("(") and _closes_at_end(text):
        text = text[1:-1].strip()
    return text


def _closes_at_end(text: str) -> bool:
    """Whether the bracket that begins `text` closes with its last character."""
    return next((at for at, depth, is_bracket in _depths(text) if is_bracket and depth == 0), -1) == len(text) - 1


def _split(text: str, operator: str) -> list[str]:
    pieces, start, skip = [], 0, -1
    for at in _top(text):
        if at > skip and text.startswith(operator, at):
            pieces.append(text[start:at])
            start, skip = at + len(operator), at + len(operator) - 1
    return [*pieces, text[start:]] if pieces else [text]


def _ternary(text: str) -> tuple[int, int] | None:
    """Positions of the outermost `?` and its `:`."""
    start, depth = -1, 0
    for at in _top(text):
        if text[at] == "?":
            if start < 0:
                start = at
            else:
                depth += 1
        elif text[at] == ":" and start >= 0:
            if depth == 0:
                return start, at
            depth -= 1
    return None


def _comparison(text: str) -> tuple[str, str, str] | None:
    """(operator, left, right) of the one comparison that is not inside brackets. CEL has them from the left."""
    found: tuple[str, int] | None = None
    skip = -1
    for at in _top(text):
        if at <= skip:
            continue
        for operator in _COMPARISONS:
            if text.startswith(operator, at):
                found, skip = (operator, at), at + len(operator) - 1
                break
        else:
            if _is_in(text, at):
                found, skip = ("in", at), at + 1
    if found is None:
        return None
    operator, at = found
    return operator, text[:at], text[at + len(operator) :]


def _is_in(text: str, at: int) -> bool:
    return (
        text.startswith("in", at)
        and at > 0
        and not _WORD.match(text[at - 1])
        and at + 2 < len(text)
        and not _WORD.match(text[at + 2])
    )
