"""A chain that comes back older or empty, and processes that die between two steps: all ends as it was."""

from __future__ import annotations

from pathlib import Path

import pytest

from ledger.adapters.chain.embedded import EmbeddedNode
from ledger.adapters.chain.evm import EvmChain
from ledger.adapters.chain.rpc import Rpc
from ledger.adapters.chain.transactions import Sender
from ledger.adapters.store import open_stores
from ledger.errors import (
    ChainError,
    ChainMismatchError,
    ChainRevertedError,
)
from ledger.model import Enrolment, Role, TreeSize
from tests.adapters.chain.conftest import (
    HOLDER,
    SUBMITTER,
    TREE,
    Anvil,
    deployed,
    grow,
    keyid,
)

pytestmark = pytest.mark.chain


def enrolment(number: int) -> Enrolment:
    return Enrolment(keyid(number), b"", HOLDER, "S1/", Role.ENTERPRISE)


def history(anvil: Anvil) -> tuple[list[bytes], list[bytes]]:
    """Anchors and enrolments in turn; the grants' names, and everything the contracts hold of it."""
    chain, authority = anvil.chain(), anvil.authority()
    gs = [authority.enrol(keyid(1), HOLDER, "", 3)[0]]
    grow(chain, 0, 3)
    gs += [g for g, _ in authority.enrol_many([enrolment(number) for number in (2, 3, 4)])]
    grow(chain, 3, 8)
    gs.append(authority.enrol(keyid(5), HOLDER, "S1/acid", 1)[0])
    authority.revoke(gs[1], TreeSize(7))
    grow(chain, 8, 20)
    return gs, held(anvil, gs)


def held(anvil: Anvil, gs: list[bytes]) -> list[bytes]:
    chain = anvil.chain(None, journal=None)
    roots = [chain.root_at(TreeSize(size)) for size in (3, 8, 20)]
    # The block's number comes out as before too; its time cannot.
    return [*chain.grant_words(gs), *(root[0] + bytes([root[2]]) if root else b"" for root in roots)]


# --- the embedded chain goes back ----------------------------------------------------------------------------------


def test_recover__restart_without_state__roots_and_enrolled_at_as_before(anvil: Anvil) -> None:
    gs, before = history(anvil)
    anvil.lose_everything()
    chain = anvil.chain()
    with pytest.raises(ChainMismatchError):
        chain.check_identity()
    assert chain.recover() is True
    chain.check_identity()
    assert held(anvil, gs) == before
    assert chain.head() == TREE.head(20)
    assert chain.recover() is False
    assert grow(chain, 20, 21).size == 21


def test_recover__restart_from_older_dump__rest_of_the_journal_re_sent(anvil: Anvil) -> None:
    chain, authority = anvil.chain(), anvil.authority()
    grow(chain, 0, 3)
    anvil.node.dump()
    g, _ = authority.enrol(keyid(9), HOLDER, "S1/", 1)
    grow(chain, 3, 8)
    words = chain.grant_words([g])
    anvil.node.kill()
    anvil.node.start()
    # The same objects go on: the worker does not notice the restart by itself.
    assert chain.head() == TREE.head(3)
    assert chain.recover() is True
    assert chain.head() == TREE.head(8)
    assert chain.grant_words([g]) == words


def test_recover__dump_whose_head_still_stands__later_enrolment_not_forgotten(anvil: Anvil) -> None:
    """The dump holds our newest anchor, but not another process's enrolment after it."""
    chain, authority = anvil.chain(), anvil.authority()
    grow(chain, 0, 3)
    chain.recover()
    anvil.node.dump()
    g, _ = authority.enrol(keyid(9), HOLDER, "S1/", 1)
    words = chain.grant_words([g])
    anvil.node.kill()
    anvil.node.start()
    grow(chain, 3, 8)  # Recovers by itself before it anchors anything new.
    assert chain.grant_words([g]) == words


