"""The portal's own file: accounts, sessions, tokens, the access log."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from ledger.model import UnixMs


@dataclass(frozen=True, slots=True)
class Token:
    """A bearer token's row; the token itself is kept only as its SHA-256."""

    token_id: str
    role: str
    """enterprise, auditor or supervisor."""
    holder: str | None
    created_ms: UnixMs
    expires_ms: UnixMs
    revoked_ms: UnixMs | None


@dataclass(frozen=True, slots=True)
class User:
    """The supervisor's account. `must_change` until the one-time code was replaced by a password."""

    username: str
    password_hash: str
    must_change: bool


class PortalStore(Protocol):
    """The portal's own file: accounts, sessions, tokens, the hash-chained access log. Several workers write it."""

    def user(self, username: str) -> User | None: ...
    def save_user(self, user: User) -> None: ...
    def count_attempt(self, client: str, now: UnixMs, wait_after: Callable[[int], int], quiet_ms: int) -> UnixMs | None:
        """Count one more failure of the client, which then waits `wait_after(failures in a row)` ms; None. Or, while it
        has to wait, count nothing: until when. Who was quiet for `quiet_ms` after a wait begins anew.
        """

    def forget_attempts(self, client: str) -> None: ...
    def create_session(self, session_hash: str, username: str, now: UnixMs, expires: UnixMs) -> None: ...
    def session(self, session_hash: str) -> tuple[str, UnixMs, UnixMs, UnixMs] | None:
        """(username, created, last seen, expires); None when unknown or revoked."""

    def touch_session(self, session_hash: str, now: UnixMs) -> None: ...
    def revoke_session(self, session_hash: str) -> None: ...
    def revoke_sessions_of(self, username: str, *, but: str | None = None) -> None: ...
    def save_token(self, token_hash: str, token: Token) -> None: ...
    def token(self, token_hash: str) -> Token | None: ...
    def tokens(self) -> list[Token]: ...
    def revoke_token(self, token_id: str, now: UnixMs) -> None: ...
    def log_access(self, actor: str, action: str, target: str, now: UnixMs) -> str:
        """Append to the hash-chained access log; the new chain digest, hex."""

    def access_log(self, *, after: int, limit: int) -> list[tuple[int, UnixMs, str, str, str, str]]: ...
    def access_count(self) -> int:
        """How many rows the access log has; they are numbered from 1, without a gap."""
