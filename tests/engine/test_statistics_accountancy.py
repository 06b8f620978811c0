"""Balances of bulk material: the error model by hand, the factor against a full one, the same digits everywhere."""

import hashlib
import random
from decimal import Decimal, localcontext
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ledger.engine.statistics import LIMIT_MILLI, Balance, Measured, Sums, advance, items_missing
from ledger.engine.statistics.accountancy import covariance, covariance_matrix, extend, sigma, sitmuf_milli, variance, z_milli

PPM2 = 10**12


def series_of(counts, flows, errors):
    """Balances from n + 1 counts, n (came, went, lost), and n + 1 (random, systematic)."""
    weighed = [Measured(amount, *error) for amount, error in zip(counts, errors, strict=True)]
    pairs = zip(weighed, weighed[1:], flows, strict=False)
    return [Balance(before, *flow, after) for before, after, flow in pairs]


def standings(series):
    found, standing = [], None
    for balance in series:
        standing = advance(standing, balance)
        found.append(standing)
    return found


def extended(series):
    """Factor rows of the whole series, never begun anew: what `advance` does until a test signals."""
    found, factor = [], None
    for balance in series:
        factor = extend(factor, balance)
        found.append(factor)
    return found


def test_muf__every_part__has_its_sign():
    weighed = Balance(Measured(100, 0, 0), 30, 40, 5, Measured(82, 0, 0))
    assert weighed.muf == 3


def test_variance__worked_by_hand__is_met():
    # C' = 100, in 30, out 40 and declared lost 10, C = 80; r = 2 %, s = 1 %.
    # (30² + 50² + 80² + 100²)(0.0004 + 0.0001) - 2*80*100*0.0001 = 19800*0.0005 - 1.6 = 9.9 - 1.6 = 8.3
    errors = (20_000, 10_000)
    balance = Balance(Measured(100, *errors), 30, 40, 10, Measured(80, *errors))
    assert variance(balance) == 8_300_000_000_000
    assert Fraction(variance(balance), PPM2) == Fraction(83, 10)
    assert (balance.muf, z_milli(balance)) == (0, 0)


def test_variance__only_systematic_errors__leave_the_difference_of_the_counts():
    # A scale that always shows 1 % too much: nothing moves, so 100 against 90 is off by 1 % of 10.
    balance = Balance(Measured(100_000, 0, 10_000), 0, 0, 0, Measured(90_000, 0, 10_000))
    assert variance(balance) == (10_000 * 10_000) ** 2
    assert sigma(balance) == 100


def test_variance__another_scale_at_the_end__each_count_has_its_own_errors():
    # C' = 100 with r' = 3 %, s' = 2 %; C = 50 with r = 1 %, s = 1 %; no flows.
    # 50²(0.0001+0.0001) + 100²(0.0009+0.0004) - 2*50*100*0.01*0.02 = 0.5 + 13 - 2 = 11.5
    balance = Balance(Measured(100, 30_000, 20_000), 0, 50, 0, Measured(50, 10_000, 10_000))
    flow = 50**2 * 2 * 10_000**2
    assert Fraction(variance(balance) - flow, PPM2) == Fraction(23, 2)


def test_covariance_matrix__three_balances__worked_by_hand():
    # Counts 100, 80, 60, 50; outs 20, 20, 10; r = 1 %, s = 0.
    # v1 = (20² + 80² + 100²)*1e-4 = 1.68   v2 = (20² + 60² + 80²)*1e-4 = 1.04   v3 = (10² + 50² + 60²)*1e-4 = 0.62
    # c12 = -80²*1e-4 = -0.64   c23 = -60²*1e-4 = -0.36
    series = series_of([100, 80, 60, 50], [(0, 20, 0), (0, 20, 0), (0, 10, 0)], [(10_000, 0)] * 4)
    unit = PPM2 // 100
    assert covariance_matrix(series) == [
        [168 * unit, -64 * unit, 0],
        [-64 * unit, 104 * unit, -36 * unit],
        [0, -36 * unit, 62 * unit],
    ]


