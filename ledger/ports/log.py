"""What is written to the log in one transaction, who reads it, and who appends for the others."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import msgspec

from ledger.model import Appended, AuthenticRecord, BookHead, Grant, LeafIndex, RecordId, StoredRecord, TreeSize, UnixMs


class NewEntry(msgspec.Struct, frozen=True):
    """One entry about to be written, with all that stands or falls with it in the same transaction."""

    record: StoredRecord
    leaf_hash: bytes
    event_time_ms: UnixMs
    disclosures: tuple[tuple[str, str, str], ...] = ()
    """(digest, disclosure string, keyed lookup digest or "")."""
    facts: dict[str, Any] | None = None
    """What erasable data gave while it was there (engine.md); None when the record has none."""


@dataclass(frozen=True, slots=True)
class NewTile:
    """A completed hash tile (256 hashes of 32 bytes) and the root over it, which is one hash of the level above."""

    level: int
    n: int
    hashes: bytes
    root: bytes


@dataclass(frozen=True, slots=True)
class Refused:
    """A validly signed submission that was refused with 409 or 422; kept as evidence with the note that answered it."""

    record_id: RecordId
    holder: str
    site: str
    book: str
    seq: int
    code: str
    received: UnixMs
    envelope: bytes
    note: bytes
    keyid: str


class BookState(msgspec.Struct, frozen=True):
    """A book's head as the writer keeps it. `opened` once a complete stocktake stands in it."""

    holder: str
    site: str
    book: str
    seq: int
    record_id: RecordId
    opened: bool
    closed: bool


@dataclass(frozen=True, slots=True)
class AppendBatch:
    """All that one group commit writes, in one transaction."""

    entries: tuple[NewEntry, ...]
    tiles: tuple[NewTile, ...] = ()
    books: tuple[BookState, ...] = ()
    grants: tuple[tuple[Grant, LeafIndex], ...] = ()
    """Mirrored grants with the index of the `grant` entry that carries each; a later one for the same g replaces it."""
    refused: tuple[Refused, ...] = ()
    late_disclosures: tuple[tuple[RecordId, str, str, str], ...] = ()
    """(record_id, digest, disclosure string, lookup digest) brought by a repeat."""
    erased: tuple[str, ...] = ()
    """Digests whose strings, salts and lookup digests go, never to be accepted again."""
    lookups: tuple[tuple[str, str], ...] = ()
    """(keyed lookup digest, surrogate) of values disclosed for the first time, or again after their erasure."""


@dataclass(frozen=True, slots=True)
class StoredCheckpoint:
    """A signed checkpoint as published. `note` are the exact bytes."""

    size: TreeSize
    root: bytes
    note: bytes
    signed_ms: UnixMs


@dataclass(frozen=True, slots=True)
class RecordFilter:
    """What a list of records is narrowed to. None means any. Times are `received`, half-open, unix ms."""

    holder: str | None = None
    site: str | None = None
    book: str | None = None
    kind: str | None = None
    code: str | None = None
    """CAS number or catalogue code of a goods line (answered from the engine's line table)."""
    received_from: UnixMs | None = None
    received_to: UnixMs | None = None


