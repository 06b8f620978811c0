"""What lies where: balances, counts and stores, out of movements, complete stock-takes and places."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from ledger.engine.accounts import PPM, sigma_of
from ledger.engine.books import Books, Touched
from ledger.engine.goods import Goods
from ledger.engine.inputs import Input, key_parts
from ledger.engine.register import Register
from ledger.engine.state import Account
from ledger.engine.statistics.fixed import LIMIT_PPM, clamp
from ledger.engine.subjects import COMMON, GOODS, Subject
from ledger.engine.topics.base import Row, Topic, common
from ledger.engine.topics.licences import Licences
from ledger.errors import RuleError

LICENCES = frozenset({"licence", "endorse"})
LABORATORIES = ("lab_room", "lab_cabinet")
"""Classes of stores in a `place` record."""
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
                "sealed": "bool",
                "balance": "int",
                "lowest": "int",
                "pieces": "int",
                "lowest_pieces": "int",
                "tolerance": "int",
            },
        ),
        # One store's stock against its capacity: what a licence permits there, else what the `place` record states. Beside it
        # what is stated, for when a licence that is only declared counts no longer; and how much of a laboratory's stock is
        # explosive precursors (mg), and how much of that is a volume by a density to assume.
        Subject(
            "store",
            level=True,
            fields=COMMON
            | {
                "store": "str",
                "dimension": "str",
                "known": "bool",
                "capacity": "int",
                "stock": "int",
                "fill_ppm": "int",
                "place_capacity": "int",
                "place_ppm": "int",
                "declared": "bool",
                "declared_ms": "int",
                "laboratory": "bool",
                "precursors": "int",
                "assumed_mg": "int",
            },
        ),
        # One balance key at the cut-off of a complete stock-take.
        Subject(
            "count",
            level=False,
            fields=COMMON
            | GOODS
            | {
                "key": "str",
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

    def __init__(self, books: Books, register: Register, licences: Licences) -> None:
        self._books = books
        self._register = register
        self._licences = licences
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
        """Undo a movement whose correction is of another kind; a stock-take's re-base is not undone."""
        if before.kind in LICENCES:
            return self._of_licence(entry, before)
        touched = Touched()
        if before.kind == "movement":
            self._books.undo(before, goods, touched, at=entry)
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
        elif entry.kind == "stocktake":
            self._books.recount(before_goods, entry, goods, touched)
        else:
            self._books.place(entry, entry.body, touched)
        return self._rows(entry, touched)

    def _rows(self, entry: Input, touched: Touched) -> Iterator[Row]:
        """The rows of everything the entry touched: counts, balances, stores."""
        base = common(entry)
        if touched.counts or touched.balances:
            accounts = self._books.book_of(entry).accounts
            for key in touched.counts:
                yield "count", _count_row(base, key, accounts[key])
            for key in touched.balances:
                self.changed[entry.holder, entry.site, entry.book, key] = entry.index
                yield "balance", _balance_row(base, key, accounts[key])
        if touched.restated:
            # What the tables say of a balance has its store's capacity in it.
            self.changed.update(dict.fromkeys(self._books.only_in(touched.restated), entry.index))
        for at in touched.stores:
            yield "store", self._store_row(base, at, entry)

    def _of_licence(self, entry: Input, licence: Input) -> Iterator[Row]:
        """The rows of all stores of whom a licence, or its endorsement, speaks of."""
        if licence.kind == "endorse":
            holder = self._licences.holder_of(licence.body["record_id"])
        else:
            holder = licence.body.get("holder", licence.holder)
        if not any(held.limits for held in self._licences.held(holder)) and not licence.body.get("limits"):
            return
        base = common(entry)
        for at in self._books.stores_of(holder):
            yield "store", self._store_row(base, at, entry)

    def _store_row(self, base: dict[str, Any], at: str, entry: Input) -> dict[str, Any]:
        holder, site, name = at.split("/")
        store = self._books.to_be_told(at)
        dimension, stated = store.dimension, store.capacity or 0
        stated_ppm = _fill_ppm(store.stock.get(dimension, 0), stated)
        certified = self._licences.certified(holder, site, name, entry)
        if certified is not None:
            dimension, capacity = certified.dimension, certified.amount
        else:
            capacity = stated
        stock = store.stock.get(dimension, 0)
        declared_ms = certified.declared_ms if certified is not None else -1
        return base | {
            "holder": holder,
            "site": site,
            "book": store.book,
            "store": name,
            "dimension": dimension,
            "known": capacity > 0,
            "capacity": capacity,
            "stock": stock,
            "fill_ppm": _fill_ppm(stock, capacity),
            "place_capacity": stated,
            "place_ppm": stated_ppm,
            "declared": declared_ms >= 0,
            "declared_ms": max(declared_ms, 0),
            **self._laboratory(at),
        }

    def _laboratory(self, at: str) -> dict[str, Any]:
        """Whether a store is a laboratory's, and if so, how much of explosive precursors lies there."""
        holder, site, name = at.split("/")
        stated = self._register.site(holder, site).stores.get(name)
        if stated is None or stated.kind not in LABORATORIES:
            return {"laboratory": False, "precursors": 0, "assumed_mg": 0}
        precursors, assumed_mg = self._books.mass_in(at, "explosive_precursor")
        return {"laboratory": True, "precursors": precursors, "assumed_mg": assumed_mg}


def _goods(key: str, account: Account) -> dict[str, Any]:
    code, form, packaging, dimension = key_parts(key)
    return {
        "key": key,
        "code": code,
        "form": form,
        "packaging": packaging,
        "dimension": dimension,
        "categories": account.categories,
        "sealed": packaging == "sealed" or dimension == "count",
    }


def _balance_row(base: dict[str, Any], key: str, account: Account) -> dict[str, Any]:
    row = base | _goods(key, account)
    row["balance"], row["lowest"] = account.total, account.lowest
    row["pieces"], row["lowest_pieces"] = account.total_pieces, account.lowest_pieces
    row["tolerance"] = 0 if row["sealed"] else max(TOLERANCE, 2 * account.resolution)
    return row


def _count_row(base: dict[str, Any], key: str, account: Account) -> dict[str, Any]:
    last = account.last
    if last is None:
        raise RuleError(f"{key} was never counted")
    row = base | _goods(key, account)
    row.update(
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


def _fill_ppm(stock: int, capacity: int) -> int:
    return clamp(stock * PPM // capacity, LIMIT_PPM) if capacity > 0 else 0
