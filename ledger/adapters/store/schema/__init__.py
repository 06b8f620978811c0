"""The tables of the four stores, one `MetaData` each: the log, the engine, the portal, the anchor worker.

On SQLite each is a file of its own; on PostgreSQL each is a schema of that name which the connection's `search_path`
names, so the same statements run on both. Column names are the words of formats.md. Hashes are 32-byte BLOBs here and
lower-case hex in the API: half the index. Signed bytes stand as they came. The small columns of `entry` come first,
because SQLite reads a row from its front and only opens overflow pages for what lies behind.

An index stands here only because a query of `ledger.ports` needs it. A change here needs a new script in migrations/;
tests/adapters/store/test_migrations.py compares the two.
"""

from __future__ import annotations

from sqlalchemy import MetaData

from ledger.adapters.store.schema.anchor import ANCHOR
from ledger.adapters.store.schema.engine import ENGINE
from ledger.adapters.store.schema.log import LOG
from ledger.adapters.store.schema.portal import PORTAL

STORES: dict[str, MetaData] = {"log": LOG, "engine": ENGINE, "portal": PORTAL, "anchor": ANCHOR}


def all_columns() -> list[tuple[str, str, str]]:
    """Every (store, table, column) there is: what the tamper table of the tests has to cover."""
    return [
        (store, table.name, column.name)
        for store, metadata in STORES.items()
        for table in metadata.sorted_tables
        for column in table.columns
    ]
