"""The anchor worker's own file: `AnchorStore` of ledger.ports.

Trie nodes are kept once, by their keccak-256, however many anchors they prove. Which nodes prove an anchor is kept as
the difference to the proof before it, and whole every KEYFRAME proofs: between two anchors only the paths that changed
differ, so a proof that holds every grant costs what changed and not what there is, and reading one back takes at most
KEYFRAME small rows. A walk from the header would not do: through shared nodes it reaches every older anchor's leaf.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from sqlalchemy import Connection, delete, func, select, update

from ledger.adapters.store.database import Database, Insert, chunks
from ledger.adapters.store.schema.anchor import anchor, node, proof
from ledger.adapters.store.schema.anchor import journal as journal_table
from ledger.core.trie import keccak256
from ledger.errors import StoreError
from ledger.model import Anchor, BlockRef, LeafIndex, StateProof, TreeSize
from ledger.model import StateProof as Proof

KEYFRAME = 64
"""One proof in so many is told whole."""
_HASH = 32

_ANCHOR = Insert(anchor, upsert=("size",))
_PROOF = Insert(proof)
_NODE = Insert(node, conflict="ON CONFLICT DO NOTHING")
_JOURNAL = Insert(journal_table)


class AnchorStore:
    """Anchors reached, the journal of raw transactions, and the proofs that outlive the chain's own state."""

    def __init__(self, database: Database) -> None:
        self._db = database

    def save_anchor(self, anchor: Anchor, proof: StateProof) -> None:
        """Keep the anchor with its proof; the same size again (after a reorg) replaces block and proof."""
        with self._db.write() as connection:
            proof_id = _save_proof(connection, proof)
            _ANCHOR.run(connection, [_anchor_row(anchor, proof_id)])

    def anchors(self, *, after: TreeSize | None = None, limit: int) -> list[Anchor]:
        """Ascending by size, those larger than `after`."""
        return self._anchors(
            select(*anchor.c).where(anchor.c.size > (after or 0)).order_by(anchor.c.size).limit(max(limit, 0))
        )

    def latest_anchor(self) -> Anchor | None:
        return _one(self._anchors(select(*anchor.c).order_by(anchor.c.size.desc()).limit(1)))

    def anchor_covering(self, index: LeafIndex) -> Anchor | None:
        return _one(self._anchors(select(*anchor.c).where(anchor.c.size > index).order_by(anchor.c.size).limit(1)))

    def anchors_after_block(self, number: int) -> list[Anchor]:
        """Those in blocks above `number`, ascending by size."""
        # Sorted here: asked for the order of size, SQLite would walk the whole table in that order instead.
        found = self._anchors(select(*anchor.c).where(anchor.c.block_number > number))
        return sorted(found, key=lambda one: one.size)

    def drop_anchor(self, size: TreeSize) -> None:
        with self._db.write() as connection:
            connection.execute(delete(anchor).where(anchor.c.size == size))

    def stored_proof(self, size: TreeSize) -> StateProof | None:
        """Header and every node kept when `size` was anchored; StoreError when a node is not there any more."""
        proof_id = self._db.scalar(select(anchor.c.proof).where(anchor.c.size == size))
        if proof_id is None:
            return None
        with self._db.read() as connection:
            row, hashes = _read_proof(connection, proof_id)
        found = self.nodes(hashes)
        if len(found) != len(hashes):
            raise StoreError(f"{len(hashes) - len(found)} nodes of the proof at size {size} are gone", code="lost-node")
        return Proof(
            BlockRef(row.block_number, row.block_hash, row.block_timestamp_s), row.header, tuple(found.values())
        )

    def nodes(self, hashes: Iterable[bytes]) -> dict[bytes, bytes]:
        """RLP of each of these trie nodes (by keccak-256) that is kept, in ascending order of hash."""
        return {
            row[0]: row[1]
            for part in chunks(sorted(set(hashes)))
            for row in self._db.rows(select(*node.c).where(node.c.hash.in_(part)).order_by(node.c.hash))
        }

    def journal_append(self, kind: str, raw_tx: bytes, tx_hash: bytes) -> int:
        """Durable before the transaction is sent. The same transaction again gets its first number."""
        c = journal_table.c
        with self._db.write() as connection:
            held = connection.execute(select(c.seq).where(c.tx_hash == tx_hash)).scalar()
            if held is not None:
                return int(held)
            seq = int(connection.execute(select(func.coalesce(func.max(c.seq), 0) + 1)).scalar_one())
            _JOURNAL.run(connection, [(seq, kind, raw_tx, tx_hash, None, None, None)])
        return seq

    def journal_mined(self, tx_hash: bytes, block: BlockRef) -> None:
        """Note the block; a later call (mined again elsewhere after a reorg) replaces it."""
        where = {"block_number": block.number, "block_hash": block.hash, "block_timestamp_s": block.timestamp_s}
        with self._db.write() as connection:
            done = connection.execute(update(journal_table).where(journal_table.c.tx_hash == tx_hash).values(**where))
            if done.rowcount != 1:
                raise StoreError(f"no transaction 0x{tx_hash.hex()} in the journal", code="no-transaction")

    def journal(self) -> Iterator[tuple[int, str, bytes, bytes, int | None]]:
        """Those not mined come last. The order is fixed at the first step; `journal_mined` meanwhile does not move it."""
        c = journal_table.c
        order = [
            row[0] for row in self._db.rows(select(c.seq).order_by(c.block_number.is_(None), c.block_number, c.seq))
        ]
        for part in chunks(order):
            rows = {row[0]: row for row in self._db.rows(select(*c).where(c.seq.in_(part)))}
            for seq in part:
                row = rows[seq]
                yield row[0], row[1], row[2], row[3], row[4]

    def _anchors(self, statement: Any) -> list[Anchor]:
        return [_anchor(row) for row in self._db.rows(statement)]


