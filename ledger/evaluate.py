"""Stage 4, evaluate: log entries → alerts. Each entry is folded exactly once; alerts, timers and outbox commit together.

What is durable: everything below the store's cursor, in one transaction per micro-batch. What a crash loses: nothing.
The state is folded again from the last snapshot up to the cursor, and what that brings about is thrown away because it
is in the tables already. An alert's envelope is finished and in the outbox before it is sent, so that a crash sends the
same bytes again and gets the same receipt. A rule that fails is an alert and a visible health, never a lost one.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from importlib.resources import files
from time import monotonic
from typing import Any

from ledger.catalogue import file_digests
from ledger.catalogue.restricted import RestrictedSets
from ledger.engine.alerts import Effects, Identity, Raised
from ledger.engine.fold import Fold
from ledger.engine.goods import Classifier
from ledger.engine.inputs import GoodsLine, Input, parse_input
from ledger.engine.life import LifeEffects
from ledger.engine.liferows import rows_of
from ledger.engine.parameters import read_legal_params
from ledger.engine.register import CALENDAR
from ledger.engine.rules import RuleSet, load_rules
from ledger.engine.state import FoldState, book_key, decode_state, encode_state
from ledger.errors import LedgerError, OverloadedError, RuleError, StoreError
from ledger.faults import fault
from ledger.model import Appended, AuthenticRecord, LeafIndex, RecordId, StoredRecord, UnixMs
from ledger.ports import (
    Appender,
    EngineBatch,
    EngineStore,
    LineRow,
    LogReader,
    OutboxRow,
    RuleHealth,
    StockRow,
    TimerRow,
)

log = logging.getLogger(__name__)

LIVE_BATCH = 50
LIVE_SECONDS = 0.020
"""A live batch ends after so many entries or so long: what is folded is not seen before it is committed."""
CATCH_UP_BATCH = 1000
"""When further behind than CATCH_UP_FROM, one commit covers more: nobody sees a second of delay in an hour's backlog."""
CATCH_UP_FROM = 200
SNAPSHOT_ENTRIES = 10_000
SNAPSHOT_SECONDS = 60.0
OUTBOX_BATCH = 100
TICK_RETRY_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class Platform:
    """In whose name alerts are signed: the platform's issuer name, and the keyid that Appender.sign_platform uses."""

    issuer: str
    keyid: str


