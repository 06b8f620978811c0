"""The one writer of the log: `LogWriter` of ledger.ports."""

from __future__ import annotations

import json
import logging
from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, delete, func, insert, select

from ledger.adapters.store.database import Insert, chunks
from ledger.adapters.store.log_reader import LogReadStore, hashes_of
from ledger.adapters.store.schema.log import (
    book,
    checkpoint,
    disclosure,
    entry,
    erased,
    facts,
    grant,
    lookup,
    meta,
    refused,
    tile,
)
from ledger.errors import StoreError
from ledger.faults import fault
from ledger.model import RecordId
from ledger.ports import AppendBatch, NewEntry, StoredCheckpoint

_LOG = logging.getLogger(__name__)

_ENTRY = Insert(entry)
_TILE = Insert(tile)
_BOOK = Insert(book, upsert=("holder", "site", "book"))
_GRANT = Insert(grant, upsert=("g",))
_FACTS = Insert(facts)
_DISCLOSURE = Insert(disclosure, conflict="ON CONFLICT DO NOTHING")
_LOOKUP = Insert(lookup)
_ERASED = Insert(erased, conflict="ON CONFLICT DO NOTHING")
_REFUSED = Insert(refused, conflict="ON CONFLICT DO NOTHING")
_CHECKPOINT = Insert(checkpoint)


class LogStore(LogReadStore):
    """The log's reader and its only writer."""

    def bind_origin(self, origin: str) -> None:
        """Name the log this store holds, once and for all; StoreError when it is another one's."""
        with self._db.write() as connection:
            held = connection.execute(select(meta.c.value).where(meta.c.key == "origin")).scalar()
            if held is None:
                connection.execute(insert(meta).values(key="origin", value=origin))
            elif held != origin:
                raise StoreError(f"this store holds the log {held}, not {origin}", code="other-origin")

    def append(self, batch: AppendBatch) -> None:
        """One transaction, on the disk when it returns; if it raises StoreError, nothing of the batch is kept.

        Refuses a batch that does not continue the log at its size, that has a hole, or whose `books` do not say where
        the books of its entries end.
        """
        _check_books(batch)
        with self._db.write() as connection:
            size = connection.execute(select(func.coalesce(func.max(entry.c.index) + 1, 0))).scalar_one()
            for index, new in enumerate(batch.entries, size):
                if new.record.index != index:
                    raise StoreError(f"entry {new.record.index} came where {index} is next", code="not-contiguous")
            _ENTRY.run(connection, [_entry_row(new) for new in batch.entries])
            _TILE.run(connection, [(tile.level, tile.n, tile.hashes, tile.root) for tile in batch.tiles])
            _BOOK.run(
                connection,
                [
                    (b.holder, b.site, b.book, b.seq, bytes.fromhex(b.record_id), b.opened, b.closed)
                    for b in batch.books
                ],
            )
            _GRANT.run(
                connection,
                [
                    (
                        bytes.fromhex(g.g),
                        g.keyid,
                        g.spki,
                        g.holder,
                        g.scope,
                        int(g.role),
                        g.enroller,
                        g.enrolled_at,
                        g.revoked_at,
                        index,
                    )
                    for g, index in batch.grants
                ],
            )
            _FACTS.run(
                connection,
                [(new.record.index, json.dumps(new.facts)) for new in batch.entries if new.facts is not None],
            )
            _REFUSED.run(
                connection,
                [
                    (
                        bytes.fromhex(r.record_id),
                        r.holder,
                        r.site,
                        r.book,
                        r.seq,
                        r.code,
                        r.received,
                        r.envelope,
                        r.note,
                        r.keyid,
                    )
                    for r in batch.refused
                ],
            )
            orphaned = _erase(connection, batch.erased)
            _add_lookups(connection, batch)
            _add_disclosures(connection, batch)
            _forget(connection, [*orphaned, *(digest for digest, _ in batch.lookups)])
            fault("append.committing")
        if batch.erased:
            self._clear_erased()

    def _clear_erased(self) -> None:
        """Take what was erased out of the files now: SQLite's write-ahead log, PostgreSQL's dead rows. The erasure is
        committed whatever happens here; upkeep that fails is done by the databases' own, later.
        """
        statement = "PRAGMA wal_checkpoint(TRUNCATE)" if self._db.is_sqlite else "VACUUM disclosure, lookup"
        try:
            done = self._db.upkeep(statement)
        except StoreError as error:
            _LOG.warning("erased strings may stay in the database's files for a while: %s", error.detail)
        else:
            if done is not None and done[0]:
                _LOG.warning("erased strings stay in the write-ahead log until the readers of before are gone")

    def save_checkpoint(self, checkpoint: StoredCheckpoint) -> None:
        """Durable when it returns. The same size again is StoreError: a signed head is never replaced."""
        with self._db.write() as connection:
            _CHECKPOINT.run(connection, [(checkpoint.size, checkpoint.root, checkpoint.note, checkpoint.signed_ms)])


