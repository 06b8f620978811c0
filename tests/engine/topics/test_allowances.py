"""Purchases charged to licences with quantities: which licence, which day, whatever the order in which they were told."""

import dataclasses

from msgspec.msgpack import decode, encode
from msgspec.structs import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ledger.core.times import format_utc
from ledger.engine.goods import goods_of
from ledger.engine.topics.allowances import Allowances, AllowancesState
from ledger.engine.topics.licences import Licence
from tests.engine.helpers import HOUR, NITRIC, T0, Classifier, Run, line

KG = 1_000_000
DAY = 24 * HOUR


def licence(name, kg, *, days=(0, 300), confirmed=True, kind="permit", **more):
    first, last = (format_utc(T0 + day * DAY)[:10] for day in days)
    item = (NITRIC, more.pop("form", ""), 0, 1_000_000, more.pop("dimension", "mass"), kg * KG)
    return Licence(
        name, kind, name, T0, first, last, more.pop("status", "valid"), confirmed, allowed=[item] if kg else [], **more
    )


class Held:
    """The licences topic as this one asks it."""

    def __init__(self, *licences):
        self.licences = licences

    def held(self, holder):
        return self.licences if holder == "A" else ()

    def holder_of(self, record_id):
        return "A" if any(x.record_id == record_id for x in self.licences) else ""


class Books:
    def __init__(self, *licences):
        self.held = Held(*licences)
        self.topic = Allowances(AllowancesState(), self.held)
        self.run = Run()

    def buy(self, kg, day, *, at=None, code=NITRIC, reason="purchase", **more):
        body = {"direction": "in", "reason": reason, "lines": [line(kg, code=code, **more)]}
        entry = self.run.entry("movement", body, at=(day if at is None else at) * DAY, event=day * DAY)
        self.rows = [row for _, row in self.topic.apply(entry, goods_of(body, Classifier()))]
        return entry

    def correct(self, before, kg):
        body = before.body | {"lines": [line(kg)]}
        after = replace(before, body=body, before=before)
        goods = [goods_of(entry.body, Classifier()) for entry in (before, after)]
        self.rows = [row for _, row in self.topic.correct(before, goods[0], after, goods[1])]

    def again(self):
        """All rows, as after an endorsement."""
        body = {"record_id": self.held.licences[0].record_id}
        entry = self.run.entry("endorse", body, holder="authority", authority=True)
        return [row for _, row in self.topic.apply(entry, ())]


def said(row):
    return row["allowed"] // KG, row["used"] // KG, row["over"] // KG


def test_allowance__no_quantity_stated__is_nobody_s_limit():
    books = Books(licence("L", 0))
    books.buy(100, 1)
    assert books.rows == []


def test_allowance__goods_that_nobody_controls__are_not_kept():
    books = Books(licence("L", 100))
    books.buy(100, 1, code="64-17-5")
    assert books.rows == [] and books.topic._state.bought == {}


@pytest.mark.parametrize("reason", ["return", "transfer", "found"])
def test_allowance__what_came_otherwise__was_not_bought(reason):
    books = Books(licence("L", 100))
    books.buy(100, 1, reason=reason)
    assert books.rows == []


def test_allowance__two_licences__the_one_that_ends_first_is_used_up_first():
    books = Books(licence("late", 100, days=(0, 300)), licence("early", 50, days=(0, 100)))
    books.buy(60, 10)
    assert said(books.rows[0]) == (150, 60, 0)
    # After the early one has ended, 10 are charged to the late one, not 60.
    books.buy(90, 200)
    assert said(books.rows[0]) == (100, 100, 0)
    books.buy(1, 201)
    assert said(books.rows[0]) == (100, 101, 1)


def test_allowance__outside_every_validity__is_another_rule_s():
    books = Books(licence("L", 100, days=(10, 20)))
    books.buy(500, 5)
    assert books.rows == []
    books.buy(100, 20)
    assert said(books.rows[0]) == (100, 100, 0)
    books.buy(500, 21)
    assert said(books.rows[0]) == (100, 100, 0)


def test_allowance__over_in_an_earlier_year__is_over():
    books = Books(licence("one", 100, days=(0, 99)), licence("two", 100, days=(100, 199)))
    books.buy(150, 50)
    assert said(books.rows[0]) == (100, 150, 50)
    books.buy(10, 150)
    assert said(books.rows[0]) == (100, 10, 0)


def test_allowance__form_site_and_activity__are_the_licence_s_own():
    books = Books(
        licence("form", 100, form="powder"),
        licence("site", 100, sites=["S2"]),
        licence("made", 100, activities=["produce"]),
        licence("asked", 100, status="applied"),
        licence("volume", 100, dimension="volume"),
    )
    books.buy(10, 1)
    assert books.rows == []
    books.buy(10, 1, form="powder")
    assert said(books.rows[0]) == (100, 10, 0)


def test_allowance__filing_and_permit__are_two_limits():
    books = Books(licence("P", 100), licence("F", 20, kind="filing"))
    books.buy(30, 1)
    assert {row["kind"]: said(row) for row in books.rows} == {"licence": (100, 30, 0), "filing": (20, 30, 10)}


def test_allowance__declared_ones__are_counted_apart_with_their_age():
    books = Books(licence("L", 10), licence("D", 1000, confirmed=False))
    books.buy(30, 3)
    row = books.rows[0]
    assert said(row) == (1010, 30, 0)
    assert (row["over_confirmed"], row["age_ms"]) == (20 * KG, 3 * DAY)


