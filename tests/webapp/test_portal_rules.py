"""Pages of rules, the parts of the handling rate, the scatter of bulk streams, and whom an alert concerns."""

import re
from dataclasses import replace

import pytest

from ledger.model import LeafIndex
from ledger.ports import EngineBatch, RuleHealth, StreamRow
from ledger.rulebench.sheet import sheets
from ledger.rulesets import shipped_rules
from tests import kit
from tests.webapp.desk import Desk, shipped_sheets
from tests.webapp.pages import text_of
from tests.webapp.test_portal_alerts import listed

HOUR = 3_600_000


def well(desk, rule, *, state="ok", error="", alerts=3):
    row = RuleHealth(rule, 1, LeafIndex(0), state, error, 1_234, alerts)
    desk.stores.engine.commit(EngineBatch(cursor=desk.stores.log.size(), health=(row,)))


def test_rules__list__has_every_rule_with_its_state_and_titles(desk, browser):
    desk.stock()
    page = browser.get("/rules").get_data(as_text=True)
    for sheet in shipped_sheets():
        assert f'href="/rules/{sheet.rule}"' in page and sheet.title["en"].replace("'", "&#39;") in page
    text = text_of(browser.get("/rules"))
    assert text.count(" in shadow ") == 2 + 1, "C07, D09, and the line above that says what a shadow is"
    assert "账面库存为负" in desk.supervisor("zh").get("/rules").get_data(as_text=True)


@pytest.mark.parametrize(("language", "said"), [("en", "grace 15 minutes"), ("zh", "15 分钟")])
def test_rule__page__says_spans_in_words(desk, language, said):
    assert said in text_of(desk.supervisor(language).get("/rules/A01"))


def test_rules__one_in_error__stands_first_with_what_went_wrong(desk, browser):
    desk.stock()
    well(desk, "D04", state="error", error="no such <field>")
    page = browser.get("/rules").get_data(as_text=True)
    assert re.findall(r'href="/rules/([A-Z0-9]+)"', page)[0] == "D04"
    assert "no such &lt;field&gt;" in page and "in error" in text_of(browser.get("/rules/D04"))


def test_rule__page__says_limits_with_dates_law_and_what_to_do(desk, browser):
    desk.stock()
    well(desk, "A05")
    text = text_of(browser.get("/rules/A05"))
    for said in (
        "3.5 σ",
        "2 kg / L",
        "2011-12-01",
        "Decree 591) art. 23",
        "Count again and explain",
        "budget 1",
        "1,234",
        "1 day",
    ):
        assert said in text, said
    zh = text_of(desk.supervisor("zh").get("/rules/A05"))
    assert "第二十三条" in zh and "平台工程默认值（以毫克或微升计）" in zh and "engineering default" not in zh
    assert browser.get("/rules/Z99").status_code == 404


def test_rule__page__every_number_has_its_label(desk, browser):
    desk.stock()
    well(desk, "A05")
    ask = desk.services.rules

    def costed():
        engine, found = ask()
        return replace(engine, rules=[replace(one, us_per_evaluation=12.7) for one in engine.rules]), found

    object.__setattr__(desk.services, "rules", costed)
    facts = re.findall(r"<div><dt>([^<]*)</dt><dd>(.*?)</dd>", browser.get("/rules/A05").get_data(as_text=True))
    said = {label: re.sub("<[^>]*>", "", value) for label, value in facts}
    assert said["Looked at"] == "1,234 times" and said["Cost of a look"] == "12.7 µs"
    assert said["Last record it looked at"] == "0" and re.fullmatch(r"\d+ records, \d+ behind", said["Rules have read"])


def test_rule__page_in_chinese__says_what_the_fields_of_its_conditions_are(desk, browser):
    legend = re.search(r'<p [^>]*id="legend">(.*?)</p>', desk.supervisor("zh").get("/rules/F04").get_data(as_text=True))
    text = re.sub("<[^>]*>", "", legend[1])
    for said in ("outcome 结果", "evidenced 有证据", "open_for_ms 处置时长", "closed_rule 所关闭规则"):
        assert said in text, text
    assert "violation_confirmed" not in text and "least" not in text
    assert 'id="legend"' not in browser.get("/rules/F04").get_data(as_text=True)


def test_rules__without_an_engine_to_ask__not_found(tmp_path):
    desk = Desk(tmp_path, rules=None)
    assert desk.supervisor().get("/rules").status_code == 404
    desk.close()


def test_rules__alerts__are_counted_and_lead_to_the_list(desk, browser):
    desk.stock()
    desk.alert(rule="A04", life={"due_ms": desk.clock()})
    desk.alert(rule="A04", life={"status": "closed", "stage": "closed", "outcome": "false_positive"})
    page = browser.get("/rules/A04").get_data(as_text=True)
    assert re.search(r'href="/alerts\?rule=A04">1</a> <span class="faint">of 2</span>', page)
    assert 'href="/alerts?rule=A04&amp;state=all"' in page


