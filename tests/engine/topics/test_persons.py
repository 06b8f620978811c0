"""Persons followed over books and enterprises: the order of arrival, corrections, and what is forgotten."""

from hashlib import sha256
from itertools import groupby

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ledger.engine.rules import RuleSet
from ledger.engine.topics.rental import Rental
from tests.engine.helpers import HOUR, RULES, T0, Run, line
from tests.engine.topics import persons
from tests.engine.topics.persons import correct, facts, knife, letting, put, sale

DAY = 24 * HOUR
ONLY = RuleSet(tuple(rule for rule in RULES.rules if rule.id in persons.RULES), "0" * 64)
TOPICS = ("custody", "identities", "links", "rental", "roster", "watches")

people = st.sampled_from(["p1", "p2"])
acts = st.one_of(
    st.tuples(st.just("sale"), people, st.sampled_from("BCD"), st.sampled_from(["n1", "n1", "n2"])),
    st.tuples(st.just("knife"), people, st.integers(1, 4)),
    st.tuples(st.just("letting"), people),
)
scripts = st.lists(st.tuples(st.sampled_from("AXY"), st.integers(0, 6 * 24), acts), min_size=2, max_size=9)


def record(act, at):
    match act:
        case ("sale", who, buyer, name):
            return sale(buyer, who, name)
        case ("knife", who, pieces):
            return knife(who, pieces)
        case (_, who):
            return letting(who, f"K{at}")


def fold(events):
    run = Run(rules=ONLY)
    for holder, event, at, act in events:
        # Of one moment the lesser record_id counts as the earlier: a record's own, whenever it comes.
        own = sha256(f"{at}".encode()).hexdigest()
        # All at one moment of receipt, as books of which each was offline for a while.
        put(run, record(act, at), at=8 * DAY, event=event * HOUR, holder=holder, record_id=own)
    return found(run), {(r.alert.rule, r.alert.fingerprint, r.alert.band) for r in run.to.raised}


def found(run):
    """(rule, fingerprint, window, band) of what stands of what happened."""
    return {
        (rule, name, episode.start, episode.end, episode.band)
        for rule, courses in run.state.courses.items()
        for name, course in courses.items()
        for episode in course.episodes
        if episode.band >= 0
    }


def worst(found):
    """The band that counts in the end: on the way to it an episode may have been told of in a lesser one."""
    ordered = sorted(found)
    return {next(iter(same)) for _, same in groupby(ordered, key=lambda f: f[:2])}


@settings(max_examples=120, deadline=None)
@given(scripts, st.randoms(use_true_random=False))
def test_fold__persons_in_any_interleaving_of_the_books__same_rules_fingerprints_bands(script, random):
    events = [(holder, event, at, act) for at, (holder, event, act) in enumerate(script)]
    shuffled = list(events)
    random.shuffle(shuffled)
    (one, said), (other, told) = fold(sorted(events, key=lambda e: e[1])), fold(shuffled)
    assert one == other  # windows and bands
    assert worst(said) == worst(told)


def topics_of(run):
    state = msgspec.to_builtins(run.state)
    return {name: state[name] for name in TOPICS}


@settings(max_examples=60, deadline=None)
@given(scripts, acts, acts)
def test_topics__a_record_put_right__leaves_what_the_right_one_had_left(script, wrong, right):
    """`withdraw` and `apply` are each other's inverse on the state (base.Topic)."""
    if (wrong[0] == "letting") != (right[0] == "letting"):
        right = wrong  # a correction stays in its book, and so in its kind
    runs = []
    for first in (wrong, right):
        run = Run(rules=ONLY)
        made = put(run, record(first, 77), at=7 * DAY, event=30 * HOUR)
        for at, (holder, event, act) in enumerate(script):
            put(run, record(act, at), at=8 * DAY, event=event * HOUR, holder=holder)
        correct(run, made, record(right, 77), at=9 * DAY)
        runs.append(topics_of(run))
    assert _unordered(runs[0]) == _unordered(runs[1])


def _unordered(value):
    """Dicts as they fill differ in order, and a person's contracts are kept in the order in which they came."""
    if isinstance(value, dict):
        return {key: _unordered(inner) for key, inner in sorted(value.items())}
    if isinstance(value, list):
        return sorted((_unordered(inner) for inner in value), key=repr)
    return value


def test_correction__that_discloses_nobody_again__keeps_the_buyer():
    """Else the count of a buyer's knives could be brought down by correcting each sale once."""
    run = Run(rules=ONLY)
    sold = put(run, knife("p1", 3), at=HOUR)
    for n in range(3):
        correct(run, sold, knife("p1", 2), at=(2 + n) * HOUR, told=False)
    run.restart()
    put(run, knife("p1", 3), at=6 * HOUR)
    assert run.alerts == []
    put(run, knife("p1", 1), at=7 * HOUR)
    assert run.alerts == [("G02", 1)]


def test_correction__to_another_buyer__moves_the_pieces_over():
    run = Run(rules=ONLY)
    sold = put(run, knife("p1", 3), at=HOUR)
    correct(run, sold, knife("p2", 3), at=2 * HOUR)
    correct(run, sold, knife("p3", 3), at=3 * HOUR)
    put(run, knife("p1", 3), at=4 * HOUR)
    put(run, knife("p2", 3), at=5 * HOUR)
    assert run.alerts == []
    put(run, knife("p3", 3), at=6 * HOUR)
    assert run.alerts == [("G02", 1)]


