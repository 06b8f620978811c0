"""Persons as facts and checks show them."""

from msgspec.structs import replace

from ledger.engine.inputs import parse_input
from ledger.engine.people import NO_MATCH_STATED, check_of, handlers_of, is_expired, who
from ledger.engine.register import Register, RegisterState
from tests.engine.helpers import Run
from tests.fakes_engine import FakeLog

ADULT = {"valid": True, "minor": False, "age_from": 18, "person": "p1"}


def entry(facts, **body):
    made = Run().entry("movement", {"direction": "out", "reason": "sale", "lines": []} | body)
    return replace(made, facts=facts)


def test_who__nothing_disclosed__is_nobody_and_nothing_against_him():
    assert who(entry({}), "agent") == (False, "", "", True, False, -1)


def test_who__an_adult_and_a_minor():
    facts = {"ids": {"/body/agent/id_number": ADULT}, "links": {"/body/agent/name": "n1"}}
    assert who(entry(facts), "agent") == (True, "p1", "n1", True, False, 18)
    minor = {"ids": {"/body/agent/id_number": ADULT | {"minor": True, "age_from": 14}}}
    assert who(entry(minor), "agent")[4:] == (True, 14)


def test_who__a_passport__is_valid_without_a_check_digit():
    facts = {"ids": {"/body/agent/id_number": {"valid": False, "minor": None, "age_from": None, "person": "p1"}}}
    assert who(entry(facts), "agent").valid is False
    assert who(entry(facts), "agent", "passport") == (True, "p1", "", True, False, -1)


def test_who__facts_of_an_earlier_version__have_no_person():
    assert who(entry({"ids": {"/body/agent/id_number": {"valid": True, "minor": False}}}), "agent").person == ""


def test_check__of_another_place__says_nothing():
    body = {"identity_checks": [{"subject": "handlers/0", "doc_type": "passport", "match_permille": 7}]}
    assert check_of(body, "handlers/0") == (True, "passport", "", 7)
    assert check_of(body, "agent") == (False, "resident_id", "", NO_MATCH_STATED)


def test_expired__by_the_signers_own_day():
    late = replace(entry({}), event_time="2026-03-03T00:30:00+08:00")
    assert is_expired("2026-03-02", late) and not is_expired("2026-03-03", late) and not is_expired("", late)


def test_handlers__by_the_records_own_disclosure_or_by_their_enrolment():
    register = Register(RegisterState())
    enrol = Run().entry("person", {"action": "enrol", "ref": "H2", "role": "keeper"}, book="office")
    register.apply(replace(enrol, facts={"ids": {"/body/id_number": ADULT | {"person": "p2"}}}))
    made = entry({"ids": {"/body/handlers/0/id_number": ADULT}}, handlers=[{"ref": "H1"}, {"ref": "H2"}, {"ref": "H3"}])
    assert handlers_of(made, register) == [("H1", "p1"), ("H2", "p2"), ("H3", "")]


def test_parse_input__a_correction__its_facts_speak_of_the_record_that_it_puts_right():
    log = FakeLog()
    body = {"corrects": "ab" * 32, "kind": "movement", "body": {"direction": "in", "reason": "found", "lines": []}}
    record = log.write("A", "correction", body, at=1_790_000_000_000)
    facts = {"ids": {"/body/body/agent/id_number": ADULT}, "links": {"/body/body/agent/phone": "l1"}}
    assert parse_input(record, facts).facts == {"ids": {"/body/agent/id_number": ADULT}, "links": {"/body/agent/phone": "l1"}}
