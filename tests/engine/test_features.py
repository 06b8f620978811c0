"""Declaring features: strict, typed, with the line; and what a rule makes of them."""

import pytest

from ledger.errors import RuleError
from tests.engine.helpers import HOUR, NITRIC, Run, line
from tests.engine.rulekit import rule_text, rules_of

DAY = 24 * HOUR


def featured(*features, group_by="group_by: [code, dimension]", bands=("true",), more="", **rest):
    lines = "".join(f"\n  {feature}" for feature in features)
    return rule_text(more=f"{group_by}\nfeatures:{lines}{more}", bands=bands, fingerprint="code", **rest)


@pytest.mark.parametrize(
    ("feature", "said"),
    [
        ("n: {window: 1d}", "'agg' is missing"),
        ("n: {agg: median, of: amount, window: 1d}", "none of"),
        ("n: {agg: count}", "'window' is missing"),
        ("n: {agg: count, of: amount, window: 1d}", "unknown key 'of'"),
        ("n: {agg: sum, window: 1d}", "'of' is missing"),
        ("n: {agg: sum, of: code, window: 1d}", "no field of the rows that sum can take"),
        ("n: {agg: sum, of: nothing, window: 1d}", "no field of the rows"),
        ("n: {agg: distinct, of: amount, window: 1d}", "no field of the rows that distinct can take"),
        ("n: {agg: last, of: categories}", "no field of the rows that last can take"),
        ("n: {agg: count, window: week}", "duration"),
        ("n: {agg: robust_z, of: amount, min: 12, window: month}", "duration"),
        ("n: {agg: count, window: 0s}", "longer than nothing"),
        ("n: {agg: count, window: 401d}", "at most 400 days"),
        ("n: {agg: daily_quantile, q: 101, of: amount, window: 60d, min_days: 15}", "at most 100"),
        ("n: {agg: daily_quantile, q: 0, of: amount, window: 60d, min_days: 15}", "at least 1"),
        ("n: {agg: mean_of_months, of: amount, months: 13}", "at most 12"),
        ("n: {agg: robust_z, of: amount}", "'min' is missing"),
        ("n: {agg: ratio_ppm, of: amount, to: pieces}", "no number among the features declared before"),
        ("n: {agg: count, window: 1d, by: anchored}", "none of"),
        ("amount: {agg: count, window: 1d}", "field of the rows"),
        ("n-1: {agg: count, window: 1d}", "no name for a feature"),
        ("n_ready: {agg: count, window: 1d}", "no name for a feature"),
        ("window_end_ms: {agg: count, window: 1d}", "no name for a feature"),
        ("n: {agg: count, window: 1d, where: 'amont > 1'}", "unknown name amont"),
        ("n: {agg: count, window: 1d, where: 'code == 1'}", "str is compared with int"),
        ("n: {agg: count, window: 1d, where: 'amount + 1'}", "not true or false"),
    ],
)
def test_feature__wrong__is_refused_with_its_line(feature, said):
    with pytest.raises(RuleError, match=said) as raised:
        rules_of(featured(feature))
    assert raised.value.detail.startswith("0.yml:11: ")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (featured("n: {agg: count, window: 1d}", group_by="for: 0s"), "features need group_by"),
        (featured("n: {agg: count, window: 1d}", group_by="group_by: [amount]"), "grouped by text fields"),
        (featured("n: {agg: count, window: 1d}", on="movement, store", group_by="group_by: [holder]"), "not of both"),
        (featured("n: {agg: count, window: 1d}", bands=(("n > 1", "for: 1h"),)), "does not last"),
        (featured("n: {agg: count, window: 1d}", "m: {agg: count, window: 1d, by: received}"), "or none"),
        (featured("n: {agg: count, window: 1d}", "m: {agg: count, window: 1d, where: n > 1}"), "not other features"),
        (featured("n: {agg: count, window: 1d}", bands=("n > m",)), "unknown name m"),
        (featured("n: {agg: count, window: 1d}", bands=("n == code",)), "int is compared with str"),
        (featured("n: {agg: is_first}", bands=("n > 1",)), "bool is compared with int"),
        (featured("n: {agg: count, window: 1d}", bands=("n_ready",)), "unknown name n_ready"),
        (featured("n: {agg: count, window: 1d}", more="\nnot_evaluable: maybe"), "none of"),
        (featured("n: {agg: count, window: 1d}", more="\nscope: n > 1"), "unknown name n"),
        (
            featured("n: {agg: count, window: 1d}", more="\nparameters:\n  n: {value: 1, from: 2020-01-01, basis: x}"),
            "n",
        ),
    ],
)
def test_rule__features_that_do_not_fit__is_refused(text, said):
    with pytest.raises(RuleError, match=said):
        rules_of(text)


