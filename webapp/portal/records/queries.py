"""What the records' pages read: filters out of the URL, pages by cursor, one record taken apart."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from ledger.core import strictjson
from ledger.core.disclosure import parse_disclosure
from ledger.core.dsse import parse_envelope
from ledger.errors import LedgerError
from ledger.model import Disclosure, Grant, LeafIndex, RecordId, StoredRecord, UnixMs
from ledger.ports import RecordFilter
from webapp.context import services
from webapp.i18n import gettext as _
from webapp.portal.labels import KINDS
from webapp.portal.names import name_of
from webapp.portal.presenting import substance
from webapp.services import Proof

PAGE = 50
LINES_AT_ONCE = 200
MAX_LINE_PAGES = 10
"""A filter on a substance that matches little stops here and offers to go on: no page reads the whole table."""
_HOLDER = re.compile(r"[A-Za-z0-9][A-Za-z0-9.-]{0,62}")
_CODE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,31}")


@dataclass(frozen=True, slots=True)
class Filters:
    """The typed filters of the list, as they stand in the URL. `wrong` names the members that were not understood."""

    holder: str = ""
    site: str = ""
    book: str = ""
    kind: str = ""
    code: str = ""
    since: str = ""
    until: str = ""
    wrong: tuple[str, ...] = ()

    def arguments(self) -> dict[str, str]:
        """What the URL says, without the empty ones."""
        named = {
            "holder": self.holder,
            "site": self.site,
            "book": self.book,
            "kind": self.kind,
            "code": self.code,
            "since": self.since,
            "until": self.until,
        }
        return {name: value for name, value in named.items() if value}


@dataclass(frozen=True, slots=True)
class Page:
    """Rows newest first; `next_before` is the cursor of the following page, None at the end."""

    rows: list[StoredRecord]
    next_before: LeafIndex | None


@dataclass(frozen=True, slots=True)
class Opened:
    """One record taken apart for its page."""

    record: StoredRecord
    document: dict[str, Any]
    lines: list[dict[str, Any]]
    rest: dict[str, Any]
    """The body without its lines."""
    signers: list[tuple[str, tuple[Grant, ...]]]
    previous: RecordId | None
    following: StoredRecord | None
    disclosures_held: int
    payload_text: str
    proof: Proof = field(default_factory=lambda: Proof("UNKNOWN"))


def read_filters(arguments: Mapping[str, str]) -> Filters:
    """Filters out of a query string; what is not of its form is left out and named in `wrong`."""
    rules = {
        "holder": lambda v: bool(_HOLDER.fullmatch(v)),
        "site": lambda v: bool(_NAME.fullmatch(v)),
        "book": lambda v: bool(_NAME.fullmatch(v)),
        "kind": lambda v: v in KINDS,
        "code": lambda v: bool(_CODE.fullmatch(v)),
        "since": lambda v: _day(v) is not None,
        "until": lambda v: _day(v) is not None,
    }
    given = {name: arguments.get(name, "").strip() for name in rules}
    good = {name: value for name, value in given.items() if value and rules[name](value)}
    return Filters(**good, wrong=tuple(name for name, value in given.items() if value and name not in good))


def sentence(filters: Filters) -> str:
    """The filters as a sentence, so that a print-out says what it shows."""
    clauses = []
    if filters.kind:
        clauses.append(_("kind %(kind)s", kind=KINDS[filters.kind]))
    if filters.holder:
        clauses.append(_("of %(holder)s", holder=name_of(filters.holder)))
    if filters.site or filters.book:
        clauses.append(_("in %(site)s/%(book)s", site=filters.site or "*", book=filters.book or "*"))
    if filters.code:
        clauses.append(_("with %(name)s (%(code)s)", name=substance(filters.code), code=filters.code))
    if filters.since:
        clauses.append(_("received from %(day)s", day=filters.since))
    if filters.until:
        clauses.append(_("received until %(day)s", day=filters.until))
    if not clauses:
        return _("All records, newest first.")
    return _("Records: %(clauses)s; newest first.", clauses=_(", ").join(str(c) for c in clauses))


def page_of(filters: Filters, before: LeafIndex | None) -> Page:
    """At most PAGE records below the cursor."""
    start, end = _day(filters.since), _day(filters.until)
    where = RecordFilter(
        holder=filters.holder or None,
        site=filters.site or None,
        book=filters.book or None,
        kind=filters.kind or None,
        received_from=_midnight(start) if start else None,
        received_to=_midnight(end + timedelta(days=1)) if end else None,
    )
    if filters.code:
        return _page_with_code(where, filters.code, before)
    rows = services().log.search(where, before=before, limit=PAGE + 1)
    return Page(rows[:PAGE], rows[PAGE - 1].index if len(rows) > PAGE else None)


def open_record(record: StoredRecord) -> Opened:
    """The record taken apart. Its proof is not looked up yet: see `with_proof`."""
    envelope = parse_envelope(record.envelope)
    document = strictjson.loads(envelope.payload)
    body = dict(document.get("body") or {})
    inner = body.get("body") if record.kind == "correction" else None
    lines = body.pop("lines", None) or (inner.get("lines") if isinstance(inner, dict) else None) or []
    by_key: dict[str, list[Grant]] = {}
    for grant in services().log.grants():
        if grant.holder == record.holder:
            by_key.setdefault(grant.keyid, []).append(grant)
    following = services().log.book_records(record.holder, record.site, record.book, after_seq=record.seq, limit=1)
    return Opened(
        record=record,
        document=document,
        lines=lines,
        rest=body,
        signers=[(s.keyid, tuple(by_key.get(s.keyid, ()))) for s in envelope.signatures],
        previous=document.get("prev"),
        following=following[0] if following else None,
        disclosures_held=len(services().log.disclosures(record.record_id)),
        payload_text=envelope.payload.decode(),
    )


def with_proof(opened: Opened) -> Opened:
    """The same with its proof level by the verifier's own rule; UNKNOWN when the proof cannot be made just now."""
    try:
        return replace(opened, proof=services().proof(opened.record))
    except LedgerError:
        return opened


