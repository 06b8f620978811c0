"""The anchor worker's own tables: anchors, the proofs kept for bundles, the journal of raw transactions."""

from __future__ import annotations

from sqlalchemy import (
    CheckConstraint,
    Column,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    Text,
    UniqueConstraint,
)

from ledger.adapters.store.schema.base import NAMES, BigInt

ANCHOR = MetaData(naming_convention=NAMES)

proof = Table(
    "proof",
    ANCHOR,
    Column("id", BigInt, primary_key=True, autoincrement=False),
    Column("block_number", BigInt, nullable=False),
    Column("block_hash", LargeBinary, nullable=False),
    Column("block_timestamp_s", BigInt, nullable=False),
    Column("header", LargeBinary, nullable=False),
    Column(
        "base",
        BigInt,
        ForeignKey("proof.id"),
        nullable=True,
        comment="the proof whose node set this one is told from; null: told whole",
    ),
    Column("depth", Integer, nullable=False, comment="steps to the one told whole"),
    Column("added", LargeBinary, nullable=False, comment="keccak-256 of each node more than in base"),
    Column("removed", LargeBinary, nullable=False, comment="keccak-256 of each node of base that is not here"),
)

anchor = Table(
    "anchor",
    ANCHOR,
    Column("size", BigInt, primary_key=True, autoincrement=False),
    Column("root", LargeBinary, nullable=False),
    Column("block_number", BigInt, nullable=False),
    Column("block_hash", LargeBinary, nullable=False),
    Column("block_timestamp_s", BigInt, nullable=False),
    Column("tx_hash", LargeBinary, nullable=False),
    Column("anchored_at_s", BigInt, nullable=False),
    Column("proof", BigInt, ForeignKey(proof.c.id), nullable=False),
    Index(None, "block_number"),
    CheckConstraint("size >= 1", name="size"),
    CheckConstraint("length(root) = 32", name="root"),
)

node = Table(
    "node",
    ANCHOR,
    Column("hash", LargeBinary, primary_key=True, comment="keccak-256 of rlp"),
    Column("rlp", LargeBinary, nullable=False),
    CheckConstraint("length(hash) = 32", name="hash"),
)

journal = Table(
    "journal",
    ANCHOR,
    Column("seq", BigInt, primary_key=True, autoincrement=False),
    Column("kind", Text, nullable=False),
    Column("raw_tx", LargeBinary, nullable=False),
    Column("tx_hash", LargeBinary, nullable=False),
    Column("block_number", BigInt, nullable=True),
    Column("block_hash", LargeBinary, nullable=True),
    Column("block_timestamp_s", BigInt, nullable=True),
    UniqueConstraint("tx_hash"),
    Index(None, "block_number", "seq"),
)
