"""One store's connections: readers that never write, one kind of writer, and errors that are ours.

SQLite: WAL, synchronous=FULL (a commit is on the disk when it returns), foreign keys, a busy timeout; readers open the
file with mode=ro and run in autocommit, so that each statement sees the newest commit and no reader holds the writer
up. PostgreSQL: the store's schema is the connection's search_path, synchronous_commit is on whatever the server's
default, and readers are in default_transaction_read_only.

No raw SQLAlchemy or driver error leaves: each becomes a StoreError whose detail holds the driver's one-line message
and never a row's values (a failing row may hold personal data).
"""

from __future__ import annotations

import os
import sqlite3
import urllib.parse
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

from sqlalchemy import Connection, Engine, Select, Table, create_engine, event, make_url
from sqlalchemy.exc import DataError, DBAPIError, SQLAlchemyError
from sqlalchemy.pool import QueuePool

from ledger.errors import StoreError

T = TypeVar("T")

BUSY_TIMEOUT_S = 10.0
"""How long a writer waits for another's lock: several times the 430 ms that three writers of one file were seen to."""
POOL_SIZE = 8
POOL_OVERFLOW = 32
"""More than the threads of a web worker; above it a caller waits POOL_TIMEOUT_S and then gets StoreError."""
POOL_TIMEOUT_S = 10.0
PAGE_BYTES = 2048
"""An entry dirties one random page in each of three indexes; small pages cost a quarter less to write than 4 KiB, and
an entry of 3 KiB spills into them without waste (17 against 22 KB written per entry, 250,000 entries)."""
WAL_PAGES = 4096
"""Pages in the write-ahead log before it is folded back into the file, 8 MiB: ten times that halves what is written
but makes the one append that pays for it wait 100 ms and more, where a receipt is promised in 50."""
IN_LIST = 500
"""Values in one IN list; below every database's limit of bound parameters."""
READER_CACHE_KIB = 8 * 1024
WRITER_CACHE_KIB = 64 * 1024
"""The random keys of record_id touch a page each; 64 MiB keeps the upper levels at 10^7 entries."""


class Database:
    """The connections to one store. Opens nothing until first used; belongs to the process that made it."""

    def __init__(self, store: str, reader: Engine, writer: Engine | None) -> None:
        self.store = store
        self._reader = reader
        self._writer = writer
        self._pid = os.getpid()

    @property
    def is_sqlite(self) -> bool:
        return self._reader.dialect.name == "sqlite"

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """A connection in autocommit: every statement sees what is committed when it starts."""
        self._check_process()
        with translated(self.store), self._reader.connect() as connection:
            yield connection

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """One transaction that holds the store's write lock; durable when the block ends, nothing kept if it raises."""
        self._check_process()
        if self._writer is None:
            raise StoreError(f"the {self.store} store is open for reading only", code="read-only")
        with translated(self.store), self._writer.begin() as connection:
            yield connection

    def rows(self, statement: Select[Any]) -> Sequence[Any]:
        """All rows of one SELECT over committed data; none when it asks for a value that no column can hold (a NUL or
        a lone surrogate in a name, a number beyond 64 bits): strangers choose what is asked for.
        """
        with self.read() as connection:
            try:
                return connection.execute(statement).all()
            except (UnicodeEncodeError, OverflowError, DataError):
                return []

    def row(self, statement: Select[Any]) -> Any:
        """The first row, or None."""
        rows = self.rows(statement)
        return rows[0] if rows else None

    def scalar(self, statement: Select[Any]) -> Any:
        """The first column of the first row, or None."""
        row = self.row(statement)
        return None if row is None else row[0]

    def upkeep(self, statement: str) -> tuple[Any, ...] | None:
        """Run one statement outside any transaction: SQLite's fold of the WAL (its row), PostgreSQL's VACUUM (None)."""
        self._check_process()
        if self._writer is None:
            raise StoreError(f"the {self.store} store is open for reading only", code="read-only")
        with translated(self.store):
            if not self.is_sqlite:
                # By SQLAlchemy, which takes the isolation level back whatever happens: a writer left in autocommit
                # would keep half a batch.
                with self._writer.connect() as connection:
                    connection.execution_options(isolation_level="AUTOCOMMIT").exec_driver_sql(statement)
                return None
            raw = self._writer.raw_connection()
            try:
                driver: Any = raw.driver_connection
                row: tuple[Any, ...] | None = driver.execute(statement).fetchone()
            finally:
                raw.close()
        return row

    def frozen(self) -> FrozenDatabase:
        """The store as it stands now, for reading; `close` it. Whatever is committed meanwhile does not show."""
        self._check_process()
        with translated(self.store):
            connection = self._reader.connect()
            # The moment is that of the first row read, not that of BEGIN.
            if self.is_sqlite:
                begin, first = "BEGIN", "SELECT 1 FROM sqlite_master LIMIT 1"
            else:
                begin, first = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY", "SELECT 1"
            connection.exec_driver_sql(begin)
            connection.exec_driver_sql(first)
        return FrozenDatabase(self.store, self._reader, connection)

    def close(self) -> None:
        # After a fork the connections are the parent's: forget them, do not say good-bye to the server on them.
        ours = os.getpid() == self._pid
        for engine in (self._reader, self._writer):
            if engine is not None:
                engine.dispose(close=ours)

    def _check_process(self) -> None:
        # A connection shared over fork corrupts SQLite's locks and PostgreSQL's protocol without any error.
        if os.getpid() != self._pid:
            raise StoreError(f"the {self.store} store was opened before a fork; open it in each process")


