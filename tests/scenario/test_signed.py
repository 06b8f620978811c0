"""The signed year goes into a real log: every record is let in, and append's facts are those that the cheap stream claims."""

from tests.kit import ORIGIN, Log
from tests.scenario.clock import day_date, day_of
from tests.scenario.people import facts_of_persons
from tests.scenario.signed import SignedOutput
from tests.scenario.world import World

MOST = 2500


def shape(facts):
    """Facts with the surrogates taken out; who is whom is compared apart."""
    ids = {at: {k: v for k, v in said.items() if k != "person"} for at, said in facts.get("ids", {}).items()}
    return ids, set(facts.get("links", {}))


def test_signed_output__a_small_world__is_let_in_with_the_same_facts(tmp_path):
    log, out, world = Log(tmp_path), SignedOutput(ORIGIN), World(7, scale=30)
    holders = [one.holder for one in (*world.cast.enterprises, *world.shops, world.rental)]
    for enrolment in out.enrolments(holders):
        log.grant(enrolment.key, enrolment.holder, role=enrolment.role)
    same, index_of = {}, {}
    for draft in world.drafts(3):
        sent = out.sign(draft)
        if sent is None:
            continue
        log.clock.now = max(log.clock.now, draft.received_ms)
        index_of[log.submit(sent.data).receipt.index] = draft
        if len(index_of) >= MOST:
            break
    assert {draft.kind for draft in index_of.values()} >= {"movement", "stocktake", "close", "rental", "endorse"}
    compared = 0
    for index, found in log.stores.log.facts(0, log.stores.log.size()).items():
        draft = index_of.get(index)
        if draft is None:
            continue
        day = day_date(day_of(draft.event_ms))
        claimed = facts_of_persons(draft.persons, day.year, day.month, day.day)
        assert shape(found) == shape(claimed)
        for at, said in found["ids"].items():
            assert same.setdefault(claimed["ids"][at]["person"], said["person"]) == said["person"]
        compared += 1
    assert compared > 50
    assert len(set(same.values())) == len(same)
    log.close()
