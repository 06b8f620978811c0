"""The life of an alert as a pure state machine: where it stands, what a supervisor may do next, and what each step needs.

One line of stages, open → acknowledged → in hand → order issued → reply received → verified → closed, and beside it what
may lie over a stage: suppressed, snoozed, overdue, escalated. The door asks before it signs and the fold asks when it
reads the entry, by the same function. No stage leads out of `closed`, and nothing leads to nowhere: every standing that
is not closed has a way on.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ledger.errors import TransitionError
from ledger.model import UnixMs

OPEN = "open"
ACKNOWLEDGED = "acknowledged"
IN_HAND = "in_hand"
ORDER_ISSUED = "order_issued"
REPLY_RECEIVED = "reply_received"
VERIFIED = "verified"
CLOSED = "closed"
SUPPRESSED = "suppressed"
SNOOZED = "snoozed"
OVERDUE = "overdue"
ESCALATED = "escalated"

STAGES = (OPEN, ACKNOWLEDGED, IN_HAND, ORDER_ISSUED, REPLY_RECEIVED, VERIFIED, CLOSED)
BESIDE = (SUPPRESSED, SNOOZED, OVERDUE, ESCALATED)
STATUSES = (*STAGES, *BESIDE)
OUTCOMES = ("violation_confirmed", "no_violation", "false_positive", "data_error", "duplicate", "referred")

DAY_MS = 86_400_000
MAX_SNOOZE_MS = 7 * DAY_MS
MAX_EXCEPTION_MS = 180 * DAY_MS
"""engine.md: at most 7 days of snooze, at most 180 of an exception."""
SILENCE = "silence"
MAX_SILENCE_MS = 7 * DAY_MS
"""A suppression whose reason is `silence` quiets somebody's test or repair work, not a finding; so it is short."""

HANDLE_MS = {"critical": DAY_MS, "high": 3 * DAY_MS, "medium": 7 * DAY_MS, "low": 30 * DAY_MS}
"""Rectification deadlines of the catalogue's F02; also how long handling may take where a rule does not say."""
ACK_MS = {"critical": 30 * 60_000, "high": 4 * 3_600_000, "medium": DAY_MS, "low": 3 * DAY_MS}
"""Engineering default: how soon somebody has to have looked, where a rule does not say. `info` has no deadline."""

SEVERITIES = ("critical", "high", "medium", "low", "info")
TO_DO = (OPEN, OVERDUE, ESCALATED, ACKNOWLEDGED, IN_HAND, REPLY_RECEIVED, VERIFIED)
"""Where the next step is the supervisor's."""
NOBODY_DUE_MS = 2**53 - 1
"""What has no deadline comes after all that have one."""
_TURNS = dict.fromkeys(TO_DO, 0) | {ORDER_ISSUED: 1, SNOOZED: 2, SUPPRESSED: 2, CLOSED: 3}
STATUS_RANKS = {status: _TURNS[status] for status in STATUSES}
SEVERITY_RANKS = {severity: rank for rank, severity in enumerate(SEVERITIES)}

LATE = (OVERDUE, ESCALATED)
Urgency = tuple[int, int, int, int, int]
"""What an alert is sorted by where the most urgent stands first: (whose turn it is, severity, whether nobody has looked in
time, deadline, stream sequence)."""


def urgency(status: str, severity: str, due_ms: int | None, seq: int) -> Urgency:
    """First what waits for the supervisor, then for the enterprise, what rests, what is closed; in each by severity, then what
    is overdue or escalated already, then by time left. The store sorts by the same.
    """
    rank = SEVERITY_RANKS.get(severity, len(SEVERITY_RANKS))
    late = 0 if status in LATE else 1
    return (STATUS_RANKS[status], rank, late, NOBODY_DUE_MS if due_ms is None else due_ms, seq)


_ONWARD: dict[str, tuple[str, ...]] = {
    OPEN: (ACKNOWLEDGED, IN_HAND, ORDER_ISSUED, CLOSED),
    ACKNOWLEDGED: (IN_HAND, ORDER_ISSUED, VERIFIED, CLOSED),
    IN_HAND: (ORDER_ISSUED, VERIFIED, CLOSED),
    # An alert under an order ends by a check of what was done, or the order is taken back first.
    ORDER_ISSUED: (VERIFIED, IN_HAND),
    REPLY_RECEIVED: (VERIFIED, ORDER_ISSUED, IN_HAND),
    VERIFIED: (CLOSED, IN_HAND),
    CLOSED: (),
}
_MAY_REST = (OPEN, ACKNOWLEDGED, IN_HAND)
"""Stages that may be snoozed or suppressed: under an order, or with a reply to read, somebody else waits for us."""


