"""The engine's process on a log of the scenario, made to be killed: nothing else is in it than `Opened` and its evaluator.

Its parent looks at `Progress`, kills it with SIGKILL or leaves an order at a fault point, and starts it again.
"""

from __future__ import annotations

import mmap
import struct
import time
from dataclasses import dataclass
from pathlib import Path

from ledger import evaluate, faults
from ledger.catalogue import Catalogue
from ledger.rulesets import present_engine, shipped_rules
from tests.engine.rulekit import rule_text
from tests.scenario.stored import Opened

LOUD = rule_text("X-LOUD", bands=('direction == "out"',), quiet="30m", severity="medium")
"""A week of the scenario has few warnings by the shipped rules; this one makes them many."""
RULES = shipped_rules({"x-loud.yml": LOUD})
CLASSIFIER = Catalogue.load()
present_engine()  # once for all that are forked: the sources may be edited under a long run
PATIENCE_S = 0.1


@dataclass(frozen=True, slots=True)
class Life:
    """How one process works; where batches end and when snapshots are taken changes no table."""

    catch_up_from: int
    """Fewer entries behind than this it commits every 50 entries or 20 ms, else every 1,000."""
    snapshot_entries: int
    to_die_at: int | None = None
    """From this cursor on it is to be killed: it gives a parent that is short of time a chance."""


class Progress:
    """The engine's cursor, seen from outside the process: 0 until it has recovered."""

    def __init__(self, path: Path) -> None:
        if not path.exists():
            path.write_bytes(bytes(8))
        with path.open("r+b") as file:
            self._map = mmap.mmap(file.fileno(), 8)

    def say(self, cursor: int) -> None:
        self._map[:] = struct.pack("<q", cursor)

    def cursor(self) -> int:
        return int(struct.unpack("<q", self._map[:])[0])


def run(state: Path, orders: Path, life: Life) -> None:
    """Fold and send until nothing is left to do. Returns then; whoever is killed does not."""
    evaluate.CATCH_UP_FROM, evaluate.SNAPSHOT_ENTRIES = life.catch_up_from, life.snapshot_entries
    faults.arm(orders)
    progress = Progress(state / "progress")
    here, arrived = Opened(state), None
    with here.stores.exclusive("engine"):
        engine = here.evaluator(RULES, CLASSIFIER)
        engine.recover()
        progress.say(max(int(engine.status()["cursor"]), 1))
        while engine.evaluate_once() or engine.status()["lag"] or here.stores.engine.outbox_pending(1):
            cursor = int(engine.status()["cursor"])
            progress.say(cursor)
            if life.to_die_at is not None and cursor > life.to_die_at:
                arrived = arrived or time.monotonic()
                if time.monotonic() - arrived > PATIENCE_S:
                    time.sleep(PATIENCE_S)
    here.close()
