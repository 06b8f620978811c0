"""Entries for the fold without any envelope, and a fold over a few rules."""

import hashlib
from dataclasses import dataclass, field

from ledger.catalogue import Classification
from ledger.core.times import format_utc
from ledger.engine.alerts import Effects, Identity
from ledger.engine.fold import Fold
from ledger.engine.inputs import Input, unix_ms
from ledger.engine.rules import RuleSet
from ledger.engine.state import FoldState, decode_state, encode_state
from ledger.evaluate import shipped_rules

RULES = shipped_rules()
T0 = unix_ms("2026-03-02T00:00:00Z")
HOUR = 3_600_000
IDENTITY = Identity(log="log.test/x", issuer="platform.test", keyid="0" * 64, ruleset="0" * 64)
NITRIC = "7697-37-2"
KEY = f"{NITRIC}|||bulk||mass"


class Classifier:
    """Nitric acid is a precursor at any concentration, everything else is free."""

    @staticmethod
    def classify(code, concentration_ppm, form):
        categories = frozenset({"explosive_precursor"} if code == NITRIC else ())
        return Classification(
            code, code, "", categories, known=True, listed=bool(categories), ambiguous=False, substance=None
        )


def line(kg, code=NITRIC, store="R1", **more):
    return {"goods": "chemical", "code": code, "quantity": {"value": str(kg), "unit": "KGM"}, "store": store} | more


@dataclass
class Run:
    """A fold, fed entry by entry; `alerts` are (rule, band) in order."""

    rules: RuleSet = field(default_factory=lambda: RULES)
    state: FoldState = field(default_factory=FoldState)
    to: Effects = field(default_factory=Effects)
    seqs: dict = field(default_factory=dict)
    by_id: dict = field(default_factory=dict)

    def __post_init__(self):
        self.fold = Fold(self.state, self.rules, Classifier(), IDENTITY)

    def entry(self, kind, body, *, at=0, event=None, holder="A", site="S1", book="B1", authority=False):
        place = (holder, site, book)
        self.seqs[place] = self.seqs.get(place, 0) + 1
        event_ms = T0 + (at if event is None else event)
        index = self.state.next_index
        return Input(
            index=index,
            record_id=hashlib.sha256(f"{place}{self.seqs[place]}".encode()).hexdigest(),
            holder=holder,
            site=site,
            book=book,
            seq=self.seqs[place],
            kind=kind,
            event_time=format_utc(event_ms),
            event_ms=event_ms,
            received_ms=T0 + at,
            is_authority=authority,
            body=body,
        )

    def put(self, kind, body, **more):
        entry = self.entry(kind, body, **more)
        self.by_id[entry.record_id] = entry
        self.fold.step(self.fold.with_before(entry, self.by_id.get), self.to)
        return entry

    def stocktake(self, *lines, at=0, cut_off=None, complete=True, **more):
        cut = format_utc(T0 + (at if cut_off is None else cut_off))
        extra = {"measurement": more.pop("measurement")} if "measurement" in more else {}
        return self.put(
            "stocktake", {"cut_off": cut, "complete": complete, "lines": list(lines)} | extra, at=at, **more
        )

    def move(self, direction, *lines, at, reason="", **more):
        body = {"direction": direction, "reason": reason or ("found" if direction == "in" else "consumption")}
        return self.put("movement", body | {"lines": list(lines)}, at=at, **more)

    def correct(self, entry, *lines, at, **more):
        kind, was = (entry.body["kind"], entry.body["body"]) if entry.kind == "correction" else (entry.kind, entry.body)
        body = {"corrects": entry.record_id, "kind": kind, "body": was | {"lines": list(lines)}}
        return self.put("correction", body, at=at, **more)

    def tick(self, at):
        return self.put(
            "tick", {"now": T0 + at, "facts": "0" * 64}, at=at, holder="platform.test", book="ticks", authority=True
        )

    def restart(self):
        self.state = decode_state(encode_state(self.state))
        self.fold = Fold(self.state, self.rules, Classifier(), IDENTITY)

    def account(self, key=KEY, book="A/S1/B1"):
        return self.state.books[book].accounts[key]

    @property
    def alerts(self):
        return [(r.alert.rule, r.alert.band) for r in self.to.raised]
