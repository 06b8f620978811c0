from __future__ import annotations

import hashlib

import pytest

from ledger.core.checkpoint import open_checkpoint
from ledger.core.encoding import b64_encode
from ledger.core.keys import ED25519, PrivateKey
from ledger.core.note import NoteSigner
from ledger.core.receipt import ReceiptNote, build_receipt, parse_receipt, receipt_key_name
from ledger.errors import VerificationError
from tests.core.samples import LOG_SIGNER, ORIGIN, RECEIPT_SIGNER, flips

LEAF = hashlib.sha256(b"leaf").digest()
PARTS = {
    "origin": ORIGIN,
    "record_id": "ab" * 32,
    "leaf_hash": LEAF,
    "index": 7,
    "received": 1_700_000_000_000,
    "merge_by": 1_700_003_600_000,
}
NOTE = build_receipt(**PARTS, signer=RECEIPT_SIGNER)
KEYS = [RECEIPT_SIGNER.verifier]
TEXT = NOTE.decode().split("\n\n")[0] + "\n"


def test_build_receipt__parts__are_the_seven_lines_of_section_5() -> None:
    assert TEXT == f"hazledger/receipt/v1\n{ORIGIN}\n{'ab' * 32}\n{b64_encode(LEAF)}\n7\n1700000000000\n1700003600000\n"
    assert build_receipt(**PARTS, signer=RECEIPT_SIGNER) == NOTE
    assert parse_receipt(NOTE, KEYS) == ReceiptNote(**PARTS)
    assert receipt_key_name(ORIGIN) == RECEIPT_SIGNER.verifier.name == f"{ORIGIN}/receipt"


def test_build_receipt__extreme_parts__come_back() -> None:
    for changes in ({"index": 0}, {"index": 2**63 - 2}, {"received": 1, "merge_by": 1}, {"merge_by": 10**16 - 1}):
        note = build_receipt(**{**PARTS, **changes}, signer=RECEIPT_SIGNER)
        assert parse_receipt(note, KEYS) == ReceiptNote(**{**PARTS, **changes})


def test_parse_receipt__any_bit_flipped__is_refused() -> None:
    for flipped in flips(NOTE):
        with pytest.raises(VerificationError) as caught:
            parse_receipt(flipped, KEYS)
        assert caught.value.check == 12


MALFORMED = {
    "six lines": TEXT.rsplit("\n", 2)[0] + "\n",
    "eight lines": TEXT + "x\n",
    "an empty line behind": TEXT + "\nx\n",
    "record id in capitals": TEXT.replace("ab" * 32, "AB" * 32),
    "record id too short": TEXT.replace("ab" * 32, "ab" * 31),
    "leaf hash of 31 bytes": TEXT.replace(b64_encode(LEAF), b64_encode(LEAF[1:])),
    "leaf hash with loose bits": TEXT.replace(b64_encode(LEAF), "A" * 42 + "B="),
    "index with a zero": TEXT.replace("\n7\n", "\n07\n"),
    "index negative": TEXT.replace("\n7\n", "\n-7\n"),
    "index beyond 63 bits": TEXT.replace("\n7\n", "\n9223372036854775807\n"),
    "received zero": TEXT.replace("\n1700000000000\n", "\n0\n"),
    "received with a zero": TEXT.replace("\n1700000000000\n", "\n01700000000000\n"),
    "received with a sign": TEXT.replace("\n1700000000000\n", "\n+1700000000000\n"),
    "merge-by with a zero": TEXT.replace("\n1700003600000\n", "\n01700003600000\n"),
    "merge-by with a space": TEXT.replace("\n1700003600000\n", "\n 1700003600000\n"),
    "received with a fraction": TEXT.replace("\n1700000000000\n", "\n1.5\n"),
    "merge-by before received": TEXT.replace("\n1700003600000\n", "\n1699999999999\n"),
    "merge-by of 17 digits": TEXT.replace("\n1700003600000\n", "\n" + "1" * 17 + "\n"),
    "origin out of form": TEXT.replace(ORIGIN, "A B"),
}


@pytest.mark.parametrize("text", MALFORMED.values(), ids=MALFORMED.keys())
def test_parse_receipt__not_of_the_form__is_refused_although_signed(text: str) -> None:
    with pytest.raises(VerificationError) as caught:
        parse_receipt(RECEIPT_SIGNER.sign(text), KEYS)
    assert (caught.value.check, caught.value.code) == (12, "malformed-receipt")


def test_parse_receipt__another_version__is_refused_by_name() -> None:
    with pytest.raises(VerificationError) as caught:
        parse_receipt(RECEIPT_SIGNER.sign(TEXT.replace("/v1", "/v2")), KEYS)
    assert caught.value.code == "unknown-format"
    assert "hazledger/receipt/v2" in caught.value.detail


def test_parse_receipt__key_of_another_log__cannot_sign_for_this_one() -> None:
    other = NoteSigner("ledger.example/other/receipt", PrivateKey.generate(ED25519))
    with pytest.raises(VerificationError) as caught:
        parse_receipt(other.sign(TEXT), [*KEYS, other.verifier])
    assert caught.value.code == "wrong-origin"
    with pytest.raises(VerificationError) as caught:
        parse_receipt(other.sign(TEXT), KEYS)
    assert caught.value.code == "no-known-signature"


def test_parse_receipt__checkpoint_and_the_other_way_round__are_refused() -> None:
    """One signed text never passes for another: three lines and seven, and an origin never begins like a format."""
    checkpoint_text = f"{ORIGIN}\n5\n{b64_encode(LEAF)}\n"
    with pytest.raises(VerificationError):
        parse_receipt(RECEIPT_SIGNER.sign(checkpoint_text), KEYS)
    with pytest.raises(VerificationError):
        open_checkpoint(LOG_SIGNER.sign(TEXT), ORIGIN, [LOG_SIGNER.verifier])


def test_build_receipt__parts_out_of_form_or_wrong_signer__are_refused() -> None:
    for changes in (
        {"record_id": "x"}, {"leaf_hash": b""}, {"index": -1}, {"received": 0}, {"merge_by": 1}, {"merge_by": 10**16},
    ):  # fmt: skip
        with pytest.raises(ValueError, match="form|range"):
            build_receipt(**{**PARTS, **changes}, signer=RECEIPT_SIGNER)
    with pytest.raises(ValueError, match="<origin>/receipt"):
        build_receipt(**PARTS, signer=LOG_SIGNER)
