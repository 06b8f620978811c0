"""The second way to the root: folded again from *stored* bytes, by code that shares nothing with the writer's frontier.

What is compared with it: the frontier before each signature (stage checkpoint), the last head signed, and the head that the
contract holds (stage anchor).
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

from ledger.errors import NotFoundError, RollbackError
from ledger.model import LeafIndex, TreeHead, TreeSize
from ledger.ports import LogReader

# Said again rather than imported: nothing here comes from the code that is checked.
TILE_WIDTH = 256
READ_AT_ONCE = 4096


def check_against(known: TreeHead | None, store: LogReader, size: TreeSize, *, what: str) -> None:
    """The log of `size` entries must extend `known`, a head that cannot be taken back.

    Raises: RollbackError that says how to recover.
    """
    if known is None or known.size == 0:
        return
    if size < known.size:
        raise RollbackError(
            f"this database holds {size} entries, but {what} has {known.size}: an older backup was restored. Nothing is "
            f"signed. Recover the missing entries from a mirror of the tiles (`hazledger verify log --tiles` checks one), "
            f"or restore the newer database; receipts above {size} are broken promises until then."
        )
    local = recompute_root(store, known.size, trusted=known.size)
    if local != known.root:
        raise RollbackError(
            f"{what} of size {known.size} has root {known.root.hex()}, this database computes {local.hex()}: its history "
            f"is another one. Nothing is signed. Run `hazledger verify log` against a mirror to find where they part."
        )


def recompute_root(store: LogReader, size: TreeSize, *, trusted: TreeSize) -> bytes:
    """Root of the first `size` leaves, from stored bytes (RFC 9162 section 2.1.1, folded tile by tile).

    Entries of every tile that is not wholly below `trusted` are read and hashed again; below it the stored hash tiles
    count, because an earlier signature covers them. Cost: O(size - trusted + log size).
    """
    if size == 0:
        return hashlib.sha256(b"").digest()
    start = trusted // TILE_WIDTH * TILE_WIDTH
    hashes, count, level, edge = _hash_again(store, start, size), int(size), 0, b""
    while True:
        # `hashes` are this level's hashes from `start`, a multiple of 256, up to `count`.
        ragged = count % TILE_WIDTH
        if ragged:
            edge = _fold_edge(hashes[-ragged:], edge)
        if count < TILE_WIDTH:
            return edge
        whole = hashes[: len(hashes) - ragged]
        parents = [_fold_full(whole[i : i + TILE_WIDTH]) for i in range(0, len(whole), TILE_WIDTH)]
        first_parent, level = start // TILE_WIDTH, level + 1
        start = first_parent // TILE_WIDTH * TILE_WIDTH
        hashes = _stored(store, level, first_parent // TILE_WIDTH, first_parent - start) + parents
        count //= TILE_WIDTH


def _hash_again(store: LogReader, start: int, end: int) -> list[bytes]:
    hashes: list[bytes] = []
    for first in range(start, end, READ_AT_ONCE):
        entries = store.entries(LeafIndex(first), LeafIndex(min(first + READ_AT_ONCE, end)))
        if len(entries) != min(READ_AT_ONCE, end - first):
            raise RollbackError(f"entries {first + len(entries)} to {end - 1} are missing from the database")
        hashes.extend(hashlib.sha256(b"\x00" + entry).digest() for entry in entries)
    stored = store.leaf_hashes(LeafIndex(start), LeafIndex(end))
    for offset, (fresh, kept) in enumerate(zip(hashes, stored, strict=True)):
        if fresh != kept:
            raise RollbackError(
                f"the stored entry {start + offset} does not hash to its stored leaf: it was altered. Signing has stopped."
            )
    return hashes


def _stored(store: LogReader, level: int, n: int, width: int) -> list[bytes]:
    if width <= 0:
        return []
    try:
        tile = store.hash_tile(level, n, width)
    except NotFoundError as error:
        raise RollbackError(f"hash tile {level}/{n} is missing from the database") from error
    return [tile[i : i + 32] for i in range(0, len(tile), 32)]


def _pair(left: bytes, right: bytes) -> bytes:
    return hashlib.sha256(b"\x01" + left + right).digest()


def _fold_full(hashes: Sequence[bytes]) -> bytes:
    row = list(hashes)
    while len(row) > 1:
        row = [_pair(row[i], row[i + 1]) for i in range(0, len(row), 2)]
    return row[0]


def _fold_edge(hashes: Sequence[bytes], right: bytes) -> bytes:
    """Fold fewer than 256 subtrees of one level and what stands right of them: largest power of two to the left."""
    blocks, at = [], 0
    while at < len(hashes):
        width = 1 << ((len(hashes) - at).bit_length() - 1)
        blocks.append(_fold_full(hashes[at : at + width]))
        at += width
    for block in reversed(blocks):
        right = _pair(block, right) if right else block
    return right
