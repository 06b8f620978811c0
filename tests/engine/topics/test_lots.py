"""Lots: stated dates, age limits of peroxide formers, and what is left of each, whatever is corrected."""

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ledger.catalogue import Catalogue
from ledger.core.times import format_utc
from ledger.engine.fold import Fold
from ledger.engine.goods import goods_of
from ledger.engine.register import Register, RegisterState, Site, SiteStore
from ledger.engine.topics.lots import MOST_LOTS, LotBook, Lots, _months_after
from ledger.engine.state import decode_state, encode_state
from tests.engine.helpers import HOUR, IDENTITY, NITRIC, T0, Run, line

CATALOGUE = Catalogue.load()
DAY = 24 * HOUR
ETHER, POTASSIUM, BUTADIENE = "60-29-7", "7440-09-7", "106-99-0"
KG = 1_000_000


class Kept:
    """A LotBook, fed with records; `rows` are (date, kg, months) of the last one."""

    def __init__(self, tanks=()):
        self.run, self.state = Run(), {}
        stores = {name: SiteStore("B1", "tank") for name in tanks}
        self.register = Register(RegisterState(sites={"A/S1": Site(record_id="x", stores=stores)}))

    def _told(self, rows):
        self.rows = [(row["expires"], row["amount"] / KG, row["age_months"]) for _, row in rows]
        # What is kept survives a snapshot at any moment.
        self.state = msgspec.msgpack.decode(msgspec.msgpack.encode(self.state), type=dict[str, Lots])
        return self.rows

    def _book(self):
        return LotBook(self.state, self.register)

    def move(self, direction, *lines, day=0, **more):
        body = {"direction": direction, "reason": "found", "lines": list(lines)}
        return self.feed(self.run.entry("movement", body, at=int(day * DAY), **more))

    def count(self, *lines, day=0, complete=True):
        body = {"cut_off": format_utc(T0 + day * DAY), "complete": complete, "lines": list(lines)}
        return self.feed(self.run.entry("stocktake", body, at=day * DAY))

    def feed(self, entry):
        self.run.state.next_index += 1
        self._told(self._book().apply(entry, goods_of(entry.body, CATALOGUE)))
        return entry

    def correct(self, before, *lines, newest_count=True, **body):
        entry = msgspec.structs.replace(before, body=before.body | body | {"lines": list(lines)}, before=before)
        goods = [goods_of(one.body, CATALOGUE) for one in (before, entry)]
        self._told(self._book().correct(before, goods[0], entry, goods[1], newest_count=newest_count))
        return entry

    def withdraw(self, before):
        self._told(self._book().withdraw(before, goods_of(before.body, CATALOGUE), before))

    @property
    def left(self):
        """kg by date, all keys together; "?" where it is assumed."""
        found = {}
        for lots in self.state.values():
            for name, amount in lots.left().items():
                if amount:
                    found[name] = found.get(name, 0) + amount / KG
        return found


# --- age limits ----------------------------------------------------------------------------------------------------


def test_receipt__of_a_peroxide_former_without_a_date__has_the_age_limit_and_says_so():
    kept = Kept()
    kept.move("in", line(2, ETHER), line(1, POTASSIUM), line(5, NITRIC), line(5, "67-64-1"))
    assert kept.rows == [("2027-03-02", 2, 12), ("2026-06-02", 1, 3)]


def test_receipt__by_the_sites_clock__counts_from_the_local_day():
    kept = Kept()
    kept.move("in", line(1, POTASSIUM), day=15.9 / 24)
    kept.move("in", line(1, POTASSIUM), day=16 / 24)  # midnight in Shanghai
    assert kept.left == {"2026-06-02?": 1, "2026-06-03?": 1}


def test_receipt__with_a_date__keeps_it_however_far_away():
    kept = Kept()
    kept.move("in", line(1, POTASSIUM, expires="2031-01-01"))
    assert kept.rows == [("2031-01-01", 1, 0)]


def test_lot__stated_and_assumed_of_one_day__is_one_row_with_a_stated_date():
    kept = Kept()
    kept.move("in", line(1, POTASSIUM))
    kept.move("in", line(2, POTASSIUM, expires="2026-06-02"))
    assert kept.rows == [("2026-06-02", 3, 0)]
    kept.move("out", line(2, POTASSIUM, expires="2026-06-02"))
    assert kept.rows == [("2026-06-02", 1, 3)]


