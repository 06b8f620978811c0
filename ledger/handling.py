"""What a supervisor does about alerts: the check at the door, the signed entries, and what the fold made of them.

Each act is one or more records under the supervisor's own key, appended in one group commit. The door refuses what cannot
be, from the tables as they stand; between that look and the append another tab may have been quicker, so the answer waits
for the fold and tells which of the two moved the alert. A transition that lost stays in the log and moves nothing.
"""

from __future__ import annotations

import re
import secrets
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from ledger.core.life import (
    CLOSED,
    HANDLE_MS,
    IN_HAND,
    ORDER_ISSUED,
    REPLY_RECEIVED,
    VERIFIED,
    Standing,
    check_transition,
    possible,
)
from ledger.core.record import parse_instant
from ledger.core.times import format_utc
from ledger.errors import DeskError, LedgerError, NotFoundError, StaleError, TransitionError
from ledger.model import Alert, Appended, RecordId, UnixMs
from ledger.ports import Desk, DeskDraft, EngineReader, LifeRow, User

MAX_BULK = 64
"""As many alerts as one order may name (order.json)."""
FOLD_WITHIN_S = 3.0
_POLL_S = 0.01
_BOOKS = {"alert_transition": "alerts", "order": "orders"}
_NOT_IN_CODES = re.compile(r"[^A-Za-z0-9._:/-]+")
MAX_TEXT = 1024
"""Bytes of a disclosed text (formats.md section 6)."""


def unlock_key(desk: Desk, account: User | None, session: str, name: str, password: str) -> str:
    """Unlock the key of `name` for a session outside the portal's own sign-in; its keyid.

    Raises:
        DeskError: `one-time-code`: the account's password was never chosen; or as `Desk.unlock`.
    """
    if account is not None and account.must_change:
        raise DeskError(
            "the account has its one-time code still, which whoever set up the installation knows too: it signs nothing. "
            "Sign in to the portal with it and choose a password",
            code="one-time-code",
        )
    return desk.unlock(session, name, password)


@dataclass(frozen=True, slots=True)
class Act:
    """One step of one or many alerts. Members are those of alert_transition.json; `text` goes by `_sd`."""

    to: str
    outcome: str | None = None
    referred_to: str | None = None
    duplicate_of: str | None = None
    reason: str | None = None
    until: str | None = None
    department: str | None = None
    order: str | None = None
    reply: str | None = None
    inspection: str | None = None
    evidence: tuple[dict[str, Any], ...] = ()
    text: str = ""

    def body(self, alert_id: str, status: str) -> dict[str, Any]:
        """The body of the transition of this alert, which stands at `status`."""
        named = {
            name: value
            for name in ("outcome", "referred_to", "duplicate_of", "reason", "until", "department", "order", "reply",
                         "inspection")
            if (value := getattr(self, name)) is not None
        }  # fmt: skip
        if self.evidence:
            named["evidence"] = list(self.evidence)
        return {"alert": alert_id, "from": status, "to": self.to, **named}


@dataclass(frozen=True, slots=True)
class NewOrder:
    """An order about one or more alerts of one site. `due_ms` None: as the worst severity asks (F02)."""

    measure: str
    due_ms: UnixMs | None = None
    type: str = "rectification"
    number: str | None = None
    text: str = ""


@dataclass(frozen=True, slots=True)
class Done:
    """What came of one alert. `life` is where it stands now; None while the fold has not come so far."""

    alert_id: str
    record_id: RecordId | None
    life: LifeRow | None
    error: LedgerError | None = None


