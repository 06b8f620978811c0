"""Transfers: a seller's out movement, and the buyer's in movements with the same consignment, whichever comes first.

Three subjects: `transfer` (has the buyer confirmed), `receipt` (did a seller send it), `delivery` (is it the same goods).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from math import isqrt
from typing import Any

import msgspec

from ledger.engine.days import DAY_MS
from ledger.engine.goods import Goods, concentration_ppm
from ledger.engine.inputs import Input, counterparty_of, happened_ms, unix_ms
from ledger.engine.register import Register
from ledger.engine.subjects import COMMON, Subject
from ledger.engine.topics.base import Row, Topic, common
from ledger.engine.topics.bounded import add_newest, keep

SETTLED_FOR_MS = 30 * DAY_MS
"""Confirmed transfers, matched receipts and receipts from sellers outside are forgotten after it, the others after six
times it: whom nobody here knows sends no record that a receipt could be matched with, and most sellers are such."""
PPM = 1_000_000


class Sent(msgspec.Struct, array_like=True):
    """Goods of one key within a movement."""

    amount: int = 0
    pieces: int = 0
    concentration_ppm: int = -1
    """-1 where it is not stated."""
    variance: int = 0
    """Square of the amount's standard deviation by the stated errors of the method."""


class Transfer(msgspec.Struct, array_like=True):
    """A seller's out movement that waits for the buyer's in."""

    record_id: str
    index: int
    seller: str
    site: str
    book: str
    buyer: str
    consignment: str
    reason: str
    sale_ms: int
    due_ms: int
    eta_known: bool
    inside: bool
    goods: dict[str, Sent]
    """By code|dimension|bulk or sealed."""


class Arrival(msgspec.Struct, array_like=True):
    """A buyer's in movement."""

    record_id: str
    seller: str
    """"" where the buyer does not name one."""
    seller_inside: bool
    buyer: str
    site: str
    book: str
    arrived_ms: int
    received_ms: int
    consignment: str
    evidence: bool
    is_trade: bool
    """A purchase or a transfer: somebody must have sent it."""
    goods: dict[str, Sent]


class TransfersState(msgspec.Struct):
    """By buyer/consignment."""

    opened: dict[str, list[Transfer]] = {}
    arrivals: dict[str, list[Arrival]] = {}


