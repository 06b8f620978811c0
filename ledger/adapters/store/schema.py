"""The tables of the four stores, one `MetaData` each: the log, the engine, the portal, the anchor worker.

On SQLite each is a file of its own; on PostgreSQL each is a schema of that name which the connection's `search_path`
names, so the same statements run on both. Column names are the words of formats.md. Hashes are 32-byte BLOBs here and
lower-case hex in the API: half the index. Signed bytes stand as they came. The small columns of `entry` come first,
because SQLite reads a row from its front and only opens overflow pages for what lies behind.

An index stands here only because a query of `ledger.ports` needs it. A change here needs a new script in migrations/;
tests/adapters/store/test_migrations.py compares the two.
"""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    PrimaryKeyConstraint,
    Table,
    Text,
    UniqueConstraint,
    text,
)

_NAMES = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "pk": "pk_%(table_name)s",
}

BigInt = BigInteger().with_variant(Integer, "sqlite")
"""64 bits on both. On SQLite the word must be INTEGER for a primary key to be the row's own number."""

LOG = MetaData(naming_convention=_NAMES)
ENGINE = MetaData(naming_convention=_NAMES)
PORTAL = MetaData(naming_convention=_NAMES)
ANCHOR = MetaData(naming_convention=_NAMES)

STORES: dict[str, MetaData] = {"log": LOG, "engine": ENGINE, "portal": PORTAL, "anchor": ANCHOR}


def all_columns() -> list[tuple[str, str, str]]:
    """Every (store, table, column) there is: what the tamper table of the tests has to cover."""
    return [
        (store, table.name, column.name)
        for store, metadata in STORES.items()
        for table in metadata.sorted_tables
        for column in table.columns
    ]


# --- the log -------------------------------------------------------------------------------------------------------

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
    Column("index", BigInt, nullable=False),
    Column("text", Text, nullable=False),
    Column("lookup", Text, nullable=False),
    # Two records may carry the same digest (a sender who reuses a salt); that must not stop a batch.
    PrimaryKeyConstraint("digest", "index"),
    Index(None, "index"),
)

erased = Table("erased", LOG, Column("digest", Text, primary_key=True))

