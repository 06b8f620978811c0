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


def access_rows(after: int) -> list[tuple[int, UnixMs, str, str, str, str]]:
    return services().portal.access_log(after=after, limit=ACCESS_PAGE)


def _sequencer() -> dict[str, Any]:
    try:
        return services().sequencer_status()
    except LedgerError as error:
        return {"error": error.detail}
