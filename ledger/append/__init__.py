"""Stage 3, append: AuthenticRecords → Receipts. The only writer of the log.

When `append` returns, every Appended in its answer is **durable** (one transaction, fsync), its index is contiguous from 0
and never reused, and it continues its book's gapless chain. A repeat gets the first receipt, byte for byte. A crash before
the commit keeps nothing and burns no index; a crash after it loses only the answer, and the client's repeat gets it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ledger.append.checks import check_books, check_chain, check_grants, grant_of
from ledger.append.draft import BookKey, Draft, WriterState, by_keyid, grow
from ledger.core.disclosure import parse_disclosure
from ledger.core.entry import build_entry
from ledger.core.facts import facts_of
from ledger.core.merkle import leaf_hash
from ledger.core.receipt import build_receipt
from ledger.errors import ConflictError, DisclosureError, LedgerError
from ledger.model import Appended, AuthenticRecord, LeafIndex, Receipt, RecordId, StoredRecord, UnixMs
from ledger.places import bound_by
from ledger.ports import AppendBatch, BookState, NewEntry, NewTile

__all__ = ["Draft", "WriterState", "append", "commit"]


def append(records: Sequence[AuthenticRecord], draft: Draft) -> list[Appended | LedgerError]:
    """Draft one caller's records; one answer each, in order. They become durable with `commit(draft)`.

    Lines are independent, but after a refused line later lines of that book are refused too (`after-refused-line`): a
    chain with a hole in it cannot be continued by whoever made it.

    Answers, not raises: ConflictError (409), PayloadError, DisclosureError (422), GrantError (403).
    """
    known = _known(records, draft)
    draft.surrogates.read_ahead(disclosure for record in records for disclosure in record.disclosures)
    broken: set[BookKey] = set()
    answers: list[Appended | LedgerError] = []
    for record in records:
        key = (record.holder, record.site, record.book)
        try:
            stored = known.get(record.record_id) or draft.drafted.get(record.record_id)
            if stored is not None:
                answers.append(_repeat(record, stored, draft))
                continue
            if key in broken:
                raise ConflictError("an earlier line of this book was refused", code="after-refused-line")
            answers.append(_append_one(record, key, draft))
        except LedgerError as error:
            broken.add(key)
            answers.append(error)
    return answers


def commit(draft: Draft) -> None:
    """Write the draft in one transaction; then, and only then, advance the writer's memory.

    Raises: StoreError. Nothing of the draft is kept then, and the state is as before.
    """
    frontier, tails = draft.state.frontier.copy(), [list(t) for t in draft.state.level_tails]
    tiles: list[NewTile] = []
    for entry in draft.entries:
        frontier.append(entry.leaf_hash)
        tiles.extend(grow(tails, int(entry.record.index), entry.leaf_hash))
    batch = AppendBatch(
        entries=tuple(draft.entries),
        tiles=tuple(tiles),
        books=tuple(draft.books.values()),
        grants=tuple(draft.grants.values()),
        refused=tuple(draft.refused),
        late_disclosures=tuple(draft.late_disclosures),
        erased=tuple(sorted(draft.erased)),
        lookups=draft.surrogates.fresh(),
    )
    if batch == AppendBatch(entries=()):
        return
    draft.store.append(batch)
    state = draft.state
    state.frontier, state.level_tails = frontier, tails
    state.books.update(draft.books)
    state.places.update(draft.places)
    if draft.entries:
        state.last_received = draft.entries[-1].record.received
    if draft.grants:
        merged = {g.g: g for grants in state.grants.values() for g in grants}
        merged.update({g.g: g for g, _ in draft.grants.values()})
        state.grants = by_keyid(merged.values())


def _append_one(record: AuthenticRecord, key: BookKey, draft: Draft) -> Appended:
    head = draft.book(key)
    check_chain(record, head)
    check_books(record, head, draft)
    index = draft.next_index()
    check_grants(record, index, draft)
    disclosures: tuple[tuple[str, str, str], ...] = ()
    facts: dict[str, Any] | None = None
    if record.disclosures:
        digests = [d.digest for d in record.disclosures]
        gone = draft.store.is_erased(digests) | (draft.erased & set(digests))
        if gone:
            raise DisclosureError("a disclosure was erased and is never accepted again", code="erased-digest")
        disclosures = tuple((d.digest, d.text, draft.surrogates.lookup_of(d)) for d in record.disclosures)
        facts = facts_of(record.disclosures, record.event_time_ms, draft.zone, draft.surrogates.take)
    received = UnixMs(max(draft.now, draft.state.last_received))
    entry = build_entry(
        record_id=record.record_id,
        holder=record.holder,
        site=record.site,
        book=record.book,
        seq=record.seq,
        type=record.type,
        signatures=record.signatures,
        received=received,
    )
    leaf = leaf_hash(entry)
    note = build_receipt(
        origin=draft.origin,
        record_id=record.record_id,
        leaf_hash=leaf,
        index=index,
        received=received,
        merge_by=UnixMs(received + draft.merge_delay_ms),
        signer=draft.receipt_signer,
    )
    stored = StoredRecord(
        index=index,
        record_id=record.record_id,
        holder=record.holder,
        site=record.site,
        book=record.book,
        seq=record.seq,
        kind=record.kind,
        type=record.type,
        received=received,
        envelope=record.raw,
        entry=entry,
        receipt=note,
    )
    draft.entries.append(
        NewEntry(
            record=stored,
            leaf_hash=leaf,
            event_time_ms=record.event_time_ms,
            disclosures=disclosures,
            facts=facts,
        )
    )
    draft.drafted[record.record_id] = stored
    if record.disclosures:
        draft.brought[record.record_id] = [d.text for d in record.disclosures]
    draft.books[key] = BookState(
        holder=record.holder,
        site=record.site,
        book=record.book,
        seq=record.seq,
        record_id=record.record_id,
        opened=(head is not None and head.opened) or record.kind == "stocktake",
        closed=record.kind == "close" and bool((record.body or {}).get("final")),
    )
    _mirror(record, index, draft)
    return Appended(Receipt(record.record_id, index, received, note), repeat=False)


def _repeat(record: AuthenticRecord, stored: StoredRecord, draft: Draft) -> Appended:
    """The first receipt; disclosures that the record does not have yet are taken in.

    They give it no facts: the fold has read the record without them, and a tick may have sealed that already. What was
    not said in time stays unsaid to the rules (C04 tells), so nothing is gained by bringing a name late.

    Raises: DisclosureError when one of them stands at a name that is disclosed already: a bundle with both would fail.
    """
    if record.disclosures:
        held = {*draft.store.disclosures(record.record_id), *draft.brought.get(record.record_id, ())}
        names = {parse_disclosure(text).name for text in held}
        fresh = [d for d in record.disclosures if d.text not in held]
        for disclosure in fresh:
            if disclosure.name in names:
                raise DisclosureError(
                    "another disclosure of this name is held already",
                    code="disclosure-repeated",
                    pointer=disclosure.name,
                )
        gone = draft.store.is_erased([d.digest for d in fresh])
        # A client that re-sends its exact bytes after an erasure is not at fault; the erased strings just stay out.
        for d in fresh:
            if d.digest not in gone and d.digest not in draft.erased:
                draft.surrogates.take(d)
                draft.late_disclosures.append((record.record_id, d.digest, d.text, draft.surrogates.lookup_of(d)))
        draft.brought.setdefault(record.record_id, []).extend(d.text for d in fresh)
    return Appended(Receipt(record.record_id, stored.index, stored.received, stored.receipt), repeat=True)


def _known(records: Sequence[AuthenticRecord], draft: Draft) -> dict[RecordId, StoredRecord]:
    """Which of these stand in the log already.

    A record that continues its book's head cannot be one of them, so the fresh ones, nearly all, need no look-up.
    """
    ahead: dict[BookKey, int] = {}
    asked = []
    for record in records:
        key = (record.holder, record.site, record.book)
        if key not in ahead:
            head = draft.book(key)
            ahead[key] = head.seq if head else 0
        if record.seq <= ahead[key]:
            asked.append(record.record_id)
        else:
            ahead[key] = max(ahead[key], record.seq)
    return draft.store.records_by_id(asked) if asked else {}


def _mirror(record: AuthenticRecord, index: LeafIndex, draft: Draft) -> None:
    """A `place` binds stores; a platform `grant` entry carries a final enrolment or revocation; an `erasure` names
    digests that go.
    """
    body = record.body or {}
    if record.kind == "grant":
        grant = grant_of(body)
        draft.grants[grant.g] = (grant, index)
    elif record.kind in ("place", "correction"):
        before = draft.bindings(record.holder)
        after = bound_by(before, record.kind, body)
        if after is not before:
            draft.places[record.holder] = after
    elif record.kind == "erasure":
        draft.erased.update(str(d) for d in body.get("digests", []))
