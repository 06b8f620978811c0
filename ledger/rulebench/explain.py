"""Why an alert was raised, or why none was: every part of the rule's conditions with its value, and where it comes from.

The rule, as it was in force at that entry, is folded from index 0 up to there (`backtest`), so that the rows are those it
judged; then the entry is folded and each row is looked at as it passes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from ledger.engine.conditiontree import Valued, failing, parse, valued
from ledger.engine.effects import Effects
from ledger.engine.expressions import Condition
from ledger.engine.features import READY
from ledger.engine.goods import Classifier
from ledger.engine.inputs import parse_input
from ledger.engine.rules import Band, Rule, RuleSet
from ledger.engine.watches import Values
from ledger.engine.yamlfile import load_yaml
from ledger.errors import NotFoundError, RuleError
from ledger.follow import Records, Sets
from ledger.model import Alert, LeafIndex, UnixMs
from ledger.ports import EngineReader, LogReader
from ledger.rulebench.backtest import BackTest
from ledger.rulebench.labels import TOO_LITTLE, VERDICTS, in_words
from ledger.rulesets import announced

MAX_LINKS = 50
"""Entries behind one feature that are shown, the newest."""


@dataclass(slots=True)
class Shown:
    """A feature with its value and the entries behind it."""

    name: str
    value: Any
    ready: bool
    declared: dict[str, Any]
    entries: list[dict[str, Any]]
    more: int
    """Further entries that are not listed."""


@dataclass(slots=True)
class BandShown:
    """One band: its condition, what it needs, how long it waits."""

    band: int
    severity: str
    condition: Valued
    unready: list[str]
    wait_ms: int
    since_ms: int | None
    due_ms: int | None
    reason: dict[str, str]


@dataclass(slots=True)
class RowShown:
    """One row as the rule judged it."""

    subject: str
    row: dict[str, Any]
    parameters: dict[str, dict[str, Any]]
    scope: Valued | None
    features: list[Shown]
    bands: list[BandShown]
    verdict: str
    why: dict[str, str]
    because: list[str]
    """The parts that would have to be otherwise, for an alert; empty when there is one."""
    alert_id: str
    timer_ms: int | None


@dataclass(slots=True)
class Explanation:
    """What one rule made of one entry."""

    rule: str
    version: int
    status: str
    title: dict[str, str]
    legal_basis: list[str]
    order_template: str
    ruleset: str
    index: int
    record_id: str
    kind: str
    holder: str
    rows: list[RowShown]
    errors: list[str]
    notes: list[str] = field(default_factory=list)

    @property
    def verdict(self) -> str:
        """Of all rows together: the one nearest to an alert."""
        return max((row.verdict for row in self.rows), key=VERDICTS.index, default=VERDICTS[0])


def alert_of(engine: EngineReader, alert_id: str) -> Alert:
    """The alert of this id. Raises NotFoundError."""
    alert = engine.alert(alert_id)
    if alert is None:
        raise NotFoundError(f"there is no alert {alert_id}")
    return alert


def set_at(log: LogReader, sets: Sets, index: int) -> RuleSet:
    """The rule set that was in force at an entry, or the present one where that cannot be had (`sets.problems`)."""
    known = announced(log)
    before = [digest for at, digest in known if at < index] or [digest for _, digest in known[:1]]
    return sets.get(before[-1]) if before else sets.present


def explain(
    log: LogReader,
    sets: Sets,
    classifier: Classifier,
    *,
    rule_id: str,
    index: int,
    draft: RuleSet | None = None,
    progress: Callable[[int], None] | None = None,
) -> Explanation:
    """What the rule made of the entry at `index`; a `draft` set in place of the one that was in force.

    Raises: NotFoundError, RuleError, StoreError.
    """
    found = log.records(LeafIndex(index), 1)
    if not found or found[0].index != index:
        raise NotFoundError(f"there is no entry {index}")
    rules = draft or set_at(log, sets, index)
    status = next((rule.status for rule in rules.rules if rule.id == rule_id), "")
    test = BackTest(log, rules, rule_id, classifier, start=index, end=index)
    test.run(progress)
    rule, fold = test.rule, test.fold
    judged: list[tuple[str, dict[str, Any]]] = []
    came: list[tuple[str, dict[str, Any]]] = []

    def probe(by: Rule | None, subject: str, row: dict[str, Any], values: Values | None) -> None:
        if by is None and subject in rule.on:
            came.append((subject, row))
        elif by is not None and by.id == rule.id:
            judged.append((subject, dict(row) if values is None else dict(values.row())))

    records, effects = Records(log), Effects()
    facts = log.facts(LeafIndex(index), LeafIndex(index + 1))
    entry = parse_input(found[0], facts.get(LeafIndex(index)))
    fold.explain(fold.with_before(entry, records.find), effects, probe)
    now_ms = fold.state.now_ms
    raised = {r.alert.fingerprint: r.alert for r in effects.raised if r.alert.rule == rule.id}
    look = _Look(log, rules, rule, fold, status, now_ms, raised)
    seen = {(subject, row["record_id"]) for subject, row in judged}
    rows = [look.row(subject, row) for subject, row in judged]
    rows += [look.row(subject, row) for subject, row in came if (subject, row["record_id"]) not in seen]
    return Explanation(
        rule=rule.id,
        version=rule.version,
        status=status,
        title=rule.title,
        legal_basis=list(rule.legal_basis),
        order_template=rule.order_template,
        ruleset=rules.digest,
        index=index,
        record_id=str(found[0].record_id),
        kind=found[0].kind,
        holder=found[0].holder,
        rows=rows,
        errors=[r.alert.reason["en"] for r in effects.raised if r.alert.rule == "RULE-ERROR"],
        notes=sorted(sets.problems.values()),
    )


class _Look:
    """Looks at rows with the fold as it stands behind the entry."""

    def __init__(
        self,
        log: LogReader,
        rules: RuleSet,
        rule: Rule,
        fold: Any,
        status: str,
        now_ms: int,
        raised: Mapping[tuple[str, ...], Alert],
    ) -> None:
        self._log = log
        self._rule = rule
        self._fold = fold
        self._status = status
        self._now_ms = now_ms
        self._raised = raised
        self._declared = _declared(rules, rule)

    def row(self, subject: str, row: dict[str, Any]) -> RowShown:
        rule = self._rule
        parameters = rule.parameters_at(UnixMs(row["event_ms"]))
        complete = all(name in row for name in rule.features)
        scope = None if rule.scope is None else _tree(rule.scope, row, parameters)
        name = "\x1f".join(str(row[part]) for part in rule.fingerprint)
        fingerprint = tuple(row[part] for part in rule.fingerprint)
        timer = self._fold.state.timers.get(f"{rule.id}\x1f{name}")
        pending = self._fold.state.pending.get(rule.id, {}).get(name)
        since = pending.since if pending is not None else {}
        in_scope = scope is None or scope.value is True
        bands = [
            self._band(at, band, row, parameters, since) for at, band in enumerate(rule.bands) if complete and in_scope
        ]
        alert = self._raised.get(fingerprint)
        judged = self._verdict(scope, bands, alert, complete=complete)
        return RowShown(
            subject=subject,
            row=row,
            parameters={name: self._parameter(name, value, row["event_ms"]) for name, value in parameters.items()},
            scope=scope,
            features=self._features(row) if complete else [],
            bands=bands,
            verdict=judged,
            why=in_words(judged),
            because=_because(scope, bands) if judged in ("out-of-scope", "no-band", "too-little-history") else [],
            alert_id=alert.alert_id if alert is not None else self._standing(name, judged),
            timer_ms=timer.due_ms if timer is not None else None,
        )

    def _band(
        self, at: int, band: Band, row: dict[str, Any], parameters: dict[str, int], since: Mapping[int, int]
    ) -> BandShown:
        start = row[band.since] if band.since else since.get(at)
        wait = band.wait(parameters) if band.waits else 0
        try:
            reason = {language: template.render(row | parameters) for language, template in band.reason.items()}
        except (LookupError, TypeError, ValueError):
            reason = {}
        return BandShown(
            band=at,
            severity=band.severity,
            condition=_tree(band.when, row, parameters),
            unready=[name.removesuffix(READY) for name in band.needs if not row[name]],
            wait_ms=wait,
            since_ms=start if band.waits else None,
            due_ms=start + wait if band.waits and start is not None else None,
            reason=reason,
        )

    def _verdict(self, scope: Valued | None, bands: list[BandShown], alert: Alert | None, *, complete: bool) -> str:
        if scope is not None and scope.value is not True:
            return "out-of-scope"
        if not complete:
            return "no-rows"
        if alert is not None:
            kept = alert.extra.get("inhibited_by") or alert.extra.get("excepted")
            return "shadow" if self._status == "shadow" else "kept-down" if kept else "alert"
        true = [band for band in bands if band.condition.value is True]
        if not true:
            return "error" if any(band.condition.error for band in bands) else "no-band"
        ready = [band for band in true if not band.unready]
        if not ready:
            return "too-little-history"
        due = [band for band in ready if band.due_ms is None or band.due_ms <= self._now_ms]
        return "goes-on" if due else "waits"

    def _standing(self, name: str, verdict: str) -> str:
        if verdict != "goes-on":
            return ""
        pending = self._fold.state.pending.get(self._rule.id, {}).get(name)
        if pending is not None and pending.alert_id:
            return str(pending.alert_id)
        course = self._fold.state.courses.get(self._rule.id, {}).get(name)
        return next((e.alert_id for e in reversed(course.episodes) if e.alert_id), "") if course else ""

    def _features(self, row: dict[str, Any]) -> list[Shown]:
        behind = self._fold.behind(self._rule, row)
        shown = []
        for name in self._rule.features:
            entries = list(dict.fromkeys(behind.get(name, ())))
            shown.append(
                Shown(
                    name=name,
                    value=row[name],
                    ready=bool(row.get(name + READY, True)),
                    declared=self._declared.get("features", {}).get(name, {}),
                    entries=[self._link(index) for index in entries[-MAX_LINKS:]],
                    more=max(len(entries) - MAX_LINKS, 0),
                )
            )
        return shown

    def _link(self, index: int) -> dict[str, Any]:
        found = self._log.records(LeafIndex(index), 1)
        return {
            "index": index,
            "record_id": str(found[0].record_id) if found else "",
            "received_ms": found[0].received if found else None,
        }

    def _parameter(self, name: str, value: int, event_ms: int) -> dict[str, Any]:
        """Its value, from which day it holds, and on what ground."""
        day, _ = self._rule.parameters[name].version_at(UnixMs(event_ms))
        declared = self._declared.get("parameters", {}).get(name, {})
        held = declared
        if isinstance(declared, list):
            date = datetime.fromtimestamp(day / 1000, UTC).date().isoformat()
            held = next((version for version in declared if version.get("from") == date), {})
        return {
            "value": value,
            "from": datetime.fromtimestamp(day / 1000, UTC).date().isoformat(),
            "source": held.get("basis") or (f"legal parameter {held['legal']}" if "legal" in held else ""),
        }


def _declared(rules: RuleSet, rule: Rule) -> dict[str, Any]:
    """The rule's file, as it is written."""
    for name, text in rules.sources.items():
        try:
            plain: dict[str, Any] = load_yaml(text, name).plain()
        except RuleError:
            continue
        if plain.get("id") == rule.id:
            return plain
    return {}


def _tree(condition: Condition, row: Mapping[str, Any], parameters: Mapping[str, int]) -> Valued:
    return valued(parse(condition.source), row, parameters)


def _because(scope: Valued | None, bands: list[BandShown]) -> list[str]:
    """The smallest parts that are false, each once."""
    if scope is not None and scope.value is not True:
        return list(dict.fromkeys(part.source for part in failing(scope)))
    found = [part.source for band in bands for part in failing(band.condition)]
    found += [f"{name}{TOO_LITTLE}" for band in bands for name in band.unready]
    return list(dict.fromkeys(found))
