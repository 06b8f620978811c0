"""Stage 3, append: AuthenticRecords → Receipts. The only writer of the log.

When `append` returns, every Appended in its answer is **durable** (one transaction, fsync), its index is contiguous from 0
and never reused, and it continues its book's gapless chain. A repeat gets the first receipt, byte for byte. A crash before
the commit keeps nothing and burns no index; a crash after it loses only the answer, and the client's repeat gets it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import tzinfo
from typing import Any

from ledger.core.disclosure import parse_disclosure
from ledger.core.encoding import b64_decode
from ledger.core.entry import build_entry
from ledger.core.facts import facts_of
from ledger.core.grants import covers, in_force
from ledger.core.merkle import Frontier, leaf_hash, node_hash
from ledger.core.note import NoteSigner
from ledger.core.receipt import build_receipt
from ledger.core.tiles import TILE_WIDTH
from ledger.errors import ConflictError, DisclosureError, GrantError, LedgerError, PayloadError
from ledger.model import (
    NEVER,
    Appended,
    AuthenticRecord,
    Grant,
    LeafIndex,
    Receipt,
    RecordId,
    Role,
    StoredRecord,
    TreeHead,
    TreeSize,
    UnixMs,
)
from ledger.places import Bindings, Places, bound_by, check_stores
from ledger.ports import AppendBatch, BookState, LogWriter, NewEntry, NewTile, Refused
from ledger.surrogates import Surrogates

# Kinds that open a book's stock account; the first of them must be a complete stock-take (formats.md section 2, Books).
STOCK_KINDS = frozenset({"movement", "stocktake", "close"})

BookKey = tuple[str, str, str]


@dataclass
class WriterState:
    """What the one writer keeps in memory; rebuilt from the store at start, advanced only after a commit."""

    frontier: Frontier
    level_tails: list[list[bytes]]
    """Per tile level, the hashes that do not fill a tile yet."""
    books: dict[BookKey, BookState]
    grants: dict[str, tuple[Grant, ...]]
    last_received: UnixMs
    places: Places = field(default_factory=Places)

    @classmethod
    def load(cls, store: LogWriter) -> WriterState:
        """Rebuild from stored tiles and leaf hashes: O(log size), at most 255 hashes a level."""
        size = int(store.size())
        tails: list[list[bytes]] = []
        count, level = size, 0
        while True:
            ragged = count % TILE_WIDTH
            row = store.hash_tile(level, count // TILE_WIDTH, ragged) if ragged else b""
            tails.append([row[i : i + 32] for i in range(0, len(row), 32)])
            if count < TILE_WIDTH:
                break
            count, level = count // TILE_WIDTH, level + 1
        places = Places()
        places.catch_up(store)
        return cls(
            frontier=_frontier_of(size, tails),
            level_tails=tails,
            books={},
            grants=_by_keyid(store.grants()),
            last_received=store.last_received(),
            places=places,
        )

    def head(self) -> TreeHead:
        return TreeHead(TreeSize(self.frontier.size), self.frontier.root())

    def by_keyid(self, keyid: str) -> tuple[Grant, ...]:
        """Implements ports.GrantDirectory, for platform entries that are checked in this process."""
        return self.grants.get(keyid, ())


@dataclass
class Draft:
    """One group commit in the making. Nothing in it is visible until `commit`."""

    state: WriterState
    store: LogWriter
    receipt_signer: NoteSigner
    origin: str
    now: UnixMs
    merge_delay_ms: int
    lookup_key: bytes = field(repr=False)
    """Finds the surrogate of a disclosed value again (ledger/core/facts.py)."""
    zone: tzinfo
    """Of the county: the day on which somebody is of age."""
    entries: list[NewEntry] = field(default_factory=list)
    books: dict[BookKey, BookState] = field(default_factory=dict)
    grants: dict[str, tuple[Grant, LeafIndex]] = field(default_factory=dict)
    places: dict[str, Bindings] = field(default_factory=dict)
    """Of the holders whose `place` this commit takes in."""
    refused: list[Refused] = field(default_factory=list)
    late_disclosures: list[tuple[RecordId, str, str, str]] = field(default_factory=list)
    erased: set[str] = field(default_factory=set)
    drafted: dict[RecordId, StoredRecord] = field(default_factory=dict)
    brought: dict[RecordId, list[str]] = field(default_factory=dict)
    """Disclosures that this commit takes in, by record: they are not in the store yet."""
    surrogates: Surrogates = field(init=False)

    def __post_init__(self) -> None:
        self.surrogates = Surrogates(self.store, self.lookup_key, self.erased)

    def book(self, key: BookKey) -> BookState | None:
        """The book's head as this batch would leave it."""
        state = self.books.get(key) or self.state.books.get(key)
        if state is None:
            state = self.store.book_state(*key)
            if state is not None:
                self.state.books[key] = state
        return state

    def bindings(self, holder: str) -> Bindings:
        """What the holder's stores are bound to, as this batch would leave it."""
        return self.places.get(holder) or self.state.places.of(holder)

    def next_index(self) -> LeafIndex:
        return LeafIndex(self.state.frontier.size + len(self.entries))


