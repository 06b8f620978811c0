"""The life of every alert, folded: births, a supervisor's transitions, orders and replies, deadlines that pass.

What a supervisor does is an `alert_transition` entry; it moves an alert only when `core.life` allows it from where the
alert stands at that index, and is otherwise kept as a refused step. What happens without anybody (a deadline, the end of
a snooze, a reply that came) follows from entries and ticks alone. So the tables of a fold from index 0 equal the live
ones. One life is one *episode*: alerts of worse bands belong to the first one's.
"""

from __future__ import annotations

from typing import Any

from ledger.core.life import (
    ACK_MS,
    ACKNOWLEDGED,
    CLOSED,
    DAY_MS,
    ESCALATED,
    HANDLE_MS,
    IN_HAND,
    OPEN,
    ORDER_ISSUED,
    OVERDUE,
    SNOOZED,
    SUPPRESSED,
    VERIFIED,
    Standing,
    after,
    check_transition,
)
from ledger.engine.inputs import Input, unix_ms
from ledger.engine.life import Cause, Exempt, Life, LifeEffects, LifeState, Step, episode_of, later, note_step, touch
from ledger.engine.orders import Orders
from ledger.errors import TransitionError
from ledger.model import Alert

KINDS = frozenset({"alert_transition", "order", "reply"})
TIMER = "LIFE"
"""Stands where a rule's name stands in the timers."""
REMEMBER_MS = 400 * DAY_MS
"""A closed alert is known for so long: a year of regressions and repeat offences, and a month."""
INHIBITED = "inhibited"


