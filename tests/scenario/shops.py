"""Knife shops: sales to identified persons, with a photograph of buyer and knife; deliveries, counts, closes."""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import Any

from tests.scenario import clock
from tests.scenario.cast import holder, outside
from tests.scenario.clock import HOUR, MINUTE, SECOND
from tests.scenario.drafts import Draft, evidence
from tests.scenario.enterprise import Enterprise
from tests.scenario.people import Person, make_person
from tests.scenario.trade import identity_check

KITCHEN = {"class": "kitchen", "blade_mm": 180, "tip_angle_deg": 65, "tip_radius_um": 500, "edged": True, "lock": False}
FOLDING = {"class": "folding", "blade_mm": 85, "tip_angle_deg": 50, "tip_radius_um": 300, "edged": True, "lock": False}
OUTDOOR = {"class": "outdoor", "blade_mm": 120, "tip_angle_deg": 48, "tip_radius_um": 200, "edged": True, "lock": True}
DAGGER = {"class": "dagger", "blade_mm": 190, "tip_angle_deg": 35, "tip_radius_um": 100, "edged": True, "lock": False}
CODES = {"kitchen": "KN-KITCHEN", "folding": "KN-FOLDING", "outdoor": "KN-OUTDOOR", "dagger": "KN-DAGGER"}
COUNTER = "C1"
ORDINARY = ("kitchen", "folding", "outdoor")


class Shop(Enterprise):
    """One shop with one counter. Open every day but three at the Spring Festival; counts every Monday."""

    def __init__(self, seed: int, number: int, send: Callable[[Draft], None]) -> None:
        super().__init__(
            seed,
            holder("KNF", number),
            f"Knife shop {number:03d}",
            send,
            kind="shop",
            shift="two",
            roles=("shop",),
            industry="F52",
        )
        self.counter = self.open_desk("counter")
        self.sales_a_day = self.rng.uniform(4.0, 7.0)
        self.pieces = {"kitchen": 150, "folding": 90, "outdoor": 60, "dagger": 25}
        """Daggers are for holders of a permit, and hardly ever sold."""
        self._regulars: list[tuple[int, Person]] = []
        self._moved = False

    def line(self, knife: dict[str, Any], pieces: int) -> dict[str, Any]:
        return {
            "goods": "knife",
            "code": CODES.get(knife["class"], "KN-OTHER"),
            "quantity": {"value": str(pieces), "unit": "H87"},
            "store": COUNTER,
            "attributes": knife,
        }

    def opening_lines(self) -> list[dict[str, Any]]:
        known = {"kitchen": KITCHEN, "folding": FOLDING, "outdoor": OUTDOOR, "dagger": DAGGER}
        return [self.line(known[name], pieces) for name, pieces in self.pieces.items()]

    def place_stores(self) -> tuple[dict[str, Any], ...]:
        return ({"id": COUNTER, "book": "counter", "unit": "U1", "class": "counter", "compartment": "F1"},)

    def count(self, ms: int) -> Draft:
        body = {
            "cut_off": clock.local_text(ms),
            "complete": True,
            "lines": self.opening_lines(),
            "measurement": {"method": "count"},
            "counters": self.handlers(2),
        }
        return self.counter.write("stocktake", body, ms, self.received(ms))

    def _plan(self, day: int) -> None:
        base, rng = clock.day_start(day), self.rng
        closed = clock.day_text(day) in ("2026-02-16", "2026-02-17", "2026-02-18")
        self._moved = False
        if not closed:
            factor = 1.4 if not clock.is_workday(day) else 0.9
            for _ in range(int(self.sales_a_day * factor + rng.random())):
                self.at(base + 9 * HOUR + 30 * MINUTE + int(rng.random() * 10.5 * HOUR), self.sell)
            if min(self.pieces[name] for name in ORDINARY) < 30:
                self.at(base + 9 * HOUR + rng.randrange(20 * MINUTE), self.restock)
            if clock.weekday(day) == 1:
                self.at(base + 20 * HOUR + 20 * MINUTE + rng.randrange(10 * MINUTE), self.count)
        self.at(base + 20 * HOUR + 45 * MINUTE + rng.randrange(40 * MINUTE), lambda ms: self._close(day, ms))

    def _close(self, day: int, ms: int) -> None:
        body = {
            "day": clock.day_text(day),
            "last_seq": self.counter.seq,
            "lines": self.opening_lines(),
            "nil": not self._moved,
            "final": False,
        }
        self.counter.write("close", body, ms, self.received(ms))

    def restock(self, ms: int) -> None:
        rng = self.rng
        wanted = {name: 60 for name in ORDINARY if self.pieces[name] < 60}
        lines = []
        for name, pieces in wanted.items():
            self.pieces[name] += pieces
            lines.append(self.line({"kitchen": KITCHEN, "folding": FOLDING, "outdoor": OUTDOOR}[name], pieces))
        self._moved = True
        body = {
            "direction": "in",
            "reason": "purchase",
            "lines": lines,
            "counterparty": {"type": "enterprise", "uscc": outside(990)},
            "payment_method": "bank_transfer",
            "handlers": self.handlers(1),
            "evidence": [evidence(rng, "delivery_note", "application/pdf")],
        }
        self.counter.write("movement", body, ms, self.received(ms))

    def sell(self, ms: int) -> Draft | None:
        """One ordinary sale, mostly to somebody new; a regular comes back after six weeks at the earliest."""
        rng = self.rng
        name = rng.choices(("kitchen", "folding", "outdoor"), (6, 3, 2))[0]
        pieces = 1 if rng.random() < 0.9 else 2
        back = rng.random() < 0.04
        day = clock.day_of(ms)
        buyer = None
        if back and self._regulars and day - self._regulars[0][0] > 42:
            buyer = self._regulars.pop(0)[1]
        if buyer is None:
            buyer = make_person(rng)
        if back:
            self._regulars.append((day, buyer))
        match = 880 + rng.randrange(115)
        return self.sell_to(
            buyer, {"kitchen": KITCHEN, "folding": FOLDING, "outdoor": OUTDOOR}[name], pieces, ms, match=match
        )

    def sell_to(
        self,
        buyer: Person | None,
        knife: dict[str, Any],
        pieces: int,
        ms: int,
        *,
        match: int = 930,
        photos: tuple[str, ...] = ("buyer_photo", "goods_photo"),
        rng: Random | None = None,
        checks: bool = True,
        **more: Any,
    ) -> Draft:
        rng = rng or self.rng
        if knife["class"] in self.pieces:
            self.pieces[knife["class"]] -= pieces
        self._moved = True
        body: dict[str, Any] = {
            "direction": "out",
            "reason": "sale",
            "lines": [self.line(knife, pieces)],
            "counterparty": {"type": "person"},
            "payment_method": "e_account",
            "handlers": self.handlers(1),
        }
        if checks:
            body["identity_checks"] = [identity_check("counterparty", match)]
        if photos:
            body["evidence"] = [evidence(rng, role) for role in photos]
        body.update(more)
        return self.counter.write(
            "movement",
            body,
            ms,
            self.received(ms),
            persons={"/body/counterparty": buyer} if buyer is not None else {},
        )


def open_shop(shop: Shop, count_ms: int) -> None:
    """Place and opening count; profile and persons are those of any holder (opening.py)."""
    shop.count(count_ms)
    body = {
        "day": clock.day_text(-1),
        "last_seq": shop.counter.seq,
        "lines": shop.opening_lines(),
        "nil": True,
        "final": False,
    }
    shop.counter.write("close", body, count_ms + 7 * HOUR, count_ms + 7 * HOUR + 9 * SECOND)
