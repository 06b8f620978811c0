"""Stores that are away for a moment: nothing is half folded, nothing lost, nothing twice."""

from random import Random

import pytest

from ledger.engine.fold import Fold
from ledger.errors import StoreError
from tests import test_rule_versions as versions
from tests.fakes_engine import T0, FakeLog, FakeStore, copy_log
from tests.test_evaluate import A, B, World, history, movement, one_by_one

HOUR = 3_600_000


class Unsure(FakeStore):
    """Commit `at` raises, and nobody knows whether it was kept ("kept", "lost")."""

    def __init__(self, outcome="kept", at=0):
        super().__init__()
        self.outcome, self.at, self.raised = outcome, at, 0

    def commit(self, batch):
        if self.commits + 1 == self.at and not self.raised:
            self.raised += 1
            if self.outcome == "kept":
                super().commit(batch)
            raise StoreError("the connection was lost while it committed")
        super().commit(batch)


def patiently(world, engine=None):
    """As `evaluate` does: what is away is waited for. Returns how often."""
    waits = 0
    while True:
        try:
            world.run()
            return waits
        except StoreError:
            waits += 1
            assert waits < 1000


@pytest.mark.parametrize("snapshots", [False, True])
@pytest.mark.parametrize("outcome", ["kept", "lost"])
def test_commit__of_unknown_outcome__done_again_it_is_done_once(monkeypatch, outcome, snapshots):
    one_by_one(monkeypatch)
    if snapshots:
        monkeypatch.setattr("ledger.evaluate.SNAPSHOT_ENTRIES", 3)
    whole = World()
    whole.run()
    assert whole.store.commits > 10
    for at in range(1, whole.store.commits + 1):
        world = World(store=Unsure(outcome, at))
        assert patiently(world) == 1
        assert world.store.tables() == whole.store.tables(), at
        assert [e.record_id for e in world.log.entries] == [e.record_id for e in whole.log.entries], at


class AwayNowAndThen(FakeLog):
    """Every read may find the store away."""

    random: Random | None = None

    def _maybe(self):
        if self.random is not None and self.random.random() < 0.03:
            raise StoreError("the log's store is away")

    def records(self, start, limit):
        self._maybe()
        return super().records(start, limit)

    def facts(self, start, end):
        self._maybe()
        return super().facts(start, end)

    def record_by_id(self, record_id):
        self._maybe()
        return super().record_by_id(record_id)


def away(log, seed):
    other = AwayNowAndThen()
    other.entries, other.heads, other.facts_rows = list(log.entries), dict(log.heads), dict(log.facts_rows)
    other.random = Random(seed)
    return other


def eventful():
    """Sales whose papers come late and are judged again at a tick, and corrections."""
    log = history()
    at = T0 + 30 * HOUR
    sales = [
        log.write(
            A,
            "movement",
            movement("out", 1, reason="sale", counterparty={"type": "enterprise", "uscc": B}),
            at=at + n * HOUR,
        )
        for n in range(8)
    ]
    item = {"goods": "chemical", "code": "7697-37-2"}
    papers = {
        "type": "lawful-use",
        "issuer": "x",
        "items": [item],
        "valid_from": "2026-01-01",
        "valid_to": "2026-12-31",
        "status": "valid",
        "activities": ["purchase"],
    }
    log.write(B, "licence", papers, at=at + 10 * HOUR, book="office")
    for n, sale in enumerate(sales[:4]):
        put_right = movement("out", 2, reason="sale", counterparty={"type": "enterprise", "uscc": B})
        body = {"corrects": sale.record_id, "kind": "movement", "body": put_right}
        log.write(A, "correction", body, at=at + (11 + n) * HOUR)
    for day in (2, 3, 4):
        now = at + day * 24 * HOUR
        log.write("platform.test", "tick", {"now": now, "facts": "0" * 64}, at=now, book="ticks", authority=True)
        log.write(A, "movement", movement("in", 1), at=now + 1)
    return log


