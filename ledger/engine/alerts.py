"""From rows to alerts: bands, waits, episodes, and the signed entry's exact payload.

A band *holds* at a moment when its condition is true of the last row and has been for the band's wait. The first band
that holds counts. An alert is made when an episode begins and when it gets worse; an alert already made is never changed.
"""

from __future__ import annotations

import hashlib
import json
from base64 import urlsafe_b64encode
from dataclasses import dataclass, field
from heapq import heapify, heappop, heappush
from typing import Any

from ledger.core.ids import find_personal_data
from ledger.core.times import format_utc
from ledger.engine.expressions import Bindings
from ledger.engine.inputs import GoodsLine, Input
from ledger.engine.life import Cause, LifeEffects
from ledger.engine.lives import TIMER, Lives
from ledger.engine.registry import SUBJECTS
from ledger.engine.rules import Rule
from ledger.engine.state import FoldState, Health, Pending, Timer
from ledger.errors import RuleError
from ledger.model import Alert, LeafIndex, RecordId, UnixMs

LATE_MS = 86_400_000
"""An alert on what happened longer ago than this, when the entry came, is marked late."""
RULE_ERROR = "RULE-ERROR"
RULE_ERROR_QUIET_MS = 86_400_000
_JSON_INT = 2**53 - 1


@dataclass(frozen=True, slots=True)
class Identity:
    """Whose alerts these are: the platform's name and key, this log, the engine's own book."""

    log: str
    issuer: str
    keyid: str
    ruleset: str
    site: str = "engine"
    book: str = "alerts"


@dataclass(frozen=True, slots=True)
class Raised:
    """One alert and the payload of its entry; signed outside."""

    alert: Alert
    payload: bytes
    record_id: RecordId


@dataclass(frozen=True, slots=True)
class Moment:
    """The input that is being folded: its index, its record, and the time it stands for."""

    index: LeafIndex
    record_id: RecordId
    now_ms: UnixMs


@dataclass(slots=True)
class Effects:
    """What folding some inputs asks for; merged over a micro-batch and committed with the cursor."""

    raised: list[Raised] = field(default_factory=list)
    stock: dict[tuple[str, str, str, str], int] = field(default_factory=dict)
    """(holder, site, book, balance key) that changed -> index of the entry."""
    lines: list[tuple[Input, list[GoodsLine]]] = field(default_factory=list)
    timers: dict[str, Timer | None] = field(default_factory=dict)
    """Timers set (Timer) or cleared (None) since the last commit, by id."""
    touched_rules: dict[str, None] = field(default_factory=dict)
    life: LifeEffects = field(default_factory=LifeEffects)


def alert_id_of(rule: str, fingerprint: tuple[str, ...], first_index: int) -> str:
    """engine.md: hex SHA-256 of `hazledger/alert/v1` LF rule LF fingerprint as a JSON array LF first index LF."""
    text = f"hazledger/alert/v1\n{rule}\n{fingerprint_json(fingerprint)}\n{first_index}\n"
    return hashlib.sha256(text.encode()).hexdigest()


def fingerprint_json(fingerprint: tuple[str, ...]) -> str:
    """The fingerprint as a compact JSON array, UTF-8, no escapes beyond JSON's own."""
    return json.dumps(fingerprint, ensure_ascii=False, separators=(",", ":"))