def test_feature__shown_in_a_reason_and_carried_by_the_alert__has_its_value_and_the_windows_end():
    text = featured("total: {agg: sum, of: amount, window: 1d}").replace("en: some", "en: '{total|amount}'")
    run = Run(rules=rules_of(text))
    run.move("in", line(2), at=HOUR)
    entry = run.move("in", line(3), at=3 * HOUR)
    first, second = (r.alert for r in run.to.raised)
    assert (first.reason["en"], second.reason["en"]) == ("2 kg", "5 kg")
    assert second.inputs["total"] == 5_000_000 and second.inputs["window_end_ms"] == entry.event_ms


def test_feature__of_the_same_content__is_kept_once_for_all_rules():
    one = featured("n: {agg: count, window: 1d}", "t: {agg: sum, of: amount, window: 9d}")
    two = featured("many: {agg: count, window: 20d}", id="T02")
    three = featured("n: {agg: count, window: 1d}", id="T03", group_by="group_by: [code]")
    run = Run(rules=rules_of(one, two, three))
    run.move("in", line(2), at=HOUR)
    lanes = run.state.watches.lanes
    assert len(lanes) == 2
    assert sorted(key for lane in lanes.values() for key in lane) == [NITRIC, f"{NITRIC}\x1fmass"]


def test_feature__with_another_value_of_a_parameter__is_not_the_same():
    def text(id, value):
        more = f"\nparameters:\n  limit: {{value: {value}, from: 2020-01-01, basis: x}}"
        return featured("n: {agg: count, window: 1d, where: amount > limit}", id=id, more=more, bands=("n == 1",))

    run = Run(rules=rules_of(text("T01", 1_500_000), text("T02", 2_500_000)))
    run.move("in", line(2), at=HOUR)
    assert run.alerts == [("T01", 0)]
    run.move("in", line(3), at=2 * HOUR)
    assert run.alerts == [("T01", 0), ("T02", 0)]


def test_scope__of_the_rule__is_what_its_features_count():
    text = featured("n: {agg: count, window: 1d}", bands=("n >= 2",), more="\nscope: 'direction == \"in\"'")
    run = Run(rules=rules_of(text))
    run.move("out", line(2), at=HOUR)
    run.move("in", line(2), at=2 * HOUR)
    assert not run.alerts
    run.move("in", line(2), at=3 * HOUR)
    assert run.alerts == [("T01", 0)]


Z = "z: {agg: robust_z, of: amount, min: 3}"


def test_unready__silent__holds_no_band_and_says_nothing():
    run = Run(rules=rules_of(featured(Z, bands=("z < 1000",))))
    for at in range(3):
        run.move("in", line(5), at=at * HOUR)
    assert not run.alerts
    run.move("in", line(5), at=3 * HOUR)
    assert run.alerts == [("T01", 0)]


def test_rows_of_one_moment__judged_together__each_by_its_own_amount():
    run = Run(rules=rules_of(featured(Z, bands=("z > 2000",))))
    for at in range(4):
        run.move("in", line(5 + at), at=at * HOUR)
    run.move("in", line(6), line(6, store="R2"), line(900, store="R3"), at=5 * HOUR)
    assert run.alerts == [("T01", 0)]
    run.move("in", line(6), at=6 * HOUR)
    run.move("in", line(7), at=6 * HOUR)
    assert run.alerts == [("T01", 0)]


