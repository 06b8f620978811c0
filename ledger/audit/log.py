"""The log store: every column re-derived from the envelopes, a tile at a time.

Signatures, grants, books and roots are the verifier's own (`core.verification`): the tiles go through the same code as a
mirror's in `verify log`. Here comes what no mirror holds: the columns beside the entry, receipts, disclosures, refusal
notes, facts, and the tables kept for speed (books, grants, tiles, checkpoints).

In memory: the heads of the books, the newest statement of each grant, the erased digests, a few hundred hashes.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import tzinfo
from typing import Any

from ledger.audit.disclosed import DisclosedTables
from ledger.audit.records import RecordTables
from ledger.audit.report import Report, Row, shown
from ledger.core.checkpoint import open_checkpoint
from ledger.core.dsse import parse_envelope, written_by_us
from ledger.core.encoding import b64_decode
from ledger.core.merkle import leaf_hash, node_hash
from ledger.core.record import parse_payload, record_id_of
from ledger.core.tiles import TILE_WIDTH, encode_entry_bundle, encode_record_bundle
from ledger.core.times import format_utc
from ledger.core.trust import TrustFile
from ledger.core.verification.leaves import AuditFinding
from ledger.core.verification.log import ExpectedRoot, LogAudit
from ledger.core.verification.tile import TileResult, TileTask
from ledger.errors import VerificationError
from ledger.model import NEVER, Payload, TreeHead, UnixMs
from ledger.ports import TableReader

Checker = Callable[[Iterator[TileTask]], Iterator[tuple[TileTask, TileResult]]]
"""Runs `check_tile` over tasks and gives (task, result) in their order, in whatever processes it likes."""
Progress = Callable[[int, int], None]
"""(entries done, entries in all)."""


class LogTables:
    """One pass over the log store. `run` once; afterwards `audit.grants` are the grants that the log states."""

    def __init__(
        self, tables: TableReader, trust: TrustFile, report: Report, *, zone: tzinfo, lookup_key: bytes | None
    ) -> None:
        self._tables = tables
        self._trust = trust
        self._report = report
        self.size = tables.count("log", "entry")
        self.audit = LogAudit(trust, self.size)
        self._records = RecordTables(tables, trust, report, DisclosedTables(tables, report, zone, lookup_key))
        self._levels: list[list[bytes]] = []
        self._tiles = 0
        self._stored: dict[int, Iterator[dict[str, Any]]] = {}
        self._reached: dict[int, dict[str, Any] | None] = {}
        self._books: dict[tuple[str, str, str], list[Any]] = {}
        self._grants: dict[str, dict[str, Any]] = {}

    def expect(self, size: int, root: bytes, source: str, check: int) -> None:
        """A root that the first `size` leaves must have, whoever says so."""
        if size:
            self.audit.expect(ExpectedRoot(size, root, source, check))

    def run(self, check: Checker, progress: Progress) -> None:
        """Read, check and fold everything."""
        self._meta()
        done = 0
        for task, result in check(self._tasks()):
            self.audit.fold(task, result)
            done += task.width
            progress(done, self.size)
        verified = self.audit.finish()
        for found in verified.findings:
            self._report.take(self._named(found))
        self._report.dropped += verified.findings_dropped
        self._report.notes += verified.notes
        self._records.finish(self.size)
        self._compare_books()
        self._compare_grants()
        extra = self._tables.count("log", "tile") - self._tiles
        if extra:
            Row(self._report, "log.tile", "", 7).differs(
                "", f"{extra} tiles more than the entries give", code="extra-row"
            )
        self._report.saw("log.tile", self._tiles)

    def _named(self, found: AuditFinding) -> AuditFinding:
        """With the record_id that the row states, where the entry itself can no longer say whose it is."""
        if found.record_id or found.index is None:
            return found
        rows = self._tables.rows("log", "entry", by="index", start=found.index, end=found.index + 1)
        row = next(rows, None)
        return found if row is None else replace(found, record_id=row["record_id"].hex())

    def _meta(self) -> None:
        for row in self._tables.rows("log", "meta"):
            name = Row(self._report, "log.meta", row["key"], 2)
            if row["key"] == "origin":
                name.compare("value", row["value"], self._trust.origin)
            else:
                name.differs("key", "no such key is known")
            self._report.saw("log.meta")
        if not self._report.seen.get("log.meta"):
            Row(self._report, "log.meta", "origin", 2).differs(
                "key", "the store is bound to no log", code="row-missing"
            )

    # --- tiles of entries --------------------------------------------------------------------------------------------

    def _tasks(self) -> Iterator[TileTask]:
        checkpoints = self._tables.rows("log", "checkpoint")
        waiting = next(checkpoints, None)
        rows: list[dict[str, Any]] = []
        n = 0
        for row in self._tables.rows("log", "entry"):
            rows.append(row)
            if len(rows) == TILE_WIDTH or n * TILE_WIDTH + len(rows) == self.size:
                while waiting is not None and waiting["size"] <= n * TILE_WIDTH + len(rows):
                    self._checkpoint(waiting)
                    waiting = next(checkpoints, None)
                yield self._task(n, rows)
                rows, n = [], n + 1
        while waiting is not None:
            self._checkpoint(waiting)
            waiting = next(checkpoints, None)

    def _task(self, n: int, rows: list[dict[str, Any]]) -> TileTask:
        first = n * TILE_WIDTH
        leaves = []
        for at, row in enumerate(rows):
            self._entry(first + at, row)
            leaves.append(leaf_hash(row["entry"]))
        self._records.tile(first, rows)
        if len(leaves) == TILE_WIDTH:
            self._tile(0, n, leaves)
        return self.audit.task(
            n, _bundle(encode_entry_bundle, rows, "entry"), _bundle(encode_record_bundle, rows, "envelope")
        )

    def _entry(self, index: int, row: dict[str, Any]) -> None:
        """The columns of one entry against its envelope and its entry's bytes. Signatures are the tile's business."""
        self._report.saw("log.entry")
        record_id = row["record_id"].hex()
        name = Row(self._report, "log.entry", f"index {index}", 6, index, record_id)
        name.compare("index", row["index"], index, check=7)
        name.compare("leaf_hash", row["leaf_hash"], leaf_hash(row["entry"]), check=7)
        self._received(name, row)
        if not row["envelope"]:
            return  # erased as a last resort; the verifier asks for the erasure entry
        try:
            envelope = written_by_us(row["envelope"]) or parse_envelope(row["envelope"])
            payload = parse_payload(envelope.payload)
        except VerificationError:
            return  # the verifier says what is wrong with it
        name.compare("record_id", record_id, record_id_of(envelope.payload))
        for column, derived in (
            ("holder", payload.holder),
            ("site", payload.site),
            ("book", payload.book),
            ("seq", payload.seq),
            ("type", envelope.payload_type),
        ):
            name.compare(column, row[column], derived)
        name.compare("kind", row["kind"], payload.kind, check=3)
        name.compare("event_time_ms", row["event_time_ms"], payload.event_time_ms, check=3)
        self._note(index, record_id_of(envelope.payload), payload)
        self._records.record(index, row, payload)

    @staticmethod
    def _received(name: Row, row: dict[str, Any]) -> None:
        signed = row["entry"][:-1].rpartition(b"\n")[2]
        if str(row["received"]).encode() != signed:
            told = signed.decode("ascii") if re.fullmatch(rb"[0-9]{1,20}", signed) else shown(signed)
            detail = f"holds {_moment(str(row['received']))}, its evidence gives {_moment(told)}"
            name.differs("received", detail)

    def _note(self, index: int, record_id: str, payload: Payload) -> None:
        """What this record makes of the tables kept for speed."""
        place = (payload.holder, payload.site, payload.book)
        before = self._books.get(place)
        opened = (before is not None and before[2]) or payload.kind == "stocktake"
        closed = payload.kind == "close" and bool(payload.body.get("final"))
        self._books[place] = [payload.seq, record_id, opened, closed, index]
        if payload.kind == "grant":
            body = payload.body
            self._grants[body["g"]] = {
                "keyid": body["keyid"],
                "spki": b64_decode(body["spki"]),
                "holder": body["holder"],
                "scope": body["scope"],
                "role": body["role"],
                "enroller": body["enroller"],
                "enrolled_at": body["enrolled_at"],
                "revoked_at": NEVER if body["revoked_at"] is None else body["revoked_at"],
                "index": index,
                "record_id": record_id,
            }

    def _tile(self, level: int, n: int, hashes: list[bytes]) -> None:
        """A tile is complete: compare its row, and pass its root up."""
        root = _fold(hashes)
        span = TILE_WIDTH ** (level + 1)
        name = Row(self._report, "log.tile", f"level {level} n {n}", 7, n * span)
        stored = self._stored_tile(level, n)
        if stored is None:
            name.differs("", f"missing: the tile over entries {n * span} to {(n + 1) * span - 1}", code="row-missing")
        else:
            self._tiles += 1
            name.compare("root", stored["root"], root)
            kept = stored["hashes"]
            wrong = [at for at, value in enumerate(hashes) if kept[32 * at : 32 * at + 32] != value]
            if wrong or len(kept) != 32 * TILE_WIDTH:
                first = (n * TILE_WIDTH + (wrong[0] if wrong else 0)) * TILE_WIDTH**level
                name.differs("hashes", f"the hash over entries from {first} on is not theirs")
        if level == len(self._levels):
            self._levels.append([])
        self._levels[level].append(root)
        if len(self._levels[level]) == TILE_WIDTH:
            row, self._levels[level] = self._levels[level], []
            self._tile(level + 1, n // TILE_WIDTH, row)

    def _stored_tile(self, level: int, n: int) -> dict[str, Any] | None:
        """The row of this tile. A level's tiles are complete one after another, so its rows are read once, in that order."""
        if level not in self._stored:
            self._stored[level] = self._tables.rows("log", "tile", by="level", start=level, end=level + 1)
            self._reached[level] = next(self._stored[level], None)
        row = self._reached[level]
        while row is not None and row["n"] < n:
            row = next(self._stored[level], None)
        self._reached[level] = row
        return row if row is not None and row["n"] == n else None

    def _checkpoint(self, row: dict[str, Any]) -> None:
        """A stored checkpoint: its note is signed and says what the columns say; its root the fold compares."""
        self._report.saw("log.checkpoint")
        name = Row(self._report, "log.checkpoint", f"size {row['size']}", 8)
        try:
            opened = open_checkpoint(row["note"], self._trust.origin, self._trust.log_keys)
        except VerificationError as error:
            name.differs("note", error.detail, code=error.code)
            return
        name.compare("size", row["size"], opened.size)
        name.compare("root", row["root"], opened.root)
        if 0 < opened.size <= self.size and opened.size == row["size"]:
            self.expect(opened.size, opened.root, f"the checkpoint stored for size {opened.size}", 8)
        elif opened.size > self.size:
            name.differs("size", f"the log has only {self.size} entries: it was rolled back", code="size-missing")

    # --- afterwards --------------------------------------------------------------------------------------------------

    def _compare_books(self) -> None:
        for row in self._tables.rows("log", "book"):
            self._report.saw("log.book")
            place = (row["holder"], row["site"], row["book"])
            derived = self._books.pop(place, None)
            name = Row(self._report, "log.book", "/".join(place), 3)
            if derived is None:
                name.differs("", "no record is of this book", code="extra-row")
                continue
            seq, record_id, opened, closed, index = derived
            name = Row(self._report, "log.book", "/".join(place), 3, index, record_id)
            name.compare("seq", row["seq"], seq)
            name.compare("record_id", row["record_id"].hex(), record_id)
            name.compare("opened", bool(row["opened"]), opened)
            name.compare("closed", bool(row["closed"]), closed)
        for place, (_, record_id, _, _, index) in self._books.items():
            Row(self._report, "log.book", "/".join(place), 3, index, record_id).differs(
                "", "the book's row is missing", code="row-missing"
            )

    def _compare_grants(self) -> None:
        for row in self._tables.rows("log", "grant"):
            self._report.saw("log.grant")
            derived = self._grants.pop(row["g"].hex(), None)
            if derived is None:
                Row(self._report, "log.grant", row["g"].hex(), 4, row["index"]).differs(
                    "g", "no grant entry states it", code="extra-row"
                )
                continue
            name = Row(self._report, "log.grant", row["g"].hex(), 4, derived["index"], derived["record_id"])
            for column in row:
                if column != "g":
                    name.compare(column, row[column], derived[column])
        for g, derived in self._grants.items():
            Row(self._report, "log.grant", g, 4, derived["index"], derived["record_id"]).differs(
                "", "the grant's row is missing", code="row-missing"
            )


