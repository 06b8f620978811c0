"""What may take effect: a rule that becomes live, and another text of one that is."""

import pytest

from tests.test_rule_versions import A, B, World, event, level, rules


def test_shadow_made_live__says_what_holds_from_then_on():
    world = World(rules(level(status="shadow")))
    world.put(A, 120)
    world.run()
    assert not world.said("X-FULL") and world.store.health_rows["X-FULL"].alerts == 1
    world.change(level(version=2))
    last = world.put(A, 1)
    world.run()
    assert world.said("X-FULL") == [(A, last.index, 0)]
    world.check_replay()


def test_shadow_made_live__with_a_test_that_fails__the_old_rules_go_on_and_it_is_visible():
    world = World(rules(level(status="shadow"), event()))
    world.put(A, 120)
    world.run()
    world.start(rules(level(version=2).replace("at: 0h}]}", "at: 9h}]}"), event(2, version=2)))
    world.run()
    assert [e.kind for e in world.log.entries].count("ruleset") == 1
    assert (
        world.store.health_rows["PROMOTION"].state == "error" and "X-FULL" in world.store.health_rows["PROMOTION"].error
    )
    world.put(A, 1)
    world.run()
    assert not world.said("X-FULL") and not world.said("X-OFTEN")
    world.start(rules(level(version=2), event(2, version=2)))
    world.run()
    assert world.store.health_rows["PROMOTION"].state == "ok"
    world.put(A, 1)
    world.run()
    assert world.said("X-FULL") and world.said("X-OFTEN")
    world.check_replay()


@pytest.mark.parametrize("before", ["a draft", "not there"])
def test_rule_made_live__that_was_neither_in_shadow_nor_tested__the_old_rules_go_on(before):
    """Else a rule comes round its shadow by being written as live."""
    draft = [level(20, status="draft")] if before == "a draft" else []
    world = World(rules(event(), *draft))
    world.run()
    old = world.engine.status()["ruleset"]
    world.start(rules(event(), level(20).replace("expect: []", "expect: [{at: 0h}]")))
    world.run()
    assert world.engine.status()["ruleset"] == old
    assert "X-FULL: 3 of its tests fail" in world.store.health_rows["PROMOTION"].error
    world.start(rules(event(), level(20)))
    world.run()
    assert world.engine.status()["ruleset"] != old
    assert world.store.health_rows["PROMOTION"].state == "ok"


def test_rule_that_is_live__with_another_text_that_fails_its_tests__the_old_rules_go_on():
    world = World(rules(level(), event()))
    world.run()
    old = world.engine.status()["ruleset"]
    world.start(rules(level(version=2).replace("expect: []", "expect: [{at: 0h}]"), event()))
    world.run()
    assert world.engine.status()["ruleset"] == old
    assert "X-FULL: 3 of its tests fail" in world.store.health_rows["PROMOTION"].error


def test_rule_that_is_live__with_another_text__its_budget_does_not_hold_it_up():
    text = level(50).replace("episode:", "budget: {max_per_day: 1}\nepisode:")
    world = World(rules(text))
    for holder in (A, B):
        world.put(holder, 60)
    world.run()
    mended = rules(text.replace("version: 1", "version: 2"))
    world.start(mended)
    world.run()
    assert world.engine.status()["ruleset"] == mended.digest


def test_shadow_made_live__above_its_budget_on_the_log__stays_in_shadow():
    text = level(50, status="shadow").replace("episode:", "budget: {max_per_day: 1}\nepisode:")
    world = World(rules(text))
    for holder in (A, B):
        world.put(holder, 60)
    world.run()
    world.start(rules(text.replace("status: shadow", "status: live")))
    world.run()
    assert "2 alerts on" in world.store.health_rows["PROMOTION"].error
    assert [e.kind for e in world.log.entries].count("ruleset") == 1
