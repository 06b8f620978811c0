"""A store with its book: what is truly there, what the book says, and the records that come of what happens to it."""

from __future__ import annotations

from math import cos, pi
from random import Random
from typing import TYPE_CHECKING, Any

from tests.scenario import clock
from tests.scenario.drafts import KG, NOBODY, Desk, Draft, enterprise
from tests.scenario.goods import Goods
from tests.scenario.people import Person

if TYPE_CHECKING:
    from tests.scenario.enterprise import Enterprise


class Store:
    """One store, one book, one sort of goods. `true_mg` is never written anywhere; `booked_mg` is what the records add up to."""

    def __init__(
        self, owner: Enterprise, at: str, goods: Goods, capacity: int, *, book: str = "", kind: str = ""
    ) -> None:
        self.owner, self.id, self.goods = owner, at, goods
        self.capacity = capacity
        """Milligrams; pieces for sealed goods."""
        self.step_mg = max(1, 10 ** (len(str(capacity)) - 6)) if not goods.sealed else 1
        """Bulk amounts are written down in steps that are small beside the store: 100 g of 100 t."""
        self.kind = kind or ("tank" if not goods.sealed else "room")
        self.compartment = f"F-{at}"
        self.rng = Random(f"{owner.seed}/store/{owner.holder}/{at}")
        self.desk: Desk = owner.open_desk(book or f"b-{at}".lower())
        self.true_mg = self.booked_mg = self.pieces = 0
        self.uses_a_day = 1.0
        self.use_share = 0.01
        self.count_days = 7
        """A count at least so often; listed goods also on every day on which something moved."""
        self.closes = True
        self.alive = True
        self.moved_day = self.counted_day = self.closed_day = -1
        self.moved_since = False
        """Since the last count."""
        self.on_order = False
        self.supplier = ""
        self.lot = 0
        self.produces = False
        self.in_bias = self.out_bias = 0.0
        self.gauge_bias = self.rng.gauss(0, 1) * goods.systematic_ppm / 1e6
        self.unclosed: set[int] = set()
        """Days whose close is left out."""
        self.marks: dict[str, Any] = {}
        """Further members of each goods line: a batch, a date of expiry."""

    # --- what is there ------------------------------------------------------------------------------------------------

    @property
    def booked(self) -> int:
        """In milligrams or pieces, as `capacity`."""
        return self.pieces if self.goods.sealed else self.booked_mg

    @property
    def capacity_mg(self) -> int:
        return self.capacity * (self.goods.piece_mg or 1)

    def open(self, ms: int, amount: int) -> Draft:
        """The opening count; `amount` as `capacity`."""
        if self.goods.sealed:
            self.pieces = amount
        else:
            self.true_mg = amount
        return self.count(ms)

    def calibrate(self) -> None:
        """Scales and meters are set anew once a week; each then errs in its own way until the next time."""
        if not self.goods.sealed:
            share = self.goods.systematic_ppm / 1e6
            self.in_bias, self.out_bias = self.rng.gauss(0, share), self.rng.gauss(0, share)

    def _read(self, true_mg: int, bias: float) -> int:
        error = bias + self.rng.gauss(0, 1) * self.goods.random_ppm / 1e6
        return max(0, round(true_mg * (1 + error) / self.step_mg) * self.step_mg)

    # --- records ------------------------------------------------------------------------------------------------------

    def line(self, amount: int, **more: Any) -> dict[str, Any]:
        return self.goods.line(self.id, amount, amount, **self.marks, **more)

    def measured(self, method: str) -> dict[str, Any]:
        return self.goods.measurement(method, self.step_mg)

    def move(
        self,
        direction: str,
        reason: str,
        amount: int,
        ms: int,
        *,
        true_mg: int | None = None,
        line: dict[str, Any] | None = None,
        persons: dict[str, Person] = NOBODY,
        received_ms: int | None = None,
        signers: int = 0,
        handlers: int = 0,
        **more: Any,
    ) -> Draft:
        """A movement of `amount` (milligrams as truly moved, or pieces); bulk goods are weighed on the way.

        `true_mg` is what really moved, where that is another matter. `line` are further members of the goods line;
        `more` further members of the body.
        """
        goods, sign = self.goods, 1 if direction == "in" else -1
        if goods.sealed:
            self.pieces += sign * amount
            written = amount
        else:
            written = self._read(amount, self.in_bias if sign > 0 else self.out_bias)
            self.true_mg += sign * (amount if true_mg is None else true_mg)
            self.booked_mg += sign * written
        body: dict[str, Any] = {
            "direction": direction,
            "reason": reason,
            "lines": [self.line(written, **(line or {}))],
        }
        if not goods.sealed:
            body["measurement"] = self.measured("weighbridge")
        owner = self.owner
        two = goods.toxic or owner.two_person
        body["handlers"] = owner.handlers(handlers or (2 if two else 1))
        if two and signers != 1:
            body["confirmed"] = owner.confirmations(ms, self.rng)
            signers = 2
        for name, said in (("handlers", more.pop("handlers_are", None)), ("confirmed", more.pop("confirmed_by", None))):
            if said is not None:
                body[name] = said
        if more:
            body.update(more)
        self.moved_day = clock.day_of(ms)
        self.moved_since = True
        return self.desk.write(
            "movement",
            body,
            ms,
            owner.received(ms) if received_ms is None else received_ms,
            persons=persons,
            signers=signers or 1,
        )

    def count(self, ms: int, *, amount: int | None = None, received_ms: int | None = None, **more: Any) -> Draft:
        """A complete count of the book. `amount` is written down in place of what is truly there."""
        body: dict[str, Any] = {
            "cut_off": clock.local_text(ms),
            "complete": True,
            "lines": self.found(amount),
            "measurement": self.measured("level_gauge"),
            "counters": self.owner.handlers(2),
        }
        body.update(more)
        self.counted_day = clock.day_of(ms)
        self.moved_since = False
        return self.desk.write("stocktake", body, ms, self.owner.received(ms) if received_ms is None else received_ms)

    def found(self, amount: int | None) -> list[dict[str, Any]]:
        """Goods lines of a count; the book is set to them."""
        if self.goods.sealed:
            counted = self.pieces if amount is None else amount
            self.pieces = counted
        else:
            counted = self._read(self.true_mg, self.gauge_bias) if amount is None else amount
            self.booked_mg = counted
        return [self.line(counted)]

    def standing(self) -> list[dict[str, Any]]:
        """Goods lines of what the book says is there."""
        return [self.line(max(0, self.booked))]

    def use_up(self, ms: int) -> None:
        """Whatever is left goes into production."""
        left = self.booked
        if left <= 0:
            return
        if self.goods.sealed:
            self.move("out", "consumption", left, ms)
            return
        self.true_mg = self.booked_mg = 0
        body = {
            "direction": "out",
            "reason": "consumption",
            "lines": [self.line(left)],
            "measurement": self.measured("weighbridge"),
            "handlers": self.owner.handlers(2),
        }
        self.desk.write("movement", body, ms, self.owner.received(ms), signers=2)

    def close(self, day: int, ms: int, *, final: bool = False) -> Draft | None:
        """The close of a local day."""
        if day in self.unclosed and not final:
            return None
        self.closed_day = day
        body = {
            "day": clock.day_text(day),
            "last_seq": self.desk.seq,
            "lines": self.standing(),
            "nil": self.moved_day != day,
            "final": final,
        }
        if final:
            self.alive = False
        return self.desk.write("close", body, ms, self.owner.received(ms))

    def correct(self, was: Draft, amount: int, ms: int, *, received_ms: int | None = None) -> Draft:
        """A movement's amount was wrong: the book is set right."""
        body = was.body
        sign = 1 if body["direction"] == "in" else -1
        line = body["lines"][0]
        before = line.get("pieces") if self.goods.sealed else _mg(line)
        more = {name: line[name] for name in line if name in ("expires", "batch", "attributes")}
        lines = [self.goods.line(self.id, amount, amount, **more)]
        if self.goods.sealed:
            self.pieces += sign * (amount - before)
        else:
            self.booked_mg += sign * (amount - before)
        correction = {"corrects": was.record_id, "kind": was.kind, "body": body | {"lines": lines}}
        received = self.owner.received(ms) if received_ms is None else received_ms
        return self.desk.write("correction", correction, ms, received, before=was)

    # --- ordinary life ------------------------------------------------------------------------------------------------

    def use(self, ms: int) -> None:
        """Some goes into production; nothing when there is little left. The draws do not depend on the stock."""
        share = self.use_share * self.rng.uniform(0.5, 1.5)
        wrong = self.rng.random()
        floor = self.capacity * 15 // 100
        if self.goods.sealed:
            amount = max(1, round(self.capacity * share))
            if self.pieces - amount < floor:
                return
            if wrong < 0.003 and self.pieces - amount - 1 >= floor:
                was = self.move("out", "consumption", amount + 1, ms, purpose="production")
                self.correct(was, amount, ms + 10 * clock.MINUTE + int(wrong * 1e8))
                return
        else:
            amount = round(self.capacity * share)
            if self.booked_mg - amount < floor:
                return
        self.move("out", "consumption", amount, ms, purpose="production")

    def make(self, ms: int) -> None:
        """A day's production."""
        self.move("in", "production", round(self.capacity * self.rng.uniform(0.04, 0.06)), ms)

    def settle_losses(self, ms: int) -> None:
        """What evaporates is declared before each weekly count."""
        goods = self.goods
        if not goods.volatile_ppm or goods.sealed:
            return
        day = clock.day_of(ms)
        weeks = (day - self.counted_day) / 7 if self.counted_day >= 0 else 0
        summer = 1 - 0.25 * cos((day - 15) / 365 * 2 * pi)
        truly = round(self.true_mg * goods.volatile_ppm / 1e6 * weeks * summer)
        declared = round(truly * self.rng.gauss(1, 0.12) / self.step_mg) * self.step_mg
        if declared <= 0:
            return
        self.true_mg -= truly
        self.booked_mg -= declared
        body = {
            "direction": "out",
            "reason": "loss",
            "loss_cause": "evaporation",
            "lines": [goods.line(self.id, declared)],
            "measurement": self.measured("estimate"),
            "handlers": self.owner.handlers(1),
        }
        self.desk.write("movement", body, ms, self.owner.received(ms))

    def count_due(self, day: int) -> bool:
        """Whether today's work ends with a count."""
        goods = self.goods
        if goods.toxic:
            return True
        if goods.precursor and self.moved_since:
            return True
        return day - self.counted_day >= (min(self.count_days, 7) if goods.precursor else self.count_days)


def _mg(line: dict[str, Any]) -> int:
    whole, _, fraction = line["quantity"]["value"].partition(".")
    return int(whole) * KG + int(fraction.ljust(6, "0") or 0)


def bought_from(holder: str, name: str = "") -> dict[str, Any]:
    return {"counterparty": enterprise(holder, name), "payment_method": "bank_transfer"}
