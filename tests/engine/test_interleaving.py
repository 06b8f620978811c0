"""The order in which books arrive changes no finding: same (rule, fingerprint, window, band), whatever came first.

Three orders of the same records: as they happened, and two shuffles that only keep each book's own order, with times of
receipt assigned anew. What is compared is what stands at the end; ids, late marks and revisions are another matter.
"""

from dataclasses import dataclass, replace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ledger.core.ids import credit_code_for
from ledger.engine.rules import RuleSet
from ledger.engine.state import encode_state
from ledger.engine.heard import is_about_happenings
from tests.engine.helpers import HOUR, NITRIC, RULES, Run, line
from tests.engine.rulekit import rule_text, rules_of

DAY = 24 * HOUR
HOLDERS = [credit_code_for(f"91350100{n:09d}") for n in range(1, 5)]
CODES = (NITRIC, "7757-79-1", "64-17-5")
ABOUT_RECEIPT = {
    "D03": "about refusals, which are entries of the platform in the order in which it refused",
    "D04": "the same",
    "D05": "about how long after the event a record came",
    "D06": "about how many records came before a correction",
    "D07": "about how many records came in a minute",
}
"""Rules that are about the coming of records itself."""
HAPPENINGS = RuleSet(tuple(rule for rule in RULES.rules if is_about_happenings(rule)), "0" * 64)

FEATURES = """group_by: [code, dimension]
features:
  n: {agg: count, window: 48h}
  others: {agg: distinct, of: counterparty, window: 72h}
  out: {agg: sum, of: amount, where: 'direction == "out"', window: 30h}
  least: {agg: min, of: amount, window: 24h}
  most: {agg: max, of: amount, window: day}
  month: {agg: sum, of: amount, window: month}
  typical: {agg: daily_quantile, q: 50, of: amount, window: 5d, min_days: 2}
  z: {agg: robust_z, of: amount, min: 4}
  first: {agg: is_first}
  again_ms: {agg: last, of: event_ms}
  share: {agg: ratio_ppm, of: out, to: month}"""
WINDOWED = rules_of(
    rule_text("W01", more=FEATURES, fingerprint="code", quiet="6h", bands=("n >= 6 && others >= 3", "n >= 4")),
    rule_text("W02", more=FEATURES, fingerprint="code, holder", quiet="0s", bands=("z > 3000", "z > 1000")),
    rule_text("W03", more=FEATURES, fingerprint="code", quiet="24h", bands=("month > 3 * typical", "amount == most")),
    rule_text("W04", more=FEATURES, fingerprint="holder, code", quiet="1h", bands=("first", "share > 500000")),
    rule_text(
        "W05", more=FEATURES, fingerprint="code", quiet="2h", bands=("again_ms_ready && event_ms - again_ms < 600000",)
    ),
    rule_text("W06", more=FEATURES + "\nnot_evaluable: info", fingerprint="code", quiet="8h", bands=("z > 2000",)),
)


@dataclass(frozen=True)
class Told:
    """One record: of a book, at a time, and what corrects it later."""

    holder: str
    event: int
    code: str
    kg: int
    out: bool
    other: str
    corrected_kg: int


records = st.builds(
    Told,
    holder=st.sampled_from(HOLDERS),
    event=st.one_of(st.integers(0, 7 * DAY - 1), st.integers(0, 7 * 24).map(lambda h: min(h * HOUR, 7 * DAY - 1))),
    code=st.sampled_from(CODES),
    kg=st.sampled_from((1, 5, 40, 70, 90, 200)),
    out=st.booleans(),
    other=st.sampled_from(HOLDERS),
    corrected_kg=st.sampled_from((0, 0, 0, 1, 90)),
)


def body_of(told, n):
    body = {
        "direction": "out" if told.out else "in",
        "reason": "sale" if told.out else "purchase",
        "lines": [line(told.kg, code=told.code)],
        "consignment": f"C-{n}",
    }
    if told.other != told.holder:
        body["counterparty"] = {"type": "enterprise", "uscc": told.other}
    return body


def fold(rules, order, *, restart_at=None):
    """Fold the records in this order, the i-th received i seconds after the seven days; corrections come last."""
    run = Run(rules=rules)
    for holder in HOLDERS:
        run.put("grant", {"holder": holder, "role": 1}, at=0, holder="police.test", book="desk", authority=True)
    entries = []
    for at, (n, told) in enumerate(order):
        if at == restart_at:
            run.restart()
        entry = run.put("movement", body_of(told, n), at=7 * DAY + at * 1000, event=told.event, holder=told.holder)
        entries.append((n, told, entry))
    for at, (_, told, entry) in enumerate(sorted(entries, key=lambda e: e[0])):
        if told.corrected_kg:
            run.correct(
                entry,
                line(told.corrected_kg, code=told.code),
                at=7 * DAY + (len(order) + at) * 1000,
                holder=told.holder,
            )
    return run


def found(run):
    """(rule, fingerprint, window, band) of what stands."""
    return {
        (rule, name, episode.start, episode.end, episode.band)
        for rule, courses in run.state.courses.items()
        for name, course in courses.items()
        for episode in course.episodes
        if episode.band >= 0 and rule not in ABOUT_RECEIPT
    }


def shuffled(tolds, random):
    """An order of (number, record) that keeps each book's."""
    waiting = {}
    for n, told in enumerate(tolds):
        waiting.setdefault(told.holder, []).append((n, told))
    holders = [told.holder for told in tolds]
    random.shuffle(holders)
    return [waiting[holder].pop(0) for holder in holders]


def assert_each_finding_was_said(run):
    """Every episode that stands has an alert of its band or a worse one."""
    said = {}
    for raised in run.to.raised:
        said[raised.alert.alert_id] = raised.alert.band
    for rule, courses in run.state.courses.items():
        for course in courses.values():
            for episode in course.episodes:
                if episode.band >= 0:
                    assert episode.alerted_band <= episode.band and episode.alert_id in said, rule


@pytest.mark.parametrize("which", ["windows", "shipped"])
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(tolds=st.lists(records, min_size=2, max_size=24), random=st.randoms(use_true_random=False))
def test_fold__books_in_any_interleaving__same_rules_fingerprints_windows_and_bands(which, tolds, random):
    rules = WINDOWED if which == "windows" else HAPPENINGS
    as_it_happened = sorted(enumerate(tolds), key=lambda pair: pair[1].event)
    runs = [fold(rules, order) for order in (as_it_happened, shuffled(tolds, random), shuffled(tolds, random))]
    assert found(runs[0]) == found(runs[1]) == found(runs[2])
    for run in runs:
        assert run.state.health.get("ENGINE") is None
        assert_each_finding_was_said(run)


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(tolds=st.lists(records, min_size=2, max_size=12))
def test_fold__corrected_records__find_what_they_would_have_found_at_first(tolds):
    corrected = [replace(told, kg=told.corrected_kg or told.kg, corrected_kg=0) for told in tolds]
    assert found(fold(WINDOWED, list(enumerate(tolds)))) == found(fold(WINDOWED, list(enumerate(corrected))))


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(tolds=st.lists(records, min_size=2, max_size=10))
def test_fold__restarted_at_every_split_point__same_state_and_alerts(tolds):
    order = list(enumerate(tolds))
    whole = fold(WINDOWED, order)
    for split in range(len(order)):
        again = fold(WINDOWED, order, restart_at=split)
        assert [r.payload for r in again.to.raised] == [r.payload for r in whole.to.raised]
        assert encode_state(again.state) == encode_state(whole.state)
