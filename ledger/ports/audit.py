"""Every store's tables as they stand, for the audit."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Protocol


@dataclass(frozen=True, slots=True)
class Misfit:
    """A value that is not of its column's type. `row` is the primary key, parts joined by slashes."""

    store: str
    table: str
    row: str
    column: str
    holds: str
    wants: str


class TableReader(Protocol):
    """Every row and column of every store as it stands, in constant memory. For the audit only: nothing is interpreted."""

    def hold(self, store: str) -> None:
        """From now on this store's rows are those of this moment, whatever is written meanwhile."""

    def misfits(self) -> Iterator[Misfit]:
        """Values of another type than their column's: SQLite keeps whatever it is given."""

    def names(self, store: str) -> list[str]: ...
    def count(self, store: str, table: str) -> int: ...
    def rows(
        self, store: str, table: str, *, by: str | None = None, start: Any = None, end: Any = None
    ) -> Iterator[dict[str, Any]]:
        """Rows by column name, in the order of the primary key; with `by`, those with start <= by < end, in its order."""
