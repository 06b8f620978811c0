from __future__ import annotations

import json
import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.core.disclosure import make_disclosure
from ledger.core.dsse import parse_envelope
from ledger.core.submission import MAX_SUBMISSION_BYTES, SUBMISSION_TYPE, parse_submission
from ledger.errors import DisclosureError, MalformedRecordError, MediaTypeError, TooLargeError, VerificationError
from tests.core.samples import signed

ENVELOPE = signed()
DISCLOSURES = [make_disclosure(f"/body/{i}", "王小明", os.urandom(16)) for i in range(64)]
TEXTS = [d.text for d in DISCLOSURES]


def submission(texts: list[str] | None = None, envelope: bytes = ENVELOPE) -> bytes:
    rest = b"" if texts is None else b',"disclosures":' + json.dumps(texts).encode()
    return b'{"envelope":' + envelope + rest + b"}"


@pytest.mark.parametrize("media_type", [SUBMISSION_TYPE, "application/json", "Application/JSON; charset=utf-8"])
def test_parse_submission__bare_or_wrapped__gives_the_exact_envelope(media_type: str) -> None:
    for raw in (ENVELOPE, ENVELOPE + b"\n", submission(), submission([]), b" " + submission() + b"\r\n"):
        envelope, disclosures = parse_submission(raw, media_type)
        assert envelope == parse_envelope(ENVELOPE)
        assert envelope.raw == ENVELOPE
        assert disclosures == ()


def test_parse_submission__disclosures__come_in_order() -> None:
    envelope, disclosures = parse_submission(submission(TEXTS), SUBMISSION_TYPE)
    assert list(disclosures) == DISCLOSURES
    assert envelope.raw == ENVELOPE


_SPACE = st.text(" \t\r\n", max_size=3)
_STYLES = st.sampled_from([(",", ":"), (", ", ": "), (" ,\n", "\t: ")])


@given(st.data())
def test_parse_submission__any_spelling__keeps_the_envelope_bytes(data: st.DataObject) -> None:
    document = json.loads(ENVELOPE)
    order = data.draw(st.permutations(list(document)))
    spelled = json.dumps({name: document[name] for name in order}, separators=data.draw(_STYLES))
    if data.draw(st.booleans()):
        spelled = spelled.replace("/", "\\/").replace('"payload"', '"p\\u0061yload"')
    name = data.draw(st.sampled_from(['"envelope"', '"env\\u0065lope"']))
    members = [f"{name}{data.draw(_SPACE)}:{data.draw(_SPACE)}{spelled}{data.draw(_SPACE)}"]
    if data.draw(st.booleans()):
        members.insert(data.draw(st.integers(0, 1)), f'{data.draw(_SPACE)}"disclosures": {json.dumps(TEXTS[:2])}')
    raw = f"{data.draw(_SPACE)}{{{data.draw(_SPACE)}{','.join(members)}}}{data.draw(_SPACE)}".encode()
    envelope, _ = parse_submission(raw, SUBMISSION_TYPE)
    assert envelope.raw == spelled.encode()
    assert envelope.payload == parse_envelope(ENVELOPE).payload


REFUSED = {
    "neither envelope nor jws": (b"{}", "submission"),
    "only disclosures": (b'{"disclosures":[]}', "submission"),
    "both envelope and jws": (submission()[:-1] + b',"jws":"a.b.c"}', "submission"),
    "an unknown member": (submission()[:-1] + b',"note":1}', "submission"),
    "envelope beside bare members": (ENVELOPE[:-1] + b',"envelope":{}}', "envelope"),
    "two envelopes": (submission()[:-1] + b',"envelope":{}}', "duplicate-member"),
    "two envelopes, one by an escape": (submission()[:-1] + b',"\\u0065nvelope":{}}', "duplicate-member"),
    "duplicate inside the envelope": (submission(envelope=ENVELOPE[:-1] + b',"payload":"QQ=="}'), "duplicate-member"),
    "envelope as a string": (b'{"envelope":' + json.dumps(ENVELOPE.decode()).encode() + b"}", "envelope"),
    "envelope null": (b'{"envelope":null}', "envelope"),
    "jws": (b'{"jws":"a.b.c"}', "jws-not-supported"),
    "disclosures null": (submission()[:-1] + b',"disclosures":null}', "submission"),
    "disclosures an object": (submission()[:-1] + b',"disclosures":{}}', "submission"),
    "a disclosure that is a number": (submission()[:-1] + b',"disclosures":[1]}', "submission"),
    "an array": (b"[" + submission() + b"]", "not-an-object"),
    "two lines": (submission() + b"\n" + submission(), "not-json"),
    "nothing": (b"", "not-json"),
    "not JSON": (b"<xml/>", "not-json"),
}


