from __future__ import annotations

import base64
import hashlib
import itertools
import json
import os
import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.core.disclosure import digest_of, make_disclosure, make_sd, match_disclosures, parse_disclosure
from ledger.core.encoding import b64url_encode
from ledger.core.record import parse_payload
from ledger.errors import DisclosureError, PayloadError
from ledger.model import Disclosure, Payload, UnixMs
from tests import factories

SALT = bytes(range(16))
SALT_TEXT = b64url_encode(SALT)


def encoded(value: Any, **options: Any) -> str:
    return base64.urlsafe_b64encode(json.dumps(value, **options).encode()).decode().rstrip("=")


def test_digest_of__example_of_rfc_9901__is_exact() -> None:
    """RFC 9901 section 4.2.3: the digest of the family_name disclosure."""
    text = "WyJfMjZiYzRMVC1hYzZxMktJNmNCVzVlcyIsICJmYW1pbHlfbmFtZSIsICJNw7ZiaXVzIl0"
    assert digest_of(text) == "X9yH0Ajrdm1Oij4tWso9UzzKJvPoDxwmuEcO3XAdRC0"


def test_parse_disclosure__made_by_us__comes_back() -> None:
    made = make_disclosure("/body/handlers/0/id_number", '王"小\\明\n', SALT)
    assert parse_disclosure(made.text) == made
    assert made.digest == base64.urlsafe_b64encode(hashlib.sha256(made.text.encode()).digest()).decode().rstrip("=")
    assert (made.salt, made.name, made.value) == (SALT_TEXT, "/body/handlers/0/id_number", '王"小\\明\n')


def test_parse_disclosure__other_spelling_of_the_same__has_its_own_digest() -> None:
    spellings = [
        encoded([SALT_TEXT, "/a", "é"]),
        encoded([SALT_TEXT, "/a", "é"], ensure_ascii=False),
        encoded([SALT_TEXT, "/a", "é"], indent=1),
    ]
    parsed = [parse_disclosure(text) for text in spellings]
    assert len({d.digest for d in parsed}) == 3
    assert {(d.salt, d.name, d.value) for d in parsed} == {(SALT_TEXT, "/a", "é")}
    assert [d.text for d in parsed] == spellings


MALFORMED = {
    "empty": "",
    "not base64url": "a+b/",
    "padding": encoded([SALT_TEXT, "/a", "b"]) + "=",
    "one character too many": encoded([SALT_TEXT, "/abc", "b"]) + "A",
    "loose bits": encoded([SALT_TEXT, "/a", "bc"])[:-1] + "1",
    "line end": encoded([SALT_TEXT, "/a", "b"]) + "\n",
    "not ASCII": "é",
    "not JSON": b64url_encode(b"hello"),
    "not UTF-8": b64url_encode(b'["\xff"]'),
    "an object": encoded({"a": 1}),
    "two elements, as for an array in RFC 9901": encoded([SALT_TEXT, "b"]),
    "four elements": encoded([SALT_TEXT, "/a", "b", "c"]),
    "value a number": encoded([SALT_TEXT, "/a", 5]),
    "value an object": encoded([SALT_TEXT, "/a", {}]),
    "value null": encoded([SALT_TEXT, "/a", None]),
    "name null": encoded([SALT_TEXT, None, "b"]),
    "salt a number": encoded([1, "/a", "b"]),
    "salt of 15 bytes": encoded([b64url_encode(bytes(15)), "/a", "b"]),
    "salt of 17 bytes": encoded([b64url_encode(bytes(17)), "/a", "b"]),
    "salt empty": encoded(["", "/a", "b"]),
    "salt in base64 with padding": encoded([base64.b64encode(bytes(16)).decode(), "/a", "b"]),
    "salt with loose bits": encoded(["A" * 21 + "B", "/a", "b"]),
    "name empty": encoded([SALT_TEXT, "", "b"]),
    "name without a slash": encoded([SALT_TEXT, "a", "b"]),
    "name with a bad tilde": encoded([SALT_TEXT, "/a~2", "b"]),
    "name ending in a tilde": encoded([SALT_TEXT, "/a~", "b"]),
    "name too long": encoded([SALT_TEXT, "/" + "a" * 512, "b"]),
    "value of 1025 bytes": encoded([SALT_TEXT, "/a", "b" * 1025]),
    "value of 1026 bytes in 342 characters": encoded([SALT_TEXT, "/a", "硫" * 342]),
    "value with U+0000": encoded([SALT_TEXT, "/a", "\0"]),
    "value with a lone surrogate": encoded([SALT_TEXT, "/a", "\ud800"]),
    "far too long": "A" * 20_000,
}


