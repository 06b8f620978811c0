"""Refusal notes: the log's signed word that it did not take a record, and why (formats.md section 2; README, decision 6).

A signed note of five lines, by the receipt key. It says nothing of whether the refusal was right.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

import msgspec

from ledger.core.checkpoint import check_origin
from ledger.core.encoding import is_hex_32
from ledger.core.note import NoteSigner, VerifierKey
from ledger.core.receipt import CHECK_RECEIPT, open_by_receipt_key, receipt_key_name
from ledger.errors import VerificationError

REFUSAL_FORMAT = "hazledger/refusal/v1"
CHECK_REFUSAL = CHECK_RECEIPT
"""Promised with the receipt's key, so it counts under the receipt's number."""

_CODE = re.compile(r"[a-z][a-z0-9-]{1,63}", re.ASCII)
_UNIX_MS = re.compile(r"[1-9][0-9]{0,15}", re.ASCII)


class RefusalNote(msgspec.Struct, frozen=True):
    """What a refusal note says. `code` is the problem's; `at` is unix milliseconds."""

    origin: str
    record_id: str
    code: str
    at: int

    def __post_init__(self) -> None:
        check_origin(self.origin)
        if not is_hex_32(self.record_id) or not _CODE.fullmatch(self.code) or not 1 <= self.at < 10**16:
            raise ValueError("record_id, code or time is not of its form")

    def encode(self) -> str:
        """The note's text: five lines."""
        return f"{REFUSAL_FORMAT}\n{self.origin}\n{self.record_id}\n{self.code}\n{self.at}\n"


def build_refusal(note: RefusalNote, signer: NoteSigner) -> bytes:
    """The exact bytes that answer the refused record; ValueError when the signer is not the log's receipt key."""
    if signer.verifier.name != receipt_key_name(note.origin):
        raise ValueError("a refusal is signed under <origin>/receipt")
    return signer.sign(note.encode())


def parse_refusal(note: bytes, keys: Iterable[VerifierKey]) -> RefusalNote:
    """Verify a refusal note by the trusted receipt keys and read it.

    *Not* checked: that it is for the record at hand. Compare `record_id`.

    Raises:
        VerificationError: check 12; code unknown-format, malformed-refusal, wrong-origin or those of `open_note`.
    """
    return open_by_receipt_key(note, keys, _parse, "refusal")


def _parse(text: str) -> RefusalNote:
    lines = text[:-1].split("\n")  # a note's text ends in a line end
    if lines[0] != REFUSAL_FORMAT:
        raise VerificationError(
            f"refusal format {lines[0][:64]!r}; this version reads {REFUSAL_FORMAT}",
            check=CHECK_REFUSAL,
            code="unknown-format",
        )
    try:
        if len(lines) != 5 or not _UNIX_MS.fullmatch(lines[4]):
            raise ValueError("not five lines, the last of them unix milliseconds")  # noqa: TRY301 - one exit
        return RefusalNote(lines[1], lines[2], lines[3], int(lines[4]))
    except ValueError as error:
        raise VerificationError(f"not a refusal: {error}", check=CHECK_REFUSAL, code="malformed-refusal") from None
