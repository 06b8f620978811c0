"""A02 beyond the plain store: limits by certificate, of one code or category, and what a laboratory may hold."""

from __future__ import annotations

from typing import Any

from tests.scenario import goods as g
from tests.scenario.clock import DAY, HOUR
from tests.scenario.drafts import KG
from tests.scenario.goods import Goods
from tests.scenario.plants.papers import buy_outside, grant_certificate
from tests.scenario.plants.scene import Case, Scene, near, planted
from tests.scenario.racks import Part
from tests.scenario.stores import Store

CABINET_PEROXIDE = Goods("7722-84-1", "Hydrogen peroxide 30 %, 2.5 L", 2_500_000, "30", "solution", litres=True)
WEAK_PEROXIDE = Goods("7722-84-1", "Hydrogen peroxide 6 %, 2.5 L", 2_500_000, "6", "solution", litres=True)
GLYCEROL = Goods("56-81-5", "Glycerol, 2.5 L", 2_500_000, litres=True)
SALT_BAG = Goods("7647-14-5", "Salt", 25 * KG, form="solid")
SALT_BOTTLE = Goods("7647-14-5", "Salt", KG, form="solid")
"""What may stand beside oxidisers."""


def _in_store(scene: Scene, store: Store, from_ms: int, until_ms: int, goods: str = "") -> None:
    """The label; `goods` are those that the certificate limits."""
    where = {"holder": store.owner.holder, "in": f"{store.id}/{goods}" if goods else store.id}
    scene.label(from_ms, until_ms, **where)


# --- certificates of everything together -------------------------------------------------------------------------------


