"""The first tables."""

import sqlalchemy as sa
from alembic import op

revision = "anchor_0001"
down_revision = None
branch_labels = None
depends_on = None

BigInt = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "journal",
        sa.Column("seq", BigInt, autoincrement=False, nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("raw_tx", sa.LargeBinary(), nullable=False),
        sa.Column("tx_hash", sa.LargeBinary(), nullable=False),
        sa.Column("block_number", BigInt, nullable=True),
        sa.Column("block_hash", sa.LargeBinary(), nullable=True),
        sa.Column("block_timestamp_s", BigInt, nullable=True),
        sa.PrimaryKeyConstraint("seq", name=op.f("pk_journal")),
        sa.UniqueConstraint("tx_hash", name=op.f("uq_journal_tx_hash")),
    )
    op.create_index(op.f("ix_journal_block_number_seq"), "journal", ["block_number", "seq"], unique=False)
    op.create_table(
        "node",
        sa.Column("hash", sa.LargeBinary(), nullable=False, comment="keccak-256 of rlp"),
        sa.Column("rlp", sa.LargeBinary(), nullable=False),
        sa.CheckConstraint("length(hash) = 32", name=op.f("ck_node_hash")),
        sa.PrimaryKeyConstraint("hash", name=op.f("pk_node")),
    )
    op.create_table(
        "proof",
        sa.Column("id", BigInt, autoincrement=False, nullable=False),
        sa.Column("block_number", BigInt, nullable=False),
        sa.Column("block_hash", sa.LargeBinary(), nullable=False),
        sa.Column("block_timestamp_s", BigInt, nullable=False),
        sa.Column("header", sa.LargeBinary(), nullable=False),
        sa.Column(
            "base",
            BigInt,
            nullable=True,
            comment="the proof whose node set this one is told from; null: told whole",
        ),
        sa.Column("depth", sa.Integer(), nullable=False, comment="steps to the one told whole"),
        sa.Column("added", sa.LargeBinary(), nullable=False, comment="keccak-256 of each node more than in base"),
        sa.Column(
            "removed", sa.LargeBinary(), nullable=False, comment="keccak-256 of each node of base that is not here"
        ),
        sa.ForeignKeyConstraint(["base"], ["proof.id"], name=op.f("fk_proof_base")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_proof")),
    )
    op.create_table(
        "anchor",
        sa.Column("size", BigInt, autoincrement=False, nullable=False),
        sa.Column("root", sa.LargeBinary(), nullable=False),
        sa.Column("block_number", BigInt, nullable=False),
        sa.Column("block_hash", sa.LargeBinary(), nullable=False),
        sa.Column("block_timestamp_s", BigInt, nullable=False),
        sa.Column("tx_hash", sa.LargeBinary(), nullable=False),
        sa.Column("anchored_at_s", BigInt, nullable=False),
        sa.Column("proof", BigInt, nullable=False),
        sa.CheckConstraint("length(root) = 32", name=op.f("ck_anchor_root")),
        sa.CheckConstraint("size >= 1", name=op.f("ck_anchor_size")),
        sa.ForeignKeyConstraint(["proof"], ["proof.id"], name=op.f("fk_anchor_proof")),
        sa.PrimaryKeyConstraint("size", name=op.f("pk_anchor")),
    )
    op.create_index(op.f("ix_anchor_block_number"), "anchor", ["block_number"], unique=False)
