"""What a topic has said of things that it judges again, and under which entry it said so.

A record that comes late, or is corrected, changes what is to be said of things told of before. All that was said under such
an entry is taken back first (`Topic.gone`), and what still is so is said again under the same entry: so an alert that rests
on it goes on, and which entries brought it does not depend on the order in which they came.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Generic, TypeVar

from ledger.engine.inputs import Input
from ledger.engine.topics.base import ORIGIN, Row

Found = TypeVar("Found", bound=tuple[Any, ...])


class Told(Generic[Found]):
    """Works on two fields of a topic's state. Things have names that end in `|` and the number of an hour or day.

    `told`: name → index of the entry under which it was told, and what was found. `by_entry`: that index → names.
    """

    def __init__(
        self, subject: str, told: dict[str, Any], by_entry: dict[int, list[str]], gone: list[tuple[str, int]]
    ) -> None:
        """`gone` takes (subject, index of the entry) of rows that are no more."""
        self._subject = subject
        self._told = told
        self._by_entry = by_entry
        self._gone = gone

    def __contains__(self, name: str) -> bool:
        return name in self._told

    def tell(
        self,
        entry: Input,
        found: Mapping[str, Found | None],
        row: Callable[[str, Found], dict[str, Any]],
        *,
        is_known: Callable[[str, Found], bool] = lambda _name, _found: True,
    ) -> Iterator[Row]:
        """Rows of what is told anew. `found`: what is to be said of each thing that was judged, None for nothing.

        `is_known` says of a thing whether it still goes by its name; of one that does not, nothing is said again.
        """
        own = (entry.before or entry).index
        dirty: dict[int, None] = {own: None} if entry.before is not None and own in self._by_entry else {}
        for name, now in found.items():
            was = self._told.get(name)
            if was is not None and was[1:] != now:
                dirty[was[0]] = None
        for index in dirty:
            self._gone.append((self._subject, index))
            for name in self._by_entry.pop(index):
                was = self._told.pop(name)
                now = found[name] if name in found else was[1:]
                if now is not None and is_known(name, now):
                    self._keep(name, index, now)
                    yield self._subject, row(name, now) | {ORIGIN: index}
        for name, now in found.items():
            if now is not None and name not in self._told:
                self._keep(name, own, now)
                yield self._subject, row(name, now)

    def _keep(self, name: str, index: int, now: Found) -> None:
        self._told[name] = (index, *now)
        self._by_entry.setdefault(index, []).append(name)

    def prune(self, oldest: int) -> None:
        """Forget the things of hours or days before this one: what was told of them stands."""
        for index, names in list(self._by_entry.items()):
            kept = [name for name in names if int(name.rpartition("|")[2]) >= oldest]
            for name in names:
                if name not in kept:
                    del self._told[name]
            if kept:
                self._by_entry[index] = kept
            else:
                del self._by_entry[index]