@pytest.mark.parametrize(("raw", "code"), REFUSED.values(), ids=REFUSED.keys())
def test_parse_submission__not_of_the_form__says_what(raw: bytes, code: str) -> None:
    with pytest.raises(MalformedRecordError) as caught:
        parse_submission(raw, SUBMISSION_TYPE)
    assert caught.value.code == code


@pytest.mark.parametrize(
    "media_type",
    ["", "text/plain", "application/xml", "application/vnd.hazledger.submission.v2+json", "application/jsonp", "*/*"],
)
def test_parse_submission__another_media_type__is_refused(media_type: str) -> None:
    with pytest.raises(MediaTypeError) as caught:
        parse_submission(submission(), media_type)
    assert (caught.value.code, caught.value.status) == ("media-type", 415)


def test_parse_submission__jose__is_refused_by_name() -> None:
    with pytest.raises(MalformedRecordError) as caught:
        parse_submission(b"a.b.c", "application/jose")
    assert caught.value.code == "jws-not-supported"


def test_parse_submission__65_disclosures__are_refused() -> None:
    with pytest.raises(DisclosureError) as caught:
        parse_submission(submission([*TEXTS, TEXTS[0]]), SUBMISSION_TYPE)
    assert caught.value.code == "too-many-disclosures"


def test_parse_submission__malformed_disclosure__is_check_11() -> None:
    with pytest.raises(DisclosureError) as caught:
        parse_submission(submission([TEXTS[0] + "="]), SUBMISSION_TYPE)
    assert (caught.value.code, caught.value.check) == ("malformed-disclosure", 11)


def test_parse_submission__sizes__are_refused_past_the_limit_only() -> None:
    raw = submission()
    padded = raw + b" " * (MAX_SUBMISSION_BYTES - len(raw))
    assert parse_submission(padded, SUBMISSION_TYPE)[0].raw == ENVELOPE
    for too_large in (padded + b" ", submission(envelope=ENVELOPE[:-1] + b" " * 72 * 1024 + b"}")):
        with pytest.raises(TooLargeError):
            parse_submission(too_large, SUBMISSION_TYPE)


@given(st.data())
def test_parse_submission__any_bytes_near_our_own_spelling__quick_and_exact_reader_agree(data: st.DataObject) -> None:
    good = data.draw(
        st.sampled_from([ENVELOPE, submission(), submission(TEXTS[:1]), ENVELOPE + b"\r", b" " + submission()])
    )
    at = data.draw(st.integers(0, len(good)))
    scrap = data.draw(st.sampled_from([b"", b'"', b"}", b"]", b" ", b"=", b"A", b"\\u0041", b'{"envelope":', b"\xff"]))
    raw = good[:at] + scrap + good[at + data.draw(st.integers(0, 3)) :]
    assert _either(raw, quick=True) == _either(raw, quick=False)


def _either(raw: bytes, *, quick: bool) -> object:
    with pytest.MonkeyPatch.context() as patch:
        if not quick:
            patch.setattr("ledger.core.submission.written_by_us", lambda _: None)
        try:
            return parse_submission(raw, SUBMISSION_TYPE)
        except VerificationError as error:
            return error.code


def test_parse_submission__our_own_spelling__the_strict_reader_is_not_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ledger.core.submission.strictjson.loads_members", None)
    for raw in (ENVELOPE, submission(), ENVELOPE + b"\n"):
        assert parse_submission(raw, SUBMISSION_TYPE)[0].raw == ENVELOPE
