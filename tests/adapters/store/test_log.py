"""The log store: what append keeps, reading gives back."""

import pytest

from ledger.errors import NotFoundError, StoreError
from ledger.model import NEVER, BookHead
from ledger.ports import AppendBatch, BookState, RecordFilter
from tests.adapters.store.conftest import ORIGIN
from tests.adapters.store.samples import (
    HOLDER,
    OTHER,
    START_MS,
    LogMaker,
    batch,
    checkpoint,
    digest,
    grant,
    record_id,
    refused,
    tile,
)


@pytest.fixture
def make():
    return LogMaker()


def test_empty_log__every_question__has_an_answer(stores):
    log = stores.log
    assert log.size() == 0
    assert log.record(0) is None
    assert log.records(0, 10) == []
    assert log.last_received() == 0
    assert log.latest_checkpoint() is None
    assert log.grants() == []
    assert log.grants_version() == 0
    assert log.holders() == []
    assert log.book_head(HOLDER, "S1", "acid") == BookHead(0, None, closed=False)
    assert log.book_state(HOLDER, "S1", "acid") is None
    assert log.leaf_hashes(0, 10) == []
    assert log.search(RecordFilter(), before=None, limit=5) == []


def test_append__entries__come_back_as_the_exact_bytes(stores, reader, make):
    entries = make.entries(3) + make.entries(2, OTHER, book="base", kind="stocktake")
    stores.log.append(batch(entries))
    for log in (stores.log, reader.log):
        assert log.size() == 5
        assert log.records(0, 100) == [new.record for new in entries]
        assert log.records(1, 2) == [entries[1].record, entries[2].record]
        assert log.record(4) == entries[4].record
        assert type(log.record(4).envelope) is bytes
        assert log.record(5) is None
        assert log.record_by_id(record_id(3)) == entries[3].record
        assert log.last_received() == entries[4].record.received
        assert log.leaf_hashes(1, 4) == [new.leaf_hash for new in entries[1:4]]
        assert log.holders() == sorted([HOLDER, OTHER])


def test_records_by_id__many_and_unknown__finds_those_there(stores, make):
    stores.log.append(batch(make.entries(700)))
    wanted = [record_id(index) for index in range(0, 1400)] + ["", "zz" * 32, record_id(0).upper(), "ab"]
    found = stores.log.records_by_id(wanted)
    assert sorted(stored.index for stored in found.values()) == list(range(700))
    assert all(found[record_id(index)].index == index for index in range(700))


@pytest.mark.parametrize("first", [0, 2, 4, 10])
def test_append__not_at_size__refuses_and_keeps_nothing(stores, make, first):
    stores.log.append(batch(make.entries(3)))
    late = LogMaker()
    late.index = first
    with pytest.raises(StoreError) as error:
        stores.log.append(batch(late.entries(2, OTHER)))
    assert error.value.code == "not-contiguous"
    assert stores.log.size() == 3
    assert stores.log.book_state(OTHER, "S1", "acid") is None


def test_append__hole_inside_the_batch__refuses(stores, make):
    entries = make.entries(4)
    with pytest.raises(StoreError):
        stores.log.append(batch([entries[0], entries[1], entries[3]]))
    assert stores.log.size() == 0


def test_append__record_id_already_there__refuses_the_whole_batch(stores, make):
    first = make.entry()
    stores.log.append(batch([first]))
    again = make.entries(2)
    doubled = type(again[1])(
        record=type(first.record)(
            **{name: getattr(again[1].record, name) for name in first.record.__slots__} | {"record_id": record_id(0)}
        ),
        leaf_hash=again[1].leaf_hash,
        event_time_ms=0,
    )
    with pytest.raises(StoreError):
        stores.log.append(batch([again[0], doubled]))
    assert stores.log.size() == 1
    stores.log.append(batch(again))
    assert stores.log.size() == 3


