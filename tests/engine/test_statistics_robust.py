"""Robust z and quantiles, against values worked out on paper."""

import math
import random
import statistics as floats

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.engine.statistics import LIMIT_MILLI, daily_quantile, nearest_rank, quantity_z_milli, robust_z_milli


def test_robust_z__odd_sample__by_hand():
    # Median 7; deviations 6 5 4 3 2 1 0 1 2 3 4 5 6, median 3. z = 0.6745 * (22 - 7) / 3 = 3.3725.
    assert robust_z_milli(22_000, [1000 * x for x in range(1, 14)]) == 3_373


def test_robust_z__even_sample__by_hand():
    # Median 6.5; deviations 5.5 4.5 3.5 2.5 1.5 0.5 and again, median 3. z = 0.6745 * (0 - 6.5) / 3 = -1.46142.
    assert robust_z_milli(0, list(range(1, 13))) == -1_461


def test_robust_z__order_of_the_sample__does_not_matter():
    sample = list(range(1, 21))
    mixed = random.Random(3).sample(sample, 20)
    assert robust_z_milli(50, mixed) == robust_z_milli(50, sample)


def test_robust_z__more_than_half_one_value__takes_the_mean_deviation():
    # Ten times 5, once 8, once 11: median 5, MAD 0, mean deviation (3 + 6)/12 = 0.75.
    # z = (11 - 5) / (1.253314 * 0.75) = 6.38308.
    assert robust_z_milli(11, [5] * 10 + [8, 11]) == 6_383


def test_robust_z__all_one_value__is_nothing_or_the_limit():
    assert robust_z_milli(5, [5] * 12) == 0
    assert robust_z_milli(6, [5] * 12) == LIMIT_MILLI
    assert robust_z_milli(4, [5] * 12) == -LIMIT_MILLI


def test_robust_z__eleven_values__say_nothing():
    assert robust_z_milli(5, list(range(11))) is None
    assert robust_z_milli(5, list(range(12))) is not None
    assert robust_z_milli(5, list(range(8)), least=8) is not None


@given(st.lists(st.integers(1, 10**13), min_size=12, max_size=40), st.integers(1, 10**13))
def test_quantity_z__any_history__is_the_formula_in_floats(history, quantity):
    logs = [math.log(q) for q in history]
    median = floats.median(logs)
    mad = floats.median([abs(x - median) for x in logs])
    z = quantity_z_milli(quantity, history)
    if mad > 0.01:  # below it a millionth in a logarithm is seen in the z
        expected = 674.5 * (math.log(quantity) - median) / mad
        assert abs(z - expected) < 2 + abs(expected) * 3e-4
    assert quantity_z_milli(quantity, [*history, 0, 0]) == z


def test_quantity_z__no_quantity__has_no_z():
    assert quantity_z_milli(0, [1] * 20) is None


@pytest.mark.parametrize(
    ("percent", "value"),
    # Wikipedia's worked example of nearest rank: 15 20 35 40 50.
    [(5, 15), (30, 20), (40, 20), (50, 35), (100, 50), (1, 15)],
)
def test_nearest_rank__worked_example__is_met(percent, value):
    assert nearest_rank([50, 15, 40, 20, 35], percent) == value


def test_nearest_rank__95_of_twenty__is_the_nineteenth():
    assert nearest_rank(list(range(20, 0, -1)), 95) == 19
    assert nearest_rank(list(range(1, 22)), 95) == 20


@pytest.mark.parametrize(("values", "percent"), [([], 50), ([1], 0), ([1], 101)])
def test_nearest_rank__nothing_to_rank__is_refused(values, percent):
    with pytest.raises(ValueError, match="quantile"):
        nearest_rank(values, percent)


def test_daily_quantile__too_few_days__is_not_evaluable():
    assert daily_quantile([1] * 14, 95, min_days=15) is None
    assert daily_quantile([*range(15)], 95, min_days=15) == 14
