"""No question that a page or a stage asks reads a whole table: its cost grows with the answer, not with the log."""

from sqlalchemy import event

from ledger.errors import NotFoundError
from ledger.ports import QueueFilter, RecordFilter
from tests.adapters.store.conftest import only_sqlite
from tests.adapters.store.samples import HOLDER, LogMaker, batch, record_id

GROWING = {
    "entry",
    "tile",
    "checkpoint",
    "disclosure",
    "lookup",
    "facts",
    "refused",
    "alert",
    "line",
    "anchor",
    "journal",
    "access",
}
"""Tables that grow with the log; the others hold a row for each book, rule, account or balance."""


def _questions(stores):
    log, engine, portal, anchor = stores.log, stores.engine, stores.portal, stores.anchor
    for where in (
        RecordFilter(),
        RecordFilter(holder=HOLDER),
        RecordFilter(kind="order"),
        RecordFilter(holder=HOLDER, site="S1", book="acid", kind="order"),
        RecordFilter(received_from=5, received_to=9),
        RecordFilter(holder=HOLDER, received_from=0),
    ):
        for before in (None, 50):
            yield lambda where=where, before=before: log.search(where, before=before, limit=5)
    yield log.size
    yield log.last_received
    yield lambda: log.record(5)
    yield lambda: log.record_by_id(record_id(5))
    yield lambda: log.records_by_id([record_id(n) for n in range(20)])
    yield lambda: log.records_named("ab", limit=2)
    yield lambda: log.records(5, 5)
    yield lambda: log.book_head(HOLDER, "S1", "acid")
    yield lambda: log.book_records(HOLDER, "S1", "acid", after_seq=5, limit=5)
    yield lambda: log.leaf_hashes(5, 9)
    yield lambda: log.hash_tile(0, 0, 5)
    yield lambda: log.hash_tile(1, 0, 5)
    yield log.grants_version
    yield log.latest_checkpoint
    yield lambda: log.checkpoint(5)
    yield lambda: log.disclosures(record_id(5))
    yield lambda: log.is_erased(["a", "b"])
    yield lambda: log.surrogates(["a", "b"])
    yield lambda: log.disclosed_under("a")
    yield log.lookup_sample
    yield lambda: log.facts(5, 9)
    yield lambda: log.refused(record_id(5))
    yield lambda: log.refused_since("aa", 5)
    for narrowed in ({}, {"holder": HOLDER}, {"rule": "A"}):
        yield lambda narrowed=narrowed: engine.alerts(after_seq=5, limit=100, **narrowed)
    for narrowed in ({}, {"holder": HOLDER}, {"severity": "high"}, {"before_seq": 9, "holder": HOLDER}):
        yield lambda narrowed=narrowed: engine.newest_alerts(limit=100, **narrowed)
    for narrowed in ({}, {"holder": HOLDER}, {"code": "a"}, {"holder": HOLDER, "code": "a"}, {"direction": "in"}):
        yield lambda narrowed=narrowed: engine.lines(before=(5, 1), limit=100, **narrowed)
        yield lambda narrowed=narrowed: engine.lines(limit=100, **narrowed)
    for narrowed in ({}, {"statuses": ("open", "overdue")}, {"rule": "A", "after_seq": 5}):
        yield lambda narrowed=narrowed: engine.queue(QueueFilter(holder=HOLDER, **narrowed), limit=100)
    yield lambda: engine.alert("a")
    yield lambda: engine.outbox_pending(5)
    yield lambda: portal.access_log(after=5, limit=5)
    yield portal.access_count
    yield lambda: portal.session("a")
    yield lambda: portal.token("a")
    yield anchor.latest_anchor
    yield lambda: anchor.anchors(after=5, limit=5)
    yield lambda: anchor.anchor_covering(5)
    yield lambda: anchor.anchors_after_block(5)
    yield lambda: anchor.stored_proof(5)
    yield lambda: anchor.nodes([b"a", b"b"])


@only_sqlite
def test_questions__plans_on_sqlite__walk_no_growing_table(stores, backend):
    stores.log.append(batch(LogMaker().entries(100)))
    asked, bad = [], []
    for database in stores._databases.values():
        listen = lambda *call, engine=database._reader: asked.append((engine, call[2], call[3]))
        event.listen(database._reader, "before_cursor_execute", listen)
    for question in _questions(stores):
        try:
            question()
        except NotFoundError:
            pass
    for engine, sql, parameters in list(asked):
        with engine.connect() as connection:
            steps = [row[3] for row in connection.exec_driver_sql("EXPLAIN QUERY PLAN " + sql, parameters)]
        for step in steps:
            words = step.split()
            # Without a condition the newest or the first rows are read off an index's end; LIMIT stops that scan.
            walked = words[0] == "SCAN" and words[1] in GROWING and "LIMIT" not in sql and "max(" not in sql
            if walked or "TEMP B-TREE" in step:
                bad.append((sql, steps))
    assert len(asked) > 50
    assert not bad, bad


@only_sqlite
def test_queue__of_an_enterprise_among_many__begins_with_its_own_alerts_and_those_about_it(stores, backend):
    """Most urgent first, its rows are sorted, which their own places in the order ask for; nobody else's are looked at."""
    database = stores.engine._db
    asked = []
    event.listen(database._reader, "before_cursor_execute", lambda *call: asked.append((call[2], call[3])))
    for more in ({}, {"urgent_first": True}, {"urgent_first": True, "statuses": ("open",)}, {"due_by": 5, "in_time": False}):
        stores.engine.queue(QueueFilter(holder=HOLDER, **more), limit=100)
    assert len(asked) == 8
    with database._reader.connect() as connection:
        for sql, parameters in list(asked):
            steps = [row[3] for row in connection.exec_driver_sql("EXPLAIN QUERY PLAN " + sql, parameters)]
            assert not any(step.startswith("SCAN") for step in steps), steps
            assert "holder=?" in steps[0], steps
