"""What the search box finds."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from flask import url_for

from ledger.core.encoding import is_hex_32
from ledger.model import Alert, LeafIndex, RecordId, StoredRecord
from ledger.ports import OrderRow
from webapp.context import services
from webapp.portal.enterprises.queries import enterprises, is_enterprise, matching

LIMIT = 20
ORDERS = 1000
"""The newest orders are looked through for a number."""
_BEGINNING = re.compile(r"[0-9a-f]{6,64}")
"""Six digits tell a million ids apart, and are what the command line asks for too."""
_RULE = re.compile(r"[A-Z][0-9]{2}|RULE-ERROR|REVOKED")
_INDEX = re.compile(r"[0-9]{1,15}")


@dataclass(frozen=True, slots=True)
class Found:
    """Enterprises by credit code, substances by catalogue code, rules by id; what else an id may name. At most LIMIT each."""

    enterprises: Sequence[str]
    substances: Sequence[str]
    rules: Sequence[str]
    records: Sequence[StoredRecord]
    alerts: Sequence[Alert]
    orders: Sequence[OrderRow]

    @property
    def named(self) -> int:
        """How many records, alerts and orders the text may name."""
        return len(self.records) + len(self.alerts) + len(self.orders)

    def __bool__(self) -> bool:
        return bool(self.named or self.enterprises or self.substances or self.rules)


def exact(text: str) -> str | None:
    """The page that an identifier names, when there is exactly one."""
    lower, upper = text.lower(), text.upper()
    if is_hex_32(lower):
        if services().log.record_by_id(RecordId(lower)) is not None:
            return url_for("records.show", record_id=lower)
        if services().engine.alert(lower) is not None:
            return url_for("alerts.show", alert_id=lower)
    if is_enterprise(upper) and upper in enterprises():
        return url_for("enterprises.show", holder=upper)
    return None


def find(text: str) -> Found:
    """Everything that the text may mean."""
    beginning = text.lower().rstrip("….")
    by_id = bool(_BEGINNING.fullmatch(beginning))
    records = list(services().log.records_named(beginning, limit=LIMIT)) if by_id else []
    if _INDEX.fullmatch(text) and int(text) < services().log.size():
        entry = services().log.record(LeafIndex(int(text)))
        records += [entry] if entry is not None and entry not in records else []
    return Found(
        enterprises=matching(text)[:LIMIT],
        substances=services().catalogue.find(text, LIMIT),
        rules=_rules(text)[:LIMIT],
        records=records,
        alerts=services().engine.alerts_named(beginning, limit=LIMIT) if by_id else [],
        orders=[row for row in services().engine.orders(limit=ORDERS) if row.number == text][:LIMIT],
    )


def only(found: Found) -> str | None:
    """The page of the one record, alert, order or rule that the text names, when it can mean nothing else."""
    if found.enterprises or found.substances or found.named + len(found.rules) != 1:
        return None
    for record in found.records:
        return url_for("records.show", record_id=record.record_id)
    for alert in found.alerts:
        return url_for("alerts.show", alert_id=alert.alert_id)
    for order in found.orders:
        return url_for("records.show", record_id=order.record_id)
    return url_for("alerts.index", rule=found.rules[0], state="all")


def _rules(text: str) -> list[str]:
    """The rule of this id, or those whose title in any language holds the text."""
    titles = services().rule_titles
    if _RULE.fullmatch(text.upper()):
        return [text.upper()] if text.upper() in titles else []
    wanted = text.casefold()
    return [rule for rule, title in titles.items() if any(wanted in words.casefold() for words in title.values())]
