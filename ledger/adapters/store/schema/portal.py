"""The portal's own tables: accounts, sessions, tokens, the hash-chained access log."""

from __future__ import annotations

from sqlalchemy import (
    Boolean,
    CheckConstraint,
    Column,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    Text,
    UniqueConstraint,
)

from ledger.adapters.store.schema.base import NAMES, BigInt

PORTAL = MetaData(naming_convention=NAMES)

user = Table(
    "user",
    PORTAL,
    Column("username", Text, primary_key=True),
    Column("password_hash", Text, nullable=False),
    Column("must_change", Boolean, nullable=False),
)

attempt = Table(
    "attempt",
    PORTAL,
    Column("client", Text, primary_key=True, comment="device, address or session; forgotten when it was quiet"),
    Column("failed", Integer, nullable=False),
    Column("until_ms", BigInt, nullable=False),
    Index(None, "until_ms"),
)

session = Table(
    "session",
    PORTAL,
    Column("session_hash", Text, primary_key=True),
    Column("username", Text, nullable=False),
    Column("created_ms", BigInt, nullable=False),
    Column("seen_ms", BigInt, nullable=False),
    Column("expires_ms", BigInt, nullable=False),
    Column("revoked", Boolean, nullable=False),
    Index(None, "username"),
)

token = Table(
    "token",
    PORTAL,
    Column("token_hash", Text, primary_key=True),
    Column("token_id", Text, nullable=False),
    Column("role", Text, nullable=False),
    Column("holder", Text, nullable=True),
    Column("created_ms", BigInt, nullable=False),
    Column("expires_ms", BigInt, nullable=False),
    Column("revoked_ms", BigInt, nullable=True),
    UniqueConstraint("token_id"),
)

access = Table(
    "access",
    PORTAL,
    Column("n", BigInt, primary_key=True, autoincrement=False, comment="from 1, gapless"),
    Column("at_ms", BigInt, nullable=False),
    Column("actor", Text, nullable=False),
    Column("action", Text, nullable=False),
    Column("target", Text, nullable=False),
    Column("digest", LargeBinary, nullable=False),
    CheckConstraint("n >= 1", name="n"),
    CheckConstraint("length(digest) = 32", name="digest"),
)
