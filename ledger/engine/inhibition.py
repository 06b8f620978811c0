"""Alerts that others keep down: `inhibited_by` of rule files.

    inhibited_by: [{rule: B02, on: [holder, consignment]}]

While B02 has an alert about the same holder and consignment whose condition holds and that nobody closed, this rule's are
suppressed (a reminder of severity info inhibits nothing): made, recorded, counted and shown as such. One that was there before and that nobody has touched becomes so.
An empty text is the same as nothing. When the inhibiting alert ends, what it kept down appears, if that still holds, unless
the cause was dealt with: closed as a confirmed violation or referred.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from ledger.engine.life import Cause, InhibitionState, Known, LifeEffects
from ledger.engine.lives import Lives
from ledger.engine.restraints import Inhibitor
from ledger.engine.rules import Rule

INFO = "info"
RESOLVED = ("violation_confirmed", "referred")
"""Outcomes with which an inhibiting alert takes along what it kept down."""


class Inhibition:
    """Works on an InhibitionState and on the lives."""

    def __init__(self, state: InhibitionState, rules: Iterable[Rule], lives: Lives) -> None:
        self._known = state.known
        self.unsettled: list[tuple[str, str]] = []
        """(rule, episode) that ended at this entry; settled when all rules have seen it."""
        self._lives = lives
        rules = tuple(rules)
        running = {rule.id for rule in rules if rule.status == "live"}
        self._by: dict[str, tuple[Inhibitor, ...]] = {
            rule.id: tuple(by for by in rule.inhibited_by if by.rule in running) for rule in rules if rule.inhibited_by
        }
        self._of: dict[str, list[tuple[str, Inhibitor]]] = {}
        for rule_id, inhibitors in self._by.items():
            for by in inhibitors:
                self._of.setdefault(by.rule, []).append((rule_id, by))
        self._fields: dict[str, set[str]] = {}
        for rule_id, inhibitors in self._by.items():
            for by in inhibitors:
                self._fields.setdefault(rule_id, set()).update(by.on)
                self._fields.setdefault(by.rule, set()).update(by.on)

    def keeps_down(self, rule: str, row: Mapping[str, Any]) -> tuple[str, str] | None:
        """(rule, episode) that an alert of `rule` on this row is inhibited by; None when nothing is in its way."""
        for by in self._by.get(rule, ()):
            for episode, known in self._known.get(by.rule, {}).items():
                if known.holds and not known.info and _agree(by, known.fields, row):
                    return by.rule, episode
        return None

    def begun(
        self, rule: str, episode: str, severity: str, row: Mapping[str, Any], cause: Cause, to: LifeEffects
    ) -> None:
        """An episode began: what keeps it down is noted, and what it keeps down itself is suppressed."""
        names = self._fields.get(rule)
        if names is None:
            return
        kept = self.keeps_down(rule, row)
        known = Known(
            {name: row[name] for name in sorted(names)}, info=severity == INFO, by=kept[1] if kept is not None else ""
        )
        self._known.setdefault(rule, {})[episode] = known
        self._keep_down(rule, episode, known, cause, to)

    def goes_on(self, rule: str, episode: str, row: Mapping[str, Any], cause: Cause, to: LifeEffects) -> None:
        """It holds for another row: one that nothing is in the way of brings it up."""
        known = self._known.get(rule, {}).get(episode)
        if known is not None and known.by and self.keeps_down(rule, row) is None:
            known.by = ""
            self._lives.release(episode, cause, to)

    def grown(
        self, rule: str, episode: str, severity: str, row: Mapping[str, Any], cause: Cause, to: LifeEffects
    ) -> None:
        """It got worse."""
        self.goes_on(rule, episode, row, cause, to)
        known = self._known.get(rule, {}).get(episode)
        if known is not None and known.info and severity != INFO:
            known.info = False
            self._keep_down(rule, episode, known, cause, to)

    def is_kept_down(self, rule: str, episode: str) -> bool:
        """Whether another episode keeps this one down."""
        known = self._known.get(rule, {}).get(episode)
        return known is not None and known.by != ""

    def ceased(self, episode: str) -> None:
        """The episode's condition does not hold any more."""
        for rule, known in self._find(episode):
            known.holds = False
            self.unsettled.append((rule, episode))

    def held_again(self, episode: str, cause: Cause, to: LifeEffects) -> None:
        """It holds again."""
        for rule, known in self._find(episode):
            known.holds = True
            if known.by and not self._stands(known.by):
                known.by = ""
                self._lives.release(episode, cause, to)
            self._keep_down(rule, episode, known, cause, to)

    def closed(self, episode: str, outcome: str) -> None:
        """A supervisor closed the episode."""
        for rule, _ in self._find(episode):
            del self._known[rule][episode]
            if outcome not in RESOLVED:
                self.unsettled.append((rule, episode))

    def settle(self, cause: Cause, to: LifeEffects) -> None:
        """After an entry: what was kept down by what ended appears, if the entry did not end it too."""
        for rule, episode in self.unsettled:
            if not self._stands(episode):
                self._let_up(rule, episode, cause, to)
        self.unsettled.clear()

    def reconsider(self, cause: Cause, to: LifeEffects) -> None:
        """Other rules are in force: what none of them keeps down any more appears, and so does what was kept down by an alert
        that does not hold under the new text.
        """
        for episodes in self._known.values():
            for episode, known in episodes.items():
                known.holds = known.holds and not self._lives.has_recovered(episode)
        for rule, episodes in self._known.items():
            relations = {by.rule for by in self._by.get(rule, ())}
            for episode, known in episodes.items():
                inhibitor = next(self._find(known.by), None)
                if inhibitor is None:
                    continue  # nothing keeps it down, or what did so was closed and took it along
                is_related = inhibitor[0] in relations
                if is_related and (self._stands(known.by) or not known.holds):
                    continue
                instead = self.keeps_down(rule, known.fields)
                known.by = instead[1] if instead is not None else ""
                if instead is None:
                    self._lives.release(episode, cause, to)

    def prune(self) -> None:
        """Forget episodes whose lives are forgotten."""
        for known in self._known.values():
            for episode in [episode for episode in known if not self._lives.is_known(episode)]:
                del known[episode]

    # --- both directions ---------------------------------------------------------------------------------------------

    def _keep_down(self, rule: str, episode: str, by: Known, cause: Cause, to: LifeEffects) -> None:
        """Suppress what this episode inhibits and nobody has touched."""
        if by.info:
            return
        for other, inhibitor in self._of.get(rule, ()):
            for name, known in self._known.get(other, {}).items():
                free = not known.by and _agree(inhibitor, by.fields, known.fields)
                if free and self._lives.inhibit(name, rule, cause, to):
                    known.by = episode

    def _let_up(self, rule: str, episode: str, cause: Cause, to: LifeEffects) -> None:
        """What this episode kept down appears, where it holds and nothing else keeps it down."""
        for other, _ in self._of.get(rule, ()):
            for name, known in self._known.get(other, {}).items():
                if known.by != episode or not known.holds:
                    continue
                instead = self.keeps_down(other, known.fields)
                known.by = instead[1] if instead is not None else ""
                if instead is None:
                    self._lives.release(name, cause, to)

    def _find(self, episode: str) -> Iterator[tuple[str, Known]]:
        for rule, known in self._known.items():
            if episode in known:
                yield rule, known[episode]
                return

    def _stands(self, episode: str) -> bool:
        return any(known.holds and not known.info for _, known in self._find(episode))


def _agree(by: Inhibitor, one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    return all(one.get(name) and one.get(name) == other.get(name) for name in by.on)
