"""Moments as the command line prints them for people: the county's local time with its offset, as the portal shows it.

Machines get UTC in RFC 3339 (`ledger.core.times`), in every --json and every record.
"""

from __future__ import annotations

import re
from datetime import datetime, tzinfo

from ledger.core.record import read_instant

NEVER = "-"
_INSTANTS = re.compile(r"(?<![0-9A-Za-z-])[12][0-9]{3}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]{1,3})?Z")


def local(ms: int | None, zone: tzinfo) -> str:
    """`YYYY-MM-DD hh:mm:ss ±hh:mm` for unix milliseconds; "-" for none."""
    if ms is None:
        return NEVER
    at = datetime.fromtimestamp(ms // 1000, zone)
    offset = at.strftime("%z")
    return f"{at:%Y-%m-%d %H:%M:%S} {offset[:3]}:{offset[3:5]}"


def told(text: str, zone: tzinfo) -> str:
    """A sentence with its UTC moments in local time: signed reasons hold them in UTC."""
    return _INSTANTS.sub(lambda found: _moment(found[0], zone), text)


def _moment(text: str, zone: tzinfo) -> str:
    try:
        return local(read_instant(text), zone)
    except ValueError:
        return text


_UNITS = (("d", "天", 86_400_000), ("h", "小时", 3_600_000), ("min", "分钟", 60_000), ("s", "秒", 1000))


def span(ms: int, lang: str = "en") -> str:
    """A length of time in its largest whole unit: 15 min, 5 d; 15 分钟, 5 天."""
    for en, zh, size in _UNITS:
        if ms and ms % size == 0:
            return f"{ms // size} {zh if lang == 'zh' else en}"
    return f"{ms} {'毫秒' if lang == 'zh' else 'ms'}"
