"""One holder at a time of a process's role, over processes and, on PostgreSQL, over machines."""

from __future__ import annotations

import fcntl
import hashlib
import os
from pathlib import Path
from types import TracebackType

from sqlalchemy import Connection, Engine, text
from sqlalchemy.exc import SQLAlchemyError

from ledger.adapters.store.database import translated


class ExclusiveLock:
    """flock on `<state_dir>/locks/<name>.lock` and, when `engine` is given, a PostgreSQL advisory lock as well.

    Both vanish with the process, whatever ends it. The advisory lock lives as long as its own connection: a holder
    that goes on for long asks `still_held` before it relies on the lock again.
    """

    def __init__(self, name: str, state_dir: Path, engine: Engine | None = None) -> None:
        self._name = name
        self._path = state_dir / "locks" / f"{name}.lock"
        self._engine = engine
        self._fd: int | None = None
        self._connection: Connection | None = None

    def __enter__(self) -> None:
        self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        fd = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(fd, fcntl.LOCK_EX)
            if self._engine is not None:
                self._connection = self._advisory(self._engine)
        except BaseException:
            os.close(fd)
            raise
        self._fd = fd

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        connection, self._connection = self._connection, None
        fd, self._fd = self._fd, None
        if connection is not None:
            # Closing the session releases the lock, also when the statement to do so could no longer be sent.
            connection.invalidate()
            connection.close()
        if fd is not None:
            os.close(fd)

    def still_held(self) -> None:
        """StoreError when the lock is not held any more (the database's connection was lost)."""
        if self._connection is not None:
            with translated(f"lock {self._name} in the"):
                self._connection.execute(text("SELECT 1")).scalar_one()

    def _advisory(self, engine: Engine) -> Connection:
        key = int.from_bytes(hashlib.sha256(f"hazledger/lock/{self._name}".encode()).digest()[:8], "big", signed=True)
        with translated(f"lock {self._name} in the"):
            connection = engine.connect()
            try:
                connection.execute(text("SELECT pg_advisory_lock(:key)"), {"key": key})
            except SQLAlchemyError:
                connection.close()
                raise
        return connection
