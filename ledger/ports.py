"""What the stages need of the outside world, as Protocols; the adapters implement them, tests fake them.

Nothing here does anything. Each method says what is true when it returns, because that is what the stages promise on.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from ledger.model import (
    Alert,
    Anchor,
    Appended,
    AuthenticRecord,
    BlockRef,
    BookHead,
    Grant,
    LeafIndex,
    RecordId,
    StateProof,
    StoredRecord,
    TreeHead,
    TreeSize,
    UnixMs,
)

# --- the log -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class NewEntry:
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


@dataclass(frozen=True, slots=True)
class BookState:
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
    """A value "@n" stands for the record_id of the n-th draft of the same call."""
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


# --- keys ----------------------------------------------------------------------------------------------------------


class Signer(Protocol):
    """A private key in use. Its bytes never leave the adapter."""

    @property
    def spki(self) -> bytes: ...
    @property
    def keyid(self) -> str: ...
    def sign(self, message: bytes) -> bytes: ...


class HeadGuard(Protocol):
    """The last signed head, kept apart from the database (chain.md, restored backups)."""

    def read(self) -> TreeHead | None: ...
    def compare_and_swap(self, expected: TreeHead | None, new: TreeHead) -> None:
        """Durable when it returns; RollbackError when the stored head is not `expected`."""


class ClockPause(Protocol):
    """A jump of the clock that nobody has confirmed; survives a restart."""

    def read(self) -> dict[str, Any] | None: ...
    def write(self, jump: dict[str, Any]) -> None: ...
    def clear(self) -> None:
        """Somebody confirms that the time is right."""


# --- the chain -----------------------------------------------------------------------------------------------------


class Chain(Protocol):
    """The two contracts on one chain, at its final depth (chain.md). Every method may raise ChainError's family."""

    def check_identity(self) -> None:
        """ChainMismatchError unless chain id, genesis and both code hashes are those of the trust file."""

    def final_block(self) -> BlockRef: ...
    def head(self) -> TreeHead:
        """head[log] of CheckpointLog at the final block; size 0 and 32 zero bytes when nothing is anchored."""

    def root_at(self, size: TreeSize) -> tuple[bytes, int, int] | None:
        """(root, unix seconds, block number) stored for `size` at the final block, or None."""

    def anchored(self, size: TreeSize) -> Anchor | None:
        """As `root_at`, with the block and the transaction that it is in now."""

    def anchor(self, old: TreeSize, new: TreeHead, note_hash: bytes, proof: Sequence[bytes]) -> Anchor:
        """eth_call first, send, wait for final depth. Safe to call again after any failure."""

    def grant_words(self, gs: Sequence[bytes]) -> list[bytes]:
        """32-byte words of `grants[g]` at the final block, in order; zeros where not enrolled."""

    def state_proof(self, *, sizes: Sequence[TreeSize], gs: Sequence[bytes]) -> StateProof:
        """eth_getProof of both accounts, rootAt/metaAt of `sizes` and `grants[g]`, all at one final block."""

    def recover(self) -> bool:
        """Re-send what the journal holds and the chain lacks (restart from an older dump). True if anything was."""

    def status(self) -> dict[str, Any]:
        """Balance, role, lag of the newest block, endpoint in use: for /readyz and the Trust page. Never raises."""


class Authority(Protocol):
    """The authority's own account on the chain: grants and revocations. Not the operator's."""

    def enrol(self, keyid: str, holder: str, scope: str, role: int) -> tuple[bytes, TreeSize]:
        """(g, enrolledAt) once final; ChainRevertedError when the word is not zero."""

    def revoke(self, g: bytes, at: TreeSize) -> None: ...


