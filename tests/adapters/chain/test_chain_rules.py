"""What ports.Chain and ports.Authority promise: the same cases against the fake and against Anvil."""

from __future__ import annotations

import time

import pytest

from ledger.core.grants import grant_id, unpack_word
from ledger.errors import ChainRevertedError
from ledger.model import NEVER, TreeHead, TreeSize
from tests.adapters.chain.conftest import (
    HOLDER,
    NOTE_HASH,
    ORIGIN,
    TREE,
    Ground,
    Tree,
    grow,
    keyid,
)


def test_head__nothing_anchored__zero(ground: Ground) -> None:
    assert ground.chain.head() == TreeHead(TreeSize(0), bytes(32))
    assert ground.chain.root_at(TreeSize(1)) is None


def test_anchor__first_root__is_head_and_stored(ground: Ground) -> None:
    anchor = grow(ground.chain, 0, 5)
    assert ground.chain.head() == TREE.head(5)
    assert ground.chain.root_at(TreeSize(5)) == (TREE.head(5).root, anchor.anchored_at_s, anchor.block.number)
    assert (anchor.size, anchor.root) == (5, TREE.head(5).root)
    assert anchor.block == ground.chain.final_block()
    assert abs(anchor.anchored_at_s - time.time()) < 5
    assert len(anchor.tx_hash) == 32
    assert any(anchor.tx_hash)


def test_anchor__growing__every_root_stays(ground: Ground) -> None:
    sizes = [1, 2, 3, 7, 8, 64, 100]
    for old, new in zip([0, *sizes], sizes):
        grow(ground.chain, old, new)
    for size in sizes:
        stored = ground.chain.root_at(TreeSize(size))
        assert stored is not None
        assert stored[0] == TREE.head(size).root
    assert ground.chain.root_at(TreeSize(50)) is None


def test_anchor__same_again__same_anchor_and_no_new_block(ground: Ground) -> None:
    grow(ground.chain, 0, 5)
    first = grow(ground.chain, 5, 9)
    block = ground.chain.final_block()
    assert grow(ground.chain, 5, 9) == first
    assert grow(ground.chain, 0, 5).size == 5
    assert ground.chain.final_block() == block


def test_anchor__other_base__stale_base(ground: Ground) -> None:
    grow(ground.chain, 0, 5)
    with pytest.raises(ChainRevertedError) as caught:
        grow(ground.chain, 4, 9)
    assert caught.value.reason == "StaleBase"


def test_anchor__other_root_for_a_size__fork(ground: Ground) -> None:
    grow(ground.chain, 0, 5)
    with pytest.raises(ChainRevertedError) as caught:
        grow(ground.chain, 0, 5, Tree(b"another history"))
    assert caught.value.reason == "Fork"


def test_anchor__history_rewritten__bad_proof_and_head_unmoved(ground: Ground) -> None:
    grow(ground.chain, 0, 5)
    with pytest.raises(ChainRevertedError) as caught:
        grow(ground.chain, 5, 9, Tree(b"another history"))
    assert caught.value.reason == "BadProof"
    assert ground.chain.head() == TREE.head(5)


def test_anchor__one_bit_of_the_proof__bad_proof(ground: Ground) -> None:
    grow(ground.chain, 0, 5)
    proof = TREE.proof(5, 9)
    proof[0] = bytes([proof[0][0] ^ 1]) + proof[0][1:]
    with pytest.raises(ChainRevertedError) as caught:
        ground.chain.anchor(TreeSize(5), TREE.head(9), NOTE_HASH, proof)
    assert caught.value.reason == "BadProof"


@pytest.mark.parametrize("size", [0, 2**48])
def test_anchor__size_out_of_range__bad_size(ground: Ground, size: int) -> None:
    with pytest.raises(ChainRevertedError) as caught:
        ground.chain.anchor(TreeSize(0), TreeHead(TreeSize(size), b"\1" * 32), NOTE_HASH, [])
    assert caught.value.reason == "BadSize"


def test_anchor__without_the_role__unauthorized_account(ground: Ground) -> None:
    with pytest.raises(ChainRevertedError) as caught:
        grow(ground.stranger, 0, 5)
    assert caught.value.reason == "AccessControlUnauthorizedAccount"
    assert ground.stranger.status()["has_role"] is False


def test_enrol__between_two_anchors__enrolled_at_the_first(ground: Ground) -> None:
    grow(ground.chain, 0, 5)
    g, enrolled_at = ground.authority.enrol(keyid(1), HOLDER, "S1/acid", 1)
    grow(ground.chain, 5, 9)
    assert (g, enrolled_at) == (grant_id(ORIGIN, keyid(1), HOLDER, "S1/acid", 1), 5)
    (word,) = ground.chain.grant_words([g])
    assert unpack_word(word)[1:] == (5, NEVER)


def test_enrol__twice__grant_exists(ground: Ground) -> None:
    ground.authority.enrol(keyid(1), HOLDER, "S1/", 1)
    with pytest.raises(ChainRevertedError) as caught:
        ground.authority.enrol(keyid(1), HOLDER, "S1/", 1)
    assert caught.value.reason == "GrantExists"


def test_enrol__after_revocation__grant_exists(ground: Ground) -> None:
    g, _ = ground.authority.enrol(keyid(1), HOLDER, "", 1)
    ground.authority.revoke(g, TreeSize(0))
    with pytest.raises(ChainRevertedError) as caught:
        ground.authority.enrol(keyid(1), HOLDER, "", 1)
    assert caught.value.reason == "GrantExists"


def test_revoke__earlier__moves_later__refused(ground: Ground) -> None:
    g, _ = ground.authority.enrol(keyid(1), HOLDER, "S1/", 1)
    ground.authority.revoke(g, TreeSize(200))
    ground.authority.revoke(g, TreeSize(100))
    with pytest.raises(ChainRevertedError) as caught:
        ground.authority.revoke(g, TreeSize(100))
    assert caught.value.reason == "NotEarlier"
    assert unpack_word(ground.chain.grant_words([g])[0])[2] == 100


def test_revoke__no_such_grant__not_earlier(ground: Ground) -> None:
    with pytest.raises(ChainRevertedError) as caught:
        ground.authority.revoke(bytes(32), TreeSize(1))
    assert caught.value.reason == "NotEarlier"


def test_grant_words__known_and_unknown__in_order(ground: Ground) -> None:
    g, _ = ground.authority.enrol(keyid(1), HOLDER, "S1/", 1)
    words = ground.chain.grant_words([bytes(32), g, b"\1" * 32])
    assert [any(word) for word in words] == [False, True, False]
    assert ground.chain.grant_words([]) == []


def test_status__healthy__says_so(ground: Ground) -> None:
    grow(ground.chain, 0, 5)
    status = ground.chain.status()
    assert status["error"] is None
    assert (status["head_size"], status["has_role"], status["kind"]) == (5, True, "development")
    assert abs(status["lag_s"]) < 5


def test_recover__nothing_lost__false(ground: Ground) -> None:
    grow(ground.chain, 0, 5)
    assert ground.chain.recover() is False
    assert ground.chain.recover() is False
    ground.chain.check_identity()