def test_sitmuf__loss_that_comes_back__worked_by_hand():
    # Counts 100, 80, 60, 50; outs 18, 22, 10; r = 1 %: MUF = 2, -2, 0. The second inventory was read 2 too low.
    # l1² = v1 = (18² + 80² + 100²)*1e-4 = 1.6724              y1 = 2/1.2932131 = 1.5465
    # v2 = (22² + 60² + 80²)*1e-4 = 1.0484, c = -0.64          l2² = 1.0484 - 0.64²/1.6724 = 0.8034825
    # residual = -2 + 0.64/1.6724 * 2 = -1.2346329             y2 = -1.2346329/0.8963718 = -1.3774
    # v3 = 0.62, c = -0.36                                     l3² = 0.62 - 0.36²/0.8034825 = 0.4587022
    # residual = 0 + 0.36/0.8034825 * -1.2346329 = -0.5531766  y3 = -0.5531766/0.6772756 = -0.8168
    counts = [100_000, 80_000, 60_000, 50_000]
    series = series_of(counts, [(0, 18_000, 0), (0, 22_000, 0), (0, 10_000, 0)], [(10_000, 0)] * 4)
    found = standings(series)
    assert [s.muf for s in found] == [2_000, -2_000, 0]
    assert [s.y_milli for s in found] == [1_547, -1_377, -817]
    assert [s.sigma for s in found] == [1_293, 1_024, 787]
    assert [s.z_milli for s in found] == [1_547, -1_953, 0]


@st.composite
def random_series(draw):
    n = draw(st.integers(1, 12))
    amount = st.integers(0, 10**13)
    counts = draw(st.lists(amount, min_size=n + 1, max_size=n + 1))
    flows = draw(st.lists(st.tuples(amount, amount, amount), min_size=n, max_size=n))
    error = st.tuples(st.integers(0, 50_000), st.integers(0, 50_000))
    errors = [draw(error)] * (n + 1) if draw(st.booleans()) else draw(st.lists(error, min_size=n + 1, max_size=n + 1))
    return series_of(counts, flows, errors)


def full_factor(series):
    """(pivots, y) of the whole matrix by dense LDLᵀ in exact fractions: no tridiagonal shortcut, no rounding."""
    matrix = [[Fraction(v) for v in row] for row in covariance_matrix(series)]
    n = len(matrix)
    lower = [[Fraction(i == j) for j in range(n)] for i in range(n)]
    pivots = []
    for j in range(n):
        pivot = matrix[j][j] - sum(lower[j][k] ** 2 * pivots[k] for k in range(j))
        pivots.append(pivot)
        for i in range(j + 1, n):
            rest = matrix[i][j] - sum(lower[i][k] * lower[j][k] * pivots[k] for k in range(j))
            lower[i][j] = rest / pivot if pivot else Fraction(0)
    residuals = []
    for i, balance in enumerate(series):
        residuals.append(balance.muf - sum(lower[i][k] * residuals[k] for k in range(i)))
    with localcontext() as context:
        context.prec = 60
        exact = []
        for r, p in zip(residuals, pivots, strict=True):
            size = Decimal(r.numerator) / Decimal(r.denominator)
            spread = (Decimal(p.numerator) / Decimal(p.denominator)).sqrt()
            exact.append(size * 1000 * 10**6 / spread if p else None)
    return pivots, exact


@settings(max_examples=200)
@given(random_series())
def test_factor__extended_balance_by_balance__is_the_full_one(series):
    pivots, exact = full_factor(series)
    for factor, pivot, y in zip(extended(series), pivots, exact, strict=True):
        # Each pivot is rounded to a unit; its error enters the next at most once over.
        assert abs(factor.pivot - pivot) <= len(series)
        if pivot < 10**6:  # a sigma below a thousandth of a milligram: rounding is all there is
            continue
        limited = max(min(y, Decimal(LIMIT_MILLI)), Decimal(-LIMIT_MILLI))
        assert abs(sitmuf_milli(factor) - limited) <= 1 + abs(limited) / 10**5


@given(random_series())
def test_factor__covariance__never_exceeds_the_pivot_it_is_divided_by(series):
    # So that a residual's rounding does not grow from balance to balance.
    for balance, factor in zip(series, extended(series), strict=True):
        assert abs(covariance(balance)) <= factor.pivot + len(series)


