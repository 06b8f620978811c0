"""The watcher is watched: the supervisor's access log, which is a hash chain of its own, enters the log as `access` entries.

An entry carries the chain's digest at its end, so no row before it can be altered, dropped or inserted afterwards. Nothing of
what was looked at, or by whom, goes into the log. A crash leaves a later entry that covers more rows.
"""

from __future__ import annotations

from ledger.core.dsse import parse_envelope
from ledger.core.record import parse_payload
from ledger.model import Appended
from ledger.ports import Appender, LogReader, PortalStore

ACCESS_SITE = "platform"
ACCESS_BOOK = "access"
ROWS_AT_ONCE = 1000


def watch(*, portal: PortalStore, log: LogReader, appender: Appender, issuer: str) -> Appended | None:
    """Write an `access` entry over the rows since the last one; None when there are none."""
    start = _covered(log, issuer)
    end, digest = start, ""
    while rows := portal.access_log(after=end, limit=ROWS_AT_ONCE):
        end, digest = rows[-1][0], rows[-1][5]
    if end == start:
        return None
    # Half-open: row numbers begin at 1, and `to` is the first that is not covered.
    body = {"digest": digest, "from": start + 1, "to": end + 1, "entries": end - start}
    return appender.append_platform("access", ACCESS_BOOK, body)


def _covered(log: LogReader, issuer: str) -> int:
    """Number of the last row that an entry covers; 0 when there is none."""
    head = log.book_head(issuer, ACCESS_SITE, ACCESS_BOOK)
    stored = log.record_by_id(head.record_id) if head.record_id else None
    if stored is None:
        return 0
    return int(parse_payload(parse_envelope(stored.envelope).payload).body["to"]) - 1