class FrozenDatabase(Database):
    """One moment of a store: a read transaction held open. SQLite's write-ahead log grows until it is closed."""

    def __init__(self, store: str, reader: Engine, connection: Connection) -> None:
        super().__init__(store, reader, None)
        self._connection = connection

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """The one connection that sees this moment; for one thread."""
        self._check_process()
        with translated(self.store):
            yield self._connection

    def close(self) -> None:
        with translated(self.store):
            self._connection.exec_driver_sql("ROLLBACK")
            self._connection.close()


@contextmanager
def translated(store: str) -> Iterator[None]:
    """Turn what the database raises into StoreError, without any row's values."""
    try:
        yield
    except (SQLAlchemyError, sqlite3.Error) as error:
        raise StoreError(f"{store} store: {_message(error)}") from None
    except (UnicodeEncodeError, OverflowError) as error:
        # Raised by the drivers for a text or number that the database cannot hold; the message would quote it.
        raise StoreError(f"{store} store: a value cannot be stored ({type(error).__name__})") from None


def _message(error: Exception) -> str:
    original = error.orig if isinstance(error, DBAPIError) and error.orig is not None else error
    diagnosis = getattr(original, "diag", None)
    primary = getattr(diagnosis, "message_primary", None)
    if isinstance(primary, str):
        return primary
    if isinstance(original, SQLAlchemyError):
        return type(original).__name__
    return str(original).partition("\n")[0]


def open_sqlite(store: str, path: Path, *, readonly: bool) -> Database:
    """The store in the file `path`; made (mode 0600) on first write when not there."""
    if not readonly:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
    return Database(
        store, _sqlite_engine(path, writing=False), None if readonly else _sqlite_engine(path, writing=True)
    )


