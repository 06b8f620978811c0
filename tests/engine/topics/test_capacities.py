"""What may lie in a store by its certificates, whatever the order in which they and the goods were told of."""

from itertools import permutations

import pytest

from ledger.catalogue import Catalogue
from ledger.core.times import format_utc
from ledger.engine.fold import Fold
from ledger.engine.rules import load_rules
from ledger.engine.state import STATE_VERSION, decode_state, encode_state
from ledger.rulesets import shipped_legal, shipped_rules, shipped_sources
from tests.engine.helpers import HOUR, IDENTITY, NITRIC, T0, Run, line

DAY = 24 * HOUR
A02 = {name: text for name, text in shipped_sources().items() if name.startswith("A02")}
RULES, CATALOGUE = load_rules(A02, shipped_legal()), Catalogue.load()


def limit(kg, store="R1", **more):
    return {"store": store, "quantity": {"value": str(kg), "unit": "KGM"}} | more


class Town(Run):
    """One store of a stated tonne; T0 is eight in the morning there."""

    def __init__(self, kg=1000, rules=RULES):
        super().__init__(rules=rules)
        self.said = []
        store = {"id": "R1", "book": "B1", "class": "room", "capacity": {"value": str(kg), "unit": "KGM"}}
        self.put("place", {"sites": [{"site": "S1", "zone": "Asia/Shanghai", "stores": [store]}]}, book="office")

    def certificate(self, *limits, at=0, authority=True, number="Q1", status="valid", **more):
        body = {"type": "capacity_certificate", "issuer": "x", "number": number, "status": status, "limits": [*limits]}
        body |= {"valid_from": "2020-01-01", "valid_to": "9999-12-31"} | more
        if authority:
            return self.put("licence", body | {"holder": "A"}, at=at, holder="fire", book="office", authority=True)
        return self.put("licence", body, at=at, book="office")

    def holds(self, kg, at, **more):
        return self.stocktake(line(kg), at=at, **more)

    @property
    def due(self):
        """When the store is looked at again by itself, ms after T0."""
        return {timer.fingerprint: timer.due_ms - T0 for timer in self.state.timers.values() if timer.rule == "STORES"}

    @property
    def bands(self):
        return [(r.alert.fingerprint[-1], r.alert.band) for r in self.to.raised if r.alert.rule == "A02"]

    def stands(self):
        """The bands that hold now, by what they are of."""
        return {name.split("\x1f")[-1]: p.band for name, p in self.state.pending["A02"].items() if p.active}


def test_certificate__ends_begins_or_is_due__its_timer_is_kept_and_set_anew():
    run = Town()
    run.certificate(limit(2000), valid_to="2026-03-04")
    assert run.due == {"A/S1/R1": 64 * HOUR}
    run.certificate(limit(2000), number="Q2", valid_from="2026-03-04", valid_to="2026-03-06", at=HOUR)
    assert run.due == {"A/S1/R1": 40 * HOUR}  # before the first one ends
    run.restart()
    run.tick(40 * HOUR)
    assert run.due == {"A/S1/R1": 64 * HOUR}
    run.tick(64 * HOUR)
    assert run.due == {"A/S1/R1": 112 * HOUR}
    run.tick(112 * HOUR)
    assert run.due == {} and not run.bands
    cleared = [timer_id for timer_id, timer in run.to.timers.items() if timer is None]
    assert any(timer_id.startswith("STORES\x1f") for timer_id in cleared)


def test_certificate__without_an_end__needs_no_timer():
    run = Town()
    run.certificate(limit(2000))
    assert run.due == {}


def test_stock_over_the_place__certificate_ends__alert_at_the_first_tick_from_then_on():
    for tick_at, bands in ((64 * HOUR - 1, []), (64 * HOUR, [("R1", 2)]), (70 * HOUR, [("R1", 2)])):
        run = Town()
        run.certificate(limit(2000), valid_to="2026-03-04")
        run.holds(1100, HOUR)
        run.restart()
        run.tick(tick_at)
        assert run.bands == bands
    (said,) = run.to.raised
    assert not said.alert.late and said.alert.extra["record"] == run.state.stores["A/S1/R1"].record_id


def test_stock_over_the_place__certificate_begins_by_itself__its_alert_rests():
    run = Town()
    run.certificate(limit(2000), valid_from="2026-03-05")
    run.holds(1100, HOUR)
    assert run.stands() == {"R1": 2}
    run.tick(64 * HOUR - 1)
    assert run.stands() == {"R1": 2}
    run.tick(64 * HOUR)
    assert run.stands() == {}


