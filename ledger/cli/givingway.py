"""The engine gives way to what comes in: where the machine is full, records are made durable first, warnings follow.

A lower priority alone does not do that: at nice 5 the engine still takes a third of a processor from those who verify and
write, and a scheduling class below all others (SCHED_IDLE) would starve it, with no way back for a process that is not
root's. So between two turns it stands aside of its own will, under three conditions, each of which ends it: it is far
behind, nobody's processor is free, and its patience lasts. On a machine with room, and at every load at which warnings come
within a second, it never waits.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path

from ledger.evaluate import LAG_ENTRIES

PATIENCE_S = 5.0
"""In all, from the moment it falls far behind until it has caught up: so much later a flood's first warning may come. A
flood that lasts longer is then shared with, at nice 5, for as long as it lasts."""
LOOK_EVERY_S = 0.01
LOOKS = 5
"""The mean of so many: one look alone often falls into a moment in which the others wait for the disk."""

_LOADAVG = Path("/proc/loadavg")


class GivingWay:
    """Called between two turns with how many entries are still to fold."""

    def __init__(
        self,
        pause: Callable[[float], bool],
        *,
        running: Callable[[], int | None] | None = None,
        processors: int | None = None,
        clock_s: Callable[[], float] = time.monotonic,
    ) -> None:
        """`pause` waits so many seconds, or returns True at once when the engine is to stop (`threading.Event.wait`).

        `running` is how many other threads of the machine want a processor now, None where that is not known.
        """
        self._pause = pause
        self._running = running or others_running
        self._processors = processors or _processors()
        self._clock_s = clock_s
        self._since_s: float | None = None

    def __call__(self, behind: int) -> None:
        """Returns when the next turn may begin."""
        if behind <= LAG_ENTRIES:
            self._since_s = None
            return
        if self._since_s is None:
            self._since_s = self._clock_s()
        while self._clock_s() - self._since_s < PATIENCE_S:
            wanted = 0
            for _ in range(LOOKS):
                running = None if self._pause(LOOK_EVERY_S) else self._running()
                if running is None:
                    return
                wanted += running
            if wanted < self._processors * LOOKS:
                return


def others_running(path: Path = _LOADAVG) -> int | None:
    """Threads of this machine that run or wait for a processor, without the caller's; None where the kernel does not say.

    Source: proc_loadavg(5), the fourth field.
    """
    try:
        return max(int(path.read_text().split()[3].partition("/")[0]) - 1, 0)
    except (OSError, ValueError, IndexError):
        return None


def _processors() -> int:
    """Those that this process may use."""
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:  # not on Linux
        return os.cpu_count() or 1
