"""Every row and column of every store, as it stands: what the audit and nobody else reads (ports.TableReader)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from sqlalchemy import Column, ColumnElement, Table, and_, func, or_, select

from ledger.adapters.store.anchor_store import AnchorStore
from ledger.adapters.store.database import Database, FrozenDatabase
from ledger.adapters.store.schema import STORES
from ledger.model import StateProof, TreeSize
from ledger.ports.audit import Misfit

_KINDS = {int: "integer", bool: "integer", bytes: "blob", str: "text"}
ROWS_AT_ONCE = 256
"""Envelopes may have 72 KiB each; 18 MiB is what one page of them may take."""


class Tables:
    """Implements ports.TableReader over the four stores of one installation."""

    def __init__(self, databases: dict[str, Database]) -> None:
        self._databases = dict(databases)
        self._frozen: list[FrozenDatabase] = []

    def hold(self, store: str) -> None:
        frozen = self._databases[store].frozen()
        self._frozen.append(frozen)
        self._databases[store] = frozen

    def stored_proof(self, size: TreeSize) -> StateProof | None:
        """AnchorStore.stored_proof, of the moment that is held."""
        return AnchorStore(self._databases["anchor"]).stored_proof(size)

    def close(self) -> None:
        while self._frozen:
            self._frozen.pop().close()

    def misfits(self) -> Iterator[Misfit]:
        for store, database in self._databases.items():
            # PostgreSQL takes nothing else.
            for table in STORES[store].sorted_tables if database.is_sqlite else ():
                wanted = {column.name: _kinds(column) for column in table.columns}
                stands = [func.typeof(column) for column in table.columns]
                wrong = or_(*(kind.not_in(wanted[c.name]) for kind, c in zip(stands, table.columns, strict=True)))
                for row in database.rows(select(*table.primary_key.columns, *stands).where(wrong)):
                    keys, kinds = row[: -len(stands)], row[-len(stands) :]
                    name = "/".join(key.hex() if isinstance(key, bytes) else str(key) for key in keys)
                    for (column, may_be), kind in zip(wanted.items(), kinds, strict=True):
                        if kind not in may_be:
                            yield Misfit(store, table.name, name, column, kind, may_be[0])

    def names(self, store: str) -> list[str]:
        """The tables of a store."""
        return sorted(STORES[store].tables)

    def count(self, store: str, table: str) -> int:
        return int(self._databases[store].scalar(select(func.count()).select_from(STORES[store].tables[table])))

    def rows(
        self, store: str, table: str, *, by: str | None = None, start: Any = None, end: Any = None
    ) -> Iterator[dict[str, Any]]:
        stored = STORES[store].tables[table]
        names = [column.name for column in stored.columns]
        keys = [column.name for column in stored.primary_key.columns]
        order = keys if by is None else [by, *(key for key in keys if key != by)]
        bounds: list[ColumnElement[bool]] = []
        if by is not None and start is not None:
            bounds.append(stored.c[by] >= start)
        if by is not None and end is not None:
            bounds.append(stored.c[by] < end)
        after: tuple[Any, ...] | None = None
        while True:
            conditions = bounds if after is None else [*bounds, _beyond(stored, order, after)]
            statement = (
                select(*stored.c).where(*conditions).order_by(*(stored.c[name] for name in order)).limit(ROWS_AT_ONCE)
            )
            page = [dict(zip(names, row, strict=True)) for row in self._databases[store].rows(statement)]
            yield from page
            if len(page) < ROWS_AT_ONCE:
                return
            after = tuple(page[-1][name] for name in order)


def _kinds(column: Column[Any]) -> tuple[str, ...]:
    """What SQLite's typeof says of a value that belongs there."""
    kind = _KINDS[column.type.python_type]
    return (kind, "null") if column.nullable else (kind,)


def _beyond(table: Table, order: list[str], last: tuple[Any, ...]) -> ColumnElement[bool]:
    """(a, b, …) > last, spelled out: SQLite uses an index for it in this form."""
    return or_(
        *(
            and_(*(table.c[order[i]] == last[i] for i in range(at)), table.c[order[at]] > last[at])
            for at in range(len(order))
        )
    )
