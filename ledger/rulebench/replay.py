"""The log from index 0 through the fold again: does it give the alerts that were raised, and the state that is kept?

Nothing but the log, its facts and the kept texts of the rule sets is read; the tables are looked at only to compare.
What is compared: every column of every alert below the end, in order; and the state at the newest snapshot, field by field.
(`hazledger audit` compares all other tables of the engine with such a fold as well.)
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field, replace
from typing import Any

import msgspec

from ledger.engine.goods import Classifier
from ledger.engine.inputs import parse_input
from ledger.engine.state import FoldState, decode_state, encode_state
from ledger.errors import StoreError
from ledger.follow import Follower, Platform, Sets
from ledger.model import Alert
from ledger.ports import EngineStore, LogReader, RecordFilter
from ledger.rulesets import announced, engines, present_engine

PAGE = 500
MAX_DIFFERENCES = 20


@dataclass(frozen=True, slots=True)
class Difference:
    """What the log gives and what is kept, at one place. None: there is nothing there."""

    table: str
    row: str
    column: str
    replayed: Any
    kept: Any


@dataclass(slots=True)
class Replayed:
    """What a replay found. Digests are hex SHA-256; a digest of what is kept is None where nothing can be compared."""

    end: int
    alerts: int
    alerts_digest: str
    kept_alerts_digest: str
    state_digest: str
    snapshot_index: int | None
    snapshot_digest: str | None
    """Of the replay's state at the snapshot's index; None without a snapshot below the end."""
    kept_snapshot_digest: str | None
    rulesets: list[tuple[int, str]]
    """(index, digest) of the sets that took effect."""
    problems: list[str]
    """Rule sets that could not be had."""
    engine: str
    """This program's engine, and `other_engines` that folded below the end: [(from this entry on, engine)]."""
    other_engines: list[tuple[int, str]]
    differences: list[Difference] = field(default_factory=list)

    @property
    def equal(self) -> bool:
        """Whether all that was compared is the same."""
        return not self.differences and not self.problems


def platform_of(log: LogReader) -> Platform:
    """In whose name this log's alerts are signed, from the log itself. Raises StoreError when no engine has run on it."""
    for record in log.search(RecordFilter(kind="ruleset"), before=None, limit=1):
        return Platform(record.holder, parse_input(record).signers[0])
    raise StoreError("this log has no `ruleset` entry: no engine has run on it yet")


def replay(
    log: LogReader,
    store: EngineStore,
    sets: Sets,
    classifier: Classifier,
    *,
    to: int | None = None,
    progress: Callable[[int], None] | None = None,
    filling: Callable[[int], None] | None = None,
) -> Replayed:
    """Fold everything below `to` (or the engine's cursor, whichever is lower) and compare.

    Raises: StoreError.
    """
    cursor, snapshot, at, _, _ = store.load()
    end = int(cursor) if to is None else min(to, int(cursor))
    follower = Follower(log, sets, classifier, platform_of(log), filling=filling)
    sides = _Sides(_kept(store, end))
    compared = snapshot is not None and at <= end
    before = b""
    for stop in sorted({int(at) if compared else end, end}):
        for effects in follower.batches(stop):
            for raised in effects.raised:
                sides.replayed(replace(raised.alert, record_id=raised.record_id))
            if progress is not None:
                progress(follower.state.next_index)
        if compared and stop == at:
            before = encode_state(follower.state)
    sides.end()
    # A state is megabytes: written once where both ends are one place, and read again only where something differs.
    after = before if compared and at == end else encode_state(follower.state)
    done = Replayed(
        end=end,
        alerts=sides.count,
        alerts_digest=sides.mine.hexdigest(),
        kept_alerts_digest=sides.theirs.hexdigest(),
        state_digest=_digest(after),
        snapshot_index=int(at) if compared else None,
        snapshot_digest=_digest(before) if compared else None,
        kept_snapshot_digest=_digest(snapshot) if compared and snapshot is not None else None,
        rulesets=[(int(index), digest) for index, digest in announced(log) if index < end],
        problems=sorted(sets.problems.values()),
        engine=present_engine(),
        other_engines=[(int(at), by) for at, by in engines(log) if at < end and by != present_engine()],
        differences=sides.differences,
    )
    if compared and snapshot is not None and done.snapshot_digest != done.kept_snapshot_digest:
        done.differences += _state_differences(before, snapshot)
    return done


