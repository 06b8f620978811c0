"""Signed notes with Ed25519 keys (formats.md sections 4 and 5).

Source: https://c2sp.org/signed-note. Signers that are not known are ignored; a signature whose name and id are known but
that does not verify refuses the whole note. *Not* checked: what the text says.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Protocol

from ledger.core.encoding import b64_decode, b64_encode, sha256
from ledger.core.keys import ED25519, PublicKey, ed25519_spki, load_public_key
from ledger.errors import SignatureError, VerificationError

ALGORITHM_ED25519 = b"\x01"
KEY_ID_BYTES = 4
MAX_NOTE_BYTES = 256 * 1024
"""The specification wants at least 16 signatures of up to 5 KB; a checkpoint with a hundred Ed25519 witnesses has 20 KB."""
MAX_SIGNATURES = 100
"""As many as the reference implementation reads."""

CHECK_CHECKPOINT = 8

_SIGNATURE_PREFIX = "\N{EM DASH} "
# The specification's words: every character below U+0020 but the newline.
_CONTROL = re.compile("[\x00-\x09\x0b-\x1f]")
_NAME = re.compile(r"[^\s+]+")
_VKEY = re.compile(r"(?P<name>[^\s+]+)\+(?P<id>[0-9a-f]{8})\+(?P<key>[A-Za-z0-9+/=]+)")


@dataclass(frozen=True, slots=True)
class VerifierKey:
    """A name and the Ed25519 key that signs under it."""

    name: str
    key: PublicKey

    def __post_init__(self) -> None:
        if not _NAME.fullmatch(self.name) or _CONTROL.search(self.name):
            raise ValueError("a note key's name holds no white space and no plus sign")
        if self.key.algorithm != ED25519:
            raise ValueError("a note key is an Ed25519 key")

    @property
    def key_id(self) -> bytes:
        """SHA-256(name ‖ 0x0A ‖ 0x01 ‖ 32-byte key)[:4]."""
        return sha256(self.name.encode() + b"\n" + ALGORITHM_ED25519 + self.key.ed25519_bytes())[:KEY_ID_BYTES]

    @staticmethod
    def parse(vkey: str) -> VerifierKey:
        """From `name+hexid+base64(0x01 ‖ key)`; ValueError for any other text, type or a wrong id."""
        match = _VKEY.fullmatch(vkey)
        if match is None:
            raise ValueError("not a note verifier key")
        data = b64_decode(match["key"])
        if data[:1] != ALGORITHM_ED25519 or len(data) != 33:
            raise ValueError("the note verifier key is not of type Ed25519")
        verifier = VerifierKey(match["name"], load_public_key(ed25519_spki(data[1:])))
        if verifier.key_id.hex() != match["id"]:
            raise ValueError("the note verifier key's id is not that of its name and key")
        return verifier

    def to_vkey(self) -> str:
        """Back to the text of `parse`."""
        return f"{self.name}+{self.key_id.hex()}+{b64_encode(ALGORITHM_ED25519 + self.key.ed25519_bytes())}"


class SigningKey(Protocol):
    """An Ed25519 private key in use; where its bytes are is not this module's business."""

    @property
    def spki(self) -> bytes: ...
    def sign(self, message: bytes) -> bytes: ...


class NoteSigner:
    """Signs note texts under one name."""

    __slots__ = ("_key_id", "_private", "verifier")

    def __init__(self, name: str, private: SigningKey) -> None:
        self._private = private
        self.verifier = VerifierKey(name, load_public_key(private.spki))
        self._key_id = self.verifier.key_id

    def sign(self, text: str) -> bytes:
        """One whole note: the text, a blank line, our signature line; ValueError for a text that is no note text."""
        _check_text(text)
        return f"{text}\n{self.signature_line(text)}".encode()

    def signature_line(self, text: str) -> str:
        """Our line alone, for a note that others sign too."""
        sig = self._private.sign(text.encode())
        return f"{_SIGNATURE_PREFIX}{self.verifier.name} {b64_encode(self._key_id + sig)}\n"


