"""The scenario's calendar: local days of 2026 in the sites' zone (UTC+8), working days and public holidays.

Days are counted from 0 = 2026-01-01. Times are unix milliseconds. Holidays and the working days moved for them: the
State Council's notice for 2026 (Guobanfa, November 2025).
"""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta, timezone
from functools import lru_cache

ZONE = timezone(timedelta(hours=8))
ZONE_NAME = "Asia/Shanghai"
FIRST = date(2026, 1, 1)
DAYS = 365
SECOND, MINUTE, HOUR, DAY = 1000, 60_000, 3_600_000, 86_400_000
START_MS = round(datetime(2026, 1, 1, tzinfo=ZONE).timestamp() * 1000)


def _span(first: str, last: str) -> set[date]:
    at, end = date.fromisoformat(f"2026-{first}"), date.fromisoformat(f"2026-{last}")
    return {at + timedelta(days=n) for n in range((end - at).days + 1)}


HOLIDAYS = frozenset(
    _span("01-01", "01-03")
    | _span("02-15", "02-23")
    | _span("04-04", "04-06")
    | _span("05-01", "05-05")
    | _span("06-19", "06-21")
    | _span("09-25", "09-27")
    | _span("10-01", "10-07")
)
MOVED = frozenset(date.fromisoformat(f"2026-{day}") for day in ("01-04", "02-14", "02-28", "05-09", "09-20", "10-10"))


@lru_cache(maxsize=1024)
def day_date(day: int) -> date:
    return FIRST + timedelta(days=day)


@lru_cache(maxsize=1024)
def day_text(day: int) -> str:
    return day_date(day).isoformat()


def day_start(day: int) -> int:
    return START_MS + day * DAY


def day_of(ms: int) -> int:
    return (ms - START_MS) // DAY


@lru_cache(maxsize=1024)
def is_workday(day: int) -> bool:
    """A working day for offices and day-shift sites: weekends and holidays are not, moved Saturdays and Sundays are."""
    on = day_date(day)
    return on in MOVED or (on.weekday() < 5 and on not in HOLIDAYS)


@lru_cache(maxsize=1024)
def is_holiday(day: int) -> bool:
    return day_date(day) in HOLIDAYS


@lru_cache(maxsize=1024)
def weekday(day: int) -> int:
    """1 Monday to 7 Sunday."""
    return day_date(day).isoweekday()


def next_workday(day: int) -> int:
    """The first working day from `day` on."""
    while not is_workday(day):
        day += 1
    return day


def workdays(days: int) -> int:
    return sum(is_workday(day) for day in range(days))


@lru_cache(maxsize=4096)
def _minute_text(minute: int) -> str:
    return f"T{minute // 60:02d}:{minute % 60:02d}:"


def local_text(ms: int) -> str:
    """RFC 3339 in the sites' zone, with milliseconds; a microsecond's work."""
    day, rest = divmod(ms - START_MS, DAY)
    minute, rest = divmod(rest, MINUTE)
    return f"{day_text(day)}{_minute_text(minute)}{rest // 1000:02d}.{rest % 1000:03d}+08:00"


def utc_text(ms: int) -> str:
    seconds, millis = divmod(ms, 1000)
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%S}.{millis:03d}Z"
