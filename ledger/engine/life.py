"""What the fold remembers of the lives of alerts, and what changing them asks for. The work is in `lives` and `orders`."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import msgspec

from ledger.core.life import CLOSED, OPEN, SNOOZED, SUPPRESSED, Standing
from ledger.model import UnixMs


class Life(msgspec.Struct, array_like=True):
    """One episode. Times are unix ms, -1 for none."""

    name: str
    """Rule and fingerprint: what an exception covers and a new episode is linked by."""
    rule: str
    holder: str
    site: str
    severity: str
    """The worst that was alerted."""
    opened_ms: int
    ack_ms: int
    handle_ms: int
    """How long acknowledging and handling may take; -1: no deadline."""
    stage: str = OPEN
    beside: str = ""
    turn: int = 0
    """Counts every change that a supervisor has to have seen: the ETag."""
    due_ms: int = -1
    """The present deadline."""
    until_ms: int = -1
    """End of a snooze or suppression."""
    handle_due_ms: int = -1
    handled_ms: int = -1
    """When it was first closed or put under an order."""
    acked_ms: int = -1
    closed_ms: int = -1
    closed_by: str = ""
    """record_id of the closing transition."""
    why: str = ""
    outcome: str = ""
    order: str = ""
    regresses: str = ""
    recovered: bool = False
    steps: int = 0
    evidenced: bool = False
    """A transition, reply or inspection brought evidence."""
    taken_back: str = ""
    """Record that came late and shows that, when it was said, what was alerted was not so, or only `stands` of it."""
    stands: str = ""
    """Severity of the band that stands for all that; "" for none."""
    stands_band: int = -1

    @property
    def standing(self) -> Standing:
        return Standing(self.stage, self.beside)


class Order(msgspec.Struct, array_like=True):
    """One order as it stands. `status`: open, waiting (a reply is to be judged), accepted, withdrawn, replaced."""

    holder: str
    site: str
    book: str
    type: str
    number: str
    severity: str
    alerts: list[str]
    index: int
    issued_ms: int
    due_ms: int
    status: str = "open"
    reply: str = ""
    waiting_ms: int = -1
    """Since when a reply waits to be judged: the clock stands still until then."""
    settled_ms: int = -1
    """When it was accepted, withdrawn or replaced."""
    late: bool = False
    """Was overdue once, whatever came of it."""


class Exempt(msgspec.Struct, array_like=True):
    """An exception or silence for one rule and fingerprint; `author` is whose key signed `record_id`."""

    until_ms: int
    reason: str
    author: str
    record_id: str


class LifeState(msgspec.Struct):
    """What the fold remembers of lives."""

    lives: dict[str, Life] = {}
    """By the episode's first alert id."""
    revisions: dict[str, str] = {}
    """Alert id of a worse band -> its episode."""
    closed: dict[str, str] = {}
    """Rule and fingerprint -> the newest closed episode."""
    orders: dict[str, Order] = {}
    """By record_id of the first order of a chain."""
    exempt: dict[str, Exempt] = {}


class Known(msgspec.Struct, array_like=True):
    """An episode that inhibits or may be inhibited, with the fields that relations compare."""

    fields: dict[str, str]
    holds: bool = True
    info: bool = False
    """Only a reminder so far: inhibits nothing."""
    by: str = ""
    """The episode that keeps it down."""


class InhibitionState(msgspec.Struct):
    """Rule -> episode (id of its first alert)."""

    known: dict[str, dict[str, Known]] = {}


@dataclass(frozen=True, slots=True)
class Step:
    """One change of one life, or a transition that was refused (`refused` is then the error's code)."""

    n: int
    """Counted from 1 within a life; of a transition that names no alert here (alert_id ""), its index."""
    alert_id: str
    index: int
    at_ms: int
    before: str
    after: str
    by: str
    """Holder or issuer whose entry did it; "" when time did."""
    record_id: str
    refused: str = ""
    note: dict[str, Any] = field(default_factory=dict)


@dataclass(slots=True)
class LifeEffects:
    """What is to be committed: names of what changed, and the steps; and the timers that the fold has to set."""

    lives: dict[str, None] = field(default_factory=dict)
    orders: dict[str, None] = field(default_factory=dict)
    steps: list[Step] = field(default_factory=list)
    timers: dict[str, int | None] = field(default_factory=dict)
    """Episode -> when it is next due; None: not at all."""


@dataclass(frozen=True, slots=True)
class Cause:
    """The entry that is being folded: whose, which, when."""

    index: int
    record_id: str
    now_ms: UnixMs
    by: str = ""


def episode_of(state: LifeState, alert_id: str) -> str:
    """The first alert of the episode that this alert belongs to."""
    return state.revisions.get(alert_id, alert_id)


def later(now_ms: int, by_ms: int) -> int:
    """So much later; -1 where there is no deadline."""
    return now_ms + by_ms if by_ms >= 0 else -1


def note_step(
    state: LifeState, episode: str, before: str, cause: Cause, to: LifeEffects, *, note: dict[str, Any] | None = None
) -> None:
    """Put down that a life came from `before` to where it stands."""
    life = state.lives[episode]
    life.steps += 1
    to.steps.append(
        Step(
            n=life.steps,
            alert_id=episode,
            index=cause.index,
            at_ms=cause.now_ms,
            before=before,
            after=life.standing.status,
            by=cause.by,
            record_id=cause.record_id,
            note=note or {},
        )
    )


def touch(episode: str, life: Life, to: LifeEffects) -> None:
    """A life changed: its row is due, and its timer is set to its next deadline."""
    to.lives[episode] = None
    due = life.until_ms if life.beside in (SNOOZED, SUPPRESSED) else life.due_ms
    to.timers[episode] = due if due >= 0 and life.stage != CLOSED else None