def test_append__second_record_at_one_seq__refuses(stores, make):
    stores.log.append(batch(make.entries(2)))
    fork = LogMaker()
    fork.index = 2
    with pytest.raises(StoreError):
        stores.log.append(batch(fork.entries(1)))
    assert stores.log.size() == 2


def test_append__books_do_not_say_where_they_end__refuses(stores, make):
    entries = make.entries(2)
    stale = BookState(HOLDER, "S1", "acid", 1, record_id(0), True, False)
    for books in ((), (stale,)):
        with pytest.raises(StoreError) as error:
            stores.log.append(batch(entries, books=books))
        assert error.value.code == "book-head"
    assert stores.log.size() == 0


def test_book__grown_and_closed__head_follows(stores, reader, make):
    stores.log.append(batch(make.entries(2)))
    assert reader.log.book_head(HOLDER, "S1", "acid") == BookHead(2, record_id(1), closed=False)
    closed = BookState(HOLDER, "S1", "acid", 3, record_id(2), True, True)
    stores.log.append(batch(make.entries(1), books=(closed,)))
    assert reader.log.book_head(HOLDER, "S1", "acid") == BookHead(3, record_id(2), closed=True)
    state = reader.log.book_state(HOLDER, "S1", "acid")
    assert state == closed
    assert (type(state.opened), type(state.closed)) == (bool, bool)
    assert reader.log.book_head(HOLDER, "S1", "base").seq == 0


def test_book_records__pages__are_one_book_in_order(stores, make):
    for _ in range(5):
        stores.log.append(batch([*make.entries(1), *make.entries(1, book="base"), *make.entries(1, OTHER)]))
    page = stores.log.book_records(HOLDER, "S1", "acid", after_seq=1, limit=3)
    assert [(stored.seq, stored.index) for stored in page] == [(2, 3), (3, 6), (4, 9)]
    assert stores.log.book_records(HOLDER, "S1", "acid", after_seq=5, limit=3) == []


def test_tiles__partial_and_whole__give_the_hashes(stores, reader, make):
    entries = make.entries(300)
    stores.log.append(batch(entries[:200]))
    hashes = [new.leaf_hash for new in entries]
    assert reader.log.hash_tile(0, 0, 200) == b"".join(hashes[:200])
    assert reader.log.hash_tile(0, 0, 7) == b"".join(hashes[:7])
    with pytest.raises(NotFoundError):
        reader.log.hash_tile(0, 0, 201)
    whole = type(tile(0, 0))(0, 0, b"".join(hashes[:256]), digest("over 256"))
    stores.log.append(batch(entries[200:], tiles=(whole,)))
    assert reader.log.hash_tile(0, 0, 256) == whole.hashes
    assert reader.log.hash_tile(0, 0, 3) == whole.hashes[:96]
    assert reader.log.hash_tile(0, 1, 44) == b"".join(hashes[256:])
    assert reader.log.hash_tile(1, 0, 1) == whole.root
    for level, n, width in ((1, 0, 2), (2, 0, 1), (0, 2, 1), (1, 1, 1)):
        with pytest.raises(NotFoundError):
            reader.log.hash_tile(level, n, width)


@pytest.mark.parametrize(("level", "n", "width"), [(-1, 0, 1), (0, -1, 1), (0, 0, 0), (0, 0, 257), (0, 0, -1)])
def test_tiles__no_such_place__is_not_found(stores, make, level, n, width):
    stores.log.append(batch(make.entries(1)))
    with pytest.raises(NotFoundError):
        stores.log.hash_tile(level, n, width)


def test_tiles__upper_level_complete__read_from_its_row(stores):
    lower = tuple(tile(0, n) for n in range(256))
    upper = type(lower[0])(1, 0, b"".join(one.root for one in lower), digest("top"))
    stores.log.append(AppendBatch((), tiles=(*lower[:255],)))
    assert stores.log.hash_tile(1, 0, 255) == upper.hashes[:-32]
    with pytest.raises(NotFoundError):
        stores.log.hash_tile(1, 0, 256)
    stores.log.append(AppendBatch((), tiles=(lower[255], upper)))
    assert stores.log.hash_tile(1, 0, 256) == upper.hashes
    assert stores.log.hash_tile(2, 0, 1) == upper.root


