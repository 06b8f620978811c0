"""The supervisor's key as the web process sees it: opened at sign-in, locked at sign-out, behind the sequencer's socket.

That the key cannot be opened never keeps anybody out of the pages: they say so where something is to be signed.
"""

from __future__ import annotations

import logging
from collections.abc import Callable

from ledger.errors import DeskError, OverloadedError, StoreError
from ledger.handling import Handler
from webapp.context import services

_log = logging.getLogger(__name__)


def handler() -> Handler:
    """What acts on alerts."""
    return Handler(services().engine, services().desk, services().clock)


def open_key(session: str, name: str, password: str) -> bool:
    """Unlock the key of `name` for a session; False, with a line in the server's log, when that cannot be."""
    return _tried(lambda: services().desk.unlock(session, name, password), "unlocked")


def close_key(session: str) -> None:
    """Wipe what the session opened; at the latest idleness does it."""
    _tried(lambda: services().desk.lock(session), "locked")


def touch_key(session: str) -> None:
    """The person is still there."""
    _tried(lambda: services().desk.touch(session), "touched")


def change_password(name: str, old: str, new: str) -> None:
    """The key of `name` under its new password. Without such a key, or where it was under yet another password, nothing.

    Raises: OverloadedError, StoreError: the sequencer is away, nothing has changed.
    """
    try:
        services().desk.rekey(name, old, new)
    except DeskError as error:
        _log.warning("the key of %s does not follow the new password: %s", name, error.detail)


def key_is_open(session: str) -> bool:
    """Whether the session's key can sign now, as far as can be told."""
    try:
        return services().desk.touch(session)
    except (DeskError, OverloadedError, StoreError):
        return False


def _tried(call: Callable[[], object], what: str) -> bool:
    try:
        call()
    except (DeskError, OverloadedError, StoreError) as error:
        _log.info("a supervisor's key is not %s: %s", what, error.detail)
        return False
    return True
