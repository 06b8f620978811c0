"""A01 by what is one balance: a batch, or a band of concentration, can run out while of the substance plenty is left."""

from __future__ import annotations

from tests.scenario import goods as g
from tests.scenario.clock import HOUR, MINUTE
from tests.scenario.drafts import KG
from tests.scenario.goods import Goods
from tests.scenario.plants.scene import Case, Scene, near, planted
from tests.scenario.racks import Part, Rack

NITRIC = Goods("7697-37-2", "Nitric acid 68 %, containers", 0, "68", "solution")
STRONG = Goods("7722-84-1", "Hydrogen peroxide 50 %", 0, "50", "solution")
MIDDLE = Goods("7722-84-1", "Hydrogen peroxide 27.5 %", 0, "27.5", "solution")
WEAK = Goods("7722-84-1", "Hydrogen peroxide 15 %", 0, "15", "solution")


def _label(scene: Scene, rack: Rack, act: int) -> None:
    scene.in_book(rack, act, act + 50 * MINUTE)


def _drums(first: int, second: int):
    """Thirty drums of one batch and twenty of another; so many of each are written down as used, from the second first."""

    def play(scene: Scene) -> None:
        rack = scene.rack(Part(g.NITRIC_DRUM, 30, "N-2601"), Part(g.NITRIC_DRUM, 20, "N-2602"), capacity_kg=3_000)
        act = scene.at(0, 11)

        def out(ms: int) -> None:
            old, new = rack.parts
            new.move("out", "consumption", second, ms)
            if first:
                old.move("out", "consumption", first, ms + MINUTE)
            if new.pieces < 0:
                # What was not of the batch that is written down was of the other.
                old.pieces, new.pieces = old.pieces + new.pieces, 0

        scene.do(act, out)
        _label(scene, rack, act)

    return play


def _weighed(parts: tuple[Part, ...], which: int, kilograms: int):
    """So much goes out of one of several balances."""

    def play(scene: Scene) -> None:
        rack = scene.rack(*parts, capacity_kg=20_000)
        act = scene.at(0, 11)

        def out(ms: int) -> None:
            taken = rack.parts[which]
            taken.move("out", "consumption", kilograms * KG, ms)
            if taken.booked_mg < 0:
                other = rack.parts[which - 1]
                other.true_mg, taken.true_mg = other.true_mg + taken.true_mg, 0

        scene.do(act, out)
        _label(scene, rack, act)

    return play


def _joined(scene: Scene) -> None:
    """A drum without its batch goes out: nobody can tell the batches apart any more, and the book has one balance."""
    rack = scene.rack(Part(g.NITRIC_DRUM, 30, "N-2601"), Part(g.NITRIC_DRUM, 20, "N-2602"), capacity_kg=3_000)
    act = scene.at(0, 11)

    def out(ms: int) -> None:
        old, new = rack.parts
        old.marks = {}
        old.move("out", "consumption", 1, ms)
        new.move("out", "consumption", 22, ms + 5 * MINUTE)
        old.pieces, new.pieces = old.pieces + new.pieces, 0

    scene.do(act, out)
    _label(scene, rack, act)


def _dips(explained: bool):
    """By event time one batch dips below zero; a delivery of that batch recorded five minutes later explains it, or one of the
    other batch, which does not.
    """

    def play(scene: Scene) -> None:
        rack = scene.rack(Part(g.ETHANOL_DRUM, 60, "E-71"), Part(g.ETHANOL_DRUM, 10, "E-72"), capacity_kg=30_000)
        act = scene.at(0, 11)

        def move(ms: int) -> None:
            old, new = rack.parts
            new.move("in", "found", 10, ms - 2 * MINUTE)
            new.move("out", "consumption", 15, ms - 4 * MINUTE, received_ms=ms + MINUTE)
            late = new if explained else old
            late.move("in", "found", 6, ms - 6 * MINUTE, received_ms=ms + 6 * MINUTE)

        scene.do(act, move)
        scene.in_book(rack, act, act + HOUR)

    return play


_TWO = (Part(NITRIC, 3_000 * KG, "N-2603"), Part(NITRIC, 1_000 * KG, "N-2604"))
_BANDS = (Part(WEAK, 4_000 * KG), Part(STRONG, 1_000 * KG))
_ONE_BAND = (Part(MIDDLE, 4_000 * KG), Part(STRONG, 1_000 * KG))
COUNTED = ("A04", "A05", "A07")
"""What the next count finds where the wrong batch was written down."""

CASES: tuple[Case, ...] = (
    planted(
        "A01-batch",
        "A01",
        "22 drums of a batch of 20 go out; of the other batch 30 are left",
        _drums(0, 22),
        severity="critical",
        band=0,
        also=COUNTED,
    ),
    near("A01-batches", "A01", "all of one batch and 25 of the other's 30", _drums(25, 20)),
    planted(
        "A01-batch-bulk",
        "A01",
        "1,060 kg of a batch of a tonne; of the other batch three tonnes are left",
        _weighed(_TWO, 1, 1_060),
        severity="critical",
        band=0,
        also=COUNTED,
    ),
    near("A01-batch-most", "A01", "990 kg of a batch of a tonne", _weighed(_TWO, 1, 990)),
    planted(
        "A01-strength",
        "A01",
        "1,200 kg of peroxide 50 % where there was a tonne; of 15 % there are four",
        _weighed(_BANDS, 1, 1_200),
        severity="critical",
        band=0,
        also=COUNTED,
    ),
    near(
        "A01-strengths",
        "A01",
        "1,200 kg of 50 % beside four tonnes of 27.5 %: the list has one entry for both",
        _weighed(_ONE_BAND, 1, 1_200),
        also=COUNTED,
    ),
    planted(
        "A01-batch-dip",
        "A01",
        "a batch dips by event time, and what came late was of another",
        _dips(explained=False),
        severity="critical",
        band=1,
    ),
    near("A01-batch-late", "A01", "what came late was of the batch that dips", _dips(explained=True)),
    near("A01-joined", "A01", "a line without a batch makes all batches one balance", _joined, also=COUNTED),
)
