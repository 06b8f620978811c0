from __future__ import annotations

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.core.checkpoint import Checkpoint, LogKey, check_origin, note_hash, open_checkpoint, sign_checkpoint
from ledger.core.encoding import b64_encode
from ledger.core.keys import ED25519, PrivateKey
from ledger.core.merkle import EMPTY_ROOT
from ledger.core.note import NoteSigner
from ledger.errors import VerificationError
from tests.core.samples import LOG_SIGNER, ORIGIN, flips

ROOT = hashlib.sha256(b"root").digest()
HEAD = Checkpoint(ORIGIN, 70_000, ROOT)
NOTE = sign_checkpoint(HEAD, LOG_SIGNER)
KEY = LOG_SIGNER.verifier
SECOND = NoteSigner(ORIGIN, PrivateKey.generate(ED25519))
WITNESS = NoteSigner("witness.example/w1", PrivateKey.generate(ED25519))


def test_encode__a_head__is_exactly_three_lines() -> None:
    assert HEAD.encode() == f"{ORIGIN}\n70000\n{b64_encode(ROOT)}\n"
    assert Checkpoint.parse(HEAD.encode()) == HEAD
    empty = Checkpoint(ORIGIN, 0, EMPTY_ROOT)
    assert Checkpoint.parse(empty.encode()) == empty


def test_parse__largest_size__is_read() -> None:
    largest = Checkpoint(ORIGIN, 2**63 - 1, ROOT)
    assert Checkpoint.parse(largest.encode()) == largest


def test_parse__example_of_the_specification__is_read() -> None:
    text = "example.com/behind-the-sofa\n20852163\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n"
    head = Checkpoint.parse(text)
    assert (head.origin, head.size, head.encode()) == ("example.com/behind-the-sofa", 20852163, text)


def test_open_checkpoint__signed_by_its_log__gives_the_head() -> None:
    assert open_checkpoint(NOTE, ORIGIN, [KEY]) == HEAD
    assert open_checkpoint(NOTE + WITNESS.signature_line(HEAD.encode()).encode(), ORIGIN, [KEY]) == HEAD


def test_open_checkpoint__any_bit_flipped__is_refused() -> None:
    for flipped in flips(NOTE):
        with pytest.raises(VerificationError) as caught:
            open_checkpoint(flipped, ORIGIN, [KEY])
        assert caught.value.check == 8


def test_open_checkpoint__of_another_log__is_refused() -> None:
    with pytest.raises(VerificationError) as caught:
        open_checkpoint(NOTE, "ledger.example/other", [KEY])
    assert caught.value.code == "wrong-origin"


def test_open_checkpoint__signed_by_a_witness_only__is_refused() -> None:
    note = WITNESS.sign(HEAD.encode())
    for keys in ([KEY], [KEY, WITNESS.verifier]):
        with pytest.raises(VerificationError) as caught:
            open_checkpoint(note, ORIGIN, keys)
        assert caught.value.code == "no-known-signature"


RANGES = [
    (0, None, True),
    (0, 70_000, False),
    (0, 70_001, True),
    (70_000, None, True),
    (70_001, None, False),
    (5, 6, False),
]


@pytest.mark.parametrize(("from_size", "to_size", "taken"), RANGES)
def test_open_checkpoint__key_in_force_by_size__decides(from_size: int, to_size: int | None, taken: bool) -> None:
    keys = [LogKey(KEY, from_size, to_size)]
    if taken:
        assert open_checkpoint(NOTE, ORIGIN, keys) == HEAD
    else:
        with pytest.raises(VerificationError, match="in force at size 70000"):
            open_checkpoint(NOTE, ORIGIN, keys)


def test_open_checkpoint__log_key_rotated__takes_each_in_its_range() -> None:
    keys = [LogKey(KEY, 0, 100_000), LogKey(SECOND.verifier, 100_000, None)]
    later = Checkpoint(ORIGIN, 100_000, ROOT)
    assert open_checkpoint(NOTE, ORIGIN, keys) == HEAD
    assert open_checkpoint(sign_checkpoint(later, SECOND), ORIGIN, keys) == later
    for note in (sign_checkpoint(HEAD, SECOND), sign_checkpoint(later, LOG_SIGNER)):
        with pytest.raises(VerificationError):
            open_checkpoint(note, ORIGIN, keys)
    both = NOTE + SECOND.signature_line(HEAD.encode()).encode()
    assert open_checkpoint(both, ORIGIN, keys) == HEAD


