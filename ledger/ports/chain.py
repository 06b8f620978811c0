"""The two contracts, the authority's account, and the anchor worker's own file."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Protocol

from ledger.model import Anchor, BlockRef, LeafIndex, StateProof, TreeHead, TreeSize


class Chain(Protocol):
    """The two contracts on one chain, at its final depth (chain.md). Every method may raise ChainError's family."""

    def check_identity(self) -> None:
        """ChainMismatchError unless chain id, genesis and both code hashes are those of the trust file."""

    def final_block(self) -> BlockRef: ...
    def head(self) -> TreeHead:
        """head[log] of CheckpointLog at the final block; size 0 and 32 zero bytes when nothing is anchored."""

    def root_at(self, size: TreeSize) -> tuple[bytes, int, int] | None:
        """(root, unix seconds, block number) stored for `size` at the final block, or None."""

    def anchored(self, size: TreeSize) -> Anchor | None:
        """As `root_at`, with the block and the transaction that it is in now."""

    def anchor(self, old: TreeSize, new: TreeHead, note_hash: bytes, proof: Sequence[bytes]) -> Anchor:
        """eth_call first, send, wait for final depth. Safe to call again after any failure."""

    def grant_words(self, gs: Sequence[bytes]) -> list[bytes]:
        """32-byte words of `grants[g]` at the final block, in order; zeros where not enrolled."""

    def state_proof(self, *, sizes: Sequence[TreeSize], gs: Sequence[bytes]) -> StateProof:
        """eth_getProof of both accounts, rootAt/metaAt of `sizes` and `grants[g]`, all at one final block."""

    def recover(self) -> bool:
        """Re-send what the journal holds and the chain lacks (restart from an older dump). True if anything was."""

    def status(self) -> dict[str, Any]:
        """Balance, role, lag of the newest block, endpoint in use: for /readyz and the Trust page. Never raises."""


class Authority(Protocol):
    """The authority's own account on the chain: grants and revocations. Not the operator's."""

    def enrol(self, keyid: str, holder: str, scope: str, role: int) -> tuple[bytes, TreeSize]:
        """(g, enrolledAt) once final; ChainRevertedError when the word is not zero."""

    def revoke(self, g: bytes, at: TreeSize) -> None: ...


class AnchorStore(Protocol):
    """The anchor worker's own file: anchors reached, the journal, trie nodes kept for bundles."""

    def save_anchor(self, anchor: Anchor, proof: StateProof) -> None: ...
    def anchors(self, *, after: TreeSize | None = None, limit: int) -> list[Anchor]:
        """By size, those above `after`. Who wants all goes on from the last one."""

    def latest_anchor(self) -> Anchor | None: ...
    def anchor_covering(self, index: LeafIndex) -> Anchor | None:
        """The smallest anchored size > index that still stands."""

    def anchors_after_block(self, number: int) -> list[Anchor]: ...
    def drop_anchor(self, size: TreeSize) -> None:
        """ANCHORED falls back to LOGGED (reorg)."""

    def stored_proof(self, size: TreeSize) -> StateProof | None:
        """Header and every node kept when `size` was anchored (a superset of what one bundle needs)."""

    def journal_append(self, kind: str, raw_tx: bytes, tx_hash: bytes) -> int: ...
    def journal_mined(self, tx_hash: bytes, block: BlockRef) -> None: ...
    def journal(self) -> Iterator[tuple[int, str, bytes, bytes, int | None]]:
        """(seq, kind, raw transaction, hash, block number or None), in block order then in the order written."""
