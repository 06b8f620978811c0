"""Keys in use, and what the sequencer keeps apart from the database."""

from __future__ import annotations

from typing import Any, Protocol

from ledger.model import TreeHead


class Signer(Protocol):
    """A private key in use. Its bytes never leave the adapter."""

    @property
    def spki(self) -> bytes: ...
    @property
    def keyid(self) -> str: ...
    def sign(self, message: bytes) -> bytes: ...


class HeadGuard(Protocol):
    """The last signed head, kept apart from the database (chain.md, restored backups)."""

    def read(self) -> TreeHead | None: ...
    def compare_and_swap(self, expected: TreeHead | None, new: TreeHead) -> None:
        """Durable when it returns; RollbackError when the stored head is not `expected`."""


class ClockPause(Protocol):
    """A jump of the clock that nobody has confirmed; survives a restart."""

    def read(self) -> dict[str, Any] | None: ...
    def write(self, jump: dict[str, Any]) -> None: ...
    def clear(self) -> None:
        """Somebody confirms that the time is right."""
