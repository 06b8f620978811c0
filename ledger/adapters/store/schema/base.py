"""What the tables of all stores share."""

from __future__ import annotations

from sqlalchemy import BigInteger, Integer

NAMES = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "pk": "pk_%(table_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s",
}
"""Every constraint has a name, so that a migration can speak of it on both databases."""

BigInt = BigInteger().with_variant(Integer, "sqlite")
"""64 bits on both. On SQLite the word must be INTEGER for a primary key to be the row's own number."""
