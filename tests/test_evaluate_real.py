"""The stage over the real sequencer and the real stores: signed alerts in the log, the same tables after any crash."""

import json

import pytest

from ledger import flow
from ledger.core.submission import SUBMISSION_TYPE
from ledger.adapters.store import open_stores
from ledger.catalogue import Catalogue
from ledger.core.record import parse_payload
from ledger.core.dsse import parse_envelope
from ledger.core.times import format_utc
from ledger.evaluate import Evaluator, Platform, shipped_rules
from ledger.model import UnixMs
from tests import kit
from tests.fakes_engine import Crash

RULES = shipped_rules()
HOUR = 3_600_000


def line(kg, code="7697-37-2"):
    return {"goods": "chemical", "code": code, "quantity": {"value": str(kg), "unit": "KGM"}, "store": "R1"}


def body(direction, kg):
    reason = "found" if direction == "in" else "consumption"
    return {"direction": direction, "reason": reason, "lines": [line(kg), line(1, "64-17-5")]}


@pytest.fixture
def log(tmp_path):
    log = kit.Log(tmp_path)
    for n in (1, 2):
        book = log.enterprise(n=n)
        at = kit.T0 + 10_000

        def write(kind, what, event, book=book):
            log.submit(book.next(kind, body=what, event_time=format_utc(UnixMs(event))))

        write("stocktake", {"cut_off": format_utc(UnixMs(at)), "complete": True, "lines": [line(100)]}, at)
        for i in range(4):
            write("movement", body("out", 20 * n), at + 1000 * (i + 1))
        write("movement", body("in", 100), at + 9000)
        write(
            "stocktake",
            {"cut_off": format_utc(UnixMs(at + 10_000)), "complete": True, "lines": [line(90)]},
            at + 10_000,
        )
    yield log
    log.stores.close()


def evaluator(log, store, appender=None):
    door = flow.Door(kit.ORIGIN, flow.Directory(log.stores.log), log.stores.log, log.sequencer)
    return Evaluator(
        log_reader=log.stores.log,
        store=store,
        appender=appender or log.sequencer,
        admit=lambda raw: flow.checked(raw, SUBMISSION_TYPE, door),
        rules=RULES,
        classifier=Catalogue.load(),
        platform=Platform(
            kit.ISSUER, log.platform.keyid if hasattr(log.platform, "keyid") else log.platform.public.keyid
        ),
        clock=log.clock,
    )


def run(evaluator, log):
    while evaluator.evaluate_once() or evaluator.status()["lag"]:
        pass


def tables(store):
    return {
        "alerts": store.alerts(limit=10_000),
        "pending": store.outbox_pending(10_000),
        "timers": store.timers(),
        "stock": store.stock(),
        "lines": store.lines(limit=10_000),
        "health": store.health(),
        "head": (store.load()[0], *store.load()[3:]),
    }


class DiesAt:
    """The real store; commit number `at` is lost, or kept and nobody hears of it."""

    def __init__(self, store, when, at):
        self.store, self.when, self.at, self.commits = store, when, at, 0

    def __getattr__(self, name):
        return getattr(self.store, name)

    def commit(self, batch):
        self.commits += 1
        if self.commits == self.at and self.when == "before":
            raise Crash
        self.store.commit(batch)
        if self.commits == self.at and self.when == "after":
            raise Crash


def test_evaluate__real_parts__alerts_are_signed_entries_that_anybody_can_check(log):
    store = log.stores.engine
    run(evaluator(log, store), log)
    alerts = store.alerts(limit=1000)
    assert {a.rule for _, a in alerts} >= {"A01", "A05"}
    entries = {r.record_id: r for r in log.stores.log.records(0, 10_000) if r.kind == "alert"}
    assert len(entries) == len(alerts) and not store.outbox_pending(10)
    for record in entries.values():
        payload = parse_payload(parse_envelope(record.envelope).payload)
        assert (payload.holder, payload.book) == (kit.ISSUER, "alerts")
        assert store.alert(payload.body["alert_id"]).severity == payload.body["severity"]
    assert {h.rule: h.state for h in store.health()}["A01"] == "ok"
    assert [r.kind for r in log.stores.log.records(0, 10_000)].count("ruleset") == 1
    stock = {(row.holder, row.code): row.amount for row in store.stock()}
    assert set(stock.values()) == {90_000_000, 0}


