"""The whole pack at once, on random streams of all kinds of records, in random interleavings: the same findings.

A stream is made of the records of several rules' own tests: transfers with both ends, profiles, places, licences and their
endorsements, filings, stock-takes, closures, persons, rentals, incidents, corrections. They are laid on one week and on the
same few enterprises, so that they meet in the same books, rooms and consignments; a part of them is left out, and a part
told of another time. What is compared: `tests.engine.interleaving`.
"""

import hashlib
import random
from dataclasses import replace as with_fields

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from ledger.core.times import format_utc
from ledger.engine.inputs import unix_ms
from ledger.engine.rulescript import enterprise
from tests.engine.interleaving import DAY, RULES, grants_of, outcome, scripts, shuffled, texts

HOUR = 3_600_000
WEEK = 7 * DAY - 4 * HOUR
START = unix_ms("2026-03-02T00:00:00Z")
NAMES = "ABCD"
LIVE = with_fields(RULES, rules=tuple(rule for rule in RULES.rules if rule.status == "live"))


def _span(entries):
    times = [entry.event_ms for entry in entries]
    return max(times) - min(times)


SCRIPTS = [
    entries
    for _, _, told in scripts()
    if (entries := [entry for entry in told if entry.kind != "refusal"]) and _span(entries) <= WEEK
]


def renamed(value, names):
    if isinstance(value, str):
        return names.get(value, value)
    if isinstance(value, dict):
        return {key: renamed(inner, names) for key, inner in value.items()}
    return [renamed(inner, names) for inner in value] if isinstance(value, list | tuple) else value


def laid(script, number, rng):
    """A script's records among the others': other enterprises, another time, some left out."""
    others = rng.sample(NAMES, len(NAMES))
    names = {enterprise(f"ENTERPRISE-{a}"): enterprise(f"ENTERPRISE-{b}") for a, b in zip(NAMES, others, strict=True)}
    for n, entry in enumerate(script):
        names[entry.record_id] = hashlib.sha256(f"{number}/{n}".encode()).hexdigest()
    first = min(entry.event_ms for entry in script)
    shift = START - first + rng.randrange(0, WEEK - _span(script) + 60_000) // 60_000 * 60_000
    for entry in script:
        event_ms = entry.event_ms + shift
        if entry.kind not in ("grant", "correction"):
            if rng.random() < 0.08:
                continue
            if rng.random() < 0.3:
                event_ms = START + rng.randrange(0, WEEK, 60_000)
        body = renamed(entry.body, names)
        if entry.kind == "stocktake":
            body["cut_off"] = min(body["cut_off"], format_utc(event_ms))  # what is counted next month counts as now
        when = {"event_ms": event_ms, "event_time": format_utc(event_ms)}
        holder = names.get(entry.holder, entry.holder)
        yield replace(entry, holder=holder, record_id=names[entry.record_id], body=body, **when)


def stream(rng, many):
    """(grants, other records), these in the order of their times, but for a record that names another: it comes after that."""
    entries = [e for n, script in enumerate(rng.sample(SCRIPTS, many)) for e in laid(script, n, rng)]
    grants = [entry for entry in entries if entry.kind == "grant"]
    left = {e.record_id for e in entries}
    waiting = sorted((entry for entry in entries if entry.kind != "grant"), key=lambda entry: entry.event_ms)
    waiting = [e for e in waiting if e.kind != "correction" or e.body["corrects"] in left]
    told, needs = [], {e.record_id: {text for text in texts(e.body) if text in left} for e in waiting}
    left = set(needs)
    while waiting:
        entry = next(entry for entry in waiting if left.isdisjoint(needs[entry.record_id]))
        waiting.remove(entry)
        left.discard(entry.record_id)
        told.append(entry)
    return grants + grants_of(told), told


@settings(max_examples=200, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
@given(seed=st.integers(0, 2**32), many=st.integers(2, 6))
def test_pack__random_streams_in_any_interleaving__same_findings_stand_and_were_said(seed, many):
    rng = random.Random(seed)
    grants, told = stream(rng, many)
    found = [outcome(LIVE, grants + shuffled(told, rng), START + WEEK + HOUR) for _ in range(3)]
    for one in found:
        assert one.findings == found[0].findings
        assert one.said == one.stands
