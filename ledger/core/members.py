"""Typed access to the members of a strict JSON object, for the two files that a verifier reads (sections 7 and 8).

Each reader names the member by its RFC 6901 pointer when it refuses, so that a person can find it.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, TypeVar

from ledger.core.encoding import b64_decode

T = TypeVar("T")

_HEX = re.compile(r"0x(?:[0-9A-Fa-f]{2})*", re.ASCII)


class MemberError(ValueError):
    """A member is missing, unknown, or not of its form. `pointer` says which; the caller gives it a check's number."""

    def __init__(self, detail: str, pointer: str) -> None:
        super().__init__(f"{pointer or '/'}: {detail}")
        self.detail = detail
        self.pointer = pointer


def exact_object(value: Any, pointer: str, required: frozenset[str], optional: frozenset[str] = frozenset()) -> Any:
    """`value` itself, when it is an object with all of `required` and nothing beyond `optional`."""
    if not isinstance(value, dict):
        raise MemberError("an object is expected here", pointer)
    for name in sorted(required - value.keys()):
        raise MemberError(f'the member "{name}" is missing', pointer)
    for name in sorted(value.keys() - required - optional):
        raise MemberError(f"unknown member {name[:40]!r}", pointer)
    return value


def items(value: Any, pointer: str, read: Callable[[Any, str], T], *, least: int = 0, most: int) -> tuple[T, ...]:
    """A list of `least` to `most` values, each read by `read(value, pointer)`."""
    if not isinstance(value, list):
        raise MemberError("a list is expected here", pointer)
    if not least <= len(value) <= most:
        raise MemberError(f"the list has {len(value)} items; {least} to {most} are allowed", pointer)
    return tuple(read(item, f"{pointer}/{at}") for at, item in enumerate(value))


def text(value: Any, pointer: str) -> str:
    """A string."""
    if not isinstance(value, str):
        raise MemberError("a string is expected here", pointer)
    return value


def boolean(value: Any, pointer: str) -> bool:
    """True or false."""
    if not isinstance(value, bool):
        raise MemberError("true or false is expected here", pointer)
    return value


def integer(value: Any, pointer: str, *, least: int = 0, most: int = 2**53 - 1) -> int:
    """An integer from `least` to `most`."""
    # bool is a subclass of int in Python; in JSON it is not a number.
    if not isinstance(value, int) or isinstance(value, bool):
        raise MemberError("an integer is expected here", pointer)
    if not least <= value <= most:
        raise MemberError(f"{value} is not from {least} to {most}", pointer)
    return value


def base64_bytes(value: Any, pointer: str, *, length: int | None = None, most: int | None = None) -> bytes:
    """Strict base64 of exactly `length`, or of 1 to `most`, bytes."""
    try:
        data = b64_decode(text(value, pointer))
    except MemberError:
        raise
    except ValueError:
        raise MemberError("not strict base64", pointer) from None
    if length is not None and len(data) != length:
        raise MemberError(f"{length} bytes are expected here, these are {len(data)}", pointer)
    if most is not None and not 1 <= len(data) <= most:
        raise MemberError(f"1 to {most} bytes are expected here, these are {len(data)}", pointer)
    return data


def hex_bytes(value: Any, pointer: str, *, length: int) -> bytes:
    """0x and exactly 2·`length` hex digits. Case is free: addresses are written in mixed case (EIP-55)."""
    word = text(value, pointer)
    if not _HEX.fullmatch(word) or len(word) != 2 + 2 * length:
        raise MemberError(f"0x and {2 * length} hex digits are expected here", pointer)
    return bytes.fromhex(word[2:])
