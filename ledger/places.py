"""Which book each store is bound to (formats.md section 2, Books).

"`place` binds each store to exactly one book; a line's store must be bound to the record's book." A `place`, or a correction
of one, replaces all that stood of each site it names, in the order of the log, as the engine's fold has it too. A site that
no `place` has named yet is bound to nothing, and lines may name any store there.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from ledger.core import strictjson
from ledger.core.dsse import parse_envelope
from ledger.core.record import STOCK_KINDS
from ledger.errors import MalformedRecordError, PayloadError, StoreError
from ledger.model import LeafIndex, StoredRecord
from ledger.ports import LogReader, RecordFilter

Bindings = Mapping[str, Mapping[str, str]]
"""Of one holder: site → store → book."""
Body = Mapping[str, Any]

_PAGE = 200


def stores_of(kind: str, body: Body) -> tuple[str, ...]:
    """The stores that the goods lines of a stock record name, or of the correction of one; each once.

    Empty for all other kinds: they live in office books, to which no store is bound.
    """
    if kind == "correction":
        kind, body = body["kind"], body["body"]
    if kind not in STOCK_KINDS:
        return ()
    return tuple(dict.fromkeys(line["store"] for line in body.get("lines", ()) if "store" in line))


def bound_by(before: Bindings, kind: str, body: Body) -> Bindings:
    """The bindings after a record of the holder; `before` itself when it binds nothing."""
    if kind == "correction":
        kind, body = body["kind"], body["body"]
    if kind != "place":
        return before
    return {
        **before,
        **{site["site"]: {store["id"]: store["book"] for store in site["stores"]} for site in body["sites"]},
    }


def check_stores(
    stores: Iterable[str],
    *,
    kind: str,
    site: str,
    book: str,
    bindings: Bindings,
    corrected: Callable[[], StoredRecord | None],
) -> None:
    """Every store is bound to this book, or the site's stores are not known.

    `corrected` is asked for the record that a correction names: what was bound when it was counted or moved stays
    correctable after the store went to another book.

    Raises: PayloadError `store-not-bound` (422).
    """
    known = bindings.get(site)
    if known is None:
        return
    loose = [store for store in stores if known.get(store) != book]
    if loose and kind == "correction" and (target := corrected()) is not None:
        named = stores_of(target.kind, body_of(target))
        loose = [store for store in loose if store not in named]
    if loose:
        held = known.get(loose[0])
        words = f"is bound to the book {held}" if held else f"is no store that the `place` record of {site} names"
        raise PayloadError(
            f"{loose[0]} {words}, not to {book}; write into its book, or send the `place` that binds it first",
            code="store-not-bound",
            pointer="/body/body/lines" if kind == "correction" else "/body/lines",
        )


def body_of(stored: StoredRecord) -> dict[str, Any]:
    """The payload's body out of a stored envelope. Raises: StoreError when a damaged store has it not."""
    try:
        body: dict[str, Any] = strictjson.loads(parse_envelope(stored.envelope).payload)["body"]
    except (MalformedRecordError, LookupError, TypeError) as error:
        raise StoreError(f"entry {stored.index} does not parse; run `hazledger verify log`") from error
    return body


class Places:
    """The bindings of all holders, as far as the log was read. For one thread at a time."""

    def __init__(self) -> None:
        self._by_holder: dict[str, Bindings] = {}
        self._next = LeafIndex(0)

    def of(self, holder: str) -> Bindings:
        return self._by_holder.get(holder, {})

    def update(self, changed: Mapping[str, Bindings]) -> None:
        self._by_holder.update(changed)

    def catch_up(self, log: LogReader) -> None:
        """Take in what was logged since the last time. Reads only `place` records and corrections, by their index."""
        end = LeafIndex(int(log.size()))
        fresh: list[tuple[LeafIndex, str, str, dict[str, Any]]] = []
        for kind in ("place", "correction"):
            before = end
            while before > self._next:
                page = log.search(RecordFilter(kind=kind), before=before, limit=_PAGE)
                fresh += [
                    (r.index, r.holder, r.kind, body_of(r))
                    for r in page
                    # Only an office book holds a `place`, and so what corrects one.
                    if r.index >= self._next and r.book.startswith("office")
                ]
                if len(page) < _PAGE:
                    break
                before = page[-1].index
        for _, holder, kind, body in sorted(fresh, key=lambda found: found[0]):
            self._by_holder[holder] = bound_by(self.of(holder), kind, body)
        self._next = end
