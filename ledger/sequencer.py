"""The sequencer: the one process that writes the log. Group commit around `append`, and everything the platform signs.

Callers on any thread hand in their lines; one committer thread takes all that waits, drafts it, commits it in one
transaction and wakes the callers. So an fsync is shared by whoever comes while the one before is under way.
"""

from __future__ import annotations

import hashlib
import logging
import queue
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import tzinfo
from typing import Any

from ledger.append import Draft, WriterState, append, commit
from ledger.append.own import OwnKey, own_payload
from ledger.append.refusals import Refusals
from ledger.authenticate import authenticate
from ledger.checkpoint import checkpoint
from ledger.clockwatch import ClockWatch
from ledger.core.dsse import PAYLOAD_TYPE, encode_envelope, pae
from ledger.core.facts import digested
from ledger.core.note import NoteSigner
from ledger.core.submission import SUBMISSION_TYPE
from ledger.errors import ChainError, LedgerError, OverloadedError, RollbackError, StoreError
from ledger.faults import fault
from ledger.model import (
    Appended,
    AuthenticRecord,
    LeafIndex,
    Signature,
    TreeHead,
    UnixMs,
)
from ledger.ports import HeadGuard, LogWriter, Signer, StoredCheckpoint
from ledger.receive import receive
from ledger.roots import check_against
from ledger.surrogates import check_key

_log = logging.getLogger(__name__)

PLATFORM_SITE = "platform"
# Above this many waiting callers the door says 503: better a clear "again in a second" than memory without end.
MAX_WAITING_JOBS = 256
# One group commit takes at most this many lines, so that a flood cannot hold the first caller for seconds.
MAX_LINES_PER_COMMIT = 2000
HOUR_MS = 3_600_000
TICK_EVERY_MS = 60_000
# Between two ticks a year's opening may lie: its facts are digested so many entries at a time.
FACTS_AT_ONCE = 4096


@dataclass(frozen=True)
class Identity:
    """Who this log is and with what it signs."""

    origin: str
    issuer: str
    platform: Signer
    log: NoteSigner
    receipt: NoteSigner
    lookup_key: bytes = field(repr=False)
    """Finds the surrogates of disclosed values again; kept apart from the database."""
    zone: tzinfo
    """Of the county."""
    merge_delay_ms: int = HOUR_MS


@dataclass
class _Job:
    work: Callable[[Draft], Any]
    lines: int
    done: threading.Event = field(default_factory=threading.Event)
    result: Any = None
    error: Exception | None = None


