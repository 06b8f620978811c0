"""Purchases, each once: by the buyer's own record, and until that is there by the seller's.

A sale to an enterprise is a purchase by it whether or not it says so itself. Both ends bear one consignment; when the
buyer's record of it comes, the seller's row is gone, and it is there again should the buyer's be corrected to something
else. So it does not matter which end came first. A sale without a consignment cannot be found again by its buyer: it
counts only when the buyer keeps no records here. Of records that repeat one consignment, the newest MAX_SAME are paired.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import msgspec

from ledger.engine.goods import Goods
from ledger.engine.inputs import Input, counterparty_of
from ledger.engine.register import Register
from ledger.engine.subjects import COMMON, Subject
from ledger.engine.topics.base import ORIGIN, Row, Topic, common
from ledger.engine.topics.bounded import add_newest, keep
from ledger.engine.topics.habits import HABITS, Habits

KEPT_MS = 60 * 86_400_000
"""How long the two ends of a purchase may lie apart."""


class Sale(msgspec.Struct, array_like=True):
    """A seller's record of a purchase, with the rows that stand for it while there is no buyer's."""

    record_id: str
    index: int
    """Of the entry; of a corrected sale, of its original."""
    seller: str
    received_ms: int
    rows: list[dict[str, Any]]


class Arrival(msgspec.Struct, array_like=True):
    """A buyer's record of a purchase."""

    record_id: str
    seller: str
    """"" where it does not say."""
    received_ms: int


class PurchasesState(msgspec.Struct):
    """By buyer/consignment."""

    sales: dict[str, list[Sale]] = {}
    arrivals: dict[str, list[Arrival]] = {}


