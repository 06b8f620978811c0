"""Daily closes: what a book promises by its first one. Corrections that hide a shortage. Silence: how long it usually rests."""

from random import Random

import msgspec
import pytest

from ledger.engine.register import Register, RegisterState
from ledger.engine.statistics.robust import nearest_rank
from ledger.engine.topics.discipline import MAX_GAPS, MIN_GAPS, QUIET_MS, TIMES, Discipline, DisciplineState
from tests.engine.helpers import HOUR, T0, Run, line


def close(run, day, *, at=0, **more):
    body = {"day": day, "last_seq": 1, "lines": [], "nil": True, "final": False}
    run.put("close", body | more, at=at)


def missed(run):
    return [band for rule, band in run.alerts if rule == "D02"]


@pytest.mark.parametrize("day", ["2026-03-02", "2026-03-03", "2999-01-01", "9999-12-30", "9999-12-31"])
def test_close__of_a_day_that_has_not_begun__does_for_no_more_than_today(day):
    run = Run()
    close(run, day)
    run.tick(at=60 * HOUR)
    assert missed(run) == [1]
    close(run, "2026-03-04", at=61 * HOUR)
    run.tick(at=66 * HOUR)
    assert missed(run) == [1]


@pytest.mark.parametrize("day", ["2026-03-02", "9999-12-31"])
def test_close__final__nothing_is_missed_any_more(day):
    run = Run()
    close(run, day, final=True)
    run.tick(at=900 * HOUR)
    assert missed(run) == [] and "ENGINE" not in run.state.health


def corrected_down(*, counted, before_count=True):
    """Three issues of 10 kg of 100, each corrected to 12; between them and the corrections, or before them, a count."""
    run = Run()
    run.stocktake(line(100))
    if not before_count:
        run.stocktake(line(counted), at=HOUR)
    issues = [run.move("out", line(10), at=(n + 2) * HOUR) for n in range(3)]
    if before_count:
        run.stocktake(line(counted), at=24 * HOUR)
    for n, issue in enumerate(issues):
        run.correct(issue, line(12), at=(25 + n) * HOUR)
    return [band for rule, band in run.alerts if rule == "D06"]


@pytest.mark.parametrize("counted", [60, 64, "64.000001", "65.999999"])
def test_corrections__each_makes_the_shortage_smaller__though_the_last_leaves_none(counted):
    assert corrected_down(counted=counted) == [0]


@pytest.mark.parametrize("counted", [66, 70, 75])
def test_corrections__the_shortage_was_covered_by_the_second_or_there_was_none__is_no_run(counted):
    assert corrected_down(counted=counted) == []


def test_corrections__of_what_the_count_did_not_see__make_none_smaller():
    assert corrected_down(counted=100, before_count=False) == []


# --- silence ------------------------------------------------------------------------------------------------------------


def test_rests__more_than_are_kept__the_usual_one_is_of_the_newest_and_said_the_same_after_a_restart():
    rng, rests, at = Random(3), [], 0
    state = DisciplineState()
    run = Run()
    for n in range(2 * MAX_GAPS):
        topic = Discipline(state, Register(RegisterState()), lambda *_: False, lambda _: True)
        body = {"direction": "out", "reason": "consumption", "lines": [line(1)]}
        ((_, row),) = [told for told in topic.apply(run.entry("movement", body, at=at), ()) if told[0] == "activity"]
        usual = nearest_rank(sorted(rests[-MAX_GAPS:]), 95) if len(rests) >= MIN_GAPS else 0
        assert row["usual_ms"] == usual
        assert row["silent_from_ms"] == T0 + at + max(QUIET_MS, TIMES * usual)
        rests.append(rng.randrange(24, 2000) * HOUR + n)
        at += rests[-1]
        state = msgspec.msgpack.decode(msgspec.msgpack.encode(state), type=DisciplineState)
    (pace,) = state.paces.values()
    assert len(pace.rests) == 8 * MAX_GAPS
