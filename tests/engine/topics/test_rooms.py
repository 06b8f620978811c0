"""Rows about stores, compartments and units are the same whether rooms were remembered or are looked into anew."""

from hypothesis import given, settings
from hypothesis import strategies as st

from itertools import combinations

from ledger.catalogue import Catalogue
from ledger.catalogue.storage import clash
from ledger.core.times import format_utc
from ledger.engine.fold import Fold
from ledger.engine.state import FoldState, decode_state, encode_state
from ledger.engine.topics import rooms
from ledger.engine.topics.rooms import NO_CLASH, Rooms
from ledger.engine.topics.storage import Traits
from tests.engine.helpers import HOUR, IDENTITY, RULES, T0, Run, line

CATALOGUE = Catalogue.load()
SUBJECTS = ("toxicstore", "compartment", "unit")
STANDS = {"toxicstore": "toxic", "compartment": "clash", "unit": "sum_ppm"}
CODES = ("143-33-9", "7697-37-2", "64-17-5", "7722-84-1", "67-64-1")
STORES = ("R1", "R2", "R3", "R9")
"""R9 is stated by no `place` record."""

moves = st.tuples(
    st.just("move"),
    st.sampled_from(("in", "out")),
    st.sampled_from(CODES),
    st.sampled_from(STORES),
    st.sampled_from(("5", "20000", "300000")),
    st.sampled_from(("", "30", "98")),
    st.sampled_from(("B1", "B2")),
)
counts = st.tuples(st.just("count"), st.sampled_from(CODES), st.sampled_from(STORES), st.sampled_from(("B1", "B2")))
places = st.tuples(
    st.just("place"),
    st.sampled_from(("", "U1")),
    st.sampled_from(("", "C1")),
    st.sampled_from(("room", "cabinet", "tank")),
)
corrections = st.tuples(st.just("correct"), st.integers(0, 30), st.sampled_from(CODES))


def stated(unit, compartment, kind):
    def store(name, book):
        more = {"unit": unit} if unit else {}
        more |= {"compartment": compartment} if compartment else {}
        return {
            "id": name,
            "book": book,
            "class": kind,
            "design_max": {"value": "60000", "unit": "KGM"},
        } | more

    stores = [store("R1", "B1"), store("R2", "B1"), store("R3", "B2")]
    return {"sites": [{"site": "S1", "zone": "Asia/Shanghai", "stores": stores}]}


def entries(steps):
    """Inputs of these steps, one an hour."""
    run, moved = Run(), []
    for at, step in enumerate(steps):
        what, *how = step
        run.state.next_index = at
        if what == "place":
            entry = run.entry("place", stated(*how), at=at * HOUR)
        elif what == "count":
            code, store, book = how
            body = {"cut_off": format_utc(T0 + at * HOUR), "complete": True, "lines": [line(70000, code, store)]}
            entry = run.entry("stocktake", body, at=at * HOUR, book=book)
        elif what == "move":
            direction, code, store, kg, percent, book = how
            more = {"concentration": percent} if percent else {}
            reason = "found" if direction == "in" else "consumption"
            body = {"direction": direction, "reason": reason, "lines": [line(kg, code, store, **more)]}
            entry = run.entry("movement", body, at=at * HOUR, book=book)
            moved.append(entry)
        elif not moved:
            entry = run.entry("grant", {"holder": "A", "role": 1}, at=at * HOUR, holder="desk", authority=True)
        else:
            which, code = how
            corrected = moved[which % len(moved)]
            body = corrected.body | {"lines": [line(40, code, "R1")]}
            content = {"corrects": corrected.record_id, "kind": "movement", "body": body}
            entry = run.entry("correction", content, at=at * HOUR, book=corrected.book)
        yield entry


def told(fold, entry, find):
    rows = []
    fold.explain(
        fold.with_before(entry, find),
        Run().to,
        lambda rule, subject, row, values: rows.append((subject, row)) if rule is None else None,
    )
    return [row for row in rows if row[0] in SUBJECTS]


@settings(max_examples=40, deadline=None)
@given(st.lists(st.one_of(moves, moves, counts, places, corrections), min_size=2, max_size=25))
def test_rows_of_places__remembered_or_found_anew__are_the_same(steps):
    kept = Fold(FoldState(), RULES, CATALOGUE, IDENTITY)
    anew, by_id = kept, {}
    for entry in entries(steps):
        by_id[entry.record_id] = entry
        anew = Fold(decode_state(encode_state(anew.state)), RULES, CATALOGUE, IDENTITY)
        rows = told(kept, entry, by_id.get)
        assert rows == told(anew, entry, by_id.get)


