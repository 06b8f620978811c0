"""Stage 4, evaluate: log entries → alerts. Each entry is folded exactly once; alerts, timers and outbox commit together.

What is durable: everything below the store's cursor, in one transaction per micro-batch. What a crash loses: nothing.
The state is folded again from the last snapshot up to the cursor, and what that brings about is thrown away because it
is in the tables already. An alert's envelope is finished and in the outbox before it is sent, so that a crash sends the
same bytes again and gets the same receipt. A rule that fails is an alert and a visible health, never a lost one.
"""

from __future__ import annotations

import gc
import logging
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from time import monotonic
from typing import Any

from ledger.engine.alerts import Effects, Raised
from ledger.engine.days import date_of
from ledger.engine.fold import Fold
from ledger.engine.goods import Classifier
from ledger.engine.register import load_calendar
from ledger.engine.rules import RuleSet
from ledger.engine.state import FoldState, decode_state, encode_state
from ledger.engine.tablerows import batch_of
from ledger.enginehealth import CLOCK, OUTBOX, PROMOTION, EngineHealth
from ledger.errors import LedgerError, OverloadedError, StoreError
from ledger.faults import fault
from ledger.follow import Follower, Meter, Platform, Sets
from ledger.model import Appended, AuthenticRecord, LeafIndex, UnixMs
from ledger.ports import Appender, EngineStore, LogReader, OutboxRow
from ledger.promotion import objections
from ledger.rulesets import KEPT, announced, as_kept, engines, of_another_catalogue, present_engine, shipped_rules

__all__ = ["Evaluator", "Platform", "evaluate", "shipped_rules"]

log = logging.getLogger(__name__)

LIVE_BATCH = 50
LIVE_SECONDS = 0.020
"""A live batch ends after so many entries or so long: what is folded is not seen before it is committed."""
CATCH_UP_BATCH = 2_000
CATCH_UP_SECONDS = 0.5
CATCH_UP_FROM = 200
"""When further behind than this, one commit covers more: nobody sees a second of delay in an hour's backlog. It still ends
soon: a process that is told to stop, or that comes to the log's end, is not long busy with what it has taken up."""
SNAPSHOT_ENTRIES = 10_000
SNAPSHOT_SECONDS = 60.0
OUTBOX_BATCH = 100
TICK_RETRY_SECONDS = 1.0
PREPARE_BATCH = 500
"""A new rule set's back-fill goes on by so many entries between two live batches."""


