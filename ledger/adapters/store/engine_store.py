"""The engine's own file: `EngineStore` of ledger.ports. Cursor, alerts, timers and outbox stand or fall together."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

import msgspec
from sqlalchemy import Column, Connection, Select, Table, bindparam, delete, func, select, tuple_, update

from ledger.adapters.store.database import Database, Insert, chunks
from ledger.adapters.store.life_store import LifeReads, write_lives
from ledger.adapters.store.schema.engine import alert as alert_table
from ledger.adapters.store.schema.engine import extra as extra_table
from ledger.adapters.store.schema.engine import health as health_table
from ledger.adapters.store.schema.engine import life as life_table
from ledger.adapters.store.schema.engine import line as line_table
from ledger.adapters.store.schema.engine import outbox, party, snapshot, state, timer
from ledger.adapters.store.schema.engine import stock as stock_table
from ledger.adapters.store.schema.engine import stream as stream_table
from ledger.model import Alert, LeafIndex, RecordId, UnixMs
from ledger.ports import (
    EngineBatch,
    LifeRow,
    LineRow,
    OutboxRow,
    QueueFilter,
    RuleHealth,
    StockRow,
    StreamRow,
    TimerRow,
)

_STATE = Insert(state, upsert=("id",))
_SNAPSHOT = Insert(snapshot, upsert=("id",))
_EXTRA = Insert(extra_table, upsert=("key",))
_ALERT = Insert(alert_table)
_PARTY = Insert(party)
_OUTBOX = Insert(outbox)
_TIMER = Insert(timer, upsert=("id",))
_STOCK = Insert(stock_table, upsert=("holder", "site", "book", "key"))
_STOCK_KEY = tuple_(*(stock_table.c[name] for name in ("holder", "site", "book", "key")))
_STREAM = Insert(stream_table, upsert=("holder", "site", "book", "key"))
_LINE = Insert(line_table, conflict="ON CONFLICT DO NOTHING")
_HEALTH = Insert(health_table, upsert=("rule",))


class EngineReadStore(LifeReads):
    """What the portal and the API read; every answer is what was committed when its statement began."""

    def __init__(self, database: Database) -> None:
        self._db = database

    def cursor(self) -> LeafIndex:
        return LeafIndex(self._db.scalar(select(state.c.cursor)) or 0)

    def alerts(
        self, *, after_seq: int = 0, holder: str | None = None, rule: str | None = None, limit: int
    ) -> list[tuple[int, Alert]]:
        statement = select(*alert_table.c).where(alert_table.c.seq > after_seq)
        if rule is not None:
            statement = statement.where(alert_table.c.rule == rule)
        return self._concerning(statement, holder, limit, newest_first=False)

    def newest_alerts(
        self, *, before_seq: int | None = None, holder: str | None = None, severity: str | None = None, limit: int
    ) -> list[tuple[int, Alert]]:
        """Newest first, below the cursor `before_seq`."""
        statement = select(*alert_table.c)
        if before_seq is not None:
            statement = statement.where(alert_table.c.seq < before_seq)
        if severity is not None:
            statement = statement.where(alert_table.c.severity == severity)
        return self._concerning(statement, holder, limit, newest_first=True)

    def _concerning(
        self, statement: Select[Any], holder: str | None, limit: int, *, newest_first: bool
    ) -> list[tuple[int, Alert]]:
        """The first `limit` alerts of a statement; where a holder is named, those that it raised and those about it.

        As two questions, each along an index in the order that is asked for: one OR would have all of a holder's sorted.
        """
        by = alert_table.c.seq.desc() if newest_first else alert_table.c.seq
        asked = [statement.order_by(by)]
        if holder is not None:
            of_party = party.c.seq.desc() if newest_first else party.c.seq
            told = statement.join(party, party.c.seq == alert_table.c.seq).where(party.c.holder == holder)
            asked = [statement.where(alert_table.c.holder == holder).order_by(by), told.order_by(of_party)]
        found = {row.seq: row for one in asked for row in self._db.rows(one.limit(max(limit, 0)))}
        return [_alert(found[seq]) for seq in sorted(found, reverse=newest_first)[: max(limit, 0)]]

    def alert(self, alert_id: str) -> Alert | None:
        found = self.alert_at(alert_id)
        return None if found is None else found[1]

    def alert_at(self, alert_id: str) -> tuple[int, Alert] | None:
        """(stream sequence, alert)."""
        row = self._db.row(select(*alert_table.c).where(alert_table.c.alert_id == alert_id))
        return None if row is None else _alert(row)

    def alerts_named(self, prefix: str, *, limit: int) -> list[Alert]:
        """Alerts whose id begins so, by id."""
        named = alert_table.c.alert_id
        # Every hex digit sorts before g, whatever the database's collation.
        statement = select(*alert_table.c).where(named >= prefix, named < prefix + "g").order_by(named)
        return [_alert(row)[1] for row in self._db.rows(statement.limit(max(limit, 0)))]

    def queue(
        self, where: QueueFilter, *, before_seq: int | None = None, limit: int
    ) -> list[tuple[int, Alert, LifeRow]]:
        """First alerts of episodes and where they stand; newest first, or by severity and time left."""
        found = self.queue_ids(where, before_seq=before_seq, limit=limit)
        alerts: dict[str, Alert] = {}
        for part in chunks([alert_id for _, alert_id, _ in found]):
            rows = self._db.rows(select(*alert_table.c).where(alert_table.c.alert_id.in_(part)))
            alerts |= {row.alert_id: _alert(row)[1] for row in rows}
        return [(seq, alerts[alert_id], life) for seq, alert_id, life in found]

    def alert_counts(self) -> dict[str, int]:
        counted = select(alert_table.c.severity, func.count()).group_by(alert_table.c.severity)
        return {row[0]: row[1] for row in self._db.rows(counted)}

    def stock(self, *, holder: str | None = None, code: str | None = None) -> list[StockRow]:
        """In the order of holder, site, book, key."""
        statement = select(*stock_table.c)
        if holder is not None:
            statement = statement.where(stock_table.c.holder == holder)
        if code is not None:
            statement = statement.where(stock_table.c.code == code)
        # Sorted here: the two databases may collate text differently.
        return [StockRow(*row) for row in sorted(self._db.rows(statement), key=lambda row: tuple(row[:4]))]

    def streams(self, *, holder: str | None = None) -> list[StreamRow]:
        """In the order of holder, site, book, key."""
        statement = select(*stream_table.c)
        if holder is not None:
            statement = statement.where(stream_table.c.holder == holder)
        rows = [StreamRow(*row) for row in self._db.rows(statement)]
        return sorted(rows, key=lambda row: (row.holder, row.site, row.book, row.key))

    def lines(
        self,
        *,
        holder: str | None = None,
        code: str | None = None,
        direction: str | None = None,
        before: tuple[LeafIndex, int] | None = None,
        limit: int,
    ) -> list[LineRow]:
        place = (line_table.c.index, line_table.c.line)
        statement = select(*line_table.c).order_by(*(column.desc() for column in place))
        for column, value in (
            (line_table.c.holder, holder),
            (line_table.c.code, code),
            (line_table.c.direction, direction),
        ):
            if value is not None:
                statement = statement.where(column == value)
        if before is not None:
            statement = statement.where(tuple_(*place) < before)
        return [LineRow(*row) for row in self._db.rows(statement.limit(max(limit, 0)))]

    def health(self) -> list[RuleHealth]:
        """In the order of the rules' names."""
        return sorted((RuleHealth(*row) for row in self._db.rows(select(*health_table.c))), key=lambda h: h.rule)

    def rule_alerts(self, since: UnixMs) -> dict[str, int]:
        """Alerts by rule, opened at `since` or later."""
        counted = select(alert_table.c.rule, func.count()).where(alert_table.c.opened_ms >= since)
        return {row[0]: row[1] for row in self._db.rows(counted.group_by(alert_table.c.rule))}

    def rule_outcomes(self) -> dict[str, dict[str, int]]:
        """Closed episodes by rule and outcome."""
        closed = (
            select(alert_table.c.rule, life_table.c.outcome, func.count())
            .join(life_table, life_table.c.alert_id == alert_table.c.alert_id)
            .where(life_table.c.outcome != "")
            .group_by(alert_table.c.rule, life_table.c.outcome)
        )
        found: dict[str, dict[str, int]] = {}
        for rule, outcome, count in self._db.rows(closed):
            found.setdefault(rule, {})[outcome] = count
        return found


