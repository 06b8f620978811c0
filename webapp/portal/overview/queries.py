"""The counters of the first page."""

from __future__ import annotations

from dataclasses import dataclass

from ledger.model import Alert, Anchor, LeafIndex, UnixMs
from ledger.ports import StoredCheckpoint
from webapp.context import services
from webapp.portal.enterprises.queries import enterprises

NEWEST = 8


@dataclass(frozen=True, slots=True)
class Overview:
    """One look at the whole. `to_checkpoint`, `to_anchor` and `to_engine` are numbers of entries not yet covered."""

    enterprises: int
    size: int
    last_received: UnixMs
    alerts: dict[str, int]
    engine_cursor: LeafIndex
    checkpoint: StoredCheckpoint | None
    anchor: Anchor | None
    to_checkpoint: int
    to_anchor: int
    to_engine: int
    newest: list[tuple[int, Alert]]


def overview() -> Overview:
    log, engine = services().log, services().engine
    size = log.size()
    checkpoint, anchor, cursor = log.latest_checkpoint(), services().anchors.latest_anchor(), engine.cursor()
    return Overview(
        enterprises=len(enterprises()),
        size=size,
        last_received=log.last_received(),
        alerts=engine.alert_counts(),
        engine_cursor=cursor,
        checkpoint=checkpoint,
        anchor=anchor,
        # The parts are read one after the other, so a younger one may be ahead of the size read first.
        to_checkpoint=max(0, size - (checkpoint.size if checkpoint else 0)),
        to_anchor=max(0, size - (anchor.size if anchor else 0)),
        to_engine=max(0, size - cursor),
        newest=engine.newest_alerts(limit=NEWEST),
    )
