"""Live alerts: one reader thread per worker looks into the engine's table and wakes everybody who listens.

The reader lives only while somebody listens, and is started on first use, so after gunicorn's fork. Its memory is a
short tail of events; who is further behind reads the store once and then joins. An event's id is the engine's stream
sequence: a client that comes back with Last-Event-ID gets everything after it, from any worker.

Heartbeats carry the time of the reader's last successful look. When the store is gone they stop, and the page turns
red, which is the point of them.
"""

from __future__ import annotations

import json
import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from typing import Any

from ledger.errors import LedgerError
from ledger.model import Alert, UnixMs
from webapp.api.problems import HttpError
from webapp.services import Services

HEARTBEAT_S = 5.0
"""portal.md calls a stream stale after 15 s: three heartbeats."""
TAIL_EVENTS = 1000
CATCH_UP_AT_ONCE = 200
BACK_OFF_S = 2.0

_log = logging.getLogger(__name__)


def alert_object(seq: int, alert: Alert) -> dict[str, Any]:
    """An alert as the API and the stream show it. Nothing personal is in it."""
    return {
        "seq": seq,
        "alert_id": alert.alert_id,
        "rule": alert.rule,
        "version": alert.version,
        "severity": alert.severity,
        "band": alert.band,
        "status": alert.status,
        "holder": alert.holder,
        "site": alert.site,
        "concerns": list(alert.extra.get("concerns", ())),
        "fingerprint": list(alert.fingerprint),
        "reason": alert.reason,
        "inputs": alert.inputs,
        "first_index": alert.first_index,
        "last_index": alert.last_index,
        "opened_ms": alert.opened_ms,
        "late": alert.late,
        "record_id": alert.record_id,
    }


def event(kind: str, data: object, event_id: int | None = None) -> bytes:
    """One server-sent event (WHATWG HTML, section 9.2.5); the data is one line of JSON."""
    head = f"id: {event_id}\n" if event_id is not None else ""
    return f"{head}event: {kind}\ndata: {json.dumps(data, ensure_ascii=False)}\n\n".encode()


class AlertHub:
    """Fans one reader's finds out to this worker's streams."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._changed = threading.Condition()
        self._tail: deque[tuple[int, bytes]] = deque(maxlen=TAIL_EVENTS)
        self._seen = 0
        """Everything up to this sequence was read; the tail holds the end of it."""
        self._looked_at: UnixMs | None = None
        self._listeners = 0
        self._reader: threading.Thread | None = None
        self._closed = False

    def listen(self, after: int, alive: Callable[[], bool]) -> Iterator[bytes]:
        """Events after sequence `after`, then live ones, until the client goes or `alive` says no.

        The seat is taken when this is called, not when the iteration begins, so a full worker can still answer 503.

        Raises: HttpError too-many-streams (503), StoreError.
        """
        # A number beyond the newest alert would make everybody wait for it, so it counts as the newest.
        newest = self._services.engine.newest_alerts(limit=1)
        after = min(after, newest[0][0] if newest else 0)
        with self._changed:
            if self._closed or self._listeners >= self._services.max_streams:
                raise HttpError("too-many-streams")
            self._listeners += 1
            if self._reader is None:
                self._seen, self._looked_at = after, None
                self._tail.clear()
                self._reader = threading.Thread(target=self._read, name="alert-reader", daemon=True)
                self._reader.start()
        return _Seat(self._events(after, alive), self._leave)

    def close(self) -> None:
        """End every stream of this worker (graceful shutdown)."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def _leave(self) -> None:
        with self._changed:
            self._listeners -= 1
            self._changed.notify_all()

    def _events(self, after: int, alive: Callable[[], bool]) -> Iterator[bytes]:
        yield b"retry: 2000\n\n"
        position, last_beat, first = after, time.monotonic(), True
        while not self._closed:
            for seq, data in self._after(position):
                yield data
                position = seq
            fresh = self._fresh()
            # The first heartbeat comes as soon as the reader has looked once, so the page says "live" at once.
            if time.monotonic() - last_beat >= HEARTBEAT_S or (first and fresh):
                last_beat, first = time.monotonic(), False
                if not _still(alive):
                    yield event("signed-out", {})
                    return
                # The comment finds out that a client is gone even while there is no heartbeat to send.
                beat = event("heartbeat", {"seq": position, "now": self._services.clock()})
                yield beat if fresh else b": waiting\n\n"
            with self._changed:
                if self._seen <= position and not self._closed and not (first and self._fresh()):
                    self._changed.wait(HEARTBEAT_S / 2)

    def _after(self, position: int) -> list[tuple[int, bytes]]:
        with self._changed:
            # The tail answers only when nothing between `position` and its first event can have been dropped.
            if self._tail and self._tail[0][0] <= position + 1:
                return [item for item in self._tail if item[0] > position]
            if self._seen <= position:
                return []
        return self._from_store(position)

    def _from_store(self, position: int) -> list[tuple[int, bytes]]:
        try:
            rows = self._services.engine.alerts(after_seq=position, limit=CATCH_UP_AT_ONCE)
        except LedgerError as error:
            _log.warning("live alerts: the engine's store does not answer: %s", error.code)
            time.sleep(BACK_OFF_S)
            return []
        return [(seq, event("alert", alert_object(seq, alert), seq)) for seq, alert in rows]

    def _fresh(self) -> bool:
        with self._changed:
            looked = self._looked_at
        return looked is not None and self._services.clock() - looked < HEARTBEAT_S * 1000

    def _read(self) -> None:
        while True:
            with self._changed:
                if self._listeners == 0 or self._closed:
                    self._reader = None
                    return
                position = self._seen
            pause = self._services.poll_ms / 1000
            try:
                rows = self._services.engine.alerts(after_seq=position, limit=CATCH_UP_AT_ONCE)
            except Exception:  # noqa: BLE001
                # The thread must outlive any failure of a look: without it, pages would stay silent for ever. The
                # failure shows: heartbeats stop and every page turns red.
                _log.exception("live alerts: the engine's table could not be read")
                rows, pause = [], BACK_OFF_S
            else:
                self._keep(rows)
            if len(rows) < CATCH_UP_AT_ONCE:
                time.sleep(pause)

    def _keep(self, rows: list[tuple[int, Alert]]) -> None:
        found = [(seq, event("alert", alert_object(seq, alert), seq)) for seq, alert in rows]
        with self._changed:
            first_look = self._looked_at is None
            self._looked_at = self._services.clock()
            if first_look:
                self._changed.notify_all()
            if found:
                self._tail.extend(found)
                self._seen = found[-1][0]
                self._changed.notify_all()


def _still(alive: Callable[[], bool]) -> bool:
    try:
        return alive()
    except LedgerError:
        # Whether the session lives cannot be told just now; the next heartbeat asks again.
        return True


class _Seat(Iterator[bytes]):
    """An iteration whose seat is given back exactly once, also when it was never begun (WSGI calls close)."""

    def __init__(self, events: Iterator[bytes], leave: Callable[[], None]) -> None:
        self._events = events
        self._leave: Callable[[], None] | None = leave

    def __next__(self) -> bytes:
        try:
            return next(self._events)
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        leave, self._leave = self._leave, None
        if leave is not None:
            leave()
