"""search: the same answer as filtering everything, and never by reading everything."""

import random

import pytest

from ledger.ports import RecordFilter
from tests.adapters.store.conftest import only_sqlite
from tests.adapters.store.samples import HOLDER, OTHER, START_MS, LogMaker, batch


@pytest.fixture
def log(stores):
    make, chance = LogMaker(), random.Random(5)
    entries = [
        make.entry(
            chance.choice([HOLDER, OTHER]),
            site=chance.choice(["S1", "S2"]),
            book=chance.choice(["acid", "base"]),
            kind=chance.choice(["movement", "movement", "stocktake"]),
        )
        for _ in range(400)
    ]
    stores.log.append(batch(entries))
    return stores.log, [new.record for new in entries]


_TIMES = [None, START_MS - 5, START_MS, START_MS + 20, START_MS + 60, START_MS + 10_000]
_FILTERS = [
    RecordFilter(holder=holder, site=site, book=book, kind=kind)
    for holder in (None, HOLDER, "nobody")
    for site, book in ((None, None), ("S2", None), ("S1", "base"))
    for kind in (None, "stocktake")
] + [RecordFilter(holder=OTHER, received_from=start, received_to=end) for start in _TIMES for end in _TIMES]


def test_search__any_filter__agrees_with_reading_everything(log):
    store, records = log
    for where in _FILTERS:
        expected = [
            record
            for record in reversed(records)
            if all(
                wanted is None or getattr(record, name) == wanted
                for name, wanted in (
                    ("holder", where.holder),
                    ("site", where.site),
                    ("book", where.book),
                    ("kind", where.kind),
                )
            )
            and (where.received_from is None or record.received >= where.received_from)
            and (where.received_to is None or record.received < where.received_to)
        ]
        assert store.search(where, before=None, limit=1000) == expected, where
        assert store.search(where, before=None, limit=7) == expected[:7], where
        if len(expected) > 9:
            assert store.search(where, before=expected[6].index, limit=3) == expected[7:10], where


@pytest.mark.parametrize("length", [1, 2, 7, 12, 63, 64])
def test_records_named__beginning_of_an_id__finds_all_that_begin_so_in_order(log, length):
    store, records = log
    for record in records[::97]:
        prefix = record.record_id[:length]
        wanted = sorted(r.record_id for r in records if r.record_id.startswith(prefix))
        assert [r.record_id for r in store.records_named(prefix, limit=400)] == wanted
        assert [r.record_id for r in store.records_named(prefix, limit=1)] == wanted[:1]
    assert store.records_named("0" * 64, limit=2) == []


def test_search__pages_by_cursor__cover_all_once(log):
    store, records = log
    seen, before = [], None
    while page := store.search(RecordFilter(kind="movement"), before=before, limit=13):
        seen += [record.index for record in page]
        before = page[-1].index
    assert seen == [record.index for record in reversed(records) if record.kind == "movement"]


def test_search__code__is_not_the_logs_to_answer(log):
    with pytest.raises(ValueError, match="lines"):
        log[0].search(RecordFilter(code="7697-37-2"), before=None, limit=5)


@only_sqlite
def test_search__plans_on_sqlite__read_no_whole_table(log, backend):
    from sqlalchemy import event

    store, statements = log[0], []
    engine = store._db._reader
    event.listen(engine, "before_cursor_execute", lambda *call: statements.append((call[2], call[3])))
    for where in _FILTERS:
        store.search(where, before=300, limit=5)
    store.records_by_id([])
    for sql, parameters in list(dict(statements).items()):
        with engine.connect() as connection:
            plan = [row[3] for row in connection.exec_driver_sql("EXPLAIN QUERY PLAN " + sql, parameters)]
        assert not any("TEMP B-TREE" in step or step == "SCAN entry" for step in plan), (sql, plan)
