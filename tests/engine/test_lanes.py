"""Every aggregate against the plainest way to compute it, on rows that come in any order, go again, and are many."""

import random
from datetime import UTC, datetime, timedelta

import pytest

from ledger.engine import lanes
from ledger.engine.features import Feature
from ledger.engine.lanes import Lane, Series
from ledger.engine.statistics import nearest_rank, quantity_z_milli

HOUR = 3_600_000
DAY = 24 * HOUR
START = 1_767_196_800_000  # 2025-12-31T16:00:00Z: midnight of 2026-01-01 in Shanghai
COLUMNS = ("amount", "other")


def feature(agg, **more):
    kind = {"is_first": "bool"}.get(agg, "int")
    return Feature("f", agg, more.pop("kind", kind), **more)


def local(time):
    return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=time + 8 * HOUR)


def plain(rows, wanted, time, row):
    """The same by going through all rows: (time, amount, other)."""
    upto = [r for r in rows if r[0] <= time]
    if wanted.calendar == "day":
        upto = [r for r in upto if local(r[0]).date() == local(time).date()]
    elif wanted.calendar == "month":
        upto = [r for r in upto if (local(r[0]).year, local(r[0]).month) == (local(time).year, local(time).month)]
    elif wanted.window_ms and wanted.agg != "daily_quantile":
        upto = [r for r in upto if r[0] > time - wanted.window_ms]
    before = [r for r in upto if r[0] < time]
    amounts = [r[1] for r in upto]
    if wanted.agg in ("count", "sum", "distinct"):
        return {"count": len(upto), "sum": sum(amounts), "distinct": len({r[2] for r in upto})}[wanted.agg], True
    if wanted.agg in ("min", "max"):
        return ({"min": min, "max": max}[wanted.agg](amounts), True) if amounts else (0, False)
    if wanted.agg == "is_first":
        return not before, True
    if wanted.agg == "last":
        return (max(r[1] for r in before if r[0] == max(b[0] for b in before)), True) if before else (0, False)
    if wanted.agg == "robust_z":
        z = quantity_z_milli(row["amount"], [r[1] for r in before], wanted.least)
        return (0, False) if z is None or len(before) < wanted.least else (z, True)
    if wanted.agg == "daily_quantile":
        days = {}
        for at, amount, _ in rows:
            back = (local(time).date() - local(at).date()).days
            if 1 <= back <= wanted.window_ms // DAY:
                days[back] = days.get(back, 0) + amount
        ready = len(days) >= wanted.least
        return (nearest_rank(list(days.values()), wanted.q), True) if ready else (0, False)
    months = {}
    for at, amount, _ in rows:
        number = local(at).year * 12 + local(at).month
        months[number] = months.get(number, 0) + amount
    this = local(time).year * 12 + local(time).month
    counted = [months.get(m, 0) for m in range(max(this - wanted.months, min(months)), this)]
    if len(counted) < wanted.least:
        return 0, False
    return (sum(counted) // len(counted) if wanted.agg == "mean_of_months" else max(counted)), True


FEATURES = [
    feature("count", window_ms=6 * HOUR),
    feature("count", calendar="day"),
    feature("sum", of="amount", window_ms=30 * HOUR),
    feature("sum", of="amount", calendar="month"),
    feature("min", of="amount", window_ms=10 * DAY),
    feature("max", of="amount", window_ms=10 * DAY),
    feature("max", of="amount", calendar="month"),
    feature("distinct", of="other", window_ms=20 * HOUR),
    feature("distinct", of="other", window_ms=90 * DAY),
    feature("last", of="amount"),
    feature("last", of="amount", window_ms=HOUR),
    feature("is_first"),
    feature("is_first", window_ms=2 * HOUR),
    feature("robust_z", of="amount", least=5, window_ms=5 * HOUR),
    feature("daily_quantile", of="amount", q=95, window_ms=20 * DAY, least=3),
    feature("mean_of_months", of="amount", months=3, least=1),
    feature("mean_of_months", of="amount", months=12, least=2),
    feature("max_of_months", of="amount", months=6, least=1),
]


def rows_of(seed, n, span):
    source = random.Random(seed)
    grain = source.choice((1, 60_000, HOUR))
    return [
        (START + source.randrange(span) // grain * grain, source.randrange(1, 10**9), source.choice("abcdefgh"))
        for _ in range(n)
    ]


@pytest.mark.parametrize("wanted", FEATURES, ids=lambda f: f"{f.agg}-{f.calendar or f.window_ms // HOUR or f.months}")
@pytest.mark.parametrize(("seed", "n", "span"), [(1, 12, 2 * DAY), (2, 60, 3 * DAY), (3, 700, 100 * DAY)])
def test_aggregate__rows_in_any_order__is_what_going_through_them_gives(wanted, seed, n, span):
    rows = rows_of(seed, n, span)
    lane = Lane({}, COLUMNS, 400 * DAY)
    came = []
    for at, (time, amount, other) in enumerate(rows):
        row = {"amount": amount, "other": other}
        lane.add("k", time, at, row)
        came.append((time, amount, other))
        if n < 100 or at % 37 == 0 or at > n - 10:
            assert lane.value("k", wanted, time, row) == plain(came, wanted, time, row)
    for gone in range(0, n, 3):
        assert lane.remove("k", gone) == rows[gone][0]
        left = [r for at, r in enumerate(rows) if at % 3 or at > gone]
        if left and (n < 100 or gone % 60 == 0):
            time = max(r[0] for r in left)
            row = {"amount": 5000, "other": "a"}
            assert lane.value("k", wanted, time, row) == plain(left, wanted, time, row)


def test_windows__of_a_busy_key__do_not_go_through_its_rows(monkeypatch):
    """With 20,000 rows in the window, a row costs a bounded number of list items; else a day of a fuel station stalls."""
    lane = Lane({}, COLUMNS, 400 * DAY)
    wanted = [
        feature("sum", of="amount", window_ms=90 * DAY),
        feature("distinct", of="other", window_ms=90 * DAY),
        feature("min", of="amount", window_ms=90 * DAY),
        feature("max", of="amount", window_ms=90 * DAY),
    ]
    looked_at = 0
    real_min, real_max, real_sum = min, max, sum

    def counting(real):
        def count(values, *rest, **more):
            nonlocal looked_at
            values = list(values)
            looked_at += len(values)
            return real(values, *rest, **more)

        return count

    for at in range(20_000):
        lane.add("k", START + at * 1000, at, {"amount": at, "other": "abc"[at % 3]})
    for f in wanted:
        lane.value("k", f, START + 20_000_000, {})
    for name, real in (("min", real_min), ("max", real_max), ("sum", real_sum)):
        monkeypatch.setitem(vars(lanes), name, counting(real))
    for at in range(20_000, 20_100):
        lane.add("k", START + at * 1000 - 500, at, {"amount": at, "other": "a"})
        for f in wanted:
            lane.value("k", f, START + at * 1000, {})
    assert looked_at < 100 * 2 * 700


def test_lane__pruned__forgets_rows_and_remembers_that_there_was_one():
    states: dict[str, Series] = {}
    lane = Lane(states, COLUMNS, 2 * DAY)
    for day in range(10):
        lane.add("k", START + day * DAY, day, {"amount": 1, "other": "a"})
    lane.add("other", START + 9 * DAY, 99, {"amount": 1, "other": "a"})
    lane.prune(START + 9 * DAY)
    assert states["k"].times == [START + 8 * DAY, START + 9 * DAY] and states["k"].first_ms == START
    first = feature("is_first")
    assert lane.value("k", first, START + 8 * DAY, {}) == (False, True)
    assert lane.value("other", first, START + 9 * DAY, {}) == (True, True)
    assert lane.value("none", first, START + 9 * DAY, {}) == (True, True)


def test_lane__whose_last_row_is_taken_out__is_as_if_it_had_never_been():
    states: dict[str, Series] = {}
    lane = Lane(states, COLUMNS, DAY)
    lane.add("k", START, 7, {"amount": 1, "other": "a"})
    lane.add("k", START, 7, {"amount": 2, "other": "b"})
    assert lane.remove("k", 8) is None and lane.remove("k", 7) == START and states == {}
