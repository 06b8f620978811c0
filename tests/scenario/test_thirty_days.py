"""Thirty days of all sites, with the year's own seed: every planted case found, no near miss fired, the budget kept."""

import pytest

from tests.scenario.report import lines, run
from tests.scenario.world import World


@pytest.mark.timeout(900)  # half a minute of one core; others may want it too
def test_thirty_days__all_sites__every_planted_case_found_within_the_budget():
    world = World()
    assert world.holders == 332
    outcome = run(world, 30)
    told = "\n".join(lines(outcome))
    assert not outcome.errors, told
    assert not outcome.missed, told
    assert not outcome.fired, told
    assert not outcome.over_budget, told
    assert outcome.a_workday <= 5, told
