"""What the pages show: all of them, the overview, enterprises, trust, search."""

import re
from dataclasses import replace

import pytest

from ledger.core.ids import credit_code_for
from ledger.errors import StoreError
from ledger.ports import EngineBatch, OrderRow
from tests import factories
from tests.webapp.desk import Desk
from tests.webapp.pages import Outline, fill, paths, profile, text_of

# --- every page


@pytest.mark.parametrize("language", ["zh", "en"])
def test_every_page__outline__is_accessible_and_nothing_is_inline(desk, language):
    browser = desk.supervisor(language)
    for path in paths(desk, fill(desk)):
        html = browser.get(path).get_data(as_text=True)
        page = Outline(html)
        names = [tag for tag, _ in page.tags]
        assert len(page.ids) == len(set(page.ids)), (path, "an id stands twice")
        assert page.headings[0] == 1, path
        assert page.headings.count(1) == 1, path
        assert all(b - a <= 1 for a, b in zip(page.headings, page.headings[1:])), (path, page.headings)
        assert names.count("main") == 1, path
        assert set(page.inputs) <= page.labels, (path, page.inputs, page.labels)
        assert dict(page.tags)["html"]["lang"] == ("zh-CN" if language == "zh" else "en")
        for tag, given in page.tags:
            assert "style" not in given, (path, tag)
            assert not any(name.startswith("on") for name in given), (path, tag)
            assert tag != "style", path
            assert tag != "script" or given.get("src", "").startswith("/static/"), path
            for name in ("href", "src", "action"):
                assert not given.get(name, "").startswith(("http", "//")), (path, given)
            if tag == "table":
                assert "scope=" in html, path
            if tag == "form" and given.get("method") == "post":
                assert 'name="csrf"' in html, path


@pytest.mark.parametrize("language", ["zh", "en"])
def test_every_page__simulated_data__says_so(desk, language):
    browser = desk.supervisor(language)
    notice = desk.services.notice[language]
    for path in paths(desk, fill(desk)):
        assert notice in browser.get(path).get_data(as_text=True), path


def test_no_notice__where_nothing_is_simulated(tmp_path):
    desk = Desk(tmp_path, notice=None)
    assert "Simulated data" not in desk.supervisor().get("/").get_data(as_text=True)
    desk.close()


@pytest.mark.parametrize("text", ["<script>alert(1)</script>", "\"><img src=x onerror=alert(1)>", "{{ 'qz'*3 }}"])
def test_text_from_outside__is_escaped(desk, browser, text):
    desk.alert(zh=text, en=text)
    for path in ("/alerts", f"/search?q={text}", f"/enterprises?q={text}"):
        html = browser.get(path).get_data(as_text=True)
        assert text not in html, path
        assert "qzqzqz" not in html, path


# --- overview


def test_overview__counters__are_the_stores_numbers_and_links(desk, browser):
    fill(desk)
    html = browser.get("/").get_data(as_text=True)
    text = text_of(browser.get("/"))
    assert "7 records in the log" in text
    assert "6 under a signed checkpoint" in text
    assert "6 anchored on the chain" in text
    assert "1 record behind" in text
    for target in ("/enterprises", "/records", "/trust#checkpoint", "/trust#anchors", "/alerts?severity=high"):
        assert f'href="{target}"' in html
    assert text.count("as of") >= 2


def test_overview__an_empty_installation__says_so(desk, browser):
    text = text_of(browser.get("/"))
    assert "none signed yet" in text
    assert "nothing anchored yet" in text
    assert "No rule has found anything so far." in text


# --- enterprises, trust, search


def test_names__from_profiles__newest_wins_and_are_found_by_search(desk, browser):
    office = profile(desk, desk.acid, "旧名化工", "Old Works")
    profile(desk, desk.other, "江北试剂", "North Reagents")
    assert "Old Works" in text_of(browser.get("/enterprises"))
    body = factories.payload("profile")["body"] | {"names": {"zh": "新名化工", "en": "New Works"}}
    desk.log.submit(office.next("profile", body=body))
    text = text_of(browser.get("/enterprises"))
    assert "New Works" in text
    assert "Old Works" not in text
    assert "North Reagents" in text_of(browser.get("/search?q=试剂"))
    assert "江北试剂" in text_of(desk.supervisor("zh").get("/search?q=north"))
    assert "1 enterprise" in text_of(browser.get("/enterprises?q=new w"))


