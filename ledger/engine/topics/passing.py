"""What leaves a user of goods soon after it came, told in the same words in whatever order the records came.

Judged is each hour in which goods of one code left an enterprise, by what was so at its end: of the receipts of the
PASS_HOURS before, the one since which the greatest part of all that came has left; of equal ones the earliest. That follows
from the amounts alone. So a record that comes late, or is corrected, has the hours judged again that it lies before; what is
said otherwise now is taken back first (`gone`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

import msgspec

from ledger.core.times import format_utc
from ledger.engine.inputs import Input
from ledger.engine.topics.base import Row, common
from ledger.engine.topics.cycles import LATEST_DAYS, Buckets
from ledger.engine.topics.told import Told
from ledger.model import UnixMs

HOUR_MS = 3_600_000
PASS_HOURS = 48
"""How soon after a receipt what leaves counts as passed through (catalogue B14)."""
PPM = 1_000_000

Found = tuple[int, int, int, int, bool]
"""Share in ppm, hour of the receipt (-1: none was), what came since, what left since, whether some was sold unapproved."""


class PassingState(msgspec.Struct):
    """By holder|code|dimension: amounts by hour (number since 1970). What happens within one hour is one."""

    receipts: dict[str, Buckets] = {}
    leaving: dict[str, Buckets] = {}
    unapproved: dict[str, Buckets] = {}
    """How many sales without an approval of the transfer."""
    told: dict[str, tuple[int, int, int, int, int, bool]] = {}
    """What stands told, by holder|code|dimension|hour: index of the entry under which it was told, and what was."""
    by_entry: dict[int, list[str]] = {}


class Passing:
    """Reads and writes one PassingState."""

    def __init__(self, state: PassingState, gone: list[tuple[str, int]]) -> None:
        self._state = state
        self._told: Told[Found] = Told("passthrough", state.told, state.by_entry, gone)

    def came(self, place: str, hour: int, amount: int) -> None:
        """A receipt, or (negative) one that is taken out again."""
        add(self._state.receipts, place, hour, amount)

    def left(self, place: str, hour: int, amount: int, unapproved: int) -> None:
        """A sale or transfer; `unapproved`: 1 or -1 of a sale without an approval, else 0."""
        add(self._state.leaving, place, hour, amount)
        if unapproved:
            add(self._state.unapproved, place, hour, unapproved)

    def tell(
        self,
        entry: Input,
        changed: Iterable[tuple[str, int]],
        is_user: Callable[[int], bool],
    ) -> Iterator[Row]:
        """Judge again what the changed (holder|code|dimension, hour) are part of.

        `is_user`: whether the holder was one at a time (unix ms).
        """
        state = self._state
        found: dict[str, Found | None] = {}
        first = entry.received_ms // HOUR_MS - 24 * LATEST_DAYS
        for place, hour in changed:
            leaving = state.leaving.get(place, {})
            # What is older than that has lost receipts it rested on: what was told of it stands.
            for at in range(max(hour, first), hour + PASS_HOURS + 1):
                name = f"{place}|{at}"
                if at in leaving and is_user(at * HOUR_MS):
                    found[name] = self._find(place, at)
                elif name in self._told:
                    found[name] = None
        return self._told.tell(entry, found, lambda name, now: _row(entry, name, now))

    def _find(self, place: str, hour: int) -> Found | None:
        """What is to be told of the goods that left in an hour."""
        receipts, leaving = self._state.receipts.get(place, {}), self._state.leaving[place]
        unapproved = self._state.unapproved.get(place, {}).get(hour, 0) > 0
        came = left = 0
        worst: Found | None = None
        for since in range(hour, hour - PASS_HOURS - 1, -1):
            left += leaving.get(since, 0)
            received = receipts.get(since, 0)
            # Several receipts of the same two days are one receipt: else one sale would pass each of them through.
            came += received
            if received > 0:
                share = min(left * PPM // max(came, 1), PPM)
                if worst is None or share >= worst[0]:
                    worst = (share, since, came, left, unapproved)
        if worst is None and unapproved:
            return 0, -1, 0, leaving[hour], True
        return worst

    def prune(self, now_ms: int) -> None:
        """Forget what no movement can meet any more."""
        state, oldest = self._state, now_ms // HOUR_MS - PASS_HOURS - 24 * LATEST_DAYS
        for by in (state.receipts, state.leaving, state.unapproved):
            drop_before(by, oldest)
        self._told.prune(oldest)


def _row(entry: Input, name: str, found: Found) -> dict[str, Any]:
    _, code, dimension, hour = name.split("|")
    share_ppm, since, came, left, unapproved = found
    since_ms = UnixMs(max(since, 0) * HOUR_MS)
    return common(entry) | {
        # Hours are what is known of what came and left.
        "event_ms": int(hour) * HOUR_MS,
        "code": code,
        "dimension": dimension,
        "user": True,
        "resale": unapproved,
        "approval": not unapproved,
        "came": came,
        "left": left,
        "share_ppm": share_ppm,
        "since": format_utc(since_ms) if since >= 0 else "",
        "since_ms": since_ms,
    }


def add(by: dict[str, Buckets], at: str, number: int, amount: int) -> None:
    """Add to one bucket; what comes to nothing leaves none behind."""
    buckets = by.setdefault(at, {})
    total = buckets.get(number, 0) + amount
    if total:
        buckets[number] = total
    else:
        buckets.pop(number, None)
        if not buckets:
            del by[at]


def drop_before(by: dict[str, Buckets], oldest: int) -> None:
    """Forget the buckets before this one."""
    for at, buckets in list(by.items()):
        kept = {number: amount for number, amount in buckets.items() if number >= oldest}
        if kept:
            by[at] = kept
        else:
            del by[at]
