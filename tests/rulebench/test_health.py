"""Health: a rule that errs and works again, what stands beside the rules, shares and rates."""

import json

from ledger.engine.rules import load_rules
from ledger.model import LeafIndex
from ledger.ports import RuleHealth
from ledger.rulebench.health import DAY_MS, SPAN_DAYS, health
from tests.fakes_engine import T0
from tests.test_rule_versions import A, B, World, event, level, rules

FRAGILE = level().replace("balance > 100000000", "1000000 / (balance - 50000000) > 0")


def state_of(world):
    return world.store.health_rows["X-FULL"].state


def test_rule__that_failed__is_well_again_after_an_hour_of_work():
    world = World(rules(FRAGILE, event()))
    world.put(A, 49)
    world.run()
    assert state_of(world) == "error" and "zero" in world.store.health_rows["X-FULL"].error
    world.put(A, 5, minutes=30)
    world.run()
    assert state_of(world) == "error"
    world.put(A, 5, minutes=31)
    world.run()
    assert state_of(world) == "ok" and world.store.health_rows["X-FULL"].error == ""
    world.check_replay()


def test_rule__that_fails_for_one_and_works_for_another__stays_in_error():
    world = World(rules(FRAGILE, event()))
    world.put(A, 49)
    for _ in range(5):
        world.put(B, 1, minutes=20)
        world.put(A, 1)
        world.put(A, 1, "out")
    world.run()
    assert state_of(world) == "error"


def test_lag__far_behind_for_a_minute__is_visible_and_goes(monkeypatch):
    monkeypatch.setattr("ledger.enginehealth.LAG_ENTRIES", 3)
    monkeypatch.setattr("ledger.evaluate.CATCH_UP_FROM", 10**9)
    monkeypatch.setattr("ledger.evaluate.LIVE_BATCH", 1)
    world = World()
    for _ in range(10):
        world.put(A, 1)
    world.engine.evaluate_once()
    assert "LAG" not in world.store.health_rows
    world.seconds += 61
    world.engine.evaluate_once()
    assert world.store.health_rows["LAG"].state == "error"
    world.run()
    world.seconds += 2
    world.run()
    assert world.store.health_rows["LAG"].state == "ok"
    world.check_replay()


def test_cost__of_a_slow_rule__is_visible_by_its_name(monkeypatch):
    monkeypatch.setattr("ledger.follow.METERED", 1)
    world = World()
    ticking = iter(range(10**6))
    world.engine._meter._clock_s = lambda: next(ticking) * 0.002
    for _ in range(60):
        world.put(A, 1)
    world.run()
    world.seconds += 2
    world.run()
    assert world.store.health_rows["COST"].error == "slow rules: X-FULL, X-OFTEN"
    assert set(world.engine.status()["costs_us"]) == {"X-FULL", "X-OFTEN"}
    world.check_replay()


def test_metered__every_entry__finds_the_same(monkeypatch):
    plain, metered = World(), World()
    for world in (plain, metered):
        monkeypatch.setattr("ledger.follow.METERED", 1 if world is metered else 10**9)
        for _ in range(6):
            world.put(A, 30)
        world.run()
    assert plain.store.tables() == metered.store.tables() and len(plain.store.alert_rows) == 2
    assert json.dumps(metered.engine.status())


class Reader:
    def __init__(self, **outcomes):
        self._outcomes = outcomes

    def health(self):
        return [RuleHealth("X-FULL", 1, LeafIndex(9), "ok", "", 50, 7), RuleHealth("OUTBOX", 1, LeafIndex(9), "error", "no", 0, 0)]

    def rule_alerts(self, since):
        assert since == T0 - SPAN_DAYS * DAY_MS
        return {"X-FULL": 60}

    def rule_outcomes(self):
        return {"X-FULL": self._outcomes}

    def cursor(self):
        return LeafIndex(10)


class Log:
    def size(self):
        return 14


def test_health__share_of_false_positives__from_five_closed_on():
    few = health(Log(), Reader(false_positive=2, violation_confirmed=2, duplicate=3), load_rules({"a.yml": level()}, {}), {}, T0)
    enough = health(
        Log(), Reader(false_positive=1, no_violation=1, violation_confirmed=3), load_rules({"a.yml": level()}, {}), {"costs_us": {"X-FULL": 2.5}}, T0
    )
    full = {one.rule: one for one in few.rules}["X-FULL"]
    assert (full.closed, full.false_positives, full.alerts_per_day) == (4, None, 2.0)
    full = {one.rule: one for one in enough.rules}["X-FULL"]
    assert (full.closed, full.false_positives, full.us_per_evaluation) == (5, 0.4, 2.5)
    assert enough.lag == 4 and not enough.well


def test_store__counts_by_rule_and_outcome(tmp_path):
    from ledger.adapters.store.stores import open_stores
    from ledger.ports import EngineBatch
    from tests.adapters.store.test_engine_store import alert
    from tests.rulebench.test_backtest import LIFE
    from dataclasses import replace

    stores = open_stores("sqlite", tmp_path)
    stores.migrate()
    one, two = alert(1), alert(2)
    lives = (replace(LIFE, alert_id=one.alert_id, outcome="false_positive"), replace(LIFE, alert_id=two.alert_id))
    stores.engine.commit(EngineBatch(cursor=LeafIndex(5), alerts=(one, two), lives=lives))
    assert stores.engine.rule_outcomes() == {one.rule: {"false_positive": 1}}
    assert sum(stores.engine.rule_alerts(0).values()) == 2 and stores.engine.rule_alerts(10**15) == {}
    stores.close()