def test_enterprise__its_page__stock_against_capacity_movements_alerts_keys(desk, browser):
    fill(desk)
    text = text_of(browser.get(f"/enterprises/{desk.acid.holder}"))
    assert "Nitric acid 7697-37-2" in text
    assert "concentration 68%≤c · liquid · bulk · mass" in text
    assert "浓度 68%≤c" in text_of(desk.supervisor("zh").get(f"/enterprises/{desk.acid.holder}"))
    assert "25.5 kg" in text
    assert "127 % of 20 kg" in text
    assert "▲ high" in text
    assert "out sale" in text
    assert "Negative stock 1" in text
    assert "in force" in text
    assert "ago" in text


def test_enterprise__only_named_by_others__says_so(desk, browser):
    code = credit_code_for("91980000EXT000999")
    answer = browser.get(f"/enterprises/{code}")
    assert answer.status_code == 404
    assert f"No enterprise with the credit code {code} keeps books here" in answer.text


def test_enterprise__negative_stock__is_marked_in_words(desk, browser):
    desk.stock()
    desk.balance(amount=-3_000_000, capacity=None)
    text = text_of(browser.get(f"/enterprises/{desk.acid.holder}"))
    assert "-3 kg" in text
    assert "critical" in text
    assert "not on file" in text


def test_enterprises__more_than_a_page__by_cursor(desk, browser, monkeypatch):
    from webapp.portal.enterprises import queries

    monkeypatch.setattr(queries, "PAGE", 1)
    first = browser.get("/enterprises").get_data(as_text=True)
    following = re.search(r'href="([^"]+)" rel="next"', first)[1]
    second = browser.get(following).get_data(as_text=True)
    assert desk.acid.holder in first
    assert desk.other.holder in second
    assert 'rel="next"' not in second


def test_notice__long__its_first_sentence_is_in_sight_and_the_rest_opens(tmp_path):
    notice = {"zh": "演示数据。其余说明。", "en": "Demonstration data. The rest of it."}
    desk = Desk(tmp_path, notice=notice)
    html = re.sub(r"\s+", " ", desk.supervisor().get("/").get_data(as_text=True))
    assert "</strong> Demonstration data. </summary>The rest of it.</details>" in html
    desk.close()


def test_levels__of_a_page__few_questions_and_the_right_answers(desk):
    from webapp.portal.levels import levels_of

    desk.stock()
    desk.log.batch([desk.acid.next() for _ in range(20)])
    desk.anchor()
    desk.log.batch([desk.acid.next() for _ in range(15)])
    desk.checkpoint()
    desk.log.batch([desk.acid.next() for _ in range(14)])
    rows, asked = desk.stores.log.records(0, 100), []

    def counted(index):
        asked.append(index)
        return desk.level(index)

    from dataclasses import replace

    from webapp import create_app

    with create_app(replace(desk.services, level=counted)).app_context():
        found = levels_of(rows[::-1])
        assert levels_of([]) == {}
    assert found == {r.record_id: desk.level(r.index) for r in rows}
    assert len(set(found.values())) == 3
    assert len(asked) < 20


def test_names__later_profiles__are_read_without_reading_all_again(desk):
    from webapp.portal.names import Names

    for n in range(3, 12):
        profile(desk, desk.log.enterprise("acid", n=n), f"企业{n}", f"Works {n}")

    class Counting:
        def __init__(self, real):
            self.real, self.read = real, 0

        def size(self):
            return self.real.size()

        def search(self, where, *, before, limit):
            rows = self.real.search(where, before=before, limit=limit)
            self.read += len(rows)
            return rows

    log, names = Counting(desk.stores.log), Names()
    assert len(names.all(log)) == 9
    assert log.read == 9
    desk.stock()
    assert len(names.all(log)) == 9
    for n in range(20, 32):
        profile(desk, desk.log.enterprise("acid", n=n), f"企业{n}", f"Works {n}")
    assert len(names.all(log)) == 21
    assert names.all(log)[desk.log.enterprise("acid", n=31).holder] == {"zh": "企业31", "en": "Works 31"}


