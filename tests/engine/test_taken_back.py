"""What a late record shows not to have been so when it was said is taken back, visibly; what ended since has recovered."""

import pytest

from ledger.core.ids import credit_code_for
from tests.engine.helpers import HOUR, Run, line
from tests.engine.rulekit import rule_text, rules_of

DAY = 24 * HOUR
SELLER, BUYER = (credit_code_for(f"91350100{n:09d}") for n in (1, 2))


def trade(run, way, *, at, event, kg=10):
    out = way == "out"
    holder, other = (SELLER, BUYER) if out else (BUYER, SELLER)
    body = {"direction": way, "reason": "sale" if out else "purchase", "lines": [line(kg)], "consignment": "C-1"}
    body["counterparty"] = {"type": "enterprise", "uscc": other}
    return run.put("movement", body, at=at, event=event, holder=holder)


def missing():
    """A sale of a week ago comes, and that nobody confirmed it is said at once."""
    run = Run()
    for holder in (SELLER, BUYER):
        run.put("grant", {"holder": holder, "role": 1}, holder="police.test", book="desk", authority=True)
    trade(run, "out", at=7 * DAY, event=0)
    assert ("B02", 0) in run.alerts
    return run


def life_of(run, rule):
    return next((one, life) for one, life in run.state.life.lives.items() if life.rule == rule)


def notes(run, rule):
    episode, _ = life_of(run, rule)
    return [step.note for step in run.to.life.steps if step.alert_id == episode and "stands" in step.note]


def test_level_alert__cure_that_had_happened_before_it_was_said__is_taken_back_by_that_record():
    run = missing()
    cure = trade(run, "in", at=7 * DAY + HOUR, event=HOUR)
    _, life = life_of(run, "B02")
    assert (life.recovered, life.taken_back, life.stands) == (True, cure.record_id, "")
    assert notes(run, "B02") == [{"taken_back": cure.record_id, "stands": ""}]


def test_level_alert__cure_that_happened_after_it_was_said__has_recovered_and_stands_as_said():
    run = missing()
    trade(run, "in", at=8 * DAY, event=7 * DAY + 1)
    _, life = life_of(run, "B02")
    assert (life.recovered, life.taken_back, notes(run, "B02")) == (True, "", [])


def test_level_alert__correction_that_does_and_undoes_within_one_entry__is_no_step():
    run = missing()
    sale = run.by_id[next(iter(run.state.transfers.opened.values()))[0].record_id]
    run.correct(sale, line(11), at=7 * DAY + HOUR, holder=SELLER)
    _, life = life_of(run, "B02")
    assert (life.recovered, life.taken_back, notes(run, "B02")) == (False, "", [])


def test_level_alert__worse_than_late_data_leave_it__stands_by_its_milder_band_and_again_when_that_is_undone():
    bands = ("balance < -50000000", ("balance < 0", "severity: low"))
    run = Run(rules=rules_of(rule_text("T01", on="balance", bands=bands)))
    gone = run.move("out", line(60), at=DAY)
    came = run.put("movement", {"direction": "in", "reason": "found", "lines": [line(20)]}, at=DAY + HOUR, event=HOUR)
    _, life = life_of(run, "T01")
    assert (life.recovered, life.taken_back, life.stands, life.stands_band) == (False, came.record_id, "low", 1)
    run.correct(gone, line(80), at=DAY + 2 * HOUR)
    assert (life.taken_back, life.stands, life.stands_band) == ("", "", -1)
    assert notes(run, "T01") == [{"taken_back": came.record_id, "stands": "low"}, {"stands": "again"}]
    assert run.alerts == [("T01", 0)]


def test_level_alert__taken_back_and_then_worse__is_said_as_it_is():
    bands = (("balance < -50000000", "severity: critical"), "balance < 0")
    run = Run(rules=rules_of(rule_text("T01", on="balance", bands=bands, quiet="24h")))
    run.move("out", line(10), at=DAY)
    run.put("movement", {"direction": "in", "reason": "found", "lines": [line(20)]}, at=DAY + HOUR, event=HOUR)
    assert life_of(run, "T01")[1].taken_back
    run.move("out", line(90), at=DAY + 2 * HOUR)
    assert life_of(run, "T01")[1].taken_back == "" and run.alerts == [("T01", 1), ("T01", 0)]


def happening(quiet="6h"):
    return Run(rules=rules_of(rule_text("T01", bands=('direction == "out"',), fingerprint="holder", quiet=quiet)))


def test_happening__corrected_away__is_taken_back_and_so_is_the_alert_that_it_had_joined():
    run = happening()
    entries = [run.move("out", line(1), at=at) for at in (0, 10 * HOUR)]
    entries.append(
        run.put("movement", {"direction": "out", "reason": "use", "lines": [line(1)]}, at=DAY, event=5 * HOUR)
    )
    assert [life.taken_back for life in run.state.life.lives.values()] == ["", ""]
    for n, entry in enumerate(entries):
        body = {"direction": "in", "reason": "found", "lines": [line(1)]}
        made = {"corrects": entry.record_id, "kind": "movement", "body": body}
        last = run.put("correction", made, at=DAY + (n + 1) * HOUR)
    lives = run.state.life.lives.values()
    assert [(life.recovered, bool(life.taken_back)) for life in lives] == [(True, True)] * 2 and last.record_id in {
        life.taken_back for life in lives
    }


@pytest.mark.parametrize("restart", [False, True])
def test_taken_back__over_a_restart__is_the_same(restart):
    run = missing()
    if restart:
        run.restart()
    cure = trade(run, "in", at=7 * DAY + HOUR, event=HOUR)
    assert life_of(run, "B02")[1].taken_back == cure.record_id


def test_pass_through__of_goods_that_were_others_after_all__is_taken_back():
    run = Run()
    run.put("profile", {"roles": ["user"]}, book="office")
    run.stocktake(line(100))
    run.move("in", line(100), at=HOUR, reason="purchase")
    sale = run.move("out", line(95), at=3 * HOUR, reason="sale")
    episode, life = life_of(run, "B14")
    fixed = run.correct(sale, line(95, "7732-18-5"), at=4 * HOUR)
    assert (life.recovered, life.taken_back) == (True, fixed.record_id)
    run.correct(fixed, line(95), at=5 * HOUR)
    assert (life.recovered, life.taken_back) == (False, "") and life_of(run, "B14")[0] == episode
