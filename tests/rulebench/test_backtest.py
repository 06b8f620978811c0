"""Back-test: the same as live, over any stretch; beside the live version; interrupted; only what the rule needs."""

from dataclasses import replace
from zoneinfo import ZoneInfo

import pytest

from ledger.catalogue import Catalogue
from ledger.engine.fold import Fold
from ledger.engine.registry import topics_for
from ledger.engine import ruletests
from ledger.errors import RuleError
from ledger.model import LeafIndex
from ledger.ports import LifeRow
from ledger.rulebench.backtest import BackTest, alone, received_span, resumed, stretch
from ledger.rulebench.outcome import Expectations, summary
from tests.bench.dense import stream
from tests.engine.helpers import RULES, Classifier
from tests.fakes_engine import T0
from tests.test_rule_versions import A, B, HOUR, World, event, level, rules

ZONE = ZoneInfo("Asia/Shanghai")


class Store:
    """EngineReader's part that is asked, over a World's store, with outcomes."""

    def __init__(self, world, **outcomes):
        self.alerts, self.outcomes = world.store.alerts, outcomes

    def lives(self, alerts):
        return {a.alert_id: replace(LIFE, alert_id=a.alert_id, outcome=self.outcomes.get(a.holder, "")) for a in alerts}


LIFE = LifeRow("", "open", "open", 0, "high", None, None, None, None, None, "", "", False, {})


def ran(world, set_, rule="X-FULL", *, start=0, end=None, expected=Expectations(), outcomes=()):
    end = end or int(world.log.size())
    test = BackTest(world.log, set_, rule, Classifier(), start=start, end=end)
    assert test.run()
    span = received_span(world.log, start, end)
    return summary(test, Store(world, **dict(outcomes)), expected, ZONE, span), test


def world():
    made = World()
    for n in range(5):
        made.put(A, 30)
        made.put(B, 25)
        made.run()
    return made


def test_backtest__of_the_live_rule__everything_is_the_same():
    made = world()
    done, test = ran(made, made.present)
    assert (done.same, done.new, done.lost) == (2, 0, 0)
    assert [(f.holder, f.index, f.band) for f in test.found] == made.said("X-FULL")
    assert done.sites == 2 and sum(done.days.values()) == 2 and not done.failures


def test_backtest__stricter_draft__new_ones_are_named_with_their_records():
    made = World(rules(level(130), event()))
    for _ in range(5):
        made.put(A, 30)
        made.put(B, 25)
        made.run()
    done, _ = ran(made, rules(level(120), event()))
    assert (done.same, done.new, done.lost) == (1, 1, 0)
    new = next(one for one in done.examples if one.how == "new")
    assert made.log.entries[new.index].record_id == new.record_id and new.holder == B


def test_backtest__laxer_draft__outcomes_say_what_is_lost():
    made = world()
    laxer = rules(level(130), event())
    lost, _ = ran(made, laxer, outcomes={B: "violation_confirmed", A: "false_positive"}.items())
    assert (lost.same, lost.lost) == (1, 1)
    assert lost.confusion == {
        "true_positive": 0, "false_positive": 1, "false_negative": 1, "true_negative": 0, "unknown": 0,
    }
    good, _ = ran(made, laxer, outcomes={B: "no_violation", A: "referred"}.items())
    assert (good.confusion["true_positive"], good.confusion["true_negative"]) == (1, 1)


def test_backtest__shadow_and_draft__are_run_as_live():
    made = world()
    done, _ = ran(made, rules(level(status="shadow"), event()))
    assert done.alerts == 2


def test_backtest__stretch__only_what_is_found_in_it_counts_and_windows_are_warm():
    made = world()
    start = made.said("X-FULL")[0][1] + 1
    done, test = ran(made, made.present, start=start)
    assert [f.holder for f in test.found] == [made.said("X-FULL")[1][0]] and (done.same, done.lost) == (1, 0)


