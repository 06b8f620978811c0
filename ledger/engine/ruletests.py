"""The tests that rule files carry, run by the fold itself: as written, and again with a restart at every split point.

How events are written: `ledger.engine.rulescript`.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

from ledger.engine.alerts import Effects, Identity, Raised
from ledger.engine.contained import OUTSIDE, said
from ledger.engine.fold import Fold
from ledger.engine.goods import Classifier
from ledger.engine.inputs import Input, unix_ms
from ledger.engine.rules import Rule, RuleSet
from ledger.engine.rulescript import read_script
from ledger.engine.state import FoldState, decode_state, encode_state
from ledger.engine.yamlfile import Located
from ledger.errors import RuleError
from ledger.model import Alert, UnixMs

CLOCK = "2026-03-02T00:00:00Z"
ABOUT = ("fires", "silent", "boundary", "restart")
MAX_EVENTS = 400
"""Of one test: it is folded again for each place where it can be split, and the engine waits for that at a promotion."""
_IDENTITY = Identity(log="test.example/log", issuer="platform.test", keyid="0" * 64, ruleset="0" * 64)


@dataclass(frozen=True, slots=True)
class Outcome:
    """One test's result; `detail` says what differed, "" when it passed."""

    rule: str
    name: str
    about: str
    detail: str


def run_tests(rules: Iterable[Rule], classifier: Classifier) -> list[Outcome]:
    """Run every test of these rules. A rule that lacks one of the four sorts of tests fails too."""
    outcomes = []
    for rule in rules:
        seen = set()
        for located in rule.tests:
            try:
                top = located.mapping("name about events expect", "clock")
                about = top["about"].text(" ".join(ABOUT))
                seen.add(about)
                detail = _run(rule, top, classifier)
            except RuleError as error:
                top, about, detail = {}, "", error.detail
            except OUTSIDE:
                raise
            except Exception as error:  # noqa: BLE001 - a script that no fold can read fails; the engine runs it too
                top, about, detail = {}, "", located.wrong(f"this test cannot be run: {said(error)}").detail
            name = top["name"].text() if top else f"line {located.line}"
            outcomes.append(Outcome(rule.id, name, about, detail))
        outcomes.extend(
            Outcome(rule.id, f"has a test that is about {about}", about, "there is none")
            for about in ABOUT
            if about not in seen
        )
    return outcomes


def check_test(located: Located) -> str:
    """What a test is about. Raises RuleError, with file and line, when it is not of its form; nothing is run."""
    top = located.mapping("name about events expect", "clock")
    about = top["about"].text(" ".join(ABOUT))
    top["name"].text()
    try:
        clock = unix_ms(top["clock"].text()) if "clock" in top else unix_ms(CLOCK)
    except ValueError:
        raise top["clock"].wrong(f"{top['clock'].value!r} is no time such as {CLOCK}") from None
    try:
        read_script(_events(top), clock)
    except RuleError:
        raise
    except Exception as error:  # noqa: BLE001 - whatever in it is of another form than the reader took for granted
        raise top["events"].wrong(f"these events cannot be read: {said(error)}") from None
    for item in top["expect"].items():
        _expectation(item, clock)
    return about


def _run(rule: Rule, top: dict[str, Located], classifier: Classifier) -> str:
    clock = unix_ms(top["clock"].text()) if "clock" in top else unix_ms(CLOCK)
    script = read_script(_events(top), clock)
    raised = _fold(rule, script, classifier, restart_at=None)
    expected = [_expectation(item, clock) for item in top["expect"].items()]
    if len(raised) != len(expected):
        return f"{len(expected)} alerts expected, {len(raised)} came: {[_said(r, clock) for r in raised]}"
    for want, got in zip(expected, raised, strict=True):
        alert = got.alert
        found = {
            "at": _minutes(alert.opened_ms, clock),
            "rule": alert.rule,
            "band": alert.band,
            "severity": alert.severity,
            "late": alert.late,
        }
        for name, value in want.items():
            if found[name] != value:
                return f"{name}: {value} expected, {found[name]} came: {_said(got, clock)}"
    for split in range(1, len(script)):
        again = _fold(rule, script, classifier, restart_at=split)
        if [r.payload for r in again] != [r.payload for r in raised]:
            return f"a restart after event {split} changes the alerts"
    return ""


def _events(top: dict[str, Located]) -> list[Located]:
    events = top["events"].items()
    if len(events) > MAX_EVENTS:
        raise top["events"].wrong(f"a test has at most {MAX_EVENTS} events, this one {len(events)}")
    return events


def _said(raised: Raised, clock: UnixMs) -> str:
    alert = raised.alert
    return f"{alert.rule} band {alert.band} at {_minutes(alert.opened_ms, clock)}: {alert.reason['en']}"


def _minutes(at_ms: int, clock: UnixMs) -> str:
    """As a test writes it: 3h is 180m, and what is no whole minute keeps its seconds."""
    minutes, rest_ms = divmod(at_ms - clock, 60_000)
    return f"{minutes}m{rest_ms / 1000:g}s" if rest_ms else f"{minutes}m"


def _expectation(located: Located, clock: UnixMs) -> dict[str, Any]:
    top = located.mapping("at", "band severity late rule")
    want: dict[str, Any] = {name: top[name].value for name in ("band", "severity", "late", "rule") if name in top}
    want["at"] = _minutes(clock + top["at"].duration_ms(), clock)
    return want


def alert_of(entry: Input) -> Alert:
    """An alert of another rule, as the test's own `alert` record states it; its id is that record's."""
    body = entry.body
    return Alert(
        alert_id=entry.record_id,
        rule=body["rule"],
        version=body["version"],
        fingerprint=tuple(body["fingerprint"]),
        first_index=entry.index,
        last_index=entry.index,
        band=body["band"],
        severity=body["severity"],
        holder=body.get("holder", ""),
        site=body.get("site", ""),
        reason={},
        inputs=body["inputs"],
        opened_ms=entry.received_ms,
        late=False,
        extra={"record": entry.record_id},
    )


def _fold(rule: Rule, script: list[Input | None], classifier: Classifier, restart_at: int | None) -> list[Raised]:
    # A rule in shadow is tested for what it would say.
    rules = RuleSet((replace(rule, status="live"),), "0" * 64)
    fold = Fold(FoldState(), rules, classifier, _IDENTITY)
    to = Effects()
    by_id = {entry.record_id: entry for entry in script if entry is not None}
    for at, entry in enumerate(script):
        if entry is None or at == restart_at:
            state = decode_state(encode_state(fold.state))
            if state is None:
                raise RuleError("the state does not survive its own snapshot")
            fold = Fold(state, rules, classifier, _IDENTITY)
        if entry is not None:
            fold.step(fold.with_before(entry, by_id.get), to)
            if entry.kind == "alert":
                fold.witness(alert_of(entry), to)
    return to.raised