def _entry_row(new: NewEntry) -> tuple[Any, ...]:
    r = new.record
    return (
        r.index,
        bytes.fromhex(r.record_id),
        r.holder,
        r.site,
        r.book,
        r.seq,
        r.kind,
        r.type,
        r.received,
        new.event_time_ms,
        new.leaf_hash,
        r.entry,
        r.receipt,
        r.envelope,
    )


def _check_books(batch: AppendBatch) -> None:
    """The head of a book is kept beside its entries; written by the same call, the two must not part."""
    ends = {(new.record.holder, new.record.site, new.record.book): new.record for new in batch.entries}
    said = {(state.holder, state.site, state.book): state for state in batch.books}
    for place, last in ends.items():
        state = said.get(place)
        if state is None or (state.seq, state.record_id) != (last.seq, last.record_id):
            raise StoreError(f"the batch does not say that book {'/'.join(place)} ends at {last.seq}", code="book-head")


def _add_disclosures(connection: Connection, batch: AppendBatch) -> None:
    rows: list[tuple[str, int, str, str]] = [
        (digest, new.record.index, text, lookup) for new in batch.entries for digest, text, lookup in new.disclosures
    ]
    if batch.late_disclosures:
        places = _indexes(connection, [late[0] for late in batch.late_disclosures])
        for record_id, digest, text, lookup in batch.late_disclosures:
            if record_id not in places:
                raise StoreError(f"no record {record_id} for a late disclosure", code="no-record")
            rows.append((digest, places[record_id], text, lookup))
    if not rows:
        return
    # An erased digest is never accepted again (formats.md section 6), whoever brings it.
    gone = {
        row[0]
        for part in chunks([row[0] for row in rows])
        for row in connection.execute(select(erased.c.digest).where(erased.c.digest.in_(part)))
    }
    _DISCLOSURE.run(connection, [row for row in rows if row[0] not in gone])


def _indexes(connection: Connection, record_ids: Sequence[RecordId]) -> dict[RecordId, int]:
    return {
        RecordId(row[0].hex()): row[1]
        for part in chunks(hashes_of(record_ids))
        for row in connection.execute(select(entry.c.record_id, entry.c.index).where(entry.c.record_id.in_(part)))
    }


def _erase(connection: Connection, digests: Sequence[str]) -> list[str]:
    """The lookup digests under which the erased strings stood."""
    _ERASED.run(connection, [(digest,) for digest in digests])
    lookups: set[str] = set()
    for part in chunks(digests):
        erasing = disclosure.c.digest.in_(part)
        lookups.update(row[0] for row in connection.execute(select(disclosure.c.lookup).where(erasing)) if row[0])
        connection.execute(delete(disclosure).where(erasing))
    return sorted(lookups)


def _add_lookups(connection: Connection, batch: AppendBatch) -> None:
    """A value disclosed anew in the commit that erases all there was of it: its old surrogate is taken away first.

    One that somebody still holds stays, and the insertion fails: there are no two surrogates for one value.
    """
    _forget(connection, [digest for digest, _ in batch.lookups] if batch.erased else [])
    _LOOKUP.run(connection, list(batch.lookups))


def _forget(connection: Connection, lookups: Sequence[str]) -> None:
    """Delete those under which no disclosure stands any more."""
    held = select(disclosure.c.digest).where(disclosure.c.lookup == lookup.c.digest).exists()
    for part in chunks(lookups):
        connection.execute(delete(lookup).where(lookup.c.digest.in_(part), ~held))
