"""From receipt to warning on the really served program: 500 records a second, and when the alert's row can be read.

Enterprises send at a fixed pace whatever the answers take; one record in EVERY takes more of a substance than was ever there,
which is a warning at once (A01). Looked at is the engine's own table, as every reader sees it. All processes, the clients and
the onlooker share the machine.
"""

from __future__ import annotations

import http.client
import json
import tempfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import urlsplit

from ledger.core.submission import SUBMISSION_TYPE
from ledger.core.times import format_utc
from ledger.model import LeafIndex, UnixMs
from tests import factories
from tests.bench.report import Report, percentile
from tests.kit import Book
from tests.served import NDJSON, Served

PER_S = 500
CLIENTS = 10
LINES = 5
"""Lines a request: a hundred requests a second, as some dozens of sites that upload every few seconds would make."""
EVERY = 25
TARGET_MS = 100
LOOK_EVERY_S = 0.003
WARM_UP_S = 3.0
TIME_TO_COME_S = 60.0


class Onlooker:
    """Reads the engine's table again and again; when each alert was first there, by the entry it was raised at."""

    def __init__(self, served: Served) -> None:
        self._here = served.installation()
        self.seen_s: dict[int, float] = {}
        self.rules: dict[str, int] = {}
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._look)
        self._thread.start()

    def _look(self) -> None:
        engine, after = self._here.stores.engine, 0
        while not self._stop.wait(LOOK_EVERY_S):
            rows = engine.alerts(after_seq=after, limit=1000)
            now = time.time()
            for seq, alert in rows:
                after = seq
                self.rules[alert.rule] = self.rules.get(alert.rule, 0) + 1
                if alert.rule == "A01":
                    self.seen_s.setdefault(int(alert.first_index), now)

    def received_s(self, index: int) -> float:
        """The receipt's own time."""
        return int(self._here.stores.log.records(LeafIndex(index), 1)[0].received) / 1000

    def close(self) -> None:
        self._stop.set()
        self._thread.join()
        self._here.stores.close()


def latency(report: Report, seconds: float = 30.0) -> None:
    """Add the rows; `seconds` of traffic after a warm-up."""
    with tempfile.TemporaryDirectory(prefix="hazledger-bench-") as name, Served(Path(name) / "state", anchor_every_s=5.0) as served:
        books = served.enterprises(CLIENTS)
        for book in books:
            body = factories.body("stocktake", lines=[factories.line(value="1000000")], cut_off=_now(-60))
            status, answer = served.post("/api/v1/records", book.next("stocktake", body=body, event_time=_now(-60)), SUBMISSION_TYPE)
            if status != 201:
                raise AssertionError(answer)
        requests = round((seconds + WARM_UP_S) * PER_S / LINES / CLIENTS)
        with ThreadPoolExecutor(2) as pool:
            work = list(pool.map(lambda n: _signed(books[n], n, requests), range(CLIENTS)))
        onlooker = Onlooker(served)
        try:
            begin_s, warm_s = time.perf_counter() + 0.5, time.time() + 0.5 + WARM_UP_S
            with ThreadPoolExecutor(CLIENTS) as pool:
                sent = list(pool.map(lambda n: _send(served.url, work[n], begin_s + n * LINES / PER_S), range(CLIENTS)))
            took_s = time.perf_counter() - begin_s
            answered = {index: at_s for part in sent for index, at_s in part}
            until_s = time.monotonic() + TIME_TO_COME_S
            while len(onlooker.seen_s) < len(answered) and time.monotonic() < until_s:
                served.service.watch()
                time.sleep(0.05)
            timed = sorted(index for index, at_s in answered.items() if at_s >= warm_s)
            _rows(report, onlooker, answered, timed, CLIENTS * requests * LINES / took_s)
        finally:
            onlooker.close()


def _rows(report: Report, onlooker: Onlooker, answered: dict[int, float], timed: list[int], rate: float) -> None:
    missing = [index for index in answered if index not in onlooker.seen_s]
    if missing:
        raise AssertionError(f"{len(missing)} of {len(answered)} warnings did not come; of all: {onlooker.rules}")
    from_receipt = [(onlooker.seen_s[index] - onlooker.received_s(index)) * 1000 for index in timed]
    from_answer = [(onlooker.seen_s[index] - answered[index]) * 1000 for index in timed]
    report.add("records a second, paced", rate, "records/s", f"asked for {PER_S}; {len(timed)} warnings timed of {sum(onlooker.rules.values())}")
    report.add("receipt to alert row, median", percentile(from_receipt, 0.5), "ms")
    p99 = percentile(from_receipt, 0.99)
    reached = "reached" if p99 <= TARGET_MS else "NOT reached"
    report.add("receipt to alert row, p99", p99, "ms", f"target <= {TARGET_MS}: {reached}; worst {max(from_receipt):,.0f}")
    report.add("answer read to alert row, p99", percentile(from_answer, 0.99), "ms")


def _now(more_s: float = 0.0) -> str:
    return format_utc(UnixMs(round((time.time() + more_s) * 1000)))


def _signed(book: Book, client: int, requests: int) -> list[tuple[bytes, list[int]]]:
    """(body of a request, which of its lines warn). Signed before the pace begins: that is the enterprises' work."""
    made, number = [], 0
    for _ in range(requests):
        lines, warns = [], []
        for at in range(LINES):
            number += 1
            warn = number % EVERY == 0
            line = factories.line(code=_code(client, number), value="5") if warn else factories.line(value="0.5")
            body = factories.body("movement", direction="out", reason="consumption", lines=[line])
            for one in ("counterparty", "consignment", "payment", "transport"):
                body.pop(one, None)
            lines.append(book.next(body=body, event_time=_now()))
            if warn:
                warns.append(at)
        made.append((b"\n".join(lines) + b"\n", warns))
    return made


def _code(client: int, number: int) -> str:
    """A well-formed CAS number that nobody else uses."""
    digits = f"{client + 10}{number:05d}"
    check = sum(int(digit) * weight for weight, digit in enumerate(reversed(digits), 1)) % 10
    return f"{digits[:-2]}-{digits[-2:]}-{check}"


def _send(url: str, work: list[tuple[bytes, list[int]]], begin_s: float) -> list[tuple[int, float]]:
    """(index, when the answer was read) of each record that has to bring a warning. One connection, never ahead of its time."""
    parts, period_s = urlsplit(url), CLIENTS * LINES / PER_S
    connection = http.client.HTTPConnection(parts.hostname, parts.port, timeout=60)
    found = []
    for n, (body, warns) in enumerate(work):
        time.sleep(max(0.0, begin_s + n * period_s - time.perf_counter()))
        while True:
            connection.request("POST", "/api/v1/records:batch", body, {"Content-Type": NDJSON})
            answer = connection.getresponse()
            data = answer.read()
            if answer.status not in (429, 503):
                break
            time.sleep(0.02)
        at_s = time.time()
        results = json.loads(data)["results"]
        if any(result["status"] not in (200, 201) for result in results):
            raise AssertionError(results)
        found += [(results[at]["index"], at_s) for at in warns]
    connection.close()
    return found


if __name__ == "__main__":
    latency(Report())
