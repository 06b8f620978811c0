"""The one JSON reader for everything that is signed, hashed or trusted (formats.md, first paragraph).

RFC 8259 narrowed until two readers cannot disagree: no duplicate member (after unescaping), integers only and within
±(2^53-1), no U+0000, no lone surrogate, at most 16 levels, UTF-8 without BOM. `true`, `false` and `null` pass; the
schema decides on those. *Not* checked: which members there are.

The exact reader stands on the C scanner of the standard library, whose hooks see each object and each number. Most input is
plain (compact, no escapes); for that a quicker parser is asked first, and believed only where the two cannot differ.
"""

from __future__ import annotations

import json
import re
from json.decoder import scanstring  # type: ignore[attr-defined]  # CPython's C string scanner, named in json.decoder
from typing import Annotated, Any, Never

import msgspec

from ledger.errors import MalformedRecordError

MAX_DEPTH = 16
"""The outermost value has depth 1; a value at depth 17 is refused (formats.md)."""
MAX_INTEGER = 2**53 - 1
"""What every JSON reader, JavaScript's among them, holds exactly."""

_MAX_INTEGER_CHARS = len(str(-MAX_INTEGER))
_WHITESPACE = re.compile(r"[ \t\n\r]*")
# U+0000 and the surrogates: json.loads lets them through when they are written as \u escapes.
# What the first pattern finds may be half of a good pair or follow another backslash, so the second one decides.
_FORBIDDEN_ESCAPE = re.compile(rb"\\u(?:0000|[dD][89a-fA-F])")
_FORBIDDEN = re.compile("[\x00\ud800-\udfff]")
# A single byte is looked for at the speed of memory, a pair of bytes is not: so the single byte goes first.
_GAPS = ((b" ", b" :"), (b"\t", b"\t:"), (b"\n", b"\n:"), (b"\r", b"\r:"))
_QUICK_ERRORS = (msgspec.DecodeError, ValueError, RecursionError)
_MANY_OPENERS = 2000
"""Both parsers recurse in C, and how deep they may go is the process's recursion limit, which a library far away may have
raised (py_ecc, behind web3, sets 100,000): then 100 KB of `[` overflow the stack and kill the process. So few openers
cannot nest deep enough for that; where there are more, the depth is measured first, without recursion."""
_BRACKET = re.compile(rb'"(?:[^"\\]|\\.)*+"|[\[{]|[\]}]', re.DOTALL)
_BOM = b"\xef\xbb\xbf"

QUICK_DEPTH = 8
"""The quick parser takes values that nest so deep, as all that we write do. Half of MAX_DEPTH, because its tables double with
each level (6 ms to make these); what nests deeper the exact reader reads."""


def _type_of_depth(depth: int) -> Any:
    """The type of JSON values of at most this depth with integers in range: msgspec then counts and compares in C."""
    scalar = str | Annotated[int, msgspec.Meta(ge=-MAX_INTEGER, le=MAX_INTEGER)] | bool | None
    of_depth: Any = scalar
    for _ in range(depth - 1):
        of_depth = dict[str, of_depth] | list[of_depth] | scalar
    return of_depth


_QUICK = msgspec.json.Decoder(_type_of_depth(QUICK_DEPTH))
_QUICK_MEMBERS = msgspec.json.Decoder(dict[str, msgspec.Raw])


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


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise MalformedRecordError("a member name stands twice in one object", code="duplicate-member")
    return members


_DECODER = json.JSONDecoder(
    object_pairs_hook=_object, parse_int=_integer, parse_float=_no_number, parse_constant=_no_number
)
_scan = _DECODER.scan_once  # type: ignore[attr-defined]  # (text, index) -> (value, end); StopIteration when no value


def loads(data: bytes) -> Any:
    """The one JSON value in `data`.

    Raises:
        MalformedRecordError: code not-utf8, bom, not-json, duplicate-member, bad-number, bad-string or too-deep.
    """
    check_nesting(data)
    if b"\\" not in data:
        try:
            value = _QUICK.decode(data)
        except _QUICK_ERRORS:
            return _loads_exactly(data)
        if _is_plain(value, data):
            return value
    return _loads_exactly(data)


def loads_members(data: bytes) -> dict[str, tuple[Any, bytes]]:
    """The members of the one JSON object in `data`, each with the exact bytes of its value.

    For what is kept as it came although it travels inside another object (the envelope in a submission or a bundle).

    Raises:
        MalformedRecordError: as `loads`; code not-an-object when the outermost value is no object.
    """
    check_nesting(data)
    if b"\\" not in data:
        try:
            raws = _QUICK_MEMBERS.decode(data)
            values = {name: _QUICK.decode(raw) for name, raw in raws.items()}
        except _QUICK_ERRORS:
            return _loads_members_exactly(data)
        if _is_plain(values, data):
            return {name: (values[name], bytes(raw)) for name, raw in raws.items()}
    return _loads_members_exactly(data)


def check_nesting(data: bytes) -> None:
    """No parser is shown what could exhaust the C stack. Anything else that is wrong, the parsers say.

    Raises: MalformedRecordError, code too-deep.
    """
    if len(data) <= _MANY_OPENERS or data.count(b"[") + data.count(b"{") <= _MANY_OPENERS:
        return
    depth = 0
    for found in _BRACKET.finditer(data):
        mark = found[0]
        if mark in b"[{":
            depth += 1
            if depth > MAX_DEPTH:
                raise MalformedRecordError(f"nested more than {MAX_DEPTH} deep", code="too-deep")
        elif mark in b"]}":
            depth -= 1


def _is_plain(value: Any, data: bytes) -> bool:
    """Whether what the quick parser made of `data` is surely what the exact reader would make of it.

    msgspec is as strict as RFC 8259 and three times as fast as the standard library, and its types bound depth and numbers
    here; but it keeps the last of two equal names, and reads -0 as 0. False only means that the exact reader decides, and
    it words the refusal.
    """
    # Compact text, which our own clients write: nothing was dropped and no -0 was read if it comes out the same again.
    if msgspec.json.encode(value) == data:
        return True
    # Without a backslash and without white space before a colon, each member shows as `":` at least once (a string may
    # show one more), so equal counts leave no room for a dropped duplicate.
    members = 0
    stack = [value]
    while stack:
        node = stack.pop()
        kind = type(node)
        if kind is dict:
            members += len(node)
            stack += node.values()
        elif kind is list:
            stack += node
        elif kind is int and node == 0 and b"-0" in data:
            return False
    return data.count(b'":') == members and not any(space in data and gap in data for space, gap in _GAPS)


def _loads_exactly(data: bytes) -> Any:
    text = _text(data)
    try:
        value = _DECODER.decode(text)
    except (ValueError, RecursionError) as error:
        raise _malformed(error) from None
    _check_tree(value, data)
    return value


def _loads_members_exactly(data: bytes) -> dict[str, tuple[Any, bytes]]:
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
    _check_depth(value)
    if _FORBIDDEN_ESCAPE.search(data):
        _check_strings(value)


def _check_depth(value: Any) -> None:
    level = [value]
    for _ in range(MAX_DEPTH):
        below: list[Any] = []
        for node in level:
            if type(node) is dict:
                below += node.values()
            elif type(node) is list:
                below += node
        if not below:
            return
        level = below
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
