"""Series of material balances, and losses that were declared: what is told of many counts."""

import random

import msgspec
import pytest

from ledger.engine.register import Register, RegisterState
from ledger.engine.statistics import Balance, Measured, advance
from ledger.engine.streams import KEEP, SLACK, number
from ledger.engine.topics.accountancy import (
    Accountancy,
    AccountancyState,
)
from tests.engine.helpers import HOUR, line
from tests.engine.topics.accounts import DAY, ERRORS, KG, Books

# --- series -----------------------------------------------------------------------------------------------------------


def _year(books, days, rng, every=1):
    """Counts with true random errors; returns the rows of the streams."""
    true, found = 1_000 * KG, []
    for day in range(1, days + 1):
        went = rng.randrange(1, 60) * KG
        came = went if true < 500 * KG else 0
        true += came - went
        books.move("out", line(went // KG), at=day * DAY - 2 * HOUR)
        if came:
            books.move("in", line(came // KG), at=day * DAY - HOUR)
        if day % every == 0:
            read = round(true * (1 + rng.gauss(0, 0.001)))
            books.stocktake(line(read / KG), at=day * DAY)
            found.append(books.stream)
    return found


def test_series__longer_than_what_is_kept__goes_on_as_if_nothing_was_forgotten():
    books = Books()
    books.stocktake(line(1000))
    rows = _year(books, 3 * (KEEP + SLACK), random.Random(4))
    held = books.held()
    assert held.forgotten > KEEP
    assert KEEP <= number(held) - 1 <= KEEP + SLACK
    # The same series in one go, nothing forgotten.
    standing, sums = None, []
    before = Measured(1000 * KG, 1_000, 0)
    for row in rows:
        after = Measured(row["counted"], 1_000, 0)
        standing = advance(standing, Balance(before, row["came"], row["went"], row["lost"], after))
        before = after
        sums.append((standing.y_milli, standing.sums.loss_protracted, standing.sums.gain_abrupt))
    assert sums == [(row["sitmuf_milli"], row["loss_protracted_milli"], row["gain_abrupt_milli"]) for row in rows]


def test_series__restart_at_any_point__gives_the_same_rows():
    def run(restart_at):
        books, rng, rows = Books(), random.Random(4), []
        books.stocktake(line(1000))
        for part in range(6):
            if part == restart_at:
                state = msgspec.msgpack.encode(books.topic._state)
                books.topic = Accountancy(
                    msgspec.msgpack.decode(state, type=AccountancyState), Register(RegisterState())
                )
            rows += _year(books, 30, rng)
            books.move("out", line(2), at=30 * DAY, event=20 * DAY)
            rows += books.rows
        return rows

    plain = run(None)
    assert len(plain) > 180
    for restart_at in range(1, 6):
        assert run(restart_at) == plain


def test_series__estimated_sigma__stands_beside_the_stated_one():
    books = Books()
    books.stocktake(line(1000))
    row = _year(books, 64, random.Random(12))[-1]
    assert row["n"] == 64
    assert 800_000 < row["spread_ppm"] < 1_200_000
    assert row["sigma_estimated"] == (row["sigma"] * row["spread_ppm"] + 500_000) // 1_000_000


def _exact(books, days, *, moving, measurement):
    for day in range(1, days + 1):
        if moving:
            books.move("out", line(1), at=day * DAY - HOUR)
        books.stocktake(line(1000 - day * moving), at=day * DAY, measurement=measurement)
    return books.stream


@pytest.mark.parametrize("measurement", [ERRORS, {"method": "scale"}])
def test_too_good__twenty_exact_balances__are_written_at_a_desk(measurement):
    books = Books()
    books.stocktake(line(1000), measurement=measurement)
    assert _exact(books, 19, moving=True, measurement=measurement)["too_good"] is False
    books.move("out", line(1), at=20 * DAY - HOUR)
    books.stocktake(line(980), at=20 * DAY, measurement=measurement)
    assert books.stream["too_good"] is True
    assert books.stream["moved_balances"] == 20


def test_too_good__a_tank_that_nobody_touches__shows_the_same_figure_for_good_reason():
    books = Books()
    books.stocktake(line(1000))
    row = _exact(books, 40, moving=False, measurement=ERRORS)
    assert (row["too_good"], row["moved_balances"]) == (False, 0)


@pytest.mark.parametrize(("measurement", "said"), [(ERRORS, True), ({"method": "scale"}, False)])
def test_too_good__better_than_defaults__is_held_against_nobody(measurement, said):
    books, rng = Books(), random.Random(3)
    books.stocktake(line(1000), measurement=measurement)
    for day in range(1, 25):
        books.move("out", line(1), at=day * DAY - HOUR)
        read = (1000 - day) * (1 + rng.gauss(0, 0.00002))
        books.stocktake(line(f"{read:.6f}"), at=day * DAY, measurement=measurement)
    assert books.stream["too_good"] is said


# --- declared losses --------------------------------------------------------------------------------------------------


def test_declared_loss__month__is_compared_with_what_was_handled():
    books = Books()
    books.stocktake(line(1000))
    books.move("in", line(200), at=HOUR)
    books.move("out", line(3), at=2 * HOUR, reason="loss")
    books.move("out", line(9), at=5 * HOUR, reason="loss", cause="spill")
    (row,) = books.named("declared_loss")
    assert (row["cause"], row["amount"], row["lost_month"], row["handled"]) == ("spill", 9 * KG, 12 * KG, 1200 * KG)
    assert row["rate_ppm"] == 10_000
    assert (row["losses"], row["compared"], row["volatile"]) == (1, False, False)


def test_declared_loss__older_than_the_window__is_left_out():
    books = Books()
    books.stocktake(line(1000))
    books.move("out", line(50), at=HOUR, reason="loss")
    for day in (10, 20, 45):
        books.stocktake(line(950), at=day * DAY)
    books.move("out", line(1), at=50 * DAY, reason="loss")
    (row,) = books.named("declared_loss")
    # From the count of day 20, the last one older than 30 days, to day 50.
    assert (row["lost_month"], row["handled"], row["rate_ppm"]) == (KG, 950 * KG, 1053)


def test_declared_loss__twelve_like_it__tell_the_next_apart():
    books = Books()
    books.stocktake(line(100_000))
    for n in range(13):
        assert not any(row["compared"] for row in books.named("declared_loss"))
        books.move("out", line(f"1.{n % 9}"), at=(n + 1) * HOUR, reason="loss")
    assert books.named("declared_loss")[0]["compared"] is True
    assert abs(books.named("declared_loss")[0]["z_milli"]) < 2_000
    books.move("out", line(20), at=20 * HOUR, reason="loss")
    assert books.named("declared_loss")[0]["z_milli"] > 3_500


def test_declared_loss__sealed_goods__are_counted_not_rated():
    books = Books()
    books.stocktake(line(100, pieces=4, packaging="sealed"))
    books.move("out", line(25, pieces=1, packaging="sealed"), at=HOUR, reason="loss", cause="breakage")
    assert books.named("declared_loss") == []


def test_declared_loss__withdrawn__is_forgotten():
    books = Books()
    books.stocktake(line(100))
    wrong = books.move("out", line(5), at=HOUR, reason="loss")
    del wrong.body["loss_cause"]
    books.correct(wrong, 2 * HOUR, reason="consumption")
    assert books.named("declared_loss") == []
    assert books.held().losses == []
