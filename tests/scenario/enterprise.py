"""An enterprise with its site, its people, its shifts, its network; and what it does of an ordinary day."""

from __future__ import annotations

from collections.abc import Callable
from heapq import heappop, heappush
from random import Random
from typing import Any

from tests.scenario import clock
from tests.scenario.clock import DAY, HOUR, MINUTE
from tests.scenario.drafts import Desk, Draft, evidence
from tests.scenario.people import Person, make_person
from tests.scenario.stores import Store

SITE, OFFICE = "S1", "office"
HOURS = {
    # (from, to, on days off too)
    "day": (8 * HOUR, 17 * HOUR + 30 * MINUTE, False),
    "two": (6 * HOUR + 30 * MINUTE, 21 * HOUR + 30 * MINUTE, False),
    "three": (0, 23 * HOUR + 40 * MINUTE, True),
}
WINDOWS = {
    "day": [{"days": [1, 2, 3, 4, 5, 6, 7], "from": "07:30", "to": "19:00"}],
    "two": [{"days": [1, 2, 3, 4, 5, 6, 7], "from": "06:00", "to": "22:00"}],
    "three": [{"days": [1, 2, 3, 4, 5, 6, 7], "from": "00:00", "to": "00:00"}],
}
OUTAGE_CHANCE = 0.004
"""Of a site's day: the network is away for one to seven hours, and what was written comes in afterwards, in order."""
Act = Callable[[int], None]


