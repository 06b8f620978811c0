"""What the pages of alerts show."""

import re
from dataclasses import replace

import pytest

from ledger.ports import EngineBatch
from webapp.portal.presenting import subject
from tests.webapp.pages import profile, rows_of, text_of


HOUR = 3_600_000


def listed(browser, path="/alerts"):
    answer = browser.get(path)
    assert answer.status_code == 200
    return [int(n) for n in re.findall(r'data-seq="(\d+)"', answer.get_data(as_text=True))]


def queue(desk):
    """Seven alerts whose order by time tells nothing of their urgency."""
    now = desk.clock()
    desk.alert(severity="low", life={"due_ms": now + HOUR})
    desk.alert(severity="critical", life={"status": "closed", "stage": "closed", "outcome": "no_violation"})
    desk.alert(severity="critical", life={"due_ms": now + 2 * HOUR})
    desk.alert(severity="critical", rule="B12", life={"status": "overdue", "due_ms": now - HOUR})
    desk.alert(severity="high", holder=desk.other.holder, life={"status": "in_hand", "stage": "in_hand", "due_ms": now})
    desk.alert(severity="critical", life={"status": "order_issued", "stage": "order_issued", "due_ms": now - HOUR})
    desk.alert(severity="low", rule="B12")


def test_alerts__list__what_wants_handling_first_by_severity_and_time_left(desk, browser):
    queue(desk)
    assert listed(browser) == [4, 3, 5, 1, 7]
    text = text_of(browser.get("/alerts"))
    assert "Alerts: To be handled. Most urgent first: by severity, then what is overdue, then by time left. as of" in text
    assert "1 hour late" in text and "2 hours left" in text
    assert 'data-stream="/api/v1/stream?after=7"' in browser.get("/alerts").get_data(as_text=True)


@pytest.mark.parametrize(
    ("query", "wanted"),
    [
        ("state=all", [4, 3, 5, 1, 7, 6, 2]),
        ("state=all&sort=newest", [7, 6, 5, 4, 3, 2, 1]),
        ("sort=newest", [7, 5, 4, 3, 1]),
        ("state=new", [3, 1, 7]),
        ("state=in_hand", [5]),
        ("state=waiting", [6]),
        ("state=overdue", [4]),
        ("state=closed", [2]),
        ("state=resting", []),
        ("severity=critical", [4, 3]),
        ("rule=B12", [4, 7]),
        ("rule=B12&severity=low&state=all&sort=newest", [7]),
        ("severity=high&state=all", [5]),
    ],
)
def test_alerts__filters_in_the_url__narrow_the_list(desk, browser, query, wanted):
    queue(desk)
    assert listed(browser, f"/alerts?{query}") == wanted


def test_alerts__of_one_enterprise__and_the_sentence_says_all_that_is_chosen(desk, browser):
    queue(desk)
    profile(desk, desk.other, "江北试剂", "North Reagents")
    path = f"/alerts?holder={desk.other.holder}&severity=high&rule=A01&state=in_hand"
    assert listed(browser, path) == [5]
    assert "Alerts: In hand, severity high, rule A01 Negative book stock, of North Reagents." in text_of(browser.get(path))


def test_alerts__filter_not_understood__is_named_and_left_out(desk, browser):
    queue(desk)
    path = "/alerts?severity=urgent&state=gone&sort=up&rule=%3Cb%3E&holder=..&after=1.2"
    assert listed(browser, path) == [4, 3, 5, 1, 7]
    assert "Not understood and left out: state, severity, rule, holder, sort, after" in text_of(browser.get(path))
    for after in ("x", "9" * 30, "0.0.0.0", "0.0.0.0.0.0", "-1", "0.0.%00.1", "1.1.1.9999999999999999"):
        assert browser.get(f"/alerts?after={after}").status_code == 200


def test_alerts__tabs__count_what_they_open_with_the_chosen_severity(desk, browser):
    queue(desk)
    html = browser.get("/alerts?severity=critical").get_data(as_text=True)
    for state, count in (("new", 1), ("overdue", 1), ("waiting", 1), ("closed", 1), ("all", 4), ("resting", 0)):
        link = re.search(rf'href="([^"]*state={state}[^"]*)"[^>]*>[^<]*<span class="tally">(\d+)<', html)
        assert int(link[2]) == count, state
        assert len(listed(browser, link[1].replace("&amp;", "&"))) == count, state
    assert "tally" not in browser.get("/alerts?rule=A01").get_data(as_text=True), "a number that its link does not show"


