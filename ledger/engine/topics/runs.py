"""Production runs: what went in against what came out, by the process that both records name.

A run is what a process used and then made: consumption up to the next production, production up to the next consumption,
in the order in which it happened. So a name that stands for one batch and one that a line bears for years both serve. A
run that a later record completes or a correction changes is said again, and what was said of it before is taken back.
"""

from __future__ import annotations

from bisect import insort
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import msgspec

from ledger.engine.goods import Goods
from ledger.engine.inputs import Input, happened_ms
from ledger.engine.statistics import ratio_ppm
from ledger.engine.subjects import COMMON, Subject
from ledger.engine.topics.base import ORIGIN, Row, Topic, common

KEPT_MS = 60 * 86_400_000
"""How late a record may come and still find its run."""
MAX_STEPS = 64
"""Records of one process that are looked at, at most; then the older half is forgotten."""
MAX_PAIRS = 16
"""Pairs of something used and something made, of one run."""


class Step(msgspec.Struct, array_like=True):
    """One record of a process. First what sorts it: event time; 0 for used, 1 for made; index of the entry."""

    at_ms: int
    made: int
    index: int
    record_id: str
    received_ms: int
    amounts: dict[str, int]
    """By code|dimension."""
    categories: list[str]
    row: dict[str, Any]
    """The fields that every row has."""


class RunsState(msgspec.Struct):
    """By holder/site/process."""

    steps: dict[str, list[Step]] = {}


class Runs(Topic):
    """One row for each thing used and each thing made, of each run."""

    kinds = frozenset({"movement"})
    reasons = frozenset({"consumption", "production"})
    subjects = (
        Subject(
            "run",
            level=False,
            fields=COMMON
            | {
                "process": "str",
                "code": "str",
                "dimension": "str",
                "product": "str",
                "categories": "list",
                "used": "int",
                "made": "int",
                "ratio_ppm": "int",
            },
        ),
    )

    def __init__(self, state: RunsState) -> None:
        self._state = state
        self.gone: list[tuple[str, int]] = []

    def apply(self, entry: Input, goods: Sequence[Goods]) -> Iterator[Row]:
        """Take in what a process used or made."""
        at = _process(entry)
        if not at:
            return
        steps = self._state.steps.setdefault(at, [])
        if len(steps) >= MAX_STEPS:
            del steps[: MAX_STEPS // 2]  # what was said of those stays said
        before = _runs(steps)
        insort(steps, _step(entry, goods), key=_order)
        yield from self._changed(before, _runs(steps), entry)

    def withdraw(self, before: Input, goods: Sequence[Goods], entry: Input) -> Iterator[Row]:
        """Without the record, the runs about it are others."""
        del goods
        at = _process(before)
        steps = self._state.steps.get(at, [])
        kept = [step for step in steps if step.record_id != before.record_id]
        if len(kept) == len(steps):
            return
        self._state.steps[at] = kept
        if not kept:
            del self._state.steps[at]
        yield from self._changed(_runs(steps), _runs(kept), entry)

    def correct(
        self, before: Input, before_goods: Sequence[Goods], entry: Input, goods: Sequence[Goods]
    ) -> Iterable[Row]:
        """Withdraw, then apply; a run that was another only in between is not told of."""
        back = list(self.withdraw(before, before_goods, entry))
        rows = list(self.apply(entry, goods))
        now_gone = {index for _, index in self.gone}
        return [*(row for row in back if row[1][ORIGIN] not in now_gone), *rows]

    def _changed(self, before: list[list[Step]], after: list[list[Step]], entry: Input) -> Iterator[Row]:
        """Take back the runs that are no more, say those that are new."""
        was, now = ({_origin(run): [step.index for step in run] for run in runs} for runs in (before, after))
        for run in before:
            if now.get(_origin(run)) != was[_origin(run)]:
                self.gone.append(("run", _origin(run)))
        for run in after:
            if was.get(_origin(run)) != now[_origin(run)]:
                yield from (("run", row | {ORIGIN: _origin(run)}) for row in _rows(run, entry))

    def prune(self, now_ms: int) -> None:
        """Forget what no record can change any more."""
        for at, steps in list(self._state.steps.items()):
            kept = [step for step in steps if step.received_ms > now_ms - KEPT_MS]
            if kept:
                self._state.steps[at] = kept
            else:
                del self._state.steps[at]


def _process(entry: Input) -> str:
    body = entry.body
    if body["reason"] not in ("consumption", "production") or "process" not in body:
        return ""
    return f"{entry.holder}/{entry.site}/{body['process']['id']}"


def _step(entry: Input, goods: Sequence[Goods]) -> Step:
    amounts: dict[str, int] = {}
    categories: set[str] = set()
    for line, listing, _ in goods:
        at = f"{line.code}|{line.dimension}"
        amounts[at] = amounts.get(at, 0) + line.amount
        categories |= listing.categories
    return Step(
        at_ms=happened_ms(entry),
        made=int(entry.body["reason"] == "production"),
        index=entry.before.index if entry.before is not None else entry.index,
        record_id=entry.record_id,
        received_ms=entry.received_ms,
        amounts=amounts,
        categories=sorted(categories),
        row=common(entry) | {"process": entry.body["process"]["id"]},
    )


def _order(step: Step) -> tuple[int, int, int]:
    return step.at_ms, step.made, step.index


def _runs(steps: Sequence[Step]) -> list[list[Step]]:
    """The steps, cut wherever something is used after something was made."""
    runs: list[list[Step]] = []
    for step in steps:
        if not runs or (runs[-1][-1].made and not step.made):
            runs.append([])
        runs[-1].append(step)
    return [run for run in runs if run[-1].made and not run[0].made]


def _origin(run: Sequence[Step]) -> int:
    return max(step.index for step in run)


def _rows(run: Sequence[Step], entry: Input) -> Iterator[dict[str, Any]]:
    used: dict[str, int] = {}
    made: dict[str, int] = {}
    for step in run:
        sums = made if step.made else used
        for at, amount in step.amounts.items():
            sums[at] = sums.get(at, 0) + amount
    categories = sorted({word for step in run if not step.made for word in step.categories})
    pairs = [(into, out) for into in used for out in made if used[into] > 0 and made[out] > 0]
    for into, out in pairs[:MAX_PAIRS]:
        code, dimension = into.split("|")
        yield run[-1].row | {
            "received_ms": entry.received_ms,
            "code": code,
            "dimension": dimension,
            "product": out,
            "categories": categories,
            "used": used[into],
            "made": made[out],
            "ratio_ppm": ratio_ppm(used[into], made[out]),
        }
