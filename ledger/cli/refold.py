"""The engine's tables once more, from the log alone: what the audit compares the kept ones with."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from ledger.adapters.keystore.signing import public_key_of
from ledger.adapters.store.stores import SqlStores, open_stores
from ledger.audit import NotKept, Refold
from ledger.catalogue import Catalogue
from ledger.cli.compose import PLATFORM_KEY, Installation
from ledger.cli.rules.common import folding
from ledger.core.keys import load_public_key
from ledger.core.record import record_id_of
from ledger.core.submission import SUBMISSION_TYPE
from ledger.errors import NotFoundError, RuleError
from ledger.evaluate import Evaluator, Platform
from ledger.flow import Directory, Door, checked
from ledger.follow import Sets
from ledger.model import Appended, AuthenticRecord, LeafIndex, Receipt, StoredRecord, TreeSize, UnixMs
from ledger.ports import LogReader, TableReader
from ledger.rulesets import announced, load_kept


@contextmanager
def refolding(here: Installation, directory: Path | None = None) -> Iterator[Refold]:
    """A Refold over this installation's log. Its tables are in a scratch database that goes at the end, and as large."""
    with TemporaryDirectory(prefix="hazledger-audit-", dir=directory) as scratch:
        stores = open_stores("sqlite", Path(scratch))
        try:
            yield lambda cursor, end: _refold(here, stores, cursor, end)
        finally:
            stores.close()


def _refold(
    here: Installation, stores: SqlStores, cursor: int | None, to: int
) -> tuple[TableReader, bytes | None] | str:
    sets = Sets(here.rules(), here.stores.engine.extra)
    in_force = [sets.get(digest) for _, digest in announced(here.stores.log)] or [sets.present]
    if sets.problems:
        why = "; ".join(sets.problems.values()) + ": a fold by today's rules would give other alerts"
        # Only another catalogue is nobody's fault; what does not load, or is another set, somebody has put there.
        return why if all(_is_of_another_catalogue(digest, here) for digest in sets.problems) else NotKept(why)
    stores.migrate()
    log = _Growing(here.stores.log)
    finished = _FinishedLog(here.stores.log)
    door = Door(here.config.origin, Directory(here.stores.log), here.stores.log, finished)

    def admit(envelope: bytes) -> AuthenticRecord:
        return checked(envelope, SUBMISSION_TYPE, door)

    evaluator = Evaluator(
        log_reader=log,
        store=stores.engine,
        appender=finished,
        admit=admit,
        rules=in_force[-1],
        classifier=Catalogue.load(),
        platform=Platform(
            here.config.issuer, load_public_key(public_key_of(here.config.keys_dir / PLATFORM_KEY)).keyid
        ),
        clock=lambda: UnixMs(0),
        kept=here.stores.engine.extra,
    )
    state: bytes | None = None
    with folding():
        for end in sorted({min(cursor or 0, int(here.stores.log.size())), to}):
            log.end = end
            while evaluator.evaluate_once():
                pass
            if end == cursor:
                state = evaluator.state()
    return stores.tables, state


def _is_of_another_catalogue(digest: str, here: Installation) -> bool:
    try:
        load_kept(digest, here.stores.engine.extra())
    except RuleError as error:
        return error.code == "catalogue-gone"
    return True


class _Growing:
    """A LogReader that ends where it is told."""

    def __init__(self, log: LogReader) -> None:
        self._log = log
        self.end = 0

    def size(self) -> TreeSize:
        return TreeSize(self.end)

    def records(self, start: LeafIndex, limit: int) -> list[StoredRecord]:
        return self._log.records(start, min(limit, self.end - start))

    def __getattr__(self, name: str) -> Any:
        return getattr(self._log, name)


class _FinishedLog:
    """An Appender that appends nothing: what the fold would send is in the log already, or it is not."""

    def __init__(self, log: LogReader) -> None:
        self._log = log

    def sign_platform(self, payload: bytes) -> bytes:
        """The envelope that the platform did sign; empty when the log holds no such record, which the audit then shows."""
        stored = self._log.record_by_id(record_id_of(payload))
        return b"" if stored is None else stored.envelope

    def append(self, records: Sequence[AuthenticRecord]) -> list[Appended | Exception]:
        return [self._answer(record) for record in records]

    def append_platform(self, _kind: str, _book: str, _body: dict[str, Any]) -> Appended:
        return Appended(Receipt(record_id_of(b""), LeafIndex(0), UnixMs(0), b""), repeat=True)

    def refuse(self, _record: AuthenticRecord, _code: str) -> bytes | None:
        return None

    def tick(self, _not_before: UnixMs) -> Appended | None:
        return None

    def status(self) -> dict[str, Any]:
        return {}

    def _answer(self, record: AuthenticRecord) -> Appended | Exception:
        stored = self._log.record_by_id(record.record_id)
        if stored is None:
            return NotFoundError(f"alert {record.record_id} is not in the log")
        return Appended(Receipt(stored.record_id, stored.index, stored.received, stored.receipt), repeat=True)
