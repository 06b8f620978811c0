"""What the rules' pages read: the rules in force, as their files have them, beside how each does."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ledger.core.life import STATUSES, TO_DO
from ledger.errors import NotFoundError
from ledger.ports import QueueFilter
from webapp.context import services

if TYPE_CHECKING:
    from ledger.rulebench.health import EngineState, RuleState
    from ledger.rulebench.sheet import RuleSheet

COUNT_TO = 100
"""Episodes of one rule are counted no further; the number is a link to all of them."""


@dataclass(frozen=True, slots=True)
class Row:
    """One rule: its file, and how it does. `sheet` is None for what stands beside the rules (`ledger.enginehealth`)."""

    rule: str
    sheet: RuleSheet | None
    state: RuleState | None

    @property
    def failing(self) -> bool:
        return self.state is not None and self.state.state != "ok"

    @property
    def over_budget(self) -> bool:
        state = self.state
        return state is not None and state.budget is not None and state.alerts_per_day > state.budget


@dataclass(frozen=True, slots=True)
class Board:
    """All rules; those in error first, then in the order of their ids."""

    engine: EngineState
    rows: Sequence[Row]


def board() -> Board:
    ask = services().rules
    if ask is None:
        raise NotFoundError("")
    engine, found = ask()
    sheets, states = {one.rule: one for one in found}, {one.rule: one for one in engine.rules}
    rows = [Row(rule, sheets.get(rule), states.get(rule)) for rule in sorted(sheets.keys() | states.keys())]
    return Board(engine, sorted(rows, key=lambda row: (not row.failing, row.sheet is None, row.rule)))


def row(rule: str) -> tuple[Board, Row] | None:
    """One rule and the board that it stands on; None for a rule that there is not."""
    whole = board()
    return next(((whole, one) for one in whole.rows if one.rule == rule), None)


def episodes(rule: str) -> tuple[int, int]:
    """(episodes that wait to be handled, all), both counted up to COUNT_TO."""
    engine = services().engine
    return (
        len(engine.queue(QueueFilter(TO_DO, rule=rule), limit=COUNT_TO)),
        len(engine.queue(QueueFilter(STATUSES, rule=rule), limit=COUNT_TO)),
    )
