"""Headers that hash to their block, and proofs that the verifier's own walk accepts."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import rlp as reference

from ledger.adapters.chain.embedded import ARGUMENTS, EmbeddedNode, find_anvil
from ledger.core.headers import header_rlp
from ledger.adapters.chain.rpc import Rpc
from ledger.core.grants import log_id
from ledger.core.slots import grant_slot, sized_slot, unpack_meta
from ledger.core.trie import NodeSet, keccak256, parse_header
from ledger.errors import ChainError
from ledger.model import Enrolment, Role, TreeSize
from tests.adapters.chain.conftest import (
    CONTRACTS,
    HOLDER,
    ORIGIN,
    TREE,
    Anvil,
    grow,
    keyid,
)

pytestmark = pytest.mark.chain


def walk(anvil: Anvil, proof: Any, sizes: list[int], gs: list[bytes]) -> tuple[NodeSet, list[bytes]]:
    """The proof's values as check 4 and 9 read them."""
    trusted, log = anvil.trusted, log_id(ORIGIN)
    header = parse_header(proof.header)
    assert (header.hash, header.number, header.timestamp_s) == (
        proof.block.hash,
        proof.block.number,
        proof.block.timestamp_s,
    )
    nodes = NodeSet(proof.nodes, limit=None)
    contract = nodes.account(header.state_root, trusted.checkpoint_log.address)
    registry = nodes.account(header.state_root, trusted.key_registry.address)
    assert contract is not None
    assert registry is not None
    assert contract.code_hash == trusted.checkpoint_log.code_hash
    assert registry.code_hash == trusted.key_registry.code_hash
    values = []
    for size in sizes:
        for base in (trusted.checkpoint_log.root_at_slot, trusted.checkpoint_log.meta_at_slot):
            values.append(nodes.storage(contract.storage_root, sized_slot(base, log, size)))
    for g in gs:
        values.append(nodes.storage(registry.storage_root, grant_slot(trusted.key_registry.grants_slot, g)))
    return nodes, values


def test_state_proof__root_and_grant__walks_to_both_with_no_node_left(anvil: Anvil) -> None:
    chain, authority = anvil.chain(), anvil.authority()
    anchors = [grow(chain, old, new) for old, new in [(0, 3), (3, 8), (8, 20)]]
    many = [Enrolment(keyid(number), b"", HOLDER, "S1/", Role.ENTERPRISE) for number in range(20)]
    gs = [g for g, _ in authority.enrol_many(many)]
    proof = chain.state_proof(sizes=[TreeSize(8)], gs=[gs[7]])
    nodes, (root, meta, word) = walk(anvil, proof, [8], [gs[7]])
    assert root == TREE.head(8).root
    assert unpack_meta(meta).timestamp_s == anchors[1].anchored_at_s
    assert unpack_meta(meta).block == anchors[1].block.number
    assert word == chain.grant_words([gs[7]])[0]
    assert nodes.unused() == ()


def test_state_proof__superset_for_all_grants__every_value_in_one_set(anvil: Anvil) -> None:
    chain, authority = anvil.chain(), anvil.authority()
    grow(chain, 0, 3)
    many = [Enrolment(keyid(number), b"", HOLDER, "", Role.ENTERPRISE) for number in range(40)]
    gs = [g for g, _ in authority.enrol_many(many)]
    proof = chain.state_proof(sizes=[TreeSize(3)], gs=gs)
    nodes, values = walk(anvil, proof, [3], gs)
    assert values[2:] == chain.grant_words(gs)
    assert nodes.unused() == ()


def test_state_proof__not_anchored_and_not_enrolled__proves_absence(anvil: Anvil) -> None:
    chain = anvil.chain()
    grow(chain, 0, 3)
    anvil.authority().enrol(keyid(1), HOLDER, "", 1)
    proof = chain.state_proof(sizes=[TreeSize(4)], gs=[b"\7" * 32])
    nodes, values = walk(anvil, proof, [4], [b"\7" * 32])
    assert values == [bytes(32)] * 3
    assert nodes.unused() == ()


