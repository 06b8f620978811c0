"""Families G and H: knives and rented vehicles, and persons who turn up in both."""

from __future__ import annotations

from typing import Any
from zlib import crc32

from tests.scenario import goods as g
from tests.scenario.clock import DAY, HOUR
from tests.scenario.people import Person, make_person
from tests.scenario.plants.papers import trade
from tests.scenario.plants.scene import Case, Scene, near, planted
from tests.scenario.rental import FLEET
from tests.scenario.shops import DAGGER, FOLDING, KITCHEN, Shop


def _shop(scene: Scene, nth: int = 0) -> Shop:
    """The case's shop, or another one that is not."""
    shops = scene.world.shops
    return shops[(crc32(scene.name.encode()) + nth) % len(shops)]


def _sale(shop: Shop, buyer: Person | None, knife: dict[str, Any], pieces: int, ms: int, scene: Scene, **more: Any):
    """Schedule a sale; its draft's id goes to the scene's label by `more['label']`."""
    label = more.pop("label", None)

    def sell(at: int) -> None:
        made = shop.sell_to(buyer, knife, pieces, at, rng=scene.rng, **more)
        if label is not None:
            label.where["record"] = made.record_id

    shop.at(ms, sell)


def _sells(knife: dict[str, Any], pieces: int = 1, *, minor: bool = False, after_h: float = 1, **more: Any):
    """One sale at a shop."""

    def play(scene: Scene) -> None:
        shop, buyer = _shop(scene), make_person(scene.rng, minor=minor)
        act = scene.at(1, 14)
        label = scene.label(act, act + round(after_h * HOUR), holder=shop.holder)
        _sale(shop, buyer, knife, pieces, act, scene, label=label, **more)

    return play


def _buys(*sales: tuple[float, int, int], window_h: float = 1):
    """One person's purchases: (hours after the first, pieces, which shop)."""

    def play(scene: Scene) -> None:
        buyer = make_person(scene.rng)
        shops = [_shop(scene), _shop(scene, 1), _shop(scene, 2)]
        first = scene.at(1, 11)
        act = first
        for hours, pieces, which in sales:
            act = first + round(hours * HOUR)
            _sale(shops[which], buyer, KITCHEN, pieces, act, scene)
        scene.label(first, act + round(window_h * HOUR), **{"in": buyer.surrogate})

    return play


def _incomplete(photos: tuple[str, ...], *, checks: bool = True, match: int = 930):
    def play(scene: Scene) -> None:
        shop, buyer = _shop(scene), make_person(scene.rng)
        act = scene.at(1, 14)
        label = scene.label(act, act + 26 * HOUR, holder=shop.holder)
        _sale(shop, buyer, KITCHEN, 1, act, scene, label=label, photos=photos, checks=checks, match=match)

    return play


# --- rental ----------------------------------------------------------------------------------------------------------


def _lets(*, match: int = 930, valid: bool = True, driver: str = "renter", payer: bool = False):
    """One contract; the driver is the renter, a declared second one, or somebody else."""

    def play(scene: Scene) -> None:
        rental = scene.world.rental
        renter = make_person(scene.rng, id_valid=valid)
        other = make_person(scene.rng)
        act = scene.at(1, 10)
        label = scene.label(act, act + HOUR, holder=rental.holder)
        car = FLEET + scene.rng.randrange(8000)

        def out(ms: int) -> None:
            more: dict[str, Any] = {"second": other} if driver == "second" else {}
            if driver == "other":
                more["driver"] = other
            if payer:
                more["payer"] = renter
            contract = rental.out(renter, car, ms, ms + DAY, match=match, **more)
            label.where["in"] = contract
            rental.at(ms + 20 * HOUR, lambda at: rental.give_back(contract, car, at))

        rental.at(act, out)

    return play


