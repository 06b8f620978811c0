"""What `hazledger alerts` prints, and how alerts and orders are named on the command line."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict
from datetime import tzinfo
from functools import cache
from typing import TYPE_CHECKING, Any

import click

from ledger.catalogue import Catalogue
from ledger.cli.common import counted
from ledger.cli.moments import local, told
from ledger.errors import NotFoundError
from ledger.guidance import law, what_to_do
from ledger.model import Alert, RecordId, UnixMs
from ledger.places import body_of
from ledger.ports import LifeRow, LogReader, OrderRow, RecordFilter, StepRow
from ledger.ruletitles import title_of

if TYPE_CHECKING:
    from ledger.ports import EngineReader

MIN_PREFIX = 6
MOST_ORDERS = 1000
_COMMANDS = {
    "acknowledged": "ack",
    "in_hand": "take",
    "order_issued": "order",
    "verified": "verify",
    "closed": "close",
    "snoozed": "snooze",
    "suppressed": "silence or except",
    "escalated": "escalate",
}
_CAS = re.compile(r"(?<![0-9A-Za-z-])[1-9][0-9]{1,6}-[0-9]{2}-[0-9](?![0-9A-Za-z-])")
_HOLDER = re.compile(r"(?<![0-9A-Za-z-])[0-9A-HJ-NPQRTUWXY]{18}(?![0-9A-Za-z-])")
_CHINESE = {
    "raised": "触发于",
    "concerns too": "另涉及",
    "what to do": "如何处置",
    "legal basis": "法律依据",
    "version": "版本",
    "no deadline": "无期限",
    "left": "剩余",
    "late": "逾期",
    "due": "期限",
    "d": "天",
    "h": "小时",
    "min": "分钟",
    "entry": "条目",
    "regresses": "此前的预警",
    "order": "指令",
    "why": "缘由",
    "taken back by late data": "因迟到数据撤回",
    "record": "记录",
    "stands": "仍成立",
    "it was not so when it was said": "当时并不成立",
    "its condition does not hold any more": "条件已不再成立",
    "refused": "被拒绝",
    "by": "由",
    "time": "时限",
    "rule": "规则",
    "possible": "可采取的步骤",
    "nothing more": "无",
    "why it was raised": "为何触发",
}
"""What stands around titles and reasons. States, severities and commands stay as they are typed and looked up."""
Named = Callable[[str], str]
"""A credit code → what it is called, with the code; the code itself where no profile names it."""
UNIT_MS = {"m": 60_000, "h": 3_600_000, "d": 86_400_000}


def rule_line(rule: str, lang: str) -> str:
    """A rule's id with what it is called."""
    return f"{rule} {title_of(rule, lang)}".rstrip()


def names_in(log: LogReader, lang: str) -> Named:
    """Names from the newest profile of each enterprise that is asked for."""

    @cache
    def named(code: str) -> str:
        found = log.search(RecordFilter(kind="profile", holder=code), before=None, limit=1)
        name = body_of(found[0]).get("names", {}).get(lang) if found else None
        return f"{name} ({code})" if name else code

    return named


def _reason(alert: Alert, zone: tzinfo, lang: str, named: Named) -> str:
    """The signed reason, which has codes only and UTC: with the names of substances and enterprises, in local time."""
    said = _CAS.sub(lambda found: _named(found[0], lang), told(alert.reason.get(lang, ""), zone))
    return _HOLDER.sub(lambda found: named(found[0]), said)


@cache
def _catalogue() -> Catalogue:
    return Catalogue.load()


def _named(code: str, lang: str) -> str:
    if not _catalogue().rows(code):
        return code
    name = _catalogue().names(code).get(lang, code)
    return code if name == code else f"{name} ({code})"


def queue_lines(
    rows: Sequence[tuple[int, Alert, LifeRow]], zone: tzinfo, now: UnixMs, lang: str, named: Named = str
) -> Iterator[str]:
    """Two lines an alert: where it stands, and what it is about."""
    for _, alert, life in rows:
        left = _left(life, now, lang) or _said("no deadline", lang)
        raised = f"{_said('raised', lang)} {local(alert.opened_ms, zone)}"
        stands = f"{life.severity:<8}  {life.status:<14}  {left:<12}"
        yield f"{alert.alert_id[:12]}  {stands}  {raised}  {rule_line(alert.rule, lang)}"
        yield f"    {named(alert.holder)} {alert.site}".rstrip() + f": {_reason(alert, zone, lang, named)}"


