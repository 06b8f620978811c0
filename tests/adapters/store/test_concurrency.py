"""Readers beside the writer: they see what is committed, at once, whole, and hold nobody up."""

import subprocess
import sys
import threading
import time

import pytest

from tests.adapters.store.samples import LogMaker, batch, record_id, tile

_READER = """
import sys
from pathlib import Path
from ledger.adapters.store import open_stores
from tests.adapters.store.samples import HOLDER
log = open_stores(sys.argv[1], Path(sys.argv[2]), readonly=True).log
seen, rounds = 0, 0
while rounds < 30:
    size = log.size()
    assert size >= seen, (size, seen)
    assert size % 50 == 0, size
    if size:
        last = log.record(size - 1)
        assert last is not None and last.index == size - 1
        assert len(log.leaf_hashes(size - 40, size)) == 40
        assert log.book_head(HOLDER, "S1", "acid").seq >= size
        assert log.last_received() >= last.received
    rounds += size > seen
    seen = size
"""


def test_readers__while_the_writer_appends__see_whole_batches(backend, stores):
    command = [sys.executable, "-c", _READER, backend.database, str(backend.state_dir)]
    readers = [subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE) for _ in range(2)]
    make = LogMaker()
    while any(reader.poll() is None for reader in readers):
        stores.log.append(batch(make.entries(50)))
        time.sleep(0.005)
    for reader in readers:
        error = reader.communicate()[1]
        assert reader.returncode == 0, error


def test_reader__of_another_connection__sees_a_commit_at_once(stores, reader):
    make = LogMaker()
    for size in range(1, 50):
        stores.log.append(batch(make.entries(1)))
        assert reader.log.size() == size
        assert reader.log.record_by_id(record_id(size - 1)).index == size - 1


def test_reader__inside_a_long_answer__does_not_block_the_writer(stores, reader):
    make = LogMaker()
    stores.log.append(batch(make.entries(200)))
    with reader.log._db.read() as connection:
        rows = connection.exec_driver_sql('SELECT "index" FROM entry')
        rows.fetchone()
        began = time.monotonic()
        stores.log.append(batch(make.entries(200)))
        assert time.monotonic() - began < 5
        rows.close()
    assert reader.log.size() == 400


def test_writer__inside_its_transaction__does_not_block_readers(stores, reader, monkeypatch):
    from ledger.adapters.store import log_writer

    inside, go_on = threading.Event(), threading.Event()

    def wait(*_):
        inside.set()
        go_on.wait(20)

    monkeypatch.setattr(log_writer, "_forget", wait)
    writer = threading.Thread(target=stores.log.append, args=(batch(LogMaker().entries(3), tiles=(tile(0, 0),)),))
    writer.start()
    try:
        assert inside.wait(20)
        began = time.monotonic()
        assert reader.log.size() == 0
        assert reader.log.records(0, 5) == []
        assert time.monotonic() - began < 5
    finally:
        go_on.set()
        writer.join()
    assert reader.log.size() == 3


def test_stores__one_written_for_long__leave_the_others_free(stores):
    with stores.log._db.write():
        began = time.monotonic()
        stores.portal.log_access("a", "b", "c", 1)
        stores.anchor.journal_append("x", b"", b"")
        assert time.monotonic() - began < 5


@pytest.mark.parametrize("threads", [12])
def test_pool__more_threads_than_connections__all_get_answers(stores, threads):
    stores.log.append(batch(LogMaker().entries(20)))
    answers = []

    def ask():
        for index in range(20):
            answers.append(stores.log.record(index).index)

    running = [threading.Thread(target=ask) for _ in range(threads)]
    for thread in running:
        thread.start()
    for thread in running:
        thread.join()
    assert sorted(answers) == sorted(list(range(20)) * threads)
