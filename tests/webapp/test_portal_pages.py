"""What the pages show."""

import re
from html.parser import HTMLParser

import pytest

from ledger.core.disclosure import make_disclosure, make_sd
from ledger.errors import ChainUnreachableError, StoreError
from tests import factories
from tests.webapp.desk import Desk, form_token
from webapp.services import Proof


@pytest.fixture
def browser(desk):
    return desk.supervisor()


def text_of(answer):
    """The words of a page, without markup, with single blanks."""
    assert answer.status_code == 200, answer.status_code
    raw = answer.get_data(as_text=True)
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", raw))


def rows_of(answer):
    return re.findall(r'href="/records/([0-9a-f]{64})"', answer.get_data(as_text=True))


class Outline(HTMLParser):
    """Ids, landmarks, labels and headings of a page."""

    def __init__(self, html):
        super().__init__()
        self.ids, self.tags, self.labels, self.inputs, self.headings = [], [], set(), [], []
        self.feed(html)

    def handle_starttag(self, tag, attributes):
        given = dict(attributes)
        self.tags.append((tag, given))
        if "id" in given:
            self.ids.append(given["id"])
        if tag == "label":
            self.labels.add(given.get("for"))
        if tag in {"input", "select", "textarea"} and given.get("type") != "hidden" and "hidden" not in given:
            self.inputs.append(given.get("id"))
        if re.fullmatch("h[1-6]", tag):
            self.headings.append(int(tag[1]))


def fill(desk):
    """A little of everything; the record_ids."""
    ids = [desk.stock(), desk.move(), desk.move()]
    desk.anchor()
    ids.append(desk.move())
    desk.alert()
    desk.line(desk.stores.log.record_by_id(ids[1]).index)
    desk.balance()
    return ids


def paths(desk, ids):
    alert = desk.stores.engine.newest_alerts(limit=1)[0][1]
    return [
        "/", "/alerts", "/alerts?severity=high", f"/alerts?holder={desk.acid.holder}", f"/alerts/{alert.alert_id}",
        "/enterprises", f"/enterprises/{desk.acid.holder}", "/records", f"/records?kind=movement&holder={desk.acid.holder}",
        f"/records/{ids[1]}", "/trust", "/trust/access", "/search", "/search?q=x", "/search?q=nitric", "/sessions", "/password",
    ]  # fmt: skip


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


# --- records


def test_records__newest_first__and_pages_by_cursor_miss_and_repeat_nothing(desk, browser):
    ids = [desk.stock()]
    ids += [a.receipt.record_id for a in desk.log.batch([desk.acid.next() for _ in range(119)])]
    seen, path = [], f"/records?holder={desk.acid.holder}"
    while path:
        page = browser.get(path)
        seen += rows_of(page)
        # New records that come meanwhile do not shift the pages.
        desk.move(desk.acid)
        following = re.search(r'href="([^"]+)" rel="next"', page.get_data(as_text=True))
        path = following[1].replace("&amp;", "&") if following else None
    assert seen == ids[::-1]


def test_records__filters__are_a_sentence_and_the_url(desk, browser):
    desk.stock()
    desk.move()
    page = browser.get(f"/records?kind=movement&holder={desk.acid.holder}&site=S1&book=acid&since=2026-09-01&until=2026-09-30")
    assert len(rows_of(page)) == 1
    text = text_of(page)
    assert (
        f"Records: kind Movement, of {desk.acid.holder}, in S1/acid, received from 2026-09-01, received until 2026-09-30; newest first."
        in text
    )
    zh = desk.supervisor("zh").get("/records?kind=stocktake")
    assert "记录：种类为盘点；最新在前。" in text_of(zh)


@pytest.mark.parametrize(
    ("query", "count"),
    [
        ("since=2026-09-21", 2),
        ("until=2026-09-21", 2),
        ("since=2026-09-22", 0),
        ("until=2026-09-20", 0),
        ("kind=close", 0),
        ("site=S2", 0),
        ("book=base", 0),
        ("kind=stocktake", 1),
    ],
)
def test_records__each_filter__narrows(desk, browser, query, count):
    desk.stock()
    desk.move()
    assert len(rows_of(browser.get(f"/records?holder={desk.acid.holder}&{query}"))) == count


def test_records__by_substance__those_whose_lines_name_it(desk, browser):
    ids = fill(desk)
    assert rows_of(browser.get("/records?code=7697-37-2")) == [ids[1]]
    assert rows_of(browser.get("/records?code=7697-37-2&kind=stocktake")) == []
    assert rows_of(browser.get("/records?code=64-17-5")) == []
    assert "Nitric acid (7697-37-2)" in text_of(browser.get("/records?code=7697-37-2"))


