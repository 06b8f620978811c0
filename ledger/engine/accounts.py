"""The arithmetic of one balance key: what was counted, what moved since, in log order and in event-time order.

No subject, no rule: integers in, integers out. Late and corrected moves find their place by event time; nothing is
dropped for being late.
"""

from __future__ import annotations

from bisect import insort
from collections.abc import Sequence
from itertools import accumulate
from math import isqrt
from operator import itemgetter

from msgspec.structs import replace

from ledger.engine.state import Account, Count, Move

MAX_MOVES = 512
"""Above it the older half is folded into the start; a later move that claims to be older sorts to the front then."""
PPM = 1_000_000


def new_account(categories: list[str]) -> Account:
    """An account of nothing."""
    return Account(0, 0, 0, 0, 0, 0, 0, 0, categories=categories)


def join(parts: Sequence[Account]) -> Account:
    """One account of several of the same goods and book. Of moments that are folded away the lowest is not known: it is what
    all of them began with.
    """
    stores: dict[str, int] = {}
    for part in parts:
        for name, amount in part.stores.items():
            stores[name] = stores.get(name, 0) + amount
    start, start_pieces = sum(part.start for part in parts), sum(part.start_pieces for part in parts)
    joined = replace(
        parts[0],
        start=start,
        start_pieces=start_pieces,
        total=sum(part.total for part in parts),
        total_pieces=sum(part.total_pieces for part in parts),
        start_lowest=start,
        start_lowest_pieces=start_pieces,
        came=sum(part.came for part in parts),
        went=sum(part.went for part in parts),
        resolution=max(part.resolution for part in parts),
        as_of_ms=max(part.as_of_ms for part in parts),
        moves=sorted(move for part in parts for move in part.moves),
        stores=stores,
        last=_join_counts([part.last for part in parts if part.last is not None]),
        categories=sorted({category for part in parts for category in part.categories}),
        density_g_per_l=max(part.density_g_per_l for part in parts),
    )
    _find_lowest(joined)
    while len(joined.moves) > MAX_MOVES:
        _fold_away(joined)
    return joined


def _join_counts(counts: Sequence[Count]) -> Count | None:
    """A book's complete stock-take counts all its accounts at once; one that came later has no count, or one of zero."""
    if not counts:
        return None
    newest = max(counts, key=lambda count: count.index)
    counts = [count for count in counts if count.index == newest.index]
    sums = ("book", "counted", "book_pieces", "counted_pieces", "before", "came", "went")
    return replace(newest, **{name: sum(getattr(count, name) for count in counts) for name in sums})


def post(account: Account, move: Move) -> None:
    """Add one move that happened after the account's count. O(1) when it is the newest by event time."""
    event_ms, _, _, amount, pieces, store = move
    newest = not account.moves or move >= account.moves[-1]
    account.total += amount
    account.total_pieces += pieces
    account.as_of_ms = max(account.as_of_ms, event_ms)
    if store:
        account.stores[store] = account.stores.get(store, 0) + amount
    if newest:
        account.moves.append(move)
        account.lowest = min(account.lowest, account.total)
        account.lowest_pieces = min(account.lowest_pieces, account.total_pieces)
    else:
        insort(account.moves, move)
        _find_lowest(account)
    if len(account.moves) > MAX_MOVES:
        _fold_away(account)


def _find_lowest(account: Account) -> None:
    # Up to MAX_MOVES of them for each late move, so none of it is done line by line.
    amounts = accumulate(map(itemgetter(3), account.moves), initial=account.start)
    pieces = accumulate(map(itemgetter(4), account.moves), initial=account.start_pieces)
    account.lowest = min(account.start_lowest, *amounts)
    account.lowest_pieces = min(account.start_lowest_pieces, *pieces)


def _fold_away(account: Account) -> None:
    """Fold the older half into the start; what it proved (its lowest point, what came and went) is kept."""
    half = MAX_MOVES // 2
    for _, _, _, amount, pieces, _ in account.moves[:half]:
        account.start += amount
        account.start_pieces += pieces
        account.start_lowest = min(account.start_lowest, account.start)
        account.start_lowest_pieces = min(account.start_lowest_pieces, account.start_pieces)
        if amount > 0:
            account.came += amount
        else:
            account.went -= amount
    del account.moves[:half]


