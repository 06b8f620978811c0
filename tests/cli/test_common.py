"""What commands share."""

import pytest

from ledger.cli.common import counted


@pytest.mark.parametrize(
    ("count", "more", "said"),
    [
        (0, {}, "0 days"),
        (0, {"none": "no"}, "no days"),
        (1, {}, "1 day"),
        (2, {"none": "no"}, "2 days"),
        (1200, {}, "1,200 days"),
        (1200, {"lang": "zh"}, "1,200"),
    ],
)
def test_counted__as_people_say_it(count, more, said):
    assert counted(count, "day", **more) == said
