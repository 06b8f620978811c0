"""The fold as a whole: deterministic, total, and honest about what it cannot fold."""

import hashlib
import json
from datetime import datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from ledger.core.record import parse_payload
from ledger.engine.alerts import alert_id_of
from ledger.engine.inputs import parse_input, unix_ms
from ledger.engine.state import FoldState, decode_state, encode_state, state_digest
from ledger.errors import RuleError
from tests import factories
from tests.engine.helpers import HOUR, NITRIC, T0, Run, line
from tests.fakes_engine import FakeLog


def test_alert_id__by_hand__is_engine_md_to_the_byte():
    text = 'hazledger/alert/v1\nA01\n["91","S1","硝酸"]\n17\n'
    assert alert_id_of("A01", ("91", "S1", "硝酸"), 17) == hashlib.sha256(text.encode()).hexdigest()


@pytest.mark.parametrize("kind", sorted(factories.record.KINDS))
def test_fold__every_kind_of_record__folds_without_an_engine_error(kind):
    log = FakeLog()
    document = factories.payload(kind)
    parse_payload(factories.encode(document))
    run = Run()
    run.fold.step(parse_input(log.store(factories.encode(document), T0)), run.to)
    assert run.state.next_index == 1
    error = run.state.health["ENGINE"].error if "ENGINE" in run.state.health else ""
    # The sample correction names a record that is not there, which is all that may be wrong with any of them.
    assert error == "" or (kind == "correction" and "is not in the log" in error)


def test_fold__entries_out_of_order__are_refused():
    run = Run()
    entry = run.entry("movement", {}, at=0)
    run.fold.step(entry, run.to)
    with pytest.raises(RuleError, match="where 1 is next"):
        run.fold.step(entry, run.to)


def test_fold__body_that_does_not_fold__one_alert_a_day_and_on_it_goes():
    run = Run()
    run.put("movement", {"direction": "in"}, at=0)
    run.put("movement", {"direction": "in"}, at=HOUR)
    assert run.alerts == [("RULE-ERROR", 0)]
    assert run.state.health["ENGINE"].error
    run.stocktake(line(1), at=2 * HOUR)
    run.move("out", line(5), at=3 * HOUR)
    assert run.alerts[-1] == ("A01", 0)
    run.put("movement", {"direction": "in"}, at=27 * HOUR)
    assert run.alerts[-1] == ("RULE-ERROR", 0)


def test_fold__alert_entries__are_never_inputs():
    run = Run()
    run.put("alert", {"rule": "A01"}, authority=True, holder="platform.test", book="alerts")
    assert run.state.next_index == 1 and not run.alerts


