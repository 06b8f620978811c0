"""Whoever repeats one number, one party, one second without end does not make the engine's next entry dearer.

Counted, not timed: the lines of Python that folding an entry runs through, loops and comprehensions included. Each stream
is valid at the door. What it may cost more after hundreds of entries is a logarithm, not a scan: a scan would be six times
as dear at the second range as at the first.
"""

import hashlib
import sys
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from ledger.catalogue import Catalogue
from ledger.core.ids import credit_code_for
from ledger.core.times import format_utc
from ledger.engine.alerts import Effects, Identity
from ledger.engine.fold import Fold
from ledger.engine.inputs import Input, unix_ms
from ledger.engine.registry import TOPICS
from ledger.engine.state import FoldState
from ledger.evaluate import shipped_rules
from tests.factories import HOLDER, OTHER_HOLDER, body, knife_line, line

RULES, CATALOGUE = shipped_rules(), Catalogue.load()
T0 = unix_ms("2026-03-02T02:00:00Z")
SECOND, MINUTE, DAY = 1000, 60_000, 86_400_000
EARLY, LATE = range(50, 70), range(300, 320)
AT_THE_BOUND = {"statements among purchases": range(140, 160)}
"""Where early is late enough: the licences that an enterprise declares for itself count up to `licences.MOST_DECLARED`, and
each of them is looked through up to there."""
MOST = 1.25
THIRD = credit_code_for("91320100MA1P0002X")
PERSON = {"valid": True, "minor": False, "age_from": 18, "person": "ab" * 16}
AUTHORITY = {"alert_transition", "inspection", "order", "endorse", "refusal", "scrub"}

Said = dict[str, Any]
"""kind, body, and what is not usual of: holder, event_ms, received_ms, facts, authority, corrects."""


def said(kind: str, at: int = 0, /, **more: Any) -> Said:
    """A record of this kind, by default all in one second; `at` moves it on, or back."""
    known = {"holder", "facts", "received_ms", "site", "authority"}
    header = {name: more.pop(name) for name in known & more.keys()}
    return {"kind": kind, "body": body(kind, **more), "event_ms": T0 + at, **header}


def day_of(n: int) -> str:
    return format_utc(T0 + n * DAY)[:10]


def moved(direction: str, reason: str, at: int = 0, /, **more: Any) -> Said:
    return said("movement", at, direction=direction, reason=reason, **more)


def facts(*places: str) -> Said:
    return {"ids": {f"/body/{place}/id_number": PERSON for place in places}}


def letting(n: int, contract: str, action: str) -> Said:
    return said("rental", n * SECOND, contract=contract, action=action, facts=facts("renter"))


FROM_B = {"counterparty": {"type": "enterprise", "uscc": OTHER_HOLDER}}
FROM_A = {"counterparty": {"type": "enterprise", "uscc": HOLDER}}
KNIFE = {"lines": [knife_line()], "counterparty": {"type": "person"}, "facts": facts("counterparty")}
RUN = {"process": {"id": "P-1"}}

