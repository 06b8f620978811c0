"""parse_payload: personal data outside `_sd`, in any dress, and what only looks like it."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.core.record import parse_payload
from ledger.errors import PayloadError
from tests import factories
from tests.core.refused import refusal, with_line
from tests.factories import body, encode, payload


def escaped(text):
    return json.dumps(payload("profile", body=body("profile", names={"zh": text}))).encode()


@pytest.mark.parametrize(
    "document",
    [
        pytest.param(with_line(batch=factories.RESIDENT_ID), id="resident-id-as-batch"),
        pytest.param(with_line(trace=f"call {factories.MOBILE}"), id="mobile-in-trace"),
        pytest.param(with_line(trace="138 0013 8000"), id="mobile-with-blanks"),
        pytest.param(with_line(trace="+86-138-0013-8000"), id="mobile-with-country-code"),
        pytest.param(with_line(trace="１３８００１３８０００"), id="mobile-in-full-width"),
        pytest.param(with_line(trace="110105-19491231-002X"), id="resident-id-with-hyphens"),
        pytest.param(payload(ext={"x": {"y": [factories.MOBILE]}}), id="in-ext"),
        pytest.param(payload(ext={factories.MOBILE: 1}), id="as-a-member-name-in-ext"),
        pytest.param(payload(ext={"value": factories.MOBILE, "unit": "KGM"}), id="as-a-quantity-in-ext"),
        pytest.param(payload(ext={"uscc": factories.RESIDENT_ID}), id="as-a-credit-code-in-ext"),
        pytest.param(payload("alert", body=body("alert", inputs={"who": factories.MOBILE})), id="in-inputs"),
        pytest.param(payload("alert", body=body("alert", fingerprint=[factories.RESIDENT_ID])), id="in-fingerprint"),
        pytest.param(payload(site=factories.MOBILE), id="as-site"),
        pytest.param(
            payload(body=body("movement", permits=[{"type": "x", "number": factories.RESIDENT_ID}])), id="as-permit"
        ),
    ],
)
def test_parse_payload__personal_data_outside_sd__refused_without_repeating_it(document):
    error = refusal(document)
    assert error.code == "personal-data"
    for secret in (factories.RESIDENT_ID, factories.MOBILE):
        assert secret not in error.detail
        assert secret not in (error.pointer or "")


def test_parse_payload__personal_data_behind_escapes__refused():
    hidden = "".join(f"\\u{ord(digit):04x}" for digit in factories.MOBILE)
    data = encode(with_line(trace="@@")).replace(b"@@", hidden.encode())
    with pytest.raises(PayloadError) as caught:
        parse_payload(data)
    assert caught.value.code == "personal-data"
    with pytest.raises(PayloadError):
        parse_payload(escaped(f"示例{factories.MOBILE}"))
    assert parse_payload(escaped("示例化工"))


DIGITS = st.sampled_from(["0123456789", "０１２３４５６７８９", "𝟎𝟏𝟐𝟑𝟒𝟓𝟔𝟕𝟖𝟗"])
BORDERS = st.text(alphabet=' ,.:;-+/_\n\t"\\()，。：电话', max_size=3)


@given(
    st.sampled_from(
        [
            factories.MOBILE,
            "138-0013-8000",
            "138 0013 8000",
            "8613800138000",
            "+86 13800138000",
            factories.RESIDENT_ID,
            "110105 19491231 002X",
            "138\u30000013\u30008000",
            "138\u00a00013\u00a08000",
            "138－0013－8000",
        ]
    ),
    DIGITS,
    BORDERS,
    BORDERS,
    st.booleans(),
)
def test_parse_payload__a_persons_number_in_any_dress__refused(number, digits, before, after, ascii_only):
    # What the search of ids finds in the decoded text, the sieve over the raw bytes must let through to it.
    dressed = before + "".join(digits[int(c)] if c.isdigit() else c for c in number) + after
    document = payload(ext={"note": [dressed]})
    with pytest.raises(PayloadError) as caught:
        parse_payload(json.dumps(document, ensure_ascii=ascii_only).encode())
    assert caught.value.code == "personal-data"


def test_parse_payload__unknown_member_named_by_a_number__is_not_repeated():
    error = refusal(payload(**{factories.MOBILE: 1}))
    assert factories.MOBILE not in error.detail + str(error.pointer)


@pytest.mark.parametrize(
    "document",
    [
        pytest.param(with_line(quantity={"value": "13800138000", "unit": "MGM"}), id="eleven-digit-quantity"),
        pytest.param(payload(seq=13800138000, prev="13800138000" + "a" * 53), id="number-and-digest"),
        pytest.param(with_line(trace="69012345678901234567"), id="twenty-digit-mark"),
        pytest.param(payload("tick", body={"now": 13800138000, "facts": factories.DIGEST}), id="tick"),
        pytest.param(payload(nonce="AA-13800138000xxxxxxxxxx"), id="digits-inside-a-nonce"),
    ],
)
def test_parse_payload__digits_that_are_no_persons__accepted(document):
    assert parse_payload(encode(document))


def test_parse_payload__credit_code_that_passes_as_a_resident_id__accepted():
    # Both check characters hold; found by search over order codes of 1990-01-01.
    from ledger.core import ids

    double = next(
        code
        for n in range(2000)
        for code in [ids.credit_code_for(f"11010519900101{n % 1000:03d}")]
        if code == ids.resident_id_for(code[:17])
    )
    other = body("movement", counterparty={"type": "enterprise", "uscc": double})
    assert parse_payload(encode(payload(enterprise=double, body=other))).holder == double
    alert = body("alert", fingerprint=[double], inputs={"holder": double})
    assert parse_payload(encode(payload("alert", body=alert)))
