"""What the demo says of the records that were refused."""

from collections import Counter

import pytest

from ledger.cli.demo import refusals


@pytest.mark.parametrize(
    ("answers", "unplanned", "said"),
    [
        ({"accepted": 9}, 0, "refused 0"),
        ({"accepted": 9, "fork": 1, "book-not-opened": 1}, 0, "refused 2 (planted: sent to be refused)"),
        ({"fork": 1, "schema": 2}, 2, "refused 3 (1 planted, 2 not)"),
    ],
)
def test_refusals__planted_or_not__are_told_apart(answers, unplanned, said):
    assert refusals(Counter(answers), unplanned) == said
