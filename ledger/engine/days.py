"""Days and months of the county, counted; what windows of the calendar begin with.

The one place that says which zone that is. A site's own hours and due dates go by the zone that its `place` states (`register`).
"""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from functools import lru_cache

DAY_MS = 86_400_000
ZONE_MS = 8 * 3_600_000
"""Days and months are those of Asia/Shanghai (register.DEFAULT_ZONE): one zone, no summer time."""


def day_of(time: int) -> int:
    """The local day, counted from 1970-01-01."""
    return (time + ZONE_MS) // DAY_MS


def day_start_ms(day: int) -> int:
    """Unix ms of the local midnight that begins a day."""
    return day * DAY_MS - ZONE_MS


def date_of(time: int) -> str:
    """The local date of a moment, YYYY-MM-DD."""
    return (date(1970, 1, 1) + timedelta(days=day_of(time))).isoformat()


@lru_cache(maxsize=8192)
def month_of(day: int) -> int:
    """The month of a day, counted from the year 0."""
    on = date(1970, 1, 1) + timedelta(days=day)
    return on.year * 12 + on.month - 1


@lru_cache(maxsize=1024)
def month_start_ms(month: int) -> int:
    """Unix ms of the local midnight that begins a month."""
    start = datetime(month // 12, month % 12 + 1, 1, tzinfo=UTC) - datetime(1970, 1, 1, tzinfo=UTC)
    return start // timedelta(milliseconds=1) - ZONE_MS
