"""The deployed contracts: the shared vectors, the storage that a verifier reads, the gas that is promised."""

from __future__ import annotations

import base64
import hashlib
import json

import pytest
from web3.exceptions import ContractCustomError

from ledger.adapters.chain.artefacts import load_artefact

from .conftest import CHECKOUT, Chain
from .merkle_tree import Tree

VECTORS = sorted((CHECKOUT / "tests" / "vectors" / "rfc6962" / "consistency").rglob("*.json"))
pytestmark = pytest.mark.chain

# README.md, "Numbers to reach": a whole transaction, calldata included, the first checkpoint included.
GAS_LIMIT_1M = 120_000
GAS_LIMIT_2_40 = 150_000


@pytest.fixture(scope="module")
def tree() -> Tree:
    return Tree(2**20)


def name_of(chain: Chain, origin: str) -> bytes:
    """A fresh log with its submitter appointed."""
    log = hashlib.sha256(origin.encode()).digest()
    role = chain.checkpoints.functions.submitterRole(log).call()
    chain.send(chain.checkpoints.functions.grantRole(role, chain.submitter), chain.owner)
    return log


def anchor_gas(chain: Chain, log: bytes, old: int, new: int, root: bytes, proof: list[bytes]) -> int:
    # A real digest has few zero bytes; zeros would make the calldata too cheap.
    note = hashlib.sha256(root).digest()
    call = chain.checkpoints.functions.anchor(log, old, new, root, note, proof)
    receipt = chain.send(call, chain.submitter)
    assert receipt["status"] == 1
    return receipt["gasUsed"]


def word32(base64_text: str) -> bytes:
    """Garbage of another length cannot be said in the ABI: it becomes its bytes and zeros, as wrong a hash."""
    return base64.b64decode(base64_text)[:32].ljust(32, b"\0")


