"""One value of one row, altered behind the program's back, and what the audit has to say of it."""

from __future__ import annotations

import json

from ledger.adapters.store.schema import STORES
from tests.faults import tampering
from tests.faults.raw import raw_of


def alter_value(state, store, table, column, case) -> dict:
    where = case.where if case else ""
    if where == "insert":
        raw_of(state).execute(store, f"INSERT INTO \"{table}\" VALUES ('k', '1')")
        return {"key": "k"}
    row = stored_row(state, store, table, where or "middle")
    value = case.value if case is not None and case.value is not None else None
    if value is None:
        declared = str(STORES[store].tables[table].c[column].type).upper()
        value = tampering.altered(row[column], declared)
        if (table, column) == ("entry", "envelope") or (table, column) == ("refused", "envelope"):
            value = other_signature(row[column])
        elif (table, column) == ("entry", "entry"):
            value = other_entry(row[column])
        elif column in ("note", "receipt"):
            value = other_signature_line(row[column])
        elif isinstance(value, int) and table != "facts" and _is_key(store, table, column):
            value = row[column] + tampering.FAR
    rewrite(state, store, table, row, column, value)
    return {**row, "new": value}


def _is_key(store, table, column) -> bool:
    return column in STORES[store].tables[table].primary_key.columns or (table, column) == ("entry", "seq")


def check_found(state, report, place, column, case, before) -> None:
    named = tampering.NAMES[place].format(**{k: shown(v) for k, v in before.items()})
    if case.row == "{altered}":
        named = tampering.NAMES[place].format(**{k: shown(v) for k, v in {**before, column: before["new"]}.items()})
    found = [f for f in report.findings if f.place == place and f.check == case.check and f.code == case.code]
    if case.column is not None:
        found = [f for f in found if f.column == (case.column or column)]
    if case.row is None or case.row == "{altered}":
        found = [f for f in found if f.row == named]
    assert found, f"{place} {named}: " + "; ".join(f.line() for f in report.findings[:12])
    record_id = before.get("record_id")
    if place == "log.entry" and case.row is None and column != "record_id":
        assert record_id.hex() in {f.record_id for f in found}


def stored_row(state, store, table, which) -> dict:
    keys = ", ".join(f'"{c.name}"' for c in STORES[store].tables[table].primary_key.columns)
    names = [c.name for c in STORES[store].tables[table].columns]
    listed = ", ".join(f'"{name}"' for name in names)
    rows = raw_of(state).query(store, f'SELECT {listed} FROM "{table}" ORDER BY {keys}')
    at = {"first": 0, "middle": len(rows) // 2, "last": len(rows) - 1}[which]
    return dict(zip(names, rows[at], strict=True))


def rewrite(state, store, table, row, column, value) -> None:
    keys = [c.name for c in STORES[store].tables[table].primary_key.columns]
    where = " AND ".join(f'"{key}" = ?' for key in keys)
    statement = f'UPDATE "{table}" SET "{column}" = ? WHERE {where}'
    assert raw_of(state).execute(store, statement, (value, *(row[key] for key in keys))) == 1


def other_signature(envelope: bytes) -> bytes:
    document = json.loads(envelope)
    sig = document["signatures"][0]["sig"]
    at = len(sig) // 2
    other = sig[:at] + ("A" if sig[at] != "A" else "B") + sig[at + 1 :]
    return envelope.replace(sig.encode(), other.encode())


def other_entry(entry: bytes) -> bytes:
    """Another letter in the middle of the first signature."""
    lines = entry.split(b"\n")
    at = len(lines[5]) - 40
    lines[5] = lines[5][:at] + (b"A" if lines[5][at : at + 1] != b"A" else b"B") + lines[5][at + 1 :]
    return b"\n".join(lines)


def other_signature_line(note: bytes) -> bytes:
    at = len(note) - 40
    return note[:at] + (b"A" if note[at : at + 1] != b"A" else b"B") + note[at + 1 :]


def shown(value) -> object:
    return value.hex() if isinstance(value, bytes) else value