R64 = b64_encode(ROOT)
MALFORMED = {
    "two lines": f"{ORIGIN}\n5\n",
    "no line end": f"{ORIGIN}\n5\n{R64}",
    "no line end behind a fourth line": f"{ORIGIN}\n5\n{R64}\nx",
    "an extension line": f"{ORIGIN}\n5\n{R64}\nextension\n",
    "a blank line": f"{ORIGIN}\n5\n{R64}\n\nx\n",
    "a blank line first": f"\n{ORIGIN}\n5\n{R64}\n",
    "leading zero": f"{ORIGIN}\n05\n{R64}\n",
    "two zeros": f"{ORIGIN}\n00\n{R64}\n",
    "plus sign": f"{ORIGIN}\n+5\n{R64}\n",
    "negative": f"{ORIGIN}\n-5\n{R64}\n",
    "space before the size": f"{ORIGIN}\n 5\n{R64}\n",
    "space behind the size": f"{ORIGIN}\n5 \n{R64}\n",
    "hexadecimal size": f"{ORIGIN}\n0x5\n{R64}\n",
    "full width size": f"{ORIGIN}\n５\n{R64}\n",
    "size beyond 63 bits": f"{ORIGIN}\n9223372036854775808\n{R64}\n",
    "size of 30 digits": f"{ORIGIN}\n{'9' * 30}\n{R64}\n",
    "underscored size": f"{ORIGIN}\n1_0\n{R64}\n",
    "root of 31 bytes": f"{ORIGIN}\n5\n{b64_encode(ROOT[1:])}\n",
    "root of 33 bytes": f"{ORIGIN}\n5\n{b64_encode(ROOT + b'x')}\n",
    "root with loose bits": f"{ORIGIN}\n5\n{'A' * 42}B=\n",
    "root without padding": f"{ORIGIN}\n5\n{R64[:-1]}\n",
    "root in hex": f"{ORIGIN}\n5\n{ROOT.hex()}\n",
    "empty origin": f"\n5\n{R64}\n",
    "origin in capitals": f"Ledger.example\n5\n{R64}\n",
    "origin with an empty part": f"a//b\n5\n{R64}\n",
    "origin ending in a slash": f"a/\n5\n{R64}\n",
    "origin beginning with a slash": f"/a\n5\n{R64}\n",
    "origin with a space": f"a b\n5\n{R64}\n",
    "origin with a plus": f"a+b\n5\n{R64}\n",
    "underscore in the origin's first part": f"a_b\n5\n{R64}\n",
    "origin of 129 bytes": f"{'a' * 129}\n5\n{R64}\n",
    "origin of our own formats": f"hazledger/receipt\n5\n{R64}\n",
    "origin not ASCII": f"ä.example\n5\n{R64}\n",
}


@pytest.mark.parametrize("text", MALFORMED.values(), ids=MALFORMED.keys())
def test_parse__not_of_the_form__is_refused_although_signed(text: str) -> None:
    with pytest.raises(VerificationError) as caught:
        Checkpoint.parse(text)
    assert (caught.value.check, caught.value.code) == (8, "malformed-checkpoint")
    if text.endswith("\n"):
        with pytest.raises(VerificationError):
            open_checkpoint(LOG_SIGNER.sign(text), ORIGIN, [KEY])


@given(st.text(alphabet="abz09.-_/A+ \n", max_size=12))
def test_check_origin__any_text__passes_only_in_its_form(text: str) -> None:
    try:
        check_origin(text)
    except ValueError:
        return
    first, *rest = text.split("/")
    assert first and set(first) <= set("abz09.-")
    assert all(part and set(part) <= set("abz09.-_") for part in rest)


def test_check_origin__limits__are_inclusive() -> None:
    for origin in ("a" * 128, "hazledger", "hazledger.example/x", "a/b_c/d.e-f", "0"):
        assert check_origin(origin) == origin


def test_sign_checkpoint__signer_of_another_name__is_refused() -> None:
    with pytest.raises(ValueError, match="under its origin"):
        sign_checkpoint(HEAD, WITNESS)
    for size, root in ((-1, ROOT), (2**63, ROOT), (1, b"")):
        with pytest.raises(ValueError, match="tree head"):
            Checkpoint(ORIGIN, size, root)


def test_note_hash__text_blank_line_and_own_line__and_nothing_of_the_witnesses() -> None:
    own_line = LOG_SIGNER.signature_line(HEAD.encode())
    expected = hashlib.sha256((HEAD.encode() + "\n" + own_line).encode()).digest()
    witness_line = WITNESS.signature_line(HEAD.encode())
    assert note_hash(NOTE) == hashlib.sha256(NOTE).digest() == expected
    assert note_hash((HEAD.encode() + "\n" + witness_line + own_line).encode()) == expected
    assert note_hash(NOTE + witness_line.encode()) == expected
    second_line = SECOND.signature_line(HEAD.encode())
    rotated = (HEAD.encode() + "\n" + second_line + own_line).encode()
    assert note_hash(rotated, KEY) == expected
    assert note_hash(rotated, SECOND.verifier) != expected
    with pytest.raises(VerificationError):
        note_hash(WITNESS.sign(HEAD.encode()))
