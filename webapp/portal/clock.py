"""Moments and spans of time as a person reads them."""

from __future__ import annotations

import re
from datetime import datetime
from functools import lru_cache
from zoneinfo import ZoneInfo

from webapp.context import services
from webapp.i18n import ngettext


@lru_cache(maxsize=8)
def _zone(name: str) -> ZoneInfo:
    return ZoneInfo(name)


def moment(ms: int) -> str:
    """YYYY-MM-DD hh:mm:ss in the portal's zone."""
    at = datetime.fromtimestamp(ms / 1000, _zone(services().timezone))
    return at.strftime("%Y-%m-%d %H:%M:%S")


_SPAN = re.compile(r"([0-9]+)([smhd])", re.ASCII)


def span(text: str) -> str:
    """A span as rule files write it ("15m", "36h") in words; anything else as it is."""
    found = _SPAN.fullmatch(text)
    if found is None:
        return text
    number = int(found[1])
    match found[2]:
        case "s":
            return ngettext("%(num)d second", "%(num)d seconds", number)
        case "m":
            return ngettext("%(num)d minute", "%(num)d minutes", number)
        case "h":
            return ngettext("%(num)d hour", "%(num)d hours", number)
        case _:
            return ngettext("%(num)d day", "%(num)d days", number)


def age(ms: int) -> str:
    """A span of time in its largest unit, rounded down."""
    seconds = max(0, ms) // 1000
    if seconds < 60:
        return ngettext("%(num)d second", "%(num)d seconds", seconds)
    if seconds < 3600:
        return ngettext("%(num)d minute", "%(num)d minutes", seconds // 60)
    if seconds < 86400:
        return ngettext("%(num)d hour", "%(num)d hours", seconds // 3600)
    return ngettext("%(num)d day", "%(num)d days", seconds // 86400)
