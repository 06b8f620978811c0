"""The rental firm: contracts out, extended, returned; renters identified, drivers declared."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tests.scenario import clock
from tests.scenario.cast import holder
from tests.scenario.clock import DAY, HOUR, MINUTE
from tests.scenario.drafts import Draft
from tests.scenario.enterprise import Enterprise
from tests.scenario.people import Person, make_person
from tests.scenario.trade import identity_check

FLEET = 520
DESKS = 4
"""Counters of the firm; each has an office book of its own, and a car comes back where it went out."""


class Rental(Enterprise):
    """One lessor; about 70 contracts a day, one to eight days long."""

    def __init__(self, seed: int, number: int, send: Callable[[Draft], None]) -> None:
        super().__init__(
            seed,
            holder("RNT", number),
            f"Car rental {number}",
            send,
            kind="rental",
            shift="two",
            roles=("lessor",),
            industry="L71",
        )
        self._free = list(range(FLEET))
        self._counters = [self.open_desk(f"office-{n}") for n in range(1, DESKS + 1)]
        self._contracts = 0
        self.contracts_a_day = 64.0

    def vehicle(self, number: int) -> dict[str, Any]:
        van = number % 9 == 0
        return {"ref": f"V{number:04d}", "class": "van" if van else "car", "seats": 9 if van else 5}

    def _plan(self, day: int) -> None:
        base, rng = clock.day_start(day), self.rng
        factor = 1.3 if not clock.is_workday(day) else 0.9
        for _ in range(int(self.contracts_a_day * factor + rng.random())):
            self.at(base + 8 * HOUR + int(rng.random() * 11 * HOUR), self.rent)

    def rent(self, ms: int) -> None:
        """An ordinary contract; one in six is extended in time, everybody is back within an hour and a half."""
        rng = self.rng
        renter, match = make_person(rng), 870 + rng.randrange(125)
        days = rng.choices((1, 2, 3, 5, 8), (30, 30, 20, 15, 5))[0]
        extend, second, back = rng.random() < 0.16, rng.random() < 0.1, int(rng.triangular(-240, 90, -20)) * MINUTE
        other = make_person(rng) if second else None
        at = rng.randrange(len(self._free) or 1)
        if not self._free:
            return
        car = self._free.pop(at)
        due = ms + days * DAY
        contract = self.out(renter, car, ms, due, match=match, second=other)
        if extend:
            longer = due + DAY
            self.at(due - 3 * HOUR, lambda when: self.extend(contract, car, renter, when, longer))
            due = longer
        self.at(due + back, lambda when: self.give_back(contract, car, when))

    def out(
        self,
        renter: Person,
        car: int,
        ms: int,
        due: int,
        *,
        match: int = 930,
        driver: Person | None = None,
        second: Person | None = None,
        payer: Person | None = None,
        subject: str = "renter",
        **more: Any,
    ) -> str:
        """A car goes out; returns the contract's number. `driver` None: the renter drives."""
        self._contracts += 1
        contract = f"K-2026-{self._contracts:06d}"
        drivers: list[dict[str, str]] = [{}]
        persons = {"/body/renter": renter, "/body/drivers/0": driver or renter}
        if second is not None:
            drivers.append({})
            persons["/body/drivers/1"] = second
        if payer is not None:
            persons["/body/payer"] = payer
        body = {
            "action": "out",
            "contract": contract,
            "vehicle": self.vehicle(car),
            "renter": {"type": "person"},
            "drivers": drivers,
            "due_at": clock.local_text(due),
            "identity_checks": [identity_check(subject, match)],
            "payment_method": "e_account",
        } | more
        self.desk_of(car).write("rental", body, ms, self.received(ms), persons=persons)
        return contract

    def desk_of(self, car: int) -> Any:
        return self._counters[car % DESKS]

    def extend(self, contract: str, car: int, renter: Person, ms: int, due: int) -> None:
        body = {
            "action": "extend",
            "contract": contract,
            "vehicle": self.vehicle(car),
            "renter": {"type": "person"},
            "due_at": clock.local_text(due),
        }
        self.desk_of(car).write("rental", body, ms, self.received(ms), persons={"/body/renter": renter})

    def give_back(self, contract: str, car: int, ms: int) -> None:
        if car < FLEET:
            self._free.append(car)
        body = {"action": "return", "contract": contract, "vehicle": self.vehicle(car)}
        self.desk_of(car).write("rental", body, ms, self.received(ms))
