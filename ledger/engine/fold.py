"""The fold: `step(input)` advances the state and collects effects. Live run, recovery, rule test, replay are this one.

Nothing is read but the inputs: no clock, no randomness, no IO. What the fold remembers is in FoldState and nowhere else.
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from typing import Any

from msgspec.structs import replace

from ledger.core.record import AUTHORITY_KINDS
from ledger.engine import lives
from ledger.engine.alerts import AlertBook, Effects, Identity, Moment, Probe, Sla
from ledger.engine.contained import OUTSIDE, said
from ledger.engine.corrections import Corrections, Find
from ledger.engine.days import DAY_MS
from ledger.engine.goods import Classifier, goods_of
from ledger.engine.inputs import Input
from ledger.engine.levels import Levels
from ledger.engine.listening import Listening
from ledger.engine.papers import PAPERS, Papers
from ledger.engine.register import Register
from ledger.engine.registry import SUBJECTS, build_topics
from ledger.engine.revocations import Revocations
from ledger.engine.rules import Rule, RuleSet
from ledger.engine.state import FoldState
from ledger.engine.topics.balances import MATERIAL_STREAM
from ledger.engine.topics.base import ORIGIN, Row, Topic
from ledger.engine.topics.linked import Linked
from ledger.engine.topics.refusals import Refusals
from ledger.engine.topics.stock import Stock
from ledger.engine.windows import Windows
from ledger.errors import RuleError
from ledger.model import Alert, RecordId, StoredRecord, UnixMs

ENGINE = "ENGINE"
"""The name under which the engine's own errors (an entry that does not fold) are shown beside the rules."""
_LINE_KINDS = ("movement", "stocktake")
"""Kinds whose goods lines the portal searches."""


