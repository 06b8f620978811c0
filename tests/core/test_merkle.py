from __future__ import annotations

import base64
import hashlib
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ledger.core.merkle import (
    EMPTY_ROOT,
    MAX_PROOF_HASHES,
    Frontier,
    HashReader,
    consistency_proof,
    inclusion_proof,
    leaf_hash,
    node_hash,
    root_from,
    verify_consistency,
    verify_inclusion,
)
from ledger.errors import VerificationError
from tests.core.samples import flips

VECTORS = Path(__file__).parent.parent / "vectors"


def _vectors(kind: str, size_member: str) -> list[Any]:
    found = []
    for folder in ("rfc6962", "rfc6962_more"):
        for path in sorted((VECTORS / folder / kind).rglob("*.json")):
            case = json.loads(path.read_text())
            assert size_member in case
            found.append(pytest.param(case, id=str(path.relative_to(VECTORS / folder / kind))))
    return found


def _b64(text: str | None) -> bytes:
    return base64.b64decode(text or "")


INCLUSION, CONSISTENCY = _vectors("inclusion", "leafIdx"), _vectors("consistency", "size1")


def test_vectors__files__are_whole() -> None:
    assert (len(INCLUSION), len(CONSISTENCY)) == (98, 98)


@pytest.mark.parametrize("case", INCLUSION)
def test_verify_inclusion__public_vector__agrees(case: dict[str, Any]) -> None:
    proof = [_b64(h) for h in case["proof"] or []]
    args = (case["leafIdx"], case["treeSize"], _b64(case["leafHash"]), proof, _b64(case["root"]))
    if case["wantErr"]:
        with pytest.raises(VerificationError) as caught:
            verify_inclusion(*args)
        assert caught.value.check == 7
    else:
        verify_inclusion(*args)


@pytest.mark.parametrize("case", CONSISTENCY)
def test_verify_consistency__public_vector__agrees(case: dict[str, Any]) -> None:
    proof = [_b64(h) for h in case["proof"] or []]
    args = (case["size1"], case["size2"], _b64(case["root1"]), _b64(case["root2"]), proof)
    if case["wantErr"]:
        with pytest.raises(VerificationError) as caught:
            verify_consistency(*args)
        assert caught.value.check == 8
    else:
        verify_consistency(*args)


# The definitions of RFC 9162 2.1, word for word and slow, over entries d[0..n).


def mth(d: list[bytes]) -> bytes:
    n = len(d)
    if n == 0:
        return hashlib.sha256().digest()
    if n == 1:
        return hashlib.sha256(b"\0" + d[0]).digest()
    k = _k(n)
    return hashlib.sha256(b"\1" + mth(d[:k]) + mth(d[k:])).digest()


def path(m: int, d: list[bytes]) -> list[bytes]:
    n = len(d)
    if n == 1:
        return []
    k = _k(n)
    return [*path(m, d[:k]), mth(d[k:])] if m < k else [*path(m - k, d[k:]), mth(d[:k])]


def subproof(m: int, d: list[bytes], *, complete: bool) -> list[bytes]:
    n = len(d)
    if m == n:
        return [] if complete else [mth(d)]
    k = _k(n)
    if m <= k:
        return [*subproof(m, d[:k], complete=complete), mth(d[k:])]
    return [*subproof(m - k, d[k:], complete=False), mth(d[:k])]


def _k(n: int) -> int:
    k = 1
    while 2 * k < n:
        k *= 2
    return k


def reader_of(entries: list[bytes]) -> HashReader:
    def read(level: int, index: int) -> bytes:
        width = 1 << level
        part = entries[index * width : (index + 1) * width]
        assert len(part) == width, "only complete subtrees are stored"
        return mth(part)

    return read


def entries_of(size: int) -> list[bytes]:
    return [b"entry %d" % i for i in range(size)]


def test_tree__of_every_small_size__is_the_definition() -> None:
    entries = entries_of(40)
    frontier = Frontier()
    assert frontier.root() == EMPTY_ROOT == mth([]) == root_from(reader_of([]), 0)
    for size in range(1, 41):
        frontier.append(leaf_hash(entries[size - 1]))
        d = entries[:size]
        read = reader_of(d)
        root = mth(d)
        assert frontier.size == size
        assert frontier.root() == root == root_from(read, size)
        for index in range(size):
            proof = inclusion_proof(index, size, read)
            assert proof == path(index, d)
            verify_inclusion(index, size, leaf_hash(d[index]), proof, root)
        for old in range(1, size + 1):
            proof = consistency_proof(old, size, read)
            assert proof == subproof(old, d, complete=True)
            verify_consistency(old, size, mth(d[:old]), root, proof)