def test_alert_by_a_stricter_certificate__it_ends__the_alert_rests_by_itself():
    run = Town()
    run.certificate(limit(100), limit(50, code=NITRIC), valid_to="2026-03-04")
    run.holds(105, HOUR)
    assert run.stands() == {"R1": 2, f"R1/{NITRIC}": 0}
    run.restart()
    run.tick(64 * HOUR)
    assert run.stands() == {}
    assert run.state.stores["A/S1/R1"].limited == []


def test_declared_certificate__stricter_and_wider_than_the_place__counts_until_its_check_is_due():
    run = Town()
    run.certificate(limit(100), limit(50, code=NITRIC), authority=False, at=HOUR)
    run.holds(105, 2 * HOUR)
    assert run.stands() == {"R1": 2, f"R1/{NITRIC}": 0} and run.due == {"A/S1/R1": 121 * HOUR}
    run.tick(121 * HOUR - 1)
    assert run.stands() == {"R1": 2, f"R1/{NITRIC}": 0}
    run.tick(121 * HOUR)
    assert run.stands() == {}
    wider = Town()
    wider.certificate(limit(2000), authority=False, at=HOUR)
    wider.holds(1100, 2 * HOUR)
    wider.tick(121 * HOUR - 1)
    assert wider.bands == []
    wider.tick(121 * HOUR)
    assert wider.bands == [("R1", 3)]
    zh, en = (wider.to.raised[-1].alert.reason[language] for language in ("zh", "en"))
    assert (
        "自行申报的容量证明（2 t）已 5 天以上未经核验" in zh
        and "declared for 2 t has not been checked for more than 5 d" in en
    )


def test_declared_certificate__far_over_the_place_when_its_check_is_due__is_critical():
    run = Town()
    run.certificate(limit(2000), authority=False)
    run.holds(1300, HOUR)
    run.tick(121 * HOUR)
    assert run.bands == [("R1", 0)]


def test_declared_certificate__confirmed_in_time_or_too_late__counts_from_then_on():
    for endorsed_at, stands in ((119 * HOUR, {}), (125 * HOUR, {})):
        run = Town()
        declared = run.certificate(limit(2000), authority=False)
        run.holds(1100, HOUR)
        if endorsed_at > 120 * HOUR:
            run.tick(120 * HOUR)
            assert run.stands() == {"R1": 3}
        body = {"record_id": declared.record_id}
        run.put("endorse", body, at=endorsed_at, holder="fire", book="office", authority=True)
        run.tick(200 * HOUR)
        assert run.stands() == stands and run.due == {}


def test_check_due__is_the_rules_parameter():
    (text,) = A02.values()
    two_days = load_rules(
        {"A02-x.yml": text.replace("check_due: {value: 5d", "check_due: {value: 2d")}, shipped_legal()
    )
    run = Town(rules=two_days)
    run.certificate(limit(2000), authority=False)
    assert run.due == {"A/S1/R1": 2 * DAY}


def test_certificate_revoked__counts_until_that_was_said():
    run = Town()
    run.certificate(limit(2000))
    run.holds(1100, HOUR)
    run.certificate(limit(2000), status="revoked", at=2 * HOUR)
    assert run.stands() == {"R1": 2}


def _confirmed(run):
    run.certificate(limit(100, category="explosive_precursor"), limit(60, code=NITRIC), limit(90), at=3 * HOUR)


def _counted(run):
    run.holds(80, 3 * HOUR, event=HOUR, cut_off=HOUR)


def _came(run):
    run.move("in", line(15), at=3 * HOUR, event=2 * HOUR)


@pytest.mark.parametrize("order", list(permutations((_confirmed, _counted, _came))))
def test_limits__certificate_before_or_after_the_goods__the_same_stands(order):
    run = Town()
    for tell in order:
        tell(run)
    assert run.stands() == {"R1": 2, f"R1/{NITRIC}": 0, "R1/explosive_precursor": 4}


def test_limits__of_goods__said_in_words_of_both_languages():
    run = Town()
    run.certificate(limit(60, category="explosive_precursor"), limit(0, code="64-17-5"))
    run.stocktake(line(66), line(1, code="64-17-5"), at=HOUR)
    said = {r.alert.fingerprint[-1]: r.alert.reason for r in run.to.raised}
    assert said["R1/explosive_precursor"] == {
        "zh": "S1 的 R1（易制爆危险化学品）存量 66 kg，超过核定容量 60 kg（110.0 %）",
        "en": "R1 at S1 holds 66 kg (explosive precursor), above its capacity of 60 kg (110.0 %)",
    }
    assert said["R1/64-17-5"] == {
        "zh": "S1 的 R1（64-17-5）存量 1 kg，超过核定容量 0 kg",
        "en": "R1 at S1 holds 1 kg (64-17-5), above its capacity of 0 kg",
    }


