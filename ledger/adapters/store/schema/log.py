"""The log: entries, tiles, checkpoints, and all that stands or falls with an entry."""

from __future__ import annotations

from sqlalchemy import (
    Boolean,
    CheckConstraint,
    Column,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    PrimaryKeyConstraint,
    Table,
    Text,
    UniqueConstraint,
)

from ledger.adapters.store.schema.base import NAMES, BigInt

LOG = MetaData(naming_convention=NAMES)

meta = Table("meta", LOG, Column("key", Text, primary_key=True), Column("value", Text, nullable=False))

entry = Table(
    "entry",
    LOG,
    Column("index", BigInt, primary_key=True, autoincrement=False),
    Column("record_id", LargeBinary, nullable=False),
    Column("holder", Text, nullable=False),
    Column("site", Text, nullable=False),
    Column("book", Text, nullable=False),
    Column("seq", BigInt, nullable=False),
    Column("kind", Text, nullable=False),
    Column("type", Text, nullable=False),
    Column("received", BigInt, nullable=False),
    Column("event_time_ms", BigInt, nullable=False),
    Column("leaf_hash", LargeBinary, nullable=False),
    Column("entry", LargeBinary, nullable=False),
    Column("receipt", LargeBinary, nullable=False),
    Column("envelope", LargeBinary, nullable=False),
    UniqueConstraint("record_id"),
    UniqueConstraint("holder", "site", "book", "seq"),
    Index(None, "holder", "index"),
    Index(None, "kind", "index"),
    Index(None, "received"),
    CheckConstraint('"index" >= 0', name="index"),
    CheckConstraint("length(record_id) = 32", name="record_id"),
    CheckConstraint("length(leaf_hash) = 32", name="leaf_hash"),
    CheckConstraint("seq >= 1", name="seq"),
)

tile = Table(
    "tile",
    LOG,
    Column("level", Integer, nullable=False),
    Column("n", BigInt, nullable=False),
    Column("hashes", LargeBinary, nullable=False),
    Column("root", LargeBinary, nullable=False),
    PrimaryKeyConstraint("level", "n"),
    CheckConstraint("level >= 0 AND n >= 0", name="place"),
    CheckConstraint("length(hashes) = 8192", name="hashes"),
    CheckConstraint("length(root) = 32", name="root"),
)

checkpoint = Table(
    "checkpoint",
    LOG,
    Column("size", BigInt, primary_key=True, autoincrement=False),
    Column("root", LargeBinary, nullable=False),
    Column("note", LargeBinary, nullable=False),
    Column("signed_ms", BigInt, nullable=False),
    CheckConstraint("size >= 0", name="size"),
    CheckConstraint("length(root) = 32", name="root"),
)

book = Table(
    "book",
    LOG,
    Column("holder", Text, nullable=False),
    Column("site", Text, nullable=False),
    Column("book", Text, nullable=False),
    Column("seq", BigInt, nullable=False),
    Column("record_id", LargeBinary, nullable=False),
    Column("opened", Boolean, nullable=False),
    Column("closed", Boolean, nullable=False),
    PrimaryKeyConstraint("holder", "site", "book"),
    CheckConstraint("seq >= 1", name="seq"),
    CheckConstraint("length(record_id) = 32", name="record_id"),
)

grant = Table(
    "grant",
    LOG,
    Column("g", LargeBinary, primary_key=True),
    Column("keyid", Text, nullable=False),
    Column("spki", LargeBinary, nullable=False),
    Column("holder", Text, nullable=False),
    Column("scope", Text, nullable=False),
    Column("role", Integer, nullable=False),
    Column("enroller", Text, nullable=False),
    Column("enrolled_at", BigInt, nullable=False),
    Column("revoked_at", BigInt, nullable=False),
    Column("index", BigInt, nullable=False, comment="of the grant entry that carries these values"),
    Index(None, "index"),
    CheckConstraint("length(g) = 32", name="g"),
)

disclosure = Table(
    "disclosure",
    LOG,
    Column("digest", Text, nullable=False),
    Column("index", BigInt, ForeignKey(entry.c.index), nullable=False),
    Column("text", Text, nullable=False),
    Column("lookup", Text, nullable=False),
    # Two records may carry the same digest (a sender who reuses a salt); that must not stop a batch.
    PrimaryKeyConstraint("digest", "index"),
    Index(None, "index"),
    Index(None, "lookup"),
)

# No foreign key from `disclosure`: most disclosures have no lookup. A row goes with the last disclosure under it.
lookup = Table(
    "lookup",
    LOG,
    Column("digest", Text, primary_key=True),
    Column("surrogate", Text, nullable=False),
    CheckConstraint("length(digest) = 64", name="digest"),
    CheckConstraint("length(surrogate) = 32", name="surrogate"),
)

erased = Table("erased", LOG, Column("digest", Text, primary_key=True))

facts = Table(
    "facts",
    LOG,
    Column("index", BigInt, ForeignKey(entry.c.index), primary_key=True, autoincrement=False),
    Column("facts", Text, nullable=False),
)

refused = Table(
    "refused",
    LOG,
    Column("record_id", LargeBinary, primary_key=True),
    Column("holder", Text, nullable=False),
    Column("site", Text, nullable=False),
    Column("book", Text, nullable=False),
    Column("seq", BigInt, nullable=False),
    Column("code", Text, nullable=False),
    Column("received", BigInt, nullable=False),
    Column("envelope", LargeBinary, nullable=False),
    Column("note", LargeBinary, nullable=False),
    Column("keyid", Text, nullable=False),
    Index(None, "keyid", "received"),
    CheckConstraint("length(record_id) = 32", name="record_id"),
)
