"""Windows by event time, against counting by hand."""

from hypothesis import given
from hypothesis import strategies as st

from ledger.engine import traces

W = 10
events = st.lists(st.tuples(st.integers(0, 40), st.sampled_from("abc")), min_size=1, max_size=12)


def build(listed):
    kept = {}
    for at, (ms, value) in listed:
        traces.note(kept, "k", ms, f"r{at:02d}", value)
    return kept


def by_hand(listed, ms):
    """Every window (end - W, end] that ends at an event and holds `ms`."""
    ends = {other for other, _ in listed if ms <= other < ms + W}
    return max((len({v for other, v in listed if end - W < other <= end}) for end in ends), default=0)


@given(events, st.randoms(use_true_random=False))
def test_worst__any_order_of_arrival__is_what_counting_by_hand_gives(listed, random):
    numbered = list(enumerate(listed))
    random.shuffle(numbered)
    trace = build(numbered)["k"]
    assert trace == build(enumerate(listed))["k"]
    for ms, _ in listed:
        assert traces.worst(trace, ms, W, traces.distinct) == by_hand(listed, ms)


@given(events, st.randoms(use_true_random=False))
def test_worst__asked_at_each_arrival__the_greatest_answer_is_that_of_any_order(listed, random):
    def greatest(numbered):
        kept, found = {}, 0
        for at, (ms, value) in numbered:
            trace = traces.note(kept, "k", ms, f"r{at:02d}", value)
            found = max(found, traces.worst(trace, ms, W, traces.distinct))
        return found

    shuffled = list(enumerate(listed))
    random.shuffle(shuffled)
    assert greatest(enumerate(listed)) == greatest(shuffled)


def test_worst__exactly_a_window_apart__are_two_windows():
    kept = {}
    traces.note(kept, "k", 0, "a", "x")
    trace = traces.note(kept, "k", W, "b", "y")
    assert traces.worst(trace, W, W, traces.distinct) == traces.worst(trace, 0, W, traces.distinct) == 1
    trace = traces.note(kept, "k", W - 1, "c", "z")
    assert traces.worst(trace, W - 1, W, traces.distinct) == 2


def test_worst__where_nothing_is__is_nothing():
    assert traces.worst([], 5, W, len) == 0


def test_drop__a_records_events__all_go_and_an_empty_trace_with_them():
    kept = {}
    traces.note(kept, "k", 1, "a", "x")
    traces.note(kept, "k", 2, "a", "y")
    traces.note(kept, "k", 3, "b", "z")
    traces.drop(kept, "k", "a")
    assert kept == {"k": [(3, "b", "z")]}
    traces.drop(kept, "k", "b")
    traces.drop(kept, "other", "b")
    assert kept == {}


def test_prune__by_time__keeps_what_lies_at_or_after():
    kept = {}
    for at, key in ((1, "old"), (1, "k"), (5, "k"), (9, "k")):
        traces.note(kept, key, at, f"r{at}", 0)
    traces.prune(kept, 5)
    assert kept == {"k": [(5, "r5", 0), (9, "r9", 0)]}