def test_overview__each_number_of_alerts__is_what_its_link_lists(desk, browser):
    queue(desk)
    html = browser.get("/").get_data(as_text=True)
    numbers = re.findall(r'href="(/alerts\?severity=\w+)"><span class="count">(\d+)<', html)
    assert [int(n) for _, n in numbers] == [2, 1, 0, 2, 0]
    states = re.findall(r'href="(/alerts\?state=\w+)">[^<:]+: (\d+)<', html)
    assert [int(n) for _, n in states] == [1, 1, 1, 0, 1]
    for link, count in numbers + states:
        assert len(listed(browser, link)) == int(count), link
    assert listed(browser, "/") == [4, 3, 5, 1, 7], "the most urgent ones stand on the first page"


def test_overview__nothing_waits__says_so_and_leads_on(desk, browser):
    desk.alert(life={"status": "closed", "stage": "closed"})
    assert "Nothing waits to be handled. All alerts" in text_of(browser.get("/"))
    assert "Nothing waits to be handled. All alerts" in text_of(browser.get("/alerts"))


@pytest.mark.parametrize("sort", ["urgent", "newest"])
def test_alerts__many__page_by_cursor(desk, browser, sort):
    for n in range(120):
        desk.alert(severity=("low", "critical", "high")[n % 3], life={"due_ms": desk.clock() + n % 7 * HOUR})
    seen, path, pages = [], f"/alerts?sort={sort}", 0
    while path:
        html = browser.get(path).get_data(as_text=True)
        assert ("data-stream" in html) == (pages == 0), "only the first page is live"
        seen += [int(n) for n in re.findall(r'data-seq="(\d+)"', html)]
        following = re.search(r'href="([^"]+)" rel="next"', html)
        path, pages = following and following[1].replace("&amp;", "&"), pages + 1
    assert pages == 3 and len(seen) == 120 == len(set(seen))
    if sort == "newest":
        assert seen == list(range(120, 0, -1))
    else:
        rank = {0: 2, 1: 0, 2: 1}
        assert seen == sorted(seen, key=lambda n: (rank[(n - 1) % 3], (n - 1) % 7, n))


@pytest.mark.parametrize(("language", "title"), [("en", "Negative book stock"), ("zh", "账面库存为负")])
def test_rule_ids__on_every_page__have_their_title_beside_them(desk, language, title):
    alert = desk.alert()
    browser = desk.supervisor(language)
    for path in ("/", "/alerts", f"/alerts/{alert.alert_id}", f"/enterprises/{desk.acid.holder}"):
        assert re.search(rf">A01</span> {title}<|A01 {title}", browser.get(path).get_data(as_text=True)), path
    unknown = desk.alert(rule="Z9")
    assert "Z9" in text_of(browser.get(f"/alerts/{unknown.alert_id}"))


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
    inputs = {"code": "7697-37-2", "dimension": "mass", "balance": -3_000_000, "pieces": -2, "sealed": True, "due_ms": 1_790_000_000_000, "age_ms": 432_000_000, "categories": ["explosive_precursor"], "key": "7697-37-2|||bulk||mass"}
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
        "zh": f"硝酸（7697-37-2）账面库存为负，对方江北试剂（{desk.other.holder}），未知 64-17-5，批号 7697-37-2-9",
        "en": f"Book stock of Nitric acid (7697-37-2) is negative; other end North Reagents ({desk.other.holder}); "
        "unknown 64-17-5, batch 7697-37-2-9",
    }[language]
    for path in ("/", "/alerts", f"/alerts/{alert.alert_id}", f"/enterprises/{desk.acid.holder}"):
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


# --- what a page is made of, linked and in words