@pytest.mark.parametrize("path", VECTORS, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_consistent__public_vector__agrees(chain: Chain, path) -> None:
    vector = json.loads(path.read_text())
    accepted = chain.checkpoints.functions.consistent(
        vector["size1"],
        vector["size2"],
        word32(vector["root1"]),
        word32(vector["root2"]),
        [word32(text) for text in vector["proof"]],
    ).call()
    assert accepted is not vector["wantErr"]


def test_vectors__folder__is_not_empty() -> None:
    assert len(VECTORS) >= 42


def test_code__deployed__is_the_artefacts(chain: Chain) -> None:
    for name, contract in (("CheckpointLog", chain.checkpoints), ("KeyRegistry", chain.registry)):
        code = bytes(chain.web3.eth.get_code(contract.address))
        assert load_artefact(name).at_address(code)
        assert not load_artefact(name).at_address(code[:-1] + bytes([code[-1] ^ 1]))
        assert not load_artefact(name).at_address(code[:-1])


def test_gas__10_to_the_2_to_6_leaves__within_120k(chain: Chain, tree: Tree, capsys) -> None:
    # 999 leaves a checkpoint below 10^6, and the shapes with the longest proofs around powers of two.
    pairs = [(99, 100), (999, 1_000), (1_023, 1_025), (9_999, 10_000), (99_001, 100_000), (524_287, 524_289),
             (786_431, 1_000_000), (999_001, 1_000_000), (999_999, 1_000_000), (2**20 - 1, 2**20)]  # fmt: skip
    worst = 0
    lines = []
    for old, new in pairs:
        log = name_of(chain, f"gas.test/{old}")
        first = anchor_gas(chain, log, 0, old, tree.root(old), [])
        proof = tree.consistency(old, new)
        next_ = anchor_gas(chain, log, old, new, tree.root(new), proof)
        retry = anchor_gas(chain, log, old, new, tree.root(new), proof)
        lines.append(f"{old:>9} -> {new:>9}  proof {len(proof):>2}  first {first}  next {next_}  retry {retry}")
        worst = max(worst, first, next_, retry)
    with capsys.disabled():
        print("\n" + "\n".join(lines))
    assert worst <= GAS_LIMIT_1M


def test_gas__2_40_leaves__within_150k(chain: Chain, capsys) -> None:
    """No tree of this size exists; a proof of its shape does: any hashes give some pair of roots."""
    old, new = 2**40 - 2, 2**40 - 1
    proof = [hashlib.sha256(bytes([i])).digest() for i in range(64)]
    length, old_root, new_root = roots_from(old, new, proof)
    log = name_of(chain, "gas.test/huge")
    anchor_gas(chain, log, 0, old, old_root, [])
    gas = anchor_gas(chain, log, old, new, new_root, proof[:length])
    with capsys.disabled():
        print(f"\n     2^40-2 ->    2^40-1  proof {length}  next {gas}")
    assert gas <= GAS_LIMIT_2_40


def roots_from(old: int, new: int, hashes: list[bytes]) -> tuple[int, bytes, bytes]:
    """RFC 9162 2.1.4.2 run forwards: how many hashes a proof has, and the roots that these hashes lead to."""
    fn, sn = old - 1, new - 1
    while fn & 1:
        fn, sn = fn >> 1, sn >> 1
    assert fn, "an exact power of two starts from its own root"
    fr = sr = hashes[0]
    used = 1
    while sn:
        c = hashes[used]
        used += 1
        if fn & 1 or fn == sn:
            fr = hashlib.sha256(b"\x01" + c + fr).digest()
            sr = hashlib.sha256(b"\x01" + c + sr).digest()
            while not fn & 1 and fn:
                fn, sn = fn >> 1, sn >> 1
        else:
            sr = hashlib.sha256(b"\x01" + sr + c).digest()
        fn, sn = fn >> 1, sn >> 1
    return used, fr, sr


def test_storage__published_slots__hold_head_root_meta_and_grant(chain: Chain, tree: Tree) -> None:
    keccak, read = chain.web3.keccak, chain.web3.eth.get_storage_at
    slots = load_artefact("CheckpointLog").slots
    log = name_of(chain, "storage.test")
    anchor_gas(chain, log, 0, 700, tree.root(700), [])
    block = chain.web3.eth.get_block("latest")

    def word(number: int) -> bytes:
        return number.to_bytes(32, "big")

    head = int.from_bytes(keccak(log + word(slots["head"])), "big")
    address = chain.checkpoints.address
    assert int.from_bytes(read(address, head), "big") == 700
    assert bytes(read(address, head + 1)) == tree.root(700)
    root_at = keccak(word(700) + keccak(log + word(slots["rootAt"])))
    assert bytes(read(address, int.from_bytes(root_at, "big"))) == tree.root(700)
    meta_at = keccak(word(700) + keccak(log + word(slots["metaAt"])))
    meta = int.from_bytes(read(address, int.from_bytes(meta_at, "big")), "big")
    assert meta == block["timestamp"] << 64 | block["number"]

    keyid, holder, scope = (hashlib.sha256(text).digest() for text in (b"key", b"holder", b"S1/acid"))
    g = hashlib.sha256(log + keyid + holder + scope + word(1)).digest()
    chain.send(chain.registry.functions.enrol(log, keyid, holder, scope, 1), chain.authority)
    slot = int.from_bytes(keccak(g + word(load_artefact("KeyRegistry").slots["grants"])), "big")
    value = bytes(read(chain.registry.address, slot))
    assert value == bytes.fromhex(chain.authority[2:]) + (700).to_bytes(6, "big") + b"\xff" * 6
    chain.send(chain.registry.functions.revoke(g, 650), chain.authority)
    assert chain.registry.functions.words([g, log]).call() == [
        int.from_bytes(value[:26] + (650).to_bytes(6, "big"), "big"),
        0,
    ]


def test_anchor__rewritten_history__reverts_in_eth_call(chain: Chain, tree: Tree) -> None:
    """The known attack, as the worker would see it: an honest proof inside another history."""
    other = Tree(300, salt=b"altered")
    log = name_of(chain, "attack.test")
    anchor_gas(chain, log, 0, 200, tree.root(200), [])
    call = chain.checkpoints.functions.anchor(log, 200, 300, other.root(300), log, other.consistency(200, 300))
    with pytest.raises(ContractCustomError) as refused:
        call.call({"from": chain.submitter})
    assert refused.value.data == "0x" + chain.web3.keccak(text="BadProof()")[:4].hex()
