"""chain.md's table of crashes and faults, each against a real Anvil."""

from __future__ import annotations

import time
from dataclasses import replace

import pytest

from ledger.adapters.chain.authority import EvmAuthority
from ledger.adapters.chain.rpc import RpcError
from ledger.core.trie import keccak256
from ledger.errors import (
    ChainError,
    ChainMismatchError,
    ChainReorgError,
    ChainRevertedError,
    ChainUnreachableError,
)
from ledger.model import TreeSize
from tests.adapters.chain.conftest import (
    AUTHORITY,
    HOLDER,
    STRANGER,
    SUBMITTER,
    TREE,
    Anvil,
    grow,
    keyid,
)

pytestmark = pytest.mark.chain

DEAD = "http://127.0.0.1:9"


# --- endpoints -----------------------------------------------------------------------------------------------------


def test_endpoints__first_is_down__next_is_used(anvil: Anvil) -> None:
    chain = anvil.chain(urls=[DEAD, anvil.node.url])
    assert grow(chain, 0, 3).size == 3
    assert chain.status()["endpoint"] == anvil.node.url


def test_endpoints__all_down__unreachable_and_status_does_not_raise(anvil: Anvil) -> None:
    chain = anvil.chain(urls=[DEAD, "http://user:secret@127.0.0.1:10/key"])
    with pytest.raises(ChainUnreachableError) as caught:
        chain.head()
    assert "secret" not in caught.value.detail
    assert "key" not in caught.value.detail
    status = chain.status()
    assert "no chain endpoint answered" in status["error"]
    assert "secret" not in str(status)


def test_endpoints__second_is_another_chain__mismatch_named(anvil: Anvil) -> None:
    wrong = replace(anvil.trusted, chain_id=5)
    with pytest.raises(ChainMismatchError, match="is chain 31337, the trust file names 5"):
        anvil.chain(trusted=wrong).head()


def test_endpoints__node_started_again__connection_renewed(anvil: Anvil) -> None:
    chain = anvil.chain()
    grow(chain, 0, 3)
    anvil.node.stop()
    anvil.node.start()
    assert chain.head() == TREE.head(3)
    assert grow(chain, 3, 8).size == 8


# --- identity ------------------------------------------------------------------------------------------------------


def test_identity__wrong_genesis__mismatch(anvil: Anvil) -> None:
    with pytest.raises(ChainMismatchError, match="genesis"):
        anvil.chain(trusted=replace(anvil.trusted, genesis=b"\1" * 32)).check_identity()


def test_identity__another_contract_at_the_address__mismatch_says_which(anvil: Anvil) -> None:
    log = replace(anvil.trusted.checkpoint_log, address=anvil.trusted.key_registry.address)
    with pytest.raises(ChainMismatchError, match="CheckpointLog: code hash"):
        anvil.chain(trusted=replace(anvil.trusted, checkpoint_log=log)).check_identity()


def test_identity__no_contract_there__mismatch(anvil: Anvil) -> None:
    registry = replace(anvil.trusted.key_registry, address=b"\7" * 20)
    chain = anvil.chain(trusted=replace(anvil.trusted, key_registry=registry))
    with pytest.raises(ChainMismatchError, match="no contract at 0x0707"):
        chain.check_identity()
    with pytest.raises(ChainMismatchError, match="no contract at 0x0707"):
        chain.grant_words([bytes(32)])


def test_identity__code_that_the_trust_file_names_is_not_ours__mismatch(anvil: Anvil) -> None:
    rpc = anvil.rpc()
    address = anvil.trusted.checkpoint_log.address
    rpc.call("anvil_setCode", "0x" + address.hex(), "0x6001")
    log = replace(anvil.trusted.checkpoint_log, code_hash=keccak256(bytes.fromhex("6001")))
    with pytest.raises(ChainMismatchError, match="not the contract this program was built with"):
        anvil.chain(trusted=replace(anvil.trusted, checkpoint_log=log)).check_identity()


@pytest.mark.parametrize("name", ["head_slot", "root_at_slot", "meta_at_slot"])
def test_identity__another_slot__mismatch(anvil: Anvil, name: str) -> None:
    log = replace(anvil.trusted.checkpoint_log, **{name: 9})
    with pytest.raises(ChainMismatchError, match="the trust file names 9"):
        anvil.chain(trusted=replace(anvil.trusted, checkpoint_log=log)).check_identity()


