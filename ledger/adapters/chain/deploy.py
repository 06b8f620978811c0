"""Putting both contracts on a chain and giving out the roles. Can be run again after any failure."""

from __future__ import annotations

from collections.abc import Sequence

from ledger.adapters.chain.accounts import TransactionSigner, created_address
from ledger.adapters.chain.blocks import Blocks
from ledger.adapters.chain.contracts import CheckpointLog, KeyRegistry
from ledger.adapters.chain.rpc import Rpc, from_hex, number
from ledger.adapters.chain.settings import ChainSettings
from ledger.adapters.chain.transactions import Call, Sender, read_call
from ledger.core.grants import log_id
from ledger.core.trie import keccak256
from ledger.core.trust import (
    DEVELOPMENT,
    CheckpointLogContract,
    KeyRegistryContract,
    Span,
    TrustedChain,
    ValidatorSet,
)
from ledger.errors import ChainError, ChainMismatchError
from ledger.ports import AnchorStore


def deploy(
    rpc: Rpc,
    *,
    origin: str,
    deployer: TransactionSigner,
    submitter: bytes,
    authorities: Sequence[bytes],
    journal: AnchorStore,
    settings: ChainSettings,
    kind: str = DEVELOPMENT,
    first_nonce: int = 0,
    from_size: int = 0,
    validators: Sequence[ValidatorSet] = (),
) -> TrustedChain:
    """Deploy CheckpointLog and KeyRegistry, let `submitter` anchor `origin` and `authorities` enrol.

    Args:
        rpc: Endpoints of the chain.
        origin: The log's; its role is the submitter's.
        deployer: Owns both contracts. An account for nothing else: addresses follow from it and `first_nonce`, so a
            chain that is made again gets the same ones.
        submitter: 20-byte address of the anchor worker's account.
        authorities: 20-byte addresses that may enrol and revoke; they go into the trust file.
        journal: Where every transaction is kept before it is sent.
        settings: As for EvmChain.
        kind: "development" or "qbft".
        first_nonce: The deployer's nonce of the first contract.
        from_size: First tree size that is anchored on this chain.
        validators: For kind qbft.

    Returns:
        The chain's entry for the trust file.

    Raises:
        ChainMismatchError: Something else stands where the contracts should be.
        ChainError: and its family, as for anchoring; run it again.
    """
    chain_id = number(rpc.call("eth_chainId"))
    genesis = rpc.block(0)
    if genesis is None:
        raise ChainError("the endpoint has no genesis block")
    blocks = Blocks(rpc, settings)
    sender = Sender(blocks, deployer, journal, chain_id)
    checkpoints, registry = CheckpointLog(), KeyRegistry()
    owner = deployer.address
    log_address = created_address(owner, first_nonce)
    registry_address = created_address(owner, first_nonce + 1)

    with sender.turn():
        _create(sender, log_address, Call("deploy", checkpoints, None, checkpoints.init_code(["address"], owner)))
        _create(
            sender,
            registry_address,
            Call("deploy", registry, None, registry.init_code(["address", "address"], log_address, owner)),
        )
        _give(sender, (checkpoints, log_address), checkpoints.submitter_role(log_id(origin)), submitter)
        for authority in authorities:
            _give(sender, (registry, registry_address), registry.AUTHORITY_ROLE, authority)

    return TrustedChain(
        sizes=Span(from_size, None),
        kind=kind,
        chain_id=chain_id,
        genesis=from_hex(genesis["hash"]),
        checkpoint_log=CheckpointLogContract(
            log_address,
            keccak256(_code(rpc, log_address)),
            *(checkpoints.artefact.slots[name] for name in ("head", "rootAt", "metaAt")),
        ),
        key_registry=KeyRegistryContract(
            registry_address, keccak256(_code(rpc, registry_address)), registry.artefact.slots["grants"]
        ),
        authorities=tuple(authorities),
        validators=tuple(validators),
        pinned=(),
    )


def _create(sender: Sender, address: bytes, call: Call) -> None:
    if not _code(sender.rpc, address):
        (mined,) = sender.send([call])
        sender.wait_final(mined)
    if not call.contract.artefact.at_address(_code(sender.rpc, address)):
        name = call.contract.artefact.name
        raise ChainMismatchError(
            f"{name} is not at 0x{address.hex()}: the deployer's account was used before; take a new one"
        )


def _give(sender: Sender, at: tuple[CheckpointLog | KeyRegistry, bytes], role: bytes, account: bytes) -> None:
    contract, address = at
    if not any(read_call(sender.rpc, Call("", contract, address, contract.encode("hasRole", role, account)))):
        (mined,) = sender.send([Call("role", contract, address, contract.encode("grantRole", role, account))])
        sender.wait_final(mined)


def _code(rpc: Rpc, address: bytes) -> bytes:
    return from_hex(rpc.call("eth_getCode", "0x" + address.hex(), "latest"))
