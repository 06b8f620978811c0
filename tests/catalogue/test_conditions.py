"""Every condition of the list, row by row, against its own words."""

import csv
from pathlib import Path

import pytest

from ledger.catalogue import Catalogue, Condition, Holds, Range
from ledger.catalogue.conditions import Constituent, parse_condition

CATALOGUE = Catalogue.load()
WITH_TEXT = [row for row in CATALOGUE.substances if row.condition.text_zh]


def upto(percent, is_open=False):
    return Range(high_ppm=round(percent * 10_000), high_open=is_open)


def since(percent, is_open=False):
    return Range(low_ppm=round(percent * 10_000), low_open=is_open)


# Written by hand from the list's words, not by the parser: listing -> (concentration, forms, constituents).
EXPECTED = {
    "epc-1-03a": (since(72, is_open=True), set(), {}),
    "epc-1-03b": (Range(500_000, 720_000), set(), {}),
    "epc-1-03c": (upto(50), set(), {}),
    "epc-3-01a": (None, {"solid"}, {}),
    "epc-3-01b": (None, {"solution"}, {}),
    "epc-3-02a": (None, {"solid"}, {}),
    "epc-3-02b": (None, {"solution"}, {}),
    "epc-6-01a": (since(60), set(), {}),
    "epc-6-01b": (Range(200_000, 600_000, high_open=True), set(), {}),
    "epc-6-01c": (Range(80_000, 200_000, low_open=True, high_open=True), set(), {}),
    "epc-6-11a": (
        upto(16),
        set(),
        {
            "water": since(39),
            "acetic_acid": since(15),
            "hydrogen_peroxide": upto(24),
            "stabiliser": Range(low_ppm=0, low_open=True),
        },
    ),
    "epc-6-11b": (
        upto(43),
        set(),
        {
            "water": since(5),
            "acetic_acid": since(35),
            "hydrogen_peroxide": upto(6),
            "stabiliser": Range(low_ppm=0, low_open=True),
        },
    ),
    "epc-6-12": (Range(520_000, 1_000_000, low_open=True), set(), {}),
    "epc-7-04a": (None, {"powder"}, {}),
    "epc-7-04b": (None, {"pellets", "turnings", "ribbon"}, {}),
    "epc-7-05": (None, {"powder"}, {}),
    "epc-7-06a": (None, {"powder-coated"}, {}),
    "epc-7-06b": (None, {"powder-uncoated"}, {}),
    "epc-7-07b": (None, {"powder"}, {}),
    "epc-7-09a": (None, {"dust"}, {}),
    "epc-7-09b": (None, {"powder"}, {}),
    "epc-7-09c": (None, {"ash"}, {}),
    "epc-7-10a": (None, {"massive"}, {}),
    "epc-7-10b": (None, {"powder"}, {}),
    "epc-7-13a": (None, {"anhydrous"}, {}),
    "epc-7-13b": (None, {"solution"}, {}),
    "epc-8-07a": (None, set(), {"water": upto(15, is_open=True)}),
    "epc-8-07b": (None, {"solution"}, {}),
    "epc-8-08": (None, set(), {"water": since(15)}),
    "epc-8-09": (None, set(), {"water": since(15)}),
    "epc-8-10": (None, set(), {"water": since(15)}),
    "epc-9-01a": (None, set(), {"water+ethanol": upto(25, is_open=True)}),
    "epc-9-01b": (None, set(), {"nitrogen": upto(12.6), "ethanol": since(25)}),
    "epc-9-01c": (None, set(), {"nitrogen": upto(12.6)}),
    "epc-9-01d": (None, set(), {"water": since(25)}),
    "epc-9-01e": (None, set(), {"ethanol": since(25)}),
    "epc-9-01f": (None, {"unmodified", "plasticized"}, {"plasticizer": upto(18, is_open=True)}),
    "epc-9-01g": (upto(55), set(), {"nitrogen": upto(12.6)}),
}


def test_parse_condition__rows_with_a_condition__are_all_expected_here():
    assert {row.listing for row in WITH_TEXT} == set(EXPECTED)


@pytest.mark.parametrize("row", WITH_TEXT, ids=lambda row: row.listing)
def test_parse_condition__row__agrees_with_the_lists_words(row):
    concentration, forms, constituents = EXPECTED[row.listing]
    assert row.condition == Condition(
        text_zh=row.condition.text_zh,
        concentration=concentration,
        forms=frozenset(forms),
        constituents=tuple(Constituent(name, share) for name, share in constituents.items()),
        parsed=True,
    )


def test_substances__condition_and_name__are_word_for_word_the_2017_list():
    with (Path(__file__).parent / "epc_2017_list.csv").open(encoding="utf-8", newline="") as stream:
        official = {row["record_id"].replace("explosive-", "epc-"): row for row in csv.DictReader(stream)}
    ours = {row.listing: row for row in CATALOGUE.substances if row.listing.startswith("epc-")}
    assert ours.keys() == official.keys()
    for listing, row in ours.items():
        assert row.condition.text_zh == official[listing]["condition_zh"], listing
        assert row.name_zh == official[listing]["name_zh"], listing
        assert row.code == (official[listing]["cas"] or listing), listing
        assert "explosive_precursor" in row.categories, listing


@pytest.mark.parametrize("text", ["大约8%", "含水", "含盐≥5%", "含量≥8%，气味浓", "含量>8，含量<9%", "8<含量<9"])
def test_parse_condition__words_outside_the_grammar__kept_and_not_parsed(text):
    condition = parse_condition(text)
    assert not condition.parsed
    assert condition.text_zh == text
    assert condition.holds(90_000, "liquid", frozenset()) is not Holds.YES


def test_parse_condition__two_ranges_of_the_same__not_parsed():
    assert not parse_condition("含量≥8%，含量≥9%").parsed


@pytest.mark.parametrize(
    ("ppm", "answer"),
    [(79_999, Holds.NO), (80_000, Holds.NO), (80_001, Holds.YES), (199_999, Holds.YES), (200_000, Holds.NO)],
)
def test_range__open_ends__do_not_belong(ppm, answer):
    assert Range(80_000, 200_000, low_open=True, high_open=True).holds(ppm) is answer


@pytest.mark.parametrize(
    ("ppm", "answer"), [(499_999, Holds.NO), (500_000, Holds.YES), (720_000, Holds.YES), (720_001, Holds.NO)]
)
def test_range__closed_ends__belong(ppm, answer):
    assert Range(500_000, 720_000).holds(ppm) is answer


def test_range__unknown_share__may_hold():
    assert Range(low_ppm=1).holds(None) is Holds.MAYBE


@pytest.mark.parametrize(
    ("share", "text"),
    [
        (Range(80_000, 200_000, low_open=True, high_open=True), "8%<c<20%"),
        (Range(200_000, 600_000, high_open=True), "20%<=c<60%"),
        (Range(low_ppm=600_000), "60%<=c"),
        (Range(high_ppm=126_000), "c<=12.6%"),
    ],
)
def test_range__text__says_open_and_closed(share, text):
    assert share.text() == text
