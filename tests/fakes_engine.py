"""A log, an engine store and an appender in memory, with a switch that makes the store die at a chosen commit."""

from __future__ import annotations

import base64
import hashlib
import json
from dataclasses import replace

from ledger.core.times import format_utc
from ledger.engine.inputs import unix_ms
from ledger.errors import ConflictError, OverloadedError
from ledger.model import Appended, AuthenticRecord, LeafIndex, Receipt, RecordId, StoredRecord, TreeSize, UnixMs
from ledger.ports import EngineBatch

ORIGIN = "ledger.test/county"
ISSUER = "platform.test"
KEYID = "a" * 64
T0 = unix_ms("2026-03-02T00:00:00Z")


class Crash(BaseException):
    """The process dies here. No handler of the product may catch it."""


def envelope_of(payload: bytes) -> bytes:
    return json.dumps(
        {
            "payloadType": "application/vnd.hazledger.record.v1+json",
            "payload": base64.b64encode(payload).decode(),
            "signatures": [],
        }
    ).encode()


class FakeLog:
    """LogReader's part that evaluate reads, and a way to write entries without signatures."""

    def __init__(self) -> None:
        self.entries: list[StoredRecord] = []
        self.heads: dict[tuple[str, str, str], tuple[int, str | None]] = {}
        self.facts_rows: dict[int, dict] = {}

    def origin(self) -> str:
        return ORIGIN

    def size(self) -> TreeSize:
        return TreeSize(len(self.entries))

    def records(self, start, limit):
        return self.entries[start : start + limit]

    def facts(self, start, end):
        return {i: row for i, row in self.facts_rows.items() if start <= i < end}

    def search(self, where, *, before, limit):
        found = [e for e in self.entries if e.kind == where.kind and (before is None or e.index < before)]
        return found[::-1][:limit]

    def record_by_id(self, record_id):
        return next((e for e in self.entries if e.record_id == record_id), None)

    def store(self, payload: dict | bytes, received: int, envelope: bytes | None = None) -> StoredRecord:
        raw = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
        document = json.loads(raw)
        holder = document.get("enterprise") or document["issuer"]
        record = StoredRecord(
            index=LeafIndex(len(self.entries)),
            record_id=RecordId(hashlib.sha256(raw).hexdigest()),
            holder=holder,
            site=document["site"],
            book=document["book"],
            seq=document["seq"],
            kind=document["kind"],
            type="application/vnd.hazledger.record.v1+json",
            received=UnixMs(received),
            envelope=envelope or envelope_of(raw),
            entry=b"",
            receipt=b"",
        )
        self.entries.append(record)
        self.heads[holder, record.site, record.book] = (record.seq, record.record_id)
        return record

    def write(self, holder, kind, body, *, at, event=None, site="S1", book="B1", authority=False) -> StoredRecord:
        """One more entry; `at` and `event` are unix ms."""
        seq, prev = self.heads.get((holder, site, book), (0, None))
        payload = {
            "v": 1,
            "log": ORIGIN,
            "kind": kind,
            "issuer" if authority else "enterprise": holder,
            "site": site,
            "book": book,
            "seq": seq + 1,
            "prev": prev,
            "signers": [KEYID],
            "nonce": "A" * 22,
            "event_time": format_utc(UnixMs(event or at)),
            "body": body,
        }
        return self.store(payload, at)