def _returns(late_h: float, *, extended: bool = False):
    """A car that comes back so many hours after it was due."""

    def play(scene: Scene) -> None:
        rental, renter = scene.world.rental, make_person(scene.rng)
        act = scene.at(1, 10)
        due = act + DAY
        label = scene.label(due, due + round(max(late_h, 3) * HOUR) + HOUR, holder=rental.holder)
        car = FLEET + scene.rng.randrange(8000)

        def out(ms: int) -> None:
            contract = rental.out(renter, car, ms, due)
            label.where["in"] = contract
            if extended:
                rental.at(due - HOUR, lambda at: rental.extend(contract, car, renter, at, due + DAY))
            rental.at(due + round(late_h * HOUR), lambda at: rental.give_back(contract, car, at))

        rental.at(act, out)

    return play


def _rents(contracts: int, every_h: float, length_h: float):
    """One person rents again and again."""

    def play(scene: Scene) -> None:
        rental, renter = scene.world.rental, make_person(scene.rng)
        first = scene.at(1, 9)
        act = first
        for n in range(contracts):
            act = first + round(n * every_h * HOUR)
            car = FLEET + scene.rng.randrange(8000)

            def out(ms: int, car: int = car) -> None:
                contract = rental.out(renter, car, ms, ms + round(length_h * HOUR))
                rental.at(ms + round((length_h - 0.5) * HOUR), lambda at: rental.give_back(contract, car, at))

            rental.at(act, out)
        scene.label(first, act + HOUR, **{"in": renter.surrogate})

    return play


def _scenes(knife_h: float, van_h: float | None, *, car: int = 9):
    """One person is agent for a purchase of a precursor, buys a knife, rents a vehicle; hours after the first."""

    def play(scene: Scene) -> None:
        person = make_person(scene.rng)
        seller = scene.store(g.NITRIC_DRUM, capacity=60, opening=20)
        buyer = scene.store(g.NITRIC_DRUM, capacity=60, opening=10, owner=scene.buyer)
        _, first = trade(scene, seller, buyer, scene.workday(1), 9, 6, sale={"persons": {"/body/agent": person}})
        _sale(_shop(scene), person, KITCHEN, 1, first + round(knife_h * HOUR), scene)
        last = first + round(knife_h * HOUR)
        if van_h is not None:
            rental = scene.world.rental
            act = first + round(van_h * HOUR)
            number = car + 9 * (1000 + scene.rng.randrange(800))

            def out(ms: int) -> None:
                contract = rental.out(person, number, ms, ms + DAY)
                rental.at(ms + 20 * HOUR, lambda at: rental.give_back(contract, number, at))

            rental.at(act, out)
            last = max(last, act)
        scene.label(first, last + HOUR, **{"in": person.surrogate})

    return play


SHARP = KITCHEN | {"class": "outdoor", "blade_mm": 165, "tip_angle_deg": 45}
BLUNT = KITCHEN | {"class": "outdoor", "blade_mm": 230, "tip_angle_deg": 75}
MODEL = DAGGER | {"class": "outdoor", "edged": False, "tip_radius_um": 3000}
BOTH = ("buyer_photo", "goods_photo")
ENDS = {"role": "trader"}

