"""The bundle's bytes: strict reading, exact writing. What the content proves is tests/core/verification's."""

import json

import pytest

from ledger.core.bundle import MAX_BUNDLE_BYTES, encode_bundle, parse_bundle
from ledger.errors import MalformedRecordError, TooLargeError
from tests.core.test_trust import changed
from tests.world import World, disclosure


@pytest.fixture(scope="module")
def raw():
    world = World()
    world.fill(2)
    world.append(disclosures=[disclosure("/body/counters/0/name", "王五")])
    world.anchor()
    return world.bundle_bytes(2)


@pytest.fixture(scope="module")
def document(raw):
    return json.loads(raw)


def parsed(document):
    return parse_bundle(json.dumps(document, ensure_ascii=False).encode())


def test_parse_bundle__what_encode_gives__same_bytes(raw):
    assert encode_bundle(parse_bundle(raw)) == raw


def test_parse_bundle__envelope__kept_byte_for_byte(raw, document):
    spaced = raw.replace(b'{"payloadType":', b'{ "payloadType" : ')
    assert parse_bundle(spaced).envelope.raw.startswith(b'{ "payloadType" : ')
    assert encode_bundle(parse_bundle(spaced)) == spaced


BAD = {
    "disclosures-missing": ("/disclosures", ...),
    "envelope-missing": ("/envelope", ...),
    "unknown-member": ("/extra", 1),
    "unknown-member-in-proof": ("/proof/root", "x"),
    "unknown-member-in-state": ("/state/root", "x"),
    "unknown-member-in-key": ("/keys/0/algorithm", "ES256"),
    "received-zero": ("/received", 0),
    "received-a-string": ("/received", "1790000000000"),
    "index-negative": ("/proof/index", -1),
    "index-true": ("/proof/index", True),
    "hash-of-31-bytes": ("/proof/hashes/0", "A" * 40 + "AA=="),
    "hash-not-base64": ("/proof/hashes/0", "!" * 44),
    "64-hashes": ("/proof/hashes", ["A" * 43 + "="] * 64),
    "checkpoint-not-a-string": ("/proof/checkpoint", 5),
    "no-keys": ("/keys", []),
    "five-keys": ("/keys", [None] * 5),
    "keyid-upper-case": ("/keys/0/keyid", "A" * 64),
    "role-zero": ("/keys/0/role", 0),
    "role-five": ("/keys/0/role", 5),
    "scope-null": ("/keys/0/scope", None),
    "spki-empty": ("/keys/0/spki", ""),
    "anchored-a-number": ("/state/anchored", 1),
    "header-empty": ("/state/header", ""),
    "node-not-strict-base64": ("/state/nodes/0", "AB=="),
    "65-nodes": ("/state/nodes", ["AAAA"] * 65),
    "disclosure-a-number": ("/disclosures/0", 1),
    "65-disclosures": ("/disclosures", ["x"] * 65),
    "receipt-null": ("/receipt", None),
}


@pytest.mark.parametrize("defect", BAD)
def test_parse_bundle__defect__refused_as_check_1(document, defect):
    pointer, value = BAD[defect]
    with pytest.raises(MalformedRecordError) as caught:
        parsed(changed(document, pointer, value))
    assert caught.value.check == 1
    assert caught.value.code == "bundle"


def test_parse_bundle__envelope_and_jws__refused(document):
    with pytest.raises(MalformedRecordError, match="exactly one"):
        parsed({**document, "jws": "a.b.c"})


@pytest.mark.parametrize(
    ("member", "value", "code"),
    [
        ("mediaType", "application/vnd.hazledger.bundle.v2+json", "unknown-format"),
        ("mediaType", None, "unknown-format"),
        ("timestamps", [], "timestamps-not-supported"),
    ],
)
def test_parse_bundle__unknown_or_reserved__refused_by_name(document, member, value, code):
    with pytest.raises(MalformedRecordError) as caught:
        parsed({**document, member: value})
    assert caught.value.code == code


def test_parse_bundle__jws__reserved(document):
    with pytest.raises(MalformedRecordError) as caught:
        parsed({**changed(document, "/envelope", ...), "jws": "a.b.c"})
    assert caught.value.code == "jws-not-supported"


@pytest.mark.parametrize(
    ("raw", "code"),
    [
        (b"", "not-json"),
        (b"[]", "not-an-object"),
        (b"{}", "unknown-format"),
        (b'\xef\xbb\xbf{"mediaType":1}', "bom"),
        (b'{"mediaType":1,"mediaType":2}', "duplicate-member"),
        (b"\xff", "not-utf8"),
    ],
)
def test_parse_bundle__not_strict_json__refused(raw, code):
    with pytest.raises(MalformedRecordError) as caught:
        parse_bundle(raw)
    assert caught.value.code == code


def test_parse_bundle__beyond_the_cap__too_large():
    with pytest.raises(TooLargeError):
        parse_bundle(b" " * (MAX_BUNDLE_BYTES + 1))


def test_parse_bundle__payload_of_another_type__refused_by_name(document):
    with pytest.raises(MalformedRecordError) as caught:
        parsed(changed(document, "/envelope/payloadType", "application/json"))
    assert caught.value.code == "unknown-format"
