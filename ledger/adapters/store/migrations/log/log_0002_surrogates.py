"""Surrogates of disclosed values, found again by a keyed digest."""

import sqlalchemy as sa
from alembic import op

revision = "log_0002"
down_revision = "log_0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "lookup",
        sa.Column("digest", sa.Text(), nullable=False),
        sa.Column("surrogate", sa.Text(), nullable=False),
        sa.CheckConstraint("length(digest) = 64", name=op.f("ck_lookup_digest")),
        sa.CheckConstraint("length(surrogate) = 32", name=op.f("ck_lookup_surrogate")),
        sa.PrimaryKeyConstraint("digest", name=op.f("pk_lookup")),
    )
    op.create_index(op.f("ix_disclosure_lookup"), "disclosure", ["lookup"], unique=False)
