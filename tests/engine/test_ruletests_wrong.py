"""Tests in rule files that cannot be run: each is a failed test with its line, and never the end of who runs it."""

import pytest

from ledger.engine import ruletests
from ledger.engine.ruletests import check_test, run_tests
from ledger.errors import RuleError, StoreError
from tests.engine.helpers import Classifier
from tests.engine.rulekit import rule_text, rules_of
from tests.test_rule_versions import A, World, event, level, rules

MOVE = "at: 0h, in: [{code: 7697-37-2, kg: 1, store: R1}]"


def a_rule_with(script):
    (rule,) = rules_of(rule_text().replace("tests: []", f"tests:\n  - {script}")).rules
    return rule


@pytest.mark.parametrize(
    "script",
    [
        "{name: a, about: fires, events: [{at: 0h, correct: {event: 99}}], expect: []}",
        "{name: a, about: fires, events: [{at: 0h, record: {kind: movement, body: 5}}], expect: []}",
        "{name: a, about: fires, events: [{at: 0h, record: {kind: movement, body: {lines: [{event: 5}]}}}], expect: []}",
        f"{{name: a, about: fires, events: [{{{MOVE}, more: 5}}], expect: []}}",
        f"{{name: a, about: fires, clock: noon, events: [{{{MOVE}}}], expect: []}}",
        f"{{name: a, about: fires, clock: 9999-12-31T23:59:59Z, events: [{{{MOVE}}}], expect: []}}",
        f"{{name: a, about: fires, events: [{', '.join([f'{{{MOVE}}}'] * 401)}], expect: []}}",
    ],
)
def test_script__that_cannot_be_run__is_a_failed_test_with_its_line(script):
    rule = a_rule_with(script)
    outcome = run_tests([rule], Classifier())[0]
    assert outcome.detail.startswith("0.yml:14: ") and outcome.name == "line 14"
    with pytest.raises(RuleError, match=r"0\.yml:14: "):
        check_test(rule.tests[0])


def test_store__away_while_a_test_is_run__is_no_failed_test(monkeypatch):
    def away(*_):
        raise StoreError("the store is away")

    monkeypatch.setattr(ruletests, "_run", away)
    with pytest.raises(StoreError):
        run_tests([a_rule_with(f"{{name: a, about: fires, events: [{{{MOVE}}}], expect: []}}")], Classifier())


def test_shadow_made_live__with_a_test_that_cannot_be_run__the_old_rules_go_on():
    """It ended the engine at every start."""
    world = World(rules(level(status="shadow"), event()))
    world.put(A, 120)
    world.run()
    old = world.engine.status()["ruleset"]
    broken = level(version=2).replace("events: [", "events: [{at: 0h, correct: {event: 99}}, ", 1)
    world.start(rules(broken, event()))
    world.run()
    assert world.engine.status()["ruleset"] == old
    assert "1 of its tests fail, first 'line" in world.store.health_rows["PROMOTION"].error
