"""The anchor worker's store: anchors, shared trie nodes, the journal."""

import random

import pytest

from ledger.adapters.store import database
from ledger.adapters.store.anchor_store import KEYFRAME
from ledger.core.trie import keccak256
from ledger.errors import StoreError
from tests.adapters.store.samples import anchor, block, digest, state_proof


@pytest.fixture
def store(stores):
    return stores.anchor


def test_anchors__saved__are_found_by_size_index_and_block(store, reader):
    assert store.latest_anchor() is None
    assert store.anchor_covering(0) is None
    assert store.stored_proof(5) is None
    kept = {size: anchor(size, at_block=size * 2) for size in (5, 9, 20)}
    for size in (9, 5, 20):
        store.save_anchor(kept[size], state_proof(size, (b"n%d" % size,)))
    seen = reader.anchor
    assert seen.anchors(limit=1000) == [kept[5], kept[9], kept[20]]
    assert seen.anchors(after=5, limit=1) == [kept[9]]
    assert seen.latest_anchor() == kept[20]
    assert [seen.anchor_covering(index) for index in (0, 4, 5, 8, 9, 19, 20)] == [
        kept[5],
        kept[5],
        kept[9],
        kept[9],
        kept[20],
        kept[20],
        None,
    ]
    assert seen.anchors_after_block(17) == [kept[9], kept[20]]
    assert seen.anchors_after_block(18) == [kept[20]]


def test_anchor__dropped_and_saved_again__has_its_new_block_and_proof(store):
    for size in (5, 9):
        store.save_anchor(anchor(size), state_proof(size, (b"shared", b"n%d" % size)))
    store.drop_anchor(5)
    assert store.stored_proof(5) is None
    assert store.anchor_covering(0) == anchor(9)
    again = state_proof(5, (b"shared", b"new"), salt="again")
    store.save_anchor(anchor(5, at_block=30, salt="again"), again)
    assert store.anchor_covering(0) == anchor(5, at_block=30, salt="again")
    kept = store.stored_proof(5)
    assert (kept.block, kept.header, set(kept.nodes)) == (again.block, again.header, set(again.nodes))
    assert set(store.stored_proof(9).nodes) == {b"shared", b"n9"}


def test_anchor__same_size_saved_twice__the_later_stands(store):
    store.save_anchor(anchor(5), state_proof(5, (b"a",)))
    store.save_anchor(anchor(5, salt="b"), state_proof(5, (b"b",), salt="b"))
    assert store.anchors(limit=1000) == [anchor(5, salt="b")]
    assert store.stored_proof(5).nodes == (b"b",)


def test_stored_proof__long_history__is_exact_for_each(store):
    chance = random.Random(3)
    nodes = {b"node-%d" % n * 20 for n in range(30)}
    proofs = {}
    for size in range(1, 3 * KEYFRAME):
        nodes = set(chance.sample(sorted(nodes), max(len(nodes) - 3, 0))) | {
            b"new-%d-%d" % (size, n) * 20 for n in range(3)
        }
        if size == 100:
            nodes = {b"others-%d" % n for n in range(5)} | {b"others" * 9}
        if size == 120:
            nodes = set()
        if size == 121:
            nodes = {b"after-%d" % n for n in range(30)}
        proofs[size] = state_proof(size, tuple(chance.sample(sorted(nodes), len(nodes))))
        store.save_anchor(anchor(size), proofs[size])
    for size in chance.sample(sorted(proofs), 40) + [1, KEYFRAME, KEYFRAME + 1, 99, 100, 101, 119, 120, 121, 122]:
        kept = store.stored_proof(size)
        assert (kept.block, kept.header) == (proofs[size].block, proofs[size].header)
        assert sorted(kept.nodes) == sorted(proofs[size].nodes)


def test_stored_proof__many_grants__costs_what_changed(store):
    grants = tuple(b"grant leaf %d" % n * 10 for n in range(500))
    for size in range(1, 50):
        store.save_anchor(anchor(size), state_proof(size, (*grants, b"path %d" % size * 10)))
    with store._db.read() as connection:
        kept = connection.exec_driver_sql("SELECT sum(length(added) + length(removed)) FROM proof").scalar_one()
        rows = connection.exec_driver_sql("SELECT count(*) FROM node").scalar_one()
    assert rows == 500 + 49
    assert kept == 32 * (501 + 48 * 2)


def test_stored_proof__node_lost__is_an_error(store):
    store.save_anchor(anchor(5), state_proof(5, (b"a", b"b")))
    with store._db.write() as connection:
        connection.exec_driver_sql(
            "DELETE FROM node WHERE rlp = " + ("x'61'" if store._db.is_sqlite else "'\\x61'::bytea")
        )
    with pytest.raises(StoreError) as error:
        store.stored_proof(5)
    assert error.value.code == "lost-node"


def test_nodes__by_hash__are_those_kept(store):
    store.save_anchor(anchor(5), state_proof(5, (b"a", b"b", b"a")))
    assert store.nodes([keccak256(b"b"), keccak256(b"c"), keccak256(b"b")]) == {keccak256(b"b"): b"b"}
    assert store.nodes([]) == {}


def test_journal__written_and_mined__is_in_block_order(store, reader):
    for n in range(6):
        assert store.journal_append("anchor", b"raw %d" % n, digest("tx", n)) == n + 1
    for n, number in ((0, 9), (1, 4), (3, 4), (2, 10)):
        store.journal_mined(digest("tx", n), block(number))
    rows = list(reader.anchor.journal())
    assert [(seq, number) for seq, _, _, _, number in rows] == [(2, 4), (4, 4), (1, 9), (3, 10), (5, None), (6, None)]
    assert rows[0] == (2, "anchor", b"raw 1", digest("tx", 1), 4)


def test_journal__same_transaction_again__keeps_its_number(store):
    assert store.journal_append("enrol", b"raw", digest("tx")) == 1
    assert store.journal_append("enrol", b"raw", digest("tx")) == 1
    assert store.journal_append("enrol", b"raw 2", digest("tx 2")) == 2


def test_journal__mined_elsewhere__has_the_later_block(store):
    store.journal_append("anchor", b"raw", digest("tx"))
    store.journal_mined(digest("tx"), block(4))
    store.journal_mined(digest("tx"), block(7, "reorg"))
    assert [row[4] for row in store.journal()] == [7]


def test_journal__unknown_transaction_mined__is_an_error(store):
    with pytest.raises(StoreError) as error:
        store.journal_mined(digest("none"), block(1))
    assert error.value.code == "no-transaction"


def test_journal__re_sent_while_read__gives_each_once(store, monkeypatch):
    monkeypatch.setattr(database, "IN_LIST", 20)
    for n in range(110):
        store.journal_append("anchor", b"raw %d" % n, digest("tx", n))
        if n < 105:
            store.journal_mined(digest("tx", n), block(n + 1))
    seen = []
    for seq, _, _, tx_hash, _ in store.journal():
        seen.append(seq)
        if seq % 7 == 0:
            store.journal_mined(tx_hash, block(5000 + seq))
    assert seen == list(range(1, 111))
