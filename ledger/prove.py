"""Stage 7, prove: record_id → one self-contained bundle (formats.md section 7).

The bundle holds the smallest anchored checkpoint that covers the record (the earliest "existed by"), or, while none does,
the latest signed one. Chain state is read fresh, so that the header is new; when the chain is gone, the nodes stored at
anchoring serve. Nothing is written. The caller verifies the bytes before they leave (flow.bundle).
"""

from __future__ import annotations

from collections.abc import Sequence

from ledger.core.bundle import Bundle, BundleKey, encode_bundle
from ledger.core.dsse import parse_envelope
from ledger.core.grants import covers, in_force, log_id
from ledger.core.merkle import inclusion_proof
from ledger.core.record import parse_payload
from ledger.core.tiles import TileReader, width_at
from ledger.core.trust import TrustedChain, TrustFile
from ledger.core.verification import open_proof, select_nodes
from ledger.errors import ChainError, ChainMismatchError, GrantError, NotFoundError, StoreError, VerificationError
from ledger.model import Grant, LeafIndex, Payload, RecordId, StateProof, TreeSize
from ledger.ports import AnchorStore, Chain, LogReader, StoredCheckpoint


def prove(
    record_id: RecordId,
    *,
    log: LogReader,
    anchors: AnchorStore,
    trust: TrustFile,
    chain: Chain | None,
    disclosures: bool,
) -> bytes:
    """The bundle's bytes. `disclosures` says whether strings of personal data go along.

    Raises: NotFoundError (no such record, or no checkpoint covers it yet), StoreError (the chain is gone, and no state kept of
    it has the signers' grants), GrantError (the log carries no grant for a signer: run `hazledger verify log`).
    """
    stored = log.record_by_id(record_id)
    if stored is None:
        raise NotFoundError(f"no record {record_id} in this log")
    checkpoint, anchored = _covering_checkpoint(stored.index, log, anchors)
    envelope = parse_envelope(stored.envelope)
    payload = parse_payload(envelope.payload)
    known = log.grants()
    grants = [_grant_in_force(keyid, payload, stored.index, known) for keyid in payload.signers]
    trusted = trust.chain_for(checkpoint.size)
    if trusted is None:
        raise StoreError(f"the trust file names no chain for size {checkpoint.size}")
    gs = [bytes.fromhex(grant.g) for grant in grants]
    state = _state(checkpoint.size if anchored else None, gs, anchors, chain, trusted, log_id(trust.origin))
    reader = TileReader(lambda level, n: log.hash_tile(level, n, width_at(level, n, checkpoint.size)))
    return encode_bundle(
        Bundle(
            envelope=envelope,
            disclosures=log.disclosures(record_id) if disclosures else (),
            received=stored.received,
            index=stored.index,
            hashes=tuple(inclusion_proof(stored.index, checkpoint.size, reader)),
            checkpoint=checkpoint.note,
            keys=tuple(BundleKey(g.keyid, g.spki, g.role, g.scope) for g in grants),
            header=state.header,
            anchored=anchored,
            nodes=select_nodes(
                state.header,
                state.nodes,
                trusted,
                log=log_id(trust.origin),
                gs=gs,
                size=checkpoint.size if anchored else None,
            ),
            receipt=stored.receipt,
        )
    )


def _covering_checkpoint(index: LeafIndex, log: LogReader, anchors: AnchorStore) -> tuple[StoredCheckpoint, bool]:
    anchor = anchors.anchor_covering(index)
    if anchor is not None:
        checkpoint = log.checkpoint(anchor.size)
        if checkpoint is not None and checkpoint.root == anchor.root:
            return checkpoint, True
    latest = log.latest_checkpoint()
    if latest is None or latest.size <= index:
        raise NotFoundError(
            "the record is received, but no checkpoint covers it yet; ask again in a few seconds", code="not-yet-logged"
        )
    return latest, False


def _grant_in_force(keyid: str, payload: Payload, index: LeafIndex, grants: Sequence[Grant]) -> Grant:
    candidates = [g for g in grants if g.keyid == keyid and covers(g, payload)]
    if not candidates:
        raise GrantError(f"the log carries no grant for key {keyid}; run `hazledger verify log`")
    # A retroactively revoked key keeps its entry in the log; its bundle is made all the same and fails check 4.
    return next((g for g in candidates if in_force(g, index)), candidates[0])


def _state(
    size: TreeSize | None,
    gs: Sequence[bytes],
    anchors: AnchorStore,
    chain: Chain | None,
    trusted: TrustedChain,
    log: bytes,
) -> StateProof:
    """The chain's own, whatever it says; else what was kept at an anchor, where that has the grants."""
    reason = "no chain endpoint is configured"
    if chain is not None:
        try:
            return chain.state_proof(sizes=[] if size is None else [size], gs=list(gs))
        except ChainMismatchError:
            raise
        except ChainError as error:
            reason = error.detail
    kept = anchors.stored_proof(size) if size is not None else None
    if kept is None and size is None:
        latest = anchors.latest_anchor()
        kept = anchors.stored_proof(latest.size) if latest else None
    if kept is None:
        raise StoreError(f"no chain state at hand to prove the signer's grant: {reason}; try again")
    try:
        state = open_proof(kept, trusted, log)
        reaches = all(any(state.grant_word(g)) for g in gs)
    except VerificationError:
        reaches = False
    if not reaches:
        # Of before the grant. A bundle made of it would fail, and that says nothing against the record.
        raise StoreError(f"the chain state kept here is older than the signer's grant: {reason}; try again")
    return kept
