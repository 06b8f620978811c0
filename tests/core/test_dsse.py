from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.core.dsse import (
    MAX_PAYLOAD_BYTES,
    PAYLOAD_TYPE,
    encode_envelope,
    pae,
    parse_envelope,
    refuse_jws,
    written_by_us,
)
from ledger.core.encoding import b64_encode
from ledger.core.keys import PrivateKey
from ledger.errors import LedgerError, MalformedRecordError, SignatureError, TooLargeError
from ledger.model import Signature
from tests.core.samples import ED, P256, PAYLOAD, flips, signed


def test_pae__example_of_the_specification__is_exact() -> None:
    expected = b"DSSEv1 29 http://example.com/HelloWorld 11 hello world"
    assert pae("http://example.com/HelloWorld", b"hello world") == expected


def test_pae__not_ascii__counts_bytes() -> None:
    assert pae("é", "硫酸\0\n".encode()) == b"DSSEv1 2 " + "é".encode() + b" 8 " + "硫酸\0\n".encode()
    assert pae("", b"") == b"DSSEv1 0  0 "


@given(st.text(max_size=5), st.binary(max_size=5), st.text(max_size=5), st.binary(max_size=5))
def test_pae__two_different_pairs__differ(type_a: str, a: bytes, type_b: str, b: bytes) -> None:
    assert (pae(type_a, a) == pae(type_b, b)) == ((type_a, a) == (type_b, b))


def test_parse_envelope__as_encoded__comes_back_with_its_exact_bytes() -> None:
    raw = signed(keys=(P256, ED))
    envelope = parse_envelope(raw)
    assert envelope.payload == PAYLOAD
    assert envelope.payload_type == PAYLOAD_TYPE
    assert [s.keyid for s in envelope.signatures] == [P256.keyid, ED.keyid]
    assert envelope.raw is raw
    assert encode_envelope(envelope.payload, list(envelope.signatures)) == raw
    for key, signature in zip((P256, ED), envelope.signatures, strict=True):
        key.public.verify(signature.sig, pae(envelope.payload_type, envelope.payload))


def test_parse_envelope__four_signatures__are_taken() -> None:
    assert len(parse_envelope(encode_envelope(b"x", [Signature(P256.keyid, b"")] * 4)).signatures) == 4


def test_parse_envelope__other_order_white_space_and_escapes__is_the_same_envelope() -> None:
    document = json.loads(signed())
    raw = json.dumps({name: document[name] for name in sorted(document)}, indent=2).replace("/", "\\/").encode()
    assert (
        parse_envelope(raw).signatures
        == parse_envelope(signed_once := encode_envelope(PAYLOAD, list(parse_envelope(raw).signatures))).signatures
    )
    assert parse_envelope(raw).payload == parse_envelope(signed_once).payload
    assert parse_envelope(raw).raw == raw


def test_envelope__any_bit_flipped__parses_to_the_same_or_is_refused() -> None:
    """Nothing that is signed changes unnoticed: a flip is malformed, fails the signature, or names another key."""
    raw = signed()
    for flipped in flips(raw):
        try:
            envelope = parse_envelope(flipped)
            assert envelope.signatures[0].keyid != P256.keyid or P256.public.verify(
                envelope.signatures[0].sig, pae(envelope.payload_type, envelope.payload)
            )
        except (MalformedRecordError, SignatureError):
            continue
        assert envelope.signatures[0].keyid != P256.keyid


def _with(**changes: object) -> bytes:
    document = json.loads(signed())
    for name, value in changes.items():
        if value is ...:
            del document[name]
        else:
            document[name] = value
    return json.dumps(document).encode()


SIGNATURE = {"keyid": P256.keyid, "sig": "AAAA"}
REFUSED = {
    "an array": (b"[]", "envelope"),
    "a string": (b'"x"', "envelope"),
    "no payloadType": (_with(payloadType=...), "envelope"),
    "no payload": (_with(payload=...), "envelope"),
    "no signatures": (_with(signatures=...), "envelope"),
    "an unknown member": (_with(ext={}), "envelope"),
    "another payloadType": (_with(payloadType="application/vnd.in-toto+json"), "unknown-format"),
    "the next version's payloadType": (_with(payloadType="application/vnd.hazledger.record.v2+json"), "unknown-format"),
    "payloadType in capitals": (_with(payloadType=PAYLOAD_TYPE.upper()), "unknown-format"),
    "payloadType with a parameter": (_with(payloadType=PAYLOAD_TYPE + ";jws"), "unknown-format"),
    "payloadType null": (_with(payloadType=None), "unknown-format"),
    "payload a number": (_with(payload=1), "envelope"),
    "payload an object": (_with(payload={}), "envelope"),
    "payload in base64url": (_with(payload="-_-_"), "bad-base64"),
    "payload without padding": (_with(payload="QQ"), "bad-base64"),
    "payload with loose bits": (_with(payload="QR=="), "bad-base64"),
    "payload with a line end": (_with(payload="QUFB\n"), "bad-base64"),
    "signatures an object": (_with(signatures=SIGNATURE), "envelope"),
    "no signature": (_with(signatures=[]), "envelope"),
    "five signatures": (_with(signatures=[SIGNATURE] * 5), "envelope"),
    "a signature that is a string": (_with(signatures=["AAAA"]), "envelope"),
    "a signature without keyid": (_with(signatures=[{"sig": "AAAA"}]), "envelope"),
    "a signature with an unknown member": (_with(signatures=[{**SIGNATURE, "alg": "none"}]), "envelope"),
    "keyid in capitals": (_with(signatures=[{"keyid": "A" * 64, "sig": "AAAA"}]), "envelope"),
    "keyid too short": (_with(signatures=[{"keyid": "a" * 63, "sig": "AAAA"}]), "envelope"),
    "keyid null": (_with(signatures=[{"keyid": None, "sig": "AAAA"}]), "envelope"),
    "sig null": (_with(signatures=[{"keyid": "a" * 64, "sig": None}]), "envelope"),
    "sig with loose bits": (_with(signatures=[{"keyid": "a" * 64, "sig": "QR=="}]), "bad-base64"),
    "two payloads": (signed()[:-1] + b',"payload":"QQ=="}', "duplicate-member"),
    "two payloads, one by an escape": (signed()[:-1] + b',"p\\u0061yload":"QQ=="}', "duplicate-member"),
    "two sigs": (signed()[:-3] + b',"sig":"QQ=="}]}', "duplicate-member"),
    "something behind": (signed() + b"x", "not-json"),
    "byte order mark": (b"\xef\xbb\xbf" + signed(), "bom"),
}


