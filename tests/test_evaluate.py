"""The stage: exactly once over any crash, alerts into the log, ticks when due."""

import json
from random import Random

import msgspec
import pytest

from ledger.core.ids import credit_code_for
from ledger.core.record import parse_payload
from ledger.engine.parameters import read_legal_params
from ledger.engine.rules import load_rules
from ledger.engine.state import state_digest
from ledger.errors import GrantError, OverloadedError
from ledger.evaluate import Evaluator, Platform, evaluate, shipped_rules
from ledger.model import UnixMs
from tests.engine.helpers import Classifier
from tests.fakes_engine import ISSUER, KEYID, T0, Crash, FakeAppender, FakeLog, FakeStore, admit, copy_log
from tests.test_rule_versions import level

A = credit_code_for("91110000100000000")
B = credit_code_for("91110000200000000")
NITRIC = "7697-37-2"
HOUR = 3_600_000
RULES = shipped_rules()


def line(kg, code=NITRIC, store="R1"):
    return {"goods": "chemical", "code": code, "quantity": {"value": str(kg), "unit": "KGM"}, "store": store}


def movement(direction, kg, **more):
    body = {"direction": direction, "reason": "purchase" if direction == "in" else "consumption", "lines": [line(kg)]}
    return body | more


def stocktake(kg, at):
    from ledger.core.times import format_utc

    return {"cut_off": format_utc(UnixMs(at)), "complete": True, "lines": [line(kg)]}


def history() -> FakeLog:
    """A book with a negative stock, a dip that waits for a tick, a store filled above its capacity."""
    log = FakeLog()
    place = {
        "sites": [
            {
                "site": "S1",
                "zone": "Asia/Shanghai",
                "stores": [{"id": "R1", "book": "B1", "class": "room", "capacity": {"value": "500", "unit": "KGM"}}],
            }
        ]
    }
    log.write(A, "place", place, at=T0, book="office")
    log.write(A, "stocktake", stocktake(100, T0 + 1), at=T0 + 1)
    log.write(B, "stocktake", stocktake(100, T0 + 1), at=T0 + 2)
    log.write(A, "movement", movement("in", 450), at=T0 + HOUR)
    log.write(B, "movement", movement("out", 150), at=T0 + HOUR)
    log.write(A, "movement", movement("out", 540), at=T0 + 2 * HOUR)
    log.write(A, "movement", movement("out", 50), at=T0 + 2 * HOUR + 60_000, event=T0 + 60_000)
    log.write(ISSUER, "tick", {"now": T0 + 3 * HOUR, "facts": "0" * 64}, at=T0 + 3 * HOUR, book="ticks", authority=True)
    log.write(A, "movement", movement("in", 60), at=T0 + 4 * HOUR)
    log.write(B, "movement", movement("out", 10, reason="disposal"), at=T0 + 30 * HOUR)
    return log


class World:
    def __init__(self, log=None, store=None, now=T0 + 31 * HOUR, **kwargs):
        self.log = log if log is not None else history()
        self.store = store or FakeStore()
        self.now = now
        self.seconds = 0.0
        self.appender = FakeAppender(self.log, lambda: UnixMs(self.now))
        self.rules = kwargs.pop("rules", None) or RULES
        self.evaluator = self.start()

    def start(self):
        return Evaluator(
            log_reader=self.log,
            store=self.store,
            appender=self.appender,
            admit=admit,
            rules=self.rules,
            classifier=Classifier(),
            platform=Platform(ISSUER, KEYID),
            clock=lambda: UnixMs(self.now),
            clock_s=lambda: self.seconds,
        )

    def run(self):
        while self.evaluator.evaluate_once() or self.store.cursor_ < self.log.size():
            pass


def one_by_one(monkeypatch):
    monkeypatch.setattr("ledger.evaluate.LIVE_BATCH", 1)


def test_evaluate__history__alerts_are_rows_and_entries():
    world = World()
    world.run()
    rules = {(a.rule, a.holder) for a in world.store.alert_rows.values()}
    assert {("A01", A), ("A01", B), ("A02", A)} <= rules
    entries = {e.record_id: e for e in world.log.entries if e.kind == "alert"}
    assert len(entries) == len(world.store.alert_rows)
    for row, index in world.store.outbox.values():
        assert entries[row.record_id].envelope == row.envelope
        assert entries[row.record_id].index == index


