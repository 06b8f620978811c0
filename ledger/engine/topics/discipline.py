"""How an enterprise keeps its books: daily closes, silences, corrections, attachments that went missing."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import date, timedelta
from functools import lru_cache
from struct import Struct
from typing import Any

import msgspec

from ledger.engine.days import DAY_MS
from ledger.engine.goods import Goods
from ledger.engine.inputs import AHEAD_MS, GoodsLine, Input, goods_lines, happened_ms
from ledger.engine.register import Register
from ledger.engine.statistics.robust import nearest_rank
from ledger.engine.subjects import COMMON, Subject
from ledger.engine.topics.base import Row, Topic, common

MONTH_MS = 30 * DAY_MS
QUIET_MS = 14 * DAY_MS
"""Silence is never spoken of before (catalogue D08)."""
MIN_GAPS = 12
MAX_GAPS = 64
_REST = Struct("<q")
TIMES = 3
PPM = 1_000_000
NOTICE_MS = 10 * DAY_MS
"""Notices are remembered so long; rules ask for less."""

Shortage = Callable[[Input, GoodsLine, int], bool]
"""Whether the last count in the entry's book found less of a line's goods than the book said before it was lowered by so much."""


class Pace(msgspec.Struct, array_like=True):
    """When a book moved last, and how long it usually rests."""

    last_ms: int = -1
    usual_ms: int = 0
    """The longest but for one in twenty of its rests; 0 where MIN_GAPS of them are not known."""
    rests: bytes = b""
    """The newest MAX_GAPS rests between days with movements, in ms, 8 bytes each, in the order in which they came."""


class Habit(msgspec.Struct, array_like=True):
    """An enterprise's corrections."""

    first_ms: int = -1
    """Received time of its first record."""
    records: dict[int, int] = {}
    """Records by day (number since 1970) of receipt."""
    corrections: dict[int, int] = {}
    lowering: int = 0
    """Corrections in a row that made a shortage smaller by lowering the book."""
    noticed_ms: int = -1
    """Newest order or inspection that names it."""


class DisciplineState(msgspec.Struct):
    """By holder/site/book, and by holder."""

    closed_days: dict[str, str] = {}
    """Newest local day that was closed, YYYY-MM-DD; "9999-12-31" after a final close."""
    paces: dict[str, Pace] = {}
    habits: dict[str, Habit] = {}


