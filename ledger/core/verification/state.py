"""Reading the two contracts' storage under one block header: what checks 4 and 9 stand on.

Addresses, code hashes and slots come from the trust file. That the header is the chain's is check 10, nowhere here.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol

from ledger.core import slots
from ledger.core.trie import Header, NodeSet, TrieError, parse_header
from ledger.core.trust import QBFT, TrustedChain
from ledger.errors import VerificationError
from ledger.model import StateProof

Wanted = Sequence[tuple[bytes, Sequence[bytes]]]
"""(20-byte address, storage slots of 32 bytes) pairs, as eth_getProof takes them."""


class ChainView(Protocol):
    """A chain endpoint that the caller named and so believes about block hashes, and about nothing else: the rest is
    proven against them. Raises ChainError's family when it does not answer.
    """

    def chain_id(self) -> int: ...
    def genesis_hash(self) -> bytes: ...
    def block_hash(self, number: int) -> bytes | None:
        """Hash of the block of this number on the canonical chain, or None when it is not there (yet)."""

    def state_proof(self, wanted: Wanted) -> StateProof:
        """Proofs of these accounts and slots, all under the newest final block."""


class ContractError(VerificationError):
    """An account is not the contract that the trust file names (check 4 for the registry, 9 for the log)."""

    default_code = "wrong-contract"


class OtherChainError(VerificationError):
    """The endpoint is of another chain than the trust file's. That is said of the endpoint that the caller named, and of
    nothing that is verified: an error of use (exit 2), no failed check.
    """

    default_code = "wrong-chain"


class StateProofError(VerificationError):
    """The trie nodes do not prove what they were sent for: one is missing, altered, or superfluous."""

    default_code = "state-proof"


@dataclass(frozen=True, slots=True)
class AnchoredRoot:
    """rootAt and metaAt of one size. `root` is 32 zero bytes when the contract holds none."""

    root: bytes
    meta: bytes

    @property
    def present(self) -> bool:
        """True when the contract has accepted a root of this size."""
        return any(self.root) or any(self.meta)


def wanted_slots(
    chain: TrustedChain, *, log: bytes, gs: Iterable[bytes] = (), sizes: Iterable[int] = (), head: bool = False
) -> list[tuple[bytes, list[bytes]]]:
    """The slots of `grants[g]` per g, of rootAt and metaAt per size, and of the log's head when `head`.

    Both accounts are always there, for their code hashes (formats.md section 7).
    """
    contract, registry = chain.checkpoint_log, chain.key_registry
    log_slots = []
    for size in sizes:
        log_slots.append(slots.sized_slot(contract.root_at_slot, log, size))
        log_slots.append(slots.sized_slot(contract.meta_at_slot, log, size))
    if head:
        first = slots.head_slot(contract.head_slot, log)
        log_slots += [first, slots.next_slot(first)]
    grant_slots = [slots.grant_slot(registry.grants_slot, g) for g in gs]
    return [(contract.address, log_slots), (registry.address, grant_slots)]


class ChainState:
    """The contracts' words under one header, each walk recorded in `nodes`."""

    def __init__(self, header: Header, nodes: NodeSet, chain: TrustedChain, log: bytes) -> None:
        self.header = header
        self.nodes = nodes
        self._chain = chain
        self._log = log

    def grant_word(self, g: bytes) -> bytes:
        """The 32-byte word of `grants[g]`, zeros when proven absent; VerificationError(check=4) when unproven."""
        registry = self._chain.key_registry
        storage_root = self._storage_root(registry.address, registry.code_hash, "KeyRegistry", check=4)
        return self._word(storage_root, slots.grant_slot(registry.grants_slot, g), check=4)

    def check_chain(self) -> None:
        """Not both contracts are proven absent. Development chains may share id and genesis: their contracts tell them
        apart. OtherChainError(check=2) else; whatever is only missing or altered is left to checks 4 and 9.
        """
        addresses = self._chain.checkpoint_log.address, self._chain.key_registry.address
        try:
            absent = all(self.nodes.account(self.header.state_root, address) is None for address in addresses)
        except TrieError:
            return
        if absent:
            raise OtherChainError(
                f"the endpoint's chain has neither of the trust file's contracts (0x{addresses[0].hex()} and "
                f"0x{addresses[1].hex()}) at its block {self.header.number}: it is another chain with the same id and "
                "genesis, or one made anew: name another endpoint",
                check=2,
            )

    def check_registry(self) -> None:
        """The registry's account stands and runs the code of the trust file; VerificationError(check=4) else."""
        registry = self._chain.key_registry
        self._storage_root(registry.address, registry.code_hash, "KeyRegistry", check=4)

    def check_log(self) -> None:
        """As `check_registry` for CheckpointLog (check 9)."""
        self._log_storage_root()

    def anchored_root(self, size: int) -> AnchoredRoot:
        """rootAt[log][size] and metaAt[log][size]; VerificationError(check=9) when unproven."""
        storage_root, contract = self._log_storage_root(), self._chain.checkpoint_log
        return AnchoredRoot(
            root=self._word(storage_root, slots.sized_slot(contract.root_at_slot, self._log, size), check=9),
            meta=self._word(storage_root, slots.sized_slot(contract.meta_at_slot, self._log, size), check=9),
        )

    def head(self) -> tuple[int, bytes]:
        """Size and root of head[log], 0 and zeros when nothing is anchored; VerificationError(check=9) when unproven."""
        storage_root = self._log_storage_root()
        first = slots.head_slot(self._chain.checkpoint_log.head_slot, self._log)
        size = int.from_bytes(self._word(storage_root, first, check=9), "big")
        return size, self._word(storage_root, slots.next_slot(first), check=9)

    def check_all_used(self) -> None:
        """Each node was used by a walk (formats.md section 7); VerificationError(check=1) else."""
        unused = self.nodes.unused()
        if unused:
            raise StateProofError(
                f"{len(unused)} of the trie nodes prove nothing; a bundle holds only what its proofs use",
                check=1,
                code="unused-node",
            )

    def _log_storage_root(self) -> bytes:
        contract = self._chain.checkpoint_log
        return self._storage_root(contract.address, contract.code_hash, "CheckpointLog", check=9)

    def _storage_root(self, address: bytes, code_hash: bytes, name: str, *, check: int) -> bytes:
        try:
            account = self.nodes.account(self.header.state_root, address)
        except TrieError as error:
            raise StateProofError(f"the account of {name} is not proven: {error}", check=check) from error
        if account is None:
            raise ContractError(f"there is no contract at {name}'s address 0x{address.hex()}", check=check)
        if account.code_hash != code_hash:
            raise ContractError(
                f"the code at {name}'s address has hash 0x{account.code_hash.hex()}; the trust file names another",
                check=check,
            )
        return account.storage_root

    def _word(self, storage_root: bytes, slot: bytes, *, check: int) -> bytes:
        try:
            return self.nodes.storage(storage_root, slot)
        except TrieError as error:
            raise StateProofError(f"a storage slot is not proven: {error}", check=check) from error