def test_limits__taken_out_by_a_newer_certificate_or_by_its_correction__are_told_once_more():
    run = Town()
    run.certificate(limit(50, code=NITRIC))
    run.holds(80, HOUR)
    assert run.stands() == {f"R1/{NITRIC}": 0}
    run.certificate(limit(2000), at=2 * HOUR)  # the same number
    assert run.stands() == {} and run.state.stores["A/S1/R1"].limited == []


def test_limits__of_another_site_store_or_book__only_where_they_are_stated():
    run = Town()
    run.certificate(
        limit(50, code=NITRIC, site="S2"), limit(50, store="R2", code=NITRIC), limit(70, code=NITRIC, site="S1")
    )
    run.stocktake(line(60), line(60, store="R2"), at=HOUR)
    run.stocktake(line(8), at=HOUR, book="B2")  # another book keeps goods in the same store
    assert run.stands() == {f"R2/{NITRIC}": 2, f"R1/{NITRIC}": 4}


def test_late_record__of_before_a_certificate_ended__is_judged_by_what_counts_now():
    run = Town()
    run.certificate(limit(2000), valid_to="2026-03-04")
    run.holds(900, HOUR)
    run.tick(64 * HOUR)
    run.move("in", line(200), at=65 * HOUR, event=60 * HOUR)
    assert run.stands() == {"R1": 2}


def test_backlog__told_after_the_certificate_ended__by_its_own_time_until_the_tick():
    run = Town()
    run.certificate(limit(2000), valid_to="2026-03-04")
    run.holds(1100, 70 * HOUR, event=10 * HOUR, cut_off=10 * HOUR)
    assert run.bands == [] and run.due == {"A/S1/R1": 64 * HOUR}
    run.tick(70 * HOUR + 1)
    assert run.bands == [("R1", 2)]
    assert run.to.raised[-1].alert.reason == {
        "zh": "S1 的 R1 存量 1.1 t，超过核定容量 1 t（110.0 %）",
        "en": "R1 at S1 holds 1.1 t, above its capacity of 1 t (110.0 %)",
    }


def test_state__of_before__is_folded_again():
    run = Town()
    run.certificate(limit(50, code=NITRIC), valid_to="2026-03-04")
    run.holds(45, HOUR)
    again = decode_state(encode_state(run.state))
    assert again.stores == run.state.stores and again.stores["A/S1/R1"].limited == [(NITRIC, "")] and STATE_VERSION >= 8
    assert format_utc(again.stores["A/S1/R1"].due_ms) == "2026-03-04T16:00:00.000Z"


@pytest.mark.parametrize("kept", [[], [limit(5000)]])
def test_certificate__the_next_of_its_number_limits_nothing_any_more__stores_are_told_again(kept):
    run = Town()
    run.certificate(limit(100), valid_to="2026-12-31")
    run.holds(500, HOUR)
    assert run.stands() == {"R1": 0} and run.due
    run.certificate(*kept, at=2 * HOUR)
    assert run.stands() == {} and run.due == {}


def test_certificate__process_starts_again_behind_it__nothing_of_it_waited_beside_the_state():
    """Goods that must not stand together: the rows of their store were told once more by whatever came next, but after a start."""
    states = []
    for starts in (False, True):
        run = Town(rules=shipped_rules())
        run.fold = Fold(run.state, run.rules, CATALOGUE, IDENTITY)
        run.stocktake(line(10), line(10, code="67-64-1"))
        assert ("E01", 0) in run.alerts
        run.certificate(limit(100), at=HOUR)
        if starts:
            run.state = decode_state(encode_state(run.state))
            run.fold = Fold(run.state, run.rules, CATALOGUE, IDENTITY)
        run.stocktake(line(1), at=2 * HOUR, holder="B")
        states.append(encode_state(run.state))
    assert states[0] == states[1]


def test_certificate__that_turns_out_to_be_none__limits_nothing_unless_it_was_confirmed():
    run = Town()
    declared = run.certificate(limit(100), limit(50, code=NITRIC), authority=False)
    run.holds(105, HOUR)
    assert run.stands() == {"R1": 2, f"R1/{NITRIC}": 0}
    profile = {"corrects": declared.record_id, "kind": "profile", "body": {"roles": ["user"]}}
    run.put("correction", profile, at=2 * HOUR, book="office")
    assert run.stands() == {} and run.due == {} and run.state.licences.held["A"] == []
    again = run.certificate(limit(100), authority=False, number="Q2", at=3 * HOUR)
    run.put("endorse", {"record_id": again.record_id}, at=4 * HOUR, holder="fire", book="office", authority=True)
    run.put("correction", profile | {"corrects": again.record_id}, at=5 * HOUR, book="office")
    assert run.stands() == {"R1": 2}


