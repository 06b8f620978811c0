"""Enterprises that push without pause: each re-sends the identical bytes until the answer was read to its end."""

from __future__ import annotations

import http.client
import json
import random
import threading
import time
import urllib.parse
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone

from tests import factories
from tests.kit import Book
from tests.served import NDJSON

_COUNTED = datetime(2026, 3, 3, tzinfo=timezone(timedelta(hours=8)))
SUBMISSION = "application/vnd.hazledger.submission.v1+json"
BOOKS_PER_CLIENT = 6
BETWEEN_S = 200
"""Between two events of one enterprise, as they are told: were all of one hour, or told out of order, nearly each would be an
alert, and the check at the end would fold those."""
# What may be answered to a valid line while processes die: "not now" (and 502-like breaks, which raise).
TRY_AGAIN = {503}


@dataclass
class Acknowledged:
    """What a client holds in its hands: the exact bytes it sent and the receipt it read."""

    envelope: bytes
    record_id: str
    index: int
    receipt: str


@dataclass
class Load:
    """`clients` threads on `url`; `acknowledged` grows, `refused` must stay empty."""

    url: str
    keys: list[Book]
    seed: int
    pause_s: float = 0.05
    acknowledged: list[Acknowledged] = field(default_factory=list)
    refused: list[object] = field(default_factory=list)
    repeats: int = 0
    """Lines whose first answer was lost: the client heard of them only by sending again."""
    unheard: int = 0
    """Requests that broke off or got 503."""

    def __post_init__(self) -> None:
        self._stop = threading.Event()
        self._threads = [
            threading.Thread(target=self._client, args=(n, key), name=f"client-{n}") for n, key in enumerate(self.keys)
        ]
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """Let every client finish what it has begun."""
        self._stop.set()
        for thread in self._threads:
            thread.join(90)
        assert not any(thread.is_alive() for thread in self._threads), "a client never got its answer"

    def _client(self, number: int, key: Book) -> None:
        rng = random.Random(f"{self.seed}/{number}")
        books = [Book(key.key, key.holder, site="S1", book=f"b{n}", origin=key.origin) for n in range(BOOKS_PER_CLIENT)]
        for book in books:
            self._push([book.next("stocktake")], rng)
        shortages = events = 0
        while not self._stop.is_set():
            lines = []
            for _ in range(rng.randint(1, 8)):
                book = rng.choice(books)
                if rng.random() < 0.04:
                    shortages += 1
                    # More goes out than ever was there: a negative stock, an alert of its own.
                    body = _movement("out", rng, _cas(number, shortages))
                else:
                    body = _movement(rng.choice(["in", "out"]), rng)
                events += 1
                lines.append(book.next(body=body, event_time=_after_the_count(events * BETWEEN_S)))
            self._push(lines, rng)
            self._stop.wait(self.pause_s)

    def _push(self, lines: list[bytes], rng: random.Random) -> None:
        if len(lines) == 1 and rng.random() < 0.5:
            path, body, kind = "/api/v1/records", lines[0], SUBMISSION
        else:
            path, body, kind = "/api/v1/records:batch", b"\n".join(lines) + b"\n", NDJSON
        while True:
            results = self._post(path, body, kind)
            if results is not None:
                break
            self.unheard += 1
            time.sleep(rng.uniform(0.02, 0.15))
        for line, result in zip(lines, results, strict=True):
            if result["status"] not in (200, 201):
                self.refused.append(result)
                continue
            self.repeats += result["repeat"]
            self.acknowledged.append(Acknowledged(line, result["record_id"], result["index"], result["receipt"]))

    def _post(self, path: str, body: bytes, kind: str) -> list[dict] | None:
        """One result a line; None when nothing is known and the same bytes must go again."""
        parts = urllib.parse.urlsplit(self.url)
        connection = http.client.HTTPConnection(parts.hostname, parts.port, timeout=40)
        try:
            connection.request("POST", path, body, {"Content-Type": kind})
            answer = connection.getresponse()
            data = answer.read()
        except (OSError, http.client.HTTPException):
            return None
        finally:
            connection.close()
        if answer.status in TRY_AGAIN:
            return None
        document = json.loads(data)
        results = document["results"] if path.endswith(":batch") else [{**document, "status": answer.status}]
        if answer.status not in (200, 201):
            self.refused.append(document)
            return []
        return None if any(result["status"] in TRY_AGAIN for result in results) else results


def send_again(url: str, acknowledged: list[Acknowledged], lines: int = 200) -> list[dict]:
    """Every acknowledged record once more, the identical bytes; the results, in order.

    A web thread may still hold a connection to a sequencer that was killed: its first call says 503, as to any client.
    """
    found = []
    for start in range(0, len(acknowledged), lines):
        body = b"\n".join(a.envelope for a in acknowledged[start : start + lines]) + b"\n"
        until = time.monotonic() + 30
        while (answer := _batch_again(url, body))[0] == 503:
            assert time.monotonic() < until, answer
            time.sleep(0.05)
        assert answer[0] == 200, answer
        found += json.loads(answer[1])["results"]
    return found


def _batch_again(url: str, body: bytes) -> tuple[int, bytes]:
    parts = urllib.parse.urlsplit(url)
    connection = http.client.HTTPConnection(parts.hostname, parts.port, timeout=40)
    try:
        connection.request("POST", "/api/v1/records:batch", body, {"Content-Type": NDJSON})
        answer = connection.getresponse()
        return answer.status, answer.read()
    finally:
        connection.close()


def _movement(direction: str, rng: random.Random, code: str = "7697-37-2") -> dict:
    line = factories.line(code=code, value=f"{rng.randint(1, 900)}.{rng.randint(0, 9)}")
    return factories.body("movement", direction=direction, reason="sale" if direction == "out" else "purchase", lines=[line])


def _cas(client: int, number: int) -> str:
    """A well-formed CAS number that no other client uses."""
    digits = f"{client + 1}{number:05d}"
    check = sum(int(digit) * weight for weight, digit in enumerate(reversed(digits), 1)) % 10
    return f"{digits[:-2]}-{digits[-2:]}-{check}"


def _after_the_count(seconds: int) -> str:
    """A time after the stock-take's cut-off; what happened before it would not move the stock."""
    return (_COUNTED + timedelta(seconds=seconds)).isoformat(timespec="seconds")