SIZES = st.integers(1, 300)


@settings(max_examples=60, deadline=None)
@given(SIZES, st.data())
def test_proofs__of_any_tree__verify_and_no_other_index_size_or_bit_does(size: int, data: st.DataObject) -> None:
    entries = entries_of(size)
    read = reader_of(entries)
    root = root_from(read, size)
    index = data.draw(st.integers(0, size - 1))
    leaf = leaf_hash(entries[index])
    proof = inclusion_proof(index, size, read)
    verify_inclusion(index, size, leaf, proof, root)
    other_index = data.draw(st.integers(0, size + 3).filter(lambda i: i != index))
    wrong: list[tuple[int, int, bytes, list[bytes], bytes]] = [
        (other_index, size, leaf, proof, root),
        (index - size, size, leaf, proof, root),
        (index, size, leaf, [*proof, root], root),
        (index, size, leaf, [leaf, *proof], root),
        (index, size, root if size > 1 else EMPTY_ROOT, proof, root),
        (index, size, leaf, proof, EMPTY_ROOT),
    ]
    if proof:
        at, bit = data.draw(st.integers(0, len(proof) - 1)), data.draw(st.integers(0, 255))
        broken = bytearray(proof[at])
        broken[bit // 8] ^= 1 << (bit % 8)
        wrong += [
            (index, size, leaf, [*proof[:at], bytes(broken), *proof[at + 1 :]], root),
            (index, size, leaf, proof[:-1], root),
            (index, size, leaf, proof[1:], root),
            (index, size, leaf, [*proof[:at], proof[at][:-1], *proof[at + 1 :]], root),
            (index, size, leaf, [*proof[:at], proof[at] + b"\0", *proof[at + 1 :]], root),
        ]
    for arguments in wrong:
        with pytest.raises(VerificationError):
            verify_inclusion(*arguments)


@settings(max_examples=60, deadline=None)
@given(SIZES, st.data())
def test_consistency__of_any_two_sizes__verifies_and_nothing_else_does(new: int, data: st.DataObject) -> None:
    entries = entries_of(new)
    read = reader_of(entries)
    old = data.draw(st.integers(1, new))
    old_root, new_root = root_from(read, old), root_from(read, new)
    proof = consistency_proof(old, new, read)
    verify_consistency(old, new, old_root, new_root, proof)
    forged = mth([b"forged", *entries[1:old]])
    wrong: list[tuple[int, int, bytes, bytes, list[bytes]]] = [
        (0, new, EMPTY_ROOT, new_root, []),
        (0, new, EMPTY_ROOT, new_root, proof),
        (new + 1, new, old_root, new_root, proof),
        (-old, new, old_root, new_root, proof),
        (old, new, forged, new_root, proof),
        (old, new, old_root, forged, proof),
        (old, new, old_root, new_root, [*proof, new_root]),
        (old, new, old_root, new_root, [old_root, *proof]),
    ]
    if old != new:
        at, bit = data.draw(st.integers(0, len(proof) - 1)), data.draw(st.integers(0, 255))
        broken = bytearray(proof[at])
        broken[bit // 8] ^= 1 << (bit % 8)
        wrong += [
            (old, new, new_root, old_root, proof),
            (old, new, old_root, new_root, [*proof[:at], bytes(broken), *proof[at + 1 :]]),
            (old, new, old_root, new_root, proof[:-1]),
            (old, new, old_root, new_root, proof[1:]),
            (old, new, old_root, new_root, []),
            (old, new, old_root + b"\0", new_root, proof),
            (old, new, old_root, new_root, [*proof[:at], proof[at] + b"\0", *proof[at + 1 :]]),
        ]
    for arguments in wrong:
        with pytest.raises(VerificationError):
            verify_consistency(*arguments)


def test_verify_inclusion__every_bit_of_leaf_and_root_flipped__is_refused() -> None:
    entries = entries_of(7)
    read, root = reader_of(entries), mth(entries)
    for index in range(7):
        leaf, proof = leaf_hash(entries[index]), inclusion_proof(index, 7, read)
        for flipped in flips(leaf):
            with pytest.raises(VerificationError):
                verify_inclusion(index, 7, flipped, proof, root)
        for flipped in flips(root):
            with pytest.raises(VerificationError):
                verify_inclusion(index, 7, leaf, proof, flipped)


def test_leaf_hash__of_a_node__is_no_node_hash() -> None:
    """The attack that the prefixes stop: an inner node's children passed off as an entry."""
    left, right = leaf_hash(b"a"), leaf_hash(b"b")
    root = node_hash(left, right)
    assert leaf_hash(left + right) != root
    with pytest.raises(VerificationError):
        verify_inclusion(0, 1, leaf_hash(left + right), [], root)


def test_verify_inclusion__64_hashes__are_refused_before_hashing() -> None:
    deep = [bytes(32)] * (MAX_PROOF_HASHES + 1)
    with pytest.raises(VerificationError, match="at most 63"):
        verify_inclusion(0, 2**62 + 1, bytes(32), deep, bytes(32))
    with pytest.raises(VerificationError, match="at most 63"):
        verify_consistency(3, 2**62 + 1, bytes(32), bytes(32), deep)


def test_verify__sizes_beyond_63_bits__are_refused() -> None:
    with pytest.raises(VerificationError):
        verify_inclusion(0, 2**63, bytes(32), [bytes(32)] * 63, bytes(32))
    with pytest.raises(VerificationError):
        verify_consistency(1, 2**63, bytes(32), bytes(32), [bytes(32)] * 63)


def test_verify_inclusion__tree_of_2_to_the_62__takes_its_62_hashes() -> None:
    root = leaf_hash(b"x")
    proof = []
    for level in range(62):
        proof.append(bytes([level]) * 32)
        root = node_hash(root, proof[-1])
    verify_inclusion(0, 2**62, leaf_hash(b"x"), proof, root)
    with pytest.raises(VerificationError):
        verify_inclusion(0, 2**62 + 1, leaf_hash(b"x"), proof, root)


def test_verify_inclusion__largest_tree__takes_its_63_hashes() -> None:
    root = leaf_hash(b"x")
    proof = [bytes([level]) * 32 for level in range(MAX_PROOF_HASHES)]
    for sibling in proof:
        root = node_hash(root, sibling)
    verify_inclusion(0, 2**63 - 1, leaf_hash(b"x"), proof, root)


def test_proofs__sizes_out_of_order__are_not_made() -> None:
    read = reader_of(entries_of(4))
    for index, size in ((-1, 4), (4, 4), (0, 0)):
        with pytest.raises(ValueError, match="outside"):
            inclusion_proof(index, size, read)
    for old, new in ((0, 4), (5, 4), (-1, 4)):
        with pytest.raises(ValueError, match="1 <= old"):
            consistency_proof(old, new, read)


@given(st.integers(0, 200), st.integers(0, 50))
def test_frontier__stored_and_copied__goes_on_alike(size: int, more: int) -> None:
    frontier = Frontier()
    for i in range(size):
        frontier.append(leaf_hash(b"%d" % i))
    before = frontier.to_bytes()
    twin, restored = frontier.copy(), Frontier.from_bytes(before)
    for i in range(more):
        for each in (frontier, restored):
            each.append(leaf_hash(b"more %d" % i))
    assert frontier.to_bytes() == restored.to_bytes()
    assert frontier.root() == restored.root()
    assert twin.to_bytes() == before
    assert len(before) == 8 + 32 * size.bit_count()


def test_frontier_from_bytes__another_length__is_refused() -> None:
    frontier = Frontier()
    for i in range(5):
        frontier.append(leaf_hash(b"%d" % i))
    good = frontier.to_bytes()
    for bad in (b"", good[:7], good[:-1], good + b"\0", good + bytes(32), b"\xff" * 8 + bytes(32 * 64)):
        with pytest.raises(ValueError, match="not a frontier"):
            Frontier.from_bytes(bad)


def test_frontier_from_subtrees__out_of_order__is_refused() -> None:
    assert Frontier.from_subtrees([(2, bytes(32)), (0, bytes(32))]).size == 5
    for bad in ([(0, bytes(32)), (2, bytes(32))], [(1, bytes(32)), (1, bytes(32))], [(0, bytes(31))]):
        with pytest.raises(ValueError, match="right edge"):
            Frontier.from_subtrees(bad)
    with pytest.raises(ValueError, match="32 bytes"):
        Frontier().append(b"an entry, not its hash")