def script(run):
    run.put(
        "place",
        {
            "sites": [
                {
                    "site": "S1",
                    "zone": "Asia/Shanghai",
                    "stores": [
                        {"id": "R1", "book": "B1", "class": "room", "capacity": {"value": "150", "unit": "KGM"}}
                    ],
                }
            ]
        },
        book="office",
    )
    run.stocktake(line(100))
    run.move("in", line(80), at=HOUR, reason="purchase")
    run.move("out", line(300), at=2 * HOUR)
    run.move("out", line(10), at=3 * HOUR, event=HOUR // 2)
    run.tick(at=4 * HOUR)
    run.move("in", line(400), at=30 * HOUR)
    run.tick(at=31 * HOUR)


def test_fold__twice__same_state_and_same_payloads():
    runs = Run(), Run()
    for run in runs:
        script(run)
    assert state_digest(runs[0].state) == state_digest(runs[1].state)
    assert [r.payload for r in runs[0].to.raised] == [r.payload for r in runs[1].to.raised]
    assert len(runs[0].to.raised) >= 3


def test_snapshot__after_the_script__survives_to_the_byte():
    run = Run()
    script(run)
    data = encode_state(run.state)
    assert encode_state(decode_state(data)) == data


@pytest.mark.parametrize("data", [b"", b"\x00", b"{}", encode_state(FoldState(version=0))])
def test_snapshot__of_another_version_or_broken__means_fold_from_the_beginning(data):
    assert decode_state(data) is None


def test_alert_payload__chain_of_the_engines_own_book__is_gapless():
    run = Run()
    script(run)
    prev = None
    for seq, raised in enumerate(run.to.raised, start=1):
        document = json.loads(raised.payload)
        assert (document["seq"], document["prev"]) == (seq, prev)
        assert document["event_time"].endswith("Z") and len(document["nonce"]) == 43
        prev = hashlib.sha256(raised.payload).hexdigest()
        assert raised.record_id == prev


def test_episode__that_gets_worse__is_a_second_alert_that_names_the_first():
    run = Run()
    run.put(
        "place",
        {
            "sites": [
                {
                    "site": "S1",
                    "zone": "Asia/Shanghai",
                    "stores": [
                        {"id": "R1", "book": "B1", "class": "room", "capacity": {"value": "100", "unit": "KGM"}}
                    ],
                }
            ]
        },
        book="office",
    )
    run.stocktake(line(105))
    run.move("in", line(50), at=HOUR)
    first, second = (r for r in run.to.raised if r.alert.rule == "A02")
    body = json.loads(second.payload)["body"]
    assert body["revises"] == first.record_id and second.alert.extra["first_alert"] == first.alert.alert_id
    assert first.alert.alert_id != second.alert.alert_id


def test_episode__recovered_and_back_within_quiet__is_not_said_again():
    run = Run()
    run.stocktake(line(10, code="64-17-5"))
    for at, direction in ((1, "out"), (2, "in"), (3, "out"), (4, "in")):
        run.move(direction, line(15, code="64-17-5"), at=at * HOUR)
    assert run.alerts == [("A01", 0)]


def test_episode__back_after_quiet__is_a_new_alert():
    run = Run()
    run.stocktake(line(10, code="64-17-5"))
    run.move("out", line(15, code="64-17-5"), at=HOUR)
    run.stocktake(line(10, code="64-17-5"), at=2 * HOUR)
    run.tick(at=25 * HOUR)
    run.move("out", line(15, code="64-17-5"), at=27 * HOUR)
    assert [a for a in run.alerts if a[0] == "A01"] == [("A01", 0), ("A01", 0)]


def test_alert__on_what_happened_long_before_it_came__is_marked_late():
    run = Run()
    run.stocktake(line(10, code="64-17-5"))
    run.move("out", line(15, code="64-17-5"), at=30 * HOUR, event=HOUR)
    (raised,) = (r for r in run.to.raised if r.alert.rule == "A01")
    assert raised.alert.late and json.loads(raised.payload)["body"]["late"]


def test_alert__reason__has_the_numbers_in_both_languages():
    run = Run()
    run.stocktake(line(10))
    run.move("out", line("12.5"), at=HOUR)
    (raised,) = run.to.raised
    assert "-2.5 kg" in raised.alert.reason["zh"] and "-2.5 kg" in raised.alert.reason["en"]
    assert raised.alert.inputs["balance"] == -2_500_000 and raised.alert.inputs["code"] == NITRIC


def test_alert__quantity_beyond_jsons_range__is_its_text_in_groups():
    run = Run()
    run.stocktake(line(0))
    for at in range(1, 3):
        run.move("out", line("9999999999.999999"), at=at * HOUR)
    run.restart()
    assert decode_state(encode_state(run.state)) is not None
    assert run.to.raised[0].alert.inputs["balance"] == "-9,999,999,999,999,999"


def test_timers__fired_by_one_tick__come_in_the_order_of_due_and_id():
    run = Run()
    for holder in ("C", "A", "B"):
        run.stocktake(line(10), holder=holder)
        run.move("in", line(10), at=HOUR, event=50 * 60_000, holder=holder)
    for holder in ("B", "C", "A"):
        run.move("out", line(15), at=HOUR + (1 if holder == "A" else 0), event=40 * 60_000, holder=holder)
    run.tick(at=2 * HOUR)
    assert [r.alert.holder for r in run.to.raised] == ["B", "C", "A"]
    waiting = {timer.rule for timer in run.state.timers.values()}
    assert "A01" not in waiting and "LIFE" in waiting  # each alert now has a deadline of its own


SHADOW = """
schema: rule/1
id: T-SHADOW
version: 1
status: shadow
title: {zh: 影子, en: Shadow}
severity: low
legal_basis: [none]
on: [balance]
bands:
  - {when: 'balance > 0', reason: {zh: 有, en: some}}
episode: {fingerprint: [key], quiet: 0s}
tests: []
"""


def test_rule__in_shadow__runs_and_counts_and_stays_hidden():
    from ledger.engine.rules import load_rules

    run = Run(rules=load_rules({"s.yml": SHADOW}, {}))
    run.stocktake(line(1))
    assert not run.to.raised and run.state.own_seq == 0
    health = run.state.health["T-SHADOW"]
    assert (health.alerts, health.evaluations) == (1, 1)


books = st.lists(st.tuples(st.sampled_from("ABC"), st.integers(1, 40), st.booleans()), min_size=2, max_size=14)


@settings(max_examples=60, deadline=None)
@given(books, st.randoms(use_true_random=False))
def test_fold__any_interleaving_of_the_books__same_rules_fingerprints_bands(script, random):
    """Each book keeps its own order and event times; how the books are shuffled into one log changes no finding."""
    queues = {}
    for at, (holder, kg, inward) in enumerate(script, start=1):
        queues.setdefault(holder, []).append((at * 60_000, "in" if inward else "out", kg))

    def fold(order):
        run = Run()
        waiting = {holder: list(events) for holder, events in queues.items()}
        for holder in queues:
            run.stocktake(line(30), holder=holder)
        for holder in order:
            event, direction, kg = waiting[holder].pop(0)
            other = "B" if holder != "B" else "A"
            more = {"consignment": f"C-{kg}", "counterparty": {"type": "enterprise", "uscc": other}}
            body = {"direction": direction, "reason": "purchase" if direction == "in" else "sale", "lines": [line(kg)]}
            run.put("movement", body | more, at=50 * 60_000, event=event, holder=holder)
        run.tick(at=300 * HOUR)
        # Of cycles (B15), a longer one may be told of that a shorter one takes the place of; what stands is the same.
        return {(r.alert.rule, r.alert.fingerprint, r.alert.band) for r in run.to.raised if r.alert.rule != "B15"}

    order = [holder for holder, _, _ in script]
    shuffled = list(order)
    random.shuffle(shuffled)
    assert fold(order) == fold(shuffled)


def test_facts__are_part_of_the_input():
    log = FakeLog()
    record = log.write("A", "movement", {"direction": "in", "reason": "found", "lines": [line(1)]}, at=T0)
    assert parse_input(record, {"buyer": "p1"}).facts == {"buyer": "p1"}


@pytest.mark.parametrize("envelope", [b"", b"e30.e30.c2ln", b"{}", b"[]", b'{"payload":"e30="}', b'{"payload":"%"}', b"\xff"])
def test_parse_input__bytes_that_are_no_envelope__are_said_to_be_unreadable(envelope):
    """A compact JWS is among them: the door of this version takes none."""
    record = FakeLog().write("A", "movement", {"direction": "in", "reason": "found", "lines": [line(1)]}, at=T0)
    with pytest.raises(RuleError) as raised:
        parse_input(replace(record, envelope=envelope, type=record.type + (";jws" if b".c2" in envelope else "")))
    assert raised.value.code == "entry-unreadable"


@pytest.mark.parametrize("time", ["2026-03-02", "2026-03-02T00:00:00", "20260302T000000Z", "2026-03-02 00:00:00Z", "now",
                                  "2026-03-02T00:00:00.5Z", "2026-W10-1T00:00:00Z", "２026-03-02T00:00:00Z"])  # fmt: skip
def test_unix_ms__any_other_text__is_no_time(time):
    """Above all one without an offset: it would be another moment on another machine."""
    with pytest.raises(ValueError):
        unix_ms(time)


@given(st.integers(0, 32_503_679_999_999))
def test_unix_ms__any_millisecond__is_exact(at):
    time = datetime(1970, 1, 1) + timedelta(milliseconds=at)
    assert unix_ms(f"{time:%Y-%m-%dT%H:%M:%S}.{at % 1000:03d}Z") == at
