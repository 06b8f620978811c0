"""E07 without a stated date: peroxide formers are too old so many months after they came (ledger/catalogue/properties.csv)."""

from __future__ import annotations

from typing import Any

from tests.scenario import clock
from tests.scenario.clock import DAY, HOUR
from tests.scenario.drafts import KG, Draft, evidence
from tests.scenario.goods import Goods
from tests.scenario.plants.papers import buy_later
from tests.scenario.plants.scene import Case, Scene, near, planted
from tests.scenario.stores import Store

POTASSIUM = Goods("7440-09-7", "Potassium, 100 g", KG // 10, form="solid")
SODIUM = Goods("7440-23-5", "Sodium, 100 g", KG // 10, form="solid")
"""No peroxide former, though it lies in the same cabinet."""
STYRENE = Goods("100-42-5", "Styrene", 180 * KG)
BUTADIENE = Goods("106-99-0", "Butadiene", 0)
LIMIT_DAYS = 92
"""Three months, at most."""


def _cabinet(scene: Scene, goods: Goods, pieces: int, **more: Any) -> Store:
    kind = "room" if goods is STYRENE else "lab_cabinet"
    return scene.store(goods, capacity=120, opening=pieces, kind=kind, **more)


def _came_before(goods: Goods, days: int, **marks: str):
    """A new book goes on from a paper one: its count of then, when nothing was there, the delivery so many days ago from its
    note, and a count of today."""

    def play(scene: Scene) -> None:
        store = _cabinet(scene, goods, 8, marks=marks)

        def begin(ms: int, pieces: int) -> Draft:
            came = ms - days * DAY + 3 * HOUR
            store.count(came - HOUR, amount=0, received_ms=ms)
            note = [evidence(scene.rng, "delivery_note", "application/pdf")]
            store.move("in", "found", pieces, came, received_ms=ms, evidence=note)
            return store.count(ms + 20 * clock.MINUTE)

        store.open = begin  # type: ignore[method-assign]
        act = scene.at(0, 7)
        scene.in_book(store, act, act + 2 * DAY)

    return play


def _stays(days: int, *, goods: Goods = POTASSIUM, **marks: str):
    """What was there at the opening count is used too slowly: some of it is there on the last day."""

    def play(scene: Scene) -> None:
        store = _cabinet(scene, goods, 40, marks=marks)
        for n in range(10):
            scene.do(scene.at(scene.day_after(1 + 7 * n), 10), lambda ms: store.move("out", "consumption", 2, ms))
        scene.in_book(store, scene.at(60, 0), scene.at(days, 0))

    return play


def _renewed(used: int, days: int):
    """Twenty tins, and twenty more forty days later; `used` go in time, the oldest first."""

    def play(scene: Scene) -> None:
        store = _cabinet(scene, POTASSIUM, 0)
        buy_later(scene, store, scene.workday(1), 10, 20)
        buy_later(scene, store, scene.day_after(42), 10, 20)
        for n in range(used // 4):
            scene.do(scene.at(scene.day_after(4 + 14 * n), 11), lambda ms: store.move("out", "consumption", 4, ms))
        scene.in_book(store, scene.at(60, 0), scene.at(days, 0))

    return play


def _tank(scene: Scene) -> None:
    """Butadiene rests in a tank, where nobody can say which of it is how old."""
    store = scene.store(BUTADIENE, capacity=3_000 * KG, opening=1_000 * KG)
    for n in range(3):
        at = scene.at(scene.day_after(20 + 25 * n), 10)
        scene.do(at, lambda ms: store.move("in", "found", 200 * KG, ms))
        scene.do(at + 2 * HOUR, lambda ms: store.move("out", "consumption", 190 * KG, ms))
    scene.in_book(store, scene.at(60, 0), scene.at(LIMIT_DAYS + 4, 0))


LATE = ("A10", "C05", "D05")
"""An old delivery is entered long after it came, and by the log nobody was enrolled then; until today's count comes, the paper one
is too old."""

CASES: tuple[Case, ...] = (
    planted(
        "E07-old-potassium",
        "E07",
        "potassium without a date that came a hundred days ago",
        _came_before(POTASSIUM, 100),
        severity="low",
        also=LATE,
    ),
    planted(
        "E07-old-styrene",
        "E07",
        "styrene without a date that came fourteen months ago is more than a month too old",
        _came_before(STYRENE, 425),
        severity="medium",
        also=LATE,
    ),
    near(
        "E07-new-potassium",
        "E07",
        "potassium without a date that came eighty-seven days ago",
        _came_before(POTASSIUM, 87),
        also=LATE,
    ),
    near(
        "E07-new-styrene",
        "E07",
        "styrene without a date that came eleven months ago",
        _came_before(STYRENE, 335),
        also=LATE,
    ),
    near(
        "E07-old-sodium", "E07", "sodium without a date that came two years ago", _came_before(SODIUM, 730), also=LATE
    ),
    near(
        "E07-old-dated",
        "E07",
        "potassium that came a hundred days ago, good until 2027 by its label",
        _came_before(POTASSIUM, 100, expires="2027-12-31"),
        also=LATE,
    ),
    planted(
        "E07-stays",
        "E07",
        "potassium without a date, three months after the opening count, though some was used every week",
        _stays(LIMIT_DAYS + 4),
        days=LIMIT_DAYS + 6,
        times=2,
        severity="low",
    ),
    planted(
        "E07-rest",
        "E07",
        "of two deliveries four tins of the older are left a month after their age limit",
        _renewed(16, 132),
        days=134,
        times=2,
        severity="medium",
    ),
    near(
        "E07-renewed",
        "E07",
        "of two deliveries the older was used up in time",
        _renewed(20, 124),
        days=124,
        times=2,
    ),
    near("E07-tank", "E07", "butadiene in a tank has no age", _tank, days=LIMIT_DAYS + 6, times=2),
)
