"""Goods lines with what the catalogue says of them: one look-up for all topics."""

from __future__ import annotations

from decimal import Decimal
from functools import lru_cache
from typing import Any, NamedTuple, Protocol

from ledger.catalogue import Classification
from ledger.engine.inputs import GoodsLine, goods_lines


class Classifier(Protocol):
    """The catalogue, as the fold asks it: `ledger.catalogue.Catalogue`."""

    def classify(self, code: str, concentration_ppm: int | None, form: str | None, /) -> Classification:
        """The listing of a code at a concentration (parts per million by mass) in a form."""


class Goods(NamedTuple):
    """One goods line and its listing."""

    line: GoodsLine
    listing: Classification
    key: str
    """The balance key within its book (`core.balancekey`), without the batch: whether that is in it, the book says."""

    @property
    def categories(self) -> frozenset[str]:
        """The catalogue's categories that hold for it."""
        return self.listing.categories


@lru_cache(maxsize=4096)
def concentration_ppm(percent: str) -> int | None:
    """Percent by mass as written to parts per million; None for ""."""
    return int(Decimal(percent) * 10_000) if percent else None


def key_of_batch(item: Goods) -> str:
    """The balance key with the line's batch."""
    head, _, dimension = item.key.rpartition("||")
    return f"{head}|{item.line.batch}|{dimension}"


def goods_of(body: dict[str, Any], classifier: Classifier) -> list[Goods]:
    """The goods lines of a body, each with its listing; empty where it has none."""
    return [_classified(line, classifier) for line in goods_lines(body)]


def _classified(line: GoodsLine, classifier: Classifier) -> Goods:
    listing = classifier.classify(line.code, concentration_ppm(line.concentration), line.form or None)
    return Goods(line, listing, f"{line.code}|{listing.band}|{line.form}|{line.packaging}||{line.dimension}")
