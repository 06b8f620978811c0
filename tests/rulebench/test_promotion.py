"""Promotion: passing tests, no errors, inside the budget; and nothing else in the file changes."""

import pytest

from ledger.errors import RuleError
from ledger.rulebench.backtest import BackTest
from ledger.rulebench.promotion import judged, made_live
from tests.engine.helpers import Classifier
from tests.rulebench.test_health import FRAGILE
from tests.test_rule_versions import A, B, World, level, rules


def against(text):
    world = World(rules(level(10**6)))
    world.put(A, 49)
    world.put(A, 100)
    world.put(B, 120)
    test = BackTest(world.log, rules(text), "X-FULL", Classifier(), start=0, end=int(world.log.size()))
    test.run()
    return judged(test, Classifier())


def test_judged__tests_pass_and_inside_the_budget__nothing_against_it():
    assert against(level(status="shadow")) == []


def test_judged__above_the_budget__the_busiest_day():
    (reason,) = against(level(status="shadow").replace("episode:", "budget: {max_per_day: 1}\nepisode:"))
    assert "2 alerts on" in reason


def test_judged__a_test_fails__its_name():
    (reason,) = against(level(status="shadow").replace("about: silent, events: [{at: 0h, in: [{code: 7697-37-2, kg: 1,", "about: silent, events: [{at: 0h, in: [{code: 7697-37-2, kg: 999,"))
    assert reason.startswith("test 'b'")


def test_judged__it_raises_on_history__said():
    assert any("errors" in reason for reason in against(FRAGILE))


def test_made_live__status_and_version__and_nothing_else():
    text = level(status="shadow", version=7)
    assert made_live(text) == level(status="live", version=8)
    with pytest.raises(RuleError):
        made_live(text.replace("version: 7", "\"version\": 7"))
