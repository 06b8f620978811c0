"""The supervisor at the desk: takes every warning up, and closes it; in the same stream, by the same clock.

What is done depends on what was raised, so its records join the stream while it is folded. Everything is taken up in
time and closed with evidence as no violation, but for what a label says: `confirmed` is closed as a violation, `unproven`
as one without evidence; `sloppy` and `brief` are closed without evidence after one minute and after three.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from heapq import heappop, heappush
from random import Random
from typing import TYPE_CHECKING, Any

from tests.scenario.clock import HOUR, MINUTE
from tests.scenario.drafts import Desk, Draft, evidence
from tests.scenario.labels import Label
from tests.scenario.opening import SUPERVISOR

if TYPE_CHECKING:
    from tests.scenario.world import World

HANDLED = frozenset({"critical", "high", "medium"})
"""Severities that ask for somebody; low and info are read in a digest."""
TAKEN_UP = {"critical": (4, 9), "high": (10, 28), "medium": (60, 400)}
"""Minutes until a warning is taken up: within the shortest deadline that a rule asks for."""
CLOSED_AFTER = {"critical": (2, 20), "high": (2, 20), "medium": (5, 60)}
"""Hours."""
AT_ONCE = {"sloppy": MINUTE, "brief": 3 * MINUTE}
"""Closed without being taken up, so long after it was raised."""


class Supervisor:
    """One desk for the whole jurisdiction."""

    def __init__(self, world: World) -> None:
        self._rng = Random(f"{world.seed}/supervisor")
        self._written: list[Draft] = []
        ids = Random(f"{world.seed}/ids/supervisor")
        self._desk = Desk(SUPERVISOR, "hq", "transitions", ids, self._written.append, authority=True)
        self._todo: list[tuple[int, int, dict[str, Any]]] = []
        self._serial = 0
        self._marked: dict[str, list[Label]] = defaultdict(list)
        self._world = world

    def see(self, raised: Iterable[Any]) -> None:
        """New alerts: put on the desk, to be taken up and closed."""
        for one in raised:
            alert = one.alert
            if alert.severity not in HANDLED or "first_alert" in alert.extra or alert.rule == "RULE-ERROR":
                continue
            outcome = self._outcome(alert)
            if outcome in AT_ONCE:
                self._later(
                    alert.opened_ms + AT_ONCE[outcome], alert.alert_id, "open", "closed", outcome="no_violation"
                )
                continue
            minutes = self._rng.uniform(*TAKEN_UP[alert.severity])
            hours = self._rng.uniform(*CLOSED_AFTER[alert.severity])
            taken = alert.opened_ms + round(minutes * MINUTE)
            self._later(taken, alert.alert_id, "open", "acknowledged")
            found = "violation_confirmed" if outcome in ("confirmed", "unproven") else "no_violation"
            report = evidence(self._rng, "report", "application/pdf")
            proof = {} if outcome == "unproven" else {"evidence": [report]}
            closed = taken + round(hours * HOUR)
            self._later(closed, alert.alert_id, "acknowledged", "closed", outcome=found, **proof)

    def _outcome(self, alert: Any) -> str:
        if not self._marked:
            for label in self._world.labels.listed:
                if label.outcome:
                    self._marked[label.where.get("holder", "")].append(label)
        for label in self._marked.get(alert.holder, ()):
            if label.from_ms <= alert.opened_ms <= label.until_ms and alert.rule in (label.rule, *label.also):
                return label.outcome
        return ""

    def _later(self, ms: int, alert_id: str, was: str, to: str, **more: Any) -> None:
        self._serial += 1
        heappush(self._todo, (ms, self._serial, {"alert": alert_id, "from": was, "to": to} | more))

    def among(self, drafts: Iterable[Draft]) -> Iterator[Draft]:
        """The stream, with what the supervisor writes at its place."""
        for draft in drafts:
            while self._todo and self._todo[0][0] <= draft.received_ms:
                ms, _, body = heappop(self._todo)
                self._desk.write("alert_transition", body, ms, ms)
                yield from self._written
                self._written.clear()
            yield draft
