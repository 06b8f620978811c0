"""The generator keeps its word: the same seed gives the same year, whoever else is there; what it writes would be let in."""

import hashlib
import json
from collections import Counter
from itertools import islice
from types import SimpleNamespace

from ledger.core.record import STOCK_KINDS, parse_payload
from ledger.engine.register import is_workday
from tests.scenario import clock
from tests.scenario.labels import NEAR_MISS, PLANTED
from tests.scenario.plants import CASES
from tests.scenario.stream import Inputs
from tests.scenario.supervisor import Supervisor
from tests.scenario.world import World

SAMPLE = 40
"""Records of each (kind, sort of holder) that are checked against the schemas."""


def payload(draft) -> bytes:
    """The draft as it would be signed; prev, keys and nonce are made up."""
    document = {
        "v": 1,
        "log": "county.test/haz",
        "kind": draft.kind,
        "issuer" if draft.authority else "enterprise": draft.holder,
        "site": draft.site,
        "book": draft.book,
        "seq": draft.seq,
        "prev": None if draft.seq == 1 else "0" * 64,
        "signers": [f"{n:064x}" for n in range(draft.signers)],
        "nonce": "A" * 22,
        "event_time": clock.local_text(draft.event_ms),
        "body": draft.body,
    }
    return json.dumps(document, ensure_ascii=False).encode()


def digest(drafts) -> str:
    found = hashlib.sha256()
    for draft in drafts:
        found.update(f"{draft.record_id}{draft.received_ms}{json.dumps(draft.body)}".encode())
    return found.hexdigest()


def test_calendar__every_day_of_the_year__is_the_products():
    differ = [clock.day_text(day) for day in range(365) if clock.is_workday(day) != is_workday(clock.day_text(day))]
    assert differ == []


def test_drafts__same_seed__same_bytes():
    assert digest(World(7, scale=8).drafts(10)) == digest(World(7, scale=8).drafts(10))
    assert digest(World(7, scale=8).drafts(10)) != digest(World(8, scale=8).drafts(10))


def test_drafts__fewer_holders__leave_the_others_as_they_are():
    few, many = World(7, scale=12, plants=False), World(7, scale=4, plants=False)
    shops = {shop.holder for shop in few.shops} & {shop.holder for shop in many.shops}
    real = {owner.holder for owner in few.cast.enterprises if owner.kind == "facility"}
    assert shops
    assert real
    for holders in (shops, real):
        assert digest(d for d in World(7, scale=12, plants=False).drafts(12) if d.holder in holders) == digest(
            d for d in World(7, scale=4, plants=False).drafts(12) if d.holder in holders
        )


def test_drafts__received__never_goes_back_and_books_are_gapless_and_begin_with_a_count():
    last, seqs, opened = 0, Counter(), set()
    for draft in World(7, scale=6).drafts(30):
        assert draft.received_ms >= last
        last = draft.received_ms
        place = (draft.holder, draft.site, draft.book)
        seqs[place] += 1
        assert draft.seq == seqs[place]
        # What a book needs of its first stock record is asked by the appender, whom no sample of single records meets.
        assert place in opened or draft.kind not in STOCK_KINDS or (draft.kind == "stocktake" and draft.body["complete"])
        opened |= {place} if draft.kind in STOCK_KINDS else set()


def test_drafts__a_sample_of_every_kind__passes_the_door():
    checked = Counter()
    for draft in World(7).drafts(30):
        sort = (draft.kind, draft.holder[8:11], draft.body.get("reason"), draft.body.get("action"))
        if checked[sort] < SAMPLE:
            checked[sort] += 1
            parse_payload(payload(draft))
    assert {kind for kind, *_ in checked} >= {
        "close",
        "correction",
        "endorse",
        "filing",
        "grant",
        "incident",
        "inspection",
        "licence",
        "movement",
        "order",
        "person",
        "place",
        "profile",
        "refusal",
        "rental",
        "reply",
        "scrub",
        "stocktake",
    }


def test_inputs__numbered__are_contiguous_and_carry_facts_of_disclosed_persons():
    inputs = Inputs()
    made = list(islice(inputs.of(World(7, scale=8).drafts(3)), 4000))
    assert [entry.index for entry in made] == list(range(len(made)))
    assert any(entry.facts for entry in made if entry.kind == "person")


PACK = (
    [f"A{n:02d}" for n in range(1, 12)]
    + [f"B{n:02d}" for n in (1, 2, 3, 4, 6, *range(8, 18))]
    + [f"C{n:02d}" for n in range(1, 9)]
    + [f"D{n:02d}" for n in range(1, 10)]
    + ["E01", "E02", "E04", "E07", "E08", "F01", "F02", "F03", "F04"]
    + [f"G{n:02d}" for n in range(1, 6)]
    + ["H01", "H02", "H03", "H05"]
)


def test_labels__every_rule_of_the_pack__has_planted_cases_and_as_many_near_misses():
    world = World()
    list(islice(world.drafts(0), 1))
    kinds = Counter((label.rule, label.kind) for label in world.labels.listed)
    assert {case.rule for case in CASES} == set(PACK)
    for rule in PACK:
        assert kinds[rule, PLANTED] >= 2, rule
        assert kinds[rule, NEAR_MISS] >= kinds[rule, PLANTED], rule
    assert len({label.id for label in world.labels.listed}) == len(world.labels.listed)


def test_supervisor__a_warning__is_taken_up_and_closed_in_the_stream():
    world = World(7, scale=30, plants=False)
    desk, wrote = Supervisor(world), []
    alert = SimpleNamespace(
        rule="A02", severity="high", alert_id="a" * 64, extra={}, holder="x", opened_ms=clock.day_start(0) + 1
    )
    desk.see([SimpleNamespace(alert=alert)])
    last = 0
    for draft in desk.among(world.drafts(3)):
        assert draft.received_ms >= last
        last = draft.received_ms
        if draft.kind == "alert_transition":
            parse_payload(payload(draft))
            wrote.append((draft.body["from"], draft.body["to"], bool(draft.body.get("evidence"))))
    assert wrote == [("open", "acknowledged", False), ("acknowledged", "closed", True)]
