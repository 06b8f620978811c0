"""What went into a run and what came out of it: repacking and dilution keep the pure substance.

The movements of one run bear its process id: outs are what was put in, ins are what came out. For each code that is on
both sides the pure amounts are compared, quantity times concentration. A run that brings forth another code as a product is
a reaction, in which a code may be used up: nothing is said of it. What was lost on the way left the book by a record of its
own (reason loss), so it is no part of what was put in: else it would leave the book twice.

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
"""Kinds of lines of one run; a run with more cannot be compared, and that is said."""


class Part(msgspec.Struct, array_like=True):
    """All goods lines of a run that are alike but for their amounts; sums as text, since they may pass 64 bits."""

    put_in: bool
    product: bool
    """Came out by production: perhaps another substance."""
    code: str
    dimension: str
    share_ppm: int
    """-1 where it is not stated."""
    categories: list[str]
    lines: int = 0
    amount: str = "0"
    squares: str = "0"
    """Of amount times relative error, in ppm²: r² + s² of how each line was measured."""


class Process(msgspec.Struct, array_like=True):
    """One run."""

    last_ms: int = 0
    """When its newest record came."""
    parts: list[Part] = []
    beyond: bool = False
    """It had more than MAX_PARTS kinds of lines."""
    said: list[str] = []
    """Codes of which its rows spoke."""


class ProcessesState(msgspec.Struct):
    """By holder/site/process."""

    runs: dict[str, Process] = {}


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
        return self._rows(entry, self._give_back(before, goods))

    def correct(
        self, before: Input, before_goods: Sequence[Goods], entry: Input, goods: Sequence[Goods]
    ) -> Iterable[Row]:
        """Only what holds in the end is told; a run may have another id now."""
        runs = self._give_back(before, before_goods) | self._take(entry, goods)
        return self._rows(entry, runs)

    def prune(self, now_ms: int) -> None:
        """Forget runs that are long over."""
        for at in [at for at, run in self._state.runs.items() if run.last_ms < now_ms - KEPT_MS]:
            del self._state.runs[at]

    def _take(self, entry: Input, goods: Sequence[Goods]) -> dict[str, None]:
        at = _run_at(entry)
        if not at or not goods:
            return {}
        run = self._state.runs.setdefault(at, Process())
        run.last_ms = max(run.last_ms, entry.received_ms)
        _add(run, entry, goods, 1)
        return {at: None}

    def _give_back(self, before: Input, goods: Sequence[Goods]) -> dict[str, None]:
        at = _run_at(before)
        run = self._state.runs.get(at)
        if run is None:
            return {}
        _add(run, before, goods, -1)
        return {at: None}

    def _rows(self, entry: Input, runs: dict[str, None]) -> Iterator[Row]:
        for at in runs:
            run = self._state.runs[at]
            found = _balances(run)
            for code in sorted({*found, *run.said}):
                yield (
                    "process_balance",
                    common(entry)
                    | {"process": at.split("/", 2)[2], "code": code, "last_ms": run.last_ms}
                    | (found.get(code) or _NOTHING),
                )
            run.said = sorted(found)
            if not run.parts and not run.beyond:
                del self._state.runs[at]


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
    return f"{entry.holder}/{entry.site}/{process['id']}" if process and entry.body["reason"] != "loss" else ""


def _add(run: Process, entry: Input, goods: Sequence[Goods], sign: int) -> None:
    """Add a movement's lines to their parts, or take them out again."""
    measurement = entry.body.get("measurement", {})
    random_ppm, systematic_ppm = measurement.get("random_ppm", 0), measurement.get("systematic_ppm", 0)
    if random_ppm + systematic_ppm == 0:
        random_ppm, systematic_ppm = DEFAULT_RANDOM_PPM, DEFAULT_SYSTEMATIC_PPM
    reason = entry.body["reason"]
    put_in = entry.body["direction"] == "out"
    for line, listing, _ in goods:
        share = concentration_ppm(line.concentration)
        new = Part(
            put_in,
            reason == "production",
            line.code,
            line.dimension,
            -1 if share is None else share,
            sorted(listing.categories),
        )
        part = next((old for old in run.parts if _alike(old, new)), None)
        if part is None:
            if sign < 0 or len(run.parts) >= MAX_PARTS:
                run.beyond = True
                continue
            part = new
            run.parts.append(part)
        error_ppm2 = 0 if line.packaging == "sealed" else random_ppm**2 + systematic_ppm**2
        part.lines += sign
        part.amount = str(int(part.amount) + sign * line.amount)
        part.squares = str(int(part.squares) + sign * line.amount**2 * error_ppm2)
        if part.lines <= 0:
            run.parts.remove(part)


def _alike(one: Part, other: Part) -> bool:
    return (one.code, one.put_in, one.product, one.share_ppm, one.dimension) == (
        other.code,
        other.put_in,
        other.product,
        other.share_ppm,
        other.dimension,
    )


def _balances(run: Process) -> dict[str, dict[str, Any]]:
    """The balance of each code that is on both sides; of a reaction, none."""
    parts = run.parts
    went_in = {part.code for part in parts if part.put_in}
    if any(part.product and part.code not in went_in for part in parts):
        return {}
    codes = went_in & {part.code for part in parts if not part.put_in}
    found = {code: _balance([part for part in parts if part.code == code]) for code in codes}
    for row in found.values() if run.beyond else ():
        row["comparable"] = False
    return found


def _balance(parts: Sequence[Part]) -> dict[str, Any]:
    shares = {part.share_ppm for part in parts}
    dimensions = {part.dimension for part in parts}
    comparable = len(dimensions) == 1 and (len(shares) == 1 or (-1 not in shares and dimensions == {"mass"}))
    sums = {True: 0, False: 0}
    variance = 0
    for part in parts:
        share = part.share_ppm if part.share_ppm >= 0 else _PPM
        sums[part.put_in] += int(part.amount) * share
        variance += int(part.squares) * share * share
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
