from __future__ import annotations

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.core.encoding import b64_encode
from ledger.core.keys import ED25519, PrivateKey
from ledger.core.note import MAX_NOTE_BYTES, NoteSigner, VerifierKey, open_note, split_note
from ledger.errors import VerificationError
from tests.core.samples import LOG_SIGNER, P256, flips

# The example of https://c2sp.org/signed-note, section "Verifier keys".
SPEC_VKEY = "example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k"
SPEC_NOTE = """This is an example message.

— example.com/foo Uw2QOkn8srV1yJGh2VYRlL1Tnagv1YEq6TfXppzi2ONncAlTgK7Ztg1ERYNZXsYjOBH3mFXmRKuwHjG1Yu72IneyaQM=
""".encode()
# The example at its top, whose key is not given.
SPEC_POEM = """Ognuno sta solo sul cuor della terra
trafitto da un raggio di sole:

ed è subito sera.

— quasimodo.example/salvatore NnugSzTjtVAewIS+Z/iJhUPeFDkO/5QQ2i5ddnGITLlC+EhfLW9oJKONrMouFSQU0xMcXxj99ihAQwaqP3ZekRwNtIc=
""".encode()

OTHER = NoteSigner("witness.example/w1", PrivateKey.generate(ED25519))
NAMESAKE = NoteSigner(LOG_SIGNER.verifier.name, PrivateKey.generate(ED25519))
TEXT = "first line\n\nthird: 硫酸\n"
NOTE = LOG_SIGNER.sign(TEXT)
BOTH = NOTE + OTHER.signature_line(TEXT).encode()


def test_open_note__example_of_the_specification__verifies() -> None:
    verifier = VerifierKey.parse(SPEC_VKEY)
    opened = open_note(SPEC_NOTE, [verifier])
    assert opened.text == "This is an example message.\n"
    assert opened.names == ("example.com/foo",)
    assert verifier.to_vkey() == SPEC_VKEY
    assert verifier.key_id.hex() == "530d903a"


def test_split_note__text_with_a_blank_line__ends_at_the_last_one() -> None:
    text, signatures = split_note(SPEC_POEM)
    assert text.endswith("sole:\n\ned è subito sera.\n")
    assert [(s.name, s.key_id.hex(), len(s.sig)) for s in signatures] == [
        ("quasimodo.example/salvatore", "367ba04b", 64)
    ]


def test_open_note__known_signers__are_named_in_order_and_others_ignored() -> None:
    assert open_note(BOTH, [LOG_SIGNER.verifier]).verified == (LOG_SIGNER.verifier,)
    assert open_note(BOTH, [OTHER.verifier]).verified == (OTHER.verifier,)
    assert open_note(BOTH, [OTHER.verifier, LOG_SIGNER.verifier]).names == (
        LOG_SIGNER.verifier.name,
        OTHER.verifier.name,
    )
    assert open_note(BOTH, [LOG_SIGNER.verifier]).text == TEXT


def test_open_note__same_name_or_same_id_but_not_both__is_another_key() -> None:
    assert open_note(NOTE + NAMESAKE.signature_line(TEXT).encode(), [LOG_SIGNER.verifier]).verified == (
        LOG_SIGNER.verifier,
    )
    line = f"— other.example {b64_encode(LOG_SIGNER.verifier.key_id + bytes(64))}\n".encode()
    assert open_note(NOTE + line, [LOG_SIGNER.verifier]).verified == (LOG_SIGNER.verifier,)


def test_open_note__no_known_signer__is_refused() -> None:
    for verifiers in ([], [OTHER.verifier], [NAMESAKE.verifier]):
        with pytest.raises(VerificationError) as caught:
            open_note(NOTE, verifiers, check=12)
        assert (caught.value.code, caught.value.check) == ("no-known-signature", 12)


def _line(signer: NoteSigner, sig: bytes) -> bytes:
    return f"— {signer.verifier.name} {b64_encode(signer.verifier.key_id + sig)}\n".encode()


