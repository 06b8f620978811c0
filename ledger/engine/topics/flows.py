"""Flows of one substance through enterprises: what leaves a user soon after it came, and what comes back to its sender."""

from __future__ import annotations

from bisect import insort
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import msgspec

from ledger.engine.goods import Goods
from ledger.engine.inputs import Input, plausible_ms
from ledger.engine.register import Register
from ledger.engine.subjects import COMMON, Subject
from ledger.engine.topics.base import Row, Topic, common

HOUR_MS = 3_600_000
DAY_MS = 24 * HOUR_MS
PASS_MS = 48 * HOUR_MS
"""How soon after a receipt what leaves counts as passed through (catalogue B14)."""
REACH_MS = 60 * DAY_MS
"""How far apart the movements of one cycle may lie for it to be shown to rules at all."""
LATEST_MS = 30 * DAY_MS
"""How late a movement may come and still find the others."""
MAX_LENGTH = 6
MAX_STEPS = 2000
"""Enterprises in a cycle, and edges tried for one movement: what is longer or denser is not looked for."""
PPM = 1_000_000

Move = tuple[int, str, int, str]
"""(event ms, record_id, amount, other party or ""), by event time."""


class FlowsState(msgspec.Struct):
    """By holder|code|dimension, and by code|dimension."""

    receipts: dict[str, list[Move]] = {}
    leaving: dict[str, list[Move]] = {}
    edges: dict[str, dict[str, list[Move]]] = {}
    """code|dimension -> seller -> sales, with the buyer as the other party."""


