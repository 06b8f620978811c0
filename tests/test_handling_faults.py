"""Crashes between the entry's append and the engine's tables, at every commit; older snapshots; the same tables again."""

import hashlib

import pytest

from ledger.handling import Act, NewOrder
from ledger.core.times import format_utc
from ledger.model import UnixMs
from tests import kit
from tests.fakes_engine import Crash
from tests.supervised import DAY, HOUR, SESSION, Supervised


class DyingStore:
    """The real engine store; commit n is lost ("before") or kept ("after"), and the process dies at it."""

    def __init__(self, store):
        self.store, self.commits, self.die_at = store, 0, None

    def __getattr__(self, name):
        return getattr(self.store, name)

    def commit(self, batch):
        self.commits += 1
        if self.die_at == ("before", self.commits):
            raise Crash
        self.store.commit(batch)
        if self.die_at == ("after", self.commits):
            raise Crash


def act(desk):
    """Everything that moves an alert; what is signed is in the log before the engine has seen any of it."""
    desk.unlock()
    one, other = desk.alerts()
    handler = desk.handler()
    object.__setattr__(handler, "sleep", lambda _: None)
    object.__setattr__(handler, "fold_within_s", 0.0)
    handler.act(SESSION, [(one, None), (other, None)], Act("acknowledged"))
    yield
    handler.act(SESSION, [(one, None)], Act("snoozed", reason="x", until=format_utc(UnixMs(desk.log.clock() + DAY))))
    order_id, _ = handler.issue(SESSION, [(other, None)], NewOrder("mend-stock"))
    yield
    office = kit.Book(desk.enterprise.key, desk.enterprise.holder, book="office")
    desk.put(office, "reply", {"order": order_id, "action": "counted"}, desk.log.clock())
    desk.come(desk.books[0], 500)
    yield
    handler.decide(SESSION, order_id, "accepted")
    yield
    handler.act(SESSION, [(other, None)], Act("closed", outcome="violation_confirmed"))
    desk.log.clock.now = UnixMs(desk.log.clock.now + 2 * DAY)
    desk.log.sequencer.tick(UnixMs(0))
    yield
    desk.come(desk.books[1], 500)
    desk.out(desk.books[1], 900)


def run(desk, recover):
    for _ in act(desk):
        fold(desk, recover)
    fold(desk, recover)


def fold(desk, recover):
    while True:
        try:
            desk.fold()
        except Crash:
            assert recover
            desk.store.die_at = None
            desk.evaluator = desk.engine()
        else:
            return


def tables(desk):
    store = desk.log.stores.engine
    alerts = store.alerts(limit=1000)
    lives = store.lives([alert for _, alert in alerts])
    return (
        len(alerts),
        {alert_id: (row.status, row.turn, row.stage, row.outcome, row.recovered) for alert_id, row in lives.items()},
        {alert_id: [(s.before, s.after, s.refused) for s in store.steps(alert_id)] for alert_id in desk.alerts()},
        [(order.status, order.reply != "", order.alerts) for order in store.orders(limit=100)],
        [(timer.id, timer.rule) for timer in store.timers()],
    )


@pytest.fixture
def desk(tmp_path, monkeypatch):
    made = []

    def make(name):
        desk = Supervised(tmp_path / name, books=2)
        desk.store = DyingStore(desk.log.stores.engine)
        desk.evaluator = desk.engine()
        made.append(desk)
        return desk

    (tmp_path / "whole").mkdir()
    yield make
    for one in made:
        one.close()


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("snapshots", [False, True])
def test_crash__at_any_commit_of_the_engine__no_step_lost_none_twice(desk, tmp_path, monkeypatch, when, snapshots):
    monkeypatch.setattr("ledger.evaluate.LIVE_BATCH", 2)
    if snapshots:
        monkeypatch.setattr("ledger.evaluate.SNAPSHOT_ENTRIES", 3)
    whole = desk("whole")
    run(whole, recover=False)
    wanted, commits = shape(tables(whole)), whole.store.commits
    assert commits >= 6
    for at in range(1, commits + 1):
        (tmp_path / f"{at}").mkdir()
        dying = desk(f"{at}")
        dying.store.die_at = (when, at)
        run(dying, recover=True)
        assert shape(tables(dying)) == wanted, at
        assert replayed(dying) == (tables(dying), state_of(dying))


def shape(found):
    """Without ids, which differ from one installation to the other."""
    count, lives, steps, orders, timers = found
    return count, sorted(lives.values()), sorted(steps.values()), [o[:2] for o in orders], sorted(rule for _, rule in timers)


def replayed(desk):
    """Tables and state of a fold from index 0 in an empty store."""
    from ledger.adapters.store import open_stores

    fresh = open_stores("sqlite", desk.state / f"fresh{HOUR}")
    fresh.migrate()
    kept, desk.store, evaluator = desk.store, fresh.engine, desk.evaluator
    desk.evaluator = desk.engine()
    desk.fold()
    real, desk.log.stores = desk.log.stores, Stores(fresh, desk.log.stores)
    found = tables(desk), state_of(desk)
    desk.log.stores, desk.store, desk.evaluator = real, kept, evaluator
    fresh.close()
    return found


class Stores:
    def __init__(self, fresh, real):
        self.engine, self._real = fresh.engine, real

    def __getattr__(self, name):
        return getattr(self._real, name)


def state_of(desk):
    return hashlib.sha256(desk.evaluator.state()).hexdigest()