facts = Table(
    "facts",
    LOG,
    Column("index", BigInt, primary_key=True, autoincrement=False),
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

# --- the engine ----------------------------------------------------------------------------------------------------

state = Table(
    "state",
    ENGINE,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("cursor", BigInt, nullable=False),
    Column("book_seq", BigInt, nullable=False),
    Column("book_prev", LargeBinary, nullable=True),
    CheckConstraint("id = 1", name="one_row"),
    CheckConstraint("cursor >= 0", name="cursor"),
)

snapshot = Table(
    "snapshot",
    ENGINE,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("cursor", BigInt, nullable=False),
    Column("state", LargeBinary, nullable=False),
    CheckConstraint("id = 1", name="one_row"),
)

extra = Table("extra", ENGINE, Column("key", Text, primary_key=True), Column("value", Text, nullable=False))

alert = Table(
    "alert",
    ENGINE,
    Column("seq", BigInt, primary_key=True, autoincrement=False, comment="stream sequence, from 1, given at commit"),
    Column("alert_id", Text, nullable=False),
    Column("rule", Text, nullable=False),
    Column("version", Integer, nullable=False),
    Column("fingerprint", Text, nullable=False),
    Column("first_index", BigInt, nullable=False),
    Column("last_index", BigInt, nullable=False),
    Column("band", Integer, nullable=False),
    Column("severity", Text, nullable=False),
    Column("holder", Text, nullable=False),
    Column("site", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("inputs", Text, nullable=False),
    Column("opened_ms", BigInt, nullable=False),
    Column("late", Boolean, nullable=False),
    Column("status", Text, nullable=False),
    Column("record_id", LargeBinary, nullable=True),
    Column("extra", Text, nullable=False),
    UniqueConstraint("alert_id"),
    Index(None, "holder", "seq"),
    Index(None, "rule", "seq"),
    Index(None, "severity", "seq"),
    CheckConstraint("seq >= 1", name="seq"),
)

outbox = Table(
    "outbox",
    ENGINE,
    Column("n", BigInt, primary_key=True, autoincrement=False, comment="order of sending: the book's order"),
    Column("id", Text, nullable=False),
    Column("record_id", LargeBinary, nullable=False),
    Column("envelope", LargeBinary, nullable=False),
    Column("index", BigInt, nullable=True, comment="where the log took it; null while it is to be sent"),
    UniqueConstraint("id"),
    Index(
        "ix_outbox_pending",
        "n",
        sqlite_where=text('"index" IS NULL'),
        postgresql_where=text('"index" IS NULL'),
    ),
)

timer = Table(
    "timer",
    ENGINE,
    Column("id", Text, primary_key=True),
    Column("due_ms", BigInt, nullable=False),
    Column("rule", Text, nullable=False),
    Column("data", Text, nullable=False),
)

stock = Table(
    "stock",
    ENGINE,
    Column("holder", Text, nullable=False),
    Column("site", Text, nullable=False),
    Column("book", Text, nullable=False),
    Column("key", Text, nullable=False),
    Column("code", Text, nullable=False),
    Column("dimension", Text, nullable=False),
    Column("amount", BigInt, nullable=False),
    Column("pieces", BigInt, nullable=True),
    Column("capacity", BigInt, nullable=True),
    Column("as_of_index", BigInt, nullable=False),
    Column("event_time_ms", BigInt, nullable=False),
    PrimaryKeyConstraint("holder", "site", "book", "key"),
    Index(None, "code"),
)

line = Table(
    "line",
    ENGINE,
    Column("index", BigInt, nullable=False),
    Column("line", Integer, nullable=False),
    Column("holder", Text, nullable=False),
    Column("site", Text, nullable=False),
    Column("book", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("direction", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("code", Text, nullable=False),
    Column("dimension", Text, nullable=False),
    Column("amount", BigInt, nullable=False),
    Column("pieces", BigInt, nullable=True),
    Column("store", Text, nullable=False),
    Column("event_time_ms", BigInt, nullable=False),
    Column("counterparty", Text, nullable=False),
    PrimaryKeyConstraint("index", "line"),
    Index(None, "holder", "index", "line"),
    Index(None, "code", "index", "line"),
    Index(None, "holder", "code", "index", "line"),
)

health = Table(
    "health",
    ENGINE,
    Column("rule", Text, primary_key=True),
    Column("version", Integer, nullable=False),
    Column("last_index", BigInt, nullable=False),
    Column("state", Text, nullable=False),
    Column("error", Text, nullable=False),
    Column("evaluations", BigInt, nullable=False),
    Column("alerts", BigInt, nullable=False),
)

# --- the portal ----------------------------------------------------------------------------------------------------

user = Table(
    "user",
    PORTAL,
    Column("username", Text, primary_key=True),
    Column("password_hash", Text, nullable=False),
    Column("must_change", Boolean, nullable=False),
    Column("failed", Integer, nullable=False),
    Column("locked_until_ms", BigInt, nullable=False),
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

# --- the anchor worker ---------------------------------------------------------------------------------------------

anchor = Table(
    "anchor",
    ANCHOR,
    Column("size", BigInt, primary_key=True, autoincrement=False),
    Column("root", LargeBinary, nullable=False),
    Column("block_number", BigInt, nullable=False),
    Column("block_hash", LargeBinary, nullable=False),
    Column("block_timestamp_s", BigInt, nullable=False),
    Column("tx_hash", LargeBinary, nullable=False),
    Column("anchored_at_s", BigInt, nullable=False),
    Column("proof", BigInt, nullable=False),
    Index(None, "block_number"),
    CheckConstraint("size >= 1", name="size"),
    CheckConstraint("length(root) = 32", name="root"),
)

proof = Table(
    "proof",
    ANCHOR,
    Column("id", BigInt, primary_key=True, autoincrement=False),
    Column("block_number", BigInt, nullable=False),
    Column("block_hash", LargeBinary, nullable=False),
    Column("block_timestamp_s", BigInt, nullable=False),
    Column("header", LargeBinary, nullable=False),
    Column("base", BigInt, nullable=True, comment="the proof whose node set this one is told from; null: told whole"),
    Column("depth", Integer, nullable=False, comment="steps to the one told whole"),
    Column("added", LargeBinary, nullable=False, comment="keccak-256 of each node more than in base"),
    Column("removed", LargeBinary, nullable=False, comment="keccak-256 of each node of base that is not here"),
)

node = Table(
    "node",
    ANCHOR,
    Column("hash", LargeBinary, primary_key=True, comment="keccak-256 of rlp"),
    Column("rlp", LargeBinary, nullable=False),
    CheckConstraint("length(hash) = 32", name="hash"),
)

journal = Table(
    "journal",
    ANCHOR,
    Column("seq", BigInt, primary_key=True, autoincrement=False),
    Column("kind", Text, nullable=False),
    Column("raw_tx", LargeBinary, nullable=False),
    Column("tx_hash", LargeBinary, nullable=False),
    Column("block_number", BigInt, nullable=True),
    Column("block_hash", LargeBinary, nullable=True),
    Column("block_timestamp_s", BigInt, nullable=True),
    UniqueConstraint("tx_hash"),
    Index(None, "block_number", "seq"),
)