class Flows(Topic):
    """Receipts and sales by substance."""

    kinds = frozenset({"movement"})
    subjects = (
        # What left an enterprise within two days after one receipt.
        Subject(
            "passthrough",
            level=False,
            fields=COMMON
            | {
                "code": "str",
                "dimension": "str",
                "user": "bool",
                "resale": "bool",
                "approval": "bool",
                "came": "int",
                "left": "int",
                "share_ppm": "int",
                "receipt": "str",
            },
        ),
        # Sales of one substance that lead back to their beginning.
        Subject(
            "cycle",
            level=False,
            fields=COMMON
            | {"code": "str", "dimension": "str", "path": "str", "length": "int", "span_ms": "int", "share_ppm": "int"},
        ),
    )

    def __init__(self, state: FlowsState, register: Register) -> None:
        self._state = state
        self._register = register

    def apply(self, entry: Input, goods: Sequence[Goods]) -> Iterator[Row]:
        """Receipts and sales; everything else neither comes from nor goes to another party."""
        came, left = _is_receipt(entry), _leaves(entry)
        if not came and not left:
            return
        at_ms = plausible_ms(entry.event_ms, entry.received_ms)
        other = entry.body.get("counterparty", {}).get("uscc", "")
        for goods_key, amount in _amounts(goods).items():
            place = f"{entry.holder}|{goods_key}"
            move = (int(at_ms), str(entry.record_id), amount, other)
            insort((self._state.receipts if came else self._state.leaving).setdefault(place, []), move)
            yield from self._passed(entry, place, move, came=came)
            if left and other not in ("", entry.holder):
                sellers = self._state.edges.setdefault(goods_key, {})
                insort(sellers.setdefault(entry.holder, []), move)
                yield from self._cycles(entry, goods_key, move)

    def withdraw(self, before: Input, goods: Sequence[Goods], entry: Input) -> Iterable[Row]:
        """Forget a record's moves. What they brought about is not unsaid: an alert stays, its revision follows."""
        del entry
        for goods_key in _amounts(goods):
            place = f"{before.holder}|{goods_key}"
            _forget(self._state.receipts, place, before.record_id)
            _forget(self._state.leaving, place, before.record_id)
            _forget(self._state.edges.get(goods_key, {}), before.holder, before.record_id)
        return ()

    def _passed(self, entry: Input, place: str, move: Move, *, came: bool) -> Iterator[Row]:
        _, code, dimension = place.split("|")
        receipts, leaving = self._state.receipts.get(place, []), self._state.leaving.get(place, [])
        resale = not came and entry.body["reason"] == "sale"
        row = common(entry) | {
            "code": code,
            "dimension": dimension,
            "user": self._is_user(entry.holder),
            "resale": resale,
            "approval": bool(entry.body.get("permits")),
        }
        near = [move] if came else [r for r in receipts if 0 <= move[0] - r[0] <= PASS_MS]
        for at_ms, record_id, _, _ in near:
            # Several receipts of the same two days are one receipt: else one sale would pass each of them through.
            together = sum(r[2] for r in receipts if at_ms <= r[0] <= at_ms + PASS_MS)
            left = sum(item[2] for item in leaving if at_ms <= item[0] <= at_ms + PASS_MS)
            if left:
                share = min(left * PPM // max(together, 1), PPM)
                yield "passthrough", row | {"came": together, "left": left, "share_ppm": share, "receipt": record_id}
        if resale and not near:
            yield "passthrough", row | {"came": 0, "left": move[2], "share_ppm": 0, "receipt": ""}

    def _is_user(self, holder: str) -> bool:
        roles = set(self._register.profile(holder).roles)
        return "user" in roles and roles.isdisjoint({"producer", "trader", "seller", "dealer", "shop"})

    def _cycles(self, entry: Input, goods_key: str, move: Move) -> Iterator[Row]:
        """The shortest way back from the buyer to the seller, if there is one."""
        code, dimension = goods_key.split("|")
        sellers = self._state.edges[goods_key]
        seller, start = entry.holder, move
        queue: list[tuple[str, tuple[Move, ...], tuple[str, ...]]] = [(start[3], (start,), (seller, start[3]))]
        steps = 0
        while queue:
            here, moves, path = queue.pop(0)
            for edge in sellers.get(here, ()):
                steps += 1
                if steps > MAX_STEPS:
                    return
                times = [m[0] for m in (*moves, edge)]
                if max(times) - min(times) > REACH_MS:
                    continue
                if edge[3] == seller:
                    yield "cycle", common(entry) | _cycle(code, dimension, path, (*moves, edge))
                    return
                if len(path) < MAX_LENGTH and edge[3] not in path:
                    queue.append((edge[3], (*moves, edge), (*path, edge[3])))

    def prune(self, now_ms: int) -> None:
        """Forget what no movement can meet any more."""
        for by in (self._state.receipts, self._state.leaving):
            _drop_before(by, now_ms - PASS_MS - LATEST_MS)
        for sellers in self._state.edges.values():
            _drop_before(sellers, now_ms - REACH_MS - LATEST_MS)


def _is_receipt(entry: Input) -> bool:
    return entry.body["direction"] == "in" and entry.body["reason"] in ("purchase", "transfer")


def _leaves(entry: Input) -> bool:
    # A return to the supplier is no resale.
    return entry.body["direction"] == "out" and entry.body["reason"] in ("sale", "transfer")


def _amounts(goods: Sequence[Goods]) -> dict[str, int]:
    """Amount by code|dimension; empties left out."""
    sums: dict[str, int] = {}
    for line, listing in goods:
        if listing.listed and not line.attributes.get("empty"):
            key = f"{line.code}|{line.dimension}"
            sums[key] = sums.get(key, 0) + line.amount
    return sums


def _cycle(code: str, dimension: str, path: tuple[str, ...], moves: Sequence[Move]) -> dict[str, Any]:
    first = path.index(min(path))
    amounts, times = [m[2] for m in moves], [m[0] for m in moves]
    return {
        "code": code,
        "dimension": dimension,
        # Begins with the least name, so that the same cycle has one name wherever it was noticed.
        "path": ">".join(path[first:] + path[:first]),
        "length": len(path),
        "span_ms": max(times) - min(times),
        "share_ppm": min(amounts) * PPM // max(*amounts, 1),
    }


def _forget(by: dict[str, list[Move]], at: str, record_id: str) -> None:
    kept = [move for move in by.get(at, ()) if move[1] != record_id]
    if kept:
        by[at] = kept
    else:
        by.pop(at, None)


def _drop_before(by: dict[str, list[Move]], limit_ms: int) -> None:
    for at, moves in list(by.items()):
        if moves[0][0] < limit_ms:
            kept = [move for move in moves if move[0] >= limit_ms]
            if kept:
                by[at] = kept
            else:
                del by[at]
