"""Moments for people."""

from datetime import UTC, timedelta, timezone
from zoneinfo import ZoneInfo

import pytest

from ledger.cli.moments import local, span, told


@pytest.mark.parametrize(
    ("ms", "zone", "said"),
    [
        (1_790_000_000_999, ZoneInfo("Asia/Shanghai"), "2026-09-21 22:13:20 +08:00"),
        (1_790_000_000_000, UTC, "2026-09-21 14:13:20 +00:00"),
        (1_790_000_000_000, timezone(timedelta(hours=-3, minutes=-30)), "2026-09-21 10:43:20 -03:30"),
        (None, UTC, "-"),
    ],
)
def test_local__a_moment__with_its_offset(ms, zone, said):
    assert local(ms, zone) == said


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("due on 2026-11-19T20:24:11.805Z, a day late", "due on 2026-11-20 04:24:11 +08:00, a day late"),
        ("of 2026-99-99T00:00:00Z", "of 2026-99-99T00:00:00Z"),
        ("batch 2026-11-19", "batch 2026-11-19"),
    ],
)
def test_told__moments_in_a_signed_reason__in_local_time(text, said):
    assert told(text, ZoneInfo("Asia/Shanghai")) == said


@pytest.mark.parametrize(("ms", "said"), [(900_000, "15 min"), (432_000_000, "5 d"), (1500, "1500 ms"), (7_200_000, "2 h"), (0, "0 ms")])
def test_span__in_its_largest_whole_unit(ms, said):
    assert span(ms) == said


def test_span__in_chinese():
    assert [span(ms, "zh") for ms in (432_000_000, 900_000, 1)] == ["5 天", "15 分钟", "1 毫秒"]
