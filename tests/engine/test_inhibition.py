"""What keeps an alert down keeps it recorded and visible, and no longer than it should."""

import pytest

from ledger.errors import RuleError
from tests.engine.helpers import HOUR, T0, Run, line
from tests.engine.rulekit import rule_text, rules_of

CAUSE = rule_text("T01", on="balance", bands=("lowest < 0",), fingerprint="holder, key")
EFFECT = rule_text(
    "T02",
    bands=('direction == "out" && amount > 20000000',),
    fingerprint="holder, code",
    quiet="24h",
    more="inhibited_by: [{rule: T01, on: [holder, code]}]",
)


def run_of(*texts, **more):
    return Run(rules=rules_of(*texts, **more))


def life_of(run, rule):
    (episode,) = [r.alert.alert_id for r in run.to.raised if r.alert.rule == rule and "revises" not in r.alert.extra]
    return run.state.life.lives[episode]


def overdrawn(run, at=HOUR, kg=30, **more):
    run.stocktake(line(10), **more)
    return run.move("out", line(kg), at=at, **more)


def transition(run, rule, to, at, **body):
    episode = next(r.alert.alert_id for r in run.to.raised if r.alert.rule == rule)
    life = run.state.life.lives[episode]
    body = {"alert": episode, "from": life.standing.status, "to": to, "turn": life.turn} | body
    run.put("alert_transition", body, at=at, holder="police.test", book="desk", authority=True)


def test_inhibited__by_an_alert_about_the_same__is_recorded_and_suppressed():
    run = run_of(CAUSE, EFFECT)
    overdrawn(run)
    assert run.alerts == [("T01", 0), ("T02", 0)]
    assert life_of(run, "T01").standing.status == "open"
    assert (life_of(run, "T02").standing.status, life_of(run, "T02").why) == ("suppressed", "inhibited:T01")
    assert life_of(run, "T02").handle_due_ms == -1


@pytest.mark.parametrize("texts", [(CAUSE, EFFECT), (EFFECT, CAUSE)])
def test_inhibited__about_another_substance_or_enterprise__is_open(texts):
    run = run_of(*texts)
    overdrawn(run)
    run.stocktake(line(100), holder="B")
    run.move("out", line(30), at=2 * HOUR, holder="B")
    lives = {(r.alert.rule, r.alert.holder): r.alert.alert_id for r in run.to.raised}
    assert run.state.life.lives[lives["T02", "B"]].standing.status == "open"


def test_inhibited__that_was_there_first_and_untouched__becomes_suppressed():
    run = run_of(CAUSE, EFFECT)
    run.stocktake(line(40))
    run.move("out", line(30), at=HOUR)
    assert life_of(run, "T02").standing.status == "open"
    run.move("out", line(30), at=3 * HOUR)
    assert life_of(run, "T02").why == "inhibited:T01"


def test_inhibited__that_somebody_took_in_hand__stays_with_them():
    run = run_of(CAUSE, EFFECT)
    run.stocktake(line(40))
    run.move("out", line(30), at=HOUR)
    transition(run, "T02", "acknowledged", 2 * HOUR)
    run.move("out", line(30), at=3 * HOUR)
    assert life_of(run, "T02").standing.status == "acknowledged"


