"""The supervisor's own work as rows: orders until they are fulfilled, and closings with what they rest on.

Reads the lives that were folded before (`engine.lives`); what a transition or order did to them is settled by then.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import msgspec

from ledger.core.life import CLOSED, DAY_MS
from ledger.engine.goods import Goods
from ledger.engine.inputs import Input
from ledger.engine.life import LifeState
from ledger.engine.subjects import COMMON, Subject
from ledger.engine.topics.base import Row, Topic, common

REPEAT_MS = 90 * DAY_MS
"""Within so long the same violation at the same enterprise counts as repeated (catalogue, F03)."""


class HandlingState(msgspec.Struct):
    """Times of confirmed violations in the last 90 days, by enterprise and rule."""

    confirmed: dict[str, list[int]] = {}


class Handling(Topic):
    """Orders and closings."""

    kinds = frozenset({"alert_transition", "order", "reply"})
    subjects = (
        # An order until what it asks for was accepted. `open` is false while a reply waits to be judged: the clock stands.
        Subject(
            "order",
            level=True,
            fields=COMMON
            | {"order": "str", "number": "str", "what": "str", "grade": "str", "open": "bool", "due_ms": "int"},
        ),
        # An alert that was closed.
        Subject(
            "closing",
            level=False,
            fields=COMMON
            | {
                "alert": "str",
                "closed_rule": "str",
                "outcome": "str",
                "evidenced": "bool",
                "open_for_ms": "int",
                "confirmed": "int",
            },
        ),
    )

    def __init__(self, state: HandlingState, lives: LifeState) -> None:
        self._state = state
        self._lives = lives

    def apply(self, entry: Input, goods: Sequence[Goods]) -> Iterator[Row]:
        """The orders that an entry touches, and the closing that it is."""
        del goods
        if entry.kind == "order":
            yield from self._order(entry.body.get("replaces", ""), entry)
            yield from self._order(entry.record_id, entry)
        elif entry.kind == "reply":
            yield from self._order(entry.body["order"], entry)
        elif entry.kind == "alert_transition":
            alert_id = entry.body["alert"]
            episode = self._lives.revisions.get(alert_id, alert_id)
            life = self._lives.lives.get(episode)
            if life is None:
                return
            yield from self._order(life.order, entry)
            if life.stage == CLOSED and life.closed_by == entry.record_id:
                yield self._closing(episode, entry)

    def withdraw(self, before: Input, goods: Sequence[Goods], entry: Input) -> Iterator[Row]:
        """A corrected reply stands where the first one did."""
        del before, goods, entry
        yield from ()

    def prune(self, now_ms: int) -> None:
        """Forget what no longer counts as repeated."""
        for name, times in list(self._state.confirmed.items()):
            kept = [at_ms for at_ms in times if now_ms - at_ms <= REPEAT_MS]
            if kept:
                self._state.confirmed[name] = kept
            else:
                del self._state.confirmed[name]

    def _order(self, order_id: str, entry: Input) -> Iterator[Row]:
        order = self._lives.orders.get(order_id)
        if order is None:
            return
        yield (
            "order",
            common(entry)
            | {
                "holder": order.holder,
                "site": order.site,
                "book": order.book,
                "order": order_id,
                "number": order.number or order_id[:12],
                "what": order.type,
                "grade": order.severity,
                "open": order.status == "open",
                "due_ms": order.due_ms,
            },
        )

    def _closing(self, episode: str, entry: Input) -> Row:
        life = self._lives.lives[episode]
        name = f"{life.holder}\x1f{life.rule}"
        times = [at_ms for at_ms in self._state.confirmed.get(name, ()) if life.closed_ms - at_ms <= REPEAT_MS]
        if life.outcome == "violation_confirmed":
            times.append(life.closed_ms)
            self._state.confirmed[name] = times
        return (
            "closing",
            common(entry)
            | {
                "holder": life.holder,
                "site": life.site,
                "book": "",
                "alert": episode,
                "closed_rule": life.rule,
                "outcome": life.outcome,
                "evidenced": life.evidenced,
                "open_for_ms": life.closed_ms - life.opened_ms,
                "confirmed": len(times),
            },
        )
