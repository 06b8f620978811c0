"""Signed records of one book: gapless seq, prev, nonce, `_sd`, the exact bytes (formats.md sections 1, 2 and 6).

What is built here is read back with `parse_payload` before anybody sees it, so a record that the log would refuse for its
form is refused on the desk where it was made. *Not* checked: grants, what the law says, and whether it is true.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from ledger.core.disclosure import SALT_BYTES, SD_ALG, make_disclosure, make_sd, match_disclosures
from ledger.core.dsse import MAX_ENVELOPE_BYTES, MAX_PAYLOAD_BYTES, PAYLOAD_TYPE, encode_envelope, pae
from ledger.core.encoding import b64url_encode
from ledger.core.ids import check_credit_code
from ledger.core.record import VERSION, disclosable_pointers, parse_payload, record_id_of
from ledger.errors import TooLargeError
from ledger.model import Disclosure, Payload, RecordId, Signature

NONCE_BYTES = 18


class RecordSigner(Protocol):
    """A private key in use: `core.keys.PrivateKey`, an opened key file, or a token of the enterprise's own."""

    @property
    def keyid(self) -> str: ...
    def sign(self, message: bytes) -> bytes: ...


@dataclass(frozen=True, slots=True)
class Head:
    """Where a book stands: its last seq and that record's id; (0, None) for a book that has none."""

    seq: int = 0
    record_id: RecordId | None = None


@dataclass(frozen=True, slots=True)
class Signed:
    """One finished record. `submission` are the bytes to send, and to send again unchanged; it holds no newline."""

    record_id: RecordId
    payload: Payload
    envelope: bytes
    submission: bytes

    @property
    def head(self) -> Head:
        """The book's head once this record is in the log."""
        return Head(self.payload.seq, self.record_id)


class Book:
    """One book of one holder, and the keys that sign it. Not thread-safe: a book has one writer."""

    def __init__(
        self,
        *,
        log: str,
        holder: str,
        site: str,
        book: str,
        signers: Sequence[RecordSigner],
        head: Head | None = None,
        random_bytes: Callable[[int], bytes] = os.urandom,
    ) -> None:
        """`holder` is a credit code, or an issuer's name. `random_bytes` makes nonces, salts and decoys."""
        self.log, self.holder, self.site, self.book = log, holder, site, book
        self.head = head or Head()
        # formats.md section 2: ascending, and exactly these sign in this order.
        self._signers = sorted(signers, key=lambda signer: signer.keyid)
        self._random_bytes = random_bytes
        self._holder_member = "enterprise" if _is_credit_code(holder) else "issuer"

    @property
    def place(self) -> tuple[str, str, str]:
        """(holder, site, book)."""
        return self.holder, self.site, self.book

    def build(
        self,
        kind: str,
        body: Mapping[str, Any],
        *,
        event_time: str,
        disclosures: Mapping[str, str] | None = None,
        seen: Mapping[str, Any] | None = None,
        ext: Mapping[str, Any] | None = None,
        at: Head | None = None,
    ) -> Signed:
        """A signed record that continues the book. The book itself does not move: call `took` once it is durable.

        Args:
            kind: one of formats.md section 2.
            body: the kind's body; personal data has no place in it.
            event_time: RFC 3339, when it happened as the signer claims.
            disclosures: personal data by JSON pointer ("/body/agent/name"); only digests enter the payload.
            seen: optional {"size", "root"} of this log.
            ext: optional members that the platform keeps and never reads.
            at: another head than the book's own to continue from; only tests and demonstrations need it.

        Raises:
            PayloadError: check 3; `pointer` says where.
            DisclosureError: a disclosure's name or value is not allowed.
            TooLargeError: beyond the limits of formats.md section 1.
        """
        head = at or self.head
        made = [
            make_disclosure(name, value, self._random_bytes(SALT_BYTES)) for name, value in (disclosures or {}).items()
        ]
        document: dict[str, Any] = {
            "v": VERSION,
            "log": self.log,
            "kind": kind,
            self._holder_member: self.holder,
            "site": self.site,
            "book": self.book,
            "seq": head.seq + 1,
            "prev": head.record_id,
            "signers": [signer.keyid for signer in self._signers],
            "nonce": b64url_encode(self._random_bytes(NONCE_BYTES)),
            "event_time": event_time,
        }
        if seen is not None:
            document["seen"] = seen
        document["body"] = body
        if made:
            document |= {"_sd": make_sd(made, self._random_bytes), "_sd_alg": SD_ALG}
        if ext is not None:
            document["ext"] = ext
        return self._finish(json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode(), made)

    def _finish(self, payload: bytes, disclosures: Sequence[Disclosure]) -> Signed:
        if len(payload) > MAX_PAYLOAD_BYTES:
            raise TooLargeError(f"the payload has {len(payload)} bytes; at most {MAX_PAYLOAD_BYTES} are allowed")
        parsed = parse_payload(payload)
        if disclosures:
            match_disclosures(disclosures, parsed, disclosable_pointers(parsed.kind))
        message = pae(PAYLOAD_TYPE, payload)
        envelope = encode_envelope(payload, [Signature(s.keyid, s.sign(message)) for s in self._signers])
        if len(envelope) > MAX_ENVELOPE_BYTES:
            raise TooLargeError(f"the envelope has {len(envelope)} bytes; at most {MAX_ENVELOPE_BYTES} are allowed")
        return Signed(record_id_of(payload), parsed, envelope, encode_submission(envelope, disclosures))

    def took(self, signed: Signed) -> None:
        """The record is durable in the spool: the next one continues it."""
        self.head = signed.head


def encode_submission(envelope: bytes, disclosures: Sequence[Disclosure] = ()) -> bytes:
    """What is sent: the envelope's exact bytes, and the disclosures beside it (formats.md section 1). One line."""
    # The texts are base64url, so they need no escaping.
    listed = ",".join(f'"{disclosure.text}"' for disclosure in disclosures)
    return b'{"envelope":' + envelope + (f',"disclosures":[{listed}]}}' if listed else "}").encode("ascii")


def _is_credit_code(holder: str) -> bool:
    try:
        check_credit_code(holder)
    except ValueError:
        return False
    return True
