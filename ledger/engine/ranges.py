"""No sum of the fold leaves the 64 bits of tables and snapshots, whatever an enterprise states.

Asked before anything is posted: a record beyond the limit changes no balance, and is seen as an error of the engine. (A
sum that grows beyond what can be stored would end every commit from then on, and with them all warnings.)
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ledger.engine.inputs import Input
from ledger.engine.state import Book, FoldState, book_key
from ledger.errors import RuleError

LIMIT = 10**18
"""Base units (or pieces): a hundred times what one line may state. Between two counts, moves of 10^16 that are not folded
away yet (accounts.MAX_MOVES) come on top, and all of it stays below 2^63."""


def check_moves(state: FoldState, entry: Input, book: Book, deltas: Sequence[tuple[str, str, int, int]]) -> None:
    """`deltas` are (balance key, store, amount, pieces), signed; their accounts are there. Raises: RuleError."""
    for (key, name), (amount, pieces) in _gross(deltas).items():
        account = book.accounts[key]
        sums = [account.total, account.start, account.came, account.went]
        counts = [account.total_pieces, account.start_pieces]
        if account.last is not None:
            sums += [account.last.book, account.last.came, account.last.went]
            counts.append(account.last.book_pieces)
        if name:
            sums.append(_stored(state, entry, name, key))
        if max(map(abs, sums)) + amount > LIMIT or max(map(abs, counts)) + pieces > LIMIT:
            raise _beyond(entry, key)


def check_counted(state: FoldState, entry: Input, sums: Mapping[str, tuple[int, int, dict[str, int]]]) -> None:
    """`sums` are amount, pieces, and amounts by store of each balance key. Raises: RuleError."""
    for key, (amount, pieces, stores) in sums.items():
        there = max((abs(_stored(state, entry, name, key)) for name in stores), default=0)
        if amount + there > LIMIT or pieces > LIMIT:
            raise _beyond(entry, key)


def _gross(deltas: Sequence[tuple[str, str, int, int]]) -> dict[tuple[str, str], tuple[int, int]]:
    """What one record moves of each key and store, signs left out."""
    gross: dict[tuple[str, str], tuple[int, int]] = {}
    for key, name, amount, pieces in deltas:
        had = gross.get((key, name), (0, 0))
        gross[key, name] = (had[0] + abs(amount), had[1] + abs(pieces))
    return gross


def _stored(state: FoldState, entry: Input, name: str, key: str) -> int:
    store = state.stores.get(book_key(entry.holder, entry.site, name))
    return store.stock.get(key.rsplit("|", 1)[1], 0) if store is not None else 0


def _beyond(entry: Input, key: str) -> RuleError:
    return RuleError(
        f"{key} of {entry.holder} {entry.site}/{entry.book} would pass 10^18 base units; the record is not in the balance",
        code="balance-range",
    )
