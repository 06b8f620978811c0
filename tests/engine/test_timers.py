"""Timers: the order in which they fire, and what is left of those that were put off or cleared."""

from ledger.engine.state import Timer
from ledger.engine.timers import Timers


def taken(timers, now_ms, to):
    found = []
    while (timer := timers.take_due(now_ms, to)) is not None:
        found.append((timer.due_ms, timer.rule, timer.fingerprint))
    return found


def test_timers__due__come_by_due_then_id_and_are_gone():
    state, to = {}, {}
    timers = Timers(state)
    for rule, name, due_ms in [("B02", "x", 5), ("A01", "z", 5), ("A01", "y", 5), ("C01", "x", 4), ("C01", "y", 6)]:
        timers.put(rule, name, due_ms, to)
    assert taken(timers, 5, to) == [(4, "C01", "x"), (5, "A01", "y"), (5, "A01", "z"), (5, "B02", "x")]
    assert state == {"C01\x1fy": Timer(6, "C01", "y")}
    assert {timer_id for timer_id, timer in to.items() if timer is None} == {
        "C01\x1fx",
        "A01\x1fy",
        "A01\x1fz",
        "B02\x1fx",
    }
    assert timers.next_due() == 6


def test_timers__put_off_drawn_in_or_cleared__only_the_last_word_counts():
    timers = Timers({})
    for due_ms in (5, 9, 7):
        timers.put("A01", "x", due_ms, {})
    timers.put("A01", "y", 3, {})
    timers.put("A01", "y", None, {})
    assert timers.next_due() == 7
    assert taken(timers, 100, {}) == [(7, "A01", "x")]
    assert timers.next_due() is None


def test_timers__cleared_set_and_put_off_again_and_again__fire_once_when_due():
    state = {}
    timers = Timers(state)
    for due_ms in range(5, 500, 7):
        timers.put("A01", "x", due_ms, {})
        assert timers.next_due() == due_ms
        timers.put("A01", "x", None, {})
        timers.put("A01", "x", due_ms + 3, {})
        timers.put("A01", "x", due_ms + 30, {})
        assert taken(timers, due_ms + 29, {}) == []
    assert taken(timers, 10_000, {}) == [(due_ms + 30, "A01", "x")]
    assert timers.next_due() is None and state == {}


def test_timers__set_to_what_they_are__are_no_change():
    state, to = {}, {}
    timers = Timers(state)
    timers.put("A01", "x", 5, {})
    timers.put("A01", "x", 5, to)
    timers.put("A01", "y", None, to)
    assert to == {}


def test_timers__of_a_state_that_was_kept__go_on():
    state = {}
    Timers(state).put("A01", "x", 5, {})
    assert taken(Timers(state), 5, {}) == [(5, "A01", "x")]
    assert state == {}
