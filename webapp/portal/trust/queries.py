"""What the trust page reads."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any

from ledger.core import strictjson
from ledger.errors import LedgerError
from ledger.model import Anchor, UnixMs
from ledger.ports import StoredCheckpoint
from webapp.context import services

ANCHORS = 20
ACCESS_PAGE = 100


@dataclass(frozen=True, slots=True)
class Trust:
    """The trust file taken apart, and how far log and chain have come."""

    digest: str
    document: dict[str, Any]
    size: int
    checkpoint: StoredCheckpoint | None
    anchors: list[Anchor]
    anchors_behind: int
    chain: dict[str, Any]
    sequencer: dict[str, Any]


def trust() -> Trust:
    size = services().log.size()
    newest = services().anchors.latest_anchor()
    return Trust(
        digest=hashlib.sha256(services().trust).hexdigest(),
        document=strictjson.loads(services().trust) if services().trust else {},
        size=size,
        checkpoint=services().log.latest_checkpoint(),
        anchors=newest_anchors(newest),
        anchors_behind=max(0, size - (newest.size if newest else 0)),
        chain=services().chain_status(),
        sequencer=_sequencer(),
    )


def newest_anchors(newest: Anchor | None) -> list[Anchor]:
    """The newest anchors, newest first. Looks back over twice as many blocks until it has enough."""
    if newest is None:
        return []
    blocks = ANCHORS
    while True:
        found = services().anchors.anchors_after_block(newest.block.number - blocks)
        if len(found) >= ANCHORS or blocks > newest.block.number:
            return sorted(found, key=lambda a: a.size, reverse=True)[:ANCHORS]
        blocks *= 2


@dataclass(frozen=True, slots=True)
class AccessPage:
    """Lines (n, unix ms, actor, action, target, digest in hex), newest first; `older` and `newer` are the cursors of the pages
    beside it, None at the ends.
    """

    rows: list[tuple[int, UnixMs, str, str, str, str]]
    older: int | None
    newer: int | None
    count: int


def access_page(before: int | None) -> AccessPage:
    """The newest lines below the line `before`, of all without one. The lines are numbered from 1 without a gap."""
    count = services().portal.access_count()
    end = count if before is None else min(max(before, 1) - 1, count)
    start = max(0, end - ACCESS_PAGE)
    rows = services().portal.access_log(after=start, limit=end - start)
    return AccessPage(
        rows=rows[::-1],
        older=start + 1 if start else None,
        newer=min(end + ACCESS_PAGE, count) + 1 if end < count else None,
        count=count,
    )


def _sequencer() -> dict[str, Any]:
    try:
        return services().sequencer_status()
    except LedgerError as error:
        return {"error": error.detail}
