"""Checkpoints: C2SP tlog-checkpoint narrowed to exactly three lines (formats.md section 4).

Source: https://c2sp.org/tlog-checkpoint. *Not* checked: that the root is right, or consistent with another checkpoint.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache

from ledger.core.encoding import b64_decode, b64_encode, sha256
from ledger.core.merkle import HASH_BYTES, MAX_TREE_SIZE
from ledger.core.note import CHECK_CHECKPOINT, NoteSigner, VerifierKey, open_note, split_note
from ledger.errors import VerificationError

MAX_ORIGIN_BYTES = 128

_ORIGIN = re.compile(r"[a-z0-9.-]+(?:/[a-z0-9._-]+)*", re.ASCII)
_RESERVED_ORIGIN = "hazledger/"
"""Our own format names begin so; a log with such an origin could make one signed text pass for another."""
_SIZE = re.compile(r"0|[1-9][0-9]{0,18}", re.ASCII)


@lru_cache(maxsize=16)
def check_origin(origin: str) -> str:
    """`origin` itself; ValueError unless it is one by formats.md section 4."""
    if len(origin) > MAX_ORIGIN_BYTES or not _ORIGIN.fullmatch(origin) or origin.startswith(_RESERVED_ORIGIN):
        raise ValueError("not an origin")
    return origin


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A tree head under its log's name. `root` has 32 bytes."""

    origin: str
    size: int
    root: bytes

    def __post_init__(self) -> None:
        check_origin(self.origin)
        if not 0 <= self.size <= MAX_TREE_SIZE or len(self.root) != HASH_BYTES:
            raise ValueError("not a tree head")

    def encode(self) -> str:
        """The note's text: three lines."""
        return f"{self.origin}\n{self.size}\n{b64_encode(self.root)}\n"

    @staticmethod
    def parse(text: str) -> Checkpoint:
        """From the note's text.

        Raises:
            VerificationError: check 8, code `malformed-checkpoint`.
        """
        lines = text.split("\n")
        try:
            if len(lines) != 4 or lines[3] or not _SIZE.fullmatch(lines[1]):
                raise ValueError("a checkpoint is exactly three lines: origin, size, root")  # noqa: TRY301 - one exit
            return Checkpoint(lines[0], int(lines[1]), b64_decode(lines[2]))
        except ValueError as error:
            raise VerificationError(
                f"not a checkpoint: {error}", check=CHECK_CHECKPOINT, code="malformed-checkpoint"
            ) from None


@dataclass(frozen=True, slots=True)
class LogKey:
    """A log key and the half-open range of tree sizes it is in force for (formats.md section 8)."""

    verifier: VerifierKey
    from_size: int = 0
    to_size: int | None = None

    def in_force(self, size: int) -> bool:
        return self.from_size <= size and (self.to_size is None or size < self.to_size)


def sign_checkpoint(checkpoint: Checkpoint, signer: NoteSigner) -> bytes:
    """The signed note; ValueError when the signer's name is not the origin."""
    if signer.verifier.name != checkpoint.origin:
        raise ValueError("a checkpoint is signed under its origin")
    return signer.sign(checkpoint.encode())


def open_checkpoint(note: bytes, origin: str, keys: Iterable[VerifierKey | LogKey]) -> Checkpoint:
    """Check 8: the tree head in `note`, signed by a key of the log in force for its size.

    Args:
        note: the exact bytes.
        origin: of the trusted side; another origin refuses.
        keys: of the trusted side; a bare VerifierKey is in force for every size.

    Raises:
        VerificationError: check 8.
    """
    log_keys = [key if isinstance(key, LogKey) else LogKey(key) for key in keys]
    opened = open_note(note, (key.verifier for key in log_keys))
    checkpoint = Checkpoint.parse(opened.text)
    if checkpoint.origin != origin:
        raise VerificationError(
            f"the checkpoint is of {checkpoint.origin}, not of {origin}", check=CHECK_CHECKPOINT, code="wrong-origin"
        )
    if not any(
        key.verifier in opened.verified and key.verifier.name == origin and key.in_force(checkpoint.size)
        for key in log_keys
    ):
        raise VerificationError(
            f"no signature by a log key in force at size {checkpoint.size}",
            check=CHECK_CHECKPOINT,
            code="no-known-signature",
        )
    return checkpoint


def note_hash(note: bytes, key: VerifierKey | None = None) -> bytes:
    """SHA-256 of the note text, the blank line and the log's own signature line (chain.md, `anchor`).

    The log's own line is the first by `key`, or, without one, the first under the text's origin. So it stays the same
    when witnesses add their lines.

    Raises:
        VerificationError: check 8; not a note, or it has no such line.
    """
    text, signatures = split_note(note)
    origin = text.partition("\n")[0]
    for signature in signatures:
        if (signature.name, signature.key_id) == (key.name, key.key_id) if key else signature.name == origin:
            return sha256(text.encode() + b"\n" + signature.line)
    raise VerificationError("the note has no signature line of its log", check=CHECK_CHECKPOINT, code="malformed-note")
