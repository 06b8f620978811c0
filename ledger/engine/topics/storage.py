"""What stands where with what: co-storage, highly toxic goods, major hazards by GB 18218-2018, goods past their date."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import date, timedelta
from typing import Protocol

import msgspec

from ledger.engine.goods import Goods
from ledger.engine.inputs import GoodsLine, Input, balance_key, key_parts
from ledger.engine.register import Register
from ledger.engine.subjects import COMMON, Subject
from ledger.engine.topics.base import Row, Topic, common
from ledger.engine.topics.custody import MAJOR_HAZARD
from ledger.engine.topics.licences import Licences
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
    lots: dict[str, dict[str, int]] = {}
    """Amount by date of expiry."""


class ChangingContents(Contents, Protocol):
    """What storage asks of the books (`ledger.engine.books.Books`)."""

    def stores_of(self, holder: str) -> list[str]: ...
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
        # One lot: the goods of one balance key with one date of expiry.
        Subject(
            "lot",
            level=True,
            fields=COMMON
            | {
                "key": "str",
                "code": "str",
                "dimension": "str",
                "expires": "str",
                "expires_ms": "int",
                "warn_ms": "int",
                "amount": "int",
            },
        ),
    )

    def __init__(self, state: StorageState, register: Register, books: ChangingContents, licences: Licences) -> None:
        self._state = state
        self._register = register
        self._books = books
        self._licences = licences
        self._rooms = Rooms(register, books, self._trait)

    def apply(self, entry: Input, goods: Sequence[Goods]) -> Iterator[Row]:
        """Rows of the compartments, stores, units and lots that this record changed."""
        if entry.kind == "licence":
            yield from self._units_filed(entry)
            return
        self._note_traits(goods)
        yield from self._lots(entry, goods, undo=False)
        yield from self._places(entry)

    def withdraw(self, before: Input, goods: Sequence[Goods], entry: Input) -> Iterator[Row]:
        """The stock is put right by its own topic; here the lots are."""
        yield from self._lots(before, goods, undo=True, at=entry)

    def _note_traits(self, goods: Sequence[Goods]) -> None:
        for line, listing in goods:
            if listing.listing in self._state.traits:
                continue
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
            at = {"holder": place.holder, "site": place.site}
            toxic = self._rooms.toxic(place)
            if self._is_told(place, f"toxicstore|{place.store}", stands=toxic["toxic"]):
                yield "toxicstore", common(entry) | at | toxic
            compartment = f"compartment|{place.compartment}"
            if (place.site, compartment) not in seen:
                seen.add((place.site, compartment))
                found = self._rooms.clash(place)
                if self._is_told(place, compartment, stands=found["clash"]):
                    yield "compartment", common(entry) | at | {"compartment": place.compartment} | found
            unit = f"unit|{place.unit}"
            if (place.site, unit) not in seen:
                seen.add((place.site, unit))
                sums = self._rooms.unit(place)
                if self._is_told(place, unit, stands=sums["sum_ppm"] > 0 or sums["without_mass"] > 0):
                    filed = self._is_filed(place.holder)
                    yield "unit", common(entry) | at | {"unit": place.unit} | sums | {"filed": filed}
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
        for licence in self._licences.held(holder):
            if MAJOR_HAZARD in licence.categories and licence.status == "valid":
                return True
        return False

    def _trait(self, listing: str) -> Traits:
        return self._state.traits.get(listing) or _UNKNOWN

    # --- lots --------------------------------------------------------------------------------------------------------

    def _lots(self, entry: Input, goods: Sequence[Goods], *, undo: bool, at: Input | None = None) -> Iterator[Row]:
        if entry.kind == "movement":
            sign = (1 if entry.body["direction"] == "in" else -1) * (-1 if undo else 1)
            for line, _ in goods:
                yield from self._move_lot(at or entry, line, sign * line.amount)
        elif entry.kind == "stocktake" and entry.body["complete"] and not undo:
            yield from self._count_lots(entry, goods)

    def _move_lot(self, entry: Input, line: GoodsLine, amount: int) -> Iterator[Row]:
        place = _lot_place(entry, balance_key(line))
        lots = self._state.lots.get(place)
        if lots is None:
            if not line.expires:
                return
            lots = self._state.lots[place] = {}
        if line.expires:
            lots[line.expires] = lots.get(line.expires, 0) + amount
            yield self._lot_row(entry, balance_key(line), line.expires, lots[line.expires])
        else:
            # Who does not say which lot went out is taken to use up the oldest first.
            for expires in sorted(lots):
                part = max(-lots[expires], amount) if amount < 0 and lots[expires] > 0 else 0
                if part:
                    lots[expires] += part
                    amount -= part
                    yield self._lot_row(entry, balance_key(line), expires, lots[expires])
        self._state.lots[place] = {expires: left for expires, left in lots.items() if left}
        if not self._state.lots[place]:
            del self._state.lots[place]

    def _count_lots(self, entry: Input, goods: Sequence[Goods]) -> Iterator[Row]:
        counted: dict[str, dict[str, int]] = {}
        for line, _ in goods:
            if line.expires:
                lots = counted.setdefault(_lot_place(entry, balance_key(line)), {})
                lots[line.expires] = lots.get(line.expires, 0) + line.amount
        prefix = _lot_place(entry, "")
        for place in [place for place in self._state.lots if place.startswith(prefix)]:
            for expires in self._state.lots.pop(place):
                if expires not in counted.get(place, {}):
                    yield self._lot_row(entry, place.removeprefix(prefix), expires, 0)
        for place, lots in counted.items():
            self._state.lots[place] = lots
            for expires, amount in lots.items():
                yield self._lot_row(entry, place.removeprefix(prefix), expires, amount)

    def _lot_row(self, entry: Input, key: str, expires: str, amount: int) -> Row:
        code, _, _, dimension = key_parts(key)
        month_before = (date.fromisoformat(expires) - timedelta(days=30)).isoformat()
        return (
            "lot",
            common(entry)
            | {
                "key": key,
                "code": code,
                "dimension": dimension,
                "expires": expires,
                "expires_ms": self._register.day_end_ms(entry.holder, entry.site, expires),
                "warn_ms": self._register.day_end_ms(entry.holder, entry.site, month_before),
                "amount": amount,
            },
        )


def _lot_place(entry: Input, key: str) -> str:
    return f"{entry.holder}/{entry.site}/{entry.book}|{key}"