def test_alert__about_another_than_whose_record_raised_it__names_both(desk, browser):
    profile(desk, desk.other, "江北试剂", "North Reagents")
    profile(desk, desk.acid, "城南化工", "South Works")
    alert = replace(desk.alert(rule="B12"), alert_id="ab" * 32, fingerprint=(desk.other.holder, "7697-37-2"))
    stands = desk.stores.engine.lives([desk.alert()])
    life = replace(next(iter(stands.values())), alert_id=alert.alert_id)
    desk.stores.engine.commit(EngineBatch(cursor=desk.stores.log.size(), alerts=(alert,), lives=(life,)))
    for path in ("/alerts?rule=B12&sort=newest", f"/alerts/{alert.alert_id}"):
        assert "North Reagents by a record of South Works S1" in text_of(browser.get(path)), path


def test_alert__what_the_rule_saw__times_and_amounts_of_the_rule_in_words_ids_and_companies_as_links(desk, browser):
    record_id = desk.stock()
    inputs = {
        "late": 86_400_000, "late_much": 432_000_000, "month": 25_000_000, "dimension": "mass", "stocktake": record_id,
        "holder": desk.acid.holder, "record": "cd" * 32,
    }  # fmt: skip
    alerts = [
        replace(desk.alert(rule=rule), alert_id=name * 32, inputs=inputs, fingerprint=("mass", record_id))
        for rule, name in (("D05", "ab"), ("B08", "ac"))
    ]
    desk.stores.engine.commit(EngineBatch(cursor=desk.stores.log.size(), alerts=tuple(alerts)))
    page = browser.get(f"/alerts/{'ab' * 32}")
    assert "late 1 day" in text_of(page) and "late much 5 days" in text_of(page)
    html = page.get_data(as_text=True)
    assert f'href="/records/{record_id}" title="{record_id}"' in html and f'href="/enterprises/{desk.acid.holder}"' in html
    assert "cd" * 32 in html and f'href="/records/{"cd" * 32}"' not in html, "no link to what is not there"
    assert "month 25 kg" in text_of(browser.get(f"/alerts/{'ac' * 32}"))
    zh = text_of(desk.supervisor("zh").get(f"/alerts/{'ab' * 32}"))
    assert f"质量 · {record_id[:12]}…" in zh


def test_subject__party_beside_the_holder_in_what_it_is_about__is_the_party(desk):
    alert, other = desk.alert(), desk.other.holder
    assert subject(alert) == ""
    assert subject(replace(alert, fingerprint=(alert.holder, other), inputs={"party": other})) == other
    assert subject(replace(alert, fingerprint=(alert.holder, other), inputs={"receiver": other})) == ""
    assert subject(replace(alert, fingerprint=(alert.holder, alert.holder), inputs={"party": alert.holder})) == ""
    assert subject(replace(alert, fingerprint=(), inputs={"party": other})) == ""
    assert subject(replace(alert, fingerprint=("sur-123",), inputs={})) == "", "a person's surrogate is no company"


@pytest.mark.parametrize(
    ("status", "said"),
    [("open", "to look at: 1 hour left"), ("overdue", "to handle: 1 hour left"), ("order_issued", "reply due: 1 hour left"), ("snoozed", "returns: 2 hours left")],
)
def test_alert__deadline__says_what_it_is_for(desk, browser, status, said):
    now = desk.clock()
    desk.alert(life={"status": status, "due_ms": now + HOUR, "until_ms": now + 2 * HOUR})
    assert said in text_of(browser.get("/alerts?state=all"))


@pytest.mark.parametrize(
    ("data", "said", "zh"),
    [
        ({"taken_back": "ab" * 32, "stands": ""}, "taken back by a late record", "已被迟到记录推翻"),
        ({"taken_back": "ab" * 32, "stands": "low"}, "late records: only low stands", "迟到记录：仅低级别成立"),
        ({}, "no longer so", "条件已消失"),
    ],
)
def test_alert__taken_back_by_late_data__list_page_and_api_say_so(desk, browser, data, said, zh):
    alert = desk.alert(life={"recovered": True, "data": data})
    for path in ("/alerts", f"/alerts/{alert.alert_id}"):
        assert said in text_of(browser.get(path))
        assert zh in text_of(desk.supervisor("zh").get(path))
    life = browser.get(f"/api/v1/alerts/{alert.alert_id}").get_json()["life"]
    assert (life["taken_back"], life["stands"]) == (data.get("taken_back"), data.get("stands") or None)
