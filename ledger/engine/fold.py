"""The fold: `step(input)` advances the state and collects effects. Live run, recovery, rule test, replay are this one.

Nothing is read but the inputs: no clock, no randomness, no IO. What the fold remembers is in FoldState and nowhere else.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from ledger.engine.alerts import AlertBook, Effects, Identity, Moment
from ledger.engine.books import Books, Categories, Row, Touched, common
from ledger.engine.inputs import GoodsLine, Input, goods_lines
from ledger.engine.parties import DAY_MS, Licences, Refusals, Transfers
from ledger.engine.rules import Rule, RuleSet
from ledger.engine.state import FoldState
from ledger.engine.subjects import SUBJECTS
from ledger.errors import RuleError
from ledger.model import StoredRecord, UnixMs

ENGINE = "ENGINE"
"""The name under which the engine's own errors (an entry that does not fold) are shown beside the rules."""


class Fold:
    """A state, and the rules that work on it."""

    def __init__(self, state: FoldState, rules: RuleSet, categories: Categories, identity: Identity) -> None:
        self.state = state
        self._by_subject: dict[str, tuple[Rule, ...]] = {name: rules.on(name) for name in SUBJECTS}
        self._categories = categories
        self._alerts = AlertBook(state, identity, rules.rules)
        self._books = Books(state, categories)
        self._transfers = Transfers(state)
        self._licences = Licences(state)
        self._refusals = Refusals(state, self._books)

    def next_due(self) -> UnixMs | None:
        """When the next timer is due; None when none is set."""
        return self._alerts.next_due()

    def step(self, entry: Input, to: Effects) -> None:
        """Fold one entry. Entries come in the order of their index, each once; `to` collects what is to be committed."""
        state = self.state
        if entry.index != state.next_index:
            raise RuleError(f"entry {entry.index} where {state.next_index} is next", code="fold-order")
        state.next_index = entry.index + 1
        now_ms = entry.body["now"] if entry.kind == "tick" else entry.received_ms
        state.now_ms = max(state.now_ms, now_ms)
        moment = Moment(entry.index, entry.record_id, UnixMs(state.now_ms))
        if entry.kind == "tick":
            self._tick(moment, to)
            return
        if entry.kind == "alert":
            return
        try:
            rows = list(self._rows(entry, to))
        except RuleError as error:
            self._alerts.fail(ENGINE, f"{entry.record_id}: {error.detail}", moment, to)
            return
        except (LookupError, TypeError, ValueError, AttributeError, ArithmeticError) as error:
            # These bytes passed the door's schema, so this is a fault of the engine: shown, contained, never skipped over.
            self._alerts.fail(ENGINE, f"{entry.record_id}: {type(error).__name__}: {error}", moment, to)
            return
        for subject, row in rows:
            self._evaluate(subject, row, moment, to)

    def unreadable(self, record: StoredRecord, error: RuleError, to: Effects) -> None:
        """Fold an entry whose stored bytes do not parse: one alert, and the fold goes on."""
        self.state.next_index = record.index + 1
        self.state.now_ms = max(self.state.now_ms, record.received)
        moment = Moment(record.index, record.record_id, UnixMs(self.state.now_ms))
        self._alerts.fail(ENGINE, error.detail, moment, to)

    def _evaluate(self, subject: str, row: dict[str, Any], moment: Moment, to: Effects) -> None:
        for rule in self._by_subject[subject]:
            self._alerts.consider(rule, subject, row, moment, to)

    def _tick(self, moment: Moment, to: Effects) -> None:
        """Fire every timer that is due, by (due, id); then, once a day, forget what is settled."""
        self._alerts.fire_due(moment, to)
        if moment.now_ms - self.state.pruned_ms >= DAY_MS:
            self.state.pruned_ms = moment.now_ms
            self._transfers.prune(moment.now_ms)
            self._alerts.prune(moment.now_ms)

    # --- entries to rows ---------------------------------------------------------------------------------------------

    def _rows(self, entry: Input, to: Effects) -> Iterable[Row]:
        kind, body = entry.kind, entry.body
        if not entry.is_authority:
            self.state.inside.setdefault(entry.holder, entry.index)
            self._books.note_head(entry)
            yield from self._refusals.grown(entry)
        if kind == "movement":
            yield from self._movement(entry, to)
        elif kind == "stocktake":
            yield from self._stocktake(entry, to)
        elif kind == "correction":
            yield from self._correction(entry, to)
        elif kind == "place":
            yield from self._place(entry, body)
        elif kind == "licence":
            self._licences.fold(entry, body)
        elif kind == "endorse":
            self._licences.endorse(body["record_id"])
        elif kind == "grant" and body["role"] == 1:
            self.state.inside.setdefault(body["holder"], entry.index)
        elif kind == "ruleset":
            self.state.ruleset = body["digest"]
        elif kind == "refusal":
            yield from self._refusals.fold(entry)

    def _movement(self, entry: Input, to: Effects) -> Iterable[Row]:
        lines = goods_lines(entry.body)
        goods = [(line, self._categories(line.code, line.concentration, line.form)) for line in lines]
        touched = Touched()
        self._books.move(entry, lines, touched)
        to.lines.append((entry, lines))
        if self._by_subject["movement"]:
            yield from _movement_rows(entry, goods)
        yield from self._stock_rows(entry, touched, to)
        yield from self._transfers.fold(entry, lines)
        yield from self._licences.rows(entry, entry.body, goods)

    def _stocktake(self, entry: Input, to: Effects) -> Iterable[Row]:
        lines = goods_lines(entry.body)
        touched = Touched()
        self._books.stocktake(entry, lines, touched)
        to.lines.append((entry, lines))
        yield from self._stock_rows(entry, touched, to)

    def _correction(self, entry: Input, to: Effects) -> Iterable[Row]:
        kind, body = entry.body["kind"], entry.body["body"]
        if kind == "place":
            yield from self._place(entry, body)
        elif kind == "licence":
            self._licences.fold(entry, {"replaces": entry.body["corrects"]} | body)
        elif kind in ("movement", "stocktake"):
            lines = goods_lines(body)
            to.lines.append((entry, lines))
            touched = Touched()
            original = self._books.correct(entry, touched)
            yield from self._stock_rows(entry, touched, to)
            if original is not None:
                record_id, event_ms = original
                corrected = replace(entry, record_id=record_id, event_ms=event_ms, body=body)
                goods = [(line, self._categories(line.code, line.concentration, line.form)) for line in lines]
                yield from self._transfers.withdraw(entry, record_id)
                yield from self._transfers.fold(corrected, lines)
                yield from self._licences.rows(corrected, body, goods)

    def _place(self, entry: Input, body: dict[str, Any]) -> Iterable[Row]:
        touched = Touched()
        self._books.place(entry, body, touched)
        return self._books.rows(entry, touched)

    def _stock_rows(self, entry: Input, touched: Touched, to: Effects) -> Iterable[Row]:
        for key in touched.balances:
            to.stock[entry.holder, entry.site, entry.book, key] = entry.index
        return self._books.rows(entry, touched)


def _movement_rows(entry: Input, goods: list[tuple[GoodsLine, frozenset[str]]]) -> Iterable[Row]:
    body = entry.body
    other = body.get("counterparty", {})
    shared = common(entry) | {
        "direction": body["direction"],
        "reason": body["reason"],
        "consignment": body.get("consignment", ""),
        "counterparty": other.get("uscc", ""),
        "counterparty_type": other.get("type", ""),
        "handlers": len(body.get("handlers", ())),
        "ahead_ms": entry.event_ms - entry.received_ms,
    }
    for line, categories in goods:
        yield (
            "movement",
            shared
            | {
                "code": line.code,
                "form": line.form,
                "packaging": line.packaging,
                "dimension": line.dimension,
                "categories": sorted(categories),
                "amount": line.amount,
                "pieces": line.pieces,
                "store": line.store,
            },
        )
