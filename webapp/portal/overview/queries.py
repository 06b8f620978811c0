"""The counters of the first page."""

from __future__ import annotations

from dataclasses import dataclass

from ledger.model import Anchor, LeafIndex, UnixMs
from ledger.ports import StoredCheckpoint
from webapp.context import services
from webapp.portal.alerts.queries import Row, most_urgent
from webapp.portal.enterprises.queries import enterprises

URGENT = 10


@dataclass(frozen=True, slots=True)
class Overview:
    """One look at the whole. `to_checkpoint`, `to_anchor` and `to_engine` are numbers of entries not yet covered."""

    enterprises: int
    size: int
    last_received: UnixMs
    alerts: dict[tuple[str, str], int]
    """Episodes by (state, severity)."""
    handled: tuple[int, int]
    """(handled in time, all due)."""
    engine_cursor: LeafIndex
    checkpoint: StoredCheckpoint | None
    anchor: Anchor | None
    to_checkpoint: int
    to_anchor: int
    to_engine: int
    urgent: list[Row]


def overview() -> Overview:
    log, engine = services().log, services().engine
    size = log.size()
    checkpoint, anchor, cursor = log.latest_checkpoint(), services().anchors.latest_anchor(), engine.cursor()
    return Overview(
        enterprises=len(enterprises()),
        size=size,
        last_received=log.last_received(),
        alerts=engine.queue_counts(),
        handled=engine.handling(services().clock()),
        engine_cursor=cursor,
        checkpoint=checkpoint,
        anchor=anchor,
        # The parts are read one after the other, so a younger one may be ahead of the size read first.
        to_checkpoint=max(0, size - (checkpoint.size if checkpoint else 0)),
        to_anchor=max(0, size - (anchor.size if anchor else 0)),
        to_engine=max(0, size - cursor),
        urgent=most_urgent(URGENT),
    )
