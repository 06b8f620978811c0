"""Rounding, ratios, logarithms: integers only, and right to the last one."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.engine import statistics
from ledger.engine.statistics import LIMIT_PPM, divide, ln_micro, ratio_ppm, root


@pytest.mark.parametrize(
    ("numerator", "denominator", "quotient"),
    [(7, 2, 4), (-7, 2, -4), (7, -2, -4), (5, 3, 2), (4, 3, 1), (-4, 3, -1), (0, 5, 0), (10**40 + 1, 10**40, 1)],
)
def test_divide__halves__go_away_from_zero(numerator, denominator, quotient):
    assert divide(numerator, denominator) == quotient


@given(st.integers(0, 10**60))
def test_root__any_number__is_the_nearest(number):
    found = root(number)
    assert (2 * found - 1) ** 2 < 4 * number + 1 or found == 0
    assert 4 * number < (2 * found + 1) ** 2


@pytest.mark.parametrize(
    ("part", "whole", "ppm"),
    [(1, 3, 333_333), (2, 3, 666_667), (-1, 3, -333_333), (0, 0, 0), (1, 0, LIMIT_PPM), (-1, 0, -LIMIT_PPM)]
    + [(10**16, 1, LIMIT_PPM), (3, 2, 1_500_000)],
)
def test_ratio_ppm__known_ratios__and_nothing_to_divide_by(part, whole, ppm):
    assert ratio_ppm(part, whole) == ppm


@pytest.mark.parametrize(
    ("number", "micro"),
    # Digits of ln 2, ln 3, ln 10: OEIS A002162, A002391, A002392.
    [(1, 0), (2, 693_147), (3, 1_098_612), (10, 2_302_585), (10**16, 36_841_361), (2**53, 36_736_801)],
)
def test_ln_micro__published_digits__are_met(number, micro):
    assert ln_micro(number) == micro


@given(st.integers(1, 10**18))
def test_ln_micro__any_quantity__is_the_nearest_millionth(number):
    # math.log is right to about 1e-14 here, far finer than what is compared.
    assert abs(ln_micro(number) - math.log(number) * 1e6) < 0.501


@given(st.integers(1, 10**17), st.integers(0, 10**17))
def test_ln_micro__greater_number__never_has_the_smaller_logarithm(number, more):
    assert ln_micro(number + more) >= ln_micro(number)


@pytest.mark.parametrize("number", [0, -1])
def test_ln_micro__nothing__is_refused(number):
    with pytest.raises(ValueError, match="no logarithm"):
        ln_micro(number)


def test_statistics__every_name_it_offers__exists():
    assert all(hasattr(statistics, name) for name in statistics.__all__)
