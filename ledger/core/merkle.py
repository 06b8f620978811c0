"""The log's Merkle tree: RFC 9162 section 2.1 with SHA-256.

A proof is only numbers and hashes from somebody else: index and size come from the trusted side, each function uses the
proof up, and whatever is left over or missing refuses. *Not* checked: where a root comes from.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from hashlib import sha256

from ledger.errors import VerificationError

HASH_BYTES = 32
MAX_PROOF_HASHES = 63
"""formats.md section 4. Enough for every tree whose size a signed 64-bit integer holds."""
MAX_TREE_SIZE = 2**63 - 1

EMPTY_ROOT = sha256(b"").digest()

CHECK_INCLUSION = 7
CHECK_CONSISTENCY = 8

HashReader = Callable[[int, int], bytes]
"""(level, index) -> hash of the complete subtree of 2**level leaves that begins at leaf index * 2**level."""


def leaf_hash(entry: bytes) -> bytes:
    """SHA-256(0x00 ‖ entry)."""
    return sha256(b"\x00" + entry).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """SHA-256(0x01 ‖ left ‖ right)."""
    return sha256(b"\x01" + left + right).digest()


class Frontier:
    """The right edge of a growing tree: one hash for each bit set in `size`, the largest subtree first.

    `append` costs one leaf's share of hashes (two at most on average), `root` at most 63. Not safe for two threads.
    """

    __slots__ = ("_edge", "size")

    def __init__(self) -> None:
        self.size = 0
        self._edge: list[bytes] = []

    def append(self, leaf: bytes) -> None:
        """Add one *leaf hash* (32 bytes), not an entry."""
        if len(leaf) != HASH_BYTES:
            raise ValueError("a leaf hash has 32 bytes")
        edge, merged = self._edge, self.size
        while merged & 1:
            leaf = sha256(b"\x01" + edge.pop() + leaf).digest()
            merged >>= 1
        edge.append(leaf)
        self.size += 1

    def root(self) -> bytes:
        """Root of the `size` leaves; EMPTY_ROOT for none."""
        return _fold(self._edge)

    def copy(self) -> Frontier:
        twin = Frontier()
        twin.size, twin._edge = self.size, self._edge.copy()
        return twin

    def to_bytes(self) -> bytes:
        """8-byte big-endian size, then the hashes, the largest subtree's first."""
        return self.size.to_bytes(8, "big") + b"".join(self._edge)

    @staticmethod
    def from_bytes(data: bytes) -> Frontier:
        """Back from `to_bytes`; ValueError unless the number of hashes is the one that size has."""
        frontier = Frontier()
        frontier.size = int.from_bytes(data[:8], "big")
        edge = data[8:]
        if len(data) < 8 or len(edge) != HASH_BYTES * frontier.size.bit_count() or frontier.size > MAX_TREE_SIZE:
            raise ValueError("not a frontier")
        frontier._edge = [edge[i : i + HASH_BYTES] for i in range(0, len(edge), HASH_BYTES)]
        return frontier

    @staticmethod
    def from_subtrees(subtrees: Iterable[tuple[int, bytes]]) -> Frontier:
        """From (level, hash) of the complete subtrees of the right edge, the largest first; ValueError otherwise."""
        frontier = Frontier()
        for level, node in subtrees:
            if len(node) != HASH_BYTES or frontier.size & ((1 << (level + 1)) - 1):
                raise ValueError("not the subtrees of a right edge")
            frontier.size += 1 << level
            frontier._edge.append(node)
        return frontier


def root_from(reader: HashReader, size: int) -> bytes:
    """Root of the first `size` leaves (RFC 9162 2.1.1), from stored hashes."""
    return _range_root(reader, 0, size)


def inclusion_proof(index: int, size: int, reader: HashReader) -> list[bytes]:
    """PATH(index, D[size]) of RFC 9162 2.1.3.1, the leaf's sibling first; ValueError unless 0 <= index < size."""
    if not 0 <= index < size:
        raise ValueError("the index lies outside the tree")
    proof: list[bytes] = []
    low, high = 0, size
    while high - low > 1:
        middle = low + _split(high - low)
        if index < middle:
            proof.append(_range_root(reader, middle, high))
            high = middle
        else:
            proof.append(_range_root(reader, low, middle))
            low = middle
    proof.reverse()
    return proof


