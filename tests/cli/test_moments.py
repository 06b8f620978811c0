"""Moments for people."""

from datetime import UTC, timedelta, timezone
from zoneinfo import ZoneInfo

import pytest

from ledger.cli.moments import local


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