def test_correction__days_and_another_correction_later__still_finds_the_rows():
    run = Run(rules=rules_of(featured("n: {agg: sum, of: pieces, window: 20d}", bands=("n > 5",))))
    first = [run.move("in", line(1, pieces=1), at=at * HOUR) for at in range(4)]
    run.correct(first[0], line(1, pieces=2), at=5 * HOUR)
    for day in (1, 2, 3):
        run.tick(day * DAY)
    late = run.move("in", line(1, pieces=1), at=4 * DAY)
    assert run.alerts == [("T01", 0)]
    # Whatever was noted before the days that forgot, and after them, is taken out again: nothing is counted twice.
    for at, entry in enumerate([*first[1:], late]):
        run.correct(entry, line(1, pieces=0), at=5 * DAY + at * HOUR)
    run.move("in", line(1, pieces=3), at=6 * DAY, book="B1")
    (lane,) = [lane for lane in run.state.watches.lanes.values() if lane]
    assert sum(sum(column) for series in lane.values() for column in series.columns) == 5


def test_unready__info__is_said_once_and_revised_when_a_band_holds():
    run = Run(rules=rules_of(featured(Z, bands=("z > 1000",), more="\nnot_evaluable: info", quiet="24h")))
    for at in range(3):
        run.move("in", line(5), at=at * HOUR)
    assert run.alerts == [("T01", 1)] and run.to.raised[0].alert.severity == "info"
    assert run.to.raised[0].alert.reason == {"zh": "历史数据不足，暂不能评估", "en": "Too little history yet to judge"}
    run.move("in", line(50), at=3 * HOUR)
    assert run.alerts == [("T01", 1), ("T01", 0)] and "revises" in run.to.raised[1].alert.extra


def test_unready__where_the_condition_asks_for_it_itself__is_judged():
    run = Run(rules=rules_of(featured(Z, bands=("!z_ready || z > 1000",))))
    run.move("in", line(5), at=0)
    assert run.alerts == [("T01", 0)]


def test_level_subject__features_of_how_things_stood__are_judged_as_they_come():
    text = rule_text(
        on="balance",
        more="group_by: [holder, key]\nfeatures:\n  peak: {agg: max, of: balance, window: 2d}",
        bands=("2 * balance < peak",),
        fingerprint="holder, key",
    )
    run = Run(rules=rules_of(text))
    run.stocktake(line(100))
    run.move("out", line(40), at=HOUR)
    assert not run.alerts
    run.restart()
    run.move("out", line(20), at=2 * HOUR)
    assert run.alerts == [("T01", 0)]
    run.move("in", line(20), at=3 * HOUR)
    (life,) = run.state.life.lives.values()
    assert life.recovered


def test_by_received__counts_what_came_not_what_happened():
    run = Run(rules=rules_of(featured("n: {agg: count, window: 60s, by: received}", bands=("n >= 2",))))
    run.move("in", line(1), at=10 * HOUR, event=HOUR)
    run.move("in", line(1), at=10 * HOUR + 61_000, event=HOUR)
    assert not run.alerts
    run.move("in", line(1), at=10 * HOUR + 90_000, event=5 * HOUR)
    assert run.alerts == [("T01", 0)]


def test_feature__that_cannot_be_computed__is_the_rules_error_and_no_others():
    broken = featured("n: {agg: count, window: 1d, where: amount * amount > 0}")
    run = Run(rules=rules_of(broken, rule_text("T02")))
    run.move("in", line(9_999_999), at=HOUR)
    assert sorted(run.alerts) == [("RULE-ERROR", 0), ("T02", 0)]
    assert "overflow" in run.state.health["T01"].error.lower()