def test_receipt__claimed_for_the_far_future__counts_from_when_it_came():
    kept = Kept()
    entry = kept.run.entry("movement", {"direction": "in", "reason": "found", "lines": [line(1, POTASSIUM)]})
    kept.feed(msgspec.structs.replace(entry, event_ms=T0 + 9999 * DAY))
    assert kept.left == {"2026-06-02?": 1}


def test_tank__of_a_peroxide_former__has_no_age():
    kept = Kept(tanks=["T1"])
    kept.move("in", line(9, BUTADIENE, "T1"))
    kept.count(line(9, BUTADIENE, "T1"), line(1, BUTADIENE, "R1"))
    assert kept.rows == [("2026-06-02", 1, 3)]
    kept.move("out", line(9, BUTADIENE, "T1"))
    assert kept.left == {"2026-06-02?": 1}
    kept.move("in", line(9, BUTADIENE, "T1", expires="2026-05-01"))  # who states a date is taken at his word
    assert kept.left == {"2026-05-01": 9, "2026-06-02?": 1}


@pytest.mark.parametrize(("was", "left"), [("room", {"2026-06-02?": 9}), ("tank", {})])
def test_store__stated_otherwise_later__what_came_before_is_taken_back_as_it_was_put_in(was, left):
    """A room that became a tank left a lot of goods that were not there; a tank that became a room, less than nothing."""
    kept = Kept()
    first, then = (
        Site(record_id=kind, zone=zone, stores={"R1": SiteStore("B1", kind)}, said_ms=T0 + day * DAY)
        for kind, zone, day in ((was, "Asia/Shanghai", -1), ({"room": "tank", "tank": "room"}[was], "Etc/GMT+12", 2))
    )
    kept.register = Register(RegisterState(sites={"A/S1": first}))
    came = kept.move("in", line(9, BUTADIENE, "R1"))
    assert kept.left == left
    kept.register = Register(RegisterState(sites={"A/S1": then}, past_sites={"A/S1": [first]}))
    kept.withdraw(came)
    assert not kept.state


def test_gas__of_a_peroxide_former__has_no_age():
    kept = Kept()
    kept.move("in", line(9, BUTADIENE, form="gas"))
    assert kept.rows == [] and not kept.state


@pytest.mark.parametrize(
    ("day", "months", "expected"),
    [
        ("2026-11-30", 3, "2027-02-28"),
        ("2027-11-30", 3, "2028-02-29"),
        ("2026-03-31", 3, "2026-06-30"),
        ("2026-12-01", 12, "2027-12-01"),
        ("2028-02-29", 12, "2029-02-28"),
        ("2026-01-15", 18, "2027-07-15"),
    ],
)
def test_months_after__day_that_a_month_lacks__is_its_last(day, months, expected):
    assert _months_after(day, months) == expected


# --- what goes out ---------------------------------------------------------------------------------------------------


def test_out__without_a_date__uses_up_the_oldest_whether_stated_or_assumed():
    kept = Kept()
    kept.move("in", line(2, POTASSIUM))
    kept.move("in", line(2, POTASSIUM, expires="2026-05-01"))
    kept.move("in", line(2, POTASSIUM), day=9)
    kept.move("out", line(3, POTASSIUM), day=10)
    assert kept.rows == [("2026-05-01", 0, 0), ("2026-06-02", 1, 3)]
    assert kept.left == {"2026-06-02?": 1, "2026-06-11?": 2}


def test_out__that_came_before_its_receipt__finds_it_if_all_has_a_date():
    kept = Kept()
    kept.move("out", line(2, POTASSIUM), day=1)
    kept.move("in", line(2, POTASSIUM), day=1)
    assert kept.left == {}
    kept.move("out", line(2, NITRIC), day=1)
    kept.move("in", line(2, NITRIC, expires="2026-06-01"), day=1)
    assert kept.left == {"2026-06-01": 2}  # of nitric acid other stock may have gone


@pytest.mark.parametrize("code", [POTASSIUM, NITRIC])
def test_correction__of_what_went_out_undated__takes_it_once(code):
    kept = Kept()
    kept.move("in", line(10, code, expires="2026-05-01"))
    out = kept.move("out", line(4, code), day=1)
    out = kept.correct(out, line(3, code))
    assert kept.rows == [("2026-05-01", 7, 0)]
    kept.correct(out, line(10, code))
    assert kept.left == {}