CASES: tuple[Case, ...] = (
    planted("G01-minor", "G01", "the buyer is sixteen", _sells(KITCHEN, minor=True), severity="critical"),
    planted("G01-folding", "G01", "a minor buys a folding knife", _sells(FOLDING, minor=True), severity="critical"),
    near("G01-adult", "G01", "the buyer is of age", _sells(KITCHEN)),
    near("G01-two", "G01", "somebody of age buys two", _sells(FOLDING, 2)),
    planted("G02-four", "G02", "four at once", _buys((0, 4, 0)), severity="high"),
    planted("G02-six", "G02", "six in a fortnight, in one shop", _buys((0, 2, 0), (120, 2, 0), (240, 2, 0)), days=14),
    near("G02-three", "G02", "three at once", _buys((0, 3, 0))),
    near("G02-five", "G02", "five in a fortnight", _buys((0, 2, 0), (120, 2, 0), (240, 1, 0)), days=14),
    planted("G03-two", "G03", "two shops in five hours", _buys((0, 1, 0), (5, 1, 1))),
    planted("G03-three", "G03", "two shops in seventy hours", _buys((0, 1, 0), (70, 1, 2)), days=6),
    near("G03-one", "G03", "twice in one shop", _buys((0, 1, 0), (5, 1, 0))),
    near("G03-later", "G03", "another shop four days later", _buys((0, 1, 0), (97, 1, 1)), days=7),
    planted("G04-dagger", "G04", "a dagger without a permit", _sells(DAGGER), severity="critical"),
    planted("G04-sharp", "G04", "165 mm and a tip of 45 degrees", _sells(SHARP), severity="critical"),
    planted("G04-long", "G04", "230 mm", _sells(BLUNT), severity="critical"),
    near(
        "G04-permit",
        "G04",
        "a dagger with a permit",
        _sells(DAGGER, permits=[{"type": "special_knife", "issuer": "County police"}]),
    ),
    near("G04-short", "G04", "148 mm and a tip of 45 degrees", _sells(SHARP | {"blade_mm": 148})),
    near("G04-model", "G04", "an unsharpened one with a blunt tip", _sells(MODEL)),
    planted(
        "G05-photo",
        "G05",
        "no photograph of the buyer, and none came within a day",
        _incomplete(("goods_photo",)),
        severity="medium",
    ),
    planted(
        "G05-face",
        "G05",
        "face and photograph agree to 0.55",
        _incomplete(BOTH, match=550),
        severity="high",
        also=("C04",),
    ),
    near("G05-whole", "G05", "complete", _incomplete(BOTH)),
    near("G05-limit", "G05", "face and photograph agree to 0.80", _incomplete(BOTH, match=800)),
    planted(
        "H01-number", "H01", "the renter's number has a wrong check character", _lets(valid=False), severity="high"
    ),
    planted("H01-face", "H01", "face and photograph agree to 0.60", _lets(match=600), severity="high"),
    planted("H01-driver", "H01", "somebody else drives", _lets(driver="other")),
    near("H01-second", "H01", "a second driver is declared", _lets(driver="second")),
    near("H01-limit", "H01", "face and photograph agree to 0.80", _lets(match=800)),
    near("H01-payer", "H01", "the renter pays", _lets(payer=True)),
    planted("H02-five", "H02", "five hours late", _returns(5), days=5, severity="medium"),
    planted("H02-gone", "H02", "thirty hours late", _returns(30), days=6, severity="high"),
    near("H02-hour", "H02", "an hour and a half late", _returns(1.5), days=5),
    near("H02-longer", "H02", "extended in time", _returns(20, extended=True), days=6),
    planted("H03-two", "H03", "two contracts at a time", _rents(2, 3, 24), severity="medium", also=("H05",)),
    planted("H03-four", "H03", "four contracts in a week", _rents(4, 30, 20), days=9, also=("H05",)),
    near("H03-three", "H03", "three contracts in a week", _rents(3, 40, 20), days=9, also=("H05",)),
    near("H03-after", "H03", "one after the other", _rents(2, 30, 20), days=6, also=("H05",)),
    planted(
        "H05-three",
        "H05",
        "a precursor, a knife and a van in two days",
        _scenes(20, 44),
        days=6,
        severity="medium",
        **ENDS,
    ),
    planted("H05-knife", "H05", "a precursor and a knife in a day", _scenes(20, None), days=6, **ENDS),
    near("H05-apart", "H05", "a precursor and a knife four days later", _scenes(98, None), days=9, **ENDS),
    near("H05-car", "H05", "a knife four days after, and a small car", _scenes(98, 44, car=1), days=9, **ENDS),
)
