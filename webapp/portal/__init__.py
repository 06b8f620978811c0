"""The supervisor's portal: one feature a package, the same file names in each (views, queries, templates)."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, Flask, Response, make_response, redirect, render_template, request

from webapp.auth import current_session
from webapp.context import services
from webapp.i18n import LANGUAGE_COOKIE, LANGUAGES, language, pick
from webapp.i18n import gettext as _
from webapp.portal import alerts, enterprises, labels, names, overview, records, rules, search, signin, trust
from webapp.portal.presenting import FILTERS
from webapp.security import csrf_token

COOKIE_YEAR_S = 365 * 24 * 3600
FEATURES = (signin, overview, enterprises, records, alerts, rules, trust, search)

blueprint = Blueprint("portal", __name__)


def install(app: Flask) -> None:
    names.install(app)
    app.register_blueprint(blueprint)
    for feature in FEATURES:
        app.register_blueprint(feature.blueprint)
    app.jinja_env.filters.update(FILTERS)
    app.jinja_env.trim_blocks = app.jinja_env.lstrip_blocks = True
    app.context_processor(_common)


def _common() -> dict[str, Any]:
    """What every page shows: who is signed in, the language, the notice of simulated data."""
    session = current_session()
    return {
        "session": session,
        "lang": language(),
        "other_language": "en" if language() == "zh" else "zh",
        "notice": _notice(),
        "csrf": csrf_token(session.session_hash) if session else "",
        "now_ms": services().clock(),
        "timezone": services().timezone,
        "labels": labels,
        "here": request.full_path.rstrip("?"),
    }


def _notice() -> tuple[str, str] | None:
    """The notice of simulated data: its first sentence, always in sight, and the rest, which opens on asking."""
    text = pick(services().notice)
    if not text:
        return None
    first, stop, rest = next((parts for mark in ("。", ". ") if (parts := text.partition(mark))[2]), (text, "", ""))
    return first + stop, rest.strip()


@blueprint.get("/language/<code>")
def set_language(code: str) -> Response:
    """Remember the language in a cookie and go back to where the person was."""
    response = make_response(redirect(local_path(request.args.get("next"))))
    if code in LANGUAGES:
        response.set_cookie(
            LANGUAGE_COOKIE, code, max_age=COOKIE_YEAR_S, httponly=True, samesite="Strict", secure=services().https
        )
    return response


def local_path(path: str | None) -> str:
    """`path` when it leads nowhere else than here, else the first page: no open redirects."""
    return path if path and signin.is_local(path) else "/"


def error_page(problem: dict[str, Any]) -> Response:
    """A failure in the person's language, with the way back."""
    status = problem["status"]
    titles = {403: _("Not allowed"), 404: _("Not found"), 429: _("Too many attempts")}
    title = titles.get(status) or (_("Something failed") if status >= 500 else _("This request cannot be answered"))
    if status == 404:
        # The sentence of the API speaks of tokens, which nobody here has.
        problem = {**problem, "detail": _("There is no such page or record here.")}
    try:
        body = render_template("error.html", problem=problem, title=title)
    except Exception:
        # The page's own frame reads the session; when that store is what failed, plain text must do.
        if status < 500:
            raise
        return Response(
            f"{problem['title']}\n{problem['detail']}\n", status=status, content_type="text/plain; charset=utf-8"
        )
    response = Response(body, status=status, content_type="text/html; charset=utf-8")
    if status in {429, 503}:
        response.headers["Retry-After"] = "2"
    return response
