"""Refusal notes: five lines, under the receipt key; anything else is refused by name."""

import pytest

from ledger.core.keys import PrivateKey
from ledger.core.note import NoteSigner
from ledger.core.refusal import RefusalNote, build_refusal, parse_refusal
from ledger.errors import VerificationError

ORIGIN = "ledger.example/test"
NOTE = RefusalNote(ORIGIN, "ab" * 32, "seq-gap", 1_790_000_000_000)
KEY = PrivateKey.from_ed25519_seed(b"r" * 32)
SIGNER = NoteSigner(f"{ORIGIN}/receipt", KEY)


def signed(text, signer=SIGNER):
    return signer.sign(text)


def test_refusal__made_and_read__five_lines_as_the_readme_says():
    note = build_refusal(NOTE, SIGNER)
    assert note.partition(b"\n\n")[0].decode().split("\n") == [
        "hazledger/refusal/v1", ORIGIN, "ab" * 32, "seq-gap", "1790000000000",
    ]  # fmt: skip
    assert parse_refusal(note, [SIGNER.verifier]) == NOTE


def test_refusal__one_bit_flipped_anywhere__refused():
    note = build_refusal(NOTE, SIGNER)
    for at in range(8 * len(note)):
        flipped = bytearray(note)
        flipped[at // 8] ^= 1 << at % 8
        try:
            assert parse_refusal(bytes(flipped), [SIGNER.verifier]) != NOTE
        except VerificationError as error:
            assert error.check == 12
        else:
            pytest.fail(f"bit {at} made another refusal that verifies")


@pytest.mark.parametrize(
    ("text", "code"),
    [
        (NOTE.encode().replace("/v1", "/v2"), "unknown-format"),
        (NOTE.encode().replace("refusal", "receipt"), "unknown-format"),
        (NOTE.encode() + "more\n", "malformed-refusal"),
        (NOTE.encode().rsplit("\n", 2)[0] + "\n", "malformed-refusal"),
        (NOTE.encode().replace("ab" * 32, "AB" * 32), "malformed-refusal"),
        (NOTE.encode().replace("seq-gap", "Seq gap"), "malformed-refusal"),
        (NOTE.encode().replace("1790000000000", "01790000000000"), "malformed-refusal"),
        (NOTE.encode().replace("1790000000000", "-1"), "malformed-refusal"),
        (NOTE.encode().replace(ORIGIN, "other.example/log"), "wrong-origin"),
    ],
    ids=["version", "receipt", "line-more", "line-less", "upper-case", "code", "leading-zero", "negative", "origin"],
)
def test_refusal__signed_but_of_another_form__refused_by_name(text, code):
    with pytest.raises(VerificationError) as error:
        parse_refusal(signed(text), [SIGNER.verifier])
    assert (error.value.check, error.value.code) == (12, code)


def test_refusal__by_nobody_known__refused():
    other = NoteSigner(f"{ORIGIN}/receipt", PrivateKey.from_ed25519_seed(b"x" * 32))
    with pytest.raises(VerificationError) as error:
        parse_refusal(build_refusal(NOTE, other), [SIGNER.verifier])
    assert error.value.code == "no-known-signature"


def test_refusal__signed_under_another_name__is_not_made():
    with pytest.raises(ValueError, match="receipt"):
        build_refusal(NOTE, NoteSigner(ORIGIN, KEY))


@pytest.mark.parametrize("change", [{"record_id": "ab"}, {"code": "X"}, {"code": "a\nb"}, {"at": 0}, {"origin": "No Origin"}])
def test_refusal__parts_out_of_form__are_not_a_note(change):
    parts = {"origin": ORIGIN, "record_id": "ab" * 32, "code": "fork", "at": 1}
    with pytest.raises(ValueError):
        RefusalNote(**(parts | change))
