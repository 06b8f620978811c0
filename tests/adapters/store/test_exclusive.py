"""exclusive: one holder of a role at a time, free again however the holder ends."""

import signal
import subprocess
import sys
import threading

import pytest

from ledger.adapters.store import open_stores
from ledger.errors import StoreError
from tests.adapters.store.conftest import only_postgresql

_HOLDER = """
import sys, time
from pathlib import Path
from ledger.adapters.store import open_stores
with open_stores(sys.argv[1], Path(sys.argv[2])).exclusive(sys.argv[3]):
    print("held", flush=True)
    time.sleep(60)
"""


class Waiter:
    """A thread that waits for a lock and says when it has it."""

    def __init__(self, stores, name):
        self.has_it = threading.Event()
        self._let_go = threading.Event()
        self._thread = threading.Thread(target=self._run, args=(stores, name))
        self._thread.start()

    def _run(self, stores, name):
        with stores.exclusive(name):
            self.has_it.set()
            self._let_go.wait(30)

    def end(self):
        self._let_go.set()
        self._thread.join(30)


@pytest.mark.faults
@pytest.mark.parametrize("end", [signal.SIGKILL, signal.SIGTERM])
def test_exclusive__holder_dies__the_next_gets_it(stores, backend, end):
    command = [sys.executable, "-c", _HOLDER, backend.database, str(backend.state_dir), "sequencer"]
    holder = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert holder.stdout.readline() == "held\n"
    waiter = Waiter(stores, "sequencer")
    assert not waiter.has_it.wait(0.5)
    holder.send_signal(end)
    holder.wait()
    holder.stdout.close()
    assert waiter.has_it.wait(20)
    waiter.end()


def test_exclusive__given_back__the_next_gets_it(backend, stores):
    with stores.exclusive("engine") as given:
        assert given is None
        waiter = Waiter(backend.open(), "engine")
        assert not waiter.has_it.wait(0.3)
        with stores.exclusive("anchor"):
            pass
    assert waiter.has_it.wait(20)
    waiter.end()


def test_exclusive__block_raises__is_given_back(stores):
    with pytest.raises(RuntimeError), stores.exclusive("engine"):
        raise RuntimeError
    with stores.exclusive("engine"):
        pass


def test_exclusive__held__says_so(stores):
    lock = stores.exclusive("engine")
    with lock:
        lock.still_held()


@only_postgresql
def test_exclusive__two_machines_one_postgresql__one_holds_it(backend, stores, tmp_path):
    elsewhere = open_stores(backend.database, tmp_path / "another machine")
    with stores.exclusive("sequencer"):
        waiter = Waiter(elsewhere, "sequencer")
        assert not waiter.has_it.wait(0.5)
    assert waiter.has_it.wait(20)
    waiter.end()
    elsewhere.close()


@only_postgresql
def test_exclusive__connection_lost__is_noticed(backend, stores, request):
    lock = stores.exclusive("sequencer")
    name = backend.database.rpartition("/")[2].partition("?")[0]
    with lock:
        lock.still_held()
        with request.getfixturevalue("postgres").connect() as connection:
            connection.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", [name])
        for _ in range(2):
            with pytest.raises(StoreError):
                lock.still_held()
    with stores.exclusive("sequencer"):
        pass
