"""What the pages of alerts show."""

import re

import pytest

from tests.webapp.pages import profile, rows_of, text_of


def test_alerts__list__newest_first_with_the_place_where_live_begins(desk, browser):
    for _ in range(3):
        desk.alert()
    html = browser.get("/alerts").get_data(as_text=True)
    assert re.findall(r'data-seq="(\d+)"', html) == ["3", "2", "1"]
    assert 'data-stream="/api/v1/stream?after=3"' in html


def test_alerts__new_rows__only_what_came_after_and_fits_the_filter(desk, browser):
    desk.alert(severity="high")
    desk.alert(severity="low")
    desk.alert(severity="high", holder=desk.other.holder)
    html = browser.get("/alerts/rows?after=1").get_data(as_text=True)
    assert re.findall(r'data-seq="(\d+)"', html) == ["3", "2"]
    html = browser.get(f"/alerts/rows?after=0&severity=high&holder={desk.acid.holder}").get_data(as_text=True)
    assert re.findall(r'data-seq="(\d+)"', html) == ["1"]


def test_alerts__many__page_by_cursor(desk, browser):
    for _ in range(60):
        desk.alert()
    first = browser.get("/alerts").get_data(as_text=True)
    following = re.search(r'href="([^"]+)" rel="next"', first)[1].replace("&amp;", "&")
    second = browser.get(following).get_data(as_text=True)
    seen = re.findall(r'data-seq="(\d+)"', first + second)
    assert seen == [str(n) for n in range(60, 0, -1)]
    assert "data-stream" not in second, "an old page is not live"


def test_alert__its_page__reason_inputs_and_entries_behind(desk, browser):
    record_id = desk.stock()
    alert = desk.alert(extra={"record": record_id})
    page = browser.get(f"/alerts/{alert.alert_id}")
    text = text_of(page)
    assert "Negative stock 1" in text
    assert "balance mg -5" in text
    assert "on its way into the log" in text
    assert record_id in rows_of(page)


def test_alert__what_the_rule_saw__in_units_and_times_of_people(desk, browser):
    from dataclasses import replace

    from ledger.ports import EngineBatch

    inputs = {"code": "7697-37-2", "dimension": "mass", "balance": -3_000_000, "pieces": -2, "sealed": True, "due_ms": 1_790_000_000_000, "age_ms": 432_000_000, "categories": ["explosive_precursor"], "key": "7697-37-2||bulk|mass"}
    alert = replace(desk.alert(), alert_id="ab" * 32, inputs=inputs)
    desk.stores.engine.commit(EngineBatch(cursor=desk.stores.log.size(), alerts=(alert,)))
    text = text_of(browser.get(f"/alerts/{alert.alert_id}"))
    for words in ("code Nitric acid (7697-37-2)", "balance -3 kg", "pieces -2", "sealed yes", "due 2026-09-21 22:13:20", "age 5 days", "categories explosive precursor", "key Nitric acid (7697-37-2) · bulk · mass"):
        assert words in text, words
    zh = text_of(desk.supervisor("zh").get(f"/alerts/{alert.alert_id}"))
    for words in ("账面结存 -3 kg", "密封件 是", "时长 5 天", "类别 易制爆", "硝酸 (7697-37-2) · 散装 · 质量"):
        assert words in zh, words


def test_alert__moment_in_its_reason__is_in_the_zone_of_the_page(desk, browser):
    said = "came late (2026-11-20T17:30:00.000Z), of 2026-99-99T00:00:00Z"
    alert = desk.alert(zh=said, en=said)
    text = text_of(browser.get(f"/alerts/{alert.alert_id}"))
    assert "came late (2026-11-21 01:30:00), of 2026-99-99T00:00:00Z" in text


def test_alert__its_signed_entry__is_linked_once_it_is_in_the_log(desk, browser):
    record_id = desk.stock()
    waiting = desk.alert(record_id="cd" * 32)
    assert "on its way into the log" in text_of(browser.get(f"/alerts/{waiting.alert_id}"))
    there = desk.alert(record_id=record_id)
    assert "on its way into the log" not in text_of(browser.get(f"/alerts/{there.alert_id}"))


def test_alert__its_page__shows_its_book_until_then(desk, browser):
    ids = [desk.stock(), desk.move(), desk.move()]
    alert = desk.alert(extra={"book": "acid"})
    later = desk.move()
    seen = rows_of(browser.get(f"/alerts/{alert.alert_id}"))
    assert seen[-3:] == ids[::-1]
    assert later not in seen


# --- names beside codes in alerts


def codes_alert(desk):
    return desk.alert(
        zh=f"7697-37-2 账面库存为负，对方 {desk.other.holder}，未知 64-17-5，批号 7697-37-2-9",
        en=f"Book stock of 7697-37-2 is negative; other end {desk.other.holder}; unknown 64-17-5, batch 7697-37-2-9",
    )


@pytest.mark.parametrize("language", ["zh", "en"])
def test_alert_reason__codes__have_their_names_beside_them_in_the_reader_s_language(desk, language):
    profile(desk, desk.other, "江北试剂", "North Reagents")
    alert = codes_alert(desk)
    browser = desk.supervisor(language)
    expected = {
        "zh": f"硝酸（7697-37-2） 账面库存为负，对方 江北试剂（{desk.other.holder}），未知 64-17-5，批号 7697-37-2-9",
        "en": f"Book stock of Nitric acid (7697-37-2) is negative; other end North Reagents ({desk.other.holder}); "
        "unknown 64-17-5, batch 7697-37-2-9",
    }[language]
    for path in ("/", "/alerts", f"/alerts/{alert.alert_id}", f"/enterprises/{desk.acid.holder}", "/alerts/rows?after=0"):
        assert expected in browser.get(path).get_data(as_text=True), path


def test_alert_page__what_it_is_about__is_named(desk):
    profile(desk, desk.acid, "旧名化工", "Old Works")
    alert = desk.alert()
    page = desk.supervisor("zh").get(f"/alerts/{alert.alert_id}").get_data(as_text=True)
    assert f"旧名化工（{desk.acid.holder}） · 硝酸（7697-37-2）" in page


def test_alert_reason__name_with_markup__is_escaped(desk):
    profile(desk, desk.acid, "<b>x</b>", "<b>x</b>")
    alert = desk.alert(en=f"of {desk.acid.holder}", zh=f"{desk.acid.holder}")
    page = desk.supervisor().get(f"/alerts/{alert.alert_id}").get_data(as_text=True)
    assert "&lt;b&gt;x&lt;/b&gt;" in page and "<b>x</b>" not in page


def test_live_list__says_in_which_zone_it_tells_the_time(desk):
    assert 'data-zone="Asia/Shanghai"' in desk.supervisor().get("/alerts").get_data(as_text=True)
