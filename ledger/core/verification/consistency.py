"""Do two signed checkpoints belong to one log that only grew? (`verify consistency`)

The tiles are only a means: a proof that they yield is checked against the signed roots. When it does not hold although
the tiles are those of the newer checkpoint, the two signatures contradict each other, and the evidence says so.
"""

from __future__ import annotations

from ledger.core.checkpoint import Checkpoint
from ledger.core.merkle import HashReader, consistency_proof, root_from, verify_consistency
from ledger.core.trust import TrustFile
from ledger.core.verification import evidence
from ledger.core.verification.checks import check_checkpoint, check_log_of
from ledger.core.verification.outcome import Outcome
from ledger.errors import VerificationError


def verify_consistency_of(old_note: bytes, new_note: bytes, trust: TrustFile, reader: HashReader | None) -> Outcome:
    """Compare two checkpoint notes, given in any order.

    Args:
        old_note: exact bytes of a note.
        new_note: exact bytes of another.
        trust: the trust file.
        reader: stored hashes of a mirror that reaches the larger size; None when none is at hand (enough for two notes
            of one size). It may raise ValueError for a hash that it does not hold.
    """
    outcome = Outcome(trust.digest, "two checkpoints")
    try:
        for note in (old_note, new_note):
            check_log_of(note, trust)
    except VerificationError as error:
        # Check 8 fails then as well; alone it would not say why.
        outcome.fail(error)
    outcome.ok(2, f"log {trust.origin}")
    try:
        old, new = check_checkpoint(old_note, trust), check_checkpoint(new_note, trust)
    except VerificationError as error:
        outcome.fail(error)
        return outcome
    if old.size > new.size:
        old_note, new_note, old, new = new_note, old_note, new, old
    outcome.subject = f"checkpoints of size {old.size} and {new.size}"
    if old.size == new.size:
        _same_size(outcome, old_note, new_note, trust, same=old.root == new.root, size=old.size)
    elif old.size == 0:
        outcome.ok(8, "every tree begins with the empty one")
    elif reader is None:
        outcome.skip(8, "both are signed; name a mirror with --tiles to compare two sizes")
        outcome.pending = "check 8 would lift it: name a mirror with --tiles"
    else:
        _compare(outcome, (old_note, old), (new_note, new), trust, reader)
    return outcome


def _same_size(outcome: Outcome, old: bytes, new: bytes, trust: TrustFile, *, same: bool, size: int) -> None:
    if same:
        outcome.ok(8, "both are signed and name the same root")
        return
    _proven(outcome, evidence.checkpoint_fork(old, new, trust, {}), f"two signed roots for size {size}")


def _compare(
    outcome: Outcome,
    old: tuple[bytes, Checkpoint],
    new: tuple[bytes, Checkpoint],
    trust: TrustFile,
    reader: HashReader,
) -> None:
    (old_note, first), (new_note, second) = old, new
    try:
        if root_from(reader, second.size) != second.root:
            raise VerificationError(  # noqa: TRY301 - one exit for every defect
                f"the tiles are not those of the checkpoint of size {second.size}: name a mirror of it",
                check=7,
                code="tile-differs",
            )
        proof = consistency_proof(first.size, second.size, reader)
        prefix = root_from(reader, first.size)
        if prefix == first.root:
            verify_consistency(first.size, second.size, first.root, second.root, proof)
            outcome.ok(8, f"both are signed; the tree of {second.size} begins with the tree of {first.size}")
            return
        # Shown before it is said: the proof must lead from the other root to the signed newer one.
        verify_consistency(first.size, second.size, prefix, second.root, proof)
    except ValueError as error:
        outcome.fail(VerificationError(f"the tiles are incomplete: {error}", check=7, code="tile-missing"))
    except VerificationError as error:
        outcome.fail(error)
    else:
        made = evidence.checkpoint_fork(old_note, new_note, trust, evidence.prefix_proof(prefix, proof))
        _proven(outcome, made, f"the tree signed at size {second.size} had another root at size {first.size}")


def _proven(outcome: Outcome, made: bytes, says: str) -> None:
    outcome.evidence, outcome.evidence_says = made, says
    outcome.fail(VerificationError(says, check=8, code="checkpoint-fork"))