def test_identity__two_things_wrong__both_named(anvil: Anvil) -> None:
    registry = replace(anvil.trusted.key_registry, grants_slot=9, code_hash=bytes(32))
    with pytest.raises(ChainMismatchError) as caught:
        anvil.chain(trusted=replace(anvil.trusted, key_registry=registry)).check_identity()
    assert "grants" in caught.value.detail
    assert "KeyRegistry: code hash" in caught.value.detail


# --- reorganisations, time -----------------------------------------------------------------------------------------


def test_reorg__anchor_gone_from_the_chain__re_sent_from_the_journal(anvil: Anvil) -> None:
    chain = anvil.chain()
    grow(chain, 0, 3)
    grow(chain, 3, 8)
    anvil.rpc().call("anvil_rollback", 1)
    assert chain.root_at(TreeSize(8)) is None
    assert chain.head() == TREE.head(3)
    assert chain.recover() is True
    assert chain.head() == TREE.head(8)


def test_reorg__blocks_replaced_by_empty_ones__anchored_again(anvil: Anvil) -> None:
    chain = anvil.chain()
    grow(chain, 0, 3)
    first = grow(chain, 3, 8)
    anvil.rpc().call("anvil_reorg", 1, [])
    assert chain.blocks.stands(first.block) is False
    assert chain.root_at(TreeSize(8)) is None
    assert chain.recover() is True
    again = grow(chain, 3, 8)
    assert again.root == first.root
    assert again.block.hash != first.block.hash


def test_reorg__before_final_depth__is_its_own_error(anvil: Anvil) -> None:
    chain = anvil.chain()
    sender = chain.sender()
    real = chain.blocks.final_number

    def reorganised() -> int:
        anvil.rpc().call("anvil_reorg", 1, [])
        chain.blocks.final_number = real  # type: ignore[method-assign]
        return real()

    chain.blocks.final_number = reorganised  # type: ignore[method-assign]
    with pytest.raises(ChainReorgError):
        grow(chain, 0, 3)
    assert sender.address == SUBMITTER.address


def test_clock__jumped_an_hour__nothing_anchored_until_it_is_right(anvil: Anvil) -> None:
    chain = anvil.chain()
    grow(chain, 0, 3)
    anvil.rpc().call("evm_increaseTime", 3600)
    with pytest.raises(ChainError, match="3[56]\\d\\d s ahead") as caught:
        grow(chain, 3, 8)
    assert caught.value.code == "chain-clock"
    assert abs(chain.status()["lag_s"] + 3600) < 5
    anvil.rpc().call("evm_setTime", int(time.time()))
    assert grow(chain, 3, 8).size == 8


def test_clock__ours_is_wrong__refused_too(anvil: Anvil) -> None:
    with pytest.raises(ChainError, match="behind"):
        grow(anvil.chain(clock=lambda: time.time() + 120), 0, 3)


def test_anchor__no_account__refused_clearly(anvil: Anvil) -> None:
    reader = anvil.chain(None, journal=None)
    with pytest.raises(ChainError, match="no account to send with"):
        grow(reader, 0, 3)
    grow(anvil.chain(), 0, 3)
    assert reader.head() == TREE.head(3)


def test_deeper_finality__anchored_only_then(anvil: Anvil) -> None:
    anvil.settings = anvil.node.settings(confirmations=3)
    chain = anvil.chain()
    anchor = grow(chain, 0, 3)
    newest = chain.rpc.block("latest")
    assert newest is not None
    assert int(newest["number"], 16) == anchor.block.number + 2
    assert chain.head() == TREE.head(3)


def test_finality__tag_that_the_network_does_not_have__says_what_to_set(anvil: Anvil) -> None:
    chain = anvil.chain(settings=anvil.node.settings(confirmations=None))
    assert chain.final_block().number == 0  # Anvil leaves it at genesis for the first 64 blocks.
    real = chain.rpc.call

    def besu(method: str, *params: object) -> object:
        if "finalized" in params:
            raise RpcError("eth_getBlockByNumber: Unknown block", number=-39001, data=None)
        return real(method, *params)

    chain.rpc.call = besu  # type: ignore[method-assign]
    with pytest.raises(ChainError, match="1 where blocks are final at once"):
        chain.head()
    assert "confirmations" in chain.status()["error"]


def test_roles__stranger_enrols__refused_and_nothing_sent(anvil: Anvil) -> None:
    with pytest.raises(ChainRevertedError) as caught:
        EvmAuthority(anvil.chain(STRANGER)).enrol(keyid(1), HOLDER, "", 1)
    assert caught.value.reason == "AccessControlUnauthorizedAccount"
    assert anvil.rpc().transaction_count(STRANGER.address) == 0
    assert anvil.rpc().transaction_count(AUTHORITY.address) == 0