def test_records__by_substance__pages_without_loss(desk, browser):
    desk.stock()
    answers = desk.log.batch([desk.acid.next() for _ in range(130)])
    for answer in answers:
        desk.line(answer.receipt.index)
        desk.line(answer.receipt.index, line=1)
    seen, path = [], "/records?code=7697-37-2"
    while path:
        page = browser.get(path)
        seen += rows_of(page)
        following = re.search(r'href="([^"]+)" rel="next"', page.get_data(as_text=True))
        path = following[1].replace("&amp;", "&") if following else None
    assert seen == [a.receipt.record_id for a in answers][::-1]


def test_records__filter_not_understood__is_said_and_left_out(desk, browser):
    desk.stock()
    text = text_of(browser.get("/records?kind=nonsense&since=2026-02-30"))
    assert "Not understood and left out: kind, since" in text
    assert "All records, newest first." in text


# --- one record


def test_record__its_page__fields_signer_and_three_clocks(desk, browser):
    ids = fill(desk)
    text = text_of(browser.get(f"/records/{ids[1]}"))
    assert "2026-03-02T09:30:00+08:00" in text
    assert "Received by this log" in text
    assert "block 6, tree size 6" in text
    assert "25.5 kg" in text
    assert "Nitric acid" in text
    assert desk.acid.key.keyid in text
    assert "ANCHORED-DEV Anchored on a development chain" in text
    assert f"hazledger verify bundle {ids[1]}.hzb.json --trust trust.json --require ANCHORED-DEV" in text


def test_record__neighbours_in_its_book__are_linked(desk, browser):
    ids = fill(desk)
    assert [i for i in rows_of(browser.get(f"/records/{ids[1]}")) if i != ids[1]] == [ids[0], ids[2]]


def test_record__checks_that_were_run__are_listed(tmp_path):
    proof = Proof("FAILED", checks=((5, "ok", "signatures", "1 of 1"), (7, "FAIL", "inclusion", "not included")))
    desk = Desk(tmp_path, proof=lambda _: proof)
    text = text_of(desk.supervisor().get(f"/records/{desk.stock()}"))
    assert "FAILED Failed: a check of this record" in text
    assert "7 inclusion [FAIL] not included" in text
    desk.close()


def test_record__proof_cannot_be_made__the_page_still_opens_and_says_unknown(tmp_path):
    def no_proof(_):
        raise ChainUnreachableError("no endpoint")

    desk = Desk(tmp_path, proof=no_proof)
    assert "UNKNOWN Unknown: the proof could not be made" in text_of(desk.supervisor().get(f"/records/{desk.stock()}"))
    desk.close()


@pytest.mark.parametrize("level", ["RECEIVED", "LOGGED", "ANCHORED-DEV", "ANCHORED"])
def test_record__command__asks_for_no_more_than_the_page_claims(tmp_path, level):
    desk = Desk(tmp_path, proof=lambda _: Proof(level), verify_arguments="--rpc http://127.0.0.1:8545")
    text = text_of(desk.supervisor().get(f"/records/{desk.stock()}"))
    wanted = "--trust trust.json --rpc http://127.0.0.1:8545" + ("" if level == "ANCHORED" else f" --require {level}")
    assert re.search(re.escape(wanted) + r" (?!--)", text)
    desk.close()


@pytest.mark.parametrize("path", ["/records/" + "0" * 64, "/records/xyz", "/alerts/" + "0" * 64, "/alerts/x", "/enterprises/x", "/entries/99999", "/nothing"])
def test_page__of_nothing__404_in_words(desk, browser, path):
    answer = browser.get(path)
    assert answer.status_code == 404
    assert "Not found" in answer.get_data(as_text=True)


def test_bundle__downloaded__by_the_supervisor_is_logged(desk, browser):
    record_id = desk.stock()
    answer = browser.get(f"/records/{record_id}/bundle")
    assert answer.content_type == "application/vnd.hazledger.bundle.v1+json"
    assert desk.stores.portal.access_log(after=0, limit=50)[-1][2:5] == ("user:supervisor", "bundle", record_id)


def personal_record(desk):
    """A person record with two disclosures beside it; its record_id."""
    held = [
        make_disclosure("/body/name", "王小明", b"s" * 16),
        make_disclosure("/body/id_number", factories.RESIDENT_ID, b"t" * 16),
    ]
    import secrets

    from ledger.core.dsse import parse_envelope
    from ledger.core.submission import SUBMISSION_TYPE
    from ledger.flow import submit

    from tests.kit import Book

    office = Book(desk.acid.key, desk.acid.holder, "S1", "office")
    payload = office.payload("person", _sd=make_sd(held, secrets.token_bytes), _sd_alg="sha-256")
    envelope = office.sign(payload)
    names = [f'"{d.text}"' for d in held]
    body = b'{"envelope":%b,"disclosures":[%b]}' % (envelope, ",".join(names).encode())
    assert parse_envelope(envelope)
    return submit(body, SUBMISSION_TYPE, desk.log.door).receipt.record_id


