"""The tables of the lives of alerts: rows in and out, and what the queue, the pages and the handling rate ask."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import msgspec
from sqlalchemy import ColumnElement, Connection, Select, case, false, func, not_, select, tuple_

from ledger.adapters.store.database import Database, Insert, chunks
from ledger.adapters.store.schema.engine import alert as alert_table
from ledger.adapters.store.schema.engine import life as life_table
from ledger.adapters.store.schema.engine import order as order_table
from ledger.adapters.store.schema.engine import party as party_table
from ledger.adapters.store.schema.engine import step as step_table
from ledger.core.life import LATE, NOBODY_DUE_MS, SEVERITY_RANKS, STATUS_RANKS, urgency
from ledger.model import Alert, LeafIndex, RecordId, UnixMs
from ledger.ports import EngineBatch, LifeRow, OrderRow, QueueFilter, StepRow

_LIFE = Insert(life_table, upsert=("alert_id",))
_STEP = Insert(step_table, conflict="ON CONFLICT DO NOTHING")
_ORDER = Insert(order_table, upsert=("record_id",))


def write_lives(connection: Connection, batch: EngineBatch) -> None:
    """The batch's lives, steps and orders, inside the engine's transaction."""
    _LIFE.run(connection, [_life_row(row) for row in batch.lives])
    _STEP.run(connection, [_step_row(row) for row in batch.steps])
    _ORDER.run(connection, [_order_row(row) for row in batch.orders])


class LifeReads:
    """The part of `EngineReader` about lives."""

    _db: Database

    def lives(self, alerts: Sequence[Alert]) -> dict[str, LifeRow]:
        """By the alert ids that were asked; an alert of a worse band stands where its episode's first one does."""
        episodes = {alert.alert_id: str(alert.extra.get("first_alert") or alert.alert_id) for alert in alerts}
        found: dict[str, LifeRow] = {}
        for part in chunks(sorted(set(episodes.values()))):
            rows = self._db.rows(select(*life_table.c).where(life_table.c.alert_id.in_(part)))
            found |= {row.alert_id: _life(row) for row in rows}
        return {alert_id: found[episode] for alert_id, episode in episodes.items() if episode in found}

    def queue_ids(
        self, where: QueueFilter, *, before_seq: int | None = None, limit: int
    ) -> list[tuple[int, str, LifeRow]]:
        """(stream sequence, alert id, life) of episodes.

        Of an enterprise, what its records raised and what is about it are two questions, each along an index: one OR would
        have all alerts of all enterprises looked at.
        """
        seq = alert_table.c.seq
        statement = _narrowed(where)
        order: tuple[ColumnElement[Any], ...] = (seq.desc(),)
        if where.urgent_first:
            order = (
                case(STATUS_RANKS, value=life_table.c.status),
                case(SEVERITY_RANKS, value=life_table.c.severity, else_=len(SEVERITY_RANKS)),
                case((life_table.c.status.in_(LATE), 0), else_=1),
                func.coalesce(life_table.c.due_ms, NOBODY_DUE_MS),
                seq,
            )
            if where.after is not None:
                statement = statement.where(tuple_(*order) > where.after)
        elif where.after_seq is not None:
            statement, order = statement.where(seq > where.after_seq), (seq,)
        elif before_seq is not None:
            statement = statement.where(seq < before_seq)
        asked = [statement.order_by(*order)]
        if where.holder is not None:
            told = statement.join(party_table, party_table.c.seq == seq).where(party_table.c.holder == where.holder)
            if not where.urgent_first:  # in the order of its own index
                order = (party_table.c.seq if where.after_seq is not None else party_table.c.seq.desc(),)
            asked = [asked[0].where(alert_table.c.holder == where.holder), told.order_by(*order)]
        most = max(limit, 0)
        found = {row.seq: row for one in asked for row in self._db.rows(one.limit(most))}
        if where.urgent_first:
            place = {row.seq: urgency(row.status, row.severity, row.due_ms, row.seq) for row in found.values()}
            seqs = sorted(found, key=place.__getitem__)
        else:
            seqs = sorted(found, reverse=where.after_seq is None)
        return [(at, found[at].alert_id, _life(found[at])) for at in seqs[:most]]

    def steps(self, alert_id: str) -> list[StepRow]:
        """All that happened to one episode, in order."""
        statement = select(*step_table.c).where(step_table.c.alert_id == alert_id).order_by(step_table.c.n)
        return [_step(row) for row in self._db.rows(statement)]

    def orders(self, *, holder: str | None = None, open_only: bool = False, limit: int) -> list[OrderRow]:
        """Newest first."""
        statement = select(*order_table.c).order_by(order_table.c.index.desc())
        if holder is not None:
            statement = statement.where(order_table.c.holder == holder)
        if open_only:
            statement = statement.where(order_table.c.status.in_(("open", "waiting")))
        return [_order(row) for row in self._db.rows(statement.limit(max(limit, 0)))]

    def order(self, record_id: RecordId) -> OrderRow | None:
        row = self._db.row(select(*order_table.c).where(order_table.c.record_id == bytes.fromhex(record_id)))
        return None if row is None else _order(row)

    def handling(self, now: UnixMs) -> tuple[int, int]:
        """(due and closed or put under an order in time, all due). What is suppressed is not due."""
        due = select(func.count()).select_from(life_table).where(life_table.c.handle_due_ms <= now)
        in_time = due.where(life_table.c.handled_ms <= life_table.c.handle_due_ms)
        return int(self._db.scalar(in_time) or 0), int(self._db.scalar(due) or 0)

    def status_counts(self) -> dict[str, int]:
        """Episodes by status."""
        return {
            r[0]: r[1] for r in self._db.rows(select(life_table.c.status, func.count()).group_by(life_table.c.status))
        }

    def queue_counts(self) -> dict[tuple[str, str], int]:
        """Episodes by (status, worst severity)."""
        columns = (life_table.c.status, life_table.c.severity)
        return {(r[0], r[1]): r[2] for r in self._db.rows(select(*columns, func.count()).group_by(*columns))}