class Purchases(Topic):
    """One row for each substance that a purchase brings."""

    kinds = frozenset({"movement"})
    reasons = frozenset({"purchase", "sale"})
    papers = frozenset({"profile", "person", "licence", "endorse"})
    subjects = (
        # One substance of one purchase, counted once however many records tell of it.
        Subject(
            "purchase",
            level=False,
            fields=COMMON
            | {
                "buyer": "str",
                "seller": "str",
                "code": "str",
                "dimension": "str",
                "categories": "list",
                "amount": "int",
                "consignment": "str",
                "by_seller": "bool",
            }
            | HABITS,
        ),
    )

    def __init__(self, state: PurchasesState, register: Register, habits: Habits) -> None:
        self._state = state
        self._register = register
        self._habits = habits
        self.gone: list[tuple[str, int]] = []

    def apply(self, entry: Input, goods: Sequence[Goods]) -> Iterator[Row]:
        """The rows of a purchase or a sale."""
        body = entry.body
        other = _other(entry)
        consignment = body.get("consignment", "")
        if _is_purchase(entry):
            yield from self._rows(entry, goods, entry.holder, other, by_seller=False)
            self._habits.learn(entry, goods)
            if consignment:
                yield from self._arrive(entry, f"{entry.holder}/{consignment}", other)
        elif _is_sale(entry):
            rows = list(self._rows(entry, goods, other, entry.holder, by_seller=True))
            if consignment:
                yield from self._sell(entry, f"{other}/{consignment}", rows)
            elif not self._register.is_inside(other):
                yield from rows

    def _arrive(self, entry: Input, at: str, seller: str) -> Iterator[Row]:
        stood = {sale.record_id for sale in self._standing(at)}
        add_newest(self._state.arrivals, at, Arrival(entry.record_id, seller, entry.received_ms))
        stand = {sale.record_id for sale in self._standing(at)}
        self.gone += [
            ("purchase", sale.index) for sale in self._state.sales.get(at, ()) if sale.record_id in stood - stand
        ]
        return iter(())

    def _sell(self, entry: Input, at: str, rows: list[Row]) -> Iterator[Row]:
        index = entry.before.index if entry.before is not None else entry.index
        sale = Sale(entry.record_id, index, entry.holder, entry.received_ms, [row for _, row in rows])
        add_newest(self._state.sales, at, sale)
        if sale in self._standing(at):
            yield from rows

    def _standing(self, at: str) -> list[Sale]:
        """The sales of a consignment that no record of the buyer tells of."""
        arrivals = self._state.arrivals.get(at, ())
        return [s for s in self._state.sales.get(at, ()) if not any(a.seller in ("", s.seller) for a in arrivals)]

    def withdraw(self, before: Input, goods: Sequence[Goods], entry: Input) -> Iterator[Row]:
        """Forget what the record said; the sales that its arrival stood for stand again."""
        del entry
        if _is_purchase(before):
            self._habits.unlearn(before, goods)
        consignment = before.body.get("consignment", "")
        if not consignment:
            return
        if _is_sale(before):
            at = f"{_other(before)}/{consignment}"
            sales = [sale for sale in self._state.sales.get(at, ()) if sale.record_id != before.record_id]
            keep(self._state.sales, at, sales)
        elif _is_purchase(before):
            at = f"{before.holder}/{consignment}"
            stood = self._standing(at)
            arrivals = [a for a in self._state.arrivals.get(at, ()) if a.record_id != before.record_id]
            keep(self._state.arrivals, at, arrivals)
            for sale in self._standing(at):
                if sale not in stood:
                    yield from (("purchase", row | {ORIGIN: sale.index}) for row in sale.rows)

    def correct(
        self, before: Input, before_goods: Sequence[Goods], entry: Input, goods: Sequence[Goods]
    ) -> Iterable[Row]:
        """Withdraw, then apply; a sale that stood again only in between is not told of."""
        back = list(self.withdraw(before, before_goods, entry))
        rows = list(self.apply(entry, goods))
        again = {row[ORIGIN] for _, row in back}
        now_gone = {index for _, index in self.gone}
        self.gone = [(name, index) for name, index in self.gone if index not in again]
        return [*(row for row in back if row[1][ORIGIN] not in now_gone), *rows]

    def _rows(self, entry: Input, goods: Sequence[Goods], buyer: str, seller: str, *, by_seller: bool) -> Iterator[Row]:
        """One row for each substance, with what all its lines amount to."""
        found: dict[tuple[str, str], dict[str, Any]] = {}
        for line, listing, _ in goods:
            row = found.get((line.code, line.dimension))
            if row is None:
                found[line.code, line.dimension] = common(entry) | {
                    "buyer": buyer,
                    "seller": seller,
                    "code": line.code,
                    "dimension": line.dimension,
                    "categories": sorted(listing.categories),
                    "amount": line.amount,
                    "consignment": entry.body.get("consignment", ""),
                    "by_seller": by_seller,
                }
            else:
                row["amount"] += line.amount
                row["categories"] = sorted({*row["categories"], *listing.categories})
        return (("purchase", row | self._habits.about(entry, buyer, row)) for row in found.values())

    def prune(self, now_ms: int) -> None:
        """Forget the ends that the other can no longer meet."""
        self._habits.prune(now_ms)
        oldest = now_ms - KEPT_MS
        sales, arrivals = self._state.sales, self._state.arrivals
        # In the order of receipt: of most keys nothing is old.
        for at in [at for at, sent in sales.items() if sent[0].received_ms <= oldest]:
            keep(sales, at, [sale for sale in sales[at] if sale.received_ms > oldest])
        for at in [at for at, came in arrivals.items() if came[0].received_ms <= oldest]:
            keep(arrivals, at, [arrival for arrival in arrivals[at] if arrival.received_ms > oldest])


def _other(entry: Input) -> str:
    return counterparty_of(entry.body)


def _is_purchase(entry: Input) -> bool:
    return (entry.body["direction"], entry.body["reason"]) == ("in", "purchase")


def _is_sale(entry: Input) -> bool:
    sells = (entry.body["direction"], entry.body["reason"]) == ("out", "sale")
    return sells and _other(entry) not in ("", entry.holder)
