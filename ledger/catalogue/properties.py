"""Densities and age limits of goods, where a record states none: properties.csv, all of it engineering defaults.

Units: concentrations in per cent by mass, as a goods line writes them; densities in grams per litre at 20 °C; age limits in
whole months from the receipt. SOURCES.md says where each number comes from, and what has no row because no single number
would be honest: gases, solids, gasoline, goods that are sold in open ranges of composition.

- A density is that of the stated concentration: between two rows of a code it is interpolated, beyond them none is known.
  A code with one row only is a pure liquid; the row serves from 95 % on, which is how such goods are traded.
- Where no concentration is stated, the row that says so serves: the substance itself, else the densest. A code without
  such a row (hydrogen chloride and ammonia are gases as well, sodium hydroxide a solid) has no density then.
- An age limit holds for a code at any concentration: what is diluted forms peroxides too. A gas forms next to none.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import pairwise

from ledger.core.ids import check_cas
from ledger.errors import ConfigError

COLUMNS = (
    "code",
    "concentration",
    "unstated",
    "density_g_per_l",
    "peroxide_former_months",
    "basis",
    "evidence",
    "source",
)
BASIS = "engineering default"
EVIDENCE = ("stored", "memory")
PURE_FROM_PPM = 950_000
"""From here on what has one density only is taken for the substance itself."""
MAX_DENSITY_G_PER_L = 23_000
"""Nothing that people handle is denser (osmium: 22,600)."""
MAX_MONTHS = 60
_WHOLE_PPM = 1_000_000
_GAS = "gas"
_LIQUID_FORMS = (None, "", "liquid", "solution")
"""Forms in which a volume may be one of a liquid; powders, gases and "anhydrous" have no density here."""
_CONCENTRATION = re.compile(r"[0-9]{1,3}(\.[0-9]{1,3})?")
_NUMBER = re.compile(r"[1-9][0-9]*")


@dataclass(frozen=True, slots=True)
class Property:
    """One row: what a code is taken for at one concentration. 0: not known, or no peroxide former."""

    code: str
    concentration_ppm: int
    serves_unstated: bool
    """It counts where a line states no concentration."""
    density_g_per_l: int
    peroxide_months: int
    """Age limit of a peroxide former from its receipt on."""
    basis: str
    evidence: str
    sources: tuple[str, ...]
    """Names in SOURCES.md."""


class Properties:
    """All rows; answers for one goods line."""

    def __init__(self, rows: Iterable[Property]) -> None:
        self.rows = tuple(rows)
        self._points: dict[str, list[tuple[int, int]]] = {}
        self._unstated: dict[str, int] = {}
        self._months: dict[str, int] = {}
        for row in self.rows:
            if row.density_g_per_l:
                self._points.setdefault(row.code, []).append((row.concentration_ppm, row.density_g_per_l))
                if row.serves_unstated:
                    self._unstated[row.code] = row.density_g_per_l
            if row.peroxide_months:
                self._months[row.code] = row.peroxide_months

    def density_g_per_l(self, code: str, concentration_ppm: int | None, form: str | None) -> int:
        """Grams per litre to assume of these goods, rounded up; 0 where none is known."""
        points = self._points.get(code)
        if points is None or form not in _LIQUID_FORMS:
            return 0
        if concentration_ppm is None:
            # How strong a solution of a pure liquid is nobody knows; of an acid the densest is taken.
            return 0 if form == "solution" and len(points) == 1 else self._unstated.get(code, 0)
        if len(points) == 1:
            return points[0][1] if concentration_ppm >= PURE_FROM_PPM else 0
        for (low, light), (high, heavy) in pairwise(points):
            if low <= concentration_ppm <= high:
                return light - (light - heavy) * (concentration_ppm - low) // (high - low)
        return 0

    def peroxide_months(self, code: str, form: str | None) -> int:
        """Months from the receipt after which a peroxide former is too old; 0 for what is none."""
        return 0 if form == _GAS else self._months.get(code, 0)


def read_properties(text: str, name: str = "properties.csv") -> Properties:
    """The table from its text.

    Raises: ConfigError that names file, line and what is wrong there.
    """
    reader = csv.reader(io.StringIO(text, newline=""))
    header = tuple(next(reader, ()))
    if header != COLUMNS:
        raise ConfigError(f"{name}:1: the columns are {','.join(COLUMNS)}")
    rows: list[Property] = []
    for cells in reader:
        try:
            rows.append(_property(cells, rows))
        except ValueError as error:
            raise ConfigError(f"{name}:{reader.line_num}: {error}") from None
    return Properties(rows)


def _property(cells: list[str], before: list[Property]) -> Property:
    if len(cells) != len(COLUMNS):
        raise ValueError(f"{len(COLUMNS)} cells are expected, here are {len(cells)}")
    code, concentration, unstated, density, months, basis, evidence, source = cells
    check_cas(code)
    if unstated not in ("0", "1"):
        raise ValueError("unstated is 0 or 1")
    if basis != BASIS:
        raise ValueError(f"the basis of a default is {BASIS!r}")
    if evidence not in EVIDENCE:
        raise ValueError(f"evidence is one of {', '.join(EVIDENCE)}")
    sources = tuple(source.split(";"))
    if not all(sources):
        raise ValueError("a number has a source")
    row = Property(
        code,
        _ppm(concentration),
        unstated == "1",
        _whole(density, "density_g_per_l", MAX_DENSITY_G_PER_L),
        _whole(months, "peroxide_former_months", MAX_MONTHS),
        basis,
        evidence,
        sources,
    )
    if not row.density_g_per_l and not row.peroxide_months:
        raise ValueError("a row says a density, an age limit or both")
    _check_beside(row, [one for one in before if one.code == code])
    return row


def _check_beside(row: Property, others: list[Property]) -> None:
    if others and others[-1].concentration_ppm >= row.concentration_ppm:
        raise ValueError(f"the concentrations of {row.code} do not ascend")
    if row.serves_unstated and any(one.serves_unstated for one in others):
        raise ValueError(f"two rows of {row.code} serve where no concentration is stated")
    if row.peroxide_months and any(one.peroxide_months for one in others):
        raise ValueError(f"two rows of {row.code} have an age limit")


def _ppm(text: str) -> int:
    if _CONCENTRATION.fullmatch(text) is None:
        raise ValueError(f"{text!r} is no concentration in per cent")
    whole, _, part = text.partition(".")
    ppm = int(whole) * 10_000 + int(part.ljust(4, "0") or "0")
    if not 0 < ppm <= _WHOLE_PPM:
        raise ValueError(f"{text!r} is no concentration in per cent")
    return ppm


def _whole(text: str, column: str, most: int) -> int:
    if not text:
        return 0
    if _NUMBER.fullmatch(text) is None or int(text) > most:
        raise ValueError(f"{column} is empty or a whole number up to {most}")
    return int(text)


def assumed_mass_mg(volume_ul: int, density_g_per_l: int) -> int:
    """Milligrams of a volume in microlitres, rounded away from nothing."""
    mass = -(-abs(volume_ul) * density_g_per_l // 1000)
    return mass if volume_ul >= 0 else -mass
