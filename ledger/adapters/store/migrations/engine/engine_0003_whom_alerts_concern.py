"""Whom an alert is about beside the enterprise whose record raised it."""

import sqlalchemy as sa
from alembic import op

revision = "engine_0003"
down_revision = "engine_0002"
branch_labels = None
depends_on = None

BigInt = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "party",
        sa.Column("seq", BigInt, nullable=False, comment="of the alert"),
        sa.Column(
            "holder",
            sa.Text(),
            nullable=False,
            comment="an enterprise that it is about beside the one whose record raised it",
        ),
        sa.PrimaryKeyConstraint("seq", "holder", name=op.f("pk_party")),
    )
    op.create_index(op.f("ix_party_holder_seq"), "party", ["holder", "seq"], unique=False)