def shipped_rules(overrides: Mapping[str, str] | None = None, restricted: RestrictedSets | None = None) -> RuleSet:
    """The rules in ledger/rules with the legal parameters in ledger/catalogue. Raises RuleError with file and line.

    `restricted`: the installation's restricted sets; None: the harmless example.
    """
    package = files("ledger")
    sources = {
        entry.name: entry.read_text(encoding="utf-8")
        for entry in package.joinpath("rules").iterdir()
        if entry.name.endswith(".yml")
    }
    legal = package.joinpath("catalogue", "legal_params.csv").read_text(encoding="utf-8")
    catalogue = " ".join(f"{name}:{digest}" for name, digest in sorted(file_digests().items())) + f" {CALENDAR}"
    return load_rules(sources | dict(overrides or {}), read_legal_params(legal), catalogue, restricted)


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
    ) -> None:
        """`admit` turns an envelope's bytes into what Appender.append takes (receive, then authenticate).

        `classifier` is the catalogue (`ledger.catalogue.Catalogue`). `clock` is the wall clock, asked only for whether a tick may be due; nothing that is folded sees it.
        """
        self._log = log_reader
        self._store = store
        self._appender = appender
        self._admit = admit
        self._rules = rules
        self._classifier = classifier
        self._clock = clock
        self._clock_s = clock_s
        self._identity = Identity(
            log=log_reader.origin(), issuer=platform.issuer, keyid=platform.keyid, ruleset=rules.digest
        )
        self._versions = {rule.id: rule.version for rule in rules.rules}
        self._fold: Fold | None = None
        self._to = Effects()
        self._uncommitted = False
        self._undelivered = True
        self._announced = False
        self._snapshot_index = 0
        self._snapshot_s = clock_s()
        self._tick_asked_s = float("-inf")
        self._outbox_error = ""

    # --- the loop's body ---------------------------------------------------------------------------------------------

    def evaluate_once(self) -> int:
        """Fold and commit one micro-batch, send what waits in the outbox, ask for a tick when a timer is due.

        Returns how many entries were folded; 0 means that the log's end is reached.

        Raises: StoreError, OverloadedError: nothing is lost, call again.
        """
        fold = self._fold or self.recover()
        if self._uncommitted:
            self._commit(fold)
        folded = self._fold_some(fold)
        if self._uncommitted:
            self._commit(fold)
        if self._undelivered:
            self._deliver(fold)
        if folded == 0:
            self._announce(fold)
            self._ask_for_tick(fold)
        return folded

    def recover(self) -> Fold:
        """Load the snapshot and fold again up to the table's cursor; the effects of that are in the tables already."""
        cursor, snapshot, _, own_seq, own_prev = self._store.load()
        state = (decode_state(snapshot) if snapshot else None) or FoldState()
        if state.next_index > cursor:
            raise StoreError(f"the engine's snapshot is at {state.next_index}, beyond its cursor {cursor}")
        fold = Fold(state, self._rules, self._classifier, self._identity)
        self._snapshot_index = state.next_index
        # A snapshot that this program cannot read: the tables may be of a program that did not keep lives.
        upgraded = snapshot is not None and state.next_index == 0
        thrown_away = Effects()
        while state.next_index < cursor:
            records = self._log.records(LeafIndex(state.next_index), min(CATCH_UP_BATCH, cursor - state.next_index))
            if not records:
                raise StoreError(f"the engine's cursor {cursor} is beyond the log's end; was the log restored?")
            self._step(fold, records, thrown_away)
            thrown_away = Effects(life=thrown_away.life if upgraded else LifeEffects())
        if (state.own_seq, state.own_prev) != (own_seq, own_prev):
            log.warning(
                "the rules changed since the last start; alerts go on from seq %d of the engine's book", own_seq
            )
            state.own_seq, state.own_prev = own_seq, own_prev
        self._to = Effects(life=thrown_away.life)
        self._uncommitted = self._reconcile_timers(state) or bool(thrown_away.life.lives)
        self._fold = fold
        return fold

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

    def _fold_some(self, fold: Fold) -> int:
        start = fold.state.next_index
        behind = int(self._log.size()) - start
        if behind <= 0:
            return 0
        catching_up = behind > CATCH_UP_FROM
        records = self._log.records(LeafIndex(start), CATCH_UP_BATCH if catching_up else LIVE_BATCH)
        until_s = None if catching_up else self._clock_s() + LIVE_SECONDS
        self._step(fold, records, self._to, until_s)
        folded = fold.state.next_index - start
        self._uncommitted = self._uncommitted or folded > 0
        return folded

    def _step(self, fold: Fold, records: list[StoredRecord], to: Effects, until_s: float | None = None) -> None:
        if not records:
            return
        facts = self._log.facts(records[0].index, LeafIndex(records[-1].index + 1))
        for record in records:
            try:
                entry = parse_input(record, facts.get(record.index))
            except RuleError as error:
                fold.unreadable(record, error, to)
                continue
            fold.step(fold.with_before(entry, self._find), to)
            # The clock only decides where a batch ends, and where it ends changes no table.
            if until_s is not None and self._clock_s() >= until_s:
                return

    def _find(self, record_id: RecordId) -> Input | None:
        record = self._log.record_by_id(record_id)
        try:
            return (
                parse_input(record, self._log.facts(record.index, LeafIndex(record.index + 1)).get(record.index))
                if record
                else None
            )
        except RuleError:
            return None  # its own fold showed that it does not parse

    # --- committing --------------------------------------------------------------------------------------------------

    def _commit(self, fold: Fold) -> None:
        """Sign the new alerts and commit everything since the last commit. May be repeated after any failure."""
        state, to = fold.state, self._to
        outbox = tuple(self._outbox_row(raised) for raised in to.raised)
        with_snapshot = (
            state.next_index - self._snapshot_index >= SNAPSHOT_ENTRIES
            or self._clock_s() - self._snapshot_s >= SNAPSHOT_SECONDS
        )
        lives, steps, orders = rows_of(state.life, to.life)
        fault("engine.before-commit")
        self._store.commit(
            EngineBatch(
                cursor=LeafIndex(state.next_index),
                alerts=tuple(replace(raised.alert, record_id=raised.record_id) for raised in to.raised),
                outbox=outbox,
                book_seq=state.own_seq if to.raised else None,
                book_prev=to.raised[-1].record_id if to.raised else None,
                timers_set=tuple(
                    TimerRow(
                        timer_id, UnixMs(timer.due_ms), timer.rule, {"fingerprint": timer.fingerprint.split("\x1f")}
                    )
                    for timer_id, timer in to.timers.items()
                    if timer is not None
                ),
                timers_cleared=tuple(timer_id for timer_id, timer in to.timers.items() if timer is None),
                stock=tuple(_stock_row(state, at, index) for at, index in to.stock.items()),
                lines=tuple(row for entry, lines in to.lines for row in _line_rows(entry, lines)),
                lives=lives,
                steps=steps,
                orders=orders,
                health=tuple(self._health_row(state, rule) for rule in to.touched_rules),
                snapshot=encode_state(state) if with_snapshot else None,
            )
        )
        fault("engine.after-commit")
        self._undelivered = self._undelivered or bool(outbox)
        self._to = Effects()
        self._uncommitted = False
        if with_snapshot:
            self._snapshot_index, self._snapshot_s = state.next_index, self._clock_s()

    def _outbox_row(self, raised: Raised) -> OutboxRow:
        envelope = self._appender.sign_platform(raised.payload)
        return OutboxRow(id=raised.alert.alert_id, record_id=raised.record_id, envelope=envelope)

    def _health_row(self, state: FoldState, rule: str) -> RuleHealth:
        health = state.health[rule]
        return RuleHealth(
            rule=rule,
            version=self._versions.get(rule, 1),
            last_index=LeafIndex(health.last_index),
            state="error" if health.error else "ok",
            error=health.error,
            evaluations=health.evaluations,
            alerts=health.alerts,
        )

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
            self._note_outbox(fold, refused)
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

    def _note_outbox(self, fold: Fold, refused: Exception | None) -> None:
        """Whether alerts reach the log is health too: it stands beside the rules under the name OUTBOX."""
        error = "" if refused is None or isinstance(refused, OverloadedError) else str(refused)
        if error == self._outbox_error:
            return
        self._outbox_error = error
        cursor = LeafIndex(fold.state.next_index)
        row = RuleHealth("OUTBOX", 1, cursor, "error" if error else "ok", error, 0, 0)
        self._store.commit(EngineBatch(cursor=cursor, health=(row,)))

    def _announce(self, fold: Fold) -> None:
        """Write a `ruleset` entry when the rules in force are not those of the newest one."""
        if self._announced:
            return
        if fold.state.ruleset != self._rules.digest:
            body: dict[str, Any] = {
                "digest": self._rules.digest,
                **self._rules.parts,
                "versions": [
                    {"rule": rule.id, "version": rule.version, "status": rule.status, "digest": rule.digest}
                    for rule in self._rules.rules
                ],
            }
            if fold.state.ruleset:
                body["previous"] = fold.state.ruleset
            self._appender.append_platform("ruleset", "rules", body)
        self._announced = True

    def _ask_for_tick(self, fold: Fold) -> None:
        due_ms = fold.next_due()
        if due_ms is None or self._clock() < due_ms:
            return
        now_s = self._clock_s()
        if now_s - self._tick_asked_s < TICK_RETRY_SECONDS:
            return  # at most one tick a minute is the sequencer's business; not to ask all the time is ours
        self._tick_asked_s = now_s
        self._appender.tick(due_ms)

    def state(self) -> bytes:
        """The folded state as a snapshot at this moment would keep it; for the audit."""
        return encode_state((self._fold or self.recover()).state)

    def status(self) -> dict[str, Any]:
        """Cursor, lag in entries and next timer: for /readyz and metrics."""
        fold = self._fold
        cursor = fold.state.next_index if fold else 0
        return {
            "cursor": cursor,
            "lag": max(int(self._log.size()) - cursor, 0),
            "next_due_ms": fold.next_due() if fold else None,
            "ruleset": self._rules.digest,
            "outbox_error": self._outbox_error,
        }


