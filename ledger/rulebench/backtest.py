"""One rule, any draft of it, over any stretch of an installation's history, by the same fold: what would it have found?

Only what the rule needs is folded: the topics that its rows come from and those that they read of, its own windows, and
the rules that inhibit it. Everything below the stretch is folded too, so that windows, waits and stocks are as they would
have been; only what is found in the stretch counts.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass, replace

import msgspec

from ledger.engine.effects import Effects, Identity
from ledger.engine.fold import Fold
from ledger.engine.goods import Classifier
from ledger.engine.inputs import parse_input
from ledger.engine.lives import KINDS
from ledger.engine.registry import topics_for
from ledger.engine.rules import Rule, RuleSet
from ledger.engine.ruletests import alert_of
from ledger.engine.state import FoldState, decode_state, encode_state
from ledger.engine.topics.handling import Handling
from ledger.errors import RuleError, StoreError
from ledger.follow import Records
from ledger.model import LeafIndex, RecordId, StoredRecord, UnixMs
from ledger.ports import LogReader

BATCH = 1000
_WORK = "hazledger/backtest/v1"


def alone(rules: RuleSet, rule_id: str) -> RuleSet:
    """The rule, as if it were live, with those that inhibit it. Raises RuleError."""
    by_id = {rule.id: rule for rule in rules.rules}
    if rule_id not in by_id:
        raise RuleError(f"there is no rule {rule_id} that runs; `hazledger rules health` lists those that do")
    wanted, waiting = {}, [rule_id]
    while waiting:
        rule = by_id.get(waiting.pop())
        if rule is not None and rule.id not in wanted:
            wanted[rule.id] = replace(rule, status="live")
            waiting.extend(by.rule for by in rule.inhibited_by)
    return replace(rules, rules=tuple(wanted[name] for name in sorted(wanted)))


@dataclass(slots=True)
class Found:
    """One alert of the back-test."""

    rule: str
    fingerprint: tuple[str, ...]
    index: int
    opened_ms: int
    band: int
    severity: str
    holder: str
    site: str
    record_id: str
    reason: dict[str, str]
    suppressed: bool = False
    """Another rule's alert or an exception keeps it down."""


class BackTest:
    """A back-test on its way; `save` and `resumed` carry it over an interruption."""

    def __init__(
        self,
        log: LogReader,
        rules: RuleSet,
        rule_id: str,
        classifier: Classifier,
        *,
        start: int,
        end: int,
        state: FoldState | None = None,
        found: Iterable[Found] = (),
        cpu_s: float = 0.0,
    ) -> None:
        """`start` and `end`: indexes, half-open. `rules` is the draft's set, of which the rule is taken `alone`."""
        self.rules = alone(rules, rule_id)
        self.rule: Rule = next(rule for rule in self.rules.rules if rule.id == rule_id)
        self.start, self.end = start, end
        self.found = list(found)
        self.cpu_s = cpu_s
        """Of this process, for what was folded so far."""
        self._log = log
        self._records = Records(log)
        identity = Identity(log=log.origin(), issuer="backtest", keyid="0" * 64, ruleset=self.rules.digest)
        only = topics_for(subject for rule in self.rules.rules for subject in rule.on)
        self._fold = Fold(state or FoldState(), self.rules, classifier, identity, only=only)
        # A life ends where no rule asks for it: the alerts of other rules are not in this fold.
        self._kinds = self._fold.kinds - KINDS | {kind for topic in only for kind in topic.kinds}
        self._slas = (
            {rule.id: (rule.sla.ack_ms, rule.sla.handle_ms) for rule in rules.rules} if Handling in only else {}
        )
        """Of a rule about the handling: of all rules whose alerts it is about."""

    @property
    def next_index(self) -> int:
        return self._fold.state.next_index

    def run(self, progress: Callable[[int], None] | None = None, stop: Callable[[], bool] = lambda: False) -> bool:
        """Fold up to the end, or until `stop()`; whether the end was reached. Raises StoreError."""
        while self.next_index < self.end:
            at = self.next_index
            records = self._log.records(LeafIndex(at), min(BATCH, self.end - at))
            if not records:
                raise StoreError(f"the log ends before entry {self.end}")
            started, effects = time.process_time(), Effects()
            facts = self._log.facts(records[0].index, LeafIndex(records[-1].index + 1))
            fold, kinds, skips = self._fold, self._kinds, self._fold.can_skip
            for record in records:
                if record.kind == "alert" and self._slas:
                    self._witness(record, effects)
                if skips and record.kind not in kinds:
                    fold.skip(record)
                    continue
                try:
                    entry = parse_input(record, facts.get(record.index))
                except RuleError as error:
                    fold.unreadable(record, error, effects)
                    continue
                fold.step(fold.with_before(entry, self._records.find), effects)
            self._take(effects)
            self.cpu_s += time.process_time() - started
            if progress is not None:
                progress(self.next_index)
            # Between two entries only: a step that is cut off would leave half a state.
            if stop() and self.next_index < self.end:
                return False
        return True

    def _witness(self, record: StoredRecord, to: Effects) -> None:
        """What the rules that do not run here said stands in the log; its life is what a rule about the handling judges."""
        entry = parse_input(record)
        body = entry.body
        if body["rule"] in {rule.id for rule in self.rules.rules}:
            return
        before = self._records.find(RecordId(body["revises"])) if "revises" in body else None
        first = {} if before is None else {"first_alert": self._fold.episode_of(before.body["alert_id"])}
        alert = replace(
            alert_of(entry),
            alert_id=body["alert_id"],
            opened_ms=entry.event_ms,
            extra={"record": body.get("record", "")} | first,
        )
        self._fold.witness(alert, to, self._slas.get(alert.rule, (None, None)))

    def _take(self, effects: Effects) -> None:
        for raised in effects.raised:
            alert = raised.alert
            if alert.first_index >= self.start and alert.rule in (self.rule.id, "RULE-ERROR"):
                self.found.append(
                    Found(
                        rule=alert.rule,
                        fingerprint=alert.fingerprint,
                        index=int(alert.first_index),
                        opened_ms=int(alert.opened_ms),
                        band=alert.band,
                        severity=alert.severity,
                        holder=alert.holder,
                        site=alert.site,
                        record_id=str(alert.extra.get("record", "")),
                        reason=dict(alert.reason),
                        suppressed=bool(alert.extra.get("inhibited_by") or alert.extra.get("excepted")),
                    )
                )

    @property
    def fold(self) -> Fold:
        """The fold as it stands."""
        return self._fold

    # --- interruptions -----------------------------------------------------------------------------------------------

    def save(self) -> bytes:
        """All that was done so far, for `resumed`."""
        last = self._log.records(LeafIndex(self.next_index - 1), 1) if self.next_index else []
        return msgspec.msgpack.encode(
            {
                "form": _WORK,
                "log": self._log.origin(),
                "rule": self.rule.id,
                "digest": _digest(self.rules),
                "last": last[0].record_id if last else "",
                "start": self.start,
                "end": self.end,
                "cpu_s": self.cpu_s,
                "found": [asdict(one) for one in self.found],
                "state": encode_state(self._fold.state),
            }
        )


