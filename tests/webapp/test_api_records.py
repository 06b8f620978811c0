"""POST of records, batches and prechecks; GET of records and bundles."""

import gzip
import io
import json

import pytest

from ledger.errors import (
    ConflictError,
    GrantError,
    MalformedRecordError,
    OverloadedError,
    PayloadError,
    SignatureError,
    StoreError,
)
from tests import kit
from tests.webapp.desk import NDJSON, Desk
from webapp.api import records
from webapp.api.problems import CODES

SUBMISSION = kit.SUBMISSION


def post(desk, body, media=SUBMISSION, path="/api/v1/records", **headers):
    return desk.client().post(path, data=body, content_type=media, headers=headers)


def batch(desk, lines, **headers):
    return post(desk, b"\n".join(lines) + b"\n", NDJSON, "/api/v1/records:batch", **headers)


def problem(answer, status, code):
    assert answer.status_code == status, answer.get_data(as_text=True)
    assert answer.content_type == "application/problem+json"
    document = answer.get_json()
    assert document["type"] == f"urn:hazledger:{code}"
    assert document["status"] == status
    assert document["title"]
    assert document["detail"]
    return document


def raising(error):
    def submit(*_):
        raise error

    return submit


# --- one record


def test_post_record__first_time__201_with_receipt_and_findings(desk):
    envelope = desk.acid.next("stocktake")
    answer = post(desk, envelope)
    assert answer.status_code == 201
    document = answer.get_json()
    stored = desk.stores.log.record_by_id(document["record_id"])
    assert document["receipt"].encode() == stored.receipt
    assert (document["index"], document["received"], document["repeat"]) == (stored.index, stored.received, False)
    assert document["findings"] == []


def test_post_record__same_payload_again__200_and_the_same_receipt_bytes(desk):
    envelope = desk.acid.next("stocktake")
    first, again = post(desk, envelope), post(desk, envelope)
    assert (first.status_code, again.status_code) == (201, 200)
    assert again.get_json()["receipt"] == first.get_json()["receipt"]
    assert again.get_json()["repeat"] is True


def test_post_record__other_payload_at_the_same_seq__409_with_refusal_note(desk):
    desk.stock()
    desk.acid.seq, desk.acid.prev = 0, None
    document = problem(post(desk, desk.acid.next("stocktake")), 409, "fork")
    assert document["refusal"].startswith("hazledger/") or document["refusal"]
    assert document["expected_seq"] == 2


def test_post_record__gap__409_names_what_was_expected(desk):
    first = desk.stock()
    desk.acid.seq = 7
    document = problem(post(desk, desk.acid.next("movement")), 409, "seq-gap")
    assert (document["expected_seq"], document["expected_prev"]) == (2, first)


def test_post_record__gap_in_an_empty_book__says_that_null_was_expected(desk):
    desk.acid.seq = 7
    document = problem(post(desk, desk.acid.next("stocktake", prev="aa" * 32)), 409, "seq-gap")
    assert (document["expected_seq"], document["expected_prev"]) == (1, None)


@pytest.mark.parametrize("media", ["", "text/plain", "application/xml", "application/x-www-form-urlencoded"])
def test_post_record__another_media_type__415(desk, media):
    problem(post(desk, desk.acid.next("stocktake"), media), 415, "media-type")


def test_post_record__media_type_with_parameters__is_read(desk):
    assert post(desk, desk.acid.next("stocktake"), "Application/JSON; charset=utf-8").status_code == 201


def test_post_record__compressed_body__415_and_nothing_is_unpacked(desk):
    body = gzip.compress(desk.acid.next("stocktake"))
    problem(post(desk, body, **{"Content-Encoding": "gzip"}), 415, "content-encoding")


def test_post_record__declared_too_large__413_without_reading(desk):
    class Untouched(io.BytesIO):
        def read(self, *_):
            raise AssertionError("the body was read")

    answer = desk.client().post(
        "/api/v1/records",
        input_stream=Untouched(),
        environ_overrides={"CONTENT_LENGTH": str(records.MAX_SUBMISSION_BYTES + 1)},
        content_type=SUBMISSION,
    )
    problem(answer, 413, "too-large")
    assert answer.headers["Connection"] == "close"


class Chunks(io.RawIOBase):
    """A body without a declared length, as a server hands out chunked ones; counts what is taken."""

    def __init__(self, data, breaks_after=None):
        self.data, self.at, self.breaks_after = data, 0, breaks_after

    def read(self, size=-1):
        if self.breaks_after is not None and self.at >= self.breaks_after:
            self.breaks_after, self.data = None, self.data[: self.at]
            raise OSError("connection reset")
        end = len(self.data) if self.breaks_after is None else self.breaks_after
        part = self.data[self.at : min(self.at + size, end)]
        self.at += len(part)
        return part


