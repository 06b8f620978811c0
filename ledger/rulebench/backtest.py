"""One rule, any draft of it, over any stretch of an installation's history, by the same fold: what would it have found?

Only what the rule needs is folded: the topics that its rows come from and those that they read of, its own windows, and
the rules that inhibit it. Everything below the stretch is folded too, so that windows, waits and stocks are as they would
have been; only what is found in the stretch counts.
"""

from __future__ import annotations

import hashlib
import time
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime, timedelta, tzinfo

import msgspec

from ledger.engine.effects import Effects, Identity
from ledger.engine.fold import Fold
from ledger.engine.goods import Classifier
from ledger.engine.inputs import parse_input
from ledger.engine.registry import topics_for
from ledger.engine.rules import Rule, RuleSet
from ledger.engine.state import FoldState, decode_state, encode_state
from ledger.errors import RuleError, StoreError
from ledger.follow import Records
from ledger.model import Alert, LeafIndex, UnixMs
from ledger.ports import EngineReader, LogReader

BATCH = 1000
EXAMPLES = 20
PAGE = 500
DAY_MS = 86_400_000
CONFIRMED = ("violation_confirmed", "referred")
REJECTED = ("false_positive", "no_violation", "data_error")
_WORK = "hazledger/backtest/v1"


def alone(rules: RuleSet, rule_id: str) -> RuleSet:
    """The rule, as if it were live, with those that inhibit it. Raises RuleError."""
    by_id = {rule.id: rule for rule in rules.rules}
    if rule_id not in by_id:
        raise RuleError(f"there is no rule {rule_id} that runs; there are {', '.join(sorted(by_id))}")
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
        self._kinds = self._fold.kinds - {"alert_transition", "order", "reply"}

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


# --- what it comes to ------------------------------------------------------------------------------------------------


@dataclass(slots=True)
class Compared:
    """One alert of either side, with its outcome where somebody closed it."""

    how: str
    """`same`, `new` (only the draft finds it) or `lost` (only the live version did)."""
    index: int
    opened_ms: int
    fingerprint: tuple[str, ...]
    holder: str
    site: str
    severity: str
    record_id: str
    reason: dict[str, str]
    outcome: str = ""


@dataclass(slots=True)
class Summary:
    """What a back-test says. Times unix ms; `days` by local date."""

    rule: str
    version: int
    start: int
    end: int
    entries: int
    alerts: int
    suppressed: int
    errors: int
    sites: int
    days: dict[str, int]
    busiest: tuple[str, int]
    mean_per_day: float
    same: int
    new: int
    lost: int
    confusion: dict[str, int]
    """true_positive, false_positive, false_negative, true_negative, unknown: of alerts whose outcome is known."""
    examples: list[Compared]
    us_per_entry: float
    entries_per_s: float
    budget: int | None
    failures: list[str] = field(default_factory=list)
    """Why this is not good enough: above budget, or an expectation failed."""


@dataclass(frozen=True, slots=True)
class Expectations:
    """What has to come of it."""

    at_least: int | None = None
    at_most: int | None = None
    must_find: tuple[str, ...] = ()
    must_not_find: tuple[str, ...] = ()
    """record_ids of entries at which an alert is, or is not, to be raised."""


def summary(
    test: BackTest, engine: EngineReader, expected: Expectations, zone: tzinfo, span_ms: tuple[int, int]
) -> Summary:
    """What the alerts come to, beside those of the live version. `span_ms`: receipt of the first and last entry."""
    ours = [one for one in test.found if one.rule == test.rule.id]
    errors = len(test.found) - len(ours)
    compared = _compare(test, ours, engine)
    days = _days(ours, zone, span_ms)
    busiest = max(days.items(), key=lambda item: (item[1], item[0]), default=("", 0))
    entries = max(test.next_index, 1)
    kinds = Counter(one.how for one in compared)
    done = Summary(
        rule=test.rule.id,
        version=test.rule.version,
        start=test.start,
        end=test.end,
        entries=test.end - test.start,
        alerts=len(ours),
        suppressed=sum(one.suppressed for one in ours),
        errors=errors,
        sites=len({(one.holder, one.site) for one in ours}),
        days=days,
        busiest=busiest,
        mean_per_day=round(len(ours) / max(len(days), 1), 3),
        same=kinds["same"],
        new=kinds["new"],
        lost=kinds["lost"],
        confusion=_confusion(compared),
        examples=sorted(compared, key=lambda one: ({"new": 0, "lost": 1, "same": 2}[one.how], one.index))[:EXAMPLES],
        us_per_entry=round(test.cpu_s / entries * 1e6, 2),
        entries_per_s=round(entries / test.cpu_s) if test.cpu_s else 0,
        budget=test.rule.max_per_day,
    )
    done.failures = _failures(done, ours, expected)
    return done


