"""Failed sign-ins are counted by device and address, no longer against the account."""

import sqlalchemy as sa
from alembic import op

revision = "portal_0002"
down_revision = "portal_0001"
branch_labels = None
depends_on = None

BigInt = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "attempt",
        sa.Column(
            "client",
            sa.Text(),
            nullable=False,
            comment="device, address or session; forgotten when it was quiet",
        ),
        sa.Column("failed", sa.Integer(), nullable=False),
        sa.Column("until_ms", BigInt, nullable=False),
        sa.PrimaryKeyConstraint("client", name=op.f("pk_attempt")),
    )
    op.create_index(op.f("ix_attempt_until_ms"), "attempt", ["until_ms"], unique=False)
    op.drop_column("user", "failed")
    op.drop_column("user", "locked_until_ms")
