"""Ingest: NDJSON batches of 500, durable, with receipts; beside bare verification, bare fsync and a plain Flask app."""

from __future__ import annotations

import http.client
import os
import subprocess
import sys
import tempfile
import threading
import time
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from pathlib import Path
from urllib.parse import urlsplit

from ledger.core.keys import PrivateKey, load_public_key
from tests.bench.report import Report, percentile
from tests.kit import Book
from tests.served import NDJSON, Served

BATCH = 500
BOOKS = 8


def _verify_many(arguments: tuple[bytes, bytes, bytes, int]) -> None:
    spki, sig, message, count = arguments
    key = load_public_key(spki)
    for _ in range(count):
        key.verify(sig, message)


def bare_verification(report: Report, seconds: float = 2.0) -> float:
    """P-256 verifications a second over all cores, one thread each, OpenSSL through `cryptography`."""
    key = PrivateKey.generate()
    message = os.urandom(1500)
    sig = key.sign(message)
    started, count = time.perf_counter(), 0
    while time.perf_counter() - started < 0.5:
        key.public.verify(sig, message)
        count += 1
    one = count / (time.perf_counter() - started)
    cores = os.cpu_count() or 1
    share = int(one * seconds)
    with ProcessPoolExecutor(cores) as pool:
        list(pool.map(_verify_many, [(key.spki, sig, message, 10)] * cores))  # processes are up before the clock runs
        started = time.perf_counter()
        list(pool.map(_verify_many, [(key.spki, sig, message, share)] * cores))
        rate = share * cores / (time.perf_counter() - started)
    report.add("bare P-256 verification, one core", one, "/s")
    report.add(f"bare P-256 verification, {cores} cores", rate, "/s")
    return rate


def bare_fsync(report: Report, directory: Path) -> float:
    """Write 4 KiB and fsync, on the same disk."""
    times = []
    with (directory / "fsync").open("wb") as file:
        for _ in range(200):
            started = time.perf_counter()
            file.write(b"\x00" * 4096)
            file.flush()
            os.fsync(file.fileno())
            times.append((time.perf_counter() - started) * 1000)
    report.add("bare fsync of 4 KiB, median", percentile(times, 0.5), "ms")
    return percentile(times, 0.5)


def _signed(book: Book, count: int) -> list[bytes]:
    lines = [book.next("stocktake")] if book.seq == 0 else []
    return lines + [book.next() for _ in range(count - len(lines))]


def batches(books: list[Book], per_book: int) -> list[list[bytes]]:
    """Ready-made request bodies per book: signing is the enterprises' work, not the platform's."""
    with ThreadPoolExecutor(2) as pool:
        signed = list(pool.map(lambda book: _signed(book, per_book), books))
    return [[b"\n".join(lines[at : at + BATCH]) + b"\n" for at in range(0, len(lines), BATCH)] for lines in signed]


def _post_all(url: str, path: str, bodies: list[bytes], done: list[float]) -> int:
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(parts.hostname, parts.port, timeout=60)
    accepted = 0
    for body in bodies:
        while True:
            started = time.perf_counter()
            connection.request("POST", path, body, {"Content-Type": NDJSON})
            answer = connection.getresponse()
            data = answer.read()
            if answer.status in (429, 503):
                time.sleep(0.05)
                continue
            break
        done.append((time.perf_counter() - started) * 1000)
        if answer.status != 200:
            raise AssertionError(f"{answer.status}: {data[:300]!r}")
        accepted += data.count(b'"status":201')
    connection.close()
    return accepted


def push(url: str, path: str, work: list[list[bytes]]) -> tuple[int, float, list[float]]:
    """(accepted, seconds, per-request ms) with one connection per book."""
    times: list[float] = []
    started = time.perf_counter()
    with ThreadPoolExecutor(len(work)) as pool:
        accepted = sum(pool.map(lambda bodies: _post_all(url, path, bodies, times), work))
    return accepted, time.perf_counter() - started, times


def single_posts(served: Served, books: list[Book], report: Report, per_s: int = 200, seconds: float = 8.0) -> None:
    """One record a request at a fixed rate; the time from request to the answer fully read."""
    each = int(per_s * seconds / len(books))
    work = [[book.next() for _ in range(each)] for book in books]
    times: list[float] = []
    parts = urlsplit(served.url)

    def client(n: int) -> None:
        connection = http.client.HTTPConnection(parts.hostname, parts.port, timeout=30)
        period, due = len(books) / per_s, time.perf_counter() + n / per_s
        for envelope in work[n]:
            time.sleep(max(0.0, due - time.perf_counter()))
            begun = due  # from when it was due: a stall is not hidden by the requests that it holds back
            connection.request("POST", "/api/v1/records", envelope, {"Content-Type": "application/json"})
            answer = connection.getresponse()
            answer.read()
            if answer.status != 201:
                raise AssertionError(answer.status)
            times.append((time.perf_counter() - max(begun, 0)) * 1000)
            due += period

    threads = [threading.Thread(target=client, args=(n,)) for n in range(len(books))]
    [t.start() for t in threads]
    [t.join() for t in threads]
    report.add(f"single POST at {per_s}/s, median", percentile(times, 0.5), "ms")
    report.add(f"single POST at {per_s}/s, p99", percentile(times, 0.99), "ms", "target <= 50")


