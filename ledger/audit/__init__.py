"""Stage 9, audit: an installation → a report. Everything is re-derived from stored bytes and the chain.

`hazledger verify log` needs nobody's help and reads only what is published; this reads the installation itself and so sees
more: every column of every store. When `audit` returns, each row was compared with what its evidence gives: columns with
the envelope's payload, leaves and tiles with entries, receipts and notes with their signatures, heads with the guard's
file and the contract, anchors with their trie proofs, the engine's tables with a fresh fold of the log. Each finding names
the row, the record and the check. Memory does not grow with the log: heads of books, grants, erased digests, and in the
fresh fold what the engine itself holds (stock keys, open transfers, waiting rules).

The log may grow meanwhile. Each store is read as of one moment, and the moments are taken in an order in which whoever
points at another is looked at first: anchors, then the contract's head and the engine's tables, the guard, the log, the
guard once more, the portal. So nothing points beyond what is read because it is newer.

Not evidence, and not looked at: accounts, sessions and tokens of the portal; when a checkpoint was signed by our own
clock; settings; what runs. Nothing is written, and nothing is repaired.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import tzinfo

from ledger.audit.anchors import AnchorTables, ReadTransaction, StoredProof, side_of
from ledger.audit.log import Checker, LogTables, Progress, guard_says
from ledger.audit.others import access_log, engine_tables, snapshot
from ledger.audit.report import Finding, Report, Row
from ledger.core.trust import TrustFile
from ledger.core.verification.chainside import ChainSide
from ledger.core.verification.state import ChainView
from ledger.errors import ChainError, RollbackError, VerificationError
from ledger.model import TreeHead
from ledger.ports import TableReader

__all__ = ["Audited", "Finding", "NotKept", "Refold", "Report", "audit"]


class NotKept(str):
    """Why a fold cannot be done, where that is a finding itself: a rule set that the log names is not what is kept of it."""

    __slots__ = ()


Refold = Callable[[int | None, int], "tuple[TableReader, bytes | None] | str"]
"""Fold the log from index 0 up to the second cursor into empty tables: (the tables, the state at the first cursor when
one is asked for), or why that cannot be done."""


@dataclass(frozen=True)
class Audited:
    """What is audited, and by whose help. `chain` None: anchors and grants are compared with stored proofs only."""

    tables: TableReader
    trust: TrustFile
    stored_proof: StoredProof
    read_transaction: ReadTransaction
    guard: Callable[[], TreeHead | None]
    access_start: bytes
    zone: tzinfo
    """The county's, in which ages are reckoned."""
    lookup_key: bytes | None = field(default=None, repr=False)
    """With it the lookup digests are made again; without it only their surrogates are compared."""
    refold: Refold | None = None
    chain: ChainView | None = None


def audit(what: Audited, *, check: Checker, progress: Progress) -> Report:
    """Look at everything. Findings are in the report; nothing is raised for what the stores hold.

    Raises:
        StoreError: a database cannot be read at all.
    """
    report = Report()
    what.tables.hold("anchor")
    side: ChainSide | None = None
    head: tuple[int, bytes] | None = None
    try:
        side = side_of(what.chain, what.trust, report)
        head = None if side is None else _chain_head(side, report)
    except ChainError as error:
        report.unreachable = error.detail
        side = None
    what.tables.hold("engine")
    before = _guard(what)
    what.tables.hold("log")
    after = _guard(what)
    what.tables.hold("portal")
    if _misfits(what.tables, report):
        report.skipped.append(
            "all else: where a value is not of its column's type, nothing that rests on it can be read"
        )
        return report
    log = LogTables(what.tables, what.trust, report, zone=what.zone, lookup_key=what.lookup_key)
    anchors = AnchorTables(
        what.tables,
        what.trust,
        report,
        stored_proof=what.stored_proof,
        read_transaction=what.read_transaction,
        chain=None if side is None else what.chain,
        side=side,
    )
    try:
        _heads(what, log, report, anchors, head=head, guards=(before, after))
        log.run(check, progress)
        if side is not None:
            _grants(log, side, report)
        anchors.run()
    except ChainError as error:
        report.unreachable = error.detail
    access_log(what.tables, report, what.access_start)
    if what.refold is None:
        report.skipped.append("the engine's tables: not folded again")
    else:
        _engine(what, what.refold, report)
    return report


def _misfits(tables: TableReader, report: Report) -> bool:
    """Whether there are values that no program of ours has written; each is a finding."""
    found = False
    for one in tables.misfits():
        if one.store == "portal" and one.table != "access":
            continue  # not evidence
        found = True
        name = Row(report, f"{one.store}.{one.table}", one.row)
        name.differs(one.column, f"holds a value of type {one.holds}, not {one.wants}", code="wrong-type")
        report.seen.setdefault(name.place, 0)
    return found


def _chain_head(side: ChainSide, report: Report) -> tuple[int, bytes] | None:
    try:
        size, root, _ = side.head()
    except VerificationError as error:
        Row(report, "chain", "", error.check).differs("", error.detail, code=error.code)
        return None
    return size, root


def _guard(what: Audited) -> TreeHead | str | None:
    """The last signed head, or why it cannot be read."""
    try:
        return what.guard()
    except RollbackError as error:
        return error.detail


def _heads(
    what: Audited,
    log: LogTables,
    report: Report,
    anchors: AnchorTables,
    *,
    head: tuple[int, bytes] | None,
    guards: tuple[TreeHead | str | None, TreeHead | str | None],
) -> None:
    """Every root that the leaves must have, before they are read. `head` is the contract's."""
    newest = 0
    for row in what.tables.rows("log", "checkpoint"):
        newest = row["size"]
    before, after = guards
    if isinstance(before, str):
        Row(report, "guard/signed-head", "", 8).differs("", before, code="guard-unreadable")
    elif isinstance(after, str):
        Row(report, "guard/signed-head", "", 8).differs("", after, code="guard-unreadable")
    else:
        guard_says(log, before, after, newest, report)
    if head is not None and head[0] > log.size:
        Row(report, "chain", "", 9).differs(
            "", f"the contract holds size {head[0]}, the log has {log.size}: it was rolled back", code="size-missing"
        )
    elif head is not None:
        log.expect(*head, "the contract's head", 9)
    anchors.expect(log)


def _grants(log: LogTables, side: ChainSide, report: Report) -> None:
    try:
        for found in side.compare_grants(log.audit.grants)[0]:
            report.take(found)
    except VerificationError as error:
        Row(report, "chain", "", error.check).differs("", error.detail, code=error.code)


def _engine(what: Audited, refold: Refold, report: Report) -> None:
    kept = next(what.tables.rows("engine", "snapshot"), None)
    state = next(what.tables.rows("engine", "state"), None)
    folded: tuple[TableReader, bytes | None] | str
    try:
        folded = refold(None if kept is None else kept["cursor"], 0 if state is None else state["cursor"])
    except Exception as error:
        # Of a log in which nothing was found it is a fault of ours; else of what was found, and that must be told.
        if not report.total:
            raise
        folded = f"{type(error).__name__} in the fold of a log in which something was altered"
    if isinstance(folded, NotKept):
        Row(report, "engine.extra", "").differs("value", folded, code="ruleset-unknown")
    if isinstance(folded, str):
        report.skipped.append(f"the engine's tables: {folded}")
        return
    fresh, reached = folded
    engine_tables(what.tables, fresh, report)
    snapshot(what.tables, reached, report)