def test_log__away_now_and_then__tables_are_those_of_a_quiet_day(monkeypatch):
    monkeypatch.setattr("ledger.evaluate.LIVE_BATCH", 3)
    monkeypatch.setattr("ledger.evaluate.SNAPSHOT_ENTRIES", 5)
    log, now = eventful(), T0 + 30 * 24 * HOUR
    whole = World(log=copy_log(log), now=now)
    whole.run()
    half_folded = 0
    real = Fold.step

    def step(self, entry, to):
        nonlocal half_folded
        try:
            real(self, entry, to)
        except StoreError:
            half_folded += 1
            raise

    monkeypatch.setattr(Fold, "step", step)
    for seed in range(25):
        world = World(log=away(log, seed), now=now)
        assert patiently(world) > 0
        assert world.store.tables() == whole.store.tables(), seed
        assert [e.record_id for e in world.log.entries] == [e.record_id for e in whole.log.entries], seed
    assert half_folded > 0, "no read failed in the middle of an entry: the test shows nothing"


def test_log__away_while_a_new_set_is_filled__it_takes_effect_all_the_same():
    def run(seed):
        world = versions.World()
        for n in range(30):
            world.put(versions.A, 5, minutes=20 if n % 3 else 90)
        world.run()
        if seed is not None:
            world.log = world.appender.log = away(world.log, seed)
        world.start(versions.rules(versions.level(60, version=2), versions.event(2, version=2)))
        patiently(world)
        for _ in range(10):
            world.put(versions.A, 5, minutes=30)
        patiently(world)
        world.log.random = None
        world.check_replay()
        return world.store.tables(), [e.record_id for e in world.log.entries]

    expected = run(None)
    for seed in range(12):
        assert run(seed) == expected, seed


class Cursors(FakeStore):
    """Remembers where each commit ended, and whether it brought a snapshot."""

    def __init__(self):
        super().__init__()
        self.seen = []

    def commit(self, batch):
        super().commit(batch)
        self.seen.append((int(batch.cursor), batch.snapshot is not None))


def test_commit__live__at_most_fifty_entries_or_twenty_milliseconds():
    log = copy_log(history())
    for n in range(120):
        log.write(A, "movement", movement("in", 1), at=T0 + 30 * HOUR + n)
    world = World(log=log, store=Cursors())
    world.run()
    cursors = [0, *(cursor for cursor, _ in world.store.seen)]
    assert max(b - a for a, b in zip(cursors, cursors[1:], strict=False)) == 50

    slow = World(log=copy_log(log), store=Cursors())

    def clock_s():
        slow.seconds += 0.005
        return slow.seconds

    slow.evaluator._clock_s = clock_s
    slow.run()
    cursors = [0, *(cursor for cursor, _ in slow.store.seen)]
    assert max(b - a for a, b in zip(cursors, cursors[1:], strict=False)) <= 5


@pytest.mark.parametrize(("seconds", "kept"), [(59.9, False), (60.0, True)])
def test_snapshot__every_minute__with_its_cursor(seconds, kept):
    world = World(store=Cursors())
    world.run()
    assert not any(snapshot for _, snapshot in world.store.seen)
    world.seconds = seconds
    world.log.write(A, "movement", movement("in", 1), at=T0 + 31 * HOUR)
    world.run()
    assert any(snapshot for _, snapshot in world.store.seen) is kept
    if kept:
        assert world.store.snapshot[1] in [cursor for cursor, snapshot in world.store.seen if snapshot]


def test_snapshot__every_ten_thousand_entries__whatever_the_clock_says():
    from ledger import evaluate

    assert evaluate.SNAPSHOT_ENTRIES == 10_000
    world = World()
    world.run()
    world.evaluator._snapshot_index = -10_000 + world.store.cursor_
    assert world.store.snapshot is None
    world.log.write(A, "movement", movement("in", 1), at=T0 + 31 * HOUR)
    world.run()
    assert world.store.snapshot is not None