PLAIN_APP = '''
"""The comparison: a plain Flask + SQLAlchemy app that stores the same JSON, with the same fsync and batch, no proofs."""
import json, os
from flask import Flask, request
from sqlalchemy import Column, Integer, MetaData, String, Table, create_engine, event

engine = create_engine("sqlite:///" + os.environ["PLAIN_DB"])
@event.listens_for(engine, "connect")
def _pragmas(connection, _):
    connection.execute("PRAGMA journal_mode=WAL"); connection.execute("PRAGMA synchronous=FULL")
    connection.execute("PRAGMA busy_timeout=30000")
metadata = MetaData()
records = Table("records", metadata, Column("id", Integer, primary_key=True), Column("holder", String), Column("seq", Integer), Column("document", String))
metadata.create_all(engine)
app = Flask(__name__)

@app.post("/plain")
def post():
    import base64
    rows = []
    for line in request.get_data().splitlines():
        document = json.loads(line)
        payload = json.loads(base64.b64decode(document["payload"]))
        rows.append({"holder": payload["enterprise"], "seq": payload["seq"], "document": line.decode()})
    with engine.begin() as connection:
        connection.execute(records.insert(), rows)
    return {"results": [{"status":201} for _ in rows]}
'''


def plain_flask(report: Report, work: list[list[bytes]], directory: Path) -> float:
    """The same bodies to a plain app under the same server and worker settings."""
    from ledger.adapters.children import free_port

    (directory / "plain_app.py").write_text(PLAIN_APP)
    port = free_port()
    process = subprocess.Popen(
        [sys.executable, "-m", "gunicorn", "--chdir", str(directory), "--bind", f"127.0.0.1:{port}", "--worker-class", "gthread", "--workers", "2", "--threads", "16", "--log-level", "error", "plain_app:app"],
        env={**os.environ, "PLAIN_DB": str(directory / "plain.db")},
    )
    try:
        url = f"http://127.0.0.1:{port}"
        for _ in range(100):
            try:
                push(url, "/plain", [[work[0][0]]])
                break
            except OSError:
                time.sleep(0.1)
        accepted, seconds, _ = push(url, "/plain", work)
        del accepted
        rate = sum(body.count(b"\n") for bodies in work for body in bodies) / seconds
    finally:
        process.terminate()
        process.wait()
    report.add("plain Flask + SQLAlchemy, same batches, no proofs", rate, "records/s")
    return rate


def run(report: Report, records: int = 40_000) -> None:
    with tempfile.TemporaryDirectory(prefix="hazledger-bench-") as name:
        directory = Path(name)
        verification = bare_verification(report)
        bare_fsync(report, directory)
        with Served(directory / "state", anchor_every_s=5.0) as served:
            books = served.enterprises(BOOKS)
            warm = batches(books, BATCH)
            push(served.url, "/api/v1/records:batch", warm)
            work = batches(books, records // BOOKS)
            accepted, seconds, times = push(served.url, "/api/v1/records:batch", work)
            rate = accepted / seconds
            report.add(f"ingest, batches of {BATCH}, {accepted} records, durable", rate, "records/s", "target >= 5,000")
            report.add("  batch answered, median", percentile(times, 0.5), "ms")
            report.ratio("ingest / bare verification over all cores", rate, verification, 0.2)
            lag = _engine_lag(served)
            report.add("  engine still to fold when the last batch was answered", lag, "entries")
            plain = plain_flask(report, work, directory)
            report.ratio("ingest / plain app without proofs", rate, plain)
            _wait_engine(served)
            single_posts(served, books, report)


def _engine_lag(served: Served) -> int:
    here = served.installation()
    lag = int(here.stores.log.size()) - int(here.stores.engine.cursor())
    here.stores.close()
    return lag


def _wait_engine(served: Served) -> None:
    served.wait_for(lambda: _engine_lag(served) < 10, 300, "the engine to catch up")


if __name__ == "__main__":
    run(Report(), int(sys.argv[1]) if len(sys.argv) > 1 else 40_000)