class Fold:
    """A state, and the rules that work on it."""

    def __init__(
        self,
        state: FoldState,
        rules: RuleSet,
        classifier: Classifier,
        identity: Identity,
        *,
        only: Container[type[Topic]] | None = None,
    ) -> None:
        """`only`: these topics, and no others (`registry.topics_for`); what the rest would remember is then not in the state."""
        self.state = state
        self._classifier = classifier
        self._alerts = AlertBook(state, identity, rules.rules)
        self._levels = Levels(state, rules.rules, self._alerts)
        self._windows = Windows(state, self._alerts, self._levels)
        followed = {
            name: tuple(self._levels.heard[rule.id] for rule in rules.on(name) if not Windows.handles(rule))
            for name in SUBJECTS
        }
        self._by_subject = {name: heard for name, heard in followed.items() if heard or name == MATERIAL_STREAM.name}
        """The rules about how things stand that listen to a subject; without the subjects that none does."""
        self._register = Register(state.register)
        topics = build_topics(state, self._register, rules.restricted, rules.numbers)
        self._topics = tuple(topic for topic in topics if only is None or type(topic) in only)
        self._papers = Papers(state.papers, Linked(state.linked), self._topics)
        self._corrections = Corrections(state)
        self._revocations = Revocations(state.revocations)
        self._find: Find | None = None
        self._gone: list[tuple[str, int]] = []
        """(subject, index of the entry) of rows that a paper has told again."""
        self._faulty: list[tuple[Topic, Exception]] = []
        """Topics that could not take in the present entry."""
        self._notes_movements = any(topic.papers & PAPERS for topic in self._topics)
        self._resting = [topic for topic in self._topics if topic.judged]
        self._taking_back = [topic for topic in self._topics if hasattr(topic, "gone")]
        self._listening = Listening(self._topics)
        self._stock = next(topic for topic in topics if isinstance(topic, Stock))
        self._refusals = next((topic for topic in self._topics if isinstance(topic, Refusals)), None)
        self.kinds = self._listening.kinds | Register.kinds | lives.KINDS | {"tick", "correction", "ruleset"}
        """Kinds of which more matters than that they came."""

    def explain(self, entry: Input, to: Effects, probe: Probe) -> None:
        """`step`, telling `probe` of each row that comes (None) and of each that a rule judges."""
        self._alerts.probe = probe
        try:
            self.step(entry, to)
        finally:
            self._alerts.probe = None

    def behind(self, rule: Rule, row: Mapping[str, Any]) -> dict[str, list[int]]:
        """Of a row that a rule judged: the entries that each feature looked at."""
        return self._windows.behind(rule, row)

    def take_over(self, moment: Moment, to: Effects) -> None:
        """It goes on from here in another fold's stead, whose rules are no longer in force."""
        self._alerts.take_over(moment, to)

    def next_due(self) -> UnixMs | None:
        """When a tick is due next, for a timer or for papers that came late; None for nothing."""
        timer_ms, papers_ms = self._levels.next_due(), self._papers.next_due()
        if papers_ms is None:
            return timer_ms
        return UnixMs(papers_ms if timer_ms is None else min(timer_ms, papers_ms))

    def with_before(self, entry: Input, find: Find) -> Input:
        """The entry with `before` set when it is a correction: the record that it corrects, as it stands now.

        `find` looks a record up in the log by its id. That is no other source than the log: what it finds lies below the
        entry and never changes. Without a result the entry stays as it is, and `step` shows the error. `step` looks up what a
        paper has judged again in the same way.
        """
        self._find = find
        return self._corrections.with_before(entry, find)

    def step(self, entry: Input, to: Effects) -> None:
        """Fold one entry. Entries come in the order of their index, each once; `to` collects what is to be committed."""
        state = self.state
        if entry.index != state.next_index:
            raise RuleError(f"entry {entry.index} where {state.next_index} is next", code="fold-order")
        state.next_index = entry.index + 1
        now_ms = entry.body["now"] if entry.kind == "tick" else entry.received_ms
        state.now_ms = max(state.now_ms, now_ms)
        moment = Moment(entry.index, entry.record_id, UnixMs(state.now_ms), (entry.before or entry).event_ms)
        try:
            if entry.kind == "tick":
                self._tick(moment, to)
            elif entry.kind != "alert":
                self._entry(entry, moment, to)
            self._alerts.settle(moment, to)
        except OUTSIDE:
            raise
        except Exception as error:  # noqa: BLE001 - no rule's and no topic's, so the engine's own: contained, and it shows
            self._take_gone()
            self._fail(entry.record_id, error, moment, to)

    def _fail(self, what: str, error: Exception, moment: Moment, to: Effects) -> None:
        """The engine could not fold something. These bytes passed the door's schema, so it is a fault of its own."""
        self._alerts.fail(ENGINE, f"{what}: {said(error)}", moment, to)

    def _entry(self, entry: Input, moment: Moment, to: Effects) -> None:
        """Fold an entry that rules listen to."""
        try:
            self._revocations.note(entry)
            if entry.kind == "grant" and (voided := self._revocations.granted(entry)) is not None:
                self._alerts.void(voided, moment, to)
            if entry.kind in lives.KINDS:
                self._alerts.live(entry, moment, to)
            rows = self._rows(entry, to)
            original = entry.before.index if entry.before is not None else entry.index
            gone = self._take_gone()
        except OUTSIDE:
            raise
        except Exception as error:  # noqa: BLE001 - contained: ledger.engine.contained
            self._take_gone()
            self._faulty.clear()
            self._fail(entry.record_id, error, moment, to)
            return
        if self._faulty:
            for topic, fault in self._faulty:
                self._fail(f"{entry.record_id}: {type(topic).__name__}", fault, moment, to)
            self._faulty.clear()
        if (probe := self._alerts.probe) is not None:
            for subject, row in rows:
                probe(None, subject, {name: value for name, value in row.items() if name != ORIGIN}, None)
        self._evaluate(rows, moment, to)
        came_ms = entry.before.received_ms if entry.before is not None else None
        self._windows.fold(rows, original, moment, to, came_ms=came_ms, gone=gone)

    def _take_gone(self) -> list[tuple[str, int]]:
        """What topics take back, and what papers have told again; nothing of it outlives its entry."""
        gone, self._gone = self._gone, []
        for topic in self._taking_back:
            if topic.gone:
                gone += topic.gone
                topic.gone.clear()
        return gone

    def skip(self, record: StoredRecord) -> None:
        """Fold an entry of none of `kinds` without having looked into it. Not where refusals are told of."""
        state = self.state
        state.next_index = record.index + 1
        state.now_ms = max(state.now_ms, record.received)
        if record.kind not in AUTHORITY_KINDS:
            state.register.inside.setdefault(record.holder, record.index)

    @property
    def can_skip(self) -> bool:
        """Whether entries of no interest can be skipped."""
        return self._refusals is None

    def witness(self, alert: Alert, to: Effects, sla: Sla = (None, None)) -> None:
        """A rule that is not in this set, and that asks for this `sla`, raised this alert: its life begins, or goes on where
        it names its `first_alert`. For tests and back-tests of rules about the handling.
        """
        self._alerts.witness(alert, to, sla)

    def episode_of(self, alert_id: str) -> str:
        """The first alert of the episode that this alert belongs to."""
        return self._alerts.lives.episode_of(alert_id)

    def unreadable(self, record: StoredRecord, error: RuleError, to: Effects) -> None:
        """Fold an entry whose stored bytes do not parse: one alert, and the fold goes on."""
        self.state.next_index = record.index + 1
        self.state.now_ms = max(self.state.now_ms, record.received)
        moment = Moment(record.index, record.record_id, UnixMs(self.state.now_ms))
        self._alerts.fail(ENGINE, error.detail, moment, to)

    def _evaluate(self, rows: Iterable[Row], moment: Moment, to: Effects) -> None:
        """Judge how things stand by these rows."""
        for subject, row in rows:
            followed = self._by_subject.get(subject)
            if followed is None:
                continue
            if subject == MATERIAL_STREAM.name:
                to.streams[row["holder"], row["site"], row["book"], row["key"]] = row
            for heard in followed:
                self._levels.consider(heard, subject, row, moment, to)

    def _tick(self, moment: Moment, to: Effects) -> None:
        """Fire every timer that is due, by (due, id); judge by papers that came late; once a day forget what is settled."""
        self._levels.fire_due(moment, to, {Stock.timer: self._wake_store})
        if self._papers.next_due() is not None and self._find is not None:
            self._judge_again(moment, to, self._find)
        if moment.now_ms - self.state.pruned_ms >= DAY_MS:
            self.state.pruned_ms = moment.now_ms
            for topic in self._topics:
                try:
                    topic.prune(moment.now_ms)
                except OUTSIDE:
                    raise
                except Exception as error:  # noqa: BLE001 - the others still forget
                    self._fail(type(topic).__name__, error, moment, to)
            self._papers.prune(moment.now_ms)
            self._revocations.prune(moment.index + 1)
            self._windows.prune(moment.now_ms)
            self._alerts.prune(moment.now_ms)
            self._levels.prune(moment.now_ms)
            self._alerts.forgive(moment, to)

    def _wake_store(self, at: str, moment: Moment, to: Effects) -> None:
        """From now on something else may lie in a store."""
        try:
            rows = list(self._stock.wake(at, moment.index, moment.now_ms))
        except OUTSIDE:
            raise
        except Exception as error:  # noqa: BLE001 - contained: ledger.engine.contained
            self._fail(at, error, moment, to)
            return
        self._set_due(to)
        self._evaluate(rows, moment, to)

    def _set_due(self, to: Effects) -> None:
        """Set or clear the timers of the stores that were told of."""
        for at, due_ms in self._stock.dues.items():
            self._alerts.timers.put(Stock.timer, at, due_ms, to.timers)
        self._stock.dues.clear()

    # --- entries to rows ---------------------------------------------------------------------------------------------

    def _rows(self, entry: Input, to: Effects) -> list[Row]:
        rows: list[Row] = []
        if not entry.is_authority:
            self._register.note(entry)
            if self._refusals is not None:
                rows.extend(self._refusals.grown(entry))
        kinds: list[str] = []
        if entry.kind in PAPERS:
            kinds = [entry.kind]
        elif entry.before is not None:  # a correction; of a paper that is none any more, too
            kinds = sorted({entry.body["kind"], entry.before.kind} & PAPERS)
        concerned = self._papers.concerned(entry) if kinds else set()
        if entry.kind == "ruleset":
            self.state.ruleset = entry.body["digest"]
        elif entry.kind == "correction":
            rows.extend(self._correction(entry, to))
            self._judge_soon()
        else:
            self._record(entry, to, rows)
        if kinds:
            concerned |= self._papers.concerned(entry)
        for kind in kinds:
            self._papers.came(kind, concerned, self.state.now_ms)
        if self._stock.dues:
            self._set_due(to)
        if self._stock.changed:
            to.stock.update(self._stock.changed)
            self._stock.changed.clear()
        return rows

    def _record(self, entry: Input, to: Effects, rows: list[Row]) -> None:
        if entry.kind in Register.kinds:
            self._register.apply(entry)
        if entry.kind not in self._listening.kinds:
            return
        if entry.kind == "movement" and self._notes_movements:
            self._papers.note(entry)
        goods = goods_of(entry.body, self._classifier)
        if goods and entry.kind in _LINE_KINDS:
            to.lines.append((entry, [item.line for item in goods]))
        for topic in self._listening.to(entry, goods):
            try:
                rows.extend(topic.apply(entry, goods))
            except OUTSIDE:
                raise
            except Exception as error:  # noqa: BLE001 - what one topic cannot take in is not hidden from the others
                self._faulty.append((topic, error))

    def _judge_soon(self) -> None:
        """What rested on a record as it stood before its correction is judged again by the next tick."""
        for topic in self._resting:
            if topic.again:
                self._papers.rested_on(topic.judged, topic.again, self.state.now_ms)
                topic.again = {}

    def _judge_again(self, moment: Moment, to: Effects, find: Find) -> None:
        """Tell the rows of the records again that papers came late for, or that rested on one that was corrected."""
        rows: list[Row] = []
        moment = replace(moment, event_ms=0)
        # A movement of which two parties got papers is told again once, by all topics that judge by either.
        for record_id, kinds in self._papers.take_due(moment.now_ms):
            topics = [topic for topic in self._topics if not kinds.isdisjoint(topic.papers)]
            try:
                rows.extend(self._told_again(RecordId(record_id), topics, find))
            except OUTSIDE:
                raise
            except Exception as error:  # noqa: BLE001 - contained: ledger.engine.contained
                self._fail(record_id, error, moment, to)
        gone = self._take_gone()
        self._evaluate(
            ((subject, {name: value for name, value in row.items() if name != ORIGIN}) for subject, row in rows),
            moment,
            to,
        )
        self._windows.fold(rows, moment.index, moment, to, gone=gone)

    def _told_again(self, record_id: RecordId, topics: Sequence[Topic], find: Find) -> Iterator[Row]:
        original = find(record_id)
        stands = self._corrections.as_it_stands(original, find) if original is not None else None
        if stands is None:
            return
        goods = goods_of(stands.body, self._classifier)
        again = replace(stands, before=stands)
        for topic in topics:
            if _is_judged_by(topic, stands):
                self._gone += [(subject.name, stands.index) for subject in topic.subjects if not subject.level]
                for subject, row in topic.correct(stands, goods, again, goods):
                    yield subject, {ORIGIN: stands.index} | row

    def _correction(self, entry: Input, to: Effects) -> Iterator[Row]:
        """The record that was corrected, taken out as it stood and taken in as it stands from now on."""
        before, corrected = self._corrections.take(entry)
        if corrected.kind in Register.kinds:
            self._register.apply(corrected)
        elif corrected.kind == "movement" and self._notes_movements:
            self._papers.note(corrected)
        before_goods = goods_of(before.body, self._classifier)
        goods = goods_of(corrected.body, self._classifier)
        if goods and corrected.kind in _LINE_KINDS:
            to.lines.append((entry, [item.line for item in goods]))
        for topic in self._topics:
            took, takes = before.kind in topic.kinds, corrected.kind in topic.kinds
            try:
                if took and takes and before.kind == corrected.kind:
                    yield from topic.correct(before, before_goods, corrected, goods)
                    continue
                if took:
                    yield from topic.withdraw(before, before_goods, corrected)
                if takes:
                    yield from topic.apply(corrected, goods)
            except OUTSIDE:
                raise
            except Exception as error:  # noqa: BLE001 - as in _record
                self._faulty.append((topic, error))
        for topic in self._listening.to_kind("correction"):
            for subject, row in topic.apply(entry, goods):
                yield subject, row | {ORIGIN: entry.index}


def _is_judged_by(topic: Topic, stands: Input) -> bool:
    """Papers are about movements; a topic whose findings rest on other records says so itself."""
    if stands.kind != "movement":
        return bool(topic.judged) and stands.kind in topic.kinds
    return topic.reasons is None or stands.body["reason"] in topic.reasons