STREAMS: dict[str, Callable[[int], Said]] = {
    "sales of one consignment": lambda n: moved("out", "sale", facts=facts("agent", "handlers/0")),
    "sales, a second apart": lambda n: moved("out", "sale", n * SECOND, facts=facts("agent", "handlers/0")),
    "sales, told backwards": lambda n: moved("out", "sale", -n * SECOND, received_ms=T0),
    "sales of consignments without end": lambda n: moved("out", "sale", n * SECOND, consignment=f"C-{n}"),
    "purchases of one consignment": lambda n: moved("in", "purchase", facts=facts("agent", "handlers/0"), **FROM_B),
    "purchases, a second apart": lambda n: moved("in", "purchase", n * SECOND, **FROM_B),
    "purchases, told backwards": lambda n: moved("in", "purchase", -n * SECOND, received_ms=T0, **FROM_B),
    "purchases without a consignment": lambda n: moved("in", "purchase", n * MINUTE, consignment=f"C-{n}", **FROM_B),
    "both ends of one consignment": lambda n: (
        moved("out", "sale") if n % 2 else moved("in", "purchase", holder=OTHER_HOLDER, **FROM_A)
    ),
    "both ends of many consignments": lambda n: (
        moved("out", "sale", n * SECOND, consignment=f"C-{n}")
        if n % 2
        else moved("in", "purchase", n * SECOND, holder=OTHER_HOLDER, consignment=f"C-{n + 1}", **FROM_A)
    ),
    "round and round": lambda n: moved(
        "out",
        "sale",
        n * MINUTE,
        holder=(HOLDER, OTHER_HOLDER, THIRD)[n % 3],
        counterparty={"type": "enterprise", "uscc": (OTHER_HOLDER, THIRD, HOLDER)[n % 3]},
        consignment=f"C-{n}",
    ),
    "runs of one process": lambda n: (
        moved("in", "production", n * SECOND, lines=[line("6484-52-2")], **RUN)
        if n % 2
        else moved("out", "consumption", n * SECOND, **RUN)
    ),
    "one process, one second": lambda n: (
        moved("in", "production", **RUN) if n % 2 else moved("out", "consumption", **RUN)
    ),
    "losses": lambda n: moved("out", "loss", n * SECOND, loss_cause="evaporation"),
    "disposals": lambda n: moved("out", "disposal"),
    "dilutions": lambda n: moved(*(("in", "dilution") if n % 2 else ("out", "dilution")), n * SECOND, **RUN),
    "issues and returns": lambda n: moved(*(("in", "return") if n % 2 else ("out", "issue")), n * SECOND),
    "batches without end": lambda n: moved(
        "in", "purchase", n * SECOND, lines=[line(batch=f"B-{n}", expires="2026-03-01")], **FROM_B
    ),
    "knives to one person": lambda n: moved("out", "sale", n * SECOND, **KNIFE),
    "knives to one person in one second": lambda n: moved("out", "sale", **KNIFE),
    "stock-takes": lambda n: said("stocktake", n * SECOND, cut_off=format_utc(T0 + n * SECOND)),
    "stock-takes of one moment": lambda n: said("stocktake"),
    "partial stock-takes": lambda n: said("stocktake", n * SECOND, complete=False, cut_off=format_utc(T0 + n * SECOND)),
    "stock-takes among movements": lambda n: (
        said("stocktake", n * SECOND, cut_off=format_utc(T0 + n * SECOND))
        if n % 2
        else moved("out", "consumption", n * SECOND)
    ),
    "closes of one day": lambda n: said("close", n * SECOND, last_seq=n),
    "closes of many days": lambda n: said("close", day=day_of(n % 900)),
    "incidents": lambda n: said("incident"),
    "lettings of one contract": lambda n: letting(n, "R-1", ("out", "return")[n % 2]),
    "one contract let for ever": lambda n: said("rental", facts=facts("renter", "drivers/0")),
    "lettings of many contracts": lambda n: letting(n, f"R-{n}", "out"),
    "one person enrolled again": lambda n: said("person", facts={"ids": {"/body/id_number": PERSON}}),
    "one person under many references": lambda n: said(
        "person", n * SECOND, ref=f"H{n}", facts={"ids": {"/body/id_number": PERSON}}
    ),
    "profiles": lambda n: said(
        "profile",
        n * SECOND,
        facts={"links": {"/body/phone": "cd" * 16}, **facts("legal_person")},
    ),
    "profiles of many with one telephone": lambda n: said(
        "profile", holder=credit_code_for(f"91320100{n:09d}"), facts={"links": {"/body/phone": "cd" * 16}}
    ),
    "one licence again": lambda n: said("licence"),
    "licences without end": lambda n: said("licence", n * SECOND, number=f"L-{n}"),
    "licences among sales": lambda n: (
        said("licence", n * SECOND, number=f"L-{n}", activities=["sell"]) if n % 2 else moved("out", "sale", n * SECOND)
    ),
    "statements among purchases": lambda n: (
        said("licence", type="lawful_use_statement", number=f"S-{n}", valid_from=day_of(-n % 300))
        if n % 2
        else moved("in", "purchase", n * SECOND, **FROM_B)
    ),
    "endorsements": lambda n: (
        said("endorse", record_id=hashlib.sha256(f"{n - 1}".encode()).hexdigest()) if n % 2 else said("licence")
    ),
    "places": lambda n: said("place"),
    "filings of one consignment": lambda n: said("filing"),
    "filings of many": lambda n: said("filing", consignment=f"C-{n}"),
    "filings among sales": lambda n: said("filing") if n % 2 else moved("out", "sale"),
    "replies": lambda n: said("reply"),
    "inspections": lambda n: said("inspection", n * SECOND),
    "steps of one alert": lambda n: said("alert_transition", n * SECOND),
    "closings of one alert": lambda n: said(
        "alert_transition", n * SECOND, **{"from": "verified", "to": "closed"}, outcome="violation_confirmed"
    ),
    "orders": lambda n: said("order", n * SECOND),
    "refusals of one place": lambda n: said("refusal"),
    "refusals of many places": lambda n: said("refusal", seq=n + 3, code="gap"),
    "scrubs": lambda n: said("scrub", n * SECOND, missing=[f"{n:064x}"]),
    "one sale corrected again and again": lambda n: (
        {"kind": "correction", "corrects": 0, "event_ms": T0} if n else moved("out", "sale")
    ),
    "each sale corrected once": lambda n: (
        {"kind": "correction", "corrects": n - 1, "event_ms": T0 + n * SECOND}
        if n % 2
        else moved("out", "sale", n * SECOND)
    ),
    "each purchase corrected once": lambda n: (
        {"kind": "correction", "corrects": n - 1, "event_ms": T0 + n * SECOND}
        if n % 2
        else moved("in", "purchase", n * SECOND, **FROM_B)
    ),
    "ticks among sales": lambda n: (
        {"kind": "tick", "body": {"now": T0 + n * SECOND, "facts": "0" * 64}, "event_ms": T0 + n * SECOND}
        if n % 2
        else moved("out", "sale", n * SECOND, consignment=f"C-{n}")
    ),
}


