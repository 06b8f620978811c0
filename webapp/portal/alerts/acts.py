"""The forms of an alert's page: each a signed step, an order, or the judgement of a reply."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from flask import request

from ledger.core.encoding import is_hex_32
from ledger.core.life import CLOSED, OUTCOMES, SNOOZED, STATUSES, SUPPRESSED
from ledger.core.times import format_utc
from ledger.errors import DeskError, TransitionError
from ledger.handling import Act, Done, NewOrder
from ledger.model import RecordId, UnixMs
from ledger.ports import LifeRow
from webapp.api.problems import HttpError
from webapp.context import services
from webapp.desk import handler, open_key
from webapp.portal.access import log_act, session_here
from webapp.portal.signin.queries import confirm_password

T = TypeVar("T")
DAY_MS = 86_400_000
SNOOZE_DAYS = (1, 3, 7)
EXCEPTION_DAYS = (7, 30, 90, 180)
DUE_DAYS = (1, 3, 7, 15, 30)
REASONS = ("awaiting-evidence", "known-cause", "test-or-repair", "other")
MEASURES = ("mend-stock", "mend-records", "stop-and-report", "move-stock", "renew-licence", "improve-security", "other")
DECISIONS = ("accepted", "rejected", "extended", "withdrawn")
_TEXT = 1024
_MEDIA_TYPE = re.compile(r"[a-z0-9][a-z0-9.+-]{0,62}/[a-z0-9][a-z0-9.+-]{0,62}")
_BYTES = re.compile(r"[1-9][0-9]{0,9}")
_MAX_EVIDENCE = 1 << 32
"""Bytes of a file of evidence (formats.md)."""
_BEGINNING = re.compile(r"[0-9a-f]{6,64}")


def perform(alert_id: str, life: LifeRow) -> None:
    """Do what the form says about the alert as it was shown, at the version in the form.

    Raises: TransitionError, StaleError, DeskError (what the page then says), HttpError bad-request, OverloadedError.
    """
    _open_with_password()
    what = request.form.get("act", "")
    turn = _version()
    session = session_here().session_hash
    done: Sequence[Done]
    if what == "order":
        record_id, done = handler().issue(session, [(alert_id, turn)], _order())
        log_act("order-issued", record_id)
    elif what in DECISIONS:
        days = _days("days", DUE_DAYS) if what == "extended" else None
        due_ms = UnixMs(services().clock() + days * DAY_MS) if days else None
        if not life.order_id:
            raise TransitionError("there is no order about this alert")
        record_id, done = handler().decide(session, RecordId(life.order_id), what, due_ms=due_ms, text=_text())
        log_act("order-decided", record_id)
    elif what in STATUSES:
        done = handler().act(session, [(alert_id, turn)], _step(what))
        log_act("alert-step", alert_id)
    else:
        raise HttpError("bad-request", "unknown act")
    for one in done:
        if one.error is not None:
            raise one.error


def _step(to: str) -> Act:
    now = services().clock()
    if to == CLOSED:
        outcome = request.form.get("outcome", "")
        return Act(
            to,
            outcome=outcome if outcome in OUTCOMES else None,
            referred_to=request.form.get("referred_to", "").strip()[:128] or None,
            duplicate_of=_whole(
                "duplicate_of", lambda t: [a.alert_id for a in services().engine.alerts_named(t, limit=2)]
            ),
            evidence=_evidence(),
            text=_text(),
        )
    if to in (SNOOZED, SUPPRESSED):
        days = _days("days", SNOOZE_DAYS if to == SNOOZED else EXCEPTION_DAYS)
        return Act(to, reason=_word("reason", REASONS), until=format_utc(UnixMs(now + days * DAY_MS)), text=_text())
    inspection = _whole("inspection", lambda t: [r.record_id for r in services().log.records_named(t, limit=2)])
    return Act(to, inspection=inspection, text=_text())


def _evidence() -> tuple[dict[str, Any], ...]:
    """What the form says of a file that stays with the supervisor; nothing when its fields are empty.

    Raises: TransitionError when they are not whole: closing cannot be undone, so half of it is not left out.
    """
    digest = request.form.get("evidence_sha256", "").strip().lower()
    size = request.form.get("evidence_bytes", "").strip()
    if not digest and not size:
        return ()
    if not is_hex_32(digest) or not _BYTES.fullmatch(size) or int(size) > _MAX_EVIDENCE:
        raise TransitionError(
            "evidence is stated by the file's SHA-256 (64 hexadecimal digits) and its size in bytes, both",
            pointer="/evidence",
        )
    media_type = request.form.get("evidence_media_type", "").partition(";")[0].strip().lower()
    known = _MEDIA_TYPE.fullmatch(media_type) is not None
    return (
        {
            "sha256": digest,
            "media_type": media_type if known else "application/octet-stream",
            "bytes": int(size),
            "role": "evidence",
        },
    )


def _whole(name: str, named: Callable[[str], Sequence[str]]) -> str | None:
    """The id in the form's field, or the only one that begins so; what names nothing is left as it is, for the door to refuse.

    Raises: TransitionError when several begin so.
    """
    text = request.form.get(name, "").strip().lower().rstrip("….")
    if not _BEGINNING.fullmatch(text):
        return text or None
    found = named(text)
    if len(found) > 1:
        raise TransitionError(f"more than one id begins with {text}; give more digits", pointer=f"/{name}")
    return found[0] if found else text


def _order() -> NewOrder:
    given = request.form.get("days", "")
    due_ms = UnixMs(services().clock() + _days("days", DUE_DAYS) * DAY_MS) if given else None
    return NewOrder(_word("measure", MEASURES), due_ms, text=_text())


def _open_with_password() -> None:
    """A password in the form confirms who acts, and unlocks the key again."""
    password = request.form.get("password", "")
    if not password:
        return
    session = session_here()
    if not confirm_password(session, password):
        raise DeskError("the password is wrong", code="key-wrong-password")
    open_key(session.session_hash, session.username, password)


def _version() -> int:
    text = request.form.get("version", "")
    if not (text.isascii() and text.isdigit()) or len(text) > 15:
        raise HttpError("bad-request", "the form is not whole; load the page again")
    return int(text)


def _days(name: str, allowed: Sequence[int]) -> int:
    return _chosen(name, allowed, lambda text: int(text) if text.isascii() and text.isdigit() and len(text) < 4 else -1)


def _word(name: str, allowed: Sequence[str]) -> str:
    return _chosen(name, allowed, str)


def _chosen(name: str, allowed: Sequence[T], read: Callable[[str], T]) -> T:
    found = read(request.form.get(name, ""))
    if found not in allowed:
        raise HttpError("bad-request", f"{name} is none of those offered")
    return found


def _text() -> str:
    return request.form.get("text", "").strip()[:_TEXT]