def test_personal_data__only_on_asking__and_the_look_is_logged(desk, browser):
    record_id = personal_record(desk)
    page = browser.get(f"/records/{record_id}")
    assert "2 disclosures are held beside this record." in text_of(page)
    assert "王小明" not in page.get_data(as_text=True)
    before = len(desk.stores.portal.access_log(after=0, limit=50))
    shown = browser.post(f"/records/{record_id}/disclosures", data={"csrf": form_token(page)})
    assert "王小明" in text_of(shown)
    assert factories.RESIDENT_ID in text_of(shown)
    (row,) = desk.stores.portal.access_log(after=before, limit=50)
    assert row[2:5] == ("user:supervisor", "disclosures", record_id)
    assert shown.headers["Cache-Control"] == "no-store"
    browser.get(f"/records/{record_id}/bundle")
    browser.post(f"/records/{record_id}/bundle-with-disclosures", data={"csrf": form_token(page)})
    assert desk.made == [(record_id, False), (record_id, True)]


def test_personal_data__the_log_cannot_be_written__nothing_is_shown(tmp_path):
    class NoLog:
        def __init__(self, real):
            self.real = real

        def __getattr__(self, name):
            return getattr(self.real, name)

        def log_access(self, actor, action, target, now):
            if action == "disclosures":
                raise StoreError("disk full")
            return self.real.log_access(actor, action, target, now)

    desk = Desk(tmp_path)
    from dataclasses import replace

    from webapp import create_app

    browser = desk.supervisor()
    record_id = personal_record(desk)
    desk.app = create_app(replace(desk.services, portal=NoLog(desk.stores.portal)))
    browser = desk.supervisor()
    page = browser.get(f"/records/{record_id}")
    shown = browser.post(f"/records/{record_id}/disclosures", data={"csrf": form_token(page)})
    assert shown.status_code == 503
    assert "王小明" not in shown.get_data(as_text=True)
    desk.close()


# --- enterprises, alerts, trust, search


def profile(desk, book, zh, en):
    from tests.kit import Book

    office = Book(book.key, book.holder, "S1", "office")
    body = factories.payload("profile")["body"] | {"names": {"zh": zh, "en": en}}
    desk.log.submit(office.next("profile", body=body))
    return office


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

    inputs = {"code": "7697-37-2", "dimension": "mass", "balance": -3_000_000, "pieces": -2, "sealed": True, "due_ms": 1_790_000_000_000, "age_ms": 432_000_000}
    alert = replace(desk.alert(), alert_id="ab" * 32, inputs=inputs)
    desk.stores.engine.commit(EngineBatch(cursor=desk.stores.log.size(), alerts=(alert,)))
    text = text_of(browser.get(f"/alerts/{alert.alert_id}"))
    for words in ("code Nitric acid (7697-37-2)", "balance -3 kg", "pieces -2", "sealed yes", "due ms 2026-09-21 22:13:20", "age ms 5 days"):
        assert words in text, words
    zh = text_of(desk.supervisor("zh").get(f"/alerts/{alert.alert_id}"))
    for words in ("账面结存 -3 kg", "密封件 是", "时长 5 天"):
        assert words in zh, words


def test_alert__its_signed_entry__is_linked_once_it_is_in_the_log(desk, browser):
    record_id = desk.stock()
    waiting = desk.alert(record_id="cd" * 32)
    assert "on its way into the log" in text_of(browser.get(f"/alerts/{waiting.alert_id}"))
    there = desk.alert(record_id=record_id)
    assert "on its way into the log" not in text_of(browser.get(f"/alerts/{there.alert_id}"))


def test_notice__long__its_first_sentence_is_in_sight_and_the_rest_opens(tmp_path):
    notice = {"zh": "演示数据。其余说明。", "en": "Demonstration data. The rest of it."}
    desk = Desk(tmp_path, notice=notice)
    html = re.sub(r"\s+", " ", desk.supervisor().get("/").get_data(as_text=True))
    assert "</strong> Demonstration data. </summary>The rest of it.</details>" in html
    desk.close()


def test_alert__its_page__shows_its_book_until_then(desk, browser):
    ids = [desk.stock(), desk.move(), desk.move()]
    alert = desk.alert(extra={"book": "acid"})
    later = desk.move()
    seen = rows_of(browser.get(f"/alerts/{alert.alert_id}"))
    assert seen[-3:] == ids[::-1]
    assert later not in seen


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
