"""The stores that hold no signed bytes: the portal's access log, which is chained, and the engine's tables, which a fresh
fold of the same log must give again.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from typing import Any

from ledger.audit.report import Report, Row
from ledger.core.dsse import parse_envelope
from ledger.core.record import record_id_of
from ledger.enginehealth import BESIDE
from ledger.errors import VerificationError
from ledger.ports import TableReader

_Row = dict[str, Any]

# The engine's tables that a fold of the log determines entirely, by key. Integer keys sort alike everywhere, so those
# tables are merged as streams; text may not, but those tables grow with books and rules only, and fit in memory.
_STREAMED = {
    "state": ("id",),
    "alert": ("seq",),
    "party": ("seq", "holder"),
    "outbox": ("n",),
    "line": ("index", "line"),
}
_BESIDE = {(name,) for name in BESIDE}
_HELD = {
    "timer": ("id",),
    "stock": ("holder", "site", "book", "key"),
    "stream": ("holder", "site", "book", "key"),
    "health": ("rule",),
    "life": ("alert_id",),
    "step": ("alert_id", "n"),
    "order": ("record_id",),
    "extra": ("key",),
}
_RULESET = "ruleset/"


def access_log(tables: TableReader, report: Report, start: bytes) -> None:
    """Every row of the access log carries the digest of itself on top of the row before; `start` is before row 1."""
    before, expected = start, 1
    for row in tables.rows("portal", "access"):
        report.saw("portal.access")
        name = Row(report, "portal.access", f"n {row['n']}")
        name.compare("n", row["n"], expected)
        text = json.dumps([row[c] for c in ("n", "at_ms", "actor", "action", "target")], separators=(",", ":"))
        name.compare("digest", row["digest"], hashlib.sha256(before + text.encode()).digest())
        # Go on from what is stored: one altered row is not a finding in all that follow.
        before, expected = row["digest"], row["n"] + 1


def engine_tables(tables: TableReader, fresh: TableReader, report: Report) -> None:
    """The engine's tables against those of a fold of the same log from index 0."""
    for table, keys in _STREAMED.items():
        for stored, derived in _merged(tables.rows("engine", table), fresh.rows("engine", table), keys):
            if table == "outbox" and stored is not None and derived is not None and stored["index"] is None:
                _waiting(report, keys, stored, derived)
            else:
                _compare(report, table, keys, stored, derived)
    for table, keys in _HELD.items():
        kept = {
            _key(row, keys): row
            for row in tables.rows("engine", table)
            if table != "health" or _key(row, keys) not in _BESIDE
        }
        for derived in fresh.rows("engine", table):
            if table != "health" or _key(derived, keys) not in _BESIDE:
                _compare(report, table, keys, kept.pop(_key(derived, keys), None), derived)
        for stored in kept.values():
            if table == "extra" and stored["key"].startswith(_RULESET):
                # Kept before it is announced; named by its own digest, so that no other text can pass for it.
                report.notes.append(f"{stored['key'][:24]}… is kept, and not yet in force")
                continue
            _compare(report, table, keys, stored, None)


def snapshot(tables: TableReader, derived: bytes | None, report: Report) -> None:
    """The engine starts from its snapshot, so an altered one would go on quietly. `derived` is the state of a fresh fold
    at the snapshot's cursor; None when there is no snapshot.
    """
    for row in tables.rows("engine", "snapshot"):
        report.saw("engine.snapshot")
        Row(report, "engine.snapshot", f"cursor {row['cursor']}").compare("id", row["id"], 1)
        if row["state"] != derived:
            Row(report, "engine.snapshot", f"cursor {row['cursor']}").differs(
                "state", "is not the state that a fresh fold reaches at this cursor", code="snapshot-differs"
            )


def _waiting(report: Report, keys: tuple[str, ...], stored: _Row, derived: _Row) -> None:
    """A row not noted as sent. The log may have its record all the same (the engine died, or had not got to it when its
    tables were held), and is asked for it; where it has not, the envelope must still carry this very alert.
    """
    envelope = derived["envelope"]
    if not envelope:
        try:
            carries = record_id_of(parse_envelope(stored["envelope"]).payload) == derived["record_id"].hex()
        except VerificationError:
            carries = False
        envelope = stored["envelope"] if carries else b""
    _compare(report, "outbox", keys, stored, {**derived, "index": None, "envelope": envelope})


def _compare(report: Report, table: str, keys: tuple[str, ...], stored: _Row | None, derived: _Row | None) -> None:
    row = stored or derived or {}
    name = Row(
        report,
        f"engine.{table}",
        "/".join(part.hex() if isinstance(part, bytes) else str(part) for part in _key(row, keys)),
        None,
        _index_of(row),
    )
    if stored is not None:
        report.saw(f"engine.{table}")
    if stored is None:
        name.differs("", "a fresh fold gives this row, it is missing", code="row-missing")
    elif derived is None:
        name.differs("", "a fresh fold does not give this row", code="extra-row")
    else:
        for column, value in derived.items():
            name.compare(column, _plain(stored[column]), _plain(value))


def _merged(
    ours: Iterator[_Row], theirs: Iterator[_Row], keys: tuple[str, ...]
) -> Iterator[tuple[_Row | None, _Row | None]]:
    """Two streams in ascending order of key, side by side; None where one has no such row."""
    mine, fresh = next(ours, None), next(theirs, None)
    while mine is not None or fresh is not None:
        if fresh is None or (mine is not None and _key(mine, keys) < _key(fresh, keys)):
            yield mine, None
            mine = next(ours, None)
        elif mine is None or _key(fresh, keys) < _key(mine, keys):
            yield None, fresh
            fresh = next(theirs, None)
        else:
            yield mine, fresh
            mine, fresh = next(ours, None), next(theirs, None)


def _key(row: _Row, keys: tuple[str, ...]) -> tuple[Any, ...]:
    return tuple(row[key] for key in keys)


def _plain(value: Any) -> Any:
    # SQLite has no booleans.
    return int(value) if isinstance(value, bool) else value


def _index_of(row: _Row) -> int | None:
    found = row.get("first_index", row.get("index", row.get("as_of_index")))
    return found if isinstance(found, int) else None