@pytest.mark.parametrize(("raw", "code"), REFUSED.values(), ids=REFUSED.keys())
def test_parse_envelope__not_of_the_form__says_what(raw: bytes, code: str) -> None:
    with pytest.raises(MalformedRecordError) as caught:
        parse_envelope(raw)
    assert caught.value.code == code
    assert caught.value.check == 1


def test_parse_envelope__sizes__are_refused_past_the_limit_only() -> None:
    sig = [Signature(P256.keyid, b"x")]
    largest = b"x" * MAX_PAYLOAD_BYTES
    assert parse_envelope(encode_envelope(largest, sig)).payload == largest
    with pytest.raises(TooLargeError) as caught:
        parse_envelope(encode_envelope(largest + b"x", sig))
    assert (caught.value.code, caught.value.status) == ("too-large", 413)
    raw = encode_envelope(b"x", sig)
    assert parse_envelope(raw + b" " * (72 * 1024 - len(raw))).payload == b"x"
    with pytest.raises(TooLargeError):
        parse_envelope(raw + b" " * (72 * 1024 - len(raw) + 1))


def test_verify__payload_type_exchanged__is_refused() -> None:
    """The attack that PAE stops: a signature made for one type shown with another."""
    key = PrivateKey.generate()
    sig = key.sign(pae("application/json", PAYLOAD))
    with pytest.raises(SignatureError):
        key.public.verify(sig, pae(PAYLOAD_TYPE, PAYLOAD))
    with pytest.raises(SignatureError):
        key.public.verify(key.sign(PAYLOAD), pae(PAYLOAD_TYPE, PAYLOAD))


@pytest.mark.parametrize("at", range(8))
def test_written_by_us__each_byte_in_each_place_of_the_base64__read_as_the_strict_reader_does(at: int) -> None:
    for payload, room in ((b"\x00" * 6, 8), (b"\x00" * 5, 8), (b"\x00" * 4, 8)):
        good = encode_envelope(payload, [Signature(P256.keyid, b"sig")])
        start = good.index(b'"payload":"') + len(b'"payload":"')
        assert written_by_us(good) == parse_envelope(good)
        for byte in range(256):
            raw = good[: start + at] + bytes([byte]) + good[start + at + 1 :]
            quick = written_by_us(raw)
            if byte in b'"\\':
                assert quick is None
                continue
            try:
                exact = parse_envelope(raw)
            except MalformedRecordError:
                assert quick is None
            else:
                assert quick == exact
        assert at < room


@pytest.mark.parametrize(
    "text", [r"AA\u0041A", r"AA\/A", "AAAA=", "AAAA====", "AAA", "AA==AAAA", "AAB=", "AB==", "A===", "AA AA"]
)
def test_written_by_us__base64_in_another_spelling__is_left_to_the_strict_reader(text: str) -> None:
    good = encode_envelope(b"xyz", [Signature(P256.keyid, b"abc")])
    assert written_by_us(good) is not None
    for part in (b64_encode(b"xyz"), b64_encode(b"abc")):
        assert written_by_us(good.replace(part.encode(), text.encode())) is None


def test_written_by_us__one_to_four_signatures__read_and_a_fifth_not() -> None:
    for count in range(6):
        raw = encode_envelope(b"x", [Signature(P256.keyid, bytes(n)) for n in range(count)])
        quick = written_by_us(raw)
        assert (quick == parse_envelope(raw)) if 1 <= count <= 4 else quick is None


def test_encode_envelope__base64__is_that_of_the_payload() -> None:
    assert json.loads(encode_envelope(PAYLOAD, []))["payload"] == b64_encode(PAYLOAD)


def test_refuse_jws__always__says_so() -> None:
    with pytest.raises(LedgerError) as caught:
        refuse_jws()
    assert caught.value.code == "jws-not-supported"
