"""What an enterprise leaves behind: stock after it closed, and disposals that nobody confirmed."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import msgspec

from ledger.engine.days import DAY_MS
from ledger.engine.goods import Goods
from ledger.engine.inputs import Input, counterparty_of, happened_ms
from ledger.engine.lanes import HORIZON_MS
from ledger.engine.register import Register
from ledger.engine.subjects import COMMON, Subject
from ledger.engine.topics.base import Row, Topic, common

FORGET_AFTER_MS = 180 * DAY_MS


class Disposal(msgspec.Struct, array_like=True):
    """Goods given to somebody for disposal."""

    record_id: str
    site: str
    book: str
    code: str
    consignment: str
    receiver: str
    since_ms: int
    evidence: bool
    confirmed: bool = False


class ClosuresState(msgspec.Struct):
    """Closing enterprises by holder; disposals by receiver/consignment (or by record, without them)."""

    closing: dict[str, int] = {}
    """holder -> received ms of the profile that says so."""
    disposals: dict[str, list[tuple[str, Disposal]]] = {}
    """(holder, disposal)."""
    receipts: dict[str, dict[str, int]] = {}
    """By receiver/consignment: record_id and received ms of what came with it, which may be told before the disposal is."""


class Closures(Topic):
    """Ends that were not reached."""

    kinds = frozenset({"profile", "movement", "stocktake"})
    subjects = (
        # Something that has to come to an end.
        Subject(
            "unclosed",
            level=True,
            fields=COMMON | {"what": "str", "reference": "str", "code": "str", "open": "bool", "since_ms": "int"},
        ),
    )

    def __init__(self, state: ClosuresState, register: Register, has_stock: Callable[[str], bool]) -> None:
        self._state = state
        self._register = register
        self._has_stock = has_stock

    def apply(self, entry: Input, goods: Sequence[Goods]) -> Iterator[Row]:
        """Note who closes; who disposes of what; who takes it."""
        if entry.kind == "profile":
            if entry.body.get("status") in ("closing", "closed"):
                self._state.closing.setdefault(entry.holder, entry.received_ms)
                yield from self._stock(entry)
            elif self._state.closing.pop(entry.holder, None) is not None:
                yield "unclosed", self._stock_row(entry, 0, left=False)
            return
        if entry.kind == "movement":
            yield from self._movement(entry, goods)
        if entry.holder in self._state.closing:
            yield from self._stock(entry)

    def withdraw(self, before: Input, goods: Sequence[Goods], entry: Input) -> Iterator[Row]:
        """A disposal that was none; a receipt that was none."""
        del goods
        if before.kind != "movement":
            return
        at = _at(before)
        receipts = self._state.receipts.get(at, {})
        receipts.pop(before.record_id, None)
        if not receipts:
            self._state.receipts.pop(at, None)
        for holder, disposal in self._state.disposals.get(at, ()):
            if disposal.record_id == before.record_id:
                yield "unclosed", _disposal_row(entry, holder, disposal) | {"open": False}
            elif before.body["direction"] == "in":
                disposal.confirmed = bool(self._state.receipts.get(at))
                yield "unclosed", _disposal_row(entry, holder, disposal)
        kept = [item for item in self._state.disposals.get(at, ()) if item[1].record_id != before.record_id]
        if kept:
            self._state.disposals[at] = kept
        else:
            self._state.disposals.pop(at, None)

    def _movement(self, entry: Input, goods: Sequence[Goods]) -> Iterator[Row]:
        body, at = entry.body, _at(entry)
        if body["direction"] == "out" and body["reason"] == "disposal" and goods:
            disposal = Disposal(
                entry.record_id,
                entry.site,
                entry.book,
                goods[0].line.code,
                body.get("consignment", ""),
                counterparty_of(body),
                happened_ms(entry),
                # Inside, the receiver signs for itself; from outside nothing but papers can come.
                bool(body.get("evidence")) and not self._register.is_inside(_other(entry)),
            )
            disposal.confirmed = bool(self._state.receipts.get(at))
            self._state.disposals.setdefault(at, []).append((entry.holder, disposal))
            yield "unclosed", _disposal_row(entry, entry.holder, disposal)
        elif body["direction"] == "in" and "consignment" in body:
            # Its disposal may be told later.
            self._state.receipts.setdefault(at, {})[entry.record_id] = entry.received_ms
            for holder, disposal in self._state.disposals.get(at, ()):
                disposal.confirmed = True
                yield "unclosed", _disposal_row(entry, holder, disposal)

    def _stock(self, entry: Input) -> Iterator[Row]:
        left = self._has_stock(entry.holder)
        yield "unclosed", self._stock_row(entry, self._state.closing[entry.holder], left=left)

    @staticmethod
    def _stock_row(entry: Input, since_ms: int, *, left: bool) -> dict[str, object]:
        return common(entry) | {
            "site": "",
            "book": "",
            "what": "stock",
            "reference": "",
            "code": "",
            "open": left,
            "since_ms": since_ms,
        }

    def prune(self, now_ms: int) -> None:
        """Forget old disposals, and receipts of what nobody has told of disposing."""
        limit = now_ms - FORGET_AFTER_MS
        for at, receipts in list(self._state.receipts.items()):
            if at not in self._state.disposals and max(receipts.values(), default=0) <= now_ms - HORIZON_MS:
                del self._state.receipts[at]
        for at, found in list(self._state.disposals.items()):
            kept = [item for item in found if item[1].since_ms > limit]
            if kept:
                self._state.disposals[at] = kept
            else:
                del self._state.disposals[at]


def _other(entry: Input) -> str:
    return counterparty_of(entry.body)


def _at(entry: Input) -> str:
    receiver = _other(entry) if entry.body["direction"] == "out" else entry.holder
    consignment = entry.body.get("consignment", "")
    return f"{receiver}/{consignment}" if receiver and consignment else f"?{entry.record_id}"


def _disposal_row(entry: Input, holder: str, disposal: Disposal) -> dict[str, object]:
    return common(entry) | {
        "holder": holder,
        "site": disposal.site,
        "book": disposal.book,
        "record_id": disposal.record_id,
        "what": "disposal",
        "reference": disposal.record_id,
        "code": disposal.code,
        "open": not disposal.confirmed and not disposal.evidence,
        "since_ms": disposal.since_ms,
    }