def test_correction__of_a_receipt__keeps_what_went_out_of_it():
    kept = Kept()
    came = kept.move("in", line(10, NITRIC, expires="2026-05-01"))
    kept.move("out", line(4, NITRIC), day=1)
    came = kept.correct(came, line(9, NITRIC, expires="2026-05-01"))
    assert kept.rows == [("2026-05-01", 5, 0)]
    kept.correct(came, line(3, NITRIC, expires="2026-05-01"))  # less than went out: the rest had no date
    kept.move("in", line(2, NITRIC, expires="2026-06-01"), day=2)
    assert kept.left == {"2026-06-01": 2}


def test_correction__of_a_receipt__moves_its_lot_and_says_nothing_where_nothing_changed():
    kept = Kept()
    came = kept.move("in", line(10, POTASSIUM))
    came = kept.correct(came, line(10, POTASSIUM))
    assert kept.rows == []
    came = kept.correct(came, line(10, POTASSIUM, expires="2026-12-31"))
    assert kept.rows == [("2026-06-02", 0, 0), ("2026-12-31", 10, 0)]
    kept.withdraw(came)
    assert kept.rows == [("2026-12-31", 0, 0)] and not kept.state


def test_movement__of_goods_without_dates__is_not_remembered():
    kept = Kept()
    kept.move("in", line(10, NITRIC))
    kept.move("out", line(10, NITRIC))
    assert not kept.state and kept.rows == []


movement = st.tuples(
    st.sampled_from(("in", "out")),
    st.integers(1, 9),
    st.sampled_from(("", "2026-05-01", "2026-09-01")),
    st.integers(0, 40),
)


@settings(max_examples=100, deadline=None)
@given(st.lists(movement, min_size=1, max_size=12), st.data())
def test_corrections__of_a_former__leave_what_the_corrected_records_alone_would(moves, data):
    kept, entries = Kept(), []

    def of(kg, expires):
        return line(kg, POTASSIUM, **({"expires": expires} if expires else {}))

    for direction, kg, expires, day in sorted(moves, key=lambda one: one[3]):
        entries.append(kept.move(direction, of(kg, expires), day=day))
    for at in data.draw(st.lists(st.integers(0, len(entries) - 1), max_size=6)):
        _, kg, expires, _ = data.draw(movement)
        entries[at] = kept.correct(entries[at], of(kg, expires))
    alone = Kept()
    for entry in entries:
        alone.feed(entry)
    assert kept.left == alone.left


def test_lots__used_up__are_forgotten_but_the_newest_so_many():
    kept = Kept()
    for day in range(400):
        kept.move("in", line(1, POTASSIUM), day=day)
        kept.move("out", line(1, POTASSIUM), day=day)
    (lots,) = kept.state.values()
    assert len(lots.dated) <= MOST_LOTS
    assert kept.left == {}
    kept.move("in", line(1, POTASSIUM), day=400)
    assert kept.left == {"2027-07-06?": 1}


# --- counts ----------------------------------------------------------------------------------------------------------


def test_count__without_dates__keeps_the_newest_limits_and_dates_what_goes_beyond_them():
    kept = Kept()
    kept.move("in", line(2, POTASSIUM))
    kept.move("in", line(2, POTASSIUM), day=10)
    kept.count(line(3, POTASSIUM), day=20)
    assert kept.rows == [("2026-06-02", 1, 3)]
    assert kept.left == {"2026-06-02?": 1, "2026-06-12?": 2}
    kept.count(line(5, POTASSIUM), day=30)
    assert kept.left == {"2026-06-02?": 1, "2026-06-12?": 2, "2026-07-01?": 2}
    kept.count(day=31)
    assert kept.rows == [("2026-06-02", 0, 0), ("2026-06-12", 0, 0), ("2026-07-01", 0, 0)]
    assert not kept.state


def test_count__day_after_day__never_makes_goods_younger():
    kept = Kept()
    kept.move("in", line(2, POTASSIUM))
    for day in range(1, 80):
        kept.count(line(2, POTASSIUM), day=day)
        assert kept.rows == []
    assert kept.left == {"2026-06-02?": 2}


def test_count__with_dates__is_what_is_there():
    kept = Kept()
    kept.move("in", line(2, POTASSIUM))
    kept.count(line(1, POTASSIUM, expires="2026-12-31"), line(2, NITRIC, expires="2026-08-01"), day=1)
    assert kept.left == {"2026-12-31": 1, "2026-08-01": 2}
    kept.count(line(1, POTASSIUM, expires="2026-12-31"), day=2, complete=False)
    assert kept.rows == [] and kept.left == {"2026-12-31": 1, "2026-08-01": 2}


