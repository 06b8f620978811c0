"""Records that a revocation voids afterwards: which key signed what, and one alert that lists it.

A grant ends at an index, and that index may lie in the past (formats.md section 9, check 4: enrolledAt <= index <
revokedAt). What the key signed from there on no longer verifies, but stays in the log and in the state: the goods moved
all the same, and balances without them would be wrong. So it is told of, once for each such revocation.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterator
from dataclasses import dataclass

import msgspec

from ledger.engine.inputs import Input

REVOKED = "REVOKED"
"""Stands where a rule's name stands in its alerts."""
KEPT_DAYS = 90
"""Records so old are not listed one by one; a revocation that reaches further back says from which entry on."""
_MOST = 8 * 1024
"""Bytes, of the newest records of one key in one book."""
MAX_LISTED = 512
_NEVER = 2**63 - 1


class Granted(msgspec.Struct, array_like=True):
    """One grant: half-open in indexes."""

    keyid: str
    holder: str
    scope: str
    enrolled_at: int
    revoked_at: int


class RevocationState(msgspec.Struct):
    """What each key signed lately, and what it may sign."""

    signed: dict[str, bytearray] = {}
    """keyid, holder, site, book (by U+001F) -> indexes of the records that it signed there, 8 bytes each, ascending."""
    grants: dict[str, Granted] = {}
    """By g."""
    days: list[int] = []
    """The first index of each of the last KEPT_DAYS days."""


@dataclass(frozen=True, slots=True)
class Voided:
    """What a revocation voids. `indexes`: of the records that are known, ascending; `earlier`: perhaps others before them."""

    g: str
    keyid: str
    holder: str
    site: str
    book: str
    revoked_at: int
    indexes: list[int]
    earlier: bool

    @property
    def listed(self) -> str:
        """`12, 15-18, 20`, at most MAX_LISTED ranges."""
        ranges: list[list[int]] = []
        for index in self.indexes:
            if ranges and index == ranges[-1][1] + 1:
                ranges[-1][1] = index
            else:
                ranges.append([index, index])
        texts = [str(low) if low == high else f"{low}-{high}" for low, high in ranges]
        return ", ".join(texts[:MAX_LISTED]) + (", …" if len(texts) > MAX_LISTED else "")


class Revocations:
    """Works on a RevocationState."""

    def __init__(self, state: RevocationState) -> None:
        self._state = state

    def note(self, entry: Input) -> None:
        """A record was signed."""
        signed = self._state.signed
        number = entry.index.to_bytes(8, "little")
        for keyid in entry.signers:
            name = f"{keyid}\x1f{entry.holder}\x1f{entry.site}\x1f{entry.book}"
            known = signed.get(name)
            if known is None:
                signed[name] = bytearray(number)
                continue
            if len(known) >= 2 * _MOST:
                del known[:-_MOST]  # half of it at once: who signs without end costs no more for it
            known += number

    def granted(self, entry: Input) -> Voided | None:
        """A grant as it now stands; what of the past it voids, None for nothing."""
        body = entry.body
        if "g" not in body:
            return None
        grants, end = self._state.grants, body["revoked_at"]
        before = grants.get(body["g"])
        grant = Granted(
            body["keyid"], body["holder"], body["scope"], body["enrolled_at"], _NEVER if end is None else end
        )
        grants[body["g"]] = grant
        ended = _NEVER if before is None else before.revoked_at
        if grant.revoked_at >= min(ended, entry.index):
            return None
        found = sorted((index, place) for index, place in self._signed(grant) if self._is_void(grant, index, place))
        found = [(index, place) for index, place in found if index < ended]
        if not found:
            return None
        site, book = found[0][1]
        indexes = [index for index, _ in found]
        oldest = self._state.days[0] if self._state.days else 0
        earlier = grant.revoked_at < oldest or any(
            len(data) >= _MOST and _unpacked(data)[0] > grant.revoked_at
            for name, data in self._state.signed.items()
            if name.startswith(f"{grant.keyid}\x1f")
        )
        return Voided(body["g"], grant.keyid, grant.holder, site, book, grant.revoked_at, indexes, earlier)

    def prune(self, next_index: int) -> None:
        """Once a day: forget what was signed more than KEPT_DAYS ago, and grants that ended before."""
        state = self._state
        state.days.append(next_index)
        if len(state.days) <= KEPT_DAYS:
            return
        del state.days[: len(state.days) - KEPT_DAYS]
        oldest = state.days[0]
        for name, data in list(state.signed.items()):
            indexes = _unpacked(data)
            kept = [index for index in indexes if index >= oldest]
            if not kept:
                del state.signed[name]
            elif len(kept) < len(indexes):
                state.signed[name] = data[-8 * len(kept) :]
        for g in [g for g, grant in state.grants.items() if grant.revoked_at < oldest]:
            del state.grants[g]

    def _signed(self, grant: Granted) -> Iterator[tuple[int, tuple[str, str]]]:
        """(index, (site, book)) of what the grant's key signed for its holder inside its scope."""
        begin = f"{grant.keyid}\x1f{grant.holder}\x1f"
        for name, data in self._state.signed.items():
            if not name.startswith(begin):
                continue
            site, book = name[len(begin) :].split("\x1f")
            if _covers(grant.scope, site, book):
                for index in _unpacked(data):
                    yield index, (site, book)

    def _is_void(self, grant: Granted, index: int, place: tuple[str, str]) -> bool:
        """Whether neither this grant nor another of the same key covers what was signed at this index."""
        return index >= grant.revoked_at and not any(
            other.enrolled_at <= index < other.revoked_at
            for other in self._state.grants.values()
            if (other.keyid, other.holder) == (grant.keyid, grant.holder) and _covers(other.scope, *place)
        )


def _covers(scope: str, site: str, book: str) -> bool:
    return scope in ("", f"{site}/", f"{site}/{book}")


def _unpacked(data: bytearray) -> array[int]:
    return array("q", data)
