"""Goods between two enterprises of this world: an order, a departure, an arrival, two filings."""

from __future__ import annotations

from typing import Any

from tests.scenario import clock
from tests.scenario.clock import HOUR, MINUTE
from tests.scenario.drafts import enterprise
from tests.scenario.stores import Store


def identity_check(subject: str, permille: int = 0, *, valid_to: str = "2033-08-31") -> dict[str, Any]:
    return {"subject": subject, "doc_type": "resident_id", "doc_valid_to": valid_to, "match_permille": permille or 930}


class Lane:
    """One buyer's store and the store that supplies it. All draws are the lane's own."""

    def __init__(self, seller: Store, buyer: Store, lot: int) -> None:
        self.seller, self.buyer, self.lot = seller, buyer, lot
        self.rng = buyer.rng.__class__(f"{buyer.owner.seed}/lane/{seller.owner.holder}/{buyer.owner.holder}/{buyer.id}")

    def want(self, day: int) -> None:
        """The buyer's look at the shelf in the morning: order when a lot fits and is wanted."""
        buyer, rng = self.buyer, self.rng
        lot = max(1, round(self.lot * rng.lognormvariate(0, 0.12)))
        leaves = clock.next_workday(day + 1 + rng.randrange(2))
        at = clock.day_start(leaves) + 8 * HOUR + 45 * MINUTE + rng.randrange(4 * HOUR)
        if (
            buyer.on_order
            or not buyer.alive
            or buyer.booked > buyer.capacity * 60 // 100
            or buyer.booked + lot > buyer.capacity * 85 // 100
        ):
            return
        buyer.on_order = True
        self.seller.owner.at(at, lambda ms: self.ship(lot, ms))

    def ship(self, lot: int, ms: int) -> None:
        seller, rng = self.seller, self.rng
        if seller.booked - lot < seller.capacity * 15 // 100:
            self.buyer.on_order = False
            return
        consignment = f"C{rng.getrandbits(40):010x}"
        travel = 40 * MINUTE + rng.randrange(150 * MINUTE)
        delay = int(rng.triangular(-20, 150, 10)) * MINUTE
        out = self.sell(consignment, lot, ms, ms + travel)
        # The goods are unloaded before the evening's count.
        hours = self.buyer.owner.working_hours(clock.day_of(ms))
        comes = ms + travel + delay
        if hours is not None:
            comes = min(comes, max(hours[1] - 70 * MINUTE - rng.randrange(10 * MINUTE), ms + 20 * MINUTE))
        self.buyer.owner.at(comes, lambda at: self.receive(consignment, out, lot, at))

    def sell(self, consignment: str, lot: int, ms: int, due_ms: int, **more: Any) -> Any:
        seller, buyer = self.seller, self.buyer
        out = seller.move(
            "out",
            "sale",
            lot,
            ms,
            persons={"/body/agent": buyer.owner.agent},
            consignment=consignment,
            expected_arrival=clock.local_text(due_ms),
            **{
                "counterparty": enterprise(buyer.owner.holder, buyer.owner.name),
                "purpose": "production",
                "payment_method": "bank_transfer",
                "identity_checks": [identity_check("agent")],
                **more,
            },
        )
        if seller.goods.filed and "file" not in more:
            seller.owner.file(consignment, out, ms, self.rng)
        return out

    def receive(self, consignment: str, out: Any, lot: int, ms: int, **more: Any) -> Any:
        buyer = self.buyer
        buyer.on_order = False
        came = buyer.move(
            "in",
            "purchase",
            lot,
            ms,
            **{
                "consignment": consignment,
                "counterparty": enterprise(self.seller.owner.holder, self.seller.owner.name),
                "purpose": "production",
                "payment_method": "bank_transfer",
                **more,
            },
        )
        if buyer.goods.filed:
            buyer.owner.file(consignment, came, ms, self.rng)
        return came