def post_chunked(desk, stream, media=SUBMISSION, path="/api/v1/records"):
    environ = {"wsgi.input": stream, "wsgi.input_terminated": True, "HTTP_TRANSFER_ENCODING": "chunked"}
    return desk.client().post(path, content_type=media, environ_overrides=environ)


def test_post_record__chunked__is_read(desk):
    assert post_chunked(desk, Chunks(desk.acid.next("stocktake"))).status_code == 201


def test_post_record__endless_chunks__413_soon_after_the_limit(desk):
    stream = Chunks(b" " * (10 * records.MAX_SUBMISSION_BYTES))
    problem(post_chunked(desk, stream), 413, "too-large")
    assert stream.at <= records.MAX_SUBMISSION_BYTES + 1


def test_post_record__half_sent__400_and_nothing_kept(desk):
    envelope, before = desk.acid.next("stocktake"), desk.stores.log.size()
    answer = desk.client().post(
        "/api/v1/records",
        input_stream=io.BytesIO(envelope[:100]),
        environ_overrides={"CONTENT_LENGTH": str(len(envelope))},
        content_type=SUBMISSION,
    )
    problem(answer, 400, "body-cut")
    assert desk.stores.log.size() == before


def test_post_record__no_body__400(desk):
    problem(post(desk, b""), 400, "not-json")


@pytest.mark.parametrize(
    ("error", "status", "code", "more"),
    [
        (MalformedRecordError("x", code="bom"), 400, "bom", {"check": 1, "note": "x"}),
        (SignatureError("x", code="unknown-key", pointer="/signatures/0"), 401, "unknown-key", {"check": 5, "pointer": "/signatures/0"}),
        (GrantError("x", code="key-revoked"), 403, "key-revoked", {"check": 4}),
        (PayloadError("x", code="personal-data", pointer="/body/purpose"), 422, "personal-data", {"check": 3, "pointer": "/body/purpose"}),
        (ConflictError("x", code="seq-gap", expected_seq=3, expected_prev="ab"), 409, "seq-gap", {"expected_seq": 3, "expected_prev": "ab"}),
        (OverloadedError("full"), 503, "overloaded", {"note": "full"}),
        (StoreError("gone"), 503, "store", {}),
    ],
)  # fmt: skip
def test_post_record__each_refusal__has_its_status_and_members(tmp_path, error, status, code, more):
    desk = Desk(tmp_path, submit=raising(error))
    answer = post(desk, b"{}")
    document = problem(answer, status, code)
    assert document.items() >= more.items()
    assert ("Retry-After" in answer.headers) == (status == 503)
    desk.close()


def test_post_record__a_code_that_the_table_has_not__answers_with_its_class(tmp_path):
    desk = Desk(tmp_path, submit=raising(PayloadError("x", code="brand-new")))
    document = problem(post(desk, b"{}"), 422, "brand-new")
    assert document["title"] == CODES["schema"].title
    desk.close()


def test_post_record__a_bug_of_ours__500_that_tells_nothing(tmp_path):
    desk = Desk(tmp_path, submit=raising(RuntimeError("secret path /srv")))
    answer = post(desk, b"{}")
    assert "secret" not in answer.get_data(as_text=True)
    problem(answer, 500, "internal")
    desk.close()


def test_post_record__refusal_note_made__is_in_the_answer(tmp_path):
    error = PayloadError("x")
    error.refusal = b"hazledger/refusal/v1\n"
    desk = Desk(tmp_path, submit=raising(error))
    assert problem(post(desk, b"{}"), 422, "schema")["refusal"] == "hazledger/refusal/v1\n"
    desk.close()


@pytest.mark.parametrize(
    ("asked", "given"),
    [("zh-CN,zh;q=0.9,en;q=0.5", "zh"), ("en-GB,en", "en"), ("", "en"), ("fr, zh-TW;q=0.3", "zh"), ("fr", "en")],
)
def test_problem__language_asked_for__is_the_language_of_title_and_detail(desk, asked, given):
    answer = post(desk, b"\xff", **{"Accept-Language": asked})
    document = problem(answer, 400, "not-utf8")
    row = CODES["not-utf8"]
    assert document["detail"] == (row.detail_zh if given == "zh" else row.detail)
    assert answer.headers["Content-Language"] == given


# --- batches


def test_batch__good_lines__one_status_a_line_in_order(desk):
    lines = [desk.acid.next("stocktake"), desk.acid.next(), desk.other.next("stocktake")]
    answer = batch(desk, lines)
    assert answer.status_code == 200
    results = answer.get_json()["results"]
    assert [r["status"] for r in results] == [201, 201, 201]
    assert [r["index"] for r in results] == sorted(r["index"] for r in results)
    again = batch(desk, lines).get_json()["results"]
    assert [r["status"] for r in again] == [200, 200, 200]
    assert [r["receipt"] for r in again] == [r["receipt"] for r in results]