@pytest.mark.parametrize(("part", "found"), [("due", [1, 2, 3]), ("in_time", [1]), ("missed", [2, 3])])
def test_handling_rate__both_numbers__lead_to_what_they_are_made_of(desk, browser, part, found):
    now = desk.clock()
    desk.alert(life={"handle_due_ms": now - HOUR, "handled_ms": now - 2 * HOUR})
    desk.alert(life={"handle_due_ms": now - HOUR, "handled_ms": now - HOUR + 1})
    desk.alert(life={"handle_due_ms": now - HOUR})
    desk.alert(life={"handle_due_ms": now + HOUR})
    front = browser.get("/").get_data(as_text=True)
    assert f'href="/alerts?state=all&amp;handled={part}"' in front
    assert ">1</a> / " in front and "3 that were due" in front and "(33 %)" in front
    assert sorted(listed(browser, f"/alerts?state=all&handled={part}")) == found


def test_handling_rate__wrong_part__is_named_and_left_out(desk, browser):
    desk.alert()
    text = text_of(browser.get("/alerts?handled=quick"))
    assert "Not understood and left out: handled" in text


def test_enterprise__alert_that_another_ones_record_raised__stands_on_its_page(desk, browser):
    desk.stock()
    desk.stock(desk.other)
    alert = desk.alert(rule="B12", extra={"concerns": [desk.other.holder]})
    for holder in (desk.acid.holder, desk.other.holder):
        assert alert.alert_id in browser.get(f"/enterprises/{holder}").get_data(as_text=True)
        assert listed(browser, f"/alerts?state=all&holder={holder}") == [1]
    page = browser.get(f"/alerts/{alert.alert_id}").get_data(as_text=True)
    assert re.search(rf'Concerns too</dt><dd><a href="/enterprises/{desk.other.holder}">', page)


def test_alert__page__says_what_to_do_and_on_what_ground(desk, browser):
    alert = desk.alert(extra={"legal_basis": ["Decree 591 art. 24(1)"], "order_template": "RECT-CUSTODY"})
    text = text_of(browser.get(f"/alerts/{alert.alert_id}"))
    assert (
        "Two persons at every receipt and issue" in text
        and "Regulations on hazardous chemicals (Decree 591) art. 24(1)" in text
    )
    assert "双人收发" in text_of(desk.supervisor("zh").get(f"/alerts/{alert.alert_id}"))


def test_alert__inputs__are_in_units_that_people_use(desk, browser):
    inputs = {
        "z_milli": 21_533,
        "single": 3500,
        "floor_other": 2_000_000,
        "lost": 0,
        "dimension": "mass",
        "rate_ppm": 12_345,
    }
    alert = desk.alert(rule="A05")
    desk.stores.engine.commit(EngineBatch(cursor=1, alerts=(replace(alert, alert_id="e" * 64, inputs=inputs),)))
    text = text_of(browser.get(f"/alerts/{'e' * 64}"))
    for said in ("21.53", "3.50", "2 kg", "lost 0 kg", "1.234 %"):
        assert said in text, said
    assert "21,533" not in text and "2,000,000" not in text


def test_enterprise__bulk_streams__show_sigma_stated_and_estimated(desk, browser):
    desk.stock()
    record = desk.stores.log.record(LeafIndex(0))
    given = StreamRow(
        holder=desk.acid.holder, site="S1", book="acid", key="7697-37-2|68||bulk||mass", code="7697-37-2", dimension="mass",
        balances=4, sigma=5_624_482, sigma_estimated=1_234_567, stated=False, muf=121_109_163, z_milli=21_533,
        loss_protracted_milli=3_210, loss_abrupt_milli=0, stocktake=record.record_id, as_of_index=LeafIndex(0), event_time_ms=kit.T0,
    )  # fmt: skip
    desk.stores.engine.commit(EngineBatch(cursor=1, streams=(given,)))
    text = text_of(browser.get(f"/enterprises/{desk.acid.holder}"))
    for said in (
        "5.62 kg",
        "1.23 kg",
        "4 balances",
        "121 kg",
        "21.53 standard deviations",
        "default errors",
        "3.21 · 0.00",
        "68 · bulk · mass",
    ):
        assert said in text, said
    assert f"/records/{record.record_id}" in browser.get(f"/enterprises/{desk.acid.holder}").get_data(as_text=True)


def test_sheets__a_draft_that_cannot_be_read__says_why():
    rules = shipped_rules()
    broken = replace(rules, sources={"X-draft.yml": "schema: rule/1\nid: X99\n"})
    (found,) = sheets(broken, kit.T0)
    assert found.status == "draft" and found.problem
