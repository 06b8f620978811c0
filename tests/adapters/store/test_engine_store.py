"""The engine's store: one commit, idempotent by id, the cursor only forward."""

import pytest

from ledger.errors import StoreError
from ledger.ports import EngineBatch, OutboxRow, RuleHealth, StreamRow, TimerRow
from tests.adapters.store.samples import HOLDER, OTHER, alert, digest, line, record_id, stock


@pytest.fixture
def engine(stores):
    return stores.engine


def stream(book, **members):
    given = {
        "holder": HOLDER, "site": "S1", "book": book, "key": "7697-37-2|68||bulk||mass", "code": "7697-37-2", "dimension": "mass",
        "balances": 1, "sigma": 5_000_000, "sigma_estimated": 0, "stated": False, "muf": -1, "z_milli": -20,
        "loss_protracted_milli": 3, "loss_abrupt_milli": 4, "stocktake": "a" * 64, "as_of_index": 8, "event_time_ms": 9,
    }  # fmt: skip
    return StreamRow(**(given | members))


def outbox(number):
    return OutboxRow(f"alert-{number}", digest("out", number).hex(), b"{signed \xff %d}" % number)


def test_load__new_store__is_at_the_beginning(engine):
    assert engine.load() == (0, None, 0, 0, None)
    assert engine.cursor() == 0
    assert engine.timers() == []
    assert engine.outbox_pending(5) == []
    assert engine.alert_counts() == {}


def test_commit__everything__comes_back(engine, reader):
    timers = (TimerRow("t2", 50, "A01", {"k": [1, None]}), TimerRow("t1", 50, "A01", {}), TimerRow("t0", 90, "A02", {}))
    rule = RuleHealth("OUT-SPIKE", 1, 9, "error", "division", 10, 2)
    engine.commit(
        EngineBatch(
            cursor=10,
            alerts=(alert(1), alert(2, late=True, record_id=record_id(3), extra={"a": {"b": 1}})),
            outbox=(outbox(1), outbox(2)),
            book_seq=4,
            book_prev=record_id(4),
            timers_set=timers,
            stock=(stock(),),
            lines=(line(3), line(3, 1)),
            health=(rule,),
            snapshot=b"state\x00\xff",
            extra={"tick": 5},
        )
    )
    assert engine.load() == (10, b"state\x00\xff", 10, 4, record_id(4))
    assert [timer.id for timer in engine.timers()] == ["t1", "t2", "t0"]
    assert engine.timers()[1] == timers[0]
    assert engine.outbox_pending(9) == [outbox(1), outbox(2)]
    assert engine.extra() == {"tick": 5}
    seen = reader.engine
    assert seen.cursor() == 10
    assert seen.alerts(limit=100) == [(1, alert(1)), (2, alert(2, late=True, record_id=record_id(3), extra={"a": {"b": 1}}))]
    assert seen.alert(alert(1).alert_id) == alert(1)
    assert seen.alert("none") is None
    assert seen.stock() == [stock()]
    assert seen.lines(limit=100) == [line(3, 1), line(3)]
    assert seen.health() == [rule]


def test_commit__same_batch_again__changes_nothing(engine):
    batch = EngineBatch(
        cursor=10,
        alerts=(alert(1), alert(2)),
        outbox=(outbox(1),),
        timers_set=(TimerRow("t", 5, "A01", {}),),
        lines=(line(3),),
        stock=(stock(),),
        book_seq=1,
        book_prev=record_id(1),
    )
    engine.commit(batch)
    engine.outbox_sent([("alert-1", 11)])
    before = (engine.load(), engine.alerts(limit=100), engine.timers(), engine.lines(limit=100), engine.stock())
    engine.commit(batch)
    assert (engine.load(), engine.alerts(limit=100), engine.timers(), engine.lines(limit=100), engine.stock()) == before
    assert engine.outbox_pending(5) == []


def test_commit__an_id_that_is_there__keeps_the_first(engine):
    engine.commit(EngineBatch(cursor=1, alerts=(alert(1),), outbox=(outbox(1),), lines=(line(1),)))
    other = OutboxRow("alert-1", record_id(9), b"other")
    engine.commit(
        EngineBatch(
            cursor=2,
            alerts=(alert(1, severity="low"), alert(2)),
            outbox=(other, outbox(2)),
            lines=(line(1, reason="loss"),),
        )
    )
    assert engine.alerts(limit=100) == [(1, alert(1)), (2, alert(2))]
    assert engine.outbox_pending(5) == [outbox(1), outbox(2)]
    assert engine.lines(limit=100) == [line(1)]


