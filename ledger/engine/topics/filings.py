"""Filings: what must be filed with the county's police after a sale or purchase, by when, and whether it was."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date, timedelta

import msgspec

from ledger.engine.days import DAY_MS
from ledger.engine.goods import Goods
from ledger.engine.inputs import Input, counterparty_of, happened_ms, unix_ms
from ledger.engine.parameters import Parameter
from ledger.engine.register import Register
from ledger.engine.subjects import COMMON, Subject
from ledger.engine.topics.base import Row, Topic, common
from ledger.engine.topics.bounded import add_newest, keep
from ledger.model import UnixMs

FORGET_AFTER_MS = 90 * DAY_MS
"""A duty that was met, and a filing that belongs to nothing, are forgotten so long after they came."""
_CLASS_23 = ("cn445.filing.class23", 6)
REGIMES = {
    "highly_toxic": ("cn591.filing.days", 3),
    "explosive_precursor": ("cn591.filing.days", 3),
    "drug_precursor_1": ("cn445.filing.class1", 3),
    "drug_precursor_2": _CLASS_23,
    "drug_precursor_3": _CLASS_23,
}
"""What is filed -> (legal parameter: the days that the law gives, from the end of the day of the act; how many days before
they are over the holder is reminded, an engineering default). The number that holds is that of the act's own day."""


class Duty(msgspec.Struct, array_like=True):
    """One party's duty to file one consignment."""

    record_id: str
    holder: str
    site: str
    book: str
    consignment: str
    code: str
    regime: str
    event_ms: int
    limit_days: int
    remind_ms: int
    deadline_ms: int
    """The end of the last local day."""
    pair: str
    """buyer/consignment, the same at both ends; "" without one."""
    received_ms: int


class Filed(msgspec.Struct, array_like=True):
    """One filing record."""

    record_id: str
    filed_ms: int
    received_ms: int


class FilingsState(msgspec.Struct):
    """Lists hold the newest MAX_SAME: who repeats one consignment number must not make each record dearer than the last."""

    duties: dict[str, Duty] = {}
    """By the movement's record_id."""
    by_consignment: dict[str, list[str]] = {}
    """holder/consignment -> record_ids of duties."""
    filed: dict[str, list[Filed]] = {}
    """By holder/consignment, and by the record_id of a movement."""
    ends: dict[str, list[tuple[str, str]]] = {}
    """buyer/consignment -> (record_id of a movement, its holder)."""


