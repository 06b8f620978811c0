"""Disclosures: kept apart, brought late, erased for good."""

import pytest

from ledger.errors import StoreError
from ledger.ports import AppendBatch
from tests.adapters.store.conftest import only_postgresql, only_sqlite
from tests.adapters.store.samples import LogMaker, batch, record_id


@pytest.fixture
def make():
    return LogMaker()


def d(name):
    return (f"digest-{name}", f"text-of-{name}", f"lookup-{name}")


def test_disclosures__of_a_record__are_all_of_its_own(stores, reader, make):
    stores.log.append(batch([make.entry(disclosures=(d("b"), d("a"))), make.entry(disclosures=(d("c"),))]))
    assert reader.log.disclosures(record_id(0)) == ("text-of-a", "text-of-b")
    assert reader.log.disclosures(record_id(1)) == ("text-of-c",)
    assert reader.log.disclosures(record_id(2)) == ()
    assert reader.log.disclosures("no name") == ()


def test_disclosures__brought_by_a_repeat__join_the_first(stores, make):
    stores.log.append(batch([make.entry(disclosures=(d("a"),))]))
    late = ((record_id(0), *d("a")), (record_id(0), *d("b")))
    stores.log.append(AppendBatch((), late_disclosures=late))
    assert stores.log.disclosures(record_id(0)) == ("text-of-a", "text-of-b")


def test_disclosures__late_for_an_unknown_record__refuses(stores, make):
    stores.log.append(batch(make.entries(1)))
    with pytest.raises(StoreError) as error:
        stores.log.append(AppendBatch((), late_disclosures=((record_id(7), *d("a")),)))
    assert error.value.code == "no-record"


def test_disclosures__late_for_an_entry_of_the_same_batch__is_kept(stores, make):
    stores.log.append(batch(make.entries(1), late_disclosures=((record_id(0), *d("a")),)))
    assert stores.log.disclosures(record_id(0)) == ("text-of-a",)


def test_disclosures__same_digest_in_two_records__stops_nobody(stores, make):
    stores.log.append(batch([make.entry(disclosures=(d("a"),)), make.entry(disclosures=(d("a"),))]))
    assert stores.log.disclosures(record_id(0)) == stores.log.disclosures(record_id(1)) == ("text-of-a",)


def test_erasure__every_copy__goes_and_never_comes_back(stores, reader, make):
    stores.log.append(batch([make.entry(disclosures=(d("a"), d("b"))), make.entry(disclosures=(d("a"),))]))
    stores.log.append(batch(make.entries(1, kind="erasure"), erased=("digest-a", "digest-never-seen")))
    assert reader.log.disclosures(record_id(0)) == ("text-of-b",)
    assert reader.log.disclosures(record_id(1)) == ()
    assert reader.log.is_erased(["digest-a", "digest-b", "digest-never-seen"]) == {"digest-a", "digest-never-seen"}
    late = ((record_id(0), *d("a")), (record_id(0), *d("c")))
    stores.log.append(batch([make.entry(disclosures=(d("a"),))], late_disclosures=late, erased=("digest-a",)))
    assert reader.log.disclosures(record_id(0)) == ("text-of-b", "text-of-c")
    assert reader.log.disclosures(record_id(3)) == ()


def test_erasure__in_the_batch_that_brings_it__wins(stores, make):
    stores.log.append(batch([make.entry(disclosures=(d("a"),))], erased=("digest-a",)))
    assert stores.log.disclosures(record_id(0)) == ()


def test_erasure__thousands_at_once__are_all_gone(stores, make):
    many = tuple(d(number) for number in range(1200))
    stores.log.append(batch([make.entry(disclosures=many)]))
    assert len(stores.log.disclosures(record_id(0))) == 1200
    stores.log.append(AppendBatch((), erased=tuple(one[0] for one in many)))
    assert stores.log.disclosures(record_id(0)) == ()
    assert len(stores.log.is_erased([one[0] for one in many])) == 1200


@only_sqlite
def test_erasure__on_sqlite__leaves_no_bytes_in_the_files(stores, backend, make):
    secret = "13800138000-张三"
    long = ("digest-long", secret * 2000, "lookup-13800138000")
    stores.log.append(batch([make.entry(disclosures=(("digest-a", secret, "lookup-13800138000"), long))]))
    stores.log.append(batch(make.entries(50)))
    files = [path for path in backend.state_dir.iterdir() if path.name.startswith("log.db")]
    assert any(b"13800138000" in path.read_bytes() for path in files)
    stores.log.append(AppendBatch((), erased=("digest-a", "digest-long")))
    assert not any(b"13800138000" in path.read_bytes() for path in files if path.exists())