def alert_lines(
    alert: Alert,
    life: LifeRow,
    steps: Sequence[StepRow],
    ways: Sequence[str],
    zone: tzinfo,
    now: UnixMs,
    lang: str,
    named: Named = str,
) -> Iterator[str]:
    """One alert: what, where it stands, all that happened, what can be done."""
    yield alert.alert_id
    yield f"{rule_line(alert.rule, lang)}: {_reason(alert, zone, lang, named)}"
    yield f"{named(alert.holder)} {alert.site}".rstrip()
    if alert.extra.get("concerns"):
        yield f"{_said('concerns too', lang)}: {', '.join(named(whom) for whom in alert.extra['concerns'])}"
    title, do = what_to_do(alert.extra.get("order_template", ""), lang)
    if title:
        yield f"{_said('what to do', lang)}: {title}{'. ' if lang == 'en' else '。'}{do}"
    if alert.extra.get("legal_basis"):
        grounds = "; ".join(law(reference, lang) for reference in alert.extra["legal_basis"])
        yield f"{_said('legal basis', lang)}: {grounds}"
    due = life.until_ms if life.status in ("snoozed", "suppressed") else life.due_ms
    left = f"{_left(life, now, lang)} ({local(due, zone)})" if due is not None else _said("no deadline", lang)
    yield f"{life.severity}, {life.status} ({_said('version', lang)} {life.turn}), {left}"
    yield f"{_said('raised', lang)} {local(alert.opened_ms, zone)}, {'at entry' if lang == 'en' else '条目'} {alert.first_index}"
    for said, text in (
        ("regresses", life.data.get("regresses")),
        ("order", life.order_id),
        ("why", life.data.get("why")),
    ):
        if text:
            yield f"{_said(said, lang)}: {text}"
    if taken_back := life.data.get("taken_back"):
        stands = life.data.get("stands")
        left = f"{stands} {_said('stands', lang)}" if stands else _said("it was not so when it was said", lang)
        yield f"{_said('taken back by late data', lang)} ({_said('record', lang)} {taken_back[:12]}): {left}"
    elif life.recovered:
        yield _said("its condition does not hold any more", lang)
    for step in steps:
        refused = f"  {_said('refused', lang)}: {step.refused}" if step.refused else ""
        by = step.by or (_said("time", lang) if step.before else f"{_said('rule', lang)} {alert.rule}")
        yield (
            f"  {local(step.at_ms, zone)}  {step.before or '-'} -> {step.after}  {_said('by', lang)} {by}, "
            f"{_said('entry', lang)} {step.index}{refused}"
        )
    can = ", ".join(_way(way, life) for way in ways) or _said("nothing more", lang)
    yield f"{_said('possible', lang)}: {can}"
    yield f"{_said('why it was raised', lang)}: hazledger rules explain --alert {alert.alert_id[:12]}{' --lang zh' if lang == 'zh' else ''}"


def order_lines(rows: Sequence[OrderRow], zone: tzinfo, lang: str = "en", named: Named = str) -> Iterator[str]:
    """One line an order."""
    for row in rows:
        late = f"  {_said('late', lang)}" if row.late else ""
        alerts = f"{len(row.alerts):,} 条预警" if lang == "zh" else counted(len(row.alerts), "alert")
        yield (
            f"{row.record_id}  {row.number:<16}  {row.type:<13}  {row.status:<9}  {_said('due', lang)} "
            f"{local(row.due_ms, zone)}  {named(row.holder)} {row.site}  {alerts}{late}"
        )


def find_alert(engine: EngineReader, text: str) -> Alert:
    """The alert of this id, or of the only id that begins so."""
    if not re.fullmatch(rf"[0-9a-f]{{{MIN_PREFIX},64}}", text):
        raise click.BadParameter(f"an alert is named by {MIN_PREFIX} to 64 hex digits", param_hint="ALERT")
    found = engine.alerts_named(text, limit=2)
    if not found:
        raise NotFoundError(f"no alert {text}; `hazledger alerts list` shows those that wait")
    if len(found) > 1:
        raise click.BadParameter(f"more than one alert begins with {text}", param_hint="ALERT")
    return found[0]


def find_order(engine: EngineReader, text: str) -> RecordId:
    """The order of this number or id, or the only one whose id begins so."""
    if re.fullmatch(r"[0-9a-f]{64}", text):
        return RecordId(text)
    rows = engine.orders(limit=MOST_ORDERS)
    found = [row for row in rows if row.number == text]
    if not found and len(text) >= MIN_PREFIX:
        found = [row for row in rows if row.record_id.startswith(text)]
    if not found:
        raise NotFoundError(f"no order {text}; `hazledger alerts orders --all` shows them")
    if len(found) > 1:
        raise click.BadParameter(f"more than one order is named {text}; give its id", param_hint="ORDER")
    return found[0].record_id


def shown(alert: Alert, life: LifeRow) -> dict[str, Any]:
    """An alert for machines."""
    return {
        "alert_id": alert.alert_id,
        "rule": alert.rule,
        "holder": alert.holder,
        "site": alert.site,
        "reason": alert.reason,
        "opened_ms": alert.opened_ms,
        "life": asdict(life),
    }


def _way(status: str, life: LifeRow) -> str:
    """A state that an alert may go to, with the command that takes it there."""
    command = "release" if life.status in ("snoozed", "suppressed") and status == life.stage else _COMMANDS.get(status)
    return f"{status} ({command})" if command else status


def _said(words: str, lang: str) -> str:
    return _CHINESE[words] if lang == "zh" else words


def _left(life: LifeRow, now: UnixMs, lang: str) -> str:
    due = life.until_ms if life.status in ("snoozed", "suppressed") else life.due_ms
    if due is None:
        return ""
    ms = abs(due - now)
    unit = "d" if ms >= 2 * UNIT_MS["d"] else "h" if ms >= 2 * UNIT_MS["h"] else "m"
    size = f"{ms // UNIT_MS[unit]} {_said('min' if unit == 'm' else unit, lang)}"
    which = _said("left" if due >= now else "late", lang)
    return f"{which} {size}" if lang == "zh" else f"{size} {which}"
