"""The first tables."""

import sqlalchemy as sa
from alembic import op

revision = "portal_0001"
down_revision = None
branch_labels = None
depends_on = None

BigInt = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "access",
        sa.Column(
            "n",
            BigInt,
            autoincrement=False,
            nullable=False,
            comment="from 1, gapless",
        ),
        sa.Column("at_ms", BigInt, nullable=False),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column("action", sa.Text(), nullable=False),
        sa.Column("target", sa.Text(), nullable=False),
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.CheckConstraint("length(digest) = 32", name=op.f("ck_access_digest")),
        sa.CheckConstraint("n >= 1", name=op.f("ck_access_n")),
        sa.PrimaryKeyConstraint("n", name=op.f("pk_access")),
    )
    op.create_table(
        "session",
        sa.Column("session_hash", sa.Text(), nullable=False),
        sa.Column("username", sa.Text(), nullable=False),
        sa.Column("created_ms", BigInt, nullable=False),
        sa.Column("seen_ms", BigInt, nullable=False),
        sa.Column("expires_ms", BigInt, nullable=False),
        sa.Column("revoked", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("session_hash", name=op.f("pk_session")),
    )
    op.create_index(op.f("ix_session_username"), "session", ["username"], unique=False)
    op.create_table(
        "token",
        sa.Column("token_hash", sa.Text(), nullable=False),
        sa.Column("token_id", sa.Text(), nullable=False),
        sa.Column("role", sa.Text(), nullable=False),
        sa.Column("holder", sa.Text(), nullable=True),
        sa.Column("created_ms", BigInt, nullable=False),
        sa.Column("expires_ms", BigInt, nullable=False),
        sa.Column("revoked_ms", BigInt, nullable=True),
        sa.PrimaryKeyConstraint("token_hash", name=op.f("pk_token")),
        sa.UniqueConstraint("token_id", name=op.f("uq_token_token_id")),
    )
    op.create_table(
        "user",
        sa.Column("username", sa.Text(), nullable=False),
        sa.Column("password_hash", sa.Text(), nullable=False),
        sa.Column("must_change", sa.Boolean(), nullable=False),
        sa.Column("failed", sa.Integer(), nullable=False),
        sa.Column("locked_until_ms", BigInt, nullable=False),
        sa.PrimaryKeyConstraint("username", name=op.f("pk_user")),
    )
