"""What erasable data says while it is there, kept for ever as facts (engine.md): whether an ID is valid, whether its
bearer is a minor. Never the data itself, nothing from which it could be found again.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from ledger.core.ids import check_resident_id
from ledger.model import Disclosure, UnixMs

ADULT_YEARS = 18
"""Civil Code art. 17. A default of the knife rules too; the law names no age for knives (domain.md)."""


def facts_of(disclosures: Sequence[Disclosure], event_time_ms: UnixMs) -> dict[str, Any] | None:
    """{"ids": {pointer: {"valid": bool, "minor": bool or None}}} of the disclosed ID numbers; None when there are none.

    `minor` is by the birth date inside the number on the day (UTC) of the event, None where the number is not valid.
    """
    ids = {d.name: _fact(d.value, event_time_ms) for d in disclosures if d.name.endswith("/id_number")}
    return {"ids": ids} if ids else None


def _fact(number: str, event_time_ms: UnixMs) -> dict[str, Any]:
    try:
        check_resident_id(number)
    except ValueError:
        return {"valid": False, "minor": None}
    born = (int(number[6:10]) + ADULT_YEARS, int(number[10:12]), int(number[12:14]))
    day = datetime.fromtimestamp(event_time_ms / 1000, UTC)
    return {"valid": True, "minor": (day.year, day.month, day.day) < born}
