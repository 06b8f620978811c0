"""The engine's process on a log of the scenario, made to be killed: nothing else is in it than `Opened` and its evaluator.

Its parent looks at `Progress`, kills it with SIGKILL or leaves an order at a fault point, and starts it again.
"""

from __future__ import annotations

import mmap
import struct
from dataclasses import dataclass
from pathlib import Path

from ledger import evaluate, faults
from ledger.catalogue import Catalogue
from ledger.evaluate import shipped_rules
from tests.engine.rulekit import rule_text
from tests.scenario.stored import Opened

LOUD = rule_text("X-LOUD", bands=('direction == "out"',), quiet="30m", severity="medium")
"""A week of the scenario has few warnings by the shipped rules; this one makes them many."""
RULES = shipped_rules({"x-loud.yml": LOUD})
CLASSIFIER = Catalogue.load()


@dataclass(frozen=True, slots=True)
class Life:
    """How one process works; where batches end and when snapshots are taken changes no table."""

    catch_up_from: int
    """Fewer entries behind than this it commits every 50 entries or 20 ms, else every 1,000."""
    snapshot_entries: int


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
    here = Opened(state)
    with here.stores.exclusive("engine"):
        engine = here.evaluator(RULES, CLASSIFIER)
        engine.recover()
        while engine.evaluate_once() or engine.status()["lag"] or here.stores.engine.outbox_pending(1):
            progress.say(int(engine.status()["cursor"]))
    here.close()
