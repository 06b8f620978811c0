"""What the alerts' pages read."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from ledger.core.encoding import is_hex_32
from ledger.model import Alert, LeafIndex, RecordId, StoredRecord
from ledger.ports import RecordFilter
from webapp.context import services

PAGE = 50
MAX_ROWS = 200
"""New rows fetched at once by the live list."""
MAX_BEHIND = 50
AROUND = 6


@dataclass(frozen=True, slots=True)
class Page:
    """Rows newest first, (sequence, alert); `next_before` is the cursor of the following page."""

    rows: list[tuple[int, Alert]]
    next_before: int | None


def page_of(severity: str | None, holder: str | None, before: int | None) -> Page:
    rows = services().engine.newest_alerts(before_seq=before, holder=holder, severity=severity, limit=PAGE + 1)
    return Page(_standing(rows[:PAGE]), rows[PAGE - 1][0] if len(rows) > PAGE else None)


def newest_sequence() -> int:
    """Where the live list begins: everything up to here is on the page."""
    rows = services().engine.newest_alerts(limit=1)
    return rows[0][0] if rows else 0


def after(sequence: int, severity: str | None, holder: str | None) -> list[tuple[int, Alert]]:
    """Alerts after a sequence, newest first."""
    rows = services().engine.alerts(after_seq=sequence, holder=holder, limit=MAX_ROWS)
    return _standing([row for row in reversed(rows) if severity in (None, row[1].severity)])


def _standing(rows: list[tuple[int, Alert]]) -> list[tuple[int, Alert]]:
    """The same rows, each with the status at which it stands now."""
    lives = services().engine.lives([alert for _, alert in rows])
    return [
        (seq, replace(alert, status=lives[alert.alert_id].status) if alert.alert_id in lives else alert)
        for seq, alert in rows
    ]


def behind(alert: Alert) -> list[StoredRecord]:
    """The entries behind an alert: those its inputs name, and the first and last of its episode; in log order."""
    ids, indexes = set(), {alert.first_index, alert.last_index}
    for name, value in _walk(alert.inputs):
        if isinstance(value, str) and is_hex_32(value):
            ids.add(RecordId(value))
        elif (
            isinstance(value, int)
            and not isinstance(value, bool)
            and name in {"index", "indexes", "indices", "entries"}
        ):
            indexes.add(LeafIndex(value))
    if is_hex_32(alert.extra.get("record")):
        ids.add(RecordId(alert.extra["record"]))
    found = {r.index: r for r in services().log.records_by_id(sorted(ids)[:MAX_BEHIND]).values()}
    for index in sorted(indexes)[:MAX_BEHIND]:
        record = services().log.record(index) if 0 <= index < services().log.size() else None
        if record is not None:
            found[record.index] = record
    return [found[index] for index in sorted(found)]


def around(alert: Alert) -> list[StoredRecord]:
    """The newest records of the alert's book up to the alert, newest first; empty when it names no book."""
    book = alert.extra.get("book")
    if not isinstance(book, str) or not alert.site:
        return []
    where = RecordFilter(holder=alert.holder, site=alert.site, book=book)
    return services().log.search(where, before=LeafIndex(alert.last_index + 1), limit=AROUND)


def _walk(value: Any, name: str = "") -> Iterator[tuple[str, Any]]:
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from _walk(inner, key)
    elif isinstance(value, list | tuple):
        for inner in value:
            yield from _walk(inner, name)
    else:
        yield name, value
