"""Whatever a rule or a topic raises: it shows by its name, the other rules go on, and nothing else is lost."""

import pytest

from ledger.engine.episodes import Episodes
from ledger.engine.inhibition import Inhibition
from ledger.engine.levels import Levels
from ledger.engine.lives import Lives
from ledger.engine.papers import Papers
from ledger.engine.topics.stock import Stock
from ledger.engine.watches import Watch
from ledger.engine.windows import Windows
from ledger.errors import PayloadError, RuleError, StoreError
from tests.engine.helpers import HOUR, Run, line

ERRORS = [
    RuntimeError("dictionary changed size"),
    NameError("name 'x' is not defined"),
    RecursionError("too deep"),
    AssertionError("never"),
    StopIteration(),
    NotImplementedError("later"),
    UnicodeDecodeError("utf-8", b"\xff", 0, 1, "odd"),
    PayloadError("of another stage", code="schema"),
    RuleError("of the engine", code="evaluation"),
    KeyError("gone"),
    type("StrangeError", (Exception,), {})("a package's own"),
]
PLACES = {
    "a level rule's row": (Levels, "_consider"),
    "an event rule's row": (Windows, "_band"),
    "a feature's row": (Watch, "take"),
    "marks": (Episodes, "mark"),
    "marks that settle": (Episodes, "settle"),
    "what a correction takes out": (Windows, "_withdraw"),
    "a topic": (Stock, "apply"),
    "a topic that corrects": (Stock, "correct"),
    "a topic that forgets": (Stock, "prune"),
    "papers that forget": (Papers, "prune"),
    "a timer of a life": (Lives, "fire"),
    "a supervisor's step": (Lives, "fold"),
    "alerts that forget": (Lives, "prune"),
    "inhibition": (Inhibition, "prune"),
}
DAY = 24 * HOUR


def story(run):
    """Something for each of PLACES to do; two negative stocks, one before and one after the fault's day."""
    run.stocktake(line(100), at=0)
    first = run.move("out", line(150), at=HOUR)
    run.correct(first, line(140), at=2 * HOUR)
    alert = next((raised.alert for raised in run.to.raised if raised.alert.rule == "A01"), None)
    body = {"alert": alert.alert_id if alert else "f" * 64, "from": "open", "to": "acknowledged"}
    run.put("alert_transition", body, at=3 * HOUR, holder="supervisor", site="desk", book="alerts", authority=True)
    run.stocktake(line(60), at=4 * HOUR)
    for day in (1, 2, 3):
        run.tick(day * DAY)


@pytest.mark.parametrize("error", ERRORS, ids=lambda e: type(e).__name__)
@pytest.mark.parametrize("place", PLACES)
def test_fault__anywhere_of_any_kind__shows_and_the_next_entry_is_judged_like_any_other(monkeypatch, place, error):
    owner, name = PLACES[place]
    raised = []

    def faulty(self, *rest, **more):
        raised.append(1)
        raise error

    run = Run()
    with monkeypatch.context() as during:
        during.setattr(owner, name, faulty)
        story(run)
    assert raised, "the fault was never reached: the test shows nothing"
    assert run.state.next_index == 8
    said = [raised.alert for raised in run.to.raised if raised.alert.rule == "RULE-ERROR"]
    assert said, "an error that nobody sees"
    assert all(
        (error.detail if isinstance(error, RuleError) else type(error).__name__) in a.inputs["error"] for a in said
    )
    run.restart()  # what the fault left behind can be kept
    run.stocktake(line(10), at=4 * DAY, holder="B")
    run.move("out", line(20), at=4 * DAY + HOUR, holder="B")
    assert ("A01", "B") in {(raised.alert.rule, raised.alert.holder) for raised in run.to.raised}


def test_fault__of_one_rule_at_an_entry__the_other_rules_say_what_they_would_have_said(monkeypatch):
    def told(run):
        return {(r.alert.rule, r.alert.holder, r.alert.band) for r in run.to.raised if r.alert.rule != "RULE-ERROR"}

    whole = Run()
    story(whole)
    rules = {rule for rule, _, _ in told(whole)}
    assert len(rules) > 1
    for broken in rules:
        for owner, name in ((Levels, "_consider"), (Episodes, "mark"), (Windows, "_band")):
            real = getattr(owner, name)

            def faulty(self, heard, *rest, real=real):
                if heard.id == broken:
                    raise RuntimeError("a fault")
                return real(self, heard, *rest)

            run = Run()
            with monkeypatch.context() as during:
                during.setattr(owner, name, faulty)
                story(run)
            others = {said for said in told(whole) if said[0] != broken}
            assert others <= told(run), (broken, name)


UPON = {"Accountancy": {"A10"}}
"""What is due to be counted is what the balances hold."""


@pytest.mark.parametrize("how", ["apply", "correct"])
def test_fault__of_one_topic_at_an_entry__hides_it_from_no_other_topics_rules(monkeypatch, how):
    """Else who finds a record that one part of the engine stumbles over has found how to hide from all of it."""

    def told(run):
        return {(r.alert.rule, r.alert.holder, r.alert.band) for r in run.to.raised if r.alert.rule != "RULE-ERROR"}

    def busy(run):
        run.put("grant", {"holder": "BUYER", "role": 1}, authority=True, holder="platform.test", book="grants")
        story(run)
        sale = {"direction": "out", "reason": "sale", "lines": [line(5)], "consignment": "C-1", "payment": "cash"}
        sold = run.put("movement", sale | {"counterparty": {"type": "person"}}, at=4 * DAY)
        run.correct(sold, line(6), at=4 * DAY + HOUR)
        run.tick(30 * DAY)

    whole = Run()
    busy(whole)
    seen = 0
    for broken in whole.fold._topics:
        subjects = {subject.name for subject in broken.subjects}
        mine = {rule.id for rule in whole.rules.rules if subjects & set(rule.on)}
        others = {said for said in told(whole) if said[0] not in mine}
        run, reached = Run(), []
        with monkeypatch.context() as during:

            def faulty(self, *rest):
                reached.append(1)
                raise RuntimeError("a fault")

            during.setattr(type(broken), how, faulty)
            busy(run)
        if reached:
            seen += 1
            # What this rule would have kept down, or what is about its alerts, may come besides.
            lost = {rule for rule, _, _ in others} - {rule for rule, _, _ in told(run)}
            assert lost <= UPON.get(type(broken).__name__, set()), type(broken).__name__
            assert any(r.alert.rule == "RULE-ERROR" for r in run.to.raised)
    assert seen > 10


@pytest.mark.parametrize("error", [StoreError("away"), MemoryError(), OSError("disk")], ids=lambda e: type(e).__name__)
@pytest.mark.parametrize("place", ["a level rule's row", "an event rule's row", "a topic", "a topic that forgets"])
def test_fault__of_what_is_outside__is_not_taken_for_a_rules(monkeypatch, place, error):
    """Contained, the tables would be those of a day without that entry, and a replay would find others."""
    owner, name = PLACES[place]

    def faulty(self, *rest, **more):
        raise error

    run = Run()
    monkeypatch.setattr(owner, name, faulty)
    with pytest.raises(type(error)):
        story(run)