def test_factor__a_year_and_ten_years__cost_the_same_a_step():
    # What the next step needs is one row: cut the history off and nothing changes.
    rng = random.Random(11)
    counts = [rng.randrange(10**8, 10**9) for _ in range(521)]
    flows = [(rng.randrange(10**8), rng.randrange(10**8), 0) for _ in range(520)]
    series = series_of(counts, flows, [(2_000, 500)] * 521)
    whole = standings(series)
    again = advance(whole[518], series[519])
    assert again == whole[519]


def test_sitmuf__same_inputs__same_digits_on_every_machine():
    # Pinned: another digest here means that a replay elsewhere, or of an old log, would differ.
    rng = random.Random(20260302)
    counts = [rng.randrange(10**6, 10**12) for _ in range(201)]
    flows = [(rng.randrange(10**11), rng.randrange(10**11), rng.randrange(10**6)) for _ in range(200)]
    errors = [(rng.randrange(1, 20_000), rng.randrange(5_000)) for _ in range(201)]
    text = repr([(s.y_milli, s.z_milli, s.sigma, *s.sums) for s in standings(series_of(counts, flows, errors))])
    assert (
        hashlib.sha256(text.encode()).hexdigest() == "eaa1817764bba2b7a9cc9ed217baed57192e36ebb33871814fbaf8b15d3181fc"
    )


def test_advance__true_random_weighing__gives_independent_values_of_variance_one():
    # The model run forward: every amount is read with its own random error. 400 streams of 12 balances.
    rng = random.Random(7)
    r = 5_000
    squares, products, n = 0, 0, 0
    for _ in range(400):
        true = [10**9]
        read = [round(true[0] * (1 + rng.gauss(0, r / 1e6)))]
        flows = []
        for _ in range(12):
            came, went = rng.randrange(5 * 10**8), rng.randrange(5 * 10**8)
            true.append(true[-1] + came - went)
            read.append(round(abs(true[-1]) * (1 + rng.gauss(0, r / 1e6))))
            flows.append(tuple(round(x * (1 + rng.gauss(0, r / 1e6))) for x in (came, went)) + (0,))
        if min(true) < 0:
            continue
        ys = [sitmuf_milli(f) / 1000 for f in extended(series_of(read, flows, [(r, 0)] * 13))]
        squares += sum(y * y for y in ys)
        products += sum(a * b for a, b in zip(ys, ys[1:], strict=False))
        n += len(ys)
    assert n > 2_000
    assert abs(squares / n - 1) < 0.06
    assert abs(products / n) < 0.05


def test_advance__sealed_packages__move_no_sum():
    standing = Sums()
    counted = [Balance(Measured(40, 0, 0), 0, 10, 0, Measured(29, 0, 0))] * 50
    for found in standings(counted):
        assert (found.muf, found.sigma, found.y_milli, found.z_milli) == (1, 0, None, 0)
        assert found.sums == standing
    assert items_missing(40, 0, 10, 0, 29) == 1
    assert items_missing(40, 5, 10, 1, 36) == -2


def test_advance__a_count_without_errors_between__breaks_the_chain_only_there():
    errors = [(1_000, 0), (0, 0), (0, 0), (1_000, 0)]
    found = standings(series_of([1000, 0, 0, 1000], [(0, 1000, 0), (0, 0, 0), (1000, 0, 0)], errors))
    assert found[1].y_milli is None
    assert found[2].y_milli == found[2].z_milli == 0


@pytest.mark.parametrize("missing", [10**15, -(10**15)])
def test_advance__out_of_all_proportion__stands_at_the_limit(missing):
    balance = Balance(Measured(10**15, 1, 0), max(-missing, 0), 0, 0, Measured(10**15 - max(missing, 0), 1, 0))
    assert abs(z_milli(balance)) <= LIMIT_MILLI
    tiny = Balance(Measured(0, 0, 0), 1, 0, 0, Measured(10**15 if missing < 0 else 0, 0, 1))
    assert abs(advance(None, tiny).y_milli) <= LIMIT_MILLI
