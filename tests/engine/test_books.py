"""The stock books: what is counted, what moves, what is late, what is corrected."""

from hypothesis import given, settings
from hypothesis import strategies as st

from ledger.engine import accounts
from tests.engine.helpers import HOUR, KEY, NITRIC, Run, line

DAY = 24 * HOUR
KG = 1_000_000


def test_book__movements_after_a_count__add_up():
    run = Run()
    run.stocktake(line(100))
    run.move("in", line(20), at=HOUR)
    run.move("out", line("7.5"), at=2 * HOUR)
    assert run.account().total == 112_500_000
    assert run.state.stores["A/S1/R1"].stock == {"mass": 112_500_000}


def test_book__complete_stocktake__rebases_and_keeps_the_difference():
    run = Run()
    run.stocktake(line(100))
    run.move("out", line(10), at=HOUR)
    run.stocktake(line(89), at=2 * HOUR)
    account = run.account()
    assert account.total == 89 * KG
    assert (account.last.book, account.last.counted) == (90 * KG, 89 * KG)
    assert run.state.stores["A/S1/R1"].stock == {"mass": 89 * KG}


def test_book__key_not_listed_in_a_complete_stocktake__is_zero():
    run = Run()
    run.stocktake(line(100), line(5, code="64-17-5"))
    run.stocktake(line(5, code="64-17-5"), at=HOUR)
    assert run.account().total == 0
    assert run.state.stores["A/S1/R1"].stock == {"mass": 5 * KG}


def test_book__partial_stocktake__changes_nothing():
    run = Run()
    run.stocktake(line(100))
    run.stocktake(line(1), at=HOUR, complete=False)
    assert run.account().total == 100 * KG


def test_book__movement_between_cut_off_and_record__stays_after_the_rebase():
    run = Run()
    run.stocktake(line(100))
    run.move("out", line(10), at=3 * HOUR)
    run.stocktake(line(100), at=4 * HOUR, cut_off=2 * HOUR)
    assert run.account().total == 90 * KG
    assert run.state.stores["A/S1/R1"].stock == {"mass": 90 * KG}
    assert run.account().last.book == 100 * KG


def test_book__late_movement_from_before_the_cut_off__changes_the_difference_only():
    run = Run()
    run.stocktake(line(100))
    run.stocktake(line(90), at=5 * HOUR)
    run.move("out", line(10), at=6 * HOUR, event=4 * HOUR)
    assert run.account().total == 90 * KG
    assert run.account().last.book == 90 * KG
    assert run.state.stores["A/S1/R1"].stock == {"mass": 90 * KG}


def test_book__corrected_movement__is_as_if_it_had_been_right():
    run = Run()
    run.stocktake(line(100))
    wrong = run.move("out", line(10), at=HOUR)
    first = run.correct(wrong, line(3), at=2 * HOUR)
    assert run.account().total == 97 * KG
    run.correct(first, line(4), at=3 * HOUR)
    assert run.account().total == 96 * KG
    run.correct(wrong, line(5, store="R2"), at=4 * HOUR)
    assert run.account().total == 95 * KG
    assert run.state.stores["A/S1/R1"].stock == {"mass": 100 * KG}
    assert run.state.stores["A/S1/R2"].stock == {"mass": -5 * KG}


def test_book__correction_of_the_code__moves_the_amount_to_the_other_key():
    run = Run()
    run.stocktake(line(100), line(100, code="64-17-5"))
    wrong = run.move("out", line(10), at=HOUR)
    run.correct(wrong, line(10, code="64-17-5"), at=2 * HOUR)
    assert run.account().total == 100 * KG
    assert run.account("64-17-5|||bulk||mass").total == 90 * KG


def test_book__corrected_stocktake__everything_since_stands_on_it():
    run = Run()
    run.stocktake(line(100))
    counted = run.stocktake(line(10), at=HOUR)
    run.move("out", line(4), at=2 * HOUR)
    run.correct(counted, line(100), at=3 * HOUR)
    assert run.account().total == 96 * KG
    assert run.account().last.counted == 100 * KG


