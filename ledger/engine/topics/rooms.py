"""What stands in which store, compartment and unit of a site, remembered from entry to entry.

All of it follows from the books, the newest `place` record and the traits of listings: it lies beside the state, never in
it, and is found again after a restart. A movement changes one store; only that one is looked into again.

GB 18218-2018 adds masses. A volume counts with the mass that its density gives (properties.csv: an engineering default, the
densest that the balance was taken for), and a tank whose size is stated as a volume with the mass that would fill it: too much
is said of a hazard rather than nothing, and the row says how much of the sum is assumed. A stated mass is never changed. What is
of no known density, or counted in pieces, has no mass; the row says of how many goods.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from itertools import combinations
from typing import Any, NamedTuple, Protocol

from ledger.catalogue.storage import alpha_milli, clash
from ledger.engine.register import Register, Site
from ledger.engine.topics.thresholds import PPM, Sums, Tank, Weighed, sums_of, tank_of, weigh

_CABINETS = ("cabinet", "lab_cabinet")
LEVELS = ((100_000, "1"), (50_000, "2"), (10_000, "3"), (0, "4"))
"""Least R in thousandths -> level of the major hazard (GB 18218-2018, 4.3; legal parameter gb18218.R)."""
MOST_CLASHES = 32_768
"""Goods in the collections whose worst pair is remembered, all collections together."""
NO_UNIT = {
    "sum_ppm": 0,
    "risk_milli": 0,
    "hazard_level": "",
    "people_known": True,
    "without_mass": 0,
    "assumed_mass": 0,
    "assumed_ppm": 0,
    "first": "",
}
NO_CLASH = {"clash": False, "severe": False, "pair": "", "first": "", "second": ""}

Pairs = tuple[tuple[str, str], ...]
"""(code, listing) of what is there, ascending."""


class Trait(Protocol):
    """What is asked of a listing (`storage.Traits`)."""

    groups: list[str]
    toxic: bool
    q_mg: int
    beta_milli: int


class Contents(Protocol):
    """What is asked of the books (`ledger.engine.books.Books`)."""

    def contents(self, holder: str, site: str, store: str) -> Iterable[tuple[str, str, int, int]]: ...
    def stores_at(self, site: str) -> list[str]: ...


@dataclass(slots=True)
class _There:
    """One store."""

    pairs: Pairs
    toxic: dict[str, Any]
    """The fields of a `toxicstore` row."""
    weighed: list[Weighed]
    by_key: dict[str, Weighed]
    """Those of `weighed` that have a mass, by balance key."""
    tank: Tank
    sums: Sums


@dataclass(slots=True)
class _Room:
    """One site: its stores by compartment and unit, as far as they are stated."""

    stated: Site
    compartments: dict[str, list[str]] = field(default_factory=dict)
    units: dict[str, list[str]] = field(default_factory=dict)
    there: dict[str, _There] = field(default_factory=dict)
    sums: dict[str, dict[str, Any]] = field(default_factory=dict)
    """By unit: its fields, while no store of it has changed its part."""
    clashes: dict[tuple[str, str], dict[str, Any]] = field(default_factory=dict)
    """By (compartment, store): its fields, while no store has goods of another kind."""
    quiet: set[str] = field(default_factory=set)
    """Stores of which nothing was to be said, as long as nothing here has changed that is told of; the caller's."""

    def put(self, store: str, unit: str, there: _There) -> None:
        """What lies in a store of a unit is another."""
        self.there[store] = there
        self.clashes.clear()
        self.changed(unit)

    def changed(self, unit: str) -> None:
        """What a store of this unit adds to it is another."""
        self.sums.pop(unit, None)
        self.quiet.clear()


class Place(NamedTuple):
    """A store, and what it is part of."""

    at: str
    """The site: holder/site."""
    holder: str
    site: str
    store: str
    compartment: str
    """Its fire compartment; a cabinet is one of its own."""
    unit: str
    """Of GB 18218-2018; "*" is the whole site, where units are not stated."""
    room: _Room


