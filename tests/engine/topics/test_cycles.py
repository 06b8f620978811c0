"""Cycles of sales: what stands told follows from the sales, not from the order in which their records came."""

from dataclasses import replace

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ledger.engine.rules import RuleSet
from ledger.engine.state import encode_state
from ledger.engine.topics.cycles import MOST_NEAR
from tests.engine.helpers import HOUR, NITRIC, RULES, Run, line
from tests.engine.test_interleaving import DAY, HOLDERS, Told, assert_each_finding_was_said, fold, found, shuffled

ONLY = RuleSet(tuple(rule for rule in RULES.rules if rule.id == "B15"), "0" * 64)

sales = st.builds(
    Told,
    holder=st.sampled_from(HOLDERS),
    event=st.integers(0, 7 * 24 - 1).map(lambda hour: hour * HOUR),
    code=st.just(NITRIC),
    kg=st.sampled_from((1, 40, 70, 90)),
    out=st.just(True),
    other=st.sampled_from(HOLDERS),
    corrected_kg=st.sampled_from((0, 0, 0, 1, 90)),
)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(tolds=st.lists(sales, min_size=4, max_size=20), random=st.randoms(use_true_random=False))
def test_cycles__sales_in_any_interleaving__same_paths_windows_and_bands(tolds, random):
    one = fold(ONLY, sorted(enumerate(tolds), key=lambda pair: pair[1].event))
    order = shuffled(tolds, random)
    other, restarted = fold(ONLY, order), fold(ONLY, order, restart_at=len(order) // 2)
    assert found(one) == found(other)
    assert encode_state(other.state) == encode_state(restarted.state)
    for run in (one, other):
        assert run.state.health.get("ENGINE") is None
        assert_each_finding_was_said(run)


def sale(seller, buyer, day, kg=100):
    return Told(seller, day * DAY, NITRIC, kg, True, buyer, 0)


def windows(tolds):
    return [(name, start, end) for _, name, start, end, _ in sorted(found(fold(ONLY, list(enumerate(tolds)))))]


def test_cycle__its_last_sale_comes_first__window_is_at_the_last_sale():
    a, b, c, _ = HOLDERS
    tolds = [sale(a, b, 1), sale(b, c, 3), sale(c, a, 5)]
    first = windows(tolds)
    assert [end - start for _, start, end in first] == [0]
    assert windows(tolds[::-1]) == windows([tolds[2], tolds[0], tolds[1]]) == first


def test_cycle__a_sale_of_it_corrected_to_next_to_nothing__is_no_more():
    a, b, _, _ = HOLDERS
    tolds = [sale(a, b, 1), sale(b, a, 3)]
    assert windows(tolds)
    assert not windows([replace(tolds[0], corrected_kg=1), tolds[1]])
    assert not windows([tolds[0], replace(tolds[1], corrected_kg=1)])


def test_cycle__a_shorter_way_comes_later__takes_the_place_of_the_longer():
    a, b, c, _ = HOLDERS
    tolds = [sale(a, b, 1), sale(b, c, 1), sale(c, a, 2), sale(b, a, 2)]
    assert windows(tolds) == windows(tolds[::-1]) == windows([tolds[3], *tolds[:3]])


def test_cycles__among_more_than_are_judged_again__each_sale_is_still_told_of():
    names = [f"H{n:02d}" for n in range(MOST_NEAR + 3)]
    run = Run(rules=ONLY)
    for at, (seller, buyer) in enumerate(zip(names, names[1:] + names[:1], strict=True)):
        for frm, to in ((seller, buyer), (buyer, seller)):
            body = {"direction": "out", "reason": "sale", "counterparty": {"type": "enterprise", "uscc": to}}
            run.put("movement", body | {"lines": [line(5)]}, at=at * HOUR, holder=frm)
    assert len(run.alerts) == len(names)
    assert run.state.health.get("ENGINE") is None
