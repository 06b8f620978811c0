"""What gunicorn calls (`--config python:webapp.gunicorn_hooks`)."""

from __future__ import annotations

import ctypes
import os
import signal
import sys

_PR_SET_PDEATHSIG = 1


def post_fork(server: object, worker: object) -> None:
    """In each new worker: end it when its master is killed.

    An orphan would go on holding the port until it noticed, so that the next master could not start for ten seconds. It
    holds nothing that is not durable elsewhere, and a client whose answer is cut off sends the same bytes again.
    """
    del server
    if sys.platform.startswith("linux"):
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
        if os.getppid() != getattr(worker, "ppid", os.getppid()):  # it was killed before the kernel was asked
            os._exit(1)