class Rooms:
    """Fields of rows about places. One instance works on one state."""

    def __init__(self, register: Register, books: Contents, trait: Callable[[str], Trait]) -> None:
        self._register = register
        self._books = books
        self._trait = trait
        self._rooms: dict[str, _Room] = {}
        self._places: dict[str, Place] = {}
        self._clashes: dict[Pairs, dict[str, Any]] = {}
        self._remembered = 0
        """Goods in all collections of `_clashes`."""

    def forget(self) -> None:
        """A listing's traits have become known."""
        self._rooms.clear()
        self._places.clear()
        self._clashes.clear()
        self._remembered = 0

    def changed(self, posted: Mapping[str, Mapping[str, int] | None], relisted: Iterable[str]) -> dict[str, Place]:
        """In stores (holder/site/store) there is so much now by balance key (None: other goods are there too); at sites
        (holder/site) what lies there is listed otherwise.

        Returns: the places of these stores.
        """
        for at in relisted:
            self._rooms.pop(at, None)
        places = {at: self.place(at) for at in posted}
        for at, amounts in posted.items():
            place = places[at]
            room, store = place.room, place.store
            there = room.there.get(store)
            if there is None or amounts is None:
                if store not in room.stated.stores and store not in room.units["*"]:
                    room.units["*"].append(store)
                room.put(store, place.unit, self._look(room.stated, place.holder, place.site, store))
                continue
            if there.by_key.keys().isdisjoint(amounts):
                continue
            for key, amount in amounts.items():
                if (weighed := there.by_key.get(key)) is not None:
                    weighed.take(key, amount)
            sums = sums_of(there.weighed, there.tank)
            if sums != there.sums:
                there.sums = sums
                room.changed(place.unit)
        return places

    def place(self, at: str) -> Place:
        """The place of a store (holder/site/store)."""
        place = self._places.get(at)
        if place is None or place.room is not self._room(place.at):
            holder, site, store = at.split("/")
            room = self._room(f"{holder}/{site}")
            compartment, unit = _compartment(room.stated, store), _unit(room.stated, store)
            place = self._places[at] = Place(f"{holder}/{site}", holder, site, store, compartment, unit, room)
        return place

    def toxic(self, place: Place) -> dict[str, Any]:
        """Fields of a `toxicstore` row."""
        return self._there(place, place.store).toxic

    def clash(self, place: Place) -> dict[str, Any]:
        """Fields of a `compartment` row: the worst pair of goods in the place's compartment."""
        of = place.compartment, place.store
        found = place.room.clashes.get(of)
        if found is None:
            found = place.room.clashes[of] = self._clash(place)
        return found

    def _clash(self, place: Place) -> dict[str, Any]:
        stores = place.room.compartments.get(place.compartment, ())
        if (len(stores) <= 1 and place.store in stores) or not stores:
            pairs = self._there(place, place.store).pairs
        else:
            merged: dict[str, str] = {}
            for store in stores if place.store in stores else [*stores, place.store]:
                for code, listing in self._there(place, store).pairs:
                    merged.setdefault(listing, code)
            pairs = tuple(sorted((code, listing) for listing, code in merged.items()))
        if len(pairs) < 2:
            return NO_CLASH
        known = self._clashes.get(pairs)
        if known is None:
            self._remembered += len(pairs)
            if self._remembered > MOST_CLASHES:
                self._clashes.clear()
                self._remembered = len(pairs)
            known = self._clashes[pairs] = self._worst(pairs)
        return known

    def unit(self, place: Place) -> dict[str, Any]:
        """Fields of a `unit` row but for `filed`."""
        room = place.room
        stated = room.units.get(place.unit, ())
        if place.store not in stated:
            return self._sum(place, [*stated, place.store])
        fields = room.sums.get(place.unit)
        if fields is None:
            fields = room.sums[place.unit] = self._sum(place, stated)
        return fields

    def _sum(self, place: Place, stores: Iterable[str]) -> dict[str, Any]:
        """S = sum(q/Q), R = alpha * sum(beta * q/Q)."""
        room, sums = place.room, [self._there(place, store).sums for store in stores]
        sum_ppm = sum(of.sum_ppm for of in sums)
        risk = sum(of.risk for of in sums)
        risk_milli = risk * alpha_milli(room.stated.people_500m) // (1000 * PPM)
        shares = [of.share for of in sums if of.share is not None]
        return {
            "sum_ppm": sum_ppm,
            "risk_milli": risk_milli,
            "hazard_level": next(level for least, level in LEVELS if risk_milli >= least) if sum_ppm >= PPM else "",
            "filed": False,
            "people_known": room.stated.people_500m is not None,
            "without_mass": sum(of.without_mass for of in sums),
            "assumed_mass": sum(of.assumed_mass for of in sums),
            "assumed_ppm": sum(of.assumed_ppm for of in sums),
            "first": min(shares)[1] if shares else "",
        }

    def _room(self, at: str) -> _Room:
        """The room of a site (holder/site), as its newest `place` record has it."""
        stated, room = self._register.site_of(at), self._rooms.get(at)
        if room is None or room.stated is not stated:
            room = self._rooms[at] = _Room(stated)
            for name in stated.stores:
                room.compartments.setdefault(_compartment(stated, name), []).append(name)
                room.units.setdefault(_unit(stated, name), []).append(name)
            # A store that the site does not state counts with those that it puts in no unit.
            known = self._books.stores_at(at)
            room.units.setdefault("*", []).extend(name for name in known if name not in stated.stores)
        return room

    def _there(self, place: Place, store: str) -> _There:
        there = place.room.there.get(store)
        if there is None:
            there = place.room.there[store] = self._look(place.room.stated, place.holder, place.site, store)
        return there

    def _look(self, stated: Site, holder: str, site: str, store: str) -> _There:
        """Look into a store; what has no mass counts as there; tanks with what they are designed for."""
        codes: dict[str, str] = {}
        found: dict[str, list[tuple[str, int, int]]] = {}
        for key, listing, density, amount in self._books.contents(holder, site, store):
            codes.setdefault(listing, key.partition("|")[0])
            found.setdefault(listing, []).append((key, density, amount))
        tank = tank_of(stated, store)
        toxic: list[str] = []
        others: list[str] = []
        weighed: list[Weighed] = []
        for listing, code in codes.items():
            trait = self._trait(listing)
            (toxic if trait.toxic else others).append(code)
            if trait.q_mg:
                weighed.append(weigh(Weighed(code, trait.q_mg, trait.beta_milli), found[listing]))
        fields = {
            "store": store,
            "toxic": bool(toxic),
            "others": len(others),
            "first": min(toxic) if toxic else "",
            "second": min(others) if others else "",
        }
        pairs = tuple(sorted((code, listing) for listing, code in codes.items()))
        by_key = {key: one for one in weighed for key in one.masses}
        return _There(pairs, fields, weighed, by_key, tank, sums_of(weighed, tank))

    def _worst(self, there: Pairs) -> dict[str, Any]:
        """The worst pair of goods: a severe one before others, then by the names of the groups, then the first of them.

        A laboratory keeps thousands of substances in a room, of a few dozen sets of storage groups: those are compared.
        """
        alike: dict[frozenset[str], list[int]] = {}
        for at, (_, listing) in enumerate(there):
            alike.setdefault(frozenset(self._trait(listing).groups), []).append(at)
        worst: tuple[bool, str, int, int] | None = None
        for ones, others in combinations(alike, 2):
            found = clash(ones, others)
            if found is None or (worst is not None and (not found[1], found[0]) > worst[:2]):
                continue
            pair = _first_pair(there, alike[ones], alike[others])
            if pair is not None and (worst is None or (not found[1], found[0], *pair) < worst):
                worst = (not found[1], found[0], *pair)
        if worst is None:
            return NO_CLASH
        least, pair_name, one, other = worst
        return {
            "clash": True,
            "severe": not least,
            "pair": pair_name,
            "first": there[one][0],
            "second": there[other][0],
        }


def _first_pair(there: Pairs, ones: list[int], others: list[int]) -> tuple[int, int] | None:
    """The least two places, ascending, one of each list, whose codes differ; None where all are of one code."""
    among = set(ones)
    for at in sorted([*ones, *others]):
        partners = others if at in among else ones
        for n in range(bisect_right(partners, at), len(partners)):
            if there[partners[n]][0] != there[at][0]:
                return at, partners[n]
    return None


def _compartment(site: Site, store: str) -> str:
    stated = site.stores.get(store)
    if stated is None or stated.kind in _CABINETS:
        return store
    return stated.compartment or store


def _unit(site: Site, store: str) -> str:
    stated = site.stores.get(store)
    return stated.unit if stated is not None and stated.unit else "*"
