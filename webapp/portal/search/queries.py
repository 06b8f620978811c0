"""What the search box finds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from flask import url_for

from ledger.core.encoding import is_hex_32
from ledger.model import RecordId
from webapp.context import services
from webapp.portal.enterprises.queries import enterprises, is_enterprise, matching

LIMIT = 20


@dataclass(frozen=True, slots=True)
class Found:
    """Enterprises by credit code, substances by catalogue code."""

    enterprises: Sequence[str]
    substances: Sequence[str]


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
    return Found(matching(text)[:LIMIT], services().catalogue.find(text, LIMIT))
