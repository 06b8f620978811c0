"""`verify log` and `verify book` without their IO: who is asked what, in which order, and what the lines then say.

The chain is asked for its head *before* the mirror for its checkpoint, so that a log that grows meanwhile never looks
rolled back. A mirror that was taken earlier may well end before that head: then what it holds is checked, and the verdict
is PENDING, because nobody can see from here whether the rest was not copied or does not exist. Grants are compared last, when the log has stated all of them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

from ledger.core.merkle import HashReader, consistency_proof
from ledger.core.trust import TrustFile
from ledger.core.verification import evidence
from ledger.core.verification.balance import balance_of
from ledger.core.verification.chainside import ChainSide
from ledger.core.verification.checks import check_checkpoint, check_log_of
from ledger.core.verification.log import ExpectedRoot, LogAudit, LogReport, StoredTile
from ledger.core.verification.outcome import Outcome
from ledger.core.verification.state import ChainView, OtherChainError
from ledger.core.verification.tile import Place
from ledger.core.verification.verdict import utc
from ledger.errors import ChainError, VerificationError

NEWEST = "the signed checkpoint"


@dataclass(slots=True)
class AuditPlan:
    """An audit that is about to run: `audit` takes the tiles of `size` leaves, then `conclude` says what came out."""

    trust: TrustFile
    rpc: ChainView | None
    outcome: Outcome
    audit: LogAudit
    newest: ExpectedRoot
    side: ChainSide | None = None
    anchored_size: int = 0
    """The largest size, of those that this mirror has, whose root the contract holds."""
    ahead: int = 0
    """The contract's head, where it is beyond a mirror that was taken earlier."""
    older: list[ExpectedRoot] = field(default_factory=list)

    @property
    def size(self) -> int:
        """Leaves to read."""
        return self.newest.size


def plan_audit(
    trust: TrustFile,
    rpc: ChainView | None,
    read_checkpoint: Callable[[], bytes],
    older_notes: Sequence[bytes] = (),
    *,
    stored_tile: StoredTile | None = None,
    only: Place | None = None,
    live: bool = True,
) -> AuditPlan | Outcome:
    """Open checkpoints and ask the chain. An Outcome instead of a plan when the audit cannot begin.

    `live`: `read_checkpoint` gives the log's newest, so the contract's head cannot lie beyond it.

    Raises:
        LedgerError: `read_checkpoint` does.
    """
    subject = f"log {trust.origin}" if only is None else f"book {only[0]} {only[1]}/{only[2]}"
    outcome = Outcome(trust.digest, subject)
    side, head = _ask_head(trust, rpc, outcome)
    note = read_checkpoint()
    try:
        check_log_of(note, trust)
    except VerificationError as error:
        # Check 8 fails then as well; alone it would not say why.
        outcome.fail(error)
    try:
        newest = _opened(note, trust, NEWEST)
    except VerificationError as error:
        outcome.fail(error)
        return outcome.close("needs check 8")
    outcome.ok(2, f"log {trust.origin}")
    audit = LogAudit(trust, newest.size, expected=[newest], stored_tile=stored_tile, only=only)
    plan = AuditPlan(trust, rpc, outcome, audit, newest, side)
    for note in older_notes:
        _add_older(plan, note)
    if side is not None and head is not None:
        _add_stored(plan, side, head, live=live)
    return plan


def conclude(plan: AuditPlan, report: LogReport, reader: HashReader | None) -> Outcome:
    """The lines and the verdict of an audit whose tiles were all folded.

    Args:
        plan: what `plan_audit` gave.
        report: what `LogAudit.finish` gave.
        reader: the mirror's stored hashes, with which a contradiction between checkpoints can be proven.
    """
    outcome = plan.outcome
    _compare_grants(plan, report)
    outcome.findings_dropped = report.findings_dropped
    outcome.take(report.findings)
    outcome.notes += report.notes
    _prove_fork(plan, report, reader)
    size = report.size
    outcome.ok(1, f"{size} envelopes")
    outcome.ok(3, f"{size} payloads; {report.books} books, each gapless and chained")
    outcome.ok(5, f"the signatures of {size} records")
    outcome.ok(6, f"{size} entries rebuilt from their envelopes")
    outcome.ok(7, f"root recomputed over all {size} leaves")
    outcome.ok(8, f"size {size}" + (f", consistent with {len(plan.older)} older ones" if plan.older else ""))
    if plan.side is not None and plan.anchored_size:
        outcome.ok(9, f"the contract holds the root of {plan.anchored_size} entries, and it is theirs")
    elif plan.side is not None:
        outcome.skip(9, "the contract holds no root of this mirror" if plan.ahead else "nothing is anchored yet")
    else:
        outcome.skip(9, "name an endpoint with --rpc to compare with contract storage")
    if plan.ahead:
        outcome.pending = (
            f"the contract holds size {plan.ahead}, this mirror ends at {size}: entries {size} to {plan.ahead - 1} are "
            "not in it; take the mirror again, and if they never come the log was rolled back"
        )
    outcome.skip(10, "name an endpoint with --rpc")
    outcome.skip(11, "a mirror holds no disclosures: verify a bundle")
    outcome.skip(12, "a mirror holds no receipts: hazledger verify receipt")
    outcome.skip(13, "reserved, not yet checked by this version")
    outcome.facts["entries"] = size
    if plan.rpc is None:
        outcome.facts["compared with the chain"] = "no (name --rpc URL)"
    if plan.side is not None and plan.side.chain.kind == "development":
        outcome.facts["development chain"] = plan.side.chain.chain_id
    return outcome


