"""What goes wrong: nothing half kept, nothing of ours in the error, and the writer goes on."""

import os
import sqlite3
import subprocess
import sys
import time

import pytest

from ledger.adapters.store import database, open_stores
from ledger.errors import ConfigError, StoreError
from ledger.ports import AppendBatch, EngineBatch, RecordFilter, User
from tests.adapters.store.conftest import only_postgresql, only_sqlite
from tests.adapters.store.samples import LogMaker, alert, anchor, batch, checkpoint, record_id, state_proof


@pytest.fixture
def make():
    return LogMaker()


@only_sqlite
def test_disk_full__append__keeps_nothing_and_goes_on(stores, backend, make):
    log = stores.log
    log.append(batch(make.entries(10)))
    raw = log._db._writer.raw_connection()
    pages = raw.driver_connection.execute("PRAGMA page_count").fetchone()[0]
    # The limit belongs to the connection; the pool hands this one out again, last in first out.
    raw.driver_connection.execute(f"PRAGMA max_page_count = {pages + 2}")
    raw.close()
    entries = make.entries(500)
    with pytest.raises(StoreError, match="full"):
        log.append(batch(entries))
    assert log.size() == 10
    raw = log._db._writer.raw_connection()
    raw.driver_connection.execute("PRAGMA max_page_count = 1000000")
    raw.close()
    log.append(batch(entries))
    assert log.size() == 510
    assert log.record(509) == entries[-1].record


