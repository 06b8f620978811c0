"""What the enterprises' pages read."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ledger.core.ids import check_credit_code
from ledger.model import Grant, StoredRecord
from ledger.ports import LineRow, RecordFilter, StockRow, StreamRow
from webapp.context import services
from webapp.portal.alerts.queries import Row as AlertRow
from webapp.portal.alerts.queries import most_urgent
from webapp.portal.names import all_names

PAGE = 50
MOVEMENTS = 30
ALERTS = 20
COUNT_TO = 10
"""Alerts of one enterprise that wait are counted no further; the list says "9+", and the number is a link to all of them."""


@dataclass(frozen=True, slots=True)
class Row:
    """One enterprise in the list."""

    holder: str
    last: StoredRecord | None
    substances: int
    alerts: int


@dataclass(frozen=True, slots=True)
class Enterprise:
    """Everything on one enterprise's page."""

    holder: str
    last: StoredRecord | None
    stock: Sequence[StockRow]
    movements: Sequence[LineRow]
    alerts: Sequence[AlertRow]
    grants: Sequence[Grant]
    streams: Sequence[StreamRow]
    """Bulk material, as far as two counts have closed a balance of it."""


def enterprises() -> list[str]:
    """Credit codes of all holders that have a record or a key, in order; authorities are none of them."""
    holders = set(services().log.holders()) | {grant.holder for grant in services().log.grants()}
    return sorted(holder for holder in holders if is_enterprise(holder))


def is_enterprise(holder: str) -> bool:
    try:
        check_credit_code(holder)
    except ValueError:
        return False
    return True


def matching(text: str) -> list[str]:
    """Enterprises whose code begins with, or whose name in any language holds, what was typed."""
    wanted = text.casefold()
    names = all_names()
    return [
        holder
        for holder in enterprises()
        if holder.startswith(text.upper()) or any(wanted in n.casefold() for n in names.get(holder, {}).values())
    ]


def rows(holders: Sequence[str]) -> list[Row]:
    return [
        Row(
            holder=holder,
            last=last_upload(holder),
            substances=len({row.code for row in services().engine.stock(holder=holder) if row.amount}),
            alerts=len(most_urgent(COUNT_TO, holder=holder)),
        )
        for holder in holders
    ]


def last_upload(holder: str) -> StoredRecord | None:
    found = services().log.search(RecordFilter(holder=holder), before=None, limit=1)
    return found[0] if found else None


def enterprise(holder: str) -> Enterprise:
    engine = services().engine
    return Enterprise(
        holder=holder,
        last=last_upload(holder),
        stock=sorted(engine.stock(holder=holder), key=lambda row: (row.site, row.book, row.code, row.key)),
        movements=engine.lines(holder=holder, limit=MOVEMENTS),
        alerts=most_urgent(ALERTS, holder=holder, statuses=None),
        grants=[grant for grant in services().log.grants() if grant.holder == holder],
        streams=engine.streams(holder=holder),
    )
