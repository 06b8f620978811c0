"""A10 and A11: counts that are overdue, and what repacking and dilution leave of the pure substance."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tests.scenario import clock
from tests.scenario import goods as g
from tests.scenario.clock import HOUR, MINUTE
from tests.scenario.drafts import KG, Draft
from tests.scenario.goods import Goods
from tests.scenario.plants.scene import ALONE, Case, Scene, near, planted
from tests.scenario.stores import Store

THIN = Goods("7697-37-2", "Nitric acid 30 %", 0, "30", "solution")
UNSTATED = Goods("7697-37-2", "Nitric acid, diluted", 0, "", "solution")
ACID_TANK = Goods("7697-37-2", "Nitric acid 68 %", 0, "68", "solution")

# --- A10 counts overdue ----------------------------------------------------------------------------------------------


def _uncounted(goods: Goods, days: int):
    """Nobody counts for so many days; every evening is closed."""

    def play(scene: Scene) -> None:
        store = scene.store(goods, capacity=40, opening=20)
        store.count_due = lambda day: not scene.day < day <= scene.day + days  # type: ignore[method-assign]
        begins = scene.at(1, 8)
        scene.in_book(store, begins, scene.at(days + 2, 0))

    return play


def _counts_when(goods: Goods, due: Callable[[Scene, int], bool], days: int, *, uses: tuple[int, ...] = ()):
    """Counted on the days that `due` (a day of the case) says; two packages go out on these working days of the case."""

    def play(scene: Scene) -> None:
        store = scene.store(goods, capacity=60, opening=20)
        store.count_due = lambda day: due(scene, day - scene.day)  # type: ignore[method-assign]
        for n in uses:
            scene.do(scene.at(scene.workday(n), 10), lambda ms: store.move("out", "consumption", 2, ms))
        scene.in_book(store, scene.at(1, 0), scene.at(days, 0))

    return play


def _every(days: int) -> Callable[[Scene, int], bool]:
    return lambda _scene, day: day > 0 and day % days == 0


def _on_working_days(scene: Scene, day: int) -> bool:
    return clock.is_workday(scene.day + day)


def _the_day_after(scene: Scene, day: int) -> bool:
    """On the working day after each of the two days on which goods go out."""
    return day in (scene.workday(2), scene.workday(4)) or day > scene.workday(4)


def _emptied(scene: Scene) -> None:
    """The last of a poison is used up; nobody counts nothing."""
    store = scene.store(g.CYANIDE, capacity=40, opening=6)
    used = scene.workday(1)
    store.count_due = lambda day: day <= scene.day + used  # type: ignore[method-assign]
    scene.do(scene.at(used, 10), lambda ms: store.move("out", "consumption", 6, ms))
    scene.in_book(store, scene.at(1, 0), scene.at(9, 0))


# --- A11 repacking and dilution --------------------------------------------------------------------------------------


def _comes_of(store: Store, amount: int, process: str, out: Draft, ms: int) -> None:
    """What a run gave: so much (mg, or pieces) by the book."""
    body: dict[str, Any] = {
        "direction": "in",
        "reason": "dilution",
        "lines": [store.line(amount)],
        "process": {"id": process, "inputs": [{"record": out.record_id, "line": 0}]},
        "measurement": store.measured("weighbridge"),
        "handlers": store.owner.handlers(1),
    }
    if store.goods.sealed:
        store.pieces += amount
    else:
        store.true_mg += amount
        store.booked_mg += amount
    store.moved_day, store.moved_since = clock.day_of(ms), True
    store.desk.write("movement", body, ms, store.owner.received(ms))


def _dilute(lost_permille: int, *, into: Goods = THIN):
    """68 % acid becomes 30 % acid: as much pure substance comes out as went in, less the loss."""

    def play(scene: Scene) -> None:
        strong = scene.store(g.NITRIC_DRUM, capacity=60, opening=40)
        weak = scene.store(into, capacity=20_000 * KG, opening=2_000 * KG)
        act = scene.at(scene.workday(1), 10)
        process = f"DIL-{scene.rng.getrandbits(24):06x}"

        def play_(ms: int) -> None:
            out = strong.move("out", "dilution", 10, ms, process={"id": process})
            pure = 10 * g.NITRIC_DRUM.piece_mg * 68 // 100
            made = pure * (1000 - lost_permille) // 1000 * 100 // 30
            _comes_of(weak, made, process, out, ms + 40 * MINUTE)

        scene.do(act, play_)
        scene.label(act, act + 26 * HOUR, **{"holder": scene.owner.holder, "in": process})

    return play


def _repack(pieces: int, *, back: bool = False):
    """1,400 kg from a tank are filled into drums of 35 kg: 40 of them, or fewer; `back`: the rest goes back into the tank."""

    def play(scene: Scene) -> None:
        tank = scene.store(ACID_TANK, capacity=20_000 * KG, opening=9_000 * KG)
        drums = scene.store(g.NITRIC_DRUM, capacity=200, opening=12)
        act = scene.at(scene.workday(1), 9.5)
        process = f"FIL-{scene.rng.getrandbits(24):06x}"

        def fill(ms: int) -> None:
            out = tank.move("out", "dilution", 40 * g.NITRIC_DRUM.piece_mg, ms, process={"id": process})
            _comes_of(drums, pieces, process, out, ms + 90 * MINUTE)
            if back:
                _comes_of(tank, (40 - pieces) * g.NITRIC_DRUM.piece_mg, process, out, ms + 100 * MINUTE)

        scene.do(act, fill)
        scene.label(act, act + 27 * HOUR, **{"holder": scene.owner.holder, "in": process})

    return play


CASES: tuple[Case, ...] = (
    planted("A10-toxic", "A10", "highly toxic goods not counted for three days", _uncounted(g.CYANIDE, 3), days=6),
    near("A10-week", "A10", "precursor without movement, counted after six days", _uncounted(g.HEXAMINE, 5), days=9),
    planted("A11-lost", "A11", "three per cent of the pure acid is not in what was diluted", _dilute(30), stage=ALONE),
    near("A11-kept", "A11", "diluted without loss", _dilute(0), stage=ALONE),
)
LATER: tuple[Case, ...] = (
    planted(
        "A10-moved",
        "A10",
        "a precursor went out, and was not counted by the end of the next working day",
        _counts_when(g.NITRIC_DRUM, _every(6), 6, uses=(1,)),
        days=9,
        severity="medium",
        band=5,
    ),
    near(
        "A10-next",
        "A10",
        "a precursor went out twice, and was counted on the next working day",
        _counts_when(g.NITRIC_DRUM, _the_day_after, 9, uses=(1, 3)),
        days=12,
    ),
    planted(
        "A10-rests",
        "A10",
        "a precursor without movement not counted for eleven days",
        _counts_when(g.DICHROMATE, _every(12), 12),
        days=15,
        severity="medium",
        band=6,
    ),
    near(
        "A10-weekend",
        "A10",
        "highly toxic goods counted on working days only",
        _counts_when(g.CYANIDE, _on_working_days, 12, uses=(2, 5)),
        days=13,
    ),
    planted(
        "A10-twice",
        "A10",
        "highly toxic goods not counted for twice the time",
        _uncounted(g.CYANIDE, 7),
        days=10,
        severity="high",
        band=0,
    ),
    near("A10-empty", "A10", "the store of a poison is empty", _emptied, days=10),
    planted(
        "A10-month",
        "A10",
        "other goods, in daily use, not counted for 36 days",
        _counts_when(g.ETHANOL_DRUM, _every(37), 37, uses=(1, 6, 12, 18)),
        days=40,
        times=2,
        severity="medium",
        band=7,
    ),
    near(
        "A10-weeks",
        "A10",
        "other goods counted every four weeks",
        _counts_when(g.ETHANOL_DRUM, _every(28), 56, uses=(1, 9, 17)),
        days=60,
        times=2,
    ),
    planted(
        "A11-more",
        "A11",
        "five per cent more pure acid in what was diluted than went in",
        _dilute(-50),
        band=1,
        severity="high",
    ),
    planted(
        "A11-drums",
        "A11",
        "38 drums of the forty that a tank's acid was filled into",
        _repack(38),
        band=0,
        severity="high",
    ),
    planted(
        "A11-unstated",
        "A11",
        "nobody says how strong the diluted acid is",
        _dilute(0, into=UNSTATED),
        band=2,
        severity="low",
    ),
    near("A11-forty", "A11", "forty drums of forty", _repack(40)),
    near("A11-little", "A11", "four thousandths are lost in the pipes", _dilute(4)),
    near("A11-back", "A11", "37 drums of forty, and the rest went back into the tank", _repack(37, back=True)),
)
