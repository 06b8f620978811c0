"""Files of restricted sets: their form, and that an error gives nothing of them away."""

import json

import pytest

from ledger.catalogue.restricted import example_sets, read_restricted_sets
from ledger.errors import ConfigError

SALT, SUGAR = "7647-14-5", "57-50-1"


def read(*sets):
    return read_restricted_sets(json.dumps({"sets": sets}).encode(), "sets.json")


def test_example__is_named_by_number_and_harmless():
    assert [one.name for one in example_sets().sets] == ["S_1", "S_2"]
    assert example_sets().sets[0].is_usual_in("C1411")
    assert not example_sets().sets[0].is_usual_in("") and not example_sets().sets[1].is_usual_in("C1411")


@pytest.mark.parametrize(
    ("ppm", "found"), [(None, True), (899_999, False), (900_000, True), (1_000_000, True)], ids=str
)
def test_groups_of__concentration__both_ends_are_in_the_range_and_what_is_not_stated_may_be(ppm, found):
    sets = read({"groups": [[{"code": SALT}], [{"code": SUGAR, "from": "90"}]]})
    assert list(sets.groups_of(SUGAR, ppm)) == ([(0, 1)] if found else [])
    assert list(sets.groups_of(SALT, ppm)) == [(0, 0)]
    assert not list(sets.groups_of("64-17-5", ppm))


def test_digest__any_other_byte__is_another():
    one, other = (
        read({"groups": [[{"code": SALT}], [{"code": SUGAR}]]}),
        read({"groups": [[{"code": SUGAR}], [{"code": SALT}]]}),
    )
    assert one.digest != other.digest


@pytest.mark.parametrize(
    "wrong",
    [
        {},
        {"groups": []},
        {"groups": [[{"code": SALT}]]},
        {"groups": [[{"code": SALT}], []]},
        {"groups": [[{"code": SALT}], [{"code": ""}]]},
        {"groups": [[{"code": SALT}], [{"code": SUGAR, "from": "90", "to": "80"}]]},
        {"groups": [[{"code": SALT}], [{"code": SUGAR, "to": "101"}]]},
        {"groups": [[{"code": SALT}], [{"code": SUGAR, "to": "many"}]]},
        {"groups": [[{"code": SALT}], [{"code": SUGAR, "least": "1"}]]},
        {"groups": [[{"code": SALT}], [{"code": SUGAR}]], "industries": [1]},
        {"groups": [[{"code": SALT}], [{"code": SUGAR}]], "name": "x"},
        [],
    ],
    ids=str,
)
def test_read__wrong_set__is_named_by_number_without_its_content(wrong):
    good = {"groups": [[{"code": SALT}], [{"code": SUGAR}]]}
    with pytest.raises(ConfigError) as caught:
        read(good, wrong)
    assert "sets.json: set 2" in caught.value.detail
    assert SALT not in caught.value.detail and SUGAR not in caught.value.detail
    assert caught.value.__cause__ is None and caught.value.__suppress_context__


@pytest.mark.parametrize("data", [b"", b"\xff", b"[]", b"{}", b'{"sets": []}', b'{"sets": [], "more": 1}'], ids=repr)
def test_read__not_such_a_file__names_it(data):
    with pytest.raises(ConfigError, match=r"sets\.json"):
        read_restricted_sets(data, "sets.json")