def disclosures_of(record_id: RecordId) -> list[Disclosure]:
    """Personal data held beside a record. The caller logs that it was shown."""
    return [parse_disclosure(text) for text in services().log.disclosures(record_id)]


def command_for(record_id: RecordId, level: str) -> str:
    """The exact command that verifies the downloaded bundle, asking for no more than the page claims."""
    words = ["hazledger verify bundle", f"{record_id}.hzb.json", "--trust trust.json"]
    if services().verify_arguments:
        words.append(services().verify_arguments)
    if level in {"RECEIVED", "LOGGED", "ANCHORED-DEV"}:
        words.append(f"--require {level}")
    return " ".join(words)


def _page_with_code(where: RecordFilter, code: str, before: LeafIndex | None) -> Page:
    """The line table knows goods, the log knows the rest: walk the lines and keep what the log's filter keeps."""
    cursor = None if before is None else (before, 0)
    rows: list[StoredRecord] = []
    last: LeafIndex | None = before
    for _round in range(MAX_LINE_PAGES):
        lines = services().engine.lines(holder=where.holder, code=code, before=cursor, limit=LINES_AT_ONCE)
        for line in lines:
            if line.index == last:
                continue
            last = line.index
            record = services().log.record(line.index)
            if record is None or not _fits(record, where):
                continue
            if len(rows) == PAGE:
                return Page(rows, rows[-1].index)
            rows.append(record)
        if len(lines) < LINES_AT_ONCE:
            return Page(rows, None)
        cursor = (lines[-1].index, lines[-1].line)
    return Page(rows, last)


def _fits(record: StoredRecord, where: RecordFilter) -> bool:
    return (
        where.site in (None, record.site)
        and where.book in (None, record.book)
        and where.kind in (None, record.kind)
        and (where.received_from is None or record.received >= where.received_from)
        and (where.received_to is None or record.received < where.received_to)
    )


def _day(text: str) -> date | None:
    try:
        day = date.fromisoformat(text) if len(text) == 10 else None
    except ValueError:
        return None
    return day if day and 1971 <= day.year <= 2999 else None


def _midnight(day: date) -> UnixMs:
    return UnixMs(int(datetime.combine(day, time(), ZoneInfo(services().timezone)).timestamp() * 1000))