class EngineStore(EngineReadStore):
    """The engine's reader and only writer."""

    def load(self) -> tuple[LeafIndex, bytes | None, LeafIndex, int, RecordId | None]:
        """(cursor, snapshot, snapshot's cursor, own book's last seq, its record_id); zeros and None when new."""
        with self._db.read() as connection:
            kept = connection.execute(select(*state.c)).first()
            image = connection.execute(select(snapshot.c.state, snapshot.c.cursor)).first()
        cursor, seq, prev = (0, 0, None) if kept is None else kept[1:4]
        body, at = (None, 0) if image is None else image
        return LeafIndex(cursor), body, LeafIndex(at), seq, None if prev is None else RecordId(prev.hex())

    def timers(self) -> list[TimerRow]:
        """In the order of firing: (due_ms, id)."""
        rows = [TimerRow(row[0], row[1], row[2], json.loads(row[3])) for row in self._db.rows(select(*timer.c))]
        return sorted(rows, key=lambda row: (row.due_ms, row.id))

    def extra(self) -> dict[str, Any]:
        """What batches put into `extra`, the last value of each key."""
        return {row[0]: json.loads(row[1]) for row in self._db.rows(select(*extra_table.c))}

    def commit(self, batch: EngineBatch) -> None:
        """One transaction, durable when it returns.

        A batch whose cursor lies below the stored one comes from folding again after a crash: its alerts, lines and
        outbox rows are inserted by id (and so do nothing where they are there), and nothing else of it counts, because
        all of it is already in what stands. In one batch timers are cleared before they are set.
        """
        with self._db.write() as connection:
            kept = connection.execute(select(*state.c)).first()
            cursor, seq, prev = (0, 0, None) if kept is None else kept[1:4]
            _add_alerts(connection, batch.alerts)
            _add_outbox(connection, batch.outbox)
            # Lines, stock and streams have their tables' columns, in the same order.
            _LINE.run(connection, [msgspec.structs.astuple(line) for line in batch.lines])
            if batch.cursor < cursor:
                return
            if batch.book_seq is not None:
                seq, prev = batch.book_seq, _bytes(batch.book_prev)
            _STATE.run(connection, [(1, batch.cursor, seq, prev)])
            for part in chunks(batch.timers_cleared):
                connection.execute(delete(timer).where(timer.c.id.in_(part)))
            _TIMER.run(connection, [(t.id, t.due_ms, t.rule, _json(t.data)) for t in batch.timers_set])
            if batch.whole:
                connection.execute(delete(stock_table))
                connection.execute(delete(stream_table))
            for gone in chunks(batch.stock_gone):
                connection.execute(delete(stock_table).where(_STOCK_KEY.in_(gone)))
            _STOCK.run(connection, [msgspec.structs.astuple(row) for row in batch.stock])
            _STREAM.run(connection, [msgspec.structs.astuple(row) for row in batch.streams])
            write_lives(connection, batch)
            _HEALTH.run(connection, [_health_row(row) for row in batch.health])
            _EXTRA.run(connection, [(key, _json(value)) for key, value in batch.extra.items()])
            if batch.snapshot is not None:
                _SNAPSHOT.run(connection, [(1, batch.cursor, batch.snapshot)])

    def outbox_pending(self, limit: int) -> list[OutboxRow]:
        """Rows that the log has not confirmed, in the order of the engine's own book."""
        pending = select(outbox.c.id, outbox.c.record_id, outbox.c.envelope).where(outbox.c.index.is_(None))
        rows = self._db.rows(pending.order_by(outbox.c.n).limit(max(limit, 0)))
        return [OutboxRow(row[0], RecordId(row[1].hex()), row[2]) for row in rows]

    def outbox_sent(self, ids: Iterable[tuple[str, LeafIndex]]) -> None:
        """Mark rows as taken by the log at the given indexes."""
        sent = [{"sent_id": id_, "sent_index": index} for id_, index in ids]
        if sent:
            with self._db.write() as connection:
                connection.execute(
                    update(outbox).where(outbox.c.id == bindparam("sent_id")).values(index=bindparam("sent_index")),
                    sent,
                )


