"""What a supervisor does over HTTP: unlock the key, move one alert or many, issue orders and judge replies.

Each act is signed with the supervisor's key, so a token alone does nothing: `POST /api/v1/key` unlocks it for this token.
"""

from __future__ import annotations

import re
from typing import Any

from flask import Blueprint, Response, jsonify, request
from flask.typing import ResponseReturnValue

from ledger.core import strictjson
from ledger.core.encoding import is_hex_32
from ledger.core.life import OUTCOMES, STATUSES
from ledger.core.record import read_instant
from ledger.errors import NotFoundError
from ledger.handling import MAX_BULK, Act, Done, NewOrder, unlock_key
from ledger.model import RecordId, UnixMs
from ledger.ports import OrderRow
from webapp.api.alerts import etag_of, life_object
from webapp.api.bodies import read_body, require_media_type
from webapp.api.problems import HttpError, problem_of
from webapp.auth import Reader, require
from webapp.context import services
from webapp.desk import handler

blueprint = Blueprint("api_acts", __name__)

MAX_BODY = 64 * 1024
MAX_ORDERS = 500
_WORD = re.compile(r"[a-z][a-z0-9_-]{0,31}")
_INSTANT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{3})?(Z|[+-]\d\d:\d\d)")
_ETAG = re.compile(r'"(\d{1,15})"')
_NAME = re.compile(r"[a-z][a-z0-9.-]{0,31}")
_STEP = ("to", "outcome", "referred_to", "duplicate_of", "reason", "until", "department", "order", "reply", "inspection",
         "evidence", "text")  # fmt: skip


@blueprint.post("/api/v1/key")
def post_key() -> ResponseReturnValue:
    """Unlock the supervisor's key for this token, until it was idle for 15 minutes. Again: the password anew."""
    reader = require("supervisor")
    body = _object("name", "password")
    name, password = _text(body, "name", _NAME), _text(body, "password")
    # Guesses with one token count against it, right or wrong, before the password is tried.
    _slow_down(reader)
    keyid = unlock_key(services().desk, services().portal.user(name), _session(reader), name, password)
    services().portal.forget_attempts(f"key:{reader.name}")
    _log(reader, "key-unlocked", name)
    return jsonify(keyid=keyid)


@blueprint.delete("/api/v1/key")
def delete_key() -> ResponseReturnValue:
    """Lock it again."""
    reader = require("supervisor")
    services().desk.lock(_session(reader))
    return "", 204


@blueprint.post("/api/v1/alerts/<alert_id>/transitions")
def post_transition(alert_id: str) -> ResponseReturnValue:
    """One step of one alert. If-Match carries the ETag of what was seen."""
    reader = require("supervisor")
    turn = _if_match()
    act = _act(_object("to", optional=_STEP[1:]))
    (done,) = handler().act(_session(reader), [(_alert_id(alert_id), turn)], act)
    _log(reader, f"alert-{act.to}", alert_id)
    if done.error is not None:
        raise done.error
    return _answered(done)


@blueprint.post("/api/v1/alerts:act")
def post_act() -> ResponseReturnValue:
    """The same step of a frozen list of alerts, each with the version that was seen; one answer each, in order."""
    reader = require("supervisor")
    body = _object("alerts", "to", optional=_STEP[1:])
    act = _act(body)
    wanted = _wanted(body)
    done = handler().act(_session(reader), wanted, act)
    for one in done:
        _log(reader, f"alert-{act.to}", one.alert_id)
    return jsonify(results=[_result(one) for one in done])


@blueprint.get("/api/v1/orders")
def get_orders() -> ResponseReturnValue:
    """An enterprise's own open orders, or a supervisor's view of all open ones; newest first."""
    reader = require("enterprise", "supervisor")
    rows = services().engine.orders(holder=reader.holder, open_only=True, limit=MAX_ORDERS)
    return jsonify(orders=[order_object(row) for row in rows])


