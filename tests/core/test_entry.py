from __future__ import annotations


import pytest
from msgspec.structs import replace
from hypothesis import given
from hypothesis import strategies as st

from ledger.core.dsse import PAYLOAD_TYPE, parse_envelope
from ledger.core.encoding import b64_encode
from ledger.core.entry import build_entry, entry_of, parse_entry
from ledger.errors import VerificationError
from ledger.model import Payload, RecordId, UnixMs
from tests.core.samples import ED, P256, flips, signed

RECORD_ID = "ab" * 32
HOLDER = "91330100MA27XXXX3K"
SIG = bytes(range(70))
ENTRY = build_entry(
    record_id=RECORD_ID,
    holder=HOLDER,
    site="S1",
    book="acid",
    seq=12,
    type=PAYLOAD_TYPE,
    signatures=[("c" * 64, "ES256", SIG), ("d" * 64, "Ed25519", SIG[:64])],
    received=1_700_000_000_123,
)


def test_build_entry__parts__are_the_lines_of_section_3() -> None:
    assert ENTRY.decode("ascii") == (
        "hazledger/entry/v1\n"
        f"{RECORD_ID}\n"
        "91330100MA27XXXX3K\n"
        "S1/acid 12\n"
        "application/vnd.hazledger.record.v1+json\n"
        f"{'c' * 64} ES256 {b64_encode(SIG)}\n"
        f"{'d' * 64} Ed25519 {b64_encode(SIG[:64])}\n"
        "1700000000123\n"
    )


def test_entry_of__envelope_and_payload__is_the_same_entry() -> None:
    envelope = parse_envelope(signed(keys=(P256, ED)))
    payload = Payload(
        log="l", kind="movement", holder=HOLDER, is_authority=False, site="S1", book="acid", seq=12, prev=None,
        signers=(P256.keyid, ED.keyid), nonce="", event_time="", event_time_ms=UnixMs(0), sd=(), body={}, document={},
    )  # fmt: skip
    entry = entry_of(envelope, payload, RecordId(RECORD_ID), 5, ["ES256", "Ed25519"])
    parsed = parse_entry(entry)
    assert parsed.signatures == (
        (P256.keyid, "ES256", envelope.signatures[0].sig),
        (ED.keyid, "Ed25519", envelope.signatures[1].sig),
    )
    assert (parsed.record_id, parsed.holder, parsed.site, parsed.book) == (RECORD_ID, HOLDER, "S1", "acid")
    assert (parsed.seq, parsed.type, parsed.received) == (12, PAYLOAD_TYPE, 5)
    assert entry_of(envelope, replace(payload, seq=13), RecordId(RECORD_ID), 5, ["ES256", "Ed25519"]) != entry
    with pytest.raises(ValueError, match="zip"):
        entry_of(envelope, payload, RecordId(RECORD_ID), 5, ["ES256"])


_ID = st.from_regex(r"[A-Za-z0-9][A-Za-z0-9._-]{0,31}", fullmatch=True)


@given(
    st.from_regex(r"[0-9a-f]{64}", fullmatch=True),
    st.from_regex(r"[0-9A-Z]{18}|[a-z][a-z0-9.-]{1,62}", fullmatch=True),
    _ID,
    _ID,
    st.integers(1, 2**53 - 1),
    st.sampled_from([PAYLOAD_TYPE, PAYLOAD_TYPE + ";jws"]),
    st.lists(
        st.tuples(st.just("e" * 64), st.sampled_from(["ES256", "Ed25519"]), st.binary(min_size=1, max_size=72)),
        min_size=1,
        max_size=4,
    ),
    st.integers(1, 10**16 - 1),
)
def test_parse_entry__any_entry__builds_the_same_bytes_again(
    record_id, holder, site, book, seq, kind, signatures, received
) -> None:
    entry = build_entry(
        record_id=record_id,
        holder=holder,
        site=site,
        book=book,
        seq=seq,
        type=kind,
        signatures=signatures,
        received=received,
    )
    e = parse_entry(entry)
    again = build_entry(
        record_id=e.record_id,
        holder=e.holder,
        site=e.site,
        book=e.book,
        seq=e.seq,
        type=e.type,
        signatures=e.signatures,
        received=e.received,
    )
    assert again == entry


def test_parse_entry__largest_seq__is_read() -> None:
    assert parse_entry(TEXT.replace("acid 12", "acid 9007199254740991").encode()).seq == 2**53 - 1


def test_parse_entry__any_bit_flipped__is_refused_or_says_something_else() -> None:
    parsed = parse_entry(ENTRY)
    for flipped in flips(ENTRY):
        try:
            assert parse_entry(flipped) != parsed
        except VerificationError as error:
            assert error.check == 6


TEXT = ENTRY.decode()
MALFORMED = {
    "empty": "",
    "no last line end": TEXT[:-1],
    "a line behind": TEXT + "x\n",
    "an empty line behind": TEXT + "\n",
    "CRLF": TEXT.replace("\n", "\r\n"),
    "no signature": "\n".join(line for line in TEXT.split("\n") if "ES256" not in line and "Ed25519" not in line),
    "five signatures": TEXT.replace(
        f"{'c' * 64} ES256 {b64_encode(SIG)}\n", f"{'c' * 64} ES256 {b64_encode(SIG)}\n" * 4
    ),
    "unknown algorithm": TEXT.replace("ES256", "RS256"),
    "reserved algorithm": TEXT.replace("ES256", "SM2-SM3"),
    "signature with loose bits": TEXT.replace(b64_encode(SIG), b64_encode(SIG)[:-3] + "B=="),
    "record id in capitals": TEXT.replace("ab" * 32, "AB" * 32),
    "holder too short": TEXT.replace(HOLDER, HOLDER[:-1]),
    "seq zero": TEXT.replace("acid 12", "acid 0"),
    "seq with a zero": TEXT.replace("acid 12", "acid 012"),
    "seq beyond 2^53-1": TEXT.replace("acid 12", "acid 9007199254740992"),
    "two spaces": TEXT.replace("acid 12", "acid  12"),
    "no site": TEXT.replace("S1/acid", "/acid"),
    "site with a slash": TEXT.replace("S1/acid", "S1/a/acid"),
    "received zero": TEXT.replace("1700000000123", "0"),
    "received of 17 digits": TEXT.replace("1700000000123", "1" * 17),
    "received negative": TEXT.replace("1700000000123", "-1"),
    "another document": "hello\n",
}


@pytest.mark.parametrize("text", MALFORMED.values(), ids=MALFORMED.keys())
def test_parse_entry__not_of_the_form__is_refused(text: str) -> None:
    with pytest.raises(VerificationError) as caught:
        parse_entry(text.encode())
    assert (caught.value.check, caught.value.code) == (6, "malformed-entry")


@pytest.mark.parametrize(
    ("old", "new"),
    [("entry/v1", "entry/v2"), ("record.v1+json", "record.v2+json"), ("record.v1+json", "record.v1+json;cose")],
)
def test_parse_entry__another_version__is_refused_by_name(old: str, new: str) -> None:
    with pytest.raises(VerificationError) as caught:
        parse_entry(TEXT.replace(old, new).encode())
    assert caught.value.code == "unknown-format"
    assert new.split("/")[-1] in caught.value.detail


def test_parse_entry__not_ascii__is_refused() -> None:
    for data in (TEXT.replace("S1", "Ｓ1").encode(), b"\xff" + ENTRY, ENTRY.replace(b"\n", "\u2028".encode())):
        with pytest.raises(VerificationError):
            parse_entry(data)
