"""What a rule says of itself, for people: conditions, limits with the day from which they hold, law, deadlines."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from ledger.engine.rules import Rule, RuleSet, parse_rule
from ledger.engine.yamlfile import load_yaml
from ledger.errors import RuleError
from ledger.model import UnixMs

_BASELINE = frozenset({"robust_z", "mean_of_months", "max_of_months", "daily_quantile", "is_first"})
_RECONCILED = frozenset(
    {"count", "material_balance", "material_stream", "process_balance", "delivery", "transfer", "receipt"}
    | {"passthrough", "allowance"}
)


@dataclass(frozen=True, slots=True)
class Limit:
    """A parameter's value as the rule's file writes it, from which day, and on what ground."""

    name: str
    value: str
    since: str
    """YYYY-MM-DD, the county's day."""
    basis: str
    in_force: bool


@dataclass(frozen=True, slots=True)
class BandSheet:
    """One way in which a rule holds. `wait` is a span in ms or a parameter's name; "" for none."""

    severity: str
    when: str
    wait: int | str
    since: str


@dataclass(frozen=True, slots=True)
class RuleSheet:
    """One rule, as its file has it. `problem` says why a draft cannot be read; all else is then empty."""

    rule: str
    title: Mapping[str, str]
    status: str
    kind: str
    """threshold, window, absence, baseline, reconcile or list (engine.md, "Rule files")."""
    version: int = 0
    severity: str = ""
    legal_basis: tuple[str, ...] = ()
    order_template: str = ""
    scope: str = ""
    bands: tuple[BandSheet, ...] = ()
    limits: tuple[Limit, ...] = ()
    about: tuple[str, ...] = ()
    """The fields that make two findings the same episode."""
    quiet_ms: int = 0
    ack_ms: int | None = None
    handle_ms: int | None = None
    budget: int | None = None
    inhibited_by: tuple[str, ...] = ()
    digest: str = ""
    problem: str = ""


def sheets(rules: RuleSet, now: UnixMs) -> list[RuleSheet]:
    """Every rule of the set by its id, drafts and retired ones too."""
    running = {rule.id: rule for rule in rules.rules}
    found = []
    for name, text in sorted(rules.sources.items()):
        try:
            document = load_yaml(text, name)
            declared: dict[str, Any] = document.plain()
            if "id" not in declared:
                continue
            rule = running.get(str(declared["id"])) or parse_rule(text, name, rules.legal)
        except RuleError as error:
            found.append(RuleSheet(name, {"zh": "", "en": ""}, "draft", "", problem=error.detail))
            continue
        found.append(_sheet(rule, declared, now))
    return sorted(found, key=lambda one: one.rule)


def _sheet(rule: Rule, declared: Mapping[str, Any], now: UnixMs) -> RuleSheet:
    return RuleSheet(
        rule=rule.id,
        title=rule.title,
        status=rule.status,
        kind=_kind(rule),
        version=rule.version,
        severity=rule.severity,
        legal_basis=rule.legal_basis,
        order_template=rule.order_template,
        scope=rule.scope.source if rule.scope else "",
        bands=tuple(
            BandSheet(
                band.severity,
                band.when.source,
                (band.wait_parameter or band.wait_ms or "") if band.waits else "",
                band.since,
            )
            for band in rule.bands
        ),
        limits=tuple(
            limit
            for name in rule.parameters
            for limit in _limits(rule, name, declared.get("parameters", {})[name], now)
        ),
        about=rule.fingerprint,
        quiet_ms=rule.quiet_ms,
        ack_ms=rule.sla.ack_ms,
        handle_ms=rule.sla.handle_ms,
        budget=rule.max_per_day,
        inhibited_by=tuple(by.rule for by in rule.inhibited_by),
        digest=rule.digest,
    )


def _limits(rule: Rule, name: str, declared: Any, now: UnixMs) -> list[Limit]:
    versions = rule.parameters[name].versions
    if isinstance(declared, dict) and "legal" in declared:
        unit = {"days": 86_400_000, "hours": 3_600_000}.get(str(declared.get("as")), 1)
        word = {"days": "d", "hours": "h"}.get(str(declared.get("as")), "")
        written = [(f"{value // unit}{word}", f"legal_params.csv: {declared['legal']}") for _, value in versions]
    else:
        by_day = sorted(
            (declared if isinstance(declared, list) else [declared]), key=lambda version: str(version.get("from", ""))
        )
        bases = [str(version.get("basis", "")) for version in by_day]
        written = [
            (_written(version.get("value"), name, basis), basis) for version, basis in zip(by_day, bases, strict=True)
        ]
    current = rule.parameters[name].version_at(now)[0]
    return [
        Limit(name, value, _day(day), basis, day == current)
        for (day, _), (value, basis) in zip(versions, written, strict=True)
    ]


def _written(value: Any, name: str, basis: str) -> str:
    """A bare number in the unit that its name or its basis says; a time (`15m`) as the file writes it."""
    if not isinstance(value, int):
        return str(value)
    if "microlitres" in basis:
        return f"{value / 1e6:,g} kg / L"
    if "ppm" in name or "ppm" in basis or "parts per million" in basis:
        return f"{value / 1e4:,g} %"
    if "thousandths" in basis:
        return f"{value / 1e3:,g} σ"
    if "minute of the day" in basis:
        return f"{value // 60:02d}:{value % 60:02d}"
    if "permille" in basis:
        return f"{value / 10:,g} %"
    return f"{value:,}"


def _day(ms: int) -> str:
    return datetime.fromtimestamp(ms / 1000, UTC).date().isoformat()


def _kind(rule: Rule) -> str:
    if "combination" in rule.on:
        return "list"
    if any(feature.agg in _BASELINE for feature in rule.features.values()):
        return "baseline"
    if rule.features:
        return "window"
    if _RECONCILED & set(rule.on):
        return "reconcile"
    return "absence" if all(band.waits for band in rule.bands) else "threshold"
