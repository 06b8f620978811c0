"""Every refusal of a record at the door: its status and code over HTTP, nothing kept of it, and the book goes on.

A case bends one thing of a submission that would be taken. A code of problems.py without a case or an exception fails.
"""

from __future__ import annotations

import json
import secrets

import pytest

from ledger.core.disclosure import digest_of, make_disclosure, make_sd
from ledger.core.encoding import b64url_encode
from ledger.core.keys import PrivateKey
from ledger.model import Role
from tests import factories, kit
from tests.test_surrogates import bundled, erase
from tests.webapp.desk import NDJSON
from webapp.api.problems import CODES

PHONE = "/body/handlers/0/phone"
CASES = {}
# Not of a record at the door: other calls, our own failures, and the names that a class has when it gives no other.
NOT_HERE = {
    "malformed", "verification", "disclosure", "conflict",
    "not-found", "not-yet-logged", "method-not-allowed", "bad-parameter", "bad-request", "no-token", "bad-token",
    "wrong-token-role", "too-many-requests", "too-many-streams",
    "transition-refused", "transition-stale", "outcome-needed", "until-wrong", "etag-needed", "etag-stale",
    "key-locked", "key-wrong-password", "one-time-code", "no-supervisor-key", "confirm-needed",
    "internal", "overloaded", "store", "bundle-refused", "not-ready", "rollback", "config", "rule",
    "chain", "chain-unreachable", "chain-reverted", "chain-timeout", "chain-reorg", "chain-mismatch", "no-chain", "compile",
    "trust-file", "bundle", "timestamps-not-supported",
}  # fmt: skip
AS_REQUEST = {"too-large", "too-many-lines", "media-type", "content-encoding", "body-cut", "after-refused-line"}
"""Refusals of a whole request, or of a line for another's sake: tests/webapp/test_api_records.py."""


def case(code):
    def keep(build):
        CASES.setdefault(code, []).append(build)
        return build

    return keep


def bent(code, **overrides):
    """A movement with other members of the header."""
    case(code)(lambda desk, **_: desk.acid.sign(desk.acid.payload(**overrides)))


def bent_body(code, kind="movement", **members):
    case(code)(lambda desk, **_: desk.acid.sign(desk.acid.payload(kind, body=factories.body(kind, **members))))


def raw(code, change):
    """The submission's own bytes, changed."""
    case(code)(lambda desk, **_: change(desk.acid.sign(desk.acid.payload())))


def written(code, change):
    """The payload's own bytes, changed before they are signed."""
    case(code)(lambda desk, **_: desk.acid.sign(change(desk.acid.payload())))


def enveloped(code, **members):
    raw(code, lambda sent: json.dumps({**json.loads(sent), **members}).encode())


def disclosed(code, *shown, announce=None, **overrides):
    """A movement with these disclosures (or texts); `announce` stands in `_sd` in their place."""

    def build(desk, **_):
        made = [d for d in (shown if announce is None else announce) if not isinstance(d, str)]
        payload = desk.acid.payload(_sd=make_sd(made, secrets.token_bytes), _sd_alg="sha-256", **overrides)
        texts = [d if isinstance(d, str) else d.text for d in shown]
        return b'{"envelope":%b,"disclosures":%b}' % (desk.acid.sign(payload), json.dumps(texts).encode())

    case(code)(build)


def telephone(name=PHONE, value="13800138000"):
    return make_disclosure(name, value, secrets.token_bytes(16))


# --- check 1: the bytes
for place in (raw, written):
    place("not-utf8", lambda sent: sent[:-1] + b',"x":"\xff"}')
    place("bom", lambda sent: b"\xef\xbb\xbf" + sent)
    place("not-json", lambda sent: sent[:-1])
    place("duplicate-member", lambda sent: b'{"v":1,' + sent[1:-1] + b',"v":1}')
    place("bad-number", lambda sent: b'{"x":1.5,' + sent[1:])
    place("bad-number", lambda sent: b'{"x":9007199254740992,' + sent[1:])
    place("bad-number", lambda sent: b'{"x":NaN,' + sent[1:])
    place("bad-string", lambda sent: b'{"x":"\\u0000",' + sent[1:])
    place("bad-string", lambda sent: b'{"x":"\\ud800",' + sent[1:])
    place("too-deep", lambda sent: b'{"x":' + b"[" * 16 + b"]" * 16 + b"," + sent[1:])
