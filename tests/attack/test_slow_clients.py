"""Clients that begin a request and never end it: they may not hold the web process for as long as they like."""

import socket
import threading
import time
import urllib.request
from collections import deque
from contextlib import ExitStack, suppress

import pytest
from gunicorn.workers.gthread import ThreadWorker

from ledger.cli import webworker
from ledger.cli.webworker import DeadlineWorker
from tests.served import Served

HALF = b"GET /healthz HTTP/1.1\r\nHost: x\r\n"


@pytest.fixture(scope="module")
def served(tmp_path_factory):
    limits = {"HAZLEDGER_HTTP_WORKERS": "1", "HAZLEDGER_HTTP_THREADS": "4"}
    with Served(tmp_path_factory.mktemp("slow"), environment=limits) as served:
        yield served


def test_web__more_half_sent_requests_than_threads__answers_again_while_they_are_still_open(served):
    address = (served.config.http.host, int(served.url.rpartition(":")[2]))
    with ExitStack() as held:
        for _ in range(6):
            held.enter_context(socket.create_connection(address)).sendall(HALF)
        until = time.monotonic() + 20
        while True:
            with suppress(OSError), urllib.request.urlopen(served.url + "/healthz", timeout=3) as answer:
                assert answer.status == 200
                return
            assert time.monotonic() < until, "the web process is held"


class Connection:
    def __init__(self, ours):
        self.sock, self.initialized, self.data_ready = ours, True, True


def test_worker__a_body_past_its_time__reads_as_cut_and_the_answer_can_still_be_written(monkeypatch):
    monkeypatch.setattr(webworker, "BODY_WITHIN_S", 0.0)
    worker = object.__new__(DeadlineWorker)
    worker._reading, worker._reading_lock, worker.pending_conns = {}, threading.Lock(), deque()
    theirs, ours = socket.socketpair()
    read = []

    def read_body(_self, _req, conn):
        read.append(conn.sock.recv(10))
        conn.sock.sendall(b"cut")

    monkeypatch.setattr(ThreadWorker, "handle_request", read_body)
    with theirs, ours:
        thread = threading.Thread(target=worker.handle_request, args=(None, Connection(ours)))
        thread.start()
        while thread.is_alive():
            worker.murder_pending()
            thread.join(0.01)
        assert read == [b""] and theirs.recv(10) == b"cut"
    assert not worker._reading
