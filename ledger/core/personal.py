"""Personal data outside `_sd`: no text of a payload holds a resident ID or a mobile number (formats.md section 2, check 3)."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from typing import Any

from ledger.core import ids
from ledger.errors import PayloadError

# A sieve over the raw bytes that costs a microsecond, so that only suspects are walked: every digit becomes 0, every
# letter a, all else a full stop; then the ways in which people write these numbers are fixed strings.
_SIEVE = bytes(48 if 48 <= c <= 57 else 97 if 65 <= c <= 90 or 97 <= c <= 122 else 46 for c in range(256))
_SUSPECTS = (b"." + b"0" * 11, b"000.0000.0000", b"000000.00000000.000")
# Normalising a text costs more than all the rest, so it is done only where a byte of such a digit or blank stands:
# full-width digits and hyphen, mathematical digits, ideographic and no-break blank.
_FULL_WIDTH = re.compile(rb"\xef\xbc[\x8d\x90-\x99]")
_OTHER_FORMS = (b"\xf0\x9d\x9f", b"\xe3\x80\x80", b"\xc2\xa0")
_CREDIT_CODE_MEMBERS = frozenset({"enterprise", "holder", "uscc", "counterparty_uscc"})
_OPEN_MEMBERS = frozenset({"ext", "inputs"})
_QUANTITY_MEMBERS = {"value", "unit"}


def check_personal_data(payload: bytes, document: dict[str, Any]) -> None:
    """Raises PayloadError (code `personal-data`) where a string of `document`, which `payload` says, holds such a number."""
    if not suspicious(payload):
        return
    for pointer, word in _free_strings(document, "issuer" in document):
        found = ids.find_personal_data(word)
        if found:
            raise PayloadError(f"A {found} stands outside _sd.", code="personal-data", pointer=pointer)


def suspicious(payload: bytes) -> bool:
    """False when surely no string in these bytes of JSON holds such a number; costs three microseconds."""
    if b"\\" in payload:  # an escape can be a digit, or end in a letter that is none in the text
        return True
    if not payload.isascii() and (_FULL_WIDTH.search(payload) or any(mark in payload for mark in _OTHER_FORMS)):
        payload = unicodedata.normalize("NFKC", payload.decode()).encode()
    shape = payload.translate(_SIEVE)
    # Spelled out: a generator would cost as much as the search.
    eleven, mobile, resident = _SUSPECTS
    return eleven in shape or mobile in shape or resident in shape


def _free_strings(document: dict[str, Any], is_authority: bool) -> Iterator[tuple[str, str]]:
    """Every text that a person or program could have written freely, member names under `ext` among them.

    Left out are a quantity's value, which may well be eleven digits, and credit codes, which may look like a resident
    ID: both have a form of their own that the schema checked.
    """
    stack: list[tuple[str, Any, bool]] = [("", {k: v for k, v in document.items() if k != "_sd"}, False)]
    while stack:
        pointer, value, is_open = stack.pop()
        if type(value) is str:
            if not (is_authority and _is_credit_code(value)):
                yield pointer, value
        elif type(value) is list:
            stack.extend((f"{pointer}/{n}", item, is_open) for n, item in enumerate(value))
        elif type(value) is dict:
            if not is_open and value.keys() == _QUANTITY_MEMBERS:
                continue
            for name, item in value.items():
                if is_open:
                    # The name itself may be the number, so the pointer stops at the open member.
                    yield pointer, name
                    stack.append((pointer, item, True))
                elif name not in _CREDIT_CODE_MEMBERS:
                    stack.append((f"{pointer}/{name}", item, name in _OPEN_MEMBERS))


def _is_credit_code(text: str) -> bool:
    try:
        ids.check_credit_code(text)
    except ValueError:
        return False
    return True