def count(
    account: Account,
    *,
    cutoff_ms: int,
    record_id: str,
    index: int,
    counted: int,
    counted_pieces: int,
    stores: dict[str, int],
    errors_ppm: tuple[int, int],
    opening: bool,
) -> Count:
    """Re-base the account on what was counted at `cutoff_ms`; the difference stays in the Count, never netted.

    Moves that happened after the cut-off, though logged before, stay.
    """
    book, book_pieces, came, went = account.start, account.start_pieces, account.came, account.went
    after: list[Move] = []
    for move in account.moves:
        if move[0] > cutoff_ms:
            after.append(move)
            continue
        book += move[3]
        book_pieces += move[4]
        if move[3] > 0:
            came += move[3]
        else:
            went -= move[3]
    result = Count(
        record_id=record_id,
        index=index,
        cutoff_ms=cutoff_ms,
        book=book,
        counted=counted,
        book_pieces=book_pieces,
        counted_pieces=counted_pieces,
        before=account.last.counted if account.last else 0,
        came=came,
        went=went,
        random_ppm=errors_ppm[0],
        systematic_ppm=errors_ppm[1],
        opening=opening,
    )
    account.last = result
    account.stores = dict(stores)
    account.as_of_ms = max(cutoff_ms, after[-1][0] if after else 0)
    _restart(account, counted, counted_pieces, after)
    return result


def _restart(account: Account, amount: int, pieces: int, moves: list[Move]) -> None:
    account.start = account.start_lowest = account.total = amount
    account.start_pieces = account.start_lowest_pieces = account.total_pieces = pieces
    account.came = account.went = 0
    account.moves = moves
    for move in moves:
        account.total += move[3]
        account.total_pieces += move[4]
        if move[5]:
            account.stores[move[5]] = account.stores.get(move[5], 0) + move[3]
    _find_lowest(account)


def counted_nothing(record_id: str, index: int, cutoff_ms: int, *, opening: bool) -> Count:
    """The count of a key that a complete stock-take did not list: zero."""
    return Count(record_id, index, cutoff_ms, 0, 0, 0, 0, 0, 0, 0, 0, 0, opening)


def recount(account: Account, counted: int, counted_pieces: int, errors_ppm: tuple[int, int]) -> None:
    """A correction of the last count: everything since stands on the corrected number."""
    last = account.last
    if last is None:
        return
    amount, pieces = counted - last.counted, counted_pieces - last.counted_pieces
    last.counted, last.counted_pieces = counted, counted_pieces
    last.random_ppm, last.systematic_ppm = errors_ppm
    account.start += amount
    account.start_pieces += pieces
    account.start_lowest += amount
    account.start_lowest_pieces += pieces
    account.total += amount
    account.total_pieces += pieces
    _find_lowest(account)


def post_before_count(last: Count, amount: int, pieces: int) -> None:
    """A move logged after the count that happened before its cut-off: the count saw it, the book did not."""
    last.book += amount
    last.book_pieces += pieces
    if amount > 0:
        last.came += amount
    else:
        last.went -= amount


def sigma_of(last: Count) -> int:
    """Standard deviation of the balance's difference, same unit as its amounts; 0 where no error was stated.

    engine.md: sigma² = (I² + O² + C_t² + C_{t-1}²)(r² + s²) - 2 C_t C_{t-1} s², r and s relative, here in ppm.
    `statistics.sigma` is that of streams: opening and closing inventory weighed with errors of their own, to the nearest.
    """
    r2, s2 = last.random_ppm**2, last.systematic_ppm**2
    squares = last.came**2 + last.went**2 + last.counted**2 + last.before**2
    variance = squares * (r2 + s2) - 2 * last.counted * last.before * s2
    return isqrt(max(variance, 0)) // PPM