class AnchorStore(Protocol):
    """The anchor worker's own file: anchors reached, the journal, trie nodes kept for bundles."""

    def save_anchor(self, anchor: Anchor, proof: StateProof) -> None: ...
    def anchors(self, *, after: TreeSize | None = None, limit: int) -> list[Anchor]:
        """By size, those above `after`. Who wants all goes on from the last one."""

    def latest_anchor(self) -> Anchor | None: ...
    def anchor_covering(self, index: LeafIndex) -> Anchor | None:
        """The smallest anchored size > index that still stands."""

    def anchors_after_block(self, number: int) -> list[Anchor]: ...
    def drop_anchor(self, size: TreeSize) -> None:
        """ANCHORED falls back to LOGGED (reorg)."""

    def stored_proof(self, size: TreeSize) -> StateProof | None:
        """Header and every node kept when `size` was anchored (a superset of what one bundle needs)."""

    def journal_append(self, kind: str, raw_tx: bytes, tx_hash: bytes) -> int: ...
    def journal_mined(self, tx_hash: bytes, block: BlockRef) -> None: ...
    def journal(self) -> Iterator[tuple[int, str, bytes, bytes, int | None]]:
        """(seq, kind, raw transaction, hash, block number or None), in block order then in the order written."""


# --- the engine ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class OutboxRow:
    """A finished signed envelope on its way into the log. `id` is the alert id."""

    id: str
    record_id: RecordId
    envelope: bytes


@dataclass(frozen=True, slots=True)
class TimerRow:
    """Fires at the first tick whose now >= due_ms; ordered by (due_ms, id)."""

    id: str
    due_ms: UnixMs
    rule: str
    data: dict[str, Any]


@dataclass(frozen=True, slots=True)
class StockRow:
    """Book stock of one balance key, as the fold has it. `amount` in mg, microlitres or pieces by `dimension`."""

    holder: str
    site: str
    book: str
    key: str
    """listing, form, band, batch joined by "|"; the engine's own balance key."""
    code: str
    dimension: str
    amount: int
    pieces: int | None
    capacity: int | None
    as_of_index: LeafIndex
    event_time_ms: UnixMs


@dataclass(frozen=True, slots=True)
class LineRow:
    """One goods line of one record, for lists and filters."""

    index: LeafIndex
    line: int
    holder: str
    site: str
    book: str
    kind: str
    direction: str
    reason: str
    code: str
    dimension: str
    amount: int
    pieces: int | None
    store: str
    event_time_ms: UnixMs
    counterparty: str


@dataclass(frozen=True, slots=True)
class RuleHealth:
    """A rule's visible health. `state` is ok or error; `error` is the last message."""

    rule: str
    version: int
    last_index: LeafIndex
    state: str
    error: str
    evaluations: int
    alerts: int


@dataclass(frozen=True, slots=True)
class LifeRow:
    """Where one alert's episode stands (engine.md, "Life of an alert"). Times are unix ms; None for none."""

    alert_id: str
    """Of the episode's first alert."""
    status: str
    """The one word of `core.life` that is shown: `beside`, or else the stage."""
    stage: str
    turn: int
    """Counts what a supervisor has to have seen: the ETag."""
    severity: str
    """The worst that was alerted."""
    due_ms: UnixMs | None
    until_ms: UnixMs | None
    """End of a snooze or suppression."""
    handle_due_ms: UnixMs | None
    handled_ms: UnixMs | None
    """When it was first closed or put under an order."""
    closed_ms: UnixMs | None
    outcome: str
    order_id: str
    recovered: bool
    data: dict[str, Any]
    """why, acked_ms, regresses, evidenced, closed_by."""


@dataclass(frozen=True, slots=True)
class StepRow:
    """One change of one life. `refused` is the code for which a signed transition moved nothing, else ""."""

    n: int
    alert_id: str
    index: LeafIndex
    at_ms: UnixMs
    before: str
    after: str
    by: str
    """Whose entry did it; "" when time did."""
    record_id: RecordId
    refused: str
    note: dict[str, Any]


