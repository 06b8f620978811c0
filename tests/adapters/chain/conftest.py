"""Anvil as the program runs it, with both contracts deployed and keys of our own; 0.1 s each, so one per test."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from eth_account import Account

from ledger.adapters.chain.authority import EvmAuthority
from ledger.adapters.chain.deploy import deploy
from ledger.adapters.chain.embedded import EmbeddedNode, find_anvil
from ledger.adapters.chain.evm import EvmChain
from ledger.adapters.chain.rpc import Rpc, Timeouts
from ledger.adapters.chain.settings import ChainSettings
from ledger.adapters.keystore.ethereum import EthereumAccount
from ledger.core import merkle
from ledger.core.trust import TrustedChain
from ledger.model import Anchor, TreeHead, TreeSize
from ledger.ports import Authority, Chain
from tests.fakes import FakeAuthority, FakeChain, FakeContracts, MemoryAnchorStore

CONTRACTS = Path(__file__).parents[3] / "contracts"
ORIGIN = "county.test/haz"
DEPLOYER, SUBMITTER, AUTHORITY, STRANGER = (
    EthereumAccount(Account.from_key(bytes([number]) * 32)) for number in (1, 2, 3, 4)
)
HOLDER = "91330000000000000X"
NOTE_HASH = bytes(range(32))


class Tree:
    """A log of leaves whose hashes are made up, with roots and proofs for every size."""

    def __init__(self, salt: bytes = b"") -> None:
        self._salt = salt
        self._known: dict[tuple[int, int], bytes] = {}

    def hash(self, level: int, index: int) -> bytes:
        if (level, index) not in self._known:
            self._known[level, index] = (
                hashlib.sha256(self._salt + index.to_bytes(8, "big")).digest()
                if level == 0
                else merkle.node_hash(self.hash(level - 1, 2 * index), self.hash(level - 1, 2 * index + 1))
            )
        return self._known[level, index]

    def head(self, size: int) -> TreeHead:
        return TreeHead(TreeSize(size), merkle.root_from(self.hash, size))

    def proof(self, old: int, new: int) -> list[bytes]:
        return merkle.consistency_proof(old, new, self.hash) if old else []


TREE = Tree()


def grow(chain: Chain, old: int, new: int, tree: Tree = TREE) -> Anchor:
    """Anchor size `new` on top of `old`."""
    return chain.anchor(TreeSize(old), tree.head(new), NOTE_HASH, tree.proof(old, new))


def keyid(number: int) -> str:
    return hashlib.sha256(bytes([number])).hexdigest()


@dataclass
class Ground:
    """A chain, its authority, and what a test may do to it; the fake has no node."""

    chain: Chain
    authority: Authority
    stranger: Chain
    """The same chain for an account without any role."""


@dataclass
class Anvil:
    node: EmbeddedNode
    journal: MemoryAnchorStore
    trusted: TrustedChain
    settings: ChainSettings
    made: list[EvmChain] = field(default_factory=list)

    def chain(self, account: Any = SUBMITTER, **changes: Any) -> EvmChain:
        options: dict[str, Any] = {
            "settings": self.settings,
            "account": account,
            "journal": self.journal,
            "timeouts": Timeouts(1.0, 5.0),
            **changes,
        }
        urls = options.pop("urls", [self.node.url])
        trusted = options.pop("trusted", self.trusted)
        return EvmChain(urls, trusted, ORIGIN, **options)

    def authority(self) -> EvmAuthority:
        return EvmAuthority(self.chain(AUTHORITY))

    def rpc(self) -> Rpc:
        return Rpc([self.node.url])

    def forget_dumps(self) -> None:
        for dump in self.dumps():
            dump.unlink()

    def lose_everything(self) -> None:
        """Killed, and started again without any state."""
        self.node.kill()
        self.forget_dumps()
        self.node.start()

    def dumps(self) -> list[Path]:
        return sorted((self.node.directory / "dumps").glob("*.gz"))


def deployed(node: EmbeddedNode, settings: ChainSettings, journal: Any = None) -> Anvil:
    journal = journal or MemoryAnchorStore()
    trusted = deploy(
        Rpc([node.url]),
        origin=ORIGIN,
        deployer=DEPLOYER,
        submitter=SUBMITTER.address,
        authorities=[AUTHORITY.address],
        journal=journal,
        settings=settings,
    )
    return Anvil(node, journal, trusted, settings)


@pytest.fixture
def node(tmp_path: Path) -> Iterator[EmbeddedNode]:
    node = EmbeddedNode(find_anvil(CONTRACTS), tmp_path / "chain")
    node.start()
    yield node
    node.kill()


@pytest.fixture
def anvil(node: EmbeddedNode) -> Anvil:
    return deployed(node, node.settings())


@pytest.fixture(params=["fake", pytest.param("anvil", marks=pytest.mark.chain)])
def ground(request: pytest.FixtureRequest) -> Ground:
    if request.param == "fake":
        contracts = FakeContracts()
        return Ground(FakeChain(contracts), FakeAuthority(contracts, ORIGIN), FakeChain(contracts, "stranger"))
    anvil: Anvil = request.getfixturevalue("anvil")
    return Ground(anvil.chain(), anvil.authority(), anvil.chain(STRANGER))
