"""What the goods of one store are of their thresholds of GB 18218-2018: q/Q, as they lie there or as a tank is designed for."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import NamedTuple

from ledger.catalogue.properties import assumed_mass_mg
from ledger.engine.inputs import base_amount
from ledger.engine.register import Site

PPM = 1_000_000
_MASS_KEY = "|mass"
_VOLUME_KEY = "|volume"


@dataclass(slots=True)
class Weighed:
    """A listing with a threshold that lies in a store, and its masses by balance key."""

    code: str
    q_mg: int
    beta_milli: int
    masses: dict[str, int] = field(default_factory=dict)
    """Milligrams; of a volume what is assumed."""
    densities: dict[str, int] = field(default_factory=dict)
    """g/L, of the keys that are volumes."""
    density: int = 0
    """The greatest known, of a volume that would fill the tank."""

    def take(self, key: str, amount: int) -> None:
        """There is so much of a balance key now."""
        density = self.densities.get(key)
        self.masses[key] = amount if density is None else assumed_mass_mg(amount, density)

    @property
    def assumed_mg(self) -> int:
        """How much of all the masses is assumed."""
        return sum(self.masses[key] for key in self.densities)


class Tank(NamedTuple):
    """What a tank is designed for, in milligrams or in microlitres; nothing of any other store."""

    mass_mg: int
    volume_ul: int


class Sums(NamedTuple):
    """What the weighed goods of one store are of their thresholds."""

    sum_ppm: int
    risk: int
    without_mass: int
    assumed_mass: int
    assumed_ppm: int
    share: tuple[int, str] | None
    """The listing with the greatest share of its threshold: (minus ppm, code)."""


def weigh(weighed: Weighed, found: Iterable[tuple[str, int, int]]) -> Weighed:
    """With what lies there of a listing: (balance key, density to assume, amount)."""
    for key, density, amount in found:
        weighed.density = max(weighed.density, density)
        if key.endswith(_VOLUME_KEY) and density:
            weighed.densities[key] = density
        if key.endswith(_MASS_KEY) or key in weighed.densities:
            weighed.take(key, amount)
    return weighed


def sums_of(all_weighed: Iterable[Weighed], tank: Tank) -> Sums:
    """By mass, or by what the tank is designed for, where that is more."""
    sum_ppm = risk = without_mass = assumed_mass = assumed_ppm = 0
    share: tuple[int, str] | None = None
    for weighed in all_weighed:
        mass_mg, assumed_mg = sum(weighed.masses.values()), weighed.assumed_mg if weighed.densities else 0
        if tank.mass_mg >= mass_mg:
            mass_mg, assumed_mg = tank.mass_mg, 0
        elif tank.volume_ul and (filled_mg := assumed_mass_mg(tank.volume_ul, weighed.density)) > mass_mg:
            mass_mg = assumed_mg = filled_mg
        if not mass_mg:
            without_mass += 1
        ppm = mass_mg * PPM // weighed.q_mg
        sum_ppm += ppm
        risk += ppm * weighed.beta_milli
        if assumed_mg:
            assumed_mass += 1
            assumed_ppm += assumed_mg * PPM // weighed.q_mg
        share = (-ppm, weighed.code) if share is None else min(share, (-ppm, weighed.code))
    return Sums(sum_ppm, risk, without_mass, assumed_mass, assumed_ppm, share)


def tank_of(site: Site, store: str) -> Tank:
    """What a store of a site is designed for, where it is a tank."""
    stated = site.stores.get(store)
    quantity = stated.design_max or stated.capacity if stated is not None and stated.kind == "tank" else None
    amount, dimension = base_amount(quantity["value"], quantity["unit"]) if quantity is not None else (0, "")
    return Tank(amount if dimension == "mass" else 0, amount if dimension == "volume" else 0)
