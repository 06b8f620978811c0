"""What the pages of records show, and what of a record is shown only on asking."""

import re

import pytest

from ledger.core.disclosure import make_disclosure, make_sd
from ledger.errors import ChainUnreachableError, StoreError
from tests import factories
from tests.kit import Book
from tests.webapp.desk import Desk, form_token
from tests.webapp.pages import fill, rows_of, text_of
from webapp.services import Proof

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


def test_record__of_an_alert__rule_by_title_amounts_in_units_and_links_to_what_it_is_about(desk, browser):
    alert, record_id = desk.alert(), desk.stock()
    body = factories.body("alert") | {
        "rule": "B08", "alert_id": alert.alert_id, "record": record_id, "first_index": 1, "fingerprint": ["mass"],
        "inputs": {"amount": 25_000_000, "month": 5_000_000, "dimension": "mass"},
    }  # fmt: skip
    made = desk.log.sequencer.append_platform("alert", "alerts", body).receipt.record_id
    page = browser.get(f"/records/{made}")
    html, text = page.get_data(as_text=True), text_of(page)
    assert "B08 Unusual quantity" in text and "amount 25 kg" in text and "month 5 kg" in text
    for link in (f"/alerts/{alert.alert_id}", f"/records/{record_id}", "/entries/1", "/alerts?rule=B08&amp;state=all"):
        assert f'href="{link}"' in html, link
    assert "质量" in text_of(desk.supervisor("zh").get(f"/records/{made}"))


def test_record__when_it_happened__in_the_county_s_time_and_as_it_was_signed(desk, browser):
    record_id = desk.stock(event_time="2026-03-02T01:30:00Z")
    assert "2026-03-02 09:30:00 2026-03-02T01:30:00Z" in text_of(browser.get(f"/records/{record_id}"))


def test_record__profile__its_words_are_in_chinese(desk):
    desk.stock()
    office = Book(desk.acid.key, desk.acid.holder, "S1", "office")
    body = factories.body("profile") | {"roles": ["shop"], "scope": ["highly_toxic", "eu_precursor_annex_i"]}
    record_id = desk.log.submit(office.next("profile", body=body)).receipt.record_id
    text = text_of(desk.supervisor("zh").get(f"/records/{record_id}"))
    assert all(word in text for word in ("销售门店", "剧毒", "附件一"))