class FakeStore:
    """EngineStore in dicts. `die_at` counts commits: ("before", n) loses commit n, ("after", n) keeps it and dies."""

    def __init__(self) -> None:
        self.cursor_ = LeafIndex(0)
        self.snapshot: tuple[bytes, int] | None = None
        self.book: tuple[int, str | None] = (0, None)
        self.alert_rows: dict[str, object] = {}
        self.outbox: dict[str, list] = {}
        self.timer_rows: dict[str, object] = {}
        self.stock_rows: dict[tuple, object] = {}
        self.stream_rows: dict[tuple, object] = {}
        self.line_rows: dict[tuple, object] = {}
        self.health_rows: dict[str, object] = {}
        self.life_rows: dict[str, object] = {}
        self.step_rows: dict[tuple, object] = {}
        self.order_rows: dict[str, object] = {}
        self.extra_rows: dict[str, object] = {}
        self.commits = 0
        self.die_at: tuple[str, int] | None = None

    def load(self):
        data, at = self.snapshot or (None, 0)
        return self.cursor_, data, LeafIndex(at), *self.book

    def timers(self):
        return sorted(self.timer_rows.values(), key=lambda t: (t.due_ms, t.id))

    def cursor(self):
        return self.cursor_

    def alerts(self, *, after_seq=0, holder=None, rule=None, limit):
        rows = list(enumerate(self.alert_rows.values(), 1))
        return [(n, a) for n, a in rows if n > after_seq and rule in (None, a.rule)][:limit]

    def extra(self):
        return dict(self.extra_rows)

    def health(self):
        return list(self.health_rows.values())

    def commit(self, batch: EngineBatch) -> None:
        self.commits += 1
        if self.die_at == ("before", self.commits):
            raise Crash
        assert batch.cursor >= self.cursor_
        self.cursor_ = batch.cursor
        for alert in batch.alerts:
            self.alert_rows.setdefault(alert.alert_id, alert)
        for row in batch.outbox:
            self.outbox.setdefault(row.id, [row, None])
        if batch.book_seq is not None:
            self.book = (batch.book_seq, batch.book_prev)
        for timer_id in batch.timers_cleared:
            self.timer_rows.pop(timer_id, None)
        for timer in batch.timers_set:
            self.timer_rows[timer.id] = timer
        if batch.whole:
            self.stock_rows.clear()
            self.stream_rows.clear()
        for at in batch.stock_gone:
            self.stock_rows.pop(at, None)
        for row in batch.streams:
            self.stream_rows[row.holder, row.site, row.book, row.key] = row
        for row in batch.stock:
            self.stock_rows[row.holder, row.site, row.book, row.key] = row
        for row in batch.lines:
            self.line_rows.setdefault((row.index, row.line), row)
        for row in batch.lives:
            self.life_rows[row.alert_id] = row
        for row in batch.steps:
            self.step_rows.setdefault((row.alert_id, row.n), row)
        for row in batch.orders:
            self.order_rows[row.record_id] = row
        for row in batch.health:
            self.health_rows[row.rule] = row
        self.extra_rows |= json.loads(json.dumps(batch.extra))
        if batch.snapshot is not None:
            self.snapshot = (batch.snapshot, batch.cursor)
        if self.die_at == ("after", self.commits):
            raise Crash

    def outbox_pending(self, limit):
        return [row for row, index in self.outbox.values() if index is None][:limit]

    def outbox_sent(self, ids):
        for alert_id, index in ids:
            self.outbox[alert_id][1] = index

    def tables(self) -> dict:
        """All that anybody can read, for comparing two runs."""
        return {
            "cursor": self.cursor_,
            "book": self.book,
            "alerts": self.alert_rows,
            "outbox": {k: row for k, (row, _) in self.outbox.items()},
            "timers": self.timer_rows,
            "stock": self.stock_rows,
            "streams": self.stream_rows,
            "lines": self.line_rows,
            "health": self.health_rows,
            "lives": self.life_rows,
            "steps": self.step_rows,
            "orders": self.order_rows,
        }


class FakeAppender:
    """Signs with nothing, appends to the fake log, keeps the rules of a book: a repeat is known, a gap is refused."""

    def __init__(self, log: FakeLog, clock) -> None:
        self.log = log
        self.clock = clock
        self.away = False
        self.refuse_with: Exception | None = None
        self.last_tick = -(10**15)
        self.clock_jump = None

    def status(self):
        return {"clock_jump": self.clock_jump}

    def sign_platform(self, payload: bytes) -> bytes:
        if self.away:
            raise OverloadedError("the sequencer is away")
        return envelope_of(payload)

    def append(self, records):
        return [self._append(record) for record in records]

    def _append(self, record: AuthenticRecord):
        if self.refuse_with is not None:
            return self.refuse_with
        stood = self.log.record_by_id(record.record_id)
        if stood is not None:
            return Appended(Receipt(record.record_id, stood.index, stood.received, b""), repeat=True)
        seq, prev = self.log.heads.get((record.holder, record.site, record.book), (0, None))
        if (record.seq, record.prev) != (seq + 1, prev):
            return ConflictError("does not continue its book", code="fork" if record.seq <= seq else "seq-gap")
        payload = base64.b64decode(json.loads(record.raw)["payload"])
        stored = self.log.store(payload, self.clock(), record.raw)
        return Appended(Receipt(record.record_id, stored.index, stored.received, b""), repeat=False)

    def append_platform(self, kind, book, body):
        stored = self.log.write(ISSUER, kind, body, at=self.clock(), site="platform", book=book, authority=True)
        return Appended(Receipt(stored.record_id, stored.index, stored.received, b""), repeat=False)

    def tick(self, not_before):
        now = self.clock()
        if self.clock_jump is not None:
            return None
        if now < not_before or now - self.last_tick < 60_000:
            return None
        self.last_tick = now
        return self.append_platform("tick", "ticks", {"now": now, "facts": "0" * 64})


def admit(raw: bytes) -> AuthenticRecord:
    payload = base64.b64decode(json.loads(raw)["payload"])
    document = json.loads(payload)
    return AuthenticRecord(
        record_id=RecordId(hashlib.sha256(payload).hexdigest()),
        raw=raw,
        type="application/vnd.hazledger.record.v1+json",
        signatures=(),
        holder=document["issuer"],
        is_authority=True,
        site=document["site"],
        book=document["book"],
        seq=document["seq"],
        prev=document["prev"],
        kind=document["kind"],
        event_time_ms=unix_ms(document["event_time"]),
        body=None,
    )


def copy_log(log: FakeLog) -> FakeLog:
    copy = FakeLog()
    copy.entries, copy.heads, copy.facts_rows = list(log.entries), dict(log.heads), dict(log.facts_rows)
    return copy


__all__ = ["Crash", "FakeAppender", "FakeLog", "FakeStore", "admit", "copy_log", "replace"]
