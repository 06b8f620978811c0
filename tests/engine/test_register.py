"""What is known of enterprises, sites and persons, and what time it is there."""

from zoneinfo import ZoneInfo

import pytest

from ledger.engine.inputs import unix_ms
from ledger.engine.register import is_workday, local_time
from tests.engine.helpers import Run

HOURS = [{"days": [1, 2, 3, 4, 5], "from": "08:00", "to": "18:00"}, {"days": [5], "from": "22:00", "to": "06:00"}]


def register(run):
    return run.fold._register


def placed(zone="Asia/Shanghai", hours=HOURS):
    run = Run()
    site = {"site": "S1", "zone": zone, "stores": [{"id": "R1", "book": "B1", "class": "room", "compartment": "F1"}]}
    run.put("place", {"sites": [site | ({"hours": hours} if hours is not None else {})]}, book="office")
    return register(run)


@pytest.mark.parametrize(
    ("day", "works"),
    [
        ("2026-02-14", True),  # a Saturday, moved for the Spring Festival
        ("2026-02-17", False),  # Spring Festival, a Tuesday
        ("2026-03-07", False),  # a Saturday
        ("2026-03-09", True),
    ],
)
def test_workday__moved_days_count(day, works):
    assert is_workday(day) is works


def test_local_time__zone_and_day_roll_over():
    at = unix_ms("2026-03-06T16:30:00Z")
    here = local_time("Asia/Shanghai", at)
    assert (here.day, here.weekday, here.minute, here.is_workday) == ("2026-03-07", 6, 30, False)
    assert local_time("Nowhere/AtAll", at) == local_time("localtime", at) == here
    assert local_time("UTC", at).day == "2026-03-06"


def test_local_time__zone_whose_file_cannot_be_read__counts_as_unknown(monkeypatch):
    def reading(name):
        if name == "Asia":
            raise IsADirectoryError(name)
        return ZoneInfo(name)

    monkeypatch.setattr("ledger.engine.register.ZoneInfo", reading)
    at = unix_ms("2026-03-06T16:30:00Z")
    assert local_time("Asia", at) == local_time("Asia/Shanghai", at)


@pytest.mark.parametrize(
    ("local", "is_open"),
    [
        ("2026-03-06T08:00:00+08:00", True),
        ("2026-03-06T18:00:00+08:00", False),
        ("2026-03-06T23:00:00+08:00", True),
        ("2026-03-07T05:59:00+08:00", True),
        ("2026-03-07T06:00:00+08:00", False),
        ("2026-03-06T05:59:00+08:00", False),
    ],
)
def test_hours__windows_over_midnight_end_on_the_next_day(local, is_open):
    assert placed().is_open("A", "S1", unix_ms(local)) is is_open


def test_hours__not_stated_is_not_known():
    assert placed(hours=None).is_open("A", "S1", 0) is None
    assert placed().is_open("A", "S9", 0) is None


def test_day_end__is_local_midnight():
    assert placed().day_end_ms("A", "S1", "2026-03-06") == unix_ms("2026-03-07T00:00:00+08:00")


def test_handler__enrolled_updated_left__keeps_its_first_day():
    run = Run()
    run.put("person", {"action": "enrol", "ref": "H1", "role": "keeper", "training_valid_to": "2027-01-01"}, at=1000)
    run.put("person", {"action": "update", "ref": "H1", "training_valid_to": "2028-01-01"}, at=2000)
    run.restart()
    handler = register(run).handler("A", "H1")
    assert (handler.role, handler.training_valid_to, handler.active) == ("keeper", "2028-01-01", True)
    run.put("person", {"action": "leave", "ref": "H1"}, at=3000)
    left = register(run).handler("A", "H1")
    assert (left.active, left.since_ms) == (False, handler.since_ms)
    assert register(run).handler("A", "H2") is None


def test_place__corrected__is_what_the_correction_says():
    run = Run()
    body = {"sites": [{"site": "S1", "zone": "UTC", "stores": []}]}
    first = run.put("place", body, book="office")
    fixed = {"sites": [{"site": "S1", "zone": "Asia/Urumqi", "stores": []}]}
    run.put("correction", {"corrects": first.record_id, "kind": "place", "body": fixed}, at=1000, book="office")
    assert register(run).site("A", "S1").zone == "Asia/Urumqi"
    assert "A" in run.state.register.inside and register(run).is_inside("A") and not register(run).is_inside("B")


@pytest.mark.parametrize("zone", ["Asia/Shanghai", "Pacific/Kiritimati", "Pacific/Pago_Pago"])
def test_day_end__last_day_that_can_be_written__is_the_last_moment_and_no_error(zone):
    here = placed(zone)
    ends = [here.day_end_ms("A", "S1", f"9999-12-{day}") for day in (29, 30, 31)]
    assert ends[0] + 86_400_000 == ends[1] == ends[2]
