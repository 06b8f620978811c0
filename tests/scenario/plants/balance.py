"""Family A: what is there, what the book says, what the paper allows."""

from __future__ import annotations

from tests.scenario import goods as g
from tests.scenario.clock import DAY, HOUR, MINUTE
from tests.scenario.drafts import KG, mass
from tests.scenario.goods import Goods
from tests.scenario.plants.scene import BARE, Case, Scene, near, planted
from tests.scenario.stores import Store

TANK = Goods("67-56-1", "Methanol", 0)
"""Bulk goods that need no licence."""


# --- A01 negative stock ----------------------------------------------------------------------------------------------


def _overdraw(extra: int, goods: Goods, opening: int):
    def play(scene: Scene) -> None:
        store = scene.store(goods, capacity=4 * opening, opening=opening)
        act = scene.at(0, 11)

        def out(ms: int) -> None:
            amount = store.booked + extra
            if goods.sealed:
                store.move("out", "consumption", amount, ms)
                store.pieces = 0
            else:
                body = {
                    "direction": "out",
                    "reason": "consumption",
                    "lines": [store.line(amount)],
                    "measurement": store.measured("weighbridge"),
                    "handlers": scene.owner.handlers(1),
                }
                store.desk.write("movement", body, ms, scene.owner.received(ms))
                store.true_mg, store.booked_mg = 0, -extra

        scene.do(act, out)
        scene.in_book(store, act, act + 30 * MINUTE)

    return play


def _dip_explained(scene: Scene) -> None:
    """By event time the store dips below zero until a purchase recorded five minutes later explains it."""
    store = scene.store(g.ETHANOL_DRUM, capacity=60, opening=10)
    act = scene.at(0, 11)

    def play(ms: int) -> None:
        store.move("in", "found", 10, ms - 2 * MINUTE)
        store.move("out", "consumption", 15, ms - 4 * MINUTE, received_ms=ms + MINUTE)
        store.move("in", "found", 6, ms - 6 * MINUTE, received_ms=ms + 6 * MINUTE)

    scene.do(act, play)
    scene.in_book(store, act, act + HOUR)


def _dip_unexplained(scene: Scene) -> None:
    store = scene.store(g.ETHANOL_DRUM, capacity=60, opening=10)
    act = scene.at(0, 11)

    def play(ms: int) -> None:
        store.move("in", "found", 10, ms - 2 * MINUTE)
        store.move("out", "consumption", 15, ms - 4 * MINUTE, received_ms=ms + MINUTE)

    scene.do(act, play)
    scene.in_book(store, act, act + HOUR)


# --- A02 over capacity -----------------------------------------------------------------------------------------------


