"""Moments as the command line prints them for people: the county's local time with its offset, as the portal shows it.

Machines get UTC in RFC 3339 (`ledger.core.times`), in every --json and every record.
"""

from __future__ import annotations

from datetime import datetime, tzinfo

NEVER = "-"


def local(ms: int | None, zone: tzinfo) -> str:
    """`YYYY-MM-DD hh:mm:ss ±hh:mm` for unix milliseconds; "-" for none."""
    if ms is None:
        return NEVER
    at = datetime.fromtimestamp(ms // 1000, zone)
    offset = at.strftime("%z")
    return f"{at:%Y-%m-%d %H:%M:%S} {offset[:3]}:{offset[3:5]}"
