"""When a book is due to be counted: what lies there, when it was counted last, and on which working day the time begins.

Time runs from the first working day after the count, by the public calendar and the site's own zone: Friday's count is
overdue on Tuesday, not on Saturday. How long it then runs is the rule's. Explosive precursors are counted on days on which
they move: a second clock runs from the first working day after the first movement that no count has seen.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import date, timedelta
from functools import lru_cache
from typing import Any

import msgspec

from ledger.engine.goods import Goods
from ledger.engine.inputs import Input, happened_ms
from ledger.engine.register import Register, is_workday
from ledger.engine.streams import Stream, book_amount
from ledger.engine.subjects import COMMON, Subject
from ledger.engine.topics.accountancy import AccountancyState
from ledger.engine.topics.base import Row, Topic, common

_LONGEST_HOLIDAY = 30
"""Days after which a working day is taken for granted; the longest public holiday has nine."""


class StocktakingState(msgspec.Struct):
    """By holder/site/book: what was last said of it, and whether it is final."""

    said: dict[str, tuple[bool, bool, bool, bool, int, int]] = {}
    final: dict[str, int] = {}
    """Index of the close that ended it."""


class Stocktaking(Topic):
    """Sees a record after the accountancy did, and reads its streams."""

    kinds = frozenset({"movement", "stocktake", "close"})
    subjects = (
        # One book: whether highly toxic goods, explosive precursors, or anything lies there, and since when it waits.
        Subject(
            "stocktake_due",
            level=True,
            fields=COMMON
            | {
                "toxic": "bool",
                "precursor": "bool",
                "holding": "bool",
                "moved": "bool",
                "counted_ms": "int",
                "since_ms": "int",
                "moved_since_ms": "int",
            },
        ),
    )

    def __init__(self, state: StocktakingState, accountancy: AccountancyState, register: Register) -> None:
        self._state = state
        self._accountancy = accountancy
        self._register = register

    def apply(self, entry: Input, goods: Sequence[Goods]) -> Iterable[Row]:
        """What has changed about the book."""
        if entry.kind == "movement" and self._changes_nothing(entry, goods):
            return ()
        if entry.kind == "close":
            if entry.body["final"]:
                self._state.final[_book_at(entry)] = entry.index
            elif entry.before is None:
                return ()  # the day's close; of its book everything was said by what changed it
        return self._rows(entry)

    def withdraw(self, before: Input, goods: Sequence[Goods], entry: Input) -> Iterable[Row]:
        """A close that was not final after all; of the rest, the accountancy has taken it out."""
        del goods
        if before.kind == "close" and before.body["final"]:
            self._state.final.pop(_book_at(before), None)
        return self._rows(entry) if entry.kind not in self.kinds else ()

    def _changes_nothing(self, entry: Input, goods: Sequence[Goods]) -> bool:
        """Whether all that this movement could say was said: what most movements are, found without asking every stream."""
        at = _book_at(entry)
        said = self._state.said.get(at)
        if said is None or entry.before is not None:
            return False
        toxic, precursor, holding, moved, counted_ms, moved_ms = said
        book, at_ms = self._accountancy.books[at], happened_ms(entry)
        if not holding or at_ms <= counted_ms:
            return False
        for item in goods:
            categories = item.listing.categories
            if "highly_toxic" in categories and not toxic:
                return False
            if "explosive_precursor" in categories and not (precursor and moved and at_ms >= moved_ms):
                return False
            if book_amount(book.streams[item.key]) <= 0:
                return False
        return True

    def _rows(self, entry: Input) -> Iterator[Row]:
        at = _book_at(entry)
        book = self._accountancy.books.get(at)
        if book is None or book.last is None:
            return
        open_streams = [] if at in self._state.final else [s for s in book.streams.values() if book_amount(s) > 0]
        categories = {category for stream in open_streams for category in stream.categories}
        counted_ms = book.last.cutoff_ms
        moved = [
            ms
            for stream in book.streams.values()
            if "explosive_precursor" in stream.categories and (ms := _first_move(stream)) is not None
        ]
        said = (
            "highly_toxic" in categories,
            "explosive_precursor" in categories,
            bool(open_streams),
            bool(moved),
            counted_ms,
            min(moved, default=0),
        )
        if self._state.said.get(at) == said:
            return
        self._state.said[at] = said
        yield "stocktake_due", common(entry) | self._row(entry, said)

    def _row(self, entry: Input, said: tuple[bool, bool, bool, bool, int, int]) -> dict[str, Any]:
        toxic, precursor, holding, moved, counted_ms, moved_ms = said
        return {
            "toxic": toxic,
            "precursor": precursor,
            "holding": holding,
            "moved": moved,
            "counted_ms": counted_ms,
            "since_ms": self._next_working(entry, counted_ms),
            "moved_since_ms": self._next_working(entry, moved_ms) if moved else 0,
        }

    def _next_working(self, entry: Input, at_ms: int) -> int:
        """The midnight with which the first working day after this moment's local day begins."""
        day = self._register.local(entry.holder, entry.site, at_ms).day
        return self._register.day_end_ms(entry.holder, entry.site, _eve_of_work(day))


@lru_cache(maxsize=4096)
def _eve_of_work(day: str) -> str:
    """The last day, this one or a later one, before a working day."""
    eve = date.fromisoformat(day)
    for _ in range(_LONGEST_HOLIDAY):
        if is_workday((eve + timedelta(days=1)).isoformat()):
            break
        eve += timedelta(days=1)
    return eve.isoformat()


def _first_move(stream: Stream) -> int | None:
    """When the first movement happened that no count has seen; None without any."""
    if not any(stream.open):
        return None
    if stream.flows_ms >= 0:
        # No longer held one by one; the count before is early enough.
        return stream.periods[-1].taken.cutoff_ms if stream.periods else stream.flows_ms
    return stream.flows[0][0] if stream.flows else None


def _book_at(entry: Input) -> str:
    return f"{entry.holder}/{entry.site}/{entry.book}"
