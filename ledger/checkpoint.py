"""Stage 5, checkpoint: the log's tree → a signed tree head.

Before every signature the root is computed twice, by code that shares nothing but SHA-256: `append` keeps an incremental
frontier of leaf hashes; here the root is folded again from the *stored entries*, read back from the database, on top of
hash tiles that an earlier signature covered. Then the new head is compared with the last one signed, which is kept apart
from the database. What a crash leaves: a head in the guard without a stored note; the next round signs the same bytes
again (Ed25519 is deterministic).
"""

from __future__ import annotations

from ledger.core.checkpoint import Checkpoint, sign_checkpoint
from ledger.core.note import NoteSigner
from ledger.errors import RollbackError
from ledger.faults import fault
from ledger.model import TreeHead, TreeSize, UnixMs
from ledger.ports import HeadGuard, LogWriter, StoredCheckpoint
from ledger.roots import check_against, recompute_root


def checkpoint(
    *, head: TreeHead, store: LogWriter, guard: HeadGuard, signer: NoteSigner, now: UnixMs
) -> StoredCheckpoint:
    """Sign `head` (size and root by the incremental path), publish it and return it.

    When it returns, the note is stored and will never be contradicted by a later one. Nothing is signed for size 0 or
    for a size that was signed before (the stored note is returned).

    Raises: RollbackError when the two paths differ, or the log contradicts a head signed before.
    """
    last = guard.read()
    check_against(last, store, head.size, what="the last head this log signed")
    stored = store.checkpoint(head.size)
    if stored is not None:
        if stored.root != head.root:
            raise RollbackError(f"a checkpoint of size {head.size} with another root is stored already")
        return stored
    recomputed = recompute_root(store, head.size, trusted=last.size if last else TreeSize(0))
    if recomputed != head.root:
        raise RollbackError(
            f"the two ways to compute the root of size {head.size} differ: incremental {head.root.hex()}, from stored "
            f"entries {recomputed.hex()}. Signing has stopped. Run `hazledger verify log` to find the altered record."
        )
    fault("checkpoint.before-guard")
    if last is None or last.size < head.size:
        guard.compare_and_swap(last, head)
    fault("checkpoint.after-guard")
    note = sign_checkpoint(Checkpoint(store.origin(), head.size, head.root), signer)
    signed = StoredCheckpoint(size=head.size, root=head.root, note=note, signed_ms=now)
    store.save_checkpoint(signed)
    fault("checkpoint.after-save")
    return signed
