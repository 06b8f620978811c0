"""Refused submissions; a gap stays open until its book has grown past it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import msgspec

from ledger.engine.goods import Goods
from ledger.engine.inputs import Input
from ledger.engine.subjects import COMMON, Subject
from ledger.engine.topics.base import Row, Topic, common

MAX_RECENT = 64
"""record_ids of a book's last seqs that are remembered, so that a fork can be shown with both."""
_ID = 32
_REFUSAL = {"code": "str", "seq": "int", "refused_id": "str", "standing_id": "str", "open": "bool"}


class Gap(msgspec.Struct, array_like=True):
    """A refused record whose predecessors have not come yet; `row` is what its rules saw."""

    seq: int
    row: dict[str, Any]


class Head(msgspec.Struct, array_like=True):
    """Where a book stands."""

    seq: int = 0
    recent: bytearray = msgspec.field(default_factory=bytearray)
    """record_ids of the last seqs, 32 bytes each, the newest last: all books have them, and as text they take four times that."""


class RefusalsState(msgspec.Struct):
    """By holder/site/book."""

    gaps: dict[str, Gap] = {}
    heads: dict[str, Head] = {}


class Refusals(Topic):
    """Rows of `refusal` entries, and of the books that grow past what was missing."""

    kinds = frozenset({"refusal"})
    subjects = (
        # A validly signed submission that was refused: a fork, a wrong prev, and all else but a gap.
        Subject("refusal", level=False, fields=COMMON | _REFUSAL),
        # One refused for a gap in its book, until what was missing has come.
        Subject("gap", level=True, fields=COMMON | _REFUSAL),
    )

    def __init__(self, state: RefusalsState) -> None:
        self._state = state

    def apply(self, entry: Input, goods: Sequence[Goods]) -> Iterator[Row]:
        """The row of one `refusal` entry."""
        del goods
        body = entry.body
        holder, site, book = (body[name] or "" for name in ("holder", "site", "book"))
        seq = body["seq"] or 0
        at = f"{holder}/{site}/{book}"
        row = common(entry) | {
            "holder": holder,
            "site": site,
            "book": book,
            "code": body["code"],
            "seq": seq,
            "refused_id": body["record_id"],
            "standing_id": self._record_at(at, seq),
            "open": body["code"] == "seq-gap",
        }
        if not row["open"]:
            yield "refusal", row
            return
        gap = self._state.gaps.get(at)
        if gap is None or gap.seq < row["seq"]:
            self._state.gaps[at] = Gap(row["seq"], row)
        yield "gap", row

    def grown(self, entry: Input) -> Iterator[Row]:
        """Note the book's new head; the row that closes a gap, when this entry brought its book past it."""
        at = f"{entry.holder}/{entry.site}/{entry.book}"
        head = self._state.heads.get(at)
        if head is None:
            head = self._state.heads[at] = Head()
        head.seq = entry.seq
        head.recent += bytes.fromhex(entry.record_id)
        if len(head.recent) > MAX_RECENT * _ID:
            del head.recent[: MAX_RECENT // 2 * _ID]
        gap = self._state.gaps.get(at) if self._state.gaps else None
        if gap is not None and entry.seq >= gap.seq:
            del self._state.gaps[at]
            yield "gap", gap.row | {"open": False, "received_ms": entry.received_ms, "index": entry.index}

    def _record_at(self, at: str, seq: int) -> str:
        """record_id at `seq` of a book, "" where it is no longer remembered."""
        head = self._state.heads.get(at)
        if head is None:
            return ""
        start = len(head.recent) - _ID * (1 + head.seq - seq)
        return head.recent[start : start + _ID].hex() if 0 <= start < len(head.recent) else ""