def test_evaluate__real_parts_killed_at_every_commit__tables_and_log_as_if_nothing_happened(log, tmp_path, monkeypatch):
    monkeypatch.setattr("ledger.evaluate.LIVE_BATCH", 1)
    monkeypatch.setattr("ledger.evaluate.SNAPSHOT_ENTRIES", 4)
    whole = DiesAt(log.stores.engine, "never", 0)
    run(evaluator(log, whole), log)
    expected, size = tables(log.stores.engine), log.stores.log.size()
    assert whole.commits >= 15 and len(expected["alerts"]) >= 4
    # Both sides of every commit are tried on the fake; here each commit dies on one side.
    for at in range(1, whole.commits + 1):
        other = tmp_path / f"died-{at}"
        other.mkdir()
        stores = open_stores("sqlite", other)
        stores.migrate()
        with pytest.raises(Crash):
            run(evaluator(log, DiesAt(stores.engine, ("before", "after")[at % 2], at)), log)
        run(evaluator(log, stores.engine), log)
        assert tables(stores.engine) == expected
        stores.close()
    assert log.stores.log.size() == size


def test_evaluate__outbox__repeats_get_the_first_receipt(log):
    store = log.stores.engine
    run(evaluator(log, store), log)
    size = log.stores.log.size()
    envelopes = [r.envelope for r in log.stores.log.records(0, 10_000) if r.kind == "alert"]
    door = flow.Door(kit.ORIGIN, flow.Directory(log.stores.log), log.stores.log, log.sequencer)
    answers = log.sequencer.append([flow.checked(raw, SUBMISSION_TYPE, door) for raw in envelopes])
    assert all(answer.repeat for answer in answers) and log.stores.log.size() == size
    assert json.loads(envelopes[0])["signatures"]


def test_two_engines__started_by_mistake__the_second_waits_and_no_alert_is_doubled(log, tmp_path):
    """As the processes do it: the lock `engine`, then recovery. The second begins where the first has ended."""
    import threading

    order, alerts = [], []
    working, go_on = threading.Event(), threading.Event()

    def engine(name):
        stores = open_stores("sqlite", tmp_path)
        with stores.exclusive("engine"):
            order.append(f"{name} begins")
            one = evaluator(log, stores.engine)
            run(one, log)
            alerts.append([a.alert_id for _, a in stores.engine.alerts(limit=1000)])
            if name == "first":
                working.set()
                assert go_on.wait(60)
            order.append(f"{name} ends")
        stores.close()

    first = threading.Thread(target=engine, args=("first",))
    first.start()
    assert working.wait(60)
    second = threading.Thread(target=engine, args=("second",))
    second.start()
    second.join(0.5)
    assert order == ["first begins"]
    go_on.set()
    first.join(60)
    second.join(60)
    assert order == ["first begins", "first ends", "second begins", "second ends"]
    assert alerts[0] == alerts[1] and len(set(alerts[0])) == len(alerts[0]) > 0
    entries = [r.record_id for r in log.stores.log.records(0, 10_000) if r.kind == "alert"]
    assert len(entries) == len(set(entries)) == len(alerts[0])


def test_two_engines__without_a_lock__even_so_no_alert_is_doubled(log):
    one, other = evaluator(log, log.stores.engine), evaluator(log, log.stores.engine)
    one.recover()
    other.recover()
    run(one, log)
    before = tables(log.stores.engine)["alerts"]
    run(other, log)
    assert tables(log.stores.engine)["alerts"] == before
    entries = [r for r in log.stores.log.records(0, 10_000) if r.kind == "alert"]
    assert len(entries) == len({r.record_id for r in entries}) == len(before)
