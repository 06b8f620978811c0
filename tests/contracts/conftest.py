"""Real tools for the contracts' tests: forge, and Anvil with both contracts deployed."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from web3 import Web3

from ledger.adapters.chain.artefacts import load_artefact
from ledger.adapters.children import die_with_parent, free_port

CHECKOUT = Path(__file__).parents[2]
CONTRACTS = CHECKOUT / "contracts"


def native(tool: str) -> Path:
    """The native file, never npm's shim: that one leaves the program alive when it is killed."""
    found = sorted(CONTRACTS.glob(f"node_modules/@foundry-rs/{tool}-*/bin/{tool}"))
    assert found, f"{tool} is missing: run `npm ci` in contracts/"
    return found[0]


@dataclass(frozen=True)
class Chain:
    web3: Web3
    checkpoints: Any
    registry: Any
    owner: str
    submitter: str
    authority: str

    def send(self, call: Any, sender: str) -> Any:
        """Sends, mines, and gives the receipt; a revert raises before anything is sent."""
        return self.web3.eth.wait_for_transaction_receipt(call.transact({"from": sender}), poll_latency=0.01)


@pytest.fixture(scope="module")
def chain(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chain]:
    home = tmp_path_factory.mktemp("anvil")
    port = free_port()
    arguments = f"--host 127.0.0.1 --port {port} --hardfork shanghai --prune-history --no-cors --quiet"
    process = subprocess.Popen(
        [native("anvil"), *arguments.split()], env={**os.environ, "HOME": str(home)}, preexec_fn=die_with_parent(signal.SIGTERM)
    )
    try:
        web3 = Web3(Web3.HTTPProvider(f"http://127.0.0.1:{port}", request_kwargs={"timeout": 20}))
        deadline = time.monotonic() + 10
        while not web3.is_connected():
            assert process.poll() is None and time.monotonic() < deadline, "Anvil did not start"
            time.sleep(0.02)
        yield _deploy(web3)
    finally:
        process.terminate()
        process.wait(10)


def _deploy(web3: Web3) -> Chain:
    owner, submitter, authority = web3.eth.accounts[:3]

    def create(name: str, *arguments: object) -> Any:
        artefact = load_artefact(name)
        factory = web3.eth.contract(abi=artefact.abi, bytecode=artefact.bytecode)
        receipt = web3.eth.wait_for_transaction_receipt(factory.constructor(*arguments).transact({"from": owner}))
        return web3.eth.contract(address=receipt["contractAddress"], abi=artefact.abi)

    checkpoints = create("CheckpointLog", owner)
    registry = create("KeyRegistry", checkpoints.address, owner)
    chain = Chain(web3, checkpoints, registry, owner, submitter, authority)
    chain.send(registry.functions.grantRole(registry.functions.AUTHORITY().call(), authority), owner)
    return chain
