"""The database, SQLite or PostgreSQL: the only package that imports sqlalchemy."""

from ledger.adapters.store.schema import all_columns
from ledger.adapters.store.stores import SqlStores, open_stores

__all__ = ["SqlStores", "all_columns", "open_stores"]
