"""The one JSON reader for everything that is signed, hashed or trusted (formats.md, first paragraph).

RFC 8259 narrowed until two readers cannot disagree: no duplicate member (after unescaping), integers only and within
±(2^53-1), no U+0000, no lone surrogate, at most 16 levels, UTF-8 without BOM. `true`, `false` and `null` pass; the
schema decides on those. *Not* checked: which members there are.

The C scanner of the standard library does the work; the hooks here see each object and each number once.
"""

from __future__ import annotations

import json
import re
from json.decoder import scanstring  # type: ignore[attr-defined]  # CPython's C string scanner, named in json.decoder
from typing import Any, Never

from ledger.errors import MalformedRecordError

MAX_DEPTH = 16
"""The outermost value has depth 1; a value at depth 17 is refused (formats.md)."""
MAX_INTEGER = 2**53 - 1
"""What every JSON reader, JavaScript's among them, holds exactly."""

_MAX_INTEGER_CHARS = len(str(-MAX_INTEGER))
_WHITESPACE = re.compile(r"[ \t\n\r]*")
# U+0000 and the surrogates: json.loads lets them through when they are written as \u escapes.
_FORBIDDEN = re.compile("[\x00\ud800-\udfff]")
_BOM = b"\xef\xbb\xbf"


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise MalformedRecordError("a member name stands twice in one object", code="duplicate-member")
    return members


def _integer(text: str) -> int:
    # The length goes first: int() of a long text is quadratic.
    if len(text) > _MAX_INTEGER_CHARS or text == "-0":
        raise MalformedRecordError("a number is -0 or beyond ±(2^53-1)", code="bad-number")
    value = int(text)
    if not -MAX_INTEGER <= value <= MAX_INTEGER:
        raise MalformedRecordError("a number is beyond ±(2^53-1)", code="bad-number")
    return value


def _no_number(_text: str) -> Never:
    raise MalformedRecordError("a number is not an integer", code="bad-number")


_DECODER = json.JSONDecoder(
    object_pairs_hook=_object, parse_int=_integer, parse_float=_no_number, parse_constant=_no_number
)
_scan = _DECODER.scan_once  # type: ignore[attr-defined]  # (text, index) -> (value, end); StopIteration when no value


def loads(data: bytes) -> Any:
    """The one JSON value in `data`.

    Raises:
        MalformedRecordError: code not-utf8, bom, not-json, duplicate-member, bad-number, bad-string or too-deep.
    """
    text = _text(data)
    try:
        value = _DECODER.decode(text)
    except (ValueError, RecursionError) as error:
        raise _malformed(error) from None
    _check_tree(value, data)
    return value


def loads_members(data: bytes) -> dict[str, tuple[Any, bytes]]:
    """The members of the one JSON object in `data`, each with the exact bytes of its value.

    For what is kept as it came although it travels inside another object (the envelope in a submission or a bundle).

    Raises:
        MalformedRecordError: as `loads`; code not-an-object when the outermost value is no object.
    """
    text = _text(data)
    members: dict[str, tuple[Any, bytes]] = {}
    try:
        at = _skip(text, 0)
        if text[at : at + 1] != "{":
            _DECODER.decode(text)
            raise MalformedRecordError("the outermost value is not an object", code="not-an-object")
        at = _skip(text, at + 1)
        while text[at : at + 1] != "}" or members:
            if text[at : at + 1] != '"':
                raise MalformedRecordError("a member name is missing", code="not-json")
            name, at = scanstring(text, at + 1, True)
            at = _skip(text, at)
            if text[at : at + 1] != ":":
                raise MalformedRecordError("a colon is missing", code="not-json")
            start = _skip(text, at + 1)
            value, end = _scan(text, start)
            if name in members:
                raise MalformedRecordError("a member name stands twice in one object", code="duplicate-member")
            members[name] = (value, text[start:end].encode())
            at = _skip(text, end)
            if text[at : at + 1] == "}":
                break
            if text[at : at + 1] != ",":
                raise MalformedRecordError("a comma is missing", code="not-json")
            at = _skip(text, at + 1)
        if _skip(text, at + 1) != len(text):
            raise MalformedRecordError("something follows the value", code="not-json")
    except (ValueError, RecursionError, StopIteration) as error:
        raise _malformed(error) from None
    _check_tree({name: value for name, (value, _) in members.items()}, data)
    return members


def _skip(text: str, at: int) -> int:
    return _WHITESPACE.match(text, at).end()  # type: ignore[union-attr]  # the pattern matches the empty string


def _malformed(error: Exception) -> MalformedRecordError:
    if isinstance(error, RecursionError):
        return MalformedRecordError(f"nested deeper than {MAX_DEPTH}", code="too-deep")
    if isinstance(error, json.JSONDecodeError):
        return MalformedRecordError(f"not JSON: {error.msg} at character {error.pos}", code="not-json")
    return MalformedRecordError("not JSON", code="not-json")


def _text(data: bytes) -> str:
    if data.startswith(_BOM):
        raise MalformedRecordError("begins with a byte order mark", code="bom")
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise MalformedRecordError(f"not UTF-8 at byte {error.start}", code="not-utf8") from None


def _check_tree(value: Any, data: bytes) -> None:
    # Both walks are needed only by few inputs, and the tests that spare them are two memchr-like scans.
    if data.count(b"{") + data.count(b"[") >= MAX_DEPTH:
        _check_depth(value)
    if b"\\u" in data:
        _check_strings(value)


def _check_depth(value: Any) -> None:
    level = [value]
    for _ in range(MAX_DEPTH):
        level = [
            child
            for parent in level
            if type(parent) is dict or type(parent) is list
            for child in (parent.values() if type(parent) is dict else parent)
        ]
        if not level:
            return
    raise MalformedRecordError(f"nested deeper than {MAX_DEPTH}", code="too-deep")


def _check_strings(value: Any) -> None:
    # A stack and not recursion: this runs on trees whose depth is already bounded, but costs nothing to keep flat.
    stack = [value]
    while stack:
        item = stack.pop()
        if type(item) is str:
            if _FORBIDDEN.search(item):
                raise MalformedRecordError("a string holds U+0000 or a lone surrogate", code="bad-string")
        elif type(item) is dict:
            stack.extend(item)
            stack.extend(item.values())
        elif type(item) is list:
            stack.extend(item)