def test_certificate__of_another_site_only__does_not_limit_this_one():
    run = Town()
    run.certificate(limit(100), sites=["S2"])
    run.certificate(limit(100), sites=["S2", "S1"], number="Q2")
    run.holds(105, HOUR)
    assert run.stands() == {"R1": 2}
    run.certificate(limit(100), sites=["S2"], number="Q2", at=2 * HOUR)
    assert run.stands() == {}


def test_declared_certificates__of_one_store__the_newest_counts():
    run = Town()
    run.certificate(limit(200), authority=False)
    run.certificate(limit(100), authority=False, number="Q2", at=HOUR)
    run.holds(105, 2 * HOUR)
    assert run.stands() == {"R1": 2}
    run.certificate(limit(300), authority=False, number="Q3", at=3 * HOUR)
    assert run.stands() == {}


def test_certificate__in_litres__leaves_the_kilograms_that_the_place_states_to_be_judged():
    run = Town(kg=100)
    run.certificate({"store": "R1", "quantity": {"value": "1", "unit": "MTQ"}})
    litres = {"quantity": {"value": "500", "unit": "LTR"}}
    run.stocktake(line(100, "64-17-5"), line(0, "67-64-1") | litres, at=HOUR)
    assert run.stands() == {"R1": 4}  # all of what the place may hold, half of what the certificate says
    run.move("in", line(0, "67-64-1") | {"quantity": {"value": "501", "unit": "LTR"}}, at=2 * HOUR)
    assert run.stands() == {"R1": 2} and run.to.raised[-1].alert.inputs["dimension"] == "volume"
    run.move("in", line(21, "64-17-5"), at=3 * HOUR)
    assert run.stands() == {"R1": 0} and run.to.raised[-1].alert.inputs["dimension"] == "mass"
    run.move("out", line(121, "64-17-5"), at=4 * HOUR)
    assert run.stands() == {"R1": 2}
    run.certificate({"store": "R1", "quantity": {"value": "0", "unit": "MTQ"}}, at=5 * HOUR)
    run.move("in", line(99, "64-17-5"), at=6 * HOUR)
    assert run.stands() == {"R1": 2} and run.state.stores["A/S1/R1"].stock["volume"] > 0


def test_declared_certificate__corrected_or_declared_anew_in_other_words__its_check_is_not_put_off():
    run = Town()
    first = run.certificate(limit(2000), authority=False)
    run.holds(1100, HOUR)
    correction = {"corrects": first.record_id, "kind": "licence", "body": first.body | {"limits": [limit(2001)]}}
    run.put("correction", correction, at=4 * DAY, book="office")
    assert run.due == {"A/S1/R1": 5 * DAY}
    run.certificate(limit(2002), authority=False, at=4 * DAY + HOUR)
    assert run.due == {"A/S1/R1": 5 * DAY} and run.bands == []
    run.tick(5 * DAY)
    assert run.bands == [("R1", 3)]
    run.certificate(limit(2003), authority=False, at=6 * DAY, valid_from="2026-03-01")  # while the other still runs
    assert run.stands() == {"R1": 3}


def test_declared_certificate__of_the_time_after_the_one_before__is_looked_at_anew():
    run = Town()
    run.certificate(limit(2000), authority=False, valid_to="2026-03-04")
    run.holds(1100, HOUR)
    run.certificate(limit(2003), authority=False, at=3 * DAY, valid_from="2026-03-05")
    assert run.stands() == {} and run.due == {"A/S1/R1": 8 * DAY}


def test_declared_certificates__under_another_number_every_four_days__none_counts_after_the_first_was_due():
    run = Town()
    run.certificate(limit(2000), authority=False)
    run.holds(1100, HOUR)
    second = run.certificate(limit(2000), authority=False, number="Q2", at=4 * DAY, valid_from="2026-01-01")
    assert run.stands() == {}
    run.tick(5 * DAY)
    assert run.stands() == {"R1": 3}
    run.certificate(limit(2000), authority=False, number="Q3", at=8 * DAY)
    assert run.stands() == {"R1": 3}
    run.put("endorse", {"record_id": second.record_id}, at=9 * DAY, holder="fire", book="office", authority=True)
    assert run.stands() == {}
