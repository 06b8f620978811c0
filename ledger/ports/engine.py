"""The engine's own file: its rows, what one micro-batch commits, and who reads it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import msgspec

from ledger.core.life import Urgency
from ledger.model import Alert, LeafIndex, RecordId, UnixMs


@dataclass(frozen=True, slots=True)
class OutboxRow:
    """A finished signed envelope on its way into the log. `id` is the alert id."""

    id: str
    record_id: RecordId
    envelope: bytes


class TimerRow(msgspec.Struct, frozen=True):
    """Fires at the first tick whose now >= due_ms; ordered by (due_ms, id)."""

    id: str
    due_ms: UnixMs
    rule: str
    data: dict[str, Any]


class StockRow(msgspec.Struct, frozen=True):
    """Book stock of one balance key, as the fold has it. `amount` in mg, microlitres or pieces by `dimension`."""

    holder: str
    site: str
    book: str
    key: str
    """formats.md's balance key as text: code|band|form|packaging|batch|dimension."""
    code: str
    dimension: str
    amount: int
    pieces: int | None
    capacity: int | None
    as_of_index: LeafIndex
    event_time_ms: UnixMs


class StreamRow(msgspec.Struct, frozen=True):
    """How one stream of bulk material stands after its newest balance, in mg or microlitres by `dimension`.

    `sigma` is what weighing should scatter by, by the errors that were stated (`stated`) or defaults; `sigma_estimated` what
    the stream's own balances do scatter by, 0 before there are two. Page's sums in thousandths of sigma.
    """

    holder: str
    site: str
    book: str
    key: str
    code: str
    dimension: str
    balances: int
    sigma: int
    sigma_estimated: int
    stated: bool
    muf: int
    z_milli: int
    loss_protracted_milli: int
    loss_abrupt_milli: int
    stocktake: str
    as_of_index: LeafIndex
    event_time_ms: UnixMs


class LineRow(msgspec.Struct, frozen=True):
    """One goods line of one record, for lists and filters."""

    index: LeafIndex
    line: int
    holder: str
    site: str
    book: str
    kind: str
    direction: str
    reason: str
    code: str
    dimension: str
    amount: int
    pieces: int | None
    store: str
    event_time_ms: UnixMs
    counterparty: str


@dataclass(frozen=True, slots=True)
class RuleHealth:
    """A rule's visible health. `state` is ok or error; `error` is the last message."""

    rule: str
    version: int
    last_index: LeafIndex
    state: str
    error: str
    evaluations: int
    alerts: int


@dataclass(frozen=True, slots=True)
class LifeRow:
    """Where one alert's episode stands (engine.md, "Life of an alert"). Times are unix ms; None for none."""

    alert_id: str
    """Of the episode's first alert."""
    status: str
    """The one word of `core.life` that is shown: `beside`, or else the stage."""
    stage: str
    turn: int
    """Counts what a supervisor has to have seen: the ETag."""
    severity: str
    """The worst that was alerted."""
    due_ms: UnixMs | None
    until_ms: UnixMs | None
    """End of a snooze or suppression."""
    handle_due_ms: UnixMs | None
    handled_ms: UnixMs | None
    """When it was first closed or put under an order."""
    closed_ms: UnixMs | None
    outcome: str
    order_id: str
    recovered: bool
    data: dict[str, Any]
    """why, acked_ms, regresses, evidenced, closed_by; taken_back (the late record that did it), and the severity that stands
    all the same."""


@dataclass(frozen=True, slots=True)
class StepRow:
    """One change of one life. `refused` is the code for which a signed transition moved nothing, else ""."""

    n: int
    alert_id: str
    index: LeafIndex
    at_ms: UnixMs
    before: str
    after: str
    by: str
    """Whose entry did it; "" when time did."""
    record_id: RecordId
    refused: str
    note: dict[str, Any]