def test_correction__of_the_newest_count__adds_the_difference_to_what_moved_since():
    kept = Kept()
    counted = kept.count(line(5, POTASSIUM), line(5, NITRIC, expires="2026-08-01"))
    kept.move("in", line(2, POTASSIUM), day=10)
    kept.move("out", line(1, NITRIC), day=10)
    counted = kept.correct(counted, line(4, POTASSIUM), line(6, NITRIC, expires="2026-08-01"))
    assert kept.left == {"2026-06-02?": 4, "2026-06-12?": 2, "2026-08-01": 5}
    counted = kept.correct(counted, line(6, POTASSIUM))
    assert kept.left == {"2026-06-02?": 6, "2026-06-12?": 2}
    kept.correct(counted, line(9, POTASSIUM), newest_count=False)
    assert kept.rows == []


# --- what a count settles ------------------------------------------------------------------------------------------


class Booked(Run):
    """The whole fold with the shipped catalogue; `expired` are the bands of E07."""

    def __post_init__(self):
        self.fold = Fold(self.state, self.rules, CATALOGUE, IDENTITY)
        self.stocktake(line(0, ETHER))

    def restart(self):
        self.state = decode_state(encode_state(self.state))
        self.fold = Fold(self.state, self.rules, CATALOGUE, IDENTITY)

    @property
    def expired(self):
        return [raised.alert.band for raised in self.to.raised if raised.alert.rule == "E07"]

    @property
    def left(self):
        return {name: kg / KG for lots in self.state.storage.lots.values() for name, kg in lots.left().items() if kg}


def dated(kg):
    return line(kg, ETHER, expires="2026-04-20")


def test_receipt__told_after_the_count_that_saw_it__is_no_lot():
    run = Booked()
    run.stocktake(line(0, ETHER), at=10 * DAY)
    run.move("in", dated(10), at=11 * DAY, event=10 * DAY)
    run.tick(60 * DAY)
    assert run.account(ETHER + "|||bulk||mass").total == 0 and run.left == {} and run.expired == []
    run.move("in", dated(10), at=61 * DAY, event=10 * DAY + 1)
    assert run.left == {"2026-04-20": 10} and run.expired == [1]


def test_correction__of_a_receipt_that_a_count_settled__leaves_the_lots_alone():
    run = Booked()
    receipt = run.move("in", dated(10), at=DAY)
    run.move("out", dated(10), at=2 * DAY)
    run.stocktake(line(0, ETHER), at=10 * DAY)
    run.correct(receipt, dated(5), at=11 * DAY)
    run.restart()
    run.move("in", dated(5), at=12 * DAY)
    assert run.left == {"2026-04-20": 5}
    run.tick(60 * DAY)
    assert run.expired == [1]


def test_count__told_after_what_happened_after_its_cut_off__leaves_that():
    run = Booked()
    receipt = run.move("in", dated(10), at=DAY)
    run.move("in", line(7, ETHER), at=9 * DAY)
    run.move("in", dated(2), at=11 * DAY)
    run.move("out", line(1, ETHER), at=12 * DAY)
    run.restart()
    run.stocktake(dated(4), line(1, ETHER), at=13 * DAY, cut_off=10 * DAY)
    assert run.account(ETHER + "|||bulk||mass").total == 6 * KG
    assert run.left == {"2026-04-20": 5, "2027-03-11?": 1}
    run.correct(receipt, dated(20), at=14 * DAY)
    assert run.left == {"2026-04-20": 5, "2027-03-11?": 1}


def test_count__of_a_former_with_dates_only__what_comes_later_without_one_says_its_age_limit():
    kept = Kept()
    kept.count(dated(4))
    kept.move("in", line(1, ETHER), day=1)
    assert kept.rows == [("2027-03-03", 1, 12)]
    kept.count(dated(4), day=2)
    kept.move("in", line(1, ETHER), day=3)
    assert kept.rows == [("2027-03-05", 1, 12)]


def test_count__partial_and_then_complete__says_what_is_left():
    run = Booked()
    run.move("in", dated(10), at=DAY)
    partial = run.stocktake(dated(4), at=2 * DAY, complete=False)
    run.move("in", dated(3), at=3 * DAY)
    assert run.left == {"2026-04-20": 13}
    body = {"corrects": partial.record_id, "kind": "stocktake", "body": partial.body | {"complete": True}}
    run.put("correction", body, at=4 * DAY)
    assert run.left == {"2026-04-20": 7}
