"""Substances, listing conditions, thresholds and legal numbers, as data with their sources (SOURCES.md).

The key of a listing is substance **and** concentration band **and** form: hydrogen peroxide has three bands and is free
below 8 %. `Catalogue.classify` answers for one goods line; where the line does not say enough, or the list says more
than a line can carry, it takes the strictest row that may apply and says `ambiguous`.

Not claimed: completeness (70 of the official 148 highly toxic entries), nor that a number is still in force; each row
carries its provenance. Nothing here is legal advice.
"""

from __future__ import annotations

import csv
import hashlib
import io
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from functools import cache, lru_cache
from importlib.resources import files
from itertools import takewhile

from ledger.catalogue.conditions import Condition, Holds, Range, parse_condition
from ledger.catalogue.properties import Properties, Property, read_properties

__all__ = [
    "Catalogue",
    "Classification",
    "Condition",
    "GbThreshold",
    "Holds",
    "LegalParameter",
    "Properties",
    "Property",
    "Range",
    "Substance",
    "file_digests",
]

SUBSTANCES = "substances.csv"
LEGAL = "legal_params.csv"
LEGAL_NUMBERS = "legal_numbers.csv"
PROPERTIES = "properties.csv"
DATA_FILES = (
    SUBSTANCES,
    LEGAL,
    LEGAL_NUMBERS,
    PROPERTIES,
    "gb18218_2018_table1.csv",
    "gb18218_2018_table2_beta.csv",
    "gb18218_2018_beta_named.csv",
    "gb18218_2018_alpha.csv",
    "costorage_matrix.csv",
)

_MG_PER_T = 10**9
_EU_LIMITED = "eu_precursor_annex_I"


@dataclass(frozen=True, slots=True)
class GbThreshold:
    """Q of GB 18218-2018 in milligrams, beta in thousandths; `basis` is the table's row, `condition` its words."""

    q_mg: int | None
    beta_milli: int | None
    basis: str
    condition: str


@dataclass(frozen=True, slots=True)
class Substance:
    """One row: a substance under one listing condition. `code` is its CAS number, or `listing` where it has none."""

    listing: str
    """The row's own id, such as "epc-6-01c"."""
    code: str
    name_zh: str
    name_en: str
    aliases_zh: tuple[str, ...]
    un_number: str | None
    categories: frozenset[str]
    """explosive_precursor, highly_toxic, drug_precursor, hazardous, eu_precursor_annex_I, eu_precursor_annex_II."""
    condition: Condition
    gb18218: GbThreshold
    eu_limit: Range | None
    """Regulation (EU) 2019/1148 annex I: restricted where this holds. None: no limit, or one that is no plain share."""
    drug_precursor_class: int | None
    ghs_classes_zh: str
    h_codes: tuple[str, ...]
    incompatible_zh: str
    storage_groups: tuple[str, ...]
    separate_store: bool
    """GB 15603-2022 clause 5.9."""
    provenance: str
    flags: str


@dataclass(frozen=True, slots=True)
class Classification:
    """What the catalogue says of a code at a concentration in a form."""

    code: str
    listing: str
    """The row that counts; the code itself where no row applies (unknown, or free at this concentration)."""
    band: str
    """The row's concentration range, such as "8%<c<20%"; "" without one."""
    categories: frozenset[str]
    known: bool
    """Whether the catalogue has this code at all."""
    listed: bool
    """Whether a row applies."""
    ambiguous: bool
    """The strictest row that may apply was taken, and the line does not say enough to be sure that it does."""
    substance: Substance | None
    density_g_per_l: int = 0
    """To be assumed of a volume of it (properties.csv); 0 where none is known."""
    peroxide_months: int = 0
    """Age limit of a peroxide former where no date is stated (properties.csv); 0 for what is none."""


@dataclass(frozen=True, slots=True)
class LegalParameter:
    """One legal number with its article. `numbers` maps a part's name to its number; "value" for a plain one."""

    param_id: str
    text: str
    unit: str
    numbers: dict[str, Decimal]
    applies_to: str
    source: str
    article: str
    evidence: str
    effective_from: date | None
    note: str

    @property
    def number(self) -> int:
        """The plain whole number. Raises KeyError where the parameter is none."""
        return int(self.numbers["value"])


