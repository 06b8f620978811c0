"""Planted cases of every rule, and as many near misses that may not fire; each with its label.

A case is a function that gets a `Scene`: a first day, a generator of its own, a place to act. Adding one changes nobody
else's stream: it acts in books, at enterprises or with persons of its own.
"""

from __future__ import annotations

from random import Random
from typing import TYPE_CHECKING

from tests.scenario import clock
from tests.scenario.cast import BARE_STAGES
from tests.scenario.plants import balance, data, flow, knives, orders, parties, storage
from tests.scenario.plants.scene import ALONE, BARE, Case, Scene

if TYPE_CHECKING:
    from tests.scenario.enterprise import Enterprise
    from tests.scenario.world import World

CASES: tuple[Case, ...] = tuple(
    case for family in (balance, flow, parties, data, storage, orders, knives) for case in family.CASES
)
FIRST_DAYS = 30
"""What fits into the first thirty days has one of its times there, so that the short run has it too."""
APART = 40
"""Days between two cases that need an enterprise to themselves."""


def plant(world: World) -> None:
    """Schedule every case; their labels are complete afterwards, but for the record ids that come as they are written."""
    stages = world.cast.stages
    bare, licensed = stages[:BARE_STAGES], stages[BARE_STAGES:]
    free: dict[str, int] = {}
    """holder -> first day from which it may be taken alone."""
    turn = 0
    for case in CASES:
        for time in range(case.times):
            rng = Random(f"{world.seed}/case/{case.id}/{time}")
            day = _first_day(case, time, rng)
            if case.stage in (ALONE, BARE):
                group = bare if case.stage == BARE else _of_role(licensed, case.role)
                owner = min(group, key=lambda one: (max(free.get(one.holder, 0) - day, 0), free.get(one.holder, 0)))
                day = max(day, free.get(owner.holder, 0))
                if day + case.days > clock.DAYS:
                    continue
                free[owner.holder] = day + case.days + APART
            else:
                turn += 1
                group = _of_role(licensed, case.role)
                owner = group[turn % len(group)]
            case.play(Scene(world, case, time, clock.next_workday(day), owner, rng))


def _of_role(stages: list[Enterprise], role: str) -> list[Enterprise]:
    return [one for one in stages if not role or role in one.roles]


def _first_day(case: Case, time: int, rng: Random) -> int:
    if time == 0 and case.days <= FIRST_DAYS - 6:
        return 4 + rng.randrange(FIRST_DAYS - 5 - case.days)
    latest = clock.DAYS - case.days - 2
    share = max(latest - FIRST_DAYS, 1) // max(case.times, 1)
    return min(FIRST_DAYS + time * share + rng.randrange(max(share, 1)), latest)
