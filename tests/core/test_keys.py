from __future__ import annotations

import base64
import hashlib
import json
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature, encode_dss_signature
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)
from hypothesis import given, settings
from hypothesis import strategies as st

from ledger.core import keys
from ledger.core.dsse import pae
from ledger.core.keys import ED25519, ES256, PrivateKey, PublicKey, check_ecdsa_der, keyid_of, load_public_key
from ledger.errors import SignatureError
from tests.core.samples import ED, P256, flips

WYCHEPROOF = Path(__file__).parent.parent / "vectors" / "wycheproof"
P256_ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
P256_PREFIX = bytes.fromhex("3059301306072a8648ce3d020106082a8648ce3d03010703420004")
ED_PREFIX = bytes.fromhex("302a300506032b6570032100")


def _wycheproof(name: str) -> list[Any]:
    groups = json.loads((WYCHEPROOF / name).read_text())["testGroups"]
    return [
        pytest.param(group["publicKeyDer"], case, id=f"{case['tcId']}-{case['result']}")
        for group in groups
        for case in group["tests"]
    ]


@pytest.mark.parametrize(
    ("spki", "case"), _wycheproof("ecdsa_secp256r1_sha256_test.json") + _wycheproof("ed25519_test.json")
)
def test_verify__wycheproof__agrees(spki: str, case: dict[str, Any]) -> None:
    key = PublicKey.parse(bytes.fromhex(spki))
    sig, message = bytes.fromhex(case["sig"]), bytes.fromhex(case["msg"])
    if case["result"] == "valid":
        key.verify(sig, message)
    else:
        with pytest.raises(SignatureError):
            key.verify(sig, message)


def test_wycheproof__files__are_whole() -> None:
    assert len(_wycheproof("ecdsa_secp256r1_sha256_test.json")) == 484
    assert len(_wycheproof("ed25519_test.json")) == 151


def test_verify__dsse_protocol_example__verifies() -> None:
    """The worked example of DSSE v1.0.2, protocol.md; its signature is r ‖ s there."""
    x = 46950820868899156662930047687818585632848591499744589407958293238635476079160
    y = 5640078356564379163099075877009565129882514886557779369047442380624545832820
    raw = base64.b64decode("A3JqsQGtVsJ2O2xqrI5IcnXip5GToJ3F+FnZ+O88SjtR6rDAajabZKciJTfUiHqJPcIAriEGAHTVeCUjW2JIZA==")
    sig = encode_dss_signature(int.from_bytes(raw[:32], "big"), int.from_bytes(raw[32:], "big"))
    key = PublicKey.parse(P256_PREFIX + x.to_bytes(32, "big") + y.to_bytes(32, "big"))
    key.verify(sig, pae("http://example.com/HelloWorld", b"hello world"))
    with pytest.raises(SignatureError):
        key.verify(raw, pae("http://example.com/HelloWorld", b"hello world"))


@pytest.mark.parametrize("private", [P256, ED], ids=[ES256, ED25519])
def test_keyid__of_a_key__is_sha256_of_its_spki(private: PrivateKey) -> None:
    spki = private.public.spki
    assert private.keyid == keyid_of(spki) == hashlib.sha256(spki).hexdigest()
    assert load_public_key(spki) is load_public_key(spki)
    assert PublicKey.parse(spki) == private.public
    assert (len(spki), private.algorithm) in ((91, ES256), (44, ED25519))


@pytest.mark.parametrize("private", [P256, ED], ids=[ES256, ED25519])
def test_verify__any_bit_of_the_signature_flipped__is_refused(private: PrivateKey) -> None:
    sig = private.sign(b"message")
    private.public.verify(sig, b"message")
    for flipped in flips(sig):
        with pytest.raises(SignatureError):
            private.public.verify(flipped, b"message")


