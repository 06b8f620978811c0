"""What may not stand together, and alpha of GB 18218-2018."""

import pytest

from ledger.catalogue.storage import alpha_milli, clash


@pytest.mark.parametrize(
    ("first", "second", "found"),
    [
        ({"OX"}, {"FL"}, ("FL+OX", True)),
        ({"FL"}, {"OX", "AC"}, ("FL+OX", True)),
        ({"AC"}, {"CN", "TX"}, ("AC+CN", True)),
        ({"OX"}, {"FS"}, ("FS+OX", False)),
        ({"EXP"}, {"FL"}, ("EXP+*", True)),
        ({"OP"}, set(), ("OP+*", False)),
        ({"EXP"}, {"EXP"}, None),
        ({"AC"}, {"BA"}, None),  # apart, but not in another compartment
        ({"TX"}, {"FL"}, None),  # the rule about highly toxic goods speaks of these
        (set(), set(), None),
    ],
)
def test_clash__is_symmetric_and_names_the_worst(first, second, found):
    assert clash(frozenset(first), frozenset(second)) == found
    assert clash(frozenset(second), frozenset(first)) == found


@pytest.mark.parametrize(
    ("people", "alpha"), [(0, 500), (1, 1000), (29, 1000), (30, 1200), (50, 1500), (99, 1500), (100, 2000), (None, 2000)]
)
def test_alpha__by_table_5(people, alpha):
    assert alpha_milli(people) == alpha
