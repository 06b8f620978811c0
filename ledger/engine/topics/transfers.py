"""Transfers: a seller's out movement, and the buyer's in movement with the same consignment, whichever comes first."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import msgspec

from ledger.engine.goods import Goods
from ledger.engine.inputs import Input, plausible_ms, unix_ms
from ledger.engine.register import Register
from ledger.engine.subjects import COMMON, Subject
from ledger.engine.topics.base import Row, Topic, common

DAY_MS = 86_400_000
SETTLED_FOR_MS = 30 * DAY_MS
"""Confirmed transfers and arrivals that nobody claimed are forgotten after it, unconfirmed transfers after six times it."""


class Transfer(msgspec.Struct, array_like=True):
    """A seller's out movement that waits for the buyer's in."""

    record_id: str
    index: int
    seller: str
    site: str
    book: str
    buyer: str
    consignment: str
    code: str
    sale_ms: int
    due_ms: int
    inside: bool
    confirmed_by: str = ""
    """record_id of the buyer's in movement."""


class TransfersState(msgspec.Struct):
    """By buyer/consignment."""

    opened: dict[str, list[Transfer]] = {}
    arrivals: dict[str, list[tuple[str, int, str]]] = {}
    """(seller or "", received ms, record_id) of in movements."""


class Transfers(Topic):
    """Which sales to other enterprises have been confirmed by the buyer's own record."""

    kinds = frozenset({"movement"})
    subjects = (
        # A sale to another enterprise, until the buyer's own record confirms it.
        Subject(
            "transfer",
            level=True,
            fields=COMMON
            | {
                "consignment": "str",
                "code": "str",
                "buyer": "str",
                "inside": "bool",
                "confirmed": "bool",
                "sale_ms": "int",
                "due_ms": "int",
            },
        ),
    )

    def __init__(self, state: TransfersState, register: Register) -> None:
        self._state = state
        self._register = register

    def apply(self, entry: Input, goods: Sequence[Goods]) -> Iterable[Row]:
        """Rows of the transfers that this movement opens or confirms."""
        body = entry.body
        consignment = body.get("consignment")
        if consignment is None:
            return ()
        other = _other(entry)
        if _opens(entry):
            return self._open(entry, consignment, other, goods[0].line.code)
        return self._confirm(entry, consignment, other) if body["direction"] == "in" else ()

    def withdraw(self, before: Input, goods: Sequence[Goods], entry: Input) -> Iterator[Row]:
        """A corrected movement opens and confirms nothing any more; its correction is applied after this."""
        del goods
        consignment = before.body.get("consignment")
        if consignment is None:
            return
        if _opens(before):
            yield from self._withdraw_sale(f"{_other(before)}/{consignment}", before, entry)
        elif before.body["direction"] == "in":
            yield from self._withdraw_arrival(f"{before.holder}/{consignment}", before, entry)

    def _withdraw_sale(self, at: str, before: Input, entry: Input) -> Iterator[Row]:
        for transfer in self._state.opened.get(at, ()):
            if transfer.record_id == before.record_id:
                transfer.confirmed_by = before.record_id
                yield "transfer", _transfer_row(entry, transfer)
        self._keep(at, [t for t in self._state.opened.get(at, ()) if t.record_id != before.record_id])

    def _withdraw_arrival(self, at: str, before: Input, entry: Input) -> Iterator[Row]:
        kept = [a for a in self._state.arrivals.get(at, ()) if a[2] != before.record_id]
        if kept:
            self._state.arrivals[at] = kept
        else:
            self._state.arrivals.pop(at, None)
        for transfer in self._state.opened.get(at, ()):
            if transfer.confirmed_by == before.record_id:
                transfer.confirmed_by = next((a[2] for a in kept if a[0] in ("", transfer.seller)), "")
                yield "transfer", _transfer_row(entry, transfer)

    def _keep(self, at: str, transfers: list[Transfer]) -> None:
        if transfers:
            self._state.opened[at] = transfers
        else:
            self._state.opened.pop(at, None)

    def _open(self, entry: Input, consignment: str, buyer: str, code: str) -> Iterator[Row]:
        at = f"{buyer}/{consignment}"
        arrival = entry.body.get("expected_arrival")
        sale_ms = plausible_ms(entry.event_ms, entry.received_ms)
        transfer = Transfer(
            record_id=entry.record_id,
            index=entry.index,
            seller=entry.holder,
            site=entry.site,
            book=entry.book,
            buyer=buyer,
            consignment=consignment,
            code=code,
            sale_ms=sale_ms,
            due_ms=unix_ms(arrival) if arrival else sale_ms,
            inside=self._register.is_inside(buyer),
        )
        for seller, _, record_id in self._state.arrivals.get(at, ()):
            if seller in ("", entry.holder):
                transfer.confirmed_by = record_id
        self._state.opened.setdefault(at, []).append(transfer)
        yield "transfer", _transfer_row(entry, transfer)

    def _confirm(self, entry: Input, consignment: str, seller: str) -> Iterator[Row]:
        at = f"{entry.holder}/{consignment}"
        self._state.arrivals.setdefault(at, []).append((seller, entry.received_ms, entry.record_id))
        for transfer in self._state.opened.get(at, ()):
            if seller in ("", transfer.seller) and not transfer.confirmed_by:
                transfer.confirmed_by = entry.record_id
                yield "transfer", _transfer_row(entry, transfer)

    def prune(self, now_ms: int) -> None:
        """Forget what is long settled."""
        state, settled = self._state, now_ms - SETTLED_FOR_MS
        kept_arrivals = {at: [a for a in found if a[1] > settled] for at, found in state.arrivals.items()}
        state.arrivals = {at: found for at, found in kept_arrivals.items() if found}
        kept = {
            at: [t for t in found if t.sale_ms > (settled if t.confirmed_by else now_ms - 6 * SETTLED_FOR_MS)]
            for at, found in state.opened.items()
        }
        state.opened = {at: found for at, found in kept.items() if found}


def _other(entry: Input) -> str:
    return str(entry.body.get("counterparty", {}).get("uscc", ""))


def _opens(entry: Input) -> bool:
    """Whether this movement sends goods to another enterprise."""
    body = entry.body
    return (
        body["direction"] == "out"
        and body["reason"] in ("sale", "transfer")
        and _other(entry) not in ("", entry.holder)
    )


def _transfer_row(entry: Input, transfer: Transfer) -> dict[str, Any]:
    return common(entry) | {
        "holder": transfer.seller,
        "site": transfer.site,
        "book": transfer.book,
        "record_id": transfer.record_id,
        "consignment": transfer.consignment,
        "code": transfer.code,
        "buyer": transfer.buyer,
        "inside": transfer.inside,
        "confirmed": bool(transfer.confirmed_by),
        "sale_ms": transfer.sale_ms,
        "due_ms": transfer.due_ms,
    }