@only_postgresql
def test_erasure__on_postgresql__leaves_no_dead_rows(stores, backend, make):
    stores.log.append(batch([make.entry(disclosures=(d("a"), d("b")))]))
    stores.log.append(AppendBatch((), erased=("digest-a", "digest-b")))
    with stores.log._db.read() as connection:
        pages = connection.exec_driver_sql("SELECT pg_relation_size('disclosure')").scalar_one()
    assert pages == 0


@only_sqlite
def test_erasure__while_a_reader_reads__is_done_and_says_what_stays(stores, reader, make, caplog, monkeypatch):
    from ledger.adapters.store import database

    monkeypatch.setattr(database, "BUSY_TIMEOUT_S", 0.1)
    stores.log.append(batch([make.entry(disclosures=(d("a"),))]))
    with reader.log._db.read() as connection:
        rows = connection.exec_driver_sql('SELECT "index" FROM entry UNION ALL SELECT 1')
        rows.fetchone()
        stores.log.append(AppendBatch((), erased=("digest-a",)))
        rows.close()
    assert stores.log.disclosures(record_id(0)) == ()
    assert "erased strings stay" in caplog.text


LOOKUPS = tuple((name * 64, name * 32) for name in "abc")


def under(name, lookup):
    return (f"digest-{name}", f"text-of-{name}", lookup * 64)


def test_lookups__given_once__are_found_by_their_digest(stores, reader, make):
    stores.log.append(batch([make.entry(disclosures=(under("1", "a"), under("2", "b")))], lookups=LOOKUPS[:2]))
    assert reader.log.surrogates(["a" * 64, "b" * 64, "c" * 64]) == dict(LOOKUPS[:2])
    assert reader.log.surrogates([]) == {}
    assert reader.log.disclosed_under("a" * 64) == {"digest-1"}
    assert reader.log.lookup_sample() in {("text-of-1", "a" * 64), ("text-of-2", "b" * 64)}


def test_lookups__given_twice__refuse_the_whole_batch(stores, make):
    stores.log.append(batch([make.entry(disclosures=(under("1", "a"),))], lookups=LOOKUPS[:1]))
    with pytest.raises(StoreError):
        stores.log.append(batch(make.entries(1), lookups=(("a" * 64, "f" * 32),)))
    assert stores.log.surrogates(["a" * 64]) == {"a" * 64: "a" * 32}
    assert stores.log.size() == 1


def test_erasure__of_the_last_disclosure__takes_the_lookup_along(stores, make):
    stores.log.append(batch([make.entry(disclosures=(under("1", "a"), under("2", "b")))], lookups=LOOKUPS[:2]))
    stores.log.append(batch([make.entry(disclosures=(under("3", "a"),))]))
    stores.log.append(AppendBatch((), erased=("digest-1", "digest-2")))
    assert stores.log.surrogates(["a" * 64, "b" * 64]) == {"a" * 64: "a" * 32}
    stores.log.append(AppendBatch((), erased=("digest-3",)))
    assert stores.log.surrogates(["a" * 64, "b" * 64]) == {}
    assert stores.log.lookup_sample() is None


def test_erasure__with_a_new_disclosure_in_one_batch__another_surrogate_stands(stores, make):
    stores.log.append(batch([make.entry(disclosures=(under("1", "a"),))], lookups=LOOKUPS[:1]))
    again = (("a" * 64, "f" * 32),)
    stores.log.append(batch([make.entry(disclosures=(under("2", "a"),))], lookups=again, erased=("digest-1",)))
    assert stores.log.surrogates(["a" * 64]) == dict(again)


def test_erasure__with_an_older_one_still_held__gives_no_other_surrogate(stores, make):
    held = (under("1", "a"), under("2", "a"))
    stores.log.append(batch([make.entry(disclosures=held)], lookups=LOOKUPS[:1]))
    with pytest.raises(StoreError):
        stores.log.append(AppendBatch((), lookups=(("a" * 64, "f" * 32),), erased=("digest-1",)))
    assert stores.log.is_erased(["digest-1"]) == set()


def test_erasure__of_what_the_same_batch_brings__leaves_no_lookup(stores, make):
    stores.log.append(batch([make.entry(disclosures=(under("1", "a"),))], lookups=LOOKUPS[:1], erased=("digest-1",)))
    assert stores.log.surrogates(["a" * 64]) == {}
