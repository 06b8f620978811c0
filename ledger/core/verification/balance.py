"""Do a book's own records add up? (`verify book`: "balanced")

Every complete stocktake and every close states what is there; the movements between them say what should be. This
compares the two, in the order of seq, per substance code, form and concentration, and re-bases at each complete stocktake
(formats.md section 2, Books). It says nothing of whether a difference is lawful: that is the rules engine's.

Not done: volumes are not turned into masses, listings and bands are not looked up, batches and stores are added together.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from ledger.core import record
from ledger.core.quantity import format_mass, format_volume
from ledger.core.record import Line
from ledger.model import Payload

Key = tuple[str, str, str, int | None]
"""(dimension, code, form, concentration in parts per million)."""
Amounts = dict[Key, int]
"""Base units: milligrams, microlitres or pieces."""


@dataclass(frozen=True, slots=True)
class Difference:
    """A balance line that is not what the book's movements give."""

    index: int
    record_id: str
    kind: str
    seq: int
    key: Key
    stated: int
    book: int

    def line(self) -> str:
        """One line for a person."""
        dimension, code, form, ppm = self.key
        more = "".join(f", {word}" for word in (form, "" if ppm is None else f"{ppm / 10_000:g} %") if word)
        return (
            f"{self.kind} no. {self.seq} (index {self.index}): {code}{more}: states "
            f"{_amount(self.stated, dimension)}, the movements give {_amount(self.book, dimension)}"
        )


@dataclass(slots=True)
class BookBalance:
    """A book's running balance and where it was contradicted."""

    compared: int = 0
    """Balance lines that were compared."""
    differences: list[Difference] = field(default_factory=list)
    skipped: list[str] = field(default_factory=list)
    amounts: Amounts = field(default_factory=dict)
    _opened: bool = False
    _base_id: str = ""
    _last_effect_seq: int = 0
    _effects: dict[str, Amounts] = field(default_factory=dict)
    """What each record since the last complete stocktake changed, so that a correction can take it back."""

    def add(self, index: int, record_id: str, payload: Payload) -> None:
        """Take in the book's next record."""
        kind, subject = payload.kind, record_id
        lines = record.lines_of(payload)
        body = payload.body
        if kind == "correction":
            kind, subject, body = body["kind"], body["corrects"], body["body"]
            self._correct(kind, subject, body, lines, payload.seq)
        elif kind == "movement":
            self._effects[subject] = effect = _signed(lines, body["direction"])
            _merge(self.amounts, effect)
            self._last_effect_seq = payload.seq
        elif kind == "stocktake":
            self._stocktake(index, record_id, payload, lines)
        elif kind == "close":
            self._close(index, record_id, payload, lines)

    def _stocktake(self, index: int, record_id: str, payload: Payload, lines: list[Line]) -> None:
        counted = _sums(lines)
        complete = payload.body["complete"]
        if self._opened:
            keys = counted.keys() | self.amounts.keys() if complete else counted.keys()
            self._compare(index, record_id, payload, {key: counted.get(key, 0) for key in keys})
        if complete:
            self.amounts, self._base_id = dict(counted), record_id
            self._effects = {record_id: counted}
            self._opened = True

    def _close(self, index: int, record_id: str, payload: Payload, lines: list[Line]) -> None:
        if payload.body["last_seq"] < self._last_effect_seq:
            self.skipped.append(f"close no. {payload.seq} covers no. {payload.body['last_seq']} and earlier only")
        elif self._opened:
            self._compare(index, record_id, payload, _sums(lines))

    def _correct(self, kind: str, subject: str, body: dict[str, object], lines: list[Line], seq: int) -> None:
        old = self._effects.get(subject)
        if old is None or kind not in ("movement", "stocktake"):
            # Before the last complete stocktake, which has counted since; or nothing that moves stock.
            return
        new = _signed(lines, str(body["direction"])) if kind == "movement" else _sums(lines)
        _merge(self.amounts, {key: -amount for key, amount in old.items()})
        _merge(self.amounts, new)
        self._effects[subject] = new
        self._last_effect_seq = seq

    def _compare(self, index: int, record_id: str, payload: Payload, stated: Amounts) -> None:
        for key, amount in sorted(stated.items(), key=str):
            self.compared += 1
            book = self.amounts.get(key, 0)
            if amount != book:
                self.differences.append(Difference(index, record_id, payload.kind, payload.seq, key, amount, book))


def balance_of(records: Iterable[tuple[int, str, Payload]]) -> BookBalance:
    """Fold (index, record_id, payload) of one book, in the order of seq."""
    balance = BookBalance()
    for index, record_id, payload in records:
        balance.add(index, record_id, payload)
    return balance


def _amount(amount: int, dimension: str) -> str:
    formats = {"mass": format_mass, "volume": format_volume}
    return formats[dimension](amount) if dimension in formats else f"{amount:,} pieces"


def _key(line: Line) -> tuple[Key, int]:
    for dimension, amount in (("mass", line.mass_mg), ("volume", line.volume_ul), ("count", line.count)):
        if amount is not None:
            return (dimension, line.code, line.form or "", line.concentration_ppm), amount
    raise ValueError("a goods line has a quantity")


def _sums(lines: Iterable[Line]) -> Amounts:
    sums: Amounts = {}
    for line in lines:
        key, amount = _key(line)
        sums[key] = sums.get(key, 0) + amount
    return sums


def _signed(lines: list[Line], direction: str) -> Amounts:
    sign = 1 if direction == "in" else -1
    return {key: sign * amount for key, amount in _sums(lines).items()}


def _merge(into: Amounts, changes: Amounts) -> None:
    for key, amount in changes.items():
        into[key] = into.get(key, 0) + amount
