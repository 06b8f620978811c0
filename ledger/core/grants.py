"""How the KeyRegistry contract names and packs a grant (chain.md, KeyRegistry).

*Not* checked: whether a grant stands on the chain, or its enroller is trusted; that is the verifier's check 4.
"""

from __future__ import annotations

import re
from typing import Protocol

from ledger.core.encoding import is_hex_32, sha256
from ledger.core.ids import check_credit_code, check_issuer
from ledger.core.record import may_sign
from ledger.model import Grant, LeafIndex, Role

WORD_BYTES = 32
ADDRESS_BYTES = 20
SIZE_BYTES = 6
"""enrolledAt and revokedAt are tree sizes below 2^48."""
MAX_SIZE = 2**48 - 1

_ADDRESS = re.compile(r"0x[0-9a-f]{40}", re.ASCII)
_NAME = r"[A-Za-z0-9][A-Za-z0-9._-]{0,31}"
_SCOPE = re.compile(rf"(?:{_NAME}/(?:{_NAME})?)?", re.ASCII)


def log_id(origin: str) -> bytes:
    """SHA-256 of the origin, UTF-8, no line end."""
    return sha256(origin.encode())


def holder_id(holder: str) -> bytes:
    """SHA-256 of the credit code or issuer."""
    return sha256(holder.encode())


def scope_id(scope: str) -> bytes:
    """SHA-256 of "site/book" or "site/"; 32 zero bytes for "" (all)."""
    return sha256(scope.encode()) if scope else bytes(WORD_BYTES)


def grant_id(log_origin: str, keyid: str, holder: str, scope: str, role: int) -> bytes:
    """The key in `grants`: SHA-256(log ‖ keyid ‖ holder ‖ scope ‖ role), five 32-byte values.

    Raises:
        ValueError: `keyid` is not 64 lower-case hex digits, or `role` is not 1 to 255.
    """
    if not is_hex_32(keyid) or not 1 <= role <= 255:
        raise ValueError("keyid or role is not of its form")
    return sha256(
        log_id(log_origin)
        + bytes.fromhex(keyid)
        + holder_id(holder)
        + scope_id(scope)
        + int(role).to_bytes(WORD_BYTES, "big")
    )


def pack_word(enroller: str, enrolled_at: int, revoked_at: int) -> bytes:
    """Enroller's address (20 bytes) ‖ enrolledAt (6) ‖ revokedAt (6, all ff is never), big-endian.

    `enroller` is 0x and 40 lower-case hex digits. ValueError for anything out of form.
    """
    if not _ADDRESS.fullmatch(enroller):
        raise ValueError("not an address in lower-case hex")
    if not (0 <= enrolled_at <= MAX_SIZE and 0 <= revoked_at <= MAX_SIZE):
        raise ValueError("a tree size has 48 bits")
    return (
        bytes.fromhex(enroller[2:]) + enrolled_at.to_bytes(SIZE_BYTES, "big") + revoked_at.to_bytes(SIZE_BYTES, "big")
    )


def unpack_word(word: bytes) -> tuple[str, int, int]:
    """(enroller as 0x-address, enrolledAt, revokedAt) of the 32 bytes; ValueError for another length."""
    if len(word) != WORD_BYTES:
        raise ValueError("a grant is one word of 32 bytes")
    return (
        "0x" + word[:ADDRESS_BYTES].hex(),
        int.from_bytes(word[ADDRESS_BYTES:-SIZE_BYTES], "big"),
        int.from_bytes(word[-SIZE_BYTES:], "big"),
    )


def check_scope(scope: str) -> None:
    """Raises ValueError unless the log can carry a grant of this scope (schema `grant`)."""
    if _SCOPE.fullmatch(scope) is None:
        raise ValueError('a scope is "site/book", "site/" for all books of a site, or "" for all')


def check_holder(holder: str) -> None:
    """Raises ValueError unless the log can carry a grant to this holder: a credit code or an issuer's name."""
    try:
        check_issuer(holder)
    except ValueError:
        check_credit_code(holder)


def scope_covers(scope: str, site: str, book: str) -> bool:
    """Whether "" (all), "site/" (all its books) or "site/book" covers this book."""
    return scope in ("", f"{site}/", f"{site}/{book}")


class Granted(Protocol):
    """What a grant allows, to whom."""

    @property
    def holder(self) -> str: ...
    @property
    def scope(self) -> str: ...
    @property
    def role(self) -> Role: ...


class Placed(Protocol):
    """What a record needs a grant for."""

    @property
    def holder(self) -> str: ...
    @property
    def site(self) -> str: ...
    @property
    def book(self) -> str: ...
    @property
    def kind(self) -> str: ...
    @property
    def is_authority(self) -> bool: ...


def covers(grant: Granted, record: Placed) -> bool:
    """Check 4 but for key and index: the record's holder, a scope with its book, a role that may sign its kind."""
    return (
        grant.holder == record.holder
        and scope_covers(grant.scope, record.site, record.book)
        and may_sign(grant.role, record.kind, is_authority=record.is_authority)
    )


class Stated(Protocol):
    """What was said of a grant before."""

    @property
    def enroller(self) -> str: ...
    @property
    def enrolled_at(self) -> int: ...
    @property
    def revoked_at(self) -> int: ...


def follows(before: Stated, enroller: str, enrolled_at: int, revoked_at: int) -> bool:
    """Whether this can be said of the same grant later: it is never renewed, and its end only comes nearer."""
    return (before.enroller, before.enrolled_at) == (enroller, enrolled_at) and revoked_at <= before.revoked_at


def in_force(grant: Grant, index: LeafIndex) -> bool:
    """Half-open: the index at which a key is revoked is the first that it may not sign."""
    return grant.enrolled_at <= index < grant.revoked_at
