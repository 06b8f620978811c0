"""The composition of the four stores of one installation: `Stores` of ledger.ports."""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import Engine, NullPool, create_engine, make_url
from sqlalchemy.exc import ArgumentError

from ledger.adapters.store.anchor_store import AnchorStore
from ledger.adapters.store.database import Database, open_postgresql, open_sqlite
from ledger.adapters.store.engine_store import EngineStore
from ledger.adapters.store.locks import ExclusiveLock
from ledger.adapters.store.log_writer import LogStore
from ledger.adapters.store.migrate import migrate
from ledger.adapters.store.portal_store import PortalStore
from ledger.adapters.store.schema import STORES
from ledger.adapters.store.tables import Tables
from ledger.errors import ConfigError

SQLITE = "sqlite"
POSTGRESQL = "postgresql+psycopg"


class SqlStores:
    """Opened once in each process, after any fork; nothing is connected before the first call."""

    def __init__(self, databases: dict[str, Database], state_dir: Path, lock_engine: Engine | None) -> None:
        self._databases = databases
        self._state_dir = state_dir
        self._lock_engine = lock_engine
        self.log = LogStore(databases["log"])
        self.engine = EngineStore(databases["engine"])
        self.anchor = AnchorStore(databases["anchor"])
        self.portal = PortalStore(databases["portal"])
        self.tables = Tables(databases)

    def migrate(self) -> None:
        """Bring every store to this program's schema; the second of two processes waits for the first."""
        with self.exclusive("migrate"):
            migrate(self._databases)

    def exclusive(self, name: str) -> ExclusiveLock:
        """A context manager that blocks until the role `name` is ours; its `still_held` says that it still is."""
        return ExclusiveLock(name, self._state_dir, self._lock_engine)

    def close(self) -> None:
        self.tables.close()
        for database in self._databases.values():
            database.close()
        if self._lock_engine is not None:
            self._lock_engine.dispose()


def open_stores(database: str, state_dir: Path, *, readonly: bool = False) -> SqlStores:
    """The stores in `state_dir` ("sqlite") or in the database at a postgresql+psycopg:// URL.

    Connects to nothing yet. With `readonly` every writing method raises StoreError (code read-only).
    """
    if database == SQLITE:
        files = {store: open_sqlite(store, state_dir / f"{store}.db", readonly=readonly) for store in STORES}
        return SqlStores(files, state_dir, None)
    if not database.startswith(f"{POSTGRESQL}://"):
        raise ConfigError(f"database is neither {SQLITE} nor a {POSTGRESQL}:// URL")
    try:
        url = make_url(database)
    except (ArgumentError, ValueError):
        raise ConfigError("database is not a well-formed URL") from None
    schemas = {store: open_postgresql(store, database, readonly=readonly) for store in STORES}
    lock_engine = create_engine(
        url,
        poolclass=NullPool,
        isolation_level="AUTOCOMMIT",
        hide_parameters=True,
        # The lock is waited for as long as it takes, whatever the server's defaults are.
        connect_args={
            "application_name": "hazledger-lock",
            "connect_timeout": 10,
            "options": "-c lock_timeout=0 -c statement_timeout=0 -c idle_session_timeout=0",
        },
    )
    return SqlStores(schemas, state_dir, lock_engine)