def test_evaluate__alert_payload__is_a_valid_record():
    world = World()
    world.run()
    import base64

    for row, _ in world.store.outbox.values():
        payload = base64.b64decode(json.loads(row.envelope)["payload"])
        document = json.loads(payload)
        parsed = parse_payload(payload)
        assert parsed.kind == "alert" and parsed.holder == ISSUER
        assert document["body"]["alert_id"] == row.id


@pytest.mark.parametrize("die_at", [None, ("before", 1), ("after", 1)])
def test_evaluate__program_that_cannot_read_the_snapshot__tables_are_its_own_and_nothing_is_said_twice(die_at):
    """As after an upgrade that keeps balances by other keys: what the earlier program left in the tables is gone."""
    whole = World()
    whole.log.write(B, "stocktake", stocktake(90, T0 + 30 * HOUR), at=T0 + 30 * HOUR)
    whole.log.write(A, "stocktake", stocktake(20, T0 + 30 * HOUR), at=T0 + 30 * HOUR)
    whole.run()
    store, entries = whole.store, whole.log.size()
    before = {name: dict(rows) if isinstance(rows, dict) else rows for name, rows in store.tables().items()}
    assert store.stock_rows and store.stream_rows
    store.snapshot = (b"of another program", store.cursor_)
    for rows in (store.stock_rows, store.stream_rows):
        (at, row) = next(iter(rows.items()))
        del rows[at]
        key = "an older key"
        rows[*at[:3], key] = msgspec.structs.replace(row, key=key)
    if die_at is not None:
        store.die_at = (die_at[0], store.commits + 1)
        with pytest.raises(Crash):
            World(whole.log, store).run()
    upgraded = World(whole.log, store)
    upgraded.run()
    assert store.tables() == before
    assert upgraded.log.size() == entries


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("snapshots", [False, True])
def test_evaluate__crash_at_any_commit__tables_as_if_nothing_happened(monkeypatch, when, snapshots):
    one_by_one(monkeypatch)
    if snapshots:
        monkeypatch.setattr("ledger.evaluate.SNAPSHOT_ENTRIES", 3)
    whole = World()
    whole.run()
    commits = whole.store.commits
    assert commits > 10
    for at in range(1, commits + 1):
        world = World()
        world.store.die_at = (when, at)
        with pytest.raises(Crash):
            world.run()
        world.store.die_at = None
        world.evaluator = world.start()
        world.run()
        assert world.store.tables() == whole.store.tables()
        assert [e.record_id for e in world.log.entries] == [e.record_id for e in whole.log.entries]


def test_evaluate__crash_between_append_and_sent__same_bytes_again_no_second_entry():
    world = World()
    sent = world.store.outbox_sent
    world.store.outbox_sent = lambda ids: (_ for _ in ()).throw(Crash())
    with pytest.raises(Crash):
        world.run()
    world.store.outbox_sent = sent
    size = sum(e.kind == "alert" for e in world.log.entries)
    world.evaluator = world.start()
    world.run()
    assert sum(e.kind == "alert" for e in world.log.entries) == size == len(world.store.alert_rows)


def test_evaluate__batches_of_any_size__same_tables(monkeypatch):
    whole = World()
    whole.run()
    for size in (1, 2, 3, 7):
        monkeypatch.setattr("ledger.evaluate.LIVE_BATCH", size)
        world = World()
        world.run()
        assert world.store.alert_rows == whole.store.alert_rows
        assert world.store.stock_rows == whole.store.stock_rows


