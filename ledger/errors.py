"""Every error that hazledger raises on purpose.

One base, `LedgerError`. Each class says when it is raised and what the caller does about it. `code` is the stable
machine word: it is the tail of `urn:hazledger:<code>` in problem+json (webapp/api/problems.py holds the sentence for
each in both languages), it stands in signed refusal notes, and it is what the command line prints. `detail` is for a
person and never holds a secret or personal data.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar


class LedgerError(Exception):
    """Base of all. `status` is the HTTP status with which an interface answers."""

    status: ClassVar[int] = 500
    default_code: ClassVar[str] = "internal"

    def __init__(self, detail: str, *, code: str | None = None, pointer: str | None = None) -> None:
        super().__init__(detail)
        self.detail = detail
        self.code = code or self.default_code
        self.pointer = pointer
        self.refusal: bytes | None = None
        """The signed refusal note that answers a validly signed submission refused with 409 or 422, once made."""


class ConfigError(LedgerError):
    """A setting is missing or wrong. All that is wrong is reported together; the process does not start."""

    default_code = "config"


class VerificationError(LedgerError):
    """A numbered check of formats.md section 9 failed. Refuse the input; never retry the same bytes.

    `check` is the number in formats.md section 9, 1 to 13.
    """

    status = 422
    default_code = "verification"

    def __init__(self, detail: str, *, check: int, code: str | None = None, pointer: str | None = None) -> None:
        super().__init__(detail, code=code, pointer=pointer)
        self.check = check


class MalformedRecordError(VerificationError):
    """Check 1: the bytes are not a strict submission. Nothing was kept; refuse (400, 413, 415)."""

    status = 400
    default_code = "malformed"

    def __init__(self, detail: str, *, code: str | None = None, pointer: str | None = None) -> None:
        super().__init__(detail, check=1, code=code, pointer=pointer)


class TooLargeError(MalformedRecordError):
    """The body or one of its parts is larger than formats.md section 1 allows (413)."""

    status = 413
    default_code = "too-large"


class MediaTypeError(MalformedRecordError):
    """The content type is none that this interface reads (415)."""

    status = 415
    default_code = "media-type"


class PayloadError(VerificationError):
    """Check 3: a member of the payload is missing, unknown, or not of its form (422)."""

    default_code = "schema"

    def __init__(self, detail: str, *, code: str | None = None, pointer: str | None = None) -> None:
        super().__init__(detail, check=3, code=code, pointer=pointer)


class GrantError(VerificationError):
    """Check 4: no grant in force for this key, holder, book and kind (403)."""

    status = 403
    default_code = "no-grant"

    def __init__(self, detail: str, *, code: str | None = None, pointer: str | None = None) -> None:
        super().__init__(detail, check=4, code=code, pointer=pointer)


class SignatureError(VerificationError):
    """Check 5: a key is unknown or a signature does not verify over the exact bytes (401)."""

    status = 401
    default_code = "bad-signature"

    def __init__(self, detail: str, *, code: str | None = None, pointer: str | None = None) -> None:
        super().__init__(detail, check=5, code=code, pointer=pointer)


class DisclosureError(VerificationError):
    """Check 11: a disclosure is not well-formed, not in `_sd`, repeated, or was erased (422)."""

    default_code = "disclosure"

    def __init__(self, detail: str, *, code: str | None = None, pointer: str | None = None) -> None:
        super().__init__(detail, check=11, code=code, pointer=pointer)


class ConflictError(LedgerError):
    """The book's chain does not continue with this record (409).

    `expected_seq` and `expected_prev` say what would.
    Codes: `seq-gap`, `fork` (another payload stands at this seq; both are kept), `prev-mismatch`,
    `after-refused-line`, `book-closed`.
    """

    status = 409
    default_code = "conflict"

    def __init__(
        self, detail: str, *, code: str, expected_seq: int | None = None, expected_prev: str | None = None
    ) -> None:
        super().__init__(detail, code=code)
        self.expected_seq = expected_seq
        self.expected_prev = expected_prev


class TransitionError(LedgerError):
    """An alert cannot take this step from where it stands, or the step lacks what it needs (409).

    `possible` are the steps that it can take. Look at the alert again; the same step may be refused for ever.
    """

    status = 409
    default_code = "transition-refused"

    def __init__(
        self, detail: str, *, possible: Sequence[str] = (), code: str | None = None, pointer: str | None = None
    ) -> None:
        super().__init__(detail, code=code, pointer=pointer)
        self.possible = tuple(possible)


class StaleError(LedgerError):
    """What was acted on has changed since it was looked at (412). Look again, then decide."""

    status = 412
    default_code = "etag-stale"


class DeskError(LedgerError):
    """The supervisor's key cannot sign now (403): locked, not enrolled, or the password is not its.

    Codes: `key-locked` (sign in again), `key-wrong-password`, `no-supervisor-key`, `confirm-needed` (the password again),
    `one-time-code` (choose a password first).
    """

    status = 403
    default_code = "key-locked"


class OverloadedError(LedgerError):
    """The log cannot take more now, or its process is not there. Nothing was kept; send the same bytes again (503)."""

    status = 503
    default_code = "overloaded"


class StoreError(LedgerError):
    """The database refused or is gone. What was not acknowledged is not kept; the caller tries again (503)."""

    status = 503
    default_code = "store"


class NotFoundError(LedgerError):
    """Nothing has this name, or the asker may not know of it (404)."""

    status = 404
    default_code = "not-found"


class RuleError(LedgerError):
    """A rule file is wrong or its evaluation raised. It becomes the rule's visible health, never "did not match"."""

    default_code = "rule"


class RollbackError(LedgerError):
    """Our log contradicts a head that was signed or anchored before. Stop signing; say how to recover; never retry."""

    status = 503
    default_code = "rollback"


class ChainError(LedgerError):
    """The chain did not do what was asked. Base of the next four; the anchor worker tries again for ever."""

    status = 503
    default_code = "chain"


class ChainUnreachableError(ChainError):
    """No endpoint answered in time. Try the next one, then wait."""

    default_code = "chain-unreachable"


class ChainRevertedError(ChainError):
    """The contract refuses the call (a receipt with status 0, or eth_call reverts). `reason` is the custom error."""

    default_code = "chain-reverted"

    def __init__(self, detail: str, *, reason: str = "") -> None:
        super().__init__(detail)
        self.reason = reason


class ChainTimeoutError(ChainError):
    """A transaction was sent and is not mined yet. Send again with the same nonce and a higher fee."""

    default_code = "chain-timeout"


class ChainReorgError(ChainError):
    """A block that was counted is no longer on the chain. What it anchored falls back to LOGGED."""

    default_code = "chain-reorg"


class ChainMismatchError(ChainError):
    """Chain id, genesis, code hash or slots differ from the trust file. The worker does not start; says which."""

    default_code = "chain-mismatch"
