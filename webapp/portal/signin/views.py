"""Pages: sign in, choose a password, sign out, sessions."""

from __future__ import annotations

import re
from typing import cast

from flask import Blueprint, Response, make_response, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from webapp.api.problems import HttpError
from webapp.auth import current_session
from webapp.context import services
from webapp.desk import close_key
from webapp.i18n import gettext as _
from webapp.i18n import ngettext
from webapp.passwords import MAX_LENGTH, MIN_LENGTH, Weakness, weakness_of
from webapp.portal.access import log_act, session_here, signed_in
from webapp.portal.signin import queries
from webapp.portal.signin.throttle import address_key, remember_device
from webapp.security import csrf_holds, csrf_token, new_secret

blueprint = Blueprint("signin", __name__, template_folder="templates")

PRE_COOKIE = "hz_form"
"""Before there is a session, the sign-in form's CSRF token is bound to this cookie."""
_COOKIE = re.compile(r"[A-Za-z0-9_-]{43}")


@blueprint.route("/sign-in", methods=["GET", "POST"])
def sign_in() -> ResponseReturnValue:
    target = request.values.get("next", "")
    target = target if queries.is_local(target) else url_for("overview.show")
    if request.method == "GET":
        return redirect(target) if current_session() else _form(target, "")
    if not csrf_holds(_pre_cookie(), request.form.get("csrf")):
        return _form(target, _("The form was too old. Please try again."), 400)
    username = request.form.get("username", "").strip().lower()
    typed = queries.meant(username, request.form.get("password", ""))
    now = services().clock()
    try:
        user = queries.authenticate(username, typed)
    except HttpError as error:
        return _form(target, _wait_text(error), 429, retry_after=error.wait_s)
    # Something typed as a name may be a password by mistake: only what looks like a name is written down.
    actor = f"user:{username}" if queries.USERNAME.fullmatch(username) else "user:?"
    if user is None:
        services().portal.log_access(actor, "sign-in-failed", address_key(request.remote_addr), now)
        return _form(target, _("Name or password is wrong."), 401)
    services().portal.log_access(actor, "sign-in", address_key(request.remote_addr), now)
    response = cast("Response", redirect(url_for("signin.password") if user.must_change else target))
    old = current_session()
    if old is not None:
        queries.end_session(response, old)
    queries.begin_session(response, user.username, typed)
    remember_device(response, user.username)
    response.delete_cookie(PRE_COOKIE, path="/sign-in", httponly=True, samesite="Strict")
    return response


@blueprint.route("/password", methods=["GET", "POST"])
def password() -> ResponseReturnValue:
    return _password()


def _password_page() -> ResponseReturnValue:
    session = session_here()
    if request.method == "GET":
        return render_template("signin/password.html", error="", min_length=MIN_LENGTH)
    old = queries.meant(session.username, request.form.get("old", ""))
    new = request.form.get("new", "")
    error = ""
    try:
        confirmed = queries.confirm_password(session, old)
    except HttpError as refused:
        return render_template("signin/password.html", error=_wait_text(refused), min_length=MIN_LENGTH), 429
    if not confirmed:
        error = _("The present password or one-time code is wrong.")
    elif new != request.form.get("again", ""):
        error = _("The two new passwords differ.")
    else:
        weakness = weakness_of(new, username=session.username, old=old)
        error = _weakness_text(weakness) if weakness else ""
    if error:
        return render_template("signin/password.html", error=error, min_length=MIN_LENGTH), 422
    queries.set_password(session.username, old, new)
    log_act("password-changed", session.username)
    response = cast("Response", redirect(url_for("overview.show")))
    queries.begin_session(response, session.username, new)
    return response


_password_page.open_before_change = True  # type: ignore[attr-defined]
_password = signed_in(_password_page)


def _sign_out() -> ResponseReturnValue:
    response = cast("Response", redirect(url_for("signin.sign_in")))
    log_act("sign-out", session_here().username)
    queries.end_session(response, session_here())
    return response


_sign_out.open_before_change = True  # type: ignore[attr-defined]
blueprint.add_url_rule("/sign-out", "sign_out", signed_in(_sign_out), methods=["POST"])


@blueprint.get("/sessions")
@signed_in
def sessions() -> ResponseReturnValue:
    return render_template("signin/sessions.html", rows=queries.live_sessions(session_here()))


@blueprint.post("/sessions/revoke")
@signed_in
def revoke() -> ResponseReturnValue:
    """End one session of one's own, or all others."""
    session, wanted = session_here(), request.form.get("session", "")
    if wanted == "others":
        for row in queries.live_sessions(session):
            if row.session_hash != session.session_hash:
                close_key(row.session_hash)
        services().portal.revoke_sessions_of(session.username, but=session.session_hash)
    elif wanted in {row.session_hash for row in queries.live_sessions(session)}:
        close_key(wanted)
        services().portal.revoke_session(wanted)
    else:
        raise HttpError("not-found")
    log_act("session-revoked", "others" if wanted == "others" else wanted[:16])
    return redirect(url_for("signin.sessions"))


def _form(target: str, error: str, status: int = 200, retry_after: int | None = None) -> Response:
    cookie = _pre_cookie() or new_secret()
    # What looks like a name stands there again.
    typed = request.form.get("username", "").strip().lower()
    username = typed if queries.USERNAME.fullmatch(typed) else ""
    page = render_template(
        "signin/sign_in.html", error=error, target=target, form_csrf=csrf_token(cookie), username=username
    )
    response = make_response(page, status)
    response.set_cookie(
        PRE_COOKIE,
        cookie,
        path="/sign-in",
        httponly=True,
        samesite="Strict",
        secure=services().https or request.is_secure,
    )
    if retry_after is not None:
        response.headers["Retry-After"] = str(retry_after)
    return response


def _pre_cookie() -> str:
    cookie = request.cookies.get(PRE_COOKIE, "")
    return cookie if _COOKIE.fullmatch(cookie) else ""


def _wait_text(error: HttpError) -> str:
    if error.wait_s is None:
        raise error
    return ngettext(
        "Too many failed attempts. Wait %(num)d second, then try again.",
        "Too many failed attempts. Wait %(num)d seconds, then try again.",
        error.wait_s,
    )


def _weakness_text(weakness: Weakness) -> str:
    return {
        "short": _("The new password needs at least %(count)d characters.", count=MIN_LENGTH),
        "long": _("The new password may have at most %(count)d characters.", count=MAX_LENGTH),
        "common": _("This password is one of those that everybody tries first."),
        "name": _("The new password may not hold your name."),
        "simple": _("The new password repeats itself or runs along the keyboard."),
        "same": _("The new password is the old one."),
    }[weakness]
