"""Health, readiness, metrics, the description, the table of problems."""

import re
from pathlib import Path

import pytest
from werkzeug.routing import Rule

import ledger
import webapp
from ledger.core.record import PAYLOAD_CODES
from ledger.errors import LedgerError, OverloadedError, StoreError
from prometheus_client.parser import text_string_to_metric_families
from tests.webapp.desk import Desk
from webapp.api.openapi import document
from webapp.api.problems import CODES
from webapp.services import NotReady

DOOR = "receive authenticate append/__init__ append/draft append/checks sequencer prove errors core/strictjson core/dsse core/submission core/record core/disclosure"
"""What stands between a request and its answer. What the command line alone runs may answer with its class's row."""
SOURCES = [Path(ledger.__file__).parent / f"{name}.py" for name in DOOR.split()] + list(
    Path(webapp.__file__).parent.rglob("*.py")
)


def test_healthz__always__200(desk):
    assert desk.client().get("/healthz").get_json() == {"status": "ok"}


def test_readyz__all_well__200(desk):
    assert desk.client().get("/readyz").get_json() == {"status": "ready", "reasons": []}


@pytest.fixture
def unready(tmp_path):
    def no_sequencer():
        raise OverloadedError("nobody listens at the socket")

    said = [NotReady("anchor", "no anchor for 9 min"), NotReady("anchor", "endpoint 10.0.0.7 is silent")]
    desk = Desk(tmp_path, readiness=lambda: said, sequencer_status=no_sequencer)
    yield desk
    desk.close()


def test_readyz__something_wrong__503_and_anybody_hears_which_parts_and_no_more(unready):
    enterprise = unready.bearer("enterprise", unready.acid.holder)
    for headers in ({}, enterprise, {"Authorization": "Bearer hzt_" + "A" * 43}, {"Authorization": "nonsense"}):
        answer = unready.client().get("/readyz", headers=headers)
        assert answer.status_code == 503
        assert answer.content_type == "application/problem+json"
        assert answer.headers["Retry-After"]
        assert answer.get_json()["reasons"] == [{"part": "sequencer"}, {"part": "anchor"}]
        assert "10.0.0.7" not in answer.get_data(as_text=True)


@pytest.mark.parametrize("role", ["supervisor", "auditor", "session"])
def test_readyz__something_wrong__a_token_or_session_hears_why(unready, role):
    browser = unready.supervisor() if role == "session" else unready.client()
    answer = browser.get("/readyz", headers={} if role == "session" else unready.bearer(role))
    assert [(r["part"], r["detail"]) for r in answer.get_json()["reasons"]] == [
        ("sequencer", "nobody listens at the socket"),
        ("anchor", "no anchor for 9 min"),
        ("anchor", "endpoint 10.0.0.7 is silent"),
    ]


def test_readyz__the_portal_s_store_is_gone__still_answers(tmp_path):
    class Gone:
        def __getattr__(self, _name):
            def gone(*_args, **_more):
                raise StoreError("/srv/portal.db: no such file")

            return gone

    desk = Desk(tmp_path, portal=Gone())
    answer = desk.client().get("/readyz", headers={"Authorization": "Bearer hzt_" + "A" * 43})
    assert (answer.status_code, answer.get_json()["reasons"]) == (503, [{"part": "portal"}])
    desk.close()


def test_metrics__for_anybody__name_no_holder(desk):
    desk.stock()
    desk.alert()
    text = desk.client().get("/metrics").get_data(as_text=True)
    assert "hazledger_log_size" in text
    for holder in (desk.acid.holder, desk.other.holder):
        assert holder not in text


def numbers(desk):
    text = desk.client().get("/metrics").get_data(as_text=True)
    return {
        (s.name, *s.labels.values()): s.value for f in text_string_to_metric_families(text) for s in f.samples
    }


def test_metrics__after_some_work__the_stores_numbers(desk):
    desk.stock()
    anchor = desk.anchor()
    desk.alert(severity="high")
    desk.clock.forward(5000)
    found = numbers(desk)
    assert found["hazledger_log_size",] == desk.stores.log.size()
    assert found["hazledger_anchored_size",] == anchor.size
    assert found["hazledger_anchor_age_seconds",] == pytest.approx(5, abs=1)
    assert found["hazledger_checkpoint_age_seconds",] == 5
    assert found["hazledger_alerts", "high"] == 1
    assert found["hazledger_scrape_errors",] == 0


def test_metrics__a_part_is_gone__the_others_still_answer(tmp_path):
    def gone():
        raise StoreError("gone")

    desk = Desk(tmp_path, sequencer_status=gone)
    found = numbers(desk)
    assert found["hazledger_scrape_errors",] == 1
    assert ("hazledger_log_size",) in found
    desk.close()


