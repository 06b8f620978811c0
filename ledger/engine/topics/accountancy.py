"""Material accountancy: a balance of every stream at each complete stock-take, and what was declared lost.

Beside the books (`topics.stock`), which compare one count with the book: here each count closes a balance with an error
of its own, balances of one stream form a series, and the series is tested (`statistics`). Sealed packages are counted:
their balances have no sigma, and no test of the series is ever run on them.

Sees a record before the books do: what they refuse as too great to add up is held here, up to the same limit.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import msgspec

from ledger.engine import streams
from ledger.engine.goods import Goods
from ledger.engine.inputs import Input, happened_ms, plausible_ms, unix_ms
from ledger.engine.lanes import HORIZON_MS
from ledger.engine.periods import Period, Taken
from ledger.engine.register import Register
from ledger.engine.statistics import clamp, quantity_z_milli, ratio_ppm
from ledger.engine.streams import Derived, Flow, Stream
from ledger.engine.topics.balances import (
    DECLARED_LOSS,
    MATERIAL_BALANCE,
    MATERIAL_STREAM,
    balance_row,
    goods_fields,
    is_sealed,
    series_fields,
)
from ledger.engine.topics.base import ORIGIN, Row, Topic, common

DEFAULT_RANDOM_PPM = 2_000
DEFAULT_SYSTEMATIC_PPM = 1_000
"""Where a bulk count states no errors, or none above 0: engineering defaults, an ordinary level gauge or platform scale.
Only what is stated is held against the one who stated it (`balances.series_fields`)."""
WINDOW_MS = 30 * 86_400_000
"""Declared losses are judged by the month."""
_EVAPORATES = frozenset({"H220", "H221", "H224", "H225", "H226", "H280"})
"""Flammable liquids, gases."""
_LIQUID_FORMS = frozenset({"liquid", "solution", "gas"})


class BookStreams(msgspec.Struct, array_like=True):
    """The streams of one book, and its last complete stock-take: what a stream that is new since began with, at zero."""

    last: Taken | None = None
    streams: dict[str, Stream] = {}


Measured = tuple[int, int, int, int | None]
"""(lost lately, handled lately, losses before, z in thousandths) of one declared loss."""


class AccountancyState(msgspec.Struct):
    """By holder/site/book."""

    books: dict[str, BookStreams] = {}
    refused: dict[str, int] = {}
    """"record_id key" of moves beyond what can be summed, which are in no balance -> index."""
    declared: dict[str, tuple[int, dict[int, Measured]]] = {}
    """record_id of a declared loss of the last week -> (event ms, how each line was measured when it was declared)."""


class Accountancy(Topic):
    """Balances, their series, declared losses. What follows from the state is remembered beside it, never in it."""

    kinds = frozenset({"movement", "stocktake"})
    papers = frozenset({"place"})
    subjects = (MATERIAL_BALANCE, MATERIAL_STREAM, DECLARED_LOSS)

    def __init__(self, state: AccountancyState, register: Register) -> None:
        self._state = state
        self._register = register
        self._known: dict[tuple[str, str], Derived] = {}
        self.gone: list[tuple[str, int]] = []
        for book in state.books.values():
            streams.share(book.streams.values())

    # --- records -----------------------------------------------------------------------------------------------------

    def apply(self, entry: Input, goods: Sequence[Goods]) -> Iterator[Row]:
        """Take in a movement or a complete stock-take."""
        touched: dict[str, set[int]] = {}
        self._take(entry, goods, touched)
        if touched:
            yield from self._rows(entry, touched)
        if _is_loss(entry):
            yield from self._losses(entry, goods)

    def withdraw(self, before: Input, goods: Sequence[Goods], entry: Input) -> Iterable[Row]:
        """Take out what a movement did, or a stock-take."""
        touched: dict[str, set[int]] = {}
        self._give_back(before, goods, touched)
        return self._rows(entry, touched)

    def correct(
        self, before: Input, before_goods: Sequence[Goods], entry: Input, goods: Sequence[Goods]
    ) -> Iterator[Row]:
        """Rows only of what holds in the end: no balance is missing what is put back at once."""
        touched: dict[str, set[int]] = {}
        if entry.kind == "stocktake" and before.body["complete"] and entry.body["complete"]:
            self._recount(entry, goods, touched)
        else:
            self._give_back(before, before_goods, touched)
            self._take(entry, goods, touched)
        yield from self._rows(entry, touched)
        if _is_loss(entry):
            yield from self._losses(entry, goods)

    def _take(self, entry: Input, goods: Sequence[Goods], touched: dict[str, set[int]]) -> None:
        if entry.kind == "movement":
            self._move(entry, goods, 1, touched)
        elif entry.body["complete"]:
            self._count(entry, goods, touched)

    def _give_back(self, before: Input, goods: Sequence[Goods], touched: dict[str, set[int]]) -> None:
        if before.kind == "movement":
            self._move(before, goods, -1, touched)
            return
        book_at = _book_at(before)
        for key, stream in self._book(before).streams.items():
            at = streams.find(stream, before.record_id)
            if at is not None:
                streams.uncount(stream, at)
                self._changed(book_at, stream, key, at, touched)

    def _move(self, entry: Input, goods: Sequence[Goods], sign: int, touched: dict[str, set[int]]) -> None:
        book_at = _book_at(entry)
        for at, item in enumerate(goods):
            key = item.key
            stream = self._stream(entry, key, item)
            flow = _flow(entry, item)
            name = f"{entry.record_id} {at} {key}"
            if sign < 0 and self._state.refused.pop(name, None) is not None:
                continue
            try:
                period = streams.add(stream, flow, sign)
            except OverflowError:
                self._state.refused[name] = entry.index
                continue
            if flow[3] and not is_sealed(key):
                streams.note_loss(stream, flow[0], flow[3], sign)
            if period is not None:
                self._changed(book_at, stream, key, period, touched)

    def _changed(self, book_at: str, stream: Stream, key: str, at: int, touched: dict[str, set[int]]) -> None:
        """What period `at` and all later ones were is to be derived again; rows are due for `at`."""
        known = self._known.get((book_at, key))
        if known is not None:
            known.cut(max(at - 1, 0))
        due = touched.setdefault(key, set())
        if 1 <= at < streams.number(stream):
            due.add(at)

    def _book(self, entry: Input) -> BookStreams:
        return self._state.books.setdefault(_book_at(entry), BookStreams())

    def _stream(self, entry: Input, key: str, item: Goods) -> Stream:
        """The stream of a goods line; a new one begins with nothing at the book's last count."""
        book = self._book(entry)
        stream = book.streams.get(key)
        if stream is None:
            start = [] if book.last is None else [Period(_exact(book.last) if is_sealed(key) else book.last, 0, 0)]
            stream = book.streams[key] = Stream(periods=start)
        found = item.categories
        if not found.issubset(stream.categories):
            stream.categories = sorted(found.union(stream.categories))
        stream.volatile = stream.volatile or self._may_evaporate(entry, item)
        return stream

    def _may_evaporate(self, entry: Input, item: Goods) -> bool:
        """Whether it is no solid, as far as anything says so: unit, form, hazards, or that it lies in a tank."""
        line, substance = item.line, item.listing.substance
        if line.dimension == "volume" or line.form in _LIQUID_FORMS:
            return True
        if substance is not None and not _EVAPORATES.isdisjoint(substance.h_codes):
            return True
        store = self._register.site(entry.holder, entry.site).stores.get(line.store)
        return store is not None and store.kind == "tank"

    def prune(self, now_ms: int) -> None:
        """Forget how declared losses were measured for which no paper can come any more."""
        declared = self._state.declared
        for record_id in [one for one, (at_ms, _) in declared.items() if at_ms <= now_ms - HORIZON_MS]:
            del declared[record_id]

    # --- counts ------------------------------------------------------------------------------------------------------

    def _count(self, entry: Input, goods: Sequence[Goods], touched: dict[str, set[int]]) -> None:
        book, book_at = self._book(entry), _book_at(entry)
        if book.last is None:
            self._take_over(entry, book)
        for item in goods:
            self._stream(entry, item.key, item)
        cutoff_ms = plausible_ms(unix_ms(entry.body["cut_off"]), (entry.before or entry).received_ms)
        taken = _taken(entry, cutoff_ms)
        exact = _exact(taken)
        counted = _counted(goods)
        for key, stream in book.streams.items():
            streams.count(stream, Period(exact if is_sealed(key) else taken, *counted.get(key, (0, 0))))
            if streams.is_long(stream):
                streams.forget(stream, self._derived(book_at, key, stream))
            if (number := streams.number(stream)) > 1:
                self._changed(book_at, stream, key, number - 1, touched)
        if book.last is not None and book.last.cutoff_ms > cutoff_ms:
            taken = msgspec.structs.replace(taken, cutoff_ms=book.last.cutoff_ms)
        book.last = taken

    def _take_over(self, entry: Input, book: BookStreams) -> None:
        """A book that continues a final one goes on with its streams."""
        named = entry.body.get("continues")
        at = f"{entry.holder}/{named['site']}/{named['book']}" if named else ""
        ended = self._state.books.get(at)
        if ended is None:
            return
        book.last = ended.last
        for key, stream in ended.streams.items():
            known = self._derived(at, key, stream)
            factor, sums = stream.factor, stream.sums
            if known.newest:
                factor, sums = [str(value) for value in known.newest[-1].factor], list(known.newest[-1].sums)
            taken = msgspec.msgpack.decode(msgspec.msgpack.encode(stream), type=Stream)
            taken.periods, taken.old = taken.periods[-1:], []
            taken.factor, taken.sums = factor, sums
            book.streams[key] = taken

    def _recount(self, entry: Input, goods: Sequence[Goods], touched: dict[str, set[int]]) -> None:
        """Put a stock-take right, the newest or an older one; its cut-off stays. The balance after it changes, too."""
        book, book_at = self._book(entry), _book_at(entry)
        counted = _counted(goods)
        taken = _taken(entry, 0)
        for item in goods:
            if item.key not in book.streams and book.last is not None:
                new = self._stream(entry, item.key, item)
                if entry.record_id != book.last.record_id:
                    new.periods = []
        for key, stream in book.streams.items():
            at = streams.find(stream, entry.record_id)
            if at is None:
                continue
            was = streams.to_change(stream, at)
            was.counted, was.pieces = counted.get(key, (0, 0))
            now = msgspec.structs.replace(taken, index=was.taken.index, cutoff_ms=was.taken.cutoff_ms)
            was.taken = _exact(now) if is_sealed(key) else now
            self._changed(book_at, stream, key, at, touched)
            self._changed(book_at, stream, key, at + 1, touched)

    def _derived(self, book_at: str, key: str, stream: Stream) -> Derived:
        known = self._known.setdefault((book_at, key), Derived())
        streams.derive(stream, known)
        return known

    # --- rows --------------------------------------------------------------------------------------------------------

    def _rows(self, entry: Input, touched: dict[str, set[int]]) -> Iterator[Row]:
        """Rows of every stock-take that closes a touched balance, and of every touched stream.

        What an earlier stock-take had brought is gone, so its rows come again, those of untouched streams too.
        """
        if not touched:
            return
        book_at = _book_at(entry)
        held = self._state.books[book_at].streams
        closed = {
            (period.taken.index, period.taken.record_id): None
            for key, due in touched.items()
            for period in (streams.period_at(held[key], at) for at in due)
        }
        newest: dict[str, dict[str, Any]] = {}
        for index, record_id in sorted(closed):
            if index != _origin(entry):
                self.gone.append((MATERIAL_BALANCE.name, index))
            for key, stream in held.items():
                at = streams.find(stream, record_id)
                if at is None or at == 0:
                    continue
                row = balance_row(key, stream, at, self._derived(book_at, key, stream))
                if at == streams.number(stream) - 1:
                    newest[key] = row
                if any(row[part] for part in ("before", "came", "went", "lost", "counted", "missing_pieces")):
                    yield MATERIAL_BALANCE.name, common(entry) | goods_fields(key, stream) | row | {ORIGIN: index}
        for key in touched:
            stream = held[key]
            known = self._derived(book_at, key, stream)
            # Twice nothing to weigh: the row that says so came with the first.
            if not is_sealed(key) and any(y is not None for y in known.ys_milli(-2)):
                row = newest.get(key) or balance_row(key, stream, len(known.mufs), known)
                fields = common(entry) | goods_fields(key, stream) | row | series_fields(known)
                yield MATERIAL_STREAM.name, fields

    def _losses(self, entry: Input, goods: Sequence[Goods]) -> Iterator[Row]:
        book = self._book(entry)
        event_ms = happened_ms(entry)
        is_again = entry.before is not None and entry.index == entry.before.index
        known = self._state.declared.get(entry.record_id, (0, {}))[1]
        for at, item in enumerate(goods):
            key = item.key
            if is_sealed(key):
                continue
            stream = book.streams[key]
            earlier = [amount for ms, amount in stream.losses if ms < event_ms]
            measured = (*streams.lost_lately(stream, event_ms, WINDOW_MS), len(earlier),
                        quantity_z_milli(item.line.amount, earlier))  # fmt: skip
            if (
                is_again
            ):  # by a paper, of what it lay in: what was known of the book when it was declared goes on to count
                measured = known.get(at, measured)
            else:
                self._state.declared.setdefault(entry.record_id, (event_ms, {}))[1][at] = measured
            lost, handled, losses, z_milli = measured
            yield (
                DECLARED_LOSS.name,
                common(entry)
                | goods_fields(key, stream)
                | {
                    "key": key,
                    "cause": entry.body.get("loss_cause", ""),
                    "amount": item.line.amount,
                    "lost_month": lost,
                    "handled": handled,
                    "rate_ppm": ratio_ppm(lost, max(handled, 0)),
                    "volatile": stream.volatile,
                    "losses": losses,
                    "compared": z_milli is not None,
                    "z_milli": z_milli or 0,
                },
            )


