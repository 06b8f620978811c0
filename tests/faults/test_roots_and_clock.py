"""The two ways to the root, each corrupted by itself, and a clock that jumps: a real log whose clock alone is fake."""

from __future__ import annotations

import pytest

from ledger.core.merkle import Frontier
from ledger.errors import RollbackError
from tests.faults.raw import Raw
from tests.kit import Log

HOUR_MS = 3_600_000


@pytest.fixture
def log(tmp_path):
    log = Log(tmp_path)
    yield log
    log.close()


def _grown(log, count=300):
    book = log.enterprise()
    log.submit(book.next("stocktake"))
    for start in range(0, count, 100):
        log.batch([book.next() for _ in range(100)])
    log.sequencer.checkpoint_once()
    log.submit(book.next())
    return book


def _flipped(data: bytes) -> bytes:
    return data[:-1] + bytes([data[-1] ^ 1])


def _incremental(log, _raw):
    """The frontier in the writer's memory."""
    state = log.sequencer._state
    state.frontier = Frontier.from_bytes(_flipped(state.frontier.to_bytes()))


def _stored(statement, *values):
    def corrupt(_log, raw):
        assert raw.execute("log", statement, values) == 1

    return corrupt


def _blob(table, column, where):
    def corrupt(_log, raw):
        ((value,),) = raw.query("log", f'SELECT "{column}" FROM "{table}" WHERE {where}')
        raw.execute("log", f'UPDATE "{table}" SET "{column}" = ? WHERE {where}', (_flipped(value),))

    return corrupt


NEWEST = '"index" = (SELECT max("index") FROM entry)'


@pytest.mark.parametrize(
    "corrupt",
    [
        pytest.param(_incremental, id="frontier-in-memory"),
        pytest.param(_blob("entry", "entry", NEWEST), id="stored-entry"),
        pytest.param(_blob("entry", "leaf_hash", NEWEST), id="stored-leaf-hash"),
        pytest.param(_blob("tile", "root", "level = 0 AND n = 0"), id="stored-root-of-a-tile"),
        pytest.param(_stored(f"DELETE FROM entry WHERE {NEWEST}"), id="stored-entry-deleted"),
    ],
)
def test_roots__one_path_corrupted__signing_and_appending_stop(log, tmp_path, corrupt):
    book = _grown(log)
    before = log.stores.log.latest_checkpoint()
    corrupt(log, Raw("sqlite", tmp_path))
    with pytest.raises(RollbackError):
        log.sequencer.checkpoint_once()
    assert log.stores.log.latest_checkpoint() == before
    size = log.stores.log.size()
    with pytest.raises(RollbackError):
        log.submit(book.next())
    assert log.stores.log.size() == size
    with pytest.raises(RollbackError):
        log.sequencer.checkpoint_once()


def test_roots__second_path_corrupted_in_memory__signing_stops(log, monkeypatch):
    from ledger import checkpoint

    _grown(log)
    honest = checkpoint.recompute_root
    monkeypatch.setattr(checkpoint, "recompute_root", lambda *a, **k: _flipped(honest(*a, **k)))
    with pytest.raises(RollbackError, match="the two ways to compute the root of size 304 differ"):
        log.sequencer.checkpoint_once()


def test_clock__jumps_back_a_day__received_never_decreases(log):
    book = log.enterprise()
    first = log.submit(book.next("stocktake")).receipt
    log.clock.now -= 24 * HOUR_MS
    second = log.submit(book.next()).receipt
    assert second.received == first.received
    assert log.sequencer.checkpoint_once() is not None
    log.clock.now += 48 * HOUR_MS
    third = log.submit(book.next()).receipt
    assert third.received > first.received + 20 * HOUR_MS
    assert log.sequencer.checkpoint_once() is not None


def test_clock__jumps_back_over_a_restart__received_never_decreases(log, tmp_path):
    book = log.enterprise()
    first = log.submit(book.next("stocktake")).receipt
    log.sequencer.checkpoint_once()
    again = Log(tmp_path, guard=log.guard, identity=log.identity)
    again.clock.now = first.received - 24 * HOUR_MS
    second = again.submit(book.next()).receipt
    assert (second.index, second.received) == (first.index + 1, first.received)
    again.close()


def test_clock__jumps_ahead_and_back__ticks_never_go_back(log):
    first = log.sequencer.tick(0)
    log.clock.now += 24 * HOUR_MS
    second = log.sequencer.tick(0)
    log.clock.now -= 24 * HOUR_MS
    assert first is not None and second is not None
    assert log.sequencer.tick(0) is None