def test_trust__page__digest_checkpoint_anchors_and_the_development_chain_by_name(desk, browser):
    import hashlib

    fill(desk)
    text = text_of(browser.get("/trust"))
    assert hashlib.sha256(desk.services.trust).hexdigest() in text
    assert "Development chain" in text
    assert "31337" in text
    assert desk.stores.log.latest_checkpoint().root.hex() in text
    assert browser.get("/trust/trust.json").data == desk.services.trust


def test_trust__many_anchors__the_newest_twenty(desk, browser):
    desk.stock()
    for _ in range(25):
        desk.move()
        desk.anchor()
    html = browser.get("/trust").get_data(as_text=True)
    sizes = [int(n) for n in re.findall(r'<tr><td class="num">(\d+)</td>', html)]
    assert len(sizes) == 20
    assert sizes == sorted(sizes, reverse=True)
    assert sizes[0] == desk.stores.log.size()


def test_search__identifiers__lead_straight_to_their_page(desk, browser):
    record_id = desk.stock()
    alert = desk.alert()
    for typed, target in (
        (record_id, f"/records/{record_id}"),
        (record_id.upper(), f"/records/{record_id}"),
        (alert.alert_id, f"/alerts/{alert.alert_id}"),
        (desk.acid.holder.lower(), f"/enterprises/{desk.acid.holder}"),
    ):
        assert browser.get("/search", query_string={"q": typed}).headers["Location"] == target


@pytest.mark.parametrize("typed", ["硝酸", "nitric", "7697-37-2", " Nitric "])
def test_search__substances__in_both_languages_and_by_number(desk, browser, typed):
    assert 'href="/records?code=7697-37-2"' in browser.get("/search", query_string={"q": typed}).get_data(as_text=True)


def test_search__nothing__says_so(desk, browser):
    assert "Nothing found for “zzz”" in text_of(browser.get("/search?q=zzz"))


def test_store_gone__page__503_in_words_without_details(tmp_path):
    desk = Desk(tmp_path)
    browser = desk.supervisor()

    class Gone:
        def __getattr__(self, name):
            def call(*_, **__):
                raise StoreError("sqlite3: /srv/secret.db is locked")

            return call

    from dataclasses import replace

    from webapp import create_app

    desk.app = create_app(replace(desk.services, log=Gone()))
    browser = desk.supervisor()
    answer = browser.get("/records")
    assert answer.status_code == 503
    assert "secret" not in answer.get_data(as_text=True)
    assert answer.headers["Retry-After"]
    desk.app = create_app(replace(desk.services, portal=Gone()))
    browser = desk.client()
    browser.set_cookie("hz_session", "a" * 43)
    answer = browser.get("/")
    assert "secret" not in answer.get_data(as_text=True)
    assert answer.status_code == 503
    desk.close()


def sought(browser, text):
    return browser.get("/search", query_string={"q": text})


@pytest.mark.parametrize("typed", ["{:.6}", "{:.12}", "{:.12}…", "{:.40}"])
def test_search__beginning_of_an_id__leads_to_the_only_thing_that_begins_so(desk, browser, typed):
    record_id = desk.stock()
    desk.move()
    assert sought(browser, typed.format(record_id)).headers["Location"] == f"/records/{record_id}"
    assert sought(browser, typed.format(record_id).upper()).headers["Location"] == f"/records/{record_id}"


def test_search__beginning_of_an_alert_s_id__leads_to_it(desk, browser):
    alert = replace(desk.alert(), alert_id="abcdef" + "1" * 58)
    desk.stores.engine.commit(EngineBatch(cursor=desk.stores.log.size(), alerts=(alert,)))
    assert sought(browser, "abcdef11").headers["Location"] == f"/alerts/{alert.alert_id}"


