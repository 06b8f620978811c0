"""Timers of the fold: set, put off, cleared, and taken when they are due, in the order (due, id).

They are kept in the state and in a table, so that a restart loses none; ticks alone fire them.
"""

from __future__ import annotations

from heapq import heapify, heappop, heappush

from ledger.engine.state import Timer
from ledger.model import UnixMs


class Timers:
    """Works on the state's timers. Changes go to what is to be committed: id → Timer, or None where it was cleared."""

    def __init__(self, timers: dict[str, Timer]) -> None:
        self._timers = timers
        self._queued = {timer_id: timer.due_ms for timer_id, timer in timers.items()}
        """When each timer is looked at: when it is due, or before. What is put off by every movement is queued once all the same."""
        self._heap = [(due_ms, timer_id) for timer_id, due_ms in self._queued.items()]
        heapify(self._heap)

    def put(self, rule: str, name: str, due_ms: int | None, to: dict[str, Timer | None]) -> None:
        """Set the timer of a rule's fingerprint (of a life: its episode), or clear it (None)."""
        timer_id = f"{rule}\x1f{name}"
        before = self._timers.get(timer_id)
        if due_ms is None:
            if before is not None:
                del self._timers[timer_id]
                to[timer_id] = None
        elif before is None:
            self._timers[timer_id] = to[timer_id] = Timer(due_ms, rule, name)
            self._queue(due_ms, timer_id)
        elif before.due_ms != due_ms:
            if due_ms < before.due_ms:  # put off, it is looked at when it was due before
                self._queue(due_ms, timer_id)
            before.due_ms = due_ms
            to[timer_id] = before

    def _queue(self, due_ms: int, timer_id: str) -> None:
        queued_ms = self._queued.get(timer_id)
        if queued_ms is None or due_ms < queued_ms:
            self._queued[timer_id] = due_ms
            heappush(self._heap, (due_ms, timer_id))

    def next_due(self) -> UnixMs | None:
        """When the next timer is due; None when none is set."""
        while self._heap:
            due_ms, timer_id = self._heap[0]
            timer = self._timers.get(timer_id)
            if timer is not None and timer.due_ms == due_ms:
                return UnixMs(due_ms)
            heappop(self._heap)
            if self._queued.get(timer_id) == due_ms:
                del self._queued[timer_id]
                if timer is not None:
                    self._queue(timer.due_ms, timer_id)
        return None

    def take_due(self, now_ms: int, to: dict[str, Timer | None]) -> Timer | None:
        """Take the first timer that is due, and no longer set then; None when there is none."""
        due_ms = self.next_due()
        if due_ms is None or due_ms > now_ms:
            return None
        _, timer_id = heappop(self._heap)
        self._queued.pop(timer_id, None)
        to[timer_id] = None
        return self._timers.pop(timer_id)
