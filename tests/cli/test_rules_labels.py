"""Labels of the commands about rules: both languages hold the same places, so that neither loses a value."""

from string import Formatter

from ledger.cli.rules.labels import _LABELS, counted
from ledger.cli.moments import span


def places(text):
    return {name for _, name, _, _ in Formatter().parse(text) if name}


def test_labels__both_languages__hold_the_same_values():
    for name, (zh, en) in _LABELS.items():
        assert places(zh) == places(en), name
        assert zh and en and zh != en, name


def test_counted__one_two_and_many__as_people_say_them():
    assert [counted("en", n, "day") for n in (0, 1, 2, 1200)] == ["0 days", "1 day", "2 days", "1,200 days"]
    assert counted("zh", 1200, "day") == "1,200"


def test_span__in_both_languages():
    assert [span(ms) for ms in (5 * 86_400_000, 3_600_000, 90_000, 1, 0)] == ["5 d", "1 h", "90 s", "1 ms", "0 ms"]
    assert [span(ms, "zh") for ms in (5 * 86_400_000, 900_000, 1)] == ["5 天", "15 分钟", "1 毫秒"]