def test_commit__id_twice_in_one_batch__the_first_stands(engine):
    engine.commit(
        EngineBatch(cursor=1, alerts=(alert(1), alert(2), alert(1, severity="low")), outbox=(outbox(1), outbox(1)))
    )
    assert engine.alerts(limit=100) == [(1, alert(1)), (2, alert(2))]
    assert engine.outbox_pending(5) == [outbox(1)]


def test_commit__folded_again_below_the_cursor__changes_nothing(engine):
    engine.commit(EngineBatch(cursor=5, alerts=(alert(1),), timers_set=(TimerRow("t", 5, "A01", {}),), snapshot=b"5"))
    engine.commit(
        EngineBatch(
            cursor=10,
            timers_cleared=("t",),
            stock=(stock(amount=2),),
            book_seq=2,
            book_prev=record_id(2),
            snapshot=b"10",
        )
    )
    before = (engine.load(), engine.timers(), engine.stock(), engine.alerts(limit=100))
    engine.commit(
        EngineBatch(
            cursor=5,
            alerts=(alert(1),),
            timers_set=(TimerRow("t", 5, "A01", {}),),
            stock=(stock(amount=1),),
            book_seq=1,
            book_prev=record_id(1),
            snapshot=b"5",
        )
    )
    assert (engine.load(), engine.timers(), engine.stock(), engine.alerts(limit=100)) == before


def test_commit__stock_and_health__are_replaced(engine):
    engine.commit(
        EngineBatch(cursor=1, stock=(stock(amount=1), stock("b")), health=(RuleHealth("R", 1, 1, "ok", "", 1, 0),))
    )
    engine.commit(EngineBatch(cursor=2, stock=(stock(amount=2),), health=(RuleHealth("R", 2, 2, "error", "x", 2, 1),)))
    assert engine.stock() == sorted([stock(amount=2), stock("b")], key=lambda row: row.key)
    assert engine.health() == [RuleHealth("R", 2, 2, "error", "x", 2, 1)]


def test_commit__timer_cleared_and_set__is_set(engine):
    engine.commit(EngineBatch(cursor=1, timers_set=(TimerRow("t", 5, "A01", {}), TimerRow("u", 6, "A01", {}))))
    engine.commit(EngineBatch(cursor=2, timers_cleared=("t", "u", "none"), timers_set=(TimerRow("t", 7, "A01", {}),)))
    assert engine.timers() == [TimerRow("t", 7, "A01", {})]


def test_commit__one_row_is_impossible__keeps_nothing(engine):
    with pytest.raises(StoreError):
        engine.commit(EngineBatch(cursor=3, alerts=(alert(1),), lines=(line(1, reason=None),), snapshot=b"x"))
    assert engine.load() == (0, None, 0, 0, None)
    assert engine.alerts(limit=100) == []


def test_commit__no_new_snapshot__keeps_the_old_one(engine):
    engine.commit(EngineBatch(cursor=3, snapshot=b"three", book_seq=1, book_prev=record_id(1)))
    engine.commit(EngineBatch(cursor=8))
    assert engine.load() == (8, b"three", 3, 1, record_id(1))


def test_outbox__sent__is_no_longer_pending(engine):
    engine.commit(EngineBatch(cursor=1, outbox=tuple(outbox(number) for number in range(5))))
    engine.outbox_sent([("alert-1", 20), ("alert-0", 19)])
    engine.outbox_sent([])
    assert engine.outbox_pending(2) == [outbox(2), outbox(3)]
    engine.commit(EngineBatch(cursor=2, outbox=(outbox(1), outbox(9))))
    assert [row.id for row in engine.outbox_pending(9)] == ["alert-2", "alert-3", "alert-4", "alert-9"]


def test_alerts__resumed_and_narrowed__are_in_stream_order(engine):
    engine.commit(
        EngineBatch(
            cursor=1,
            alerts=tuple(
                alert(
                    n,
                    holder=OTHER if n % 2 else HOLDER,
                    rule="A" if n < 4 else "B",
                    severity="low" if n % 3 else "high",
                )
                for n in range(6)
            ),
        )
    )
    number = lambda found: [(seq, one.first_index) for seq, one in found]
    assert number(engine.alerts(after_seq=2, limit=2)) == [(3, 2), (4, 3)]
    assert number(engine.alerts(holder=OTHER, limit=100)) == [(2, 1), (4, 3), (6, 5)]
    assert number(engine.alerts(rule="B", after_seq=5, limit=100)) == [(6, 5)]
    assert number(engine.newest_alerts(limit=2)) == [(6, 5), (5, 4)]
    assert number(engine.newest_alerts(before_seq=5, severity="low", limit=100)) == [(3, 2), (2, 1)]
    assert number(engine.newest_alerts(holder=HOLDER, severity="high", limit=100)) == [(1, 0)]
    assert engine.alert_counts() == {"low": 4, "high": 2}