class Discipline(Topic):
    """Comes after the stock, of which it asks whether a count was short."""

    kinds = frozenset({"movement", "stocktake", "close", "correction", "order", "inspection", "scrub"})
    subjects = (
        # A book that is closed every day, from its first close on.
        Subject("daily", level=True, fields=COMMON | {"closed_day": "str", "expected_ms": "int", "final": "bool"}),
        # A book and how long it has been silent.
        Subject(
            "activity",
            level=True,
            fields=COMMON | {"last_ms": "int", "usual_ms": "int", "silent_from_ms": "int", "in_stock": "bool"},
        ),
        # One correction, and what its enterprise's corrections look like by then.
        Subject(
            "correction",
            level=False,
            fields=COMMON
            | {
                "kind": "str",
                "corrected": "str",
                "records_30d": "int",
                "corrections_30d": "int",
                "rate_ppm": "int",
                "known_ms": "int",
                "since_notice_ms": "int",
                "noticed": "bool",
                "lowering_run": "int",
                "age_ms": "int",
            },
        ),
        # What the platform found of the attachments that records name.
        Subject("scrub", level=True, fields=COMMON | {"checked": "int", "present": "int", "missing_total": "int"}),
    )

    def __init__(
        self, state: DisciplineState, register: Register, is_short: Shortage, has_stock: Callable[[Input], bool]
    ) -> None:
        self._state = state
        self._register = register
        self._is_short = is_short
        self._has_stock = has_stock

    def apply(self, entry: Input, goods: Sequence[Goods]) -> Iterable[Row]:
        """The rows that this record gives rise to."""
        del goods
        if entry.kind in ("order", "inspection"):
            habit = self._habit(entry.body["holder"])
            habit.noticed_ms = max(habit.noticed_ms, entry.received_ms)
            return ()
        if entry.kind == "scrub":
            return (("scrub", self._scrub_row(entry)),)
        if entry.kind == "correction":
            self._count(entry, corrections=1)
            return (("correction", self._correction_row(entry)),)
        if not entry.correction_id:
            self._count(entry)
        if entry.kind == "movement":
            return (self._moved(entry),)
        if entry.kind == "close":
            return (self._closed(entry),)
        pace = self._state.paces.get(_place(entry))
        return (("activity", self._activity_row(entry, pace)),) if pace is not None else ()

    def withdraw(self, before: Input, goods: Sequence[Goods], entry: Input) -> Iterable[Row]:
        """That something was recorded stays true when it is put right."""
        del goods
        if before.kind == "close" and before.body["final"] and entry.kind == "close" and not entry.body["final"]:
            self._state.closed_days[_place(before)] = self._day(before)
        return ()

    # --- daily closes ------------------------------------------------------------------------------------------------

    def _closed(self, entry: Input) -> Row:
        at, day = _place(entry), self._day(entry)
        last = max(self._state.closed_days.get(at, ""), "9999-12-31" if entry.body["final"] else day)
        self._state.closed_days[at] = last
        final = last == "9999-12-31"
        next_day = day if final else _day_after(last)
        return (
            "daily",
            common(entry)
            | {
                "closed_day": day if final else last,
                "expected_ms": self._register.day_end_ms(entry.holder, entry.site, next_day),
                "final": final,
            },
        )

    def _day(self, entry: Input) -> str:
        """The day that a close names, but none that has not begun: else one close of a distant day would do for all."""
        today = self._register.local(entry.holder, entry.site, entry.received_ms + AHEAD_MS).day
        day: str = entry.body["day"]
        return min(day, today)

    # --- silence -----------------------------------------------------------------------------------------------------

    def _moved(self, entry: Input) -> Row:
        at = _place(entry)
        pace = self._state.paces.get(at)
        if pace is None:
            pace = self._state.paces[at] = Pace()
        at_ms = happened_ms(entry)
        if pace.last_ms >= 0 and at_ms - pace.last_ms >= DAY_MS:
            _rested(pace, at_ms - pace.last_ms)
        pace.last_ms = max(pace.last_ms, at_ms)
        return "activity", self._activity_row(entry, pace)

    def _activity_row(self, entry: Input, pace: Pace) -> dict[str, Any]:
        return common(entry) | {
            "last_ms": pace.last_ms,
            "usual_ms": pace.usual_ms,
            "silent_from_ms": pace.last_ms + max(QUIET_MS, TIMES * pace.usual_ms),
            "in_stock": self._has_stock(entry),
        }

    # --- corrections -------------------------------------------------------------------------------------------------

    def _habit(self, holder: str) -> Habit:
        habit = self._state.habits.get(holder)
        if habit is None:
            habit = self._state.habits[holder] = Habit()
        return habit

    def _count(self, entry: Input, *, corrections: int = 0) -> None:
        habit = self._habit(entry.holder)
        if habit.first_ms < 0:
            habit.first_ms = entry.received_ms
        day = entry.received_ms // DAY_MS
        habit.records[day] = habit.records.get(day, 0) + 1
        if corrections:
            habit.corrections[day] = habit.corrections.get(day, 0) + 1
        if len(habit.records) > MONTH_MS // DAY_MS + 1:
            since = day - MONTH_MS // DAY_MS
            habit.records = {d: n for d, n in habit.records.items() if d > since}
            habit.corrections = {d: n for d, n in habit.corrections.items() if d > since}

    def _correction_row(self, entry: Input) -> dict[str, Any]:
        habit, before = self._state.habits[entry.holder], entry.before
        since = entry.received_ms // DAY_MS - MONTH_MS // DAY_MS
        records = sum(n for day, n in habit.records.items() if day > since)
        corrections = sum(n for day, n in habit.corrections.items() if day > since)
        habit.lowering = habit.lowering + 1 if self._lowers_a_shortage(entry) else 0
        noticed = habit.noticed_ms >= 0 and entry.received_ms - habit.noticed_ms <= NOTICE_MS
        return common(entry) | {
            "kind": entry.body["kind"],
            "corrected": entry.body["corrects"],
            "records_30d": records,
            "corrections_30d": corrections,
            "rate_ppm": corrections * PPM // max(records, 1),
            "known_ms": entry.received_ms - habit.first_ms,
            "since_notice_ms": entry.received_ms - habit.noticed_ms if noticed else 0,
            "noticed": noticed,
            "lowering_run": habit.lowering,
            "age_ms": entry.received_ms - before.received_ms if before is not None else 0,
        }

    def _lowers_a_shortage(self, entry: Input) -> bool:
        before = entry.before
        if before is None or before.kind != "movement" or entry.body["kind"] != "movement":
            return False
        change: dict[tuple[str, ...], tuple[int, GoodsLine]] = {}
        for body, factor in ((before.body, -1), (entry.body["body"], 1)):
            sign = factor if body["direction"] == "in" else -factor
            for line in goods_lines(body):
                key = (line.code, line.form, line.packaging, line.dimension)
                amount, _ = change.get(key, (0, line))
                change[key] = (amount + sign * line.amount, line)
        moved = [(amount, line) for amount, line in change.values() if amount]
        return bool(moved) and all(amount < 0 and self._is_short(entry, line, -amount) for amount, line in moved)

    # --- attachments -------------------------------------------------------------------------------------------------

    @staticmethod
    def _scrub_row(entry: Input) -> dict[str, Any]:
        body = entry.body
        return common(entry) | {
            "checked": body["checked"],
            "present": body["present"],
            "missing_total": body.get("missing_total", len(body["missing"])),
        }


def _rested(pace: Pace, rest_ms: int) -> None:
    rests = [*(rest for (rest,) in _REST.iter_unpack(pace.rests)), rest_ms][-MAX_GAPS:]
    pace.rests = b"".join([_REST.pack(rest) for rest in rests])
    pace.usual_ms = nearest_rank(sorted(rests), 95) if len(rests) >= MIN_GAPS else 0


@lru_cache(maxsize=1024)
def _day_after(day: str) -> str:
    return (date.fromisoformat(day) + timedelta(days=1)).isoformat()


def _place(entry: Input) -> str:
    return f"{entry.holder}/{entry.site}/{entry.book}"
