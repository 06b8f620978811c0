"""eth_getProof of both contracts under one block, checked by the verifier's own walk before it is handed out."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from ledger.adapters.chain.rpc import Rpc, block_ref, from_hex
from ledger.core.headers import header_rlp
from ledger.core.slots import grant_slot, sized_slot
from ledger.core.trie import NodeSet, TrieError, parse_header
from ledger.core.trust import TrustedChain
from ledger.errors import ChainError, ChainReorgError
from ledger.model import StateProof


def prove_state(
    rpc: Rpc, trusted: TrustedChain, log: bytes, block: dict[str, Any], *, sizes: Sequence[int], gs: Sequence[bytes]
) -> StateProof:
    """Both accounts, rootAt and metaAt of `sizes`, `grants[g]`, under `block` (raw JSON); only nodes that prove.

    Raises:
        ChainReorgError: The chain replaced the block meanwhile; ask again.
        ChainError: The node's proof does not prove what was asked.
    """
    contract, registry = trusted.checkpoint_log, trusted.key_registry
    bases = (contract.root_at_slot, contract.meta_at_slot)
    sized = [sized_slot(base, log, size) for size in sizes for base in bases]
    granted = [grant_slot(registry.grants_slot, g) for g in gs]
    wanted = ((contract.address, sized), (registry.address, granted))

    ref = block_ref(block)
    header = header_rlp(block)
    nodes: dict[bytes, None] = {}
    for address, slots in wanted:
        nodes.update(dict.fromkeys(_proof_nodes(rpc, address, slots, ref.number)))
    again = rpc.block(ref.number)
    if again is None or block_ref(again).hash != ref.hash:
        raise ChainReorgError(f"block {ref.number} was replaced while it was being proven")
    return StateProof(ref, header, _walk(parse_header(header).state_root, nodes, wanted))


def _proof_nodes(rpc: Rpc, address: bytes, slots: Sequence[bytes], number: int) -> Iterable[bytes]:
    # Slots as 32-byte padded hex: a bare "0x0" is refused by some clients.
    names = ["0x" + slot.hex() for slot in slots]
    proof = rpc.call("eth_getProof", "0x" + address.hex(), names, hex(number))
    yield from (from_hex(node) for node in proof["accountProof"])
    for entry in proof["storageProof"]:
        yield from (from_hex(node) for node in entry["proof"])


def _walk(
    state_root: bytes, nodes: Iterable[bytes], wanted: Iterable[tuple[bytes, Sequence[bytes]]]
) -> tuple[bytes, ...]:
    """The nodes that the walks use: each at least once, and no other (nodes inside their parent are none)."""
    try:
        known = NodeSet(nodes, limit=None)
        for address, slots in wanted:
            account = known.account(state_root, address)
            if account is None:
                raise ChainError(f"no account at 0x{address.hex()}")
            for slot in slots:
                known.storage(account.storage_root, slot)
    except TrieError as error:
        raise ChainError(f"eth_getProof does not prove what was asked: {error}") from error
    return known.used()
