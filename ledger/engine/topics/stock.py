"""What lies where: balances, counts and stores, out of movements, complete stock-takes and places."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from typing import Any

from ledger.core.balancekey import key_parts
from ledger.engine.accounts import new_account, sigma_of
from ledger.engine.books import Books
from ledger.engine.goods import Goods
from ledger.engine.inputs import Input, happened_ms
from ledger.engine.parameters import Parameter
from ledger.engine.register import Register
from ledger.engine.state import Account, Store
from ledger.engine.stores import Touched
from ledger.engine.subjects import COMMON, GOODS, Subject
from ledger.engine.topics import capacities
from ledger.engine.topics.base import Row, Topic, common
from ledger.engine.topics.licences import Licences
from ledger.errors import RuleError

LICENCES = frozenset({"licence", "endorse"})
TOLERANCE = 100_000
"""Bulk goods: 0.1 kg or 0.1 L (catalogue A01), or twice the scale's resolution where that is more."""


class Stock(Topic):
    """The books (`ledger.engine.books`) as a topic. `changed` collects balance keys for the portal's tables."""

    kinds = frozenset({"movement", "stocktake", "place", "licence", "endorse"})
    subjects = (
        # The book stock of one balance key after an entry.
        Subject(
            "balance",
            level=True,
            fields=COMMON
            | GOODS
            | {
                "key": "str",
                "band": "str",
                "batch": "str",
                "sealed": "bool",
                "balance": "int",
                "lowest": "int",
                "pieces": "int",
                "lowest_pieces": "int",
                "tolerance": "int",
            },
        ),
        *capacities.SUBJECTS,
        # One balance key at the cut-off of a complete stock-take.
        Subject(
            "count",
            level=False,
            fields=COMMON
            | GOODS
            | {
                "key": "str",
                "band": "str",
                "batch": "str",
                "sealed": "bool",
                "opening": "bool",
                "book_amount": "int",
                "counted": "int",
                "difference": "int",
                "shortage": "bool",
                "book_pieces": "int",
                "counted_pieces": "int",
                "difference_pieces": "int",
                "sigma": "int",
                "stocktake": "str",
            },
        ),
    )

    timer = "STORES"
    asks = ("check_due",)

    def __init__(
        self, books: Books, register: Register, licences: Licences, numbers: Mapping[str, Parameter] | None = None
    ) -> None:
        """`numbers`: the parameters in `asks`, as far as a rule that listens has them."""
        self._books = books
        self._licences = licences
        self._capacities = capacities.Capacities(books, register, licences, (numbers or {}).get(capacities.CHECK_DUE))
        self.dues: dict[str, int | None] = {}
        """Stores (holder/site/store) -> when their rows are due again by themselves, None for no more; emptied by the fold."""
        self.changed: dict[tuple[str, str, str, str], int] = {}
        """(holder, site, book, balance key) -> index of the entry that changed it; taken and emptied by the fold."""

    def apply(self, entry: Input, goods: Sequence[Goods]) -> Iterable[Row]:
        """Post a movement, re-base on a stock-take, take over a place; a licence may change what stores may hold."""
        if entry.kind in LICENCES:
            return self._of_licence(entry, entry)
        touched = Touched()
        if entry.kind == "movement":
            self._books.move(entry, goods, touched)
        elif entry.kind == "stocktake":
            self._books.stocktake(entry, goods, touched)
        else:
            self._books.place(entry, entry.body, touched)
        return self._rows(entry, touched)

    def withdraw(self, before: Input, goods: Sequence[Goods], entry: Input) -> Iterable[Row]:
        """Undo a movement whose correction is of another kind; a count that was none found what the book said."""
        if before.kind in LICENCES:
            return self._of_licence(entry, before)
        touched = Touched()
        if before.kind == "movement":
            self._books.undo(before, goods, touched, at=entry)
        elif before.kind == "stocktake":
            self._books.uncount(entry, touched)
        return self._rows(entry, touched)

    def correct(
        self, before: Input, before_goods: Sequence[Goods], entry: Input, goods: Sequence[Goods]
    ) -> Iterable[Row]:
        """Only the difference is posted, so that a balance never dips in between."""
        if entry.kind in LICENCES:
            return self._of_licence(entry, before)
        touched = Touched()
        if entry.kind == "movement":
            self._books.correct(before, before_goods, entry, goods, touched)
        elif entry.kind == "stocktake" and entry.body["complete"] and not before.body["complete"]:
            self._books.completed(before_goods, entry, goods, touched)
        elif entry.kind == "stocktake" and not entry.body["complete"]:
            self._books.uncount(entry, touched)
        elif entry.kind == "stocktake":
            self._books.recount(before_goods, entry, goods, touched)
        else:
            self._books.place(entry, entry.body, touched)
        return self._rows(entry, touched)

    def _rows(self, entry: Input, touched: Touched) -> list[Row]:
        """The rows of everything the entry touched: counts, balances, stores."""
        base, rows = common(entry), list[Row]()
        if touched.counts or touched.balances or touched.gone:
            accounts = self._books.book_of(entry).accounts
            for key in touched.gone:
                self.changed[entry.holder, entry.site, entry.book, key] = entry.index
                rows.append(("balance", _balance_row(base, key, new_account([]))))
            rows += [("count", _count_row(base, key, accounts[key])) for key in touched.counts]
            for key in touched.balances:
                self.changed[entry.holder, entry.site, entry.book, key] = entry.index
                rows.append(("balance", _balance_row(base, key, accounts[key])))
        if touched.restated:
            # What the tables say of a balance has its store's capacity in it.
            self.changed.update(dict.fromkeys(self._books.only_in(touched.restated), entry.index))
        for at in touched.stores:
            rows += self._of_store(base, at, self._books.to_be_told(at), entry)
        return rows

    def _of_licence(self, entry: Input, licence: Input) -> Iterable[Row]:
        """The rows of all stores of whom a licence, or its endorsement, speaks of."""
        if not self._licences.limited:
            return
        if licence.kind == "endorse":
            holder = self._licences.holder_of(licence.body["record_id"])
        else:
            holder = licence.body.get("holder", licence.holder)
        base = common(entry)
        for at in self._books.stores_of(holder):
            # What stands there is the same: it is not told again, or it would wait, beside the state, for another entry.
            if (store := self._books.store(at)) is not None:
                yield from self._of_store(base, at, store, entry)

    def _of_store(self, base: dict[str, Any], at: str, store: Store, entry: Input) -> list[Row]:
        """What a record tells of a store."""
        store.record_id = entry.record_id
        return self._told(base, at, store, happened_ms(entry))

    def _told(self, base: dict[str, Any], at: str, store: Store, now_ms: int) -> list[Row]:
        due_ms = store.due_ms
        rows = self._capacities.rows(base, at, store, now_ms)
        if store.due_ms != due_ms:
            self.dues[at] = store.due_ms or None
        return rows

    def wake(self, at: str, index: int, now_ms: int) -> Iterable[Row]:
        """The rows of a store (holder/site/store) at a moment from which other certificates count."""
        store = self._books.store(at)
        if store is None:
            return ()
        store.due_ms = 0
        base = {"record_id": store.record_id, "index": index, "received_ms": now_ms, "event_ms": now_ms}
        return self._told(base, at, store, now_ms)