def test_evaluate__a_place_stated_after_what_stands_in_it__batches_of_any_size_same_tables(monkeypatch):
    """The stock's row had the capacity that was known when its batch was committed, not that of any entry."""

    def at_last(log, kg, at):
        capacity = {"capacity": {"value": kg, "unit": "KGM"}} if kg else {}
        stores = [{"id": "R1", "book": "B1", "class": "room"} | capacity]
        sites = [{"site": "S1", "zone": "Asia/Shanghai", "stores": stores}]
        log.write(B, "place", {"sites": sites}, at=at, book="office")
        return log

    def tables(log, size):
        monkeypatch.setattr("ledger.evaluate.LIVE_BATCH", size)
        world = World(log=log)
        world.run()
        return world.store.tables()

    for stated, known in ((["900"], 900_000_000), (["900", "800"], 800_000_000), (["900", None], None)):
        found = []
        for size in (50, 1, 3):
            log = history()
            for n, kg in enumerate(stated):
                at_last(log, kg, T0 + (31 + n) * HOUR)
            found.append(tables(log, size))
        assert found[0] == found[1] == found[2]
        (row,) = [row for row in found[0]["stock"].values() if row.holder == B]
        assert row.capacity == known


def test_evaluate__store_restored_older__refold_makes_the_same_alerts_with_the_same_bytes():
    world = World()
    world.run()
    alerts = dict(world.store.alert_rows)
    again = World(log=world.log, store=FakeStore())
    again.run()
    assert {k: v for k, v in again.store.alert_rows.items()} == alerts
    assert all(index is not None for _, index in again.store.outbox.values())


def test_evaluate__sequencer_away__nothing_is_lost_and_the_commit_comes_later():
    world = World()
    world.appender.away = True
    with pytest.raises(OverloadedError):
        world.run()
    assert not world.store.alert_rows
    world.appender.away = False
    world.run()
    whole = World()
    whole.run()
    assert world.store.alert_rows == whole.store.alert_rows


def test_evaluate__alert_refused_by_the_log__stays_pending_and_is_visible():
    world = World()
    world.appender.refuse_with = GrantError("the platform's grant was revoked")
    world.run()
    assert world.store.outbox_pending(100)
    assert world.store.health_rows["OUTBOX"].state == "error"
    world.appender.refuse_with = None
    world.run()
    assert not world.store.outbox_pending(100)
    assert world.store.health_rows["OUTBOX"].state == "ok"


def test_evaluate__timer_due__asks_for_a_tick_and_fires():
    log = FakeLog()
    log.write(A, "stocktake", stocktake(100, T0), at=T0)
    log.write(A, "movement", movement("in", 100, reason="found"), at=T0 + HOUR)
    log.write(A, "movement", movement("out", 150), at=T0 + HOUR, event=T0 + 60_000)
    world = World(log=log, now=T0 + HOUR + 1000)
    world.run()
    assert not world.store.alert_rows
    assert [row.rule for row in world.store.timer_rows.values()].count("A01") == 1
    assert not [e for e in log.entries if e.kind == "tick"]
    world.now += 15 * 60_000
    world.seconds += 10
    world.run()
    world.run()
    (alert,) = world.store.alert_rows.values()
    assert (alert.rule, alert.band) == ("A01", 1)
    waiting = [timer.rule for timer in world.store.timer_rows.values()]
    assert "A01" not in waiting and waiting.count("LIFE") == 1


def test_evaluate__first_start__announces_the_ruleset_once():
    world = World()
    world.run()
    world.run()
    world.evaluator = world.start()
    world.run()
    announced = [e for e in world.log.entries if e.kind == "ruleset"]
    assert len(announced) == 1
    assert world.store.health_rows["A01"].state == "ok"


BROKEN = """
schema: rule/1
id: X-BROKEN
version: 3
status: live
title: {zh: 错, en: Broken}
severity: low
legal_basis: [none]
on: [balance]
bands:
  - {when: '1000000 / (balance - 550000000) > 0', reason: {zh: 错, en: wrong}}
episode: {fingerprint: [holder], quiet: 0s}
tests: []
"""


def test_evaluate__rule_that_raises__is_an_alert_and_a_health_of_its_own_and_stops_nothing():
    world = World(rules=load_rules({"broken.yml": BROKEN}, read_legal_params("param_id,value,effective_from\n")))
    world.run()
    errors = [a for a in world.store.alert_rows.values() if a.rule == "RULE-ERROR"]
    assert [a.fingerprint for a in errors] == [("X-BROKEN",)]
    health = world.store.health_rows["X-BROKEN"]
    assert "division" in errors[0].inputs["error"] and health.version == 3
    assert health.state == "ok"  # it has worked for hours since; tests/rulebench/test_health.py looks at the error
    assert world.store.cursor_ == world.log.size()


