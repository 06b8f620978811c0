"""Episodes follow from marks alone, alerts from what was said: no order of arrival changes the first."""

from hypothesis import given
from hypothesis import strategies as st

from ledger.engine.courses import FORGOTTEN, Course, Mark, drop, extends, forget, put, replace, settle

QUIET = 10
marks = st.lists(st.tuples(st.integers(0, 60), st.integers(0, 5), st.integers(0, 3)), min_size=1, max_size=12)


def course_of(*told):
    course = Course()
    for time, entry, band in told:
        put(course, Mark(time, entry, "", band))
    settle(course, QUIET)
    return course


def spans(course):
    return [(e.start, e.end, e.band) for e in course.episodes if e.band >= 0]


def test_episodes__closer_than_quiet__are_one_of_the_worst_band():
    assert spans(course_of((0, 1, 2), (9, 2, 1), (18, 3, 2))) == [(0, 18, 1)]
    assert spans(course_of((0, 1, 2), (10, 2, 1))) == [(0, 0, 2), (10, 10, 1)]


@given(marks, st.randoms(use_true_random=False))
def test_episodes__marks_in_any_order__are_the_same(told, random):
    other = list(told)
    random.shuffle(other)
    one_by_one = Course()
    for time, entry, band in other:
        put(one_by_one, Mark(time, entry, "", band))
        settle(one_by_one, QUIET)
    assert spans(course_of(*told)) == spans(one_by_one)


def test_episode__that_a_late_mark_joins_to_another__keeps_the_earlier_alert_and_the_worst_that_was_said():
    course = course_of((0, 1, 2), (15, 2, 0))
    for episode, alert in zip(course.episodes, ("a", "b"), strict=True):
        episode.alert_id, episode.alerted_band = alert, episode.band
    put(course, Mark(8, 3, "", 1))
    (episode,), lost = settle(course, QUIET)
    assert (episode.start, episode.end, episode.alert_id, episode.alerted_band, lost) == (0, 15, "a", 0, [])


def test_episode__that_lost_its_marks__is_the_same_again_when_one_comes_back():
    course = course_of((0, 1, 1))
    course.episodes[0].alert_id, course.episodes[0].alerted_band = "a", 1
    assert drop(course, 1) == 1 and drop(course, 1) is None
    standing, lost = settle(course, QUIET)
    assert not standing and [e.alert_id for e in lost] == ["a"]
    assert settle(course, QUIET) == ([], [])
    put(course, Mark(5, 2, "", 1))
    (episode,), lost = settle(course, QUIET)
    assert (episode.alert_id, episode.band, lost) == ("a", 1, [])


def test_replace__what_is_no_more__and_what_is_the_same():
    course = course_of((0, 1, 1))
    assert not replace(course, 0, 1, "", 1) and not replace(course, 0, 2, "", None)
    assert replace(course, 0, 1, "", 2) and replace(course, 0, 1, "", None) and not course.marks


def test_extends__only_the_newest_episode_and_nothing_worse():
    course = course_of((0, 1, 1))
    assert not extends(course, Mark(5, 2, "", 1), QUIET)  # nothing was said of it yet
    course.episodes[0].alert_id = "a"
    assert extends(course, Mark(5, 2, "", 1), QUIET) and extends(course, Mark(9, 2, "", 3), QUIET)
    assert not extends(course, Mark(5, 2, "", 0), QUIET)
    assert not extends(course, Mark(10, 2, "", 1), QUIET)


def test_forget__old_marks__become_one_that_later_ones_still_join():
    course = course_of((0, 1, 2), (5, 2, 1), (95, 3, 2), (99, 4, 2))
    for episode in course.episodes:
        episode.alert_id = "a" if episode.start == 0 else "b"
    forget(course, 99, QUIET)
    assert course.marks == [Mark(95, FORGOTTEN, "", 2, 99)] and [e.alert_id for e in course.episodes] == ["b"]
    put(course, Mark(104, 5, "", 1))
    (episode,), _ = settle(course, QUIET)
    assert (episode.start, episode.end, episode.band, episode.alert_id) == (95, 104, 1, "b")
    forget(course, 200, QUIET)
    assert not course.marks and not course.episodes
