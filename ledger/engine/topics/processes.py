"""What went into a run and what came out of it: repacking and dilution keep the pure substance.

The movements of one run bear its process id: outs are what was put in, ins are what came out. For each code that is on
both sides the pure amounts are compared, quantity times concentration. A run that brings forth another code as a product is
a reaction, in which a code may be used up: nothing is said of it. A declared loss of the run came out of it, too.

Not compared, and said so: a code whose concentration stands on some lines only, that is measured by mass here and by
volume there, or by volume at different concentrations (per cent by mass of a volume is no amount).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from math import isqrt
from typing import Any

import msgspec

from ledger.engine.goods import Goods, concentration_ppm
from ledger.engine.inputs import Input
from ledger.engine.statistics import clamp, ratio_ppm
from ledger.engine.streams import LIMIT
from ledger.engine.subjects import COMMON, Subject
from ledger.engine.topics.accountancy import DEFAULT_RANDOM_PPM, DEFAULT_SYSTEMATIC_PPM
from ledger.engine.topics.base import Row, Topic, common

_PPM = 1_000_000
KEPT_MS = 90 * 86_400_000
"""A run is forgotten so long after its newest record came."""
MAX_PARTS = 1024
"""Lines of one run; a run with more is not judged."""


class Part(msgspec.Struct, array_like=True):
    """One goods line of a run."""

    record_id: str
    put_in: bool
    product: bool
    """Came out by production: perhaps another substance."""
    code: str
    dimension: str
    amount: int
    share_ppm: int
    """-1 where it is not stated."""
    error_ppm2: int
    """r² + s² of how it was measured, in ppm²."""
    received_ms: int
    categories: list[str]


class ProcessesState(msgspec.Struct):
    """By holder/site/process."""

    runs: dict[str, list[Part]] = {}
    said: dict[str, list[str]] = {}
    """Codes of which a run's rows spoke."""


class Processes(Topic):
    """Remembers the lines of each run."""

    kinds = frozenset({"movement"})
    subjects = (
        # One code of a run that has it on both sides.
        Subject(
            "process_balance",
            level=True,
            fields=COMMON
            | {
                "process": "str",
                "code": "str",
                "dimension": "str",
                "categories": "list",
                "comparable": "bool",
                "shortage": "bool",
                "put_in": "int",
                "came_out": "int",
                "difference": "int",
                "difference_ppm": "int",
                "sigma": "int",
                "last_ms": "int",
            },
        ),
    )

    def __init__(self, state: ProcessesState) -> None:
        self._state = state

    def apply(self, entry: Input, goods: Sequence[Goods]) -> Iterable[Row]:
        """Take a movement of a run in."""
        return self._rows(entry, self._take(entry, goods))

    def withdraw(self, before: Input, goods: Sequence[Goods], entry: Input) -> Iterable[Row]:
        """Take it out of its run."""
        del goods
        return self._rows(entry, self._give_back(before))

    def correct(
        self, before: Input, before_goods: Sequence[Goods], entry: Input, goods: Sequence[Goods]
    ) -> Iterable[Row]:
        """Only what holds in the end is told; a run may have another id now."""
        del before_goods
        runs = self._give_back(before) | self._take(entry, goods)
        return self._rows(entry, runs)

    def prune(self, now_ms: int) -> None:
        """Forget runs that are long over."""
        for at, parts in list(self._state.runs.items()):
            if max(part.received_ms for part in parts) < now_ms - KEPT_MS:
                del self._state.runs[at]
                self._state.said.pop(at, None)

    def _take(self, entry: Input, goods: Sequence[Goods]) -> dict[str, None]:
        at = _run_at(entry)
        if not at or not goods:
            return {}
        measurement = entry.body.get("measurement", {})
        random_ppm, systematic_ppm = measurement.get("random_ppm", 0), measurement.get("systematic_ppm", 0)
        if random_ppm + systematic_ppm == 0:
            random_ppm, systematic_ppm = DEFAULT_RANDOM_PPM, DEFAULT_SYSTEMATIC_PPM
        reason = entry.body["reason"]
        parts = self._state.runs.setdefault(at, [])
        for line, listing in goods:
            share = concentration_ppm(line.concentration)
            parts.append(
                Part(
                    entry.record_id,
                    entry.body["direction"] == "out" and reason != "loss",
                    reason == "production",
                    line.code,
                    line.dimension,
                    line.amount,
                    -1 if share is None else share,
                    0 if line.packaging == "sealed" else random_ppm**2 + systematic_ppm**2,
                    entry.received_ms,
                    sorted(listing.categories),
                )
            )
        return {at: None}

    def _give_back(self, before: Input) -> dict[str, None]:
        at = _run_at(before)
        if at not in self._state.runs:
            return {}
        kept = [part for part in self._state.runs[at] if part.record_id != before.record_id]
        if kept:
            self._state.runs[at] = kept
        else:
            del self._state.runs[at]
        return {at: None}

    def _rows(self, entry: Input, runs: dict[str, None]) -> Iterator[Row]:
        for at in runs:
            parts = self._state.runs.get(at, [])
            found = _balances(parts) if len(parts) <= MAX_PARTS else {}
            for code in sorted({*found, *self._state.said.get(at, ())}):
                yield (
                    "process_balance",
                    common(entry)
                    | {"process": at.split("/", 2)[2], "code": code}
                    | (found.get(code) or _NOTHING)
                    | {"last_ms": max((part.received_ms for part in parts), default=0)},
                )
            if found:
                self._state.said[at] = sorted(found)
            else:
                self._state.said.pop(at, None)


_NOTHING: dict[str, Any] = {
    "dimension": "",
    "categories": [],
    "comparable": True,
    "shortage": False,
    "put_in": 0,
    "came_out": 0,
    "difference": 0,
    "difference_ppm": 0,
    "sigma": 0,
}
"""Of a code that a correction took off one of the sides."""


def _run_at(entry: Input) -> str:
    process = entry.body.get("process")
    return f"{entry.holder}/{entry.site}/{process['id']}" if process else ""


def _balances(parts: Sequence[Part]) -> dict[str, dict[str, Any]]:
    """The balance of each code that is on both sides; of a reaction, none."""
    went_in = {part.code for part in parts if part.put_in}
    if any(part.product and part.code not in went_in for part in parts):
        return {}
    codes = went_in & {part.code for part in parts if not part.put_in}
    return {code: _balance([part for part in parts if part.code == code]) for code in codes}


def _balance(parts: Sequence[Part]) -> dict[str, Any]:
    shares = {part.share_ppm for part in parts}
    dimensions = {part.dimension for part in parts}
    comparable = len(dimensions) == 1 and (len(shares) == 1 or (-1 not in shares and dimensions == {"mass"}))
    sums = {True: 0, False: 0}
    variance = 0
    for part in parts:
        pure = part.amount * (part.share_ppm if part.share_ppm >= 0 else _PPM)  # in millionths
        sums[part.put_in] += pure
        variance += pure * pure * part.error_ppm2
    put_in, came_out = (clamp(sums[side] // _PPM, LIMIT) for side in (True, False))
    difference = abs(put_in - came_out)
    return {
        "dimension": parts[0].dimension,
        "categories": sorted({category for part in parts for category in part.categories}),
        "comparable": comparable,
        "shortage": came_out < put_in,
        "put_in": put_in,
        "came_out": came_out,
        "difference": difference,
        "difference_ppm": ratio_ppm(difference, put_in),
        "sigma": clamp(isqrt(variance) // _PPM**2, LIMIT),
    }
