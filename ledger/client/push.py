"""Sending what waits in the spool: in batches, the same bytes again until they are answered, each receipt checked.

Nothing here signs. A book whose record the log refuses stops there, and the others go on; a person decides what next.
"""

from __future__ import annotations

import json
import random
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

from ledger.client.book import Head
from ledger.client.http import Answer, AnswerError, Client, UnreachableError, printable
from ledger.client.receipts import ReceiptChecker
from ledger.client.spool import BookPlace, Spool, Spooled
from ledger.core.submission import SUBMISSION_TYPE
from ledger.errors import LedgerError
from ledger.model import RecordId

NDJSON = "application/x-ndjson"
MAX_BATCH_LINES = 1000
MAX_BATCH_BYTES = 8 * 1024 * 1024
"""portal.md, POST /api/v1/records:batch."""
FIRST_WAIT_S = 0.5
LONGEST_WAIT_S = 30.0
LONGEST_RETRY_AFTER_S = 300.0
"""An hour in Retry-After would be a mistake, or an attack; five minutes is as long as one attempt waits."""
PROBLEM_TYPES = "urn:hazledger:"
AFTER_REFUSED_LINE = "after-refused-line"
_AGAIN = frozenset({429, 500, 502, 503, 504})
_AGAIN_CODES = frozenset({"not-yet-granted"})


@dataclass(frozen=True, slots=True)
class Refused:
    """A record that the log did not take. It waits in the queue, and its book with it."""

    spooled: Spooled
    status: int
    code: str
    detail: str
    pointer: str
    expected: Head | None
    """Of a 409: where the log says the book stands, so what the next record would have to continue."""
    advice: str
    """What a person can do now."""


@dataclass(slots=True)
class Pushed:
    """What one run did."""

    accepted: int = 0
    repeats: int = 0
    findings: list[tuple[Spooled, dict[str, Any]]] = field(default_factory=list)
    """What the law says of accepted records: {code, severity, pointer, detail {zh, en}}."""
    refused: list[Refused] = field(default_factory=list)
    waiting: int = 0
    """Records still in the queue, refused ones and those behind them included."""


