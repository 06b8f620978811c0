"""Substances of the scenario, and how they are packed and measured. Categories come from the product's catalogue."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from ledger.catalogue import Catalogue
from tests.scenario.drafts import KG, mass, volume

LISTED = ("highly_toxic", "explosive_precursor")


@dataclass(frozen=True, slots=True)
class Goods:
    """One substance as it lies in a store. `piece_mg` is 0 for bulk; errors are relative, in ppm, of its measurements."""

    code: str
    name: str
    piece_mg: int = 0
    concentration: str = ""
    form: str = ""
    random_ppm: int = 1000
    systematic_ppm: int = 500
    volatile_ppm: int = 0
    """Of the content, lost to the air in a week."""
    litres: bool = False
    """Written down by volume; what is named mg is microlitres then."""
    categories: frozenset[str] = field(init=False, default=frozenset())
    drug_class: int = field(init=False, default=0)

    def __post_init__(self) -> None:
        ppm = None if not self.concentration else round(float(self.concentration) * 10_000)
        found = Catalogue.load().classify(self.code, ppm, self.form or None)
        object.__setattr__(self, "categories", found.categories)
        rows = [row.drug_precursor_class for row in Catalogue.load().rows(self.code) if row.drug_precursor_class]
        object.__setattr__(self, "drug_class", rows[0] if rows else 0)

    @property
    def sealed(self) -> bool:
        return self.piece_mg > 0

    @property
    def toxic(self) -> bool:
        return "highly_toxic" in self.categories

    @property
    def precursor(self) -> bool:
        return "explosive_precursor" in self.categories

    @property
    def drug(self) -> bool:
        return "drug_precursor" in self.categories

    @property
    def licensed(self) -> bool:
        return self.toxic or self.precursor

    @property
    def filed(self) -> bool:
        """Whether sales and purchases of it are filed with the police."""
        return self.toxic or self.precursor or self.drug

    def line(self, store: str, mg: int, pieces: int = 0, **more: Any) -> dict[str, Any]:
        """A goods line. Sealed goods are told by their pieces, whatever `mg` is."""
        quantity = volume if self.litres else mass
        if self.piece_mg:
            line = {
                "goods": "chemical",
                "code": self.code,
                "quantity": quantity(pieces * self.piece_mg),
                "store": store,
                "packaging": "sealed",
                "pieces": pieces,
            }
        else:
            line = {
                "goods": "chemical",
                "code": self.code,
                "quantity": quantity(mg),
                "store": store,
                "packaging": "bulk",
            }
        if self.concentration:
            line["concentration"] = self.concentration
        if self.form:
            line["form"] = self.form
        if more:
            line.update(more)
        return line

    def measurement(self, method: str, step_mg: int = KG) -> dict[str, Any]:
        """How an amount of it was measured; sealed goods are counted."""
        if self.piece_mg:
            return {"method": "count"}
        return {
            "method": method,
            "resolution": mass(step_mg),
            "random_ppm": self.random_ppm,
            "systematic_ppm": self.systematic_ppm,
        }


def _kg(kilograms: float) -> int:
    return round(kilograms * KG)


# Drums, bottles, bags: what traders sell and users keep.
CYANIDE = Goods("143-33-9", "Sodium cyanide", _kg(50), form="solid")
AZIDE = Goods("26628-22-8", "Sodium azide", _kg(0.1), form="solid")
ARSENIC = Goods("1327-53-3", "Arsenic trioxide", _kg(0.25), form="solid")
MERCURIC = Goods("7487-94-7", "Mercuric chloride", _kg(0.25), form="solid")
NITRIC_DRUM = Goods("7697-37-2", "Nitric acid 68 %", _kg(35), "68", "solution")
PEROXIDE_DRUM = Goods("7722-84-1", "Hydrogen peroxide 27.5 %", _kg(25), "27.5", "solution")
HEXAMINE = Goods("100-97-0", "Hexamine", _kg(25), form="solid")
DICHROMATE = Goods("7778-50-9", "Potassium dichromate", _kg(25), form="solid")
PERMANGANATE = Goods("7722-64-7", "Potassium permanganate", _kg(25), form="solid")
NITRATE = Goods("7757-79-1", "Potassium nitrate", _kg(25), form="solid")
CHLORATE = Goods("3811-04-9", "Potassium chlorate", _kg(25), form="solid")
SULFUR = Goods("7704-34-9", "Sulfur", _kg(25), form="solid")
ALUMINIUM = Goods("7429-90-5", "Aluminium powder, coated", _kg(25), form="powder-coated")
ZINC = Goods("7440-66-6", "Zinc dust", _kg(25), form="dust")
BOROHYDRIDE = Goods("16940-66-2", "Sodium borohydride", _kg(5), form="solid")
NITROMETHANE = Goods("75-52-5", "Nitromethane", _kg(20))
HYDROCHLORIC_DRUM = Goods("7647-01-0", "Hydrochloric acid 31 %", _kg(25), "31", "solution")
SULFURIC_DRUM = Goods("7664-93-9", "Sulfuric acid 98 %", _kg(45), "98")
ACETONE_DRUM = Goods("67-64-1", "Acetone", _kg(160))
TOLUENE_DRUM = Goods("108-88-3", "Toluene", _kg(170))
ACETIC_ANHYDRIDE = Goods("108-24-7", "Acetic anhydride", _kg(30))
ETHANOL_DRUM = Goods("64-17-5", "Ethanol", _kg(160))
DRUMS = (
    CYANIDE,
    AZIDE,
    NITRIC_DRUM,
    PEROXIDE_DRUM,
    HEXAMINE,
    DICHROMATE,
    PERMANGANATE,
    HYDROCHLORIC_DRUM,
    SULFURIC_DRUM,
    ACETONE_DRUM,
    TOLUENE_DRUM,
)
NITRIC_BOTTLE = Goods("7697-37-2", "Nitric acid 68 %", _kg(0.7), "68", "solution")
PEROXIDE_BOTTLE = Goods("7722-84-1", "Hydrogen peroxide 30 %", _kg(0.5), "30", "solution")
ACETONE_BOTTLE = Goods("67-64-1", "Acetone", _kg(0.4))
PERMANGANATE_BOTTLE = Goods("7722-64-7", "Potassium permanganate", _kg(0.5), form="solid")
SULFURIC_BOTTLE = Goods("7664-93-9", "Sulfuric acid 98 %", _kg(0.92), "98")
BOTTLES = (NITRIC_BOTTLE, PEROXIDE_BOTTLE, ACETONE_BOTTLE, PERMANGANATE_BOTTLE, SULFURIC_BOTTLE, AZIDE)

# Tanks.
NITRIC_TANK = Goods("7697-37-2", "Nitric acid 68 %", 0, "68", "solution")
PEROXIDE_TANK = Goods("7722-84-1", "Hydrogen peroxide 50 %", 0, "50", "solution")
SULFURIC_TANK = Goods("7664-93-9", "Sulfuric acid 98 %", 0, "98")
HYDROCHLORIC_TANK = Goods("7647-01-0", "Hydrochloric acid 31 %", 0, "31", "solution")
TOLUENE_TANK = Goods("108-88-3", "Toluene", 0, volatile_ppm=250)
ACETONE_TANK = Goods("67-64-1", "Acetone", 0, volatile_ppm=350)
TANKS = (NITRIC_TANK, PEROXIDE_TANK, SULFURIC_TANK, HYDROCHLORIC_TANK, TOLUENE_TANK, ACETONE_TANK)
STAGED = (ARSENIC, MERCURIC, NITRATE, CHLORATE, SULFUR, ALUMINIUM, ZINC, BOROHYDRIDE, NITROMETHANE, ACETIC_ANHYDRIDE)
"""What planted cases deal in beside the ordinary drums."""