def append(records: Sequence[AuthenticRecord], draft: Draft) -> list[Appended | LedgerError]:
    """Draft one caller's records; one answer each, in order. They become durable with `commit(draft)`.

    Lines are independent, but after a refused line later lines of that book are refused too (`after-refused-line`): a
    chain with a hole in it cannot be continued by whoever made it.

    Answers, not raises: ConflictError (409), PayloadError, DisclosureError (422), GrantError (403).
    """
    known = _known(records, draft)
    draft.surrogates.read_ahead(disclosure for record in records for disclosure in record.disclosures)
    broken: set[BookKey] = set()
    answers: list[Appended | LedgerError] = []
    for record in records:
        key = (record.holder, record.site, record.book)
        try:
            stored = known.get(record.record_id) or draft.drafted.get(record.record_id)
            if stored is not None:
                answers.append(_repeat(record, stored, draft))
                continue
            if key in broken:
                raise ConflictError("an earlier line of this book was refused", code="after-refused-line")
            answers.append(_append_one(record, key, draft))
        except LedgerError as error:
            broken.add(key)
            answers.append(error)
    return answers


def commit(draft: Draft) -> None:
    """Write the draft in one transaction; then, and only then, advance the writer's memory.

    Raises: StoreError. Nothing of the draft is kept then, and the state is as before.
    """
    frontier, tails = draft.state.frontier.copy(), [list(t) for t in draft.state.level_tails]
    tiles: list[NewTile] = []
    for entry in draft.entries:
        frontier.append(entry.leaf_hash)
        tiles.extend(_grow(tails, int(entry.record.index), entry.leaf_hash))
    batch = AppendBatch(
        entries=tuple(draft.entries),
        tiles=tuple(tiles),
        books=tuple(draft.books.values()),
        grants=tuple(draft.grants.values()),
        refused=tuple(draft.refused),
        late_disclosures=tuple(draft.late_disclosures),
        erased=tuple(sorted(draft.erased)),
        lookups=draft.surrogates.fresh(),
    )
    if batch == AppendBatch(entries=()):
        return
    draft.store.append(batch)
    state = draft.state
    state.frontier, state.level_tails = frontier, tails
    state.books.update(draft.books)
    state.places.update(draft.places)
    if draft.entries:
        state.last_received = draft.entries[-1].record.received
    if draft.grants:
        merged = {g.g: g for grants in state.grants.values() for g in grants}
        merged.update({g.g: g for g, _ in draft.grants.values()})
        state.grants = _by_keyid(merged.values())


def _append_one(record: AuthenticRecord, key: BookKey, draft: Draft) -> Appended:
    head = draft.book(key)
    _check_chain(record, head)
    _check_books(record, head, draft)
    index = draft.next_index()
    _check_grants(record, index, draft)
    if record.disclosures:
        digests = [d.digest for d in record.disclosures]
        gone = draft.store.is_erased(digests) | (draft.erased & set(digests))
        if gone:
            raise DisclosureError("a disclosure was erased and is never accepted again", code="erased-digest")
    received = UnixMs(max(draft.now, draft.state.last_received))
    entry = build_entry(
        record_id=record.record_id,
        holder=record.holder,
        site=record.site,
        book=record.book,
        seq=record.seq,
        type=record.type,
        signatures=record.signatures,
        received=received,
    )
    leaf = leaf_hash(entry)
    note = build_receipt(
        origin=draft.origin,
        record_id=record.record_id,
        leaf_hash=leaf,
        index=index,
        received=received,
        merge_by=UnixMs(received + draft.merge_delay_ms),
        signer=draft.receipt_signer,
    )
    stored = StoredRecord(
        index=index,
        record_id=record.record_id,
        holder=record.holder,
        site=record.site,
        book=record.book,
        seq=record.seq,
        kind=record.kind,
        type=record.type,
        received=received,
        envelope=record.raw,
        entry=entry,
        receipt=note,
    )
    draft.entries.append(
        NewEntry(
            record=stored,
            leaf_hash=leaf,
            event_time_ms=record.event_time_ms,
            disclosures=tuple((d.digest, d.text, draft.surrogates.lookup_of(d)) for d in record.disclosures),
            facts=facts_of(record.disclosures, record.event_time_ms, draft.zone, draft.surrogates.take),
        )
    )
    draft.drafted[record.record_id] = stored
    if record.disclosures:
        draft.brought[record.record_id] = [d.text for d in record.disclosures]
    draft.books[key] = BookState(
        holder=record.holder,
        site=record.site,
        book=record.book,
        seq=record.seq,
        record_id=record.record_id,
        opened=(head is not None and head.opened) or record.kind == "stocktake",
        closed=record.kind == "close" and bool((record.body or {}).get("final")),
    )
    _mirror(record, index, draft)
    return Appended(Receipt(record.record_id, index, received, note), repeat=False)