class Enterprise:
    """One holder with one site. All it draws comes of (seed, holder): whoever else is there does not matter."""

    def __init__(
        self,
        seed: int,
        holder: str,
        name: str,
        send: Callable[[Draft], None],
        *,
        kind: str,
        shift: str = "day",
        roles: tuple[str, ...] = ("user",),
        industry: str = "C26",
    ) -> None:
        self.seed, self.holder, self.name, self.kind = seed, holder, name, kind
        self.shift, self.roles, self.industry = shift, roles, industry
        self.send = send
        self.rng = Random(f"{seed}/enterprise/{holder}")
        self._net = Random(f"{seed}/network/{holder}")
        self._ids = Random(f"{seed}/ids/{holder}")
        self.desks: dict[str, Desk] = {}
        self.office = self.open_desk(OFFICE)
        self.stores: list[Store] = []
        self.dealt_in = 0
        """How many of NEW_GOODS (plants/flow.py) its cases took."""
        self.planned: list[Any] = []
        """Goods that it has papers for beside those in its stores (opening.Shelf)."""
        self.people: list[tuple[str, Person]] = [(f"P{n:03d}", make_person(self.rng)) for n in range(1, 5)]
        self.agent = make_person(self.rng)
        self.legal_person = make_person(self.rng)
        self.keyids = [f"{self.rng.getrandbits(256):064x}" for _ in range(2)]
        self.two_person = False
        self.papers: Any = None
        """The licences (opening.Papers)."""
        self._later: dict[int, list[tuple[int, int, Act]]] = {}
        self._today: list[tuple[int, int, Act]] = []
        self._serial = 0
        self._outage = (0, 0)
        self.rests = False
        """True: no ordinary life of its own; a stage for planted cases."""

    # --- small parts --------------------------------------------------------------------------------------------------

    def open_desk(self, book: str) -> Desk:
        desk = self.desks.get(book)
        if desk is None:
            desk = self.desks[book] = Desk(self.holder, SITE, book, self._ids, self.send)
        return desk

    def handlers(self, many: int) -> list[dict[str, str]]:
        return [{"ref": ref} for ref, _ in self.people[:many]]

    def confirmations(self, ms: int, rng: Random) -> list[dict[str, str]]:
        """Two persons confirm with keys of their own, some time apart."""
        gap = 6000 + rng.randrange(90_000)
        first, second = sorted(self.keyids)
        return [
            {"keyid": first, "at": clock.local_text(ms)},
            {"keyid": second, "at": clock.local_text(ms + gap)},
        ]

    def received(self, ms: int) -> int:
        """When what is written at `ms` comes in: seconds later, or when the network is back."""
        lag = 2000 + int(self._net.random() * 40_000)
        start, end = self._outage
        return end + lag // 8 if start <= ms < end else ms + lag

    def working_hours(self, day: int) -> tuple[int, int] | None:
        """(from, to) of the day in unix ms, or None on a day off."""
        start, end, always = HOURS[self.shift]
        if (
            not always
            and not clock.is_workday(day)
            and not (self.shift == "two" and clock.weekday(day) == 6 and not clock.is_holiday(day))
        ):
            return None
        base = clock.day_start(day)
        return base + start, base + end

    # --- what is to be done -------------------------------------------------------------------------------------------

    def at(self, ms: int, act: Act) -> None:
        """Do `act(ms)` then: today, if the day's work is going on and that is still to come, or on its day."""
        self._serial += 1
        day = clock.day_of(ms)
        if day == self._day:
            heappush(self._today, (ms, self._serial, act))
        else:
            self._later.setdefault(day, []).append((ms, self._serial, act))

    _day = -1

    def live(self, day: int) -> None:
        """One local day, in the order of the clock."""
        self._day = day
        self._today = sorted(self._later.pop(day, []))
        self._plan(day)
        while self._today:
            ms, _, act = heappop(self._today)
            act(ms)
        self._day = -1

    def _plan(self, day: int) -> None:
        base, net = clock.day_start(day), self._net
        if net.random() < OUTAGE_CHANCE and self.kind != "stage":
            start = base + 9 * HOUR + int(net.random() * 4 * HOUR)
            self._outage = (start, start + HOUR + int(net.random() * 6 * HOUR))
        if clock.weekday(day) == 1 or day == 0:
            for store in self.stores:
                store.calibrate()
        hours = self.working_hours(day)
        if hours is None:
            self._plan_day_off(day, base)
            return
        start, end = hours
        for store in self.stores:
            if store.alive:
                self._plan_store(store, day, start, end)

    def _plan_day_off(self, day: int, base: int) -> None:
        for at, store in enumerate(self.stores):
            if not store.alive or not store.closes:
                continue
            if store.count_due(day):
                self.at(base + 10 * HOUR + at * 3 * MINUTE + store.rng.randrange(MINUTE), store.count)
            self.at(base + 23 * HOUR + 50 * MINUTE + at * 7000, lambda ms, s=store: s.close(day, ms))

    def keep(self, store: Store, day: int) -> None:
        """A store that was opened today joins the evening's work."""
        hours = self.working_hours(day)
        base = clock.day_start(day)
        self._plan_evening(store, day, hours[1] if hours else base + 18 * HOUR)

    def _plan_store(self, store: Store, day: int, start: int, end: int) -> None:
        rng = store.rng
        span = end - start - 80 * MINUTE
        if not self.rests:
            for _ in range(int(store.uses_a_day + rng.random())):
                self.at(start + 20 * MINUTE + int(rng.random() * span), store.use)
            if store.supplier and not store.on_order:
                self._restock(store, day)
            if store.produces and store.booked < store.capacity * 7 // 10:
                self.at(start + 5 * HOUR, lambda ms, s=store: s.make(ms))
        self._plan_evening(store, day, end)

    def _plan_evening(self, store: Store, day: int, end: int) -> None:
        if not store.closes:
            return
        rng = store.rng
        ending = end - 35 * MINUTE + rng.randrange(5 * MINUTE)
        self.at(ending, lambda ms: self._end_of_day(store, day, ms))

    def _end_of_day(self, store: Store, day: int, ms: int) -> None:
        if not store.alive:
            return
        if store.count_due(day):
            store.settle_losses(ms)
            store.count(ms + 2 * MINUTE)
        store.close(day, ms + 8 * MINUTE + store.rng.randrange(10 * MINUTE))

    # --- supply from outside ------------------------------------------------------------------------------------------

    def _restock(self, store: Store, day: int) -> None:
        """Order a lot when it fits and is wanted; it comes on one of the next working days."""
        lot = max(1, round(store.lot * store.rng.lognormvariate(0, 0.1)))
        if store.booked > store.capacity * 60 // 100 or store.booked + lot > store.capacity * 85 // 100:
            return
        store.on_order = True
        arrives = clock.next_workday(day + 1 + store.rng.randrange(2))
        at = clock.day_start(arrives) + 8 * HOUR + 30 * MINUTE + store.rng.randrange(6 * HOUR)
        self.at(at, lambda ms: self._arrive(store, lot, ms))

    def _arrive(self, store: Store, lot: int, ms: int) -> None:
        store.on_order = False
        if self.rests:
            return
        rng = store.rng
        consignment = f"X{rng.getrandbits(40):010x}"
        received = store.move(
            "in",
            "purchase",
            lot,
            ms,
            consignment=consignment,
            counterparty={"type": "enterprise", "uscc": store.supplier},
            payment_method="bank_transfer",
            purpose="production",
            evidence=[evidence(rng, "delivery_note", "application/pdf")],
        )
        if store.goods.filed:
            self.file(consignment, received, ms, rng)

    def file(self, consignment: str, record: Draft, ms: int, rng: Random, *, after_ms: int | None = None) -> None:
        """Report a purchase or a sale to the police, a few hours to three days after it."""
        when = ms + (HOUR + int(rng.random() ** 2 * 3 * DAY) if after_ms is None else after_ms)
        day = clock.day_of(when)
        when = clock.day_start(day) + 9 * HOUR + when % (8 * HOUR)
        if when < ms + 10 * MINUTE:
            when = ms + 10 * MINUTE
        self.at(when, lambda at: self._file(consignment, record, at))

    def _file(self, consignment: str, record: Draft, ms: int) -> None:
        body: dict[str, Any] = {
            "consignment": consignment,
            "date": clock.day_text(clock.day_of(ms)),
            "regime": "decree591",
            "authority": "county-police",
            "records": [record.record_id],
        }
        self.office.write("filing", body, ms, self.received(ms))