@settings(max_examples=40, deadline=None)
@given(st.lists(st.one_of(moves, moves, counts, places, corrections), min_size=2, max_size=25))
def test_rows_of_places__that_nothing_stands_of__are_told_once_after_something_did(steps):
    fold, by_id, stood = Fold(FoldState(), RULES, CATALOGUE, IDENTITY), {}, set()
    for entry in entries(steps):
        by_id[entry.record_id] = entry
        for subject, row in told(fold, entry, by_id.get):
            about = subject, row[{"toxicstore": "store"}.get(subject, subject)]
            if row[STANDS[subject]]:
                stood.add(about)
            elif not row.get("without_mass"):
                assert about in stood or subject == "unit"
                stood.discard(about)


def test_rows_of_places__as_goods_come_and_go__are_told_while_they_say_something():
    steps = [
        ("move", "in", "67-64-1", "R1", "5", "", "B1"),  # acetone alone: nothing to say but its share of the threshold
        ("move", "in", "143-33-9", "R1", "5", "", "B1"),  # sodium cyanide beside it
        ("move", "out", "143-33-9", "R1", "5", "", "B1"),
        ("move", "in", "67-64-1", "R1", "5", "", "B1"),
    ]
    fold = Fold(FoldState(), RULES, CATALOGUE, IDENTITY)
    rows = [told(fold, entry, {}.get) for entry in entries(steps)]
    assert [[(subject, row[STANDS[subject]]) for subject, row in said if subject != "unit"] for said in rows] == [
        [],
        [("toxicstore", True)],
        [("toxicstore", False)],
        [],
    ]
    assert [row["others"] for subject, row in rows[1] if subject == "toxicstore"] == [1]
    assert all(subject == "unit" for subject, _ in rows[3])
    assert rows[3][0][1]["sum_ppm"] == 2 * rows[0][0][1]["sum_ppm"] > 0


GROUPS = ("OX", "FL", "AC", "CN", "EXP", "OA", "ACID", "BASE", "WR", "TOX")


def worst_of(there, groups):
    """The definition: every pair of different codes, the first of the worst."""
    clashes = [
        ((not found[1], found[0], at, other), found, there[at][0], there[other][0])
        for at, other in combinations(range(len(there)), 2)
        if there[at][0] != there[other][0] and (found := clash(groups[there[at][1]], groups[there[other][1]]))
    ]
    if not clashes:
        return NO_CLASH
    _, (pair, severe), first, second = min(clashes)
    return {"clash": True, "severe": severe, "pair": pair, "first": first, "second": second}


def rooms_of(groups):
    return Rooms(None, None, lambda listing: Traits("", sorted(groups[listing]), False, False, 0, 1000))


@settings(max_examples=200, deadline=None)
@given(
    st.dictionaries(
        st.tuples(st.sampled_from("abcde"), st.sampled_from("123")).map(lambda pair: (pair[0], "".join(pair))),
        st.frozensets(st.sampled_from(GROUPS), max_size=3),
        max_size=12,
    )
)
def test_worst_pair__of_any_goods__is_the_first_of_the_worst(goods):
    there = tuple(sorted(goods))
    groups = {listing: found for (_, listing), found in goods.items()}
    assert rooms_of(groups)._worst(there) == worst_of(there, groups)


def test_worst_pair__of_thousands_of_substances__compares_their_groups_only(monkeypatch):
    """A laboratory of 800 codes took 107 ms for each movement, growing with the square of their number."""
    calls = []
    monkeypatch.setattr(rooms, "clash", lambda *groups: calls.append(1) or clash(*groups))
    run = Run()
    run.fold = Fold(run.state, RULES, CATALOGUE, IDENTITY)
    for n in range(30):
        run.move("in", *(line(1, f"LAB-{n}-{k}") for k in range(20)), line(1, "67-64-1"), at=n * HOUR)
    run.move("in", line(1, "7722-84-1"), at=30 * HOUR)
    assert ("E01", 0) in run.alerts and len(calls) < 10 * 31


def test_worst_pairs__remembered__are_of_so_many_goods_and_no_more():
    goods = {f"C{n:04}": frozenset(("FL",)) for n in range(600)}
    there = tuple((listing, listing) for listing in goods)
    known = rooms_of(goods)
    known._there = lambda place, _: place
    for n in range(200):
        place = type("Place", (), {"room": type("R", (), {"compartments": {}}), "compartment": "", "store": ""})
        place.pairs = there[n:]
        assert known.clash(place) == NO_CLASH
    assert 0 < sum(map(len, known._clashes)) <= rooms.MOST_CLASHES