def guard_says(log: LogTables, before: TreeHead | None, after: TreeHead | None, newest: int, report: Report) -> None:
    """The last signed head in the guard's file: never behind a stored checkpoint, and of this very history.

    Read `before` the log was and `after`, because both go on: the log has all that was signed before, and the guard
    knows of every checkpoint that the log has.
    """
    name = Row(report, "guard/signed-head", "", 8)
    size = 0 if after is None else int(after.size)
    if size < newest:
        name.differs(
            "", f"holds size {size}, a checkpoint of {newest} is stored: the guard was put back", code="guard-behind"
        )
    elif before is not None and before.size > log.size:
        name.differs(
            "", f"size {before.size} was signed, the log has {log.size}: it was rolled back", code="size-missing"
        )
    elif before is not None:
        log.expect(before.size, before.root, "the last signed head (guard/signed-head)", 8)


def _moment(number: str) -> str:
    """Unix milliseconds as they stand, and as a time where it is one."""
    try:
        return f"{number} ({format_utc(UnixMs(int(number)))})"
    except (ValueError, OverflowError, OSError):
        return number


def _bundle(encode: Callable[[list[bytes]], bytes], rows: list[dict[str, Any]], column: str) -> bytes:
    try:
        return encode([row[column] for row in rows])
    except ValueError:
        return b""  # a part is longer than any may be; the verifier reports an unreadable bundle


def _fold(hashes: list[bytes]) -> bytes:
    row = hashes
    while len(row) > 1:
        row = [node_hash(row[at], row[at + 1]) for at in range(0, len(row), 2)]
    return row[0]
