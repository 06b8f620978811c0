"""Planted cases: for each rule some that must fire and some near misses that must not, each on enterprises of its own.

A case is one turn: its records are signed and sent one after the other. What it expects is said of its place: an alert of
its rule for that holder, or none.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from random import Random

from ledger.demo import acts
from ledger.demo.acts import Act, Turn
from ledger.demo.facilities import Enterprise, Store
from ledger.demo.state import Place, State
from ledger.demo.traffic import Spot, Tick


@dataclass(frozen=True, slots=True)
class Planted:
    """One planted case. `place` is (holder, site, book) of the record that the rule reads first."""

    id: str
    rule: str
    fires: bool
    place: Place
    why: dict[str, str]
    parties: tuple[str, ...]
    """Credit codes of everybody who plays in it; none of them is in another case or in ordinary traffic."""
    severity: str = ""
    """The alert's severity where that is the point of the case."""
    also: tuple[str, ...] = ()
    """Other rules that rightly say something of the same events."""
    record_ids: tuple[str, ...] = ()
    """Sent so far for this case; empty until its turn came."""

    def with_records(self, record_ids: Sequence[str]) -> Planted:
        """The same with what was sent."""
        return replace(self, record_ids=tuple(record_ids))


@dataclass(frozen=True, slots=True)
class Scene:
    """What a case works on: its parties' stores, the state, and the next event times."""

    spots: tuple[Spot, ...]
    state: State
    rng: Random
    tick: Tick

    @property
    def spot(self) -> Spot:
        return self.spots[0]

    @property
    def mg(self) -> int:
        """What lies in the first party's book."""
        return self.state.book(self.spot[0].place(self.spot[1])).mg

    @property
    def pieces(self) -> int:
        return self.state.book(self.spot[0].place(self.spot[1])).pieces


Play = Callable[[Scene], Turn]
Fits = Callable[[Enterprise, Store], bool]


@dataclass(frozen=True, slots=True)
class Case:
    """How a case is cast and played. `licences` says for each party: normal, none, or expired."""

    id: str
    rule: str
    fires: bool
    fits: Fits
    parties: int
    why: dict[str, str]
    play: Play
    licences: tuple[str, ...] = ("normal", "normal")
    opened: bool = True
    severity: str = ""
    also: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Cast:
    """All cases with the enterprises they play on. Those that found nobody are left out."""

    planted: tuple[Planted, ...]
    cases: tuple[Case, ...]
    spots: tuple[tuple[Spot, ...], ...]

    @property
    def holders(self) -> frozenset[str]:
        """Credit codes that ordinary traffic leaves alone."""
        return frozenset(enterprise.holder for spots in self.spots for enterprise, _ in spots)

    @property
    def unopened(self) -> frozenset[Place]:
        """Books without an opening stock-take."""
        return frozenset(p.place for p, case in zip(self.planted, self.cases, strict=True) if not case.opened)

    def places_of(self, rules: frozenset[str]) -> frozenset[Place]:
        """The books that the cases of these rules are played in."""
        return frozenset(
            enterprise.place(store)
            for case, spots in zip(self.cases, self.spots, strict=True)
            if case.rule in rules
            for enterprise, store in spots
        )

    def is_without_papers(self, enterprise: Enterprise) -> bool:
        """Whether the enterprise plays a case in which its papers are wanting."""
        return self._papers(enterprise) != "normal"

    def _papers(self, enterprise: Enterprise) -> str:
        state = "normal"
        for case, spots in zip(self.cases, self.spots, strict=True):
            for (party, _), planned in zip(spots, case.licences, strict=False):
                if party is enterprise:
                    state = planned
        return state

    def licence_of(self, enterprise: Enterprise, year: int, ms: int) -> Act | None:
        """The licence that an enterprise declares in the opening, if it is to have one."""
        state = self._papers(enterprise)
        if state == "none" or not enterprise.licensed:
            return None
        if state == "expired":
            return acts.licence(enterprise, ms, f"{year - 4}-01-01", f"{year - 1}-06-30")
        return acts.licence(enterprise, ms, f"{year - 1}-01-01", f"{year + 2}-12-31")

    def turn(self, at: int, state: State, rng: Random, tick: Tick) -> Turn:
        """Play case number `at`."""
        case = self.cases[at]
        return replace(case.play(Scene(self.spots[at], state, rng, tick)), label=case.id)


def cast(enterprises: Sequence[Enterprise], cases: Sequence[Case] | None = None) -> Cast:
    """Give each case enterprises of its own, the smallest that fit first, so that traffic keeps the others."""
    # Imported here because the cases build on the names above.
    from ledger.demo.cases import CASES  # noqa: PLC0415

    free = sorted(enterprises, key=lambda enterprise: (len(enterprise.stores), enterprise.number))
    found: list[tuple[Planted, Case, tuple[Spot, ...]]] = []
    for case in CASES if cases is None else cases:
        spots = _spots(case, free)
        if spots is None:
            continue
        free = [enterprise for enterprise in free if all(enterprise is not party for party, _ in spots)]
        enterprise, store = spots[0]
        parties = tuple(party.holder for party, _ in spots)
        planted = Planted(
            case.id,
            case.rule,
            case.fires,
            enterprise.place(store),
            case.why,
            parties,
            severity=case.severity,
            also=case.also,
        )
        found.append((planted, case, spots))
    return Cast(tuple(f[0] for f in found), tuple(f[1] for f in found), tuple(f[2] for f in found))


def _spots(case: Case, free: Sequence[Enterprise]) -> tuple[Spot, ...] | None:
    candidates = [(e, store) for e in free for store in e.stores if case.fits(e, store)]
    if case.parties == 1:
        return tuple(candidates[:1]) or None
    for at, first in enumerate(candidates):
        for second in candidates[at + 1 :]:
            if second[0] is not first[0] and second[1].goods == first[1].goods:
                return first, second
    return None