@dataclass(frozen=True)
class Handler:
    """The supervisor's hand: `session` names the unlocked key."""

    engine: EngineReader
    desk: Desk
    clock: Callable[[], UnixMs]
    sleep: Callable[[float], None] = time.sleep
    fold_within_s: float = FOLD_WITHIN_S

    def act(self, session: str, wanted: Sequence[tuple[str, int | None]], act: Act) -> list[Done]:
        """The same step of each (alert id, turn that was seen or None), one answer each, in order.

        Raises: DeskError, OverloadedError, StoreError; what refuses a single alert is its `error`. Closing more than one
        asks for the password again.
        """
        if not 1 <= len(wanted) <= MAX_BULK:
            raise TransitionError(f"1 to {MAX_BULK} alerts at once")
        drafts: list[DeskDraft] = []
        planned: list[tuple[str, LedgerError | None]] = []
        for alert_id, turn in wanted:
            try:
                _, life = self._find(alert_id)
                drafts.append(self._draft(life, turn, act))
                planned.append((life.alert_id, None))
            except (NotFoundError, StaleError, TransitionError) as error:
                planned.append((alert_id, error))
        confirmed = act.to == CLOSED and len(wanted) > 1
        appended = self.desk.sign_and_append(session, drafts, confirmed=confirmed) if drafts else []
        self._wait(appended)
        answers = iter(appended)
        return [
            Done(alert_id, None, None, error) if error else self._done(alert_id, next(answers))
            for alert_id, error in planned
        ]

    def issue(
        self, session: str, wanted: Sequence[tuple[str, int | None]], new: NewOrder
    ) -> tuple[RecordId, list[Done]]:
        """An order about these alerts, and each put under it: all or none.

        Raises: TransitionError when one of them cannot be, or they are not of one site; StaleError; DeskError.
        """
        if not 1 <= len(wanted) <= MAX_BULK:
            raise TransitionError(f"1 to {MAX_BULK} alerts in one order")
        found = [self._find(alert_id) for alert_id, _ in wanted]
        alerts = [alert for alert, _ in found]
        if len({(alert.holder, alert.site) for alert in alerts}) != 1:
            raise TransitionError("an order goes to one enterprise and one of its sites")
        order = self._order_body(alerts, [life for _, life in found], new)
        act = Act(ORDER_ISSUED, order="@0")
        moves = [self._draft(life, turn, act) for (_, life), (_, turn) in zip(found, wanted, strict=True)]
        appended = self.desk.sign_and_append(session, [_order_draft(order, new.text), *moves], confirmed=True)
        self._wait(appended)
        done = [self._done(life.alert_id, answer) for (_, life), answer in zip(found, appended[1:], strict=True)]
        return appended[0].receipt.record_id, done

    def decide(
        self, session: str, order_id: RecordId, decision: str, *, due_ms: UnixMs | None = None, text: str = ""
    ) -> tuple[RecordId, list[Done]]:
        """accepted, rejected, extended or withdrawn: an order that says so, and each of its alerts moved accordingly."""
        order = self.engine.order(order_id)
        if order is None:
            raise NotFoundError(f"no order {order_id}")
        if order.status not in ("open", "waiting"):
            raise TransitionError(f"the order is {order.status}; nothing can be decided about it any more")
        if decision in ("accepted", "rejected") and order.status != "waiting":
            raise TransitionError("there is no reply to judge", possible=("extended", "withdrawn"))
        if decision == "extended" and (due_ms is None or due_ms <= order.due_ms):
            raise TransitionError("say until when it is extended", pointer="/due")
        body: dict[str, Any] = {
            "type": order.type,
            "holder": order.holder,
            "site": order.site,
            "findings": [],
            "basis": [],
            "due": format_utc(due_ms or order.due_ms),
            "replaces": order_id,
            "decision": decision,
            **({"challenge": "-" * 8} if order.type == "spot_check" else {}),
            **({"reply": order.reply} if order.reply else {}),
        }
        drafts = [_order_draft(body, text)]
        moved: list[str] = []
        to = {"accepted": VERIFIED, "rejected": ORDER_ISSUED, "withdrawn": IN_HAND}.get(decision)
        for alert_id in order.alerts if to else ():
            _, life = self._find(alert_id)
            stages = (REPLY_RECEIVED,) if decision == "rejected" else (ORDER_ISSUED, REPLY_RECEIVED)
            if life.order_id == order_id and life.stage in stages:
                step = Act(to or "", order=order_id if to == ORDER_ISSUED else None, reply=order.reply or None)
                if to != VERIFIED:
                    step = Act(step.to, order=step.order)
                drafts.append(self._draft(life, None, step))
                moved.append(life.alert_id)
        appended = self.desk.sign_and_append(session, drafts, confirmed=True)
        self._wait(appended)
        done = [self._done(alert_id, answer) for alert_id, answer in zip(moved, appended[1:], strict=True)]
        return appended[0].receipt.record_id, done

    # --- parts -------------------------------------------------------------------------------------------------------

    def _find(self, alert_id: str) -> tuple[Alert, LifeRow]:
        alert = self.engine.alert(alert_id)
        life = self.engine.lives([alert]).get(alert_id) if alert else None
        if alert is None or life is None:
            raise NotFoundError(f"no alert {alert_id}")
        return alert, life

    def _draft(self, life: LifeRow, turn: int | None, act: Act) -> DeskDraft:
        if turn is not None and turn != life.turn:
            raise StaleError(f"the alert changed since you looked: it is {life.status} now, at version {life.turn}")
        body = act.body(life.alert_id, life.status)
        until_ms = parse_instant(act.until) if act.until else None
        check_transition(standing_of(life), body, until_ms=until_ms, now_ms=self.clock())
        return DeskDraft("alert_transition", _BOOKS["alert_transition"], body, _text(act.text))

    def _order_body(self, alerts: Sequence[Alert], lives: Sequence[LifeRow], new: NewOrder) -> dict[str, Any]:
        now = self.clock()
        allowed = [HANDLE_MS.get(life.severity, HANDLE_MS["low"]) for life in lives]
        basis = {code for alert in alerts for text in alert.extra.get("legal_basis", ()) if (code := _code(text))}
        templates = {str(alert.extra["order_template"]) for alert in alerts if alert.extra.get("order_template")}
        return {
            "type": new.type,
            "number": new.number or f"{format_utc(now)[:10].replace('-', '')}-{lives[0].alert_id[:6]}",
            "holder": alerts[0].holder,
            "site": alerts[0].site,
            "findings": [{"code": alert.rule, "alert": alert.alert_id} for alert in alerts[:32]],
            "basis": sorted(basis)[:16],
            "measure": new.measure,
            **({"template": templates.pop()} if len(templates) == 1 else {}),
            **({"challenge": secrets.token_urlsafe(9)} if new.type == "spot_check" else {}),
            "due": format_utc(new.due_ms or UnixMs(now + min(allowed))),
            "alerts": list(dict.fromkeys(life.alert_id for life in lives)),
        }

    def _wait(self, appended: Sequence[Appended]) -> None:
        """Until the engine has folded what was appended, or for FOLD_WITHIN_S."""
        if not appended:
            return
        last = appended[-1].receipt.index
        waited_s = 0.0
        while self.engine.cursor() <= last and waited_s < self.fold_within_s:
            self.sleep(_POLL_S)
            waited_s += _POLL_S

    def _done(self, alert_id: str, answer: Appended) -> Done:
        record_id = answer.receipt.record_id
        if self.engine.cursor() <= answer.receipt.index:
            return Done(alert_id, record_id, None)
        _, life = self._find(alert_id)
        step = next((step for step in self.engine.steps(alert_id) if step.record_id == record_id), None)
        if step is not None and not step.refused:
            return Done(alert_id, record_id, life)
        error = TransitionError(
            f"somebody was quicker: the alert is {life.status} now",
            code="transition-stale",
            possible=possible(standing_of(life)),
        )
        return Done(alert_id, record_id, life, error)


def standing_of(life: LifeRow) -> Standing:
    """The state machine's view of a row."""
    return Standing(life.stage, "" if life.status == life.stage else life.status)


def _order_draft(body: dict[str, Any], text: str) -> DeskDraft:
    return DeskDraft("order", _BOOKS["order"], body, _text(text))


def _text(text: str) -> tuple[tuple[str, str], ...]:
    if len(text.encode()) > MAX_TEXT:
        raise TransitionError(f"a remark has at most {MAX_TEXT} bytes", pointer="/text")
    return (("/body/text", text),) if text else ()


def _code(text: str) -> str:
    return _NOT_IN_CODES.sub("-", text).strip("-")[:64]