def _save_proof(connection: Connection, new: StateProof) -> int:
    """Keep the nodes not seen before and the difference to the newest proof; the new proof's id."""
    nodes = {keccak256(rlp): rlp for rlp in new.nodes}
    _NODE.run(connection, sorted(nodes.items()))
    last = connection.execute(select(proof.c.id, proof.c.depth).order_by(proof.c.id.desc()).limit(1)).first()
    proof_id, base, depth, added, removed = 1, None, 0, set(nodes), set[bytes]()
    if last is not None:
        proof_id = last.id + 1
        if last.depth + 1 < KEYFRAME:
            before = _read_proof(connection, last.id)[1]
            more, less = added - before, before - added
            # A proof for other keys shares little with the one before; then the whole is the shorter way to tell it.
            if len(more) + len(less) < len(added):
                base, depth, added, removed = last.id, last.depth + 1, more, less
    block = new.block
    row = (proof_id, block.number, block.hash, block.timestamp_s, new.header, base, depth, _pack(added), _pack(removed))
    _PROOF.run(connection, [row])
    return proof_id


def _read_proof(connection: Connection, proof_id: int) -> tuple[Any, set[bytes]]:
    """The proof's row and the hashes of its nodes. A base is always the proof one before."""
    depth = connection.execute(select(proof.c.depth).where(proof.c.id == proof_id)).scalar_one()
    rows = connection.execute(
        select(*proof.c).where(proof.c.id.between(proof_id - depth, proof_id)).order_by(proof.c.id)
    ).all()
    hashes: set[bytes] = set()
    for row in rows:
        hashes = (hashes - _unpack(row.removed)) | _unpack(row.added)
    return rows[-1], hashes


def _pack(hashes: Iterable[bytes]) -> bytes:
    return b"".join(sorted(hashes))


def _unpack(packed: bytes) -> set[bytes]:
    return {packed[at : at + _HASH] for at in range(0, len(packed), _HASH)}


def _one(values: Sequence[Anchor]) -> Anchor | None:
    return values[0] if values else None


def _anchor(row: Any) -> Anchor:
    block = BlockRef(row.block_number, row.block_hash, row.block_timestamp_s)
    return Anchor(row.size, row.root, block, row.tx_hash, row.anchored_at_s)


def _anchor_row(a: Anchor, proof_id: int) -> tuple[Any, ...]:
    return (a.size, a.root, a.block.number, a.block.hash, a.block.timestamp_s, a.tx_hash, a.anchored_at_s, proof_id)
