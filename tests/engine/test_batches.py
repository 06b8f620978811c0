"""Concentrations and batches in the books: kept apart where every line says which, and one balance from the first that does not."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ledger.catalogue import Catalogue
from ledger.core.balancekey import key_parts
from ledger.engine.books import MOST_BATCHES
from ledger.engine.fold import Fold
from ledger.engine.tablerows import batch_of
from tests.engine.helpers import HOUR, IDENTITY, KEY, NITRIC, RULES, Run, line

KG = 1_000_000
PEROXIDE = "7722-84-1"


def of(batch):
    return f"{NITRIC}|||bulk|{batch}|mass"


def totals(run, book="A/S1/B1"):
    return {key: account.total for key, account in run.state.books[book].accounts.items()}


def standing(run):
    """Whether what A01 says of any balance stands now."""
    return any(pending.active for pending in run.state.pending.get("A01", {}).values())


def tables(run):
    """The stock table after what the run did, and the keys that were taken out of it."""
    rows = batch_of(run.state, run.to, (), versions={}, snapshot=None, extra={})
    return {row.key: row.amount for row in rows.stock}, {at[3] for at in rows.stock_gone}


def test_batches__every_line_says_which__balances_of_their_own():
    run = Run()
    run.stocktake(line(100, batch="A"), line(50, batch="B"))
    run.move("out", line(30, batch="A"), at=HOUR)
    run.move("in", line(7, batch="C|1"), at=2 * HOUR)
    assert totals(run) == {of("A"): 70 * KG, of("B"): 50 * KG, of("C|1"): 7 * KG}
    assert run.state.stores["A/S1/R1"].contents == totals(run)
    assert run.state.stores["A/S1/R1"].stock == {"mass": 127 * KG}


def test_batches__more_of_one_than_there_was__negative_though_another_has_enough():
    run = Run()
    run.stocktake(line(100, batch="A"), line(50, batch="B"))
    run.move("out", line(60, batch="B"), at=HOUR)
    assert run.alerts == [("A01", 0)]
    (raised,) = run.to.raised
    assert "(batch B)" in raised.alert.reason["en"]
    assert "（批号 B）" in raised.alert.reason["zh"]


def test_batches__packages_of_one_missing_and_of_another_too_many__both_said():
    run = Run()
    sealed = {"packaging": "sealed"}
    run.stocktake(line(100, batch="A", pieces=4, **sealed), line(50, batch="B", pieces=2, **sealed))
    run.stocktake(line(75, batch="A", pieces=3, **sealed), line(75, batch="B", pieces=3, **sealed), at=HOUR)
    said = {(r.alert.rule, key_parts(r.alert.inputs["key"]).batch, r.alert.inputs["shortage"]) for r in run.to.raised}
    assert said == {("A04", "A", True), ("A04", "B", False)}


@pytest.mark.parametrize("what", ["movement", "stocktake", "correction"])
def test_batches__a_line_without_one__all_are_one_balance_from_then_on(what):
    run = Run()
    run.stocktake(line(100, batch="A"), line(50, batch="B", store="R2"))
    moved = run.move("out", line(10, batch="A"), at=HOUR)
    if what == "movement":
        run.move("out", line(5), at=2 * HOUR)
        left = 135
    elif what == "stocktake":
        run.stocktake(line(60), line(70, batch="B", store="R2"), at=2 * HOUR)
        left = 130
    else:
        run.correct(moved, line(4), at=2 * HOUR)
        left = 146
    assert totals(run) == {KEY: left * KG}
    run.move("out", line(20, batch="A"), at=3 * HOUR)
    assert totals(run) == {KEY: (left - 20) * KG}
    assert sum(run.state.stores[at].contents[KEY] for at in ("A/S1/R1", "A/S1/R2")) == (left - 20) * KG
    assert tables(run) == ({KEY: (left - 20) * KG}, {of("A"), of("B")})
    if what == "stocktake":
        assert (run.account().last.book, run.account().last.counted) == (140 * KG, 130 * KG)
    assert "ENGINE" not in run.state.health


def test_batches__one_was_negative_when_they_became_one__its_alert_is_over():
    run = Run()
    run.stocktake(line(100, batch="A"), line(50, batch="B"))
    run.move("out", line(60, batch="B"), at=HOUR)
    assert standing(run)
    run.move("in", line(1), at=2 * HOUR)
    assert totals(run) == {KEY: 91 * KG}
    assert not standing(run)
    run.move("in", line(1), at=2 * 24 * HOUR)
    assert run.alerts == [("A01", 0)]


def test_batches__used_up_since_the_last_count__are_forgotten_at_the_next():
    run = Run()
    run.stocktake(line(100, batch="A"), line(50, batch="B"))
    run.move("out", line(50, batch="B"), at=HOUR)
    run.stocktake(line(100, batch="A"), at=24 * HOUR)
    assert totals(run) == {of("A"): 100 * KG, of("B"): 0}
    run.stocktake(line(100, batch="A"), at=72 * HOUR)
    assert totals(run) == {of("A"): 100 * KG}
    assert tables(run) == ({of("A"): 100 * KG}, {of("B")})
    # Heard of again, late: the count that did not list it counted it as nothing.
    run.move("in", line(5, batch="B"), at=73 * HOUR, event=71 * HOUR)
    assert run.account(of("B")).last.counted == 0
    assert run.account(of("B")).last.book == 5 * KG


def test_batches__a_book_that_goes_on_with_a_final_one__has_them():
    run = Run()
    run.stocktake(line(100, batch="A"), line(50, batch="B"))
    body = {"cut_off": "2026-03-03T00:00:00Z", "complete": True, "lines": [line(100, batch="A"), line(40, batch="B")]}
    run.put("stocktake", body | {"continues": {"site": "S1", "book": "B1"}}, at=24 * HOUR, book="B2")
    assert totals(run, "A/S1/B2") == {of("A"): 100 * KG, of("B"): 40 * KG}
    assert run.account(of("B"), "A/S1/B2").last.book == 50 * KG


def test_batches__of_accounts_near_the_range_of_the_snapshot__stay_apart_and_it_is_said():
    run = Run()
    for batch in range(12):
        for at in range(100):
            run.move("in", line(10**10, batch=str(batch), store=f"R{batch}"), at=(batch * 100 + at) * HOUR)
    run.move("in", line(1), at=2000 * HOUR)
    assert KEY not in totals(run)
    assert len(totals(run)) == 12
    assert run.state.health["ENGINE"].error
    run.restart()


def test_concentrations__of_one_substance_in_different_bands__are_never_netted():
    run = Run()
    run.fold = Fold(run.state, RULES, Catalogue.load(), IDENTITY)
    run.stocktake(line(100, code=PEROXIDE, concentration="30"), line(100, code=PEROXIDE, concentration="70"))
    run.stocktake(line(80, code=PEROXIDE, concentration="30"), line(120, code=PEROXIDE, concentration="65"), at=HOUR)
    accounts = run.state.books["A/S1/B1"].accounts
    assert sorted((key.split("|")[1], a.last.counted - a.last.book) for key, a in accounts.items()) == [
        ("20%<=c<60%", -20 * KG),
        ("60%<=c", 20 * KG),
    ]


LINES = st.tuples(
    st.sampled_from(["in", "out", "count"]), st.sampled_from(["", "A", "B"]), st.integers(1, 9), st.integers(0, 12)
)


@settings(deadline=None, max_examples=150)
@given(st.lists(LINES, min_size=1, max_size=10))
def test_batches__any_life_that_ends_in_a_line_without_one__is_the_same_as_without_any(life):
    """Whatever was kept apart before: joined, it is what one balance would have been."""
    runs = []
    for batches in (True, False):
        run = Run()
        run.stocktake(line(50, **({"batch": "A"} if batches else {})))
        for n, (what, batch, kg, back) in enumerate(life, 1):
            one = line(kg, **({"batch": batch} if batches and batch else {}))
            if what == "count":
                run.stocktake(one, at=24 * n * HOUR, cut_off=(24 * n - back) * HOUR)
            else:
                run.move(what, one, at=24 * n * HOUR, event=(24 * n - 5 * back) * HOUR)
        run.move("in", line(1), at=1000 * HOUR)
        account = run.account()
        stores = {name: store.contents for name, store in run.state.stores.items()}
        last = account.last
        runs.append((account.total, stores, account.moves, last and (last.book, last.counted, last.came, last.went)))
        assert list(totals(run)) == [KEY]
    assert runs[0] == runs[1]


def test_batches__more_than_a_book_keeps_apart__are_one_balance():
    run = Run()
    run.stocktake(line(1, batch="first"))
    for n in range(MOST_BATCHES - 1):
        run.move("in", line(1, batch=f"B-{n}"), at=(n + 1) * HOUR)
    assert len(totals(run)) == MOST_BATCHES
    run.move("in", line(1, batch="one too many"), at=1000 * HOUR)
    assert totals(run) == {KEY: (MOST_BATCHES + 1) * KG}
    assert run.state.stores["A/S1/R1"].contents == totals(run)


@pytest.mark.parametrize("lines", [("A", ""), ("", "A")])
def test_batches__one_record_with_and_without__one_balance_in_whatever_order(lines):
    run = Run()
    run.stocktake(*(line(10, **({"batch": batch} if batch else {})) for batch in lines))
    assert totals(run) == {KEY: 20 * KG}


def test_batches__used_up_and_forgotten_then_a_correction_of_what_went_out__is_posted():
    run = Run()
    run.stocktake(line(1, batch="Z"))
    run.move("in", line(5, batch="X"), at=HOUR)
    out = run.move("out", line(5, batch="X"), at=2 * HOUR)
    for day in (1, 2, 3):
        run.stocktake(line(1, batch="Z"), at=24 * day * HOUR)
    assert totals(run) == {of("Z"): 1 * KG}
    run.correct(out, line(5, batch="Y"), at=80 * HOUR)
    assert "ENGINE" not in run.state.health
    assert totals(run) == {of("Z"): 1 * KG, of("X"): 0, of("Y"): 0}
