"""The log's entries through the fold, by the rule set that was in force at each: live, in recovery, replay, back-test.

A set governs from behind its `ruleset` entry to the next one's; the first also governs what lies before it. Where a set
takes effect, its own silent fold of everything up to there is needed (`Backfill`); a live engine makes that beforehand,
beside its work, everybody else when they come to it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ledger.engine.effects import Effects, Identity, Moment
from ledger.engine.fold import Fold
from ledger.engine.goods import Classifier
from ledger.engine.inputs import Input, parse_input
from ledger.engine.rules import Rule, RuleSet
from ledger.engine.state import FoldState
from ledger.engine.versions import take_effect
from ledger.errors import RuleError, StoreError
from ledger.model import LeafIndex, RecordId, StoredRecord, UnixMs
from ledger.ports import LogReader
from ledger.rulesets import announced, load_kept

BATCH = 1000
METERED = 64


@dataclass(frozen=True, slots=True)
class Platform:
    """In whose name alerts are signed: the platform's issuer name, and the keyid that Appender.sign_platform uses."""

    issuer: str
    keyid: str


@dataclass(slots=True)
class Sets:
    """Rule sets by digest: the present one, and those that were kept. `problems` holds what cannot be had, and why.

    In place of a set that cannot be had stands the present one: what it finds is then what today's rules find.
    """

    present: RuleSet
    kept: Callable[[], Mapping[str, Any]]
    problems: dict[str, str] = field(default_factory=dict)
    _loaded: dict[str, RuleSet] = field(default_factory=dict)

    def get(self, digest: str) -> RuleSet:
        """The set of this digest, or the present one in its stead."""
        if digest == self.present.digest:
            return self.present
        if digest not in self._loaded:
            try:
                self._loaded[digest] = load_kept(digest, self.kept())
            except RuleError as error:
                self.problems[digest] = error.detail
                self._loaded[digest] = self.present
        return self._loaded[digest]


class Records:
    """Entries of a log for a fold: with their facts, and with what corrections correct."""

    def __init__(self, log: LogReader) -> None:
        self._log = log

    def fold(
        self,
        fold: Callable[[], Fold],
        records: Sequence[StoredRecord],
        to: Effects,
        after: Callable[[Input], bool] | None = None,
        meter: Meter | None = None,
    ) -> None:
        """Fold these records; `after` each, where it says False, stop. `fold` is asked anew each time."""
        if not records:
            return
        facts = self._log.facts(records[0].index, LeafIndex(records[-1].index + 1))
        for record in records:
            try:
                entry = parse_input(record, facts.get(record.index))
            except RuleError as error:
                fold().unreadable(record, error, to)
                continue
            now = fold()
            entry = now.with_before(entry, self.find)
            if meter is None:
                now.step(entry, to)
            else:
                meter.fold(now, entry, to)
            if after is not None and not after(entry):
                return

    def find(self, record_id: RecordId) -> Input | None:
        """The record of this id as an input; None when there is none, or it does not parse."""
        record = self._log.record_by_id(record_id)
        if record is None:
            return None
        try:
            facts = self._log.facts(record.index, LeafIndex(record.index + 1))
            return parse_input(record, facts.get(record.index))
        except RuleError:
            return None  # its own fold showed that it does not parse


class Meter:
    """What evaluating each rule costs, measured at one entry of METERED: from when a rule is given a row to the next."""

    def __init__(self, clock_s: Callable[[], float]) -> None:
        self._clock_s = clock_s
        self._last: tuple[str, float] | None = None
        self.spent: dict[str, list[float]] = {}
        """Rule → [seconds, evaluations]."""

    def fold(self, fold: Fold, entry: Input, to: Effects) -> None:
        """Fold one entry; every METERED-th is measured."""
        if entry.index % METERED:
            fold.step(entry, to)
            return
        self._last = None
        fold.explain(entry, to, self._seen)
        self._count()

    def costs_us(self) -> dict[str, tuple[float, int]]:
        """Rule → (mean microseconds an evaluation, evaluations measured)."""
        return {rule: (1e6 * seconds / n, int(n)) for rule, (seconds, n) in self.spent.items()}

    def _seen(self, rule: Rule | None, _subject: str, _row: object, _values: object) -> None:
        self._count()
        self._last = None if rule is None else (rule.id, self._clock_s())

    def _count(self) -> None:
        if self._last is not None:
            spent = self.spent.setdefault(self._last[0], [0.0, 0])
            spent[0] += self._clock_s() - self._last[1]
            spent[1] += 1
        self._last = None


