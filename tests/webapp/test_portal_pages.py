"""What the pages show: all of them, the overview, enterprises, trust, search."""

import re

import pytest

from ledger.core.ids import credit_code_for
from ledger.errors import StoreError
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
