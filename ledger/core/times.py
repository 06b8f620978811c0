"""Times of formats.md section 2: RFC 3339 text and unix milliseconds. No clock is read here."""

from __future__ import annotations

from datetime import UTC, datetime

from ledger.model import UnixMs


def format_utc(at: UnixMs) -> str:
    """`YYYY-MM-DDThh:mm:ss.sssZ` for unix milliseconds."""
    seconds, millis = divmod(at, 1000)
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%S}.{millis:03d}Z"
