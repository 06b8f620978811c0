"""Back-test: the same as live, over any stretch; beside the live version; interrupted; only what the rule needs."""

from dataclasses import replace
from zoneinfo import ZoneInfo

import pytest

from ledger.catalogue import Catalogue
from ledger.core.times import format_utc
from ledger.engine.fold import Fold
from ledger.engine.registry import topics_for
from ledger.engine import ruletests
from ledger.errors import RuleError
from ledger.follow import Sets
from ledger.model import LeafIndex, UnixMs
from ledger.ports import LifeRow
from ledger.rulebench.backtest import BackTest, alone, received_span, resumed, stretch
from ledger.rulebench.explain import explain
from ledger.rulebench.outcome import Expectations, summary
from tests.bench.dense import stream
from tests.engine.helpers import RULES, Classifier
from tests.fakes_engine import T0, FakeLog
from tests.test_rule_versions import A, B, HOUR, MINUTE, World, event, level, movement, rules

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


def test_backtest__alerts_that_another_rule_keeps_down__are_shown_and_not_of_the_budget():
    made = world()
    text = level(120).replace("episode:", "budget: {max_per_day: 1}\nepisode:")
    first, test = ran(made, rules(text, event()))
    assert first.alerts == 2 and first.failures
    test.found[0].suppressed = True
    span = received_span(made.log, test.start, test.end)
    done = summary(test, Store(made), Expectations(), ZONE, span)
    assert (done.alerts, done.suppressed, done.busiest[1], done.failures) == (2, 1, 1, [])


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


# --- rules about the handling, and those that listen to what an authority does ---------------------------------------


def handled():
    """Three violations confirmed without evidence, one of them closed when it was overdue; an order that nobody answers; a
    correction of an old record after it.
    """
    made = World(RULES, log=FakeLog())
    made.run()

    def police(kind, **body):
        made.now += MINUTE
        written = made.log.write("police.test", kind, body, at=made.now, book="acts", authority=True)
        made.run()
        return written

    def standing(alert):
        return made.store.life_rows[alert.alert_id].status

    def negative(code):
        body = movement(50, "out")
        body["lines"][0]["code"] = code
        made.now += MINUTE
        made.log.write(A, "movement", body, at=made.now)
        made.run()
        return next(a for a in made.store.alert_rows.values() if a.rule == "A01" and code in "".join(a.fingerprint))

    old = made.log.entries[-1] if made.log.entries[-1].kind == "movement" else made.log.entries[0]
    alerts = [negative(code) for code in ("64-17-5", "67-64-1", "67-56-1", "71-36-3")]
    store = {"id": "R9", "book": "B1", "class": "room", "capacity": {"value": "10", "unit": "KGM"}}
    place = {"sites": [{"site": "S1", "zone": "Asia/Shanghai", "stores": [store]}]}
    made.log.write(A, "place", place, at=made.now, book="office")
    for kg in (11, 9):
        body = movement(kg)
        body["lines"][0]["store"] = "R9"
        made.log.write(A, "movement", body, at=made.now)
        made.run()

    def days(n):
        for _ in range(n):
            made.now += 24 * HOUR
            made.seconds += 60.0
            made.run()

    days(4)
    assert {standing(alert) for alert in alerts} & {"overdue", "escalated"}
    for alert in alerts[:3]:
        police("alert_transition", **{"alert": alert.alert_id, "from": standing(alert), "to": "closed"},
               outcome="violation_confirmed")  # fmt: skip
        assert standing(alert) == "closed"
    worse = [a for a in made.store.alert_rows.values() if a.rule == "A02"]
    assert len(worse) == 2 and worse[1].extra["first_alert"] == worse[0].alert_id
    police("alert_transition", **{"alert": worse[1].alert_id, "from": standing(worse[0]), "to": "closed"},
           outcome="violation_confirmed")  # fmt: skip
    assert standing(worse[0]) == "closed"
    due = format_utc(UnixMs(made.now + HOUR))
    order = police("order", type="rectification", holder=A, site="S1", findings=[], basis=[], due=due,
                   alerts=[alerts[3].alert_id])  # fmt: skip
    police("alert_transition", **{"alert": alerts[3].alert_id, "from": standing(alerts[3]), "to": "order_issued"},
           order=order.record_id)  # fmt: skip
    assert standing(alerts[3]) == "order_issued"
    made.now += MINUTE
    made.log.write(A, "correction", {"corrects": old.record_id, "kind": "movement", "body": movement(2)}, at=made.now)
    days(4)
    return made


def test_backtest__of_rules_about_the_handling__finds_what_was_found_live():
    made = handled()
    for name in ("D06", "F02", "F03", "F04"):
        said = [(a.fingerprint, a.first_index, a.band) for a in made.store.alert_rows.values() if a.rule == name]
        test = BackTest(made.log, RULES, name, Classifier(), start=0, end=int(made.store.cursor_))
        assert test.run() and said, name
        assert sorted((f.fingerprint, f.index, f.band) for f in test.found) == sorted(said), name


def test_explain__of_an_alert_about_the_handling__shows_the_row_that_fired():
    made = handled()
    (_, index, band), *_ = made.said("F02")
    shown = explain(made.log, Sets(RULES, dict), Classifier(), rule_id="F02", index=index)
    assert not shown.errors and made.log.entries[index].kind == "tick"
    (_, index, band), *_ = made.said("F04")
    (row,) = explain(made.log, Sets(RULES, dict), Classifier(), rule_id="F04", index=index).rows
    assert row.bands[band].condition.value is True and row.alert_id in made.store.alert_rows


def test_backtest__entry_that_does_not_parse__goes_on_behind_it():
    made = World()
    made.put(A, 60)
    made.log.store(
        {"enterprise": B, "site": "S1", "book": "B1", "seq": 9, "kind": "movement"}, made.now, envelope=b"{}"
    )
    made.put(A, 60)
    made.run()
    test = BackTest(made.log, made.present, "X-FULL", Classifier(), start=0, end=int(made.store.cursor_))
    assert test.run()
    assert [(f.holder, f.index, f.band) for f in test.found if f.rule == "X-FULL"] == made.said("X-FULL") != []