def _book_at(entry: Input) -> str:
    return f"{entry.holder}/{entry.site}/{entry.book}"


def _origin(entry: Input) -> int:
    """The index under which an entry's rows are known: of a corrected record, that of its first word."""
    return (entry.before or entry).index


def _is_loss(entry: Input) -> bool:
    return entry.kind == "movement" and entry.body["reason"] == "loss"


def _flow(entry: Input, item: Goods) -> Flow:
    amount, pieces = item.line.amount, item.line.pieces
    if entry.body["direction"] == "in":
        return happened_ms(entry), amount, 0, 0, pieces
    lost = _is_loss(entry)
    return happened_ms(entry), 0, 0 if lost else amount, amount if lost else 0, -pieces


def _taken(entry: Input, cutoff_ms: int) -> Taken:
    measurement = entry.body.get("measurement", {})
    random_ppm, systematic_ppm = measurement.get("random_ppm", 0), measurement.get("systematic_ppm", 0)
    stated = random_ppm + systematic_ppm > 0
    if not stated:
        random_ppm, systematic_ppm = DEFAULT_RANDOM_PPM, DEFAULT_SYSTEMATIC_PPM
    return Taken(entry.record_id, _origin(entry), cutoff_ms, random_ppm, systematic_ppm, stated)


def _exact(taken: Taken) -> Taken:
    """The same stock-take, for sealed goods: these are counted, so that has no error."""
    return msgspec.structs.replace(taken, random_ppm=0, systematic_ppm=0)


def _counted(goods: Sequence[Goods]) -> dict[str, tuple[int, int]]:
    sums: dict[str, tuple[int, int]] = {}
    for item in goods:
        amount, pieces = sums.get(item.key, (0, 0))
        sums[item.key] = (
            clamp(amount + item.line.amount, streams.LIMIT),
            clamp(pieces + item.line.pieces, streams.LIMIT),
        )
    return sums
