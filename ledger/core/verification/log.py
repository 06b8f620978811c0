"""The audit of a whole log from its stored bytes (formats.md section 9, `verify log` and `verify book`).

Tiles go in, in order; findings come out, each with the exact record and the number of the check. Memory holds the heads
of the books, the grants, and a few hundred hashes: nothing that grows with the number of records. Leaves are checked by
`leaves.check_tile`, in whatever processes the caller likes; only `LogAudit.fold` needs them in order.

Checks here: 3 also for gapless, chained books; 7 for stored hash tiles and for every root recomputed over all leaves;
8 for checkpoints; 9 for roots and heads in contract storage. Not checked: 11 and 12 (disclosures and receipts are in no
mirror), 13 (reserved).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from ledger.core.merkle import HASH_BYTES, Frontier
from ledger.core.tiles import TILE_WIDTH, tile_path
from ledger.core.trust import TrustFile
from ledger.core.verification.granted import GrantBook
from ledger.core.verification.leaves import AuditFinding
from ledger.core.verification.tile import (
    Head,
    Place,
    Run,
    TileResult,
    TileTask,
    chain_break,
    check_deferred,
    check_tile,
    name_records,
    tile_root,
)
from ledger.model import Payload

StoredTile = Callable[[int, int, int], bytes | None]
"""(level, n, width) -> the stored hash tile's bytes, or None when the mirror has none."""


MAX_FINDINGS = 10_000
"""Kept; beyond this they are only counted, so that a log in ruins does not fill the memory."""


@dataclass(frozen=True, slots=True)
class ExpectedRoot:
    """A root that the first `size` leaves must have. `source` names whose word it is, `check` what fails else."""

    size: int
    root: bytes
    source: str
    check: int
    note: bytes = b""
    """The signed note, when the word is a checkpoint."""


@dataclass(slots=True)
class LogReport:
    """What an audit ends with."""

    size: int
    findings: list[AuditFinding] = field(default_factory=list)
    """The first MAX_FINDINGS, in the order of the log."""
    findings_dropped: int = 0
    notes: list[str] = field(default_factory=list)
    """What an auditor should know and is no failure: voided records, erased payloads."""
    books: int = 0
    grants: int = 0
    roots: list[ExpectedRoot] = field(default_factory=list)
    """Every root that came out as expected."""
    forks: list[tuple[ExpectedRoot, bytes]] = field(default_factory=list)
    """Signed checkpoints that contradict the leaves, with the root that the leaves give at their size."""
    payloads: list[tuple[int, str, Payload]] = field(default_factory=list)


