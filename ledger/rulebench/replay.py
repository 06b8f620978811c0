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
from ledger.errors import RuleError, StoreError
from ledger.follow import Follower, Platform, Sets
from ledger.model import Alert, LeafIndex
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
    one = Replay(log, store, sets, classifier, to=to, filling=filling)
    one.run(progress)
    return one.result()


class _Work(msgspec.Struct):
    """A replay on its way, as `save` keeps it. Digests are chained, so that they can be gone on with."""

    form: str
    log: str
    engine: str
    end: int
    state: bytes = b""
    last: str = ""
    """record_id of the last entry that was folded."""
    alerts: int = 0
    mine: bytes = hashlib.sha256(b"hazledger/alerts/v1\n").digest()
    theirs: bytes = hashlib.sha256(b"hazledger/alerts/v1\n").digest()
    seq: int = 0
    """Up to where the table of alerts was read."""
    snapshot: tuple[int, str, str] | None = None
    """Index, digest of the replayed state there, digest of the kept one."""
    problems: list[str] = []
    differences: list[Difference] = []


_FORM = "hazledger/replay-work/v1"


class Replay:
    """A replay on its way; `save` and `resumed` carry it over an interruption."""

    def __init__(
        self,
        log: LogReader,
        store: EngineStore,
        sets: Sets,
        classifier: Classifier,
        *,
        to: int | None = None,
        filling: Callable[[int], None] | None = None,
        work: _Work | None = None,
    ) -> None:
        cursor = int(store.cursor())
        end = cursor if to is None else min(to, cursor)
        self._work = work or _Work(_FORM, log.origin(), present_engine(), end)
        self._log, self._store, self._sets = log, store, sets
        state = decode_state(self._work.state) if self._work.state else None
        self._follower = Follower(log, sets, classifier, platform_of(log), state, filling=filling)
        self._kept = self._kept_alerts()

    @property
    def end(self) -> int:
        """The entry before which it ends."""
        return self._work.end

    @property
    def next_index(self) -> int:
        return self._follower.state.next_index

    def run(self, progress: Callable[[int], None] | None = None, stop: Callable[[], bool] = lambda: False) -> bool:
        """Fold up to the end, or until `stop()`; whether the end was reached. Raises StoreError."""
        _, snapshot, at, _, _ = self._store.load()
        compared = snapshot is not None and self.next_index <= at <= self.end and self._work.snapshot is None
        for until in sorted({int(at) if compared else self.end, self.end}):
            for effects in self._follower.batches(until):
                for raised in effects.raised:
                    self._replayed(replace(raised.alert, record_id=raised.record_id))
                if progress is not None:
                    progress(self.next_index)
                # Between two batches only: one that is cut off would leave half a state.
                if stop() and self.next_index < self.end:
                    return False
            if compared and snapshot is not None and until == at:
                self._compare(int(at), snapshot)
        for other in self._kept:
            self._take(None, other)
        return True

    def result(self) -> Replayed:
        """What was found, once `run` has come to the end."""
        work, end = self._work, self.end
        index, mine, kept = work.snapshot or (None, None, None)
        # A state is megabytes: written once where both ends are one place.
        state_digest = mine if mine is not None and index == end else _digest(encode_state(self._follower.state))
        return Replayed(
            end=end,
            alerts=work.alerts,
            alerts_digest=work.mine.hex(),
            kept_alerts_digest=work.theirs.hex(),
            state_digest=state_digest,
            snapshot_index=index,
            snapshot_digest=mine,
            kept_snapshot_digest=kept,
            rulesets=[(int(at), digest) for at, digest in announced(self._log) if at < end],
            problems=sorted({*work.problems, *self._sets.problems.values()}),
            engine=present_engine(),
            other_engines=[(int(at), by) for at, by in engines(self._log) if at < end and by != present_engine()],
            differences=work.differences,
        )

    # --- comparing ---------------------------------------------------------------------------------------------------

    def _replayed(self, alert: Alert) -> None:
        self._take(alert, next(self._kept, None))

    def _take(self, mine: Alert | None, theirs: Alert | None) -> None:
        """One more alert of the log, of the table, or of both."""
        work = self._work
        work.alerts += 1
        columns = None if mine is None else _columns(mine)
        others = None if theirs is None else _columns(theirs)
        if columns is not None:
            work.mine = hashlib.sha256(work.mine + _line(columns)).digest()
        if others is not None:
            work.theirs = hashlib.sha256(work.theirs + _line(others)).digest()
        named = mine or theirs
        if named is None or columns == others:
            return
        if columns is None or others is None:
            self._differs(named, "", columns, others)
            return
        column = next(name for name in columns if columns[name] != others[name])
        self._differs(named, column, columns[column], others[column])

    def _differs(self, alert: Alert, column: str, mine: Any, theirs: Any) -> None:
        if len(self._work.differences) < MAX_DIFFERENCES:
            row = f"seq {self._work.alerts}, {alert.rule} {alert.alert_id[:12]} at entry {alert.first_index}"
            self._work.differences.append(Difference("alert", row, column, mine, theirs))

    def _compare(self, at: int, snapshot: bytes) -> None:
        replayed = encode_state(self._follower.state)
        self._work.snapshot = (at, _digest(replayed), _digest(snapshot))
        if replayed != snapshot:
            self._work.differences += _state_differences(replayed, snapshot)

    def _kept_alerts(self) -> Iterator[Alert]:
        while page := self._store.alerts(after_seq=self._work.seq, limit=PAGE):
            for seq, alert in page:
                self._work.seq = seq
                if alert.first_index < self.end:
                    yield alert

    # --- interruptions -----------------------------------------------------------------------------------------------

    def save(self) -> bytes:
        """All that was done so far, for `resumed`."""
        work = self._work
        work.state = encode_state(self._follower.state)
        work.last = _name_before(self._log, self.next_index)
        work.problems = sorted({*work.problems, *self._sets.problems.values()})
        return msgspec.msgpack.encode(work)


def resumed(
    data: bytes,
    log: LogReader,
    store: EngineStore,
    sets: Sets,
    classifier: Classifier,
    *,
    filling: Callable[[int], None] | None = None,
) -> Replay:
    """The replay that `save` left. Raises RuleError `work-file` when it is of another log, history or program."""

    def wrong(why: str) -> RuleError:
        return RuleError(f"this work file {why}; start the replay anew", code="work-file")

    try:
        work = msgspec.msgpack.decode(data, type=_Work)
    except msgspec.MsgspecError:
        raise wrong("cannot be read") from None
    state = decode_state(work.state)
    if (work.form, work.engine) != (_FORM, present_engine()) or state is None:
        raise wrong("is of another program")
    if work.log != log.origin() or work.last != _name_before(log, state.next_index):
        raise wrong("is of another log, or of another history of it")
    return Replay(log, store, sets, classifier, filling=filling, work=work)


def _name_before(log: LogReader, index: int) -> str:
    """record_id of the entry before this one; "" at the log's beginning."""
    before = log.records(LeafIndex(index - 1), 1) if index else []
    return before[0].record_id if before else ""


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