raw("not-an-object", lambda sent: b"[" + sent + b"]")
raw("bad-base64", lambda sent: sent.replace(b'"payload": "', b'"payload":"').replace(b'"payload":"', b'"payload":" '))
enveloped("envelope", signatures=[])
enveloped("envelope", extra=1)
raw("submission", lambda sent: b'{"envelope":' + sent + b',"more":1}')
raw("submission", lambda sent: b"{}")
enveloped("unknown-format", payloadType="application/vnd.hazledger.record.v2+json")
raw("jws-not-supported", lambda sent: b'{"jws":"a.b.c"}')

# --- check 3: the payload
bent("schema", book="no book")
bent("schema", nonce="short")
bent_body("schema", direction="sideways")
bent("wrong-log", log="another.county/haz")
bent("seen-not-supported", seen={"size": 1, "root": "A" * 43 + "="})
bent("credit-code", enterprise="91320100MA1P00002W")
bent_body("credit-code", counterparty={"type": "enterprise", "uscc": "91320100MA1P00002W"})
bent_body("cas", lines=[factories.line("7697-37-3")])
written("unknown-kind", lambda payload: payload.replace(b'"kind":"movement"', b'"kind":"gift"'))
bent("unknown-version", v=2)
bent("unknown-member", surprise=1)
bent_body("unknown-member", surprise=1)
written("missing-member", lambda payload: payload.replace(b'"v":1,', b""))
written("missing-member", lambda payload: payload.replace(b'"reason":"sale",', b""))
bent_body("missing-member", direction=factories.ABSENT)
bent("wrong-holder", issuer="platform.county")
bent("office-book", kind="profile", body=factories.body("profile"))
bent("prev-seq", seq=1)
bent("prev-seq", prev=None)
bent("sd-order", _sd=list(reversed(factories.SD)), _sd_alg="sha-256")
bent("ext-size", ext={"x": "y" * 4096})
bent_body("quantity", lines=[factories.line(value="10000000.000001", unit="TNE")])
bent_body("schema", lines=[factories.line(value="0.0000001")])
bent_body("schema", lines=[factories.line(value="1.5", unit="H87")])
bent_body("schema", lines=[factories.line(value="-1")])
bent_body("schema", lines=[factories.line(unit="stone")])
bent("event-time", event_time="2026-03-02 09:30")
bent("event-time", event_time="2026-02-30T09:30:00+08:00")
bent("signers", signers=[])
bent("personal-data", ext={"note": f"sold to {factories.RESIDENT_ID}"})
bent("personal-data", ext={"note": [f"call {factories.MOBILE}"]})


@case("duplicate-store")
def _(desk, office, **_):
    body = factories.body("place")
    body["sites"][0]["stores"] *= 2
    return office.sign(office.payload("place", body=body))


# --- check 4 and 5: who signs
@case("no-grant")
def _(desk, **_):
    stranger = kit.Book(desk.other.key, desk.acid.holder)
    return stranger.sign(stranger.payload("stocktake"))


@case("out-of-scope")
def _(desk, **_):
    narrow = _granted(desk, "S2/")
    return narrow.sign(narrow.payload("stocktake", book="narrow"))


@case("wrong-role")
def _(desk, **_):
    officer = _granted(desk, "", role=Role.SUPERVISOR)
    return officer.sign(officer.payload("stocktake", book="narrow"))


@case("key-revoked")
def _(desk, **_):
    gone = _granted(desk, "", revoked_at=int(desk.stores.log.size()))
    return gone.sign(gone.payload("stocktake", book="gone"))


@case("not-yet-granted")
def _(desk, **_):
    early = _granted(desk, "", enrolled_at=10**9)
    return early.sign(early.payload("stocktake", book="early"))


def _granted(desk, scope, **grant):
    key = PrivateKey.generate("ES256")
    desk.log.grant(key, desk.acid.holder, scope, **grant)
    return kit.Book(key, desk.acid.holder)


@case("unknown-key")
def _(desk, **_):
    unknown = kit.Book(PrivateKey.generate("ES256"), desk.acid.holder)
    return unknown.sign(unknown.payload("stocktake"))


@case("bad-signature")
def _(desk, **_):
    other = kit.Book(desk.acid.key, desk.acid.holder)
    sent = json.loads(desk.acid.sign(desk.acid.payload()))
    sent["signatures"] = json.loads(other.sign(other.payload("stocktake")))["signatures"]
    return json.dumps(sent).encode()


@case("signers-mismatch")
def _(desk, **_):
    return desk.acid.sign(desk.acid.payload(signers=[desk.other.key.keyid]))


# --- check 11: disclosures
disclosed("malformed-disclosure", "AAAA")
disclosed("malformed-disclosure", b64url_encode(b'["c2FsdA","/body/x"]'))
disclosed("too-many-disclosures", *(telephone(f"/body/handlers/{n}/phone") for n in range(65)), announce=())
ONE = telephone()
disclosed("disclosure-repeated", ONE, ONE, announce=(ONE,))
disclosed("not-in-sd", ONE, announce=())
disclosed("name-not-allowed", telephone("/body/direction"))
disclosed("name-not-allowed", telephone("/nowhere"))


