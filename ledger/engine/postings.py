"""What the goods lines of a record say of balances: what a movement moves, what a stock-take counted.

Pure functions of the record and of which goods the book tells batches of; what is posted, and where, is `books`.
"""

from __future__ import annotations

from collections.abc import Sequence

from ledger.engine.goods import Goods, key_of_batch
from ledger.engine.inputs import Input
from ledger.engine.state import Book

Delta = tuple[str, str, int, int]
"""(balance key, store, amount, pieces), signed."""


def errors_of(entry: Input) -> tuple[int, int]:
    """Relative random and systematic error that a stock-take states."""
    measurement = entry.body.get("measurement", {})
    return measurement.get("random_ppm", 0), measurement.get("systematic_ppm", 0)


def key_in(book: Book, item: Goods) -> str:
    """The balance key of a line in this book: with its batch, unless such goods are one balance there already."""
    return item.key if not item.line.batch or item.key in book.accounts else key_of_batch(item)


def moved_by(book: Book, entry: Input, goods: Sequence[Goods]) -> list[Delta]:
    """What each line of a movement moves."""
    sign = 1 if entry.body["direction"] == "in" else -1
    return [(key_in(book, item), item.line.store, sign * item.line.amount, sign * item.line.pieces) for item in goods]


def counted_in(book: Book, goods: Sequence[Goods]) -> dict[str, tuple[int, int, dict[str, int]]]:
    """Amount, pieces and amounts by store of each balance key that was counted."""
    sums: dict[str, tuple[int, int, dict[str, int]]] = {}
    for item in goods:
        line, key = item.line, key_in(book, item)
        amount, pieces, stores = sums.get(key, (0, 0, {}))
        if line.store:
            stores[line.store] = stores.get(line.store, 0) + line.amount
        sums[key] = (amount + line.amount, pieces + line.pieces, stores)
    return sums


def netted(deltas: Sequence[Delta]) -> list[Delta]:
    """The same, each key and store once; without what comes to nothing."""
    sums: dict[tuple[str, str], tuple[int, int]] = {}
    for key, store, amount, pieces in deltas:
        had = sums.get((key, store), (0, 0))
        sums[key, store] = (had[0] + amount, had[1] + pieces)
    return [(key, store, *change) for (key, store), change in sums.items() if change != (0, 0)]