@pytest.mark.parametrize("private", [P256, ED], ids=[ES256, ED25519])
def test_verify__another_message_key_or_length__is_refused(private: PrivateKey) -> None:
    sig = private.sign(b"message")
    for message in flips(b"message"):
        with pytest.raises(SignatureError):
            private.public.verify(sig, message)
    for wrong in (b"", sig[:-1], sig + b"\0", b"\0" + sig, bytes(len(sig)), sig * 2):
        with pytest.raises(SignatureError):
            private.public.verify(wrong, b"message")
    for other in (PrivateKey.generate(ES256), PrivateKey.generate(ED25519)):
        with pytest.raises(SignatureError):
            other.public.verify(sig, b"message")


def test_verify__high_s__is_accepted() -> None:
    """A signature is no identity here, so its twin is as good (formats.md, Keys)."""
    r, s = decode_dss_signature(P256.sign(b"message"))
    P256.public.verify(encode_dss_signature(r, s), b"message")
    P256.public.verify(encode_dss_signature(r, P256_ORDER - s), b"message")


def test_verify__ed25519_with_s_plus_group_order__is_refused() -> None:
    sig = ED.sign(b"message")
    order = 2**252 + 27742317777372353535851937790883648493
    s = int.from_bytes(sig[32:], "little") + order
    with pytest.raises(SignatureError):
        ED.public.verify(sig[:32] + s.to_bytes(32, "little"), b"message")


def _der(*integers: bytes) -> bytes:
    body = b"".join(b"\x02" + bytes([len(i)]) + i for i in integers)
    return b"\x30" + bytes([len(body)]) + body


ONE = b"\x01"
BAD_DER = {
    "empty": b"",
    "empty sequence": b"\x30\x00",
    "one integer": _der(ONE * 6),
    "three integers": _der(ONE, ONE, ONE),
    "r is zero": _der(b"\x00", ONE * 4),
    "s is zero": _der(ONE * 4, b"\x00"),
    "r is empty": _der(b"", ONE * 8),
    "s is empty": _der(ONE * 8, b""),
    "r is negative": _der(b"\x81", ONE * 4),
    "s is negative": _der(ONE * 4, b"\xff"),
    "r has a superfluous zero": _der(b"\x00\x01", ONE * 4),
    "s has a superfluous zero": _der(ONE * 4, b"\x00\x7f"),
    "r has two zeros": _der(b"\x00\x00\x81", ONE * 4),
    "r has 34 bytes": _der(b"\x00" + b"\x81" * 33, ONE),
    "r has 33 bytes without a zero": _der(b"\x01" * 33, ONE),
    "trailing byte": _der(ONE * 32, ONE * 32) + b"\0",
    "trailing byte inside": b"\x30\x09" + _der(ONE, ONE * 2)[2:] + b"\x05\x00",
    "long form length": b"\x30\x81\x08" + _der(ONE * 2, ONE * 2)[2:],
    "long form length of r": b"\x30\x09\x02\x81\x02\x01\x01\x02\x02\x01\x01",
    "indefinite length": b"\x30\x80" + _der(ONE * 2, ONE * 2)[2:] + b"\0\0",
    "usual size, of another length": b"\x30\x44" + _der(b"\x00" + b"\x81" * 32, ONE * 32)[2:],
    "usual size, r negative": _der(b"\x81" * 32, ONE * 32),
    "usual size, r not minimal": _der(b"\x00" + ONE * 32, ONE * 32),
    "usual size, r begins with zero": _der(b"\x00" + ONE * 31, ONE * 32),
    "usual size, trailing line end": _der(ONE * 32, ONE * 32) + b"\n",
    "set for sequence": b"\x31" + _der(ONE * 2, ONE * 2)[1:],
    "octet string for r": b"\x30\x08\x04\x02\x01\x01\x02\x02\x01\x01",
    "length beyond the end": b"\x30\x08\x02\x02\x01\x01\x02\x03\x01\x01",
    "length too short": b"\x30\x07\x02\x02\x01\x01\x02\x02\x01\x01",
    "r beyond the end": b"\x30\x06\x02\x20\x01\x02\x01\x01",
    "r and s bare": bytes(range(1, 65)),
}


