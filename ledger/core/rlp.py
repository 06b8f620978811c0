"""Recursive Length Prefix, strictly: Ethereum Yellow Paper, appendix B.

Only what a verifier needs. The decoder accepts exactly one spelling of every value, because a second spelling of a
header or a trie node would be a second hash for the same content. (The `rlp` package is as strict but costs 0.13 s of
the 0.3 s in which `hazledger verify bundle` has to start.)
"""

from __future__ import annotations

from collections.abc import Sequence

Rlp = bytes | list["Rlp"]
"""A byte string, or a list of values. Integers are big-endian byte strings without leading zeros."""

# Headers nest two deep, trie nodes with embedded children a few more; what is deeper is an attack on the stack.
MAX_DEPTH = 16


def decode(data: bytes) -> Rlp:
    """Decode the one value that `data` is.

    Raises:
        ValueError: the bytes end early or go on, a length is not written in its shortest form, a single byte below
            0x80 has a prefix, or the value nests deeper than MAX_DEPTH.
    """
    value, end = _item(data, 0, len(data), 1)
    if end != len(data):
        raise ValueError(f"RLP: {len(data) - end} bytes after the value")
    return value


def decode_list(data: bytes) -> list[Rlp]:
    """Decode `data` as one list; ValueError as `decode`, and when it is a byte string."""
    value = decode(data)
    if not isinstance(value, list):
        raise ValueError("RLP: a list is expected here, this is a byte string")  # noqa: TRY004 - one error for bad bytes
    return value


def encode(value: bytes | Sequence[object]) -> bytes:
    """Encode a byte string or a (nested) sequence of them; TypeError for anything else."""
    if isinstance(value, bytes):
        if len(value) == 1 and value[0] < 0x80:
            return value
        return _prefix(len(value), 0x80) + value
    if isinstance(value, (list, tuple)):
        body = b"".join(encode(item) for item in value)
        return _prefix(len(body), 0xC0) + body
    raise TypeError(f"RLP holds bytes and lists, not {type(value).__name__}")


def encode_uint(value: int) -> bytes:
    """The byte string of a non-negative integer: big-endian, no leading zero, empty for 0. Not yet RLP."""
    return value.to_bytes((value.bit_length() + 7) // 8, "big")


def decode_uint(value: Rlp, *, max_bytes: int = 32) -> int:
    """The integer that a decoded byte string stands for; ValueError for a list, a leading zero, or too many bytes."""
    if not isinstance(value, bytes) or len(value) > max_bytes:
        raise ValueError(f"RLP: an integer of at most {max_bytes} bytes is expected here")
    if value[:1] == b"\0":
        raise ValueError("RLP: an integer with a leading zero")
    return int.from_bytes(value, "big")


def _prefix(length: int, offset: int) -> bytes:
    if length < 56:
        return bytes([offset + length])
    size = encode_uint(length)
    return bytes([offset + 55 + len(size)]) + size


def _item(data: bytes, at: int, end: int, depth: int) -> tuple[Rlp, int]:
    if at >= end:
        raise ValueError("RLP: the bytes end where a value should begin")
    first = data[at]
    if first < 0x80:
        return data[at : at + 1], at + 1
    if first < 0xC0:
        start, stop = _span(data, at, end, first, 0x80)
        if stop - start == 1 and data[start] < 0x80:
            raise ValueError("RLP: a single byte below 0x80 stands for itself, without a prefix")
        return data[start:stop], stop
    if depth > MAX_DEPTH:
        raise ValueError(f"RLP: nested deeper than {MAX_DEPTH}")
    start, stop = _span(data, at, end, first, 0xC0)
    items: list[Rlp] = []
    while start < stop:
        item, start = _item(data, start, stop, depth + 1)
        items.append(item)
    return items, stop


def _span(data: bytes, at: int, end: int, first: int, offset: int) -> tuple[int, int]:
    """Start and end of the content whose prefix stands at `at`."""
    length = first - offset
    start = at + 1
    if length > 55:
        size = length - 55
        digits = data[start : start + size]
        start += size
        if start > end:
            raise ValueError("RLP: the bytes end inside a length")
        if digits[0] == 0:
            raise ValueError("RLP: a length with a leading zero")
        length = int.from_bytes(digits, "big")
        if length < 56:
            raise ValueError("RLP: a length below 56 has the short form")
    if start + length > end:
        raise ValueError("RLP: a length that reaches past the end")
    return start, start + length
