"""What is bought, by whom, how much and how often: B08 to B13."""

from __future__ import annotations

from tests.scenario import goods as g
from tests.scenario.clock import DAY, HOUR
from tests.scenario.drafts import KG
from tests.scenario.goods import Goods
from tests.scenario.plants.papers import buy_later, grant_licence, grant_statement
from tests.scenario.plants.scene import ALONE, BARE, Case, Scene, near, planted


def _history(last: int, goods: Goods):
    """Fourteen purchases of four to six packages, every second working day; then one of `last`."""

    def play(scene: Scene) -> None:
        store = scene.store(goods, capacity=400, opening=10)
        for n in range(14):
            buy_later(scene, store, scene.workday(1 + 2 * n), 10, (4, 5, 6, 5)[n % 4], supplier=951)
        act = buy_later(scene, store, scene.workday(30), 10, last, supplier=951)
        scene.label(act, act + HOUR)

    return play


def _months(last: int):
    """Ten packages a month for seven months, then `last`, in three purchases."""

    def play(scene: Scene) -> None:
        store = scene.store(g.HEXAMINE, capacity=800, opening=10)
        act = 0
        for month in range(8):
            total = 12 if month < 7 else last
            for part in range(3):
                day = scene.workday(0) + 30 * month + 2 + 7 * part
                act = buy_later(scene, store, day, 10, total // 3, supplier=952)
        scene.label(act - 15 * DAY, act + HOUR)

    return play


def _sellers(amounts: tuple[int, ...], suppliers: tuple[int, ...]):
    """Purchases of one substance, three days apart, each from the next supplier."""

    def play(scene: Scene) -> None:
        store = scene.store(g.CHLORATE, capacity=600, opening=5)
        act = 0
        for n, pieces in enumerate(amounts):
            act = buy_later(scene, store, scene.workday(1 + 2 * n), 10, pieces, supplier=suppliers[n % len(suppliers)])
        scene.label(scene.at(1, 0), act + HOUR)

    return play


VANILLIN = Goods("121-33-5", "Vanillin", 25 * KG, form="solid")


SORBITOL = Goods("50-70-4", "Sorbitol 70 %", 25 * KG, "70", "solution")


WEAK_SORBITOL = Goods("50-70-4", "Sorbitol 50 %", 25 * KG, "50", "solution")


SALT = Goods("7647-14-5", "Salt", 25 * KG, form="solid")


SUGAR = Goods("57-50-1", "Sugar", 25 * KG, "99", "solid")


SODA = Goods("144-55-8", "Soda", 25 * KG, form="solid")
"""Goods of the shipped, harmless example of restricted sets."""


def _combines(*goods: Goods, days_apart: int = 3):
    """Purchases of these, so many days apart."""

    def play(scene: Scene) -> None:
        act = 0
        for n, one in enumerate(goods):
            store = scene.store(one, capacity=60, opening=5, count_days=28)
            act = buy_later(scene, store, scene.day_after(1 + n * days_apart), 10, 4)
        scene.label(act, act + HOUR)

    return play


NEW_GOODS = (
    g.NITRATE,
    g.SULFUR,
    g.ALUMINIUM,
    g.ZINC,
    g.BOROHYDRIDE,
    g.NITROMETHANE,
    g.DICHROMATE,
    g.HEXAMINE,
    g.CHLORATE,
)


def _one_of(scene: Scene) -> Goods:
    """A precursor that the enterprise has not dealt in: each of its cases has another."""
    owner = scene.owner
    owner.dealt_in += 1
    return NEW_GOODS[owner.dealt_in % len(NEW_GOODS)]


def _first_time(second: bool):
    """A substance never bought before; or bought again three weeks later."""

    def play(scene: Scene) -> None:
        store = scene.store(_one_of(scene), capacity=60, opening=5)
        grant_licence(scene, scene.at(0, 8.2))
        grant_statement(scene, scene.at(0, 8.3))
        act = buy_later(scene, store, scene.workday(1), 10, 3)
        if second:
            act = buy_later(scene, store, scene.workday(10), 10, 3)
        scene.label(act, act + HOUR)

    return play


def _statement(days: tuple[int, int] | None):
    """A purchase under a licence, with a statement of lawful use of that age or none."""

    def play(scene: Scene) -> None:
        store = scene.store(_one_of(scene), capacity=60, opening=10)
        grant_licence(scene, scene.at(0, 8.2))
        if days is not None:
            grant_statement(scene, scene.at(0, 8.3), days=days)
        act = buy_later(scene, store, scene.workday(1), 10, 6)
        scene.label(act, act + HOUR)

    return play


CASES: tuple[Case, ...] = (
    planted(
        "B08-great",
        "B08",
        "forty packages after fourteen purchases of five",
        _history(40, g.NITRATE),
        days=48,
        stage=ALONE,
        also=("B09",),
    ),
    near(
        "B08-usual",
        "B08",
        "six packages after fourteen purchases of five",
        _history(6, g.NITRATE),
        days=48,
        stage=ALONE,
    ),
    planted(
        "B09-surge",
        "B09",
        "a month four times the mean of seven before",
        _months(48),
        days=245,
        times=2,
        stage=ALONE,
        also=("B08",),
    ),
    near("B09-season", "B09", "a month a quarter above the mean", _months(15), days=245, times=2, stage=ALONE),
    planted(
        "B10-parts",
        "B10",
        "four purchases from four sellers in nine days",
        _sellers((5, 5, 5, 5), (960, 961, 962, 963)),
        days=14,
        stage=ALONE,
        also=("B12",),
    ),
    near(
        "B10-one",
        "B10",
        "four purchases from one seller",
        _sellers((5, 5, 5, 5), (960,)),
        days=14,
        stage=ALONE,
        also=("B12",),
    ),
    near(
        "B10-two",
        "B10",
        "two small purchases from two sellers",
        _sellers((5, 5), (960, 961)),
        days=10,
        stage=ALONE,
        also=("B12",),
    ),
    planted(
        "B11-both",
        "B11",
        "both groups of a set of two within a week",
        _combines(VANILLIN, SORBITOL),
        days=8,
        stage=ALONE,
        severity="critical",
    ),
    planted(
        "B11-two",
        "B11",
        "two of the three groups of a set, one of them new",
        _combines(SALT, SUGAR),
        days=8,
        stage=ALONE,
        severity="medium",
    ),
    near(
        "B11-weak", "B11", "below the concentration of the set", _combines(VANILLIN, WEAK_SORBITOL), days=8, stage=ALONE
    ),
    near("B11-one", "B11", "two goods of one group", _combines(SODA, SODA), days=8, stage=ALONE),
    near(
        "B11-apart",
        "B11",
        "both groups, a hundred days apart",
        _combines(VANILLIN, SORBITOL, days_apart=100),
        days=106,
        stage=ALONE,
        times=2,
    ),
    planted(
        "B12-new", "B12", "a substance never bought before, outside its scope", _first_time(second=False), stage=BARE
    ),
    near(
        "B12-again", "B12", "bought for the second time", _first_time(second=True), days=16, stage=BARE, also=("B12",)
    ),
    planted(
        "B13-none",
        "B13",
        "a purchase of a precursor without a statement of lawful use",
        _statement(None),
        stage=BARE,
        also=("B12",),
    ),
    planted("B13-old", "B13", "the statement is fourteen months old", _statement((-430, 6)), stage=BARE, also=("B12",)),
    near("B13-ten", "B13", "the statement is ten months old", _statement((-300, 6)), stage=BARE, also=("B12",)),
    near("B13-fresh", "B13", "the statement is a week old", _statement((-7, 6)), stage=BARE, also=("B12",)),
)
