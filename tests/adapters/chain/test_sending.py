"""Deploying, fees and replacement on a chain that is not ours to mine, Ganache, and a remote signer."""

from __future__ import annotations

import shutil
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from eth_account import Account

from ledger.adapters.chain.accounts import created_address, read_transaction
from ledger.adapters.chain.authority import EvmAuthority
from ledger.adapters.chain.deploy import deploy
from ledger.adapters.chain.embedded import ARGUMENTS, EmbeddedNode, find_anvil
from ledger.adapters.chain.evm import EvmChain
from ledger.adapters.chain.remote_signer import RemoteAccount
from ledger.adapters.chain.rpc import Rpc
from ledger.adapters.chain.settings import ChainSettings
from ledger.adapters.children import free_port
from ledger.errors import (
    ChainError,
    ChainMismatchError,
    ChainRevertedError,
    ChainTimeoutError,
    ChainUnreachableError,
)
from ledger.model import TreeSize
from tests.adapters.chain.conftest import (
    AUTHORITY,
    CONTRACTS,
    DEPLOYER,
    HOLDER,
    NOTE_HASH,
    ORIGIN,
    STRANGER,
    SUBMITTER,
    TREE,
    Anvil,
    deployed,
    grow,
    keyid,
)
from tests.adapters.chain.signer import Signer, signer_url  # noqa: F401 - a fixture
from tests.adapters.chain.test_proofs import walk
from tests.fakes import MemoryAnchorStore

pytestmark = pytest.mark.chain

ETHER = hex(10**18)
FEES = ("--hardfork", "shanghai", "--accounts", "0", "--no-mining", "--no-cors", "--quiet", "--base-fee", "1000000000")


# --- deploying -----------------------------------------------------------------------------------------------------


def test_deploy__again__same_contracts_and_nothing_sent(anvil: Anvil) -> None:
    before = len(anvil.journal.entries)
    again = deployed(anvil.node, anvil.settings)
    assert again.trusted == anvil.trusted
    assert again.journal.entries == []
    assert before == 4


def test_deploy__broken_off__goes_on(node: EmbeddedNode) -> None:
    settings = node.settings()
    rpc = Rpc([node.url])
    real, sent = rpc.call, []

    def dies(method: str, *params: Any) -> Any:
        if method == "eth_sendRawTransaction":
            sent.append(1)
            if len(sent) == 3:
                raise KeyboardInterrupt
        return real(method, *params)

    rpc.call = dies  # type: ignore[method-assign]
    options: dict[str, Any] = {
        "origin": ORIGIN,
        "deployer": DEPLOYER,
        "submitter": SUBMITTER.address,
        "authorities": [AUTHORITY.address],
        "journal": MemoryAnchorStore(),
        "settings": settings,
    }
    with pytest.raises(KeyboardInterrupt):
        deploy(rpc, **options)
    deploy(Rpc([node.url]), **options)
    anvil = deployed(node, settings)
    assert grow(anvil.chain(), 0, 3).size == 3
    assert Rpc([node.url]).transaction_count(DEPLOYER.address) == 4


def test_deploy__account_used_before__refused(anvil: Anvil) -> None:
    with pytest.raises(ChainMismatchError, match="was used before"):
        deploy(
            anvil.rpc(),
            origin=ORIGIN,
            deployer=DEPLOYER,
            submitter=SUBMITTER.address,
            authorities=[],
            journal=anvil.journal,
            settings=anvil.settings,
            first_nonce=1,
        )


def test_created_address__known_vector__matches() -> None:
    # Go-ethereum, crypto/crypto_test.go, TestNewContractAddress.
    sender = bytes.fromhex("970e8128ab834e8eac17ab8e3812f010678cf791")
    expected = ["333c3310824b7c685133f2bedb2ca4b8b4df633d", "8bda78331c916a08481428e4b07c96d3e916d165"]
    assert [created_address(sender, nonce).hex() for nonce in (0, 1)] == expected


@pytest.mark.parametrize("legacy", [True, False])
def test_read_transaction__signed_by_us__sender_nonce_and_data(legacy: bool) -> None:
    fields: dict[str, Any] = {"chainId": 31337, "nonce": 7, "gas": 21000, "value": 0, "data": "0x0102"}
    fields |= {"gasPrice": 5} if legacy else {"type": 2, "maxFeePerGas": 5, "maxPriorityFeePerGas": 1}
    fields["to"] = Account.from_key(b"\2" * 32).address
    read = read_transaction(STRANGER.sign_transaction(fields))
    assert (read.sender, read.nonce, read.to, read.data) == (STRANGER.address, 7, SUBMITTER.address, b"\1\2")