@dataclass(frozen=True, slots=True)
class Standing:
    """Where an alert stands. `beside` is "" or what lies over the stage."""

    stage: str = OPEN
    beside: str = ""

    @property
    def status(self) -> str:
        """The one word that is shown, and that a transition names as its `from`."""
        return self.beside or self.stage


def possible(standing: Standing) -> tuple[str, ...]:
    """What a supervisor may do from here, as the `to` of a transition; empty for a closed alert only."""
    if standing.stage == CLOSED:
        return ()
    words = list(_ONWARD[standing.stage])
    if standing.beside in (SUPPRESSED, SNOOZED):
        words.insert(0, standing.stage)  # take it out of its rest, as it was
        words.append(SUPPRESSED)
        words.append(SNOOZED)
        return tuple(words)
    if standing.stage in _MAY_REST:
        words += [SNOOZED, SUPPRESSED]
    if standing.beside != ESCALATED:
        words.append(ESCALATED)
    return tuple(words)


def after(standing: Standing, to: str) -> Standing:
    """The standing after a possible transition to `to`."""
    if to in (SUPPRESSED, SNOOZED, ESCALATED):
        return Standing(standing.stage, to)
    return Standing(to, "")


def check_transition(standing: Standing, body: Mapping[str, Any], *, until_ms: UnixMs | None, now_ms: UnixMs) -> None:
    """Whether this transition (the body of an `alert_transition`) may be made now. `until_ms` is its `until`.

    Not checked: whether the order, reply or inspection that it names exists; the fold does that for orders.

    Raises: TransitionError, with what is possible instead.
    """
    to, ways = body["to"], possible(standing)
    if body["from"] != standing.status:
        raise TransitionError(
            f"the alert is {_words(standing.status)}, not {_words(body['from'])}; look again before you act",
            code="transition-stale",
            possible=ways,
        )
    if to not in ways:
        if not ways:
            raise TransitionError("the alert is closed; when it comes back it is a new one", possible=ways)
        raise TransitionError(
            f"from {_words(standing.status)} an alert cannot become {_words(to)}; possible are "
            f"{', '.join(_words(way) for way in ways)}",
            possible=ways,
        )
    if to == CLOSED:
        _check_closing(body, ways)
    elif to == ORDER_ISSUED and not body.get("order"):
        raise TransitionError("an order is needed: name its record_id in `order`", possible=ways, pointer="/order")
    elif to == VERIFIED and not any(body.get(name) for name in ("reply", "inspection", "evidence")):
        raise TransitionError(
            "say what was verified: a `reply`, an `inspection`, or `evidence`", possible=ways, pointer="/evidence"
        )
    elif to in (SNOOZED, SUPPRESSED):
        _check_rest(to, body, ways, until_ms, now_ms)


def _check_closing(body: Mapping[str, Any], ways: tuple[str, ...]) -> None:
    outcome = body.get("outcome")
    if outcome not in OUTCOMES:
        raise TransitionError(
            f"closing needs an outcome: {', '.join(OUTCOMES)}", possible=ways, pointer="/outcome", code="outcome-needed"
        )
    if outcome == "referred" and not body.get("referred_to"):
        raise TransitionError("say to which authority it was referred", possible=ways, pointer="/referred_to")
    if outcome == "duplicate" and body.get("duplicate_of", body["alert"]) == body["alert"]:
        raise TransitionError("say of which other alert it is a duplicate", possible=ways, pointer="/duplicate_of")


def _check_rest(
    to: str, body: Mapping[str, Any], ways: tuple[str, ...], until_ms: UnixMs | None, now_ms: UnixMs
) -> None:
    if not body.get("reason"):
        raise TransitionError("say why, in one code word (`reason`)", possible=ways, pointer="/reason")
    most = MAX_SNOOZE_MS if to == SNOOZED else MAX_SILENCE_MS if body["reason"] == SILENCE else MAX_EXCEPTION_MS
    if until_ms is None or not now_ms < until_ms <= now_ms + most:
        raise TransitionError(
            f"`until` must lie ahead, by {most // DAY_MS} days at most",
            possible=ways,
            pointer="/until",
            code="until-wrong",
        )


def _words(status: str) -> str:
    return status.replace("_", " ")