class Evaluator:
    """Folds the log as it grows. One instance works at a time; the process holds the engine's lock."""

    def __init__(
        self,
        *,
        log_reader: LogReader,
        store: EngineStore,
        appender: Appender,
        admit: Callable[[bytes], AuthenticRecord],
        rules: RuleSet,
        classifier: Classifier,
        platform: Platform,
        clock: Callable[[], UnixMs],
        clock_s: Callable[[], float] = monotonic,
        kept: Callable[[], Mapping[str, Any]] | None = None,
    ) -> None:
        """`admit` turns an envelope's bytes into what Appender.append takes (receive, then authenticate).

        `classifier` is the catalogue (`ledger.catalogue.Catalogue`). `clock` is the wall clock, asked only for whether a
        tick may be due; nothing that is folded sees it. `kept` gives the texts of earlier rule sets, of the store itself
        unless said otherwise.
        """
        load_calendar()
        self._log = log_reader
        self._store = store
        self._appender = appender
        self._admit = admit
        self._rules = rules
        self._sets = Sets(rules, kept or store.extra)
        self._classifier = classifier
        self._platform = platform
        self._clock = clock
        self._clock_s = clock_s
        self._follower: Follower | None = None
        self._newest = ""
        """Digest in the log's newest `ruleset` entry."""
        self._other_engine = False
        """Another program than this one has announced it."""
        self._extra: dict[str, Any] = {}
        self._meter = Meter(clock_s)
        self._withheld = False
        """This program's rule set is not announced, because a rule may not become live."""
        self._to = Effects()
        self._uncommitted = False
        self._undelivered = True
        self._at_once = CATCH_UP_BATCH
        """Entries that the next batch of a backlog reads."""
        self._snapshot_index = 0
        self._snapshot_s = clock_s()
        self._tick_asked_s = float("-inf")
        self._health = EngineHealth(store, clock_s)

    # --- the loop's body ---------------------------------------------------------------------------------------------

    def evaluate_once(self) -> int:
        """Fold and commit one micro-batch, send what waits in the outbox, ask for a tick when a timer is due.

        Returns how many entries were folded; 0 means that the log's end is reached.

        Raises: StoreError, OverloadedError: nothing is lost, call again.
        """
        follower = self._follower or self._start()
        if self._uncommitted:
            self._commit(follower)
        if not self._newest or self._other_engine:
            # The first set governs from index 0, so it is announced before anything is found by it; and another program
            # says from where on it is that which folds, though the rules are the same.
            self._announce()
        folded = self._fold_some(follower)
        if self._uncommitted:
            self._commit(follower)
        if self._undelivered:
            self._deliver(follower.fold)
        prepared = self._prepare(follower)
        self._health.look_at_pace(follower.state.next_index, self._log.size, self._meter.costs_us)
        if folded == 0:
            self._ask_for_tick(follower.fold)
        return folded or prepared

    def recover(self) -> Fold:
        """Load the snapshot and fold again up to the table's cursor; the effects of that are in the tables already."""
        return self._start().fold

    def _start(self) -> Follower:
        cursor, snapshot, _, own_seq, own_prev = self._store.load()
        state = (decode_state(snapshot) if snapshot else None) or FoldState()
        if state.next_index > cursor:
            raise StoreError(f"the engine's snapshot is at {state.next_index}, beyond its cursor {cursor}")
        if state.next_index and of_another_catalogue(state.ruleset, self._sets.kept()):
            log.warning(
                "the snapshot was folded by another catalogue than this program's: its balances have other keys"
            )
            state = FoldState()
        # From entry 0: what tables say of stock, streams and lives may be an earlier program's.
        upgraded = cursor > 0 and state.next_index == 0
        log.info("folding entries %d to %d again, from the last snapshot to the cursor", state.next_index, cursor)
        self._snapshot_index = state.next_index
        follower = Follower(self._log, self._sets, self._classifier, self._platform, state)
        to = Effects(whole=upgraded)
        for thrown_away in follower.batches(cursor):
            if upgraded:
                to.stock |= thrown_away.stock
                to.streams |= thrown_away.streams
                to.life.lives |= thrown_away.life.lives
                to.life.orders |= thrown_away.life.orders
                to.life.steps += thrown_away.life.steps
        state = follower.state
        if (state.own_seq, state.own_prev) != (own_seq, own_prev):
            log.warning(
                "this program finds other alerts in the log's past than were said; they go on from seq %d", own_seq
            )
            state.own_seq, state.own_prev = own_seq, own_prev
        known = announced(self._log)
        self._newest = known[-1][1] if known else ""
        self._other_engine = self._newest == self._rules.digest and engines(self._log)[-1][1] != present_engine()
        for digest, why in self._sets.problems.items():
            log.warning("%s; folded by the present rules in its stead (%s…)", why, digest[:16])
        self._to = to
        self._keep(follower.rules)
        self._uncommitted = self._reconcile_timers(state) or upgraded or bool(self._extra)
        follower.meter = self._meter
        self._follower = follower
        return follower

    def _keep(self, rules: RuleSet) -> None:
        """The next commit keeps the texts of a set that is, or is about to be, in force."""
        name = KEPT + rules.digest
        if rules.sources and name not in self._store.extra():
            self._extra[name] = as_kept(rules)

    def _reconcile_timers(self, state: FoldState) -> bool:
        """After a change of rules the folded timers may differ from the table's; the next commit makes them equal."""
        stored = {row.id: row.due_ms for row in self._store.timers()}
        for timer_id in stored.keys() - state.timers.keys():
            self._to.timers[timer_id] = None
        for timer_id, timer in state.timers.items():
            if stored.get(timer_id) != timer.due_ms:
                self._to.timers[timer_id] = timer
        return bool(self._to.timers)

    # --- folding -----------------------------------------------------------------------------------------------------

    def _fold_some(self, follower: Follower) -> int:
        start = follower.state.next_index
        behind = int(self._log.size()) - start
        if behind <= 0:
            return 0
        catching_up = behind > CATCH_UP_FROM
        records = self._log.records(LeafIndex(start), self._at_once if catching_up else LIVE_BATCH)
        until_s = self._clock_s() + (CATCH_UP_SECONDS if catching_up else LIVE_SECONDS)
        # A read that fails leaves an entry half folded (what is judged again comes from the log): from the snapshot then.
        self._follower = None
        # The clock only decides where a batch ends, and where it ends changes no table.
        follower.step(records, self._to, lambda: self._clock_s() >= until_s)
        self._follower = follower
        folded = follower.state.next_index - start
        if catching_up:  # little more than the time allowed just now: what is read and not folded is read again
            self._at_once = min(folded + folded // 4 + LIVE_BATCH, CATCH_UP_BATCH)
        self._uncommitted = self._uncommitted or folded > 0
        if follower.switched:
            self._keep(follower.rules)
        return folded

    # --- committing --------------------------------------------------------------------------------------------------

    def _commit(self, follower: Follower) -> None:
        """Sign the new alerts and commit everything since the last commit. May be repeated after any failure."""
        state, to = follower.state, self._to
        outbox = tuple(self._outbox_row(raised) for raised in to.raised)
        with_snapshot = (
            follower.switched
            or state.next_index - self._snapshot_index >= SNAPSHOT_ENTRIES
            or self._clock_s() - self._snapshot_s >= SNAPSHOT_SECONDS
        )
        fault("engine.before-commit")
        self._store.commit(
            batch_of(
                state,
                to,
                outbox,
                versions={rule.id: rule.version for rule in follower.rules.rules},
                snapshot=encode_state(state) if with_snapshot else None,
                extra=self._extra,
            )
        )
        fault("engine.after-commit")
        self._undelivered = self._undelivered or bool(outbox)
        self._to, self._extra = Effects(), {}
        self._uncommitted = follower.switched = False
        if with_snapshot:
            self._snapshot_index, self._snapshot_s = state.next_index, self._clock_s()

    def _outbox_row(self, raised: Raised) -> OutboxRow:
        envelope = self._appender.sign_platform(raised.payload)
        return OutboxRow(id=raised.alert.alert_id, record_id=raised.record_id, envelope=envelope)

    # --- the log's side ----------------------------------------------------------------------------------------------

    def _deliver(self, fold: Fold) -> None:
        """Send finished alert envelopes in the order of the engine's book; stop at the first that is not taken."""
        while rows := self._store.outbox_pending(OUTBOX_BATCH):
            sent: list[tuple[str, LeafIndex]] = []
            admitted, refused = self._admitted(rows)
            answers = self._appender.append(admitted) if admitted else []
            for row, answer in zip(rows, answers, strict=False):
                if not isinstance(answer, Appended):
                    refused = answer
                    break
                sent.append((row.id, answer.receipt.index))
            fault("engine.after-delivery")
            self._store.outbox_sent(sent)
            error = "" if refused is None or isinstance(refused, OverloadedError) else str(refused)
            self._health.note(OUTBOX, error, fold.state.next_index)
            if refused is not None:
                return
        self._undelivered = False

    def _admitted(self, rows: Sequence[OutboxRow]) -> tuple[list[AuthenticRecord], Exception | None]:
        """The rows up to the first that our own door refuses, and that refusal. It must be seen (health OUTBOX), but
        never end the process: warnings go on reaching the supervisor's table without the log.
        """
        admitted: list[AuthenticRecord] = []
        for row in rows:
            try:
                admitted.append(self._admit(row.envelope))
            except (StoreError, OverloadedError):
                raise
            except LedgerError as error:
                return admitted, error
        return admitted, None

    def _prepare(self, follower: Follower) -> int:
        """Back-fill this program's rule set beside the one in force; announce it when it has caught up.

        Returns how many entries that took, 1 for the announcement; 0 when there is nothing to do.
        """
        if self._newest in ("", self._rules.digest) or self._withheld:
            return 0
        if follower.prepared is None or follower.prepared.rules.digest != self._rules.digest:
            log.info("back-filling the new rule set %s… from the log", self._rules.digest[:16])
            follower.prepared = follower.backfill(self._rules)
        prepared, follower.prepared = follower.prepared, None  # a read that fails leaves it half folded
        advanced = prepared.advance(int(self._log.size()), PREPARE_BATCH)
        follower.prepared = prepared
        if advanced:
            return advanced
        days = {rule: Counter(map(date_of, times)) for rule, times in prepared.alerts.items()}
        against = objections(follower.rules, self._rules, days, follower.state.now_ms, self._classifier)
        self._health.note(PROMOTION, "; ".join(against), follower.state.next_index)
        if against:
            # The rules in force go on. A rule that cries all day would bury what the others say.
            log.error("the new rule set does not take effect: %s", "; ".join(against))
            follower.prepared, self._withheld = None, True
            return 0
        self._keep(self._rules)
        if self._extra:
            self._commit(follower)
        self._announce()
        return 1

    def _announce(self) -> None:
        """Write the `ruleset` entry behind which this program's rules are in force."""
        body: dict[str, Any] = {
            "digest": self._rules.digest,
            **self._rules.parts,
            "software": present_engine(),
            "versions": [
                {"rule": rule.id, "version": rule.version, "status": rule.status, "digest": rule.digest}
                for rule in self._rules.rules
            ],
        }
        if self._newest:
            body["previous"] = self._newest
        self._appender.append_platform("ruleset", "rules", body)
        self._newest, self._other_engine = self._rules.digest, False

    def _ask_for_tick(self, fold: Fold) -> None:
        due_ms = fold.next_due()
        if due_ms is None or self._clock() < due_ms:
            return
        now_s = self._clock_s()
        if now_s - self._tick_asked_s < TICK_RETRY_SECONDS:
            return  # at most one tick a minute is the sequencer's business; not to ask all the time is ours
        self._tick_asked_s = now_s
        jump = None if self._appender.tick(due_ms) is not None else self._appender.status().get("clock_jump")
        error = "" if jump is None else f"the clock jumped, ticks pause until it is confirmed: {jump}"
        self._health.note(CLOCK, error, fold.state.next_index)

    def state(self) -> bytes:
        """The folded state as a snapshot at this moment would keep it; for the audit."""
        return encode_state((self._follower or self._start()).state)

    def status(self) -> dict[str, Any]:
        """Cursor, lag in entries and next timer: for /readyz and metrics."""
        follower = self._follower
        cursor = follower.state.next_index if follower else int(self._store.load()[0])
        return {
            "cursor": cursor,
            "lag": max(int(self._log.size()) - cursor, 0),
            "next_due_ms": follower.fold.next_due() if follower else None,
            "ruleset": follower.rules.digest if follower else self._rules.digest,
            "costs_us": {rule: round(us, 2) for rule, (us, _) in self._meter.costs_us().items()},
            "outbox_error": self._health.error(OUTBOX),
        }


def evaluate(evaluator: Evaluator, *, stop: Callable[[], bool], wait: Callable[[float], object]) -> None:
    """Evaluate until `stop()`; `wait(seconds)` returns early when the log grew.

    A store or a sequencer that is away is waited for, for ever; every other error ends the process, whose next start
    recovers. The state is a tree, which the collector would walk for nothing (7 us an entry, and a stop of 50 ms): each
    batch puts what it kept out of its sight, and what little came in cycles is collected while there is nothing to fold.
    """
    while not stop():
        try:
            if evaluator.evaluate_once() == 0:
                gc.collect()
                wait(0.2)
            gc.freeze()
        except (StoreError, OverloadedError) as error:
            log.warning("evaluate waits: %s", error.detail)
            wait(1.0)
        except LedgerError as error:
            log.exception("evaluate stops: %s", error.detail)
            raise