@pytest.mark.parametrize("text", MALFORMED.values(), ids=MALFORMED.keys())
def test_parse_disclosure__not_of_the_form__is_refused(text: str) -> None:
    with pytest.raises(DisclosureError) as caught:
        parse_disclosure(text)
    assert (caught.value.code, caught.value.check, caught.value.status) == ("malformed-disclosure", 11, 422)


def test_disclosure__largest_value__is_taken_in_any_spelling() -> None:
    for value in ("b" * 1024, "硫" * 341):
        assert make_disclosure("/a", value, SALT).value == value
        assert parse_disclosure(encoded([SALT_TEXT, "/a", value])).value == value


def test_make_disclosure__parts_out_of_form__are_refused() -> None:
    for name, value, salt in (
        ("a", "b", SALT),
        ("/a", "b", SALT[1:]),
        ("/a", "\0", SALT),
        ("/a", "\ud800", SALT),
        ("/a", "b" * 1025, SALT),
    ):
        with pytest.raises(DisclosureError):
            make_disclosure(name, value, salt)


DOCUMENT = {"body": {"handlers": [{"ref": "H1"}, {"ref": "H2"}], "a/b": {"~": 1}, "text": None}}
ALLOWED = (
    re.compile(r"/body/handlers/(0|[1-9][0-9]*)/(name|ref|id_number)"),
    re.compile(r"/body/(text|note|a~1b/~0|a~1b/x)"),
)


def payload_with(*digests: str) -> Payload:
    return Payload(
        log="l", kind="movement", holder="h", is_authority=False, site="s", book="b", seq=1, prev=None, signers=(), nonce="",
        event_time="", event_time_ms=UnixMs(0), sd=tuple(sorted(digests)), body=DOCUMENT["body"], document=DOCUMENT,
    )  # fmt: skip


def disclosed(name: str, value: str = "v", salt: bytes = SALT) -> Disclosure:
    return make_disclosure(name, value, salt)


def _code(disclosures: list[Disclosure], payload: Payload) -> str:
    with pytest.raises(DisclosureError) as caught:
        match_disclosures(disclosures, payload, ALLOWED)
    assert caught.value.check == 11
    return caught.value.code


def test_match_disclosures__all_some_or_none_of_sd__pass() -> None:
    all_three = [disclosed(f"/body/handlers/{i}/name") for i in range(3)]
    payload = payload_with(*(d.digest for d in all_three), *make_sd([], os.urandom))
    for count in range(4):
        for some in itertools.permutations(all_three, count):
            match_disclosures(some, payload, ALLOWED)
    match_disclosures([], payload_with(), [])


def test_match_disclosures__not_of_this_record__is_refused() -> None:
    mine, other = disclosed("/body/handlers/0/name"), disclosed("/body/handlers/0/name", "someone else")
    assert _code([other], payload_with(mine.digest)) == "not-in-sd"
    assert _code([mine], payload_with()) == "not-in-sd"
    forged = Disclosure(text=other.text, salt=other.salt, name=other.name, value=other.value, digest=other.digest + "A")
    assert _code([forged], payload_with(mine.digest, other.digest)) == "not-in-sd"


def test_match_disclosures__twice__is_refused() -> None:
    first, second = disclosed("/body/note", "a"), disclosed("/body/note", "b")
    payload = payload_with(first.digest, second.digest)
    assert _code([first, first], payload) == "disclosure-repeated"
    assert _code([first, second], payload) == "disclosure-repeated"


