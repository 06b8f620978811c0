"""Deadlines of alerts end: each fires once, whatever comes after."""

from tests.engine.helpers import HOUR, Run, line


def test_life__worse_after_escalation__has_no_deadline_left_to_fire():
    run = Run()
    run.put("grant", {"holder": "BUYER", "role": 1}, authority=True, holder="platform.test", book="grants")
    run.stocktake(line("100"))
    body = {
        "direction": "out",
        "reason": "sale",
        "lines": [line("10")],
        "consignment": "C-1",
        "counterparty": {"type": "enterprise", "uscc": "BUYER"},
    }
    run.put("movement", body, at=HOUR)
    for hour in range(2, 200):
        run.tick(hour * HOUR)
    assert [rule for rule, _ in run.alerts].count("B02") == 2
    due = run.fold.next_due()
    assert due is None or due > run.state.now_ms
