"""Slows down guessing, per client: a known device, or an address.

OWASP's device cookies (Slow Down Online Guessing Attacks with Device Cookies). A browser in which somebody signed in keeps
a cookie that says so, and has a budget of guesses of its own. All others share the budget of their address. Nothing is
counted against the account: whoever knows its name could keep its owner out that way, and strangers' guesses against a
strong password are slow enough from each address. The counts stand in the portal's store: they hold over all workers
and restarts.
"""

from __future__ import annotations

import hashlib
import hmac
import ipaddress
import re
import secrets

from flask import Response, request

from webapp.api.problems import HttpError
from webapp.context import services

FREE_FAILURES = 5
"""Five honest mistakes cost nothing."""
FIRST_WAIT_MS = 30_000
LONGEST_WAIT_MS = 15 * 60_000
"""Doubling stops here. Who has been quiet for as long again begins anew."""
DEVICE_COOKIE = "hz_device"
DEVICE_DAYS = 365
_COOKIE = re.compile(r"([A-Za-z0-9_-]{22})\.([0-9a-f]{64})")


def wait_after(failed: int) -> int:
    """Milliseconds to wait after `failed` failures in a row: nothing for the first, then 30 s, 1 min, 2 min … 15 min."""
    if failed < FREE_FAILURES:
        return 0
    return min(FIRST_WAIT_MS << min(failed - FREE_FAILURES, 10), LONGEST_WAIT_MS)


def count_before_trying(client: str) -> None:
    """Count the try as failed before the password is checked, so that guesses sent all at once cannot all be free.

    Raises: HttpError too-many-requests (429) while the client has to wait; also for the right password.
    """
    now = services().clock()
    until = services().portal.count_attempt(client, now, wait_after, LONGEST_WAIT_MS)
    if until is not None:
        seconds = -(-(until - now) // 1000)
        error = HttpError("too-many-requests", f"{seconds} s", headers={"Retry-After": str(seconds)})
        error.wait_s = seconds
        raise error


def client_of(username: str) -> str:
    """Who guesses: the device, where this account signed in before, else the address."""
    nonce = _known_device(username)
    return f"device:{nonce}" if nonce else address_key(request.remote_addr)


def remember_device(response: Response, username: str) -> None:
    """After a right password: the browser may guess on its own account from now on."""
    nonce = _known_device(username) or secrets.token_urlsafe(16)
    response.set_cookie(
        DEVICE_COOKIE,
        f"{nonce}.{_mac(username, nonce)}",
        max_age=DEVICE_DAYS * 24 * 3600,
        path="/sign-in",
        httponly=True,
        samesite="Strict",
        secure=services().https or request.is_secure,
    )


def address_key(address: str | None) -> str:
    """The address, or its /64 for IPv6, where one host owns them all."""
    try:
        ip = ipaddress.ip_address(address or "")
    except ValueError:
        return "address:?"
    if isinstance(ip, ipaddress.IPv6Address):
        return f"address:{ipaddress.ip_network((ip, 64), strict=False)}"
    return f"address:{ip}"


def _known_device(username: str) -> str | None:
    """The device's own number, where the cookie was given out for this account."""
    found = _COOKIE.fullmatch(request.cookies.get(DEVICE_COOKIE, ""))
    if found is None or not hmac.compare_digest(_mac(username, found[1]), found[2]):
        return None
    return found[1]


def _mac(username: str, nonce: str) -> str:
    return hmac.new(services().secret_key, f"device\x00{username}\x00{nonce}".encode(), hashlib.sha256).hexdigest()
