"""Disclosures: personal data beside the payload, bound to it by digest (formats.md section 6).

The digest rule is RFC 9901's: base64url(SHA-256(ASCII of the disclosure string)), over the string as it came; nothing is
ever serialised again. `name` is an RFC 6901 pointer into the payload.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Collection, Iterable, Sequence
from typing import Any

from ledger.core import strictjson
from ledger.core.encoding import b64url_decode, b64url_encode, sha256
from ledger.errors import DisclosureError, MalformedRecordError
from ledger.model import Disclosure, Payload

MAX_DISCLOSURES = 64
SALT_BYTES = 16
MAX_VALUE_BYTES = 1024
MAX_NAME_BYTES = 512
"""The longest pointer of a schema's list has about 60 bytes."""
MAX_TEXT_BYTES = 16 * 1024
"""1 KiB of value is at most 6 KiB when all of it is written as \\u escapes, and 4/3 of that in base64url."""
SD_SIZES = (8, 16, 32, 64)
"""`_sd` has one of these sizes, so that it does not tell how many fields there are."""
SD_ALG = "sha-256"

_POINTER = re.compile(r"(?:/(?:[^/~]|~[01])*)+")
_ARRAY_INDEX = re.compile(r"0|[1-9][0-9]*", re.ASCII)


def digest_of(text: str) -> str:
    """base64url(SHA-256(ASCII of the disclosure string)), as it stands in `_sd`."""
    return b64url_encode(sha256(text.encode("ascii")))


def parse_disclosure(text: str) -> Disclosure:
    """One disclosure string.

    Raises:
        DisclosureError: check 11, code `malformed-disclosure`.
    """
    if len(text) > MAX_TEXT_BYTES:
        raise _malformed("the disclosure is too long")
    try:
        parts = strictjson.loads(b64url_decode(text))
    except ValueError:
        raise _malformed("the disclosure is not strict base64url") from None
    except MalformedRecordError as error:
        raise _malformed(f"the disclosure is not strict JSON ({error.code})") from None
    if not isinstance(parts, list) or len(parts) != 3 or not all(isinstance(part, str) for part in parts):
        raise _malformed("a disclosure is an array of three strings: salt, name, value")
    salt, name, value = parts
    _check_parts(salt, name, value)
    return Disclosure(text=text, salt=salt, name=name, value=value, digest=digest_of(text))


def make_disclosure(name: str, value: str, salt: bytes) -> Disclosure:
    """A disclosure of our own: `salt` are 16 random bytes. DisclosureError for a name or value out of form."""
    encoded_salt = b64url_encode(salt)
    document = json.dumps([encoded_salt, name, value], ensure_ascii=False, separators=(",", ":"))
    try:
        return parse_disclosure(b64url_encode(document.encode("utf-8")))
    except UnicodeEncodeError:
        raise _malformed("a lone surrogate") from None


def match_disclosures(disclosures: Sequence[Disclosure], payload: Payload, allowed: Iterable[re.Pattern[str]]) -> None:
    """Check 11: each disclosure is one of `_sd`, none twice, each name may be disclosed and stands free.

    Args:
        disclosures: parsed; any subset of those the signer made.
        payload: has passed check 3.
        allowed: the pointers of the kind's schema (`record.disclosable_pointers`); a pointer must match one in full.

    Raises:
        DisclosureError: code too-many-disclosures, disclosure-repeated, not-in-sd, name-not-allowed or name-taken.
    """
    if len(disclosures) > MAX_DISCLOSURES:
        raise DisclosureError(f"more than {MAX_DISCLOSURES} disclosures", code="too-many-disclosures")
    patterns = tuple(allowed) if disclosures else ()
    listed = frozenset(payload.sd)
    digests: set[str] = set()
    names: set[str] = set()
    for disclosure in disclosures:
        name = disclosure.name
        if disclosure.digest in digests or name in names:
            raise DisclosureError("a digest or a name stands twice", code="disclosure-repeated", pointer=name)
        digests.add(disclosure.digest)
        names.add(name)
        if disclosure.digest not in listed:
            raise DisclosureError("the disclosure's digest is not in _sd", code="not-in-sd", pointer=name)
        if not any(pattern.fullmatch(name) for pattern in patterns):
            raise DisclosureError("this kind has no disclosure of that name", code="name-not-allowed", pointer=name)
        if _stands(payload.document, name):
            raise DisclosureError("the payload has a member at that name", code="name-taken", pointer=name)


def make_sd(disclosures: Collection[Disclosure], random_bytes: Callable[[int], bytes]) -> list[str]:
    """`_sd` for these disclosures: filled with decoys to the next size, sorted.

    Args:
        disclosures: at most 64, distinct digests.
        random_bytes: n -> n fresh random bytes (`os.urandom`); a decoy's 32 are hashed and not kept.
    """
    digests = {disclosure.digest for disclosure in disclosures}
    if len(digests) != len(disclosures):
        raise DisclosureError("a digest stands twice", code="disclosure-repeated")
    if len(digests) > MAX_DISCLOSURES:
        raise DisclosureError(f"more than {MAX_DISCLOSURES} disclosures", code="too-many-disclosures")
    size = next(size for size in SD_SIZES if size >= len(digests))
    while len(digests) < size:
        digests.add(b64url_encode(sha256(random_bytes(32))))
    return sorted(digests)


def _check_parts(salt: str, name: str, value: str) -> None:
    try:
        salt_bytes = b64url_decode(salt)
    except ValueError:
        salt_bytes = b""
    if len(salt_bytes) != SALT_BYTES:
        raise _malformed(f"the salt is not {SALT_BYTES} bytes in base64url")
    if len(name.encode()) > MAX_NAME_BYTES or not _POINTER.fullmatch(name):
        raise _malformed("the name is not an RFC 6901 pointer")
    if len(value.encode()) > MAX_VALUE_BYTES:
        raise _malformed(f"the value is larger than {MAX_VALUE_BYTES} bytes")


def _stands(document: Any, pointer: str) -> bool:
    """Whether a member or element stands at `pointer` (RFC 6901 section 4)."""
    at = document
    for escaped in pointer.split("/")[1:]:
        token = escaped.replace("~1", "/").replace("~0", "~")
        if isinstance(at, dict):
            if token not in at:
                return False
            at = at[token]
        elif isinstance(at, list):
            if not _ARRAY_INDEX.fullmatch(token) or len(token) > 9 or int(token) >= len(at):
                return False
            at = at[int(token)]
        else:
            return False
    return True


def _malformed(detail: str) -> DisclosureError:
    return DisclosureError(detail, code="malformed-disclosure")