def _repeat(record: AuthenticRecord, stored: StoredRecord, draft: Draft) -> Appended:
    """The first receipt; disclosures that the record does not have yet are taken in.

    They give it no facts: the fold has read the record without them, and a tick may have sealed that already. What was
    not said in time stays unsaid to the rules (C04 tells), so nothing is gained by bringing a name late.

    Raises: DisclosureError when one of them stands at a name that is disclosed already: a bundle with both would fail.
    """
    if record.disclosures:
        held = {*draft.store.disclosures(record.record_id), *draft.brought.get(record.record_id, ())}
        names = {parse_disclosure(text).name for text in held}
        fresh = [d for d in record.disclosures if d.text not in held]
        for disclosure in fresh:
            if disclosure.name in names:
                raise DisclosureError(
                    "another disclosure of this name is held already",
                    code="disclosure-repeated",
                    pointer=disclosure.name,
                )
        gone = draft.store.is_erased([d.digest for d in fresh])
        # A client that re-sends its exact bytes after an erasure is not at fault; the erased strings just stay out.
        for d in fresh:
            if d.digest not in gone and d.digest not in draft.erased:
                draft.surrogates.take(d)
                draft.late_disclosures.append((record.record_id, d.digest, d.text, draft.surrogates.lookup_of(d)))
        draft.brought.setdefault(record.record_id, []).extend(d.text for d in fresh)
    return Appended(Receipt(record.record_id, stored.index, stored.received, stored.receipt), repeat=True)


def _known(records: Sequence[AuthenticRecord], draft: Draft) -> dict[RecordId, StoredRecord]:
    """Which of these stand in the log already.

    A record that continues its book's head cannot be one of them, so the fresh ones, nearly all, need no look-up.
    """
    ahead: dict[BookKey, int] = {}
    asked = []
    for record in records:
        key = (record.holder, record.site, record.book)
        if key not in ahead:
            head = draft.book(key)
            ahead[key] = head.seq if head else 0
        if record.seq <= ahead[key]:
            asked.append(record.record_id)
        else:
            ahead[key] = max(ahead[key], record.seq)
    return draft.store.records_by_id(asked) if asked else {}


def _check_chain(record: AuthenticRecord, head: BookState | None) -> None:
    seq, prev = (head.seq, head.record_id) if head else (0, None)
    place = f"{record.site}/{record.book}"
    if record.seq <= seq:
        raise ConflictError(
            f"another payload stands at seq {record.seq} of {place}; both are kept as evidence",
            code="fork",
            expected_seq=seq + 1,
            expected_prev=prev,
        )
    if record.seq != seq + 1:
        raise ConflictError(
            f"seq {record.seq} of {place} would leave a gap: the next is {seq + 1}",
            code="seq-gap",
            expected_seq=seq + 1,
            expected_prev=prev,
        )
    if record.prev != prev:
        raise ConflictError(
            f"`prev` of seq {record.seq} of {place} is not the record before it",
            code="prev-mismatch",
            expected_seq=seq + 1,
            expected_prev=prev,
        )


