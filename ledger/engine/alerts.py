"""What the rules say: alerts, each with the exact payload of its entry in the engine's own book, and what becomes of them.

`levels` and `windows` find out what holds; here it is said (`AlertBook.say`), stands or is taken back, and its life goes on.
A rule that fails is said here too (RULE_ERROR). An alert already made is never changed.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import Any

from ledger.engine.effects import (
    Effects,
    Identity,
    Moment,
    Raised,
    alert_id_of,
    concerned,
    json_value,
    payload_of,
)
from ledger.engine.inhibition import Inhibition
from ledger.engine.inputs import Input
from ledger.engine.life import Cause
from ledger.engine.lives import TIMER, Lives
from ledger.engine.revocations import REVOKED, Voided
from ledger.engine.rules import Rule
from ledger.engine.state import RECOVERED_MS, FoldState, Health, Pending
from ledger.engine.timers import Timers
from ledger.engine.voiding import alert_about
from ledger.engine.watches import Values
from ledger.model import Alert, RecordId

__all__ = ["RULE_ERROR", "AlertBook", "Effects", "Identity", "Moment", "Raised", "alert_id_of"]

Probe = Callable[[Rule | None, str, dict[str, Any], Values | None], None]
"""(rule, subject, row, the row's features as far as they are asked for)."""
Sla = tuple[int | None, int | None]
"""(to acknowledge, to handle) in ms; None: as the severity asks."""
RULE_ERROR = "RULE-ERROR"
RULE_ERROR_QUIET_MS = 86_400_000


class AlertBook:
    """Says alerts, and keeps their lives, what keeps them down, and the rules' health in the state."""

    def __init__(self, state: FoldState, identity: Identity, rules: tuple[Rule, ...]) -> None:
        self._state = state
        self._identity = identity
        self._rules = {rule.id: rule for rule in rules}
        self.probe: Probe | None = None
        """Told of each row that is judged and by which rule, and (None) of each row as it comes; for explanations."""
        self.lives = Lives(state.life)
        self.inhibition = Inhibition(state.inhibition, rules, self.lives)
        self.timers = Timers(state.timers)
        """Of lives, and of what waits."""
        for rule_id in [*self._rules, RULE_ERROR]:
            state.health.setdefault(rule_id, Health())
            state.pending.setdefault(rule_id, {})

    def hears(self, alert_id: str, holds: bool, moment: Moment, to: Effects, *, disproved: bool = False) -> None:
        """The condition that an alert is about ceased (was never there: `disproved`), or holds again."""
        self.lives.holds_again(alert_id, holds, to.life)
        episode, cause = self.lives.episode_of(alert_id), moment.cause
        if disproved:
            self.lives.take_back(alert_id, cause, -1, "", to.life)
        if holds:
            self.inhibition.held_again(episode, cause, to.life)
        else:
            self.inhibition.ceased(episode)
        self._set_life_timers(to)

    def stands(self, rule: Rule, alert_id: str, band: int | None, moment: Moment, to: Effects) -> None:
        """Of an alert, late data leave this milder band; None: it stands as it was said."""
        if band is None:
            self.lives.stand_by(alert_id, moment.cause, to.life)
        else:
            self.lives.take_back(alert_id, moment.cause, band, rule.bands[band].severity, to.life)

    def say(
        self,
        rule: Rule,
        band: int,
        row: dict[str, Any],
        moment: Moment,
        to: Effects,
        *,
        late: bool,
        revised: tuple[str, str] | None,
    ) -> str:
        """Raise an alert on this row; of a worse band, `revised` is the alert (id, record_id) that it revises.

        Returns: record_id of the alert's entry, "" for a rule in shadow, which is only counted.
        """
        if rule.status == "shadow":
            self._state.health[rule.id].alerts += 1
            return ""
        fingerprint = tuple(row[part] for part in rule.fingerprint)
        chosen = rule.bands[band]
        extra: dict[str, Any] = {}
        cause = moment.cause
        inputs = {name: json_value(row[name]) for name in rule.inputs}
        if revised is not None:
            extra = {"revises": revised[1], "first_alert": self.lives.episode_of(revised[0])}
            self.inhibition.grown(rule.id, extra["first_alert"], chosen.severity, row, cause, to.life)
        else:
            if regresses := self.lives.closed_before(rule.id, fingerprint):
                extra = {"regresses": regresses}
            if kept := self.inhibition.keeps_down(rule.id, row):
                extra["inhibited_by"] = kept[0]
            if excepted := next((e for e in rule.exceptions if e.meets(row, moment.now_ms)), None):
                extra["excepted"] = (excepted.reason, excepted.until_ms)
        raised = self._raise(
            Alert(
                alert_id=alert_id_of(rule.id, fingerprint, moment.index),
                rule=rule.id,
                version=rule.version,
                fingerprint=fingerprint,
                first_index=moment.index,
                last_index=moment.index,
                band=band,
                severity=chosen.severity,
                holder=row["holder"],
                site=row["site"],
                reason={language: template.render(row) for language, template in chosen.reason.items()},
                inputs=inputs,
                opened_ms=moment.now_ms,
                late=late,
                extra=extra
                | {"book": row["book"], "record": row["record_id"]}
                | _for_orders(rule)
                | ({"concerns": whom} if (whom := concerned(inputs, row["holder"])) else {}),
            ),
            to,
        )
        if revised is None:
            self.inhibition.begun(rule.id, raised.alert.alert_id, chosen.severity, row, cause, to.life)
            self._set_life_timers(to)
        return raised.record_id

    def settle(self, moment: Moment, to: Effects) -> None:
        """After an entry, when all rules have seen it."""
        if self.inhibition.unsettled:
            self.inhibition.settle(moment.cause, to.life)
        if self.lives.unsettled:
            self.lives.settle(moment.cause, to.life)
        if to.life.timers:
            self._set_life_timers(to)

    def take_over(self, moment: Moment, to: Effects) -> None:
        """These rules have taken effect behind others."""
        self.inhibition.reconsider(moment.cause, to.life)
        self._set_life_timers(to)

    def goes_on(self, rule: Rule, alert_id: str, row: dict[str, Any], moment: Moment, to: Effects) -> None:
        """The condition that an alert is about holds for another row too."""
        cause = moment.cause
        self.inhibition.goes_on(rule.id, self.lives.episode_of(alert_id), row, cause, to.life)
        self._set_life_timers(to)

    def is_kept_down(self, rule: Rule, alert_id: str) -> bool:
        """Whether another rule's alert inhibits this one."""
        return bool(rule.inhibited_by) and self.inhibition.is_kept_down(rule.id, self.lives.episode_of(alert_id))

    @staticmethod
    def works(health: Health, moment: Moment) -> None:
        """A rule worked; when it has not failed for a while, it is well again."""
        if moment.now_ms - health.error_ms >= RECOVERED_MS:
            health.error = ""

    def forgive(self, moment: Moment, to: Effects) -> None:
        """Once a day: what is no rule, and so never evaluated, is well again when it has not failed for a day."""
        for name, health in self._state.health.items():
            if health.error and name not in self._rules and moment.now_ms - health.error_ms >= RULE_ERROR_QUIET_MS:
                health.error = ""
                to.touched_rules[name] = None

    def fail(self, rule_id: str, message: str, moment: Moment, to: Effects) -> None:
        """A rule (or the engine) raised: its health shows it, and one alert a day says so."""
        health = self._state.health.setdefault(rule_id, Health())
        health.error, health.error_ms = message[:500], moment.now_ms
        health.last_index = moment.index
        to.touched_rules[rule_id] = None
        pending = self._state.pending[RULE_ERROR].setdefault(rule_id, Pending())
        if pending.alert_id and moment.now_ms - pending.last_held_ms < RULE_ERROR_QUIET_MS:
            return
        pending.last_held_ms = moment.now_ms
        version = self._rules[rule_id].version if rule_id in self._rules else 1
        alert_id = alert_id_of(RULE_ERROR, (rule_id,), moment.index)
        if alert_id == pending.alert_id:
            return
        pending.alert_id = alert_id
        self._raise(
            Alert(
                alert_id=alert_id,
                rule=RULE_ERROR,
                version=version,
                fingerprint=(rule_id,),
                first_index=moment.index,
                last_index=moment.index,
                band=0,
                severity="high",
                holder=self._identity.issuer,
                site=self._identity.site,
                reason={
                    "zh": f"规则 {rule_id} 在第 {moment.index} 条记录处出错：{message[:200]}",
                    "en": f"Rule {rule_id} raised an error at entry {moment.index}: {message[:200]}",
                },
                inputs={"rule": rule_id, "error": json_value(message[:500])},
                opened_ms=moment.now_ms,
                late=False,
                extra={"book": self._identity.book, "record": moment.record_id},
            ),
            to,
        )

    def void(self, voided: Voided, moment: Moment, to: Effects) -> None:
        """A grant was revoked from an index in the past: one alert lists what it voids. The state goes on with all of it."""
        self._state.health.setdefault(REVOKED, Health())
        self._raise(alert_about(voided, moment), to)

    def _raise(self, alert: Alert, to: Effects) -> Raised:
        """Fix the alert's entry: nonce, seq and prev of the engine's own book are settled here, in the fold."""
        state = self._state
        data = payload_of(alert, self._identity, state.own_seq + 1, state.own_prev)
        record_id = RecordId(hashlib.sha256(data).hexdigest())
        state.own_seq, state.own_prev = state.own_seq + 1, record_id
        health = state.health[alert.rule]
        health.alerts += 1
        health.last_index = max(health.last_index, alert.last_index)
        to.touched_rules[alert.rule] = None
        raised = Raised(alert, data, record_id)
        to.raised.append(raised)
        self._live_on(alert, to)
        return raised

    # --- lives -------------------------------------------------------------------------------------------------------

    def _live_on(self, alert: Alert, to: Effects, sla: Sla = (None, None)) -> None:
        """A life begins with the alert, or the one that it is a worse band of goes on. `sla`: where it is no rule of this set."""
        rule = self._rules.get(alert.rule)
        sla = (rule.sla.ack_ms, rule.sla.handle_ms) if rule else sla
        cause = Cause(alert.first_index, str(alert.extra.get("record", "")), alert.opened_ms)
        if "first_alert" in alert.extra:
            self.lives.grown(alert, sla, cause, to.life)
        else:
            inhibited, excepted = str(alert.extra.get("inhibited_by", "")), alert.extra.get("excepted")
            self.lives.born(alert, sla, cause, to.life, inhibited, excepted)
        self._set_life_timers(to)

    def witness(self, alert: Alert, to: Effects, sla: Sla) -> None:
        """An alert that somebody else raised."""
        self._live_on(alert, to, sla)

    def live(self, entry: Input, moment: Moment, to: Effects) -> None:
        """Fold what a supervisor or an enterprise did about alerts: one entry of `lives.KINDS`."""
        cause = Cause(moment.index, moment.record_id, moment.now_ms, entry.holder)
        self.lives.fold(entry, cause, to.life)
        if entry.kind == "alert_transition" and self.lives.is_closed(entry.body["alert"]):
            episode = self.lives.episode_of(entry.body["alert"])
            self.inhibition.closed(episode, entry.body.get("outcome", ""))
        self._set_life_timers(to)

    def life_is_due(self, episode: str, moment: Moment, to: Effects) -> None:
        """The timer of a life is due."""
        self.lives.fire(episode, moment.cause, to.life)
        self._set_life_timers(to)

    def prune(self, now_ms: int) -> None:
        """Forget lives long closed."""
        self.lives.prune(now_ms)
        self.inhibition.prune()

    def _set_life_timers(self, to: Effects) -> None:
        for episode, due_ms in to.life.timers.items():
            self.timers.put(TIMER, episode, due_ms, to.timers)
        to.life.timers.clear()


def _for_orders(rule: Rule) -> dict[str, Any]:
    """What an order about the alert begins with: its form, and the law that the rule rests on."""
    form = {"order_template": rule.order_template} if rule.order_template else {}
    return form | {"legal_basis": list(rule.legal_basis)}