@dataclass(frozen=True, slots=True)
class OrderRow:
    """An order as it stands. `status`: open, waiting (a reply is to be judged), accepted, withdrawn, replaced."""

    record_id: RecordId
    holder: str
    site: str
    type: str
    number: str
    severity: str
    status: str
    index: LeafIndex
    issued_ms: UnixMs
    due_ms: UnixMs
    reply: str
    late: bool
    alerts: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class EngineBatch:
    """All that one micro-batch commits, in one transaction. Inserting an id that is there does nothing."""

    cursor: LeafIndex
    """Next index to read."""
    alerts: tuple[Alert, ...] = ()
    outbox: tuple[OutboxRow, ...] = ()
    book_seq: int | None = None
    """seq of the last alert in the engine's own book, with book_prev its record_id."""
    book_prev: RecordId | None = None
    timers_set: tuple[TimerRow, ...] = ()
    timers_cleared: tuple[str, ...] = ()
    stock: tuple[StockRow, ...] = ()
    stock_gone: tuple[tuple[str, str, str, str], ...] = ()
    """(holder, site, book, key) of balances that there are no more."""
    streams: tuple[StreamRow, ...] = ()
    whole: bool = False
    """`stock` and `streams` are all that there are: what stands in their tables before is of an earlier program, and goes."""
    lines: tuple[LineRow, ...] = ()
    health: tuple[RuleHealth, ...] = ()
    lives: tuple[LifeRow, ...] = ()
    steps: tuple[StepRow, ...] = ()
    orders: tuple[OrderRow, ...] = ()
    snapshot: bytes | None = None
    """State after everything below `cursor`; replaces the one before."""
    extra: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class QueueFilter:
    """What the queue of episodes is narrowed to; None means any."""

    statuses: tuple[str, ...] | None = None
    severities: tuple[str, ...] | None = None
    """The worst that was alerted."""
    holder: str | None = None
    """Whose record raised it, or whom it is about beside that one."""
    rule: str | None = None
    after_seq: int | None = None
    """Oldest first above this cursor, instead of newest first."""
    urgent_first: bool = False
    """By `core.life.urgency`, instead of newest first."""
    after: Urgency | None = None
    """With `urgent_first`: only what is less urgent than this cursor."""
    due_by: UnixMs | None = None
    """Only what had to be handled by then: the handling rate's whole."""
    in_time: bool | None = None
    """With `due_by`: only what was, or was not, closed or put under an order in time."""


class EngineReader(Protocol):
    """What the portal and the API read of the engine's tables. A `limit` cuts: who wants all goes on from the last row."""

    def cursor(self) -> LeafIndex: ...
    def alerts(
        self, *, after_seq: int = 0, holder: str | None = None, rule: str | None = None, limit: int
    ) -> list[tuple[int, Alert]]:
        """(stream sequence, alert), ascending by sequence: what SSE resumes on. `holder`: as in `QueueFilter`."""

    def newest_alerts(
        self, *, before_seq: int | None = None, holder: str | None = None, severity: str | None = None, limit: int
    ) -> list[tuple[int, Alert]]: ...
    def alert(self, alert_id: str) -> Alert | None: ...
    def alert_at(self, alert_id: str) -> tuple[int, Alert] | None:
        """(stream sequence, alert)."""

    def alerts_named(self, prefix: str, *, limit: int) -> list[Alert]:
        """Alerts whose id begins so, by id."""

    def alert_counts(self) -> dict[str, int]:
        """Alerts by severity."""

    def stock(self, *, holder: str | None = None, code: str | None = None) -> list[StockRow]: ...
    def streams(self, *, holder: str | None = None) -> list[StreamRow]: ...
    def lines(
        self,
        *,
        holder: str | None = None,
        code: str | None = None,
        direction: str | None = None,
        before: tuple[LeafIndex, int] | None = None,
        limit: int,
    ) -> list[LineRow]:
        """Newest first, below the cursor `before` = (index, line)."""

    def health(self) -> list[RuleHealth]: ...
    def rule_alerts(self, since: UnixMs) -> dict[str, int]:
        """Alerts by rule, opened at `since` or later."""

    def rule_outcomes(self) -> dict[str, dict[str, int]]:
        """Closed episodes by rule and outcome."""

    def lives(self, alerts: Sequence[Alert]) -> dict[str, LifeRow]:
        """Where these alerts stand, by alert id; an alert of a worse band stands where its episode's first one does."""

    def queue(
        self, where: QueueFilter, *, before_seq: int | None = None, limit: int
    ) -> list[tuple[int, Alert, LifeRow]]:
        """First alerts of episodes and where they stand, newest first below the cursor unless `where` says otherwise."""

    def steps(self, alert_id: str) -> list[StepRow]:
        """All that happened to one episode, in order."""

    def orders(self, *, holder: str | None = None, open_only: bool = False, limit: int) -> list[OrderRow]:
        """Newest first."""

    def order(self, record_id: RecordId) -> OrderRow | None: ...
    def handling(self, now: UnixMs) -> tuple[int, int]:
        """(due and closed or put under an order in time, all due): both numbers of the handling rate."""

    def status_counts(self) -> dict[str, int]:
        """Episodes by status."""

    def queue_counts(self) -> dict[tuple[str, str], int]:
        """Episodes by (status, worst severity)."""


class EngineStore(EngineReader, Protocol):
    """The engine's own file: cursor, alerts, timers and outbox committed together."""

    def load(self) -> tuple[LeafIndex, bytes | None, LeafIndex, int, RecordId | None]:
        """(cursor, snapshot, snapshot's cursor, own book's last seq, its record_id)."""

    def timers(self) -> list[TimerRow]: ...
    def extra(self) -> dict[str, Any]:
        """What batches put into `extra`, the last value of each key."""

    def commit(self, batch: EngineBatch) -> None: ...
    def outbox_pending(self, limit: int) -> list[OutboxRow]: ...
    def outbox_sent(self, ids: Iterable[tuple[str, LeafIndex]]) -> None: ...
