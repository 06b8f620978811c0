"""A store in which several goods lie beside each other: one book, a line for each goods, batch or strength."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from tests.scenario import clock
from tests.scenario.drafts import KG, Draft
from tests.scenario.goods import Goods
from tests.scenario.stores import Store

if TYPE_CHECKING:
    from tests.scenario.enterprise import Enterprise


class Part(NamedTuple):
    """What lies there at first: pieces of packed goods, milligrams of others."""

    goods: Goods
    amount: int
    batch: str = ""


class Rack(Store):
    """Its parts write into its book, each its own lines; all are packed or none is. `capacity` is in milligrams."""

    def __init__(self, owner: Enterprise, at: str, parts: Sequence[Part], capacity_kg: int) -> None:
        super().__init__(owner, at, parts[0].goods, capacity_kg * KG, kind="room")
        assert len({part.goods.sealed for part in parts}) == 1
        self.opening = parts
        self.parts = [Store(owner, at, part.goods, capacity_kg * KG, book=self.desk.book) for part in parts]
        for part, store in zip(parts, self.parts, strict=True):
            if part.batch:
                store.marks = {"batch": part.batch}

    @property
    def booked(self) -> int:
        return sum(part.booked for part in self.parts)

    @property
    def capacity_mg(self) -> int:
        return self.capacity

    def open(self, ms: int, amount: int = 0) -> Draft:
        for part, store in zip(self.opening, self.parts, strict=True):
            if part.goods.sealed:
                store.pieces = part.amount
            else:
                store.true_mg = store.booked_mg = part.amount
        return self.count(ms)

    def calibrate(self) -> None:
        for part in self.parts:
            part.calibrate()

    def count(self, ms: int, *, amount: int | None = None, **more: Any) -> Draft:
        made = super().count(ms, amount=amount, **more)
        for part in self.parts:
            part.counted_day, part.moved_since = self.counted_day, False
        return made

    def close(self, day: int, ms: int, *, final: bool = False) -> Draft | None:
        self.moved_day = max(self.moved_day, *(part.moved_day for part in self.parts))
        return super().close(day, ms, final=final)

    def found(self, amount: int | None) -> list[dict[str, Any]]:
        return [line for part in self.parts for line in part.found(amount)]

    def standing(self) -> list[dict[str, Any]]:
        return [line for part in self.parts for line in part.standing()]

    def use_up(self, ms: int) -> None:
        for n, part in enumerate(self.parts):
            part.use_up(ms + n * clock.SECOND)

    def count_due(self, day: int) -> bool:
        return any(part.count_due(day) for part in self.parts)