def evaluate(evaluator: Evaluator, *, stop: Callable[[], bool], wait: Callable[[float], object]) -> None:
    """Evaluate until `stop()`; `wait(seconds)` returns early when the log grew.

    A store or a sequencer that is away is waited for, for ever; every other error ends the process, whose next start
    recovers.
    """
    while not stop():
        try:
            if evaluator.evaluate_once() == 0:
                wait(0.2)
        except (StoreError, OverloadedError) as error:
            log.warning("evaluate waits: %s", error.detail)
            wait(1.0)
        except LedgerError as error:
            log.exception("evaluate stops: %s", error.detail)
            raise


def _stock_row(state: FoldState, at: tuple[str, str, str, str], index: int) -> StockRow:
    holder, site, book, key = at
    account = state.books[book_key(holder, site, book)].accounts[key]
    code, _, packaging, dimension = key.split("|")
    capacity = None
    if len(account.stores) == 1:
        store = state.stores.get(book_key(holder, site, next(iter(account.stores))))
        if store is not None and store.dimension == dimension:
            capacity = store.capacity
    return StockRow(
        holder=holder,
        site=site,
        book=book,
        key=key,
        code=code,
        dimension=dimension,
        amount=account.total,
        pieces=account.total_pieces if packaging == "sealed" else None,
        capacity=capacity,
        as_of_index=LeafIndex(index),
        event_time_ms=UnixMs(account.as_of_ms),
    )


def _line_rows(entry: Input, lines: list[GoodsLine]) -> list[LineRow]:
    body = entry.body["body"] if entry.kind == "correction" else entry.body
    return [
        LineRow(
            index=entry.index,
            line=at,
            holder=entry.holder,
            site=entry.site,
            book=entry.book,
            kind=entry.kind,
            direction=body.get("direction", ""),
            reason=body.get("reason", ""),
            code=line.code,
            dimension=line.dimension,
            amount=line.amount,
            pieces=line.pieces if line.packaging == "sealed" else None,
            store=line.store,
            event_time_ms=entry.event_ms,
            counterparty=body.get("counterparty", {}).get("uscc", ""),
        )
        for at, line in enumerate(lines)
    ]