def test_book__corrected_stocktake_after_a_new_substance_came__counts_what_was_listed_and_no_more():
    run = Run()
    counted = run.stocktake(line(10))
    run.move("in", line(5, code="64-17-5"), at=HOUR)
    run.correct(counted, line(100), at=2 * HOUR)
    ethanol = run.account("64-17-5|||bulk||mass")
    assert "ENGINE" not in run.state.health
    assert (run.account().total, ethanol.total, ethanol.last) == (100 * KG, 5 * KG, None)


def test_book__stocktake_corrected_by_a_forgotten_line__has_it():
    run = Run()
    counted = run.stocktake(line(10))
    run.move("out", line(1, code="64-17-5"), at=HOUR)
    run.correct(counted, line(10), line(3, code="64-17-5"), at=2 * HOUR)
    ethanol = run.account("64-17-5|||bulk||mass")
    assert "ENGINE" not in run.state.health
    assert (ethanol.total, ethanol.last.counted, ethanol.last.opening) == (2 * KG, 3 * KG, True)
    assert run.state.stores["A/S1/R1"].contents == {KEY: 10 * KG, "64-17-5|||bulk||mass": 2 * KG}


def test_book__stocktake_corrected_to_another_room__the_goods_lie_there():
    run = Run()
    counted = run.stocktake(line(10), line(7, store="R2"))
    run.move("out", line(1), at=HOUR)
    first = run.correct(counted, line(4), line(9, store="R3"), at=2 * HOUR)
    stores = {at[-2:]: store.stock["mass"] for at, store in run.state.stores.items()}
    assert stores == {"R1": 3 * KG, "R2": 0, "R3": 9 * KG}
    run.correct(first, line(10), line(7, store="R2"), at=3 * HOUR)
    assert {at[-2:]: store.stock["mass"] for at, store in run.state.stores.items()} == {
        "R1": 9 * KG,
        "R2": 7 * KG,
        "R3": 0,
    }
    run.stocktake(line(2, store="R2"), at=4 * HOUR)
    assert {at[-2:]: store.stock["mass"] for at, store in run.state.stores.items()} == {"R1": 0, "R2": 2 * KG, "R3": 0}


def test_book__correction_of_what_two_counts_settled__changes_no_balance():
    run = Run()
    run.stocktake(line(100))
    old = run.move("out", line(1), at=HOUR)
    run.stocktake(line(99), at=2 * HOUR)
    run.correct(old, line(2), at=3 * HOUR)
    assert run.account().last.book == 98 * KG
    run.stocktake(line(99), at=4 * HOUR)
    run.correct(old, line(3), at=6 * HOUR)
    assert (run.account().total, run.account().last.book) == (99 * KG, 99 * KG)
    assert ("RULE-ERROR", 0) not in run.alerts


def test_book__correction_of_what_is_not_in_the_log__is_an_error_that_is_seen():
    run = Run()
    run.stocktake(line(100))
    old = run.move("out", line(1), at=HOUR)
    run.by_id.clear()
    run.correct(old, line(2), at=2 * HOUR)
    assert run.alerts[-1] == ("RULE-ERROR", 0)
    assert "is not in the log" in run.state.health["ENGINE"].error
    assert run.account().total == 99 * KG


def test_book__three_corrections_of_one_movement__the_last_one_counts():
    run = Run()
    run.stocktake(line(100))
    old = run.move("out", line(1), at=HOUR)
    first = run.correct(old, line(2), at=2 * HOUR)
    run.correct(first, line(5), at=3 * HOUR)
    run.restart()
    run.correct(old, line(3), at=4 * HOUR)
    assert run.account().total == 97 * KG


def test_book__that_continues_a_final_one__is_compared_with_its_balance():
    run = Run()
    run.stocktake(line(100))
    run.put(
        "stocktake",
        {
            "cut_off": "2026-03-02T01:00:00Z",
            "complete": True,
            "lines": [line(90)],
            "continues": {"site": "S1", "book": "B1"},
        },
        at=HOUR,
        book="B2",
    )
    last = run.account(book="A/S1/B2").last
    assert (last.book, last.counted, last.opening) == (100 * KG, 90 * KG, False)
    assert ("A05", 0) in run.alerts