def open_state(header: Header, nodes: Iterable[bytes], chain: TrustedChain, log: bytes) -> ChainState:
    """State under a bundle's own header. VerificationError(check=1) when a node stands twice or there are too many."""
    try:
        return ChainState(header, NodeSet(nodes), chain, log)
    except TrieError as error:
        raise StateProofError(str(error), check=1, code="node-set") from error


def open_proof(proof: StateProof, chain: TrustedChain, log: bytes) -> ChainState:
    """State under an endpoint's newest final block; VerificationError(check=10) when its header is not what it says."""
    try:
        header = parse_header(proof.header)
        nodes = NodeSet(proof.nodes, limit=None)
    except ValueError as error:
        raise StateProofError(f"the endpoint's answer is malformed: {error}", check=10) from error
    names = (header.hash, header.qbft_hash) if chain.kind == QBFT else (header.hash,)
    if proof.block.hash not in names or header.number != proof.block.number:
        raise StateProofError("the endpoint's header is not that of the block it names", check=10)
    return ChainState(header, nodes, chain, log)


def check_endpoint(rpc: ChainView, chain: TrustedChain) -> None:
    """The endpoint serves the chain of the trust file, by id and genesis; OtherChainError(check=2) else."""
    chain_id, genesis = rpc.chain_id(), rpc.genesis_hash()
    if (chain_id, genesis) != (chain.chain_id, chain.genesis):
        raise OtherChainError(
            f"the endpoint serves chain {chain_id} with genesis 0x{genesis.hex()}; the trust file names chain "
            f"{chain.chain_id} with genesis 0x{chain.genesis.hex()}: name another endpoint",
            check=2,
        )


def select_nodes(
    header: bytes, nodes: Iterable[bytes], chain: TrustedChain, *, log: bytes, gs: Sequence[bytes], size: int | None
) -> tuple[bytes, ...]:
    """Of a superset of nodes those that a bundle needs, each once: for whoever makes one.

    Raises:
        VerificationError: a walk fails (check 4 or 9), so that no bundle can be made from these nodes.
        ValueError: the header is not one.
    """
    unique = dict.fromkeys(nodes)
    state = ChainState(parse_header(header), NodeSet(unique, limit=None), chain, log)
    state.check_registry()
    state.check_log()
    for g in gs:
        state.grant_word(g)
    if size is not None:
        state.anchored_root(size)
    return state.nodes.used()
