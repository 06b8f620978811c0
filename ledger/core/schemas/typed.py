"""Stock records checked without a validator: as strict as their schemas, in a third of the time.

Of each schema two things are made: a type into which msgspec parses (members, types, ranges), and one pattern for what
the parsed value is when it is written again (the words themselves). What a schema asks beyond that stands here as a
function. A member whose schema says something else has no type here, so a payload that has it is left to the exact
reader; so is every other kind and spelling. **None is never a refusal**: what is valid here `record.parse_payload` accepts
too, which tests/core/test_typed.py compares, and it alone words a refusal.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import cache, lru_cache
from itertools import groupby, pairwise
from typing import Annotated, Any, Literal, NamedTuple

import msgspec
from msgspec import UNSET, Meta, UnsetType

from ledger.core import ids, quantity
from ledger.core.schemas import check_goods_code, schema

KINDS = frozenset({"movement", "stocktake", "close"})
"""Nearly all of any log. The others are rare, and of some the audit wants the body."""

_HEAD = ("v", "log", "kind", "enterprise", "site", "book")
_REST = ("seq", "prev", "signers", "nonce", "event_time", "body", "_sd", "_sd_alg")
_CUT, _NONCE, _BODY = b',"seq":', b',"nonce":"', b',"body":{'
_CACHED_HEADS = 4096
"""All records of a book begin with the same hundred bytes; a county has fewer books of one kind."""
_SD_SIZES = frozenset({8, 16, 32, 64})
_CACHED_WORDS = 4096
_SAFE_DIGITS = 7
"""10^7 of the largest unit are 10^16 base units: with so many digits before the point nothing is beyond the limit."""
_QUANTITY = "_common.json#/$defs/quantity"

_ANNOTATIONS = frozenset({"description", "title"})
_TEXT = r"^[^\u0000-\u001f\u007f]+$"
_PLAIN = re.compile(r'\^(?:[^^.$"\\\[\]]|\\[^"A-Za-z0-9]|\[[^^"\\\]][^"\\\]]*\])*\$')
"""A schema's pattern that matches no quotation mark: neither a point nor a negated class in it. Anchored once."""


_NOT_OF_TYPE = (ValueError, RecursionError)
"""msgspec.DecodeError is a ValueError, and so is text that is not UTF-8."""
_written = msgspec.json.Encoder().encode


class UntypedError(Exception):
    """A schema says what has no type here. Caught where types are made: the member, or the kind, is left out."""


class Head(NamedTuple):
    """What the records of one kind in one book have in common."""

    log: str
    kind: str
    holder: str
    site: str
    book: str
    decode: Callable[[bytes], Any]
    """The rest of such a payload into its type."""
    matches: Callable[[bytes], object]
    """Whether the words of a rest are of the form that the schema asks for. Not None when they are."""


def read(payload: bytes) -> tuple[Head, Any, bytes] | None:
    """(head, rest, tail) of a valid payload, or None: then ask the exact reader.

    `rest` has the members from `seq` on, absent ones as UNSET; `tail` is what of the bytes may hold free text. *Not* checked:
    personal data in `tail`, which is the caller's. The head's words are checked for it.
    """
    cut = payload.find(_CUT)
    if cut < 0 or b"\\" in payload:
        return None
    head = _head(payload[:cut])
    if head is None:
        return None
    text = b"{" + payload[cut + 1 :]
    try:
        rest = head.decode(text)
    except _NOT_OF_TYPE:
        return None
    # What matches as it came has each member once, in the schema's order, and its numbers in their one spelling.
    if head.matches(text) is None:
        written = _written(rest)
        # Another order, then. Written again it can only be shorter: by a repeated member, white space, -0 or 1.0. Of the same
        # length, nothing was lost.
        if len(written) != len(text) or head.matches(written) is None:
            return None
    # Before the nonce stand hex digits only, unless the members come in another order.
    tail = text.find(_NONCE)
    if tail < 0 or text.find(_BODY, tail) < 0:
        tail = 0
    return head, rest, text[tail:]


@lru_cache(maxsize=_CACHED_HEADS)
def _head(prefix: bytes) -> Head | None:
    text = prefix + b"}"
    try:
        kind = msgspec.json.decode(text, type=_Kind).kind
        if kind not in KINDS:
            return None
        made = _made(kind, _HEAD)
        head = made.decode(text)
        ids.check_credit_code(head.enterprise)
    except _NOT_OF_TYPE:
        return None
    written = _written(head)
    if len(written) != len(text) or made.matches(written) is None or head.log.startswith("hazledger/"):
        return None
    if any(ids.find_personal_data(word) for word in (head.log, head.site, head.book)):
        return None
    rest = _made(kind, _REST)
    return Head(head.log, kind, head.enterprise, head.site, head.book, rest.decode, rest.matches)


