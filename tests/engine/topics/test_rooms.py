"""Rows about stores, compartments and units are the same whether rooms were remembered or are looked into anew."""

import pytest
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
    st.sampled_from(("KGM", "KGM", "LTR")),
)
counts = st.tuples(st.just("count"), st.sampled_from(CODES), st.sampled_from(STORES), st.sampled_from(("B1", "B2")))
places = st.tuples(
    st.just("place"),
    st.sampled_from(("", "U1")),
    st.sampled_from(("", "C1")),
    st.sampled_from(("room", "cabinet", "tank")),
    st.sampled_from(("KGM", "LTR")),
)
corrections = st.tuples(st.just("correct"), st.integers(0, 30), st.sampled_from(CODES))


def stated(unit, compartment, kind, measured="KGM"):
    def store(name, book):
        more = {"unit": unit} if unit else {}
        more |= {"compartment": compartment} if compartment else {}
        return {
            "id": name,
            "book": book,
            "class": kind,
            "design_max": {"value": "60000", "unit": measured},
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
            direction, code, store, value, percent, book, *unit = how
            more = {"concentration": percent} if percent else {}
            more |= {"quantity": {"value": value, "unit": unit[0]}} if unit else {}
            reason = "found" if direction == "in" else "consumption"
            body = {"direction": direction, "reason": reason, "lines": [line(value, code, store, **more)]}
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


def test_rows_of_places__that_another_holders_licence_had_told_again__hide_nobody_elses():
    """Both have a site S1 with a store R1; the one's rows came with the other's entry, and that one's own did not."""
    run, fold, by_id = Run(), Fold(FoldState(), RULES, CATALOGUE, IDENTITY), {}

    def feed(kind, body, holder):
        run.state.next_index = len(by_id)
        entry = run.entry(kind, body, at=len(by_id) * HOUR, holder=holder)
        by_id[entry.record_id] = entry
        return told(fold, entry, by_id.get)

    def found(*codes):
        return {"direction": "in", "reason": "found", "lines": [line(5, code) for code in codes]}

    limits = [{"store": "R1", "quantity": {"value": "900", "unit": "KGM"}}]
    certificate = {"type": "capacity_certificate", "issuer": "x", "status": "valid", "limits": limits}
    feed("movement", found("7697-37-2", "64-17-5"), "B")
    feed("licence", certificate | {"valid_from": "2020-01-01", "valid_to": "9999-12-31"}, "B")
    rows = feed("movement", found("7697-37-2", "64-17-5"), "A")
    assert [row["clash"] for subject, row in rows if subject == "compartment" and row["holder"] == "A"] == [True]
    assert [row["sum_ppm"] > 0 for subject, row in rows if subject == "unit" and row["holder"] == "A"] == [True]


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
        place = type(
            "Place", (), {"room": type("R", (), {"compartments": {}, "clashes": {}}), "compartment": "", "store": ""}
        )
        place.pairs = there[n:]
        assert known.clash(place) == NO_CLASH
    assert 0 < sum(map(len, known._clashes)) <= rooms.MOST_CLASHES


# --- volumes ---------------------------------------------------------------------------------------------------------

METHANOL, PEROXIDE, NITRIC, GASOLINE, CARBIDE = "67-56-1", "7722-84-1", "7697-37-2", "86290-81-5", "75-20-7"
Q_METHANOL, Q_PEROXIDE_30, Q_NITRIC = 500 * 10**9, 200 * 10**9, 100 * 10**9
"""Milligrams: GB 18218-2018."""


class Site:
    """A site of one holder; `unit` is what was told last of the whole site."""

    def __init__(self):
        self.run, self.fold, self.by_id, self.unit = Run(), Fold(FoldState(), RULES, CATALOGUE, IDENTITY), {}, {}

    def feed(self, kind, body, **more):
        self.run.state.next_index = len(self.by_id)
        entry = self.run.entry(kind, body, at=len(self.by_id) * HOUR, **more)
        self.by_id[entry.record_id] = entry
        for subject, row in told(self.fold, entry, self.by_id.get):
            if subject == "unit":
                self.unit = row
        return entry

    def move(self, direction, value, unit, code, store="R1", book="B1", **more):
        goods = line(value, code, store, quantity={"value": str(value), "unit": unit}, **more)
        reason = "found" if direction == "in" else "consumption"
        return self.feed("movement", {"direction": direction, "reason": reason, "lines": [goods]}, book=book)

    def place(self, kind="tank", **sizes):
        stores = [{"id": name, "book": "B1", "class": kind, "design_max": {"value": str(value), "unit": unit}}
                  for name, (value, unit) in sizes.items()]  # fmt: skip
        self.feed("place", {"sites": [{"site": "S1", "zone": "Asia/Shanghai", "stores": stores}]})

    def says(self, *fields):
        return tuple(self.unit[name] for name in fields or ("sum_ppm", "assumed_mass", "assumed_ppm", "without_mass"))


def test_volume__of_a_known_density__counts_with_its_mass_and_is_marked():
    site = Site()
    site.move("in", 100_000, "LTR", METHANOL)
    share = 100_000 * 792 * 1000 * 10**6 // Q_METHANOL
    assert site.says() == (share, 1, share, 0) and site.says("first") == (METHANOL,)
    site.move("in", 20_000, "KGM", METHANOL)
    assert site.says() == (share + 20_000 * 10**12 // Q_METHANOL, 1, share, 0)
    site.move("out", 100_000, "LTR", METHANOL)
    assert site.says() == (20_000 * 10**12 // Q_METHANOL, 0, 0, 0)


def test_volume__is_that_of_its_concentration__and_of_the_densest_of_a_balance():
    site = Site()
    site.move("in", 100_000, "LTR", PEROXIDE, concentration="30")
    assert site.says() == (100_000 * 1113 * 10**9 // Q_PEROXIDE_30, 1, 100_000 * 1113 * 10**9 // Q_PEROXIDE_30, 0)
    site.move("in", 100_000, "LTR", NITRIC, concentration="65", store="R2")
    before = site.unit["sum_ppm"]
    site.move("in", 1, "LTR", NITRIC, concentration="98", store="R2")
    # Bulk nitric acid is one balance at any strength: all of it is taken for the densest.
    densest = site.unit["sum_ppm"] - 100_000 * 1113 * 10**9 // Q_PEROXIDE_30
    assert before < site.unit["sum_ppm"] and densest == 100_001 * 1507 * 10**9 // Q_NITRIC


@pytest.mark.parametrize("order", [("65", "98"), ("98", "65")])
def test_volume__whose_batches_become_one_balance__is_that_of_the_densest(order):
    site = Site()
    for percent in order:
        site.move("in", 1000, "LTR", NITRIC, concentration=percent, batch=f"N-{percent}")
    apart = site.unit["sum_ppm"]
    assert apart == 1000 * (1391 + 1507) * 10**9 // Q_NITRIC
    site.move("in", 1, "LTR", NITRIC, concentration="65")
    assert site.unit["sum_ppm"] == 2001 * 1507 * 10**9 // Q_NITRIC


def test_volume_or_pieces__of_no_known_density__have_no_mass():
    site = Site()
    site.move("in", 100_000, "LTR", GASOLINE)
    assert site.says() == (0, 0, 0, 1)
    site.move("in", 100_000, "LTR", METHANOL, concentration="50")
    assert site.says() == (0, 0, 0, 2)
    site.move("in", 5, "H87", CARBIDE)
    assert site.says() == (0, 0, 0, 3)
    site.move("in", 1000, "KGM", GASOLINE)
    assert site.says()[2:] == (0, 2) and site.unit["sum_ppm"] > 0


def test_tank__stated_as_a_volume__counts_as_full_of_what_is_in_it():
    site = Site()
    site.place(T1=(1000, "MTQ"))
    site.move("in", 1, "KGM", METHANOL, "T1")
    full = 1_000_000 * 792 * 1000 * 10**6 // Q_METHANOL
    assert site.says() == (full, 1, full, 0)
    site.move("in", 900_000, "KGM", METHANOL, "T1")  # more than the density would have it: weighed is weighed
    assert site.says() == (900_001 * 10**12 // Q_METHANOL, 0, 0, 0)
    site.move("in", 5, "KGM", GASOLINE, "T1")
    assert site.unit["assumed_mass"] == 0  # and gasoline's density is nobody's


def test_tank__stated_as_a_mass__counts_as_before():
    site = Site()
    site.place(T1=(600_000, "KGM"))
    site.move("in", 1, "LTR", METHANOL, "T1")
    assert site.says() == (600_000 * 10**12 // Q_METHANOL, 0, 0, 0)
    site.move("in", 800_000, "LTR", METHANOL, "T1")
    share = 800_001 * 792 * 10**9 // Q_METHANOL
    assert site.says() == (share, 1, share, 0)


def test_room__whose_size_is_a_volume__is_no_tank():
    site = Site()
    site.place("room", R1=(1000, "MTQ"))
    site.move("in", 1, "KGM", METHANOL)
    assert site.says() == (10**12 // Q_METHANOL, 0, 0, 0)


def test_volume__that_another_book_keeps_in_the_store__has_its_density_too():
    site = Site()
    site.move("in", 100_000, "LTR", METHANOL, book="B1")
    site.move("in", 50_000, "LTR", NITRIC, concentration="65", book="B2")
    share = 100_000 * 792 * 10**9 // Q_METHANOL + 50_000 * 1391 * 10**9 // Q_NITRIC
    assert site.says() == (share, 2, share, 0)


def test_volume__that_no_mass_was_weighed_of__is_never_posted_as_a_mass():
    site = Site()
    site.move("in", 100, "LTR", METHANOL)
    account = site.fold.state.books["A/S1/B1"].accounts
    assert {key: one.total for key, one in account.items()} == {f"{METHANOL}|||bulk||volume": 100_000_000}
    assert site.fold.state.stores["A/S1/R1"].stock == {"volume": 100_000_000}
    assert all(
        not name.endswith("mass") for book in site.fold.state.accountancy.books.values() for name in book.streams
    )


def test_movement__corrected_into_another_kind__is_told_with_the_correction():
    """And not with whatever is told next, which another process might fold."""
    site = Site()
    site.move("in", 20_000, "KGM", METHANOL)
    wrong = site.move("in", 10_000, "KGM", METHANOL)
    assert site.says("sum_ppm") == (30_000 * 10**12 // Q_METHANOL,)
    incident = {"type": "other", "discovered_at": "2026-03-02T00:00:00Z", "lines": wrong.body["lines"]}
    site.feed("correction", {"corrects": wrong.record_id, "kind": "incident", "body": incident})
    assert site.says("sum_ppm") == (20_000 * 10**12 // Q_METHANOL,)
