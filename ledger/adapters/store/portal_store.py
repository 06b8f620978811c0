"""The portal's own file: `PortalStore` of ledger.ports. Several workers write it at once."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable

from sqlalchemy import Connection, delete, func, insert, select, text, update

from ledger.adapters.store.database import Database, Insert
from ledger.adapters.store.schema.portal import access, attempt, session, user
from ledger.adapters.store.schema.portal import token as token_table
from ledger.model import UnixMs
from ledger.ports import Token, User

SEEN_GRANULARITY_MS = 10_000
"""`touch_session` writes at most this often: a page must not cost an fsync, and idle limits are minutes."""
ACCESS_START = bytes(32)
"""The digest before the first row of the access log."""

_USER = Insert(user, upsert=("username",))
_ATTEMPT = Insert(attempt, upsert=("client",))
_TOKEN = Insert(token_table)
_ACCESS = Insert(access)


def access_digest(before: bytes, row: tuple[int, UnixMs, str, str, str]) -> bytes:
    r"""SHA-256(the row before's digest ‖ row): `row` is (n, unix ms, actor, action, target) as the ASCII of a JSON
    array without spaces, every other character as \uXXXX. The digest before row 1 is ACCESS_START.
    """
    return hashlib.sha256(before + json.dumps(row, separators=(",", ":")).encode()).digest()


class PortalStore:
    """Accounts, sessions, tokens and the access log that watches the watcher."""

    def __init__(self, database: Database) -> None:
        self._db = database

    def user(self, username: str) -> User | None:
        row = self._db.row(select(*user.c).where(user.c.username == username))
        return None if row is None else User(row[0], row[1], bool(row[2]))

    def save_user(self, user: User) -> None:
        """Insert or replace the account of that name."""
        with self._db.write() as connection:
            _USER.run(connection, [(user.username, user.password_hash, user.must_change)])

    def count_attempt(self, client: str, now: UnixMs, wait_after: Callable[[int], int], quiet_ms: int) -> UnixMs | None:
        """As the port says, in one transaction that no other worker's can cross."""
        with self._db.write() as connection:
            self._alone(connection, "attempt")
            connection.execute(delete(attempt).where(attempt.c.until_ms < now - quiet_ms))
            held = connection.execute(
                select(attempt.c.failed, attempt.c.until_ms).where(attempt.c.client == client)
            ).first()
            if held is not None and now < held[1]:
                return UnixMs(held[1])
            failed = 1 if held is None else held[0] + 1
            _ATTEMPT.run(connection, [(client, failed, now + wait_after(failed))])
        return None

    def forget_attempts(self, client: str) -> None:
        """After a right password."""
        with self._db.write() as connection:
            connection.execute(delete(attempt).where(attempt.c.client == client))

    def create_session(self, session_hash: str, username: str, now: UnixMs, expires: UnixMs) -> None:
        with self._db.write() as connection:
            connection.execute(
                insert(session).values(
                    session_hash=session_hash,
                    username=username,
                    created_ms=now,
                    seen_ms=now,
                    expires_ms=expires,
                    revoked=False,
                )
            )

    def session(self, session_hash: str) -> tuple[str, UnixMs, UnixMs, UnixMs] | None:
        """(username, created, last seen, expires); the caller compares the times with its own `now`."""
        row = self._db.row(
            select(session.c.username, session.c.created_ms, session.c.seen_ms, session.c.expires_ms).where(
                session.c.session_hash == session_hash, session.c.revoked.is_(False)
            )
        )
        return None if row is None else (row[0], row[1], row[2], row[3])

    def sessions_of(self, username: str, now: UnixMs) -> list[tuple[str, UnixMs, UnixMs, UnixMs]]:
        """(session_hash, created, last seen, expires) of sessions neither revoked nor past their end, newest first."""
        rows = self._db.rows(
            select(session.c.session_hash, session.c.created_ms, session.c.seen_ms, session.c.expires_ms)
            .where(session.c.username == username, session.c.revoked.is_(False), session.c.expires_ms > now)
            .order_by(session.c.created_ms.desc())
        )
        return [(row[0], row[1], row[2], row[3]) for row in rows]

    def touch_session(self, session_hash: str, now: UnixMs) -> None:
        """Note that the session was used; kept to SEEN_GRANULARITY_MS."""
        held = self.session(session_hash)
        if held is None or now - held[2] < SEEN_GRANULARITY_MS:
            return
        with self._db.write() as connection:
            connection.execute(
                update(session)
                .where(session.c.session_hash == session_hash, session.c.seen_ms < now)
                .values(seen_ms=now)
            )

    def revoke_session(self, session_hash: str) -> None:
        with self._db.write() as connection:
            connection.execute(update(session).where(session.c.session_hash == session_hash).values(revoked=True))

    def revoke_sessions_of(self, username: str, *, but: str | None = None) -> None:
        statement = update(session).where(session.c.username == username).values(revoked=True)
        if but is not None:
            statement = statement.where(session.c.session_hash != but)
        with self._db.write() as connection:
            connection.execute(statement)

    def save_token(self, token_hash: str, token: Token) -> None:
        """StoreError when the token or its id is there already."""
        row = (
            token_hash,
            token.token_id,
            token.role,
            token.holder,
            token.created_ms,
            token.expires_ms,
            token.revoked_ms,
        )
        with self._db.write() as connection:
            _TOKEN.run(connection, [row])

    def token(self, token_hash: str) -> Token | None:
        """The token's row, also when revoked or expired: the caller compares the times."""
        row = self._db.row(select(*token_table.c).where(token_table.c.token_hash == token_hash))
        return None if row is None else Token(*row[1:])

    def tokens(self) -> list[Token]:
        """In the order in which they were made."""
        rows = self._db.rows(select(*token_table.c))
        return [Token(*row[1:]) for row in sorted(rows, key=lambda row: (row.created_ms, row.token_id))]

    def revoke_token(self, token_id: str, now: UnixMs) -> None:
        """The first revocation's time stands."""
        with self._db.write() as connection:
            connection.execute(
                update(token_table)
                .where(token_table.c.token_id == token_id, token_table.c.revoked_ms.is_(None))
                .values(revoked_ms=now)
            )

    def log_access(self, actor: str, action: str, target: str, now: UnixMs) -> str:
        """Append a row to the chain, in one transaction that no other worker's can cross; its digest in hex."""
        actor, action, target = _storable(actor), _storable(action), _storable(target)
        with self._db.write() as connection:
            self._alone(connection, "access")
            last = connection.execute(select(access.c.n, access.c.digest).order_by(access.c.n.desc()).limit(1)).first()
            n, before = (1, ACCESS_START) if last is None else (last[0] + 1, last[1])
            row = (n, now, actor, action, target)
            digest = access_digest(before, row)
            _ACCESS.run(connection, [(*row, digest)])
        return digest.hex()

    def _alone(self, connection: Connection, table: str) -> None:
        """SQLite's BEGIN IMMEDIATE is this lock; PostgreSQL would let two read the same row and both write it."""
        if not self._db.is_sqlite:
            connection.execute(text(f"LOCK TABLE {table} IN SHARE ROW EXCLUSIVE MODE"))

    def access_log(self, *, after: int, limit: int) -> list[tuple[int, UnixMs, str, str, str, str]]:
        """(n, unix ms, actor, action, target, digest in hex), ascending by n, those with n > `after`."""
        rows = self._db.rows(select(*access.c).where(access.c.n > after).order_by(access.c.n).limit(max(limit, 0)))
        return [(row[0], row[1], row[2], row[3], row[4], row[5].hex()) for row in rows]

    def access_count(self) -> int:
        """How many rows the access log has."""
        return int(self._db.scalar(select(func.coalesce(func.max(access.c.n), 0))))


def _storable(value: str) -> str:
    """What a browser sent may hold a NUL or a lone surrogate; PostgreSQL takes neither, and the row must be written."""
    return value.encode("utf-8", "backslashreplace").decode().replace("\x00", "\\x00")
