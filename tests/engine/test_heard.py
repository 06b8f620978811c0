"""A rule beside what the state keeps of it."""

from ledger.engine.alerts import AlertBook, Identity
from ledger.engine.heard import Heard, is_about_happenings, joined
from ledger.engine.state import FoldState, Pending
from tests.engine.helpers import RULES


def test_joined__fields_of_a_row__none_one_or_several_as_one_text():
    row = {"holder": "H", "site": "S", "book": "B"}
    assert joined(())(row) == ""
    assert joined(("site",))(row) == "S"
    assert joined(("book", "holder"))(row) == "B\x1fH"


def test_heard__what_is_put_into_its_tables__is_in_the_state_and_stays_there_for_the_next_one():
    state = FoldState()
    AlertBook(state, Identity("log", "issuer", "key", "set"), RULES.rules)
    rule = next(rule for rule in RULES.rules if is_about_happenings(rule))
    heard = Heard(rule, state)
    heard.health.evaluations += 3
    heard.pendings["x"] = Pending(band=1)
    assert state.health[rule.id].evaluations == 3
    assert state.pending[rule.id]["x"].band == 1
    assert heard.courses is state.courses[rule.id]
    again = Heard(rule, state)
    assert (again.health, again.pendings, again.courses) == (heard.health, heard.pendings, heard.courses)


def test_heard__of_a_rule_about_how_things_stand__keeps_no_course():
    state = FoldState()
    rule = next(rule for rule in RULES.rules if not is_about_happenings(rule))
    Heard(rule, state)
    assert rule.id not in state.courses