def test_batch__a_bad_line__is_refused_alone(desk):
    lines = [desk.acid.next("stocktake"), b'{"no":"submission"}', desk.other.next("stocktake")]
    results = batch(desk, lines).get_json()["results"]
    assert [r["status"] for r in results] == [201, 400, 201]
    assert results[1]["type"] == "urn:hazledger:submission"
    assert results[1]["check"] == 1


def test_batch__after_a_refused_line_of_a_book__later_lines_of_it_are_refused_too(desk):
    good = desk.acid.next("stocktake")
    broken = json.loads(desk.acid.next())
    broken["signatures"][0]["sig"] = "AAAA"
    lines = [good, json.dumps(broken).encode(), desk.acid.next(), desk.other.next("stocktake")]
    results = batch(desk, lines).get_json()["results"]
    assert [r["status"] for r in results] == [201, 401, 409, 201]
    assert results[2]["type"] == "urn:hazledger:after-refused-line"


def test_batch__last_line_without_newline__counts(desk):
    body = desk.acid.next("stocktake")
    results = post(desk, body, NDJSON, "/api/v1/records:batch").get_json()["results"]
    assert [r["status"] for r in results] == [201]


def test_batch__blank_lines_and_carriage_returns__are_no_lines(desk):
    body = b"\r\n\n" + desk.acid.next("stocktake") + b"\r\n   \n"
    results = post(desk, body, NDJSON, "/api/v1/records:batch").get_json()["results"]
    assert [r["status"] for r in results] == [201]


def test_batch__empty__200_and_no_results(desk):
    assert post(desk, b"", NDJSON, "/api/v1/records:batch").get_json() == {"results": []}


def test_batch__connection_cut__complete_lines_count_and_the_torn_one_does_not(desk):
    one, two, three = desk.acid.next("stocktake"), desk.acid.next(), desk.acid.next()
    body = b"\n".join([one, two, three]) + b"\n"
    before = desk.stores.log.size()
    answer = desk.client().post(
        "/api/v1/records:batch",
        input_stream=io.BytesIO(body[: len(one) + len(two) + 2 + 50]),
        environ_overrides={"CONTENT_LENGTH": str(len(body))},
        content_type=NDJSON,
    )
    assert [r["status"] for r in answer.get_json()["results"]] == [201, 201]
    assert desk.stores.log.size() == before + 2


def test_batch__a_whole_line_cut_before_its_newline__does_not_count(desk):
    one = desk.acid.next("stocktake")
    answer = desk.client().post(
        "/api/v1/records:batch",
        input_stream=io.BytesIO(one),
        environ_overrides={"CONTENT_LENGTH": str(len(one) + 1)},
        content_type=NDJSON,
    )
    assert answer.get_json() == {"results": []}


def test_batch__chunked_connection_breaks__complete_lines_count(desk):
    one, two = desk.acid.next("stocktake"), desk.acid.next()
    body = one + b"\n" + two + b"\n"
    stream = Chunks(body, breaks_after=len(one) + 20)
    results = post_chunked(desk, stream, NDJSON, "/api/v1/records:batch").get_json()["results"]
    assert [r["status"] for r in results] == [201]


def test_batch__1001_lines__413_and_none_is_kept(desk):
    before = desk.stores.log.size()
    problem(batch(desk, [b"{}"] * 1001), 413, "too-many-lines")
    assert desk.stores.log.size() == before


def test_batch__1000_lines__are_passed_on_in_one_call(tmp_path):
    calls = []

    def submit_batch(lines):
        calls.append(len(lines))
        return [MalformedRecordError("x", code="not-json")] * len(lines)

    desk = Desk(tmp_path, submit_batch=submit_batch)
    assert len(batch(desk, [b"{}"] * 1000).get_json()["results"]) == 1000
    assert calls == [1000]
    desk.close()


def test_batch__over_8_mib__413(desk):
    answer = desk.client().post(
        "/api/v1/records:batch",
        input_stream=io.BytesIO(b""),
        environ_overrides={"CONTENT_LENGTH": str(8 * 1024 * 1024 + 1)},
        content_type=NDJSON,
    )
    problem(answer, 413, "too-large")


def test_batch__json_in_place_of_ndjson__415(desk):
    problem(post(desk, b"[]", "application/json", "/api/v1/records:batch"), 415, "media-type")


