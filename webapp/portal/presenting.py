"""How values look on a page: times in the portal's zone, exact amounts, names beside codes."""

from __future__ import annotations

import re
from datetime import datetime, timezone

from markupsafe import Markup

from ledger.core.quantity import format_mass, format_volume
from ledger.core.record import parse_instant
from ledger.model import Alert
from webapp.context import services
from webapp.i18n import gettext as _
from webapp.i18n import language, pick
from webapp.portal.clock import age, moment
from webapp.portal.members import act, member, readable, value, variety
from webapp.portal.names import name_of

_CODES = re.compile(r"(?<![0-9A-Za-z-])(?:[1-9][0-9]{1,6}-[0-9]{2}-[0-9]|[0-9A-HJ-NPQRTUWXY]{18})(?![0-9A-Za-z-])")
_INSTANTS = re.compile(r"(?<![0-9A-Za-z-])[12][0-9]{3}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]{1,3})?Z")
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


def named(text: str) -> str:
    """The text with a name beside every CAS number and credit code that has one: 硝酸（7697-37-2）, and moments in the
    portal's zone: beside the page's other times, UTC would be read as one of them.
    """
    return _INSTANTS.sub(_here, _CODES.sub(_with_name, text))


def about(part: str) -> str:
    """A part of what an alert is about: a balance key in words, anything else `named`."""
    return value(part, "key") if part.count("|") >= 3 else named(part)


def reason(alert: Alert) -> str:
    """Why an alert was raised, in this request's language. The signed reason has codes only; the names are today's."""
    return named(pick(alert.reason)) or alert.rule


def rule_title(rule: str) -> str:
    """What a rule is called in this request's language; nothing for one that this program does not ship."""
    return pick(services().rule_titles.get(rule))


def left(due_ms: int, now_ms: int) -> str:
    """How long until a deadline, or since it."""
    if due_ms >= now_ms:
        return _("%(span)s left", span=age(due_ms - now_ms))
    return _("%(span)s late", span=age(now_ms - due_ms))


def _with_name(found: re.Match[str]) -> str:
    code = found[0]
    name = substance(code) if "-" in code else name_of(code)
    if name == code:
        return code
    return f"{name}（{code}）" if language() == "zh" else f"{name} ({code})"


def _here(found: re.Match[str]) -> str:
    try:
        return moment(parse_instant(found[0]))
    except ValueError:
        return found[0]


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
    "named": named,
    "about": about,
    "reason": reason,
    "moment": moment,
    "number": number,
    "rule_title": rule_title,
    "left": left,
    "short": short,
    "member": member,
    "value": value,
    "act": act,
    "readable": readable,
    "variety": variety,
    "holder_name": name_of,
    "pick": pick,
}
