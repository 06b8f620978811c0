"""Rule files (schema rule/1): strict, typed, every refusal with its file and line.

    schema: rule/1
    id: X01
    version: 1                      # one more whenever it says something else
    status: live                    # or draft, shadow (runs and is counted, says nothing), retired
    title: {zh: 出库激增, en: Outflow spike}
    severity: high                  # of bands that name none
    legal_basis: ['Decree 591 art. 23(1)']        # how people read it: ledger.guidance
    on: [movement]                  # subjects: ledger.engine.topics; all that they share are the names in conditions
    scope: 'direction == "out" && "explosive_precursor" in categories'        # CEL: ledger.engine.expressions
    group_by: [holder, code, dimension]           # what features are computed by
    features: {out_24h: {agg: sum, of: amount, window: 24h}}                  # all of them: ledger.engine.features
    parameters:                     # each with the day from which it holds, the county's; a list where it changed
      most: {value: 50000000, from: 2020-01-01, basis: engineering default}   # a number, or a duration such as 5d
      ahead: {legal: cn591.filing.days, as: days}                             # or integer, hours, kilograms
    bands:                          # from the top; the first that holds. Of how things stand also `for` (a duration, or a
                                    # parameter) and `since` (a field ..._ms): it holds only when it has for so long
      - {when: 'out_24h > 2 * most', severity: critical, reason: {zh: '{out_24h|amount}', en: '{out_24h|amount}'}}
      - {when: 'out_24h > most || ahead_ms > ahead', reason: {zh: '{out_24h|amount}', en: '{out_24h|amount}'}}
    not_evaluable: silent           # or info: says once that a feature lacks history
    keep_for: 0s                    # as quiet; the longer of the two counts
    episode: {fingerprint: [holder, code], quiet: 24h}    # one alert of each; a new one after so long without
    inhibited_by: []                # rules whose alerts keep this one's down: ledger.engine.inhibition
    exceptions: []                  # findings that are known and agreed: ledger.engine.restraints
    sla: {ack: 4h, handle: 3d}      # without it as the severity asks: ledger.core.life
    order_template: RECT-FLOW       # what an order asks for: ledger.guidance
    budget: {max_per_day: 1}        # a back-test with more alerts a day fails
    tests: []                       # fires, silent, boundary, restart: ledger.engine.ruletests, ledger.engine.rulescript

How values are shown in a reason (`|amount`): `ledger.engine.templates`. `hazledger rules lint` names all that there is.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable, Mapping
from dataclasses import replace

from ledger.catalogue.restricted import RestrictedSets, example_sets
from ledger.core import life
from ledger.engine.conditiontree import TypeCheck
from ledger.engine.expressions import Bindings, Condition, first_of, truths_of
from ledger.engine.features import READY, WINDOW_END, Feature, feature_names, read_features
from ledger.engine.limits import MAX_BANDS, MAX_RULES, check_fingerprint, read_rule_id, read_texts, read_version
from ledger.engine.parameters import LegalParams, Parameter, legal_parameter, read_parameters
from ledger.engine.registry import ASKED, LEGAL, SUBJECTS
from ledger.engine.restraints import (
    EXCEPTIONS,
    inhibits_itself,
    read_exception,
    read_exceptions,
    read_inhibitors,
)
from ledger.engine.ruletypes import Band, Rule, RuleSet, Sla
from ledger.engine.subjects import sample_rows
from ledger.engine.templates import Template
from ledger.engine.yamlfile import Located, load_yaml
from ledger.errors import RuleError

__all__ = ["SEVERITIES", "STATUSES", "Band", "Rule", "RuleSet", "Sla", "load_rules", "parse_rule", "read_rule"]

SEVERITIES = " ".join(life.SEVERITIES)
STATUSES = "draft shadow live retired"
_REQUIRED = "schema id version status title severity legal_basis on bands episode tests"
_OPTIONAL = (
    "scope group_by features not_evaluable parameters for keep_for inhibited_by exceptions sla order_template budget"
)


def load_rules(
    sources: Mapping[str, str], legal: LegalParams, catalogue: str = "", restricted: RestrictedSets | None = None
) -> RuleSet:
    """The rule set of these files (name → text), draft and retired ones checked but left out.

    `catalogue` is the digest of the data behind the rows' categories; `restricted` the installation's own sets.

    Raises: RuleError for the first wrong file, with its line.
    """
    sets = restricted or example_sets()
    rules: dict[str, Rule] = {}
    for name in sorted(sources):
        if name == EXCEPTIONS:
            continue
        rule = parse_rule(sources[name], name, legal)
        if rule.id in rules:
            raise RuleError(f"{name}:1: rule {rule.id} stands in two files")
        rules[rule.id] = rule
    if EXCEPTIONS in sources:
        _except(rules, load_yaml(sources[EXCEPTIONS], EXCEPTIONS))
    _relate(rules)
    running = tuple(rules[rule_id] for rule_id in sorted(rules) if rules[rule_id].status in ("live", "shadow"))
    if len(running) > MAX_RULES:
        raise RuleError(f"{len(running)} rules are live or in shadow; at most {MAX_RULES} run at a time")
    values = [(rule.id, name, parameter.versions) for rule in running for name, parameter in rule.parameters.items()]
    parts = {
        "rules": _digest(
            [f"{rule.id} {rule.version} {rule.digest}" for rule in running]
            + ([sources[EXCEPTIONS]] if EXCEPTIONS in sources else [])
        ),
        "parameters": _digest(f"{rule_id} {name} {versions}" for rule_id, name, versions in sorted(values)),
        "catalogue": _digest([catalogue]),
        "restricted_sets": sets.digest,
    }
    digest = _digest(f"{name} {part}" for name, part in parts.items())
    return RuleSet(running, digest, parts, dict(sources), dict(legal), catalogue, restricted=sets)


def _except(rules: dict[str, Rule], document: Located) -> None:
    """Add the exceptions of the file EXCEPTIONS to the rules that they name."""
    top = document.mapping("schema exceptions")
    top["schema"].text("exceptions/1")
    for item in top["exceptions"].items():
        named = item.any_mapping().get("rule", item)
        rule = rules.get(named.text())
        if rule is None:
            raise named.wrong(f"there is no rule {named.value}")
        exception = read_exception(item, rule.fingerprint, "rule")
        rules[rule.id] = replace(rule, exceptions=(*rule.exceptions, exception))


def _relate(rules: dict[str, Rule]) -> None:
    """Check who inhibits whom: rules that there are, fields that both have, no circles."""
    keeps: dict[str, set[str]] = {}
    for rule in rules.values():
        for by in rule.inhibited_by:
            other = rules.get(by.rule)
            if other is None:
                raise RuleError(f"{rule.id}: inhibited_by names {by.rule}, which is no rule")
            lacking = [name for name in by.on if any(SUBJECTS[on].fields.get(name) != "str" for on in other.on)]
            if lacking:
                raise RuleError(f"{rule.id}: the rows of {by.rule} have no text {', '.join(lacking)} to compare")
            keeps.setdefault(rule.id, set()).update(by.on)
            keeps.setdefault(by.rule, set()).update(by.on)
        if inhibits_itself(rule.id, {name: other.inhibited_by for name, other in rules.items()}):
            raise RuleError(f"{rule.id} inhibits itself, if only through others")
    for rule_id, names in keeps.items():
        rules[rule_id] = replace(rules[rule_id], keeps=tuple(sorted(names)))


def _digest(lines: Iterable[str]) -> str:
    text = "".join(f"{line}\n" for line in ["hazledger/ruleset/v1", *lines])
    return hashlib.sha256(text.encode()).hexdigest()


def parse_rule(text: str, file: str, legal: LegalParams) -> Rule:
    """One rule file. Raises RuleError naming file and line."""
    return read_rule(load_yaml(text, file), text, legal)


def read_rule(document: Located, text: str, legal: LegalParams) -> Rule:
    """The rule of a parsed file. Raises RuleError for the first thing that is wrong."""
    top = document.mapping(_REQUIRED, _OPTIONAL)
    top["schema"].text("rule/1")
    subjects = top["on"].texts()
    fields = _fields(top["on"], subjects)
    parameters = read_parameters(top.get("parameters"), fields, legal)
    numbers = _numbers(top["on"], subjects, legal)
    numbers |= {name: parameters[name] for on in subjects for name in ASKED.get(on, ()) if name in parameters}
    scope = _condition(top["scope"], fields | dict.fromkeys(parameters, "int"), parameters) if "scope" in top else None
    features = read_features(top.get("features"), fields, parameters)
    group_by = _group_by(top, fields, subjects, needed=bool(features))
    names = fields | feature_names(features)
    default_wait = top["for"].duration_ms() if "for" in top else 0
    severity = top["severity"].text(SEVERITIES)
    bands = tuple(_band(item, names, parameters, features, severity, default_wait) for item in top["bands"].items())
    if bands and "not_evaluable" in top and top["not_evaluable"].text("info silent") == "info":
        bands += _unready_band(bands, names, features)
    if not 1 <= len(bands) <= MAX_BANDS:
        raise top["bands"].wrong(f"a rule has 1 to {MAX_BANDS} bands, the one that not_evaluable adds among them")
    if features and not SUBJECTS[subjects[0]].level and any(band.waits for band in bands):
        raise top["bands"].wrong("what happened does not last: windows of features say how long, not for or since")
    episode = top["episode"].mapping("fingerprint quiet")
    fingerprint = episode["fingerprint"].texts()
    check_fingerprint(episode["fingerprint"], fingerprint)
    for name in fingerprint:
        if fields.get(name) != "str":
            raise episode["fingerprint"].wrong(f"{name} is no text field of {', '.join(subjects)}")
    whens = [band.when for band in bands]
    read = {name for condition in [*whens, *([scope] if scope else [])] for name in condition.names}
    shown = {name for band in bands for template in band.reason.values() for name in template.names}
    shown |= {band.since for band in bands if band.since} | set(fingerprint)
    reasons = [item.plain()["reason"]["en"] for item in top["bands"].items()]
    if "dimension" in fields and any(form in text for text in reasons for form in ("|amount}", "|about}")):
        shown.add("dimension")
    rule = Rule(
        id=read_rule_id(top["id"]),
        version=read_version(top["version"]),
        status=top["status"].text(STATUSES),
        title=read_texts(top["title"]),
        severity=severity,
        legal_basis=top["legal_basis"].texts(),
        on=subjects,
        scope=scope,
        fingerprint=fingerprint,
        bands=bands,
        keep_for_ms=top["keep_for"].duration_ms() if "keep_for" in top else 0,
        quiet_ms=episode["quiet"].duration_ms(),
        group_by=group_by,
        features=features,
        parameters=parameters,
        numbers=numbers,
        digest=hashlib.sha256(text.encode()).hexdigest(),
        inputs=tuple(sorted(read | shown | ({WINDOW_END} if features else set()))),
        inhibited_by=read_inhibitors(top["inhibited_by"], fingerprint, fields) if "inhibited_by" in top else (),
        exceptions=read_exceptions(top["exceptions"], fingerprint) if "exceptions" in top else (),
        max_per_day=top["budget"].mapping("max_per_day")["max_per_day"].integer(1) if "budget" in top else None,
        sla=_sla(top["sla"]) if "sla" in top else Sla(),
        order_template=_order_template(top["order_template"]) if "order_template" in top else "",
        tests=tuple(top["tests"].items()),
        constants=None
        if any(len(parameter.versions) > 1 for parameter in parameters.values())
        else {name: parameter.versions[0][1] for name, parameter in parameters.items()},
        truths=None if features else truths_of(scope, whens),
        first=first_of(None if features else scope, whens, [band.needs for band in bands]),
    )
    _try_out(rule, names, document)
    return rule


def _sla(located: Located) -> Sla:
    top = located.mapping("ack handle")
    ack_ms, handle_ms = top["ack"].duration_ms(), top["handle"].duration_ms()
    if not 0 < ack_ms <= handle_ms:
        raise located.wrong("an alert is acknowledged before it is handled, and neither at once")
    return Sla(ack_ms, handle_ms)


def _order_template(located: Located) -> str:
    text = located.text()
    if not text.replace("-", "").isalnum() or not text.isascii() or text != text.upper() or len(text) > 32:
        raise located.wrong("the name of an order's form is of upper-case letters, digits and hyphens")
    return text


def _fields(located: Located, subjects: tuple[str, ...]) -> dict[str, str]:
    """The fields that rows of all these subjects have, with their types."""
    if not subjects:
        raise located.wrong("a rule listens to at least one subject")
    for name in subjects:
        if name not in SUBJECTS:
            raise located.wrong(f"unknown subject {name!r}; known are {', '.join(SUBJECTS)}")
    first, *others = (SUBJECTS[name].fields for name in subjects)
    return {name: kind for name, kind in first.items() if all(other.get(name) == kind for other in others)}


def _numbers(located: Located, subjects: tuple[str, ...], legal: LegalParams) -> dict[str, Parameter]:
    """The legal parameters that the rows of these subjects follow from.

    The digest of a set covers them where its rules declare them, as those that are shipped do.
    """
    try:
        return {name: legal_parameter(name, legal) for subject in subjects for name in LEGAL.get(subject, ())}
    except RuleError as error:
        raise located.wrong(error.detail) from None


def _group_by(
    top: dict[str, Located], fields: Mapping[str, str], subjects: tuple[str, ...], *, needed: bool
) -> tuple[str, ...]:
    if "group_by" not in top:
        if needed:
            raise top["features"].wrong("features need group_by: the fields that rows have to share")
        return ()
    names = top["group_by"].texts()
    if not set(names) <= set(fields):
        raise top["group_by"].wrong("group_by names fields of the rows")
    if needed and not all(fields[name] == "str" for name in names):
        raise top["group_by"].wrong("features are grouped by text fields")
    if needed and len({SUBJECTS[name].level for name in subjects}) > 1:
        raise top["on"].wrong("features are of what happened or of how things stand, not of both")
    return names


def _condition(
    located: Located, names: Mapping[str, str], parameters: Collection[str], features: Collection[str] = ()
) -> Condition:
    try:
        return Condition(located.text(), names, parameters, features)
    except RuleError as error:
        raise located.wrong(error.detail) from None


def _band(
    located: Located,
    fields: dict[str, str],
    parameters: dict[str, Parameter],
    features: Mapping[str, Feature],
    severity: str,
    default_wait: int,
) -> Band:
    top = located.mapping("when reason", "severity for since")
    names = fields | dict.fromkeys(parameters, "int")
    reason = {}
    for language, source in read_texts(top["reason"]).items():
        try:
            reason[language] = Template(source, fields, parameters)
        except RuleError as error:
            raise top["reason"].wrong(error.detail) from None
    wait_parameter = ""
    wait_ms = default_wait
    if "for" in top:
        if top["for"].value in parameters:
            wait_parameter = top["for"].text()
        else:
            wait_ms = top["for"].duration_ms()
    since = top["since"].text() if "since" in top else ""
    if since and (fields.get(since) != "int" or not since.endswith("_ms")):
        raise top["since"].wrong(f"{since} is no field in unix milliseconds")
    when = _condition(top["when"], names, parameters, feature_names(features))
    return Band(
        when=when,
        needs=tuple(f"{name}{READY}" for name in when.names if {f"{name}{READY}"} & names.keys() - set(when.names)),
        severity=top["severity"].text(SEVERITIES) if "severity" in top else severity,
        reason=reason,
        wait_ms=wait_ms,
        wait_parameter=wait_parameter,
        since=since,
    )


def _unready_band(
    bands: tuple[Band, ...], names: Mapping[str, str], features: Mapping[str, Feature]
) -> tuple[Band, ...]:
    """The last band of a rule with `not_evaluable: info`: it says that there is too little history to judge."""
    needs = sorted({name for band in bands for name in band.needs})
    if not needs:
        return ()
    reason = {"zh": "历史数据不足，暂不能评估", "en": "Too little history yet to judge"}
    templates = {language: Template(text, names, ()) for language, text in reason.items()}
    when = Condition(" || ".join(f"!{name}" for name in needs), names, features=feature_names(features))
    return (Band(when, "info", templates),)


def _try_out(rule: Rule, fields: dict[str, str], where: Located) -> None:
    """Type-check by evaluation: every condition on every sample row, with the parameters of today."""
    parameters = {name: parameter.versions[-1][1] for name, parameter in rule.parameters.items()}
    top = where.value
    # Without the band that says that features lack history, which no file holds.
    located = [(band.when, item) for band, item in zip(rule.bands, top["bands"].items(), strict=False)]
    if rule.scope is not None:
        located.append((rule.scope, top["scope"]))
    for name, feature in rule.features.items():
        if feature.where is not None:
            located.append((feature.where, top["features"].any_mapping()[name]))
    bindings = Bindings()
    checks = [TypeCheck(condition.source) for condition, _ in located]
    for row in sample_rows(fields):
        bindings.bind(row, parameters)
        for (condition, item), types in zip(located, checks, strict=True):
            try:
                types.look(bindings)
                condition.holds(bindings)
            except RuleError as error:
                if error.code == "evaluation" and "overflow" in error.detail.lower():
                    continue  # a sample is greater than what such a field can hold; rows are checked when they come
                raise item.wrong(error.detail) from None