def _certified(stated: int, certified: int, stock: int, **more: Any):
    """Drums in a store of `stated`, certified for `certified`; a delivery makes them `stock`."""

    def play(scene: Scene) -> None:
        store = scene.store(g.ETHANOL_DRUM, capacity=stated, opening=stock * 2 // 3)
        grant_certificate(scene, scene.at(0, 9), store, certified * 160, **more)
        act = scene.at(scene.workday(1), 10)
        scene.do(act, lambda ms: buy_outside(scene, store, stock - store.pieces, ms))
        _in_store(scene, store, act, act + HOUR)

    return play


def _declared(stated: int, declared: int, stock: int, checked: int | None):
    """The enterprise declares a certificate itself and fills the store; the authority looks at it so many days later, or never."""

    def play(scene: Scene) -> None:
        store = scene.store(g.ETHANOL_DRUM, capacity=stated, opening=stock * 2 // 3)
        said = scene.at(0, 9)
        checked_ms = None if checked is None else said + checked * DAY
        grant_certificate(scene, said, store, declared * 160, declared=True, checked_ms=checked_ms)
        act = scene.at(scene.workday(1), 10)
        scene.do(act, lambda ms: buy_outside(scene, store, stock - store.pieces, ms))
        _in_store(scene, store, act, said + 5 * DAY + 2 * HOUR)

    return play


def _ends(stated: int, certified: int, stock: int, *, renewed: bool):
    """A certificate ends on the fourth day; nothing moves, and its successor begins then or there is none."""

    def play(scene: Scene) -> None:
        store = scene.store(g.ETHANOL_DRUM, capacity=stated, opening=stock)
        said = scene.at(0, 7.7)
        grant_certificate(scene, said, store, certified * 160, days=(-300, 3))
        if renewed:
            again = scene.at(scene.workday(1), 9)
            grant_certificate(scene, again, store, certified * 160, days=(4, 700), number=f"Q-{scene.name}-2")
        _in_store(scene, store, scene.at(0, 8), scene.at(4, 6))

    return play


# --- one code, one category --------------------------------------------------------------------------------------------


def _of_code(acetone: int, ethanol: int):
    """Drums of two solvents in one room; four tonnes of acetone may lie there."""

    def play(scene: Scene) -> None:
        parts = (Part(g.ACETONE_DRUM, 14), Part(g.ETHANOL_DRUM, ethanol // 2))
        rack = scene.rack(*parts, capacity_kg=20_000, count_days=28)
        of = {"code": g.ACETONE_DRUM.code}
        grant_certificate(scene, scene.at(0, 9), rack, 4_000, **of)
        act = scene.at(scene.workday(1), 10)
        first, second = rack.parts
        scene.do(act, lambda ms: first.move("in", "found", acetone - first.pieces, ms))
        scene.do(act + HOUR, lambda ms: second.move("in", "found", ethanol - second.pieces, ms))
        _in_store(scene, rack, act, act + 2 * HOUR, of["code"])

    return play


def _of_category(nitric: int, peroxide: int, salt: int = 100):
    """Two precursors and salt in one room; two tonnes of precursors may lie there. Of each there is less than that."""

    def play(scene: Scene) -> None:
        parts = (Part(g.NITRIC_DRUM, nitric // 2), Part(g.PEROXIDE_DRUM, peroxide), Part(SALT_BAG, salt))
        rack = scene.rack(*parts, capacity_kg=20_000)
        of = {"category": "explosive_precursor"}
        grant_certificate(scene, scene.at(0, 9), rack, 2_000, **of)
        act = scene.at(scene.workday(1), 10)
        scene.do(act, lambda ms: buy_outside(scene, rack.parts[0], nitric - rack.parts[0].pieces, ms))
        _in_store(scene, rack, act, act + HOUR, of["category"])

    return play


# --- laboratories ------------------------------------------------------------------------------------------------------


def _laboratory(*parts: Part, bought: int, kind: str = "lab_cabinet"):
    """Bottles in a laboratory's cabinet; so many more of the first sort are bought."""

    def play(scene: Scene) -> None:
        rack = scene.rack(*parts, capacity_kg=300, kind=kind)
        act = scene.at(scene.workday(1), 10)
        first = rack.parts[0]
        scene.do(act, lambda ms: buy_outside(scene, first, bought, ms))
        _in_store(scene, rack, act, act + HOUR)

    return play


_NEARLY = (Part(g.NITRIC_BOTTLE, 24), Part(g.PERMANGANATE_BOTTLE, 20), Part(SALT_BOTTLE, 12))
"""16.8 kg of nitric acid, 10 kg of permanganate, and what is no precursor."""

CASES: tuple[Case, ...] = (
    planted(
        "A02-certificate",
        "A02",
        "130 drums where the certificate permits 120, though the store was stated for 200",
        _certified(200, 120, 130),
        severity="high",
        band=2,
    ),
    near(
        "A02-certified",
        "A02",
        "170 drums where 150 were stated, and the certificate permits 200",
        _certified(150, 200, 170),
    ),
    planted(
        "A02-unchecked",
        "A02",
        "a certificate that nobody checked within five days counts no longer",
        _declared(200, 300, 215, None),
        days=9,
        severity="high",
        band=3,
    ),
    near("A02-checked", "A02", "it was checked on the fourth day", _declared(200, 300, 215, 3), days=9),
    planted(
        "A02-ended",
        "A02",
        "the certificate ended, and the store was stated for less than lies there",
        _ends(200, 300, 215, renewed=False),
        days=7,
        severity="high",
        band=2,
    ),
    near("A02-renewed", "A02", "its successor begins the next day", _ends(200, 300, 215, renewed=True), days=7),
    planted(
        "A02-code",
        "A02",
        "27 drums of acetone where the certificate permits 4 t of it",
        _of_code(27, 30),
        severity="high",
    ),
    near("A02-code-other", "A02", "22 drums of it, and 11 t of another solvent", _of_code(22, 70)),
    planted(
        "A02-category",
        "A02",
        "two precursors, each below the 2 t that the certificate permits of all",
        _of_category(32, 38),
        severity="high",
    ),
    near("A02-category-other", "A02", "1.7 t of precursors, and 6 t of salt", _of_category(24, 34, 240)),
    planted(
        "A02-lab",
        "A02",
        "50.5 kg of three precursors in a laboratory's cabinet, of each less than half",
        _laboratory(*_NEARLY, Part(g.PEROXIDE_BOTTLE, 32), bought=11),
        severity="high",
        band=1,
    ),
    planted(
        "A02-lab-litres",
        "A02",
        "45 L of peroxide 30 % in a laboratory's room are 50.1 kg",
        _laboratory(Part(CABINET_PEROXIDE, 12), bought=6, kind="lab_room"),
        severity="high",
        band=1,
    ),
    near(
        "A02-lab-below",
        "A02",
        "49.8 kg of them",
        _laboratory(*_NEARLY, Part(g.PEROXIDE_BOTTLE, 32), bought=10),
    ),
    near(
        "A02-lab-litre",
        "A02",
        "42.5 L of peroxide 30 % are 47.3 kg",
        _laboratory(Part(CABINET_PEROXIDE, 12), bought=5, kind="lab_room"),
    ),
    near(
        "A02-lab-weak",
        "A02",
        "60 L of peroxide 6 %, which is no precursor, and 80 L of glycerol",
        _laboratory(Part(WEAK_PEROXIDE, 14), Part(GLYCEROL, 32), bought=10),
    ),
    near(
        "A02-lab-not",
        "A02",
        "90 kg in a cabinet that is no laboratory's",
        _laboratory(Part(g.NITRIC_BOTTLE, 70), Part(g.PEROXIDE_BOTTLE, 70), bought=10, kind="cabinet"),
    ),
)
