"""What the rules' pages read: the rules in force, as their files have them, beside how each does."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ledger.core.life import STATUSES, TO_DO
from ledger.errors import NotFoundError
from ledger.ports import QueueFilter
from webapp.context import services
from webapp.i18n import language
from webapp.portal.members import MEMBERS_ZH

if TYPE_CHECKING:
    from ledger.rulebench.health import EngineState, RuleState
    from ledger.rulebench.sheet import RuleSheet

COUNT_TO = 100
"""Episodes of one rule are counted no further; the number is a link to all of them."""

_TEXTS = re.compile(r"\"[^\"]*\"|'[^']*'")
_WORDS = re.compile(r"\b[a-z][a-z0-9_]*\b(?!\s*\()")


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


def legend(sheet: RuleSheet | None) -> list[str]:
    """The names in a rule's conditions that have a Chinese word, as they come; its limits say theirs in their own table.

    Empty in English, where a name is its own word.
    """
    if sheet is None or language() != "zh":
        return []
    text = _TEXTS.sub("", " ".join([sheet.scope, *(band.when for band in sheet.bands)]))
    limits = {limit.name for limit in sheet.limits}
    return [name for name in dict.fromkeys(_WORDS.findall(text)) if name in MEMBERS_ZH and name not in limits]


def episodes(rule: str) -> tuple[int, int]:
    """(episodes that wait to be handled, all), both counted up to COUNT_TO."""
    engine = services().engine
    return (
        len(engine.queue(QueueFilter(TO_DO, rule=rule), limit=COUNT_TO)),
        len(engine.queue(QueueFilter(STATUSES, rule=rule), limit=COUNT_TO)),
    )
