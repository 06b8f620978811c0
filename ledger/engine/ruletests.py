"""The tests that rule files carry, run by the fold itself: as written, and again with a restart at every split point.

Events are shorthand for entries (`in`, `out`, `stocktake`, `place`, `licence`, ...), at offsets from the test's clock;
their bodies are those of formats.md.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from ledger.core.times import format_utc
from ledger.engine.alerts import Effects, Identity, Raised
from ledger.engine.fold import Fold
from ledger.engine.goods import Classifier
from ledger.engine.inputs import Input, unix_ms
from ledger.engine.rules import Rule, RuleSet
from ledger.engine.state import FoldState, decode_state, encode_state
from ledger.engine.yamlfile import Located
from ledger.errors import RuleError
from ledger.model import LeafIndex, RecordId, UnixMs

CLOCK = "2026-03-02T00:00:00Z"
ABOUT = ("fires", "silent", "boundary", "restart")
_IDENTITY = Identity(log="test.example/log", issuer="platform.test", keyid="0" * 64, ruleset="0" * 64)
_EVENT_KEYS = (
    "event enterprise site book reason consignment eta to from cut_off measurement complete continues handlers"
)
_KINDS = "in out stocktake place licence endorse grant refusal correct tick restart"


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
            name = top["name"].text() if top else f"line {located.line}"
            outcomes.append(Outcome(rule.id, name, about, detail))
        outcomes.extend(
            Outcome(rule.id, f"has a test that is about {about}", about, "there is none")
            for about in ABOUT
            if about not in seen
        )
    return outcomes


def _run(rule: Rule, top: dict[str, Located], classifier: Classifier) -> str:
    clock = unix_ms(top["clock"].text()) if "clock" in top else unix_ms(CLOCK)
    script = _script(top["events"].items(), clock)
    raised = _fold(rule, script, classifier, restart_at=None)
    expected = [_expectation(item, clock) for item in top["expect"].items()]
    if len(raised) != len(expected):
        return f"{len(expected)} alerts expected, {len(raised)} came: {[_said(r, clock) for r in raised]}"
    for want, got in zip(expected, raised, strict=True):
        alert = got.alert
        found = {
            "opened_ms": alert.opened_ms,
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


def _said(raised: Raised, clock: UnixMs) -> str:
    alert = raised.alert
    return f"{alert.rule} band {alert.band} at {(alert.opened_ms - clock) // 60_000}m: {alert.reason['en']}"


def _expectation(located: Located, clock: UnixMs) -> dict[str, Any]:
    top = located.mapping("at", "band severity late rule")
    want: dict[str, Any] = {name: top[name].value for name in ("band", "severity", "late", "rule") if name in top}
    want["opened_ms"] = clock + top["at"].duration_ms()
    return want


def _fold(rule: Rule, script: list[Input | None], classifier: Classifier, restart_at: int | None) -> list[Raised]:
    rules = RuleSet((rule,), "0" * 64)
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
    return to.raised


def _script(events: list[Located], clock: UnixMs) -> list[Input | None]:
    """Entries in order; None stands for a restart."""
    script: list[Input | None] = []
    seqs: dict[str, int] = {}
    named: dict[int, Input] = {}
    index = 0
    for number, located in enumerate(events, start=1):
        kinds = [name for name in located.any_mapping() if name in _KINDS.split()]
        if len(kinds) != 1:
            raise located.wrong(f"an event is exactly one of {_KINDS}")
        top = located.mapping(kinds[0], f"at {_EVENT_KEYS}")
        if kinds[0] == "restart":
            script.append(None)
            continue
        entry = _Event(kinds[0], top, clock, named).entry(index, seqs)
        named[number] = entry
        script.append(entry)
        index += 1
    return script


class _Event:
    """One event of a test on its way to an entry."""

    def __init__(self, what: str, top: dict[str, Located], clock: UnixMs, named: dict[int, Input]) -> None:
        self._what = what
        self._top = top
        self._clock = clock
        self._named = named
        self._at = clock + top["at"].duration_ms()

    def entry(self, index: int, seqs: dict[str, int]) -> Input:
        kind, body, by_authority = self._make()
        holder = "platform.test" if by_authority else self._text("enterprise", "ENTERPRISE-A")
        office = kind in ("place", "licence")
        site, book = self._text("site", "S1"), self._text("book", "office" if office or by_authority else "B1")
        if self._what == "correct":
            corrected = self._named[self._top["correct"].any_mapping()["event"].integer(1)]
            holder, site, book = corrected.holder, corrected.site, corrected.book
        at = f"{holder}/{site}/{book}"
        seqs[at] = seqs.get(at, 0) + 1
        event_ms = self._offset("event", self._at)
        return Input(
            index=LeafIndex(index),
            record_id=RecordId(hashlib.sha256(f"test record {index}".encode()).hexdigest()),
            holder=holder,
            site=site,
            book=book,
            seq=seqs[at],
            kind=kind,
            event_time=format_utc(UnixMs(event_ms)),
            event_ms=UnixMs(event_ms),
            received_ms=UnixMs(self._at),
            is_authority=by_authority,
            body=body,
        )

    def _text(self, name: str, default: str) -> str:
        return self._top[name].text() if name in self._top else default

    def _offset(self, name: str, default: int) -> int:
        return self._clock + self._top[name].duration_ms() if name in self._top else default

    def _make(self) -> tuple[str, dict[str, Any], bool]:
        """(kind, body, whether an authority signs it)."""
        makers: dict[str, Callable[[], tuple[str, dict[str, Any], bool]]] = {
            "in": self._movement,
            "out": self._movement,
            "stocktake": self._stocktake,
            "place": self._place,
            "licence": self._licence,
            "correct": self._correct,
            "endorse": lambda: ("endorse", {"record_id": self._named[self._value(int)].record_id}, True),
            "grant": lambda: ("grant", {"holder": self._value(str), "role": 1}, True),
            "refusal": lambda: ("refusal", self._refusal(), True),
            "tick": lambda: ("tick", {"now": self._at, "facts": "0" * 64}, True),
        }
        return makers[self._what]()

    def _value(self, kind: type) -> Any:
        located = self._top[self._what]
        if not isinstance(located.value, kind):
            raise located.wrong(f"a value of type {kind.__name__} is expected here")
        return located.value

    def _movement(self) -> tuple[str, dict[str, Any], bool]:
        body: dict[str, Any] = {
            "direction": self._what,
            "reason": self._text("reason", "purchase" if self._what == "in" else "sale"),
            "lines": _lines(self._top[self._what]),
        }
        if "consignment" in self._top:
            body["consignment"] = self._top["consignment"].text()
        if "eta" in self._top:
            body["expected_arrival"] = format_utc(UnixMs(self._offset("eta", 0)))
        other = self._text("to", "") or self._text("from", "")
        if other:
            body["counterparty"] = {"type": "enterprise", "uscc": other}
        if "measurement" in self._top:
            body["measurement"] = self._top["measurement"].plain()
        return "movement", body, False

    def _stocktake(self) -> tuple[str, dict[str, Any], bool]:
        body: dict[str, Any] = {
            "cut_off": format_utc(UnixMs(self._offset("cut_off", self._offset("event", self._at)))),
            "complete": self._top["complete"].value if "complete" in self._top else True,
            "lines": _lines(self._top["stocktake"]),
        }
        for name in ("measurement", "continues"):
            if name in self._top:
                body[name] = self._top[name].plain()
        return "stocktake", body, False

    def _place(self) -> tuple[str, dict[str, Any], bool]:
        stores = []
        for item in self._top["place"].items():
            top = item.mapping("id", "kg l book")
            store: dict[str, Any] = {"id": top["id"].text(), "book": "B1", "class": "room"}
            for name, unit in (("kg", "KGM"), ("l", "LTR")):
                if name in top:
                    store["capacity"] = {"value": str(top[name].value), "unit": unit}
            stores.append(store)
        return "place", {"sites": [{"site": "S1", "zone": "Asia/Shanghai", "stores": stores}]}, False

    def _licence(self) -> tuple[str, dict[str, Any], bool]:
        body = {"type": "licence", "issuer": "test", "valid_from": "2020-01-01", "valid_to": "9999-12-31"}
        body |= {"status": "valid"} | self._top["licence"].plain()
        return "licence", body, "holder" in body

    def _correct(self) -> tuple[str, dict[str, Any], bool]:
        top = self._top["correct"].mapping("event", "lines reason consignment")
        corrected = self._named[top["event"].integer(1)]
        body = dict(corrected.body)
        if "lines" in top:
            body["lines"] = _lines(top["lines"])
        for name in ("reason", "consignment"):
            if name in top:
                body[name] = top[name].text()
        return "correction", {"corrects": corrected.record_id, "kind": corrected.kind, "body": body}, False

    def _refusal(self) -> dict[str, Any]:
        top = self._top["refusal"].mapping("code seq", "enterprise site book")
        return {
            "record_id": hashlib.sha256(f"refused {self._at}".encode()).hexdigest(),
            "holder": top["enterprise"].text() if "enterprise" in top else "ENTERPRISE-A",
            "site": top["site"].text() if "site" in top else "S1",
            "book": top["book"].text() if "book" in top else "B1",
            "seq": top["seq"].integer(1),
            "code": top["code"].text(),
        }


def _lines(located: Located) -> list[dict[str, Any]]:
    """`{code, kg or l or n, store, pieces, form, concentration}`; with `pieces` the goods are sealed."""
    lines = []
    for item in located.items():
        top = item.mapping("code", "kg l n store pieces form concentration")
        unit = next((u for name, u in (("kg", "KGM"), ("l", "LTR"), ("n", "H87")) if name in top), None)
        if unit is None:
            raise item.wrong("a line has kg, l, or n")
        value = next(top[name].value for name in ("kg", "l", "n") if name in top)
        line: dict[str, Any] = {
            "goods": "knife" if unit == "H87" else "chemical",
            "code": top["code"].text(),
            "quantity": {"value": str(value), "unit": unit},
        }
        for name in ("store", "form", "concentration", "pieces"):
            if name in top:
                line[name] = top[name].value
        if "pieces" in top:
            line["packaging"] = "sealed"
        lines.append(line)
    return lines
