"""Records that pass the door and aim at the engine: it goes on, and says what it could not do."""

import pytest

from ledger.core.ids import resident_id_for
from ledger.core.times import format_utc
from ledger.engine.windows import Windows
from ledger.engine.books import Books
from ledger.errors import PayloadError
from tests import kit
from tests.test_evaluate_real import evaluator, run

HUGE = "10000000000"
"""Kilograms: 10^16 mg, the most that one line may state."""


@pytest.fixture
def log(tmp_path):
    log = kit.Log(tmp_path)
    yield log
    log.close()


def line(value, **more):
    return {
        "goods": "chemical",
        "code": "7697-37-2",
        "quantity": {"value": value, "unit": "KGM"},
        "store": "R1",
        **more,
    }


def lines_of(milligrams):
    lines = []
    while milligrams > 0:
        part = min(milligrams, 10**16)
        lines.append(line(f"{part // 10**6}.{part % 10**6:06d}"))
        milligrams -= part
    return lines


def stocktake(log, book, lines):
    at = format_utc(log.clock.now)
    log.submit(book.next("stocktake", body={"cut_off": at, "complete": True, "lines": lines}, event_time=at))


def move(log, book, direction, lines):
    body = {"direction": direction, "reason": "found" if direction == "in" else "disposal", "lines": lines}
    log.submit(book.next("movement", body=body, event_time=format_utc(log.clock.now)))


def assert_others_are_still_warned_of(log):
    engine = evaluator(log, log.stores.engine)
    run(engine, log)
    other = log.enterprise(n=9)
    stocktake(log, other, [line("100")])
    move(log, other, "out", [line("200")])
    run(engine, log)
    assert (other.holder, "A01") in {(a.holder, a.rule) for _, a in log.stores.engine.alerts(limit=1000)}
    assert not log.stores.engine.outbox_pending(10)
    run(evaluator(log, log.stores.engine), log)  # a start after it


def test_engine__a_balance_whose_digits_are_a_resident_id__its_alert_reaches_the_log(log):
    book = log.enterprise()
    total = next(t for t in range(110101199003070010, 110101199003080000) if resident_id_for(str(t)[:17]) == str(t))
    stocktake(log, book, [line("1")])
    move(log, book, "out", lines_of(total + 10**6))
    assert_others_are_still_warned_of(log)
    (alert,) = [a for _, a in log.stores.engine.alerts(limit=1000) if a.holder == book.holder]
    assert alert.inputs["balance"] == f"{-total:,}"


@pytest.mark.parametrize("direction", ["in", "out"])
@pytest.mark.parametrize("more", [{}, {"packaging": "sealed", "pieces": 10**12}])
def test_engine__a_balance_beyond_64_bits__is_an_error_that_shows_and_not_the_end(log, direction, more, monkeypatch):
    monkeypatch.setattr("ledger.evaluate.SNAPSHOT_ENTRIES", 4)
    book = log.enterprise()
    stocktake(log, book, [line("1", **more)])
    for _ in range(32):
        move(log, book, direction, [line(HUGE, **more)] * 64)
    assert_others_are_still_warned_of(log)
    assert {h.rule: h.state for h in log.stores.engine.health()}["ENGINE"] == "error"
    assert "RULE-ERROR" in {a.rule for _, a in log.stores.engine.alerts(limit=1000)}


def test_engine__what_came_and_went_beyond_64_bits_while_the_balance_is_small__is_no_end_either(log, monkeypatch):
    monkeypatch.setattr("ledger.evaluate.SNAPSHOT_ENTRIES", 4)
    book = log.enterprise()
    stocktake(log, book, [line("1")])
    for _ in range(32):
        move(log, book, "in", [line(HUGE)] * 32)
        move(log, book, "out", [line(HUGE, store="R2")] * 32)
    stocktake(log, book, [line("1")])
    assert_others_are_still_warned_of(log)


def test_engine__one_store_of_many_books_beyond_64_bits__is_no_end_either(log, monkeypatch):
    monkeypatch.setattr("ledger.evaluate.SNAPSHOT_ENTRIES", 2)
    book = log.enterprise()
    for n in range(12):
        other = kit.Book(book.key, book.holder, "S1", f"b{n}")
        stocktake(log, other, [line(HUGE)] * 99)
        stocktake(log, other, [line(HUGE)] * 300)
    assert_others_are_still_warned_of(log)


def test_engine__a_late_move_again_and_again__is_no_end_either(log, monkeypatch):
    monkeypatch.setattr("ledger.evaluate.SNAPSHOT_ENTRIES", 4)
    book = log.enterprise()
    stocktake(log, book, [line("1")])
    for _ in range(32):
        body = {"direction": "out", "reason": "disposal", "lines": [line(HUGE)] * 64}
        log.submit(book.next("movement", body=body, event_time="1970-01-01T00:00:00+14:00"))
    assert_others_are_still_warned_of(log)


def test_evaluate__an_alert_that_our_own_door_refuses__shows_in_health_and_warnings_go_on(log):
    book = log.enterprise()
    stocktake(log, book, [line("1")])
    move(log, book, "out", [line("2000")])
    engine = evaluator(log, log.stores.engine)

    def refuse(raw):
        raise PayloadError("a test", code="personal-data")

    engine._admit, admit = refuse, engine._admit
    for _ in range(4):
        engine.evaluate_once()
    assert {h.rule: h.state for h in log.stores.engine.health()}["OUTBOX"] == "error"
    assert [a.rule for _, a in log.stores.engine.alerts(limit=10)] == ["A01"]
    engine._admit = admit
    run(engine, log)
    assert {h.rule: h.state for h in log.stores.engine.health()}["OUTBOX"] == "ok"
    assert not log.stores.engine.outbox_pending(10)


@pytest.mark.parametrize("error", [OverflowError("too large"), ZeroDivisionError("by zero"), KeyError("a name")])
def test_engine__a_fault_of_its_own_in_one_rule__is_that_rules_health_and_no_end(log, monkeypatch, error):
    real = Windows._band

    def faulty(self, rule, *rest):
        if rule.id == "A04":
            raise error
        return real(self, rule, *rest)

    monkeypatch.setattr(Windows, "_band", faulty)
    book = log.enterprise()
    stocktake(log, book, [line("1")])
    assert_others_are_still_warned_of(log)
    assert {h.rule: h.state for h in log.stores.engine.health()}["A04"] == "error"


def test_engine__a_fault_of_its_own_while_folding__is_the_engines_health_and_no_end(log, monkeypatch):
    real = Books.move

    def faulty(self, entry, *rest):
        if entry.holder == book.holder:
            raise OverflowError("too large")
        real(self, entry, *rest)

    monkeypatch.setattr(Books, "move", faulty)
    book = log.enterprise()
    stocktake(log, book, [line("1")])
    move(log, book, "out", [line("1")])
    assert_others_are_still_warned_of(log)
    assert {h.rule: h.state for h in log.stores.engine.health()}["ENGINE"] == "error"


def test_engine__goods_that_never_expire__are_folded_and_warned_of_like_others(log):
    endless = {"expires": "9999-12-31"}  # "means without end", _common.json
    book = log.enterprise()
    stocktake(log, book, [line("100", **endless)])
    move(log, book, "out", [line("200", **endless)])
    assert_others_are_still_warned_of(log)
    assert (book.holder, "A01") in {(a.holder, a.rule) for _, a in log.stores.engine.alerts(limit=1000)}
    assert {h.rule: h.state for h in log.stores.engine.health()}.get("ENGINE", "ok") == "ok"