def test_tiles__written_twice__refuses(stores):
    stores.log.append(AppendBatch((), tiles=(tile(0, 0),)))
    with pytest.raises(StoreError):
        stores.log.append(AppendBatch((), tiles=(tile(0, 0),)))


def test_checkpoints__saved__come_back_and_are_never_replaced(stores, reader):
    kept = [checkpoint(size) for size in (0, 3, 10)]
    for one in kept:
        stores.log.save_checkpoint(one)
    assert reader.log.latest_checkpoint() == kept[2]
    assert reader.log.checkpoint(3) == kept[1]
    assert reader.log.checkpoint(4) is None
    with pytest.raises(StoreError):
        stores.log.save_checkpoint(checkpoint(3, "another root"))
    assert reader.log.checkpoint(3) == kept[1]


def test_grants__mirrored_and_revoked__newest_values_stand(stores, reader, make):
    first, second = grant(1), grant(2, scope="", holder=OTHER)
    stores.log.append(batch(make.entries(2, kind="grant"), grants=((first, 0), (second, 1))))
    assert reader.log.grants_version() == 2
    assert reader.log.grants() == [first, second]
    revoked = grant(1, revoked_at=2)
    stores.log.append(batch(make.entries(2, kind="grant"), grants=((revoked, 3),)))
    assert reader.log.grants_version() == 4
    assert {one.g: one for one in reader.log.grants()} == {first.g: revoked, second.g: second}
    assert reader.log.grants()[0].revoked_at == NEVER


def test_grants__twice_in_one_batch__the_later_one_stands(stores, make):
    revoked = grant(1, revoked_at=5)
    stores.log.append(batch(make.entries(2, kind="grant"), grants=((grant(1), 0), (revoked, 1))))
    assert stores.log.grants() == [revoked]


def test_facts__of_a_span__are_those_of_its_entries(stores, make):
    facts = {"buyer": "s-1", "is_minor": False, "n": 2**53 - 1, "name": None, "zh": "民"}
    stores.log.append(batch([make.entry(facts=facts), make.entry(), make.entry(facts={}), make.entry(facts={"a": 1})]))
    assert stores.log.facts(0, 3) == {0: facts, 2: {}}
    assert stores.log.facts(3, 9) == {3: {"a": 1}}
    assert stores.log.facts(1, 2) == {}


def test_refused__kept_once__and_counted_by_key(stores, make):
    stores.log.append(batch(make.entries(1), refused=(refused(1), refused(2, received=START_MS + 10))))
    assert stores.log.refused(refused(1).record_id) == refused(1)
    assert stores.log.refused(record_id(0)) is None
    stores.log.append(AppendBatch((), refused=(refused(1, received=START_MS + 99),)))
    assert stores.log.refused(refused(1).record_id).received == START_MS
    assert stores.log.refused_since("aa" * 32, START_MS) == 2
    assert stores.log.refused_since("aa" * 32, START_MS + 1) == 1
    assert stores.log.refused_since("bb" * 32, 0) == 0


def test_origin__bound_once__another_is_refused(stores, reader):
    assert reader.log.origin() == ORIGIN
    stores.log.bind_origin(ORIGIN)
    with pytest.raises(StoreError) as error:
        stores.log.bind_origin("other.example")
    assert error.value.code == "other-origin"
    assert reader.log.origin() == ORIGIN


def test_origin__never_bound__is_an_error(empty_backend):
    stores = empty_backend.open()
    stores.migrate()
    with pytest.raises(StoreError) as error:
        stores.log.origin()
    assert error.value.code == "no-origin"
