"""One ID number under two names: what was said of a record rests on another one, and goes when that is put right."""

import pytest

from ledger.core.ids import credit_code_for
from ledger.engine.ruletypes import RuleSet
from tests.engine.helpers import HOUR, RULES, Run
from tests.engine.topics.persons import correct, put, sale

ONLY = RuleSet(tuple(rule for rule in RULES.rules if rule.id == "C04"), "0" * 64)
A, B, BUYER = (credit_code_for(f"91350100{n:09d}") for n in (1, 2, 3))
MINUTE = 60_000


def told(run):
    """(holder, recovered, taken back by) of each finding."""
    return [(life.name.split("\x1f")[1], life.taken_back) for life in run.state.life.lives.values()]


def two_names(*, late=False):
    """A calls the agent WRONG, then B calls him RIGHT; B's record is the one that is told of."""
    run = Run(rules=ONLY)
    first = put(run, sale(BUYER, "P1", "WRONG"), at=HOUR, holder=A)
    second = put(run, sale(BUYER, "P1", "RIGHT"), at=2 * HOUR, holder=B)
    assert told(run) == [(B, "")]
    return run, first, second


def test_other_name__that_record_is_corrected_to_the_same_name__the_finding_is_taken_back_within_a_minute():
    run, first, _ = two_names()
    correct(run, first, sale(BUYER, "P1", "RIGHT"), at=3 * HOUR)
    assert told(run) == [(B, "")]
    run.restart()
    run.fold.with_before(first, run.by_id.get)  # who folds gives it the log to look into
    assert run.fold.next_due() == run.state.now_ms + MINUTE
    run.tick(3 * HOUR + MINUTE)
    ((holder, by),) = told(run)
    assert holder == B and by == list(run.by_id)[-1]
    assert run.fold.next_due() is None or run.fold.next_due() > run.state.now_ms + HOUR


def test_other_name__corrected_in_something_else_or_telling_nobody_again__nothing_is_judged_again():
    run, first, _ = two_names()
    correct(run, first, sale(BUYER, "P1", "WRONG"), at=3 * HOUR)
    correct(run, first, sale(BUYER, "P1"), at=4 * HOUR, told=False)
    assert run.state.papers.again == {}
    run.tick(5 * HOUR)
    assert told(run) == [(B, "")]


def test_other_name__a_third_record_has_it_too__the_finding_stands():
    run = Run(rules=ONLY)
    first = put(run, sale(BUYER, "P1", "WRONG"), at=HOUR, holder=A)
    put(run, sale(BUYER, "P1", "WRONG"), at=HOUR + 1, holder=A)
    put(run, sale(BUYER, "P1", "RIGHT"), at=2 * HOUR, holder=B)
    correct(run, first, sale(BUYER, "P1", "RIGHT"), at=3 * HOUR)
    run.tick(4 * HOUR)
    # The corrected record is now the one that another name follows; that of B still has one before it.
    assert (B, "") in told(run)


def test_other_name__the_record_is_corrected_to_another_kind__the_finding_is_taken_back():
    run, first, _ = two_names()
    closed = {"day": "2026-03-02", "last_seq": 1, "lines": [], "nil": True, "final": False}
    correct(run, first, ("close", closed, {}), at=3 * HOUR)
    run.tick(4 * HOUR)
    ((holder, by),) = told(run)
    assert holder == B and by


def test_other_name__told_of_under_a_record_that_came_late__goes_with_the_correction_of_the_name():
    run = Run(rules=ONLY)
    wrong = put(run, sale(BUYER, "P1", "WRONG"), at=3 * HOUR, holder=A)
    put(run, sale(BUYER, "P1", "RIGHT"), at=4 * HOUR, event=HOUR, holder=B)  # before it, and under this A is told of
    assert told(run) == [(A, "")]
    correct(run, wrong, sale(BUYER, "P1", "RIGHT"), at=5 * HOUR)
    run.tick(6 * HOUR)
    assert all(by for _, by in told(run))
    assert not any(course.marks for course in run.state.courses["C04"].values())


@pytest.mark.parametrize("first_holder", [A, B])
def test_other_name__same_outcome_as_if_it_had_been_right_from_the_beginning(first_holder):
    run = Run(rules=ONLY)
    first = put(run, sale(BUYER, "P1", "WRONG"), at=HOUR, holder=first_holder)
    for hour in range(2, 6):
        put(run, sale(BUYER, "P1", "RIGHT"), at=hour * HOUR, holder=B)
    correct(run, first, sale(BUYER, "P1", "RIGHT"), at=7 * HOUR)
    run.tick(8 * HOUR)
    assert all(by for _, by in told(run)) and run.state.identities.names == {"P1": {"RIGHT": 5}}
