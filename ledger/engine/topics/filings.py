"""Filings: what must be filed with the county's police after a sale or purchase, by when, and whether it was."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import date, timedelta

import msgspec

from ledger.engine.goods import Goods
from ledger.engine.inputs import Input, plausible_ms, unix_ms
from ledger.engine.register import Register
from ledger.engine.subjects import COMMON, Subject
from ledger.engine.topics.base import Row, Topic, common

DAY_MS = 86_400_000
FORGET_AFTER_MS = 90 * DAY_MS
"""A duty that was met, and a filing that belongs to nothing, are forgotten so long after they came."""
STRICT_DAYS = 5
"""Decree 591 art. 41(2) (highly toxic, explosive precursors) and Decree 445 art. 19 (drug precursors of class 1)."""
OTHER_DAYS = 30
"""Decree 445 art. 19, drug precursors of classes 2 and 3."""
REMIND_DAYS = 3
_REMIND_LAST_DAYS = 5
"""Of the thirty days, the last five are reminded of."""


class Duty(msgspec.Struct, array_like=True):
    """One party's duty to file one consignment."""

    record_id: str
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
    consignment: str
    records: list[str]
    filed_ms: int
    received_ms: int


class FilingsState(msgspec.Struct):
    """Duties and filings by holder; ends by buyer/consignment."""

    duties: dict[str, list[Duty]] = {}
    filed: dict[str, list[Filed]] = {}
    ends: dict[str, dict[str, str]] = {}
    """buyer/consignment -> record_id of a movement -> its holder."""


