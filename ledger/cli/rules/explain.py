"""`hazledger rules explain`."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import asdict
from datetime import tzinfo
from pathlib import Path
from typing import Any

import click

from ledger.catalogue import Catalogue
from ledger.cli.common import json_option, print_json
from ledger.cli.compose import open_installation, state_option
from ledger.cli.moments import local, span, told
from ledger.cli.rules.common import Progress, lang_option, read_files
from ledger.core.quantity import format_mass, format_volume
from ledger.errors import NotFoundError
from ledger.follow import Sets
from ledger.guidance import ground, law, what_to_do
from ledger.rulebench.drafts import load_running
from ledger.rulebench.explain import Explanation, RowShown, alert_of, explain
from ledger.rulebench.labels import TOO_LITTLE, in_words, label
from ledger.ruletitles import rule_numbers

_SHOWN_ENTRIES = 10
_ENDS = {"_ppm": "percent", "_permille": "permille", "_milli": "milli", "tolerance": "amount"}
_PARTS = {"percent": 10_000, "permille": 10, "milli": 1000}
_BEGINNING = re.compile(r"[0-9a-f]{6,64}")


@click.command("explain")
@state_option
@click.option(
    "--alert", "alert_id", metavar="ID", help="Why this alert was raised; the first six or more digits will do."
)
@click.option("--rule", "rule_id", metavar="ID", help="With --record: what this rule made of it.")
@click.option(
    "--record", "record_id", metavar="RECORD", help="A record_id or its first six or more digits, or an entry's index."
)
@click.option(
    "--draft", type=click.Path(exists=True, path_type=Path), help="By this rule file, not by the rule as it was."
)
@json_option
@lang_option
def explain_command(
    *,
    state: Path | None,
    alert_id: str | None,
    rule_id: str | None,
    record_id: str | None,
    draft: Path | None,
    as_json: bool,
    lang: str,
) -> None:
    """Explain an alert, or why there was none.

    Shows each row that the rule looked at, the whole of its conditions with the value of every part (also of those that did
    not matter any more), the entries behind each window, parameters with their date and source, and what waits for when.
    The rule is the version that was in force at that entry.

    \b
    Exit code: 0 explained, 2 usage, or there is no such alert, record or rule.
    \b
    Examples:
      hazledger rules explain --alert 3f1c22ab
      hazledger rules explain --rule A02 --record 1041
    """
    if (alert_id is None) == (rule_id is None or record_id is None):
        raise click.UsageError("name an alert with --alert, or a rule and a record with --rule and --record")
    here = open_installation(state)
    log, engine = here.stores.log, here.stores.engine
    if alert_id is not None:
        named = engine.alerts_named(alert_id, limit=2)
        if len(named) != 1:
            how = "several alerts begin" if named else "no alert begins"
            raise NotFoundError(f"{how} with {alert_id}; `hazledger alerts list` shows them")
        alert = alert_of(engine, named[0].alert_id)
        rule, index = alert.rule, int(alert.first_index)
    else:
        rule, index = str(rule_id), _index_of(log, str(record_id))
    sets = Sets(here.rules(), engine.extra)
    bar = Progress(f"fold {rule} up to entry {index:,}", index)
    found = explain(
        log,
        sets,
        Catalogue.load(),
        rule_id=rule,
        index=index,
        draft=None if draft is None else load_running(here.exceptions | read_files([draft]), here.restricted_sets),
        progress=bar,
    )
    bar.close()
    here.stores.close()
    if as_json:
        print_json(asdict(found) | {"verdict": found.verdict})
    else:
        for line in lines(found, lang, here.zone()):
            click.echo(line)


def _index_of(log: Any, name: str) -> int:
    if name.isascii() and name.isdigit() and len(name) < 16:
        return int(name)
    found = log.records_named(name.lower(), limit=2) if _BEGINNING.fullmatch(name.lower()) else []
    if len(found) != 1:
        raise NotFoundError(
            f"several records begin with {name}; give more digits" if found else f"there is no record {name}"
        )
    return int(found[0].index)


def lines(found: Explanation, lang: str, zone: tzinfo) -> Iterator[str]:
    """The explanation for a person."""
    status = label(lang, "status", status=found.status)
    yield label(lang, "version", rule=found.rule, version=found.version, status=status, title=found.title[lang])
    yield from _in_short(found, lang, zone)
    yield label(lang, "entry", index=found.index, kind=found.kind, record_id=found.record_id, holder=found.holder)
    yield label(lang, "in force", ruleset=found.ruleset)
    for note in found.notes:
        yield label(lang, "note", text=note)
    for error in found.errors:
        yield label(lang, "error", text=error)
    if not found.rows:
        yield f"=> {in_words('no-rows')[lang]}"
    for row in found.rows:
        yield ""
        yield from _row(row, found, lang, zone)


def _in_short(found: Explanation, lang: str, zone: tzinfo) -> Iterator[str]:
    """What came of it, before all that it came from."""
    row = next((one for one in found.rows if one.verdict == found.verdict), None)
    yield f"=> {in_words(found.verdict)[lang]}"
    if row is None:
        return
    band = next((one for one in row.bands if one.condition.value is True and not one.unready and one.reason), None)
    if band is not None:
        yield f"   {told(band.reason[lang], zone)}"
    if row.alert_id:
        title, do = what_to_do(found.order_template, lang)
        if title:
            yield f"   {title}: {do}"
        yield f"   {'; '.join(law(reference, lang) for reference in found.legal_basis)}"
        yield f"   {label(lang, 'next', alert=row.alert_id[:12])}"
    for part in row.because:
        name = part.removesuffix(TOO_LITTLE)
        yield f"   {label(lang, 'false', part=part if name == part else label(lang, 'little', name=name))}"


def _row(row: RowShown, found: Explanation, lang: str, zone: tzinfo) -> Iterator[str]:
    own = row.row["record_id"] == found.record_id
    other = "" if own else label(lang, "other", record_id=row.row["record_id"])
    yield label(lang, "row", subject=row.subject, other=other)
    for name, value in row.row.items():
        if name not in ("record_id", "index") and value not in ("", []):
            yield f"    {name} = {_value(name, value, zone)}{_unit(found.rule, row, name, value, lang)}"
    for name, parameter in row.parameters.items():
        value = f"{parameter['value']}{_unit(found.rule, row, name, parameter['value'], lang)}"
        source = ground(parameter["source"], lang)
        yield f"    {label(lang, 'parameter', name=name, value=value, since=parameter['from'], source=source)}"
    yield from _features(row, lang)
    if row.scope is not None:
        yield f"  {label(lang, 'scope')}"
        yield from _tree(row.scope, 4, found.rule, row, lang)
    for band in row.bands:
        yield f"  {label(lang, 'band', band=band.band, severity=band.severity)}"
        yield from _tree(band.condition, 4, found.rule, row, lang)
        for name in band.unready:
            yield f"    {label(lang, 'not ready', name=name)}"
        if band.due_ms is not None and band.since_ms is not None:
            yield f"    {label(lang, 'due', since=local(band.since_ms, zone), due=local(band.due_ms, zone))}"
        if band.condition.value is True and band.reason:
            yield f"    {told(band.reason[lang], zone)}"
    if row.timer_ms is not None:
        yield f"  {label(lang, 'timer', due=local(row.timer_ms, zone))}"
    yield f"=> {row.why[lang]}{' ' + row.alert_id if row.alert_id else ''}"


def _features(row: RowShown, lang: str) -> Iterator[str]:
    for feature in row.features:
        ready = "" if feature.ready else label(lang, "unready")
        declared = _declared(feature.declared)
        shown = label(lang, "feature", name=feature.name, value=feature.value, ready=ready, declared=declared)
        yield f"    {shown}"
        for link in feature.entries[-_SHOWN_ENTRIES:]:
            yield f"        {label(lang, 'behind', index=link['index'], record_id=link['record_id'])}"
        more = feature.more + max(len(feature.entries) - _SHOWN_ENTRIES, 0)
        if more:
            yield f"        {label(lang, 'more', count=more)}"


def _tree(tree: Any, indent: int, rule: str, row: RowShown, lang: str) -> Iterator[str]:
    value = f"error: {tree.error}" if tree.error else _plain(tree.value)
    sides = [part for part in tree.parts if not part.is_literal]
    values = ""
    if tree.operator not in ("||", "&&", "!", "?:", "") and sides:
        said = ", ".join(
            f"{part.source} = {_plain(part.value)}{_unit(rule, row, part.source, part.value, lang)}" for part in sides
        )
        values = label(lang, "with", values=said)
    yield f"{' ' * indent}{value:<6} {tree.source}{values}"
    if tree.operator in ("||", "&&", "!", "?:"):
        for part in tree.parts:
            yield from _tree(part, indent + 4, rule, row, lang)


def _plain(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)


def _value(name: str, value: Any, zone: tzinfo) -> str:
    if name.endswith("_ms") and isinstance(value, int) and value > 10**11:
        return f"{local(value, zone)} ({value})"
    return _plain(value)


def _unit(rule: str, row: RowShown, name: str, value: Any, lang: str) -> str:
    """A bare number in the unit of people, in brackets; nothing where it has none."""
    if isinstance(value, bool) or not isinstance(value, int):
        return ""
    form = rule_numbers().get(rule, {}).get(name) or next((f for end, f in _ENDS.items() if name.endswith(end)), "")
    if form in _PARTS:
        return f" ({value / _PARTS[form]:,.4g}{'' if form == 'milli' else ' %'})"
    if form == "span":
        return f" ({span(value, lang)})"
    show = {"mass": format_mass, "volume": format_volume}.get(row.row.get("dimension", ""))
    return f" ({show(value)})" if form == "amount" and show is not None else ""


def _declared(declared: dict[str, Any]) -> str:
    return ", ".join(f"{name}: {value}" for name, value in declared.items())
