"""How values look on a page: times in the portal's zone, exact amounts, names beside codes."""

from __future__ import annotations

from datetime import datetime, timezone

from markupsafe import Markup

from ledger.core.quantity import format_mass, format_volume
from webapp.context import services
from webapp.i18n import gettext as _
from webapp.i18n import pick
from webapp.portal.clock import age, moment
from webapp.portal.members import act, member, readable, value
from webapp.portal.names import name_of

SHORT_ID = 12
"""Enough of a record_id to tell two rows apart; the whole one is in the link and on the record's page."""


def when(ms: int | None) -> Markup:
    """A <time> element that machines can read too; an em dash for nothing."""
    if ms is None or ms <= 0:
        return Markup("—")
    iso = datetime.fromtimestamp(ms / 1000, timezone.utc).isoformat(timespec="milliseconds")  # noqa: UP017 - reads as the standard's name
    return Markup('<time datetime="{}">{}</time>').format(iso, moment(ms))


def when_s(seconds: int | None) -> Markup:
    """As `when`, from unix seconds."""
    return when(None if seconds is None else seconds * 1000)


def amount(value: int, dimension: str) -> str:
    """An exact amount of base units with its unit."""
    if dimension == "mass":
        return format_mass(value)
    if dimension == "volume":
        return format_volume(value)
    return _("%(count)s pieces", count=f"{value:,}")


def substance(code: str) -> str:
    """The catalogue's name in this request's language, or the code itself."""
    return pick(services().catalogue.names(code)) or code


def number(value: int) -> str:
    """1,234,567: the same grouping in both languages."""
    return f"{value:,}"


def short(text: str | None) -> str:
    """The beginning of an identifier."""
    return (text or "—")[:SHORT_ID]


FILTERS = {
    "when": when,
    "when_s": when_s,
    "age": age,
    "amount": amount,
    "substance": substance,
    "number": number,
    "short": short,
    "member": member,
    "value": value,
    "act": act,
    "readable": readable,
    "holder_name": name_of,
    "pick": pick,
}