@pytest.mark.parametrize("sig", BAD_DER.values(), ids=BAD_DER.keys())
def test_check_ecdsa_der__another_encoding__is_refused(sig: bytes) -> None:
    with pytest.raises(ValueError, match="DER"):
        check_ecdsa_der(sig)
    with pytest.raises(SignatureError):
        P256.public.verify(sig, b"message")


@given(st.integers(1, 2**256 - 1), st.integers(1, 2**256 - 1))
def test_check_ecdsa_der__der_of_any_two_integers__passes(r: int, s: int) -> None:
    check_ecdsa_der(encode_dss_signature(r, s))


_USUAL = st.binary(min_size=31, max_size=34)


@given(
    st.binary(max_size=80)
    | st.builds(_der, st.binary(max_size=34), st.binary(max_size=34))
    | st.builds(_der, _USUAL, _USUAL)
    | st.builds(lambda r, s: _der(b"\x00" + r, b"\x00" + s), _USUAL, _USUAL)
)
@settings(max_examples=500)
def test_check_ecdsa_der__any_bytes__pass_only_if_encoding_again_gives_them(sig: bytes) -> None:
    try:
        check_ecdsa_der(sig)
    except ValueError:
        return
    r, s = decode_dss_signature(sig)
    assert encode_dss_signature(r, s) == sig
    assert 1 <= r < 2**256
    assert 1 <= s < 2**256


def _spki(key: Any, point: PublicFormat = PublicFormat.SubjectPublicKeyInfo) -> bytes:
    return bytes(key.public_bytes(Encoding.DER, point))


POINT = P256.public.spki[27:]
COMPRESSED = bytes([2 + (POINT[-1] & 1)]) + POINT[:32]
BAD_SPKI = {
    "empty": b"",
    "P-256 compressed": bytes.fromhex("3039301306072a8648ce3d020106082a8648ce3d030107032200") + COMPRESSED,
    "P-256 hybrid": P256_PREFIX[:-1] + bytes([6 + (POINT[-1] & 1)]) + POINT,
    "P-256 infinity": bytes.fromhex("3019301306072a8648ce3d020106082a8648ce3d03010703020000"),
    "P-256 off the curve": P256_PREFIX + POINT[:-1] + bytes([POINT[-1] ^ 1]),
    "P-256 zero": P256_PREFIX + bytes(64),
    "P-256 coordinate beyond p": P256_PREFIX + b"\xff" * 32 + POINT[32:],
    "P-256 with a trailing byte": P256.public.spki + b"\0",
    "P-256 cut": P256.public.spki[:-1],
    "P-256 bare point": b"\x04" + POINT,
    "P-256 in PEM": b"-----BEGIN PUBLIC KEY-----",
    "P-384": _spki(ec.generate_private_key(ec.SECP384R1()).public_key()),
    "secp256k1": _spki(ec.generate_private_key(ec.SECP256K1()).public_key()),
    "RSA": _spki(rsa.generate_private_key(65537, 2048).public_key()),
    "Ed25519 with NULL parameters": bytes.fromhex("302c300706032b65700500032100") + ED.public.spki[12:],
    "Ed25519 with a trailing byte": ED.public.spki + b"\0",
    "Ed25519 cut": ED.public.spki[:-1],
    "Ed25519 raw": ED.public.spki[12:],
    "X25519": bytes.fromhex("302a300506032b656e032100") + ED.public.spki[12:],
    "Ed25519 off the curve": ED_PREFIX + b"\x02" + bytes(31),
    "Ed25519 y = p + 3, a point if reduced": ED_PREFIX + b"\xf0" + b"\xff" * 30 + b"\x7f",
}


@pytest.mark.parametrize("spki", BAD_SPKI.values(), ids=BAD_SPKI.keys())
def test_parse__another_encoding__is_refused(spki: bytes) -> None:
    for parse in (PublicKey.parse, load_public_key):
        with pytest.raises(ValueError):
            parse(spki)


