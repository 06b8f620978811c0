"""A record that claims a time far ahead counts as ten minutes after its receipt, and a correction does not move it from there."""

from copy import deepcopy

from msgspec import to_builtins
from msgspec.structs import replace

from ledger.engine.days import DAY_MS as DAY
from ledger.engine.inputs import AHEAD_MS, happened_ms
from ledger.engine.register import Register, RegisterState
from ledger.engine.topics.custody import Custody, CustodyState
from tests.engine.helpers import RULES, T0, Run, line

RESTRICTED = RULES.restricted.sets[0].groups[0][0].code


def claimed_ahead():
    run = Run()
    return run, run.move("in", line(5, RESTRICTED), at=0, event=3 * DAY, reason="purchase")


def test_happened__claimed_ahead_and_corrected_later__ten_minutes_after_the_first_receipt():
    run, first = claimed_ahead()
    corrected = replace(first, received_ms=T0 + 5 * DAY, before=first)
    assert happened_ms(first) == happened_ms(corrected) == T0 + AHEAD_MS


def test_correct__purchase_claimed_ahead__every_topic_has_it_where_it_was_put_at_first():
    run, first = claimed_ahead()
    state = run.state
    stood = deepcopy((state.combinations.codes, state.papers.movements, to_builtins(state.transfers.arrivals)))
    assert all(stood)
    again = run.correct(first, line(5, RESTRICTED), at=5 * DAY)
    ((arrival,),) = state.transfers.arrivals.values()
    assert arrival.arrived_ms == T0 + AHEAD_MS
    assert state.combinations.codes == stood[0]
    assert set(state.papers.movements["A"]) == set(stood[1]["A"])
    run.correct(again, line(5, "64-17-5"), at=6 * DAY)
    assert state.combinations.codes == {}, "what was bought on one day was taken out of another"


def test_withdraw__signed_record_claimed_ahead_and_corrected__the_key_was_used_in_no_minute():
    run, first = claimed_ahead()
    state = CustodyState()
    topic = Custody(state, Register(RegisterState()))
    first = replace(first, signers=("1" * 64,))
    corrected = replace(first, received_ms=T0 + 5 * DAY, before=first)
    topic.apply(first, [])
    topic.withdraw(first, [], corrected)
    topic.apply(corrected, [])
    topic.withdraw(first, [], corrected)
    assert not any(state.uses.values())


def test_correct__deal_and_first_purchase_claimed_ahead__windows_and_marks_are_where_they_were():
    run = Run()
    cash = {"direction": "in", "reason": "purchase", "lines": [line(5)], "payment_method": "cash"}
    first = run.put("movement", cash, at=0, event=3 * DAY)
    assert {name for name, _ in run.alerts} >= {"B12", "C03"}
    run.correct(first, line(6), at=5 * DAY)
    for rule in ("B12", "C03"):
        ((mark,),) = (course.marks for course in run.state.courses[rule].values())
        assert mark.time == T0 + AHEAD_MS, rule