@pytest.mark.parametrize("kgs", [(9, 1), (1, 9)])
def test_rows__two_of_one_entry_in_one_group__the_worse_counts(kgs):
    bands = ("amount > 5000000 && n >= 2", "n >= 2 && amount > 3000000")
    run = Run(rules=rules_of(featured("n: {agg: count, window: 1d}", bands=bands, quiet="9h")))
    run.move("in", *(line(kg) for kg in kgs), at=HOUR)
    assert run.alerts == [("T01", 0)]
    run.move("in", line(1), at=2 * HOUR, event=HOUR // 2)
    assert run.alerts == [("T01", 0)]
    (life,) = run.state.life.lives.values()
    assert not life.recovered and [m.band for m in run.state.courses["T01"][NITRIC].marks] == [0]


def test_late_row__touches_the_windows_after_it_and_the_alert_says_so():
    run = Run(rules=rules_of(featured("n: {agg: count, window: 3h}", bands=("n >= 3",))))
    run.move("in", line(1), at=HOUR)
    last = run.move("in", line(1), at=3 * HOUR)
    run.move("in", line(1), at=4 * HOUR, event=2 * HOUR)
    (raised,) = run.to.raised
    assert raised.alert.late and raised.alert.inputs["window_end_ms"] == last.event_ms
    assert raised.alert.extra["record"] == last.record_id and raised.alert.first_index == 2


def test_correction__that_undoes_a_finding__marks_it_recovered_and_a_second_brings_it_back():
    run = Run(rules=rules_of(featured("total: {agg: sum, of: amount, window: 1d}", bands=("total > 9000000",))))
    run.move("in", line(5), at=HOUR)
    entry = run.move("in", line(5), at=2 * HOUR)
    (life,) = run.state.life.lives.values()
    fixed = run.correct(entry, line(1), at=3 * HOUR)
    assert life.recovered and run.alerts == [("T01", 0)]
    run.restart()
    (life,) = run.state.life.lives.values()
    run.correct(fixed, line(6), at=4 * HOUR)
    assert not life.recovered and run.alerts == [("T01", 0)]


def test_correction__that_moves_a_row_to_another_group__the_rows_that_it_left_are_judged_again():
    run = Run(rules=rules_of(featured("n: {agg: count, window: 1d}", bands=("n >= 2",))))
    entry = run.move("in", line(5), at=HOUR)
    run.move("in", line(5), at=2 * HOUR)
    run.move("in", line(5, "64-17-5"), at=3 * HOUR)
    (life,) = run.state.life.lives.values()
    fixed = run.correct(entry, line(5, "64-17-5"), at=4 * HOUR)
    assert life.recovered and life.taken_back == fixed.record_id
    assert [raised.alert.fingerprint for raised in run.to.raised] == [(NITRIC,), ("64-17-5",)]


def test_correction__that_leaves_a_milder_band_to_a_later_row__is_what_stands():
    bands = ("total > 9000000", ("total > 5000000", "severity: low"))
    run = Run(rules=rules_of(featured("total: {agg: sum, of: amount, window: 1d}", bands=bands)))
    entry = run.move("in", line(5), at=HOUR)
    run.move("in", line(5), at=2 * HOUR)
    (life,) = run.state.life.lives.values()
    run.correct(entry, line(2), at=3 * HOUR)
    assert (life.recovered, life.stands, life.stands_band) == (False, "low", 1) and run.alerts == [("T01", 0)]


def test_rows__older_than_every_window__are_forgotten_and_what_is_first_is_not():
    run = Run(
        rules=rules_of(featured("n: {agg: count, window: 2d}", "first: {agg: is_first, window: 20d}", bands=("first",)))
    )
    for day in range(60):
        run.move("in", line(1), at=day * DAY)
        run.tick(at=day * DAY + HOUR)
    (lane,) = run.state.watches.lanes.values()
    (series,) = lane.values()
    assert len(series.times) <= 29 and series.first_ms > 0
    (seen,) = run.state.watches.seen.values()
    assert len(next(iter(seen.values()))) <= 9
    assert run.alerts == [("T01", 0)]
