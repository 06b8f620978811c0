"""When a count is due: working days of the site's own zone, what lies there, and what has moved since."""

import pytest

from ledger.core.times import format_utc
from ledger.engine.inputs import unix_ms
from ledger.engine.register import Register, RegisterState
from ledger.engine.goods import goods_of
from ledger.engine.topics.accountancy import Accountancy, AccountancyState
from ledger.engine.topics.stocktaking import Stocktaking, StocktakingState
from tests.engine.helpers import HOUR, T0, Classifier, Run, line


class Books:
    def __init__(self, zone=""):
        state, register = AccountancyState(), RegisterState()
        self.register = Register(register)
        self.run = Run()
        if zone:
            stores = [{"id": "R1", "book": "B1", "class": "room"}]
            body = {"sites": [{"site": "S1", "zone": zone, "stores": stores}]}
            self.register.apply(self.run.entry("place", body))
        self.topics = (Accountancy(state), Stocktaking(StocktakingState(), state, self.register))
        self.rows = []

    def put(self, kind, body, at):
        entry = self.run.entry(kind, body, at=at)
        self.rows = [
            row
            for topic in self.topics
            if kind in topic.kinds
            for name, row in topic.apply(entry, goods_of(body, Classifier()))
            if name == "stocktake_due"
        ]

    def stocktake(self, *lines, at):
        self.put("stocktake", {"cut_off": format_utc(T0 + at), "complete": True, "lines": list(lines)}, at)

    def move(self, direction, *lines, at):
        reason = "purchase" if direction == "in" else "consumption"
        self.put("movement", {"direction": direction, "reason": reason, "lines": list(lines)}, at)

    @property
    def row(self):
        (row,) = self.rows
        return row


def ms(text):
    return unix_ms(text)


@pytest.mark.parametrize(
    ("counted", "zone", "begins"),
    [
        # Monday 2026-03-02, ten in the morning in Shanghai: Tuesday's midnight.
        ("2026-03-02T02:00:00Z", "", "2026-03-02T16:00:00Z"),
        # A quarter of an hour past midnight in Shanghai is Tuesday already.
        ("2026-03-02T16:15:00Z", "", "2026-03-03T16:00:00Z"),
        # Friday: Monday's midnight.
        ("2026-03-06T02:00:00Z", "", "2026-03-08T16:00:00Z"),
        # Another zone has another midnight.
        ("2026-03-02T02:00:00Z", "Asia/Urumqi", "2026-03-02T18:00:00Z"),
        # The day before the national holiday: 8 October, a Thursday.
        ("2026-09-30T02:00:00Z", "", "2026-10-07T16:00:00Z"),
    ],
)
def test_due__begins__with_the_next_working_day_of_the_site(counted, zone, begins):
    books = Books(zone)
    books.stocktake(line(100), at=ms(counted) - T0)
    assert (books.row["counted_ms"], books.row["since_ms"]) == (ms(counted), ms(begins))


def test_due__what_lies_there__decides_which_time_runs():
    books = Books()
    books.stocktake(line(100, code="64-17-5"), at=HOUR)
    assert [books.row[name] for name in ("holding", "precursor", "toxic", "moved")] == [True, False, False, False]
    books.move("in", line(10), at=2 * HOUR)
    assert [books.row[name] for name in ("holding", "precursor", "toxic", "moved")] == [True, True, False, True]
    assert books.row["moved_since_ms"] == ms("2026-03-02T16:00:00Z")


def test_due__second_movement__begins_no_new_time():
    books = Books()
    books.stocktake(line(100), at=HOUR)
    books.move("out", line(1), at=2 * HOUR)
    since = books.row["moved_since_ms"]
    books.move("out", line(1), at=50 * HOUR)
    assert books.rows == []
    books.stocktake(line(98), at=51 * HOUR)
    assert (books.row["moved"], books.row["moved_since_ms"]) == (False, 0)
    assert books.row["since_ms"] > since


def test_due__emptied_and_final__wait_for_nothing():
    books = Books()
    books.stocktake(line(100), at=HOUR)
    books.move("out", line(100), at=2 * HOUR)
    assert books.row["holding"] is False
    books.move("in", line(100), at=3 * HOUR)
    assert books.row["holding"] is True
    books.put("close", {"day": "2026-03-02", "last_seq": 3, "lines": [], "nil": False, "final": False}, 4 * HOUR)
    assert books.rows == []
    books.put("close", {"day": "2026-03-02", "last_seq": 4, "lines": [], "nil": False, "final": True}, 5 * HOUR)
    assert books.row["holding"] is False


def test_due__partial_count__is_no_count():
    books = Books()
    books.stocktake(line(100), at=HOUR)
    body = {"cut_off": format_utc(T0 + 30 * HOUR), "complete": False, "lines": [line(100)]}
    books.put("stocktake", body, 30 * HOUR)
    assert books.rows == []