def resumed(data: bytes, log: LogReader, rules: RuleSet, rule_id: str, classifier: Classifier) -> BackTest:
    """The back-test that `save` left. Raises RuleError `work-file` when it is of another rule, log or program."""

    def wrong(why: str) -> RuleError:
        return RuleError(f"this work file {why}; start the back-test anew", code="work-file")

    try:
        kept = msgspec.msgpack.decode(data)
        if kept["form"] != _WORK:
            raise wrong("is of another program")
        found = [msgspec.convert(one, Found) for one in kept["found"]]
        state = decode_state(kept["state"])
    except (msgspec.MsgspecError, LookupError, TypeError):
        raise wrong("cannot be read") from None
    if state is None:
        raise wrong("is of another version of the engine")
    if (kept["log"], kept["rule"], kept["digest"]) != (log.origin(), rule_id, _digest(alone(rules, rule_id))):
        raise wrong("is of another rule, or of another version of it, or of another log")
    last = log.records(LeafIndex(state.next_index - 1), 1) if state.next_index else []
    if (last[0].record_id if last else "") != kept["last"]:
        raise wrong("is of another history")
    return BackTest(
        log,
        rules,
        rule_id,
        classifier,
        start=kept["start"],
        end=kept["end"],
        state=state,
        found=found,
        cpu_s=kept["cpu_s"],
    )


def _digest(rules: RuleSet) -> str:
    """Of the rules that run: other rules of a set may change meanwhile."""
    parts = [rules.catalogue, rules.restricted.digest]
    parts += [f"{rule.id} {rule.digest} {sorted(rule.parameters.items())}" for rule in rules.rules]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()


def stretch(log: LogReader, received_from: UnixMs | None, received_to: UnixMs | None) -> tuple[int, int]:
    """Indexes, half-open, of what was received in this span; a side that is None is open."""
    return (
        0 if received_from is None else _first_since(log, received_from),
        int(log.size()) if received_to is None else _first_since(log, received_to),
    )


def _first_since(log: LogReader, received: UnixMs) -> int:
    """`received` never decreases with the index, so this is a bisection."""
    low, high = 0, int(log.size())
    while low < high:
        middle = (low + high) // 2
        if log.records(LeafIndex(middle), 1)[0].received < received:
            low = middle + 1
        else:
            high = middle
    return low


def received_span(log: LogReader, start: int, end: int) -> tuple[int, int]:
    """When the first and the last entry of a stretch were received."""
    first, last = (log.records(LeafIndex(at), 1) for at in (start, max(end - 1, start)))
    return (int(first[0].received), int(last[0].received)) if first and last else (0, 0)