def _text(name: str) -> str:
    return files(__package__).joinpath(name).read_text("utf-8")


def _read(name: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(_text(name), newline="")))


def _split(text: str, *separators: str) -> tuple[str, ...]:
    for separator in separators[1:]:
        text = text.replace(separator, separators[0])
    return tuple(part.strip() for part in text.split(separators[0]) if part.strip())


def _scaled(text: str, scale: int) -> int | None:
    return int(Decimal(text) * scale) if text else None


def _eu_limit(text: str) -> Range | None:
    number = text.removesuffix("% w/w")
    if number == text or not number.isdigit():
        return None
    return Range(low_ppm=int(number) * 10_000, low_open=True)


def _substance(row: dict[str, str]) -> Substance:
    return Substance(
        listing=row["record_id"],
        code=row["cas"] or row["record_id"],
        name_zh=row["name_zh"],
        name_en=row["name_en"],
        aliases_zh=_split(row["alias_zh"], "；", ";"),
        un_number=row["un_number"] or None,
        categories=frozenset(_split(row["categories"], ";")),
        condition=parse_condition(row["condition_zh"]),
        gb18218=GbThreshold(
            q_mg=_scaled(row["gb18218_q_t"], _MG_PER_T),
            beta_milli=_scaled(row["beta"], 1000),
            basis=row["gb18218_basis"],
            condition=row["gb18218_condition"],
        ),
        eu_limit=_eu_limit(row["eu_limit"]),
        drug_precursor_class=int(row["drug_precursor_class"][0]) if row["drug_precursor_class"] else None,
        ghs_classes_zh=row["ghs_classes_zh"],
        h_codes=_split(row["h_codes"], ";"),
        incompatible_zh=row["incompatible_zh"],
        storage_groups=_split(row["storage_groups"], ";"),
        separate_store=row["gb15603_5_9_separate"] == "1",
        provenance=row["provenance"],
        flags=row["flags"],
    )


def _common_name(names: list[str]) -> str:
    """What names have in common, by whole words and without the remark or the bracket in which they differ.

    "Hydrogen peroxide, aqueous solution (>=60%)" and "... (8-20%)" are "Hydrogen peroxide, aqueous solution": the stock
    of one code may be any of its strengths. The first name where nothing is common.
    """
    if len(set(names)) == 1:
        return names[0]
    alike = takewhile(lambda letters: len(set(letters)) == 1, zip(*names, strict=False))
    shared = "".join(letters[0] for letters in alike)
    if any(name[len(shared) : len(shared) + 1].isalnum() for name in names) and shared[-1:].isalnum():
        shared = shared.rpartition(" ")[0]
    cut = max(shared.rfind(" ("), shared.rfind(", "))
    return (shared[:cut] if cut > 0 else shared).rstrip(" ,(") or names[0]


def _strictness(substance: Substance) -> tuple[int, int, str]:
    """The smaller, the stricter: least threshold Q, then most categories, then the list's own order."""
    q_mg = substance.gb18218.q_mg
    return (2**63 if q_mg is None else q_mg, -len(substance.categories), substance.listing)


def _categories_at(substance: Substance, concentration_ppm: int | None) -> frozenset[str]:
    limit = substance.eu_limit
    if limit is not None and limit.holds(concentration_ppm) is Holds.NO:
        return substance.categories - {_EU_LIMITED}
    return substance.categories


