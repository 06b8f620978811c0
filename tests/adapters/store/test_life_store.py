"""Lives, steps and orders on both databases: what the queue, the pages and the handling rate read."""

import pytest

from ledger.core.life import urgency
from ledger.model import Alert
from ledger.ports import EngineBatch, LifeRow, OrderRow, QueueFilter, StepRow

NOW = 1_790_000_000_000
HOUR = 3_600_000


def alert(n, rule="A01", holder="A", first=None, concerns=()):
    extra = {"first_alert": f"{first:064x}"} if first is not None else {}
    extra |= {"concerns": list(concerns)} if concerns else {}
    return Alert(
        alert_id=f"{n:064x}", rule=rule, version=1, fingerprint=(holder,), first_index=n, last_index=n, band=0, severity="high",
        holder=holder, site="S1", reason={"zh": "因", "en": "why"}, inputs={}, opened_ms=NOW, late=False, extra=extra,
    )  # fmt: skip


def life(n, status="open", severity="high", **more):
    given = {"stage": "open", "turn": 0, "due_ms": None, "until_ms": None, "handle_due_ms": None, "handled_ms": None,
             "closed_ms": None, "outcome": "", "order_id": "", "recovered": False, "data": {"why": "因"}}  # fmt: skip
    return LifeRow(alert_id=f"{n:064x}", status=status, severity=severity, **(given | more))


def step(n, alert_id="a" * 64, **more):
    given = {"index": n, "at_ms": NOW + n, "before": "open", "after": "acknowledged", "by": "supervisor",
             "record_id": f"{n:064x}", "refused": "", "note": {"reason": "x"}}  # fmt: skip
    return StepRow(n=n, alert_id=alert_id, **(given | more))


def order(n, holder="A", status="open", **more):
    given = {"site": "S1", "type": "rectification", "number": f"N-{n}", "severity": "high", "index": n, "issued_ms": NOW,
             "due_ms": NOW + HOUR, "reply": "", "late": False, "alerts": ("a" * 64,)}  # fmt: skip
    return OrderRow(record_id=f"{n:064x}", holder=holder, status=status, **(given | more))


@pytest.fixture
def engine(stores):
    stores.engine.commit(EngineBatch(
        cursor=10,
        alerts=(alert(1), alert(2, rule="A02", holder="B"), alert(3, concerns=("B", "C")), alert(4, first=1), alert(0xAB)),
        lives=(
            life(1, due_ms=NOW + 2 * HOUR, handle_due_ms=NOW - 1, handled_ms=NOW - 2),
            life(2, "overdue", "critical", due_ms=NOW + HOUR, handle_due_ms=NOW),
            life(3, "closed", "critical", handle_due_ms=NOW - 5, handled_ms=NOW - 4, outcome="no_violation", recovered=True),
            life(0xAB, "suppressed", "low"),
        ),
        steps=(step(2), step(1), step(1, alert_id="")),
        orders=(order(1), order(2, "B", "waiting"), order(3, "A", "accepted")),
    ))  # fmt: skip
    return stores.engine


def ids(rows):
    return [int(found.alert_id, 16) for _, found, _ in rows]


def test_lives__of_alerts__a_worse_band_stands_where_its_first_one_does(engine):
    found = engine.lives([alert(1), alert(4, first=1), alert(9)])
    assert found == {f"{1:064x}": found[f"{1:064x}"], f"{4:064x}": found[f"{1:064x}"]}
    assert found[f"{1:064x}"] == life(1, due_ms=NOW + 2 * HOUR, handle_due_ms=NOW - 1, handled_ms=NOW - 2)


@pytest.mark.parametrize(
    ("where", "wanted"),
    [
        (QueueFilter(), [0xAB, 3, 2, 1]),
        (QueueFilter(statuses=("open", "overdue")), [2, 1]),
        (QueueFilter(severities=("critical",)), [3, 2]),
        (QueueFilter(holder="B"), [3, 2]),
        (QueueFilter(holder="C"), [3]),
        (QueueFilter(holder="B", urgent_first=True, statuses=("overdue",)), [2]),
        (QueueFilter(rule="A01"), [0xAB, 3, 1]),
        (QueueFilter(after_seq=1), [2, 3, 0xAB]),
        (QueueFilter(urgent_first=True), [2, 1, 0xAB, 3]),
        (QueueFilter(statuses=()), []),
    ],
)
def test_queue__narrowed_and_ordered__episodes_only(engine, where, wanted):
    assert ids(engine.queue(where, limit=10)) == wanted
    assert ids(engine.queue(where, limit=1)) == wanted[:1]


