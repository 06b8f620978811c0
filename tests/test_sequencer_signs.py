"""Two independent paths to a root, a restart, an older database: when the sequencer signs, and when it stops."""

from __future__ import annotations


import pytest

from ledger.roots import recompute_root
from ledger.core.checkpoint import open_checkpoint
from ledger.core.merkle import Frontier
from ledger.errors import RollbackError
from ledger.model import TreeHead, TreeSize
from tests.kit import ORIGIN, Log, MemoryGuard


@pytest.fixture
def log(tmp_path):
    log = Log(tmp_path)
    yield log
    log.close()


def test_restart__frontier_is_rebuilt_from_tiles__same_head(log, tmp_path):
    book = log.enterprise()
    log.batch([book.next("stocktake")])
    for _ in range(3):
        log.batch([book.next() for _ in range(300)])
    head = log.sequencer._state.head()
    leaves = log.stores.log.leaf_hashes(0, head.size)
    frontier = Frontier()
    for leaf in leaves:
        frontier.append(leaf)
    assert frontier.root() == head.root
    log.sequencer.close()
    again = Log(tmp_path, guard=log.guard, identity=log.identity)
    assert again.sequencer._state.head() == head
    again.submit(book.next())
    again.close()
    log.sequencer = Log(tmp_path, guard=log.guard, identity=log.identity).sequencer


@pytest.mark.parametrize("trusted", [0, 1, 255, 256, 257, 512, 600, 700])
def test_recompute_root__any_trusted_size__equals_the_frontier(log, trusted):
    book = log.enterprise()
    log.batch([book.next("stocktake"), *(book.next() for _ in range(700))])
    head = log.sequencer._state.head()
    assert recompute_root(log.stores.log, head.size, trusted=TreeSize(trusted)) == head.root
    for size in (1, 2, 3, 255, 256, 257, 511, 512, 513):
        frontier = Frontier()
        for leaf in log.stores.log.leaf_hashes(0, size):
            frontier.append(leaf)
        assert recompute_root(log.stores.log, TreeSize(size), trusted=TreeSize(min(trusted, size))) == frontier.root()


def test_checkpoint_once__grown_log__signed_once_and_opens(log):
    book = log.enterprise()
    log.submit(book.next("stocktake"))
    signed = log.sequencer.checkpoint_once()
    opened = open_checkpoint(signed.note, ORIGIN, [log.identity.log.verifier])
    assert (opened.size, opened.root) == (log.stores.log.size(), log.sequencer._state.head().root)
    assert log.sequencer.checkpoint_once() is None


def test_checkpoint_once__frontier_corrupted__signing_stops(log):
    log.submit(log.enterprise().next("stocktake"))
    log.sequencer._state.frontier._edge[-1] = b"\x00" * 32
    with pytest.raises(RollbackError):
        log.sequencer.checkpoint_once()
    with pytest.raises(RollbackError):
        log.submit(log.enterprise(n=2).next("stocktake"))


def test_checkpoint_once__stored_entry_altered__signing_stops_and_names_it(log, tmp_path):
    import sqlite3

    book = log.enterprise()
    log.submit(book.next("stocktake"))
    index = int(log.stores.log.size()) - 1
    with sqlite3.connect(tmp_path / "log.db") as database:
        (entry,) = database.execute('SELECT entry FROM entry WHERE "index" = ?', (index,)).fetchone()
        database.execute('UPDATE entry SET entry = ? WHERE "index" = ?', (entry.replace(b"S1/", b"S2/"), index))
    database.close()
    with pytest.raises(RollbackError, match=f"stored entry {index}"):
        log.sequencer.checkpoint_once()


def test_restart__older_database__refuses_everything_and_says_how_to_recover(log, tmp_path):
    log.submit(log.enterprise().next("stocktake"))
    guard = MemoryGuard()
    guard.head = TreeHead(TreeSize(10_000), b"\x01" * 32)
    log.sequencer.close()
    restored = Log(tmp_path, guard=guard, identity=log.identity)
    with pytest.raises(RollbackError, match="older backup"):
        restored.sequencer.checkpoint_once()
    log.sequencer = restored.sequencer


def test_checkpoint_once__chain_unreachable_since_start__waits_but_appends(tmp_path):
    from ledger.errors import ChainUnreachableError

    def gone():
        raise ChainUnreachableError("no endpoint")

    log = Log(tmp_path, chain_head=gone)
    log.submit(log.enterprise().next("stocktake"))
    with pytest.raises(ChainUnreachableError):
        log.sequencer.checkpoint_once()
    assert log.sequencer.status()["signing_waits_for"]
    assert log.stores.log.latest_checkpoint() is None
    log.close()
