"""What lies where: balances, counts and stores, out of movements, complete stock-takes and places."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from ledger.engine.books import Books, Touched
from ledger.engine.goods import Goods
from ledger.engine.inputs import Input
from ledger.engine.subjects import COMMON, GOODS, Subject
from ledger.engine.topics.base import Row, Topic


class Stock(Topic):
    """The books (`ledger.engine.books`) as a topic. `changed` collects balance keys for the portal's tables."""

    kinds = frozenset({"movement", "stocktake", "place"})
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
        # One store's stock against its stated capacity.
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

    def __init__(self, books: Books) -> None:
        self._books = books
        self.changed: dict[tuple[str, str, str, str], int] = {}
        """(holder, site, book, balance key) -> index of the entry that changed it; taken and emptied by the fold."""

    def apply(self, entry: Input, goods: Sequence[Goods]) -> Iterable[Row]:
        """Post a movement, re-base on a stock-take, take over a place."""
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
        touched = Touched()
        if before.kind == "movement":
            self._books.undo(before, goods, touched, at=entry)
        return self._rows(entry, touched)

    def correct(
        self, before: Input, before_goods: Sequence[Goods], entry: Input, goods: Sequence[Goods]
    ) -> Iterable[Row]:
        """Only the difference is posted, so that a balance never dips in between."""
        touched = Touched()
        if entry.kind == "movement":
            self._books.correct(before, before_goods, entry, goods, touched)
        elif entry.kind == "stocktake":
            self._books.recount(before_goods, entry, goods, touched)
        else:
            self._books.place(entry, entry.body, touched)
        return self._rows(entry, touched)

    def _rows(self, entry: Input, touched: Touched) -> Iterable[Row]:
        for key in touched.balances:
            self.changed[entry.holder, entry.site, entry.book, key] = entry.index
        return self._books.rows(entry, touched)