@lru_cache(maxsize=8192)
def _of_key(key: str) -> dict[str, Any]:
    """The fields of a row that its balance key says; nobody changes them."""
    parts = key_parts(key)
    return {
        "key": key,
        "code": parts.code,
        "band": parts.band,
        "form": parts.form,
        "packaging": parts.packaging,
        "batch": parts.batch,
        "dimension": parts.dimension,
        "categories": [],
        "sealed": parts.packaging == "sealed" or parts.dimension == "count",
    }


def _balance_row(base: dict[str, Any], key: str, account: Account) -> dict[str, Any]:
    row = base | _of_key(key)
    row["categories"] = account.categories
    row["balance"], row["lowest"] = account.total, account.lowest
    row["pieces"], row["lowest_pieces"] = account.total_pieces, account.lowest_pieces
    row["tolerance"] = 0 if row["sealed"] else max(TOLERANCE, 2 * account.resolution)
    return row


def _count_row(base: dict[str, Any], key: str, account: Account) -> dict[str, Any]:
    last = account.last
    if last is None:
        raise RuleError(f"{key} was never counted")
    row = base | _of_key(key)
    row.update(
        categories=account.categories,
        opening=last.opening,
        book_amount=last.book,
        counted=last.counted,
        difference=abs(last.book - last.counted),
        shortage=last.counted < last.book or last.counted_pieces < last.book_pieces,
        book_pieces=last.book_pieces,
        counted_pieces=last.counted_pieces,
        difference_pieces=abs(last.book_pieces - last.counted_pieces),
        sigma=0 if row["sealed"] else sigma_of(last),
        stocktake=last.record_id,
    )
    return row