def _check_books(record: AuthenticRecord, head: BookState | None, draft: Draft) -> None:
    if head is not None and head.closed:
        raise ConflictError(
            "this book is final; go on in a new book whose first stock-take `continues` it", code="book-closed"
        )
    body = record.body or {}
    opened = head is not None and head.opened
    if not opened and record.kind in STOCK_KINDS and not (record.kind == "stocktake" and body.get("complete") is True):
        raise PayloadError(
            "the first movement, stocktake or close of a book must be a complete stocktake",
            code="book-not-opened",
            pointer="/kind",
        )
    if record.kind == "stocktake" and "continues" in body:
        site, book = str(body["continues"]["site"]), str(body["continues"]["book"])
        before = draft.book((record.holder, site, book))
        if before is None or not before.closed:
            raise PayloadError(
                f"`continues` names {site}/{book}, which is no final book of this holder",
                code="continues-unknown",
                pointer="/body/continues",
            )
    target: StoredRecord | None = None
    if record.kind == "correction":
        corrects = RecordId(str(body.get("corrects")))
        target = draft.drafted.get(corrects) or draft.store.record_by_id(corrects)
        if target is None or (target.holder, target.site, target.book) != (record.holder, record.site, record.book):
            raise PayloadError(
                "`corrects` names no record of this holder, site and book",
                code="corrects-unknown",
                pointer="/body/corrects",
            )
    if record.stores:
        check_stores(
            record.stores,
            kind=record.kind,
            site=record.site,
            book=record.book,
            bindings=draft.bindings(record.holder),
            corrected=lambda: target,
        )


def _check_grants(record: AuthenticRecord, index: LeafIndex, draft: Draft) -> None:
    """Check 4 against the index that is about to be given: enrolled_at <= index < revoked_at."""
    for keyid, _, _ in record.signatures:
        fresh = [g for g, _ in draft.grants.values() if g.keyid == keyid]
        if record.kind == "grant" and (record.body or {}).get("keyid") == keyid:
            fresh.append(_grant_of(record.body or {}))  # the platform's own first grant, mirrored by itself
        grants = [g for g in (*draft.state.grants.get(keyid, ()), *fresh) if covers(g, record)]
        if any(in_force(g, index) for g in grants):
            continue
        if not grants:
            raise GrantError(f"key {keyid} has no grant for this holder, book and kind", code="no-grant")
        if all(index >= g.revoked_at for g in grants):
            raise GrantError(f"key {keyid} is revoked; enrol a new key and sign again with it", code="key-revoked")
        raise GrantError(f"the grant of key {keyid} is not in force yet; try again shortly", code="not-yet-granted")


def _mirror(record: AuthenticRecord, index: LeafIndex, draft: Draft) -> None:
    """A `place` binds stores; a platform `grant` entry carries a final enrolment or revocation; an `erasure` names
    digests that go.
    """
    body = record.body or {}
    if record.kind == "grant":
        grant = _grant_of(body)
        draft.grants[grant.g] = (grant, index)
    elif record.kind in ("place", "correction"):
        before = draft.bindings(record.holder)
        after = bound_by(before, record.kind, body)
        if after is not before:
            draft.places[record.holder] = after
    elif record.kind == "erasure":
        draft.erased.update(str(d) for d in body.get("digests", []))


def _grant_of(body: dict[str, Any]) -> Grant:
    return Grant(
        g=str(body["g"]),
        keyid=str(body["keyid"]),
        spki=b64_decode(str(body["spki"])),
        holder=str(body["holder"]),
        scope=str(body["scope"]),
        role=Role(int(body["role"])),
        enroller=str(body["enroller"]),
        enrolled_at=TreeSize(int(body["enrolled_at"])),
        revoked_at=TreeSize(int(body["revoked_at"])) if body.get("revoked_at") is not None else NEVER,
    )


def _grow(tails: list[list[bytes]], index: int, leaf: bytes) -> Iterable[NewTile]:
    """Add one leaf to the tile rows; yield every tile that it completes, the level above included."""
    level, n, value = 0, index, leaf
    while True:
        if level == len(tails):
            tails.append([])
        row = tails[level]
        row.append(value)
        if len(row) < TILE_WIDTH:
            return
        n //= TILE_WIDTH
        value = _fold(row)
        yield NewTile(level=level, n=n, hashes=b"".join(row), root=value)
        tails[level] = []
        level += 1


def _fold(row: Sequence[bytes]) -> bytes:
    while len(row) > 1:
        row = [node_hash(row[i], row[i + 1]) for i in range(0, len(row), 2)]
    return row[0]


def _frontier_of(size: int, tails: list[list[bytes]]) -> Frontier:
    """The compact range of a tree whose tiles' ragged rows are `tails`, level 0 first."""
    edge: list[bytes] = []
    for row in reversed(tails):
        at = 0
        while at < len(row):
            width = 1 << ((len(row) - at).bit_length() - 1)
            edge.append(_fold(row[at : at + width]))
            at += width
    return Frontier.from_bytes(size.to_bytes(8, "big") + b"".join(edge))


def _by_keyid(grants: Iterable[Grant]) -> dict[str, tuple[Grant, ...]]:
    found: dict[str, tuple[Grant, ...]] = {}
    for grant in grants:
        found[grant.keyid] = (*found.get(grant.keyid, ()), grant)
    return found
