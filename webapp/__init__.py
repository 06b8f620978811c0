"""The web process: HTTP interfaces for machines and the supervisor's portal.

`create_app` takes everything it needs; it opens nothing, reads no environment and holds no key. Safe to call once per
gunicorn worker, after the fork.
"""

from __future__ import annotations

import logging

from flask import Flask, Response, request
from werkzeug.exceptions import HTTPException

from ledger.errors import LedgerError
from webapp import api, context, i18n, portal, security
from webapp.api.alerts import HUB
from webapp.api.problems import HttpError, problem_of, problem_response
from webapp.services import Services
from webapp.stream import AlertHub

__all__ = ["Services", "create_app"]

MIN_SECRET_BYTES = 32
_log = logging.getLogger(__name__)


def create_app(services: Services) -> Flask:
    """The WSGI application over `services`.

    Raises: ValueError when the secret key is shorter than 32 bytes.
    """
    if len(services.secret_key) < MIN_SECRET_BYTES:
        raise ValueError("the secret key needs at least 32 bytes")
    app = Flask(__name__)
    # Forms of the portal are small; the API reads its bodies itself, with limits of its own.
    app.config.update(MAX_CONTENT_LENGTH=64 * 1024, MAX_FORM_MEMORY_SIZE=64 * 1024, TRUSTED_HOSTS=None)
    app.json.sort_keys = False  # type: ignore[attr-defined]
    app.json.ensure_ascii = False  # type: ignore[attr-defined]
    app.url_map.merge_slashes = False
    context.attach(app, services)
    app.extensions[HUB] = AlertHub(services)
    security.install_headers(app)
    i18n.install(app)
    api.install(app)
    portal.install(app)
    _install_errors(app)
    return app


def _install_errors(app: Flask) -> None:
    """One answer for every failure: a problem document for machines, a page in the person's language for the portal."""

    @app.errorhandler(LedgerError)
    def on_ledger_error(error: LedgerError) -> Response:
        if type(error).status >= 500 and not isinstance(error, HttpError):
            _log.warning("%s %s: %s: %s", request.method, request.path, error.code, error.detail)
        return _answer(error)

    @app.errorhandler(HTTPException)
    def on_http_error(error: HTTPException) -> Response:
        if error.code is not None and error.code < 400:
            return error.get_response()  # type: ignore[return-value]  # a redirect of the router's own
        return _answer(error)

    @app.errorhandler(Exception)
    def on_any_error(error: Exception) -> Response:
        _log.exception("%s %s failed", request.method, request.path)
        return _answer(error)


def _answer(error: Exception) -> Response:
    if request.path.startswith(api.PREFIXES):
        return problem_response(error)
    return portal.error_page(problem_of(error))
