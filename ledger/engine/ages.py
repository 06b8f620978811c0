"""Which keys hold something old: so that a day's forgetting looks into these alone, and not into all that is remembered.

Beside the state, never in it: made from it at a start, and kept up with it from then on.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable
from typing import Generic, TypeVar

from ledger.engine.days import DAY_MS

K = TypeVar("K", bound=Hashable)


class Ages(Generic[K]):
    """Keys by the day of the oldest thing that each was noted with."""

    __slots__ = ("_days",)

    def __init__(self, known: Iterable[tuple[K, int]] = ()) -> None:
        """`known`: each key, and the time (unix ms) of the oldest thing under it."""
        self._days: dict[int, list[K]] = {}
        for key, time in known:
            self.note(key, time)

    def note(self, key: K, time: int) -> None:
        """Under this key there is something of this time, and nothing older that was not noted."""
        day = time // DAY_MS
        keys = self._days.get(day)
        if keys is None:
            self._days[day] = [key]
        else:
            keys.append(key)

    def take(self, until: int) -> list[K]:
        """All keys under which something of this time, or older, was noted; some that were noted a little later too, and some
        of which that is no longer so. Whoever asks looks, and notes again what stays.
        """
        until_day = until // DAY_MS
        days = sorted(day for day in self._days if day <= until_day)
        return list(dict.fromkeys(key for day in days for key in self._days.pop(day)))