@blueprint.post("/api/v1/orders")
def post_order() -> ResponseReturnValue:
    """An order about alerts of one site; each of them is put under it."""
    reader = require("supervisor")
    body = _object("alerts", "measure", optional=("due", "type", "number", "text"))
    new = NewOrder(
        measure=_text(body, "measure", _WORD),
        due_ms=_instant(body, "due"),
        type=_one_of(body, "type", ("rectification", "spot_check", "penalty")) or "rectification",
        number=_optional(body, "number", re.compile(r"[A-Za-z0-9][A-Za-z0-9._:/-]{0,63}")),
        text=_optional(body, "text") or "",
    )
    record_id, done = handler().issue(_session(reader), _wanted(body), new)
    _log(reader, "order-issued", record_id)
    return jsonify(record_id=record_id, results=[_result(one) for one in done]), 201


@blueprint.post("/api/v1/orders/<record_id>/decisions")
def post_decision(record_id: str) -> ResponseReturnValue:
    """accepted, rejected, extended or withdrawn; the alerts under the order move accordingly."""
    reader = require("supervisor")
    body = _object("decision", optional=("due", "text"))
    decision = _one_of(body, "decision", ("accepted", "rejected", "extended", "withdrawn")) or ""
    if not is_hex_32(record_id):
        raise NotFoundError("")
    made, done = handler().decide(
        _session(reader),
        RecordId(record_id),
        decision,
        due_ms=_instant(body, "due"),
        text=_optional(body, "text") or "",
    )
    _log(reader, f"order-{decision}", record_id)
    return jsonify(record_id=made, results=[_result(one) for one in done]), 201


@blueprint.get("/api/v1/handling")
def get_handling() -> ResponseReturnValue:
    """The handling rate, always with both its numbers, and how many alerts stand where."""
    require("supervisor", or_session=True)
    now = services().clock()
    handled, due = services().engine.handling(now)
    return jsonify(handled=handled, due=due, statuses=services().engine.status_counts(), as_of_ms=now)


def order_object(row: OrderRow) -> dict[str, Any]:
    """An order as the API shows it; its findings and texts are in its record."""
    return {
        "record_id": row.record_id,
        "holder": row.holder,
        "site": row.site,
        "type": row.type,
        "number": row.number,
        "severity": row.severity,
        "status": row.status,
        "issued_ms": row.issued_ms,
        "due_ms": row.due_ms,
        "reply": row.reply or None,
        "late": row.late,
        "alerts": list(row.alerts),
    }


# --- answers ---------------------------------------------------------------------------------------------------------


def _answered(done: Done) -> Response:
    """201 once the fold has it; 202 while it has not come so far: the entry is durable either way."""
    response = jsonify(_moved(done))
    response.status_code = 202 if done.life is None else 201
    if done.life is not None:
        response.headers["ETag"] = etag_of(done.life)
    return response


def _result(done: Done) -> dict[str, Any]:
    if done.error is not None:
        return problem_of(done.error) | {"alert_id": done.alert_id}
    return {"status": 202 if done.life is None else 201, "alert_id": done.alert_id, **_moved(done)}


def _moved(done: Done) -> dict[str, Any]:
    return {"record_id": done.record_id, "life": None if done.life is None else life_object(done.life)}


# --- what was sent ---------------------------------------------------------------------------------------------------


def _object(*required: str, optional: tuple[str, ...] = ()) -> dict[str, Any]:
    """The body: one strict JSON object with these members and no others. HttpError bad-request, naming the member."""
    require_media_type("application/json")
    body = strictjson.loads(read_body(MAX_BODY))
    if not isinstance(body, dict):
        raise HttpError("bad-request", "send a JSON object")
    for name in body:
        if name not in required and name not in optional:
            raise HttpError("bad-request", f"known are: {', '.join((*required, *optional))}", pointer=f"/{name[:64]}")
    for name in required:
        if name not in body:
            raise HttpError("bad-request", f"{name} is needed", pointer=f"/{name}")
    return body