def test_search__beginning_of_several__says_so_and_shows_them_all(desk, browser):
    alerts = [replace(desk.alert(), alert_id=f"abcdef{n}" + "1" * 57) for n in range(2)]
    desk.stores.engine.commit(EngineBatch(cursor=desk.stores.log.size(), alerts=tuple(alerts)))
    page = sought(browser, "abcdef")
    assert "“abcdef” may name more than one thing: choose one, or type more digits" in text_of(page)
    for alert in alerts:
        assert f'href="/alerts/{alert.alert_id}"' in page.get_data(as_text=True)


def test_search__too_short_a_beginning__finds_nothing_and_says_what_is_asked(desk, browser):
    record_id = desk.stock()
    text = text_of(sought(browser, record_id[:5]))
    assert "the first six digits or more" in text and record_id[:12] not in text


@pytest.mark.parametrize(
    ("typed", "target"), [("A01", "/alerts?rule=A01&state=all"), ("b12", "/alerts?rule=B12&state=all"), ("账面库存为负", "/alerts?rule=A01&state=all")]
)
def test_search__rule__leads_to_its_alerts(desk, browser, typed, target):
    assert sought(browser, typed).headers["Location"] == target


def test_search__words_in_titles_of_rules__lists_the_rules(desk, browser):
    html = sought(browser, "stock").get_data(as_text=True)
    assert 'href="/alerts?rule=A01&amp;state=all"' in html and "Negative book stock" in html


def test_search__index_of_an_entry__names_the_record(desk, browser):
    ids = [desk.stock(), desk.move()]
    record = desk.stores.log.record_by_id(ids[1])
    assert f'href="/records/{ids[1]}"' in sought(browser, str(record.index)).get_data(as_text=True), "beside a CAS number"
    assert "Nothing found" in text_of(sought(browser, "99999999"))


def test_search__number_of_an_order__leads_to_it(desk, browser):
    record_id = desk.stock()
    order = OrderRow(record_id, desk.acid.holder, "S1", "rectification", "20260922-000001", "high", "open", 1, 1, 2, "", False, ())
    desk.stores.engine.commit(EngineBatch(cursor=desk.stores.log.size(), orders=(order,)))
    assert sought(browser, "20260922-000001").headers["Location"] == f"/records/{record_id}"


# --- the access log, both ways


def test_access_log__more_than_a_page__newest_first_and_both_ways(desk, browser):
    for n in range(230):
        desk.stores.portal.log_access("user:x", "search", f"q{n}", desk.clock())
    count = desk.stores.portal.access_count()
    pages, path = [], "/trust/access"
    while path:
        html = browser.get(path).get_data(as_text=True)
        pages.append([int(n.replace(",", "")) for n in re.findall(r'<td class="num"[^>]*>([\d,]+)<', html)])
        older = re.search(r'href="([^"]+)" rel="next"', html)
        path = older and older[1]
    assert [n for page in pages for n in page] == list(range(count, 0, -1))
    back = [pages[-1]]
    while newer := re.search(r'href="([^"]+)" rel="prev"', html):
        html = browser.get(newer[1]).get_data(as_text=True)
        back.append([int(n.replace(",", "")) for n in re.findall(r'<td class="num"[^>]*>([\d,]+)<', html)])
    assert back[-1][0] == count and {n for page in back for n in page} == set(range(1, count + 1))


@pytest.mark.parametrize("before", ["0", "1", "2", "999999999"])
def test_access_log__any_place__is_a_page(desk, browser, before):
    assert browser.get(f"/trust/access?before={before}").status_code == 200


def test_access_log__an_id__leads_to_what_was_looked_at(desk, browser):
    record_id = desk.stock()
    desk.stores.portal.log_access("user:x", "bundle", record_id, desk.clock())
    html = browser.get("/trust/access").get_data(as_text=True)
    link = re.search(r'href="(/search\?q=[0-9a-f]{64})"', html)[1]
    assert browser.get(link).headers["Location"] == f"/records/{record_id}"
