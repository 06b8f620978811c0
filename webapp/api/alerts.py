"""Alerts for machines: a list by cursor, and the live stream."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import cast

from flask import Blueprint, Response, current_app, jsonify, request
from flask.typing import ResponseReturnValue

from webapp.api.problems import HttpError
from webapp.auth import current_session, require, session_lives
from webapp.context import services
from webapp.stream import AlertHub, alert_object

blueprint = Blueprint("api_alerts", __name__)

MAX_PAGE = 500
DEFAULT_PAGE = 100
MAX_SEQ = 2**53 - 1
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
HUB = "hazledger.alert_hub"


@blueprint.get("/api/v1/alerts")
def get_alerts() -> ResponseReturnValue:
    """Alerts after a cursor, oldest first. `next` is the cursor of the following page; ask again with it at any time."""
    require("supervisor", or_session=True)
    _only("after", "limit", "holder", "rule")
    after = number_parameter("after", 0, MAX_SEQ)
    rows = services().engine.alerts(
        after_seq=after,
        holder=name_parameter("holder"),
        rule=name_parameter("rule"),
        limit=max(1, number_parameter("limit", DEFAULT_PAGE, MAX_PAGE)),
    )
    return jsonify(alerts=[alert_object(seq, alert) for seq, alert in rows], next=rows[-1][0] if rows else after)


@blueprint.get("/api/v1/stream")
def get_stream() -> Response:
    """Server-sent events: `alert` with the stream sequence as id, `heartbeat` every 5 s, `signed-out` at the end.

    Resumes after Last-Event-ID, else after `?after=`; without either it begins with what comes next.
    """
    require("supervisor", or_session=True)
    _only("after")
    hub = cast("AlertHub", current_app.extensions[HUB])
    events = hub.listen(_resume_after(), _liveness())
    response = Response(events, content_type="text/event-stream; charset=utf-8")
    response.headers["Cache-Control"] = "no-store"
    response.headers["X-Accel-Buffering"] = "no"
    return response


def _resume_after() -> int:
    last = request.headers.get("Last-Event-ID", "")
    if last:
        # The length goes first: int() refuses very long texts with another error.
        if not (last.isascii() and last.isdigit()) or len(last) > 16 or int(last) > MAX_SEQ:
            raise HttpError("bad-parameter", "Last-Event-ID is a number")
        return int(last)
    return number_parameter("after", MAX_SEQ, MAX_SEQ)


def _liveness() -> Callable[[], bool]:
    """Whether the stream may go on, asked at each heartbeat: revoking a session or a token ends its streams."""
    app = current_app._get_current_object()  # type: ignore[attr-defined]  # noqa: SLF001 - Flask's documented way
    header = request.headers.get("Authorization")
    session = current_session() if header is None else None
    if session is not None:
        session_hash = session.session_hash

        def session_alive() -> bool:
            with app.app_context():
                return session_lives(session_hash)

        return session_alive

    def token_alive() -> bool:
        with app.test_request_context(headers={"Authorization": header or ""}):
            try:
                require("supervisor")
            except HttpError:
                return False
            return True

    return token_alive


def number_parameter(name: str, default: int, maximum: int) -> int:
    """A query parameter that is a plain decimal number of 0 to `maximum`.

    Raises: HttpError bad-parameter (400).
    """
    text = request.args.get(name)
    if text is None:
        return default
    if not (text.isascii() and text.isdigit()) or len(text) > 16 or int(text) > maximum:
        raise HttpError("bad-parameter", f"{name} is a number of 0 to {maximum}", pointer=f"/{name}")
    return int(text)


def name_parameter(name: str) -> str | None:
    """A query parameter that is a plain name: credit code, issuer, rule.

    Raises: HttpError bad-parameter (400).
    """
    text = request.args.get(name)
    if text is not None and not _NAME.fullmatch(text):
        raise HttpError("bad-parameter", f"{name} is a name", pointer=f"/{name}")
    return text


def _only(*names: str) -> None:
    for name in request.args:
        if name not in names:
            raise HttpError("bad-parameter", f"known are: {', '.join(names)}")
