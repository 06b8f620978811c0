"""Check digits and the search for personal data.

The valid examples are public ones: CAS's own example (107-07-3, caffeine 58-08-2), the worked example of GB 32100-2015
(91350100M000100Y43) and of GB 11643-1999 (11010519491231002X).
"""

import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.core import ids

CREDIT = "91350100M000100Y43"
RESIDENT = "11010519491231002X"


@pytest.mark.parametrize("code", ["107-07-3", "58-08-2", "7697-37-2", "7722-84-1", "64-17-5"])
def test_check_cas__valid__passes(code):
    ids.check_cas(code)


@pytest.mark.parametrize(
    "code",
    [
        pytest.param("7697-37-3", id="wrong-check-digit"),
        pytest.param("7679-37-2", id="two-digits-swapped"),
        pytest.param("7697372", id="no-hyphens"),
        pytest.param("7697-7-2", id="one-digit-group"),
        pytest.param("0097-37-2", id="leading-zero"),
        pytest.param("7697-37-2\n", id="newline"),
        pytest.param("７697-37-2", id="full-width-digit"),
    ],
)
def test_check_cas__bad__refused(code):
    with pytest.raises(ValueError, match="CAS"):
        ids.check_cas(code)


def test_check_credit_code__standard_example__passes():
    ids.check_credit_code(CREDIT)
    assert ids.credit_code_for(CREDIT[:17]) == CREDIT


@pytest.mark.parametrize(
    "code",
    [
        pytest.param(CREDIT[:17] + "4", id="wrong-check-character"),
        pytest.param(CREDIT[:-1], id="short"),
        pytest.param(CREDIT + "0", id="long"),
        pytest.param(CREDIT.lower(), id="lower-case"),
        pytest.param("91350100O000100Y43", id="letter-O"),
        pytest.param("9135010AM000100Y43", id="letter-in-region"),
        pytest.param(CREDIT + "\n", id="newline"),
    ],
)
def test_check_credit_code__bad__refused_without_naming_it(code):
    with pytest.raises(ValueError) as caught:
        ids.check_credit_code(code)
    assert code not in str(caught.value)


@given(st.integers(0, 16), st.sampled_from(string.digits))
def test_check_credit_code__one_digit_changed__refused(place, digit):
    # Mod 31 with weights coprime to 31 finds every single substitution.
    changed = CREDIT[:place] + digit + CREDIT[place + 1 :]
    if changed != CREDIT:
        with pytest.raises(ValueError):
            ids.check_credit_code(changed)


def test_credit_code_for__wrong_prefix__refused():
    with pytest.raises(ValueError):
        ids.credit_code_for("I" * 17)


def test_check_resident_id__standard_example__passes():
    ids.check_resident_id(RESIDENT)
    assert ids.resident_id_for(RESIDENT[:17]) == RESIDENT


@pytest.mark.parametrize(
    "number",
    [
        pytest.param("110105194912310021", id="wrong-check-character"),
        pytest.param("11010519491331002X", id="month-13"),
        pytest.param("11010519490229002X", id="29-february-1949"),
        pytest.param("110105491231002", id="fifteen-digits"),
        pytest.param("01010519491231002X", id="leading-zero"),
        pytest.param("11010519491231002x", id="lower-case"),
    ],
)
def test_check_resident_id__bad__refused_without_naming_it(number):
    with pytest.raises(ValueError) as caught:
        ids.check_resident_id(number)
    assert number not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        (RESIDENT, "resident-id"),
        (f"身份证{RESIDENT}。", "resident-id"),
        (RESIDENT.lower(), "resident-id"),
        ("110105 19491231 002X", "resident-id"),
        ("110105-19491231-002X", "resident-id"),
        ("13800138000", "mobile-number"),
        ("电话13800138000", "mobile-number"),
        ("+8613800138000", "mobile-number"),
        ("86-13800138000", "mobile-number"),
        ("008613800138000", "mobile-number"),
        ("138 0013 8000", "mobile-number"),
        ("138-0013-8000", "mobile-number"),
        ("１３８００１３８０００", "mobile-number"),
        ("call:19912345678;", "mobile-number"),
    ],
)
def test_find_personal_data__number_in_text__found(text, kind):
    assert ids.find_personal_data(text) == kind


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("", id="empty"),
        pytest.param("110105194912310021", id="resident-id-with-wrong-check"),
        pytest.param("A13800138000", id="letter-before"),
        pytest.param("13800138000kg", id="letter-after"),
        pytest.param("138001380001", id="twelve-digits"),
        pytest.param("12800138000", id="no-mobile-prefix"),
        pytest.param("ab" * 10 + "13800138000" + "cd" * 10, id="inside-hex"),
        pytest.param(CREDIT, id="credit-code"),
        pytest.param("7697-37-2", id="cas"),
        pytest.param("2026-03-02T09:30:00+08:00", id="time"),
        pytest.param("0513-81234567", id="land-line"),
        pytest.param("69012345678901234567", id="twenty-digit-trace-mark"),
    ],
)
def test_find_personal_data__no_number_of_a_person__nothing(text):
    assert ids.find_personal_data(text) is None


@given(st.text())
def test_find_personal_data__any_text__never_raises(text):
    assert ids.find_personal_data(text) in {None, "resident-id", "mobile-number"}
