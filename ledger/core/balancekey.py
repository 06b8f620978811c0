"""The balance key within (holder, site, book), as text (formats.md section 5, books): code|band|form|packaging|batch|dimension.

Code and band stand for the listing. Packaging and dimension come beside what formats.md names: what is counted and what is
weighed, or mass and volume, are never added. The code stands first and the dimension last, for those who look at the ends only.
"""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple


class BalanceKey(NamedTuple):
    """Its parts."""

    code: str
    band: str
    """The listing's concentration range; "" without one."""
    form: str
    packaging: str
    batch: str
    """Empty where a book has the goods in one balance, whatever their batch."""
    dimension: str


@lru_cache(maxsize=8192)
def key_parts(key: str) -> BalanceKey:
    """The parts of a key; a batch is free text and may have bars in it.

    Raises:
        ValueError: It is no balance key.
    """
    code, band, form, packaging, rest = key.split("|", 4)
    batch, bar, dimension = rest.rpartition("|")
    if not bar:
        raise ValueError("a balance key has six parts")
    return BalanceKey(code, band, form, packaging, batch, dimension)
