"""Bring the four stores to the schema that this program knows, with Alembic."""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import text
from sqlalchemy.schema import CreateSchema

from ledger.adapters.store.database import Database, translated
from ledger.adapters.store.schema import STORES
from ledger.errors import StoreError

_SCRIPTS = Path(__file__).parent / "migrations"


def migrate(databases: dict[str, Database]) -> None:
    """Upgrade each store to head, each in one transaction; does nothing where it is there already.

    StoreError when a store's schema is newer than this program: an older program would write rows that the newer
    one's checks and indexes were not told of.
    """
    for store, database in databases.items():
        _migrate_one(store, database)


def _migrate_one(store: str, database: Database) -> None:
    # Alembic costs a tenth of a second to import; only this command needs it.
    from alembic import command  # noqa: PLC0415
    from alembic.config import Config  # noqa: PLC0415
    from alembic.runtime.migration import MigrationContext  # noqa: PLC0415
    from alembic.script import ScriptDirectory  # noqa: PLC0415

    config = Config()
    config.set_main_option("script_location", str(_SCRIPTS))
    config.set_main_option("version_locations", str(_SCRIPTS / store))
    config.set_main_option("path_separator", "newline")
    known = {script.revision for script in ScriptDirectory.from_config(config).walk_revisions()}
    with database.write() as connection:
        if not database.is_sqlite:
            # Asked first: IF NOT EXISTS wants the right to create one also where an administrator made it already.
            named = text("SELECT 1 FROM pg_namespace WHERE nspname = :store")
            if connection.execute(named, {"store": store}).first() is None:
                connection.execute(CreateSchema(store))
        current = MigrationContext.configure(connection).get_current_revision()
        if current is not None and current not in known:
            raise StoreError(
                f"the {store} store has schema {current}, which this program does not know; run the newer program",
                code="newer-schema",
            )
        config.attributes.update(connection=connection, metadata=STORES[store])
        with translated(store):
            command.upgrade(config, "head")
