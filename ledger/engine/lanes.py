"""Lanes: what features are computed from. One lane per content (subjects, scope, where, group_by, clock), shared by rules.

A lane keeps, for each key, its rows of the last while in the order of their time: (time, id of the entry, the columns that
features read). A window is two bisections. That leaves engine.md's additive buckets of 5 min, 1 h and 1 d, with reason:

- a window's edge is exact, so a row that comes late, is corrected or withdrawn leaves no trace in any window, and the
  order in which books arrive changes nothing; buckets know a distinct seller's count but not whose record to take out;
- a jurisdiction has under one entry a second. A lane holds the rows of its longest window and HORIZON_MS, which for a
  year's window is the year's purchases: some 120 bytes a row, flat from then on.

What buckets are for, that a busy key costs no more than a quiet one, sums by running totals, `distinct` by the times of
each value and extremes by blocks do (`_Index`), derived from the rows when a window first passes SMALL of them and from
then on kept; none of it is in the snapshot. Older than that, a key only remembers that there was something, and when first.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right, insort
from collections.abc import Callable, Iterable, Mapping
from itertools import accumulate, pairwise
from typing import Any, ClassVar

import msgspec

from ledger.engine.ages import Ages
from ledger.engine.days import DAY_MS, day_of, day_start_ms, month_of, month_start_ms
from ledger.engine.features import HISTORY, Feature
from ledger.engine.statistics import daily_quantile, quantity_z_milli

HORIZON_MS = 7 * DAY_MS
"""How late a row may come and still find every window that it touches complete."""
SMALL = 64
"""Rows of a window that are simply gone through."""
_BLOCK = 128
ASKS_FOR_FIRST = frozenset({"is_first", "mean_of_months", "max_of_months"})
"""Aggregates that ask when a key's first row was, however long ago."""


class Series(msgspec.Struct, array_like=True):
    """One key's rows, ascending by time, as parallel lists."""

    times: list[int] = []
    ids: list[int] = []
    """Index of the entry; of a corrected record, of its original."""
    columns: list[list[int | str]] = []
    first_ms: int = -1
    """Time of the earliest row that was forgotten; -1: none was."""


Seen = tuple[Any, ...]
"""A row as it was (`ledger.engine.watches`): its time, the index of its entry (of a corrected record, of its original), the
subject, then the watch's fields. One flat tuple: most groups have one row, and a collector need not look into it."""


class WatchState(msgspec.Struct):
    """By content, then group."""

    lanes: dict[str, dict[str, Series]] = {}
    seen: dict[str, dict[str, list[Seen]]] = {}
    """Ascending by time."""