class _Kind(msgspec.Struct):
    kind: str


# --- what the schemas ask beyond types and words ----------------------------------------------------------------------

_goods_code = lru_cache(maxsize=_CACHED_WORDS)(check_goods_code)


def _line(line: Any) -> None:
    if line.packaging == "sealed" and line.pieces is UNSET:
        raise ValueError
    counted = line.quantity.unit == "H87"
    if line.goods == "chemical":
        if line.store is UNSET or counted:
            raise ValueError
    elif not counted and line.goods != "explosive":
        raise ValueError
    _goods_code(line.code)


def _counterparty(other: Any) -> None:
    if other.type == "enterprise":
        if other.country is not UNSET or other.uscc is UNSET:
            raise ValueError
        ids.check_credit_code(other.uscc)
    elif other.uscc is not UNSET:
        raise ValueError
    elif other.type == "foreign":
        if other.country is UNSET:
            raise ValueError
    elif other.name is not UNSET or other.address is not UNSET or other.licence is not UNSET:
        raise ValueError


_REASONS = {
    "in": frozenset({"purchase", "return", "production", "transfer", "dilution", "found", "issue"}),
    "out": frozenset({"sale", "issue", "return", "consumption", "transfer", "dilution", "disposal", "loss"}),
}


def _movement(body: Any) -> None:
    if body.reason not in _REASONS[body.direction] or (body.reason == "loss") is (body.loss_cause is UNSET):
        raise ValueError


def _rest(rest: Any) -> None:
    if (rest.seq == 1) is not (rest.prev is None):
        raise ValueError
    if len(rest.signers) > 1 and not _ascending(rest.signers):
        raise ValueError
    if rest.sd is UNSET:
        if rest.sd_alg is not UNSET:
            raise ValueError
    elif rest.sd_alg is UNSET or len(rest.sd) not in _SD_SIZES or not _ascending(rest.sd):
        raise ValueError


def _ascending(words: list[str]) -> bool:
    """In order, and none twice."""
    return all(left < right for left, right in pairwise(words))


class _Beyond(NamedTuple):
    """`check` raises ValueError. It covers these keywords of the object, and these members' words or x-check."""

    check: Callable[[Any], None]
    keywords: frozenset[str]
    members: frozenset[str] = frozenset()


_BEYOND = {
    "_common.json#/$defs/line": _Beyond(_line, frozenset({"allOf"}), frozenset({"code"})),
    "_common.json#/$defs/counterparty": _Beyond(_counterparty, frozenset({"anyOf"}), frozenset({"uscc"})),
    "movement.json#/$defs/body": _Beyond(_movement, frozenset({"anyOf", "allOf"})),
}
_OF_REST = _Beyond(_rest, frozenset(), frozenset({"signers", "_sd"}))
_OF_HEAD = _Beyond(lambda _head: None, frozenset(), frozenset({"log", "enterprise"}))
"""`_head` itself checks those."""


# --- types and patterns out of schemas ----------------------------------------------------------------------------------


class _Made(NamedTuple):
    decode: Callable[[bytes], Any]
    matches: Callable[[bytes], object]


class _Part(NamedTuple):
    """A msgspec type, and the pattern of its JSON as msgspec writes it."""

    type: Any
    pattern: str


@cache
def _made(kind: str, members: tuple[str, ...]) -> _Made:
    """For these members of a kind's payload."""
    part = _members(kind, members)
    return _Made(msgspec.json.Decoder(part.type).decode, re.compile(part.pattern.encode()).fullmatch)


def _members(kind: str, members: tuple[str, ...]) -> _Part:
    root = schema(kind)
    return _object(
        {
            "type": "object",
            "additionalProperties": False,
            "required": [name for name in root["required"] if name in members],
            "properties": {name: root["properties"][name] for name in members},
        },
        f"{kind}.json",
        _OF_REST if members is _REST else _OF_HEAD,
    )


@cache
def _named(place: str) -> _Part:
    if place == _QUANTITY:
        return _quantity()
    file, _, steps = place.partition("#/$defs/")
    return _part(schema(file.removesuffix(".json"))["$defs"][steps], file, _BEYOND.get(place))


def _quantity() -> _Part:
    """All that the schema and `x-check` say of a quantity of so few digits, in the pattern."""
    forms = []
    for decimals, units in groupby(sorted(quantity.UNITS.values(), key=_decimals), key=_decimals):
        fraction = rf"(?:\.[0-9]{{1,{decimals}}})?" if decimals else ""
        forms.append(rf'{fraction}","unit":"(?:{"|".join(unit.code for unit in units)})"')
    made = msgspec.defstruct("Quantity", [("value", str), ("unit", str)], forbid_unknown_fields=True, gc=False)
    return _Part(made, rf'\{{"value":"(?>0|[1-9][0-9]{{0,{_SAFE_DIGITS - 1}}})(?:{"|".join(forms)})\}}')