def _act(body: dict[str, Any]) -> Act:
    return Act(
        to=_one_of(body, "to", STATUSES) or "",
        outcome=_one_of(body, "outcome", OUTCOMES),
        referred_to=_optional(body, "referred_to", re.compile(r"[^\x00-\x1f\x7f]{1,128}")),
        duplicate_of=_hex(body, "duplicate_of"),
        reason=_optional(body, "reason", _WORD),
        until=_optional(body, "until", _INSTANT) if _instant(body, "until") is not None else None,
        department=_optional(body, "department", _WORD),
        order=_hex(body, "order"),
        reply=_hex(body, "reply"),
        inspection=_hex(body, "inspection"),
        evidence=tuple(_evidence(body)),
        text=_optional(body, "text") or "",
    )


def _evidence(body: dict[str, Any]) -> list[dict[str, Any]]:
    items = body.get("evidence", [])
    if not isinstance(items, list) or not all(isinstance(item, dict) for item in items):
        raise HttpError("bad-request", "evidence is a list of objects", pointer="/evidence")
    return items


def _wanted(body: dict[str, Any]) -> list[tuple[str, int | None]]:
    items = body["alerts"]
    if not isinstance(items, list) or not 1 <= len(items) <= MAX_BULK:
        raise HttpError("bad-request", f"alerts is a list of 1 to {MAX_BULK}", pointer="/alerts")
    wanted: list[tuple[str, int | None]] = []
    for at, item in enumerate(items):
        known = isinstance(item, dict) and set(item) == {"alert_id", "version"}
        if not known or not is_hex_32(item["alert_id"]) or type(item["version"]) is not int:
            raise HttpError("bad-request", "each is {alert_id, version}: what you saw", pointer=f"/alerts/{at}")
        wanted.append((item["alert_id"], item["version"]))
    return wanted


def _text(body: dict[str, Any], name: str, form: re.Pattern[str] | None = None) -> str:
    text = body[name]
    if not isinstance(text, str) or not text or (form is not None and not form.fullmatch(text)):
        raise HttpError("bad-request", f"{name} is not of its form", pointer=f"/{name}")
    return text


def _optional(body: dict[str, Any], name: str, form: re.Pattern[str] | None = None) -> str | None:
    return _text(body, name, form) if name in body else None


def _one_of(body: dict[str, Any], name: str, words: tuple[str, ...]) -> str | None:
    if name not in body:
        return None
    if body[name] not in words:
        raise HttpError("bad-request", f"{name} is one of: {', '.join(words)}", pointer=f"/{name}")
    return str(body[name])


def _hex(body: dict[str, Any], name: str) -> str | None:
    if name in body and not is_hex_32(body[name]):
        raise HttpError("bad-request", f"{name} is 64 lower-case hex digits", pointer=f"/{name}")
    return body.get(name)


def _instant(body: dict[str, Any], name: str) -> UnixMs | None:
    text = _optional(body, name, _INSTANT)
    try:
        return None if text is None else read_instant(text)
    except ValueError:
        raise HttpError("bad-request", f"{name} is no real moment", pointer=f"/{name}") from None


def _alert_id(text: str) -> str:
    if not is_hex_32(text):
        raise NotFoundError("")
    return text


def _if_match() -> int:
    """The version that was seen. HttpError etag-needed (428), etag-stale (412) for what is none of ours."""
    header = request.headers.get("If-Match")
    if header is None:
        raise HttpError("etag-needed")
    found = _ETAG.fullmatch(header.strip())
    if found is None:
        raise HttpError("etag-stale", "send one ETag as it was given, or look again")
    return int(found[1])


def _session(reader: Reader) -> str:
    """The name under which the sequencer keeps the key that this token unlocked."""
    return reader.name


def _slow_down(reader: Reader) -> None:
    from webapp.portal.signin.throttle import count_before_trying  # noqa: PLC0415 - the portal imports the API

    count_before_trying(f"key:{reader.name}")


def _log(reader: Reader, action: str, target: str) -> None:
    services().portal.log_access(reader.name, action, target, services().clock())