def test_backtest__above_its_budget__fails():
    made = world()
    text = level().replace("episode:", "budget: {max_per_day: 1}\nepisode:")
    done, _ = ran(made, rules(text, event()))
    assert done.failures == [f"2 alerts on {done.busiest[0]}; the budget is 1 a day"]


def test_backtest__expectations__each_is_checked():
    made = world()
    found = made.log.entries[made.said("X-FULL")[0][1]].record_id
    other = made.log.entries[0].record_id
    good = Expectations(at_least=2, at_most=2, must_find=(found,), must_not_find=(other,))
    assert not ran(made, made.present, expected=good)[0].failures
    bad = Expectations(at_least=3, at_most=1, must_find=(other,), must_not_find=(found,))
    assert len(ran(made, made.present, expected=bad)[0].failures) == 4
    short = Expectations(must_find=(found[:8],), must_not_find=(found[:8],))
    assert ran(made, made.present, expected=short)[0].failures == [f"an alert at record {found[:8]}, where none was expected"]


def test_backtest__interrupted_and_resumed__is_the_uninterrupted_one(monkeypatch):
    monkeypatch.setattr("ledger.rulebench.backtest.BATCH", 3)
    made = world()
    whole, test = ran(made, made.present, "X-OFTEN")
    for stop_at in range(0, int(made.log.size()), 3):
        first = BackTest(made.log, made.present, "X-OFTEN", Classifier(), start=0, end=int(made.log.size()))
        reached = first.run(stop=lambda: first.next_index >= stop_at)
        again = resumed(first.save(), made.log, made.present, "X-OFTEN", Classifier())
        assert again.next_index == first.next_index and again.run()
        assert again.found == test.found, stop_at
        assert reached is (first.next_index == made.log.size())


def test_resumed__another_version_of_the_rule__refused():
    made = world()
    data = BackTest(made.log, made.present, "X-FULL", Classifier(), start=0, end=5).save()
    with pytest.raises(RuleError, match="another version"):
        resumed(data, made.log, rules(level(99), event()), "X-FULL", Classifier())
    with pytest.raises(RuleError, match="cannot be read"):
        resumed(b"\x00", made.log, made.present, "X-FULL", Classifier())


def test_alone__inhibited_rule__comes_with_those_that_inhibit_it():
    inhibited = next(rule for rule in RULES.rules if rule.inhibited_by)
    names = {rule.id for rule in alone(RULES, inhibited.id).rules}
    assert {inhibited.id, *(by.rule for by in inhibited.inhibited_by)} <= names < {rule.id for rule in RULES.rules}


def test_stretch__by_time_of_receipt():
    made = world()
    received = [e.received for e in made.log.entries]
    third = received[3]
    assert stretch(made.log, third, third + 1) == (received.index(third), len([r for r in received if r <= third]))
    assert stretch(made.log, None, None) == (0, made.log.size())


@pytest.mark.parametrize("rule", RULES.rules, ids=lambda rule: rule.id)
def test_topics_for__each_shipped_rule__its_own_tests_pass_with_only_these(rule, monkeypatch):
    """What a rule reads of other topics is declared in registry.NEEDS."""
    only = topics_for(rule.on)

    class Pruned(Fold):
        def __init__(self, *args):
            super().__init__(*args, only=only)

    monkeypatch.setattr(ruletests, "Fold", Pruned)
    assert [o for o in ruletests.run_tests([rule], Catalogue.load()) if o.detail] == []


def test_backtest__of_each_rule__finds_what_the_whole_pack_finds():
    log = stream(600)
    whole = World(RULES, log=log)
    whole.now = T0 + 100 * HOUR
    whole.run()
    for name in ("A02", "B02", "C01"):
        rule = next((r for r in RULES.rules if r.id == name), None)
        test = BackTest(log, RULES, rule.id, Classifier(), start=0, end=int(whole.store.cursor_))
        test.run()
        assert sorted((f.holder, f.index, f.band) for f in test.found) == sorted(whole.said(name)), name
    assert LeafIndex(0) == 0
