"""From drafts to what a fold reads: numbered inputs, ticks among them when a timer is due."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

from ledger.engine.inputs import Input
from tests.scenario import clock
from tests.scenario.drafts import Draft
from tests.scenario.people import facts_of_persons

TICK_EVERY_MS = 60_000
LATELY_MS = 8 * 86_400_000
PLATFORM = "platform.county"
_SIGNERS = {n: tuple(f"{at:064x}" for at in range(1, n + 1)) for n in range(1, 5)}
"""Names of keys; which ones they are plays no part."""


class Inputs:
    """Numbers drafts. `next_due` asks the fold when it waits for a tick; the platform writes at most one a minute."""

    def __init__(self) -> None:
        self.index = 0
        self.tick_count = 0
        self._last_tick = 0
        self._corrected: dict[str, Input] = {}
        self._lately: dict[str, Draft] = {}
        """Movements of the last days, in the order in which they came: a paper may come for them."""

    def of(self, drafts: Iterable[Draft], next_due: Callable[[], int | None] = lambda: None) -> Iterator[Input]:
        for draft in drafts:
            yield from self.ticks(draft.received_ms, next_due)
            yield self.numbered(draft)

    def ticks(self, until_ms: int, next_due: Callable[[], int | None]) -> Iterator[Input]:
        """The ticks that are due before `until_ms`."""
        while (due := next_due()) is not None and max(due, self._last_tick + TICK_EVERY_MS) <= until_ms:
            yield self.tick(max(due, self._last_tick + TICK_EVERY_MS))

    def tick(self, now_ms: int) -> Input:
        self._last_tick = now_ms
        self.tick_count += 1
        self.index += 1
        return Input(
            index=self.index - 1,
            record_id=f"{self.tick_count:064x}",
            holder=PLATFORM,
            site="hq",
            book="ticks",
            seq=self.tick_count,
            kind="tick",
            event_time="2026-01-01T00:00:00.000Z",
            event_ms=now_ms,
            received_ms=now_ms,
            is_authority=True,
            body={"now": now_ms, "facts": "0" * 64},
        )

    def find(self, record_id: str) -> Input | None:
        """A record that some correction names, a correction, or a movement that is not older than LATELY_MS."""
        draft = self._lately.get(record_id)
        return self._corrected.get(record_id) or (self._input(draft) if draft is not None else None)

    def numbered(self, draft: Draft) -> Input:
        """The next input."""
        draft.index = self.index
        self.index += 1
        made = self._input(draft)
        if draft.before is not None:
            self._corrected.setdefault(draft.before.record_id, self._input(draft.before))
            self._corrected[draft.record_id] = made
        if draft.kind == "movement":
            self._lately[draft.record_id] = draft
            while (oldest := next(iter(self._lately.values()))).received_ms < draft.received_ms - LATELY_MS:
                del self._lately[oldest.record_id]
        return made

    @staticmethod
    def _input(draft: Draft) -> Input:
        more: dict[str, Any] = {}
        if draft.persons:
            day = clock.day_date(clock.day_of(draft.event_ms))
            more["facts"] = facts_of_persons(draft.persons, day.year, day.month, day.day)
        return Input(
            index=draft.index,
            record_id=draft.record_id,
            holder=draft.holder,
            site=draft.site,
            book=draft.book,
            seq=draft.seq,
            kind=draft.kind,
            event_time=clock.local_text(draft.event_ms),
            event_ms=draft.event_ms,
            received_ms=draft.received_ms,
            is_authority=draft.authority,
            body=draft.body,
            signers=_SIGNERS[draft.signers],
            **more,
        )