def test_parse__sm2__is_refused_by_its_reserved_name() -> None:
    spki = bytes.fromhex("3059301306072a8648ce3d020106082a811ccf5501822d03420004") + POINT
    with pytest.raises(ValueError, match="SM2-SM3 is reserved"):
        PublicKey.parse(spki)
    with pytest.raises(ValueError, match="SM2-SM3 is reserved"):
        PrivateKey.generate("SM2-SM3")
    with pytest.raises(ValueError, match="unknown algorithm"):
        PrivateKey.generate("RS256")


# The eight points of small order and their other encodings; "Taming the many EdDSAs" (Chalkias, Garillot, Nikolaenko
# 2020), table 1.
SMALL_ORDER = """
0100000000000000000000000000000000000000000000000000000000000000
ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f
0000000000000000000000000000000000000000000000000000000000000080
0000000000000000000000000000000000000000000000000000000000000000
c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa
c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a
26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05
26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc85
0100000000000000000000000000000000000000000000000000000000000080
ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff
eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f
eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff
edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f
edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff
""".split()


@pytest.mark.parametrize("raw", SMALL_ORDER)
def test_parse__small_order_ed25519__is_refused(raw: str) -> None:
    with pytest.raises(ValueError, match="small order|not canonical"):
        PublicKey.parse(ED_PREFIX + bytes.fromhex(raw))


def test_parse__small_order_ed25519__is_refused_because_one_signature_would_fit_all() -> None:
    """The attack: under the neutral point, R = neutral and S = 0 verify for every message."""
    neutral = bytes.fromhex(SMALL_ORDER[0])
    attack = neutral + bytes(32)
    for message in (b"in 1 kg", b"out 1000 kg"):
        ed25519.Ed25519PublicKey.from_public_bytes(neutral).verify(attack, message)
    with pytest.raises(ValueError, match="small order"):
        PublicKey.parse(ED_PREFIX + neutral)


@settings(max_examples=50)
@given(st.binary(min_size=32, max_size=32))
def test_parse__ed25519_key_of_any_seed__is_accepted(seed: bytes) -> None:
    private = PrivateKey.from_ed25519_seed(seed)
    private.public.verify(private.sign(seed), seed)


def test_sign__rfc_8032_test_2__gives_its_signature() -> None:
    private = PrivateKey.from_ed25519_seed(
        bytes.fromhex("4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb")
    )
    assert private.public.ed25519_bytes().hex() == "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c"
    assert private.sign(b"\x72").hex() == (
        "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da"
        "085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00"
    )


@pytest.mark.parametrize("algorithm", [ES256, ED25519])
def test_private_key__to_pkcs8_and_back__is_the_same_key(algorithm: str) -> None:
    private = PrivateKey.generate(algorithm)
    twin = PrivateKey.from_pkcs8(private.to_pkcs8())
    assert twin.keyid == private.keyid
    private.public.verify(twin.sign(b"x"), b"x")
    assert private.to_pkcs8().hex() not in repr(private)
    assert not hasattr(private, "__dict__")


def test_from_pkcs8__another_key__is_refused() -> None:
    other = ec.generate_private_key(ec.SECP384R1())
    encrypted = ec.generate_private_key(ec.SECP256R1())
    for data in (
        other.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption()),
        encrypted.private_bytes(Encoding.DER, PrivateFormat.PKCS8, BestAvailableEncryption(b"x")),
        b"",
        b"\x30\x00",
        P256.public.spki,
    ):
        with pytest.raises(ValueError):
            PrivateKey.from_pkcs8(data)


def test_public_key__repr__holds_no_key_object() -> None:
    assert "object at" not in repr(P256.public)
    assert keys.ed25519_spki(ED.public.ed25519_bytes()) == ED.public.spki
    with pytest.raises(ValueError, match="not an Ed25519"):
        P256.public.ed25519_bytes()
    with pytest.raises(ValueError, match="32 bytes"):
        keys.ed25519_spki(bytes(31))
