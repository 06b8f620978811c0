"""parse_payload: what stands around a body, one refusal for every rule of formats.md section 2."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.core import record
from ledger.core.record import parse_payload
from ledger.errors import MalformedRecordError
from tests import factories
from tests.core.refused import refusal
from tests.factories import ABSENT, body, encode, issued_licence, payload

HEADER_DEFECTS = [
    pytest.param({"v": ABSENT}, "missing-member", "/v", id="no-version"),
    pytest.param({"v": 2}, "unknown-version", "/v", id="version-2"),
    pytest.param({"v": True}, "unknown-version", "/v", id="version-true"),
    pytest.param({"v": "1"}, "unknown-version", "/v", id="version-as-text"),
    pytest.param({"kind": "gift"}, "unknown-kind", "/kind", id="unknown-kind"),
    pytest.param({"kind": "_common"}, "unknown-kind", "/kind", id="kind-names-a-schema-file"),
    pytest.param({"kind": ABSENT}, "unknown-kind", "/kind", id="no-kind"),
    pytest.param({"kind": ["movement"]}, "unknown-kind", "/kind", id="kind-as-list"),
    pytest.param({"enterprise": ABSENT}, "wrong-holder", "/enterprise", id="no-holder"),
    pytest.param({"issuer": "county"}, "wrong-holder", "/enterprise", id="both-holders"),
    pytest.param({"enterprise": ABSENT, "issuer": "county"}, "wrong-holder", "/enterprise", id="movement-by-an-issuer"),
    pytest.param({"enterprise": factories.HOLDER[:-1] + "0"}, "credit-code", "/enterprise", id="check-character"),
    pytest.param({"enterprise": factories.HOLDER.lower()}, "schema", "/enterprise", id="lower-case-credit-code"),
    pytest.param({"log": "Log.Example.org"}, "schema", "/log", id="log-in-capitals"),
    pytest.param({"log": "hazledger/x"}, "schema", "/log", id="reserved-log-name"),
    pytest.param({"log": "a" * 129}, "schema", "/log", id="log-too-long"),
    pytest.param({"site": ".S1"}, "schema", "/site", id="site-begins-with-a-dot"),
    pytest.param({"site": "S/1"}, "schema", "/site", id="site-with-a-slash"),
    pytest.param({"site": ""}, "schema", "/site", id="empty-site"),
    pytest.param({"book": "b" * 33}, "schema", "/book", id="book-too-long"),
    pytest.param({"book": "acid\n"}, "schema", "/book", id="book-with-a-newline"),
    pytest.param({"seq": 0}, "schema", "/seq", id="seq-0"),
    pytest.param({"seq": "1"}, "schema", "/seq", id="seq-as-text"),
    pytest.param({"seq": True}, "schema", "/seq", id="seq-true"),
    pytest.param({"seq": 2}, "prev-seq", "/prev", id="seq-2-without-prev"),
    pytest.param({"prev": factories.ID_A}, "prev-seq", "/prev", id="seq-1-with-prev"),
    pytest.param({"prev": ABSENT}, "missing-member", "/prev", id="no-prev"),
    pytest.param({"seq": 2, "prev": factories.ID_A.upper()}, "schema", "/prev", id="prev-in-capitals"),
    pytest.param({"signers": []}, "signers", "/signers", id="no-signer"),
    pytest.param({"signers": [f"{n:064x}" for n in range(5)]}, "signers", "/signers", id="five-signers"),
    pytest.param({"signers": [factories.KEY_A] * 2}, "signers", "/signers", id="one-signer-twice"),
    pytest.param({"signers": [factories.KEY_B, factories.KEY_A]}, "signers", "/signers", id="signers-out-of-order"),
    pytest.param({"signers": [factories.KEY_A.upper()]}, "signers", "/signers/0", id="keyid-in-capitals"),
    pytest.param({"nonce": "A" * 21}, "schema", "/nonce", id="short-nonce"),
    pytest.param({"nonce": "A" * 44}, "schema", "/nonce", id="long-nonce"),
    pytest.param({"nonce": "A" * 21 + "+"}, "schema", "/nonce", id="nonce-not-base64url"),
    pytest.param({"seen": {"size": 0, "root": factories.ZERO_32}}, "schema", "/seen/size", id="seen-empty-tree"),
    pytest.param({"seen": {"size": 1, "root": "A" * 42 + "B="}}, "schema", "/seen/root", id="seen-lax-base64"),
    pytest.param({"seen": {"size": 1}}, "missing-member", "/seen/root", id="seen-without-root"),
    pytest.param({"_sd": list(factories.SD)}, "missing-member", "/_sd_alg", id="sd-without-algorithm"),
    pytest.param({"_sd_alg": "sha-256"}, "missing-member", "/_sd", id="algorithm-without-sd"),
    pytest.param({"_sd": list(factories.SD), "_sd_alg": "sha-512"}, "schema", "/_sd_alg", id="other-sd-algorithm"),
    pytest.param({"_sd": list(factories.SD)[:7], "_sd_alg": "sha-256"}, "schema", "/_sd", id="seven-digests"),
    pytest.param({"_sd": [factories.SD[0]] * 8, "_sd_alg": "sha-256"}, "schema", "/_sd", id="repeated-digests"),
    pytest.param({"_sd": list(factories.SD)[::-1], "_sd_alg": "sha-256"}, "sd-order", "/_sd", id="unsorted-digests"),
    pytest.param(
        {"_sd": [*factories.SD[:7], "H" * 43], "_sd_alg": "sha-256"}, "schema", "/_sd/7", id="digest-with-loose-bits"
    ),
    pytest.param({"ext": []}, "schema", "/ext", id="ext-is-a-list"),
    pytest.param({"ext": {"x": "y" * 4096}}, "ext-size", "/ext", id="ext-too-large"),
    pytest.param({"extra": 1}, "unknown-member", "/extra", id="unknown-member"),
    pytest.param({"a/b~c": 1}, "unknown-member", "/a~1b~0c", id="unknown-member-with-escapes"),
    pytest.param({"body": ABSENT}, "missing-member", "/body", id="no-body"),
    pytest.param({"body": None}, "schema", "/body", id="null-body"),
]


@pytest.mark.parametrize(("overrides", "code", "pointer"), HEADER_DEFECTS)
def test_parse_payload__bad_header__refused(overrides, code, pointer):
    error = refusal(payload(**overrides))
    assert (error.code, error.pointer) == (code, pointer)
    assert error.detail


@pytest.mark.parametrize("document", [[], "movement", 1, None, True], ids=["list", "text", "number", "null", "true"])
def test_parse_payload__not_an_object__refused(document):
    assert refusal(document).pointer == ""


def test_parse_payload__not_strict_json__is_malformed():
    with pytest.raises(MalformedRecordError):
        parse_payload(encode(payload())[:-1])
    with pytest.raises(MalformedRecordError) as caught:
        parse_payload(b'{"v":1,' + encode(payload())[1:])
    assert caught.value.code == "duplicate-member"


@pytest.mark.parametrize("kind", sorted(record.AUTHORITY_KINDS))
def test_parse_payload__authority_kind_under_a_credit_code__refused(kind):
    error = refusal(payload(kind, issuer=ABSENT, enterprise=factories.HOLDER))
    assert (error.code, error.pointer) == ("wrong-holder", "/issuer")


@pytest.mark.parametrize("kind", sorted(record.ENTERPRISE_KINDS - record.EITHER_KINDS))
def test_parse_payload__enterprise_kind_under_an_issuer__refused(kind):
    assert refusal(payload(kind, enterprise=ABSENT, issuer="county")).code == "wrong-holder"


@pytest.mark.parametrize("issuer", ["C", "County", "1county", "c" * 64, "co unty"])
def test_parse_payload__bad_issuer__refused(issuer):
    assert refusal(payload("tick", issuer=issuer)).pointer == "/issuer"


@pytest.mark.parametrize("kind", sorted(record.ENTERPRISE_KINDS - record.STOCK_KINDS - {"correction"}))
def test_parse_payload__other_kind_outside_an_office_book__refused(kind):
    error = refusal(payload(kind, book="acid"))
    assert (error.code, error.pointer) == ("office-book", "/book")
    assert parse_payload(encode(payload(kind, book="office.permits-2"))).book == "office.permits-2"


def test_parse_payload__correction_of_a_profile_in_a_stock_book__refused():
    inner = {"corrects": factories.ID_A, "kind": "profile", "body": body("profile")}
    assert refusal(payload("correction", book="acid", body=inner)).code == "office-book"


def test_parse_payload__licence_holder__stands_exactly_where_an_issuer_signs():
    assert refusal(issued_licence(body=body("licence"))).pointer == "/body/holder"
    assert refusal(payload("licence", body=body("licence", holder=factories.HOLDER))).pointer == "/body/holder"


@pytest.mark.parametrize(
    ("text", "milliseconds"),
    [
        ("1970-01-01T00:00:00Z", 0),
        ("2026-03-02T09:30:00+08:00", 1772415000000),
        ("2026-03-02T01:30:00Z", 1772415000000),
        ("2026-03-01T22:00:00.250-03:30", 1772415000250),
        ("2026-03-02T01:30:00+00:00", 1772415000000),
        ("2024-02-29T23:59:59.999Z", 1709251199999),
        ("2000-02-29T00:00:00Z", 951782400000),
    ],
)
def test_parse_payload__event_time__is_unix_milliseconds(text, milliseconds):
    assert parse_payload(encode(payload(event_time=text))).event_time_ms == milliseconds


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("2026-02-29T00:00:00Z", id="no-leap-year"),
        pytest.param("2100-02-29T00:00:00Z", id="century-without-leap-day"),
        pytest.param("2026-04-31T00:00:00Z", id="31-april"),
        pytest.param("2026-13-01T00:00:00Z", id="month-13"),
        pytest.param("2026-00-01T00:00:00Z", id="month-0"),
        pytest.param("2026-01-00T00:00:00Z", id="day-0"),
        pytest.param("2026-01-01T24:00:00Z", id="hour-24"),
        pytest.param("2026-01-01T00:60:00Z", id="minute-60"),
        pytest.param("2026-06-30T23:59:60Z", id="leap-second"),
        pytest.param("2026-01-01T00:00:00-00:00", id="unknown-offset"),
        pytest.param("2026-01-01T00:00:00+24:00", id="offset-24"),
        pytest.param("2026-01-01T00:00:00", id="no-zone"),
        pytest.param("2026-01-01t00:00:00Z", id="lower-case-t"),
        pytest.param("2026-01-01T00:00:00z", id="lower-case-z"),
        pytest.param("2026-01-01 00:00:00Z", id="blank-for-t"),
        pytest.param("2026-01-01T00:00:00.5Z", id="one-decimal"),
        pytest.param("2026-01-01T00:00:00.123456Z", id="six-decimals"),
        pytest.param("2026-01-01T00:00Z", id="no-seconds"),
        pytest.param("20260101T000000Z", id="basic-format"),
        pytest.param("2026-01-01T00:00:00Z\n", id="newline"),
        pytest.param("1969-12-31T23:59:59Z", id="before-1970"),
        pytest.param("9999-12-31T23:59:59Z", id="after-2999"),
    ],
)
def test_parse_payload__bad_event_time__refused(text):
    error = refusal(payload(event_time=text))
    assert (error.code, error.pointer) == ("event-time", "/event_time")


@given(st.datetimes(min_value=__import__("datetime").datetime(1970, 1, 2)).filter(lambda d: d.year < 3000))
def test_parse_payload__every_day_there_is__accepted(moment):
    assert parse_payload(encode(payload(event_time=moment.strftime("%Y-%m-%dT%H:%M:%SZ"))))