@dataclass(frozen=True, slots=True)
class OrderRow:
    """An order as it stands. `status`: open, waiting (a reply is to be judged), accepted, withdrawn, replaced."""

    record_id: RecordId
    holder: str
    site: str
    type: str
    number: str
    severity: str
    status: str
    index: LeafIndex
    issued_ms: UnixMs
    due_ms: UnixMs
    reply: str
    late: bool
    alerts: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class EngineBatch:
    """All that one micro-batch commits, in one transaction. Inserting an id that is there does nothing."""

    cursor: LeafIndex
    """Next index to read."""
    alerts: tuple[Alert, ...] = ()
    outbox: tuple[OutboxRow, ...] = ()
    book_seq: int | None = None
    """seq of the last alert in the engine's own book, with book_prev its record_id."""
    book_prev: RecordId | None = None
    timers_set: tuple[TimerRow, ...] = ()
    timers_cleared: tuple[str, ...] = ()
    stock: tuple[StockRow, ...] = ()
    lines: tuple[LineRow, ...] = ()
    health: tuple[RuleHealth, ...] = ()
    lives: tuple[LifeRow, ...] = ()
    steps: tuple[StepRow, ...] = ()
    orders: tuple[OrderRow, ...] = ()
    snapshot: bytes | None = None
    """State after everything below `cursor`; replaces the one before."""
    extra: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class QueueFilter:
    """What the queue of episodes is narrowed to; None means any."""

    statuses: tuple[str, ...] | None = None
    severities: tuple[str, ...] | None = None
    """The worst that was alerted."""
    holder: str | None = None
    rule: str | None = None
    after_seq: int | None = None
    """Oldest first above this cursor, instead of newest first."""
    urgent_first: bool = False
    """By severity and time left, without a cursor."""


class EngineReader(Protocol):
    """What the portal and the API read of the engine's tables. A `limit` cuts: who wants all goes on from the last row."""

    def cursor(self) -> LeafIndex: ...
    def alerts(
        self, *, after_seq: int = 0, holder: str | None = None, rule: str | None = None, limit: int
    ) -> list[tuple[int, Alert]]:
        """(stream sequence, alert), ascending by sequence: what SSE resumes on."""

    def newest_alerts(
        self, *, before_seq: int | None = None, holder: str | None = None, severity: str | None = None, limit: int
    ) -> list[tuple[int, Alert]]: ...
    def alert(self, alert_id: str) -> Alert | None: ...
    def alert_at(self, alert_id: str) -> tuple[int, Alert] | None:
        """(stream sequence, alert)."""

    def alerts_named(self, prefix: str, *, limit: int) -> list[Alert]:
        """Alerts whose id begins so, by id."""

    def alert_counts(self) -> dict[str, int]:
        """Alerts by severity."""

    def stock(self, *, holder: str | None = None, code: str | None = None) -> list[StockRow]: ...
    def lines(
        self,
        *,
        holder: str | None = None,
        code: str | None = None,
        direction: str | None = None,
        before: tuple[LeafIndex, int] | None = None,
        limit: int,
    ) -> list[LineRow]:
        """Newest first, below the cursor `before` = (index, line)."""

    def health(self) -> list[RuleHealth]: ...
    def rule_alerts(self, since: UnixMs) -> dict[str, int]:
        """Alerts by rule, opened at `since` or later."""

    def rule_outcomes(self) -> dict[str, dict[str, int]]:
        """Closed episodes by rule and outcome."""

    def lives(self, alerts: Sequence[Alert]) -> dict[str, LifeRow]:
        """Where these alerts stand, by alert id; an alert of a worse band stands where its episode's first one does."""

    def queue(
        self, where: QueueFilter, *, before_seq: int | None = None, limit: int
    ) -> list[tuple[int, Alert, LifeRow]]:
        """First alerts of episodes and where they stand, newest first below the cursor unless `where` says otherwise."""

    def steps(self, alert_id: str) -> list[StepRow]:
        """All that happened to one episode, in order."""

    def orders(self, *, holder: str | None = None, open_only: bool = False, limit: int) -> list[OrderRow]:
        """Newest first."""

    def order(self, record_id: RecordId) -> OrderRow | None: ...
    def handling(self, now: UnixMs) -> tuple[int, int]:
        """(due and closed or put under an order in time, all due): both numbers of the handling rate."""

    def status_counts(self) -> dict[str, int]:
        """Episodes by status."""


