"""Stage 6, anchor: signed checkpoint → root in the contract's storage, in a final block.

A stateless function of (the contract's head, the latest signed checkpoint): no table of pending transactions is needed for
correctness. When `anchor` returns an Anchor, the contract itself has verified the consistency proof, final depth is reached
and the trie nodes that prove it are stored. A crash anywhere leaves a round that starts again: the contract takes the same
root twice without a word, and refuses every other.

Here also the other direction: enrolments and revocations that are final on the chain become `grant` entries of the log.
"""

from __future__ import annotations

import base64
from collections.abc import Iterable, Sequence
from typing import Any

from ledger.core.checkpoint import note_hash
from ledger.core.grants import follows, grant_id, unpack_word
from ledger.core.merkle import consistency_proof
from ledger.core.tiles import TileReader, width_at
from ledger.errors import ChainError
from ledger.faults import fault
from ledger.model import NEVER, Anchor, Enrolment, Role, TreeHead
from ledger.ports import AnchorStore, Appender, Chain, LogReader, StoredCheckpoint
from ledger.roots import check_against

SIZES_A_PROOF = 100
"""A proof of a few megabytes at most."""


def anchor(*, log: LogReader, chain: Chain, store: AnchorStore) -> Anchor | None:
    """Bring the contract's head up to the latest signed checkpoint; None when nothing is new.

    Raises: RollbackError when the chain's head contradicts this log; ChainError's family (try again, for ever).
    """
    head = chain.head()
    latest = log.latest_checkpoint()
    check_against(head, log, log.size(), what="the head that the contract holds")
    if latest is None or latest.size <= head.size:
        return _record_standing(head, chain, store, log)
    proof = _proof(log, head, latest)
    reached = chain.anchor(head.size, TreeHead(latest.size, latest.root), note_hash(latest.note), proof)
    fault("anchor.after-final")
    store.save_anchor(reached, chain.state_proof(sizes=[latest.size], gs=_names(log)))
    fault("anchor.after-save")
    return reached


def forget_reorged(*, chain: Chain, store: AnchorStore, log: LogReader) -> list[Anchor]:
    """Anchors whose block is gone fall back to LOGGED; returns those that fell, newest first.

    A chain loses its newest blocks first, so the walk from the newest anchor ends at the first that still stands. A root
    that the chain holds again, sent once more into another block, is kept with that block: no anchor ever names one that
    is gone. A crash between leaves older sizes without a row; the newest covers their records.
    """
    fallen: list[Anchor] = []
    again: list[Anchor] = []
    while (newest := store.latest_anchor()) is not None:
        stands = chain.anchored(newest.size)
        if stands is not None and (stands.root, stands.block) == (newest.root, newest.block):
            break
        store.drop_anchor(newest.size)
        if stands is not None and stands.root == newest.root:
            again.append(stands)
        else:
            fallen.append(newest)
    fault("anchor.reorged")
    for at in range(0, len(again), SIZES_A_PROOF):
        part = again[at : at + SIZES_A_PROOF]
        proof = chain.state_proof(sizes=[one.size for one in part], gs=_names(log))
        for one in part:
            store.save_anchor(one, proof)
    return fallen


def mirror_grants(
    enrolments: Iterable[Enrolment], *, log: LogReader, chain: Chain, appender: Appender
) -> list[dict[str, Any]]:
    """Write a `grant` entry for every final enrolment or revocation that the log does not carry yet; their bodies.

    The platform's own grant goes first: its entries are what carries the others.

    Raises:
        ChainError: `grant-contradicts`: the chain says of a grant what cannot follow from what the log states already (a
            grant is never renewed). Nothing is written of it: a development chain that is just being made again says
            so for a moment, and an entry of the log stays for ever. Said after the others are written.
    """
    origin = log.origin()
    known = {grant.g: grant for grant in log.grants()}
    ordered = sorted(enrolments, key=lambda e: e.role != Role.PLATFORM)
    wanted = {grant_id(origin, e.keyid, e.holder, e.scope, int(e.role)).hex(): e for e in ordered}
    if not wanted:
        return []
    words = chain.grant_words([bytes.fromhex(g) for g in wanted])
    block = chain.final_block()
    written = []
    contradicted = []
    for (g, enrolment), word in zip(wanted.items(), words, strict=True):
        if not any(word):
            continue
        enroller, enrolled_at, revoked_at = unpack_word(word)
        before = known.get(g)
        if before and (before.enroller, before.enrolled_at, before.revoked_at) == (enroller, enrolled_at, revoked_at):
            continue
        if before and not follows(before, enroller, enrolled_at, revoked_at):
            contradicted.append(f"{enrolment.holder}, key {enrolment.keyid[:16]}…")
            continue
        body = {
            "g": g,
            "keyid": enrolment.keyid,
            "spki": base64.b64encode(enrolment.spki).decode(),
            "holder": enrolment.holder,
            "scope": enrolment.scope,
            "role": int(enrolment.role),
            "enroller": enroller,
            "enrolled_at": int(enrolled_at),
            "revoked_at": None if revoked_at == NEVER else int(revoked_at),
            "block": {
                "number": int(block.number),
                "hash": "0x" + block.hash.hex(),
                "time": block.timestamp_s,
            },
        }
        fault("grants.before-append")
        appender.append_platform("grant", "grants", body)
        fault("grants.after-append")
        written.append(body)
    if contradicted:
        raise ChainError(
            "the chain says of these grants what cannot follow from the log's own entries, so nothing was written of them: "
            f"{'; '.join(contradicted)}. A development chain that was just started again says so for a moment; if it "
            "stays, `hazledger audit` shows both sides",
            code="grant-contradicts",
        )
    return written


def _names(log: LogReader) -> Sequence[bytes]:
    """Every grant's name: their proofs at this block are kept, so that bundles can be made when the chain is gone."""
    return [bytes.fromhex(grant.g) for grant in log.grants()]


def _proof(log: LogReader, head: TreeHead, latest: StoredCheckpoint) -> list[bytes]:
    if head.size == 0:
        return []
    reader = TileReader(lambda level, n: log.hash_tile(level, n, width_at(level, n, latest.size)))
    return consistency_proof(head.size, latest.size, reader)


def _record_standing(head: TreeHead, chain: Chain, store: AnchorStore, log: LogReader) -> Anchor | None:
    """A root that the contract holds but our file does not know: the process died between the two."""
    newest = store.latest_anchor()
    if head.size == 0 or (newest is not None and newest.size == head.size):
        return None
    checkpoint = log.checkpoint(head.size)
    if checkpoint is None:
        return None
    # Anchoring the same head again changes nothing and returns what the chain has of it.
    reached = chain.anchor(head.size, head, note_hash(checkpoint.note), [])
    store.save_anchor(reached, chain.state_proof(sizes=[head.size], gs=_names(log)))
    return reached