def _add_alerts(connection: Connection, alerts: tuple[Alert, ...]) -> None:
    """Give each new alert the next stream sequence. The sequence is ours, not the database's, so that it has no gaps
    and a replay after a crash numbers them as before.
    """
    there = _present(connection, alert_table.c.alert_id, [alert.alert_id for alert in alerts])
    new: dict[str, Alert] = {}
    for alert in alerts:
        if alert.alert_id not in there:
            new.setdefault(alert.alert_id, alert)
    if new:
        first = _next(connection, alert_table, alert_table.c.seq)
        numbered = list(enumerate(new.values(), first))
        _ALERT.run(connection, [_alert_row(seq, alert) for seq, alert in numbered])
        _PARTY.run(connection, [(seq, whom) for seq, alert in numbered for whom in alert.extra.get("concerns", ())])


def _add_outbox(connection: Connection, rows: tuple[OutboxRow, ...]) -> None:
    there = _present(connection, outbox.c.id, [row.id for row in rows])
    new: dict[str, OutboxRow] = {}
    for row in rows:
        if row.id not in there:
            new.setdefault(row.id, row)
    if new:
        first = _next(connection, outbox, outbox.c.n)
        _OUTBOX.run(
            connection,
            [
                (n, row.id, bytes.fromhex(row.record_id), row.envelope, None)
                for n, row in enumerate(new.values(), first)
            ],
        )


