"""Checking a receipt: the client rebuilds the entry from its own envelope and refuses another leaf hash (formats.md section 5)."""

from __future__ import annotations

import hmac
from dataclasses import dataclass

from ledger.core.entry import entry_of
from ledger.core.keys import ED25519, ES256, check_ecdsa_der
from ledger.core.merkle import leaf_hash
from ledger.core.receipt import CHECK_RECEIPT, ReceiptNote, parse_receipt
from ledger.core.record import parse_payload, record_id_of
from ledger.core.submission import parse_submission
from ledger.core.trust import TrustFile
from ledger.errors import VerificationError
from ledger.model import Signature


@dataclass(frozen=True, slots=True)
class ReceiptChecker:
    """Checks receipts by the trust file that the authority handed out."""

    trust: TrustFile

    def check(self, submission: bytes, note: bytes) -> ReceiptNote:
        """The receipt for these very bytes.

        *Not* checked: that the log keeps its promise. After `merge_by` an anchored checkpoint must hold the index
        (`hazledger verify receipt`).

        Raises:
            VerificationError: check 12. The receipt is of another log, not signed by a trusted key, for another record,
                or promises another leaf than this envelope makes: the log then showed others something else.
        """
        receipt = parse_receipt(note, self.trust.receipt_keys)
        if receipt.origin != self.trust.origin:
            raise _broken(f"the receipt is of {receipt.origin}, the trust file of {self.trust.origin}")
        envelope, _ = parse_submission(submission)
        if receipt.record_id != record_id_of(envelope.payload):
            raise _broken("the receipt is for another record")
        algorithms = [_algorithm_of(signature) for signature in envelope.signatures]
        payload = parse_payload(envelope.payload)
        entry = entry_of(envelope, payload, receipt.record_id, receipt.received, algorithms)
        if not hmac.compare_digest(leaf_hash(entry), receipt.leaf_hash):
            raise _broken("the receipt promises another entry than this envelope makes; keep both, they are evidence")
        return receipt


def _algorithm_of(signature: Signature) -> str:
    """The two forms of a signature exclude each other: an Ed25519 signature has no DER frame but by a chance of 2^-40."""
    try:
        check_ecdsa_der(signature.sig)
    except ValueError:
        return ED25519
    return ES256


def _broken(detail: str) -> VerificationError:
    return VerificationError(detail, check=CHECK_RECEIPT, code="receipt-mismatch")
