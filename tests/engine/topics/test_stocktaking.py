"""When a count is due: working days of the site's own zone, what lies there, and what has moved since."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ledger.catalogue import Catalogue
from ledger.core.times import format_utc
from ledger.engine.inputs import unix_ms
from ledger.engine.goods import goods_of
from ledger.engine.register import Register, RegisterState
from ledger.engine.topics.accountancy import Accountancy, AccountancyState
from ledger.engine.topics.stocktaking import Stocktaking, StocktakingState
from tests.engine.helpers import HOUR, T0, Run, line

CATALOGUE = Catalogue.load()


class Books:
    def __init__(self, zone=""):
        state, register = AccountancyState(), RegisterState()
        self.register = Register(register)
        self.run = Run()
        if zone:
            stores = [{"id": "R1", "book": "B1", "class": "room"}]
            body = {"sites": [{"site": "S1", "zone": zone, "stores": stores}]}
            self.register.apply(self.run.entry("place", body))
        self.topics = (Accountancy(state, self.register), Stocktaking(StocktakingState(), state, self.register))
        self.rows = []

    def put(self, kind, body, at, event=None):
        entry = self.run.entry(kind, body, at=at, event=event)
        self.rows = [
            row
            for topic in self.topics
            if kind in topic.kinds
            for name, row in topic.apply(entry, goods_of(body, CATALOGUE))
            if name == "stocktake_due"
        ]

    def stocktake(self, *lines, at):
        self.put("stocktake", {"cut_off": format_utc(T0 + at), "complete": True, "lines": list(lines)}, at)

    def move(self, direction, *lines, at, event=None):
        reason = "purchase" if direction == "in" else "consumption"
        self.put("movement", {"direction": direction, "reason": reason, "lines": list(lines)}, at, event)

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


@settings(max_examples=80, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.sampled_from(["in", "out", "out", "count"]),
            st.integers(0, 3),
            st.sampled_from(["7697-37-2", "143-33-9", "64-17-5"]),
            st.integers(0, 40),
        ),
        max_size=25,
    )
)
def test_due__what_is_skipped__would_have_said_nothing(script):
    def rows(*, skipping):
        books, found = Books(), []
        books.topics[1]._changes_nothing = books.topics[1]._changes_nothing if skipping else lambda *_: False
        books.stocktake(line(5), at=0)
        for at, (what, kg, code, back) in enumerate(script, start=1):
            if what == "count":
                books.stocktake(line(kg, code=code), at=at * 10 * HOUR)
            else:
                books.move(what, line(kg, code=code), at=at * 10 * HOUR, event=(at * 10 - back) * HOUR)
            found += [{n: v for n, v in row.items() if n not in ("received_ms", "event_ms")} for row in books.rows]
        return found

    assert rows(skipping=True) == rows(skipping=False)