@case("name-taken")
def _(desk, **_):
    name = telephone("/body/counterparty/name", "Wang Xiaoming")
    payload = desk.acid.payload(_sd=make_sd([name], secrets.token_bytes), _sd_alg="sha-256")
    return bundled(desk.acid.sign(payload), [name])


@case("erased-digest")
def _(desk, **_):
    shown = telephone()
    payload = desk.acid.payload(_sd=make_sd([shown], secrets.token_bytes), _sd_alg="sha-256")
    desk.acid.took(payload)
    envelope = desk.acid.sign(payload)
    desk.log.submit(bundled(envelope, [shown]))
    erase(desk.log, [digest_of(shown.text)])
    again = desk.acid.payload(_sd=make_sd([shown], secrets.token_bytes), _sd_alg="sha-256")
    return bundled(desk.acid.sign(again), [shown])


# --- the book's chain
bent("seq-gap", seq=9)
bent("prev-mismatch", prev="ab" * 32)


@case("fork")
def _(desk, **_):
    first = kit.Book(desk.acid.key, desk.acid.holder)
    return first.sign(first.payload("stocktake"))


@case("book-not-opened")
def _(desk, **_):
    fresh = kit.Book(desk.acid.key, desk.acid.holder, book="fresh")
    return fresh.sign(fresh.payload())


@case("book-closed")
def _(desk, **_):
    ending = kit.Book(desk.acid.key, desk.acid.holder, book="ending")
    desk.log.submit(ending.next("stocktake"))
    desk.log.submit(ending.next("close", body=factories.body("close", final=True)))
    return ending.sign(ending.payload())


@case("continues-unknown")
def _(desk, **_):
    new = kit.Book(desk.acid.key, desk.acid.holder, book="new")
    return new.sign(new.payload("stocktake", body=factories.body("stocktake", continues={"site": "S1", "book": "acid"})))


bent("corrects-unknown", kind="correction", body=factories.body("correction"))


@case("store-not-bound")
def _(desk, office, **_):
    desk.log.submit(office.next("place"))
    return desk.acid.sign(desk.acid.payload(body=factories.body("movement", lines=[factories.line(store="R9")])))


# --- what is shown of each

PARAMETERS = [
    pytest.param(code, build, id=f"{code}-{n}") for code, builds in CASES.items() for n, build in enumerate(builds)
]


@pytest.fixture
def opened(desk):
    desk.stock()
    desk.office = kit.Book(desk.acid.key, desk.acid.holder, book="office")
    return desk


def test_codes__each_of_the_table__has_a_case_here_or_is_of_something_else():
    assert set(CODES) == set(CASES) | NOT_HERE | AS_REQUEST
    assert not set(CASES) & (NOT_HERE | AS_REQUEST)


@pytest.mark.parametrize(("code", "build"), PARAMETERS)
def test_refused__nothing_is_kept_as_a_record__and_the_book_goes_on(opened, code, build):
    body = build(opened, office=opened.office)
    before = _records(opened)
    answer = opened.client().post("/api/v1/records", data=body, content_type=kit.SUBMISSION)
    problem = answer.get_json()
    assert (answer.status_code, problem["type"]) == (CODES[code].status, f"urn:hazledger:{code}"), problem
    assert answer.content_type == "application/problem+json"
    assert problem["detail"] == CODES[code].detail
    assert problem["note"]
    assert _records(opened) == before
    taken = opened.client().post("/api/v1/records", data=opened.acid.next(), content_type=kit.SUBMISSION)
    assert taken.status_code == 201


@pytest.mark.parametrize(("code", "build"), PARAMETERS)
def test_refused__in_a_batch__the_line_says_the_same_and_other_books_are_taken(opened, code, build):
    body = build(opened, office=opened.office).replace(b"\n", b" ")
    before = _records(opened)
    lines = body + b"\n" + opened.other.next("stocktake") + b"\n"
    answer = opened.client().post("/api/v1/records:batch", data=lines, content_type=NDJSON)
    refused, taken = answer.get_json()["results"]
    assert (refused["status"], refused["type"]) == (CODES[code].status, f"urn:hazledger:{code}")
    assert taken["status"] == 201
    assert _records(opened) == before + 1


def _records(desk):
    """Entries of enterprises; refusals and the like are the platform's own."""
    return sum(row.kind in ("stocktake", "movement", "close", "correction", "place") for row in desk.stores.log.records(0, 500))