def test_evaluate__unreadable_entry__is_an_alert_and_the_fold_goes_on():
    log = history()
    log.entries[3] = msgspec.structs.replace(log.entries[3], envelope=b"{}")
    world = World(log=log)
    world.run()
    assert any(a.rule == "RULE-ERROR" and a.fingerprint == ("ENGINE",) for a in world.store.alert_rows.values())
    assert world.store.cursor_ == log.size()


def test_evaluate__rules_changed_between_starts__goes_on_in_its_own_book():
    world = World()
    world.run()
    seq = world.store.book[0]
    world.rules = load_rules({"other.yml": level(500)}, {})
    world.evaluator = world.start()
    world.run()
    world.log.write(A, "movement", movement("in", 530), at=T0 + 40 * HOUR)
    world.run()
    assert world.store.book[0] == seq + 1
    assert not world.store.outbox_pending(10)


SEED = 20261121


def busy(entries: int) -> FakeLog:
    """Fifty enterprises that trade without licences and confirm nothing: many alerts, many timers."""
    from tests.bench.dense import stream

    log = stream(entries)
    for at, record in enumerate(log.entries):
        if record.kind == "licence":
            log.entries[at] = msgspec.structs.replace(record, kind="profile")
    log.write(
        ISSUER, "tick", {"now": T0 + 200 * HOUR, "facts": "0" * 64}, at=T0 + 200 * HOUR, book="ticks", authority=True
    )
    return log


def test_evaluate__one_run_killed_at_random_points__tables_and_log_equal_the_uninterrupted_run(monkeypatch):
    monkeypatch.setattr("ledger.evaluate.CATCH_UP_BATCH", 37)
    monkeypatch.setattr("ledger.evaluate.SNAPSHOT_ENTRIES", 150)
    log, rules, random = busy(900), RULES, Random(SEED)
    whole = World(log=copy_log(log), now=T0 + 200 * HOUR, rules=rules)
    whole.run()
    assert len(whole.store.alert_rows) > 100 and whole.store.snapshot
    world, kills = World(log=copy_log(log), now=T0 + 200 * HOUR, rules=rules), 0
    while True:
        world.store.die_at = (random.choice(("before", "after")), world.store.commits + random.randint(1, 6))
        try:
            world.run()
            break
        except Crash:
            kills += 1
            world.evaluator = world.start()
    assert kills >= 5, f"seed {SEED}"
    assert world.store.tables() == whole.store.tables(), f"seed {SEED}"
    assert [e.record_id for e in world.log.entries] == [e.record_id for e in whole.log.entries]


def test_evaluate__recovered_state__is_the_uninterrupted_one_to_the_byte(monkeypatch):
    monkeypatch.setattr("ledger.evaluate.SNAPSHOT_ENTRIES", 300)
    world = World(log=busy(900), now=T0 + 200 * HOUR)
    world.run()
    recovered = world.start()
    assert state_digest(recovered.recover().state) == state_digest(world.evaluator.recover().state)
    from_zero = World(log=copy_log(world.log), now=T0 + 200 * HOUR, rules=world.rules)
    from_zero.run()
    assert state_digest(from_zero.evaluator.recover().state) == state_digest(recovered.recover().state)


def test_evaluate__far_behind_on_a_slow_machine__turns_end_in_time():
    log = FakeLog()
    log.write(A, "stocktake", stocktake(100, T0 + 1), at=T0 + 1)
    for n in range(700):
        log.write(A, "movement", movement("in", 1), at=T0 + HOUR + n)
    world = World(log=log)

    def clock_s():
        world.seconds += 0.01  # fifty entries in half a second
        return world.seconds

    world.evaluator._clock_s = clock_s
    cursors, read, records = [0], [], log.records
    log.records = lambda start, limit: read.append(limit) or records(start, limit)

    def stop():
        cursors.append(int(world.store.cursor_))
        return world.store.cursor_ == log.size()

    evaluate(world.evaluator, stop=stop, wait=lambda _s: None)
    assert len(cursors) > 5
    assert max(later - earlier for earlier, later in zip(cursors, cursors[1:], strict=False)) < 100
    assert all(at_once < 150 for at_once in read[1:]), "what is not folded is not read each time anew"
