"""Who may see a page, and the check of forms."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import ParamSpec, cast

from flask import redirect, request, url_for
from flask.typing import ResponseReturnValue

from ledger.core.ids import find_personal_data
from webapp.api.problems import HttpError
from webapp.auth import Reader, Session, current_session
from webapp.context import services
from webapp.security import csrf_holds, hash_secret

P = ParamSpec("P")
MAX_TARGET = 200
"""Characters of a query kept in the access log."""


def signed_in(view: Callable[P, ResponseReturnValue]) -> Callable[P, ResponseReturnValue]:
    """Only for a live session whose one-time code was replaced; others are led to where they can mend that.

    Forms are checked here too, so that no view can forget it.
    """

    @wraps(view)
    def guarded(*args: P.args, **kwargs: P.kwargs) -> ResponseReturnValue:
        session = current_session()
        if session is None:
            here = request.full_path.rstrip("?") if request.method == "GET" else None
            return redirect(url_for("signin.sign_in", next=here))
        if session.must_change and not getattr(view, "open_before_change", False):
            return redirect(url_for("signin.password"))
        if request.method == "POST" and not csrf_holds(session.session_hash, request.form.get("csrf")):
            raise HttpError("bad-request", "the form is too old; go back, load the page again and send it once more")
        return view(*args, **kwargs)

    return guarded


def session_here() -> Session:
    """The session inside a `signed_in` view."""
    return cast("Session", current_session())


def reader_here() -> Reader:
    """The supervisor who looks, as the API knows readers."""
    return Reader(f"user:{session_here().username}", "supervisor", None)


def log_act(action: str, target: str) -> None:
    """A line of the hash-chained access log: what the signed-in supervisor saw or did.

    The log cannot be erased, so a query that itself holds personal data is kept as its SHA-256 only.
    """
    if find_personal_data(target):
        target = "sha256:" + hash_secret(target)
    services().portal.log_access(f"user:{session_here().username}", action, target[:MAX_TARGET], services().clock())
