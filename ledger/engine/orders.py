"""Orders and what becomes of them: issued, answered, decided, settled; and the alerts that they are about.

Folded like the rest of an alert's life (`lives`): by the entries of the authority and of the enterprise alone.
"""

from __future__ import annotations

from typing import Any

from ledger.core.life import (
    ESCALATED,
    IN_HAND,
    ORDER_ISSUED,
    OVERDUE,
    REPLY_RECEIVED,
    SEVERITY_RANKS,
    VERIFIED,
    possible,
)
from ledger.engine.inputs import Input, unix_ms
from ledger.engine.life import Cause, Life, LifeEffects, LifeState, Order, episode_of, later, note_step, touch
from ledger.errors import TransitionError


class Orders:
    """Works on a LifeState, as `Lives` does."""

    def __init__(self, state: LifeState) -> None:
        self._state = state

    def check(self, episode: str, life: Life, body: dict[str, Any]) -> None:
        """The order or reply that a transition names is one about this alert, and stands as it must."""
        ways = possible(life.standing)
        if body["to"] == ORDER_ISSUED:
            order = self._state.orders.get(body["order"])
            if order is None or episode not in order.alerts or order.status != "open":
                raise TransitionError("`order` is no open order about this alert", possible=ways, pointer="/order")
        elif body["to"] == IN_HAND and life.stage in (ORDER_ISSUED, REPLY_RECEIVED):
            order = self._state.orders.get(life.order)
            if order is not None and order.status in ("open", "waiting"):
                raise TransitionError("withdraw the order first", possible=ways)
        elif body["to"] == VERIFIED and "reply" in body:
            order = self._state.orders.get(life.order)
            if order is None or order.reply != body["reply"]:
                raise TransitionError("`reply` is not the reply to its order", possible=ways, pointer="/reply")

    def issue(self, entry: Input, cause: Cause, to: LifeEffects) -> None:
        """An order, about alerts of one site."""
        body = entry.body
        place = (body["holder"], body["site"])
        alerts = [episode_of(self._state, alert) for alert in body.get("alerts", ())]
        # An alert about another enterprise or site is not this order's business: nobody there ever hears of it.
        alerts = [alert for alert in alerts if self._place(alert) in (None, place)]
        severities = [self._state.lives[alert].severity for alert in alerts if alert in self._state.lives]
        replaced = self._state.orders.get(body.get("replaces", ""))
        if replaced is not None and replaced.status in ("open", "waiting"):
            replaced.status, replaced.settled_ms = "replaced", cause.now_ms
            to.orders[body["replaces"]] = None
        self._state.orders[entry.record_id] = Order(
            holder=body["holder"],
            site=body["site"],
            book=body.get("book", ""),
            type=body["type"],
            number=body.get("number", ""),
            severity=min(severities, key=SEVERITY_RANKS.__getitem__, default="medium"),
            alerts=list(dict.fromkeys(alerts)),
            index=entry.index,
            issued_ms=cause.now_ms,
            due_ms=unix_ms(body["due"]),
        )
        to.orders[entry.record_id] = None

    def _place(self, episode: str) -> tuple[str, str] | None:
        """Holder and site that an alert is about; None for one that is not known."""
        life = self._state.lives.get(episode)
        return None if life is None else (life.holder, life.site)

    def decide(self, body: dict[str, Any], cause: Cause, to: LifeEffects) -> None:
        """accepted, rejected, extended or withdrawn: what becomes of the order that this one `replaces`."""
        order = self._state.orders.get(body["replaces"])
        if order is None or order.status not in ("open", "waiting"):
            return
        decision = body["decision"]
        if decision in ("accepted", "withdrawn"):
            order.status, order.settled_ms = decision, cause.now_ms
        else:
            if decision == "rejected" and order.waiting_ms >= 0:
                # The clock stood still while the reply waited to be judged.
                order.due_ms += cause.now_ms - order.waiting_ms
            order.due_ms = max(order.due_ms, unix_ms(body["due"]))
            order.status, order.waiting_ms = "open", -1
            for episode in order.alerts:
                self._extend(episode, body["replaces"], order, cause, to)
        to.orders[body["replaces"]] = None

    def _extend(self, episode: str, order_id: str, order: Order, cause: Cause, to: LifeEffects) -> None:
        life = self._state.lives.get(episode)
        if life is None or life.order != order_id or life.stage != ORDER_ISSUED:
            return
        before = life.standing.status
        life.due_ms = order.due_ms
        if life.beside in (OVERDUE, ESCALATED) and order.due_ms > cause.now_ms:
            life.beside = ""
        life.turn += 1
        note_step(self._state, episode, before, cause, to, note={"order": order_id, "due": order.due_ms})
        touch(episode, life, to)

    def reply(self, entry: Input, cause: Cause, to: LifeEffects) -> None:
        """The enterprise's signed answer; of another enterprise, or to an order that is over, it moves nothing."""
        order_id = entry.body["order"]
        order = self._state.orders.get(order_id)
        if order is None or order.holder != entry.holder or order.status not in ("open", "waiting"):
            return
        order.reply = entry.record_id
        if order.status == "open":
            order.status, order.waiting_ms = "waiting", cause.now_ms
        to.orders[order_id] = None
        for episode in order.alerts:
            life = self._state.lives.get(episode)
            if life is None or life.order != order_id or life.stage not in (ORDER_ISSUED, REPLY_RECEIVED):
                continue
            before = life.standing.status
            life.stage, life.beside = REPLY_RECEIVED, ""
            life.evidenced = life.evidenced or bool(entry.body.get("evidence"))
            life.due_ms = later(cause.now_ms, life.handle_ms)
            life.turn += 1
            note_step(self._state, episode, before, cause, to, note={"reply": entry.record_id})
            touch(episode, life, to)

    def settle(self, order_id: str, cause: Cause, to: LifeEffects) -> None:
        """What the order asked for was verified for each of its alerts: it is over."""
        order = self._state.orders.get(order_id)
        if order is None or order.status not in ("open", "waiting"):
            return
        lives = (self._state.lives.get(episode) for episode in order.alerts)
        if not any(life and life.order == order_id and life.stage in (ORDER_ISSUED, REPLY_RECEIVED) for life in lives):
            order.status, order.settled_ms = "accepted", cause.now_ms
            to.orders[order_id] = None
