"""What the catalogue answers for a goods line, and that its data is whole."""

import csv
import hashlib
from decimal import Decimal
from importlib.resources import files

import pytest

from ledger.catalogue import DATA_FILES, Catalogue, file_digests
from ledger.core.ids import check_cas, looks_like_cas
from ledger.core.record import parse_payload
from tests.factories import body, encode, line, payload

CATALOGUE = Catalogue.load()
H2O2 = "7722-84-1"


def classify(code, percent=None, form=None):
    return CATALOGUE.classify(code, None if percent is None else round(percent * 10_000), form)


# --- classification ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("percent", "listing", "band"),
    [
        (3, H2O2, ""),
        (8, H2O2, ""),
        (8.001, "epc-6-01c", "8%<c<20%"),
        (19.999, "epc-6-01c", "8%<c<20%"),
        (20, "epc-6-01b", "20%<=c<60%"),
        (59.999, "epc-6-01b", "20%<=c<60%"),
        (60, "epc-6-01a", "60%<=c"),
        (100, "epc-6-01a", "60%<=c"),
    ],
)
def test_classify__hydrogen_peroxide__three_bands_and_free_to_8_percent(percent, listing, band):
    found = classify(H2O2, percent, "solution")
    assert (found.listing, found.band, found.ambiguous) == (listing, band, False)
    assert found.known
    assert found.listed is (percent > 8)
    assert ("explosive_precursor" in found.categories) is (percent > 8)


def test_classify__eu_annex_one__only_above_its_limit():
    assert "eu_precursor_annex_I" not in classify(H2O2, 12).categories
    assert "eu_precursor_annex_I" in classify(H2O2, 12.001).categories
    assert "eu_precursor_annex_I" not in classify("7697-37-2", 3).categories
    assert "explosive_precursor" in classify("7697-37-2", 3).categories
    assert "eu_precursor_annex_I" in classify("7697-37-2").categories


def test_classify__no_concentration_stated__strictest_band_and_ambiguous():
    found = classify(H2O2)
    assert (found.listing, found.ambiguous, found.listed) == ("epc-6-01a", True, True)
    assert "explosive_precursor" in found.categories


def test_classify__both_ends_of_perchloric_acid_touch__the_stricter_and_not_ambiguous():
    assert classify("7601-90-3", 50).listing == "epc-1-03b"
    assert not classify("7601-90-3", 50).ambiguous
    assert classify("7601-90-3", 49.999).listing == "epc-1-03c"
    assert classify("7601-90-3", 72).listing == "epc-1-03b"
    assert classify("7601-90-3", 72.001).listing == "epc-1-03a"


def test_classify__form__picks_its_row():
    assert classify("7775-09-9", form="solid").listing == "epc-3-01a"
    assert classify("7775-09-9", form="solution").listing == "epc-3-01b"
    assert not classify("7775-09-9", form="solution").ambiguous


@pytest.mark.parametrize("form", [None, "lump"])
def test_classify__unlisted_form__strictest_row_and_ambiguous(form):
    found = classify("7775-09-9", form=form)
    assert (found.listing, found.ambiguous) == ("epc-3-01a", True)


def test_classify__dry_nitrocellulose__settled_by_its_form():
    found = classify("9004-70-0", form="dry")
    assert (found.listing, found.ambiguous) == ("epc-9-01a", False)
    assert classify("9004-70-0", form="wetted").ambiguous


def test_classify__share_that_a_line_cannot_carry__ambiguous():
    found = classify("51-28-5", form="wetted")
    assert (found.listing, found.ambiguous) == ("epc-8-08", True)


def test_classify__highly_toxic_and_drug_precursor__by_category():
    assert "highly_toxic" in classify("143-33-9").categories
    assert "drug_precursor" in classify("67-64-1").categories


def test_classify__unknown_code__not_known_not_listed():
    found = classify("58-08-2")
    assert (found.known, found.listed, found.categories, found.listing) == (False, False, frozenset(), "58-08-2")


def test_classify__substance_without_cas__goes_by_its_listing():
    assert classify("epc-7-05", form="powder").categories == {"explosive_precursor"}


# --- names and search ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("code", "en"),
    [
        ("7722-84-1", "Hydrogen peroxide, aqueous solution"),
        ("7601-90-3", "Perchloric acid"),
        ("74-89-5", "Methylamine"),
        ("79-21-0", "Peroxyacetic acid"),
        ("7439-95-4", "Magnesium"),
    ],
)
def test_names__of_a_code_in_several_strengths__say_none_of_them(code, en):
    assert CATALOGUE.names(code)["en"] == en


def test_names__known_and_unknown():
    assert CATALOGUE.names("7697-37-2") == {"zh": "硝酸", "en": "Nitric acid"}
    assert CATALOGUE.names("x-1") == {"zh": "x-1", "en": "x-1"}


