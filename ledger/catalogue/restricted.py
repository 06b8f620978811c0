"""Restricted sets: goods that nobody should hold together without a reason, as groups that only code names.

Which goods they are is configuration of the installation, kept outside the repository (setting `[rules]
restricted_sets`). What is shipped is an example of kitchen goods that shows the form and finds nothing. Everything that
people are shown says "set S_1, groups 3 of 3": never which goods, which group, how much.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files
from typing import Any

from ledger.errors import ConfigError

EXAMPLE = "restricted_sets.example.json"
MAX_SETS = 64
MAX_GROUPS = 16


@dataclass(frozen=True, slots=True)
class Item:
    """One substance in a range of concentration (parts per million by mass, both ends in it)."""

    code: str
    least_ppm: int = 0
    most_ppm: int = 1_000_000

    def holds(self, concentration_ppm: int | None) -> bool:
        """Whether goods of this concentration are meant; where it is not stated, they may be, so they are."""
        return concentration_ppm is None or self.least_ppm <= concentration_ppm <= self.most_ppm


@dataclass(frozen=True, slots=True)
class RestrictedSet:
    """`name` is what people are shown. Who has one item of each group has the set."""

    name: str
    groups: tuple[tuple[Item, ...], ...]
    industries: tuple[str, ...] = ()
    """Beginnings of GB/T 4754 codes whose trade it is (whitelist)."""

    def is_usual_in(self, industry: str) -> bool:
        """Whether an enterprise of this industry is expected to hold it."""
        return bool(industry) and any(industry.startswith(usual) for usual in self.industries)


@dataclass(frozen=True, slots=True)
class RestrictedSets:
    """All of an installation. `digest` is hex SHA-256 of the file's bytes; it is part of the rule set's digest."""

    sets: tuple[RestrictedSet, ...]
    digest: str
    text: str = field(repr=False)
    """The file, so that a rule set of the past can be loaded again."""

    def groups_of(self, code: str, concentration_ppm: int | None) -> Iterable[tuple[int, int]]:
        """(number of the set, number of the group) of every group that goods belong to."""
        for at, one in enumerate(self.sets):
            for number, group in enumerate(one.groups):
                if any(item.code == code and item.holds(concentration_ppm) for item in group):
                    yield at, number


def read_restricted_sets(data: bytes, name: str) -> RestrictedSets:
    """The sets of a file (JSON): what `restricted_sets.example.json` looks like.

    They are called S_1, S_2, … in the order of the file.

    Raises: ConfigError that names the file and the set, and nothing of what is in it.
    """
    try:
        document = json.loads(data)
    except (UnicodeDecodeError, ValueError):
        raise ConfigError(f"{name}: this is no JSON file") from None
    listed = document.get("sets") if isinstance(document, dict) else None
    if not isinstance(listed, list) or set(document) - {"sets", "comment"} or not 1 <= len(listed) <= MAX_SETS:
        raise ConfigError(f'{name}: {{"sets": [...]}} with 1 to {MAX_SETS} sets is expected, and nothing else')
    sets = []
    for number, one in enumerate(listed, start=1):
        try:
            sets.append(_set(f"S_{number}", one))
        except (KeyError, TypeError, ValueError, AttributeError):
            raise ConfigError(
                f'{name}: set {number} is not of the form {{"groups": [[{{code, from, to}}]], "industries": []}}'
            ) from None
    return RestrictedSets(tuple(sets), hashlib.sha256(data).hexdigest(), data.decode())


def _set(name: str, one: dict[str, Any]) -> RestrictedSet:
    groups = tuple(tuple(_item(item) for item in group) for group in one["groups"])
    industries = tuple(one.get("industries", []))
    form = set(one) <= {"groups", "industries"} and all(isinstance(word, str) and word for word in industries)
    if not form or not 2 <= len(groups) <= MAX_GROUPS or not all(groups):
        raise ValueError(name)
    return RestrictedSet(name, groups, industries)


def _item(item: dict[str, Any]) -> Item:
    code = item["code"]
    if not set(item) <= {"code", "from", "to"} or not isinstance(code, str) or not code:
        raise ValueError("code")
    least, most = (_ppm(item.get(part, default)) for part, default in (("from", "0"), ("to", "100")))
    if not 0 <= least <= most <= 1_000_000:
        raise ValueError("range")
    return Item(code, least, most)


def _ppm(percent: str) -> int:
    whole, _, part = percent.partition(".")
    return int(whole) * 10_000 + int(part.ljust(4, "0")[:4] or "0")


@cache
def example_sets() -> RestrictedSets:
    """The harmless sets that are shipped."""
    return read_restricted_sets(files("ledger.catalogue").joinpath(EXAMPLE).read_bytes(), EXAMPLE)
