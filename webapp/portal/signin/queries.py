"""Sessions and accounts, as the sign-in pages need them."""

from __future__ import annotations

import re
from dataclasses import replace
from urllib.parse import urlsplit

from flask import Response, request

from ledger.model import UnixMs
from ledger.ports import User
from webapp.auth import IDLE_MS, LIFETIME_MS, SESSION_COOKIE, Session
from webapp.context import services
from webapp.desk import change_password, close_key, open_key
from webapp.passwords import hash_password, one_time_code, password_matches
from webapp.portal.signin.throttle import client_of, count_before_trying
from webapp.security import hash_secret, new_secret
from webapp.services import SessionRow

USERNAME = re.compile(r"[a-z][a-z0-9._-]{0,31}")


def meant(username: str, typed: str) -> str:
    """What was typed as a password; where the account still waits for its one-time code, that code in its own form."""
    user = services().portal.user(username) if USERNAME.fullmatch(username) else None
    return (one_time_code(typed) or typed) if user is not None and user.must_change else typed


def authenticate(username: str, password: str) -> User | None:
    """The account when name and password are right, else None; either way it takes the time of one Argon2id run.

    Raises: HttpError too-many-requests (429) while the device or the address has to wait.
    """
    user = services().portal.user(username) if USERNAME.fullmatch(username) else None
    return _matched(user, password, client_of(username))


def confirm_password(session: Session, password: str) -> bool:
    """Whether the password is that of the session's account; a wrong one counts against the session.

    Raises: HttpError too-many-requests (429) while the session has to wait, even for the right password.
    """
    user = services().portal.user(session.username)
    return _matched(user, password, f"session:{session.session_hash}") is not None


def _matched(user: User | None, password: str, client: str) -> User | None:
    count_before_trying(client)
    if not password_matches(user.password_hash if user else None, password) or user is None:
        return None
    # Read again: Argon2id took a while, and a password changed meanwhile must not count.
    fresh = services().portal.user(user.username)
    if fresh is None or fresh.password_hash != user.password_hash:
        return None
    services().portal.forget_attempts(client)
    return fresh


def set_password(username: str, old: str, password: str) -> None:
    """Store the new password and end every session of the account; the supervisor's key goes along.

    The key first: where the process dies in between, the same change made again finds it done.

    Raises: OverloadedError, StoreError: nothing has changed.
    """
    user = services().portal.user(username)
    if user is None:
        return
    change_password(username, old, password)
    services().portal.save_user(replace(user, password_hash=hash_password(password), must_change=False))
    services().portal.revoke_sessions_of(username)


def begin_session(response: Response, username: str, password: str) -> None:
    """A new session under a new name (no fixation), and its cookie. The supervisor's key is unlocked for it."""
    now = services().clock()
    cookie = new_secret()
    services().portal.create_session(hash_secret(cookie), username, now, UnixMs(now + LIFETIME_MS))
    open_key(hash_secret(cookie), username, password)
    response.set_cookie(
        SESSION_COOKIE,
        cookie,
        httponly=True,
        samesite="Strict",
        secure=services().https or request.is_secure,
        path="/",
    )


def end_session(response: Response, session: Session) -> None:
    close_key(session.session_hash)
    services().portal.revoke_session(session.session_hash)
    response.delete_cookie(SESSION_COOKIE, httponly=True, samesite="Strict", path="/")


def live_sessions(session: Session) -> list[SessionRow]:
    """The account's sessions that can still act, newest use first; the present one is always among them."""
    now = services().clock()
    rows = {
        row.session_hash: row
        for row in services().sessions_of(session.username)
        if now < row.expires and now - row.last_seen < IDLE_MS
    }
    rows.setdefault(
        session.session_hash, SessionRow(session.session_hash, session.created, session.last_seen, session.expires)
    )
    return sorted(rows.values(), key=lambda row: row.last_seen, reverse=True)


def is_local(path: str) -> bool:
    """Whether a `next` parameter stays on this site: "/…", but not "//host" or "/\\host", nor either with a control
    character in between, which browsers leave out.
    """
    if not path.startswith("/") or path.startswith("//") or "\\" in path or not path.isprintable():
        return False
    try:
        parts = urlsplit(path)
    except ValueError:
        return False
    return not parts.netloc and not parts.scheme
