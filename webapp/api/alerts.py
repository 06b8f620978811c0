"""Alerts for machines: a list by cursor, and the live stream."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any, cast

from flask import Blueprint, Response, current_app, jsonify, request
from flask.typing import ResponseReturnValue

from ledger.core.encoding import is_hex_32
from ledger.core.life import STATUSES, possible
from ledger.errors import NotFoundError
from ledger.handling import standing_of
from ledger.model import Alert
from ledger.ports import LifeRow, QueueFilter, StepRow
from webapp.api.problems import HttpError
from webapp.auth import current_session, require, session_lives
from webapp.context import services
from webapp.stream import AlertHub, alert_object

blueprint = Blueprint("api_alerts", __name__)

SEVERITIES = ("critical", "high", "medium", "low", "info")
MAX_PAGE = 500
DEFAULT_PAGE = 100
MAX_SEQ = 2**53 - 1
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
HUB = "hazledger.alert_hub"


@blueprint.get("/api/v1/alerts")
def get_alerts() -> ResponseReturnValue:
    """Alerts after a cursor, oldest first. `next` is the cursor of the following page; ask again with it at any time."""
    require("supervisor", or_session=True)
    _only("after", "limit", "holder", "rule", "severity", "status")
    after = number_parameter("after", 0, MAX_SEQ)
    limit = max(1, number_parameter("limit", DEFAULT_PAGE, MAX_PAGE))
    holder, rule = name_parameter("holder"), name_parameter("rule")
    statuses, severity = words_parameter("status", STATUSES), words_parameter("severity", SEVERITIES)
    if statuses is None and severity is None:
        rows = services().engine.alerts(after_seq=after, holder=holder, rule=rule, limit=limit)
    else:
        where = QueueFilter(statuses, severity, holder, rule, after_seq=after)
        rows = [(seq, alert) for seq, alert, _ in services().engine.queue(where, limit=limit)]
    lives = services().engine.lives([alert for _, alert in rows])
    return jsonify(
        alerts=[shown(seq, alert, lives.get(alert.alert_id)) for seq, alert in rows],
        next=rows[-1][0] if rows else after,
    )


@blueprint.get("/api/v1/alerts/<alert_id>")
def get_alert(alert_id: str) -> ResponseReturnValue:
    """One alert: where it stands, what can be done, and all that happened. The ETag is what an act sends in If-Match."""
    require("supervisor", or_session=True)
    _only()
    found = services().engine.alert_at(alert_id) if is_hex_32(alert_id) else None
    if found is None:
        raise NotFoundError("")
    seq, alert = found
    life = services().engine.lives([alert]).get(alert_id)
    steps = services().engine.steps(life.alert_id) if life else []
    response = jsonify(
        shown(seq, alert, life)
        | {"possible": list(possible(standing_of(life))) if life else [], "steps": [_step_object(s) for s in steps]}
    )
    if life is not None:
        response.headers["ETag"] = etag_of(life)
    return response


def shown(seq: int, alert: Alert, life: LifeRow | None) -> dict[str, Any]:
    """An alert with where it stands; `life` is None for an alert whose life the engine's tables do not hold."""
    status = {"status": life.status} if life is not None else {}
    return alert_object(seq, alert) | status | {"life": None if life is None else life_object(life)}


def life_object(life: LifeRow) -> dict[str, Any]:
    """Where an alert's episode stands."""
    return {
        "alert_id": life.alert_id,
        "version": life.turn,
        "status": life.status,
        "stage": life.stage,
        "severity": life.severity,
        "due_ms": life.due_ms,
        "until_ms": life.until_ms,
        "handle_due_ms": life.handle_due_ms,
        "handled_ms": life.handled_ms,
        "closed_ms": life.closed_ms,
        "outcome": life.outcome or None,
        "order": life.order_id or None,
        "recovered": life.recovered,
        "why": life.data.get("why") or None,
        "regresses": life.data.get("regresses") or None,
        "taken_back": life.data.get("taken_back") or None,
        "stands": life.data.get("stands") or None,
    }


def etag_of(life: LifeRow) -> str:
    """The version that a supervisor saw."""
    return f'"{life.turn}"'


def _step_object(step: StepRow) -> dict[str, Any]:
    return {
        "n": step.n,
        "index": step.index,
        "at_ms": step.at_ms,
        "from": step.before or None,
        "to": step.after,
        "by": step.by or None,
        "record_id": step.record_id,
        "refused": step.refused or None,
        "note": step.note,
    }


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


def words_parameter(name: str, words: Sequence[str]) -> tuple[str, ...] | None:
    """A query parameter that lists words, with commas between. HttpError bad-parameter (400) for an unknown one."""
    text = request.args.get(name)
    if text is None:
        return None
    given = tuple(dict.fromkeys(text.split(",")))
    if not set(given) <= set(words):
        raise HttpError("bad-parameter", f"{name} lists some of: {', '.join(words)}", pointer=f"/{name}")
    return given


def _only(*names: str) -> None:
    for name in request.args:
        if name not in names:
            raise HttpError("bad-parameter", f"known are: {', '.join(names)}")