class Filings(Topic):
    """Who has to file what."""

    kinds = frozenset({"movement", "filing"})
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

    def __init__(self, state: FilingsState, register: Register) -> None:
        self._state = state
        self._register = register

    def apply(self, entry: Input, goods: Sequence[Goods]) -> Iterable[Row]:
        """A duty that begins, or a filing that meets one."""
        if entry.kind == "filing":
            return self._file(entry)
        return self._begin(entry, goods)

    def withdraw(self, before: Input, goods: Sequence[Goods], entry: Input) -> Iterator[Row]:
        """Take the duty, or the filing, out again."""
        del goods
        holder = before.holder
        if before.kind == "filing":
            gone = [f for f in self._state.filed.get(holder, ()) if f.record_id == before.record_id]
            self._state.filed[holder] = [f for f in self._state.filed.get(holder, ()) if f not in gone]
            for filing in gone:
                yield from self._rows(entry, [d for d in self._duties(holder) if _meets(filing, d)])
            return
        pair = _pair(before)
        if pair:
            self._state.ends.get(pair, {}).pop(before.record_id, None)
        for duty in [d for d in self._duties(holder) if d.record_id == before.record_id]:
            self._state.duties[holder].remove(duty)
            yield "duty", self._row(entry, holder, duty) | {"filed": True, "filed_ms": 0}
        yield from self._others(entry, pair)

    def _duties(self, holder: str) -> list[Duty]:
        return self._state.duties.get(holder, [])

    def _begin(self, entry: Input, goods: Sequence[Goods]) -> Iterator[Row]:
        body = entry.body
        if body["reason"] not in ("sale", "purchase", "transfer") or "counterparty" not in body:
            return
        pair = _pair(entry)
        if pair:
            self._state.ends.setdefault(pair, {})[entry.record_id] = entry.holder
        regime = _regime(goods)
        if regime is not None:
            code, name, days = regime
            duty = self._duty(entry, code, name, days, pair)
            self._state.duties.setdefault(entry.holder, []).append(duty)
            yield from self._rows(entry, [duty])
        yield from self._others(entry, pair)

    def _duty(self, entry: Input, code: str, regime: str, days: int, pair: str) -> Duty:
        event_ms = plausible_ms(entry.event_ms, entry.received_ms)
        day = date.fromisoformat(self._register.local(entry.holder, entry.site, event_ms).day)

        def end_of(after_days: int) -> int:
            return self._register.day_end_ms(entry.holder, entry.site, (day + timedelta(days=after_days)).isoformat())

        remind = REMIND_DAYS if days == STRICT_DAYS else days - _REMIND_LAST_DAYS
        return Duty(
            record_id=entry.record_id,
            site=entry.site,
            book=entry.book,
            consignment=entry.body.get("consignment", ""),
            code=code,
            regime=regime,
            event_ms=event_ms,
            limit_days=days,
            remind_ms=end_of(remind - 1),
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
        filing = Filed(entry.record_id, body["consignment"], list(body.get("records", ())), filed_ms, entry.received_ms)
        self._state.filed.setdefault(entry.holder, []).append(filing)
        yield from self._rows(entry, [duty for duty in self._duties(entry.holder) if _meets(filing, duty)])

    def _others(self, entry: Input, pair: str) -> Iterator[Row]:
        """Duties at either end of a consignment, whose `both_ends` may have changed."""
        for holder in dict.fromkeys(self._state.ends.get(pair, {}).values()) if pair else ():
            for duty in self._duties(holder):
                if duty.pair == pair and duty.record_id != entry.record_id:
                    yield "duty", self._row(entry, holder, duty)

    def _rows(self, entry: Input, duties: Iterable[Duty]) -> Iterator[Row]:
        for duty in duties:
            yield "duty", self._row(entry, entry.holder, duty)

    def _row(self, entry: Input, holder: str, duty: Duty) -> dict[str, object]:
        met = [f.filed_ms for f in self._state.filed.get(holder, ()) if _meets(f, duty)]
        return common(entry) | {
            "holder": holder,
            "site": duty.site,
            "book": duty.book,
            "record_id": duty.record_id,
            "consignment": duty.consignment,
            "code": duty.code,
            "regime": duty.regime,
            "limit_days": duty.limit_days,
            "filed": bool(met),
            "filed_ms": min(met, default=0),
            "both_ends": len(set(self._state.ends.get(duty.pair, {}).values())) > 1,
            "remind_ms": duty.remind_ms,
            "deadline_ms": duty.deadline_ms,
            "event_day": self._register.local(holder, duty.site, duty.event_ms).day,
        }

    def prune(self, now_ms: int) -> None:
        """Forget duties that were met, and filings, when they are old; an unmet duty stays for four times as long."""
        limit = now_ms - FORGET_AFTER_MS
        kept_pairs: set[str] = set()
        for holder, duties in list(self._state.duties.items()):
            filed = self._state.filed.get(holder, ())
            kept = [
                d
                for d in duties
                if d.received_ms > (limit if any(_meets(f, d) for f in filed) else now_ms - 4 * FORGET_AFTER_MS)
            ]
            kept_pairs.update(d.pair for d in kept)
            self._state.duties[holder] = kept
        for holder, filed in list(self._state.filed.items()):
            self._state.filed[holder] = [f for f in filed if f.received_ms > limit]
        for pair in [pair for pair in self._state.ends if pair not in kept_pairs]:
            del self._state.ends[pair]


def _regime(goods: Sequence[Goods]) -> tuple[str, str, int] | None:
    """(code, regime, days) of the strictest listed line; None when nothing has to be filed."""
    found: tuple[str, str, int] | None = None
    for line, listing in goods:
        substance = listing.substance
        drug_class = substance.drug_precursor_class if substance is not None else None
        for name in ("highly_toxic", "explosive_precursor"):
            if name in listing.categories:
                return line.code, name, STRICT_DAYS
        if drug_class == 1:
            return line.code, "drug_precursor_1", STRICT_DAYS
        if drug_class is not None and found is None:
            found = (line.code, f"drug_precursor_{drug_class}", OTHER_DAYS)
    return found


def _pair(entry: Input) -> str:
    consignment = entry.body.get("consignment", "")
    other = entry.body.get("counterparty", {}).get("uscc", "")
    if not consignment or not other:
        return ""
    return f"{other if entry.body['direction'] == 'out' else entry.holder}/{consignment}"


def _meets(filing: Filed, duty: Duty) -> bool:
    return duty.record_id in filing.records or (duty.consignment != "" and filing.consignment == duty.consignment)
