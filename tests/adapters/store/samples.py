"""Rows to put into the stores. Their bytes mean nothing: the stores keep bytes and read none."""

from __future__ import annotations

import hashlib
from typing import Any

from ledger.model import NEVER, Alert, Anchor, BlockRef, Grant, Role, StateProof, StoredRecord
from ledger.ports import (
    AppendBatch,
    BookState,
    LineRow,
    NewEntry,
    NewTile,
    Refused,
    StockRow,
    StoredCheckpoint,
)

TYPE = "application/vnd.hazledger.record.v1+json"
START_MS = 1_700_000_000_000
HOLDER = "91330100MA2AXXXX01"
OTHER = "91330100MA2AXXXX02"


def digest(*parts: object) -> bytes:
    return hashlib.sha256("|".join(map(str, parts)).encode()).digest()


def record_id(index: int) -> str:
    return digest("record", index).hex()


class LogMaker:
    """Makes entries that continue each other, in the order in which they are asked for."""

    def __init__(self) -> None:
        self.index = 0
        self.seqs: dict[tuple[str, str, str], int] = {}

    def entry(
        self,
        holder: str = HOLDER,
        *,
        site: str = "S1",
        book: str = "acid",
        kind: str = "movement",
        disclosures: tuple[tuple[str, str, str], ...] = (),
        facts: dict[str, Any] | None = None,
    ) -> NewEntry:
        index, place = self.index, (holder, site, book)
        self.index += 1
        self.seqs[place] = self.seqs.get(place, 0) + 1
        record = StoredRecord(
            index=index,
            record_id=record_id(index),
            holder=holder,
            site=site,
            book=book,
            seq=self.seqs[place],
            kind=kind,
            type=TYPE,
            received=START_MS + index // 2,
            envelope=b'{"payload":"%d"}\x00\xff' % index,
            entry=b"hazledger/entry/v1\n%d\n" % index,
            receipt=b"receipt %d\n" % index,
        )
        return NewEntry(record, digest("leaf", index), START_MS - index, disclosures, facts)

    def entries(self, count: int, holder: str = HOLDER, **members: Any) -> list[NewEntry]:
        return [self.entry(holder, **members) for _ in range(count)]


def batch(entries: list[NewEntry], **members: Any) -> AppendBatch:
    """The batch with the book states that its entries leave behind."""
    ends = {(e.record.holder, e.record.site, e.record.book): e.record for e in entries}
    books = tuple(BookState(*place, last.seq, last.record_id, True, False) for place, last in ends.items())
    return AppendBatch(tuple(entries), **{"books": books, **members})


def tile(level: int, n: int) -> NewTile:
    return NewTile(level, n, b"".join(digest("tile", level, n, i) for i in range(256)), digest("root", level, n))


def grant(number: int, **members: Any) -> Grant:
    given = {
        "g": digest("g", number).hex(),
        "keyid": digest("key", number).hex(),
        "spki": b"\x30spki%d" % number,
        "holder": HOLDER,
        "scope": "S1/acid",
        "role": Role.ENTERPRISE,
        "enroller": "0x" + "ab" * 20,
        "enrolled_at": 0,
        "revoked_at": NEVER,
    }
    return Grant(**{**given, **members})


def refused(number: int, *, keyid: str = "aa" * 32, received: int = START_MS) -> Refused:
    return Refused(
        record_id=digest("refused", number).hex(),
        holder=HOLDER,
        site="S1",
        book="acid",
        seq=9,
        code="fork",
        received=received,
        envelope=b"{\xff}",
        note=b"note %d" % number,
        keyid=keyid,
    )


def checkpoint(size: int, salt: str = "") -> StoredCheckpoint:
    return StoredCheckpoint(size, digest("root", size, salt), b"note of %d\n" % size, START_MS + size)


def alert(number: int, **members: Any) -> Alert:
    given: dict[str, Any] = {
        "alert_id": digest("alert", number).hex(),
        "rule": "OUT-SPIKE",
        "version": 1,
        "fingerprint": (HOLDER, "7697-37-2"),
        "first_index": number,
        "last_index": number,
        "band": 0,
        "severity": "high",
        "holder": HOLDER,
        "site": "S1",
        "reason": {"zh": "出库激增", "en": "spike"},
        "inputs": {"out_24h": 2**53 - 1, "nested": [1, None, "a"]},
        "opened_ms": START_MS + number,
        "late": False,
    }
    return Alert(**{**given, **members})


def line(index: int, number: int = 0, **members: Any) -> LineRow:
    given: dict[str, Any] = {
        "index": index,
        "line": number,
        "holder": HOLDER,
        "site": "S1",
        "book": "acid",
        "kind": "movement",
        "direction": "out",
        "reason": "sale",
        "code": "7697-37-2",
        "dimension": "mass_mg",
        "amount": 10**16,
        "pieces": None,
        "store": "R1",
        "event_time_ms": START_MS,
        "counterparty": OTHER,
    }
    return LineRow(**{**given, **members})


def stock(key: str = "hno3|liquid||", **members: Any) -> StockRow:
    given: dict[str, Any] = {
        "holder": HOLDER,
        "site": "S1",
        "book": "acid",
        "key": key,
        "code": "7697-37-2",
        "dimension": "mass_mg",
        "amount": -5,
        "pieces": 3,
        "capacity": None,
        "as_of_index": 7,
        "event_time_ms": START_MS,
    }
    return StockRow(**{**given, **members})


def block(number: int, salt: str = "") -> BlockRef:
    return BlockRef(number, digest("block", number, salt), 1_700_000_000 + number)


def anchor(size: int, *, at_block: int | None = None, salt: str = "") -> Anchor:
    at = block(size if at_block is None else at_block, salt)
    return Anchor(size, digest("root", size), at, digest("tx", size, salt), at.timestamp_s)


def state_proof(size: int, nodes: tuple[bytes, ...], *, salt: str = "") -> StateProof:
    return StateProof(block(size, salt), b"header %d %s" % (size, salt.encode()), nodes)
