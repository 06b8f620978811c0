"""Exact quantities."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.core import quantity
from ledger.core.quantity import MAX_BASE_AMOUNT, UNITS, from_base, to_base


@pytest.mark.parametrize(
    ("value", "unit", "expected"),
    [
        ("0", "KGM", (0, "mass")),
        ("1", "MGM", (1, "mass")),
        ("0.001", "GRM", (1, "mass")),
        ("0.000001", "KGM", (1, "mass")),
        ("25.5", "KGM", (25_500_000, "mass")),
        ("0.000001", "TNE", (1000, "mass")),
        ("1.5", "MLT", (1500, "volume")),
        ("0.000001", "LTR", (1, "volume")),
        ("2", "MTQ", (2_000_000_000, "volume")),
        ("12", "H87", (12, "count")),
        ("10000000", "TNE", (MAX_BASE_AMOUNT, "mass")),
    ],
)
def test_to_base__valid__exact(value, unit, expected):
    assert to_base(value, unit) == expected


@pytest.mark.parametrize(
    ("value", "unit"),
    [
        pytest.param("1.0", "H87", id="decimal-of-pieces"),
        pytest.param("1.5", "MGM", id="decimal-of-milligrams"),
        pytest.param("1.0001", "GRM", id="four-decimals-of-grams"),
        pytest.param("1.0000001", "KGM", id="seven-decimals"),
        pytest.param("01", "KGM", id="leading-zero"),
        pytest.param("-1", "KGM", id="negative"),
        pytest.param("+1", "KGM", id="plus"),
        pytest.param("1.", "KGM", id="point-without-digits"),
        pytest.param(".5", "KGM", id="no-digit-before-point"),
        pytest.param("1e3", "KGM", id="exponent"),
        pytest.param("1 000", "KGM", id="blank"),
        pytest.param("1,5", "KGM", id="comma"),
        pytest.param("１", "KGM", id="full-width"),
        pytest.param("1\n", "KGM", id="newline"),
        pytest.param("", "KGM", id="empty"),
        pytest.param("1" * 13, "MGM", id="thirteen-digits"),
        pytest.param("10000000.000001", "TNE", id="above-ten-to-the-sixteenth"),
        pytest.param("1", "LBR", id="unknown-unit"),
        pytest.param("1", "kgm", id="lower-case-unit"),
    ],
)
def test_to_base__bad__refused(value, unit):
    with pytest.raises(ValueError):
        to_base(value, unit)


@given(st.integers(0, 10**13), st.sampled_from([unit for unit in UNITS if unit not in {"MGM", "H87"}]))
def test_from_base__any_amount__is_the_way_back(amount, unit):
    amount -= amount % (UNITS[unit].base // 10 ** min(UNITS[unit].decimals, len(str(UNITS[unit].base)) - 1))
    value = from_base(amount, unit)
    assert to_base(value, unit)[0] == amount
    assert Decimal(value) * UNITS[unit].base == amount


def test_from_base__not_exact__refused():
    with pytest.raises(ValueError):
        from_base(1, "TNE")


@pytest.mark.parametrize(
    ("pounds", "milligrams"),
    [("1", 453_592), ("47955.0", 21_752_022_103), ("2500000", 1_133_980_925_000), ("0.5", 226_796), ("0", 0)],
)
def test_lb_to_mg__declared_quantities__exact_then_rounded_half_up(pounds, milligrams):
    exact = Decimal(pounds) * Decimal("453592.37")
    assert quantity.lb_to_mg(pounds) == milligrams
    assert abs(exact - milligrams) <= Decimal("0.5")


@pytest.mark.parametrize("pounds", ["", "-1", "1e3", "1.0.0", "1,000", "NaN"])
def test_lb_to_mg__not_a_plain_decimal__refused(pounds):
    with pytest.raises(ValueError):
        quantity.lb_to_mg(pounds)


@pytest.mark.parametrize(
    ("milligrams", "text"),
    [
        (0, "0 mg"),
        (999, "999 mg"),
        (1000, "1 g"),
        (1_500_000, "1.5 kg"),
        (-25_000_000, "-25 kg"),
        (21_752_022_103, "21.752022103 t"),
        (1_234_000_000_000, "1,234 t"),
    ],
)
def test_format_mass__for_people__exact(milligrams, text):
    assert quantity.format_mass(milligrams) == text


def test_format_volume__for_people__exact():
    assert quantity.format_volume(1_500_000) == "1.5 L"
