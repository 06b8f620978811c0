"""What happened to one key, by event time: counts and sums over windows that do not depend on the order of arrival.

A trace is a list of (event ms, start of the record_id, value), sorted. A window of W ms that ends at one of its events holds what lies
in (end - W, end]. A late event lies in windows that end at events which came before it; `worst` looks at all of those.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right, insort
from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar

V = TypeVar("V")
Trace = list[tuple[int, str, V]]
_LAST = "\x7f"
"""Sorts after every record_id."""

ID_SIGNS = 16
"""Of a record_id: 64 bits tell a trace's records apart, and snapshots hold hundreds of thousands of them."""

MOST_EVENTS = 128
"""Of one key. Beyond, the newest of each value are kept, half as many in all: what repeats itself tells nothing more, what
happened once (one purchase of knives among a thousand of chemicals) still does."""
MOST_OF_ONE = 16
LATE_FOR_MS = 30 * 86_400_000
"""How much longer than its window a trace is kept, for what comes late."""


def note(
    traces: dict[str, Trace[V]], key: str, at_ms: int, record_id: str, value: V, most_of_one: int = MOST_OF_ONE
) -> Trace[V]:
    """Put one event into the trace of `key`; that trace."""
    trace = traces.get(key)
    if trace is None:
        trace = traces[key] = []
    item = (at_ms, record_id[:ID_SIGNS], value)
    if not trace or trace[-1][0] < at_ms:
        trace.append(item)
    else:
        insort(trace, item, key=_place)
    if len(trace) > MOST_EVENTS:
        _thin(trace, most_of_one)
    return trace


def _thin(trace: Trace[V], most_of_one: int) -> None:
    counts: dict[V, int] = {}
    kept: Trace[V] = []
    for item in reversed(trace):
        counts[item[2]] = counts.get(item[2], 0) + 1
        if counts[item[2]] <= most_of_one and len(kept) < MOST_EVENTS // 2:
            kept.append(item)
    trace[:] = reversed(kept)


def drop(traces: dict[str, Trace[V]], key: str, record_id: str) -> None:
    """Take a record's events out again."""
    trace = traces.get(key)
    if trace is None:
        return
    start = record_id[:ID_SIGNS]
    kept = [item for item in trace if item[1] != start]
    if kept:
        traces[key] = kept
    else:
        del traces[key]


def worst(trace: Trace[V], at_ms: int, window_ms: int, measure: Callable[[Sequence[V]], int]) -> int:
    """The greatest `measure` of the values in any window that holds `at_ms` and ends at an event."""
    if trace and trace[-1][0] == at_ms:  # nothing later is known: one window, and mostly a short one
        return measure([item[2] for item in _back_to(trace, at_ms - window_ms)])
    return max((measure(values) for values in _windows(trace, at_ms, window_ms)), default=0)


def distinct(values: Sequence[str]) -> int:
    """How many different values."""
    return len(set(values))


def prune(traces: dict[str, Trace[V]], before_ms: int) -> None:
    """Take out of the traces what happened before then."""
    # Of tens of thousands a few, every day; a table of the others made anew cost more than all else that a day forgets.
    for key in [key for key, trace in traces.items() if trace[0][0] < before_ms]:
        trace = traces[key]
        first = bisect_left(trace, (before_ms, ""), key=_place)
        if first < len(trace):
            traces[key] = trace[first:]
        else:
            del traces[key]


def _back_to(trace: Trace[V], start_ms: int) -> Trace[V]:
    """The end of a trace, from what lies after `start_ms`."""
    if trace[0][0] > start_ms:
        return trace
    return trace[bisect_right(trace, (start_ms, _LAST), key=_place) :]


def _windows(trace: Trace[V], at_ms: int, window_ms: int) -> Iterator[list[V]]:
    first = bisect_left(trace, (at_ms, ""), key=_place)
    for end in range(first, len(trace)):
        end_ms = trace[end][0]
        if end_ms >= at_ms + window_ms:
            return
        if end + 1 < len(trace) and trace[end + 1][0] == end_ms:
            continue  # of several at one instant, the last ends the window
        start = bisect_right(trace, (end_ms - window_ms, _LAST), key=_place)
        yield [item[2] for item in trace[start : end + 1]]


def _place(item: tuple[int, str, V]) -> tuple[int, str]:
    return item[0], item[1]
