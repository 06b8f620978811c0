"""Densities and age limits that are assumed: every row as it is read, and what a wrong table is refused for."""

import csv
import re
from importlib.resources import files

import pytest

from ledger.catalogue import Catalogue, file_digests
from ledger.catalogue.properties import COLUMNS, EVIDENCE, PURE_FROM_PPM, Properties, assumed_mass_mg, read_properties
from ledger.errors import ConfigError
from ledger.rulesets import present_catalogue

CATALOGUE = Catalogue.load()
TEXT = files("ledger.catalogue").joinpath("properties.csv").read_text("utf-8")
SOURCES = files("ledger.catalogue").joinpath("SOURCES.md").read_text("utf-8")
RAW = list(csv.DictReader(TEXT.splitlines()))
HEADER = ",".join(COLUMNS)
ACETONE, NITRIC, ETHER, POTASSIUM = "67-64-1", "7697-37-2", "60-29-7", "7440-09-7"
GASES = ("7782-50-5", "75-44-5", "74-82-8", "1333-74-0", "7664-41-7", "7647-01-0", "74-89-5", "106-99-0")


def density(code, percent=None, form=None):
    return CATALOGUE.classify(code, None if percent is None else round(percent * 10_000), form).density_g_per_l


# --- every row -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("raw", RAW, ids=lambda raw: f"{raw['code']}@{raw['concentration']}")
def test_row__of_the_shipped_table__is_what_a_line_of_that_code_and_concentration_is_taken_for(raw):
    found = CATALOGUE.classify(raw["code"], round(float(raw["concentration"]) * 10_000), None)
    assert found.known, "a substance of substances.csv"
    assert found.density_g_per_l == int(raw["density_g_per_l"] or 0)
    if raw["peroxide_former_months"]:
        assert found.peroxide_months == int(raw["peroxide_former_months"])
    if raw["unstated"] == "1":
        assert density(raw["code"]) == int(raw["density_g_per_l"] or 0)
    assert raw["basis"] == "engineering default"
    assert raw["evidence"] in EVIDENCE
    for name in raw["source"].split(";"):
        assert f"`{name}`" in SOURCES or re.search(r"nsc-[A-D]$", name)


def test_rows__of_one_code__end_with_the_substance_itself_or_serve_unstated_with_the_densest():
    for code in {raw["code"] for raw in RAW}:
        rows = [row for row in CATALOGUE.properties.rows if row.code == code]
        for row in rows:
            if row.serves_unstated and row.density_g_per_l:
                assert row.concentration_ppm == 1_000_000 or row.density_g_per_l == max(r.density_g_per_l for r in rows)


def test_rows__are_as_many_as_lines_and_liquids_only():
    assert len(CATALOGUE.properties.rows) == len(RAW) == 123
    densities = [int(raw["density_g_per_l"]) for raw in RAW if raw["density_g_per_l"]]
    assert min(densities) == 600 and max(densities) == 3103  # pentaborane and bromine


@pytest.mark.parametrize(
    ("code", "percent", "expected"),
    [
        ("7664-93-9", 98, 1836),
        ("7697-37-2", 68, 1405),
        ("7722-84-1", 27.5, 1103),
        ("7722-84-1", 50, 1196),
        ("7647-01-0", 31, 1155),
        ("7601-90-3", 70, 1674),
        ("67-64-1", None, 791),
        ("67-64-1", 99.5, 791),
        ("60-29-7", None, 714),
        ("108-88-3", None, 867),
        ("67-66-3", None, 1493),
        ("78-93-3", None, 805),
        ("110-89-4", None, 863),
        ("75-52-5", None, 1134),
        ("108-24-7", None, 1082),
    ],
)
def test_density__of_what_is_traded__is_that_of_the_handbooks(code, percent, expected):
    assert density(code, percent) == expected


# --- what is known, and what is not ----------------------------------------------------------------------------------


def test_density__between_two_rows__is_interpolated_and_rounded_up():
    table = Properties(read_properties(f"{HEADER}\n{row(NITRIC, 10, 0, 1000)}\n{row(NITRIC, 20, 0, 1101)}\n").rows)
    assert [table.density_g_per_l(NITRIC, ppm, None) for ppm in (100_000, 150_000, 199_999, 200_000)] == [
        1000,
        1051,
        1101,
        1101,
    ]
    falling = read_properties(f"{HEADER}\n{row('64-17-5', 40, 0, 934)}\n{row('64-17-5', 50, 0, 913)}\n")
    assert falling.density_g_per_l("64-17-5", 450_000, None) == 924