def _narrowed(where: QueueFilter) -> Select[Any]:
    """Episodes by all that is asked of them but their holder and their place in the order."""
    statement = select(alert_table.c.seq, *life_table.c).join(
        life_table, life_table.c.alert_id == alert_table.c.alert_id
    )
    if where.statuses is not None:
        statement = statement.where(life_table.c.status.in_(where.statuses))
    if where.severities is not None:
        statement = statement.where(life_table.c.severity.in_(where.severities))
    if where.due_by is not None:
        statement = statement.where(life_table.c.handle_due_ms <= where.due_by)
        done = func.coalesce(life_table.c.handled_ms <= life_table.c.handle_due_ms, false())
        if where.in_time is not None:
            statement = statement.where(done if where.in_time else not_(done))
    if where.rule is not None:
        statement = statement.where(alert_table.c.rule == where.rule)
    return statement


def _life_row(r: LifeRow) -> tuple[Any, ...]:
    return (
        r.alert_id,
        r.status,
        r.stage,
        r.turn,
        r.severity,
        r.due_ms,
        r.until_ms,
        r.handle_due_ms,
        r.handled_ms,
        r.closed_ms,
        r.outcome,
        r.order_id,
        r.recovered,
        _json(r.data),
    )


def _life(row: Any) -> LifeRow:
    return LifeRow(
        alert_id=row.alert_id,
        status=row.status,
        stage=row.stage,
        turn=row.turn,
        severity=row.severity,
        due_ms=row.due_ms,
        until_ms=row.until_ms,
        handle_due_ms=row.handle_due_ms,
        handled_ms=row.handled_ms,
        closed_ms=row.closed_ms,
        outcome=row.outcome,
        order_id=row.order_id,
        recovered=bool(row.recovered),
        data=json.loads(row.data),
    )


def _step_row(r: StepRow) -> tuple[Any, ...]:
    return (
        r.alert_id,
        r.n,
        r.index,
        r.at_ms,
        r.before,
        r.after,
        r.by,
        bytes.fromhex(r.record_id),
        r.refused,
        _json(r.note),
    )


def _step(row: Any) -> StepRow:
    return StepRow(
        n=row.n,
        alert_id=row.alert_id,
        index=LeafIndex(row.index),
        at_ms=row.at_ms,
        before=row.before,
        after=row.after,
        by=row.by,
        record_id=RecordId(row.record_id.hex()),
        refused=row.refused,
        note=json.loads(row.note),
    )


def _order_row(r: OrderRow) -> tuple[Any, ...]:
    return (
        bytes.fromhex(r.record_id),
        r.holder,
        r.site,
        r.type,
        r.number,
        r.severity,
        r.status,
        r.index,
        r.issued_ms,
        r.due_ms,
        r.reply,
        r.late,
        _json(r.alerts),
    )


def _order(row: Any) -> OrderRow:
    return OrderRow(
        record_id=RecordId(row.record_id.hex()),
        holder=row.holder,
        site=row.site,
        type=row.type,
        number=row.number,
        severity=row.severity,
        status=row.status,
        index=LeafIndex(row.index),
        issued_ms=row.issued_ms,
        due_ms=row.due_ms,
        reply=row.reply,
        late=bool(row.late),
        alerts=tuple(json.loads(row.alerts)),
    )


def _json(value: Any) -> str:
    return msgspec.json.encode(value).decode()
