"""Lives, steps and orders of the state as rows of the engine's tables."""

from __future__ import annotations

from ledger.engine.life import Life, LifeEffects, LifeState, Order, Step
from ledger.model import LeafIndex, RecordId, UnixMs
from ledger.ports import LifeRow, OrderRow, StepRow


def rows_of(state: LifeState, to: LifeEffects) -> tuple[tuple[LifeRow, ...], tuple[StepRow, ...], tuple[OrderRow, ...]]:
    """What a commit writes of these effects, as the state stands at its end."""
    return (
        tuple(_life_row(episode, state.lives[episode]) for episode in to.lives),
        tuple(_step_row(step) for step in to.steps),
        tuple(_order_row(order_id, state.orders[order_id]) for order_id in to.orders),
    )


def _life_row(episode: str, life: Life) -> LifeRow:
    return LifeRow(
        alert_id=episode,
        status=life.standing.status,
        stage=life.stage,
        turn=life.turn,
        severity=life.severity,
        due_ms=_time(life.due_ms),
        until_ms=_time(life.until_ms),
        handle_due_ms=_time(life.handle_due_ms),
        handled_ms=_time(life.handled_ms),
        closed_ms=_time(life.closed_ms),
        outcome=life.outcome,
        order_id=life.order,
        recovered=life.recovered,
        data={
            "why": life.why,
            "acked_ms": _time(life.acked_ms),
            "regresses": life.regresses,
            "evidenced": life.evidenced,
            "closed_by": life.closed_by,
            "taken_back": life.taken_back,
            "stands": life.stands,
        },
    )


def _step_row(step: Step) -> StepRow:
    return StepRow(
        n=step.n,
        alert_id=step.alert_id,
        index=LeafIndex(step.index),
        at_ms=UnixMs(step.at_ms),
        before=step.before,
        after=step.after,
        by=step.by,
        record_id=RecordId(step.record_id),
        refused=step.refused,
        note=step.note,
    )


def _order_row(order_id: str, order: Order) -> OrderRow:
    return OrderRow(
        record_id=RecordId(order_id),
        holder=order.holder,
        site=order.site,
        type=order.type,
        number=order.number,
        severity=order.severity,
        status=order.status,
        index=LeafIndex(order.index),
        issued_ms=UnixMs(order.issued_ms),
        due_ms=UnixMs(order.due_ms),
        reply=order.reply,
        late=order.late,
        alerts=tuple(order.alerts),
    )


def _time(ms: int) -> UnixMs | None:
    return UnixMs(ms) if ms >= 0 else None
