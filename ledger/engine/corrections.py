"""Corrected records: as they stood before a correction, and as they stand from it on.

Of a record that was corrected the state keeps which correction is its newest, and nothing of what it says: that is read
from the log again.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from msgspec.structs import replace

from ledger.engine.inputs import Input
from ledger.engine.state import FoldState
from ledger.errors import RuleError
from ledger.model import RecordId

Find = Callable[[RecordId], Input | None]
"""Looks a record up in the log, below the entry that is being folded; None where there is no such record."""
_MAX_CHAIN = 1000
"""Corrections of corrections that are followed; each was appended after the one it names, so there is no cycle."""


class Corrections:
    """Reads and writes `corrected` and `corrected_facts` of one state."""

    def __init__(self, state: FoldState) -> None:
        self._state = state

    def with_before(self, entry: Input, find: Find) -> Input:
        """A correction with `before` set: the record that it corrects, as it stands now. Without one, and of any other kind,
        the entry as it is.
        """
        if entry.kind != "correction":
            return entry
        original = find(RecordId(entry.body["corrects"]))
        for _ in range(_MAX_CHAIN):
            if original is None or original.kind != "correction":
                break
            original = find(RecordId(original.body["corrects"]))
        if original is None:
            return entry
        return replace(entry, before=self.as_it_stands(original, find))

    def as_it_stands(self, original: Input, find: Find) -> Input:
        """A record with the words of its newest correction."""
        newest = self._state.corrected.get(original.record_id)
        correction = find(RecordId(newest)) if newest is not None else None
        if correction is None:
            return original
        return replace(
            original,
            kind=correction.body["kind"],
            body=correction.body["body"],
            facts=self._facts_of(original, correction),
        )

    def _facts_of(self, original: Input, correction: Input) -> dict[str, Any]:
        """The facts of a corrected record as they stand. Those of one corrected once follow from the log."""
        known = self._state.corrected_facts.get(original.record_id)
        return known if known is not None else _facts_after(original.facts, correction.facts)

    def take(self, entry: Input) -> tuple[Input, Input]:
        """(the record as it stood, as it stands from this correction on), which is its newest now.

        The latter has its own record_id, event time and kind, and the correction's index and received time.

        Raises: RuleError: the corrected record is not in the log.
        """
        before, state = entry.before, self._state
        if before is None:
            raise RuleError(f"the corrected record {entry.body['corrects']} is not in the log", code="correction-lost")
        corrected = replace(
            before,
            index=entry.index,
            received_ms=entry.received_ms,
            kind=entry.body["kind"],
            body=entry.body["body"],
            facts=_facts_after(before.facts, entry.facts),
            signers=entry.signers,
            before=before,
            correction_id=entry.record_id,
        )
        again = before.record_id in state.corrected
        state.corrected[before.record_id] = entry.record_id
        if again and corrected.facts:
            state.corrected_facts[before.record_id] = corrected.facts
        return before, corrected


def _facts_after(before: dict[str, Any], now: dict[str, Any]) -> dict[str, Any]:
    """The facts of a corrected record: a person whom the correction does not disclose again is still who it was.

    Else a sale would lose its buyer by having its amount put right.
    """
    if not now:
        return before
    return {part: before.get(part, {}) | now.get(part, {}) for part in {**before, **now}}