@dataclass(slots=True)
class Pusher:
    """Sends a spool to one platform. `give_up_s` bounds how long nothing may be answered; `sleep` and so on are for tests."""

    spool: Spool
    client: Client
    checker: ReceiptChecker
    give_up_s: float = 120.0
    sleep: Callable[[float], None] = time.sleep
    monotonic: Callable[[], float] = time.monotonic
    random: Callable[[], float] = random.random
    say: Callable[[str], None] = lambda _: None

    def push(self, progress: Callable[[int], None] = lambda _: None) -> Pushed:
        """Send everything that waits; `progress` is called with the number of lines answered so far.

        Raises:
            UnreachableError: nothing answered for `give_up_s`; what was answered is kept, the rest still waits.
            VerificationError: a receipt is not what this client's envelope makes; it was not kept.
            AnswerError: what answered is no such platform.
        """
        done = Pushed()
        stopped: set[BookPlace] = set()
        answered = 0
        deadline = self.monotonic() + self.give_up_s
        while batch := next(batches(s for s in self.spool.waiting() if s.place not in stopped), None):
            rows = self._send(batch)
            again = [s for s, row in zip(batch, rows, strict=True) if self._take(s, row, done, stopped)]
            answered += len(batch) - len(again)
            progress(answered)
            if len(again) < len(batch):
                deadline = self.monotonic() + self.give_up_s
                continue
            if self.monotonic() > deadline:
                raise UnreachableError(
                    f"{self.client.url} could not take anything for {self.give_up_s:.0f} s; run again later"
                )
            self.sleep(LONGEST_WAIT_S / 10 * (0.5 + self.random()))
        done.waiting = sum(1 for _ in self.spool.waiting())
        return done

    def _send(self, batch: list[Spooled]) -> list[dict[str, Any]]:
        """One row for each line, with `status`. The same bytes are sent until somebody answers."""
        if len(batch) == 1:
            answer = self._until_answered("/api/v1/records", batch[0].submission(), SUBMISSION_TYPE)
            row = {**answer.json(), "status": answer.status}
            if answer.status not in (200, 201) and not str(row.get("type", "")).startswith(PROBLEM_TYPES):
                raise AnswerError(f"HTTP {answer.status}: {_summary(answer)}; is the URL right?")
            if answer.status in (404, 405):
                raise AnswerError(f"HTTP {answer.status}: this address takes no records; is the URL right?")
            return [row]
        body = b"".join(spooled.submission() + b"\n" for spooled in batch)
        answer = self._until_answered("/api/v1/records:batch", body, NDJSON)
        rows = answer.json().get("results")
        if answer.status != 200 or not isinstance(rows, list) or len(rows) != len(batch):
            raise AnswerError(f"the batch was answered with HTTP {answer.status}: {_summary(answer)}")
        if not all(isinstance(row, dict) and isinstance(row.get("status"), int) for row in rows):
            raise AnswerError("a line of the batch was answered without a status")
        return rows

    def _until_answered(self, path: str, body: bytes, media_type: str) -> Answer:
        deadline = self.monotonic() + self.give_up_s
        wait_s = FIRST_WAIT_S
        while True:
            pause_s = 0.0
            try:
                answer = self.client.request("POST", path, body, {"Content-Type": media_type})
            except UnreachableError as error:
                failure: LedgerError = error
            else:
                if answer.status not in _AGAIN:
                    return answer
                pause_s = retry_after_s(answer.headers.get("retry-after", ""))
                failure = UnreachableError(f"{self.client.url} answers HTTP {answer.status}: {_summary(answer)}")
            # Jitter, so that a hundred clients do not come back in the same instant; never sooner than was asked.
            pause_s = max(pause_s, wait_s * (0.5 + self.random() / 2))
            if self.monotonic() + pause_s > deadline:
                raise failure
            self.say(f"{failure.detail}; again in {pause_s:.1f} s")
            self.sleep(pause_s)
            wait_s = min(wait_s * 2, LONGEST_WAIT_S)

    def _take(self, spooled: Spooled, row: dict[str, Any], done: Pushed, stopped: set[BookPlace]) -> bool:
        """Act on one line's answer; True when it is to be sent again."""
        status = row["status"]
        if status in (200, 201):
            note = str(row.get("receipt", "")).encode()
            self.checker.check(spooled.submission(), note)
            self.spool.store_receipt(spooled, note)
            done.accepted += 1
            done.repeats += status == 200
            found = row.get("findings")
            done.findings += [(spooled, f) for f in found if isinstance(f, dict)] if isinstance(found, list) else []
            return False
        code = str(row.get("type", "")).rpartition(":")[2]
        if status in _AGAIN or code in _AGAIN_CODES:
            return True
        if code == AFTER_REFUSED_LINE and (spooled.place in stopped or _waits_behind(spooled, done)):
            return False
        self.spool.keep_problem(spooled, _as_kept(row))
        done.refused.append(_refused(spooled, status, code, row))
        stopped.add(spooled.place)
        return False


def batches(waiting: Iterable[Spooled]) -> Iterator[list[Spooled]]:
    """Cut into batches of at most 1,000 lines and 8 MiB, in order."""
    batch: list[Spooled] = []
    size = 0
    for spooled in waiting:
        length = spooled.path.stat().st_size + 1
        if batch and (len(batch) == MAX_BATCH_LINES or size + length > MAX_BATCH_BYTES):
            yield batch
            batch, size = [], 0
        batch.append(spooled)
        size += length
    if batch:
        yield batch


