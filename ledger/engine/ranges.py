"""No sum of the fold leaves the 64 bits of tables and snapshots, whatever an enterprise states.

Asked before anything is posted: a record beyond the limit changes no balance, and is seen as an error of the engine. (A
sum that grows beyond what can be stored would end every commit from then on, and with them all warnings.)
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ledger.engine.inputs import Input
from ledger.engine.state import Account, Book, FoldState, book_key
from ledger.errors import RuleError

LIMIT = 10**18
"""Base units (or pieces): a hundred times what one line may state. Between two counts, moves of 10^16 that are not folded
away yet (accounts.MAX_MOVES) come on top, and all of it stays below 2^63."""


def check_moves(state: FoldState, entry: Input, book: Book, deltas: Sequence[tuple[str, str, int, int]]) -> None:
    """`deltas` are (balance key, store, amount, pieces), signed; their accounts are there. Raises: RuleError."""
    for (key, name), (amount, pieces) in _gross(deltas).items():
        account, most, most_pieces = book.accounts[key], LIMIT - amount, LIMIT - pieces
        last = account.last
        # Comparisons, and no list of what is compared: it is asked of every movement.
        if not (
            -most <= account.total <= most
            and -most <= account.start <= most
            and -most <= account.came <= most
            and -most <= account.went <= most
            and -most_pieces <= account.total_pieces <= most_pieces
            and -most_pieces <= account.start_pieces <= most_pieces
            and (
                last is None
                or (
                    -most <= last.book <= most
                    and -most <= last.came <= most
                    and -most <= last.went <= most
                    and -most_pieces <= last.book_pieces <= most_pieces
                )
            )
            and (not name or -most <= _stored(state, entry, name, key) <= most)
        ):
            raise _beyond(entry, key)


def check_counted(state: FoldState, entry: Input, sums: Mapping[str, tuple[int, int, dict[str, int]]]) -> None:
    """`sums` are amount, pieces, and amounts by store of each balance key. Raises: RuleError."""
    for key, (amount, pieces, stores) in sums.items():
        there = max((abs(_stored(state, entry, name, key)) for name in stores), default=0)
        if amount + there > LIMIT or pieces > LIMIT:
            raise _beyond(entry, key)


def check_joined(entry: Input, key: str, parts: Sequence[Account]) -> None:
    """`parts` are the accounts that would become one. Raises: RuleError; the record's goods are in none of them then."""
    sums = ("total", "total_pieces", "start", "start_pieces", "came", "went")
    counts = [part.last for part in parts if part.last is not None]
    last = ("book", "book_pieces", "counted", "counted_pieces", "came", "went", "before")
    if any(sum(abs(getattr(part, name)) for part in parts) > LIMIT for name in sums) or any(
        sum(abs(getattr(count, name)) for count in counts) > LIMIT for name in last
    ):
        raise _beyond(entry, key)


def _gross(deltas: Sequence[tuple[str, str, int, int]]) -> dict[tuple[str, str], tuple[int, int]]:
    """What one record moves of each key and store, signs left out."""
    if len(deltas) == 1:
        ((key, name, amount, pieces),) = deltas
        return {(key, name): (abs(amount), abs(pieces))}
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
