"""Every store's tables as they stand, for the audit."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Protocol


class TableReader(Protocol):
    """Every row and column of every store as it stands, in constant memory. For the audit only: nothing is interpreted."""

    def hold(self, store: str) -> None:
        """From now on this store's rows are those of this moment, whatever is written meanwhile."""

    def names(self, store: str) -> list[str]: ...
    def count(self, store: str, table: str) -> int: ...
    def rows(
        self, store: str, table: str, *, by: str | None = None, start: Any = None, end: Any = None
    ) -> Iterator[dict[str, Any]]:
        """Rows by column name, in the order of the primary key; with `by`, those with start <= by < end, in its order."""
