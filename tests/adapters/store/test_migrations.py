"""Migrations: they make exactly the tables that the program knows, once, whoever starts first."""

import subprocess
import sys

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext

from ledger.adapters.store import all_columns, open_stores
from ledger.adapters.store.schema import STORES
from ledger.errors import StoreError
from ledger.ports import EngineBatch
from tests.adapters.store.conftest import only_postgresql, only_sqlite

STORE_NAMES = sorted(STORES)


@pytest.mark.parametrize("store", STORE_NAMES)
def test_models__compared_with_migrations__are_the_same(stores, store):
    with stores._databases[store].write() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True, "compare_server_default": True})
        assert compare_metadata(context, STORES[store]) == []


@pytest.mark.parametrize("store", STORE_NAMES)
def test_models__check_constraints__are_in_the_database(stores, store):
    # Alembic's comparison leaves CHECK constraints out.
    from sqlalchemy import CheckConstraint, inspect

    with stores._databases[store].read() as connection:
        there = {
            (table, check["name"])
            for table in STORES[store].tables
            for check in inspect(connection).get_check_constraints(table)
        }
    known = {
        (table.name, f"ck_{table.name}_{check.name}" if not str(check.name).startswith("ck_") else str(check.name))
        for table in STORES[store].tables.values()
        for check in table.constraints
        if isinstance(check, CheckConstraint)
    }
    assert there == known


def test_migrate__again__changes_nothing(empty_backend):
    stores = empty_backend.open()
    stores.migrate()
    stores.engine.commit(EngineBatch(cursor=3))
    stores.migrate()
    empty_backend.open().migrate()
    assert stores.engine.cursor() == 3


@pytest.mark.parametrize("store", STORE_NAMES)
def test_migrate__schema_of_a_later_program__is_refused(stores, store):
    with stores._databases[store].write() as connection:
        connection.exec_driver_sql("UPDATE alembic_version SET version_num = 'log_9999'")
    with pytest.raises(StoreError) as error:
        stores.migrate()
    assert error.value.code == "newer-schema"
    assert store in error.value.detail
    assert "log_9999" in error.value.detail


def test_migrate__two_processes_at_once__both_succeed(empty_backend):
    program = (
        "import sys; from pathlib import Path; from ledger.adapters.store import open_stores;"
        "stores = open_stores(sys.argv[1], Path(sys.argv[2])); stores.migrate(); print(stores.log.size()); stores.close()"
    )
    command = [sys.executable, "-W", "error", "-c", program, empty_backend.database, str(empty_backend.state_dir)]
    running = [subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) for _ in range(3)]
    done = [(process.communicate(timeout=100), process.returncode) for process in running]
    assert [(output, code) for (output, _), code in done] == [(b"0\n", 0)] * 3, done
    assert [error for (_, error), _ in done] == [b""] * 3


def test_unmigrated__any_question__is_a_store_error(empty_backend):
    for stores in (empty_backend.open(readonly=True), empty_backend.open()):
        with pytest.raises(StoreError):
            stores.log.size()
        with pytest.raises(StoreError):
            stores.engine.load()


@only_sqlite
def test_sqlite__files__are_one_a_store_and_private(stores, backend):
    stores.portal.log_access("a", "b", "c", 1)
    for store in STORE_NAMES:
        path = backend.state_dir / f"{store}.db"
        assert path.stat().st_mode & 0o777 == 0o600, path


@only_postgresql
def test_postgresql__schemas__are_four_and_nothing_is_in_public(stores, backend):
    with stores._databases["log"].read() as connection:
        rows = connection.exec_driver_sql(
            "SELECT table_schema, table_name FROM information_schema.tables"
            " WHERE table_schema NOT IN ('pg_catalog', 'information_schema')"
        ).all()
    expected = {(store, table) for store, table, _ in all_columns()} | {(store, "alembic_version") for store in STORES}
    assert {tuple(row) for row in rows} == expected


def test_all_columns__is_what_the_database_has(stores):
    from sqlalchemy import inspect

    there = []
    for store, database in stores._databases.items():
        with database.read() as connection:
            inspector = inspect(connection)
            there += [
                (store, table, column["name"])
                for table in inspector.get_table_names()
                if table != "alembic_version"
                for column in inspector.get_columns(table)
            ]
    assert sorted(there) == sorted(all_columns())
    assert ("log", "entry", "envelope") in there


@pytest.mark.parametrize("empty_backend", [pytest.param("postgresql", marks=pytest.mark.postgres)], indirect=True)
def test_postgresql__role_without_the_right_to_make_schemas__migrates_into_those_made(empty_backend, tmp_path, request):
    server = request.getfixturevalue("postgres")
    name = empty_backend.database.rpartition("/")[2].partition("?")[0]
    with server.connect(name) as connection:
        connection.execute("DROP ROLE IF EXISTS plain")
        connection.execute("CREATE ROLE plain LOGIN")
        for store in STORES:
            connection.execute(f'CREATE SCHEMA "{store}" AUTHORIZATION plain')
    stores = open_stores(empty_backend.database.replace("postgres@", "plain@"), tmp_path)
    stores.migrate()
    assert stores.log.size() == 0
    stores.close()
