"""What stands where with what: co-storage, highly toxic goods, major hazards by GB 18218-2018, goods past their date."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import date, timedelta
from typing import Any, Protocol

import msgspec

from ledger.catalogue.storage import alpha_milli, clash
from ledger.engine.goods import Goods
from ledger.engine.inputs import GoodsLine, Input, balance_key, base_amount
from ledger.engine.register import Register, Site
from ledger.engine.subjects import COMMON, Subject
from ledger.engine.topics.base import Row, Topic, common
from ledger.engine.topics.licences import Licences

PPM = 1_000_000
_CABINETS = ("cabinet", "lab_cabinet")
_LEVELS = ((100_000, "1"), (50_000, "2"), (10_000, "3"), (0, "4"))
"""Least R in thousandths -> level of the major hazard (GB 18218-2018, 4.3)."""


class Traits(msgspec.Struct, array_like=True):
    """What the catalogue says of one listing, as far as storage is concerned."""

    code: str
    groups: list[str]
    toxic: bool
    controlled: bool
    q_mg: int
    """Threshold Q; 0 where the standard has none."""
    beta_milli: int


class StorageState(msgspec.Struct):
    """By listing; lots by holder/site/book|balance key."""

    traits: dict[str, Traits] = {}
    lots: dict[str, dict[str, int]] = {}
    """Amount by date of expiry."""


class Contents(Protocol):
    """What storage asks of the books (`ledger.engine.books.Books`)."""

    def take_changed_stores(self) -> list[str]: ...
    def contents(self, holder: str, site: str, store: str) -> dict[str, tuple[str, int]]: ...
    def stores_at(self, holder: str, site: str) -> list[str]: ...


class Storage(Topic):
    """Comes after the stock, of whose contents it speaks."""

    kinds = frozenset({"movement", "stocktake", "place"})
    subjects = (
        # One fire compartment (a cabinet is one of its own) and the worst pair of goods in it.
        Subject(
            "compartment",
            level=True,
            fields=COMMON
            | {"compartment": "str", "clash": "bool", "severe": "bool", "pair": "str", "first": "str", "second": "str"},
        ),
        # One store, and whether highly toxic goods share it.
        Subject(
            "toxicstore",
            level=True,
            fields=COMMON | {"store": "str", "toxic": "bool", "others": "int", "first": "str", "second": "str"},
        ),
        # One unit of GB 18218-2018 (the whole site where units are not stated).
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

    def __init__(self, state: StorageState, register: Register, books: Contents, licences: Licences) -> None:
        self._state = state
        self._register = register
        self._books = books
        self._licences = licences

    def apply(self, entry: Input, goods: Sequence[Goods]) -> Iterator[Row]:
        """Rows of the compartments, stores, units and lots that this record changed."""
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
        changed = self._books.take_changed_stores()
        seen: set[tuple[str, str, str]] = set()
        for at in changed:
            holder, site_name, store = at.split("/")
            site = self._register.site(holder, site_name)
            base = common(entry) | {"holder": holder, "site": site_name}
            yield "toxicstore", base | self._toxic_row(holder, site_name, store)
            for kind, name in (("compartment", _compartment(site, store)), ("unit", _unit(site, store))):
                if (kind, site_name, name) in seen:
                    continue
                seen.add((kind, site_name, name))
                if kind == "compartment":
                    stores = [s for s in self._stores(holder, site_name, site, store) if _compartment(site, s) == name]
                    yield "compartment", base | {"compartment": name} | self._clash_row(holder, site_name, stores)
                else:
                    stores = [s for s in self._stores(holder, site_name, site, store) if _unit(site, s) == name]
                    yield "unit", base | {"unit": name} | self._unit_row(holder, site_name, site, stores)

    def _stores(self, holder: str, site_name: str, site: Site, store: str) -> list[str]:
        if site.stores:
            return list(dict.fromkeys([*site.stores, store]))
        return self._books.stores_at(holder, site_name)

    def _there(self, holder: str, site: str, stores: Sequence[str]) -> dict[str, tuple[str, int, str]]:
        """Listing -> (code, amount in mg, store); volumes and pieces count as there, with no mass."""
        found: dict[str, tuple[str, int, str]] = {}
        for store in stores:
            for key, (listing, amount) in self._books.contents(holder, site, store).items():
                code, mass = key.partition("|")[0], amount if key.endswith("|mass") else 0
                had = found.get(listing, (code, 0, store))
                found[listing] = (code, had[1] + mass, had[2])
        return found

    def _toxic_row(self, holder: str, site: str, store: str) -> dict[str, Any]:
        there = self._there(holder, site, [store])
        toxic = sorted(code for listing, (code, _, _) in there.items() if self._trait(listing).toxic)
        others = sorted(code for listing, (code, _, _) in there.items() if not self._trait(listing).toxic)
        return {
            "store": store,
            "toxic": bool(toxic),
            "others": len(others),
            "first": toxic[0] if toxic else "",
            "second": others[0] if others else "",
        }

    def _clash_row(self, holder: str, site: str, stores: Sequence[str]) -> dict[str, Any]:
        there = sorted((code, listing) for listing, (code, _, _) in self._there(holder, site, stores).items())
        worst: tuple[bool, str, str, str] | None = None
        for at, (code, listing) in enumerate(there):
            groups = frozenset(self._trait(listing).groups)
            for other_code, other in there[at + 1 :]:
                found = clash(groups, frozenset(self._trait(other).groups)) if other_code != code else None
                if found is not None and (worst is None or (not found[1], found[0]) < (worst[0], worst[1])):
                    worst = (not found[1], found[0], code, other_code)
        if worst is None:
            return {"clash": False, "severe": False, "pair": "", "first": "", "second": ""}
        return {"clash": True, "severe": not worst[0], "pair": worst[1], "first": worst[2], "second": worst[3]}

    def _unit_row(self, holder: str, site_name: str, site: Site, stores: Sequence[str]) -> dict[str, Any]:
        """S = sum(q/Q), R = alpha * sum(beta * q/Q); tanks count with what they are designed for."""
        sum_ppm = risk = without_mass = 0
        shares: list[tuple[int, str]] = []
        for store in stores:
            stated = site.stores.get(store)
            design_mg = _tank_mg(stated.design_max or stated.capacity) if stated and stated.kind == "tank" else 0
            for listing, (code, mass_mg, _) in self._there(holder, site_name, [store]).items():
                trait = self._trait(listing)
                if not trait.q_mg:
                    continue
                if not mass_mg and not design_mg:
                    without_mass += 1  # without a stated density a volume has no mass
                ppm = max(mass_mg, design_mg) * PPM // trait.q_mg
                sum_ppm += ppm
                risk += ppm * trait.beta_milli
                shares.append((-ppm, code))
        risk_milli = risk * alpha_milli(site.people_500m) // (1000 * PPM)
        return {
            "sum_ppm": sum_ppm,
            "risk_milli": risk_milli,
            "hazard_level": next(level for least, level in _LEVELS if risk_milli >= least) if sum_ppm >= PPM else "",
            "filed": any(
                "major_hazard" in licence.categories and licence.status == "valid"
                for licence in self._licences.held(holder)
            ),
            "people_known": site.people_500m is not None,
            "without_mass": without_mass,
            "first": min(shares)[1] if shares else "",
        }

    def _trait(self, listing: str) -> Traits:
        return self._state.traits.get(listing) or Traits(listing, [], False, False, 0, 1000)

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
        code, _, _, dimension = key.split("|")
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


def _compartment(site: Site, store: str) -> str:
    stated = site.stores.get(store)
    if stated is None or stated.kind in _CABINETS:
        return store
    return stated.compartment or store


def _unit(site: Site, store: str) -> str:
    stated = site.stores.get(store)
    return stated.unit if stated is not None and stated.unit else "*"


def _tank_mg(quantity: dict[str, str] | None) -> int:
    if quantity is None:
        return 0
    amount, dimension = base_amount(quantity["value"], quantity["unit"])
    return amount if dimension == "mass" else 0


def _lot_place(entry: Input, key: str) -> str:
    return f"{entry.holder}/{entry.site}/{entry.book}|{key}"