def entries(stream: Callable[[int], Said]) -> Iterator[Input]:
    for n in range(LATE.stop):
        what = stream(n)
        if "corrects" in what:
            corrected = hashlib.sha256(f"{what['corrects']}".encode()).hexdigest()
            new = stream(what["corrects"])
            what["body"] = {"corrects": corrected, "kind": new["kind"], "body": new["body"]}
            what["facts"] = new.get("facts", {})
        event_ms = what["event_ms"]
        received_ms = what.get("received_ms", max(event_ms, T0))
        authority = what["kind"] in AUTHORITY or what["kind"] == "tick"
        yield Input(
            index=n,
            record_id=hashlib.sha256(f"{n}".encode()).hexdigest(),
            holder="platform" if authority else what.get("holder", HOLDER),
            site="S1",
            book="acid" if what["kind"] in ("movement", "stocktake", "close", "correction") else "office",
            seq=n + 1,
            kind=what["kind"],
            event_time=format_utc(event_ms),
            event_ms=event_ms,
            received_ms=received_ms,
            is_authority=authority,
            body=what["body"],
            facts=what.get("facts", {}),
            signers=("0" * 64, "1" * 64),
        )


class Lines:
    """Counts lines of Python while it is entered, and where they are."""

    def __init__(self) -> None:
        self.count = 0
        self.where: dict[str, int] = {}

    def __enter__(self) -> "Lines":
        sys.settrace(self._call)
        return self

    def __exit__(self, *_: object) -> None:
        sys.settrace(None)

    def _call(self, frame: Any, event: str, arg: Any) -> Any:
        code = frame.f_code
        if "/ledger/" not in code.co_filename:
            return None
        name = f"{code.co_filename.rpartition('/ledger/')[2]}:{code.co_qualname}"

        def line(frame: Any, event: str, arg: Any) -> Any:
            if event == "line":
                self.count += 1
                self.where[name] = self.where.get(name, 0) + 1
            return line

        return line


def costs(stream: Callable[[int], Said], when_early: range) -> tuple[Lines, Lines]:
    fold = Fold(FoldState(), RULES, CATALOGUE, Identity("log.test/x", "platform", "0" * 64, RULES.digest))
    by_id: dict[str, Input] = {}
    early, late = Lines(), Lines()
    for entry in entries(stream):
        by_id[entry.record_id] = entry
        counter = early if entry.index in when_early else late if entry.index in LATE else None
        read = fold.with_before(entry, by_id.get)
        if counter is None:
            fold.step(read, Effects())
        else:
            with counter:
                fold.step(read, Effects())
    error = fold.state.health.get("ENGINE")
    assert error is None or not error.error, error
    return early, late


def dearer(early: Lines, late: Lines) -> str:
    """The functions that grew most, for whoever mends it."""
    grew = sorted(late.where, key=lambda at: early.where.get(at, 0) - late.where[at])[:6]
    return "; ".join(f"{at} {early.where.get(at, 0)} -> {late.where[at]}" for at in grew)


@pytest.mark.parametrize("name", STREAMS)
def test_entry__after_thousands_that_repeat_one_thing__costs_no_more(name):
    early, late = costs(STREAMS[name], AT_THE_BOUND.get(name, EARLY))
    assert late.count <= MOST * early.count, f"{late.count / early.count:.1f} times: {dearer(early, late)}"


def test_streams__every_kind_that_a_topic_listens_to__has_one():
    heard = {kind for topic in TOPICS for kind in topic.kinds}
    assert heard <= {stream(n)["kind"] for stream in STREAMS.values() for n in (0, 1)}
