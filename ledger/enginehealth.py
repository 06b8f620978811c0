"""The engine's health that is not of the fold: whether alerts reach the log, whether it keeps up, and what it waits for.

It stands in the table of the rules' health, beside the rules, under the names BESIDE. It follows from clocks and from what
other processes answer, so the fold's digest and the audit leave it out.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from ledger.model import LeafIndex
from ledger.ports import EngineBatch, EngineStore, RuleHealth

OUTBOX, CLOCK, LAG, COST, PROMOTION = BESIDE = ("OUTBOX", "CLOCK", "LAG", "COST", "PROMOTION")
"""Alerts that the log does not take; ticks that pause; far behind; slow rules; a rule set that is withheld."""
PACE_SECONDS = 1.0
LAG_ENTRIES = 1000
LAG_SECONDS = 60.0
SLOW_US = 1000.0
SLOW_EVALUATIONS = 50
"""LAG and COST: so far behind for so long; a rule whose evaluation takes so long on the mean of so many."""
MAX_ERROR = 500
"""Characters of an error that are kept."""


class EngineHealth:
    """Writes these rows to the store, each when it changes."""

    def __init__(self, store: EngineStore, clock_s: Callable[[], float]) -> None:
        """`clock_s`: seconds of a clock that never goes back."""
        self._store = store
        self._clock_s = clock_s
        self._behind_since_s: float | None = None
        self._looked_s = float("-inf")
        self._noted: dict[str, str] = {row.rule: row.error for row in store.health() if row.rule in BESIDE}

    def error(self, name: str) -> str:
        """What is noted under a name now; "" where all is well."""
        return self._noted.get(name, "")

    def note(self, name: str, error: str, cursor: int) -> None:
        """Say what is wrong ("": nothing); what is told already is not told again. Raises StoreError.

        `cursor`: how far the fold is committed.
        """
        if error == self.error(name):
            return
        self._noted[name] = error
        row = RuleHealth(name, 1, LeafIndex(cursor), "error" if error else "ok", error[:MAX_ERROR], 0, 0)
        self._store.commit(EngineBatch(cursor=LeafIndex(cursor), health=(row,)))

    def look_at_pace(
        self, cursor: int, size: Callable[[], int], costs_us: Callable[[], Mapping[str, tuple[float, int]]]
    ) -> None:
        """Far behind for long, or a rule that is slow: visible, and nothing else changes by it. Looks once in PACE_SECONDS.

        `size`: of the log, in entries. `costs_us`: rule → (mean microseconds an evaluation, evaluations measured). Raises StoreError.
        """
        now_s = self._clock_s()
        if now_s - self._looked_s < PACE_SECONDS:
            return
        self._looked_s = now_s
        lag = int(size()) - cursor
        if lag < LAG_ENTRIES:
            self._behind_since_s = None
        elif self._behind_since_s is None:
            self._behind_since_s = now_s
        if lag == 0 or self._behind_since_s is None:
            self.note(LAG, "", cursor)
        elif now_s - self._behind_since_s >= LAG_SECONDS:
            # Told once, without the number, which changes all the time; `status` has it.
            self.note(LAG, f"more than {LAG_ENTRIES} entries behind for {LAG_SECONDS:.0f} s", cursor)
        slow = [rule for rule, (us, n) in costs_us().items() if us > SLOW_US and n >= SLOW_EVALUATIONS]
        self.note(COST, f"slow rules: {', '.join(sorted(slow))}" if slow else "", cursor)
