"""Which grant `hazledger authority revoke` means by the beginning of its id."""

from types import SimpleNamespace

import click
import pytest

from ledger.cli.authority import _grant

IDS = ("aabbcc01" + "0" * 56, "aabbcc02" + "0" * 56, "ddeeff01" + "0" * 56)


@pytest.fixture
def here():
    grants = [SimpleNamespace(g=g) for g in IDS]
    stores = SimpleNamespace(log=SimpleNamespace(grants=lambda: grants))
    return SimpleNamespace(stores=stores, enrolments=SimpleNamespace(all=list), config=SimpleNamespace(origin="x"))


@pytest.mark.parametrize(
    ("text", "wanted"),
    [("aabbcc01", IDS[0]), ("DDEEFF", IDS[2]), (f" {IDS[1]} ", IDS[1]), ("7" * 64, "7" * 64)],
)
def test_grant__only_one_begins_so_or_a_whole_id__is_meant(here, text, wanted):
    assert _grant(here, text).hex() == wanted


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("aabbcc", "2 grants begin with aabbcc: aabbcc0100000000…, aabbcc0200000000…; give more digits"),
        ("0123456", "no grant begins with 0123456; `hazledger authority list` shows them"),
        ("aabbc", "6 to 64 hex digits"),
        ("grants", "6 to 64 hex digits"),
        ("a" * 65, "6 to 64 hex digits"),
    ],
)
def test_grant__several_or_none__nothing_is_ended_and_it_says_which(here, text, said):
    with pytest.raises(click.BadParameter) as refused:
        _grant(here, text)
    assert said in refused.value.message