class Catalogue:
    """All substances, legal parameters and defaults. Immutable; one for the whole process by `Catalogue.load()`."""

    def __init__(
        self,
        substances: Iterable[Substance],
        parameters: Iterable[LegalParameter] = (),
        properties: Properties | None = None,
    ) -> None:
        self.substances = tuple(substances)
        self.properties = properties or Properties(())
        self.parameters = tuple(parameters)
        """All rows of legal parameters, in the file's order."""
        by_age = sorted(self.parameters, key=lambda parameter: parameter.effective_from or date.min)
        self._parameters = {parameter.param_id: parameter for parameter in by_age}
        by_code: dict[str, list[Substance]] = {}
        for substance in self.substances:
            by_code.setdefault(substance.code, []).append(substance)
        self._by_code = {code: tuple(rows) for code, rows in by_code.items()}
        # The same few hundred (code, concentration, form) come back with every entry.
        self.classify = lru_cache(maxsize=8192)(self._classify)

    @staticmethod
    @cache
    def load() -> Catalogue:
        """The catalogue as shipped."""
        return Catalogue(map(_substance, _read(SUBSTANCES)), _parameters(), read_properties(_text(PROPERTIES)))

    def rows(self, code: str) -> tuple[Substance, ...]:
        """All rows of a CAS number or catalogue code, in the list's order; empty for an unknown one."""
        return self._by_code.get(code, ())

    def _classify(self, code: str, concentration_ppm: int | None = None, form: str | None = None) -> Classification:
        """The listing that counts for this code, concentration (ppm by mass) and form."""
        rows = self.rows(code)
        listed_forms = frozenset[str]().union(*(row.condition.forms for row in rows))
        held = [(row, row.condition.holds(concentration_ppm, form, listed_forms)) for row in rows]
        applying = [row for row, answer in held if answer is not Holds.NO]
        density = self.properties.density_g_per_l(code, concentration_ppm, form)
        months = self.properties.peroxide_months(code, form)
        if not applying:
            return Classification(
                code,
                code,
                "",
                frozenset(),
                bool(rows),
                listed=False,
                ambiguous=False,
                substance=None,
                density_g_per_l=density,
                peroxide_months=months,
            )
        strictest = min(applying, key=_strictness)
        # A row that surely applies and is the strictest settles it, whatever else might apply beside it.
        settled = dict(held)[strictest] is Holds.YES
        counted = [row for row, answer in held if answer is Holds.YES] if settled else applying
        concentration = strictest.condition.concentration
        return Classification(
            code=code,
            listing=strictest.listing,
            band="" if concentration is None else concentration.text(),
            categories=frozenset[str]().union(*(_categories_at(row, concentration_ppm) for row in counted)),
            known=True,
            listed=True,
            ambiguous=not settled,
            substance=strictest,
            density_g_per_l=density,
            peroxide_months=months,
        )

    def names(self, code: str) -> dict[str, str]:
        """{"zh", "en"}: what all its rows are called, without their strengths; the code itself for an unknown one."""
        rows = self.rows(code)
        if not rows:
            return {"zh": code, "en": code}
        return {"zh": _common_name([row.name_zh for row in rows]), "en": _common_name([row.name_en for row in rows])}

    def search(self, text: str, *, limit: int = 20) -> list[Substance]:
        """Rows by CAS number, listing, UN number or any name, whole matches first, then beginnings, then the rest."""
        wanted = text.strip().casefold()
        if not wanted:
            return []

        def rank(row: Substance) -> int | None:
            words = [row.code, row.listing, row.name_zh, row.name_en.casefold(), *row.aliases_zh]
            if row.un_number:
                words.append(row.un_number)
            if wanted in words:
                return 0
            if any(word.startswith(wanted) for word in words):
                return 1
            return 2 if any(wanted in word for word in words) else None

        ranked = [(found, n, row) for n, row in enumerate(self.substances) if (found := rank(row)) is not None]
        return [row for _, _, row in sorted(ranked, key=lambda item: item[:2])[:limit]]

    def parameter(self, param_id: str) -> LegalParameter:
        """A legal parameter; of one that changed the newest row. Raises KeyError for an unknown one."""
        return self._parameters[param_id]


def _parameters() -> list[LegalParameter]:
    parts: dict[str, dict[str, Decimal]] = {}
    for row in _read(LEGAL_NUMBERS):
        parts.setdefault(row["param_id"], {})[row["part"]] = Decimal(row["number"])
    return [
        LegalParameter(
            param_id=row["param_id"],
            text=row["value"],
            unit=row["unit"],
            numbers={"value": Decimal(row["value"])} if row["value"].isdigit() else parts.get(row["param_id"], {}),
            applies_to=row["applies_to"],
            source=row["source"],
            article=row["article"],
            evidence=row["evidence"],
            effective_from=date.fromisoformat(row["effective_from"]) if row["effective_from"] != "-" else None,
            note=row["note"],
        )
        for row in _read(LEGAL)
    ]


@cache
def file_digests() -> dict[str, str]:
    """Hex SHA-256 of each data file, for the `ruleset` record that says what was in force."""
    return {name: hashlib.sha256(files(__package__).joinpath(name).read_bytes()).hexdigest() for name in DATA_FILES}