class Sequencer:
    """Implements ports.Appender in this process. Build one per log, under the lock `sequencer`."""

    def __init__(
        self,
        store: LogWriter,
        identity: Identity,
        guard: HeadGuard,
        *,
        clock: Callable[[], UnixMs],
        chain_head: Callable[[], TreeHead] | None,
        clock_watch: ClockWatch | None = None,
    ) -> None:
        """`clock_watch` None: the clock is believed whatever it says."""
        self._store = store
        self._clock_watch = clock_watch
        self._identity = identity
        self._guard = guard
        self._clock = clock
        self._chain_head = chain_head
        self._chain_agreed = chain_head is None
        self._rollback: str | None = None
        self._waiting_for: str | None = None
        self._refusals = Refusals(
            identity.receipt, lambda body, draft: self._platform_record("refusal", "refusals", body, draft)
        )
        self._lock = threading.Lock()
        self._jobs: queue.Queue[_Job | None] = queue.Queue(MAX_WAITING_JOBS)
        check_key(store, identity.lookup_key)
        self._state = WriterState.load(store)
        self._in_doubt = False
        self._check_rollback()
        self._last_tick = self._find_last_tick()
        self._thread = threading.Thread(target=self._commit_loop, name="committer", daemon=True)
        self._thread.start()

    # -- ports.Appender ------------------------------------------------------------------------------------------

    def append(self, records: Sequence[AuthenticRecord]) -> list[Appended | Exception]:
        answers: list[Appended | Exception] = self._run(lambda draft: self._append(records, draft), len(records))
        return answers

    def refuse(self, record: AuthenticRecord, code: str) -> bytes | None:
        note: bytes | None = self._run(lambda draft: self._refusals.refuse(record, code, draft), 1)
        return note

    def sign_platform(self, payload: bytes) -> bytes:
        signature = self._identity.platform.sign(pae(PAYLOAD_TYPE, payload))
        return encode_envelope(payload, [Signature(self._identity.platform.keyid, signature)])

    def append_platform(self, kind: str, book: str, body: dict[str, Any]) -> Appended:
        return self._append_own(kind, book, lambda _: body)

    def tick(self, not_before: UnixMs) -> Appended | None:
        if self._clock_jump() is not None:
            return None
        now = self._clock()
        if now < not_before or now - self._last_tick[0] < TICK_EVERY_MS:
            return None
        said = now

        def body(draft: Draft) -> dict[str, Any]:
            nonlocal said
            # Read here, on the committer's side: the last tick may be one whose commit was in doubt.
            last_now, last_index = self._last_tick
            said = UnixMs(max(last_now + 1, now))
            return {"now": said, "facts": self._facts_digest(LeafIndex(last_index + 1), draft)}

        appended = self._append_own("tick", "ticks", body)
        fault("tick.after-append")
        self._last_tick = (said, appended.receipt.index)
        return appended

    def status(self) -> dict[str, Any]:
        checkpointed = self._store.latest_checkpoint()
        return {
            "size": self._state.frontier.size,
            "checkpoint_size": checkpointed.size if checkpointed else 0,
            "checkpoint_signed_ms": checkpointed.signed_ms if checkpointed else None,
            "rollback": self._rollback,
            "signing_waits_for": self._waiting_for,
            "waiting_jobs": self._jobs.qsize(),
            "refusals_counted_only": self._refusals.counted_only,
            "clock_jump": self._clock_jump(),
        }

    def _clock_jump(self) -> dict[str, Any] | None:
        return None if self._clock_watch is None else self._clock_watch.jump()

    # -- checkpoint ----------------------------------------------------------------------------------------------

    def checkpoint_once(self) -> StoredCheckpoint | None:
        """Sign the head as it stands; None when nothing is new or signing must wait for the chain's word.

        Raises: RollbackError (signing and appending stop until a person has looked), StoreError.
        """
        if self._rollback:
            raise RollbackError(self._rollback)
        self._clock_jump()  # looked at every second, also when no tick is asked for
        with self._lock:
            head = self._state.head()
        if head.size == 0:
            return None
        try:
            # Also when nothing is new: a restored backup must not wait for its first record to be noticed.
            self._agree_with_chain(head)
            latest = self._store.latest_checkpoint()
            if latest is not None and latest.size == head.size:
                return None
            return checkpoint(
                head=head,
                store=self._store,
                guard=self._guard,
                signer=self._identity.log,
                now=self._clock(),
            )
        except RollbackError as error:
            self._rollback = error.detail
            raise

    def _agree_with_chain(self, head: TreeHead) -> None:
        if self._chain_agreed or self._chain_head is None:
            return
        self._waiting_for = "the chain's head; nothing was read from it since start"
        check_against(self._chain_head(), self._store, head.size, what="the head that the contract holds")
        self._chain_agreed, self._waiting_for = True, None

    def _check_rollback(self) -> None:
        """Before the first record is let in: a receipt above a restored backup would contradict one given before.

        The guard may have been restored along with the database; the chain was not. When it cannot be asked now, records
        are accepted all the same, and the first signature waits for its word.
        """
        head = self._state.head()
        try:
            check_against(self._guard.read(), self._store, head.size, what="the last head this log signed")
            self._agree_with_chain(head)
        except RollbackError as error:
            self._rollback = error.detail
        except ChainError as error:
            _log.warning("the chain's head is not known yet: %s", error.detail)

    def append_built(self, work: Callable[[Draft], list[Appended]], lines: int) -> list[Appended]:
        """Run `work`, which builds and appends entries on the draft of one group commit; durable when it returns."""
        done: list[Appended] = self._run(work, lines)
        return done

    def _append_own(self, kind: str, book: str, body: Callable[[Draft], dict[str, Any]]) -> Appended:
        """One platform entry whose body may depend on everything before it in the log."""

        def work(draft: Draft) -> Appended:
            (answer,) = append([self._platform_record(kind, book, body(draft), draft)], draft)
            if isinstance(answer, LedgerError):
                raise answer
            return answer

        appended: Appended = self._run(work, 1)
        return appended

    # -- the committer -------------------------------------------------------------------------------------------

    def _run(self, work: Callable[[Draft], Any], lines: int) -> Any:
        if self._rollback:
            raise RollbackError(self._rollback)
        job = _Job(work, lines)
        try:
            self._jobs.put_nowait(job)
        except queue.Full:
            raise OverloadedError("the log is busy; send the same bytes again in a second") from None
        job.done.wait()
        if job.error is not None:
            raise job.error
        return job.result

    def close(self) -> None:
        """Finish what waits, then stop the committer."""
        self._jobs.put(None)
        self._thread.join()

    def _commit_loop(self) -> None:
        while (first := self._jobs.get()) is not None:
            jobs, lines, stop = [first], first.lines, False
            while lines < MAX_LINES_PER_COMMIT:
                try:
                    job = self._jobs.get_nowait()
                except queue.Empty:
                    break
                if job is None:
                    stop = True
                    break
                jobs.append(job)
                lines += job.lines
            self._commit(jobs)
            if stop:
                return

    def _commit(self, jobs: list[_Job]) -> None:
        try:
            self._settle_doubt()
            draft = self._draft()
            for job in jobs:
                _do(job, draft)
            fault("append.before-commit")
            self._in_doubt = True
            with self._lock:
                commit(draft)
            self._in_doubt = False
            fault("append.after-commit")
        except Exception as error:  # noqa: BLE001 - whatever it was, every caller must hear it
            _log.exception("commit failed")
            failure = error if isinstance(error, LedgerError) else StoreError(f"commit failed: {type(error).__name__}")
            for job in jobs:
                job.error = job.error or failure
        for job in jobs:
            job.done.set()

    def _draft(self) -> Draft:
        return Draft(
            state=self._state,
            store=self._store,
            receipt_signer=self._identity.receipt,
            origin=self._identity.origin,
            now=self._clock(),
            merge_delay_ms=self._identity.merge_delay_ms,
            lookup_key=self._identity.lookup_key,
            zone=self._identity.zone,
        )

    def _settle_doubt(self) -> None:
        """A commit that failed may be on the disk all the same: its connection broke before the answer came. So after a
        failure the store says where the log stands, before anything is built on it.

        Raises: StoreError, RollbackError (the store that answers now is an older one).
        """
        if not self._in_doubt:
            return
        state = WriterState.load(self._store)
        try:
            check_against(self._guard.read(), self._store, state.head().size, what="the last head this log signed")
        except RollbackError as error:
            self._rollback = error.detail
            raise
        self._last_tick = self._find_last_tick()
        with self._lock:
            self._state = state
        self._in_doubt = False

    def _append(self, records: Sequence[AuthenticRecord], draft: Draft) -> list[Appended | LedgerError]:
        answers = append(records, draft)
        for record, answer in zip(records, answers, strict=True):
            if isinstance(answer, LedgerError):
                self._refusals.answer(record, answer, draft)
        return answers

    # -- what the platform signs ---------------------------------------------------------------------------------

    def _platform_record(self, kind: str, book: str, body: dict[str, Any], draft: Draft) -> AuthenticRecord:
        place = (self._identity.issuer, PLATFORM_SITE, book)
        payload = own_payload(draft, kind, place, body, keyid=self._identity.platform.keyid)
        return self._own(self.sign_platform(payload))

    def _own(self, envelope: bytes) -> AuthenticRecord:
        """An envelope of the platform's own, through the same door as everybody's."""
        return authenticate(
            receive(envelope, SUBMISSION_TYPE),
            origin=self._identity.origin,
            directory=OwnKey(self._identity.platform, self._identity.issuer),
            is_known=lambda _: True,  # whether the platform's grant is in force, `append` decides
        )

    # -- ticks ---------------------------------------------------------------------------------------------------

    def _find_last_tick(self) -> tuple[UnixMs, LeafIndex]:
        head = self._store.book_head(self._identity.issuer, PLATFORM_SITE, "ticks")
        stored = self._store.record_by_id(head.record_id) if head.record_id else None
        if stored is None:
            return UnixMs(0), LeafIndex(-1)
        payload = receive(stored.envelope, SUBMISSION_TYPE).payload
        return UnixMs(payload.body["now"]), stored.index

    def _facts_digest(self, start: LeafIndex, draft: Draft) -> str:
        """SHA-256 over every facts row from `start` to just before this entry, as `core.facts.digested` writes them."""
        digest, end = hashlib.sha256(), self._state.frontier.size
        for first in range(start, end, FACTS_AT_ONCE):
            rows = self._store.facts(LeafIndex(first), LeafIndex(min(first + FACTS_AT_ONCE, end)))
            for index in sorted(rows):
                digest.update(digested(index, rows[index]))
        for entry in draft.entries:
            if entry.facts is not None:
                digest.update(digested(entry.record.index, entry.facts))
        return digest.hexdigest()


def _do(job: _Job, draft: Draft) -> None:
    """One caller's lines onto the draft. His trouble must not take the committer with it."""
    try:
        job.result = job.work(draft)
    except LedgerError as error:
        job.error = error
    except Exception as error:  # noqa: BLE001 - as above
        _log.exception("a caller's lines raised")
        job.error = StoreError(f"the log could not take this: {type(error).__name__}")