def _sqlite_engine(path: Path, *, writing: bool) -> Engine:
    mode = "rw" if writing else "ro"
    uri = f"file:{urllib.parse.quote(str(path.absolute()))}?mode={mode}"

    def connect() -> sqlite3.Connection:
        connection = sqlite3.connect(
            uri, uri=True, timeout=BUSY_TIMEOUT_S, isolation_level=None, check_same_thread=False, cached_statements=256
        )
        if writing:
            connection.execute(f"PRAGMA page_size = {PAGE_BYTES}")
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA synchronous = FULL")
            connection.execute(f"PRAGMA wal_autocheckpoint = {WAL_PAGES}")
            connection.execute(f"PRAGMA cache_size = -{WRITER_CACHE_KIB}")
            # What is erased is overwritten with zeros, not only unlinked (formats.md section 6).
            connection.execute("PRAGMA secure_delete = ON")
        else:
            connection.execute("PRAGMA query_only = ON")
            connection.execute(f"PRAGMA cache_size = -{READER_CACHE_KIB}")
        connection.execute("PRAGMA foreign_keys = ON")
        return connection

    engine = create_engine(
        "sqlite://",
        creator=connect,
        poolclass=QueuePool,
        pool_size=2 if writing else POOL_SIZE,
        max_overflow=POOL_OVERFLOW,
        pool_timeout=POOL_TIMEOUT_S,
        pool_use_lifo=True,
        hide_parameters=True,
        **({} if writing else {"isolation_level": "AUTOCOMMIT"}),
    )
    if writing:
        # A deferred transaction that reads first and writes later can fail half-way with SQLITE_BUSY; this one waits
        # at its start and then cannot.
        event.listen(engine, "begin", lambda connection: connection.exec_driver_sql("BEGIN IMMEDIATE"))
    return engine


def open_postgresql(store: str, url: str, *, readonly: bool) -> Database:
    """The store in schema `store` of the database at `url` (postgresql+psycopg://…)."""
    reader = _postgresql_engine(store, url, writing=False)
    return Database(store, reader, None if readonly else _postgresql_engine(store, url, writing=True))


def _postgresql_engine(store: str, url: str, *, writing: bool) -> Engine:
    parsed = make_url(url)
    settings = {"search_path": store, "synchronous_commit": "on", "lock_timeout": f"{int(BUSY_TIMEOUT_S * 1000)}"}
    if not writing:
        settings["default_transaction_read_only"] = "on"
    given = parsed.query.get("options", "")
    options = " ".join([*([given] if isinstance(given, str) else given), *(f"-c {k}={v}" for k, v in settings.items())])
    arguments: dict[str, Any] = {"options": options.strip(), "application_name": f"hazledger-{store}"}
    if "connect_timeout" not in parsed.query:
        arguments["connect_timeout"] = int(BUSY_TIMEOUT_S)
    return create_engine(
        parsed.difference_update_query(["options"]),
        connect_args=arguments,
        pool_size=2 if writing else POOL_SIZE,
        max_overflow=POOL_OVERFLOW,
        pool_timeout=POOL_TIMEOUT_S,
        pool_use_lifo=True,
        # A server that was restarted is noticed before the statement, not by it.
        pool_pre_ping=True,
        hide_parameters=True,
        **({} if writing else {"isolation_level": "AUTOCOMMIT"}),
    )


class Insert:
    """A prepared INSERT of whole rows (tuples in the table's column order) that goes to the driver's executemany.

    SQLAlchemy's own executemany costs several microseconds a row for dictionaries and type processors; nothing here
    needs them, and both databases read the same ON CONFLICT clause.
    """

    def __init__(self, table: Table, *, conflict: str = "", upsert: Sequence[str] = ()) -> None:
        """`conflict`: a whole ON CONFLICT clause; `upsert`: the key whose conflict replaces every other column."""
        self._names = [column.name for column in table.columns]
        if upsert:
            sets = ", ".join(f'"{name}" = excluded."{name}"' for name in self._names if name not in upsert)
            conflict = f"ON CONFLICT ({', '.join(_quoted(upsert))}) DO UPDATE SET {sets}"
        head = f'INSERT INTO "{table.name}" ({", ".join(_quoted(self._names))})'
        self._sql = {
            dialect: f"{head} VALUES ({', '.join([mark] * len(self._names))}) {conflict}"
            for dialect, mark in (("sqlite", "?"), ("postgresql", "%s"))
        }

    def run(self, connection: Connection, rows: Sequence[tuple[Any, ...]]) -> None:
        if rows:
            connection.exec_driver_sql(self._sql[connection.dialect.name], list(rows))


def _quoted(names: Sequence[str]) -> list[str]:
    return [f'"{name}"' for name in names]


def chunks(values: Sequence[T]) -> Iterator[Sequence[T]]:
    """`values` in lists short enough for one IN."""
    return (values[at : at + IN_LIST] for at in range(0, len(values), IN_LIST))