def _days(ours: list[Found], zone: tzinfo, span_ms: tuple[int, int]) -> dict[str, int]:
    """Alerts by local day, idle days too."""
    counted = Counter(_day(one.opened_ms, zone) for one in ours)
    at, last = (datetime.fromisoformat(_day(ms, zone)) for ms in span_ms)
    days: dict[str, int] = {}
    while at <= last:
        days[at.date().isoformat()] = 0
        at += timedelta(days=1)
    return dict(sorted((days | counted).items()))


def _day(ms: int, zone: tzinfo) -> str:
    return datetime.fromtimestamp(ms / 1000, UTC).astimezone(zone).date().isoformat()


def _compare(test: BackTest, ours: list[Found], engine: EngineReader) -> list[Compared]:
    """Pair the alerts of both sides: of the same fingerprint, at the same entry, or else nearest within the quiet time."""
    near_ms = max(test.rule.quiet_ms, test.rule.keep_for_ms, DAY_MS)
    theirs: dict[tuple[str, ...], list[Alert]] = {}
    for alert in _live(engine, test):
        theirs.setdefault(alert.fingerprint, []).append(alert)
    outcomes = _outcomes(engine, [alert for alerts in theirs.values() for alert in alerts])
    paired: list[Compared] = []
    left: list[Found] = []
    for one in ours:
        match = next((a for a in theirs.get(one.fingerprint, ()) if a.first_index == one.index), None)
        if match is None:
            left.append(one)
            continue
        theirs[one.fingerprint].remove(match)
        paired.append(_compared("same", one, outcomes.get(match.alert_id, "")))
    for one in left:
        close = [a for a in theirs.get(one.fingerprint, ()) if abs(a.opened_ms - one.opened_ms) <= near_ms]
        match = min(close, key=lambda a: abs(a.opened_ms - one.opened_ms), default=None)
        if match is not None:
            theirs[one.fingerprint].remove(match)
        how = "new" if match is None else "same"
        paired.append(_compared(how, one, "" if match is None else outcomes.get(match.alert_id, "")))
    paired.extend(
        Compared(
            how="lost",
            index=int(alert.first_index),
            opened_ms=int(alert.opened_ms),
            fingerprint=alert.fingerprint,
            holder=alert.holder,
            site=alert.site,
            severity=alert.severity,
            record_id=str(alert.extra.get("record", "")),
            reason=dict(alert.reason),
            outcome=outcomes.get(alert.alert_id, ""),
        )
        for alerts in theirs.values()
        for alert in alerts
    )
    return paired


def _compared(how: str, one: Found, outcome: str) -> Compared:
    return Compared(
        how=how,
        index=one.index,
        opened_ms=one.opened_ms,
        fingerprint=one.fingerprint,
        holder=one.holder,
        site=one.site,
        severity=one.severity,
        record_id=one.record_id,
        reason=one.reason,
        outcome=outcome,
    )


def _live(engine: EngineReader, test: BackTest) -> Iterable[Alert]:
    after = 0
    while page := engine.alerts(after_seq=after, rule=test.rule.id, limit=PAGE):
        for seq, alert in page:
            after = seq
            if test.start <= alert.first_index < test.end:
                yield alert


def _outcomes(engine: EngineReader, alerts: list[Alert]) -> dict[str, str]:
    found: dict[str, str] = {}
    for at in range(0, len(alerts), PAGE):
        part = alerts[at : at + PAGE]
        found |= {alert_id: life.outcome for alert_id, life in engine.lives(part).items() if life.outcome}
    return found


def _confusion(compared: Iterable[Compared]) -> dict[str, int]:
    matrix: Counter[str] = Counter()
    for one in compared:
        if one.outcome in CONFIRMED:
            matrix["false_negative" if one.how == "lost" else "true_positive"] += 1
        elif one.outcome in REJECTED:
            matrix["true_negative" if one.how == "lost" else "false_positive"] += 1
        else:
            matrix["unknown"] += 1
    names = ("true_positive", "false_positive", "false_negative", "true_negative", "unknown")
    return {name: matrix[name] for name in names}


def _failures(done: Summary, ours: list[Found], expected: Expectations) -> list[str]:
    failures = []
    if done.budget is not None and done.busiest[1] > done.budget:
        failures.append(f"{done.busiest[1]} alerts on {done.busiest[0]}; the budget is {done.budget} a day")
    if done.errors:
        failures.append(f"the rule raised {done.errors} errors")
    if expected.at_least is not None and done.alerts < expected.at_least:
        failures.append(f"{done.alerts} alerts; at least {expected.at_least} were expected")
    if expected.at_most is not None and done.alerts > expected.at_most:
        failures.append(f"{done.alerts} alerts; at most {expected.at_most} were expected")
    records = {one.record_id for one in ours}
    failures += [f"no alert at record {name}, as was expected" for name in expected.must_find if name not in records]
    failures += [
        f"an alert at record {name}, where none was expected" for name in expected.must_not_find if name in records
    ]
    return failures


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
