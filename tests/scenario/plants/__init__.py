"""Planted cases of every rule, and as many near misses that may not fire; each with its label.

A case is a function that gets a `Scene`: a first day, a generator of its own, a place to act. Adding one changes nobody
else's stream: it acts in books, at enterprises or with persons of its own.
"""

from __future__ import annotations

from random import Random
from typing import TYPE_CHECKING

from tests.scenario import clock
from tests.scenario.cast import BARE_STAGES
from tests.scenario.plants import (
    ages,
    balance,
    batches,
    counts,
    data,
    flow,
    knives,
    limits,
    orders,
    parties,
    shapes,
    storage,
)
from tests.scenario.plants.scene import ALONE, BARE, Case, Scene

if TYPE_CHECKING:
    from tests.scenario.enterprise import Enterprise
    from tests.scenario.world import World

_FIRST = (*balance.CASES, *counts.CASES, *flow.CASES, *parties.CASES, *data.CASES, *storage.CASES, *orders.CASES)
_LATER = (*batches.CASES, *limits.CASES, *ages.CASES, *counts.LATER, *flow.LATER, *orders.LATER, *shapes.CASES)
CASES: tuple[Case, ...] = (*_FIRST, *knives.CASES, *_LATER)
"""Those of `_LATER` find their days and places when the others have theirs, so that these stay where they were."""
FIRST_DAYS = 30
"""What fits into the first thirty days has one of its times there, so that the short run has it too."""
APART = {BARE: 16, ALONE: 14}
LONG_APART = 32
"""Days between two cases that need an enterprise to themselves; rules that look back a month need more."""
LOOKING_BACK = frozenset({"B08", "B09", "B10", "B11", "D06", "F03"})
TRIES = 200


def plant(world: World) -> None:
    """Schedule every case; their labels are complete afterwards, but for the record ids that come as they are written."""
    stages = world.cast.stages
    bare, licensed = stages[:BARE_STAGES], stages[BARE_STAGES:]
    taken: dict[str, list[tuple[int, int]]] = {owner.holder: [] for owner in stages}
    turn = 0
    # Every case's first time comes first, so that the short run has as many of them as there is room for.
    times = [(case, time) for case in CASES for time in range(case.times)]
    for case, time in sorted(times, key=lambda one: (one[0] in _LATER, one[1])):
        rng = Random(f"{world.seed}/case/{case.id}/{time}")
        if case.stage in (ALONE, BARE):
            group = bare if case.stage == BARE else _of_role(licensed, case.role)
            day, owner = _alone(case, time, rng, group, taken)
        else:
            turn += 1
            group = _of_role(licensed, case.role)
            day, owner = _first_day(case, time, rng), group[turn % len(group)]
        case.play(Scene(world, case, time, day, owner, rng))


def _alone(
    case: Case, time: int, rng: Random, group: list[Enterprise], taken: dict[str, list[tuple[int, int]]]
) -> tuple[int, Enterprise]:
    """A day and an enterprise that nobody else has then, nor shortly before and after."""
    apart = LONG_APART if case.rule in LOOKING_BACK else APART[case.stage]
    for attempt in range(TRIES):
        day = _first_day(case, time if attempt < TRIES // 2 else 1 + attempt % max(case.times, 2), rng)
        at = rng.randrange(len(group))
        for owner in (*group[at:], *group[:at]):
            if all(day + case.days + apart < begins or ends + apart < day for begins, ends in taken[owner.holder]):
                taken[owner.holder].append((day, day + case.days))
                return day, owner
    raise ValueError(f"no room for {case.id}, time {time}: more stages are needed")


def _of_role(stages: list[Enterprise], role: str) -> list[Enterprise]:
    return [one for one in stages if not role or role in one.roles]


def _first_day(case: Case, time: int, rng: Random) -> int:
    if time == 0 and case.days <= FIRST_DAYS - 6:
        return clock.next_workday(4 + rng.randrange(FIRST_DAYS - 5 - case.days))
    latest = clock.DAYS - case.days - 2
    share = max(latest - FIRST_DAYS, 1) // max(case.times, 1)
    return clock.next_workday(min(FIRST_DAYS + time * share + rng.randrange(max(share, 1)), latest))