class Transfers(Topic):
    """Joins both ends."""

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
                "reason": "str",
                "inside": "bool",
                "confirmed": "bool",
                "eta_known": "bool",
                "sale_ms": "int",
                "due_ms": "int",
            },
        ),
        # What a buyer received from another enterprise, and whether that one says that it sent it.
        Subject(
            "receipt",
            level=True,
            fields=COMMON
            | {
                "consignment": "str",
                "code": "str",
                "seller": "str",
                "seller_inside": "bool",
                "matched": "bool",
                "gap_ms": "int",
                "evidence": "bool",
                "trade": "bool",
                "arrived_ms": "int",
            },
        ),
        # One code of a consignment, when both ends have stated it.
        Subject(
            "delivery",
            level=True,
            fields=COMMON
            | {
                "consignment": "str",
                "code": "str",
                "dimension": "str",
                "buyer": "str",
                "both": "bool",
                "sealed": "bool",
                "sent": "int",
                "got": "int",
                "sent_pieces": "int",
                "got_pieces": "int",
                "difference": "int",
                "difference_pieces": "int",
                "difference_ppm": "int",
                "sigma": "int",
                "missing_code": "bool",
                "concentration_difference_ppm": "int",
                "arrived_ms": "int",
            },
        ),
    )

    def __init__(self, state: TransfersState, register: Register) -> None:
        self._state = state
        self._register = register

    def apply(self, entry: Input, goods: Sequence[Goods]) -> Iterable[Row]:
        """Rows of the transfers that this movement opens or confirms."""
        if _sends(entry):
            transfer = self._transfer(entry, goods)
            at = f"{transfer.buyer}/{transfer.consignment}"
            add_newest(self._state.opened, at, transfer)
            return self._rows(entry, at)
        if _receives(entry):
            arrival = self._arrival(entry, goods)
            at = _arrival_at(entry)
            add_newest(self._state.arrivals, at, arrival)
            return self._rows(entry, at)
        return ()

    def withdraw(self, before: Input, goods: Sequence[Goods], entry: Input) -> Iterator[Row]:
        """A corrected movement opens and confirms nothing any more; its correction is applied after this."""
        del goods
        if _sends(before):
            at = f"{_other(before)}/{before.body['consignment']}"
            gone = [t for t in self._state.opened.get(at, ()) if t.record_id == before.record_id]
            for transfer in gone:
                row = _transfer_row(entry, transfer, confirmed=True)
                yield "transfer", row
                for key in transfer.goods:
                    yield "delivery", _no_delivery(entry, transfer, key)
            keep(self._state.opened, at, [t for t in self._state.opened.get(at, ()) if t not in gone])
        elif _receives(before):
            at = _arrival_at(before)
            withdrawn = [a for a in self._state.arrivals.get(at, ()) if a.record_id == before.record_id]
            for arrival in withdrawn:
                yield "receipt", _receipt_row(entry, arrival, 0) | {"trade": False}
            keep(self._state.arrivals, at, [a for a in self._state.arrivals.get(at, ()) if a not in withdrawn])
        else:
            return
        yield from self._rows(entry, at)

    def _transfer(self, entry: Input, goods: Sequence[Goods]) -> Transfer:
        arrival = entry.body.get("expected_arrival")
        sale_ms = happened_ms(entry)
        buyer = _other(entry)
        return Transfer(
            record_id=entry.record_id,
            index=entry.index,
            seller=entry.holder,
            site=entry.site,
            book=entry.book,
            buyer=buyer,
            consignment=entry.body["consignment"],
            reason=entry.body["reason"],
            sale_ms=sale_ms,
            due_ms=unix_ms(arrival) if arrival else sale_ms,
            eta_known=arrival is not None,
            inside=self._register.is_inside(buyer),
            goods=_sent(entry, goods),
        )

    def _arrival(self, entry: Input, goods: Sequence[Goods]) -> Arrival:
        seller = _other(entry)
        return Arrival(
            record_id=entry.record_id,
            seller=seller,
            seller_inside=self._register.is_inside(seller),
            buyer=entry.holder,
            site=entry.site,
            book=entry.book,
            arrived_ms=happened_ms(entry),
            received_ms=entry.received_ms,
            consignment=entry.body.get("consignment", ""),
            evidence=bool(entry.body.get("evidence")),
            is_trade=entry.body["reason"] in ("purchase", "transfer") and "counterparty" in entry.body,
            goods=_sent(entry, goods),
        )

    def _rows(self, entry: Input, at: str) -> Iterator[Row]:
        """Everything that is known under one buyer/consignment: who confirms whom, and whether the goods agree."""
        arrivals = self._state.arrivals.get(at, [])
        opened = self._state.opened.get(at, [])
        for transfer in opened:
            came = [a for a in arrivals if a.seller in ("", transfer.seller)]
            yield "transfer", _transfer_row(entry, transfer, confirmed=bool(came))
            for key in dict.fromkeys([*transfer.goods, *(key for a in came for key in a.goods)]):
                yield "delivery", _delivery_row(entry, transfer, came, key)
        for arrival in arrivals:
            gaps = [abs(t.sale_ms - arrival.arrived_ms) for t in opened if arrival.seller in ("", t.seller)]
            yield "receipt", _receipt_row(entry, arrival, min(gaps) if gaps else None)

    def prune(self, now_ms: int) -> None:
        """Forget what is long settled; of a consignment that both ends told of, both ends at once.

        One end alone would look unconfirmed to whatever record comes for it later.
        """
        arrivals, opened = self._state.arrivals, self._state.opened
        settled, given_up = now_ms - SETTLED_FOR_MS, now_ms - 6 * SETTLED_FOR_MS
        # Thousands are looked at every day, of which a few are old enough to be looked into.
        old = [at for at, came in arrivals.items() if came[0].received_ms <= settled]
        for at in old + [at for at, sent in opened.items() if any(t.sale_ms <= settled for t in sent)]:
            came, sent = arrivals.get(at, []), opened.get(at, [])
            if came and sent:
                if max(*(a.received_ms for a in came), *(t.sale_ms for t in sent)) <= settled:
                    del arrivals[at], opened[at]
                continue
            limit = given_up if sent or any(map(self._may_be_claimed, came)) else settled
            keep(arrivals, at, [a for a in came if a.received_ms > limit])
            keep(opened, at, [t for t in sent if t.sale_ms > limit])

    def _may_be_claimed(self, arrival: Arrival) -> bool:
        """Whether somebody here may still say to have sent it."""
        return arrival.is_trade and (not arrival.seller or self._register.is_inside(arrival.seller))


def _other(entry: Input) -> str:
    return counterparty_of(entry.body)


def _sends(entry: Input) -> bool:
    """Whether this movement sends goods to another enterprise."""
    body = entry.body
    return (
        body["direction"] == "out"
        and body["reason"] in ("sale", "transfer", "disposal")
        and _other(entry) not in ("", entry.holder)
        and "consignment" in body
    )