@pytest.mark.parametrize(
    ("code", "percent", "form"),
    [
        (NITRIC, 9.999, None),  # less than the least row
        ("7601-90-3", 72.001, None),  # more than the greatest
        (ACETONE, 94.999, None),  # no longer the substance itself
        (ACETONE, None, "solution"),  # of what strength?
        (ACETONE, None, "gas"),
        (ACETONE, None, "powder"),
        ("7647-01-0", None, None),  # the gas or the acid?
        ("1310-73-2", None, None),  # the solid or its lye?
        ("86290-81-5", None, None),  # gasoline is of no single density
        ("52583-42-3", None, None),  # so is fuming nitric acid
        ("7757-79-1", None, None),  # a solid
        ("58-08-2", None, None),  # not listed
        (POTASSIUM, None, None),
        *((code, None, None) for code in GASES),
    ],
)
def test_density__where_no_single_one_is_honest__nothing_is_known(code, percent, form):
    assert density(code, percent, form) == 0


def test_density__of_a_pure_liquid__serves_from_95_percent_on():
    assert density(ACETONE, PURE_FROM_PPM / 10_000) == 791


def test_density__of_an_acid_of_unstated_strength__is_the_densest():
    assert density(NITRIC) == density(NITRIC, 100) == density(NITRIC, None, "solution") == 1513
    assert density("7664-93-9") == 1836


def test_peroxide_months__by_class__whatever_the_concentration_but_not_of_a_gas():
    months = {row.code: row.peroxide_months for row in CATALOGUE.properties.rows if row.peroxide_months}
    assert months == {
        ETHER: 12,
        POTASSIUM: 3,
        "106-99-0": 3,
        "100-42-5": 12,
        "107-13-1": 12,
        "75-01-4": 12,
        "107-02-8": 12,
    }
    assert CATALOGUE.classify(ETHER, 500_000, "solution").peroxide_months == 12
    assert CATALOGUE.classify("106-99-0", None, "gas").peroxide_months == 0
    assert CATALOGUE.classify(ACETONE, None, None).peroxide_months == 0


def test_assumed_mass__of_microlitres__is_milligrams_rounded_away_from_nothing():
    assert assumed_mass_mg(1_000_000, 791) == 791_000
    assert assumed_mass_mg(1, 791) == 1
    assert assumed_mass_mg(-1, 791) == -1
    assert assumed_mass_mg(0, 791) == 0


def test_catalogue_digest__has_the_table():
    assert f"properties.csv:{file_digests()['properties.csv']}" in present_catalogue().split()


# --- a wrong table -----------------------------------------------------------------------------------------------------


def row(code=ACETONE, concentration=100, unstated=1, density=791, months="", basis="engineering default",
        evidence="stored", source="vdi"):  # fmt: skip
    return f"{code},{concentration},{unstated},{density},{months},{basis},{evidence},{source}"


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        (row(code="67-64-2"), "check digit"),
        (row(code="epc-7-05"), "CAS number"),
        (row(concentration=""), "no concentration"),
        (row(concentration=0), "no concentration"),
        (row(concentration="100.001"), "no concentration"),
        (row(concentration="1.2345"), "no concentration"),
        (row(concentration="-5"), "no concentration"),
        (row(unstated="yes"), "unstated is 0 or 1"),
        (row(density="0.791"), "density_g_per_l is empty or a whole number"),
        (row(density=0), "density_g_per_l is empty or a whole number"),
        (row(density=23_001), "up to 23000"),
        (row(density="-791"), "density_g_per_l"),
        (row(months="61"), "peroxide_former_months is empty or a whole number up to 60"),
        (row(months="3m"), "peroxide_former_months"),
        (row(density=""), "a density, an age limit or both"),
        (row(basis="legal"), "engineering default"),
        (row(evidence="guess"), "evidence is one of stored, memory"),
        (row(source=""), "a number has a source"),
        (row(source="vdi;"), "a number has a source"),
        (row() + ",more", "8 cells are expected, here are 9"),
        (row(NITRIC, 10, 0, 1054), "do not ascend"),
        (row(NITRIC, 30, 1, 1180), "two rows of 7697-37-2 serve"),
        (row(NITRIC, 30, 0, 1180, 3), "two rows of 7697-37-2 have an age limit"),
    ],
)
def test_read_properties__wrong_row__is_refused_with_its_line(wrong, said):
    good = f"{HEADER}\n{row(NITRIC, 20, 1, 1115, 12)}\n"
    with pytest.raises(ConfigError) as raised:
        read_properties(good + wrong + "\n", "table.csv")
    assert str(raised.value.detail).startswith("table.csv:3: ")
    assert said in raised.value.detail


def test_read_properties__other_columns__are_refused_at_the_first_line():
    for text in ("", "code,density\n", HEADER.replace("unstated", "default") + "\n"):
        with pytest.raises(ConfigError, match="the columns are code,concentration"):
            read_properties(text)