@pytest.mark.parametrize("sig", [bytes(64), b"x", bytes(63), bytes(65)])
def test_open_note__known_name_and_id_that_fails__refuses_the_whole_note(sig: bytes) -> None:
    both = [LOG_SIGNER.verifier, OTHER.verifier]
    for note in (
        NOTE + _line(OTHER, sig),
        f"{TEXT}\n".encode() + _line(OTHER, sig) + NOTE.split(b"\n\n")[-1],
        NOTE + _line(LOG_SIGNER, sig),
    ):
        with pytest.raises(VerificationError) as caught:
            open_note(note, both)
        assert (caught.value.code, caught.value.check) == ("bad-note-signature", 8)


def test_open_note__same_signature_twice__counts_once() -> None:
    assert open_note(NOTE + NOTE.split(b"\n\n")[-1], [LOG_SIGNER.verifier]).verified == (LOG_SIGNER.verifier,)


def test_open_note__two_keys_of_one_name_and_id__either_may_have_signed() -> None:
    twin = VerifierKey(LOG_SIGNER.verifier.name, LOG_SIGNER.verifier.key)
    assert open_note(NOTE, [twin, LOG_SIGNER.verifier]).verified == (twin,)


def test_open_note__any_bit_flipped__is_refused() -> None:
    for flipped in flips(NOTE):
        with pytest.raises(VerificationError):
            open_note(flipped, [LOG_SIGNER.verifier])


GOOD_LINE = NOTE.split(b"\n\n")[-1]
MALFORMED = {
    "nothing": b"",
    "only text": b"text\n",
    "no blank line": b"text\n" + GOOD_LINE,
    "only signature lines": GOOD_LINE,
    "only two signature lines": GOOD_LINE * 2,
    "control character in the name": "text\n\n— a\x01b AAAAAAAA\n".encode(),
    "no text": b"\n" + GOOD_LINE,
    "no signature": b"text\n\n",
    "no line end at the end": NOTE[:-1],
    "something behind": NOTE + b"x",
    "a blank line behind": NOTE + b"\n",
    "CRLF": NOTE.replace(b"\n", b"\r\n"),
    "tab in the text": b"te\txt\n\n" + GOOD_LINE,
    "U+0000 in the text": b"te\0xt\n\n" + GOOD_LINE,
    "not UTF-8": b"te\xffxt\n\n" + GOOD_LINE,
    "hyphen for the dash": b"text\n\n" + GOOD_LINE.replace("—".encode(), b"-"),
    "two spaces": b"text\n\n" + GOOD_LINE.replace("— ".encode(), "—  ".encode()),
    "no signature behind the name": "text\n\n— name\n".encode(),
    "empty signature": "text\n\n— name \n".encode(),
    "a signature of a key id only": "text\n\n— name AAAAAA==\n".encode(),
    "plus in the name": "text\n\n— a+b AAAAAAAA\n".encode(),
    "no-break space in the name": "text\n\n— a\u00a0b AAAAAAAA\n".encode(),
    "base64 with loose bits": "text\n\n— name AAAAAAB=\n".encode(),
    "base64 without padding": "text\n\n— name AAAAAAA\n".encode(),
    "base64url": "text\n\n— name -_-_AAAA\n".encode(),
    "a word behind the signature": "text\n\n— name AAAAAAAA x\n".encode(),
    "101 signatures": b"text\n\n" + "— name AAAAAAAA\n".encode() * 101,
    "too large": b"x" * MAX_NOTE_BYTES + b"\n\n" + GOOD_LINE,
}


@pytest.mark.parametrize("note", MALFORMED.values(), ids=MALFORMED.keys())
def test_split_note__not_of_the_form__is_refused(note: bytes) -> None:
    for call in (split_note, lambda n: open_note(n, [LOG_SIGNER.verifier])):
        with pytest.raises(VerificationError) as caught:
            call(note)
        assert (caught.value.code, caught.value.check) == ("malformed-note", 8)


def test_split_note__as_many_signatures_as_the_specification_demands__are_read() -> None:
    large = b64_encode(bytes(5000))
    note = b"text\n\n" + f"— name {large}\n".encode() * 16
    assert len(split_note(note)[1]) == 16
    assert len(split_note(b"text\n\n" + "— name AAAAAAAA\n".encode() * 100)[1]) == 100