def conclude_book(plan: AuditPlan, report: LogReport, reader: HashReader | None) -> Outcome:
    """As `conclude`, for one book: gapless, chained, balanced, up to which checkpoint."""
    outcome = plan.outcome
    count = len(report.payloads)
    outcome.ok(1, f"{count} envelopes of the book")
    outcome.ok(3, f"no. 1 to {count} without a gap, each chained to the one before")
    outcome.ok(5, f"the signatures of {count} records")
    outcome.ok(6, f"{count} entries rebuilt from their envelopes")
    outcome.ok(7, f"all {report.size} leaves of the log read: no other record is of this book")
    conclude(plan, report, reader)
    balance = balance_of(report.payloads)
    outcome.facts.pop("entries", None)
    outcome.facts["records"] = count
    outcome.facts["complete up to checkpoint"] = report.size
    if not count:
        # Nothing was found wrong, and nothing was verified: who reads only the exit code must not take it for success.
        outcome.misuse = outcome.misuse or (
            f"the log holds no record of this book up to its checkpoint of size {report.size}: look at the spelling of "
            "enterprise, site and book; who holds a receipt of such a record has `hazledger verify receipt`"
        )
    elif balance.differences:
        outcome.facts["balanced"] = f"no, {len(balance.differences)} of {balance.compared} balance lines differ"
    elif balance.compared:
        outcome.facts["balanced"] = f"yes, {balance.compared} balance lines compared"
    else:
        outcome.facts["balanced"] = "nothing to compare yet (no stocktake or close after the first)"
    outcome.notes += [item.line() for item in balance.differences] + balance.skipped
    return outcome


def _ask_head(
    trust: TrustFile, rpc: ChainView | None, outcome: Outcome
) -> tuple[ChainSide | None, tuple[int, bytes] | None]:
    if rpc is None:
        return None, None
    try:
        side = ChainSide(rpc, trust)
        size, root, state = side.head()
    except OtherChainError as error:
        outcome.misuse = error.detail
        outcome.skip(10, "needs an endpoint of the trust file's chain; the one you named is of another")
        return None, None
    except VerificationError as error:
        outcome.fail(error)
        return None, None
    except ChainError as error:
        outcome.unreachable = error.detail
        return None, None
    header = state.header
    outcome.ok(10, f"newest final block {header.number}, {utc(header.timestamp_s)}, by the endpoint you named")
    return side, (size, root)


def _opened(note: bytes, trust: TrustFile, source: str) -> ExpectedRoot:
    checkpoint = check_checkpoint(note, trust)
    return ExpectedRoot(checkpoint.size, checkpoint.root, source, 8, note)


def _add_older(plan: AuditPlan, note: bytes) -> None:
    try:
        older = _opened(note, plan.trust, "an older signed checkpoint")
    except VerificationError as error:
        plan.outcome.fail(error)
        return
    if older.size and (older.size, older.root) != (plan.newest.size, plan.newest.root):
        plan.older.append(older)
        plan.audit.expect(older)


def _add_stored(plan: AuditPlan, side: ChainSide, head: tuple[int, bytes], *, live: bool) -> None:
    """The contract's head and its roots for the checkpoints at hand, as roots that the leaves must have."""
    size, root = head
    if not size:
        return
    sizes = {plan.newest.size, *(older.size for older in plan.older)}
    if size > plan.size and not live:
        plan.ahead = size
    else:
        plan.anchored_size = size
        plan.audit.expect(ExpectedRoot(size, root, "the contract's head", 9))
        sizes.add(size)
    try:
        for stored in side.stored_roots(sizes):
            plan.audit.expect(stored)
            plan.anchored_size = max(plan.anchored_size, stored.size)
    except VerificationError as error:
        plan.outcome.fail(error)
    except ChainError as error:
        plan.outcome.unreachable = error.detail


def _compare_grants(plan: AuditPlan, report: LogReport) -> None:
    grants, outcome = plan.audit.grants, plan.outcome
    if plan.side is None:
        outcome.skip(4, f"{len(grants)} grants, as the log itself states them; name --rpc to prove them from the chain")
        return
    try:
        findings, state = plan.side.compare_grants(grants)
    except VerificationError as error:
        outcome.fail(error)
        return
    except ChainError as error:
        outcome.unreachable = error.detail
        outcome.skip(4, f"the endpoint did not answer: {error.detail}")
        return
    report.findings += findings
    # Voided once more: the chain may know revocations that the log has not stated.
    report.notes = list(dict.fromkeys([*report.notes, *grants.voided()]))
    when = f"block {state.header.number}, {utc(state.header.timestamp_s)}"
    outcome.ok(4, f"{len(grants)} grants, each as the registry holds it at {when}")
    outcome.facts["keys as of"] = when


def _prove_fork(plan: AuditPlan, report: LogReport, reader: HashReader | None) -> None:
    """Two signed checkpoints that contradict each other, when the leaves are those of the newest."""
    if reader is None or not any(root is plan.newest for root in report.roots):
        return
    for older, prefix in report.forks:
        try:
            if older.size == plan.size:
                proof = {}
            else:
                proof = evidence.prefix_proof(prefix, consistency_proof(older.size, plan.size, reader))
            made = evidence.checkpoint_fork(older.note, plan.newest.note, plan.trust, proof)
        except (ValueError, VerificationError) as error:
            plan.outcome.notes.append(f"the contradiction at size {older.size} could not be proven: {error}")
            continue
        plan.outcome.evidence = made
        plan.outcome.evidence_says = f"the log signed two histories, apart at size {older.size}"
        return


def tile_numbers(size: int, width: int) -> Iterable[tuple[int, int]]:
    """(n, width) of each tile of `size` leaves."""
    return ((n, min(width, size - n * width)) for n in range((size + width - 1) // width))