def test_allowance__corrected_purchase__is_charged_as_it_stands():
    books = Books(licence("L", 100))
    wrong = books.buy(1000, 1)
    assert said(books.rows[0]) == (100, 1000, 900)
    books.correct(wrong, 10)
    assert said(books.rows[0]) == (100, 10, 0)


def test_allowance__older_than_any_licence__is_forgotten():
    books = Books(licence("L", 100))
    books.buy(10, 1)
    books.topic.prune(T0 + 1_000 * DAY)
    assert len(books.topic._state.bought) == 1
    books.topic.prune(T0 + 1_300 * DAY)
    assert books.topic._state.bought == {}


def test_allowance__older_ones_forgotten__the_others_go_on_being_charged_until_their_time_over_restarts_too():
    books = Books(licence("L", 100, days=(0, 2_000)))
    books.buy(10, 50)
    books.buy(20, 1)  # told later, and older
    books.buy(40, 700)
    seen = []
    for day in (1_100, 1_225, 1_270, 1_920):
        books.topic = Allowances(decode(encode(books.topic._state), type=AllowancesState), books.held)
        for later in (0, 1):
            books.topic.prune(T0 + (day + later) * DAY)
        seen.append([said(row) for row in books.again()])
    assert seen == [[(100, 70, 0)], [(100, 50, 0)], [(100, 40, 0)], []]


_bought = st.lists(st.tuples(st.integers(0, 290), st.integers(1, 60)), min_size=1, max_size=12)


@settings(max_examples=60, deadline=None)
@given(_bought, st.randoms(use_true_random=False))
def test_allowance__purchases_in_any_order_and_corrected__give_the_same_account(bought, rng):
    licences = (licence("a", 80, days=(0, 200)), licence("b", 100, days=(50, 290)), licence("c", 30, confirmed=False))

    def fold(purchases, *, wrongly):
        books = Books(*licences)
        for at, (day, kg) in enumerate(purchases):
            entry = books.buy(kg + 7 if wrongly else kg, day, at=300)
            if wrongly:
                books.correct(entry, kg)
            del at
        names = ("kind", "allowed", "used", "over", "over_confirmed", "licences")
        return [tuple(row[name] for name in names) for row in books.again()]

    # Of one day, which comes first is nobody's to say; so the days differ.
    bought = list({day: (day, kg) for day, kg in bought}.values())
    mixed = list(bought)
    rng.shuffle(mixed)
    assert fold(sorted(bought), wrongly=False) == fold(mixed, wrongly=True)


# --- litres against kilograms ------------------------------------------------------------------------------------------


class Dense(Classifier):
    """Nitric acid is of 1,500 g/L."""

    @staticmethod
    def classify(code, concentration_ppm, form):
        return dataclasses.replace(Classifier.classify(code, concentration_ppm, form), density_g_per_l=1500)


def bought(books, value, unit, day, classifier=Dense):
    body = {
        "direction": "in",
        "reason": "purchase",
        "lines": [line(value, quantity={"value": str(value), "unit": unit})],
    }
    entry = books.run.entry("movement", body, at=day * DAY)
    books.rows = [row for _, row in books.topic.apply(entry, goods_of(body, classifier()))]
    return [(row["dimension"], *said(row), row["assumed"] // KG) for row in books.rows]


def test_purchase__by_the_litre__is_charged_to_kilograms_by_its_density_and_marked():
    books = Books(licence("L", 100))
    assert bought(books, 20, "LTR", 1) == [("mass", 100, 30, 0, 30)]
    assert bought(books, 60, "KGM", 2) == [("mass", 100, 90, 0, 30)]
    assert bought(books, 10, "LTR", 3) == [("mass", 100, 105, 5, 45)]
    assert bought(books, "0.000001", "LTR", 4)[0][3] == 5
    assert books.rows[0]["over"] == 5 * KG + 2  # a microlitre is 1.5 mg: two


def test_purchase__by_the_kilogram__is_charged_to_litres_by_its_density():
    books = Books(licence("L", 10, dimension="volume"))
    assert bought(books, 12, "KGM", 1) == [("volume", 10, 8, 0, 8)]
    assert bought(books, 6, "KGM", 2) == [("volume", 10, 12, 2, 12)]


def test_purchase__with_licences_in_both__fills_its_own_first_and_is_told_in_that():
    books = Books(licence("L-1", 30, days=(0, 100)), licence("L-2", 10, dimension="volume"))
    assert bought(books, 8, "LTR", 1) == [("volume", 10, 8, 0, 0)]
    assert bought(books, 12, "LTR", 2) == [("volume", 10, 10, 0, 0)]  # ten litres more are 15 kg of the other
    assert bought(books, 10, "KGM", 3) == [("mass", 30, 25, 0, 15)]
    assert bought(books, 4, "LTR", 4) == [("volume", 10, 10, 0, 0)]
    assert books.rows[0]["over"] == 666_666  # 6 kg where 5 were left: the litres that one is are over


def test_purchase__by_the_litre_or_piece_of_no_known_density__is_nobody_s_limit():
    books = Books(licence("L", 100))
    assert bought(books, 2000, "LTR", 1, Classifier) == []
    assert bought(books, 2000, "H87", 1) == []
