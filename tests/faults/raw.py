"""The databases behind the program's back: plain SQL on SQLite's files or PostgreSQL's schemas."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import psycopg

from ledger.config import load


class Raw:
    """One installation's stores. Statements are written for SQLite; `?` becomes `%s` for PostgreSQL."""

    def __init__(self, database: str, state_dir: Path) -> None:
        self._database, self._state_dir = database, state_dir

    def query(self, store: str, statement: str, values=()) -> list[tuple]:
        with closing(self._connect(store)) as connection:
            return [tuple(_plain(v) for v in row) for row in connection.execute(self._words(statement), values).fetchall()]

    def execute(self, store: str, statement: str, values=()) -> int:
        """Run and commit; the number of rows. A check constraint of PostgreSQL that is in the way is dropped."""
        with closing(self._connect(store)) as connection:
            try:
                done = connection.execute(self._words(statement), values)
            except psycopg.errors.CheckViolation as error:
                connection.rollback()
                connection.execute(f'ALTER TABLE "{error.diag.table_name}" DROP CONSTRAINT "{error.diag.constraint_name}"')
                done = connection.execute(self._words(statement), values)
            connection.commit()
            return done.rowcount

    def _words(self, statement: str) -> str:
        return statement if self._database == "sqlite" else statement.replace("%", "%%").replace("?", "%s")

    def _connect(self, store: str):
        if self._database == "sqlite":
            connection = sqlite3.connect(self._state_dir / f"{store}.db", timeout=10)
            connection.execute("PRAGMA foreign_keys = OFF")
            connection.execute("PRAGMA ignore_check_constraints = ON")
            return connection
        url = self._database.replace("postgresql+psycopg://", "postgresql://")
        # As above: neither triggers nor foreign keys stand in the way of whoever owns the database.
        return psycopg.connect(url, options=f"-c search_path={store} -c session_replication_role=replica")


def raw_of(state_dir: Path) -> Raw:
    """The databases of the installation in `state_dir`."""
    return Raw(load(state_dir).database, state_dir)


def _plain(value):
    return bytes(value) if isinstance(value, memoryview) else value
