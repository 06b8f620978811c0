"""Named places at the boundaries between stages where a test can have the process killed; nothing at all elsewhere.

`fault("append.after-commit")` does nothing until `arm` was given a directory, which `ledger.config` takes from the
environment (HAZLEDGER_FAULTS) for the fault tests only. Then a file of that name in the directory is an order: the
process that passes the place for the n-th time since the order was given removes the file and kills itself with
SIGKILL. So each order kills once, and a run can be given a new one while it goes on.
"""

from __future__ import annotations

import os
import signal
from pathlib import Path

POINTS = {
    "append.before-commit": "sequencer: a group commit is drafted, nothing is in the database",
    "append.committing": "sequencer: every row is written, the transaction is still open",
    "append.after-commit": "sequencer: durable, no caller was told",
    "append.before-answer": "sequencer: the answer is packed, its first byte has not left",
    "checkpoint.before-guard": "sequencer: the root was computed twice, nothing is kept",
    "checkpoint.after-guard": "sequencer: the guard holds the head, no note is stored",
    "checkpoint.after-save": "sequencer: the signed note is stored",
    "tick.after-append": "sequencer: a tick is in the log, the engine was not told",
    "submit.after-append": "web: the sequencer has answered, the client has heard nothing",
    "engine.before-commit": "engine: a micro-batch is folded and its alerts are signed",
    "engine.after-commit": "engine: alerts and outbox are durable, none was sent",
    "engine.after-delivery": "engine: the log has the alerts, the outbox does not say so",
    "grants.before-append": "anchor: a final grant was read, the log does not carry it",
    "grants.after-append": "anchor: the log carries it",
    "chain.before-send": "anchor: the transaction is in the journal, it was not sent",
    "chain.after-send": "anchor: the transaction is in the pool, no block was mined",
    "chain.after-mine": "anchor: the block is mined, nobody waits for it any more",
    "chain.replaying": "anchor: a transaction of the journal was sent again, its block is not mined",
    "anchor.after-final": "anchor: the root is in a final block, the anchor is not stored",
    "anchor.reorged": "anchor: anchors in blocks that are gone were dropped, those that stand elsewhere not yet kept",
    "anchor.after-save": "anchor: anchor and proof are stored",
}

_directory: Path | None = None
_passed: dict[tuple[str, int], int] = {}


def arm(directory: Path | None) -> None:
    """Obey the orders in `directory` from now on; None, the default, is never to look for any."""
    global _directory  # noqa: PLW0603 - one process, set once at its start
    _directory = directory


def fault(point: str) -> None:
    """Die here if a test has ordered it. `point` is a key of POINTS."""
    if _directory is not None:
        _obey(_directory / point)


def _obey(order: Path) -> None:
    try:
        written = (order.name, order.stat().st_mtime_ns)
        at = int(order.read_text())
        _passed[written] = _passed.get(written, 0) + 1
        if _passed[written] < at:
            return
        order.unlink()  # whoever removes it obeys it: of two workers that pass at once only one dies
    except (FileNotFoundError, ValueError):
        return
    os.kill(os.getpid(), signal.SIGKILL)