@pytest.mark.parametrize(
    ("what", "state"),
    [
        (sale("B", "p1"), lambda s: (s.links.buyers, s.links.chemicals, s.watches.lanes, s.watches.seen)),
        (knife("p1", 1), lambda s: (s.links.anchors, s.links.of_person, s.watches.lanes, s.watches.seen)),
    ],
)
def test_prune__long_after__nobody_is_remembered(what, state):
    run = Run(rules=ONLY)
    put(run, what, at=HOUR)
    run.tick(at=6 * DAY)
    assert all(_held(state(run.state)))
    run.tick(at=70 * DAY)
    assert not any(_held(state(run.state)))


def _held(parts):
    """What is in them; of lanes, those with anything in them."""
    return [[inner for inner in part.values() if inner] for part in parts]


def test_prune__a_contract_that_ended_goes_one_that_never_did_stays_a_year():
    run = Run(rules=ONLY)
    put(run, letting("p1", "K1"), at=HOUR)
    put(run, letting("p1", "K2"), at=2 * HOUR)
    put(run, ("rental", {"action": "return", "contract": "K1", "vehicle": {"ref": "V1"}}, {}), at=3 * HOUR)
    run.tick(at=61 * DAY)
    assert list(run.state.rental.contracts) == ["A/K2"] and run.state.rental.of_renter == {"p1": ["A/K2"]}
    run.tick(at=400 * DAY)
    assert (run.state.rental.contracts, run.state.rental.of_renter) == ({}, {})


def test_prune__contracts_that_ended__nothing_of_them_is_noted_for_a_year_ahead():
    run = Run(rules=ONLY)
    (topic,) = (one for one in run.fold._topics if isinstance(one, Rental))
    for day in range(0, 300, 5):
        put(run, letting("p1", f"K{day}"), at=day * DAY)
        back = {"action": "return", "contract": f"K{day}", "vehicle": {"ref": "V1"}}
        put(run, ("rental", back, {}), at=day * DAY + HOUR)
        run.tick(at=day * DAY + 2 * HOUR)
        assert len(run.state.rental.contracts) <= 13
        assert sum(len(keys) for keys in topic._ages._days.values()) <= 2 * 13


def test_names__another_name_that_came_late__is_told_of_the_newest_by_event_time():
    found = []
    for order in ((1, 2), (2, 1)):
        run = Run(rules=ONLY)
        for n in order:
            put(run, sale("B", "p1", f"n{n}"), at=9 * HOUR, event=n * HOUR, holder="XY"[n - 1])
        found.append([(r.alert.rule, r.alert.holder, r.alert.fingerprint) for r in run.to.raised])
    assert found[0] == found[1] == [("C04", "Y", ("Y", "agent", "p1"))]


def test_names__a_third_record_of_either_name__is_not_told_again():
    run = Run(rules=ONLY)
    for n, name in enumerate(("n1", "n2", "n1", "n2")):
        put(run, sale("B", "p1", name), at=n * 48 * HOUR)
    assert run.alerts == [("C04", 2)]


def test_handler__enrolled_under_two_references__is_one_person_for_every_rule():
    run = Run()
    for ref in ("H1", "H2"):
        enrol = {
            "action": "enrol",
            "ref": ref,
            "role": "keeper",
            "valid_from": "2020-01-01",
            "training_valid_to": "2030-01-01",
        }
        put(run, ("person", enrol, facts(self_="p1")), at=0, book="office")
    body = {"direction": "in", "reason": "purchase", "lines": [line(1)], "handlers": [{"ref": "H1"}, {"ref": "H2"}]}
    bought = put(run, ("movement", body, {}), at=HOUR)
    assert run.state.links.buyers == {"p1": [(T0 + HOUR, bought.index, "A")]}
    assert run.state.links.chemicals == {"p1": [(T0 + HOUR, bought.index)]}


def test_names__pruned_long_after__a_second_name_is_still_noticed_and_the_state_stays_small():
    run = Run(rules=ONLY)
    for day in range(100):
        put(run, sale("B", "p1", "n1"), at=day * DAY)
    run.tick(at=140 * DAY)
    assert len(run.state.identities.sightings["p1"]) == run.state.identities.names["p1"]["n1"] == 2
    put(run, sale("B", "p1", "n2"), at=141 * DAY)
    assert run.alerts == [("C04", 2)]


def test_uses__of_a_key__are_forgotten_after_a_week_and_withdrawn_with_their_record():
    from msgspec.structs import replace

    run = Run()
    what = ("movement", {"direction": "out", "reason": "issue", "lines": [line(1)]}, {})
    made = run.entry(*what[:2], at=HOUR)
    run.fold.step(replace(made, signers=("k1",)), run.to)
    assert run.state.custody.uses == {"A/k1": {(T0 + HOUR) // 60_000: 1}}
    run.tick(at=9 * DAY)
    assert run.state.custody.uses == {}