class EngineStore(EngineReader, Protocol):
    """The engine's own file: cursor, alerts, timers and outbox committed together."""

    def load(self) -> tuple[LeafIndex, bytes | None, LeafIndex, int, RecordId | None]:
        """(cursor, snapshot, snapshot's cursor, own book's last seq, its record_id)."""

    def timers(self) -> list[TimerRow]: ...
    def extra(self) -> dict[str, Any]:
        """What batches put into `extra`, the last value of each key."""

    def commit(self, batch: EngineBatch) -> None: ...
    def outbox_pending(self, limit: int) -> list[OutboxRow]: ...
    def outbox_sent(self, ids: Iterable[tuple[str, LeafIndex]]) -> None: ...


# --- the portal ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Token:
    """A bearer token's row; the token itself is kept only as its SHA-256."""

    token_id: str
    role: str
    """enterprise, auditor or supervisor."""
    holder: str | None
    created_ms: UnixMs
    expires_ms: UnixMs
    revoked_ms: UnixMs | None


@dataclass(frozen=True, slots=True)
class User:
    """The supervisor's account. `must_change` until the one-time code was replaced by a password."""

    username: str
    password_hash: str
    must_change: bool


class PortalStore(Protocol):
    """The portal's own file: accounts, sessions, tokens, the hash-chained access log. Several workers write it."""

    def user(self, username: str) -> User | None: ...
    def save_user(self, user: User) -> None: ...
    def count_attempt(self, client: str, now: UnixMs, wait_after: Callable[[int], int], quiet_ms: int) -> UnixMs | None:
        """Count one more failure of the client, which then waits `wait_after(failures in a row)` ms; None. Or, while it
        has to wait, count nothing: until when. Who was quiet for `quiet_ms` after a wait begins anew.
        """

    def forget_attempts(self, client: str) -> None: ...
    def create_session(self, session_hash: str, username: str, now: UnixMs, expires: UnixMs) -> None: ...
    def session(self, session_hash: str) -> tuple[str, UnixMs, UnixMs, UnixMs] | None:
        """(username, created, last seen, expires); None when unknown or revoked."""

    def touch_session(self, session_hash: str, now: UnixMs) -> None: ...
    def revoke_session(self, session_hash: str) -> None: ...
    def revoke_sessions_of(self, username: str, *, but: str | None = None) -> None: ...
    def save_token(self, token_hash: str, token: Token) -> None: ...
    def token(self, token_hash: str) -> Token | None: ...
    def tokens(self) -> list[Token]: ...
    def revoke_token(self, token_id: str, now: UnixMs) -> None: ...
    def log_access(self, actor: str, action: str, target: str, now: UnixMs) -> str:
        """Append to the hash-chained access log; the new chain digest, hex."""

    def access_log(self, *, after: int, limit: int) -> list[tuple[int, UnixMs, str, str, str, str]]: ...


# --- the audit -----------------------------------------------------------------------------------------------------


class TableReader(Protocol):
    """Every row and column of every store as it stands, in constant memory. For the audit only: nothing is interpreted."""

    def hold(self, store: str) -> None:
        """From now on this store's rows are those of this moment, whatever is written meanwhile."""

    def names(self, store: str) -> list[str]: ...
    def count(self, store: str, table: str) -> int: ...
    def rows(
        self, store: str, table: str, *, by: str | None = None, start: Any = None, end: Any = None
    ) -> Iterator[dict[str, Any]]:
        """Rows by column name, in the order of the primary key; with `by`, those with start <= by < end, in its order."""
