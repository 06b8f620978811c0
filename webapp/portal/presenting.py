"""How values look on a page: times in the portal's zone, exact amounts, names beside codes."""

from __future__ import annotations

import re
from datetime import datetime, timezone

from flask import url_for
from markupsafe import Markup

from ledger.core.encoding import is_hex_32
from ledger.core.quantity import format_mass, format_volume
from ledger.core.record import parse_instant
from ledger.guidance import ground as ground_named
from ledger.guidance import law as law_named
from ledger.guidance import what_to_do as form_named
from ledger.model import Alert, RecordId
from webapp.context import services
from webapp.i18n import gettext as _
from webapp.i18n import language, pick
from webapp.portal.clock import age, moment, span
from webapp.portal.members import act, member, readable, value, variety
from webapp.portal.names import name_of

_CODES = re.compile(r"(?<![0-9A-Za-z-])(?:[1-9][0-9]{1,6}-[0-9]{2}-[0-9]|[0-9A-HJ-NPQRTUWXY]{18})(?![0-9A-Za-z-])")
_INSTANTS = re.compile(r"(?<![0-9A-Za-z-])[12][0-9]{3}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]{1,3})?Z")
_BLANKS = re.compile(
    r"(?<=[\u4e00-\u9fff]) (?=[\u4e00-\u9fff])|(?<=）) (?=[\u4e00-\u9fff（])|(?<=[\u4e00-\u9fff]) (?=（)"
)
_HOLDER = re.compile(r"[0-9A-HJ-NPQRTUWXY]{18}")
NOTHING = {"mass": "0 kg", "volume": "0 L"}
"""In the unit that people weigh by: "0 mg" reads like a measurement."""
DIMENSIONS = frozenset({"mass", "volume", "count"})
NO_PLACE = frozenset(
    {"digest", "digests", "sha256", "hash", "keyid", "g", "root", "rules", "parameters", "catalogue", "ruleset"}
)
"""Members that hold digests of other things: they are not looked up."""
ESTIMATE_FIGURES = 3
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
    if value == 0 and dimension in NOTHING:
        return NOTHING[dimension]
    if dimension == "mass":
        return format_mass(value)
    if dimension == "volume":
        return format_volume(value)
    return pieces(value)


def pieces(count: int) -> str:
    """A number of pieces; of one in the singular."""
    if abs(count) == 1:
        return _("%(count)s piece", count=count)
    return _("%(count)s pieces", count=f"{count:,}")


def estimate(value: int, dimension: str) -> str:
    """An estimate: three figures of it say all that is known."""
    step = 10 ** max(len(str(abs(value))) - ESTIMATE_FIGURES, 0)
    return amount(round(value / step) * step, dimension)


def substance(code: str) -> str:
    """The catalogue's name in this request's language, or the code itself."""
    return pick(services().catalogue.names(code)) or code


def named(text: str) -> str:
    """The text with a name beside every CAS number and credit code that has one: 硝酸（7697-37-2）, and moments in the
    portal's zone: beside the page's other times, UTC would be read as one of them.
    """
    said = _INSTANTS.sub(_here, _CODES.sub(_with_name, text))
    # Blanks part Chinese from codes; where a name stands now, there is nothing to part.
    return _BLANKS.sub("", said) if language() == "zh" else said


def about(part: str) -> str:
    """A part of what an alert is about: a balance key or a dimension in words, an id by its beginning, anything else `named`."""
    if part.count("|") >= 3:
        return value(part, "key")
    if is_hex_32(part):
        return f"{short(part)}…"
    return value(part, "dimension") if part in DIMENSIONS else named(part)


def subject(alert: Alert) -> str:
    """Whom an alert is about, where that is another enterprise than the one whose record raised it; "" where it is that one."""
    named = [alert.inputs.get(name) for name in ("buyer", "party")]
    whom = next((who for who in named if who in alert.fingerprint), (*alert.fingerprint, "")[0])
    return whom if whom != alert.holder and _HOLDER.fullmatch(whom) else ""


def place_of(text: str, name: str = "") -> str:
    """The page of the record or alert that an identifier names; "" for one that names none, such as a digest of rules."""
    if name in NO_PLACE or not is_hex_32(text):
        return ""
    if services().log.record_by_id(RecordId(text)) is not None:
        return url_for("records.show", record_id=text)
    return url_for("alerts.show", alert_id=text) if services().engine.alert(text) is not None else ""


def claimed(text: str) -> Markup:
    """A moment as its signer wrote it: in the portal's zone, and beside it the exact words where they say it otherwise."""
    try:
        at = parse_instant(text)
    except ValueError:
        return Markup("{}").format(text)
    return Markup('{} <span class="faint">{}</span>').format(when(at), text)


def reason(alert: Alert) -> str:
    """Why an alert was raised, in this request's language. The signed reason has codes only; the names are today's."""
    return named(pick(alert.reason)) or alert.rule


def rule_title(rule: str) -> str:
    """What a rule is called in this request's language; nothing for one that this program does not ship."""
    return pick(services().rule_titles.get(rule))


def law(reference: str) -> str:
    """A rule's legal reference as people cite it."""
    return law_named(reference, language())


def ground(basis: str) -> str:
    """On what a limit stands."""
    return ground_named(basis, language())


def what_to_do(template: str) -> tuple[str, str] | None:
    """(what an order form is called, what to do first); None where the form is not known."""
    found = form_named(template, language())
    return found if found[0] else None


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
    "span": span,
    "amount": amount,
    "pieces": pieces,
    "estimate": estimate,
    "substance": substance,
    "named": named,
    "about": about,
    "reason": reason,
    "moment": moment,
    "number": number,
    "rule_title": rule_title,
    "subject": subject,
    "place_of": place_of,
    "claimed": claimed,
    "left": left,
    "short": short,
    "member": member,
    "value": value,
    "act": act,
    "readable": readable,
    "variety": variety,
    "holder_name": name_of,
    "law": law,
    "ground": ground,
    "what_to_do": what_to_do,
    "pick": pick,
}
