"""Which enterprises are one buyer under several names: a common legal person, address, telephone, or handler.

Compared by surrogates (`ledger.core.facts`); nobody's name or number is known here. A value that many enterprises bear is
that of an office block or of a registration agent, and links nobody.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import msgspec

from ledger.engine.goods import Goods
from ledger.engine.inputs import Input
from ledger.engine.people import who
from ledger.engine.topics.base import Row, Topic
from ledger.engine.topics.links import AGENT

MAX_SHARED = 8
"""Enterprises that bear one value, above which it tells nothing."""
MAX_PARTY = 32
"""Enterprises of one party that are looked at."""
_PROFILE = ("/body/address", "/body/phone", "/body/legal_person/address", "/body/legal_person/phone")


class LinkedState(msgspec.Struct):
    """Surrogates and who bears them."""

    values: dict[str, dict[str, list[str]]] = {}
    """Enterprise -> source (`profile`, or a handler's reference) -> surrogates."""
    bearers: dict[str, dict[str, int]] = {}
    """Surrogate -> enterprise -> how many sources say so."""
    beside: dict[str, dict[str, int]] = {}
    """Enterprise -> another -> how many surrogates link them."""


class Linked(Topic):
    """Makes no rows: other topics ask it."""

    kinds = frozenset({"profile", "person"})

    def __init__(self, state: LinkedState) -> None:
        self._state = state

    def apply(self, entry: Input, goods: Sequence[Goods]) -> Iterable[Row]:
        """Take in what a profile or a person's record discloses; one that discloses nothing says nothing new."""
        del goods
        if entry.kind == "profile":
            links = entry.facts.get("links", {})
            values = {links[at] for at in _PROFILE if at in links} | {who(entry, "legal_person").person}
            self._set(entry.holder, "profile", sorted(values - {""}))
            return ()
        person = who(entry, "").person
        source = f"person/{entry.body['ref']}"
        if entry.body["action"] == "leave" or entry.body.get("role") == AGENT:
            self._drop(entry.holder, source)  # an agent acts for others by trade
        elif person:
            self._set(entry.holder, source, [person])
        return ()

    def withdraw(self, before: Input, goods: Sequence[Goods], entry: Input) -> Iterable[Row]:
        """What it linked is linked no more."""
        del goods, entry
        self._drop(before.holder, "profile" if before.kind == "profile" else f"person/{before.body['ref']}")
        return ()

    def party(self, enterprise: str) -> tuple[str, ...]:
        """The enterprise and all that are linked with it, directly or over others; ascending."""
        beside = self._state.beside
        if enterprise not in beside:
            return (enterprise,)
        found, waiting = {enterprise}, [enterprise]
        while waiting and len(found) < MAX_PARTY:
            for other in beside.get(waiting.pop(), ()):
                if other not in found and len(found) < MAX_PARTY:
                    found.add(other)
                    waiting.append(other)
        return tuple(sorted(found))

    def _set(self, enterprise: str, source: str, values: list[str]) -> None:
        if not values:
            return
        self._drop(enterprise, source)
        self._state.values.setdefault(enterprise, {})[source] = values
        for value in values:
            bearers = self._state.bearers.setdefault(value, {})
            before = len(bearers)
            bearers[enterprise] = bearers.get(enterprise, 0) + 1
            self._relink(bearers, enterprise, before)

    def _drop(self, enterprise: str, source: str) -> None:
        sources = self._state.values.get(enterprise, {})
        for value in sources.pop(source, ()):
            bearers = self._state.bearers[value]
            before = len(bearers)
            bearers[enterprise] -= 1
            if not bearers[enterprise]:
                del bearers[enterprise]
                self._relink(bearers, enterprise, before)
            if not bearers:
                del self._state.bearers[value]
        if not sources:
            self._state.values.pop(enterprise, None)

    def _relink(self, bearers: dict[str, int], enterprise: str, before: int) -> None:
        """The enterprise has joined or left those who bear a value; it links them while they are few."""
        now = len(bearers)
        if now == before:
            return
        if max(now, before) <= MAX_SHARED:
            for other in bearers:
                if other != enterprise:
                    self._link(enterprise, other, now - before)
        elif min(now, before) == MAX_SHARED:
            # One too many: those who were linked are not any more; or again, when it leaves.
            few = [other for other in bearers if other != enterprise]
            for at, one in enumerate(few):
                for other in few[at + 1 :]:
                    self._link(one, other, before - now)

    def _link(self, one: str, other: str, by: int) -> None:
        for here, there in ((one, other), (other, one)):
            beside = self._state.beside.setdefault(here, {})
            beside[there] = beside.get(there, 0) + by
            if not beside[there]:
                del beside[there]
            if not beside:
                del self._state.beside[here]
