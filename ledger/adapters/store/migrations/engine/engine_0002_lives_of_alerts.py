"""Lives of alerts: where each stands, its steps, and the orders about them."""

import sqlalchemy as sa
from alembic import op

revision = "engine_0002"
down_revision = "engine_0001"
branch_labels = None
depends_on = None

BigInt = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "life",
        sa.Column("alert_id", sa.Text(), nullable=False, comment="of the episode's first alert"),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("stage", sa.Text(), nullable=False),
        sa.Column("turn", BigInt, nullable=False),
        sa.Column("severity", sa.Text(), nullable=False),
        sa.Column("due_ms", BigInt, nullable=True),
        sa.Column("until_ms", BigInt, nullable=True),
        sa.Column("handle_due_ms", BigInt, nullable=True),
        sa.Column("handled_ms", BigInt, nullable=True),
        sa.Column("closed_ms", BigInt, nullable=True),
        sa.Column("outcome", sa.Text(), nullable=False),
        sa.Column("order_id", sa.Text(), nullable=False),
        sa.Column("recovered", sa.Boolean(), nullable=False),
        sa.Column("data", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("alert_id", name=op.f("pk_life")),
    )
    op.create_index(op.f("ix_life_status"), "life", ["status"], unique=False)
    op.create_index(op.f("ix_life_handle_due_ms"), "life", ["handle_due_ms"], unique=False)
    op.create_table(
        "step",
        sa.Column("alert_id", sa.Text(), nullable=False, comment="empty for a transition that names no alert here"),
        sa.Column("n", BigInt, nullable=False, comment="from 1 within a life; else the index"),
        sa.Column("index", BigInt, nullable=False),
        sa.Column("at_ms", BigInt, nullable=False),
        sa.Column("before", sa.Text(), nullable=False),
        sa.Column("after", sa.Text(), nullable=False),
        sa.Column("by", sa.Text(), nullable=False),
        sa.Column("record_id", sa.LargeBinary(), nullable=False),
        sa.Column("refused", sa.Text(), nullable=False),
        sa.Column("note", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("alert_id", "n", name=op.f("pk_step")),
    )
    op.create_table(
        "order",
        sa.Column("record_id", sa.LargeBinary(), nullable=False),
        sa.Column("holder", sa.Text(), nullable=False),
        sa.Column("site", sa.Text(), nullable=False),
        sa.Column("type", sa.Text(), nullable=False),
        sa.Column("number", sa.Text(), nullable=False),
        sa.Column("severity", sa.Text(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("index", BigInt, nullable=False),
        sa.Column("issued_ms", BigInt, nullable=False),
        sa.Column("due_ms", BigInt, nullable=False),
        sa.Column("reply", sa.Text(), nullable=False),
        sa.Column("late", sa.Boolean(), nullable=False),
        sa.Column("alerts", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("record_id", name=op.f("pk_order")),
    )
    op.create_index(op.f("ix_order_index"), "order", ["index"], unique=False)
    op.create_index(op.f("ix_order_holder_index"), "order", ["holder", "index"], unique=False)
