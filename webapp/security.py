"""Headers on every answer, and CSRF tokens on every form.

The Content-Security-Policy is portal.md's, word for word: nothing inline, nothing from another origin.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from urllib.parse import urlsplit

from flask import Flask, Request, Response, request

from webapp.context import services

CSP = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "worker-src 'self'; font-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
)
HEADERS = {
    "Content-Security-Policy": CSP,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",  # with no-referrer browsers send "Origin: null" with forms
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
}
HSTS = "max-age=31536000"


def install_headers(app: Flask) -> None:
    """Set the headers on every answer, errors included; what is not cacheable on purpose is never stored."""

    @app.after_request
    def set_headers(response: Response) -> Response:
        for name, value in HEADERS.items():
            response.headers.setdefault(name, value)
        if services().https:
            response.headers.setdefault("Strict-Transport-Security", HSTS)
        response.headers.setdefault("Cache-Control", "no-store")
        if not response.headers["Cache-Control"].startswith("public"):
            response.headers.setdefault("Vary", "Accept-Language, Cookie, Authorization")
        return response


def new_secret() -> str:
    """256 random bits as base64url, for session cookies and tokens."""
    return secrets.token_urlsafe(32)


def hash_secret(secret: str) -> str:
    """What is kept at rest in place of a secret: hex SHA-256. The secret has 256 bits, so no slow hash is needed."""
    return hashlib.sha256(secret.encode()).hexdigest()


def csrf_token(bound_to: str) -> str:
    """HMAC-SHA-256 over what the browser must hold as a cookie; worthless with any other cookie."""
    return hmac.new(services().secret_key, b"csrf\x00" + bound_to.encode(), hashlib.sha256).hexdigest()


def csrf_holds(bound_to: str, sent: str | None) -> bool:
    """Whether the form's token belongs to this cookie and the browser does not say it comes from elsewhere.

    A bool, not an exception: the portal alone asks, and answers with a page, not with a problem document.
    """
    if not bound_to or not sent or not _same_origin(request):
        return False
    return hmac.compare_digest(csrf_token(bound_to).encode(), sent.encode())


def _same_origin(req: Request) -> bool:
    """Second line of defence: Sec-Fetch-Site and Origin, where the browser sends them."""
    site = req.headers.get("Sec-Fetch-Site")
    if site is not None and site not in {"same-origin", "none"}:
        return False
    origin = req.headers.get("Origin")
    try:
        return origin is None or urlsplit(origin).netloc == req.host
    except ValueError:
        return False
