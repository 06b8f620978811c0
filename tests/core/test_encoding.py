from __future__ import annotations

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.core.encoding import b64_decode, b64_encode, b64url_decode, b64url_encode, is_hex_32, sha256, sha256_hex


@given(st.binary(max_size=200))
def test_base64__any_bytes__agrees_with_the_standard_library_and_comes_back(data: bytes) -> None:
    assert b64_encode(data) == base64.b64encode(data).decode()
    assert b64_decode(b64_encode(data)) == data
    assert b64url_encode(data) == base64.urlsafe_b64encode(data).decode().rstrip("=")
    assert b64url_decode(b64url_encode(data)) == data


@given(st.text(alphabet="AQgwBx09+/-_= \n", max_size=9))
def test_base64__any_text__is_refused_or_is_the_one_text_of_its_bytes(text: str) -> None:
    for decode, encode in ((b64_decode, b64_encode), (b64url_decode, b64url_encode)):
        try:
            data = decode(text)
        except ValueError:
            continue
        assert encode(data) == text


LOOSE = {
    "bits set past the end": "AB==",
    "bits set past the end of three": "AAB=",
    "no padding": "AA",
    "superfluous padding": "AAAA=",
    "padding inside": "AA==AA==",
    "padding first": "=AAA",
    "line end at the end": "AAAA\n",
    "line end inside": "AA\nAA",
    "space": "AA AA",
    "one character too many": "AAAAA",
    "url alphabet": "-_-_",
    "not ASCII": "AAÄA",
    "full width digits": "１２３４",
    "U+0000": "AAA\0",
}


@pytest.mark.parametrize("text", LOOSE.values(), ids=LOOSE.keys())
def test_b64_decode__loose_text__is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="base64"):
        b64_decode(text)


LOOSE_URL = {
    "bits set past the end": "AB",
    "padding": "AA==",
    "standard alphabet": "+/+/",
    "one character too many": "AAAAA",
    "line end": "AAAA\n",
    "space": "AA AA",
    "not ASCII": "AAÄA",
}


@pytest.mark.parametrize("text", LOOSE_URL.values(), ids=LOOSE_URL.keys())
def test_b64url_decode__loose_text__is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="base64"):
        b64url_decode(text)


def test_sha256__abc__is_fips_180_4_example() -> None:
    expected = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    assert sha256(b"abc").hex() == sha256_hex(b"abc") == expected


@pytest.mark.parametrize(
    "text", ["", "0" * 63, "0" * 65, "A" * 64, "0" * 63 + "\n", "0" * 64 + "\n", "٠" * 64, None, 7]
)
def test_is_hex_32__another_form__is_false(text: object) -> None:
    assert not is_hex_32(text)
    assert is_hex_32("0123456789abcdef" * 4)
