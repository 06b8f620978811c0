"""One leaf from its stored bytes: checks 1, 2, 3, 5 and 6, and what an audit's finding is."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from ledger.core import dsse, record
from ledger.core.encoding import b64_decode
from ledger.core.entry import Entry, entry_of, parse_entry
from ledger.core.keys import load_public_key
from ledger.errors import MalformedRecordError, SignatureError, VerificationError
from ledger.model import Envelope, PayloadHeader

_written_by_us = dsse.written_by_us
_RECEIVED = re.compile(rb"[1-9][0-9]{0,15}")


@dataclass(frozen=True, slots=True)
class AuditFinding:
    """What an audit found wrong: at which record (None: of the log as a whole), under which check."""

    index: int | None
    record_id: str
    check: int
    code: str
    detail: str

    def line(self) -> str:
        """One line for a person."""
        where = "the log" if self.index is None else f"index {self.index}"
        name = f", record {self.record_id}" if self.record_id else ""
        return f"check {self.check} [{self.code}] {where}{name}: {self.detail}"


class Leaf(msgspec.Struct, frozen=True, gc=False):
    """A leaf that passed checks 1, 2 and 3."""

    record_id: str
    envelope: Envelope
    payload: PayloadHeader


def read_leaf(raw: bytes, origin: str) -> Leaf:
    """Checks 1, 2 and 3 of one leaf: what its envelope says, not yet who signed it.

    Raises:
        VerificationError: with the number of the check that failed.
    """
    envelope = _written_by_us(raw) or dsse.parse_envelope(raw)
    try:
        payload = record.check_payload(envelope.payload)
    except MalformedRecordError as error:
        # Strict JSON says check 1 of itself; inside the payload that is check 3.
        raise VerificationError(error.detail, check=3, code=error.code, pointer=error.pointer) from error
    if payload.log != origin:
        raise VerificationError(f"the record was signed for log {payload.log}", check=2, code="wrong-log")
    return Leaf(record.record_id_of(envelope.payload), envelope, payload)


def check_signed(leaf: Leaf, keys: Mapping[str, bytes]) -> list[str] | None:
    """Check 5 of one leaf. Returns the names of the signers' algorithms, or None when a key is not in `keys`.

    Raises:
        VerificationError: check 5.
    """
    signatures, signers = leaf.envelope.signatures, leaf.payload.signers
    if len(signatures) != len(signers):
        raise _other_signers()
    for signature, keyid in zip(signatures, signers):  # noqa: B905 - as long as each other
        if signature.keyid != keyid:
            raise _other_signers()
    message = dsse.pae(leaf.envelope.payload_type, leaf.envelope.payload)
    algorithms = []
    for signature in signatures:
        spki = keys.get(signature.keyid)
        if spki is None:
            return None
        key = load_public_key(spki)
        key.verify(signature.sig, message)
        algorithms.append(key.algorithm)
    return algorithms


def _other_signers() -> SignatureError:
    return SignatureError("the signatures are not those of the payload's signers, in their order", code="signers")


def check_stored_entry(leaf: Leaf, entry: bytes, received: int, algorithms: Sequence[str]) -> None:
    """Check 6 of one leaf: the entry rebuilt from the envelope and the stored `received` (0 when it states none).

    Raises:
        VerificationError: check 6.
    """
    if not received:
        raise VerificationError("the entry's last line is no time", check=6, code="entry-differs")
    rebuilt = entry_of(leaf.envelope, leaf.payload, leaf.record_id, received, algorithms)
    if rebuilt != entry:
        raise VerificationError(
            f"the stored entry is not the one that the envelope and `received` give: {_difference(entry, rebuilt)}",
            check=6,
            code="entry-differs",
        )


def finding(index: int | None, record_id: str, error: VerificationError) -> AuditFinding:
    """A failed check as a finding."""
    detail = error.detail if error.pointer is None else f"{error.detail} ({error.pointer or '/'})"
    return AuditFinding(index, record_id, error.check, error.code, detail)


def granted_key(body: dict[str, Any]) -> dict[str, bytes]:
    """{keyid: SPKI} of a grant's body when they belong together; empty when not (which is a finding elsewhere)."""
    try:
        key = load_public_key(record_spki(body))
    except ValueError:
        return {}
    return {key.keyid: key.spki} if key.keyid == body["keyid"] else {}


def record_spki(body: dict[str, Any]) -> bytes:
    """The SPKI in a grant's body; ValueError when it is not strict base64."""
    return b64_decode(body["spki"])


def claimed_entry(entry: bytes) -> Entry | None:
    try:
        return parse_entry(entry)
    except VerificationError:
        return None


def stated_id(entry: bytes, raw: bytes) -> str:
    """The record_id that the entry states; where it cannot be read, that of the envelope's payload; else ""."""
    parsed = claimed_entry(entry)
    if parsed is not None:
        return parsed.record_id
    try:
        return record.record_id_of(dsse.parse_envelope(raw).payload)
    except VerificationError:
        return ""


def received_of(entry: bytes) -> int:
    """`received` of an entry's last line; 0 when there is none (check 6 says so where the record is checked)."""
    last = entry[:-1].rpartition(b"\n")[2]
    return int(last) if _RECEIVED.fullmatch(last) else 0


def _difference(stored: bytes, rebuilt: bytes) -> str:
    names = ["format", "record_id", "holder", "place and seq", "type"]
    for at, (left, right) in enumerate(zip(stored.split(b"\n"), rebuilt.split(b"\n"), strict=False)):
        if left != right:
            return f"line {at + 1} ({names[at] if at < len(names) else 'signature or received'}) differs"
    return "the number of lines differs"
