"""The first tables."""

import sqlalchemy as sa
from alembic import op

revision = "engine_0001"
down_revision = None
branch_labels = None
depends_on = None

BigInt = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "alert",
        sa.Column(
            "seq",
            BigInt,
            autoincrement=False,
            nullable=False,
            comment="stream sequence, from 1, given at commit",
        ),
        sa.Column("alert_id", sa.Text(), nullable=False),
        sa.Column("rule", sa.Text(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("fingerprint", sa.Text(), nullable=False),
        sa.Column("first_index", BigInt, nullable=False),
        sa.Column("last_index", BigInt, nullable=False),
        sa.Column("band", sa.Integer(), nullable=False),
        sa.Column("severity", sa.Text(), nullable=False),
        sa.Column("holder", sa.Text(), nullable=False),
        sa.Column("site", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("inputs", sa.Text(), nullable=False),
        sa.Column("opened_ms", BigInt, nullable=False),
        sa.Column("late", sa.Boolean(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("record_id", sa.LargeBinary(), nullable=True),
        sa.Column("extra", sa.Text(), nullable=False),
        sa.CheckConstraint("seq >= 1", name=op.f("ck_alert_seq")),
        sa.PrimaryKeyConstraint("seq", name=op.f("pk_alert")),
        sa.UniqueConstraint("alert_id", name=op.f("uq_alert_alert_id")),
    )
    op.create_index(op.f("ix_alert_holder_seq"), "alert", ["holder", "seq"], unique=False)
    op.create_index(op.f("ix_alert_rule_seq"), "alert", ["rule", "seq"], unique=False)
    op.create_index(op.f("ix_alert_severity_seq"), "alert", ["severity", "seq"], unique=False)
    op.create_table(
        "extra",
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("value", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_extra")),
    )
    op.create_table(
        "health",
        sa.Column("rule", sa.Text(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("last_index", BigInt, nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("error", sa.Text(), nullable=False),
        sa.Column("evaluations", BigInt, nullable=False),
        sa.Column("alerts", BigInt, nullable=False),
        sa.PrimaryKeyConstraint("rule", name=op.f("pk_health")),
    )
    op.create_table(
        "line",
        sa.Column("index", BigInt, nullable=False),
        sa.Column("line", sa.Integer(), nullable=False),
        sa.Column("holder", sa.Text(), nullable=False),
        sa.Column("site", sa.Text(), nullable=False),
        sa.Column("book", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("direction", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("code", sa.Text(), nullable=False),
        sa.Column("dimension", sa.Text(), nullable=False),
        sa.Column("amount", BigInt, nullable=False),
        sa.Column("pieces", BigInt, nullable=True),
        sa.Column("store", sa.Text(), nullable=False),
        sa.Column("event_time_ms", BigInt, nullable=False),
        sa.Column("counterparty", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("index", "line", name=op.f("pk_line")),
    )
    op.create_index(op.f("ix_line_code_index_line"), "line", ["code", "index", "line"], unique=False)
    op.create_index(op.f("ix_line_holder_code_index_line"), "line", ["holder", "code", "index", "line"], unique=False)
    op.create_index(op.f("ix_line_holder_index_line"), "line", ["holder", "index", "line"], unique=False)
    op.create_table(
        "outbox",
        sa.Column(
            "n",
            BigInt,
            autoincrement=False,
            nullable=False,
            comment="order of sending: the book's order",
        ),
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("record_id", sa.LargeBinary(), nullable=False),
        sa.Column("envelope", sa.LargeBinary(), nullable=False),
        sa.Column(
            "index",
            BigInt,
            nullable=True,
            comment="where the log took it; null while it is to be sent",
        ),
        sa.PrimaryKeyConstraint("n", name=op.f("pk_outbox")),
        sa.UniqueConstraint("id", name=op.f("uq_outbox_id")),
    )
    op.create_index(
        "ix_outbox_pending",
        "outbox",
        ["n"],
        unique=False,
        sqlite_where=sa.text('"index" IS NULL'),
        postgresql_where=sa.text('"index" IS NULL'),
    )
    op.create_table(
        "snapshot",
        sa.Column("id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("cursor", BigInt, nullable=False),
        sa.Column("state", sa.LargeBinary(), nullable=False),
        sa.CheckConstraint("id = 1", name=op.f("ck_snapshot_one_row")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_snapshot")),
    )
    op.create_table(
        "state",
        sa.Column("id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("cursor", BigInt, nullable=False),
        sa.Column("book_seq", BigInt, nullable=False),
        sa.Column("book_prev", sa.LargeBinary(), nullable=True),
        sa.CheckConstraint("cursor >= 0", name=op.f("ck_state_cursor")),
        sa.CheckConstraint("id = 1", name=op.f("ck_state_one_row")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_state")),
    )
    op.create_table(
        "stock",
        sa.Column("holder", sa.Text(), nullable=False),
        sa.Column("site", sa.Text(), nullable=False),
        sa.Column("book", sa.Text(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("code", sa.Text(), nullable=False),
        sa.Column("dimension", sa.Text(), nullable=False),
        sa.Column("amount", BigInt, nullable=False),
        sa.Column("pieces", BigInt, nullable=True),
        sa.Column("capacity", BigInt, nullable=True),
        sa.Column("as_of_index", BigInt, nullable=False),
        sa.Column("event_time_ms", BigInt, nullable=False),
        sa.PrimaryKeyConstraint("holder", "site", "book", "key", name=op.f("pk_stock")),
    )
    op.create_index(op.f("ix_stock_code"), "stock", ["code"], unique=False)
    op.create_table(
        "timer",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("due_ms", BigInt, nullable=False),
        sa.Column("rule", sa.Text(), nullable=False),
        sa.Column("data", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_timer")),
    )
