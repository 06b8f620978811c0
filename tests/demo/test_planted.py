"""What was planted, against what the shipped rules say over the real log."""

from collections import Counter

from ledger.demo.cases import CASES

RULES = {"A01", "A02", "A04", "A05", "B02", "C01", "D03", "D04"}


def found(alerts, case):
    return [a for a in alerts if a.rule == case.rule and a.holder in case.parties]


def test_planted__every_rule__has_cases_and_near_misses(pushed):
    cases = pushed.world.planted
    assert len(cases) == len(CASES), "a case found no facility"
    assert all(case.record_ids for case in cases), "not all were sent"
    assert {case.rule for case in cases} == RULES
    for rule in RULES:
        verdicts = Counter(case.fires for case in cases if case.rule == rule)
        assert verdicts[True] >= 1 and verdicts[False] >= 1
    assert sum(not case.fires for case in cases) >= sum(case.fires for case in cases)
    assert len({case.id for case in cases}) == len(cases)
    assert all(case.why["zh"] and case.why["en"] for case in cases)


def test_planted__what_must_fire__fires(pushed):
    silent = [case.id for case in pushed.world.planted if case.fires and not found(pushed.alerts, case)]
    assert not silent


def test_planted__near_misses__stay_silent(pushed):
    cried = [case.id for case in pushed.world.planted if not case.fires and found(pushed.alerts, case)]
    assert not cried


def test_planted__severity__is_the_one_expected(pushed):
    for case in pushed.world.planted:
        if case.fires and case.severity:
            assert {a.severity for a in found(pushed.alerts, case)} == {case.severity}, case.id


def test_alerts__outside_the_planted_cases__are_none(pushed):
    expected = {(case.rule, party) for case in pushed.world.planted if case.fires for party in case.parties}
    expected |= {(rule, party) for case in pushed.world.planted for rule in case.also for party in case.parties}
    # What is only reminded of (B12: a first purchase) is nobody's to handle.
    handled = [a for a in pushed.alerts if a.severity not in ("low", "info")]
    surplus = [(a.rule, a.holder, a.reason["en"]) for a in handled if (a.rule, a.holder) not in expected]
    assert not surplus


def test_planted__records__are_in_the_log_or_refused_as_said(pushed):
    log = pushed.log.stores.log
    for item in pushed.sent:
        if item.label:
            stored = log.record_by_id(item.record_id)
            assert (stored is not None) == (item.answer in ("accepted", "repeat") or _sent_again(pushed, item))


def _sent_again(pushed, item):
    return any(o.record_id == item.record_id and o.answer == "accepted" for o in pushed.sent)