def retry_after_s(value: str, now: datetime | None = None) -> float:
    """Seconds that a Retry-After header asks for (RFC 9110 10.2.3: seconds or a date), bounded; 0 for anything else."""
    if value.isascii() and value.isdigit():
        return min(float(value), LONGEST_RETRY_AFTER_S)
    try:
        at = parsedate_to_datetime(value)
    except ValueError:
        return 0.0
    if at.tzinfo is None:
        at = at.replace(tzinfo=UTC)
    return min(max((at - (now or datetime.now(UTC))).total_seconds(), 0.0), LONGEST_RETRY_AFTER_S)


def ask_head(client: Client, place: BookPlace, token: str) -> tuple[Head, bool]:
    """Where the log says a book stands, and whether it is final.

    Raises: UnreachableError; AnswerError with what the platform said (a wrong token, another holder's book).
    """
    holder, site, book = place
    answer = client.request(
        "GET", f"/api/v1/books/{holder}/{site}/{book}/head", headers={"Authorization": f"Bearer {token}"}
    )
    if answer.status != 200:
        raise AnswerError(f"HTTP {answer.status}: {_summary(answer)}")
    document = answer.json()
    seq, record_id = document.get("seq"), document.get("record_id")
    if not isinstance(seq, int) or not (record_id is None if seq == 0 else isinstance(record_id, str)):
        raise AnswerError("the answer is no book's head")
    return Head(seq, RecordId(record_id) if record_id else None), bool(document.get("closed"))


def _as_kept(row: dict[str, Any]) -> bytes:
    """JSON; of a lone surrogate, which no UTF-8 can hold, its escape."""
    return json.dumps(row, ensure_ascii=False, indent=1).encode(errors="backslashreplace")


def _waits_behind(spooled: Spooled, done: Pushed) -> bool:
    return any(refused.spooled.place == spooled.place for refused in done.refused)


def _refused(spooled: Spooled, status: int, code: str, row: dict[str, Any]) -> Refused:
    expected = None
    if isinstance(row.get("expected_seq"), int):
        expected = Head(row["expected_seq"] - 1, row.get("expected_prev"))
    detail = str(row.get("note") or row.get("detail") or row.get("title") or "")
    return Refused(
        spooled=spooled,
        status=status,
        code=printable(code),
        detail=printable(detail),
        pointer=printable(str(row.get("pointer", ""))),
        expected=expected,
        advice=_advice(spooled, status, code, expected),
    )


def _advice(spooled: Spooled, status: int, code: str, expected: Head | None) -> str:
    _, site, book = spooled.place
    if status == 409 and code in ("fork", "seq-gap", "prev-mismatch"):
        stands = f"the log has {site}/{book} at seq {expected.seq}" if expected else f"ask where {site}/{book} stands"
        return (
            f"{stands}. Compare with `hazledger head`. If another program also writes this book, stop one of them: a book "
            "has one writer. Then `hazledger push --set-aside --token-file …` takes what waits out of the queue and begins at "
            "the log's head; give the files that it names to `hazledger push --key …` to sign them again there"
        )
    if status == 409 and code == "book-closed":
        return "the book is final; open a new one whose first stock-take `continues` it"
    if status == 401:
        return (
            "if the authority has enrolled this key, wait until the grant is final on the chain; if not, have it enrolled: "
            "`hazledger key show FILE` prints what that needs. Then push again"
        )
    if status == 403:
        return (
            "ask the authority for a grant for this holder, book and kind; if it was just made, wait until it is final on the "
            "chain. Then push again"
        )
    return (
        "mend the source; `hazledger push --set-aside` frees the seq. Then enter it again, and give the other files that it "
        "names to `hazledger push --key …` to sign them again"
    )


def _summary(answer: Answer) -> str:
    try:
        document = answer.json()
        said = str(document.get("note") or document.get("detail") or document.get("title"))[:300]
    except AnswerError:
        said = answer.body[:100].decode("utf-8", "replace")
    return printable(said)
