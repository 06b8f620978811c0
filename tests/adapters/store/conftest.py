"""Every test that asks for `backend` runs twice: on SQLite and on PostgreSQL."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from ledger.adapters.store import SqlStores, open_stores
from tests.postgres import PostgresServer

ORIGIN = "ledger.example/test"


only_sqlite = pytest.mark.parametrize("backend", ["sqlite"], indirect=True)
only_postgresql = pytest.mark.parametrize(
    "backend", [pytest.param("postgresql", marks=pytest.mark.postgres)], indirect=True
)
"""For the few cases that are about one of the two."""


class Backend:
    """One installation: where its stores are, and how to open them once more."""

    def __init__(self, database: str, state_dir: Path) -> None:
        self.database = database
        self.state_dir = state_dir
        self._opened: list[SqlStores] = []

    @property
    def is_sqlite(self) -> bool:
        return self.database == "sqlite"

    def open(self, *, readonly: bool = False) -> SqlStores:
        stores = open_stores(self.database, self.state_dir, readonly=readonly)
        self._opened.append(stores)
        return stores

    def close(self) -> None:
        for stores in self._opened:
            stores.close()


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
def empty_backend(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Backend]:
    """Nothing is migrated yet."""
    if request.param == "sqlite":
        backend = Backend("sqlite", tmp_path / "state")
        yield backend
        backend.close()
        return
    server: PostgresServer = request.getfixturevalue("postgres")
    name = server.new_database()
    backend = Backend(server.url(name), tmp_path / "state")
    yield backend
    backend.close()
    server.drop(name)


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return _filled(Backend("sqlite", tmp_path_factory.mktemp("template"))).state_dir


@pytest.fixture(scope="session")
def postgres_template(postgres: PostgresServer, tmp_path_factory: pytest.TempPathFactory) -> str:
    name = postgres.new_database()
    _filled(Backend(postgres.url(name), tmp_path_factory.mktemp("template")))
    return name


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
def backend(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Backend]:
    """Migrated and bound to ORIGIN."""
    state_dir = tmp_path / "state"
    if request.param == "sqlite":
        shutil.copytree(request.getfixturevalue("sqlite_template"), state_dir)
        backend = Backend("sqlite", state_dir)
        yield backend
        backend.close()
        return
    server: PostgresServer = request.getfixturevalue("postgres")
    name = server.new_database(request.getfixturevalue("postgres_template"))
    backend = Backend(server.url(name), state_dir)
    yield backend
    backend.close()
    server.drop(name)


@pytest.fixture
def stores(backend: Backend) -> SqlStores:
    return backend.open()


@pytest.fixture
def reader(backend: Backend) -> SqlStores:
    """Another process's view: opened for reading only."""
    return backend.open(readonly=True)


def _filled(backend: Backend) -> Backend:
    stores = backend.open()
    stores.migrate()
    stores.log.bind_origin(ORIGIN)
    backend.close()
    return backend
