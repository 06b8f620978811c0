"""Page's tests against published run lengths, and what a wrong sigma does to every rule that uses one."""

import csv
import math
import random
from pathlib import Path

import pytest

from ledger.engine.statistics import (
    ABRUPT,
    PROTRACTED,
    SINGLE_MILLI,
    Balance,
    Measured,
    Pair,
    Sums,
    advance,
    page_step,
    spread,
    too_good,
)
from ledger.engine.statistics.sequential import _LOWER_MILLI, MAX_SPREAD, MIN_TOO_GOOD

SHIFTS = {"ARL0": 0.0, "ARL_0.25s": 0.25, "ARL_0.5s": 0.5, "ARL_1s": 1.0, "ARL_1.5s": 1.5, "ARL_2s": 2.0, "ARL_3s": 3.0}
RUNS = 4_000
LONGEST = 130
"""Points with greater average run lengths would cost seconds each and show nothing more."""


def _points():
    with (Path(__file__).parent / "data" / "page_test_arl.csv").open() as file:
        for row in csv.DictReader(file):
            pair = Pair(round(1000 * float(row["k"])), round(1000 * float(row["h"])))
            for column, shift in SHIFTS.items():
                if float(row[column]) <= LONGEST:
                    yield pytest.param(pair, shift, float(row[column]), id=f"k{row['k']}-h{row['h']}-{shift}s")


POINTS = list(_points())


def test_points__enough_of_them__and_both_shipped_pairs():
    assert len(POINTS) >= 30
    assert {PROTRACTED, ABRUPT} <= {point.values[0] for point in POINTS}


@pytest.mark.parametrize(("pair", "shift", "published"), POINTS)
def test_page__average_run_length__is_the_published_one(pair, shift, published):
    gauss = random.Random(f"{pair}{shift}").gauss
    mean = 1000 * shift
    steps = 0
    for _ in range(RUNS):
        total = 0
        while total <= pair.h_milli:
            total = page_step(total, round(gauss(mean, 1000)), pair)
            steps += 1
    assert abs(steps / RUNS / published - 1) < 0.05


def test_page__by_hand__every_step():
    # k = 0.25: 1.0 -> 0.75, -2.0 -> 0, 0.25 -> 0, 10.25 -> 10 (not above h), 0.251 -> 10.001 (signals), then from 0.
    sums, total = [], 0
    for y in (1_000, -2_000, 250, 10_250, 251, 1_250):
        total = page_step(total, y, PROTRACTED)
        sums.append(total)
    assert sums == [750, 0, 0, 10_000, 10_001, 1_000]


def test_sums__a_gain__is_no_loss():
    sums = Sums()
    for _ in range(4):
        sums = sums.step(-2_000)
    assert sums == Sums(0, 0, 7_000, 4_000)
    assert sums.gain_abrupt > ABRUPT.h_milli


def _still(counts, ppm=1_000):
    """Standings of a tank that nobody uses, read so many grams."""
    found, standing = [], None
    for before, after in zip(counts, counts[1:], strict=False):
        balance = Balance(Measured(before, ppm, 0), 0, 0, 0, Measured(after, ppm, 0))
        standing = advance(standing, balance)
        found.append(standing)
    return found


def test_advance__one_loss__is_told_once():
    # 1.4 g of 1000 g is one sigma; 9 g are 6.4: the abrupt sum is 5.4, above 3.5. Then nothing more is missing.
    found = _still([1_000_000] + [991_000] * 30)
    assert [s.sums.signals for s in found] == [True] + [False] * 29
    assert found[1].y_milli == found[1].z_milli == 0


def test_advance__small_losses__are_told_by_both_tests_and_then_from_nothing():
    found = _still([1_000_000 - 1_000 * n for n in range(40)])
    abrupt = [at for at, s in enumerate(found) if s.sums.loss_abrupt > ABRUPT.h_milli]
    protracted = [at for at, s in enumerate(found) if s.sums.loss_protracted > PROTRACTED.h_milli]
    # 0.7 sigma a time, and each SITMUF value knows of the ones before: the abrupt test is the first of the two.
    assert max(abs(s.z_milli) for s in found) < 800
    assert abrupt[0] == 4
    assert protracted[0] in range(5, 9)
    assert len(protracted) >= 4
    for at in abrupt[:-1]:
        assert found[at + 1].y_milli == found[at + 1].z_milli
        assert found[at + 1].sums.loss_abrupt < found[at + 1].y_milli


def test_advance__loss_that_comes_back__is_told_as_a_gain():
    found = _still([1_000_000, 991_000, 1_000_000, 1_000_000])
    assert found[0].sums.loss_abrupt > ABRUPT.h_milli
    assert found[1].sums.gain_abrupt > ABRUPT.h_milli
    assert not found[2].sums.signals


def test_false_alarms__twelve_hundred_weekly_streams__are_57_a_year():
    balances = 1_200 * 52
    single = math.erfc(SINGLE_MILLI / 1000 / math.sqrt(2)) / 2
    # Run lengths without a loss from the table, those two too long to run here.
    a_year = balances / 2071.2 + balances / 5341.3 + balances * single
    assert round(a_year) in range(55, 59)


