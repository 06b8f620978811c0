"""Slows down guessing, per account and per address.

The account's count stands in the portal's store, so it holds over all workers and restarts. Addresses and names that do
not exist are counted in this worker's memory, in a bounded table: with n workers an address has up to n times as many
tries, which the account's own count still bounds.
"""

from __future__ import annotations

import ipaddress
import threading
from collections import OrderedDict
from dataclasses import replace

from ledger.model import UnixMs
from ledger.ports import User
from webapp.api.problems import HttpError
from webapp.context import services

FREE_FAILURES = 5
"""Five honest mistakes cost nothing."""
FIRST_WAIT_MS = 30_000
LONGEST_WAIT_MS = 15 * 60_000
"""Doubling stops here, so nobody can lock the supervisor out for longer than a quarter of an hour."""
FREE_FAILURES_ADDRESS = 20
"""A whole office may come from one address."""
TABLE_SIZE = 10_000


def wait_after(failed: int, free: int) -> int:
    """Milliseconds to wait after `failed` failures in a row: nothing up to `free`, then 30 s, 1 min, 2 min … 15 min."""
    if failed < free:
        return 0
    return min(FIRST_WAIT_MS << min(failed - free, 10), LONGEST_WAIT_MS)


class Throttle:
    """Counts by key, in memory; the least recently used key is forgotten when the table is full."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._rows: OrderedDict[str, tuple[int, UnixMs]] = OrderedDict()

    def check(self, key: str, now: UnixMs) -> None:
        """Raises: HttpError too-many-requests (429) while the key has to wait."""
        with self._lock:
            row = self._rows.get(key)
        if row and now < row[1]:
            raise too_many(row[1] - now)

    def failed(self, key: str, now: UnixMs, free: int) -> None:
        with self._lock:
            count, until = self._rows.pop(key, (0, UnixMs(0)))
            # Who has been quiet for as long as the longest wait begins anew.
            count = 1 if until and now - until > LONGEST_WAIT_MS else count + 1
            self._rows[key] = (count, UnixMs(now + wait_after(count, free)))
            while len(self._rows) > TABLE_SIZE:
                self._rows.popitem(last=False)

    def forget(self, key: str) -> None:
        with self._lock:
            self._rows.pop(key, None)


def check_account(user: User, now: UnixMs) -> None:
    """Raises: HttpError too-many-requests (429) while the account has to wait; also for the right password."""
    if now < user.locked_until_ms:
        raise too_many(user.locked_until_ms - now)


def count_before_trying(user: User, now: UnixMs) -> None:
    """Count the try as failed before the password is checked, so that parallel guesses cannot all be free."""
    failed = user.failed + 1
    locked = UnixMs(now + wait_after(failed, FREE_FAILURES))
    services().portal.save_user(replace(user, failed=failed, locked_until_ms=locked))


def address_key(address: str | None) -> str:
    """The address, or its /64 for IPv6, where one host owns them all."""
    try:
        ip = ipaddress.ip_address(address or "")
    except ValueError:
        return "address:?"
    if isinstance(ip, ipaddress.IPv6Address):
        return f"address:{ipaddress.ip_network((ip, 64), strict=False)}"
    return f"address:{ip}"


def too_many(wait_ms: int) -> HttpError:
    seconds = -(-wait_ms // 1000)
    error = HttpError("too-many-requests", f"{seconds} s", headers={"Retry-After": str(seconds)})
    error.wait_s = seconds
    return error
