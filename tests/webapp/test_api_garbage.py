"""No bytes that anybody sends make a 500."""

import json

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests import kit
from tests.webapp.desk import NDJSON, Desk

PATHS = ["/api/v1/records", "/api/v1/records:batch", "/api/v1/precheck"]
MEDIA = [kit.SUBMISSION, "application/json", NDJSON, "application/jose", "text/plain", "", "a/b; c=\x80"]
scalars = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20)
documents = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=12), inner, max_size=4), max_leaves=12
)
envelopes = st.fixed_dictionaries(
    {"payloadType": scalars, "payload": scalars | st.binary(max_size=40).map(lambda b: b.hex()), "signatures": documents}
)


@pytest.fixture(scope="module")
def garbage_desk(tmp_path_factory):
    made = Desk(tmp_path_factory.mktemp("garbage"))
    yield made
    made.close()


def as_json(document):
    return json.dumps(document).encode()


@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    path=st.sampled_from(PATHS),
    media=st.sampled_from(MEDIA),
    body=st.binary(max_size=300) | documents.map(as_json) | envelopes.map(as_json)
    | st.lists(st.binary(max_size=40), max_size=5).map(b"\n".join),
)  # fmt: skip
def test_post__any_bytes__refused_as_a_problem_and_never_a_500(garbage_desk, path, media, body):
    answer = garbage_desk.client().post(path, data=body, content_type=media)
    assert answer.status_code < 500, answer.get_data(as_text=True)
    if answer.status_code != 200:
        assert answer.content_type == "application/problem+json"
    else:
        results = answer.get_json().get("results", [])
        assert all(400 <= r["status"] < 500 for r in results)


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(position=st.integers(0, 10**6), replacement=st.integers(0, 255))
def test_post__one_byte_of_a_good_submission_changed__never_a_500(garbage_desk, position, replacement):
    envelope = bytearray(garbage_desk.acid.sign(garbage_desk.acid.payload("stocktake")))
    envelope[position % len(envelope)] = replacement
    answer = garbage_desk.client().post(PATHS[0], data=bytes(envelope), content_type=kit.SUBMISSION)
    assert answer.status_code < 500, answer.get_data(as_text=True)
    assert len(garbage_desk.client().post(PATHS[1], data=bytes(envelope), content_type=NDJSON).get_json()["results"]) >= 1


@settings(max_examples=80, deadline=None, suppress_health_check=list(HealthCheck))
@given(path=st.text(st.characters(exclude_characters="\x00#?", exclude_categories=["Cs"]), max_size=40), head=st.sampled_from(
    ["/api/v1/", "/tile/", "/api/v1/records/", "/api/v1/books/a/b/", "/", "/records/", "/enterprises/", "/alerts/"]
))  # fmt: skip
def test_get__any_path__never_a_500(garbage_desk, path, head):
    answer = garbage_desk.client().get(head + path, headers=garbage_desk.auditor)
    answer.close()
    assert answer.status_code < 500


@settings(max_examples=120, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    page=st.sampled_from(["/", "/records", "/alerts", "/alerts/rows", "/enterprises", "/search", "/trust/access", "/language/zh"]),
    query=st.dictionaries(
        st.sampled_from(["q", "before", "after", "holder", "site", "book", "kind", "code", "since", "until", "severity", "next"]),
        st.text(st.characters(exclude_categories=["Cs"]), max_size=30) | st.integers().map(str) | st.sampled_from(["movement", "2026-02-30", "0001-01-01", "//evil.example", "7697-37-2"]),
        max_size=4,
    ),
)  # fmt: skip
def test_portal__any_query__never_a_500(garbage_desk, page, query):
    answer = garbage_desk.browser.get(page, query_string=query)
    assert answer.status_code < 500, answer.get_data(as_text=True)
    assert "evil.example" not in answer.headers.get("Location", "")


@pytest.fixture(autouse=True)
def _token(garbage_desk):
    if not hasattr(garbage_desk, "auditor"):
        garbage_desk.auditor = garbage_desk.bearer("auditor")
        garbage_desk.browser = garbage_desk.supervisor()