def test_queue__below_a_cursor__goes_on(engine):
    assert ids(engine.queue(QueueFilter(), before_seq=3, limit=10)) == [2, 1]


def test_queue__urgent_first__pages_by_its_own_cursor_and_sorts_as_the_pure_function(engine):
    seen, after = [], None
    while page := engine.queue(QueueFilter(urgent_first=True, after=after), limit=1):
        ((seq, found, life),) = page
        after = urgency(life.status, life.severity, life.due_ms, seq)
        seen.append((after, int(found.alert_id, 16)))
    assert [n for _, n in seen] == [2, 1, 0xAB, 3]
    assert [place for place, _ in seen] == sorted(place for place, _ in seen)


def test_queue__urgent_first__overdue_before_open_whatever_the_deadlines(engine):
    lives = (life(1, "open", due_ms=NOW - HOUR), life(2, "overdue", due_ms=NOW + HOUR), life(3, "escalated", due_ms=NOW + 9))
    engine.commit(EngineBatch(cursor=11, lives=lives))
    assert ids(engine.queue(QueueFilter(severities=("high",), urgent_first=True), limit=9)) == [3, 2, 1]


def test_queue_counts__by_status_and_severity(engine):
    assert engine.queue_counts() == {
        ("open", "high"): 1, ("overdue", "critical"): 1, ("closed", "critical"): 1, ("suppressed", "low"): 1,
    }  # fmt: skip


def test_life__committed_again__is_the_newest(engine, stores):
    engine.commit(EngineBatch(cursor=11, lives=(life(1, "closed", turn=3),), orders=(order(1, status="withdrawn"),)))
    assert engine.lives([alert(1)])[f"{1:064x}"].turn == 3
    assert engine.order(f"{1:064x}").status == "withdrawn"
    assert engine.status_counts() == {"closed": 2, "overdue": 1, "suppressed": 1}


def test_steps__in_order__and_written_once(engine):
    engine.commit(EngineBatch(cursor=11, steps=(step(1, after="closed"), step(3))))
    assert [(s.n, s.after) for s in engine.steps("a" * 64)] == [
        (1, "acknowledged"),
        (2, "acknowledged"),
        (3, "acknowledged"),
    ]
    assert engine.steps("a" * 64)[0] == step(1)


def test_orders__open_or_all_of_a_holder__newest_first(engine):
    assert [o.number for o in engine.orders(limit=9)] == ["N-3", "N-2", "N-1"]
    assert [o.number for o in engine.orders(open_only=True, limit=9)] == ["N-2", "N-1"]
    assert [o.number for o in engine.orders(holder="A", open_only=True, limit=9)] == ["N-1"]
    assert engine.order(f"{1:064x}") == order(1) and engine.order("f" * 64) is None


def test_handling__due_and_in_time__both_numbers(engine):
    assert engine.handling(NOW) == (1, 3)  # the third was closed a millisecond late
    assert engine.handling(NOW - 1) == (1, 2)
    assert engine.handling(NOW - 10) == (0, 0)


def test_alerts_named__prefix__those_that_begin_so(engine):
    assert [a.alert_id for a in engine.alerts_named("0" * 62 + "a", limit=5)] == [f"{0xAB:064x}"]
    assert len(engine.alerts_named("0" * 10, limit=3)) == 3
    assert engine.alerts_named("f" * 10, limit=3) == []


def test_commit__older_than_the_cursor__lives_stay(engine):
    """Folding again after a crash: what stands is newer."""
    engine.commit(EngineBatch(cursor=5, lives=(life(1, "acknowledged", turn=9),)))
    assert engine.lives([alert(1)])[f"{1:064x}"].turn == 0
