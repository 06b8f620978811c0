"""gunicorn's threaded worker, with an end to its patience: a client that sends slowly, or not at all, holds a thread no longer.

gunicorn's own `--timeout` watches whole workers, not requests: there, some thirty half-sent requests stop the installation
for as long as their sender likes. Here the reading side of such a connection is shut at its deadline, which the request's
code sees as what it is, a connection that was cut (of a batch, the lines that came whole still count). Answers, and the
live streams among them, are not touched: only who does not read for SEND_PATIENCE_S is dropped.
"""

from __future__ import annotations

import contextlib
import socket
import struct
import threading
import time
from typing import Any

from gunicorn.workers.gthread import ThreadWorker  # type: ignore[import-untyped]

HEADERS_WITHIN_S = 5.0
"""From the first byte of a request to the end of its headers."""
BODY_WITHIN_S = 30.0
"""For all of a request; 8 MiB, the largest batch, then need 2.3 Mbit/s."""
SEND_PATIENCE_S = 30


class DeadlineWorker(ThreadWorker):  # type: ignore[misc]  # gunicorn ships no types
    """`--worker-class ledger.cli.webworker.DeadlineWorker`."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._reading: dict[Any, float] = {}
        self._reading_lock = threading.Lock()

    def handle(self, conn: Any) -> Any:
        """One request of a connection, in a thread of the pool."""
        with contextlib.suppress(OSError):
            conn.sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, struct.pack("ll", SEND_PATIENCE_S, 0))
        # The base class waits for the first byte by itself, and gives the thread back when none comes.
        self._due(conn, HEADERS_WITHIN_S + (0.0 if conn.initialized or conn.data_ready else 5.0))
        try:
            return super().handle(conn)
        finally:
            with self._reading_lock:
                self._reading.pop(conn, None)

    def handle_request(self, req: Any, conn: Any) -> Any:
        """The headers are in."""
        self._due(conn, BODY_WITHIN_S)
        return super().handle_request(req, conn)

    def murder_pending(self) -> None:
        """Called by the worker's own loop at least once a second."""
        super().murder_pending()
        now = time.monotonic()
        with self._reading_lock:
            late = [conn for conn, due in self._reading.items() if due <= now]
            for conn in late:
                del self._reading[conn]
        for conn in late:
            with contextlib.suppress(OSError):
                conn.sock.shutdown(socket.SHUT_RD)

    def _due(self, conn: Any, within_s: float) -> None:
        with self._reading_lock:
            self._reading[conn] = time.monotonic() + within_s
