"""The nouns: what passes from one stage to the next. Plain frozen data; no behaviour, no IO.

Member names are those of formats.md. Bytes that were signed are kept as bytes. What is made for each record is a
msgspec.Struct: made in a fifth of the time that a frozen dataclass takes.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import IntEnum
from typing import Any, NewType

import msgspec

RecordId = NewType("RecordId", str)
"""Lower-case hex SHA-256 of the payload bytes (formats.md section 2)."""
LeafIndex = NewType("LeafIndex", int)
"""Position in the log, contiguous from 0."""
TreeSize = NewType("TreeSize", int)
"""Number of leaves; a leaf of index i is in every tree of size > i."""
BlockNumber = NewType("BlockNumber", int)
UnixMs = NewType("UnixMs", int)
"""Milliseconds since 1970-01-01T00:00:00Z."""


class Role(IntEnum):
    """Who may sign what (formats.md section 2, table of roles)."""

    ENTERPRISE = 1
    SUPERVISOR = 2
    PLATFORM = 3
    AUTHORITY = 4


class Signature(msgspec.Struct, frozen=True):
    """One signature as it came. `sig` is DER for ES256 in DSSE, 64 bytes for Ed25519."""

    keyid: str
    sig: bytes


class Envelope(msgspec.Struct, frozen=True):
    """A parsed DSSE envelope (formats.md section 1). `raw` are the exact bytes that came and that are kept."""

    payload_type: str
    payload: bytes
    signatures: tuple[Signature, ...]
    raw: bytes


class PayloadHeader(msgspec.Struct, frozen=True):
    """Where a well-formed payload stands, and who signs it: all that most of an audit needs."""

    log: str
    kind: str
    holder: str
    """Credit code or issuer."""
    is_authority: bool
    """True when `issuer` stands in place of `enterprise`."""
    site: str
    book: str
    seq: int
    prev: RecordId | None
    signers: tuple[str, ...]


class Payload(PayloadHeader, frozen=True):
    """A well-formed payload (formats.md section 2, check 3). `document` is the whole parsed JSON object."""

    nonce: str
    event_time: str
    event_time_ms: UnixMs
    sd: tuple[str, ...]
    """The digests in `_sd`, base64url; empty when absent."""
    body: dict[str, Any]
    document: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Disclosure:
    """One disclosure string (formats.md section 6). `digest` is base64url SHA-256 of the ASCII of `text`."""

    text: str
    salt: str
    name: str
    value: str
    digest: str


class Submission(msgspec.Struct, frozen=True):
    """What `receive` returns: size, envelope and schema checked; nothing kept."""

    envelope: Envelope
    payload: Payload
    record_id: RecordId
    disclosures: tuple[Disclosure, ...]


@dataclass(frozen=True, slots=True)
class Grant:
    """A final grant as mirrored from the chain (chain.md, KeyRegistry). Half-open: enrolled_at <= index < revoked_at."""

    g: str
    """Hex SHA-256(log ‖ keyid ‖ holder ‖ scope ‖ role); the key in `grants`."""
    keyid: str
    spki: bytes
    holder: str
    scope: str
    """"site/book", "site/", or "" for all."""
    role: Role
    enroller: str
    """0x-address, lower-case hex."""
    enrolled_at: TreeSize
    revoked_at: TreeSize
    """NEVER (2**48 - 1) when not revoked."""


NEVER = TreeSize(2**48 - 1)


@dataclass(frozen=True, slots=True)
class Enrolment:
    """What the authority hands to the platform beside its transaction: the words behind the hashes on the chain."""

    keyid: str
    spki: bytes
    holder: str
    scope: str
    role: Role


class AuthenticRecord(msgspec.Struct, frozen=True, array_like=True):
    """What `authenticate` returns and `append` takes: every signature verified over the exact bytes, disclosures
    matched. Flat, because it crosses a socket. Which grant covers it, `append` decides against the index it gives.
    """

    record_id: RecordId
    raw: bytes
    """The exact envelope bytes."""
    type: str
    """The entry's type line."""
    signatures: tuple[tuple[str, str, bytes], ...]
    """(keyid, alg, sig) in the payload's order."""
    holder: str
    is_authority: bool
    site: str
    book: str
    seq: int
    prev: RecordId | None
    kind: str
    event_time_ms: UnixMs
    body: dict[str, Any] | None
    """The payload's body for the kinds whose content `append` acts on; None for the others."""
    disclosures: tuple[Disclosure, ...] = ()
    stores: tuple[str, ...] = ()
    """The stores that a stock record's lines name: all that `append` asks of a movement's body."""


class Receipt(msgspec.Struct, frozen=True, array_like=True):
    """A stored receipt (formats.md section 5). `note` are the exact bytes given out, every time the same."""

    record_id: RecordId
    index: LeafIndex
    received: UnixMs
    note: bytes


@dataclass(frozen=True, slots=True)
class Finding:
    """What the law says of an accepted record: named in the answer, never a reason to refuse."""

    code: str
    severity: str
    pointer: str | None
    detail: dict[str, str]
    """{"zh": ..., "en": ...}"""


class Appended(msgspec.Struct, frozen=True, array_like=True):
    """One line's answer from `append`: the receipt, whether this was a repeat, and what the door checks found."""

    receipt: Receipt
    repeat: bool
    findings: tuple[Finding, ...] = ()


class StoredRecord(msgspec.Struct, frozen=True):
    """A record as the log keeps it: what anybody needs to rebuild the entry and check it again."""

    index: LeafIndex
    record_id: RecordId
    holder: str
    site: str
    book: str
    seq: int
    kind: str
    type: str
    """The entry's type line: payloadType, or payloadType + ";jws"."""
    received: UnixMs
    envelope: bytes
    """Exact bytes that came: DSSE envelope JSON (or JWS)."""
    entry: bytes
    """The log entry (formats.md section 3)."""
    receipt: bytes
    """The receipt note."""


@dataclass(frozen=True, slots=True)
class BookHead:
    """The last record of a book; (0, None) for a book that has none."""

    seq: int
    record_id: RecordId | None
    closed: bool = False
    """True after a `final` close."""


@dataclass(frozen=True, slots=True)
class TreeHead:
    """Size and 32-byte root of the log's Merkle tree."""

    size: TreeSize
    root: bytes


@dataclass(frozen=True, slots=True)
class BlockRef:
    """A block named by number and hash; `timestamp_s` is unix seconds by the block."""

    number: BlockNumber
    hash: bytes
    timestamp_s: int


@dataclass(frozen=True, slots=True)
class StateProof:
    """Merkle-Patricia nodes under one block's stateRoot. `nodes` are RLP, distinct, in no special order."""

    block: BlockRef
    header: bytes
    """RLP of the block header."""
    nodes: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class Anchor:
    """A checkpoint whose root the contract holds in a final block."""

    size: TreeSize
    root: bytes
    block: BlockRef
    tx_hash: bytes
    anchored_at_s: int
    """metaAt's time: unix seconds of the block that stored the root."""


@dataclass(frozen=True, slots=True)
class Alert:
    """One alert as the engine stores it and the portal lists it."""

    alert_id: str
    rule: str
    version: int
    fingerprint: tuple[str, ...]
    first_index: LeafIndex
    last_index: LeafIndex
    band: int
    severity: str
    holder: str
    site: str
    reason: dict[str, str]
    inputs: dict[str, Any]
    opened_ms: UnixMs
    late: bool
    status: str = "open"
    record_id: RecordId | None = None
    extra: dict[str, Any] = field(default_factory=dict)
