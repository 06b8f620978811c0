"""What erasable data says while it is there, kept for ever as facts (engine.md): whether an ID is valid, whether its bearer
is a minor, and a surrogate for the person. Never the data itself, nothing from which it could be found again.

A surrogate is 16 random bytes that stand for one value: one natural person by the number of his document; and, for the
rules about linked parties (catalogue B10, H05), one telephone, one postal address, one name. It is found again only by a
keyed digest (HMAC-SHA-256, RFC 2104) whose key the installation keeps apart from the database: of the few 10^10 possible
ID numbers a bare hash would give each away. Erasure deletes the disclosures and these digests; the facts, and so every
replay, stay as they were, and nobody can tell any more whose surrogate it was.
"""

from __future__ import annotations

import hmac
import json
import re
import unicodedata
from collections.abc import Callable, Sequence
from datetime import datetime, tzinfo
from hashlib import sha256
from typing import Any

from ledger.core.ids import check_resident_id
from ledger.model import Disclosure, UnixMs

LEGAL_AGES = (14, 16, 18)
"""The ages that mean something in law (18: Civil Code art. 17; 16: art. 18; 14: Criminal Law art. 17). Facts say which of
them was reached on the day, and no more: an age in years, event by event, would spell out a birthday.
"""
ADULT_YEARS = 18

SURROGATE_BYTES = 16
LOOKUP_KEY_BYTES = 32
_DOMAIN = "hazledger/lookup/v1"

_KINDS = {"id_number": "document", "phone": "phone", "address": "address", "name": "name"}
"""The last part of a pointer → what its value is. All other disclosures (plates, certificates, free text) link nobody."""
_LEAST_SIGNS = {"document": 6, "phone": 7, "address": 6, "name": 2}
"""A shorter value ("-", "none", one letter) tells nobody apart, and would make one person of all who wrote it."""
_COUNTRY_CODE = re.compile(r"(?:00)?86(?=1[3-9][0-9]{9}$)")


def linked_value(disclosure: Disclosure) -> tuple[str, str] | None:
    """(kind, normalised value) of a disclosure that links parties; None of any other, and of what names nobody.

    Kinds: document, phone, address, name. Written another way (width, blanks, hyphens, case, +86) it is the same value.
    """
    kind = _KINDS.get(disclosure.name.rpartition("/")[2])
    if kind is None:
        return None
    value = _normalised(kind, disclosure.value)
    telling = len(value) >= _LEAST_SIGNS[kind] and (kind == "name" or len(set(value)) > 1)
    return (kind, value) if telling else None


def lookup_digest(key: bytes, kind: str, value: str) -> str:
    """The keyed digest (lower-case hex) under which the surrogate of a normalised value is found again."""
    return hmac.new(key, f"{_DOMAIN}\n{kind}\n{value}".encode(), sha256).hexdigest()


def lookup_of(key: bytes, disclosure: Disclosure) -> str:
    """`lookup_digest` of a disclosure's value; empty where it links nobody."""
    linked = linked_value(disclosure)
    return "" if linked is None else lookup_digest(key, *linked)


def facts_of(
    disclosures: Sequence[Disclosure],
    event_time_ms: UnixMs,
    zone: tzinfo,
    surrogate_of: Callable[[Disclosure], str | None],
) -> dict[str, Any] | None:
    """The facts row of a record that came with these disclosures; None when they give no fact.

    Args:
        disclosures: parsed and matched (check 11), of one record.
        event_time_ms: claimed; ages are those of that day in `zone`.
        zone: of the county.
        surrogate_of: 32 hex digits; None for what links nobody.

    Returns:
        {"ids": {pointer: {"valid", "minor", "age_from", "person"}}, "links": {pointer: surrogate}}, pointers as disclosed.
        `valid`: a resident ID by GB 11643 (birth date and check character), so False for a passport's number, which the
        payload's `identity_checks` tells; `minor` and `age_from` (0 or one of LEGAL_AGES) are null where it is not.
        `links` holds telephones, addresses and names.
    """
    ids: dict[str, Any] = {}
    links: dict[str, str] = {}
    for disclosure in disclosures:
        kind = _KINDS.get(disclosure.name.rpartition("/")[2])
        if kind is None:
            continue
        surrogate = surrogate_of(disclosure)
        if kind == "document":
            ids[disclosure.name] = {**_id_facts(disclosure.value, event_time_ms, zone), "person": surrogate}
        elif surrogate is not None:
            links[disclosure.name] = surrogate
    row = {**({"ids": ids} if ids else {}), **({"links": links} if links else {})}
    return row or None


def digested(index: int, row: Any) -> bytes:
    """One facts row as a `tick`'s `facts` covers it: SHA-256 over these lines, from the last tick's index on, ascending.

    index SP JSON LF; the JSON without white space, members sorted, other than ASCII as \\u escapes.
    """
    return f"{index} {json.dumps(row, sort_keys=True, separators=(',', ':'))}\n".encode("ascii")


def _id_facts(text: str, event_time_ms: UnixMs, zone: tzinfo) -> dict[str, Any]:
    number = _normalised("document", text)
    try:
        check_resident_id(number)
    except ValueError:
        return {"valid": False, "minor": None, "age_from": None}
    born = int(number[6:10]), int(number[10:12]), int(number[12:14])
    day = datetime.fromtimestamp(event_time_ms / 1000, zone)
    # Born on a 29 February, one is a year older on 1 March of a common year, as the comparison of days has it.
    age = day.year - born[0] - ((day.month, day.day) < born[1:])
    return {
        "valid": True,
        "minor": age < ADULT_YEARS,
        "age_from": max((legal for legal in LEGAL_AGES if legal <= age), default=0),
    }


def _normalised(kind: str, text: str) -> str:
    plain = unicodedata.normalize("NFKC", text)
    if kind == "document":
        return "".join(sign for sign in plain if sign.isalnum()).upper()
    if kind == "phone":
        return _COUNTRY_CODE.sub("", "".join(sign for sign in plain if sign in "0123456789"))
    # Names and addresses: blanks and punctuation differ from clerk to clerk.
    return "".join(sign for sign in plain if sign.isalnum()).casefold()