def test_book__sealed_goods__count_pieces():
    run = Run()
    run.stocktake(line(50, packaging="sealed", pieces=10))
    run.move("out", line(10, packaging="sealed", pieces=2), at=HOUR)
    account = run.account(f"{NITRIC}|||sealed||mass")
    assert (account.total, account.total_pieces) == (40 * KG, 8)


def test_book__claims_of_the_far_future__do_not_escape_the_next_count():
    run = Run()
    run.stocktake(line(100))
    run.move("out", line(10), at=HOUR, event=900_000 * HOUR)
    run.stocktake(line(90), at=2 * HOUR)
    # That it claims a time to come is told (D05); nothing else is.
    assert run.account().total == 90 * KG and {rule for rule, _ in run.alerts} <= {"D05"}
    run.stocktake(line(90), at=3 * HOUR, cut_off=900_000 * HOUR)
    run.move("out", line(10), at=4 * HOUR)
    assert run.account().total == 80 * KG


def test_book__cut_off_before_the_last_one__counts_as_the_last_one():
    run = Run()
    run.stocktake(line(100))
    run.move("out", line(10), at=HOUR)
    run.stocktake(line(90), at=3 * HOUR)
    run.stocktake(line(90), at=4 * HOUR, cut_off=HOUR // 2)
    run.move("out", line(10), at=5 * HOUR, event=2 * HOUR)
    assert run.account().total == 90 * KG
    assert run.account().last.book == 80 * KG


def test_account__more_moves_than_are_kept__total_and_lowest_stay_right():
    run = Run()
    run.stocktake(line(100))
    run.move("out", line(150), at=1000)
    for at in range(2, 2 * accounts.MAX_MOVES):
        run.move("in", line(1), at=at * 1000)
    account = run.account()
    assert len(account.moves) <= accounts.MAX_MOVES
    assert account.total == (100 - 150 + 2 * accounts.MAX_MOVES - 2) * KG
    assert account.lowest == -50 * KG


def test_sigma__stated_errors__is_the_formula_by_hand():
    run = Run()
    stated = {"method": "scale", "random_ppm": 3000, "systematic_ppm": 4000}
    run.stocktake(line(1000), measurement=stated)
    run.move("in", line(300), at=HOUR)
    run.move("out", line(200), at=2 * HOUR)
    run.stocktake(line(1100), at=3 * HOUR, measurement=stated)
    # (300² + 200² + 1100² + 1000²) (0.003² + 0.004²) - 2 · 1100 · 1000 · 0.004² = 58.5 - 35.2 = 23.3; sqrt = 4.82701 kg
    assert accounts.sigma_of(run.account().last) == 4_827_007


moves = st.lists(st.tuples(st.booleans(), st.integers(1, 60), st.integers(1, 50)), min_size=1, max_size=12)


@settings(max_examples=60, deadline=None)
@given(moves, st.randoms(use_true_random=False))
def test_account__any_order_of_arrival__same_total_lowest_and_alert_bands(script, random):
    """Late data: the order in which records come changes neither the balance, nor how low it ever was, nor what holds."""
    events = [(at * 60_000, "in" if inward else "out", kg) for at, (inward, _, kg) in enumerate(script, start=1)]

    def fold(order):
        run = Run()
        run.stocktake(line(50))
        for event, direction, kg in order:
            run.move(direction, line(kg), at=100 * 60_000, event=event)
        run.tick(at=200 * 60_000)
        account = run.account()
        held = {key for key, p in run.state.pending["A01"].items() if p.active}
        return account.total, account.lowest, account.moves and [m[:2] + m[3:] for m in account.moves], held

    shuffled = list(events)
    random.shuffle(shuffled)
    assert fold(events) == fold(shuffled)


def test_key__of_a_book__is_stable():
    run = Run()
    run.stocktake(line(1))
    assert list(run.state.books["A/S1/B1"].accounts) == [KEY]


def test_store__of_a_milligram_that_tonnes_are_put_into__is_over_its_capacity_and_no_error_of_the_rule():
    run = Run()
    store = {"id": "R1", "book": "B1", "class": "room", "capacity": {"value": "1", "unit": "MGM"}}
    run.put("place", {"sites": [{"site": "S1", "zone": "Asia/Shanghai", "stores": [store]}]}, book="office")
    run.move("in", line("10000000000"), at=HOUR)
    assert ("A02", 0) in run.alerts and "RULE-ERROR" not in dict(run.alerts)


def sealed(pieces):
    return line(pieces, packaging="sealed", pieces=pieces)


def called(entry, *, complete):
    kind, was = (entry.body["kind"], entry.body["body"]) if entry.kind == "correction" else (entry.kind, entry.body)
    return {"corrects": entry.record_id, "kind": kind, "body": was | {"complete": complete}}


def missing_said(run):
    return [life for life in run.state.life.lives.values() if life.rule == "A04"]


def test_book__partial_stocktake_that_was_complete_after_all__is_compared_and_bases_the_book():
    run = Run()
    run.stocktake(sealed(100))
    partial = run.stocktake(sealed(50), at=DAY, complete=False)
    assert not missing_said(run)
    first = run.put("correction", called(partial, complete=True), at=DAY + HOUR)
    (said,) = missing_said(run)
    key = KEY.replace("bulk", "sealed")
    assert run.account(key).total_pieces == 50 and run.state.books["A/S1/B1"].base_record == partial.record_id
    second = run.put("correction", called(first, complete=False), at=DAY + 2 * HOUR)
    run.put("correction", called(second, complete=True), at=DAY + 3 * HOUR)
    assert (said.recovered, said.taken_back) == (False, "") and run.account(key).last.book_pieces == 100


def test_book__partial_stocktake_of_before_the_newest_count__stays_of_no_account():
    run = Run()
    run.stocktake(line(100))
    partial = run.stocktake(line(50), at=DAY, complete=False)
    newest = run.stocktake(line(90), at=2 * DAY)
    run.put("correction", called(partial, complete=True), at=3 * DAY)
    assert run.account().total == 90 * KG and run.state.books["A/S1/B1"].base_record == newest.record_id


def test_book__cut_off_far_ahead_in_a_stocktake_that_becomes_complete__is_when_it_came():
    run = Run()
    run.stocktake(line(100))
    partial = run.stocktake(line(50), at=DAY, cut_off=900 * DAY, complete=False)
    run.move("in", line(7), at=2 * DAY)
    run.put("correction", called(partial, complete=True), at=3 * DAY)
    assert run.account().total == 57 * KG


def test_book__count_that_was_none_after_all__what_was_missing_is_not_settled_by_it():
    """Else a count and its correction would make a shortage nobody's: the alert taken back, and the book as it was counted."""
    key = KEY.replace("bulk", "sealed")
    movement = {"direction": "in", "reason": "found", "lines": [sealed(1)]}
    for other in (None, {"kind": "movement", "body": movement}):
        run = Run()
        run.stocktake(sealed(100))
        count = run.stocktake(sealed(50), at=DAY)
        first = called(count, complete=False) if other is None else {"corrects": count.record_id} | other
        run.put("correction", first, at=DAY + HOUR)
        (said,) = missing_said(run)
        more = 0 if other is None else 1
        assert said.taken_back and run.account(key).total_pieces == 100 + more
        assert run.state.stores["A/S1/R1"].stock == {"mass": (100 + more) * KG}
        run.move("in", sealed(5), at=2 * DAY, event=HOUR)  # before the cut-off, and nobody counted it
        run.move("out", sealed(2), at=2 * DAY)
        run.restart()
        assert run.account(key).total_pieces == 103 + more and len(missing_said(run)) == 1
        run.stocktake(sealed(53), at=3 * DAY)
        assert run.account(key).last.book_pieces == 103 + more and len(missing_said(run)) == 2


def test_book__opening_count_that_is_called_partial__the_book_stays_opened_by_it():
    run = Run()
    opening = run.stocktake(line(100))
    run.move("out", line(10), at=HOUR)
    run.put("correction", called(opening, complete=False), at=2 * HOUR)
    assert run.account().total == 90 * KG and run.state.books["A/S1/B1"].base_record == opening.record_id