def test_legacy_transactions__chain_without_base_fee__anchors_and_recovers(tmp_path: Path) -> None:
    arguments = tuple("berlin" if argument == "shanghai" else argument for argument in ARGUMENTS)
    node = EmbeddedNode(find_anvil(CONTRACTS), tmp_path, arguments=arguments)
    node.start()
    try:
        anvil = deployed(node, node.settings())
        assert grow(anvil.chain(), 0, 3).size == 3
        assert all(raw[0] >= 0xC0 for _, _, raw, _, _ in anvil.journal.entries)
        node.kill()
        node.start()
        assert anvil.chain().recover() is True
        assert anvil.chain().head() == TREE.head(3)
    finally:
        node.kill()


# --- a chain with fees that others mine ----------------------------------------------------------------------------


@pytest.fixture
def priced(tmp_path: Path) -> Iterator[Anvil]:
    """Anvil with a base fee, mined by the test alone; the accounts have money."""
    node = EmbeddedNode(find_anvil(CONTRACTS), tmp_path / "chain", arguments=FEES)
    node.start()
    rpc = Rpc([node.url])
    for account in (DEPLOYER, SUBMITTER, AUTHORITY):
        rpc.call("anvil_setBalance", "0x" + account.address.hex(), ETHER)
    settings = ChainSettings(poll_s=0.01, give_up_s=10, resend_after_s=60, lock=tmp_path / "lock")
    with Miner(node.url):
        yield deployed(node, settings)
    node.kill()


class Miner:
    """Mines every few milliseconds, as a network would."""

    def __init__(self, url: str, every_s: float = 0.02) -> None:
        self._rpc = Rpc([url])
        self._every_s = every_s
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def _run(self) -> None:
        while not self._stop.wait(self._every_s):
            self._rpc.call("evm_mine")

    def __enter__(self) -> Miner:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def stop(self) -> None:
        self._stop.set()
        self._thread.join()


def test_priced__mined_by_others__anchors_and_enrols(priced: Anvil) -> None:
    chain = priced.chain()
    grow(chain, 0, 3)
    assert priced.authority().enrol(keyid(1), HOLDER, "", 1)[1] == 3
    assert grow(chain, 3, 8).size == 8
    assert 0 < chain.status()["balance_wei"] < 10**18


def test_priced__account_without_money__says_so(priced: Anvil) -> None:
    priced.rpc().call("anvil_setBalance", "0x" + SUBMITTER.address.hex(), "0x0")
    with pytest.raises(ChainError) as caught:
        grow(priced.chain(), 0, 3)
    assert caught.value.code == "chain-funds"


def test_priced__waits_too_long__same_nonce_and_an_eighth_more(tmp_path: Path, priced_stalled: Anvil) -> None:
    anvil = priced_stalled
    chain = anvil.chain(settings=anvil.settings)
    rpc = anvil.rpc()
    seen: list[tuple[int, int, int]] = []

    def mine_after_two_more() -> None:
        deadline = time.monotonic() + 8
        while len(seen) < 3 and time.monotonic() < deadline:
            found = [t for by in rpc.call("txpool_content")["pending"].values() for t in by.values()]
            for t in found:
                shown = tuple(int(t[name], 16) for name in ("nonce", "maxFeePerGas", "maxPriorityFeePerGas"))
                if shown not in seen:
                    seen.append(shown)
            time.sleep(0.01)
        rpc.call("evm_mine")

    watcher = threading.Thread(target=mine_after_two_more)
    watcher.start()
    anchor = grow(chain, 0, 3)
    watcher.join()
    assert anchor.root == TREE.head(3).root
    assert len({nonce for nonce, _, _ in seen}) == 1
    for before, after in zip(seen, seen[1:]):
        assert after[1] >= before[1] * 1.125
        assert after[2] >= before[2] * 1.125


@pytest.fixture
def priced_stalled(priced: Anvil, tmp_path: Path) -> Iterator[Anvil]:
    """As `priced`, but from now on nobody mines."""
    # The fixture's miner goes on in the first node; this one has none.
    node = EmbeddedNode(find_anvil(CONTRACTS), tmp_path / "stalled", arguments=FEES)
    node.start()
    rpc = Rpc([node.url])
    for account in (DEPLOYER, SUBMITTER, AUTHORITY):
        rpc.call("anvil_setBalance", "0x" + account.address.hex(), ETHER)
    settings = ChainSettings(poll_s=0.01, give_up_s=10, resend_after_s=0.3, lock=tmp_path / "lock2")
    with Miner(node.url):
        anvil = deployed(node, settings)
    yield anvil
    node.kill()


