"""The state of a steady stream is as large after two years as after one; what grows is named."""

import hashlib

import msgspec

from ledger.catalogue import Catalogue
from ledger.core.times import format_utc
from ledger.engine.alerts import Effects, Identity
from ledger.engine.fold import Fold
from ledger.engine.inputs import Input, unix_ms
from ledger.engine.state import FoldState
from ledger.evaluate import shipped_rules
from tests.factories import HOLDER, OTHER_HOLDER, body, knife_line, line

RULES = shipped_rules()
T0 = unix_ms("2026-01-01T02:00:00Z")
HOUR, DAY = 3_600_000, 86_400_000
YEAR = 365
GROWTH_PERMILLE = 1200
SMALL = 1500
"""Bytes that a field may grow by without being a leak: totals that have more digits."""
LASTS = {
    "allowances.bought": "charged to licences of up to 1,200 days, at most 4,096 a holder and code",
    "accountancy.books": "up to 64 balances of each stream",
    "corrected": "one for each corrected record: what it was corrected to is what a next correction takes out",
    # This stream has nobody who closes an alert, and nothing of an alert is ever deleted before it is closed.
    "pending": "open alerts",
    "life.lives": "open alerts",
    "life.revisions": "open alerts",
    "inhibition.known": "open alerts",
}
"""What a second year may add to, and why."""
PERSON = {"valid": True, "minor": False, "age_from": 18}


def surrogate(n):
    return hashlib.sha256(f"person {n}".encode()).hexdigest()[:32]


def facts(place, n):
    return {"ids": {f"/body/{place}/id_number": PERSON | {"person": surrogate(n)}}}


def day_of(day):
    """What two enterprises, a shop and a car hire do in one day: (hours, holder, kind, body, facts)."""
    at = T0 + day * DAY
    sale = body("movement", consignment=f"C-{day}", expected_arrival=format_utc(at + 8 * HOUR))
    arrival = body("movement", direction="in", reason="purchase", consignment=f"C-{day}")
    arrival["counterparty"] = {"type": "enterprise", "uscc": HOLDER}
    made = body("movement", direction="in", reason="production", process={"id": f"R-{day}"})
    used = body("movement", direction="out", reason="consumption", process={"id": f"R-{day}"})
    for one in (made, used):
        del one["consignment"], one["counterparty"], one["expected_arrival"]
    made["lines"] = [line(batch=f"B-{day}", expires=format_utc(at + 90 * DAY)[:10])]
    knife = body("movement", lines=[knife_line()], counterparty={"type": "person"})
    del knife["consignment"], knife["expected_arrival"]
    yield 0, HOLDER, "movement", made, {}
    yield 1, HOLDER, "movement", sale, facts("agent", day)
    yield 4, OTHER_HOLDER, "movement", arrival, {}
    yield 5, OTHER_HOLDER, "movement", used, {}
    yield 6, HOLDER, "filing", body("filing", consignment=f"C-{day}", date=format_utc(at)[:10]), {}
    yield 7, OTHER_HOLDER, "movement", knife, facts("counterparty", day)
    action = "return" if day % 2 else "out"
    letting = body("rental", contract=f"V-{day // 2}", action=action, due_at=format_utc(at + 2 * DAY))
    yield 8, OTHER_HOLDER, "rental", letting, facts("renter", day // 2)
    if day % 7 == 0:
        for holder in (HOLDER, OTHER_HOLDER):
            yield 9, holder, "stocktake", body("stocktake", cut_off=format_utc(at + 9 * HOUR)), {}
    if day % 10 == 0:
        corrected = {"corrects": day, "kind": "movement", "body": made}
        yield 10, HOLDER, "correction", corrected, {}
    if day % 30 == 0:
        yield 10, HOLDER, "incident", body("incident", discovered_at=format_utc(at)), {}
        yield 11, HOLDER, "licence", body("licence", number=f"L-{day}", valid_to=format_utc(at + 60 * DAY)[:10]), {}
        yield 11, OTHER_HOLDER, "person", body("person", ref=f"H{day % 90}"), {}
    yield 12, HOLDER, "close", body("close", day=format_utc(at)[:10], last_seq=day + 1), {}


class Stream:
    def __init__(self):
        self.fold = Fold(FoldState(), RULES, Catalogue.load(), Identity("l", "platform", "0" * 64, RULES.digest))
        self.by_id, self.seqs, self.made = {}, {}, {}

    def put(self, at, holder, kind, content, known, *, authority=False):
        index = self.fold.state.next_index
        place = (holder, "acid" if kind in ("movement", "stocktake", "close", "correction") else "office")
        self.seqs[place] = self.seqs.get(place, 0) + 1
        if kind == "correction":
            content = content | {"corrects": self.made[content["corrects"]]}
        entry = Input(
            index=index,
            record_id=hashlib.sha256(str(index).encode()).hexdigest(),
            holder=holder,
            site="S1",
            book=place[1],
            seq=self.seqs[place],
            kind=kind,
            event_time=format_utc(at),
            event_ms=at,
            received_ms=at,
            is_authority=authority,
            body=content,
            facts=known,
            signers=("0" * 64,),
        )
        self.by_id[entry.record_id] = entry
        if content.get("reason") == "production":
            self.made[(at - T0) // DAY] = entry.record_id
        self.fold.step(self.fold.with_before(entry, self.by_id.get), Effects())

    def year(self, first_day):
        for day in range(first_day, first_day + YEAR):
            for hour, holder, kind, content, known in day_of(day):
                self.put(T0 + day * DAY + hour * HOUR, holder, kind, content, known)
            now = T0 + day * DAY + 20 * HOUR
            self.put(now, "platform", "tick", {"now": now, "facts": "0" * 64}, {}, authority=True)
        return sizes(self.fold.state)


def sizes(value):
    """Bytes of each field of the state, and of each field of a topic's part of it."""
    found = {}
    for field in msgspec.structs.fields(FoldState):
        part = getattr(value, field.name)
        if isinstance(part, msgspec.Struct):
            for inner in msgspec.structs.fields(part):
                found[f"{field.name}.{inner.name}"] = len(msgspec.msgpack.encode(getattr(part, inner.name)))
        else:
            found[field.name] = len(msgspec.msgpack.encode(part))
    return found


def test_state__steady_stream_of_two_years__is_no_larger_after_the_second():
    stream = Stream()
    first = stream.year(0)
    second = stream.year(YEAR)
    error = stream.fold.state.health.get("ENGINE")
    assert error is None or not error.error, error
    grown = {
        name: (first[name], size)
        for name, size in second.items()
        if name not in LASTS and size * 1000 > first[name] * GROWTH_PERMILLE and size - first[name] > SMALL
    }
    assert not grown, grown
    of_both = [sum(size for name, size in year.items() if name not in LASTS) for year in (first, second)]
    assert of_both[1] * 1000 <= of_both[0] * GROWTH_PERMILLE, of_both