class _Index:
    """What makes windows of many rows cheap; derived from a Series."""

    __slots__ = ("blocks", "days", "quantiles", "totals", "values")

    def __init__(self) -> None:
        self.totals: dict[int, list[int]] = {}
        """Column → running totals of the first rows, as far as they were asked for; one more than rows."""
        self.values: dict[int, dict[int | str, list[int]]] = {}
        """Column → value → times of its rows, ascending."""
        self.blocks: dict[tuple[int, bool], list[int]] = {}
        """(column, greatest) → extreme of each full block of rows."""
        self.days: dict[int, tuple[list[int], dict[int, list[int]]]] = {}
        """Column → days that have rows, ascending; day → [rows, total]."""
        self.quantiles: dict[tuple[int, str], tuple[int, int | None]] = {}
        """(column, feature) → (day, quantile before it)."""

    def add(self, at: int, time: int, row: list[int | str]) -> None:
        """The row has become the one at position `at`."""
        for totals in self.totals.values():
            del totals[at + 1 :]
        for column, values in self.values.items():
            insort(values.setdefault(row[column], []), time)
        for extremes in self.blocks.values():
            del extremes[at // _BLOCK :]
        day = day_of(time)
        for column, (days, totals_of) in self.days.items():
            known = totals_of.get(day)
            if known is None:
                insort(days, day)
                known = totals_of[day] = [0, 0]
            known[0] += 1
            known[1] += row[column]  # type: ignore[operator]
        if self.quantiles:
            self.quantiles = {name: found for name, found in self.quantiles.items() if found[0] <= day}

    def remove(self, at: int, time: int, row: list[int | str]) -> None:
        """The row at position `at` is no more."""
        for totals in self.totals.values():
            del totals[at + 1 :]
        for column, values in self.values.items():
            times = values[row[column]]
            del times[bisect_left(times, time)]
            if not times:
                del values[row[column]]
        for extremes in self.blocks.values():
            del extremes[at // _BLOCK :]
        day = day_of(time)
        for column, (days, totals_of) in self.days.items():
            known = totals_of[day]
            known[0] -= 1
            known[1] -= row[column]  # type: ignore[operator]
            if not known[0]:
                del totals_of[day], days[bisect_left(days, day)]
        self.quantiles = {name: found for name, found in self.quantiles.items() if found[0] <= day}


class Lane:
    """One content's rows by key; `series` is part of the fold's state."""

    def __init__(
        self, series: dict[str, Series], columns: tuple[str, ...], keep_ms: int, *, remembers_first: bool = True
    ) -> None:
        """`remembers_first`: a key of which no row is left is kept all the same, with when its first one was."""
        self._remembers_first = remembers_first
        self._series = series
        self._columns = columns
        self._at = {name: at for at, name in enumerate(columns)}
        self._keep_ms = keep_ms
        self._indexes: dict[str, _Index] = {}
        self._ages = Ages((key, known.times[0]) for key, known in series.items() if known.times)

    # --- rows --------------------------------------------------------------------------------------------------------

    def add(self, key: str, time: int, entry: int, row: Mapping[str, Any]) -> None:
        """Take a row in, wherever in time it belongs."""
        series = self._series.get(key)
        if series is None:
            series = self._series[key] = Series(columns=[[] for _ in self._columns])
        times, columns = series.times, series.columns
        if not times or time >= times[-1]:
            at = len(times)
            times.append(time)
            series.ids.append(entry)
            for column, name in enumerate(self._columns):
                columns[column].append(row[name])
        else:
            at = bisect_right(times, time)
            times.insert(at, time)
            series.ids.insert(at, entry)
            for column, name in enumerate(self._columns):
                columns[column].insert(at, row[name])
        if at == 0:
            self._ages.note(key, time)
        if self._indexes and (index := self._indexes.get(key)) is not None:
            index.add(at, time, [row[name] for name in self._columns])

    def remove(self, key: str, entry: int) -> int | None:
        """Take out the rows that this entry brought; the earliest time of them, None when it brought none."""
        series = self._series.get(key)
        if series is None or entry not in series.ids:
            return None
        index, earliest = self._indexes.get(key), series.times[series.ids.index(entry)]
        at = -1
        # Nearly all of them are one row; what is searched and moved is done by lists themselves, not line by line.
        for _ in range(series.ids.count(entry)):
            at = series.ids.index(entry, max(at, 0))
            row = [column.pop(at) for column in series.columns]
            if index is not None:
                index.remove(at, series.times[at], row)
            del series.times[at], series.ids[at]
        if not series.ids and (series.first_ms < 0 or not self._remembers_first):
            del self._series[key]
            self._indexes.pop(key, None)
        return earliest

    def keys_by_entry(self) -> Iterable[tuple[int, str]]:
        """(entry, key) of every row."""
        return ((entry, key) for key, series in self._series.items() for entry in series.ids)

    def prune(self, oldest_ms: int) -> None:
        """Forget the rows that no window ending at or after `oldest_ms` can reach."""
        oldest = oldest_ms - self._keep_ms
        for key in self._ages.take(oldest):
            series = self._series.get(key)
            if series is None:
                continue
            if not self._remembers_first and (not series.times or series.times[-1] <= oldest):
                del self._series[key]
                self._indexes.pop(key, None)
                continue
            if series.times and series.times[0] <= oldest:
                _forget(series, bisect_right(series.times, oldest))
                self._indexes.pop(key, None)
            if series.times:
                self._ages.note(key, series.times[0])

    # --- features ----------------------------------------------------------------------------------------------------

    def value(self, key: str, feature: Feature, time: int, row: Mapping[str, Any]) -> tuple[Any, bool]:
        """(value, ready) of a feature as it is at `time`, for `row` itself where the value is about it."""
        series = self._series.get(key)
        if series is None:
            series = Series(columns=[[] for _ in self._columns])
        return self._AGGREGATES[feature.agg](self, key, series, feature, time, row)

    def entries(self, key: str, feature: Feature, time: int) -> list[int]:
        """The entries whose rows a feature can look at, as it is at `time`; ascending by their time."""
        series = self._series.get(key)
        if series is None:
            return []
        if feature.calendar or feature.window_ms:
            low, high = self._window(series, feature, time)
        else:
            low, high = bisect_right(series.times, time - feature.reach_ms), bisect_right(series.times, time)
        return series.ids[low:high]

    def _index(self, key: str) -> _Index:
        index = self._indexes.get(key)
        if index is None:
            index = self._indexes[key] = _Index()
        return index

    def _window(self, series: Series, feature: Feature, time: int) -> tuple[int, int]:
        """Positions [low, high) of the window that ends at `time`."""
        times = series.times
        high = len(times) if not times or times[-1] <= time else bisect_right(times, time)
        if feature.calendar:
            day = day_of(time)
            start = day_start_ms(day) if feature.calendar == "day" else month_start_ms(month_of(day))
            return bisect_left(times, start, 0, high), high
        if not feature.window_ms:
            return 0, high
        return bisect_right(times, time - feature.window_ms, 0, high), high

    def _count(self, key: str, series: Series, feature: Feature, time: int, row: Mapping[str, Any]) -> tuple[int, bool]:
        del key, row
        low, high = self._window(series, feature, time)
        return high - low, True

    def _sum(self, key: str, series: Series, feature: Feature, time: int, row: Mapping[str, Any]) -> tuple[int, bool]:
        del row
        low, high = self._window(series, feature, time)
        return self._total(key, series, self._at[feature.of], low, high), True

    def _total(self, key: str, series: Series, column: int, low: int, high: int) -> int:
        if high - low <= SMALL:
            return sum(series.columns[column][low:high])  # type: ignore[arg-type]
        index = self._index(key)
        totals = index.totals.setdefault(column, [0])
        if len(totals) <= high:
            amounts: list[int] = series.columns[column][len(totals) - 1 :]  # type: ignore[assignment]
            totals.extend(accumulate(amounts, initial=totals.pop()))
        return totals[high] - totals[low]

    def _extreme(
        self, key: str, series: Series, feature: Feature, time: int, row: Mapping[str, Any]
    ) -> tuple[int, bool]:
        del row
        low, high = self._window(series, feature, time)
        if low == high:
            return 0, False
        column = self._at[feature.of]
        values: list[int] = series.columns[column]  # type: ignore[assignment]
        take: Callable[[Iterable[int]], int] = max if feature.agg == "max" else min
        first, last = -(-low // _BLOCK), high // _BLOCK
        if last - first < 2:
            return take(values[low:high]), True
        blocks = self._index(key).blocks.setdefault((column, feature.agg == "max"), [])
        while len(blocks) < last:
            start = len(blocks) * _BLOCK
            blocks.append(take(values[start : start + _BLOCK]))
        return take([*values[low : first * _BLOCK], *blocks[first:last], *values[last * _BLOCK : high]]), True

    def _distinct(
        self, key: str, series: Series, feature: Feature, time: int, row: Mapping[str, Any]
    ) -> tuple[int, bool]:
        del row
        low, high = self._window(series, feature, time)
        column = self._at[feature.of]
        if high - low <= SMALL:
            return len(set(series.columns[column][low:high])), True
        index = self._index(key)
        values = index.values.get(column)
        if values is None:
            values = index.values[column] = {}
            for value, at in zip(series.columns[column], series.times, strict=True):
                values.setdefault(value, []).append(at)
        start, end = series.times[low], series.times[high - 1]
        found = 0
        for times in values.values():
            at = bisect_left(times, start)
            found += at < len(times) and times[at] <= end
        return found, True

    def _last(self, key: str, series: Series, feature: Feature, time: int, row: Mapping[str, Any]) -> tuple[Any, bool]:
        del key, row
        low, high = self._before(series, feature, time)
        if low == high:
            return 0 if feature.kind == "int" else "", False
        # Of one moment the greatest: which of them came first is not to matter.
        first = bisect_left(series.times, series.times[high - 1], low, high)
        return max(series.columns[self._at[feature.of]][first:high]), True

    def _before(self, series: Series, feature: Feature, time: int) -> tuple[int, int]:
        """Positions [low, high) of the window's rows strictly before `time`."""
        low, high = self._window(series, feature, time)
        return low, bisect_left(series.times, time, low, high)

    def _is_first(
        self, key: str, series: Series, feature: Feature, time: int, row: Mapping[str, Any]
    ) -> tuple[bool, bool]:
        del key, row
        low, high = self._before(series, feature, time)
        forgotten = 0 <= series.first_ms < time and (
            not feature.window_ms or series.first_ms > time - feature.window_ms
        )
        return low == high and not forgotten, True

    def _robust_z(
        self, key: str, series: Series, feature: Feature, time: int, row: Mapping[str, Any]
    ) -> tuple[int, bool]:
        del key
        low, high = self._before(series, feature, time)
        if high - low < feature.least:
            return 0, False
        if high - low > HISTORY:  # whole moments, so that the order within one does not matter
            low = bisect_left(series.times, series.times[high - HISTORY], low, high)
        z = quantity_z_milli(row[feature.of], series.columns[self._at[feature.of]][low:high], feature.least)  # type: ignore[arg-type]
        return (0, False) if z is None else (z, True)

    def _daily_quantile(
        self, key: str, series: Series, feature: Feature, time: int, row: Mapping[str, Any]
    ) -> tuple[int, bool]:
        del row
        column, today = self._at[feature.of], day_of(time)
        index = self._index(key)
        known = index.quantiles.get((column, feature.content))
        if known is None or known[0] != today:
            days, totals = self._days(index, series, column)
            start = today - -(-feature.window_ms // DAY_MS)
            of = [totals[day][1] for day in days[bisect_left(days, start) : bisect_left(days, today)]]
            known = index.quantiles[column, feature.content] = today, daily_quantile(of, feature.q, feature.least)
        return (0, False) if known[1] is None else (known[1], True)

    @staticmethod
    def _days(index: _Index, series: Series, column: int) -> tuple[list[int], dict[int, list[int]]]:
        known = index.days.get(column)
        if known is None:
            totals: dict[int, list[int]] = {}
            for time, value in zip(series.times, series.columns[column], strict=True):
                day = totals.setdefault(day_of(time), [0, 0])
                day[0] += 1
                day[1] += value  # type: ignore[operator]
            known = index.days[column] = sorted(totals), totals
        return known

    def _months(
        self, key: str, series: Series, feature: Feature, time: int, row: Mapping[str, Any]
    ) -> tuple[int, bool]:
        del row
        if not series.times:
            return 0, False
        this = month_of(day_of(time))
        first = month_of(day_of(series.times[0] if series.first_ms < 0 else min(series.first_ms, series.times[0])))
        start = max(this - feature.months, first)
        if this - start < feature.least:
            return 0, False
        column = self._at[feature.of]
        edges = [bisect_left(series.times, month_start_ms(month)) for month in range(start, this + 1)]
        if feature.agg == "mean_of_months":
            return self._total(key, series, column, edges[0], edges[-1]) // (this - start), True
        totals = (self._total(key, series, column, low, high) for low, high in pairwise(edges))
        return max(totals), True

    _AGGREGATES: ClassVar[dict[str, Callable[..., tuple[Any, bool]]]] = {
        "count": _count,
        "sum": _sum,
        "min": _extreme,
        "max": _extreme,
        "distinct": _distinct,
        "last": _last,
        "is_first": _is_first,
        "robust_z": _robust_z,
        "daily_quantile": _daily_quantile,
        "mean_of_months": _months,
        "max_of_months": _months,
    }


def _forget(series: Series, number: int) -> None:
    """Forget the first rows."""
    if series.first_ms < 0 or series.times[0] < series.first_ms:
        series.first_ms = series.times[0]
    del series.times[:number], series.ids[:number]
    for column in series.columns:
        del column[:number]