def test_split_note__largest_note__is_read() -> None:
    text = b"x" * (MAX_NOTE_BYTES - len(GOOD_LINE) - 2)
    assert split_note(text + b"\n\n" + GOOD_LINE)[0] == text.decode() + "\n"


_LINES = st.lists(st.text(st.characters(min_codepoint=32, exclude_categories=["Cs"])), min_size=1, max_size=4)


@given(_LINES)
def test_sign__any_text__opens_again(lines: list[str]) -> None:
    text = "\n".join(lines) + "\n"
    assert open_note(LOG_SIGNER.sign(text), [LOG_SIGNER.verifier]).text == text


def test_sign__no_note_text__is_refused() -> None:
    for text in ("", "no line end", "tab\there\n", "nul\0\n", "return\r\n"):
        with pytest.raises(ValueError, match="the text"):
            LOG_SIGNER.sign(text)


def test_sign__a_note_inside_the_text__cannot_pass_for_its_signatures() -> None:
    """The attack that "the last blank line" stops: a text that itself ends in a signature block."""
    text = NOTE.decode() + "more\n"
    opened = open_note(OTHER.sign(text), [OTHER.verifier, LOG_SIGNER.verifier])
    assert (opened.text, opened.names) == (text, (OTHER.verifier.name,))


def _vkey(name: str = "example.com/foo", key_id: str = "530d903a", key: str = SPEC_VKEY.split("+")[2]) -> str:
    return f"{name}+{key_id}+{key}"


_RAW = base64.b64decode(SPEC_VKEY.split("+")[2])
BAD_VKEYS = {
    "empty": "",
    "no key": "example.com/foo+530d903a",
    "no name": _vkey(name=""),
    "space in the name": _vkey(name="example.com foo"),
    "another name": _vkey(name="example.com/fop"),
    "another id": _vkey(key_id="530d903b"),
    "id in capitals": _vkey(key_id="530D903A"),
    "id too short": _vkey(key_id="530d903"),
    "key without padding": _vkey(key=b64_encode(_RAW[:-1]).rstrip("=")),
    "another type": _vkey(key=b64_encode(b"\x02" + _RAW[1:])),
    "key too short": _vkey(key=b64_encode(_RAW[:-1])),
    "key too long": _vkey(key=b64_encode(_RAW + b"\0")),
    "small-order key": _vkey(key=b64_encode(b"\x01\x01" + bytes(31))),
    "trailing space": SPEC_VKEY + " ",
    "trailing line end": SPEC_VKEY + "\n",
    "four parts": SPEC_VKEY + "+AAAA",
}


@pytest.mark.parametrize("vkey", BAD_VKEYS.values(), ids=BAD_VKEYS.keys())
def test_verifier_key_parse__another_text__is_refused(vkey: str) -> None:
    with pytest.raises(ValueError):
        VerifierKey.parse(vkey)


def test_verifier_key__name_or_key_out_of_form__is_refused() -> None:
    for name in ("", "a b", "a+b", "a\nb", "a\u2003b", "a\x01b"):
        with pytest.raises(ValueError, match="name"):
            VerifierKey(name, LOG_SIGNER.verifier.key)
    with pytest.raises(ValueError, match="Ed25519"):
        VerifierKey("name", P256.public)
    with pytest.raises(ValueError, match="Ed25519"):
        NoteSigner("name", P256)
    assert VerifierKey.parse(LOG_SIGNER.verifier.to_vkey()) == LOG_SIGNER.verifier


@pytest.mark.parametrize("sign", [chr(c) for c in range(0x20) if c != 0x0A])
def test_sign__control_character_in_the_text__is_refused(sign: str) -> None:
    with pytest.raises(ValueError, match="control character"):
        LOG_SIGNER.sign(f"a{sign}b\n")


@pytest.mark.parametrize("sign", ["\x7f", "\x85", "\xa0", "\xad", "\u200b", "\u2028", "\ufeff", "\ue000"])
def test_sign__sign_that_does_not_print__is_no_control_character(sign: str) -> None:
    text = f"a{sign}b\n"
    assert open_note(LOG_SIGNER.sign(text), [LOG_SIGNER.verifier]).text == text