class AlertBook:
    """Evaluates rules on rows and keeps episodes and timers in the state."""

    def __init__(self, state: FoldState, identity: Identity, rules: tuple[Rule, ...]) -> None:
        self._state = state
        self._identity = identity
        self._rules = {rule.id: rule for rule in rules}
        self._bindings = Bindings()
        self._lives = Lives(state.life)
        self._heap = [(timer.due_ms, timer_id) for timer_id, timer in state.timers.items()]
        heapify(self._heap)
        for rule_id in [*self._rules, RULE_ERROR]:
            state.health.setdefault(rule_id, Health())
            state.pending.setdefault(rule_id, {})

    def consider(self, rule: Rule, subject: str, row: dict[str, Any], moment: Moment, to: Effects) -> None:
        """Evaluate one rule on one row. Any error becomes visible, never "did not match"."""
        health = self._state.health[rule.id]
        health.evaluations += 1
        health.last_index = moment.index
        to.touched_rules[rule.id] = None
        try:
            self._consider(rule, subject, row, moment, to)
        except RuleError as error:
            self.fail(rule.id, error.detail, moment, to)
        except (LookupError, TypeError, ValueError, AttributeError, ArithmeticError) as error:
            # A fault of ours or of the rule's text. Let through, it would end the engine at this entry at every start.
            self.fail(rule.id, f"{type(error).__name__}: {error}", moment, to)

    def _consider(self, rule: Rule, subject: str, row: dict[str, Any], moment: Moment, to: Effects) -> None:
        parameters = rule.parameters_at(row["event_ms"])
        bindings = self._bindings
        bindings.bind(row, parameters)
        true: list[bool] = []
        if rule.scope is None or rule.scope.holds(bindings):
            true = [
                band.when.holds(bindings) and (not band.needs or all(row[name] for name in band.needs))
                for band in rule.bands
            ]
        pendings = self._state.pending[rule.id]
        anything = True in true
        if not anything and not pendings:
            return
        name = "\x1f".join([row[part] for part in rule.fingerprint])
        pending = pendings.get(name)
        if not anything:
            if pending is not None:
                self._clear(rule, name, pending, moment, to)
            return
        if pending is None:
            pending = pendings[name] = Pending()
        held, next_due = self._held(rule, pending, true, row, parameters, moment)
        self._set_timer(rule, name, pending, subject, row, next_due, to)
        if held is None:
            self._rest(pending, to)
            return
        self._hold(rule, held, pending, subject, row | parameters, moment, to)

    @staticmethod
    def _held(
        rule: Rule, pending: Pending, true: list[bool], row: dict[str, Any], parameters: dict[str, int], moment: Moment
    ) -> tuple[int | None, int | None]:
        """(first band that holds, when the next one above it will if nothing changes)."""
        held: int | None = None
        next_due: int | None = None
        for at, band in enumerate(rule.bands):
            if not true[at]:
                pending.since.pop(at, None)
                continue
            if not band.waits:
                if held is None:
                    held = at
                continue
            since = row[band.since] if band.since else pending.since.setdefault(at, moment.now_ms)
            due = since + band.wait(parameters)
            if held is not None:
                continue
            if moment.now_ms >= due:
                held = at
            elif next_due is None or due < next_due:
                next_due = due
        return held, next_due

    def _set_timer(
        self, rule: Rule, name: str, pending: Pending, subject: str, row: dict[str, Any], due: int | None, to: Effects
    ) -> None:
        timer_id = f"{rule.id}\x1f{name}"
        before = self._state.timers.get(timer_id)
        if due is None:
            pending.row = {}
            if before is not None:
                del self._state.timers[timer_id]
                to.timers[timer_id] = None
            return
        pending.row = row | {"subject": subject}
        if before is None or before.due_ms != due:
            timer = Timer(due, rule.id, name)
            self._state.timers[timer_id] = timer
            to.timers[timer_id] = timer
            heappush(self._heap, (due, timer_id))

    def _clear(self, rule: Rule, name: str, pending: Pending, moment: Moment, to: Effects) -> None:
        pending.since.clear()
        self._set_timer(rule, name, pending, "", {}, None, to)
        if pending.active:
            pending.last_held_ms = moment.now_ms
        self._rest(pending, to)
        if not pending.alert_id:
            del self._state.pending[rule.id][name]

    def _rest(self, pending: Pending, to: Effects) -> None:
        """No band holds now. Its alert hears of that, and goes on all the same."""
        if pending.active:
            pending.active = False
            self._lives.holds_again(pending.alert_id, False, to.life)

    def _hold(
        self, rule: Rule, band: int, pending: Pending, subject: str, row: dict[str, Any], moment: Moment, to: Effects
    ) -> None:
        quiet_ms = max(rule.quiet_ms, rule.keep_for_ms)
        # Closed, it comes back as a new alert however soon; but not while what was closed merely goes on.
        closed = self._lives.is_closed(pending.alert_id)
        rested = not pending.active and (closed or moment.now_ms - pending.last_held_ms >= quiet_ms)
        worse = band < pending.alerted_band
        begins = not pending.alert_id or rested or (closed and worse)
        worse = worse and not begins
        if not pending.active and not begins:
            self._lives.holds_again(pending.alert_id, True, to.life)
        pending.last_held_ms = moment.now_ms
        pending.active = SUBJECTS[subject].level
        if not begins and not worse:
            return
        fingerprint = tuple(row[part] for part in rule.fingerprint)
        alert_id = alert_id_of(rule.id, fingerprint, moment.index)
        if alert_id == pending.alert_id:
            return  # a second row of the same entry
        chosen = rule.bands[band]
        if rule.status == "shadow":
            pending.alert_id, pending.alerted_band = alert_id, band
            self._state.health[rule.id].alerts += 1
            return
        extra = (
            {"revises": pending.alert_record, "first_alert": self._lives.episode_of(pending.alert_id)} if worse else {}
        )
        regresses = "" if worse else self._lives.closed_before(rule.id, fingerprint)
        extra |= {"regresses": regresses} if regresses else {}
        raised = self._raise(
            Alert(
                alert_id=alert_id,
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
                inputs={name: _json_value(row[name]) for name in rule.inputs},
                opened_ms=moment.now_ms,
                late=row["received_ms"] - row["event_ms"] > LATE_MS,
                extra=extra | {"book": row["book"], "record": row["record_id"]},
            ),
            to,
        )
        pending.alert_id, pending.alerted_band, pending.alert_record = alert_id, band, raised.record_id

    def next_due(self) -> UnixMs | None:
        """When the next timer is due; None when none is set."""
        while self._heap:
            due_ms, timer_id = self._heap[0]
            timer = self._state.timers.get(timer_id)
            if timer is not None and timer.due_ms == due_ms:
                return UnixMs(due_ms)
            heappop(self._heap)  # cleared or put off since
        return None

    def fire_due(self, moment: Moment, to: Effects) -> None:
        """Fire every timer that is due, by (due, id)."""
        while (due_ms := self.next_due()) is not None and due_ms <= moment.now_ms:
            _, timer_id = heappop(self._heap)
            self._fire(timer_id, self._state.timers.pop(timer_id), moment, to)

    def _fire(self, timer_id: str, timer: Timer, moment: Moment, to: Effects) -> None:
        """Evaluate the rule again on the row that waited."""
        to.timers[timer_id] = None
        if timer.rule == TIMER:
            self._lives.fire(timer.fingerprint, Cause(moment.index, moment.record_id, moment.now_ms), to.life)
            self._set_life_timers(to)
            return
        rule = self._rules.get(timer.rule)
        pending = self._state.pending.get(timer.rule, {}).get(timer.fingerprint)
        if rule is None or pending is None or not pending.row:
            return  # the rule is gone, or what it waited on
        row = dict(pending.row)
        subject = row.pop("subject")
        self.consider(rule, subject, row, moment, to)

    def fail(self, rule_id: str, message: str, moment: Moment, to: Effects) -> None:
        """A rule (or the engine) raised: its health shows it, and one alert a day says so."""
        health = self._state.health.setdefault(rule_id, Health())
        health.error = message[:500]
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
                inputs={"rule": rule_id, "error": _json_value(message[:500])},
                opened_ms=moment.now_ms,
                late=False,
                extra={"book": self._identity.book, "record": moment.record_id},
            ),
            to,
        )

    def _raise(self, alert: Alert, to: Effects) -> Raised:
        """Fix the alert's entry: nonce, seq and prev of the engine's own book are settled here, in the fold."""
        state, identity = self._state, self._identity
        body: dict[str, Any] = {
            "alert_id": alert.alert_id,
            "rule": alert.rule,
            "version": alert.version,
            "ruleset": identity.ruleset,
            "fingerprint": [_json_value(part[:256]) for part in alert.fingerprint],
            "first_index": alert.first_index,
            "last_index": alert.last_index,
            "band": alert.band,
            "severity": alert.severity,
            "inputs": alert.inputs,
            "late": alert.late,
        }
        about = {"holder": alert.holder, "site": alert.site}
        about |= {name: alert.extra.get(name, "") for name in ("book", "record", "revises", "regresses")}
        body |= {name: value for name, value in about.items() if value}
        nonce = hashlib.sha256(f"hazledger/alert-nonce/v1\n{alert.alert_id}\n".encode()).digest()
        payload = {
            "v": 1,
            "log": identity.log,
            "kind": "alert",
            "issuer": identity.issuer,
            "site": identity.site,
            "book": identity.book,
            "seq": state.own_seq + 1,
            "prev": state.own_prev,
            "signers": [identity.keyid],
            "nonce": urlsafe_b64encode(nonce).rstrip(b"=").decode(),
            "event_time": format_utc(alert.opened_ms),
            "body": body,
        }
        data = json.dumps(payload, ensure_ascii=False, separators=(",", ":")).encode()
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

    def _live_on(self, alert: Alert, to: Effects) -> None:
        """A life begins with the alert, or the one that it is a worse band of goes on."""
        rule = self._rules.get(alert.rule)
        sla = (rule.sla.ack_ms, rule.sla.handle_ms) if rule else (None, None)
        cause = Cause(alert.first_index, str(alert.extra.get("record", "")), alert.opened_ms)
        if "first_alert" in alert.extra:
            self._lives.grown(alert, sla, cause, to.life)
        else:
            self._lives.born(alert, sla, cause, to.life, str(alert.extra.get("inhibited_by", "")))
        self._set_life_timers(to)

    def live(self, entry: Input, moment: Moment, to: Effects) -> None:
        """Fold what a supervisor or an enterprise did about alerts: one entry of `lives.KINDS`."""
        self._lives.fold(entry, Cause(moment.index, moment.record_id, moment.now_ms, entry.holder), to.life)
        self._set_life_timers(to)

    def _set_life_timers(self, to: Effects) -> None:
        for episode, due_ms in to.life.timers.items():
            timer_id = f"{TIMER}\x1f{episode}"
            before = self._state.timers.get(timer_id)
            if due_ms is None:
                if before is not None:
                    del self._state.timers[timer_id]
                    to.timers[timer_id] = None
            elif before is None or before.due_ms != due_ms:
                self._state.timers[timer_id] = to.timers[timer_id] = Timer(due_ms, TIMER, episode)
                heappush(self._heap, (due_ms, timer_id))
        to.life.timers.clear()

    def prune(self, now_ms: int) -> None:
        """Forget episodes that are over: recovered, and quiet for longer than the rule asks; and lives long closed."""
        self._lives.prune(now_ms)
        for rule_id, pendings in self._state.pending.items():
            rule = self._rules.get(rule_id)
            quiet_ms = max(rule.quiet_ms, rule.keep_for_ms) if rule else RULE_ERROR_QUIET_MS
            over = [
                name
                for name, pending in pendings.items()
                if not pending.active and not pending.row and now_ms - pending.last_held_ms > quiet_ms
            ]
            for name in over:
                del pendings[name]


def _json_value(value: Any) -> Any:
    """A value for the alert's `inputs`: an integer that JSON's range of formats.md does not hold becomes its text.

    The door refuses an alert that seems to hold personal data (check 3), and an alert that is refused would hold up all
    that follow it: so the text is grouped, lest a sum that somebody chose reads like a resident ID.
    """
    if type(value) is int and not -_JSON_INT <= value <= _JSON_INT:
        return f"{value:,}"
    if type(value) is str and find_personal_data(value):
        return "sha256:" + hashlib.sha256(value.encode()).hexdigest()
    if type(value) in (list, tuple):
        return [_json_value(item) for item in value]
    return value