def test_sigma__understated_by_a_fifth__makes_the_single_balance_cry_eleven_times_as_often():
    def balance(missing, stated_ppm):
        error = (stated_ppm, 0)
        return Balance(Measured(10**9, *error), 0, 0, 0, Measured(10**9 - missing, *error))

    honest, understated = 10_000, 8_000

    def beyond(stated_ppm):
        """Least loss, in true sigmas, at which the rule cries: found by asking it."""
        low, high = 0, 10**9
        while high - low > 1:
            middle = (low + high) // 2
            low, high = (
                (low, middle) if advance(None, balance(middle, stated_ppm)).z_milli > SINGLE_MILLI else (middle, high)
            )
        # 2 C² r² with the true r, the count being what the loss left.
        return high / math.hypot(10**9 * honest / 1e6, (10**9 - high) * honest / 1e6)

    def often(sigmas):
        return math.erfc(sigmas / math.sqrt(2)) / 2

    assert beyond(honest) == pytest.approx(3.5, abs=0.002)
    assert beyond(understated) == pytest.approx(2.8, abs=0.002)
    assert often(beyond(understated)) / often(beyond(honest)) == pytest.approx(11, abs=0.2)


# --- spread -----------------------------------------------------------------------------------------------------------


def test_spread__by_hand__mean_taken_out():
    # 1, 2, 3, 4, 5: mean 3, variance 10/4 = 2.5, root 1.581139.
    found = spread([1_000, 2_000, 3_000, 4_000, 5_000])
    assert (found.n, found.mean_milli, found.ratio_ppm) == (5, 3_000, 1_581_139)
    assert found.sigma(2_000_000) == 3_162_278


def test_spread__a_steady_loss__does_not_look_like_bad_weighing():
    rng = random.Random(5)
    ys = [round(rng.gauss(0, 1000)) for _ in range(60)]
    assert spread([y + 700 for y in ys]).ratio_ppm == spread(ys).ratio_ppm


def test_spread__understated_sigma__shows():
    rng = random.Random(6)
    found = spread([round(rng.gauss(0, 1250)) for _ in range(MAX_SPREAD)])
    assert 1_100_000 < found.ratio_ppm < 1_400_000


def test_spread__one_balance__has_none():
    assert spread([1]) is None
    assert spread([]) is None


def _lower_gamma(a, x):
    """Regularised lower incomplete gamma function by its series, Abramowitz and Stegun 6.5.29."""
    term = total = 1 / a
    n = a
    while term > total * 1e-17:
        n += 1
        term *= x / n
        total += term
    return total * math.exp(-x + a * math.log(x) - math.lgamma(a))


@pytest.mark.parametrize("freedom", range(MIN_TOO_GOOD - 1, MAX_SPREAD))
def test_quantiles__each_of_the_table__is_the_point_of_one_in_a_thousand(freedom):
    value = _LOWER_MILLI[freedom - MIN_TOO_GOOD + 1] / 1000
    assert _lower_gamma(freedom / 2, (value - 0.0005) / 2) < 0.001 < _lower_gamma(freedom / 2, (value + 0.0005) / 2)


@pytest.mark.parametrize(
    ("freedom", "printed"),
    # NIST/SEMATECH e-Handbook of Statistical Methods, 1.3.6.7.4, lower-tail critical values, column 0.001.
    [(19, 5.407), (20, 5.921), (24, 8.085), (30, 11.588), (40, 17.916), (50, 24.674), (60, 31.738)],
)
def test_quantiles__printed_in_the_handbook__are_the_table_s(freedom, printed):
    assert _LOWER_MILLI[freedom - MIN_TOO_GOOD + 1] == round(printed * 1000)


def test_quantiles__one_for_each_number_of_balances():
    assert len(_LOWER_MILLI) == MAX_SPREAD - MIN_TOO_GOOD + 1


def _scaled(n, target):
    """n values, half up and half down, whose sum of squares about the mean is just `target` (in units of one)."""
    size = math.isqrt(round(target * 10**6 / n))
    return [size, -size] * (n // 2)


def test_too_good__at_the_quantile__tips():
    # n = 20: 5.407 is the quantile with 19 degrees of freedom.
    assert too_good([1] * 20, _scaled(20, 5.40))
    assert not too_good([1] * 20, _scaled(20, 5.43))
    assert not too_good([1] * 19, [0] * 19)


def test_too_good__all_exactly_zero__whatever_the_values():
    assert too_good([0] * 20, [0] * 20)
    assert not too_good([0] * 19 + [1], _scaled(20, 20.0))


def test_too_good__honest_streams__about_one_in_a_thousand():
    rng = random.Random(8)
    streams = 6_000
    found = sum(too_good([1] * 20, [round(rng.gauss(0, 1000)) for _ in range(20)]) for _ in range(streams))
    assert 1 <= found <= 14  # 6 expected


def test_too_good__an_old_honest_year__does_not_hide_a_dry_labbed_one():
    rng = random.Random(9)
    honest = [round(rng.gauss(0, 1000)) for _ in range(200)]
    written = [round(rng.gauss(0, 100)) for _ in range(MAX_SPREAD)]
    assert not too_good([1] * 200, honest)
    assert too_good([1] * (200 + MAX_SPREAD), honest + written)
