"""How each stream of bulk material stands: what weighing should scatter by, and what its own balances do."""

import sqlalchemy as sa
from alembic import op

revision = "engine_0004"
down_revision = "engine_0003"
branch_labels = None
depends_on = None

BigInt = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "stream",
        sa.Column("holder", sa.Text(), nullable=False),
        sa.Column("site", sa.Text(), nullable=False),
        sa.Column("book", sa.Text(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("code", sa.Text(), nullable=False),
        sa.Column("dimension", sa.Text(), nullable=False),
        sa.Column("balances", BigInt, nullable=False),
        sa.Column("sigma", BigInt, nullable=False),
        sa.Column("sigma_estimated", BigInt, nullable=False),
        sa.Column("stated", sa.Boolean(), nullable=False),
        sa.Column("muf", BigInt, nullable=False),
        sa.Column("z_milli", BigInt, nullable=False),
        sa.Column("loss_protracted_milli", BigInt, nullable=False),
        sa.Column("loss_abrupt_milli", BigInt, nullable=False),
        sa.Column("stocktake", sa.Text(), nullable=False),
        sa.Column("as_of_index", BigInt, nullable=False),
        sa.Column("event_time_ms", BigInt, nullable=False),
        sa.PrimaryKeyConstraint("holder", "site", "book", "key", name=op.f("pk_stream")),
    )
