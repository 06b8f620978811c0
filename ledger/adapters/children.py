"""Programs that run beside us: they end when we do, and listen where nobody else does."""

from __future__ import annotations

import ctypes
import os
import signal
import socket
import sys
from collections.abc import Callable

_PR_SET_PDEATHSIG = 1
"""prctl(2)."""


def die_with_parent(with_signal: signal.Signals) -> Callable[[], None] | None:
    """What a child does between fork and exec: ask the kernel for this signal when the present process ends (Linux only)."""
    if not sys.platform.startswith("linux"):
        return None
    parent = os.getpid()
    # Looked up here: between fork and exec nothing may be imported or locked.
    prctl = ctypes.CDLL(None, use_errno=True).prctl

    def ask() -> None:
        prctl(_PR_SET_PDEATHSIG, with_signal, 0, 0, 0)
        if os.getppid() != parent:  # It ended before the kernel was asked.
            os._exit(1)

    return ask


def free_port(host: str = "127.0.0.1") -> int:
    """A port that nobody listens on at this moment."""
    with socket.socket() as probe:
        probe.bind((host, 0))
        return int(probe.getsockname()[1])