def test_alerts__of_an_enterprise__are_also_those_that_another_ones_record_raised(engine):
    told = {"concerns": [OTHER, "third"]}
    batch = EngineBatch(cursor=1, alerts=(alert(1, extra=told), alert(2), alert(3, holder=OTHER, extra={"concerns": [HOLDER]})))
    engine.commit(batch)
    engine.commit(batch)  # folded again after a crash: nothing twice
    number = lambda found: [one.first_index for _, one in found]
    assert number(engine.alerts(holder=OTHER, limit=9)) == [1, 3]
    assert number(engine.newest_alerts(holder="third", limit=9)) == [1]
    assert number(engine.alerts(holder=HOLDER, limit=9)) == [1, 2, 3]
    assert number(engine.alerts(holder="fourth", limit=9)) == []


def test_streams__counted_again__stand_as_the_newest_count_left_them(engine):
    engine.commit(EngineBatch(cursor=2, streams=(stream("B2"), stream("B1", balances=2, sigma_estimated=7))))
    engine.commit(EngineBatch(cursor=3, streams=(stream("B1", balances=3, stated=True), stream("B1", holder=OTHER))))
    engine.commit(EngineBatch(cursor=2, streams=(stream("B1", balances=9),)))  # folded again: already in what stands
    assert engine.streams(holder=HOLDER) == [stream("B1", balances=3, stated=True), stream("B2")]
    assert [row.holder for row in engine.streams()] == sorted([HOLDER, HOLDER, OTHER])


def test_lines__by_cursor_and_filter__agree_with_reading_everything(engine):
    rows = [
        line(
            index,
            number,
            holder=HOLDER if index % 2 else OTHER,
            code="a" if number else "b",
            direction="in" if index % 3 else "out",
        )
        for index in range(12)
        for number in range(3)
    ]
    engine.commit(EngineBatch(cursor=1, lines=tuple(rows)))
    for holder in (None, HOLDER):
        for code in (None, "a"):
            for direction in (None, "out"):
                wanted = [
                    row
                    for row in reversed(rows)
                    if holder in (None, row.holder) and code in (None, row.code) and direction in (None, row.direction)
                ]
                found, before = [], None
                while page := engine.lines(holder=holder, code=code, direction=direction, before=before, limit=4):
                    found += page
                    before = (page[-1].index, page[-1].line)
                assert found == wanted


def test_stock__by_holder_and_code__is_narrowed(engine):
    rows = (stock("a"), stock("b", code="x"), stock("a", holder=OTHER))
    engine.commit(EngineBatch(cursor=1, stock=rows))
    assert engine.stock(holder=OTHER) == [rows[2]]
    assert engine.stock(code="x") == [rows[1]]
    assert engine.stock(holder=HOLDER, code="7697-37-2") == [rows[0]]


def test_commit__balances_that_are_gone__are_taken_out_and_no_others(engine):
    keys = [f"7697-37-2|||bulk|{batch}|mass" for batch in ("A", "B|1", "")]
    engine.commit(EngineBatch(cursor=1, stock=tuple(stock(key=key) for key in keys)))
    one = stock()
    gone = tuple((one.holder, one.site, one.book, key) for key in keys[:2])
    engine.commit(EngineBatch(cursor=2, stock_gone=(*gone, (one.holder, one.site, "another", keys[2]))))
    assert [row.key for row in engine.stock()] == keys[2:]


def test_commit__whole__nothing_else_stays_in_the_tables_of_stock_and_streams(engine):
    engine.commit(EngineBatch(cursor=1, stock=(stock(key="a"), stock(key="b")), streams=(stream("x"), stream("y"))))
    engine.commit(EngineBatch(cursor=1, stock=(stock(key="c"),), streams=(stream("y", muf=7),), whole=True))
    assert [row.key for row in engine.stock()] == ["c"]
    assert [(row.book, row.muf) for row in engine.streams()] == [("y", 7)]