def _receives(entry: Input) -> bool:
    return entry.body["direction"] == "in" and (
        "consignment" in entry.body or entry.body["reason"] in ("purchase", "transfer")
    )


def _arrival_at(entry: Input) -> str:
    # Without a consignment nothing can be matched; such a receipt stands alone under its own record.
    return f"{entry.holder}/{entry.body.get('consignment') or '?' + entry.record_id}"


def _sent(entry: Input, goods: Sequence[Goods]) -> dict[str, Sent]:
    measured = entry.body.get("measurement", {})
    error2 = measured.get("random_ppm", 0) ** 2 + measured.get("systematic_ppm", 0) ** 2
    sums: dict[str, Sent] = {}
    for line, _, _ in goods:
        if line.attributes.get("empty"):
            continue
        sealed = line.packaging == "sealed" or line.dimension == "count"
        sent = sums.setdefault(f"{line.code}|{line.dimension}|{'sealed' if sealed else 'bulk'}", Sent())
        sent.amount += line.amount
        sent.pieces += line.pieces
        percent = concentration_ppm(line.concentration)
        sent.concentration_ppm = -1 if percent is None else percent
        sent.variance += 0 if sealed else line.amount**2 * error2 // PPM**2
    # A square beyond 64 bits would not survive the snapshot: such a weight is no better known than 3 * 10^9 base units.
    for sent in sums.values():
        sent.variance = min(sent.variance, 2**63 - 1)
    return sums


def _transfer_row(entry: Input, transfer: Transfer, *, confirmed: bool) -> dict[str, Any]:
    return common(entry) | {
        "holder": transfer.seller,
        "site": transfer.site,
        "book": transfer.book,
        "record_id": transfer.record_id,
        "consignment": transfer.consignment,
        "code": next(iter(transfer.goods), "").partition("|")[0],
        "buyer": transfer.buyer,
        "reason": transfer.reason,
        "inside": transfer.inside,
        "confirmed": confirmed,
        "eta_known": transfer.eta_known,
        "sale_ms": transfer.sale_ms,
        "due_ms": transfer.due_ms,
    }


def _receipt_row(entry: Input, arrival: Arrival, gap_ms: int | None) -> dict[str, Any]:
    return common(entry) | {
        "holder": arrival.buyer,
        "site": arrival.site,
        "book": arrival.book,
        "record_id": arrival.record_id,
        "consignment": arrival.consignment,
        "code": next(iter(arrival.goods), "").partition("|")[0],
        "seller": arrival.seller,
        "seller_inside": arrival.seller_inside,
        "matched": gap_ms is not None,
        "gap_ms": gap_ms or 0,
        "evidence": arrival.evidence,
        "trade": arrival.is_trade,
        "arrived_ms": arrival.arrived_ms,
    }


def _delivery_row(entry: Input, transfer: Transfer, came: Sequence[Arrival], key: str) -> dict[str, Any]:
    code, dimension, packaging = key.split("|")
    nothing = Sent()
    sent, parts = transfer.goods.get(key, nothing), [a.goods[key] for a in came if key in a.goods]
    amount, pieces = sum(part.amount for part in parts), sum(part.pieces for part in parts)
    difference = abs(sent.amount - amount)
    stated = [part.concentration_ppm for part in parts if part.concentration_ppm >= 0]
    return common(entry) | {
        "holder": transfer.seller,
        "site": transfer.site,
        "book": transfer.book,
        "record_id": transfer.record_id,
        "consignment": transfer.consignment,
        "code": code,
        "dimension": dimension,
        "buyer": transfer.buyer,
        "both": bool(came),
        "sealed": packaging == "sealed",
        "sent": sent.amount,
        "got": amount,
        "sent_pieces": sent.pieces,
        "got_pieces": pieces,
        "difference": difference,
        "difference_pieces": abs(sent.pieces - pieces),
        "difference_ppm": difference * PPM // max(sent.amount, amount, 1),
        "sigma": isqrt(sent.variance + sum(part.variance for part in parts)),
        "missing_code": key not in transfer.goods or not parts,
        "concentration_difference_ppm": max((abs(ppm - sent.concentration_ppm) for ppm in stated), default=0)
        if sent.concentration_ppm >= 0
        else 0,
        "arrived_ms": max((a.arrived_ms for a in came), default=0),
    }


def _no_delivery(entry: Input, transfer: Transfer, key: str) -> dict[str, Any]:
    return _delivery_row(entry, transfer, (), key)
