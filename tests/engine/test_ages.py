"""Which keys hold something old."""

from __future__ import annotations

from ledger.engine.ages import Ages
from ledger.engine.days import DAY_MS

DAY = 100 * DAY_MS


def test_take__keys_of_three_days__those_that_may_be_so_old_each_once():
    ages = Ages([("a", DAY), ("b", DAY + 2 * DAY_MS)])
    ages.note("c", DAY + 5)
    ages.note("a", DAY + DAY_MS)

    assert ages.take(DAY + DAY_MS) == ["a", "c"]
    assert ages.take(DAY + DAY_MS) == []
    assert ages.take(DAY + 2 * DAY_MS) == ["b"]


def test_take__noted_again__comes_again():
    ages = Ages([("a", DAY + 10)])

    assert ages.take(DAY) == ["a"]  # later on the same day: whoever asks looks
    ages.note("a", DAY + 10)

    assert ages.take(DAY - 1) == []
    assert ages.take(DAY + 10) == ["a"]