def test_match_disclosures__name_not_in_the_schemas_list__is_refused() -> None:
    for name in (
        "/enterprise",
        "/body/handlers/0/nam",
        "/body/handlers/00/name",
        "/body/handlers/0/name/x",
        "/body/note\n",
        "/x/body/note",
    ):
        d = disclosed(name)
        assert _code([d], payload_with(d.digest)) == "name-not-allowed"


def test_match_disclosures__where_a_member_stands__is_refused() -> None:
    for name in ("/body/handlers/0/ref", "/body/text", "/body/a~1b/~0"):
        d = disclosed(name)
        assert _code([d], payload_with(d.digest)) == "name-taken"
    loose = (re.compile(r"/body/handlers/[^/]+/ref"),)
    for token in ("x", "-", "-1", "00", "01", "+0", " 0", "٠", "0.0"):
        d = disclosed(f"/body/handlers/{token}/ref")  # no element stands there, by RFC 6901
        match_disclosures([d], payload_with(d.digest), loose)
    for name in ("/body/handlers/2/ref", "/body/handlers/99999999999/ref", "/body/a~1b/x"):
        d = disclosed(name)
        match_disclosures([d], payload_with(d.digest), ALLOWED)


def test_match_disclosures__65__are_refused() -> None:
    many = [disclosed(f"/body/handlers/{i}/name") for i in range(65)]
    assert _code(many, payload_with(*(d.digest for d in many))) == "too-many-disclosures"
    match_disclosures(many[:64], payload_with(*(d.digest for d in many[:64])), ALLOWED)


@pytest.mark.parametrize(("count", "size"), [(0, 8), (1, 8), (8, 8), (9, 16), (16, 16), (17, 32), (33, 64), (64, 64)])
def test_make_sd__fields__are_hidden_among_decoys(count: int, size: int) -> None:
    disclosures = [disclosed(f"/body/handlers/{i}/name") for i in range(count)]
    sd = make_sd(disclosures, os.urandom)
    assert len(sd) == size
    assert sd == sorted(set(sd))
    assert {d.digest for d in disclosures} <= set(sd)


def test_make_sd__decoys__are_digests_of_32_random_bytes() -> None:
    asked: list[int] = []

    def random_bytes(n: int) -> bytes:
        asked.append(n)
        return bytes([len(asked)]) * n

    sd = make_sd([], random_bytes)
    assert asked == [32] * 8
    assert set(sd) == {b64url_encode(hashlib.sha256(bytes([i]) * 32).digest()) for i in range(1, 9)}


def test_make_sd__too_many_or_twice__is_refused() -> None:
    many = [disclosed(f"/body/handlers/{i}/name") for i in range(65)]
    for bad in (many, [many[0], many[0]]):
        with pytest.raises(DisclosureError):
            make_sd(bad, os.urandom)


SD = make_sd([], os.urandom)
BAD_SD = {
    "empty": [],
    "seven": SD[:7],
    "nine": sorted([*SD, b64url_encode(bytes(32))]),
    "not sorted": SD[::-1],
    "repeated": [SD[0], SD[0], *SD[2:]],
    "31 bytes": sorted([*SD[:7], b64url_encode(bytes(31))]),
    "padding": sorted([*SD[:7], b64url_encode(bytes(32)) + "="]),
    "loose bits": sorted([*SD[:7], "A" * 42 + "B"]),
    "standard alphabet": sorted([*SD[:7], "+" + "A" * 42]),
    "line end": [*SD[:7], SD[7] + "\n"],
}


def with_sd(digests: list[str]) -> bytes:
    return factories.encode(factories.payload("movement", _sd=digests, _sd_alg="sha-256"))


@pytest.mark.parametrize("digests", BAD_SD.values(), ids=BAD_SD.keys())
def test_sd__another_form__is_no_payload(digests: list[str]) -> None:
    with pytest.raises(PayloadError) as error:
        parse_payload(with_sd(digests))
    assert error.value.pointer.startswith("/_sd")
    assert parse_payload(with_sd(SD)).sd == tuple(SD)


@given(st.binary(min_size=32, max_size=32))
def test_sd__digest_of_anything__has_the_form(data: bytes) -> None:
    digests = sorted({*SD[:7], b64url_encode(data)})
    assert parse_payload(with_sd(digests if len(digests) == 8 else SD))
