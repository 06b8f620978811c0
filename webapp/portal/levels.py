"""Proof levels of a whole page of records, with as few questions as can be.

A record that stands further left in the log is never less proven than one further right: checkpoints and anchors cover
everything below their size. So only the places where the level changes have to be found.
"""

from __future__ import annotations

from collections.abc import Iterable

from ledger.model import LeafIndex, RecordId, StoredRecord
from webapp.context import services


def levels_of(records: Iterable[StoredRecord]) -> dict[RecordId, str]:
    """Level by record_id; two questions where all records of the page have the same one."""
    ordered = sorted(records, key=lambda record: record.index)
    if not ordered:
        return {}
    known: dict[LeafIndex, str] = {}

    def level(place: int) -> str:
        index = ordered[place].index
        if index not in known:
            known[index] = services().level(index)
        return known[index]

    found: dict[RecordId, str] = {}
    spans = [(0, len(ordered) - 1)]
    while spans:
        first, last = spans.pop()
        if level(first) == level(last):
            found.update((record.record_id, level(first)) for record in ordered[first : last + 1])
        else:
            middle = (first + last) // 2
            spans += [(first, middle), (middle + 1, last)]
    return found
