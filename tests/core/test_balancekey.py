"""The balance key as text."""

import pytest

from ledger.core.balancekey import BalanceKey, key_parts


@pytest.mark.parametrize(
    ("key", "parts"),
    [
        ("7697-37-2|||bulk||mass", BalanceKey("7697-37-2", "", "", "bulk", "", "mass")),
        ("7722-84-1|8%<c<20%|liquid|sealed|A1|volume", BalanceKey("7722-84-1", "8%<c<20%", "liquid", "sealed", "A1", "volume")),
        ("knife-1|||sealed|a|b|/c|count", BalanceKey("knife-1", "", "", "sealed", "a|b|/c", "count")),
        ("knife-1|||sealed|||count", BalanceKey("knife-1", "", "", "sealed", "|", "count")),
    ],
)
def test_key_parts__any_batch__parts_come_back(key, parts):
    assert key_parts(key) == parts
    assert "|".join(parts) == key


@pytest.mark.parametrize("text", ["", "7697-37-2", "7697-37-2||bulk|mass", "7697-37-2|||bulk|mass"])
def test_key_parts__another_text__refused(text):
    with pytest.raises(ValueError, match="unpack|six"):
        key_parts(text)
