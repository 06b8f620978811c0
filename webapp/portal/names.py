"""Names of enterprises, from their own `profile` records.

Each worker keeps what it has read and asks the log only for profiles that are newer: some hundreds of enterprises, and
their names change rarely. The table is a cache of the log, so workers cannot disagree for longer than one request.
"""

from __future__ import annotations

import threading
from typing import cast

from flask import Flask, current_app

from ledger.core import strictjson
from ledger.core.dsse import parse_envelope
from ledger.errors import LedgerError
from ledger.model import LeafIndex, StoredRecord
from ledger.ports import LogReader, RecordFilter
from webapp.context import services
from webapp.i18n import pick

_KEY = "hazledger.names"
PAGE = 500
PAGE_LATER = 4


class Names:
    """credit code → {"zh", "en"}, as far as the log was read."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._next = LeafIndex(0)
        self._names: dict[str, dict[str, str]] = {}

    def all(self, log: LogReader) -> dict[str, dict[str, str]]:
        """Every enterprise's newest names."""
        with self._lock:
            size = log.size()
            if size > self._next:
                self._read(log, LeafIndex(size))
            return self._names

    def _read(self, log: LogReader, size: LeafIndex) -> None:
        fresh: dict[str, dict[str, str]] = {}
        before: LeafIndex | None = size
        # All at first; later, between two requests, there is rarely one.
        limit = PAGE if self._next == 0 else PAGE_LATER
        while before is not None:
            page = log.search(RecordFilter(kind="profile"), before=before, limit=limit)
            for record in page:
                if record.index < self._next:
                    break
                # Newest first: what stands already is newer.
                if record.holder not in fresh:
                    fresh[record.holder] = _names_in(record)
            before = page[-1].index if len(page) == limit and page[-1].index >= self._next else None
        self._names = self._names | fresh
        self._next = size


def install(app: Flask) -> None:
    app.extensions[_KEY] = Names()


def all_names() -> dict[str, dict[str, str]]:
    """Names by credit code, not to be changed."""
    return cast("Names", current_app.extensions[_KEY]).all(services().log)


def name_of(holder: str) -> str:
    """The name in this request's language, or the code itself when no profile was filed."""
    return pick(all_names().get(holder)) or holder


def _names_in(record: StoredRecord) -> dict[str, str]:
    try:
        body = strictjson.loads(parse_envelope(record.envelope).payload)["body"]
    except LedgerError:
        return {}
    names = body.get("names")
    return {k: v for k, v in names.items() if isinstance(v, str)} if isinstance(names, dict) else {}
