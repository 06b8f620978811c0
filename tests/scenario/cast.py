"""Who takes part: 120 real facilities of the RMP extract as enterprises, 80 simulated ones, 131 knife shops, a lessor.

Stocks of the first are real declared quantities; everything else here is simulated, and so is every movement.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from random import Random

from ledger.core.ids import credit_code_for
from ledger.demo.facilities import Enterprise as Facility
from ledger.demo.facilities import enterprises_of, read_facilities
from tests.scenario import goods as g
from tests.scenario.drafts import KG, Draft
from tests.scenario.enterprise import Enterprise
from tests.scenario.goods import Goods
from tests.scenario.opening import Shelf
from tests.scenario.stores import Store
from tests.scenario.trade import Lane

Send = Callable[[Draft], None]
BARE_STAGES = 12
"""Of the stages: those without papers."""
TRADERS, PRODUCERS, FACTORIES, PLATERS, LABS, STAGES = 6, 2, 10, 14, 8, 40
SHOPS = 131


def outside(number: int) -> str:
    """A trading partner without a grant here (region 980000 does not exist)."""
    return credit_code_for(f"91980000EXT{number:06d}")


def holder(prefix: str, number: int) -> str:
    """A made-up credit code (region 990000 does not exist). `prefix`: three letters of the kind."""
    return credit_code_for(f"91990000{prefix}{number:06d}")


def _tank_goods(facility: Facility, at: int) -> Goods:
    """The goods of a declared process: name, form and packaging as the extract's reader has them."""
    store = facility.stores[at]
    volatile = {"67-66-3": 60, "60-29-7": 300, "107-13-1": 150}.get(store.code, 0)
    return Goods(
        store.code, facility.facility.declarations[at].chemical, store.piece_mg, form=store.form, volatile_ppm=volatile
    )


def facilities(seed: int, send: Send) -> list[Enterprise]:
    """The real ones. Makers (NAICS 324, 325) produce, wholesalers trade, everybody else uses."""
    made = []
    for facility in enterprises_of(read_facilities()):
        naics = facility.facility.naics
        maker = any(code.startswith(("324", "325")) for code in naics)
        trader = any(code.startswith("424") for code in naics)
        roles = ("producer", "user") if maker else (("trader",) if trader else ("user",))
        rng = Random(f"{seed}/shift/{facility.holder}")
        owner = Enterprise(
            seed,
            facility.holder,
            facility.facility.name,
            send,
            kind="facility",
            shift=rng.choice(("day", "day", "two", "three")),
            roles=roles,
            industry="C26" if maker else ("F51" if trader else "C13"),
        )
        for at, declared in enumerate(facility.stores):
            goods = _tank_goods(facility, at)
            size = declared.opening_mg * 8 // 5
            capacity = size // declared.piece_mg if declared.piece_mg else size // KG * KG
            store = Store(owner, declared.id, goods, max(capacity, 4), book=declared.book)
            store.uses_a_day = rng.uniform(1.6, 4.6)
            store.use_share = rng.uniform(0.003, 0.009)
            store.supplier = outside(1 + rng.randrange(300))
            store.lot = max(1, int(store.capacity * rng.uniform(0.10, 0.18)))
            store.count_days = 7
            owner.stores.append(store)
        made.append(owner)
    return made


def _simulated(
    seed: int, send: Send, kind: str, number: int, name: str, shift: str, roles: tuple[str, ...], industry: str
) -> Enterprise:
    code = {"trader": "TRD", "producer": "PRD", "factory": "FAC", "plater": "PLT", "lab": "LAB", "stage": "WRK"}[kind]
    return Enterprise(
        seed, holder(code, number), f"{name} {number:02d}", send, kind=kind, shift=shift, roles=roles, industry=industry
    )


def _stock(
    owner: Enterprise, goods: Goods, capacity: int, uses: float, share: float, lot: int, *, kind: str = ""
) -> Store:
    store = Store(owner, f"R{len(owner.stores) + 1}", goods, capacity, kind=kind)
    store.uses_a_day, store.use_share, store.lot = uses, share, lot
    owner.stores.append(store)
    return store


