"""Family E: what lies beside what, how much of it, how long; and who leaves it behind."""

from __future__ import annotations

from typing import Any

from tests.scenario import clock
from tests.scenario import goods as g
from tests.scenario.clock import DAY, HOUR
from tests.scenario.drafts import KG, enterprise
from tests.scenario.goods import Goods
from tests.scenario.opening import profile
from tests.scenario.plants.scene import BARE, Case, Scene, near, planted


def _beside(first: Goods, second: Goods, *, apart: bool):
    """Two stores, in one fire compartment or in two."""

    def play(scene: Scene) -> None:
        stores = [scene.store(goods, capacity=60, opening=10) for goods in (first, second)]
        for at, store in enumerate(stores):
            store.compartment = f"C-{scene.name}-{at}"[:32] if apart else f"C-{scene.name}"[:32]
        act = scene.at(0, 7)
        scene.label(act, act + 4 * HOUR)

    return play


def _hazard(tonnes: int):
    """So much potassium chlorate (Q = 100 t) in one unit."""

    def play(scene: Scene) -> None:
        goods = Goods("3811-04-9", "Potassium chlorate", 1000 * KG, form="solid")
        store = scene.store(goods, capacity=400, opening=10)
        act = scene.at(scene.workday(1), 10)
        scene.do(act, lambda ms: store.move("in", "found", tonnes - 10, ms))
        scene.label(act, act + HOUR)

    return play


def _shares(toxic: Goods, other: Goods | None):
    """Other goods are put into the store of highly toxic ones."""

    def play(scene: Scene) -> None:
        store = scene.store(toxic, capacity=60, opening=10)
        act = scene.at(scene.workday(1), 10)

        def put(ms: int) -> None:
            if other is None:
                store.move("in", "found", 2, ms)
                return
            body: dict[str, Any] = {
                "direction": "in",
                "reason": "found",
                "lines": [other.line(store.id, 0, 2)],
                "handlers": scene.owner.handlers(2),
            }
            store.desk.write("movement", body, ms, scene.owner.received(ms), signers=2)
            taken = body | {"direction": "out", "reason": "consumption"}
            later = ms + 3 * HOUR
            scene.do(later, lambda at: store.desk.write("movement", taken, at, scene.owner.received(at), signers=2))

        scene.do(act, put)
        scene.label(act, act + HOUR)

    return play


def _expires(days: int):
    """A lot that expires so many days after the case begins."""

    def play(scene: Scene) -> None:
        store = scene.store(g.ETHANOL_DRUM, capacity=60, opening=0, count_days=28)
        store.marks = {"expires": clock.day_text(scene.day + days)}
        act = scene.at(scene.workday(1), 10)
        scene.do(act, lambda ms: store.move("in", "found", 5, ms))
        ends = max(act, clock.day_start(scene.day + days))
        scene.in_book(store, min(act, ends), scene.at(scene.case.days - 3, 0))

    return play


def _closing(*, empty: bool, days: int):
    """An enterprise closes, with goods left or without; after so many days it takes the word back."""

    def play(scene: Scene) -> None:
        owner = scene.owner
        act = scene.at(scene.workday(1), 10)
        own = owner.stores[0]

        def close(ms: int) -> None:
            if empty and own.pieces:
                own.move("out", "consumption", own.pieces, ms - HOUR)
            owner.rests = True
            profile(owner, ms, status="closing")

        def back(ms: int) -> None:
            profile(owner, ms)
            owner.rests = False

        scene.do(act, close)
        scene.do(act + days * DAY, back)
        scene.label(act, act + (days + 1) * DAY)

    return play


def _disposes(confirmed: bool):
    """Waste goes to another enterprise here, which records it or does not."""

    def play(scene: Scene) -> None:
        store = scene.store(g.ETHANOL_DRUM, capacity=60, opening=20, count_days=28)
        other = scene.others("user", 1)[0]
        into = scene.store(g.ETHANOL_DRUM, capacity=60, opening=5, owner=other, count_days=28)
        name = f"W{scene.rng.getrandbits(40):010x}"
        act = scene.at(scene.workday(1), 10)
        scene.do(
            act,
            lambda ms: store.move(
                "out", "disposal", 4, ms, consignment=name, counterparty=enterprise(other.holder, other.name)
            ),
        )
        if confirmed:
            scene.do(
                act + 2 * DAY,
                lambda ms: into.move(
                    "in", "transfer", 4, ms, consignment=name, counterparty=enterprise(scene.owner.holder)
                ),
                other,
            )
        scene.in_book(store, act, act + 33 * DAY)

    return play


CASES: tuple[Case, ...] = (
    planted(
        "E01-oxfl",
        "E01",
        "an oxidiser and a flammable liquid in one compartment",
        _beside(g.CHLORATE, g.ACETONE_DRUM, apart=False),
        severity="critical",
    ),
    planted(
        "E01-accn",
        "E01",
        "cyanide and acid in one compartment",
        _beside(g.CYANIDE, g.HYDROCHLORIC_DRUM, apart=False),
        also=("E04",),
    ),
    near("E01-apart", "E01", "in two compartments", _beside(g.CHLORATE, g.ACETONE_DRUM, apart=True)),
    near(
        "E01-alike",
        "E01",
        "two nitrates in one compartment",
        _beside(g.NITRATE, Goods("7631-99-4", "Sodium nitrate", 25 * KG, form="solid"), apart=False),
    ),
    planted("E02-beyond", "E02", "140 t where 100 t make a major hazard", _hazard(140), severity="high"),
    planted("E02-near", "E02", "85 t where 100 t make a major hazard", _hazard(85), severity="low"),
    near("E02-half", "E02", "50 t where 100 t make a major hazard", _hazard(50)),
    near("E02-below", "E02", "79 t where 100 t make a major hazard", _hazard(79)),
    planted(
        "E04-mixed",
        "E04",
        "ethanol in the store of cyanide",
        _shares(g.CYANIDE, g.ETHANOL_DRUM),
        severity="high",
        also=("A04", "E01"),
    ),
    near("E04-more", "E04", "more cyanide in the store of cyanide", _shares(g.CYANIDE, None)),
    near(
        "E04-other",
        "E04",
        "acetone in the store of ethanol",
        _shares(g.ETHANOL_DRUM, g.ACETONE_DRUM),
        also=("A04", "E01"),
    ),
    planted("E07-month", "E07", "expired 31 days ago", _expires(3), days=40, severity="medium", times=2),
    planted("E07-new", "E07", "expired", _expires(6), days=14, severity="low", times=2),
    near("E07-far", "E07", "expires in two years", _expires(700), days=14, times=4),
    planted(
        "E08-left",
        "E08",
        "closing for 31 days with goods left",
        _closing(empty=False, days=33),
        days=38,
        stage=BARE,
        times=2,
        also=("A10", "D08"),
    ),
    planted(
        "E08-waste",
        "E08",
        "waste that nobody took in for 31 days",
        _disposes(confirmed=False),
        days=36,
        times=2,
        also=("D08",),
    ),
    near(
        "E08-empty",
        "E08",
        "closing without goods",
        _closing(empty=True, days=33),
        days=38,
        stage=BARE,
        times=2,
        also=("A10", "D08"),
    ),
    near(
        "E08-taken",
        "E08",
        "waste that was taken in two days later",
        _disposes(confirmed=True),
        days=36,
        times=2,
        also=("D08",),
    ),
)
