"""Strict YAML: every value with its line, no duplicate keys, no anchors, no tags, no floats, no surprises of YAML 1.1."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import yaml

from ledger.errors import RuleError

# libyaml reads fifty rule files in a tenth of the time; without it the same grammar in Python.
_LOADER: type[yaml.SafeLoader | yaml.CSafeLoader] = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
MAX_DEPTH = 50
MAX_CHARACTERS = 2_000_000
MAX_DAYS = 36_525
"""Of a duration: a hundred years, whose end still fits every table."""
_INT = re.compile(r"-?(0|[1-9][0-9]{0,17})")
_DURATION = re.compile(r"(0|[1-9][0-9]{0,9})(ms|s|m|h|d)")
_UNIT_MS = {"ms": 1, "s": 1000, "m": 60_000, "h": 3_600_000, "d": 86_400_000}


@dataclass(frozen=True, slots=True)
class Located:
    """A value and where it stands. `value` is str, int, bool, None, list of Located, or dict of name to Located."""

    value: Any
    file: str
    line: int

    def wrong(self, message: str) -> RuleError:
        """The error that names this place."""
        return RuleError(f"{self.file}:{self.line}: {message}")

    def mapping(self, required: str, optional: str = "") -> dict[str, Located]:
        """The mapping, with all `required` keys and none beyond `optional` (names between blanks)."""
        if not isinstance(self.value, dict):
            raise self.wrong("a mapping is expected here")
        must, may = required.split(), optional.split()
        for name, item in self.value.items():
            if name not in must and name not in may:
                raise item.wrong(f"unknown key {name!r}; known are {', '.join(must + may)}")
        for name in must:
            if name not in self.value:
                raise self.wrong(f"the key {name!r} is missing")
        return self.value

    def any_mapping(self) -> dict[str, Located]:
        """The mapping, whatever its keys."""
        if not isinstance(self.value, dict):
            raise self.wrong("a mapping is expected here")
        return self.value

    def items(self) -> list[Located]:
        """The list."""
        if not isinstance(self.value, list):
            raise self.wrong("a list is expected here")
        return self.value

    def text(self, allowed: str = "") -> str:
        """The text; one of `allowed` (between blanks) when given."""
        if not isinstance(self.value, str) or self.value == "":
            raise self.wrong("a text is expected here")
        if allowed and self.value not in allowed.split():
            raise self.wrong(f"{self.value!r} is none of {allowed}")
        return self.value

    def texts(self) -> tuple[str, ...]:
        """The list of texts."""
        return tuple(item.text() for item in self.items())

    def integer(self, least: int = 0) -> int:
        """The integer, at least `least`."""
        if not isinstance(self.value, int) or isinstance(self.value, bool) or self.value < least:
            raise self.wrong(f"an integer of at least {least} is expected here")
        return self.value

    def duration_ms(self) -> int:
        """A duration such as 15m, 24h, 5d in milliseconds."""
        match = _DURATION.fullmatch(self.value) if isinstance(self.value, str) else None
        if match is None:
            raise self.wrong("a duration such as 0s, 15m, 24h or 5d is expected here")
        ms = int(match[1]) * _UNIT_MS[match[2]]
        if ms > MAX_DAYS * _UNIT_MS["d"]:
            raise self.wrong(f"a duration is at most {MAX_DAYS}d")
        return ms

    def plain(self) -> Any:
        """The value without places."""
        if isinstance(self.value, dict):
            return {name: item.plain() for name, item in self.value.items()}
        if isinstance(self.value, list):
            return [item.plain() for item in self.value]
        return self.value


def load_yaml(text: str, file: str) -> Located:
    """The one document of `text`. Raises RuleError with file and line."""
    if len(text) > MAX_CHARACTERS:
        raise RuleError(f"{file}:1: a file has at most {MAX_CHARACTERS} characters, this one {len(text)}")
    try:
        # The events first: the composer follows every bracket with a call of its own, and libyaml's knows no end of them.
        events = list(_forbidden(text))
        node = None if events else yaml.compose(text, Loader=_LOADER)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        raise RuleError(f"{file}:{mark.line + 1 if mark else 1}: {error.problem or error.context}") from None
    except yaml.YAMLError as error:
        raise RuleError(f"{file}:1: {error}") from None
    if events:
        raise RuleError(f"{file}:{events[0][0]}: {events[0][1]}")
    if node is None:
        raise RuleError(f"{file}:1: the file is empty")
    return _located(node, file)


def _forbidden(text: str) -> Iterator[tuple[int, str]]:
    """(line, what is wrong with it) of what no rule file may hold; of brackets, the first that goes too deep, and no more."""
    depth = 0
    for event in yaml.parse(text, Loader=_LOADER):
        line = event.start_mark.line + 1 if event.start_mark else 1
        if isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None):
            yield line, "anchors and aliases are not allowed"
        if getattr(event, "tag", None) is not None:
            yield line, "tags are not allowed"
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1
        if depth > MAX_DEPTH:
            yield line, f"more than {MAX_DEPTH} levels deep"
            return


def _located(node: yaml.Node, file: str) -> Located:
    line = _line(node)
    if isinstance(node, yaml.ScalarNode):
        return Located(_scalar(node), file, line)
    if isinstance(node, yaml.SequenceNode):
        return Located([_located(item, file) for item in node.value], file, line)
    mapping: dict[str, Located] = {}
    for key, value in node.value:
        where = Located(None, file, _line(key))
        if not isinstance(key, yaml.ScalarNode):
            raise where.wrong("keys are plain texts")
        if key.value in mapping:
            raise where.wrong(f"the key {key.value!r} stands twice")
        located = _located(value, file)
        # An unknown key is named where it stands, not where its value begins.
        mapping[key.value] = Located(located.value, file, where.line)
    return Located(mapping, file, line)


def _line(node: yaml.Node) -> int:
    return node.start_mark.line + 1


def _scalar(node: yaml.ScalarNode) -> str | int | bool | None:
    """YAML 1.1 reads `on`, `no`, 1:30 and 1_000 as something else; here a plain scalar is an int, true, false, null or text."""
    text: str = node.value
    if node.style in ("'", '"', "|", ">"):
        return text
    if _INT.fullmatch(text):
        return int(text)
    return {"true": True, "false": False, "null": None, "": None}.get(text, text)