class Filings(Topic):
    """Who has to file what."""

    kinds = frozenset({"movement", "filing"})
    reasons = frozenset({"purchase", "sale", "transfer"})
    legal = tuple(dict.fromkeys(name for name, _ in REGIMES.values()))
    subjects = (
        # One party's duty to file a sale or purchase.
        Subject(
            "duty",
            level=True,
            fields=COMMON
            | {
                "consignment": "str",
                "code": "str",
                "regime": "str",
                "limit_days": "int",
                "filed": "bool",
                "filed_ms": "int",
                "both_ends": "bool",
                "remind_ms": "int",
                "deadline_ms": "int",
                "event_day": "str",
            },
        ),
    )

    def __init__(self, state: FilingsState, register: Register, numbers: Mapping[str, Parameter]) -> None:
        """`numbers`: the legal parameters in `legal`; for what the set has no number of, nothing has to be filed."""
        self._state = state
        self._register = register
        self._numbers = numbers

    def apply(self, entry: Input, goods: Sequence[Goods]) -> Iterable[Row]:
        """A duty that begins, or a filing that meets one."""
        if entry.kind == "filing":
            return self._file(entry)
        return self._begin(entry, goods)

    def withdraw(self, before: Input, goods: Sequence[Goods], entry: Input) -> Iterator[Row]:
        """Take the duty, or the filing, out again."""
        del goods
        if before.kind == "filing":
            for at in _meets(before):
                kept = [f for f in self._state.filed.get(at, ()) if f.record_id != before.record_id]
                keep(self._state.filed, at, kept)
            yield from self._of_filing(entry, before)
            return
        pair = _pair(before)
        if pair:
            keep(self._state.ends, pair, [e for e in self._state.ends.get(pair, ()) if e[0] != before.record_id])
        duty = self._state.duties.pop(before.record_id, None)
        if duty is not None:
            at = _at(duty)
            keep(
                self._state.by_consignment,
                at,
                [r for r in self._state.by_consignment.get(at, ()) if r != duty.record_id],
            )
            yield "duty", self._row(entry, duty) | {"filed": True, "filed_ms": 0}
        yield from self._others(entry, pair)

    def _begin(self, entry: Input, goods: Sequence[Goods]) -> Iterator[Row]:
        body = entry.body
        if body["reason"] not in ("sale", "purchase", "transfer") or "counterparty" not in body:
            return
        pair = _pair(entry)
        if pair:
            add_newest(self._state.ends, pair, (str(entry.record_id), entry.holder))
        event_ms = happened_ms(entry)
        strictest = self._strictest(goods, event_ms)
        if strictest is not None:
            code, regime, days = strictest
            duty = self._duty(entry, event_ms, code, regime, days, pair)
            self._state.duties[entry.record_id] = duty
            if duty.consignment:
                add_newest(self._state.by_consignment, _at(duty), duty.record_id)
            yield "duty", self._row(entry, duty)
        yield from self._others(entry, pair)

    def _strictest(self, goods: Sequence[Goods], event_ms: int) -> tuple[str, str, int] | None:
        """(code, regime, days) of the listed line to be filed soonest; None when nothing has to be."""
        found: tuple[str, str, int] | None = None
        for line, listing, _ in goods:
            drug_class = listing.substance.drug_precursor_class if listing.substance is not None else None
            # In the order of REGIMES: that of a set of categories is another one in each process.
            for regime, (name, _) in REGIMES.items():
                if regime in listing.categories or regime == f"drug_precursor_{drug_class}":
                    number = self._numbers.get(name)
                    days = number.at(UnixMs(event_ms)) if number is not None else None
                    if days is not None and (found is None or days < found[2]):
                        found = (line.code, regime, days)
        return found

    def _duty(self, entry: Input, event_ms: int, code: str, regime: str, days: int, pair: str) -> Duty:
        day = date.fromisoformat(self._register.local(entry.holder, entry.site, event_ms).day)

        def end_of(after_days: int) -> int:
            return self._register.day_end_ms(entry.holder, entry.site, (day + timedelta(days=after_days)).isoformat())

        return Duty(
            record_id=entry.record_id,
            holder=entry.holder,
            site=entry.site,
            book=entry.book,
            consignment=entry.body.get("consignment", ""),
            code=code,
            regime=regime,
            event_ms=event_ms,
            limit_days=days,
            remind_ms=end_of(max(days - REGIMES[regime][1], 0)),
            deadline_ms=end_of(days),
            pair=pair,
            received_ms=entry.received_ms,
        )

    def _file(self, entry: Input) -> Iterator[Row]:
        body = entry.body
        acknowledged = body.get("acknowledgement", {})
        # A date is believed when the authority acknowledged it; else the filing is as old as its receipt here.
        filed_ms = int(entry.received_ms)
        if "at" in acknowledged:
            filed_ms = min(filed_ms, unix_ms(acknowledged["at"]))
        elif acknowledged:
            filed_ms = min(filed_ms, self._register.day_end_ms(entry.holder, entry.site, body["date"]) - 1)
        filing = Filed(entry.record_id, filed_ms, entry.received_ms)
        for at in _meets(entry):
            add_newest(self._state.filed, at, filing)
        yield from self._of_filing(entry, entry)

    def _of_filing(self, entry: Input, filing: Input) -> Iterator[Row]:
        """The duties that a filing concerns."""
        named = self._state.by_consignment.get(f"{filing.holder}/{filing.body['consignment']}", ())
        for record_id in dict.fromkeys([*named, *filing.body.get("records", ())]):
            duty = self._state.duties.get(record_id)
            if duty is not None and duty.holder == filing.holder:
                yield "duty", self._row(entry, duty)

    def _others(self, entry: Input, pair: str) -> Iterator[Row]:
        """Duties at either end of a consignment, whose `both_ends` may have changed."""
        for record_id, _ in self._state.ends.get(pair, ()) if pair else ():
            duty = self._state.duties.get(record_id)
            if duty is not None and record_id != entry.record_id:
                yield "duty", self._row(entry, duty)

    def _filings(self, duty: Duty) -> list[Filed]:
        of_consignment = self._state.filed.get(_at(duty), ()) if duty.consignment else ()
        return [*of_consignment, *self._state.filed.get(duty.record_id, ())]

    def _row(self, entry: Input, duty: Duty) -> dict[str, object]:
        met = [filing.filed_ms for filing in self._filings(duty)]
        return common(entry) | {
            "holder": duty.holder,
            "site": duty.site,
            "book": duty.book,
            "record_id": duty.record_id,
            "consignment": duty.consignment,
            "code": duty.code,
            "regime": duty.regime,
            "limit_days": duty.limit_days,
            "filed": bool(met),
            "filed_ms": min(met, default=0),
            "both_ends": len({holder for _, holder in self._state.ends.get(duty.pair, ())}) > 1,
            "remind_ms": duty.remind_ms,
            "deadline_ms": duty.deadline_ms,
            "event_day": self._register.local(duty.holder, duty.site, duty.event_ms).day,
        }

    def prune(self, now_ms: int) -> None:
        """Forget duties that were met, and filings, when they are old; an unmet duty stays for four times as long."""
        state, limit, given_up = self._state, now_ms - FORGET_AFTER_MS, now_ms - 4 * FORGET_AFTER_MS
        # Thousands are looked at every day, of which a few are old enough to be looked into.
        old = [duty for duty in state.duties.values() if duty.received_ms <= limit]
        for duty in old:
            if duty.received_ms <= given_up or self._filings(duty):
                del state.duties[duty.record_id]
                at = _at(duty)
                keep(state.by_consignment, at, [r for r in state.by_consignment.get(at, ()) if r != duty.record_id])
        # What meets a duty that is held stays with it: who filed before the act would look late to a record that comes for it.
        alone = [at for at in state.filed if at not in state.by_consignment and at not in state.duties]
        for at in [at for at in alone if state.filed[at][0].received_ms <= limit]:
            keep(state.filed, at, [filing for filing in state.filed[at] if filing.received_ms > limit])
        pairs = {duty.pair for duty in state.duties.values()}
        for pair in [pair for pair in state.ends if pair not in pairs]:
            del state.ends[pair]


def _at(duty: Duty) -> str:
    return f"{duty.holder}/{duty.consignment}"


def _meets(filing: Input) -> list[str]:
    """The places of FilingsState.filed to which a filing belongs."""
    return [f"{filing.holder}/{filing.body['consignment']}", *filing.body.get("records", ())]


def _pair(entry: Input) -> str:
    consignment = entry.body.get("consignment", "")
    other = counterparty_of(entry.body)
    if not consignment or not other:
        return ""
    return f"{other if entry.body['direction'] == 'out' else entry.holder}/{consignment}"