def _fill(share_permille: int, *, pieces: int = 200):
    def play(scene: Scene) -> None:
        store = scene.store(g.ETHANOL_DRUM, capacity=pieces, opening=pieces // 2)
        act = scene.at(0, 11)
        scene.do(act, lambda ms: store.move("in", "found", pieces * share_permille // 1000 - store.pieces, ms))
        scene.label(act, act + 30 * MINUTE, **{"in": store.id, "holder": scene.owner.holder})

    return play


# --- A03 more than the licence permits -------------------------------------------------------------------------------


def _licensed_for(bought_kg: tuple[int, ...], permitted_kg: int, *, code: str = ""):
    """A licence for so many kilograms of hexamine (or of `code`), then purchases of hexamine in whole bags."""

    def play(scene: Scene) -> None:
        from tests.scenario.plants.papers import grant_licence, grant_statement

        store = scene.store(g.HEXAMINE, capacity=400, opening=8)
        items = [{"goods": "chemical", "code": code or g.HEXAMINE.code, "quantity": mass(permitted_kg * KG)}]
        grant_licence(scene, scene.at(0, 8.5), items=items, categories=[] if code else None)
        grant_statement(scene, scene.at(0, 8.6))
        last = 0
        for n, kilograms in enumerate(bought_kg):
            last = scene.at(scene.workday(n + 1), 10)
            scene.do(last, lambda ms, kg=kilograms: _buy(scene, store, kg // 25, ms))
        scene.label(scene.at(scene.workday(1), 10), last + 30 * MINUTE)

    return play


def _buy(scene: Scene, store: Store, pieces: int, ms: int) -> None:
    from tests.scenario.plants.papers import buy_outside

    buy_outside(scene, store, pieces, ms)


# --- A04 book against count ------------------------------------------------------------------------------------------


def _missing(goods: Goods, pieces: int):
    def play(scene: Scene) -> None:
        store = scene.store(goods, capacity=60, opening=30)
        store.closes = True
        act = scene.at(scene.workday(1), 9)

        def gone(ms: int) -> None:
            store.count(ms, amount=store.pieces - pieces)

        scene.do(act, gone)
        scene.in_book(store, act, act + 30 * MINUTE)

    return play


def _typo_corrected(scene: Scene) -> None:
    """A piece too many written down, corrected before the evening's count."""
    store = scene.store(g.NITRIC_DRUM, capacity=60, opening=30)
    act = scene.at(scene.workday(1), 9)

    def play(ms: int) -> None:
        was = store.move("out", "consumption", 3, ms)
        store.correct(was, 2, ms + 20 * MINUTE)

    scene.do(act, play)
    scene.in_book(store, act, act + DAY)


# --- A05 to A08: material balances -----------------------------------------------------------------------------------


THROUGH_MG = 150_000 * KG
"""What flows through the tank every day: so much that each day's balance errs by itself, whatever the last one did."""


def _sigma_mg(store: Store) -> int:
    """Of a day's balance: one delivery, one issue, two readings of the gauge (engine.md)."""
    r2, s2 = (store.goods.random_ppm / 1e6) ** 2, (store.goods.systematic_ppm / 1e6) ** 2
    content = store.capacity // 3
    return round((2 * THROUGH_MG**2 * (r2 + s2) + 2 * content**2 * r2) ** 0.5)


def _tank(scene: Scene, days: int) -> Store:
    """A tank that is filled and emptied once a day, and counted every evening."""
    store = scene.store(TANK, capacity=300_000 * KG, opening=100_000 * KG)
    store.count_due = lambda day: bool(scene.owner.working_hours(day))  # type: ignore[method-assign]
    for n in range(1, days):
        if scene.owner.working_hours(scene.day + n):
            scene.do(scene.at(n, 9), lambda ms: store.move("in", "found", THROUGH_MG, ms))
            scene.do(scene.at(n, 10), lambda ms: store.move("out", "consumption", THROUGH_MG, ms))
    return store


def _thefts(days: int, sigmas: dict[int, float], *, first: float = 0.0):
    """On the n-th working day so many sigmas leave the tank without a record, `first` of them every day."""

    def play(scene: Scene) -> None:
        store = _tank(scene, days)
        begins = 0
        working = [n for n in range(1, days) if scene.owner.working_hours(scene.day + n)]
        for number, n in enumerate(working, start=1):
            taken = sigmas.get(number, 0.0) + first
            if taken:
                at = scene.at(n, 11)
                begins = begins or at
                scene.do(at, lambda _, t=taken: setattr(store, "true_mg", store.true_mg - round(t * _sigma_mg(store))))
        scene.in_book(store, begins or scene.at(0, 9), scene.at(days, 0))

    return play


def _too_good(days: int):
    """Counts that agree with the book to the gram, by a gauge that errs by a thousandth."""

    def play(scene: Scene) -> None:
        store = _tank(scene, days)
        plain = store.count

        def copied(ms: int, *, amount: int | None = None, **more: object):
            if amount is None and store.counted_day >= 0:
                amount = store.booked_mg
            return plain(ms, amount=amount, **more)

        store.count = copied  # type: ignore[method-assign]
        scene.in_book(store, scene.at(14, 0), scene.at(days, 0))

    return play


# --- A09 losses ------------------------------------------------------------------------------------------------------


def _evaporates(shares_ppm: tuple[int, ...]):
    """Declared losses of a volatile bulk liquid, week by week."""

    def play(scene: Scene) -> None:
        goods = Goods("67-64-1", "Acetone", 0)
        store = scene.store(goods, capacity=40_000 * KG, opening=20_000 * KG)
        last = 0
        for n, ppm in enumerate(shares_ppm):
            last = scene.at(scene.workday(1) + 7 * n, 16)

            def lose(ms: int, ppm: int = ppm) -> None:
                gone = round(store.true_mg * ppm / 1e6 / KG) * KG
                store.true_mg -= gone
                store.booked_mg -= gone
                body = {
                    "direction": "out",
                    "reason": "loss",
                    "loss_cause": "evaporation",
                    "lines": [goods.line(store.id, gone)],
                    "handlers": scene.owner.handlers(1),
                }
                store.desk.write("movement", body, ms, scene.owner.received(ms))

            scene.do(last, lose)
        scene.in_book(store, last, last + 2 * HOUR)

    return play


CASES: tuple[Case, ...] = (
    planted(
        "A01-sealed",
        "A01",
        "one package more goes out than there is",
        _overdraw(1, g.NITRIC_DRUM, 20),
        severity="critical",
        band=0,
        also=("A04",),
    ),
    planted(
        "A01-bulk",
        "A01",
        "25 kg more than the tank held",
        _overdraw(25 * KG, TANK, 5_000 * KG),
        severity="critical",
        band=0,
        also=("A04", "A05", "A07"),
    ),
    planted(
        "A01-dip",
        "A01",
        "negative by event time, and no record explains it within 15 minutes",
        _dip_unexplained,
        band=1,
    ),
    near("A01-last", "A01", "exactly the last package", _overdraw(0, g.NITRIC_DRUM, 20)),
    near(
        "A01-tolerance",
        "A01",
        "0.05 kg under zero: within the tolerance of bulk goods",
        _overdraw(KG // 20, TANK, 5_000 * KG),
    ),
    near("A01-explained", "A01", "a late record explains the dip within five minutes", _dip_explained),
    planted("A02-over", "A02", "stock at 105 % of the capacity", _fill(1050), severity="high"),
    planted("A02-far", "A02", "stock at 125 % of the capacity", _fill(1250), severity="critical"),
    near("A02-ninety", "A02", "exactly nine tenths of the capacity", _fill(900)),
    near("A02-half", "A02", "85 % of the capacity", _fill(850)),
    planted(
        "A03-quantity",
        "A03",
        "three purchases together above the licensed quantity",
        _licensed_for((500, 400, 200), 1000),
        days=8,
        stage=BARE,
        severity="critical",
        also=("B12", "B13"),
    ),
    planted(
        "A03-warn",
        "A03",
        "purchases of 95 % of the licensed quantity",
        _licensed_for((500, 450), 1000),
        days=7,
        stage=BARE,
        severity="medium",
        also=("B12", "B13"),
    ),
    near(
        "A03-below",
        "A03",
        "purchases of 85 % of the licensed quantity",
        _licensed_for((400, 450), 1000),
        days=7,
        stage=BARE,
        times=6,
        also=("B12", "B13"),
    ),
    planted(
        "A04-precursor",
        "A04",
        "a drum of a precursor is missing at the count",
        _missing(g.NITRIC_DRUM, 1),
        severity="critical",
    ),
    planted(
        "A04-other",
        "A04",
        "two drums of other goods are missing at the count",
        _missing(g.ETHANOL_DRUM, 2),
        severity="high",
    ),
    near("A04-all", "A04", "every drum is there", _missing(g.NITRIC_DRUM, 0)),
    near("A04-typo", "A04", "a wrong number, corrected before the count", _typo_corrected),
    planted(
        "A05-single", "A05", "six sigma of a tank gone in one day", _thefts(12, {4: 6.0}), days=13, also=("A07", "A06")
    ),
    near("A05-small", "A05", "a sigma of a tank gone in one day", _thefts(12, {4: 1.0}), days=13, also=("A06", "A07")),
    planted(
        "A06-slow", "A06", "0.65 sigma a day, for 100 days", _thefts(100, {}, first=0.65), days=101, also=("A05", "A07")
    ),
    near("A06-none", "A06", "30 days of honest readings", _thefts(30, {}), days=31, also=("A05", "A07")),
    planted(
        "A07-abrupt",
        "A07",
        "2.7 sigma on each of four days",
        _thefts(15, {4: 2.7, 5: 2.7, 6: 2.7, 7: 2.7}),
        days=16,
        also=("A05", "A06"),
    ),
    near("A07-once", "A07", "a sigma once", _thefts(15, {4: 1.0}), days=16, also=("A05", "A06")),
    planted("A08-copied", "A08", "counts that equal the book for seven weeks", _too_good(48), days=49, times=2),
    near(
        "A08-honest",
        "A08",
        "honest counts for seven weeks",
        _thefts(48, {}),
        days=49,
        times=2,
        also=("A05", "A06", "A07"),
    ),
    planted(
        "A09-much",
        "A09",
        "two per cent of a tank declared evaporated in a week",
        _evaporates((600,) * 9 + (20_000,)),
        days=75,
        times=2,
        also=("A05", "A06", "A07"),
    ),
    near(
        "A09-little",
        "A09",
        "0.05 to 0.078 % a week, and 0.075 %",
        _evaporates((500, 720, 590, 660, 480, 780, 605, 690, 750)),
        days=68,
        times=2,
    ),
)