class Cast:
    """All holders, and the lanes between them. Makers and traders come before those who buy from them."""

    def __init__(self, seed: int, send: Send, *, scale: int = 1) -> None:
        """`scale` n takes every n-th enterprise and shop of each sort: for quick tests."""
        self.seed, self.send = seed, send
        self.lanes: list[Lane] = []
        take = slice(None, None, scale)
        producers = [self._producer(n) for n in range(1, PRODUCERS + 1)]
        traders = [self._trader(n) for n in range(1, TRADERS + 1)]
        real = facilities(seed, send)[take]
        factories = [self._factory(n, producers) for n in range(1, FACTORIES + 1)][take]
        platers = [self._plater(n, traders) for n in range(1, PLATERS + 1)][take]
        labs = [self._lab(n, traders) for n in range(1, LABS + 1)][take]
        self.stages = [self._stage(n) for n in range(1, STAGES + 1)]
        self.enterprises: Sequence[Enterprise] = [
            *producers,
            *traders,
            *real,
            *factories,
            *platers,
            *labs,
            *self.stages,
        ]
        present = {id(owner) for owner in self.enterprises}
        self.lanes = [lane for lane in self.lanes if id(lane.buyer.owner) in present]

    def _producer(self, n: int) -> Enterprise:
        owner = _simulated(self.seed, self.send, "producer", n, "Acid works", "three", ("producer",), "C26")
        for goods in (g.NITRIC_TANK, g.PEROXIDE_TANK, g.SULFURIC_TANK):
            store = _stock(owner, goods, 2_000_000 * KG, 0, 0.0, 0)
            store.produces = True
        return owner

    def _trader(self, n: int) -> Enterprise:
        owner = _simulated(self.seed, self.send, "trader", n, "Chemical trading", "two", ("trader",), "F51")
        for at, goods in enumerate((*g.DRUMS, *g.BOTTLES)):
            store = _stock(owner, goods, 600 if goods.piece_mg >= 5 * KG else 3000, 0, 0.0, 90)
            store.supplier = outside(400 + 40 * n + at)
            if goods.piece_mg < 5 * KG:
                store.lot = 500
        return owner

    def _factory(self, n: int, producers: list[Enterprise]) -> Enterprise:
        owner = _simulated(self.seed, self.send, "factory", n, "Chemical plant", "three", ("producer", "user"), "C26")
        rng = owner.rng
        for goods, size in ((g.NITRIC_TANK, 90_000), (g.SULFURIC_TANK, 200_000), (g.PEROXIDE_TANK, 60_000)):
            store = _stock(owner, goods, size * KG, rng.uniform(1, 3), rng.uniform(0.006, 0.012), 0)
            supplier = producers[n % len(producers)]
            source = next(s for s in supplier.stores if s.goods.code == goods.code)
            self.lanes.append(Lane(source, store, store.capacity * 15 // 100))
        for goods, size in ((g.TOLUENE_TANK, 80_000), (g.HYDROCHLORIC_TANK, 60_000)):
            store = _stock(owner, goods, size * KG, rng.uniform(1, 3), rng.uniform(0.006, 0.012), size * KG * 15 // 100)
            store.supplier = outside(700 + n)
        return owner

    def _plater(self, n: int, traders: list[Enterprise]) -> Enterprise:
        owner = _simulated(self.seed, self.send, "plater", n, "Electroplating works", "day", ("user",), "C33")
        rng, trader = owner.rng, traders[n % len(traders)]
        for goods in (g.CYANIDE, g.NITRIC_DRUM, g.PEROXIDE_DRUM, g.HYDROCHLORIC_DRUM, g.DICHROMATE):
            self._drums(owner, trader, goods, 60, rng.uniform(0.5, 1.6))
        return owner

    def _lab(self, n: int, traders: list[Enterprise]) -> Enterprise:
        owner = _simulated(self.seed, self.send, "lab", n, "Laboratory", "day", ("user",), "M73")
        rng, trader = owner.rng, traders[n % len(traders)]
        for goods in g.BOTTLES:
            store = self._drums(owner, trader, goods, 60, rng.uniform(0.3, 1.2))
            store.kind = "lab_cabinet"
        return owner

    def _drums(self, owner: Enterprise, trader: Enterprise, goods: Goods, capacity: int, uses: float) -> Store:
        store = _stock(owner, goods, capacity, uses, 0.015, 0)
        source = next(s for s in trader.stores if s.goods is goods)
        self.lanes.append(Lane(source, store, max(4, capacity * 16 // 100)))
        store.count_days = 28
        return store

    def _stage(self, n: int) -> Enterprise:
        """An enterprise with one small ordinary store; planted cases bring stores of their own."""
        trader = n % 2 == 1 and n > BARE_STAGES
        name, role, industry = ("Dealer", "trader", "F51") if trader else ("Workshop", "user", "C33")
        owner = _simulated(self.seed, self.send, "stage", n, name, "day", (role,), industry)
        store = _stock(owner, g.ETHANOL_DRUM, 40, 0.4, 0.03, 6)
        store.supplier = outside(900 + n)
        store.count_days = 28
        if n > BARE_STAGES:
            owner.planned = [Shelf(goods, 400) for goods in (*g.DRUMS, *g.STAGED)]
        return owner
