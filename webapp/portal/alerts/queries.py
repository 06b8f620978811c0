"""What the alerts' pages read."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from ledger.core.encoding import is_hex_32
from ledger.core.life import (
    ACKNOWLEDGED,
    CLOSED,
    ESCALATED,
    IN_HAND,
    OPEN,
    ORDER_ISSUED,
    OVERDUE,
    REPLY_RECEIVED,
    SEVERITIES,
    SNOOZED,
    STATUSES,
    SUPPRESSED,
    TO_DO,
    VERIFIED,
    urgency,
)
from ledger.model import Alert, LeafIndex, RecordId, StoredRecord
from ledger.ports import LifeRow, QueueFilter, RecordFilter
from webapp.context import services
from webapp.i18n import gettext as _
from webapp.portal.labels import ALERT_SORTS, ALERT_VIEWS, HANDLED
from webapp.portal.labels import SEVERITIES as SEVERITY_WORDS
from webapp.portal.names import name_of
from webapp.portal.presenting import rule_title

PAGE = 50
MAX_BEHIND = 50
AROUND = 6


VIEWS: dict[str, tuple[str, ...]] = {
    "todo": TO_DO,
    "new": (OPEN,),
    "in_hand": (ACKNOWLEDGED, IN_HAND, REPLY_RECEIVED, VERIFIED),
    "waiting": (ORDER_ISSUED,),
    "overdue": (OVERDUE, ESCALATED),
    "resting": (SNOOZED, SUPPRESSED),
    "closed": (CLOSED,),
    "all": STATUSES,
}
"""Tabs of the list and the states that each holds."""
FIRST_VIEW, FIRST_SORT = "todo", "urgent"
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_NUMBER = re.compile(r"(0|[1-9][0-9]{0,15})")

Row = tuple[int, Alert, LifeRow]
"""(stream sequence of the episode's first alert, that alert, where the episode stands)."""


@dataclass(frozen=True, slots=True)
class Filters:
    """What the list is narrowed to and how it is sorted, as it stands in the URL. `wrong` names what was not understood."""

    state: str = FIRST_VIEW
    severity: str = ""
    rule: str = ""
    holder: str = ""
    handled: str = ""
    """A part of the handling rate (`labels.HANDLED`)."""
    sort: str = FIRST_SORT
    after: str = ""
    """The cursor: with the most urgent first an `Urgency` with dots between, with the newest first a sequence."""
    wrong: tuple[str, ...] = ()

    def arguments(self, **changes: str | None) -> dict[str, str]:
        """What the URL of a changed list says, without what goes without saying; the cursor only when it is given."""
        given = {
            "state": self.state if self.state != FIRST_VIEW else "",
            "severity": self.severity,
            "rule": self.rule,
            "holder": self.holder,
            "handled": self.handled,
            "sort": self.sort if self.sort != FIRST_SORT else "",
        }
        return {name: value for name, value in (given | changes).items() if value}


@dataclass(frozen=True, slots=True)
class Page:
    """One page of episodes; `following` is the cursor of the next one, "" at the end."""

    rows: list[Row]
    following: str


def read_filters(arguments: Mapping[str, str]) -> Filters:
    """Filters out of a query string; what is not of its form is left out and named in `wrong`."""
    rules: dict[str, Callable[[str], bool]] = {
        "state": VIEWS.__contains__,
        "severity": SEVERITIES.__contains__,
        "rule": lambda v: bool(_NAME.fullmatch(v)),
        "holder": lambda v: bool(_NAME.fullmatch(v)),
        "handled": HANDLED.__contains__,
        "sort": ALERT_SORTS.__contains__,
    }
    given = {name: arguments.get(name, "").strip() for name in rules}
    good = {name: value for name, value in given.items() if value and rules[name](value)}
    filters = Filters(**good, wrong=(), after=arguments.get("after", ""))
    wrong = [name for name, value in given.items() if value and name not in good]
    if filters.after and _cursor(filters) is None:
        filters = replace(filters, after="")
        wrong.append("after")
    return replace(filters, wrong=tuple(wrong))


def sentence(filters: Filters) -> str:
    """The filters and the order as a sentence, so that a print-out says what it shows."""
    clauses = [str(ALERT_VIEWS[filters.state])]
    if filters.severity:
        clauses.append(_("severity %(word)s", word=SEVERITY_WORDS[filters.severity]))
    if filters.rule:
        clauses.append(_("rule %(rule)s", rule=f"{filters.rule} {rule_title(filters.rule)}".rstrip()))
    if filters.holder:
        clauses.append(_("of %(holder)s", holder=name_of(filters.holder)))
    if filters.handled:
        clauses.append(str(HANDLED[filters.handled]))
    order = (
        _("Newest first, by when they were raised.")
        if filters.sort == "newest"
        else _("Most urgent first: by severity, then what is overdue, then by time left.")
        if filters.state != "all"
        else _(
            "What waits for you first, then for the enterprise, then what rests or is closed; in each by severity and time left."
        )
    )
    return _("Alerts: %(clauses)s.", clauses=_(", ").join(clauses)) + " " + order


def page_of(filters: Filters) -> Page:
    """At most PAGE episodes behind the cursor."""
    where = QueueFilter(
        statuses=VIEWS[filters.state],
        severities=(filters.severity,) if filters.severity else None,
        holder=filters.holder or None,
        rule=filters.rule or None,
        urgent_first=filters.sort == "urgent",
        due_by=services().clock() if filters.handled else None,
        in_time={"in_time": True, "missed": False}.get(filters.handled),
    )
    cursor = _cursor(filters)
    before = None
    if cursor is not None and len(cursor) == len(_URGENCY):
        where = replace(where, after=cursor)
    elif cursor is not None:
        before = cursor[0]
    rows = services().engine.queue(where, before_seq=before, limit=PAGE + 1)
    return Page(rows[:PAGE], _following(filters, rows[PAGE - 1]) if len(rows) > PAGE else "")


def count(counts: Mapping[tuple[str, str], int], view: str, severity: str = "") -> int:
    """How many episodes a view holds, of one severity or of all."""
    return sum(n for (status, worst), n in counts.items() if status in VIEWS[view] and severity in ("", worst))


def newest_sequence() -> int:
    """Where the live list begins: everything up to here is on the page."""
    rows = services().engine.newest_alerts(limit=1)
    return rows[0][0] if rows else 0


def most_urgent(limit: int, *, holder: str | None = None, statuses: tuple[str, ...] | None = TO_DO) -> list[Row]:
    """Episodes, most urgent first."""
    return services().engine.queue(QueueFilter(statuses, holder=holder, urgent_first=True), limit=limit)


_URGENCY = ("turn", "severity", "late", "due_ms", "seq")


def _cursor(filters: Filters) -> Any:
    """The numbers of the cursor, as many as its sort order has; None for none, or what is no cursor."""
    parts = filters.after.split(".")
    if len(parts) != (len(_URGENCY) if filters.sort == "urgent" else 1):
        return None
    if not all(_NUMBER.fullmatch(part) for part in parts):
        return None
    return tuple(int(part) for part in parts)


def _following(filters: Filters, last: Row) -> str:
    seq, _, life = last
    if filters.sort == "newest":
        return str(seq)
    return ".".join(str(part) for part in urgency(life.status, life.severity, life.due_ms, seq))


def behind(alert: Alert) -> list[StoredRecord]:
    """The entries behind an alert: those its inputs name, and the first and last of its episode; in log order."""
    ids, indexes = set(), {alert.first_index, alert.last_index}
    for name, value in _walk(alert.inputs):
        if isinstance(value, str) and is_hex_32(value):
            ids.add(RecordId(value))
        elif (
            isinstance(value, int)
            and not isinstance(value, bool)
            and name in {"index", "indexes", "indices", "entries"}
        ):
            indexes.add(LeafIndex(value))
    if is_hex_32(alert.extra.get("record")):
        ids.add(RecordId(alert.extra["record"]))
    found = {r.index: r for r in services().log.records_by_id(sorted(ids)[:MAX_BEHIND]).values()}
    for index in sorted(indexes)[:MAX_BEHIND]:
        record = services().log.record(index) if 0 <= index < services().log.size() else None
        if record is not None:
            found[record.index] = record
    return [found[index] for index in sorted(found)]


def around(alert: Alert) -> list[StoredRecord]:
    """The newest records of the alert's book up to the alert, newest first; empty when it names no book."""
    book = alert.extra.get("book")
    if not isinstance(book, str) or not alert.site:
        return []
    where = RecordFilter(holder=alert.holder, site=alert.site, book=book)
    return services().log.search(where, before=LeafIndex(alert.last_index + 1), limit=AROUND)


def _walk(value: Any, name: str = "") -> Iterator[tuple[str, Any]]:
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from _walk(inner, key)
    elif isinstance(value, list | tuple):
        for inner in value:
            yield from _walk(inner, name)
    else:
        yield name, value
