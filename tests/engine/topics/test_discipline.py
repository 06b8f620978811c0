"""Daily closes: what a book promises by its first one."""

import pytest

from tests.engine.helpers import HOUR, Run


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
