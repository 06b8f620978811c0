"""What folding brought about, as the rows of one commit."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from ledger.core.balancekey import key_parts
from ledger.engine.effects import Effects
from ledger.engine.inputs import GoodsLine, Input, counterparty_of
from ledger.engine.liferows import rows_of
from ledger.engine.state import Account, FoldState, book_key
from ledger.model import LeafIndex, UnixMs
from ledger.ports import EngineBatch, LineRow, OutboxRow, RuleHealth, StockRow, StreamRow, TimerRow


def batch_of(
    state: FoldState,
    to: Effects,
    outbox: tuple[OutboxRow, ...],
    *,
    versions: Mapping[str, int],
    snapshot: bytes | None,
    extra: Mapping[str, Any],
) -> EngineBatch:
    """One commit: everything in `to`, with the state as it stands. `versions`: of the rules in force."""
    lives, steps, orders = rows_of(state.life, to.life)
    return EngineBatch(
        cursor=LeafIndex(state.next_index),
        alerts=tuple(replace(raised.alert, record_id=raised.record_id) for raised in to.raised),
        outbox=outbox,
        book_seq=state.own_seq if to.raised else None,
        book_prev=to.raised[-1].record_id if to.raised else None,
        timers_set=tuple(
            TimerRow(timer_id, UnixMs(timer.due_ms), timer.rule, {"fingerprint": timer.fingerprint.split("\x1f")})
            for timer_id, timer in to.timers.items()
            if timer is not None
        ),
        timers_cleared=tuple(timer_id for timer_id, timer in to.timers.items() if timer is None),
        stock=tuple(row for at, index in to.stock.items() if (row := _stock_row(state, at, index)) is not None),
        stock_gone=tuple(at for at in to.stock if _account(state, at) is None),
        streams=tuple(_stream_row(row) for row in to.streams.values()),
        whole=to.whole,
        lines=tuple(row for entry, lines in to.lines for row in _line_rows(entry, lines)),
        lives=lives,
        steps=steps,
        orders=orders,
        health=tuple(
            health_row(state, rule, versions.get(rule) or ended or 1) for rule, ended in to.touched_rules.items()
        ),
        snapshot=snapshot,
        extra=dict(extra),
    )


def health_row(state: FoldState, rule: str, version: int) -> RuleHealth:
    """How a rule has done so far."""
    health = state.health[rule]
    return RuleHealth(
        rule=rule,
        version=version,
        last_index=LeafIndex(health.last_index),
        state="error" if health.error else "ok",
        error=health.error,
        evaluations=health.evaluations,
        alerts=health.alerts,
    )


def _account(state: FoldState, at: tuple[str, str, str, str]) -> Account | None:
    """The account of a balance key; None for a batch that is no balance of its own any more."""
    holder, site, book, key = at
    return state.books[book_key(holder, site, book)].accounts.get(key)


def _stock_row(state: FoldState, at: tuple[str, str, str, str], index: int) -> StockRow | None:
    holder, site, book, key = at
    account = _account(state, at)
    if account is None:
        return None
    parts = key_parts(key)
    capacity = None
    if len(account.stores) == 1:
        store = state.stores.get(book_key(holder, site, next(iter(account.stores))))
        if store is not None and store.dimension == parts.dimension:
            capacity = store.capacity
    return StockRow(
        holder=holder,
        site=site,
        book=book,
        key=key,
        code=parts.code,
        dimension=parts.dimension,
        amount=account.total,
        pieces=account.total_pieces if parts.packaging == "sealed" else None,
        capacity=capacity,
        as_of_index=LeafIndex(index),
        event_time_ms=UnixMs(account.as_of_ms),
    )


def _stream_row(row: Mapping[str, Any]) -> StreamRow:
    return StreamRow(
        holder=row["holder"],
        site=row["site"],
        book=row["book"],
        key=row["key"],
        code=row["code"],
        dimension=row["dimension"],
        balances=row["n"],
        sigma=row["sigma"],
        sigma_estimated=row["sigma_estimated"],
        stated=row["stated"],
        muf=row["muf"],
        z_milli=row["z_milli"],
        loss_protracted_milli=row["loss_protracted_milli"],
        loss_abrupt_milli=row["loss_abrupt_milli"],
        stocktake=row["stocktake"],
        as_of_index=LeafIndex(row["index"]),
        event_time_ms=UnixMs(row["event_ms"]),
    )


def _line_rows(entry: Input, lines: list[GoodsLine]) -> list[LineRow]:
    body = entry.body["body"] if entry.kind == "correction" else entry.body
    return [
        LineRow(
            index=entry.index,
            line=at,
            holder=entry.holder,
            site=entry.site,
            book=entry.book,
            kind=entry.kind,
            direction=body.get("direction", ""),
            reason=body.get("reason", ""),
            code=line.code,
            dimension=line.dimension,
            amount=line.amount,
            pieces=line.pieces if line.packaging == "sealed" else None,
            store=line.store,
            event_time_ms=entry.event_ms,
            counterparty=counterparty_of(body),
        )
        for at, line in enumerate(lines)
    ]
