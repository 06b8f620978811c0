"""The log entry: what a leaf's hash covers (formats.md section 3). No personal data, never the payload.

The verifier never trusts an entry that it is given: it rebuilds the bytes with `entry_of` and compares.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from ledger.core.dsse import MAX_SIGNATURES, PAYLOAD_TYPE
from ledger.core.encoding import b64_decode, b64_encode
from ledger.core.keys import ED25519, ES256
from ledger.core.strictjson import MAX_INTEGER
from ledger.errors import VerificationError
from ledger.model import Envelope, PayloadHeader

ENTRY_FORMAT = "hazledger/entry/v1"
JWS_SUFFIX = ";jws"
ENTRY_TYPES = (PAYLOAD_TYPE, PAYLOAD_TYPE + JWS_SUFFIX)
CHECK_ENTRY = 6

_ID = r"[A-Za-z0-9][A-Za-z0-9._-]{0,31}"
_ENTRY = re.compile(
    rf"""hazledger/entry/v1\n
    (?P<record_id>[0-9a-f]{{64}})\n
    (?P<holder>[0-9A-Z]{{18}}|[a-z][a-z0-9.-]{{1,62}})\n
    (?P<site>{_ID})/(?P<book>{_ID})[ ](?P<seq>[1-9][0-9]{{0,15}})\n
    (?P<type>[!-~]+)\n
    (?P<signatures>(?:[0-9a-f]{{64}}[ ](?:{ES256}|{ED25519})[ ][A-Za-z0-9+/=]+\n){{1,{MAX_SIGNATURES}}})
    (?P<received>[1-9][0-9]{{0,15}})\n""",
    re.ASCII | re.VERBOSE,
)
_ANY_VERSION = re.compile(r"hazledger/entry/v[0-9]{1,9}", re.ASCII)

EntrySignature = tuple[str, str, bytes]
"""(keyid, algorithm, signature): the signature as it came, DER for ES256 in DSSE."""


@dataclass(frozen=True, slots=True)
class Entry:
    """The parts of one entry. `received` is unix milliseconds."""

    record_id: str
    holder: str
    site: str
    book: str
    seq: int
    type: str
    signatures: tuple[EntrySignature, ...]
    received: int


def build_entry(
    *,
    record_id: str,
    holder: str,
    site: str,
    book: str,
    seq: int,
    type: str,  # noqa: A002 - the word of formats.md
    signatures: Iterable[EntrySignature],
    received: int,
) -> bytes:
    """The entry's exact bytes. The parts are taken as they are: they have passed checks 1 and 3."""
    lines = ""
    for keyid, algorithm, sig in signatures:  # four at most
        lines += f"{keyid} {algorithm} {b64_encode(sig)}\n"
    text = f"{ENTRY_FORMAT}\n{record_id}\n{holder}\n{site}/{book} {seq}\n{type}\n{lines}{received}\n"
    return text.encode("ascii")


def entry_of(
    envelope: Envelope, payload: PayloadHeader, record_id: str, received: int, algorithms: Sequence[str]
) -> bytes:
    """The entry of a DSSE envelope. `algorithms` are those of the signers' keys, in the envelope's order."""
    return build_entry(
        record_id=record_id,
        holder=payload.holder,
        site=payload.site,
        book=payload.book,
        seq=payload.seq,
        type=envelope.payload_type,
        signatures=[(s.keyid, algorithm, s.sig) for s, algorithm in zip(envelope.signatures, algorithms, strict=True)],
        received=received,
    )


def parse_entry(data: bytes) -> Entry:
    """The parts of an entry from a bundle of entries.

    Raises:
        VerificationError: check 6; code `unknown-format` for another version or type, else `malformed-entry`.
    """
    try:
        text = data.decode("ascii")
        match = _ENTRY.fullmatch(text)
        if match is None:
            first = text.partition("\n")[0]
            if first != ENTRY_FORMAT and _ANY_VERSION.fullmatch(first):
                raise VerificationError(f"entry format {first}", check=CHECK_ENTRY, code="unknown-format")
            raise ValueError("not the lines of formats.md section 3")  # noqa: TRY301 - one exit for every defect
        if match["type"] not in ENTRY_TYPES:
            raise VerificationError(f"entry type {match['type'][:100]}", check=CHECK_ENTRY, code="unknown-format")
        seq = int(match["seq"])
        if seq > MAX_INTEGER:
            raise ValueError("seq is beyond 2^53-1")  # noqa: TRY301 - as above
        signatures = tuple(
            (keyid, algorithm, b64_decode(sig))
            for keyid, algorithm, sig in (line.split(" ") for line in match["signatures"][:-1].split("\n"))
        )
    except ValueError as error:
        raise VerificationError(f"not an entry: {error}", check=CHECK_ENTRY, code="malformed-entry") from None
    return Entry(
        record_id=match["record_id"],
        holder=match["holder"],
        site=match["site"],
        book=match["book"],
        seq=seq,
        type=match["type"],
        signatures=signatures,
        received=int(match["received"]),
    )