@only_sqlite
def test_locked__by_another_program__is_a_store_error_and_passes(backend, make, monkeypatch):
    monkeypatch.setattr(database, "BUSY_TIMEOUT_S", 0.2)
    stores = backend.open()
    other = sqlite3.connect(backend.state_dir / "log.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(StoreError, match="locked"):
        stores.log.append(batch(make.entries(1)))
    assert stores.log.size() == 0
    other.execute("ROLLBACK")
    other.close()
    make = LogMaker()
    stores.log.append(batch(make.entries(1)))
    assert stores.log.size() == 1


@only_postgresql
def test_locked__table_on_postgresql__is_a_store_error_and_passes(backend, make, monkeypatch):
    monkeypatch.setattr(database, "BUSY_TIMEOUT_S", 1.0)
    stores = backend.open()
    with backend.open().log._db.write() as connection:
        connection.exec_driver_sql("LOCK TABLE entry IN EXCLUSIVE MODE")
        with pytest.raises(StoreError, match="lock"):
            stores.log.append(batch(make.entries(1)))
        assert stores.log.size() == 0
    stores.log.append(batch(LogMaker().entries(1)))
    assert stores.log.size() == 1


@only_postgresql
def test_connections_lost__on_postgresql__next_call_works(stores, backend, postgres_server_of, make):
    log = stores.log
    log.append(batch(make.entries(2)))
    postgres_server_of(backend)
    log.append(batch(make.entries(2)))
    postgres_server_of(backend)
    assert log.size() == 4


@only_postgresql
def test_connection_lost__inside_the_transaction__keeps_nothing(stores, backend, postgres_server_of, make, monkeypatch):
    from ledger.adapters.store import log_writer

    log = stores.log
    entries = make.entries(3)
    monkeypatch.setattr(log_writer, "_forget", lambda *_: postgres_server_of(backend))
    with pytest.raises(StoreError):
        log.append(batch(entries))
    monkeypatch.undo()
    assert log.size() == 0
    log.append(batch(entries))
    assert log.size() == 3


@pytest.fixture
def postgres_server_of(request, backend):
    """A function that cuts every connection to the backend's database."""
    server = request.getfixturevalue("postgres")

    def cut(backend):
        name = backend.database.rpartition("/")[2].partition("?")[0]
        with server.connect() as connection:
            connection.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", [name])

    return cut


def test_server_unreachable__any_call__is_a_store_error(tmp_path):
    stores = open_stores(f"postgresql+psycopg://u:hunter2@/db?host={tmp_path}&connect_timeout=1", tmp_path)
    for call in (stores.log.size, stores.migrate, lambda: stores.log.append(AppendBatch(()))):
        with pytest.raises(StoreError) as error:
            call()
        assert "hunter2" not in str(error.value)
        assert error.value.__cause__ is None
    stores.close()


def test_directory_gone__reading__is_a_store_error(tmp_path):
    stores = open_stores("sqlite", tmp_path / "nothing", readonly=True)
    with pytest.raises(StoreError):
        stores.log.size()
    assert not (tmp_path / "nothing").exists()


@pytest.mark.parametrize("url", ["mysql://x/y", "postgresql://x/y", "", "SQLITE", "postgresql+psycopg://h:port/db"])
def test_open__another_database__is_a_config_error(tmp_path, url):
    with pytest.raises(ConfigError):
        open_stores(url, tmp_path)


def test_file_is_no_database__reading__is_a_store_error(tmp_path):
    (tmp_path / "log.db").write_bytes(b"not a database" * 1000)
    stores = open_stores("sqlite", tmp_path)
    with pytest.raises(StoreError, match="not a database"):
        stores.log.size()
    stores.close()


def test_error__about_a_row__holds_nothing_of_the_row(stores, make):
    secret = "13800138000"
    entries = make.entries(1, disclosures=(("digest", secret, None),))
    with pytest.raises(StoreError) as error:
        stores.log.append(batch(entries))
    assert secret not in repr(error.value) + str(error.value.detail)
    assert error.value.__cause__ is None
    assert error.value.__suppress_context__


@pytest.mark.parametrize("odd", ["a\x00b", "\ud800"])
def test_question__text_no_database_holds__finds_nothing(stores, make, odd):
    stores.log.append(batch(make.entries(3)))
    assert stores.portal.user(odd) is None
    assert stores.portal.token(odd) is None
    assert stores.log.search(RecordFilter(holder=odd), before=None, limit=5) == []
    assert stores.log.book_head(odd, odd, odd).seq == 0
    assert stores.log.is_erased([odd]) == set()
    assert stores.engine.alert(odd) is None
    assert stores.engine.lines(code=odd, limit=5) == []
    assert stores.log.size() == 3


def test_question__number_no_database_holds__finds_nothing(stores):
    assert stores.log.record(2**70) is None
    assert stores.log.checkpoint(2**64) is None
    assert stores.log.records(2**63, 5) == []
    assert stores.anchor.anchor_covering(2**80) is None


def test_written__text_no_database_holds__is_a_store_error(stores):
    with pytest.raises(StoreError) as error:
        stores.portal.save_user(User("name", "secret-hash\ud800", False))
    assert "secret-hash" not in str(error.value)
    with pytest.raises(StoreError):
        stores.portal.count_attempt("a", 2**70, lambda failed: 0, 0)
    assert stores.portal.user("name") is None


@only_sqlite
def test_reader__first_after_everything_was_closed__reads(backend, stores, make):
    stores.log.append(batch(make.entries(3)))
    stores.close()
    assert not (backend.state_dir / "log.db-wal").exists()
    assert backend.open(readonly=True).log.size() == 3


def test_readonly__every_writing_call__is_refused(reader, make):
    calls = [
        lambda: reader.log.append(batch(make.entries(1))),
        lambda: reader.log.save_checkpoint(checkpoint(1)),
        lambda: reader.log.bind_origin("x"),
        lambda: reader.engine.commit(EngineBatch(cursor=1, alerts=(alert(1),))),
        lambda: reader.engine.outbox_sent([("a", 1)]),
        lambda: reader.portal.log_access("a", "b", "c", 1),
        lambda: reader.anchor.save_anchor(anchor(1), state_proof(1, ())),
        lambda: reader.anchor.journal_append("x", b"", b""),
        reader.migrate,
    ]
    for call in calls:
        with pytest.raises(StoreError) as error:
            call()
        assert error.value.code == "read-only"


def test_upkeep__fails__the_writer_still_keeps_all_or_nothing(stores, backend):
    from sqlalchemy import text

    with pytest.raises(StoreError):
        stores.log._db.upkeep("PRAGMA no_such_thing(" if backend.is_sqlite else "VACUUM no_such_table")
    with pytest.raises(ZeroDivisionError), stores.log._db.write() as connection:
        connection.execute(text("INSERT INTO meta (key, value) VALUES ('a', 'b')"))
        raise ZeroDivisionError
    with stores.log._db.read() as connection:
        assert connection.execute(text("SELECT count(*) FROM meta WHERE key = 'a'")).scalar_one() == 0


@only_postgresql
def test_erasure__upkeep_has_to_give_up__is_kept_and_the_writer_goes_on(backend, make, monkeypatch, caplog):
    import psycopg

    monkeypatch.setattr(database, "BUSY_TIMEOUT_S", 0.2)
    log = backend.open().log
    log.append(batch(make.entries(1, disclosures=(("d1", "secret", ""),))))
    with psycopg.connect(backend.database.replace("+psycopg", "")) as other:
        other.execute("LOCK TABLE log.disclosure IN SHARE UPDATE EXCLUSIVE MODE")  # stops VACUUM and nothing else
        log.append(batch(make.entries(1), erased=("d1",)))
    assert "may stay" in caplog.text and log.disclosures(record_id(0)) == ()
    log.append(batch(make.entries(1)))
    assert log.size() == 3


def test_reader_connection__written_through__is_refused_by_the_database(stores):
    from sqlalchemy import text

    with pytest.raises(StoreError), stores.log._db.read() as connection:
        connection.execute(text("INSERT INTO meta (key, value) VALUES ('a', 'b')"))


def test_durability__asked_for__is_what_the_database_says(stores, backend):
    with stores.log._db.write() as connection:
        if backend.is_sqlite:
            pragma = lambda name: connection.exec_driver_sql(f"PRAGMA {name}").scalar_one()
            assert (pragma("journal_mode"), pragma("synchronous"), pragma("foreign_keys")) == ("wal", 2, 1)
            assert pragma("secure_delete") == 1
        else:
            show = lambda name: connection.exec_driver_sql(f"SHOW {name}").scalar_one()
            assert (show("synchronous_commit"), show("fsync"), show("search_path")) == ("on", "on", "log")


def test_after_fork__the_childs_calls__are_refused(stores):
    stores.log.size()
    child = os.fork()
    if child == 0:
        code = 1
        try:
            stores.log.size()
        except StoreError:
            stores.close()
            code = 0
        finally:
            os._exit(code)
    assert os.waitpid(child, 0)[1] == 0
    assert stores.log.size() == 0


_WRITER = """
import sys
from pathlib import Path
from ledger.adapters.store import open_stores
from tests.adapters.store.samples import LogMaker, batch
stores = open_stores(sys.argv[1], Path(sys.argv[2]))
make = LogMaker()
while True:
    stores.log.append(batch(make.entries(37, facts={"a": 1}, disclosures=(("d%d" % make.index, "t", ""),))))
    print(make.index, flush=True)
"""


@pytest.mark.faults
@pytest.mark.parametrize("moment", [0.01, 0.05, 0.12])
def test_writer_killed__at_any_moment__what_it_acknowledged_is_there(backend, moment):
    command = [sys.executable, "-c", _WRITER, backend.database, str(backend.state_dir)]
    writer = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    acknowledged = int(writer.stdout.readline())
    time.sleep(moment)
    writer.kill()
    acknowledged = int((writer.stdout.read().split() or [acknowledged])[-1])
    writer.wait()
    writer.stdout.close()
    stores = backend.open()
    size = stores.log.size()
    if not backend.is_sqlite:
        # The server may still be at the last batch's commit when its client is dead.
        time.sleep(0.5)
        size = stores.log.size()
    assert size >= acknowledged
    assert size % 37 == 0
    assert [stored.index for stored in stores.log.records(0, size + 1)] == list(range(size))
    assert len(stores.log.facts(0, size)) == size
    assert stores.log.book_head(stores.log.record(0).holder, "S1", "acid").seq == size
    make = LogMaker()
    make.entries(size)
    stores.log.append(batch(make.entries(1)))
    assert stores.log.record_by_id(record_id(size)).index == size
