"""The engine's own tables: cursor and snapshot, alerts, outbox, timers, stock and goods lines."""

from __future__ import annotations

from sqlalchemy import (
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

from ledger.adapters.store.schema.base import NAMES, BigInt

ENGINE = MetaData(naming_convention=NAMES)

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

party = Table(
    "party",
    ENGINE,
    Column("seq", BigInt, nullable=False, comment="of the alert"),
    Column(
        "holder", Text, nullable=False, comment="an enterprise that it is about beside the one whose record raised it"
    ),
    PrimaryKeyConstraint("seq", "holder"),
    Index(None, "holder", "seq"),
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

stream = Table(
    "stream",
    ENGINE,
    Column("holder", Text, nullable=False),
    Column("site", Text, nullable=False),
    Column("book", Text, nullable=False),
    Column("key", Text, nullable=False),
    Column("code", Text, nullable=False),
    Column("dimension", Text, nullable=False),
    Column("balances", BigInt, nullable=False),
    Column("sigma", BigInt, nullable=False),
    Column("sigma_estimated", BigInt, nullable=False),
    Column("stated", Boolean, nullable=False),
    Column("muf", BigInt, nullable=False),
    Column("z_milli", BigInt, nullable=False),
    Column("loss_protracted_milli", BigInt, nullable=False),
    Column("loss_abrupt_milli", BigInt, nullable=False),
    Column("stocktake", Text, nullable=False),
    Column("as_of_index", BigInt, nullable=False),
    Column("event_time_ms", BigInt, nullable=False),
    PrimaryKeyConstraint("holder", "site", "book", "key"),
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

life = Table(
    "life",
    ENGINE,
    Column("alert_id", Text, primary_key=True, comment="of the episode's first alert"),
    Column("status", Text, nullable=False),
    Column("stage", Text, nullable=False),
    Column("turn", BigInt, nullable=False),
    Column("severity", Text, nullable=False),
    Column("due_ms", BigInt, nullable=True),
    Column("until_ms", BigInt, nullable=True),
    Column("handle_due_ms", BigInt, nullable=True),
    Column("handled_ms", BigInt, nullable=True),
    Column("closed_ms", BigInt, nullable=True),
    Column("outcome", Text, nullable=False),
    Column("order_id", Text, nullable=False),
    Column("recovered", Boolean, nullable=False),
    Column("data", Text, nullable=False),
    Index(None, "status"),
    Index(None, "handle_due_ms"),
)

step = Table(
    "step",
    ENGINE,
    Column("alert_id", Text, nullable=False, comment="empty for a transition that names no alert here"),
    Column("n", BigInt, nullable=False, comment="from 1 within a life; else the index"),
    Column("index", BigInt, nullable=False),
    Column("at_ms", BigInt, nullable=False),
    Column("before", Text, nullable=False),
    Column("after", Text, nullable=False),
    Column("by", Text, nullable=False),
    Column("record_id", LargeBinary, nullable=False),
    Column("refused", Text, nullable=False),
    Column("note", Text, nullable=False),
    PrimaryKeyConstraint("alert_id", "n"),
)

order = Table(
    "order",
    ENGINE,
    Column("record_id", LargeBinary, primary_key=True),
    Column("holder", Text, nullable=False),
    Column("site", Text, nullable=False),
    Column("type", Text, nullable=False),
    Column("number", Text, nullable=False),
    Column("severity", Text, nullable=False),
    Column("status", Text, nullable=False),
    Column("index", BigInt, nullable=False),
    Column("issued_ms", BigInt, nullable=False),
    Column("due_ms", BigInt, nullable=False),
    Column("reply", Text, nullable=False),
    Column("late", Boolean, nullable=False),
    Column("alerts", Text, nullable=False),
    Index(None, "index"),
    Index(None, "holder", "index"),
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
