"""The application as it is served: gunicorn, gthread, several workers, real sockets that break."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.parse
import urllib.request
from pathlib import Path

import pytest

from tests.webapp.desk import NDJSON, PASSWORD, Desk
from tests.webapp.served import STATE
from webapp.auth import new_token
from webapp.passwords import hash_password
from ledger.adapters.children import free_port
from ledger.model import UnixMs
from ledger.ports import User

ROOT = Path(__file__).parents[2]


class Server:
    def __init__(self, state):
        self.desk = Desk(state)
        self.port = free_port()
        self.received = state / "received.txt"
        self.log = (state / "gunicorn.log").open("wb")
        self.process = subprocess.Popen(
            [
                sys.executable, "-m", "gunicorn", "--bind", f"127.0.0.1:{self.port}", "--workers", "2", "--worker-class", "gthread",
                "--threads", "6", "--graceful-timeout", "2", "--chdir", str(ROOT), "tests.webapp.served:build()",
            ],
            env={**os.environ, STATE: str(state), "PYTHONPATH": str(ROOT)},
            stdout=self.log,
            stderr=subprocess.STDOUT,
        )  # fmt: skip
        end = time.monotonic() + 30
        while True:
            try:
                urllib.request.urlopen(self.url("/healthz"), timeout=2).close()
                return
            except OSError:
                assert self.process.poll() is None and time.monotonic() < end, (state / "gunicorn.log").read_text()
                time.sleep(0.1)

    def url(self, path):
        return f"http://127.0.0.1:{self.port}{path}"

    def connect(self):
        return socket.create_connection(("127.0.0.1", self.port), timeout=10)

    def ids(self):
        return self.received.read_text().split() if self.received.exists() else []

    def wait_for_ids(self, count):
        end = time.monotonic() + 10
        while len(self.ids()) < count and time.monotonic() < end:
            time.sleep(0.05)
        time.sleep(0.2)
        return self.ids()

    def close(self):
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(15)
        self.log.close()
        self.desk.close()


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    made = Server(tmp_path_factory.mktemp("served"))
    yield made
    made.close()


@pytest.fixture
def fresh(server):
    server.received.unlink(missing_ok=True)
    return server


def head(path, *more, media=NDJSON):
    return "\r\n".join([f"POST {path} HTTP/1.1", "Host: x", f"Content-Type: {media}", *more, "", ""]).encode()


def lines_of(server, count):
    from ledger.core.record import record_id_of

    server.desk.acid.seq, server.desk.acid.prev = 0, None
    payloads = [server.desk.acid.payload("stocktake") for _ in range(count)]
    return [server.desk.acid.sign(p) for p in payloads], [record_id_of(p) for p in payloads]


def answer_of(connection):
    data = b""
    while part := connection.recv(65536):
        data += part
        if b"\r\n\r\n" in data and b'"results"' in data and data.endswith(b"]}"):
            break
    return data


@pytest.mark.parametrize("how", ["close", "half-close", "reset"])
def test_batch__length_declared_and_cut_in_a_line__complete_lines_count(fresh, how):
    lines, ids = lines_of(fresh, 3)
    body = b"\n".join(lines) + b"\n"
    with fresh.connect() as connection:
        connection.sendall(head("/api/v1/records:batch", f"Content-Length: {len(body)}"))
        connection.sendall(body[: len(lines[0]) + len(lines[1]) + 2 + 30])
        time.sleep(0.3)
        if how == "reset":
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\0\0\0\0\0\0\0")
        if how == "half-close":
            connection.shutdown(socket.SHUT_WR)
            results = json.loads(answer_of(connection).partition(b"\r\n\r\n")[2])["results"]
            assert [r["status"] for r in results] == [201, 201]
    assert fresh.wait_for_ids(2) == ids[:2]


@pytest.mark.parametrize("how", ["close", "half-close"])
def test_batch__chunked_and_cut_in_a_line__complete_lines_count(fresh, how):
    lines, ids = lines_of(fresh, 2)
    body = b"\n".join(lines) + b"\n"
    sent = body[: len(lines[0]) + 40]
    with fresh.connect() as connection:
        connection.sendall(head("/api/v1/records:batch", "Transfer-Encoding: chunked"))
        connection.sendall(b"%x\r\n%b\r\n" % (len(sent), sent))
        time.sleep(0.3)
        if how == "half-close":
            connection.shutdown(socket.SHUT_WR)
            answer_of(connection)
    assert fresh.wait_for_ids(1) == ids[:1]


def test_batch__chunked_in_odd_pieces__is_read_whole(fresh):
    lines, ids = lines_of(fresh, 3)
    body = b"\n".join(lines)
    with fresh.connect() as connection:
        connection.sendall(head("/api/v1/records:batch", "Transfer-Encoding: chunked"))
        for start in range(0, len(body), 777):
            piece = body[start : start + 777]
            connection.sendall(b"%x\r\n%b\r\n" % (len(piece), piece))
        connection.sendall(b"0\r\n\r\n")
        results = json.loads(answer_of(connection).partition(b"\r\n\r\n")[2])["results"]
    assert [r["record_id"] for r in results] == ids


def test_too_large__declared__413_before_the_body_is_sent(fresh):
    with fresh.connect() as connection:
        connection.sendall(head("/api/v1/records", f"Content-Length: {10**9}", media="application/json"))
        data = connection.recv(65536)
    assert b" 413 " in data.partition(b"\r\n")[0]
    assert b"urn:hazledger:too-large" in data or b"application/problem+json" in data


def test_too_large__endless_chunks__are_cut_off(fresh):
    taken = 0
    with fresh.connect() as connection:
        connection.sendall(head("/api/v1/records", "Transfer-Encoding: chunked", media="application/json"))
        try:
            for _ in range(2000):
                connection.sendall(b"%x\r\n%b\r\n" % (8192, b" " * 8192))
                taken += 8192
        except OSError:
            pass
    assert taken < 2000 * 8192


def test_session__made_in_one_worker__counts_in_all_and_so_does_its_end(server):
    import http.cookiejar

    server.desk.stores.portal.save_user(
        User("supervisor", hash_password(PASSWORD), must_change=False)
    )
    jar = http.cookiejar.CookieJar()
    opener = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(jar))
    page = opener.open(server.url("/sign-in")).read().decode()
    token = page.split('name="csrf" value="')[1].split('"')[0]
    form = urllib.parse.urlencode({"csrf": token, "username": "supervisor", "password": PASSWORD}).encode()
    opener.open(server.url("/sign-in"), form)
    for _ in range(20):
        with opener.open(server.url("/sessions")) as answer:
            assert answer.url.endswith("/sessions")
    server.desk.stores.portal.revoke_sessions_of("supervisor")
    for _ in range(10):
        with opener.open(server.url("/sessions")) as answer:
            assert "/sign-in" in answer.url


def test_stream__from_every_worker__the_same_alerts_with_the_same_ids(server):
    token, digest, row = new_token("supervisor", None, UnixMs(int(time.time() * 1000)), 10**9)
    server.desk.stores.portal.save_token(digest, row)
    begin = server.desk.stores.engine.newest_alerts(limit=1)
    begin = begin[0][0] if begin else 0
    streams = []
    for _ in range(6):
        request = urllib.request.Request(
            server.url(f"/api/v1/stream?after={begin}"), headers={"Authorization": f"Bearer {token}"}
        )
        streams.append(urllib.request.urlopen(request, timeout=15))
    for _ in range(3):
        server.desk.alert()
    started = time.monotonic()
    for stream in streams:
        ids = []
        while len(ids) < 3:
            line = stream.readline().decode()
            if line.startswith("id: "):
                ids.append(int(line[4:]))
        assert ids == [begin + 1, begin + 2, begin + 3]
        stream.close()
    assert time.monotonic() - started < 5


def test_alert__committed_to_event_received__well_under_a_second(server):
    """The part of engine.md's second that is ours: from the commit in the engine's table to the bytes at the client."""
    token, digest, row = new_token("supervisor", None, UnixMs(int(time.time() * 1000)), 10**9)
    server.desk.stores.portal.save_token(digest, row)
    request = urllib.request.Request(server.url("/api/v1/stream"), headers={"Authorization": f"Bearer {token}"})
    with urllib.request.urlopen(request, timeout=15) as stream:
        while not stream.readline().startswith(b"event: heartbeat"):
            pass
        took = []
        for _ in range(5):
            server.desk.alert()
            started = time.monotonic()
            while not stream.readline().startswith(b"event: alert"):
                pass
            took.append(time.monotonic() - started)
    assert sorted(took)[2] < 1.0, took


def test_streams__clients_gone__give_their_seats_back(server):
    token, digest, row = new_token("supervisor", None, UnixMs(int(time.time() * 1000)), 10**9)
    server.desk.stores.portal.save_token(digest, row)
    for _ in range(30):
        request = urllib.request.Request(server.url("/api/v1/stream"), headers={"Authorization": f"Bearer {token}"})
        end = time.monotonic() + 30
        while True:
            try:
                urllib.request.urlopen(request, timeout=15).close()
                break
            except urllib.error.HTTPError as full:
                # A client that left is noticed at the next heartbeat; until then the worker says how long to wait.
                assert full.code == 503 and full.headers["Retry-After"] and time.monotonic() < end
                time.sleep(0.5)
    with urllib.request.urlopen(server.url("/healthz"), timeout=5) as answer:
        assert answer.status == 200