def test_batch__overloaded__503_for_the_whole(tmp_path):
    desk = Desk(tmp_path, submit_batch=raising(OverloadedError("full")))
    answer = batch(desk, [b"{}"])
    problem(answer, 503, "overloaded")
    assert answer.headers["Retry-After"] == "2"
    desk.close()


def test_batch__a_line_that_met_a_bug__says_500_for_it_alone(tmp_path):
    desk = Desk(tmp_path, submit_batch=lambda lines: [RuntimeError("secret"), MalformedRecordError("x", code="bom")])
    answer = batch(desk, [b"{}", b"{}"])
    assert [r["status"] for r in answer.get_json()["results"]] == [500, 400]
    assert "secret" not in answer.get_data(as_text=True)
    desk.close()


# --- precheck


def test_precheck__a_payload__findings_in_both_languages_and_nothing_kept(desk):
    before = desk.stores.log.size()
    answer = post(desk, desk.acid.payload("stocktake"), "application/json", "/api/v1/precheck")
    assert answer.status_code == 200
    (found,) = answer.get_json()["findings"]
    assert found["code"] == "buyer-type"
    assert set(found["detail"]) == {"zh", "en"}
    assert desk.stores.log.size() == before


def test_precheck__an_invalid_payload__422_with_pointer(desk):
    answer = post(desk, desk.acid.payload("stocktake", seq=0), "application/json", "/api/v1/precheck")
    document = problem(answer, 422, answer.get_json()["type"].rpartition(":")[2])
    assert document["pointer"] == "/seq"


def test_precheck__too_large_or_wrong_type__refused(desk):
    problem(post(desk, b" " * (48 * 1024 + 1), "application/json", "/api/v1/precheck"), 413, "too-large")
    problem(post(desk, b"{}", "text/plain", "/api/v1/precheck"), 415, "media-type")


# --- reading


def test_get_record__own_holder__the_stored_bytes(desk):
    record_id = desk.stock()
    answer = desk.client().get(f"/api/v1/records/{record_id}", headers=desk.bearer("enterprise", desk.acid.holder))
    stored = desk.stores.log.record_by_id(record_id)
    document = answer.get_json()
    assert document["envelope"].encode() == stored.envelope
    assert document["entry"].encode() == stored.entry
    assert document["level"] == "RECEIVED"
    desk.checkpoint()
    answer = desk.client().get(f"/api/v1/records/{record_id}", headers=desk.bearer("auditor"))
    assert answer.get_json()["level"] == "LOGGED"


def test_get_bundle__by_anybody_who_may__without_personal_data_and_logged(desk):
    record_id = desk.stock()
    for role, holder in (("enterprise", desk.acid.holder), ("supervisor", None), ("auditor", None)):
        answer = desk.client().get(f"/api/v1/records/{record_id}/bundle", headers=desk.bearer(role, holder))
        assert answer.status_code == 200
        assert answer.content_type == "application/vnd.hazledger.bundle.v1+json"
        assert f"{record_id}.hzb.json" in answer.headers["Content-Disposition"]
        assert answer.headers["Cache-Control"] == "no-store"
    assert [disclosures for _, disclosures in desk.made] == [False] * 3
    assert [row[3] for row in desk.stores.portal.access_log(after=0, limit=10)] == ["bundle"] * 3


def test_get_bundle__with_disclosures__holder_and_supervisor_only(desk):
    path = f"/api/v1/records/{desk.stock()}/bundle?disclosures=true"
    for role, holder in (("enterprise", desk.acid.holder), ("supervisor", None)):
        assert desk.client().get(path, headers=desk.bearer(role, holder)).status_code == 200
    problem(desk.client().get(path, headers=desk.bearer("auditor")), 403, "wrong-token-role")
    assert desk.client().get(path, headers=desk.bearer("enterprise", desk.other.holder)).status_code == 404
    assert [disclosures for _, disclosures in desk.made] == [True, True]
    assert [row[3] for row in desk.stores.portal.access_log(after=0, limit=10)] == ["bundle-with-disclosures"] * 2


@pytest.mark.parametrize("query", ["disclosures=yes", "disclosures=", "disclosure=true"])
def test_get_bundle__wrong_parameter__400(desk, query):
    path = f"/api/v1/records/{desk.stock()}/bundle?{query}"
    problem(desk.client().get(path, headers=desk.bearer("supervisor")), 400, "bad-parameter")


def test_head__of_a_book__last_seq_and_record_id(desk):
    token = desk.bearer("enterprise", desk.acid.holder)
    path = f"/api/v1/books/{desk.acid.holder}/S1/acid/head"
    assert desk.client().get(path, headers=token).get_json()["seq"] == 0
    record_id = desk.stock()
    document = desk.client().get(path, headers=token).get_json()
    assert (document["seq"], document["record_id"], document["closed"]) == (1, record_id, False)
