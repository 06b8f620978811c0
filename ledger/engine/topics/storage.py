"""What stands where with what: co-storage, highly toxic goods, major hazards by GB 18218-2018, goods past their date."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Protocol

import msgspec

from ledger.engine.goods import Goods
from ledger.engine.inputs import Input
from ledger.engine.register import Register
from ledger.engine.subjects import COMMON, Subject
from ledger.engine.topics.base import Row, Topic, common
from ledger.engine.topics.custody import MAJOR_HAZARD
from ledger.engine.topics.licences import Licences
from ledger.engine.topics.lots import LOT, LotBook, Lots
from ledger.engine.topics.rooms import NO_CLASH, NO_UNIT, Contents, Place, Rooms


class Traits(msgspec.Struct, array_like=True):
    """What the catalogue says of one listing, as far as storage is concerned."""

    code: str
    groups: list[str]
    toxic: bool
    controlled: bool
    q_mg: int
    """Threshold Q; 0 where the standard has none."""
    beta_milli: int


_UNKNOWN = Traits("", [], toxic=False, controlled=False, q_mg=0, beta_milli=1000)


class StorageState(msgspec.Struct):
    """By listing; lots by holder/site/book|balance key."""

    said: dict[str, dict[str, str]] = {}
    """By holder/site: what something stands of, unit|…, compartment|… or toxicstore|… -> a store of it. A new `place` may do
    away with the first two.
    """
    traits: dict[str, Traits] = {}
    lots: dict[str, Lots] = {}


class ChangingContents(Contents, Protocol):
    """What storage asks of the books (`ledger.engine.books.Books`)."""

    def stores_of(self, holder: str) -> Sequence[str]: ...
    def is_newest_count(self, entry: Input) -> bool: ...
    def counted_ms(self, entry: Input) -> int: ...
    def take_changed(self) -> tuple[list[str], dict[str, dict[str, int] | None], set[str]]: ...


class Storage(Topic):
    """Comes after the stock, of whose contents it speaks."""

    kinds = frozenset({"movement", "stocktake", "place", "licence"})
    subjects = (
        # One fire compartment (a cabinet is one of its own) and the worst pair of goods in it; told while there is one, and
        # once when there no longer is.
        Subject(
            "compartment",
            level=True,
            fields=COMMON
            | {"compartment": "str", "clash": "bool", "severe": "bool", "pair": "str", "first": "str", "second": "str"},
        ),
        # One store of highly toxic goods, and whether others share it; told while there are any, and once when no longer.
        Subject(
            "toxicstore",
            level=True,
            fields=COMMON | {"store": "str", "toxic": "bool", "others": "int", "first": "str", "second": "str"},
        ),
        # One unit of GB 18218-2018 (the whole site where units are not stated); told while any of its goods have a
        # threshold, and once when none has any more.
        Subject(
            "unit",
            level=True,
            fields=COMMON
            | {
                "unit": "str",
                "sum_ppm": "int",
                "risk_milli": "int",
                "hazard_level": "str",
                "filed": "bool",
                "people_known": "bool",
                "without_mass": "int",
                "assumed_mass": "int",
                "assumed_ppm": "int",
                "first": "str",
            },
        ),
        LOT,
    )

    def __init__(self, state: StorageState, register: Register, books: ChangingContents, licences: Licences) -> None:
        self._state = state
        self._register = register
        self._books = books
        self._licences = licences
        self._rooms = Rooms(register, books, self._trait)
        self._unknown: set[str] = set()
        """Listings that were asked for before anything was known of them: what was made of that is forgotten when it is."""
        self._lots = LotBook(state.lots, register, books.counted_ms)

    def apply(self, entry: Input, goods: Sequence[Goods]) -> Iterator[Row]:
        """Rows of the compartments, stores, units and lots that this record changed."""
        if entry.kind == "licence":
            yield from self._units_filed(entry)
            return
        self._note_traits(goods)
        yield from self._lots.apply(entry, goods)
        yield from self._places(entry)

    def withdraw(self, before: Input, goods: Sequence[Goods], entry: Input) -> Iterator[Row]:
        """What lies where was put right by the books; what follows from that is told, and nothing waits for the next entry."""
        yield from self._lots.withdraw(before, goods, entry)
        yield from self._places(entry)
        if before.kind == "licence":
            yield from self._units_filed(entry)

    def correct(
        self, before: Input, before_goods: Sequence[Goods], entry: Input, goods: Sequence[Goods]
    ) -> Iterator[Row]:
        """Lots are told as they are after it, not as they are in between."""
        if entry.kind == "licence":
            yield from self._units_filed(entry)
            return
        self._note_traits(goods)
        newest = self._books.is_newest_count(entry)
        yield from self._lots.correct(before, before_goods, entry, goods, newest_count=newest)
        yield from self._places(entry)

    def _note_traits(self, goods: Sequence[Goods]) -> None:
        for line, listing, _ in goods:
            if listing.listing in self._state.traits:
                continue
            if listing.listing in self._unknown:
                self._unknown.discard(listing.listing)
                self._rooms.forget()
            substance = listing.substance
            threshold = substance.gb18218 if substance is not None else None
            self._state.traits[listing.listing] = Traits(
                line.code,
                sorted(group for group in substance.storage_groups if group) if substance is not None else [],
                "highly_toxic" in listing.categories,
                listing.listed,
                (threshold.q_mg or 0) if threshold is not None else 0,
                (threshold.beta_milli or 1000) if threshold is not None else 1000,
            )

    # --- stores, compartments, units ---------------------------------------------------------------------------------

    def _places(self, entry: Input) -> Iterator[Row]:
        seen: set[tuple[str, str]] = set()
        changed, posted, relisted = self._books.take_changed()
        places = self._rooms.changed(posted, relisted)
        for store in changed:
            place = places.get(store) or self._rooms.place(store)
            if place.store in place.room.quiet and place.at not in self._state.said:
                continue
            toxic, found, sums = self._rooms.toxic(place), self._rooms.clash(place), self._rooms.unit(place)
            is_unit = sums["sum_ppm"] > 0 or sums["without_mass"] > 0
            if not (toxic["toxic"] or found["clash"] or is_unit or place.at in self._state.said):
                place.room.quiet.add(place.store)
                continue  # as of nearly every store: nothing is to be said of it, and nothing was
            base = common(entry)
            base["holder"], base["site"] = place.holder, place.site
            if self._is_told(place, f"toxicstore|{place.store}", stands=toxic["toxic"]):
                yield "toxicstore", base | toxic
            compartment = f"compartment|{place.compartment}"
            if (place.at, compartment) not in seen:
                seen.add((place.at, compartment))
                if self._is_told(place, compartment, stands=found["clash"]):
                    yield "compartment", base | {"compartment": place.compartment} | found
            unit = f"unit|{place.unit}"
            if (place.at, unit) not in seen:
                seen.add((place.at, unit))
                if self._is_told(place, unit, stands=is_unit):
                    row = base | {"unit": place.unit} | sums
                    row["filed"] = self._is_filed(place.holder)
                    yield "unit", row
        if entry.kind == "place":
            yield from self._done_away(entry)

    def _is_told(self, place: Place, what: str, *, stands: bool) -> bool:
        """Whether there is anything to say: that it stands, or that it does no longer. Of nearly every store neither."""
        said = self._state.said.get(place.at)
        if stands:
            if said is None:
                said = self._state.said[place.at] = {}
            said[what] = place.store
            return True
        if said is None or said.pop(what, None) is None:
            return False
        if not said:
            del self._state.said[place.at]
        return True

    def _done_away(self, entry: Input) -> Iterator[Row]:
        """Units and compartments that the newest `place` record no longer knows: nothing is in them."""
        for site in {site["site"]: None for site in entry.body["sites"]}:
            said = self._state.said.get(f"{entry.holder}/{site}", {})
            for what, store in list(said.items()):
                place = self._rooms.place(f"{entry.holder}/{site}/{store}")
                subject, _, name = what.partition("|")
                if subject == "toxicstore" or what in (f"unit|{place.unit}", f"compartment|{place.compartment}"):
                    continue
                nothing = NO_UNIT | {"filed": False} if subject == "unit" else NO_CLASH
                self._is_told(place, what, stands=False)
                yield subject, common(entry) | {"site": site, subject: name} | nothing

    def _units_filed(self, entry: Input) -> Iterator[Row]:
        """All units of a holder whose filing of a major hazard came, or changed."""
        holder = entry.body.get("holder", entry.holder)
        before = entry.before.body if entry.before is not None else {}
        if MAJOR_HAZARD not in {*entry.body.get("categories", ()), *before.get("categories", ())}:
            return
        units: dict[tuple[str, str], Place] = {}
        for at in self._books.stores_of(holder):
            place = self._rooms.place(at)
            units.setdefault((place.site, place.unit), place)
        for (site, unit), place in units.items():
            row = common(entry) | {"holder": holder, "site": site, "unit": unit} | self._rooms.unit(place)
            yield "unit", row | {"filed": self._is_filed(holder)}

    def _is_filed(self, holder: str) -> bool:
        """Whether a major hazard of the holder is filed."""
        return any(licence.status == "valid" for licence in self._licences.of_category(holder, MAJOR_HAZARD))

    def _trait(self, listing: str) -> Traits:
        traits = self._state.traits.get(listing)
        if traits is None:
            self._unknown.add(listing)
            return _UNKNOWN
        return traits