@pytest.mark.parametrize("text", ["硝酸", "nitric", "NITRIC ACID", "7697-37-2", " 7697-37 ", "2031", "epc-1-01"])
def test_search__name_number_or_part__finds_nitric_acid_first(text):
    assert CATALOGUE.search(text)[0].code == "7697-37-2"


def test_search__alias__found():
    assert CATALOGUE.search("双氧水")[0].code == H2O2


def test_search__nothing_or_too_many__bounded():
    assert CATALOGUE.search("  ") == []
    assert CATALOGUE.search("no such thing") == []
    assert len(CATALOGUE.search("酸", limit=3)) == 3


# --- the data ------------------------------------------------------------------------------------------------------


def source(name):
    text = files("ledger.catalogue").joinpath(name).read_text("utf-8")
    return list(csv.DictReader(text.splitlines()))


def test_substances__every_row__is_carried_with_its_provenance():
    rows = source("substances.csv")
    assert len(rows) == len(CATALOGUE.substances) == 230
    assert len({row.code for row in CATALOGUE.substances if looks_like_cas(row.code)}) == 208
    for raw, row in zip(rows, CATALOGUE.substances, strict=True):
        assert row.listing == raw["record_id"]
        assert row.provenance == raw["provenance"] != ""
        assert row.flags == raw["flags"]
        assert ";".join(sorted(row.categories)) == ";".join(sorted(raw["categories"].split(";")))
        if raw["cas"]:
            check_cas(raw["cas"])
        if raw["gb18218_q_t"]:
            assert Decimal(row.gb18218.q_mg) / 10**9 == Decimal(raw["gb18218_q_t"])
        else:
            assert row.gb18218.q_mg is None
        assert str(row.drug_precursor_class or "") == raw["drug_precursor_class"][:1]


def test_substances__listing_ids__unique_and_fit_a_goods_line():
    assert len({row.listing for row in CATALOGUE.substances}) == 230
    for row in CATALOGUE.substances:
        parse_payload(encode(payload(body=body("movement", lines=[line(code=row.code)]))))


def test_substances__every_eu_limit__typed_or_named_here():
    untyped = {
        raw["eu_limit"]
        for raw, row in zip(source("substances.csv"), CATALOGUE.substances, strict=True)
        if raw["eu_limit"] and row.eu_limit is None
    }
    assert untyped == {
        "powder <200 um, >=70% w/w in mixtures",
        "16% N by weight in relation to ammonium nitrate",
    }
    for raw, row in zip(source("substances.csv"), CATALOGUE.substances, strict=True):
        if row.eu_limit is not None:
            assert row.eu_limit.text() == f"{raw['eu_limit'].removesuffix(' w/w')}<c"


def test_parameters__every_row__has_its_article_and_numbers_that_stand_in_its_text():
    assert len(CATALOGUE.parameters) == len(source("legal_params.csv")) == 49
    for parameter in CATALOGUE.parameters:
        assert parameter.source
        assert parameter.evidence
        for number in parameter.numbers.values():
            digits = f"{number.normalize():f}"
            assert digits in parameter.text or f"{int(number):02d}" in parameter.text, parameter.param_id


def test_parameters__numbers_file__names_known_parameters_only():
    known = {parameter.param_id for parameter in CATALOGUE.parameters}
    assert {row["param_id"] for row in source("legal_numbers.csv")} <= known
    assert len(source("legal_numbers.csv")) == len(
        {(row["param_id"], row["part"]) for row in source("legal_numbers.csv")}
    )


def test_parameter__plain_and_compound():
    assert CATALOGUE.parameter("cn591.filing.days").number == 5
    assert CATALOGUE.parameter("gb18218.R").numbers == {
        "level_1_from": Decimal(100),
        "level_2_from": Decimal(50),
        "level_3_from": Decimal(10),
    }
    with pytest.raises(KeyError):
        _ = CATALOGUE.parameter("cn591.loss.report").number
    with pytest.raises(KeyError):
        CATALOGUE.parameter("cn591.nothing")


def test_file_digests__every_data_file__sha256_of_its_bytes():
    digests = file_digests()
    assert tuple(digests) == DATA_FILES
    shipped = {path.name for path in files("ledger.catalogue").iterdir() if path.name.endswith(".csv")}
    assert shipped == set(DATA_FILES)
    data = files("ledger.catalogue").joinpath("substances.csv").read_bytes()
    assert digests["substances.csv"] == hashlib.sha256(data).hexdigest()


def test_sources__every_data_file__is_named_with_its_source():
    text = files("ledger.catalogue").joinpath("SOURCES.md").read_text("utf-8")
    for name in (
        "substances.csv",
        "legal_params.csv",
        "legal_numbers.csv",
        "properties.csv",
        "gb18218_2018_table1.csv",
        "costorage_matrix",
    ):
        assert name in text