def test_recover__newest_dump_torn__older_one_and_the_journal(anvil: Anvil) -> None:
    chain = anvil.chain()
    grow(chain, 0, 3)
    anvil.node.dump()
    gs, before = [], None
    grow(chain, 3, 8)
    anvil.node.dump()
    grow(chain, 8, 20)
    before = held(anvil, gs)
    anvil.node.kill()
    newest = anvil.dumps()[-1]
    newest.write_bytes(newest.read_bytes()[: newest.stat().st_size // 2])
    anvil.node.start()
    assert chain.head() == TREE.head(3)
    assert chain.recover() is True
    assert held(anvil, gs) == before


def test_recover__every_dump_torn__from_the_journal_alone(anvil: Anvil) -> None:
    gs, before = history(anvil)
    anvil.node.dump()
    anvil.node.kill()
    for dump in anvil.dumps():
        dump.write_bytes(dump.read_bytes()[:100])
    anvil.node.start()
    assert anvil.chain().recover() is True
    assert held(anvil, gs) == before


def test_recover__broken_off_in_the_middle_and_lost_again__still_as_before(anvil: Anvil) -> None:
    gs, before = history(anvil)
    anvil.lose_everything()
    journal = anvil.journal.journal_mined
    calls = []

    def dies(tx_hash: bytes, block: object) -> None:
        calls.append(tx_hash)
        if len(calls) == 8:
            raise KeyboardInterrupt
        journal(tx_hash, block)  # type: ignore[arg-type]

    anvil.journal.journal_mined = dies  # type: ignore[method-assign]
    with pytest.raises(KeyboardInterrupt):
        anvil.chain().recover()
    anvil.journal.journal_mined = journal  # type: ignore[method-assign]
    anvil.node.kill()
    anvil.node.start()
    assert anvil.chain().recover() is True
    assert held(anvil, gs) == before


def test_recover__journal_in_the_real_store__as_before(node: EmbeddedNode, tmp_path: Path) -> None:
    stores = open_stores("sqlite", tmp_path / "stores")
    stores.migrate()
    anvil = deployed(node, node.settings(), journal=stores.anchor)
    gs, before = history(anvil)
    anvil.lose_everything()
    assert anvil.chain().recover() is True
    assert held(anvil, gs) == before
    anvil.node.kill()  # And once more, from what the first recovery noted.
    anvil.node.start()
    assert anvil.chain().recover() is True
    assert held(anvil, gs) == before
    stores.close()


def test_recover__journal_lacks_a_transaction__refuses(anvil: Anvil) -> None:
    history(anvil)
    anvil.lose_everything()
    first = next(e for e in anvil.journal.entries if e[1] == "anchor")
    anvil.journal.entries.remove(first)
    with pytest.raises(ChainError) as caught:
        anvil.chain().recover()
    assert caught.value.code == "journal-hole"


# --- a process dies ------------------------------------------------------------------------------------------------


class Dead(BaseException):
    """The process ends here."""


def die_after(chain: object, method: str, *, sent: bool) -> None:
    """Let the process end at its next call of this RPC method, after or before the node got it."""
    rpc: Rpc = chain.rpc  # type: ignore[attr-defined]
    real = rpc.call

    def call(name: str, *params: object) -> object:
        if name == method:
            if sent:
                real(name, *params)
            raise Dead
        return real(name, *params)

    rpc.call = call  # type: ignore[method-assign]


def dies_anchoring(anvil: Anvil, method: str, *, sent: bool) -> None:
    """A process that anchors size 3 and ends at this RPC method."""
    dying = anvil.chain()
    dying.recover()
    die_after(dying, method, sent=sent)
    with pytest.raises(Dead):
        grow(dying, 0, 3)


@pytest.mark.parametrize(
    ("method", "sent"),
    [("eth_sendRawTransaction", False), ("eth_sendRawTransaction", True), ("evm_mine", True)],
    ids=["journalled", "in the pool", "mined"],
)
def test_anchor__process_dies__next_one_goes_on_and_nothing_is_double(anvil: Anvil, method: str, sent: bool) -> None:
    dies_anchoring(anvil, method, sent=sent)
    chain = anvil.chain()
    assert grow(chain, 0, 3).root == TREE.head(3).root
    assert grow(chain, 3, 8).size == 8
    assert chain.rpc.transaction_count(SUBMITTER.address) == 2
    assert all(entry[4] is not None for entry in anvil.journal.entries)


def test_anchor__in_the_pool_from_a_dead_process_and_log_grew__newer_root_anchored_in_the_end(anvil: Anvil) -> None:
    dies_anchoring(anvil, "eth_sendRawTransaction", sent=True)
    chain = anvil.chain()
    with pytest.raises(ChainRevertedError) as caught:
        grow(chain, 0, 8)  # The older one is mined in its place, since free gas cannot be outbid.
    assert caught.value.reason == "StaleBase"
    assert chain.head() == TREE.head(3)
    assert grow(chain, 3, 8).size == 8


def test_recover__mined_but_not_noted_and_then_lost__put_back_before_the_enrolment_after_it(anvil: Anvil) -> None:
    """Two faults at once: the anchor's process died before noting its block, then the node lost everything."""
    dies_anchoring(anvil, "evm_mine", sent=True)
    g, enrolled_at = anvil.authority().enrol(keyid(1), HOLDER, "S1/", 1)
    assert enrolled_at == 3
    # `recover` would have noted it; undo that, as if the authority had been there without it.
    anvil.journal.entries = [(*e[:4], None) if e[1] == "anchor" else e for e in anvil.journal.entries]
    words = anvil.chain().grant_words([g])
    anvil.lose_everything()
    chain = anvil.chain()
    assert chain.recover() is True
    assert chain.head() == TREE.head(3)
    assert chain.grant_words([g]) == words


def test_recover__journalled_but_never_sent_and_then_all_lost__not_put_before_the_enrolment(anvil: Anvil) -> None:
    dies_anchoring(anvil, "eth_sendRawTransaction", sent=False)
    g, enrolled_at = anvil.authority().enrol(keyid(1), HOLDER, "S1/", 1)
    assert enrolled_at == 0
    words = anvil.chain().grant_words([g])
    anvil.lose_everything()
    chain = anvil.chain()
    assert chain.recover() is True
    assert chain.grant_words([g]) == words
    assert chain.head().size == 0


def test_recover__journalled_but_never_sent_and_its_nonce_used_since__the_one_that_stood_is_put_back(anvil: Anvil) -> None:
    """Two lines with one nonce, and a block without any of ours before the one that stood: it is no place for the other."""
    chain = two_lines_with_one_nonce(anvil)
    g, enrolled_at = anvil.authority().enrol(keyid(1), HOLDER, "S1/", 1)
    grow(chain, 5, 8)
    assert enrolled_at == 5
    words, blocks = chain.grant_words([g]), journalled_blocks(anvil)
    anvil.lose_everything()
    chain = anvil.chain()
    assert chain.recover() is True
    assert chain.head() == TREE.head(8)
    assert chain.grant_words([g]) == words
    assert journalled_blocks(anvil) == blocks
    assert chain.recover() is False


def test_recover__two_lines_with_one_nonce_were_both_seen_in_blocks__the_one_seen_last_is_put_back(anvil: Anvil) -> None:
    """As after a reorganisation in which another version of the transaction was mined; the journal keeps both notes."""
    two_lines_with_one_nonce(anvil)
    blocks = journalled_blocks(anvil)
    first = blocks[-1] - 1
    anvil.journal.entries = [(*e[:4], first) if e[4] is None else e for e in anvil.journal.entries]
    anvil.lose_everything()
    assert anvil.chain().recover() is True
    assert anvil.chain().head() == TREE.head(5)


@pytest.mark.parametrize("what", ["anchor", "enrol"])
def test_send__node_comes_back_older_just_before_the_turn__first_made_good(
    anvil: Anvil, monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    """What is sent on the older chain would take the block, and an enrolment the index, of what was there before."""
    gs, before = history(anvil)
    anvil.node.kill()
    anvil.node.start()
    chain, authority = anvil.chain(), anvil.authority()
    chain.recover()
    authority._chain.recover()
    real = Sender.turn
    monkeypatch.setattr(Sender, "turn", lambda sender: restarted(anvil) and real(sender))
    if what == "anchor":
        grow(chain, 20, 30)
        assert chain.head() == TREE.head(30)
    else:
        _, enrolled_at = authority.enrol(keyid(9), HOLDER, "S1/", 1)
        assert enrolled_at == 20
    assert held(anvil, gs) == before


def restarted(anvil: Anvil) -> bool:
    anvil.node.kill()
    anvil.node.start()
    return True


def two_lines_with_one_nonce(anvil: Anvil) -> EvmChain:
    """The first was never sent; then an empty block, then the second stood on the chain: size 5."""
    dies_anchoring(anvil, "eth_sendRawTransaction", sent=False)
    anvil.rpc().call("evm_mine")
    chain = anvil.chain()
    grow(chain, 0, 5)
    return chain


def journalled_blocks(anvil: Anvil) -> list[int]:
    return sorted(entry[4] for entry in anvil.journal.entries if entry[4] is not None)


def test_authority__process_dies_after_sending__grant_there_with_its_index(anvil: Anvil) -> None:
    grow(anvil.chain(), 0, 3)
    dying = anvil.authority()
    dying._chain.recover()
    die_after(dying._chain, "evm_mine", sent=True)
    with pytest.raises(Dead):
        dying.enrol(keyid(1), HOLDER, "S1/", 1)
    with pytest.raises(ChainRevertedError) as caught:
        anvil.authority().enrol(keyid(1), HOLDER, "S1/", 1)
    assert caught.value.reason == "GrantExists"
