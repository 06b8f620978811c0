"""Two weeks of some of the sites, with planted cases, each week's books in another interleaving: the same findings stand."""

import random
from collections import defaultdict, deque

from ledger.catalogue import Catalogue
from ledger.engine.alerts import Effects, Identity
from ledger.engine.fold import Fold
from ledger.engine.state import FoldState
from ledger.evaluate import shipped_rules
from tests.engine.interleaving import texts
from tests.scenario import clock
from tests.scenario.stream import PLATFORM, Inputs
from tests.scenario.world import World

WEEK = 7 * 86_400_000
WEEKS = 2
APART = {
    "C05": "asks whether a handler is enrolled when the movement comes",
    "D03": "about refusals, in the order in which the platform refused",
    "D04": "the same",
    "D05": "about how long after the event a record came",
    "D06": "about how many records came before a correction",
    "D07": "about how many records came in a minute",
    "D09": "about the platform's own look at its files",
}


def interleaved(drafts, rng):
    """Each book in its order, and what a record names before it."""
    at = {draft.record_id: n for n, draft in enumerate(drafts)}
    books = defaultdict(deque)
    for n, draft in enumerate(drafts):
        books[draft.holder, draft.site, draft.book].append(n)
    needs = [{at[text] for text in texts(draft.body) if text in at} for draft in drafts]
    waiting = [book for book, queue in books.items() for _ in queue]
    rng.shuffle(waiting)
    done, order = set(), []
    while waiting:
        later = []
        for book in waiting:
            n = books[book][0]
            if needs[n] <= done:
                done.add(books[book].popleft())
                order.append(drafts[n])
            else:
                later.append(book)
        assert len(later) < len(waiting)
        waiting = later
    return order


def standing(weeks, rules):
    """(week, rule, fingerprint, window, band) of what happened, (week, rule, fingerprint) of how things are."""
    fold = Fold(FoldState(), rules, Catalogue.load(), Identity("county.test/haz", PLATFORM, "0" * 64, rules.digest))
    inputs, happened, stands = Inputs(), set(), set()
    for week, drafts in enumerate(weeks):
        end = clock.day_start(0) + week * WEEK
        for n, draft in enumerate(drafts if week else ()):
            draft.received_ms = end + n * 50
        for draft in drafts:
            for tick in inputs.ticks(draft.received_ms, fold.next_due):
                fold.step(tick, Effects())
            fold.step(fold.with_before(inputs.numbered(draft), inputs.find), Effects())
        for tick in inputs.ticks(end + WEEK - 1000, fold.next_due):
            fold.step(tick, Effects())
        fold.step(inputs.tick(end + WEEK - 500), Effects())
        happened |= {
            (week, rule, name, one.start, one.end, one.band)
            for rule, courses in fold.state.courses.items()
            for name, course in courses.items()
            for one in course.episodes
            if one.band >= 0 and rule not in APART
        }
        stands |= {
            (week, rule, name)
            for rule, pendings in fold.state.pending.items()
            for name, pending in pendings.items()
            if pending.active and rule not in APART
        }
    assert not [health.error for health in fold.state.health.values() if health.error]
    return happened, stands


def test_two_weeks__books_in_another_interleaving__same_rules_fingerprints_windows_and_bands():
    rules, rng = shipped_rules(), random.Random(7)
    start = clock.day_start(0)
    weeks = [[] for _ in range(WEEKS + 1)]
    for draft in World(scale=20).drafts(7 * WEEKS):
        weeks[0 if draft.received_ms < start else 1 + (draft.received_ms - start) // WEEK].append(draft)
    shuffled = [weeks[0], *(interleaved(week, rng) for week in weeks[1:])]
    expected = standing(weeks, rules)
    assert len({rule for _, rule, *_ in expected[0]}) >= 12 and len({rule for _, rule, _ in expected[1]}) >= 12
    found = standing(shuffled, rules)
    assert found[0] == expected[0]
    assert found[1] == expected[1]