class Backfill:
    """One rule set's own fold from index 0 on. What it finds is told to nobody."""

    def __init__(self, log: LogReader, rules: RuleSet, classifier: Classifier, identity: Identity) -> None:
        self.rules = rules
        self.alerts: dict[str, list[int]] = {}
        """Rule → when it would have raised alerts, unix ms; without those that another rule keeps down."""
        self._log = log
        self._records = Records(log)
        self._fold = Fold(FoldState(), rules, classifier, identity)

    @property
    def state(self) -> FoldState:
        return self._fold.state

    def advance(self, end: int, most: int) -> int:
        """Fold at most `most` further entries below `end`; how many that were."""
        start = self.state.next_index
        records = self._log.records(LeafIndex(start), max(min(most, end - start), 0))
        effects = Effects()
        self._records.fold(lambda: self._fold, records, effects)
        for raised in effects.raised:
            if not raised.alert.extra.get("inhibited_by"):
                self.alerts.setdefault(raised.alert.rule, []).append(int(raised.alert.opened_ms))
        return len(records)

    def up_to(self, end: int, progress: Callable[[int], None] | None = None) -> FoldState:
        """The state after every entry below `end`."""
        while self.state.next_index < end:
            if not self.advance(end, BATCH):
                raise StoreError(f"the log ends before {end}; was it restored?")
            if progress is not None:
                progress(self.state.next_index)
        return self.state


class Follower:
    """A fold that goes along the log and changes rule sets where the log says so."""

    def __init__(
        self,
        log: LogReader,
        sets: Sets,
        classifier: Classifier,
        platform: Platform,
        state: FoldState | None = None,
        *,
        filling: Callable[[int], None] | None = None,
    ) -> None:
        """`state` is where an earlier fold stood; None begins at index 0. `filling` hears of back-fills' progress."""
        self._log = log
        self._records = Records(log)
        self._sets = sets
        self._classifier = classifier
        self._platform = platform
        self._filling = filling
        self.meter: Meter | None = None
        self.prepared: Backfill | None = None
        """The silent fold of the set that takes effect next, where somebody made it beforehand."""
        self.switched = False
        """A set took effect since this was last set to False."""
        state = state or FoldState()
        known = announced(log) if not state.ruleset else []
        self.rules = sets.get(state.ruleset or (known[0][1] if known else sets.present.digest))
        self.fold = Fold(state, self.rules, classifier, self.identity(self.rules))

    @property
    def state(self) -> FoldState:
        return self.fold.state

    def identity(self, rules: RuleSet) -> Identity:
        """Whose alerts these are, under these rules."""
        return Identity(
            log=self._log.origin(), issuer=self._platform.issuer, keyid=self._platform.keyid, ruleset=rules.digest
        )

    def backfill(self, rules: RuleSet) -> Backfill:
        """A silent fold of these rules, at index 0."""
        return Backfill(self._log, rules, self._classifier, self.identity(rules))

    def step(self, records: Sequence[StoredRecord], to: Effects, enough: Callable[[], bool] = lambda: False) -> None:
        """Fold these records, the next of the log, until `enough()`."""

        def after(entry: Input) -> bool:
            if entry.kind == "ruleset":
                self._take_effect(entry, to)
            return not enough()

        self._records.fold(lambda: self.fold, records, to, after, self.meter)

    def batches(self, end: int) -> Iterator[Effects]:
        """Fold everything below `end`, batch by batch; the effects of each."""
        while self.state.next_index < end:
            start = self.state.next_index
            records = self._log.records(LeafIndex(start), min(BATCH, end - start))
            if not records:
                raise StoreError(f"{end} is beyond the log's end; was the log restored?")
            effects = Effects()
            self.step(records, effects)
            yield effects

    def _take_effect(self, entry: Input, to: Effects) -> None:
        rules = self._sets.get(entry.body["digest"])
        if rules.digest == self.rules.digest:
            return
        filled = self.prepared
        if filled is not None and filled.rules.digest == rules.digest and filled.state.next_index <= entry.index + 1:
            self.prepared = None
        else:
            filled = self.backfill(rules)
        moment = Moment(entry.index, entry.record_id, UnixMs(self.state.now_ms))
        state = take_effect(self.state, filled.up_to(entry.index + 1, self._filling), self.rules, rules, moment, to)
        state.ruleset = entry.body["digest"]
        self.rules, self.switched = rules, True
        self.fold = Fold(state, rules, self._classifier, self.identity(rules))
        self.fold.take_over(moment, to)
