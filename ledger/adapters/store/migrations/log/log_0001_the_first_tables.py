"""The first tables."""

import sqlalchemy as sa
from alembic import op

revision = "log_0001"
down_revision = None
branch_labels = None
depends_on = None

BigInt = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "book",
        sa.Column("holder", sa.Text(), nullable=False),
        sa.Column("site", sa.Text(), nullable=False),
        sa.Column("book", sa.Text(), nullable=False),
        sa.Column("seq", BigInt, nullable=False),
        sa.Column("record_id", sa.LargeBinary(), nullable=False),
        sa.Column("opened", sa.Boolean(), nullable=False),
        sa.Column("closed", sa.Boolean(), nullable=False),
        sa.CheckConstraint("length(record_id) = 32", name=op.f("ck_book_record_id")),
        sa.CheckConstraint("seq >= 1", name=op.f("ck_book_seq")),
        sa.PrimaryKeyConstraint("holder", "site", "book", name=op.f("pk_book")),
    )
    op.create_table(
        "checkpoint",
        sa.Column("size", BigInt, autoincrement=False, nullable=False),
        sa.Column("root", sa.LargeBinary(), nullable=False),
        sa.Column("note", sa.LargeBinary(), nullable=False),
        sa.Column("signed_ms", BigInt, nullable=False),
        sa.CheckConstraint("length(root) = 32", name=op.f("ck_checkpoint_root")),
        sa.CheckConstraint("size >= 0", name=op.f("ck_checkpoint_size")),
        sa.PrimaryKeyConstraint("size", name=op.f("pk_checkpoint")),
    )
    op.create_table(
        "entry",
        sa.Column("index", BigInt, autoincrement=False, nullable=False),
        sa.Column("record_id", sa.LargeBinary(), nullable=False),
        sa.Column("holder", sa.Text(), nullable=False),
        sa.Column("site", sa.Text(), nullable=False),
        sa.Column("book", sa.Text(), nullable=False),
        sa.Column("seq", BigInt, nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("type", sa.Text(), nullable=False),
        sa.Column("received", BigInt, nullable=False),
        sa.Column("event_time_ms", BigInt, nullable=False),
        sa.Column("leaf_hash", sa.LargeBinary(), nullable=False),
        sa.Column("entry", sa.LargeBinary(), nullable=False),
        sa.Column("receipt", sa.LargeBinary(), nullable=False),
        sa.Column("envelope", sa.LargeBinary(), nullable=False),
        sa.CheckConstraint('"index" >= 0', name=op.f("ck_entry_index")),
        sa.CheckConstraint("length(leaf_hash) = 32", name=op.f("ck_entry_leaf_hash")),
        sa.CheckConstraint("length(record_id) = 32", name=op.f("ck_entry_record_id")),
        sa.CheckConstraint("seq >= 1", name=op.f("ck_entry_seq")),
        sa.PrimaryKeyConstraint("index", name=op.f("pk_entry")),
        sa.UniqueConstraint("holder", "site", "book", "seq", name=op.f("uq_entry_holder_site_book_seq")),
        sa.UniqueConstraint("record_id", name=op.f("uq_entry_record_id")),
    )
    op.create_index(op.f("ix_entry_holder_index"), "entry", ["holder", "index"], unique=False)
    op.create_index(op.f("ix_entry_kind_index"), "entry", ["kind", "index"], unique=False)
    op.create_index(op.f("ix_entry_received"), "entry", ["received"], unique=False)
    op.create_table(
        "erased",
        sa.Column("digest", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("digest", name=op.f("pk_erased")),
    )
    op.create_table(
        "grant",
        sa.Column("g", sa.LargeBinary(), nullable=False),
        sa.Column("keyid", sa.Text(), nullable=False),
        sa.Column("spki", sa.LargeBinary(), nullable=False),
        sa.Column("holder", sa.Text(), nullable=False),
        sa.Column("scope", sa.Text(), nullable=False),
        sa.Column("role", sa.Integer(), nullable=False),
        sa.Column("enroller", sa.Text(), nullable=False),
        sa.Column("enrolled_at", BigInt, nullable=False),
        sa.Column("revoked_at", BigInt, nullable=False),
        sa.Column(
            "index",
            BigInt,
            nullable=False,
            comment="of the grant entry that carries these values",
        ),
        sa.CheckConstraint("length(g) = 32", name=op.f("ck_grant_g")),
        sa.PrimaryKeyConstraint("g", name=op.f("pk_grant")),
    )
    op.create_index(op.f("ix_grant_index"), "grant", ["index"], unique=False)
    op.create_table(
        "meta",
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("value", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_meta")),
    )
    op.create_table(
        "refused",
        sa.Column("record_id", sa.LargeBinary(), nullable=False),
        sa.Column("holder", sa.Text(), nullable=False),
        sa.Column("site", sa.Text(), nullable=False),
        sa.Column("book", sa.Text(), nullable=False),
        sa.Column("seq", BigInt, nullable=False),
        sa.Column("code", sa.Text(), nullable=False),
        sa.Column("received", BigInt, nullable=False),
        sa.Column("envelope", sa.LargeBinary(), nullable=False),
        sa.Column("note", sa.LargeBinary(), nullable=False),
        sa.Column("keyid", sa.Text(), nullable=False),
        sa.CheckConstraint("length(record_id) = 32", name=op.f("ck_refused_record_id")),
        sa.PrimaryKeyConstraint("record_id", name=op.f("pk_refused")),
    )
    op.create_index(op.f("ix_refused_keyid_received"), "refused", ["keyid", "received"], unique=False)
    op.create_table(
        "tile",
        sa.Column("level", sa.Integer(), nullable=False),
        sa.Column("n", BigInt, nullable=False),
        sa.Column("hashes", sa.LargeBinary(), nullable=False),
        sa.Column("root", sa.LargeBinary(), nullable=False),
        sa.CheckConstraint("length(hashes) = 8192", name=op.f("ck_tile_hashes")),
        sa.CheckConstraint("length(root) = 32", name=op.f("ck_tile_root")),
        sa.CheckConstraint("level >= 0 AND n >= 0", name=op.f("ck_tile_place")),
        sa.PrimaryKeyConstraint("level", "n", name=op.f("pk_tile")),
    )
    op.create_table(
        "disclosure",
        sa.Column("digest", sa.Text(), nullable=False),
        sa.Column("index", BigInt, nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("lookup", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["index"], ["entry.index"], name=op.f("fk_disclosure_index")),
        sa.PrimaryKeyConstraint("digest", "index", name=op.f("pk_disclosure")),
    )
    op.create_index(op.f("ix_disclosure_index"), "disclosure", ["index"], unique=False)
    op.create_table(
        "facts",
        sa.Column("index", BigInt, autoincrement=False, nullable=False),
        sa.Column("facts", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["index"], ["entry.index"], name=op.f("fk_facts_index")),
        sa.PrimaryKeyConstraint("index", name=op.f("pk_facts")),
    )