class LogAudit:
    """Folds checked tiles into a report. One instance audits one tree of `size` leaves, from leaf 0."""

    def __init__(
        self,
        trust: TrustFile,
        size: int,
        *,
        expected: Iterable[ExpectedRoot] = (),
        stored_tile: StoredTile | None = None,
        only: Place | None = None,
    ) -> None:
        self._origin = trust.origin
        self._only = only
        self._stored_tile = stored_tile
        self._expected: dict[int, list[ExpectedRoot]] = {}
        for root in expected:
            self._expected.setdefault(root.size, []).append(root)
        self._tiles = Frontier()
        self._uppers: list[list[tuple[bytes, ...]]] = []
        self._books: dict[Place, tuple[Head, ...]] = {}
        self._last_received = 0
        self._erased: dict[str, int] = {}
        self.grants = GrantBook(trust)
        self.report = LogReport(size)

    def expect(self, root: ExpectedRoot) -> None:
        """One more root to compare; its size must not have been passed yet."""
        self._expected.setdefault(root.size, []).append(root)

    def task(self, n: int, entries: bytes, records: bytes) -> TileTask:
        """The work for tile n, with the keys that are known by now."""
        first = n * TILE_WIDTH
        width = min(TILE_WIDTH, self.report.size - first)
        return TileTask(self._origin, first, width, entries, records, dict(self.grants.keys), self._only)

    def unread_task(
        self, n: int, read: Callable[[], tuple[bytes, bytes]], keys: Mapping[str, bytes] | None = None
    ) -> TileTask:
        """As `task`, for bytes that are read where and when they are needed; `keys` where others are known there."""
        first = n * TILE_WIDTH
        width = min(TILE_WIDTH, self.report.size - first)
        known = self.grants.keys if keys is None else keys
        return TileTask(self._origin, first, width, b"", b"", known, self._only, read)

    def fold(self, task: TileTask, result: TileResult) -> list[AuditFinding]:
        """Take in the next tile, in order. Returns the findings that it brought."""
        found: list[AuditFinding] = list(result.findings)
        self._received(task, result, found)
        for place, run in result.runs.items():
            self._join(place, run, found)
        for index, record_id, body in result.grants:
            found += self.grants.add(index, record_id, body)
        if result.deferred:
            again = check_deferred(task, self.grants.keys, result.deferred)
            found += again.findings
            for use, indices in again.uses.items():
                result.uses.setdefault(use, []).extend(indices)
        for use, indices in result.uses.items():
            found += self.grants.check_use(use, indices)
        self._erasures(result)
        self._roots(task, result, found)
        if found and result.leaves:
            found = name_records(task, found)
        self.report.payloads += result.payloads
        self._keep(found)
        return found

    def finish(self) -> LogReport:
        """Close the audit after the last tile: partial upper tiles, roots beyond the log, voided records."""
        report = self.report
        self._partial_uppers()
        for roots in self._expected.values():
            for root in roots:
                detail = (
                    f"{root.source} names size {root.size}, this mirror ends at {report.size}: "
                    "the mirror is behind, or the log was rolled back"
                )
                report.findings.append(AuditFinding(None, "", root.check, "size-missing", detail))
        for record_id, index in self._erased.items():
            detail = "the payload is gone and no erasure entry names the record"
            report.findings.append(AuditFinding(index, record_id, 1, "record-missing", detail))
        report.notes += self.grants.voided()
        report.books, report.grants = len(self._books), len(self.grants)
        report.findings.sort(key=lambda item: (item.index is None, item.index or 0, item.check))
        return report

    def _keep(self, found: list[AuditFinding]) -> None:
        room = MAX_FINDINGS - len(self.report.findings)
        self.report.findings += found[:room]
        self.report.findings_dropped += len(found[room:])

    # --- order ---------------------------------------------------------------------------------------------------

    def _received(self, task: TileTask, result: TileResult, found: list[AuditFinding]) -> None:
        if result.first_received and result.first_received < self._last_received:
            detail = f"received {result.first_received} is before the entry above it ({self._last_received})"
            found.append(AuditFinding(task.first, "", 6, "received-order", detail))
        self._last_received = max(self._last_received, result.last_received)

    def _join(self, place: Place, run: Run, found: list[AuditFinding]) -> None:
        heads = self._books.get(place, ((0, None),))
        if run.first is None:
            # Only damaged records of this book here: the next may continue what was, or what they claim.
            self._books[place] = (*heads, *run.heads)
            return
        index, record_id, seq, prev = run.first
        broken = chain_break(seq, prev, (*heads, *run.before))
        if broken:
            found.append(AuditFinding(index, record_id, 3, "book-chain", broken))
        self._books[place] = run.heads

    def _erasures(self, result: TileResult) -> None:
        for index, record_id in result.erased:
            self._erased[record_id] = index
        for record_id in result.erasures:
            index = self._erased.pop(record_id, -1)
            if index >= 0:
                self.report.notes.append(f"index {index}, record {record_id}: payload erased")

    # --- roots ---------------------------------------------------------------------------------------------------

    def _roots(self, task: TileTask, result: TileResult, found: list[AuditFinding]) -> None:
        hashes = [result.leaves[at : at + HASH_BYTES] for at in range(0, len(result.leaves), HASH_BYTES)]
        stored = self._compare_leaves(task, hashes, found)
        sizes = sorted(size for size in self._expected if task.first < size <= task.first + len(hashes))
        if sizes or result.root is None:
            frontier = self._leaf_frontier()
            for leaf in hashes:
                frontier.append(leaf)
                for root in self._expected.pop(frontier.size, ()):
                    self._compare_root(root, frontier.root(), found)
        if result.root is not None:
            self._tiles.append(result.root)
            self._push(0, _alternatives(result.root, stored), found)

    def _leaf_frontier(self) -> Frontier:
        """The frontier of all whole tiles, counted in leaves: the same subtrees, 256 times as many."""
        data = self._tiles.to_bytes()
        return Frontier.from_bytes((self._tiles.size * TILE_WIDTH).to_bytes(8, "big") + data[8:])

    def _compare_root(self, expected: ExpectedRoot, root: bytes, found: list[AuditFinding]) -> None:
        if root == expected.root:
            self.report.roots.append(expected)
            return
        detail = (
            f"the first {expected.size} leaves have root {root.hex()}, {expected.source} says {expected.root.hex()}"
        )
        found.append(AuditFinding(None, "", expected.check, "other-root", detail))
        if expected.note:
            self.report.forks.append((expected, root))

    def _compare_leaves(self, task: TileTask, hashes: list[bytes], found: list[AuditFinding]) -> bytes | None:
        """The stored level-0 tile against the leaf hashes: this names the very record that was altered.

        Returns the stored tile when it differs.
        """
        n = task.first // TILE_WIDTH
        stored = self._stored(0, n, task.width)
        if stored is None or stored == b"".join(hashes):
            return None
        for offset, leaf in enumerate(hashes):
            if stored[offset * HASH_BYTES : (offset + 1) * HASH_BYTES] != leaf:
                detail = f"the entry's leaf hash is not the one stored in {tile_path(0, n, task.width)}"
                found.append(AuditFinding(task.first + offset, "", 7, "leaf-differs", detail))
        return stored

    def _push(self, level: int, roots: tuple[bytes, ...], found: list[AuditFinding]) -> None:
        """A tile of `level` is complete: its root is one hash of the level above, and may complete a tile there.

        `roots` are two when the tile was altered: what it gives now, and what the stored tile below gives. Either may
        stand above, so that one altered hash is named once and not once a level.
        """
        if level == len(self._uppers):
            self._uppers.append([])
        row = self._uppers[level]
        row.append(roots)
        if len(row) == TILE_WIDTH:
            n = self._tiles.size // TILE_WIDTH ** (level + 1) - 1
            stored = self._compare_upper(level + 1, n, row, found)
            computed = tile_root([item[0] for item in row])
            row.clear()
            self._push(level + 1, _alternatives(computed, stored), found)

    def _partial_uppers(self) -> None:
        for level, row in enumerate(self._uppers, start=1):
            if row:
                n = self._tiles.size // TILE_WIDTH**level
                self._compare_upper(level, n, row, self.report.findings)

    def _compare_upper(
        self, level: int, n: int, row: list[tuple[bytes, ...]], found: list[AuditFinding]
    ) -> bytes | None:
        """As `_compare_leaves`, for a tile of a level above 0."""
        stored = self._stored(level, n, len(row))
        if stored is None or stored == b"".join(item[0] for item in row):
            return None
        span = TILE_WIDTH**level
        for at, roots in enumerate(row):
            if stored[at * HASH_BYTES : (at + 1) * HASH_BYTES] not in roots:
                first = (n * TILE_WIDTH + at) * span
                path = tile_path(level, n, len(row))
                detail = f"{path}: the hash over entries {first} to {first + span - 1} is not theirs"
                found.append(AuditFinding(first, "", 7, "tile-differs", detail))
        return stored

    def _stored(self, level: int, n: int, width: int) -> bytes | None:
        if self._stored_tile is None:
            return None
        stored = self._stored_tile(level, n, width)
        return None if stored is None else stored[: width * HASH_BYTES]


def _alternatives(root: bytes, stored: bytes | None) -> tuple[bytes, ...]:
    if stored is None or len(stored) != TILE_WIDTH * HASH_BYTES:
        return (root,)
    return (root, tile_root([stored[at : at + HASH_BYTES] for at in range(0, len(stored), HASH_BYTES)]))


def audit_tiles(audit: LogAudit, tiles: Iterable[tuple[int, bytes, bytes]]) -> Iterator[list[AuditFinding]]:
    """Audit (n, entry bundle, record bundle) in order, in this process. Yields each tile's findings."""
    for n, entries, records in tiles:
        task = audit.task(n, entries, records)
        yield audit.fold(task, check_tile(task))
