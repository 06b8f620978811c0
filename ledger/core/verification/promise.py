"""Was a receipt's promise kept? (`verify receipt`, formats.md section 5)

A receipt promises that a record stands at an index of an anchored checkpoint by merge-by. Kept: the leaf is proven
there. Broken, with evidence: another leaf is proven there, or a final header later than merge-by under which the
contract's head is not past the index. Anything else is only late, or cannot be said yet.
"""

from __future__ import annotations

from itertools import product

from ledger.core import record
from ledger.core.checkpoint import Checkpoint
from ledger.core.entry import entry_of
from ledger.core.keys import ED25519, ES256
from ledger.core.merkle import HashReader, inclusion_proof, leaf_hash, root_from, verify_inclusion
from ledger.core.receipt import ReceiptNote, claimed_origin, parse_receipt
from ledger.core.submission import parse_submission
from ledger.core.trust import TrustFile
from ledger.core.verification import evidence
from ledger.core.verification.chainside import ChainSide
from ledger.core.verification.checks import check_checkpoint
from ledger.core.verification.outcome import Outcome
from ledger.core.verification.state import ChainView, OtherChainError
from ledger.core.verification.verdict import utc
from ledger.errors import ChainError, VerificationError
from ledger.model import UnixMs


class ReceiptCheck:
    """One receipt, checked as far as what is at hand allows: by its envelope, by a mirror, by a chain."""

    def __init__(self, note: bytes, trust: TrustFile) -> None:
        self._note = note
        self._trust = trust
        self.outcome = Outcome(trust.digest, "receipt")
        self.receipt: ReceiptNote | None = None
        self._proven = False
        try:
            _check_log_of(note, trust)
            receipt = parse_receipt(note, trust.receipt_keys)
        except VerificationError as error:
            self.outcome.fail(error)
            return
        self.receipt = receipt
        self.outcome.subject = f"receipt for record {receipt.record_id} at index {receipt.index}"
        self.outcome.ok(2, f"log {trust.origin}")

    def by_envelope(self, raw: bytes) -> None:
        """Check 6: the entry rebuilt from the exact envelope that was sent has the receipt's leaf hash.

        The entry names each signature's algorithm, which an envelope does not. Rather than ask for the keys, every
        assignment of the two names is tried: at most 16, and the leaf hash fits at most one.
        """
        receipt = self.receipt
        if receipt is None:
            return
        try:
            envelope, _ = parse_submission(raw)  # a bare envelope, or the submission that our client keeps
            payload = record.parse_payload(envelope.payload)
        except VerificationError as error:
            self.outcome.fail(error)
            return
        record_id = record.record_id_of(envelope.payload)
        leaves = (
            leaf_hash(entry_of(envelope, payload, record_id, receipt.received, names))
            for names in product((ES256, ED25519), repeat=len(envelope.signatures))
        )
        if record_id == receipt.record_id and receipt.leaf_hash in leaves:
            self.outcome.ok(6, "the entry rebuilt from the envelope has the receipt's leaf hash")
        else:
            self.outcome.fail(
                VerificationError(
                    "the receipt is not for this envelope: another record_id or leaf hash",
                    check=6,
                    code="entry-differs",
                )
            )

    def by_mirror(self, checkpoint_note: bytes, reader: HashReader) -> None:
        """The leaf at the index of a mirror's signed tree: the promise kept, or a broken one proven."""
        receipt = self.receipt
        if receipt is None:
            return
        try:
            checkpoint = check_checkpoint(checkpoint_note, self._trust)
            self.outcome.ok(8, f"size {checkpoint.size}")
            self._by_tree(receipt, checkpoint_note, checkpoint, reader)
        except VerificationError as error:
            self.outcome.fail(error)
        except ValueError as error:
            self.outcome.fail(VerificationError(f"the tiles are incomplete: {error}", check=7, code="tile-missing"))

    def by_chain(self, rpc: ChainView) -> None:
        """The contract's head at the newest final block: anchored past the index, or late, or broken."""
        receipt = self.receipt
        if receipt is None or self.outcome.evidence is not None:
            return
        try:
            side = ChainSide(rpc, self._trust, size=receipt.index + 1)
            size, _, state = side.head()
            header = state.header
            self.outcome.ok(10, f"newest final block {header.number}, {utc(header.timestamp_s)}")
            if size > receipt.index:
                self.outcome.ok(9, f"the contract's head has size {size}, past index {receipt.index}")
            elif header.timestamp_s * 1000 > receipt.merge_by:
                self._broken(
                    evidence.broken_by_head(self._note, self._trust, state),
                    f"promised by {utc(receipt.merge_by // 1000)}; at block {header.number}, {utc(header.timestamp_s)}, "
                    f"the contract's head has size {size}",
                )
            else:
                self.outcome.skip(9, f"the contract's head has size {size}; merge-by is not over by the chain's clock")
        except OtherChainError as error:
            self.outcome.misuse = error.detail
        except VerificationError as error:
            self.outcome.fail(error)
        except ChainError as error:
            self.outcome.unreachable = error.detail

    def finish(self, now: UnixMs) -> Outcome:
        """The verdict: kept, pending before merge-by, or late."""
        outcome, receipt = self.outcome, self.receipt
        if receipt is None:
            return outcome
        outcome.ok(12, f"signed by the log's receipt key; promised by {utc(receipt.merge_by // 1000)}")
        outcome.facts["merge-by"] = utc(receipt.merge_by // 1000)
        anchored = 9 in outcome.lines and outcome.lines[9].status == "ok"
        if not self._proven and not outcome.failed:
            outcome.pending = _what_lifts(receipt, now, anchored=anchored)
        elif not anchored and not outcome.failed:
            outcome.notes.append("the record is in the log; name --rpc URL to see it anchored")
        return outcome

    def _by_tree(self, receipt: ReceiptNote, note: bytes, checkpoint: Checkpoint, reader: HashReader) -> None:
        if receipt.index >= checkpoint.size:
            self.outcome.skip(7, f"the mirror's checkpoint ends before index {receipt.index}")
            return
        if root_from(reader, checkpoint.size) != checkpoint.root:
            raise VerificationError("the tiles are not those of the mirror's checkpoint", check=7, code="tile-differs")
        leaf = reader(0, receipt.index)
        proof = inclusion_proof(receipt.index, checkpoint.size, reader)
        if leaf == receipt.leaf_hash:
            verify_inclusion(receipt.index, checkpoint.size, leaf, proof, checkpoint.root)
            self._proven = True
            self.outcome.ok(7, f"the receipt's leaf stands at index {receipt.index} of {checkpoint.size}")
            return
        made = evidence.broken_by_leaf(self._note, note, self._trust, leaf=leaf, hashes=proof)
        self._broken(made, f"another leaf stands at index {receipt.index} of the tree signed at size {checkpoint.size}")

    def _broken(self, made: bytes, says: str) -> None:
        self.outcome.evidence, self.outcome.evidence_says = made, says
        self.outcome.fail(VerificationError(says, check=12, code="receipt-broken"))


def _check_log_of(note: bytes, trust: TrustFile) -> None:
    """Check 2. Before the signature: the keys of another log cannot open it, and "unknown key" would name no cause."""
    origin = claimed_origin(note)
    if origin is not None and origin != trust.origin:
        raise VerificationError(
            f"the receipt is of log {origin}, the trust file of {trust.origin}; take that log's trust file",
            check=2,
            code="wrong-log",
        )


def _what_lifts(receipt: ReceiptNote, now: UnixMs, *, anchored: bool) -> str:
    if anchored:
        return "a checkpoint past its index is anchored; name a mirror with --tiles to see the record itself in it"
    if now <= receipt.merge_by:
        return f"merge-by is {utc(receipt.merge_by // 1000)}; check again after that, with --tiles or --rpc"
    return "merge-by is over: name a mirror with --tiles to find the record, or --rpc URL to prove the receipt broken"