class LogReader(Protocol):
    """The log as anybody may read it. Sees only committed entries; any number of readers."""

    def origin(self) -> str: ...
    def size(self) -> TreeSize: ...
    def record(self, index: LeafIndex) -> StoredRecord | None: ...
    def record_by_id(self, record_id: RecordId) -> StoredRecord | None: ...
    def records_by_id(self, record_ids: Sequence[RecordId]) -> dict[RecordId, StoredRecord]: ...
    def records_named(self, prefix: str, *, limit: int) -> list[StoredRecord]:
        """Records whose record_id begins so (lower-case hex), by record_id."""

    def records(self, start: LeafIndex, limit: int) -> list[StoredRecord]:
        """Entries start, start+1, … in order; at most `limit`."""

    def search(self, where: RecordFilter, *, before: LeafIndex | None, limit: int) -> list[StoredRecord]:
        """Newest first, below `before` when given (cursor, no offsets)."""

    def book_head(self, holder: str, site: str, book: str) -> BookHead: ...
    def book_state(self, holder: str, site: str, book: str) -> BookState | None: ...
    def book_records(self, holder: str, site: str, book: str, *, after_seq: int, limit: int) -> list[StoredRecord]: ...
    def holders(self) -> list[str]: ...
    def entries(self, start: LeafIndex, end: LeafIndex) -> list[bytes]:
        """The stored entries start … end - 1 alone, without what hangs on them."""

    def leaf_hashes(self, start: LeafIndex, end: LeafIndex) -> list[bytes]: ...
    def hash_tile(self, level: int, n: int, width: int) -> bytes:
        """`width` hashes of tile (level, n), 32 bytes each; NotFoundError when the log has not that many yet."""

    def last_received(self) -> UnixMs: ...
    def grants(self) -> list[Grant]: ...
    def grants_version(self) -> int:
        """Index of the newest `grant` entry + 1, 0 when none: cheap to poll."""

    def latest_checkpoint(self) -> StoredCheckpoint | None: ...
    def checkpoint(self, size: TreeSize) -> StoredCheckpoint | None: ...
    def disclosures(self, record_id: RecordId) -> tuple[str, ...]: ...
    def is_erased(self, digests: Sequence[str]) -> set[str]: ...
    def surrogates(self, lookups: Sequence[str]) -> dict[str, str]:
        """Keyed lookup digest → surrogate; what was never disclosed, or erased since, is missing."""

    def disclosed_under(self, lookup: str) -> set[str]:
        """Digests of the disclosures held under this keyed lookup digest."""

    def lookup_sample(self) -> tuple[str, str] | None:
        """(disclosure string, its lookup digest) of any one that has one: whether a key is the one that made them."""

    def facts(self, start: LeafIndex, end: LeafIndex) -> dict[LeafIndex, dict[str, Any]]: ...
    def refused(self, record_id: RecordId) -> Refused | None: ...
    def refused_since(self, keyid: str, since: UnixMs) -> int: ...


class LogWriter(LogReader, Protocol):
    """The one writer's view. Everything in a call is one transaction and durable (fsync) when the call returns."""

    def append(self, batch: AppendBatch) -> None: ...
    def save_checkpoint(self, checkpoint: StoredCheckpoint) -> None: ...


class Appender(Protocol):
    """`append` as the other processes see it: the sequencer, in this process or behind its socket."""

    def append(self, records: Sequence[AuthenticRecord]) -> list[Appended | Exception]:
        """One answer a record, in order: Appended (durable), or the LedgerError that refuses it."""

    def refuse(self, record: AuthenticRecord, code: str) -> bytes | None:
        """Log a `refusal` for a validly signed submission that the door refuses with 422; the signed refusal note,
        the same for the same record_id. None when its key is over the hourly limit (counted, not logged).
        """

    def sign_platform(self, payload: bytes) -> bytes:
        """The finished envelope over a platform payload, same bytes every time (Ed25519 is deterministic)."""

    def append_platform(self, kind: str, book: str, body: dict[str, Any]) -> Appended:
        """Build, sign and append one platform entry of `kind` in the platform's own book."""

    def tick(self, not_before: UnixMs) -> Appended | None:
        """Write a `tick` when the clock has reached `not_before` and a minute has passed since the last; else None."""

    def status(self) -> dict[str, Any]: ...


@dataclass(frozen=True, slots=True)
class DeskDraft:
    """One record that a supervisor's session asks to have signed in its own book `book`."""

    kind: str
    book: str
    body: dict[str, Any]
    """Its `order` may be "@n": the record_id of the n-th draft of the same call, which stands before this one."""
    disclosures: tuple[tuple[str, str], ...] = ()
    """(JSON pointer, text) of what goes by `_sd`."""


class Desk(Protocol):
    """Supervisors' keys, unlocked for a session in the sequencer's process (portal.md, "Supervisor's key")."""

    def unlock(self, session: str, name: str, password: str) -> str:
        """Open the key of `name` for `session`; its keyid. DeskError no-supervisor-key, key-wrong-password."""

    def lock(self, session: str) -> None: ...
    def touch(self, session: str) -> bool:
        """The person is still there; False when the session's key is locked."""

    def rekey(self, name: str, old: str, new: str) -> None: ...
    def sign_and_append(self, session: str, drafts: Sequence[DeskDraft], *, confirmed: bool) -> list[Appended]:
        """Sign and append in one group commit, in this order; durable on return. DeskError key-locked, confirm-needed."""


class GrantDirectory(Protocol):
    """Grants by key as the web processes see them; may lag by a fraction of a second, `append` decides."""

    def by_keyid(self, keyid: str) -> tuple[Grant, ...]: ...