def test_priced__nobody_mines__time_out_and_the_next_try_outbids(priced_stalled: Anvil) -> None:
    anvil = priced_stalled
    anvil.settings = ChainSettings(poll_s=0.01, give_up_s=0.2, resend_after_s=60, lock=anvil.settings.lock)
    with pytest.raises(ChainTimeoutError):
        grow(anvil.chain(), 0, 3)
    anvil.settings = ChainSettings(poll_s=0.01, give_up_s=5, resend_after_s=60, lock=anvil.settings.lock)
    with Miner(anvil.node.url, every_s=0.5):
        assert grow(anvil.chain(), 0, 8).size == 8  # The older try, of size 3, was outbid at the same nonce.
    assert anvil.chain().root_at(TreeSize(3)) is None
    assert anvil.rpc().transaction_count(SUBMITTER.address) == 1


# --- Ganache -------------------------------------------------------------------------------------------------------


@pytest.fixture
def ganache(tmp_path: Path) -> Iterator[str]:
    script = CONTRACTS / "node_modules" / "ganache" / "dist" / "node" / "cli.js"
    node = shutil.which("node")
    assert node, "Node.js is missing"
    assert script.is_file(), "ganache is missing: run `npm ci` in contracts/"
    port = free_port()
    keys = [f"0x{(bytes([n]) * 32).hex()},{10**20}" for n in (1, 2, 3)]
    command = [node, str(script), "--server.host", "127.0.0.1", "--server.port", str(port), "--logging.quiet"]
    command += [part for key in keys for part in ("--wallet.accounts", key)]
    with (tmp_path / "ganache.log").open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log, env={"HOME": str(tmp_path), "PATH": "/usr/bin"})
    url = f"http://127.0.0.1:{port}"
    deadline = time.monotonic() + 30
    while True:
        try:
            Rpc([url]).call("eth_chainId")
            break
        except ChainUnreachableError:
            assert process.poll() is None and time.monotonic() < deadline, (tmp_path / "ganache.log").read_text()
            time.sleep(0.1)
    yield url
    process.terminate()
    process.wait(10)


def test_ganache__same_adapter__anchors_enrols_and_proves(ganache: str, tmp_path: Path) -> None:
    settings = ChainSettings(poll_s=0.02, lock=tmp_path / "lock")
    journal = MemoryAnchorStore()
    trusted = deploy(
        Rpc([ganache]),
        origin=ORIGIN,
        deployer=DEPLOYER,
        submitter=SUBMITTER.address,
        authorities=[AUTHORITY.address],
        journal=journal,
        settings=settings,
    )
    chain = EvmChain([ganache], trusted, ORIGIN, settings=settings, account=SUBMITTER, journal=journal)
    authority = EvmAuthority(
        EvmChain([ganache], trusted, ORIGIN, settings=settings, account=AUTHORITY, journal=journal)
    )
    chain.check_identity()
    first = grow(chain, 0, 3)
    g, enrolled_at = authority.enrol(keyid(1), HOLDER, "S1/", 1)
    assert enrolled_at == 3
    assert grow(chain, 3, 8).size == 8
    assert grow(chain, 0, 3) == first
    with pytest.raises(ChainRevertedError) as caught:
        chain.anchor(TreeSize(3), TREE.head(9), NOTE_HASH, TREE.proof(3, 9))
    assert caught.value.reason == "StaleBase"
    proof = chain.state_proof(sizes=[TreeSize(8)], gs=[g])
    anvil = Anvil(None, journal, trusted, settings)  # type: ignore[arg-type]
    nodes, values = walk(anvil, proof, [8], [g])
    assert values[0] == TREE.head(8).root
    assert nodes.unused() == ()
    assert chain.recover() is False


# --- remote signer -------------------------------------------------------------------------------------------------


def test_remote_signer__honest__anchors(anvil: Anvil, signer_url: str) -> None:
    chain = anvil.chain(RemoteAccount(signer_url, SUBMITTER.address))
    assert grow(chain, 0, 3).size == 3


@pytest.mark.parametrize("mood", ["stranger", "other data", "garbage"])
def test_remote_signer__signs_something_else__refused_and_nothing_sent(
    anvil: Anvil, signer_url: str, mood: str
) -> None:
    Signer.mood = mood
    with pytest.raises(ChainError, match="remote signer"):
        grow(anvil.chain(RemoteAccount(signer_url, SUBMITTER.address)), 0, 3)
    assert anvil.chain().head().size == 0
    assert anvil.rpc().call("txpool_status")["pending"] == "0x0"