def _present(connection: Connection, column: Column[Any], values: list[str]) -> set[str]:
    return {row[0] for part in chunks(values) for row in connection.execute(select(column).where(column.in_(part)))}


def _next(connection: Connection, table: Table, column: Column[Any]) -> int:
    return int(connection.execute(select(func.coalesce(func.max(column), 0) + 1).select_from(table)).scalar_one())


def _alert_row(seq: int, alert: Alert) -> tuple[Any, ...]:
    return (
        seq,
        alert.alert_id,
        alert.rule,
        alert.version,
        _json(alert.fingerprint),
        alert.first_index,
        alert.last_index,
        alert.band,
        alert.severity,
        alert.holder,
        alert.site,
        _json(alert.reason),
        _json(alert.inputs),
        alert.opened_ms,
        alert.late,
        alert.status,
        _bytes(alert.record_id),
        _json(alert.extra),
    )


def _alert(row: Any) -> tuple[int, Alert]:
    return row.seq, Alert(
        alert_id=row.alert_id,
        rule=row.rule,
        version=row.version,
        fingerprint=tuple(json.loads(row.fingerprint)),
        first_index=row.first_index,
        last_index=row.last_index,
        band=row.band,
        severity=row.severity,
        holder=row.holder,
        site=row.site,
        reason=json.loads(row.reason),
        inputs=json.loads(row.inputs),
        opened_ms=row.opened_ms,
        late=bool(row.late),
        status=row.status,
        record_id=None if row.record_id is None else RecordId(row.record_id.hex()),
        extra=json.loads(row.extra),
    )


def _health_row(r: RuleHealth) -> tuple[Any, ...]:
    return (r.rule, r.version, r.last_index, r.state, r.error, r.evaluations, r.alerts)


def _bytes(record_id: RecordId | None) -> bytes | None:
    return None if record_id is None else bytes.fromhex(record_id)


def _json(value: Any) -> str:
    return msgspec.json.encode(value).decode()
