"""What a record needs to continue its book: the next seq, an opened book, a grant that covers this index."""

from __future__ import annotations

from typing import Any

from ledger.append.draft import Draft
from ledger.core.encoding import b64_decode
from ledger.core.grants import covers, in_force
from ledger.core.record import STOCK_KINDS
from ledger.errors import ConflictError, GrantError, PayloadError
from ledger.model import NEVER, AuthenticRecord, Grant, LeafIndex, RecordId, Role, StoredRecord, TreeSize
from ledger.places import check_stores
from ledger.ports import BookState


def check_chain(record: AuthenticRecord, head: BookState | None) -> None:
    seq, prev = (head.seq, head.record_id) if head else (0, None)
    if record.seq == seq + 1 and record.prev == prev:
        return
    place = f"{record.site}/{record.book}"
    if record.seq <= seq:
        raise ConflictError(
            f"another payload stands at seq {record.seq} of {place}; both are kept as evidence",
            code="fork",
            expected_seq=seq + 1,
            expected_prev=prev,
        )
    if record.seq != seq + 1:
        raise ConflictError(
            f"seq {record.seq} of {place} would leave a gap: the next is {seq + 1}",
            code="seq-gap",
            expected_seq=seq + 1,
            expected_prev=prev,
        )
    raise ConflictError(
        f"`prev` of seq {record.seq} of {place} is not the record before it",
        code="prev-mismatch",
        expected_seq=seq + 1,
        expected_prev=prev,
    )


def check_books(record: AuthenticRecord, head: BookState | None, draft: Draft) -> None:
    if head is not None and head.closed:
        raise ConflictError(
            "this book is final; go on in a new book whose first stock-take `continues` it", code="book-closed"
        )
    body = record.body or {}
    opened = head is not None and head.opened
    # formats.md section 2, Books: the first stock record of a book says what is there.
    if not opened and record.kind in STOCK_KINDS and not (record.kind == "stocktake" and body.get("complete") is True):
        raise PayloadError(
            "the first movement, stocktake or close of a book must be a complete stocktake",
            code="book-not-opened",
            pointer="/kind",
        )
    if record.kind == "stocktake" and "continues" in body:
        site, book = str(body["continues"]["site"]), str(body["continues"]["book"])
        before = draft.book((record.holder, site, book))
        if before is None or not before.closed:
            raise PayloadError(
                f"`continues` names {site}/{book}, which is no final book of this holder",
                code="continues-unknown",
                pointer="/body/continues",
            )
    target: StoredRecord | None = None
    if record.kind == "correction":
        corrects = RecordId(str(body.get("corrects")))
        target = draft.drafted.get(corrects) or draft.store.record_by_id(corrects)
        if target is None or (target.holder, target.site, target.book) != (record.holder, record.site, record.book):
            raise PayloadError(
                "`corrects` names no record of this holder, site and book",
                code="corrects-unknown",
                pointer="/body/corrects",
            )
    if record.stores:
        check_stores(
            record.stores,
            kind=record.kind,
            site=record.site,
            book=record.book,
            bindings=draft.bindings(record.holder),
            corrected=lambda: target,
        )


def check_grants(record: AuthenticRecord, index: LeafIndex, draft: Draft) -> None:
    """Check 4 against the index that is about to be given: enrolled_at <= index < revoked_at."""
    for keyid, _, _ in record.signatures:
        if not draft.grants and any(in_force(g, index) and covers(g, record) for g in draft.state.by_keyid(keyid)):
            continue
        fresh = [g for g, _ in draft.grants.values() if g.keyid == keyid]
        if record.kind == "grant" and (record.body or {}).get("keyid") == keyid:
            fresh.append(grant_of(record.body or {}))  # the platform's own first grant, mirrored by itself
        grants = [g for g in (*draft.state.grants.get(keyid, ()), *fresh) if covers(g, record)]
        if any(in_force(g, index) for g in grants):
            continue
        if not grants:
            raise GrantError(f"key {keyid} has no grant for this holder, book and kind", code="no-grant")
        if all(index >= g.revoked_at for g in grants):
            raise GrantError(f"key {keyid} is revoked; enrol a new key and sign again with it", code="key-revoked")
        raise GrantError(f"the grant of key {keyid} is not in force yet; try again shortly", code="not-yet-granted")


def grant_of(body: dict[str, Any]) -> Grant:
    return Grant(
        g=str(body["g"]),
        keyid=str(body["keyid"]),
        spki=b64_decode(str(body["spki"])),
        holder=str(body["holder"]),
        scope=str(body["scope"]),
        role=Role(int(body["role"])),
        enroller=str(body["enroller"]),
        enrolled_at=TreeSize(int(body["enrolled_at"])),
        revoked_at=TreeSize(int(body["revoked_at"])) if body.get("revoked_at") is not None else NEVER,
    )