class _Sides:
    """The alerts of the replay beside those in the table, both in the order of the stream."""

    def __init__(self, kept: Iterator[Alert]) -> None:
        self._kept = kept
        self.count = 0
        self.mine = hashlib.sha256(b"hazledger/alerts/v1\n")
        self.theirs = hashlib.sha256(b"hazledger/alerts/v1\n")
        self.differences: list[Difference] = []

    def replayed(self, alert: Alert) -> None:
        self.count += 1
        mine = _columns(alert)
        self.mine.update(_line(mine))
        other = next(self._kept, None)
        if other is None:
            self._differs(alert, "", mine, None)
            return
        theirs = _columns(other)
        self.theirs.update(_line(theirs))
        for column, value in mine.items():
            if theirs[column] != value:
                self._differs(alert, column, value, theirs[column])
                return

    def end(self) -> None:
        for other in self._kept:
            self.count += 1
            theirs = _columns(other)
            self.theirs.update(_line(theirs))
            self._differs(other, "", None, theirs)

    def _differs(self, alert: Alert, column: str, mine: Any, theirs: Any) -> None:
        if len(self.differences) < MAX_DIFFERENCES:
            row = f"seq {self.count}, {alert.rule} {alert.alert_id[:12]} at entry {alert.first_index}"
            self.differences.append(Difference("alert", row, column, mine, theirs))


def _kept(store: EngineStore, end: int) -> Iterator[Alert]:
    after = 0
    while page := store.alerts(after_seq=after, limit=PAGE):
        for seq, alert in page:
            after = seq
            if alert.first_index < end:
                yield alert


def _columns(alert: Alert) -> dict[str, Any]:
    columns: dict[str, Any] = json.loads(json.dumps(asdict(alert), ensure_ascii=False))
    return columns


def _line(columns: dict[str, Any]) -> bytes:
    return (json.dumps(columns, ensure_ascii=False, separators=(",", ":"), sort_keys=True) + "\n").encode()


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def _state_differences(replayed: bytes, snapshot: bytes) -> list[Difference]:
    """The fields of the state that differ, each with the first place in it."""
    mine, kept = msgspec.msgpack.decode(replayed, type=FoldState), decode_state(snapshot)
    if kept is None:
        return [Difference("snapshot", "", "version", mine.version, "of another version of the engine")]
    found = []
    for name in mine.__struct_fields__:
        ours, theirs = (msgspec.to_builtins(getattr(state, name)) for state in (mine, kept))
        place = _first(ours, theirs, name)
        if place is not None:
            found.append(Difference("snapshot", f"state.{place[0]}", "", *place[1:]))
    return found or [Difference("snapshot", "", "", "the same values", "in another order")]


def _first(mine: Any, theirs: Any, path: str) -> tuple[str, Any, Any] | None:
    if isinstance(mine, dict) and isinstance(theirs, dict):
        for key in [*mine, *(key for key in theirs if key not in mine)]:
            place = _first(mine.get(key), theirs.get(key), f"{path}[{key!r}]")
            if place is not None:
                return place
        return None
    if isinstance(mine, (list, tuple)) and isinstance(theirs, (list, tuple)) and len(mine) == len(theirs):
        for at, (one, other) in enumerate(zip(mine, theirs, strict=True)):
            place = _first(one, other, f"{path}[{at}]")
            if place is not None:
                return place
        return None
    return None if mine == theirs else (path, mine, theirs)