def consistency_proof(old: int, new: int, reader: HashReader) -> list[bytes]:
    """PROOF(old, D[new]) of RFC 9162 2.1.4.1; empty when the sizes are equal; ValueError unless 1 <= old <= new."""
    if not 1 <= old <= new:
        raise ValueError("a consistency proof needs 1 <= old <= new")
    proof: list[bytes] = []
    low, high = 0, new
    while old != high:
        middle = low + _split(high - low)
        if old <= middle:
            proof.append(_range_root(reader, middle, high))
            high = middle
        else:
            proof.append(_range_root(reader, low, middle))
            low = middle
    if low:
        # The old tree's last subtree is no prefix of it, so the verifier cannot know its hash.
        proof.append(_range_root(reader, low, high))
    proof.reverse()
    return proof


def verify_inclusion(index: int, size: int, leaf: bytes, proof: Sequence[bytes], root: bytes) -> None:
    """Check 7 by RFC 9162 2.1.3.2. `leaf` is the leaf hash; `size` and `root` are those of a checkpoint.

    Raises:
        VerificationError: check 7. The leaf is not at `index` of that tree, or the proof is not well-formed.
    """
    if not 0 <= index < size <= MAX_TREE_SIZE:
        raise _inclusion("the index lies outside the tree")
    _check_hashes([leaf, root, *proof], len(proof), CHECK_INCLUSION)
    fn, sn, r = index, size - 1, leaf
    for p in proof:
        if sn == 0:
            raise _inclusion("the proof is too long")
        if fn & 1 or fn == sn:
            r = node_hash(p, r)
            while fn and not fn & 1:
                fn, sn = fn >> 1, sn >> 1
        else:
            r = node_hash(r, p)
        fn, sn = fn >> 1, sn >> 1
    if sn:
        raise _inclusion("the proof is too short")
    if r != root:
        raise _inclusion("the proof leads to another root")


def verify_consistency(old: int, new: int, old_root: bytes, new_root: bytes, proof: Sequence[bytes]) -> None:
    """RFC 9162 2.1.4.2: the tree of `new` leaves begins with the tree of `old` leaves, 1 <= old <= new.

    An empty tree is no prefix worth a proof, so old = 0 refuses.

    Raises:
        VerificationError: check 8. Not shown to be consistent, or the proof is not well-formed.
    """
    if not 1 <= old <= new <= MAX_TREE_SIZE:
        raise _consistency("the sizes are not 1 <= old <= new")
    if old == new:
        if proof:
            raise _consistency("the proof is too long")
        if old_root != new_root:
            raise _consistency("two roots at one size")
        return
    _check_hashes([old_root, new_root, *proof], len(proof), CHECK_CONSISTENCY)
    path = list(proof) if old & (old - 1) else [old_root, *proof]
    if not path:
        raise _consistency("the proof is empty")
    fn, sn = old - 1, new - 1
    while fn & 1:
        fn, sn = fn >> 1, sn >> 1
    fr = sr = path[0]
    for c in path[1:]:
        if sn == 0:
            raise _consistency("the proof is too long")
        if fn & 1 or fn == sn:
            fr, sr = node_hash(c, fr), node_hash(c, sr)
            while fn and not fn & 1:
                fn, sn = fn >> 1, sn >> 1
        else:
            sr = node_hash(sr, c)
        fn, sn = fn >> 1, sn >> 1
    if sn:
        raise _consistency("the proof is too short")
    if fr != old_root:
        raise _consistency("the proof leads to another old root")
    if sr != new_root:
        raise _consistency("the proof leads to another new root")


def _split(n: int) -> int:
    """The largest power of two below n (n >= 2)."""
    return 1 << ((n - 1).bit_length() - 1)


def _subtrees(low: int, high: int) -> list[tuple[int, int]]:
    """(level, index) of the complete subtrees that make up [low, high); low is aligned to the largest of them."""
    found = []
    while low < high:
        level = (high - low).bit_length() - 1
        found.append((level, low >> level))
        low += 1 << level
    return found


def _range_root(reader: HashReader, low: int, high: int) -> bytes:
    return _fold([reader(level, index) for level, index in _subtrees(low, high)])


def _fold(edge: Sequence[bytes]) -> bytes:
    if not edge:
        return EMPTY_ROOT
    root = edge[-1]
    for left in edge[-2::-1]:
        root = sha256(b"\x01" + left + root).digest()
    return root


def _check_hashes(hashes: Iterable[bytes], count: int, check: int) -> None:
    if count > MAX_PROOF_HASHES:
        raise VerificationError(f"a proof has at most {MAX_PROOF_HASHES} hashes", check=check, code="bad-proof")
    if any(len(h) != HASH_BYTES for h in hashes):
        raise VerificationError("a hash has 32 bytes", check=check, code="bad-proof")


def _inclusion(detail: str) -> VerificationError:
    return VerificationError(detail, check=CHECK_INCLUSION, code="not-included")


def _consistency(detail: str) -> VerificationError:
    return VerificationError(detail, check=CHECK_CONSISTENCY, code="not-consistent")
