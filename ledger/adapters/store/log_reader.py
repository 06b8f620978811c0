"""The log as anybody may read it: `LogReader` of ledger.ports over the `log` store."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import Any, TypeVar

from sqlalchemy import ColumnElement, Select, Table, and_, func, select

from ledger.adapters.store.database import Database, chunks
from ledger.adapters.store.schema.log import book as book_table
from ledger.adapters.store.schema.log import checkpoint, disclosure, entry, erased, grant, meta, tile
from ledger.adapters.store.schema.log import facts as facts_table
from ledger.adapters.store.schema.log import lookup as lookup_table
from ledger.adapters.store.schema.log import refused as refused_table
from ledger.core.tiles import TILE_WIDTH
from ledger.errors import NotFoundError, StoreError
from ledger.model import BookHead, Grant, LeafIndex, RecordId, Role, StoredRecord, TreeSize, UnixMs
from ledger.ports import BookState, RecordFilter, Refused, StoredCheckpoint

T = TypeVar("T")

HASH_BYTES = 32

_RECORD = (
    entry.c.index,
    entry.c.record_id,
    entry.c.holder,
    entry.c.site,
    entry.c.book,
    entry.c.seq,
    entry.c.kind,
    entry.c.type,
    entry.c.received,
    entry.c.envelope,
    entry.c.entry,
    entry.c.receipt,
)
_CHECKPOINT = (checkpoint.c.size, checkpoint.c.root, checkpoint.c.note, checkpoint.c.signed_ms)


class LogReadStore:
    """Every answer is what was committed when its statement began; nothing is cached between calls."""

    def __init__(self, database: Database) -> None:
        self._db = database

    def origin(self) -> str:
        """The origin this log was bound to; StoreError when `bind_origin` never was called."""
        origin = self._db.scalar(select(meta.c.value).where(meta.c.key == "origin"))
        if origin is None:
            raise StoreError("the log store is not bound to an origin", code="no-origin")
        return str(origin)

    def size(self) -> TreeSize:
        return TreeSize(self._db.scalar(select(func.coalesce(func.max(entry.c.index) + 1, 0))))

    def record(self, index: LeafIndex) -> StoredRecord | None:
        return _one(self._records(select(*_RECORD).where(entry.c.index == index)))

    def record_by_id(self, record_id: RecordId) -> StoredRecord | None:
        return self.records_by_id([record_id]).get(record_id)

    def records_by_id(self, record_ids: Sequence[RecordId]) -> dict[RecordId, StoredRecord]:
        found: dict[RecordId, StoredRecord] = {}
        for part in chunks(hashes_of(record_ids)):
            for stored in self._records(select(*_RECORD).where(entry.c.record_id.in_(part))):
                found[stored.record_id] = stored
        return found

    def records_named(self, prefix: str, *, limit: int) -> list[StoredRecord]:
        """Records whose record_id begins so, by record_id. `prefix`: 1 to 64 lower-case hex digits."""
        width = 2 * HASH_BYTES
        least, most = (bytes.fromhex(prefix.ljust(width, fill)) for fill in "0f")
        named = select(*_RECORD).where(entry.c.record_id >= least, entry.c.record_id <= most)
        return self._records(named.order_by(entry.c.record_id).limit(max(limit, 0)))

    def records(self, start: LeafIndex, limit: int) -> list[StoredRecord]:
        return self._records(
            select(*_RECORD).where(entry.c.index >= start).order_by(entry.c.index).limit(max(limit, 0))
        )

    def search(self, where: RecordFilter, *, before: LeafIndex | None, limit: int) -> list[StoredRecord]:
        """As the port says; ValueError for `where.code`, which only the engine's line table can answer."""
        if where.code is not None:
            raise ValueError("the log store knows no goods codes; ask EngineReader.lines")
        statement = select(*_RECORD).order_by(entry.c.index.desc()).limit(max(limit, 0))
        for column, value in (
            (entry.c.holder, where.holder),
            (entry.c.site, where.site),
            (entry.c.book, where.book),
            (entry.c.kind, where.kind),
        ):
            if value is not None:
                statement = statement.where(column == value)
        if before is not None:
            statement = statement.where(entry.c.index < before)
        # `received` never decreases with the index (formats.md section 3), so a span of time is a span of indexes:
        # two look-ups in its index instead of a filter over every row.
        if where.received_from is not None:
            start = self._first_index_since(where.received_from)
            if start is None:
                return []
            statement = statement.where(entry.c.index >= start)
        if where.received_to is not None:
            end = self._first_index_since(where.received_to)
            if end is not None:
                statement = statement.where(entry.c.index < end)
        return self._records(statement)

    def book_head(self, holder: str, site: str, book: str) -> BookHead:
        state = self.book_state(holder, site, book)
        return BookHead(0, None) if state is None else BookHead(state.seq, state.record_id, state.closed)

    def book_state(self, holder: str, site: str, book: str) -> BookState | None:
        row = self._db.row(select(*book_table.c).where(_is_book(book_table, holder, site, book)))
        if row is None:
            return None
        return BookState(row[0], row[1], row[2], row[3], RecordId(row[4].hex()), bool(row[5]), bool(row[6]))

    def book_records(self, holder: str, site: str, book: str, *, after_seq: int, limit: int) -> list[StoredRecord]:
        return self._records(
            select(*_RECORD)
            .where(_is_book(entry, holder, site, book), entry.c.seq > after_seq)
            .order_by(entry.c.seq)
            .limit(max(limit, 0))
        )

    def holders(self) -> list[str]:
        return sorted(row[0] for row in self._db.rows(select(book_table.c.holder).distinct()))

    def entries(self, start: LeafIndex, end: LeafIndex) -> list[bytes]:
        span = and_(entry.c.index >= start, entry.c.index < end)
        return [row[0] for row in self._db.rows(select(entry.c.entry).where(span).order_by(entry.c.index))]

    def leaf_hashes(self, start: LeafIndex, end: LeafIndex) -> list[bytes]:
        span = and_(entry.c.index >= start, entry.c.index < end)
        return [row[0] for row in self._db.rows(select(entry.c.leaf_hash).where(span).order_by(entry.c.index))]

    def hash_tile(self, level: int, n: int, width: int) -> bytes:
        if level < 0 or n < 0 or not 1 <= width <= TILE_WIDTH:
            raise NotFoundError(f"no tile {level}/{n} of width {width}")
        whole = self._db.scalar(select(tile.c.hashes).where(tile.c.level == level, tile.c.n == n))
        if whole is not None:
            return bytes(whole[: width * HASH_BYTES])
        first = n * TILE_WIDTH
        if level == 0:
            hashes = self.leaf_hashes(LeafIndex(first), LeafIndex(first + width))
        else:
            span = and_(tile.c.level == level - 1, tile.c.n >= first, tile.c.n < first + width)
            hashes = [row[0] for row in self._db.rows(select(tile.c.root).where(span).order_by(tile.c.n))]
        if len(hashes) != width:
            raise NotFoundError(f"tile {level}/{n} has not {width} hashes yet")
        return b"".join(hashes)

    def last_received(self) -> UnixMs:
        """0 for an empty log."""
        return UnixMs(self._db.scalar(select(entry.c.received).order_by(entry.c.index.desc()).limit(1)) or 0)

    def grants(self) -> list[Grant]:
        return [_grant(row) for row in self._db.rows(select(*grant.c).order_by(grant.c.index, grant.c.g))]

    def grants_version(self) -> int:
        return int(self._db.scalar(select(func.coalesce(func.max(grant.c.index) + 1, 0))))

    def latest_checkpoint(self) -> StoredCheckpoint | None:
        return _one(self._checkpoints(select(*_CHECKPOINT).order_by(checkpoint.c.size.desc()).limit(1)))

    def checkpoint(self, size: TreeSize) -> StoredCheckpoint | None:
        return _one(self._checkpoints(select(*_CHECKPOINT).where(checkpoint.c.size == size)))

    def disclosures(self, record_id: RecordId) -> tuple[str, ...]:
        """The strings still held for a record, in the order of their digests (that of `_sd`)."""
        held = (
            select(disclosure.c.digest, disclosure.c.text)
            .join(entry, entry.c.index == disclosure.c.index)
            .where(entry.c.record_id.in_(hashes_of([record_id])))
        )
        return tuple(text for _, text in sorted((row[0], row[1]) for row in self._db.rows(held)))

    def is_erased(self, digests: Sequence[str]) -> set[str]:
        return {
            row[0]
            for part in chunks(digests)
            for row in self._db.rows(select(erased.c.digest).where(erased.c.digest.in_(part)))
        }

    def surrogates(self, lookups: Sequence[str]) -> dict[str, str]:
        return {
            row[0]: row[1]
            for part in chunks(lookups)
            for row in self._db.rows(
                select(lookup_table.c.digest, lookup_table.c.surrogate).where(lookup_table.c.digest.in_(part))
            )
        }

    def disclosed_under(self, lookup: str) -> set[str]:
        return {row[0] for row in self._db.rows(select(disclosure.c.digest).where(disclosure.c.lookup == lookup))}

    def lookup_sample(self) -> tuple[str, str] | None:
        row = self._db.row(select(disclosure.c.text, disclosure.c.lookup).where(disclosure.c.lookup > "").limit(1))
        return None if row is None else (row[0], row[1])

    def facts(self, start: LeafIndex, end: LeafIndex) -> dict[LeafIndex, dict[str, Any]]:
        span = and_(facts_table.c.index >= start, facts_table.c.index < end)
        rows = self._db.rows(select(facts_table.c.index, facts_table.c.facts).where(span).order_by(facts_table.c.index))
        return {LeafIndex(row[0]): json.loads(row[1]) for row in rows}

    def refused(self, record_id: RecordId) -> Refused | None:
        row = self._db.row(select(*refused_table.c).where(refused_table.c.record_id.in_(hashes_of([record_id]))))
        return None if row is None else Refused(RecordId(row[0].hex()), *row[1:])

    def refused_since(self, keyid: str, since: UnixMs) -> int:
        """How many submissions of this key were refused at `since` or later."""
        count = select(func.count()).where(refused_table.c.keyid == keyid, refused_table.c.received >= since)
        return int(self._db.scalar(count))

    def _first_index_since(self, received: UnixMs) -> int | None:
        first = select(entry.c.index).where(entry.c.received >= received)
        found = self._db.scalar(first.order_by(entry.c.received, entry.c.index).limit(1))
        return None if found is None else int(found)

    def _records(self, statement: Select[Any]) -> list[StoredRecord]:
        return [_record(row) for row in self._db.rows(statement)]

    def _checkpoints(self, statement: Select[Any]) -> list[StoredCheckpoint]:
        return [StoredCheckpoint(*row) for row in self._db.rows(statement)]


def hashes_of(names: Iterable[str]) -> list[bytes]:
    """The 32-byte values of hex names; what is no such name can name nothing and is left out."""
    return [bytes.fromhex(name) for name in names if len(name) == 2 * HASH_BYTES and _is_lower_hex(name)]


def _is_lower_hex(text: str) -> bool:
    return not text.strip("0123456789abcdef")


def _one(values: Sequence[T]) -> T | None:
    return values[0] if values else None


def _record(row: Any) -> StoredRecord:
    return StoredRecord(row[0], RecordId(row[1].hex()), *row[2:])


def _grant(row: Any) -> Grant:
    return Grant(row[0].hex(), row[1], row[2], row[3], row[4], Role(row[5]), row[6], row[7], row[8])


def _is_book(table: Table, holder: str, site: str, book: str) -> ColumnElement[bool]:
    return and_(table.c.holder == holder, table.c.site == site, table.c.book == book)
