"""Who takes part: facilities of the extract, as enterprises with stores. Pure; the same extract gives the same result."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.resources import files

from ledger.catalogue import Catalogue
from ledger.core.ids import credit_code_for

EXTRACT = "data/rmp_extract.csv"
SITE = "S1"
OFFICE = "office"
AUTHORITY = "licensing.demo"
"""The simulated licensing authority, which endorses the licences that enterprises declare."""

_TON_CONTAINER_LB = 2000
TON_CONTAINER_MG = 907_184_740
"""2,000 lb, the usual container of chlorine and sulfur dioxide; exact in milligrams."""
_IN_CONTAINERS = frozenset({"7782-50-5", "7446-09-5"})
_MAX_CONTAINERS = 100
_KG_MG = 10**6
_PRODUCER_NAICS = ("324", "325", "2211")
NEEDS_LICENCE = ("highly_toxic", "explosive_precursor")


@dataclass(frozen=True, slots=True)
class Declaration:
    """One real declaration: the greatest quantity in a process, in pounds as declared and in milligrams."""

    chemical: str
    cas: str
    quantity_lb: str
    quantity_mg: int


@dataclass(frozen=True, slots=True)
class Facility:
    """One real facility of the extract."""

    facility_id: str
    name: str
    naics: tuple[str, ...]
    submission_id: str
    declarations: tuple[Declaration, ...]


@dataclass(frozen=True, slots=True)
class Store:
    """One store with its own book. Capacity is simulated: 1.6 times the declared quantity, whole kilograms."""

    id: str
    book: str
    code: str
    form: str
    categories: frozenset[str]
    piece_mg: int
    """Net mass of one sealed package; 0 for bulk."""
    opening_mg: int
    capacity_mg: int

    @property
    def sealed(self) -> bool:
        return self.piece_mg > 0

    @property
    def opening_pieces(self) -> int:
        return self.opening_mg // self.piece_mg if self.piece_mg else 0

    @property
    def toxic(self) -> bool:
        return "highly_toxic" in self.categories

    @property
    def licensed(self) -> bool:
        return not self.categories.isdisjoint(NEEDS_LICENCE)

    @property
    def goods(self) -> tuple[str, str, bool]:
        """What may be exchanged for what."""
        return self.code, self.form, self.sealed


@dataclass(frozen=True, slots=True)
class Enterprise:
    """One facility as this world's enterprise. `holder` is made up (administrative region 990000 does not exist)."""

    number: int
    facility: Facility
    holder: str
    stores: tuple[Store, ...]

    @property
    def producer(self) -> bool:
        return any(code.startswith(_PRODUCER_NAICS) for code in self.facility.naics)

    @property
    def licensed(self) -> bool:
        return any(store.licensed for store in self.stores)

    def place(self, store: Store) -> tuple[str, str, str]:
        """(holder, site, book)."""
        return self.holder, SITE, store.book

    @property
    def office(self) -> tuple[str, str, str]:
        return self.holder, SITE, OFFICE


def read_facilities() -> list[Facility]:
    """The extract, grouped by facility, in its order."""
    text = files(__package__).joinpath(EXTRACT).read_text("utf-8")
    rows: dict[str, list[dict[str, str]]] = {}
    for row in csv.DictReader(text.splitlines()):
        rows.setdefault(row["facility_id"], []).append(row)
    return [
        Facility(
            facility_id=facility_id,
            name=declared[0]["facility_name"],
            naics=tuple(part.strip() for part in declared[0]["naics"].split("•")),
            submission_id=declared[0]["submission_id"],
            declarations=tuple(
                Declaration(r["chemical"], r["cas"], r["quantity_lb"], int(r["quantity_mg"])) for r in declared
            ),
        )
        for facility_id, declared in rows.items()
    ]


def enterprises_of(facilities: Sequence[Facility]) -> list[Enterprise]:
    """One enterprise for each facility, numbered from 1 in their order."""
    return [
        Enterprise(
            number=number,
            facility=facility,
            holder=credit_code_for(f"91990000DEM{number:06d}"),
            stores=tuple(_store(at, declared) for at, declared in enumerate(facility.declarations, start=1)),
        )
        for number, facility in enumerate(facilities, start=1)
    ]


def outside_holder(number: int) -> str:
    """A made-up trading partner that has no grant here (region 980000 does not exist)."""
    return credit_code_for(f"91980000EXT{number:06d}")


def is_outside(holder: str) -> bool:
    """Whether this is one of the made-up partners outside."""
    return holder.startswith("91980000EXT")


def _store(at: int, declared: Declaration) -> Store:
    pounds = int(declared.quantity_lb)
    containers, rest = divmod(pounds, _TON_CONTAINER_LB)
    sealed = declared.cas in _IN_CONTAINERS and not rest and 2 <= containers <= _MAX_CONTAINERS
    form = _form(declared.chemical)
    capacity_mg = (declared.quantity_mg * 8 // 5 // _KG_MG + 1) * _KG_MG
    found = Catalogue.load().classify(declared.cas, None, form or None)
    return Store(
        id=f"{'R' if sealed else 'T'}{at}",
        book=f"{'drums' if sealed else 'tank'}{at}",
        code=declared.cas,
        form=form,
        categories=found.categories,
        piece_mg=TON_CONTAINER_MG if sealed else 0,
        opening_mg=declared.quantity_mg,
        capacity_mg=capacity_mg,
    )


def _form(chemical: str) -> str:
    if "(anhydrous)" in chemical:
        return "anhydrous"
    return "solution" if "(solution)" in chemical or "(conc " in chemical else ""
