"""The events of a rule's tests, turned into the entries that the fold would read.

An event is exactly one of `in`, `out`, `stocktake`, `place`, `licence`, `endorse`, `grant`, `refusal`, `correct`, `tick`,
`restart` (shorthands), or `record: {kind: …, body: {…}}` for any kind of formats.md as it is written there. Beside it:
`at` (offset of its receipt from the test's clock), `event` (offset of its event time), `enterprise`, `site`, `book`,
`authority: true`, `facts: {…}` (the facts row), `signers: [K1, K2]` (names of keys), `more: {…}` (members added to the body),
`persons: {agent: P1, …}` (whose ID number was disclosed at which place of the body, "" in a `person` record; in place of
the name `{is: P1, valid: false, minor: true, age_from: 16, name: N1}`), `buyer: P1` (a natural person as counterparty).

Bodies are checked against the frozen schemas. In them `ENTERPRISE-A` to `ENTERPRISE-Z` stand for valid credit codes,
`{event: N}` for the record_id of the test's Nth event, `{key: K1}` for a keyid, `{at: 2h}` for the instant and `{day: 2d}`
for the local date (UTC+8) so long after the test's clock.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable
from typing import Any

from ledger.core import schemas
from ledger.core.facts import SURROGATE_BYTES
from ledger.core.ids import credit_code_for
from ledger.core.record import AUTHORITY_KINDS, KINDS
from ledger.core.times import format_utc
from ledger.engine.days import date_of
from ledger.engine.inputs import Input
from ledger.engine.yamlfile import Located
from ledger.model import LeafIndex, RecordId, UnixMs

_KINDS = [
    "in",
    "out",
    "stocktake",
    "place",
    "licence",
    "endorse",
    "grant",
    "refusal",
    "correct",
    "tick",
    "restart",
    "record",
]
_EVENT_KEYS = (
    "event enterprise site book reason consignment eta to from cut_off measurement complete continues "
    "authority facts signers more persons buyer"
)
_ENTERPRISE = re.compile(r"ENTERPRISE-([A-Z])")
_STOCK_KINDS = ("movement", "stocktake", "close")
_PLATFORM = "platform.test"


def enterprise(name: str) -> str:
    """The valid credit code that `ENTERPRISE-A` … `ENTERPRISE-Z` stands for; any other text stays."""
    found = _ENTERPRISE.fullmatch(name)
    return credit_code_for(f"91350100{ord(found[1]):09d}") if found else name


def person_named(name: str) -> str:
    """The surrogate that a name stands for."""
    return hashlib.sha256(f"test person {name}".encode()).hexdigest()[: 2 * SURROGATE_BYTES]


def key_named(name: str) -> str:
    """The keyid that a name stands for."""
    return hashlib.sha256(f"test key {name}".encode()).hexdigest()


def read_script(events: list[Located], clock: UnixMs) -> list[Input | None]:
    """Entries in order; None stands for a restart."""
    script: list[Input | None] = []
    seqs: dict[str, int] = {}
    named: dict[int, Input] = {}
    index = 0
    for number, located in enumerate(events, start=1):
        kinds = [name for name in located.any_mapping() if name in _KINDS]
        if len(kinds) != 1:
            raise located.wrong(f"an event is exactly one of {', '.join(_KINDS)}")
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
        if "more" in self._top:
            body = body | self._resolved(self._top["more"].plain())
        self._check(kind, body)
        holder = _PLATFORM if by_authority else enterprise(self._text("enterprise", "ENTERPRISE-A"))
        office = by_authority or kind not in (*_STOCK_KINDS, "correction")
        site, book = self._text("site", "S1"), self._text("book", "office" if office else "B1")
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
            facts=self._top["facts"].plain() if "facts" in self._top else self._facts(),
            signers=tuple(
                sorted(
                    key_named(name) for name in (self._top["signers"].texts() if "signers" in self._top else ("K1",))
                )
            ),
        )

    def _check(self, kind: str, body: dict[str, Any]) -> None:
        """What the door would not take proves nothing about a rule. Of a grant, only what rules see is written."""
        if self._what == "grant":
            return
        header: dict[str, Any] = {
            "v": 1,
            "log": "test.example/log",
            "kind": kind,
            "site": "S1",
            "book": "office",
            "seq": 1,
            "prev": None,
            "signers": ["0" * 64],
            "nonce": "A" * 22,
            "event_time": "2026-03-02T00:00:00Z",
            "body": body,
        }
        by_issuer = kind in AUTHORITY_KINDS or "holder" in body
        header |= {"issuer": _PLATFORM} if by_issuer else {"enterprise": enterprise("ENTERPRISE-A")}
        defect = schemas.first_defect(kind, header)
        if defect is not None:
            raise self._top[self._what].wrong(f"this {kind} is not of its schema: {defect.pointer} {defect.detail}")

    def _resolved(self, value: Any) -> Any:
        """The value with names of enterprises, events, keys and offsets replaced by what they stand for."""
        if isinstance(value, str):
            return enterprise(value)
        if isinstance(value, list):
            return [self._resolved(item) for item in value]
        if not isinstance(value, dict):
            return value
        match value:
            case {"event": int(number), **rest} if not rest:
                return self._named[number].record_id
            case {"key": str(name), **rest} if not rest:
                return key_named(name)
            case {"at": str(), **rest} if not rest:
                return format_utc(UnixMs(self._clock + self._duration(value["at"])))
            case {"day": str(), **rest} if not rest:
                return date_of(self._clock + self._duration(value["day"]))
        return {name: self._resolved(item) for name, item in value.items()}

    def _duration(self, text: str) -> int:
        located = self._top[self._what]
        sign = -1 if text.startswith("-") else 1
        return sign * Located(text.removeprefix("-"), located.file, located.line).duration_ms()

    def _record(self) -> tuple[str, dict[str, Any], bool]:
        top = self._top["record"].mapping("kind body")
        kind = top["kind"].text()
        if kind not in KINDS:
            raise top["kind"].wrong(f"there is no kind {kind}")
        by_authority = kind in AUTHORITY_KINDS or ("authority" in self._top and self._top["authority"].value is True)
        return kind, self._resolved(top["body"].plain()), by_authority

    def _facts(self) -> dict[str, Any]:
        """The facts row of `persons` and `buyer`, as `core.facts.facts_of` gives it."""
        places = self._top["persons"].any_mapping() if "persons" in self._top else {}
        if "buyer" in self._top:
            places["counterparty"] = self._top["buyer"]
        ids: dict[str, Any] = {}
        links: dict[str, str] = {}
        for place, located in places.items():
            at = f"/body/{place}" if place else "/body"
            if isinstance(located.value, str):
                said: dict[str, Any] = {"is": located.value}
            else:
                said = {name: item.value for name, item in located.mapping("is", "valid minor age_from name").items()}
            valid, minor = said.get("valid", True), said.get("minor", False)
            ids[f"{at}/id_number"] = {
                "valid": valid,
                "minor": minor if valid else None,
                "age_from": said.get("age_from", 16 if minor else 18) if valid else None,
                "person": person_named(said["is"]),
            }
            if "name" in said:
                links[f"{at}/name"] = person_named(f"name {said['name']}")
        return {part: found for part, found in (("ids", ids), ("links", links)) if found}

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
            "grant": lambda: ("grant", {"holder": enterprise(self._value(str)), "role": 1}, True),
            "refusal": lambda: ("refusal", self._refusal(), True),
            "tick": lambda: ("tick", {"now": self._at, "facts": "0" * 64}, True),
            "record": self._record,
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
            body["counterparty"] = {"type": "enterprise", "uscc": enterprise(other)}
        elif "buyer" in self._top:
            body["counterparty"] = {"type": "person"}
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
            top = item.mapping("id", "kg l book class")
            store: dict[str, Any] = {
                "id": top["id"].text(),
                "book": "B1",
                "class": top["class"].text() if "class" in top else "room",
            }
            for name, unit in (("kg", "KGM"), ("l", "LTR")):
                if name in top:
                    store["capacity"] = {"value": str(top[name].value), "unit": unit}
            stores.append(store)
        return "place", {"sites": [{"site": "S1", "zone": "Asia/Shanghai", "stores": stores}]}, False

    def _licence(self) -> tuple[str, dict[str, Any], bool]:
        body = {"type": "licence", "issuer": "test", "valid_from": "2020-01-01", "valid_to": "9999-12-31"}
        body |= {"status": "valid"} | self._resolved(self._top["licence"].plain())
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
            "holder": enterprise(top["enterprise"].text() if "enterprise" in top else "ENTERPRISE-A"),
            "site": top["site"].text() if "site" in top else "S1",
            "book": top["book"].text() if "book" in top else "B1",
            "seq": top["seq"].integer(1),
            "code": top["code"].text(),
        }


def _lines(located: Located) -> list[dict[str, Any]]:
    """`{code, kg or l or n, store, pieces, form, concentration, batch, attributes}`; with `pieces` the goods are sealed."""
    lines = []
    for item in located.items():
        top = item.mapping("code", "kg l n store pieces form concentration batch attributes")
        unit = next((u for name, u in (("kg", "KGM"), ("l", "LTR"), ("n", "H87")) if name in top), None)
        if unit is None:
            raise item.wrong("a line has kg, l, or n")
        value = next(top[name].value for name in ("kg", "l", "n") if name in top)
        line: dict[str, Any] = {
            "goods": "knife" if unit == "H87" else "chemical",
            "code": top["code"].text(),
            "quantity": {"value": str(value), "unit": unit},
        }
        for name in ("store", "form", "concentration", "batch", "pieces"):
            if name in top:
                line[name] = top[name].value
        if "attributes" in top:
            line["attributes"] = top["attributes"].plain()
        if "pieces" in top:
            line["packaging"] = "sealed"
        lines.append(line)
    return lines