def test_inhibitor__that_recovers__lets_what_still_holds_appear():
    run = run_of(CAUSE, EFFECT)
    overdrawn(run)
    run.restart()
    run.move("in", line(100), at=2 * HOUR, event=HOUR // 2)
    life = life_of(run, "T02")
    assert life.standing.status == "open" and life.due_ms > T0 and life.handle_due_ms > T0


def test_inhibitor__that_recovers__lets_nothing_appear_that_holds_no_more():
    run = run_of(CAUSE, EFFECT)
    entry = overdrawn(run)
    run.correct(entry, line(5), at=2 * HOUR)
    assert life_of(run, "T01").recovered and life_of(run, "T02").recovered
    assert life_of(run, "T02").standing.status == "suppressed"


def test_inhibitor__that_holds_again__keeps_it_down_again():
    run = run_of(CAUSE, EFFECT)
    overdrawn(run)
    run.move("in", line(100), at=2 * HOUR, event=HOUR // 2)
    run.move("out", line(100), at=150 * 60_000)
    assert life_of(run, "T01").recovered is False
    assert life_of(run, "T02").standing.status == "suppressed"


@pytest.mark.parametrize(
    ("outcome", "status"), [("false_positive", "open"), ("no_violation", "open"), ("violation_confirmed", "suppressed")]
)
def test_inhibitor__closed__takes_its_consequence_along_only_when_it_was_dealt_with(outcome, status):
    run = run_of(CAUSE, EFFECT)
    overdrawn(run)
    transition(run, "T01", "closed", 2 * HOUR, outcome=outcome, reason="seen on site")
    assert life_of(run, "T01").standing.status == "closed"
    assert life_of(run, "T02").standing.status == status


def test_inhibited__whose_episode_goes_on_for_what_nothing_is_in_the_way_of__appears():
    other = rule_text("T03", on="count", bands=("true",), fingerprint="holder, code")
    wide = EFFECT.replace("[holder, code], quiet", "[holder], quiet").replace("T01, on", "T03, on")
    run = run_of(other, wide)
    run.stocktake(line(100), line(100, code="64-17-5"))
    run.stocktake(line(100), at=HOUR)
    kept = [r.alert.fingerprint[1] for r in run.to.raised if r.alert.rule == "T03"]
    run.move("out", line(30, code=kept[0]), at=90 * 60_000)
    assert life_of(run, "T02").standing.status == "suppressed"
    run.move("out", line(30, code="67-64-1"), at=100 * 60_000)
    assert life_of(run, "T02").standing.status == "open"


def test_reminder__of_severity_info__inhibits_nothing_until_it_gets_worse():
    reminder = rule_text("T01", on="balance", bands=("lowest < -15000000", ("lowest < 0", "severity: info")))
    effect = EFFECT.replace("on: [holder, code]}", "on: [holder]}").replace("20000000", "5000000")
    run = run_of(reminder, effect)
    run.stocktake(line(10))
    run.move("out", line(20), at=HOUR)
    assert life_of(run, "T02").standing.status == "open"
    run.move("out", line(20), at=61 * 60_000)
    assert life_of(run, "T02").standing.status == "suppressed"


@pytest.mark.parametrize(
    ("by", "said"),
    [
        ("[T09]", "T09, which is no rule"),
        ("[{rule: T01, on: [reason]}]", "have no text reason"),
        ("[{rule: T01, on: [amount]}]", "text fields"),
        ("[{rule: T01, on: []}]", "text fields"),
        ("[{rule: T01}]", "'on' is missing"),
        ("[t01]", "upper-case"),
        ("[T02]", "inhibits itself"),
    ],
)
def test_inhibited_by__wrong__is_refused(by, said):
    text = EFFECT.replace("[{rule: T01, on: [holder, code]}]", by)
    with pytest.raises(RuleError, match=said):
        rules_of(CAUSE, text)


def test_inhibited_by__in_a_circle__is_refused():
    one = rule_text("T01", more="inhibited_by: [T02]")
    with pytest.raises(RuleError, match="inhibits itself"):
        rules_of(one, rule_text("T02", more="inhibited_by: [T03]"), rule_text("T03", more="inhibited_by: [T01]"))


EXCEPTION = "{match: {holder: A}, reason: agreed, author: police.test, from: 2026-03-01, until: 2026-03-03}"


def excepted(text, **more):
    return rule_text("T01", more=f"exceptions: [{text}]", fingerprint="holder, code", **more)


@pytest.mark.parametrize("in_file", [True, False])
def test_exception__in_force__is_a_suppressed_alert_that_appears_when_it_ends(in_file):
    if in_file:
        run = run_of(excepted(EXCEPTION))
    else:
        named = "schema: exceptions/1\nexceptions:\n  - " + EXCEPTION.replace("{match", "{rule: T01, match", 1)
        run = run_of(rule_text("T01", fingerprint="holder, code"), exceptions__yml=named)
    run.move("out", line(1), at=HOUR)
    run.move("out", line(1), at=HOUR, holder="B")
    lives = {r.alert.holder: run.state.life.lives[r.alert.alert_id] for r in run.to.raised}
    assert (lives["A"].standing.status, lives["A"].why, lives["B"].standing.status) == ("suppressed", "agreed", "open")
    assert run.fold.next_due() <= T0 + 24 * HOUR
    run.tick(24 * HOUR)
    assert lives["A"].standing.status == "open"


def test_exception__over_or_not_begun__changes_nothing():
    run = run_of(
        excepted(EXCEPTION.replace("2026-03-01", "2026-03-03").replace("until: 2026-03-03", "until: 2026-03-04"))
    )
    run.move("out", line(1), at=HOUR)
    run.move("out", line(1), at=49 * HOUR, event=49 * HOUR)
    assert [run.state.life.lives[r.alert.alert_id].standing.status for r in run.to.raised] == ["open", "open"]


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("until: 2026-03-03", "until: 2026-09-01", "within 180 days"),
        ("until: 2026-03-03", "until: 2026-03-01", "after it begins"),
        ("{holder: A}", "{store: R1}", "fields of the fingerprint"),
        ("{holder: A}", "{}", "fields of the fingerprint"),
        ("{holder: A}", "{holder: 5}", "text is expected"),
        ("{holder: A}", "{code: 7697-37-2}", "says whose finding it is: holder"),
        ("author: police.test, ", "", "'author' is missing"),
        ("reason: agreed, ", "", "'reason' is missing"),
        ("2026-03-01", "2026-02-30", "no date"),
        ("reason: agreed", "reason: agreed, when: true", "unknown key 'when'"),
    ],
)
def test_exception__wrong__is_refused_with_its_line(old, new, said):
    with pytest.raises(RuleError, match=said) as raised:
        rules_of(excepted(EXCEPTION.replace(old, new)))
    assert raised.value.detail.startswith("0.yml:9: ")


def test_exceptions_file__about_no_rule__is_refused():
    named = "schema: exceptions/1\nexceptions:\n  - " + EXCEPTION.replace("{match", "{rule: T09, match", 1)
    with pytest.raises(RuleError, match=r"exceptions.yml:3: there is no rule T09"):
        rules_of(rule_text("T01", fingerprint="holder, code"), exceptions__yml=named)


def test_exceptions_file__changes_the_digest_of_the_set():
    named = "schema: exceptions/1\nexceptions:\n  - " + EXCEPTION.replace("{match", "{rule: T01, match", 1)
    plain = rule_text("T01", fingerprint="holder, code")
    assert rules_of(plain).digest != rules_of(plain, exceptions__yml=named).digest


def test_budget__is_a_number_of_alerts_a_day():
    assert rules_of(rule_text(more="budget: {max_per_day: 5}")).rules[0].max_per_day == 5
    assert rules_of(rule_text()).rules[0].max_per_day is None
    with pytest.raises(RuleError, match="at least 1"):
        rules_of(rule_text(more="budget: {max_per_day: 0}"))