def _decimals(unit: quantity.Unit) -> int:
    return unit.decimals


def _part(node: dict[str, Any], file: str, beyond: _Beyond | None = None, *, covered: bool = False) -> _Part:
    """`covered`: what the node says beyond its type is checked by the object that holds it."""
    said = node.keys() - _ANNOTATIONS
    if "$ref" in node and said == {"$ref"}:
        ref = node["$ref"] if not node["$ref"].startswith("#") else file + node["$ref"]
        if covered:
            at, _, name = ref.partition("#/$defs/")
            return _part(schema(at.removesuffix(".json"))["$defs"][name], at, covered=True)
        return _named(ref)
    if said in ({"enum"}, {"const"}):
        return _one_of(node.get("enum", [node.get("const")]))
    if said == {"anyOf"} and len(node["anyOf"]) == 2 and node["anyOf"][0] == {"type": "null"}:
        inner = _part(node["anyOf"][1], file)
        return _Part(inner.type | None, f"(?:null|{inner.pattern})")
    kind = node.get("type")
    if kind == "boolean" and said == {"type"}:
        return _Part(bool, "(?:true|false)")
    if kind == "integer" and said == {"type", "minimum", "maximum"}:
        return _Part(Annotated[int, Meta(ge=node["minimum"], le=node["maximum"])], "(?>0|-?[1-9][0-9]*+)")
    if kind == "string":
        return _string(node, said, covered=covered)
    if kind == "array" and (covered or said <= {"type", "items", "minItems", "maxItems"}):
        item = _part(node["items"], file)
        sizes = Meta(min_length=node.get("minItems"), max_length=node.get("maxItems"))
        return _Part(Annotated[list[item.type], sizes], rf"\[(?:{item.pattern}(?:,{item.pattern})*+)?+\]")  # type: ignore[name-defined]
    if kind == "object":
        return _object(node, file, beyond)
    raise UntypedError(sorted(said))


def _one_of(values: list[Any]) -> _Part:
    if all(type(value) in {str, int} for value in values):
        return _Part(
            Literal[tuple(values)], f"(?:{'|'.join(re.escape(msgspec.json.encode(v).decode()) for v in values)})"
        )
    raise UntypedError(values)


def _string(node: dict[str, Any], said: frozenset[str] | set[str], *, covered: bool) -> _Part:
    pattern = node.get("pattern")
    if pattern == _TEXT and said == {"type", "pattern", "minLength", "maxLength"}:
        sizes = Meta(min_length=node["minLength"], max_length=node["maxLength"])
        return _Part(Annotated[str, sizes], r'"[^\x00-\x1f\x7f"\\]*+"')
    sizes = Meta(max_length=node.get("maxLength"))
    if pattern is None and covered:
        return _Part(Annotated[str, sizes], r'"[^\x00-\x1f"\\]*+"')
    if pattern is None or not (covered or said == {"type", "pattern"}) or "minLength" in said:
        raise UntypedError(sorted(said))
    if not _PLAIN.fullmatch(pattern):
        raise UntypedError(pattern)
    return _Part(Annotated[str, sizes], f'"(?>{pattern[1:-1]})"')


def _object(node: dict[str, Any], file: str, beyond: _Beyond | None) -> _Part:
    keywords = node.keys() - _ANNOTATIONS - {"type", "additionalProperties", "required", "properties"}
    if node.get("additionalProperties") is not False or keywords != (beyond.keywords if beyond else frozenset()):
        raise UntypedError(sorted(keywords))
    fields: list[Any] = []
    pattern = ""
    required = node.get("required", ())
    if not required or next(iter(node["properties"])) not in required:
        raise UntypedError("the first member may be absent, so where the commas stand is no fixed pattern")
    for name, said in node["properties"].items():
        try:
            part = _part(said, file, covered=beyond is not None and name in beyond.members)
        except UntypedError:
            if name in required:
                raise
            continue
        member = f'{"," if fields else ""}"{name}":{part.pattern}'
        if name in required:
            fields.append((name.lstrip("_"), part.type))
            pattern += member
        else:
            fields.append((name.lstrip("_"), part.type | UnsetType, UNSET))
            pattern += f"(?:{member})?+"
    made = msgspec.defstruct(
        "Typed",
        fields,
        namespace={} if beyond is None else {"__post_init__": beyond.check},
        rename=lambda name: f"_{name}" if f"_{name}" in node["properties"] else None,
        forbid_unknown_fields=True,
        kw_only=True,
        gc=False,
    )
    return _Part(made, rf"\{{{pattern}\}}")
