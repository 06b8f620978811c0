"""Receipts: the log's signed promise to show a record at an index (formats.md section 5).

A receipt is signed by a key of its own, under `<origin>/receipt`, so it can be given out before any checkpoint. It is a
signed note of seven lines.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import Protocol, TypeVar

import msgspec

from ledger.core.checkpoint import check_origin
from ledger.core.encoding import b64_decode, b64_encode, is_hex_32
from ledger.core.merkle import HASH_BYTES, MAX_TREE_SIZE
from ledger.core.note import NoteSigner, VerifierKey, open_note, split_note
from ledger.errors import VerificationError

RECEIPT_FORMAT = "hazledger/receipt/v1"
KEY_NAME_SUFFIX = "/receipt"
CHECK_RECEIPT = 12

_INDEX = re.compile(r"0|[1-9][0-9]{0,18}", re.ASCII)
_UNIX_MS = re.compile(r"[1-9][0-9]{0,15}", re.ASCII)


class _OfLog(Protocol):
    @property
    def origin(self) -> str: ...


Said = TypeVar("Said", bound=_OfLog)


class ReceiptNote(msgspec.Struct, frozen=True):
    """What a receipt says. `received` and `merge_by` are unix milliseconds; `leaf_hash` has 32 bytes."""

    origin: str
    record_id: str
    leaf_hash: bytes
    index: int
    received: int
    merge_by: int

    def __post_init__(self) -> None:
        check_origin(self.origin)
        if not is_hex_32(self.record_id) or len(self.leaf_hash) != HASH_BYTES:
            raise ValueError("record_id or leaf hash is not of its form")
        if not 0 <= self.index < MAX_TREE_SIZE:
            raise ValueError("the index is out of range")
        if not 1 <= self.received <= self.merge_by < 10**16:
            raise ValueError("received and merge-by are out of range or order")

    def encode(self) -> str:
        """The note's text: seven lines."""
        return (
            f"{RECEIPT_FORMAT}\n{self.origin}\n{self.record_id}\n{b64_encode(self.leaf_hash)}\n"
            f"{self.index}\n{self.received}\n{self.merge_by}\n"
        )


def receipt_key_name(origin: str) -> str:
    """`<origin>/receipt`."""
    return origin + KEY_NAME_SUFFIX


def build_receipt(
    *,
    origin: str,
    record_id: str,
    leaf_hash: bytes,
    index: int,
    received: int,
    merge_by: int,
    signer: NoteSigner,
) -> bytes:
    """The receipt's exact bytes, made once and stored; ValueError for parts or a signer's name out of form."""
    if signer.verifier.name != receipt_key_name(origin):
        raise ValueError("a receipt is signed under <origin>/receipt")
    return signer.sign(ReceiptNote(origin, record_id, leaf_hash, index, received, merge_by).encode())


def claimed_origin(note: bytes) -> str | None:
    """The log that a receipt says it is of, before any signature is checked; None for what is no receipt.

    Only for saying which trust file it wants: `parse_receipt` opens it.
    """
    try:
        return _parse(split_note(note)[0]).origin
    except VerificationError:
        return None


def parse_receipt(note: bytes, keys: Iterable[VerifierKey]) -> ReceiptNote:
    """Verify a receipt by the trusted receipt keys and read it.

    *Not* checked: that it is for the record at hand. Compare `record_id`, and `leaf_hash` with the rebuilt entry's.

    Raises:
        VerificationError: check 12; code unknown-format, malformed-receipt, wrong-origin or those of `open_note`.
    """
    return open_by_receipt_key(note, keys, _parse, "receipt")


def open_by_receipt_key(note: bytes, keys: Iterable[VerifierKey], read: Callable[[str], Said], what: str) -> Said:
    """What `read` makes of a note's text, where one of the trusted keys signed it that is the receipt key of the log it names.

    Raises:
        VerificationError: check 12; code wrong-origin, those of `open_note` and of `read`.
    """
    opened = open_note(note, keys, check=CHECK_RECEIPT)
    said = read(opened.text)
    if receipt_key_name(said.origin) not in opened.names:
        raise VerificationError(
            f"the {what} is of {said.origin} and not signed by its receipt key",
            check=CHECK_RECEIPT,
            code="wrong-origin",
        )
    return said


def _parse(text: str) -> ReceiptNote:
    lines = text[:-1].split("\n")  # a note's text ends in a line end
    if lines[0] != RECEIPT_FORMAT:
        raise VerificationError(
            f"receipt format {lines[0][:64]!r}; this version reads {RECEIPT_FORMAT}",
            check=CHECK_RECEIPT,
            code="unknown-format",
        )
    try:
        if len(lines) != 7 or not _INDEX.fullmatch(lines[4]):
            raise ValueError("not the seven lines of formats.md section 5")  # noqa: TRY301 - one exit for every defect
        if not _UNIX_MS.fullmatch(lines[5]) or not _UNIX_MS.fullmatch(lines[6]):
            raise ValueError("a time is not unix milliseconds")  # noqa: TRY301 - as above
        return ReceiptNote(lines[1], lines[2], b64_decode(lines[3]), int(lines[4]), int(lines[5]), int(lines[6]))
    except ValueError as error:
        raise VerificationError(f"not a receipt: {error}", check=CHECK_RECEIPT, code="malformed-receipt") from None