class Lives:
    """Works on a LifeState; the effects of each call go to the LifeEffects that it is given."""

    def __init__(self, state: LifeState) -> None:
        self._state = state
        self.unsettled: dict[str, tuple[str, int]] = {}
        """Episode -> (taken_back, stands_band) before the entry at index `_at`, of those that it touched."""
        self._at = -1
        self._orders = Orders(state)

    # --- what the alerts do ------------------------------------------------------------------------------------------

    def episode_of(self, alert_id: str) -> str:
        """The first alert of the episode that this alert belongs to."""
        return episode_of(self._state, alert_id)

    def is_closed(self, alert_id: str) -> bool:
        life = self._state.lives.get(self.episode_of(alert_id))
        return life is not None and life.stage == CLOSED

    def closed_before(self, rule: str, fingerprint: tuple[str, ...]) -> str:
        """The closed episode of this rule and fingerprint that a new one regresses to; "" when there is none."""
        return self._state.closed.get(_name(rule, fingerprint), "")

    def born(
        self,
        alert: Alert,
        sla: tuple[int | None, int | None],
        cause: Cause,
        to: LifeEffects,
        inhibited: str = "",
        excepted: tuple[str, int] | None = None,
    ) -> None:
        """An episode begins. `sla` is the rule's own (ack, handle); `inhibited` names the rule that keeps it down.
        `excepted` is the reason and end (unix ms) of an exception in configuration.

        Under an exception or inhibited it is there all the same, counted and visible as suppressed.
        """
        name = _name(alert.rule, alert.fingerprint)
        ack_ms, handle_ms = _deadlines(sla, alert.severity)
        life = Life(
            name=name,
            rule=alert.rule,
            holder=alert.holder,
            site=alert.site,
            severity=alert.severity,
            opened_ms=cause.now_ms,
            ack_ms=ack_ms,
            handle_ms=handle_ms,
            due_ms=later(cause.now_ms, ack_ms),
            handle_due_ms=later(cause.now_ms, handle_ms),
            regresses=str(alert.extra.get("regresses", "")),
        )
        exempt = self._state.exempt.get(name)
        if exempt is not None and exempt.until_ms > cause.now_ms:
            life.beside, life.why, life.until_ms, life.handle_due_ms = SUPPRESSED, exempt.reason, exempt.until_ms, -1
        elif excepted is not None:
            life.beside, life.why, life.until_ms, life.handle_due_ms = SUPPRESSED, *excepted, -1
        elif inhibited:
            life.beside, life.why, life.handle_due_ms = SUPPRESSED, f"{INHIBITED}:{inhibited}", -1
        self._state.lives[alert.alert_id] = life
        note_step(self._state, alert.alert_id, "", cause, to)
        touch(alert.alert_id, life, to)

    def grown(self, alert: Alert, sla: tuple[int | None, int | None], cause: Cause, to: LifeEffects) -> None:
        """A worse band of an open episode: it wakes from a snooze, and its deadlines draw in."""
        episode = self.episode_of(str(alert.extra.get("first_alert", "")))
        life = self._state.lives.get(episode)
        if life is None or life.stage == CLOSED:
            self.born(alert, sla, cause, to)
            return
        self._state.revisions[alert.alert_id] = episode
        before = life.standing.status
        ack_ms, handle_ms = _deadlines(sla, alert.severity)
        if life.beside == SNOOZED:
            life.beside, life.until_ms, life.why = "", -1, ""
            life.due_ms = later(cause.now_ms, ack_ms)
        elif life.stage == OPEN and life.beside != ESCALATED:
            life.due_ms = _sooner(life.due_ms, later(cause.now_ms, ack_ms))
        life.severity, life.ack_ms, life.handle_ms = alert.severity, ack_ms, handle_ms
        if life.beside != SUPPRESSED:
            life.handle_due_ms = _sooner(life.handle_due_ms, later(cause.now_ms, handle_ms))
        life.recovered, life.taken_back, life.stands, life.stands_band = False, "", "", -1
        life.turn += 1
        note_step(self._state, episode, before, cause, to, note={"grown": alert.severity, "alert": alert.alert_id})
        touch(episode, life, to)

    def holds_again(self, alert_id: str, holds: bool, to: LifeEffects) -> None:
        """The condition ceased, or holds again. A flag: nothing is closed by it."""
        episode = self.episode_of(alert_id)
        life = self._state.lives.get(episode)
        if life is not None and life.stage != CLOSED and life.recovered is holds:
            life.recovered = not holds
            to.lives[episode] = None

    def has_recovered(self, alert_id: str) -> bool:
        """Whether its condition was last heard to have ceased."""
        life = self._state.lives.get(self.episode_of(alert_id))
        return life is not None and life.recovered

    def is_taken_back(self, alert_id: str) -> bool:
        """Whether late data took back what was said, all or some of it."""
        life = self._state.lives.get(self.episode_of(alert_id))
        return life is not None and life.taken_back != ""

    def take_back(self, alert_id: str, cause: Cause, band: int, severity: str, to: LifeEffects) -> None:
        """The entry shows that this was not so when it was said: nothing of it (band -1), or only this band of it."""
        self._weigh(alert_id, cause, cause.record_id, band, severity, to)

    def stand_by(self, alert_id: str, cause: Cause, to: LifeEffects) -> None:
        """What was said stands as it was said."""
        self._weigh(alert_id, cause, "", -1, "", to)

    def _weigh(self, alert_id: str, cause: Cause, record_id: str, band: int, severity: str, to: LifeEffects) -> None:
        episode = self.episode_of(alert_id)
        life = self._state.lives.get(episode)
        if life is None or life.stage == CLOSED or (bool(life.taken_back), life.stands_band) == (bool(record_id), band):
            return
        if self._at != cause.index:
            self.unsettled.clear()
            self._at = cause.index
        self.unsettled.setdefault(episode, (life.taken_back, life.stands_band))
        life.taken_back, life.stands, life.stands_band = record_id, severity, band
        to.lives[episode] = None

    def settle(self, cause: Cause, to: LifeEffects) -> None:
        """After an entry: what it took back, or put back, is a step of the life. What it did and undid is none."""
        if self._at != cause.index:
            return
        for episode, before in self.unsettled.items():
            life = self._state.lives[episode]
            if (bool(life.taken_back), life.stands_band) != (bool(before[0]), before[1]):
                note = (
                    {"taken_back": life.taken_back, "stands": life.stands} if life.taken_back else {"stands": "again"}
                )
                note_step(self._state, episode, life.standing.status, cause, to, note=note)
        self.unsettled.clear()

    def is_known(self, episode: str) -> bool:
        return episode in self._state.lives

    def inhibit(self, episode: str, rule: str, cause: Cause, to: LifeEffects) -> bool:
        """An alert of `rule` keeps this episode down from now on, if nobody has touched it yet; whether it does."""
        life = self._state.lives.get(episode)
        if life is None or life.stage != OPEN or life.beside not in ("", OVERDUE):
            return False
        before = life.standing.status
        life.beside, life.why, life.handle_due_ms = SUPPRESSED, f"{INHIBITED}:{rule}", -1
        life.turn += 1
        note_step(self._state, episode, before, cause, to)
        touch(episode, life, to)
        return True

    def release(self, episode: str, cause: Cause, to: LifeEffects) -> None:
        """Nothing inhibits this episode any more: it is open."""
        life = self._state.lives.get(episode)
        if life is not None and life.beside == SUPPRESSED and life.why.startswith(f"{INHIBITED}:"):
            self._wake(episode, life, cause, to)

    # --- what people do ----------------------------------------------------------------------------------------------

    def fold(self, entry: Input, cause: Cause, to: LifeEffects) -> None:
        """One alert_transition, order or reply."""
        if entry.kind == "alert_transition":
            self._transition(entry, cause, to)
        elif entry.kind == "reply":
            self._orders.reply(entry, cause, to)
        elif entry.body.get("decision"):
            self._orders.decide(entry.body, cause, to)
        else:
            self._orders.issue(entry, cause, to)

    def _transition(self, entry: Input, cause: Cause, to: LifeEffects) -> None:
        body = entry.body
        episode = self.episode_of(body["alert"])
        life = self._state.lives.get(episode)
        until_ms = unix_ms(body["until"]) if "until" in body else None
        try:
            life = self._known(life)
            check_transition(life.standing, body, until_ms=until_ms, now_ms=cause.now_ms)
            self._orders.check(episode, life, body)
        except TransitionError as error:
            self._refuse(episode, body, cause, to, error.code)
            return
        before = life.standing
        now = after(before, body["to"])
        life.stage, life.beside = now.stage, now.beside
        life.turn += 1
        life.evidenced = life.evidenced or any(body.get(part) for part in ("evidence", "inspection"))
        if now.beside in (SNOOZED, SUPPRESSED):
            self._rest(life, body["reason"], until_ms or -1, cause)
        elif now.beside == ESCALATED:
            life.due_ms = -1
        else:
            self._advance(episode, life, before, body, cause)
        note = {part: body[part] for part in _NOTED if part in body}
        note_step(self._state, episode, before.status, cause, to, note=note)
        touch(episode, life, to)
        if life.stage == VERIFIED and life.order:
            self._orders.settle(life.order, cause, to)

    @staticmethod
    def _known(life: Life | None) -> Life:
        if life is None:
            raise TransitionError("no such alert, or closed long ago", code="not-found")
        return life

    def _rest(self, life: Life, reason: str, until_ms: int, cause: Cause) -> None:
        life.why, life.until_ms = reason, until_ms
        if life.beside == SUPPRESSED:
            life.handle_due_ms = -1
            self._state.exempt[life.name] = Exempt(until_ms, reason, cause.by, cause.record_id)

    def _advance(self, episode: str, life: Life, before: Standing, body: dict[str, Any], cause: Cause) -> None:
        """Along the line of stages, or out of a rest to the same stage."""
        if before.beside == SUPPRESSED:
            if life.stage == before.stage:
                # Taken out of it on purpose; to close what is suppressed leaves the exception in force.
                self._state.exempt.pop(life.name, None)
            life.handle_due_ms = later(cause.now_ms, life.handle_ms)
        life.why, life.until_ms = "", -1
        if life.acked_ms < 0 and life.stage != OPEN:
            life.acked_ms = cause.now_ms
        if life.stage in (ORDER_ISSUED, CLOSED) and life.handled_ms < 0:
            life.handled_ms = cause.now_ms
        if life.stage == OPEN:
            life.due_ms = later(cause.now_ms, life.ack_ms)
        elif life.stage in (ACKNOWLEDGED, IN_HAND):
            life.due_ms = life.handle_due_ms if life.handled_ms < 0 else later(cause.now_ms, life.handle_ms)
        elif life.stage == ORDER_ISSUED:
            life.order = body["order"]
            life.due_ms = self._state.orders[life.order].due_ms
        elif life.stage == VERIFIED:
            life.due_ms = later(cause.now_ms, life.handle_ms)
        else:
            life.due_ms = -1
            life.closed_ms, life.closed_by, life.outcome = cause.now_ms, cause.record_id, body["outcome"]
            life.why = body.get("referred_to") or body.get("duplicate_of") or ""
            self._state.closed[life.name] = episode

    def _refuse(self, episode: str, body: dict[str, Any], cause: Cause, to: LifeEffects, code: str) -> None:
        life = self._state.lives.get(episode)
        if life is not None:
            life.steps += 1
        to.steps.append(
            Step(
                n=cause.index if life is None else life.steps,
                alert_id="" if life is None else episode,
                index=cause.index,
                at_ms=cause.now_ms,
                before=body["from"],
                after=body["to"],
                by=cause.by,
                record_id=cause.record_id,
                refused=code,
                note={"alert": body["alert"]},
            )
        )

    # --- what time does ----------------------------------------------------------------------------------------------

    def fire(self, episode: str, cause: Cause, to: LifeEffects) -> None:
        """The timer of this life is due: a rest ends, or a deadline has passed."""
        life = self._state.lives.get(episode)
        if life is None or life.stage == CLOSED:
            return
        before = life.standing.status
        if life.beside in (SNOOZED, SUPPRESSED):
            if 0 <= life.until_ms <= cause.now_ms:
                self._wake(episode, life, cause, to)
            return
        if not 0 <= life.due_ms <= cause.now_ms:
            return
        if life.beside == OVERDUE:
            life.beside, life.due_ms = ESCALATED, -1
        elif life.beside == "":
            life.beside = OVERDUE
            ahead = life.handle_due_ms > cause.now_ms and life.stage == OPEN
            life.due_ms = life.handle_due_ms if ahead else later(cause.now_ms, life.handle_ms)
            order = self._state.orders.get(life.order) if life.stage == ORDER_ISSUED else None
            if order is not None:
                order.late = True
                to.orders[life.order] = None
        else:
            life.due_ms = -1  # escalated: no deadline is left, and one that stayed due would fire for ever
            touch(episode, life, to)
            return
        life.turn += 1
        note_step(self._state, episode, before, cause, to)
        touch(episode, life, to)

    def _wake(self, episode: str, life: Life, cause: Cause, to: LifeEffects) -> None:
        before = life.standing.status
        if life.beside == SUPPRESSED:
            life.handle_due_ms = later(cause.now_ms, life.handle_ms)
        life.beside, life.until_ms, life.why = "", -1, ""
        life.due_ms = max(life.due_ms, later(cause.now_ms, life.ack_ms)) if life.ack_ms >= 0 else -1
        life.turn += 1
        note_step(self._state, episode, before, cause, to)
        touch(episode, life, to)

    def prune(self, now_ms: int) -> None:
        """Forget what has been closed for more than a year, exceptions that are over, and settled orders."""
        state = self._state
        old = {e for e, life in state.lives.items() if life.closed_ms >= 0 and now_ms - life.closed_ms > REMEMBER_MS}
        for episode in old:
            name = state.lives.pop(episode).name
            if state.closed.get(name) == episode:
                del state.closed[name]
        for alert_id in [alert_id for alert_id, episode in state.revisions.items() if episode in old]:
            del state.revisions[alert_id]
        for name in [name for name, exempt in state.exempt.items() if exempt.until_ms <= now_ms]:
            del state.exempt[name]
        over = [
            o for o, order in state.orders.items()
            if order.settled_ms >= 0 and now_ms - order.settled_ms > REMEMBER_MS
        ]  # fmt: skip
        for order_id in over:
            del state.orders[order_id]


_NOTED = (
    "outcome", "referred_to", "duplicate_of", "reason", "until", "department", "order", "reply", "inspection", "evidence",
)  # fmt: skip


def _name(rule: str, fingerprint: tuple[str, ...]) -> str:
    return "\x1f".join((rule, *fingerprint))


def _deadlines(sla: tuple[int | None, int | None], severity: str) -> tuple[int, int]:
    ack_ms, handle_ms = sla
    return (
        ACK_MS.get(severity, -1) if ack_ms is None else ack_ms,
        HANDLE_MS.get(severity, -1) if handle_ms is None else handle_ms,
    )


def _sooner(one_ms: int, other_ms: int) -> int:
    return min((ms for ms in (one_ms, other_ms) if ms >= 0), default=-1)