def path_of(rule: Rule) -> str:
    return re.sub(r"<(?:[a-z]+:)?([a-z_]+)>", r"{\1}", rule.rule)


def test_openapi__every_route_of_the_api__is_described_with_its_methods(desk):
    served = {}
    for rule in desk.app.url_map.iter_rules():
        if rule.endpoint.startswith("api_"):
            served.setdefault(path_of(rule), set()).update(m.lower() for m in rule.methods - {"HEAD", "OPTIONS"})
    described = {path: set(calls) for path, calls in document()["paths"].items()}
    assert described == served


def test_openapi__served__is_the_document_and_every_reference_resolves(desk):
    served = desk.client().get("/openapi.json").get_json()
    assert served["openapi"] == "3.1.0"
    for reference in re.findall(r'"\$ref": ?"#/([^"]+)"', desk.client().get("/openapi.json").get_data(as_text=True)):
        part = served
        for name in reference.split("/"):
            part = part[name]


def test_openapi__answers__have_the_members_it_promises(desk):
    record_id = desk.stock()
    desk.alert()
    schemas, paths = document()["components"]["schemas"], document()["paths"]
    asked = {
        "/api/v1/records/{record_id}": f"/api/v1/records/{record_id}",
        "/api/v1/books/{enterprise}/{site}/{book}/head": f"/api/v1/books/{desk.acid.holder}/S1/acid/head",
        "/api/v1/alerts": "/api/v1/alerts",
    }
    for described, path in asked.items():
        answer = desk.client().get(path, headers=desk.bearer("supervisor")).get_json()
        schema = paths[described]["get"]["responses"]["200"]["content"]["application/json"]["schema"]["$ref"]
        assert set(schemas[schema.rpartition("/")[2]]["required"]) == set(answer), described
    alert = desk.client().get("/api/v1/alerts", headers=desk.bearer("supervisor")).get_json()["alerts"][0]
    assert set(schemas["Alert"]["required"]) <= set(alert)


def test_problems__every_code_that_the_sources_raise__stands_in_the_table():
    raised = set()
    for path in SOURCES:
        text = path.read_text()
        raised |= set(re.findall(r'\bcode="([a-z0-9-]+)"', text))
        raised |= set(re.findall(r'default_code = "([a-z0-9-]+)"', text))
        raised |= set(re.findall(r'HttpError\(\s*"([a-z0-9-]+)"', text))
    assert len(raised) > 40
    assert (raised | set(PAYLOAD_CODES)) - CODES.keys() == set()


def test_problems__every_class_of_error__has_the_tables_status():
    def classes(base):
        yield base
        for child in base.__subclasses__():
            yield from classes(child)

    for kind in classes(LedgerError):
        if kind.__module__ == "ledger.errors":
            assert kind.default_code in CODES, kind
            if kind.status != 500:
                assert CODES[kind.default_code].status == kind.status, kind


def test_problems__both_languages__are_there_and_differ():
    for code, row in CODES.items():
        assert re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", code)
        assert 400 <= row.status < 600
        for english, chinese in ((row.title, row.title_zh), (row.detail, row.detail_zh)):
            assert english.isascii(), code
            assert re.search(r"[\u4e00-\u9fff]", chinese), code


@pytest.mark.parametrize("path", ["/api/v1/nothing", "/api/", "/tile/", "/checkpoint/x", "/api//v1/records"])
def test_unknown_path__of_the_api__problem_document(desk, path):
    answer = desk.client().get(path)
    assert (answer.status_code, answer.content_type) == (404, "application/problem+json")


def test_wrong_method__of_the_api__405_with_allow(desk):
    answer = desk.client().delete("/api/v1/records")
    assert (answer.status_code, answer.content_type) == (405, "application/problem+json")
    assert "POST" in answer.headers["Allow"]


def test_every_answer__of_any_kind__has_the_security_headers(desk):
    for path in ("/", "/sign-in", "/healthz", "/api/v1/alerts", "/nothing", "/static/style.css", "/checkpoint"):
        with desk.client().get(path) as answer:
            headers = answer.headers
        assert headers["Content-Security-Policy"] == (
            "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
            "worker-src 'self'; font-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
        ), path
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert headers["X-Frame-Options"] == "DENY"
        assert "Strict-Transport-Security" not in headers


def test_https__strict_transport_and_secure_cookies(tmp_path):
    desk = Desk(tmp_path, https=True)
    answer = desk.client().get("/sign-in")
    assert "Strict-Transport-Security" in answer.headers
    assert all("Secure" in cookie for cookie in answer.headers.getlist("Set-Cookie"))
    desk.close()


def test_create_app__short_secret__refused(tmp_path):
    with pytest.raises(ValueError, match="32 bytes"):
        Desk(tmp_path, secret_key=b"short")
