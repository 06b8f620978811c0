"""Whether the wall clock may be believed: a clock that jumps must not fire deadlines.

The wall clock is compared with one that only ever goes on (it counts while the machine sleeps, and nobody can set it). When
between two looks they differ by more than JUMP_MS, ticks pause. That is durable: a restart does not forget it. It ends when
somebody with the right to the installation confirms that the time is right now (`hazledger clock --confirm`).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ledger.model import UnixMs
from ledger.ports import ClockPause

JUMP_MS = 300_000
"""engine.md: a jump over 5 min pauses ticks."""


class ClockWatch:
    """Looks at both clocks; one in the process that writes ticks."""

    def __init__(
        self,
        pause: ClockPause,
        *,
        clock: Callable[[], UnixMs],
        steady_s: Callable[[], float],
        last_received: UnixMs,
    ) -> None:
        """`last_received`: of the log's newest entry. A clock far behind it was set back while nobody looked."""
        self._pause = pause
        self._clock = clock
        self._steady_s = steady_s
        self._wall, self._steady = clock(), steady_s()
        if self._pause.read() is None and self._wall < last_received - JUMP_MS:
            self._say(last_received, self._wall)

    def jump(self) -> dict[str, Any] | None:
        """The jump that pauses ticks: {before_ms, after_ms}; None when all is well. Looks at the clocks each time."""
        wall, steady = self._clock(), self._steady_s()
        expected = self._wall + round((steady - self._steady) * 1000)
        self._wall, self._steady = wall, steady
        kept = self._pause.read()
        if kept is None and abs(wall - expected) > JUMP_MS:
            return self._say(expected, wall)
        return kept

    def _say(self, before_ms: int, after_ms: int) -> dict[str, Any]:
        jump = {"before_ms": int(before_ms), "after_ms": int(after_ms)}
        self._pause.write(jump)
        return jump