@dataclass(frozen=True, slots=True)
class NoteSignature:
    """One signature line: `line` are its exact bytes with the line end."""

    name: str
    key_id: bytes
    sig: bytes
    line: bytes


@dataclass(frozen=True, slots=True)
class OpenedNote:
    """`text` (it ends in a line end) and those given verifiers that signed it, in the order of their lines."""

    text: str
    verified: tuple[VerifierKey, ...]

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(verifier.name for verifier in self.verified)


def split_note(note: bytes, *, check: int = CHECK_CHECKPOINT) -> tuple[str, list[NoteSignature]]:
    """Text and signature lines; no signature is verified.

    Raises:
        VerificationError: with `check`, code `malformed-note`.
    """
    try:
        return _split(note)
    except ValueError as error:
        raise VerificationError(f"not a signed note: {error}", check=check, code="malformed-note") from None


def open_note(note: bytes, verifiers: Iterable[VerifierKey], *, check: int = CHECK_CHECKPOINT) -> OpenedNote:
    """Verify every signature by a known verifier; at least one must be there.

    Args:
        note: the exact bytes.
        verifiers: the keys the caller trusts, by name.
        check: number of formats.md section 9 that the failure counts under (8 checkpoint, 12 receipt).

    Raises:
        VerificationError: with `check`; code malformed-note, bad-note-signature or no-known-signature.
    """
    text, signatures = split_note(note, check=check)
    known: dict[tuple[str, bytes], list[VerifierKey]] = {}
    for verifier in verifiers:
        known.setdefault((verifier.name, verifier.key_id), []).append(verifier)
    verified: list[VerifierKey] = []
    message = text.encode()
    for signature in signatures:
        candidates = known.get((signature.name, signature.key_id))
        if candidates is None:
            continue
        for verifier in candidates:
            if _verifies(verifier, signature.sig, message):
                if verifier not in verified:
                    verified.append(verifier)
                break
        else:
            raise VerificationError(
                f"the signature of {signature.name} does not verify", check=check, code="bad-note-signature"
            )
    if not verified:
        raise VerificationError("no signature by a known key", check=check, code="no-known-signature")
    return OpenedNote(text, tuple(verified))


def _verifies(verifier: VerifierKey, sig: bytes, message: bytes) -> bool:
    try:
        verifier.key.verify(sig, message)
    except SignatureError:
        return False
    return True


def _check_text(text: str) -> None:
    if not text.endswith("\n"):
        raise ValueError("the text does not end in a line end")
    # Most texts are printable, which is known twice as fast; what is not need not be a control character.
    if not text.replace("\n", "").isprintable() and _CONTROL.search(text):
        raise ValueError("the text holds a control character")


def _split(note: bytes) -> tuple[str, list[NoteSignature]]:
    if len(note) > MAX_NOTE_BYTES:
        raise ValueError(f"larger than {MAX_NOTE_BYTES} bytes")
    # The last blank line divides: a signature line is never empty, while the text may hold blank lines.
    whole = note.decode("utf-8")
    text, blank, lines = whole.rpartition("\n\n")
    if not blank or not lines.endswith("\n"):
        raise ValueError("no signature lines after a blank line")
    text += "\n"
    _check_text(text)
    listed = lines[:-1].split("\n")
    if len(listed) > MAX_SIGNATURES:
        raise ValueError(f"more than {MAX_SIGNATURES} signatures")
    return text, [_signature(line) for line in listed]


def _signature(line: str) -> NoteSignature:
    name, _, encoded = line[2:].partition(" ")
    if not line.startswith(_SIGNATURE_PREFIX) or not _NAME.fullmatch(name) or _CONTROL.search(name):
        raise ValueError("a signature line is not well-formed")
    data = b64_decode(encoded)
    if len(data) <= KEY_ID_BYTES:
        raise ValueError("a signature line holds no signature")
    return NoteSignature(name, data[:KEY_ID_BYTES], data[KEY_ID_BYTES:], f"{line}\n".encode())
