"""The course of one (rule, fingerprint) through event time: when it held, and which alerts say so.

For rules about what happened. A *mark* is one row that a band held for, at the time that counts for it. Marks closer than
the rule's quiet time belong to one *episode*, whose band is the worst of them. Episodes follow from the marks alone and
the marks from the rows, so neither depends on the order in which rows came; only the alerts do. What they said stays in the
log: an alert whose marks are gone, or are of a milder band now, is taken back, all or some of it, by a step of its life
(`Lives.take_back`); one that got worse is revised by another.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable

import msgspec

FORGOTTEN = -1
"""Entry of a mark that stands for several old ones."""
MOST_MARKS = 512
"""Marks of one course that are gone through for each new one. Beyond, the older half of them counts as one an episode: a
correction no longer takes them out."""


class Mark(msgspec.Struct, array_like=True):
    """A band held for the rows of one entry in one group at one time."""

    time: int
    entry: int
    group: str
    band: int
    until: int = -1
    """Of several old marks in one: the last time."""

    @property
    def end(self) -> int:
        return max(self.time, self.until)


class Episode(msgspec.Struct, array_like=True):
    """Marks without a quiet time between, and the alert about them."""

    start: int
    end: int
    band: int
    """The worst that stands; -1 when no mark is left."""
    alert_id: str = ""
    """The newest alert; "" before there is one."""
    alert_record: str = ""
    alerted_band: int = -1
    """The worst that was said."""
    joined: list[str] = []
    """Alerts of episodes that it joined: they are about it from then on."""


class Course(msgspec.Struct, array_like=True):
    """Marks and episodes, both ascending by time."""

    marks: list[Mark] = []
    episodes: list[Episode] = []


def put(course: Course, mark: Mark) -> bool:
    """Set, or make worse, what held for this entry, group and time; whether anything changed."""
    at = _find(course, mark.time, mark.entry, mark.group)
    if at is None:
        course.marks.insert(bisect_left(course.marks, (mark.time, mark.entry, mark.group), key=_order), mark)
        return True
    if course.marks[at].band <= mark.band:
        return False
    course.marks[at].band = mark.band
    return True


def replace(course: Course, time: int, entry: int, group: str, band: int | None) -> bool:
    """What now holds (None: nothing) for this entry, group and time; whether that is something else than before."""
    at = _find(course, time, entry, group)
    if at is None:
        return band is not None and put(course, Mark(time, entry, group, band))
    if course.marks[at].band == band:
        return False
    if band is None:
        del course.marks[at]
    else:
        course.marks[at].band = band
    return True


def drop(course: Course, entry: int) -> int | None:
    """Take out the marks of an entry; the worst band of them, None when there were none."""
    dropped = [mark.band for mark in course.marks if mark.entry == entry]
    if dropped:
        course.marks = [mark for mark in course.marks if mark.entry != entry]
    return min(dropped, default=None)


def settle(course: Course, quiet_ms: int) -> tuple[list[Episode], list[Episode]]:
    """Derive the episodes again from the marks: (those with marks, those that have just lost their last).

    An episode takes over the alert of the earliest one that it overlaps or follows within the quiet time. Where that had
    lost its marks, it is the same episode again. Others that it joined are part of it from then on: their alerts stand as
    long as it does, and do not get worse.
    """
    if len(course.marks) > MOST_MARKS:
        clusters = _clusters(course.marks[: -MOST_MARKS // 2], quiet_ms)
        merged = [Mark(start, FORGOTTEN, "", band, end) for start, end, band in clusters]
        course.marks = [*merged, *course.marks[-MOST_MARKS // 2 :]]
    before = course.episodes
    now: list[Episode] = []
    for start, end, band in _clusters(course.marks, quiet_ms):
        episode = Episode(start, end, band)
        for old in before:
            if near(old.start, old.end, start, end, quiet_ms) and old.alert_id:
                if not episode.alert_id:
                    episode.alert_id, episode.alert_record = old.alert_id, old.alert_record
                    episode.alerted_band = old.alerted_band
                else:
                    episode.alerted_band = min(episode.alerted_band, old.alerted_band)
                    episode.joined.append(old.alert_id)
                episode.joined += old.joined
        if episode.joined:
            episode.joined = [one for one in dict.fromkeys(episode.joined) if one != episode.alert_id]
        now.append(episode)
    gone = [
        old
        for old in before
        if old.alert_id and not any(near(old.start, old.end, new.start, new.end, quiet_ms) for new in now)
    ]
    lost = [old for old in gone if old.band >= 0]
    for old in gone:
        old.band = -1
    course.episodes = sorted([*now, *gone], key=lambda episode: (episode.start, episode.end))
    return now, lost


def extends(course: Course, mark: Mark, quiet_ms: int) -> bool:
    """Whether the mark, not yet put, merely goes on where the newest episode is, and says nothing new."""
    if not course.episodes or not course.marks or mark.time < course.marks[-1].end:
        return False
    last = course.episodes[-1]
    return (
        last.band >= 0
        and last.end == course.marks[-1].end
        and mark.band >= last.band
        and bool(last.alert_id)
        and near(last.start, last.end, mark.time, mark.time, quiet_ms)
    )


def forget(course: Course, oldest: int, quiet_ms: int) -> None:
    """Make one mark of those of each episode that are older, and forget the episodes that nothing can join any more."""
    old = [mark for mark in course.marks if mark.end <= oldest]
    if old:
        kept = (
            course.marks[len(old) :] if course.marks[: len(old)] == old else [m for m in course.marks if m.end > oldest]
        )
        merged = [
            Mark(start, FORGOTTEN, "", band, end)
            for start, end, band in _clusters(old, quiet_ms)
            if end + quiet_ms > oldest
        ]
        course.marks = [*merged, *kept]
    course.episodes = [episode for episode in course.episodes if episode.end + quiet_ms > oldest]


def _order(mark: Mark) -> tuple[int, int, str]:
    return (mark.time, mark.entry, mark.group)


def _find(course: Course, time: int, entry: int, group: str) -> int | None:
    at = bisect_left(course.marks, (time, entry, group), key=_order)
    if at < len(course.marks) and _order(course.marks[at]) == (time, entry, group):
        return at
    return None


def _clusters(marks: Iterable[Mark], quiet_ms: int) -> list[tuple[int, int, int]]:
    """(start, end, worst band) of marks that are closer together than the quiet time; ascending."""
    found: list[tuple[int, int, int]] = []
    start = end = band = 0
    begun = False
    # Hundreds of marks may be gone through for each new one: what `near` and `Mark.end` say, without calling them.
    near_ms = max(quiet_ms, 1)
    for mark in marks:
        last = max(mark.time, mark.until)
        if begun and mark.time - end < near_ms and start - last < near_ms:
            end, band = max(end, last), min(band, mark.band)
            continue
        if begun:
            found.append((start, end, band))
        start, end, band, begun = mark.time, last, mark.band, True
    if begun:
        found.append((start, end, band))
    return found


def near(start: int, end: int, other_start: int, other_end: int, quiet_ms: int) -> bool:
    """Whether two spans overlap, or lie closer together than the quiet time."""
    gap = max(other_start - end, start - other_end)
    return gap <= 0 or gap < quiet_ms
