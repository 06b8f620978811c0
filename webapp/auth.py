"""Who asks: bearer tokens of the API and sessions of the portal.

A token is `hzt_` and 256 random bits in base64url; the store keeps its SHA-256 only. An enterprise's token reads its own
holder and never learns whether another holder's record exists: for those the answer is 404, the same as for nothing.
"""

from __future__ import annotations

import re
import secrets
from dataclasses import dataclass
from typing import Literal

from flask import g, request

from ledger.model import UnixMs
from ledger.ports import Token
from webapp.api.problems import HttpError
from webapp.context import services
from webapp.desk import touch_key
from webapp.security import hash_secret, new_secret

Role = Literal["enterprise", "auditor", "supervisor"]
ROLES = ("enterprise", "auditor", "supervisor")
TOKEN_PREFIX = "hzt_"  # noqa: S105 - it marks tokens, it opens nothing
_TOKEN = re.compile(r"hzt_[A-Za-z0-9_-]{43}")
SESSION_COOKIE = "hz_session"
IDLE_MS = 15 * 60 * 1000
"""portal.md: idle 15 minutes for acting."""
LIFETIME_MS = 12 * 60 * 60 * 1000
TOUCH_EVERY_MS = 20 * 1000
"""Writing last-seen at each request would make every page a write."""


@dataclass(frozen=True, slots=True)
class Reader:
    """Somebody who may read: by token, or a signed-in supervisor."""

    name: str
    """For the access log: `token:<id>` or `user:<name>`."""
    role: Role
    holder: str | None
    """The only holder an enterprise's token may see."""

    def may_see(self, holder: str) -> bool:
        return self.role != "enterprise" or self.holder == holder


@dataclass(frozen=True, slots=True)
class Session:
    """A live session of the portal. `must_change` until the one-time code was replaced."""

    session_hash: str
    username: str
    created: UnixMs
    last_seen: UnixMs
    expires: UnixMs
    must_change: bool


def new_token(role: Role, holder: str | None, now: UnixMs, lifetime_ms: int) -> tuple[str, str, Token]:
    """(the token, shown once; its SHA-256 for `PortalStore.save_token`; its row).

    Raises: ValueError when an enterprise's token names no holder, or another role names one.
    """
    if (role == "enterprise") != (holder is not None):
        raise ValueError("a holder belongs to enterprise tokens, and only to them")
    token = TOKEN_PREFIX + new_secret()
    row = Token(
        token_id=secrets.token_hex(8),
        role=role,
        holder=holder,
        created_ms=now,
        expires_ms=UnixMs(now + lifetime_ms),
        revoked_ms=None,
    )
    return token, hash_secret(token), row


def require(*roles: Role, or_session: bool = False) -> Reader:
    """The asker, if of one of `roles`.

    Raises: HttpError no-token or bad-token (401), wrong-token-role (403).
    """
    header = request.headers.get("Authorization")
    if header is None and or_session:
        session = current_session()
        if session is not None and not session.must_change:
            return Reader(f"user:{session.username}", "supervisor", None)
    reader = _by_token(header)
    if reader.role not in roles:
        raise HttpError("wrong-token-role", f"this needs a token of role {' or '.join(roles)}")
    return reader


def _by_token(header: str | None) -> Reader:
    if header is None:
        raise HttpError("no-token")
    scheme, _, token = header.partition(" ")
    token = token.strip()
    if scheme.lower() != "bearer" or not _TOKEN.fullmatch(token):
        raise HttpError("bad-token")
    row = services().portal.token(hash_secret(token))
    now = services().clock()
    if row is None or row.revoked_ms is not None or row.expires_ms <= now:
        raise HttpError("bad-token")
    if row.role == "enterprise" and row.holder:
        return Reader(f"token:{row.token_id}", "enterprise", row.holder)
    if row.role == "auditor":
        return Reader(f"token:{row.token_id}", "auditor", None)
    if row.role == "supervisor":
        return Reader(f"token:{row.token_id}", "supervisor", None)
    raise HttpError("bad-token")


def current_session() -> Session | None:
    """The session of this request's cookie, or None when there is none, it is idle too long, ended or revoked."""
    if "session_row" not in g:
        g.session_row = _load_session(request.cookies.get(SESSION_COOKIE, ""))
    row: Session | None = g.session_row
    return row


def session_lives(session_hash: str) -> bool:
    """Whether a session was neither revoked nor ended; idleness does not count. For streams that are already open."""
    row = services().portal.session(session_hash)
    return row is not None and services().clock() < row[3]


def _load_session(cookie: str) -> Session | None:
    if not 40 <= len(cookie) <= 64:
        return None
    session_hash = hash_secret(cookie)
    row = services().portal.session(session_hash)
    if row is None:
        return None
    username, created, last_seen, expires = row
    now = services().clock()
    if now >= expires or now - last_seen >= IDLE_MS:
        services().portal.revoke_session(session_hash)
        return None
    user = services().portal.user(username)
    if user is None:
        return None
    # A page left open fetches by itself (the live stream reconnects): only pages and forms are a person's doing.
    if now - last_seen >= TOUCH_EVERY_MS and not request.path.startswith("/api/"):
        services().portal.touch_session(session_hash, now)
        touch_key(session_hash)
    return Session(session_hash, username, created, last_seen, expires, user.must_change)