def test_state_proof__empty_registry__nothing_to_walk(anvil: Anvil) -> None:
    proof = anvil.chain().state_proof(sizes=[], gs=[])
    nodes, _ = walk(anvil, proof, [], [])
    assert nodes.unused() == ()


def test_state_proof__node_gives_a_wrong_node__refused(anvil: Anvil) -> None:
    chain = anvil.chain()
    grow(chain, 0, 3)
    real = chain.rpc.call

    def lying(method: str, *params: Any) -> Any:
        answer = real(method, *params)
        if method == "eth_getProof":
            node = answer["accountProof"][-1]
            answer["accountProof"][-1] = node[:-2] + f"{int(node[-2:], 16) ^ 1:02x}"
        return answer

    chain.rpc.call = lying  # type: ignore[method-assign]
    with pytest.raises(ChainError, match="does not prove"):
        chain.state_proof(sizes=[TreeSize(3)], gs=[])


def test_state_proof__block_replaced_meanwhile__asked_again(anvil: Anvil) -> None:
    chain = anvil.chain()
    grow(chain, 0, 3)
    grow(chain, 3, 8)
    real, reorgs = chain.rpc.call, []

    def moving(method: str, *params: Any) -> Any:
        answer = real(method, *params)
        if method == "eth_getProof" and not reorgs:
            reorgs.append(real("anvil_reorg", 1, []))
        return answer

    chain.rpc.call = moving  # type: ignore[method-assign]
    proof = chain.state_proof(sizes=[TreeSize(3)], gs=[])
    assert reorgs
    assert chain.blocks.stands(proof.block)


# --- headers -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("fork", ["berlin", "london", "paris", "shanghai", "cancun", "prague"])
def test_header__every_fork__hashes_to_the_block(fork: str, tmp_path: Path) -> None:
    arguments = [fork if argument == "shanghai" else argument for argument in ARGUMENTS]
    node = EmbeddedNode(find_anvil(CONTRACTS), tmp_path, arguments=tuple(arguments))
    node.start()
    try:
        rpc = Rpc([node.url])
        rpc.call("evm_mine")
        for number in (0, 1):
            block = rpc.block(number)
            assert block is not None
            assert keccak256(header_rlp(block)).hex() == block["hash"][2:]
    finally:
        node.kill()


def test_header__one_member_changed__refused(anvil: Anvil) -> None:
    block = anvil.rpc().block("latest")
    assert block is not None
    for name in ("stateRoot", "number", "extraData", "timestamp", "mixHash"):
        changed = dict(block)
        changed[name] = "0x01" if name == "extraData" else block[name][:-1] + ("1" if block[name][-1] != "1" else "2")
        with pytest.raises(ChainError, match="does not hash"):
            header_rlp(changed)


def test_header__qbft__named_without_round_and_seals_but_kept_with_them(anvil: Anvil) -> None:
    """Block hash as Besu's QbftExtraDataCodec makes it (EXCLUDE_COMMIT_SEALS_AND_ROUND_NUMBER), by the rlp package."""
    block = anvil.rpc().block("latest")
    assert block is not None
    vanity, validators = bytes(32), [bytes([n]) * 20 for n in range(1, 5)]
    full = reference.encode([vanity, validators, [], b"\2", [b"\5" * 65, b"\6" * 65, b"\7" * 65]])
    named = reference.encode([vanity, validators, [], b"", []])
    raw = reference.decode(header_rlp(block))
    raw[12] = named
    block |= {"extraData": "0x" + full.hex(), "hash": "0x" + keccak256(reference.encode(raw)).hex()}
    header = header_rlp(block)
    assert reference.decode(header)[12] == full
    block["stateRoot"] = "0x" + "11" * 32
    with pytest.raises(ChainError, match="does not hash"):
        header_rlp(block)
