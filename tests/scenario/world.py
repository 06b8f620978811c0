"""The scenario's year: everybody's days one after the other, as one stream in the order in which records came in.

Memory is that of the holders and of one day's records: what comes in on a later day waits in `_carry`.
"""

from __future__ import annotations

from collections.abc import Iterator
from zlib import crc32

from tests.scenario import clock
from tests.scenario.cast import SHOPS, Cast
from tests.scenario.clock import HOUR, MINUTE, SECOND
from tests.scenario.drafts import Draft
from tests.scenario.enterprise import Enterprise
from tests.scenario.labels import Labels
from tests.scenario.opening import COUNT_MS, OPENING_MS, Officials, Papers, open_enterprise, persons, place, profile
from tests.scenario.rental import Rental
from tests.scenario.shops import Shop, open_shop

SEED = 20260101


class World:
    """Seeded; the same seed gives the same drafts. `drafts()` may be walked once."""

    def __init__(self, seed: int = SEED, *, scale: int = 1, plants: bool = True) -> None:
        self.seed, self.scale = seed, scale
        self._out: list[Draft] = []
        send = self._out.append
        self.officials = Officials(seed, send)
        self.cast = Cast(seed, send, scale=scale)
        self.shops = [Shop(seed, n, send) for n in range(1, SHOPS + 1)][::scale]
        self.rental = Rental(seed, 1, send)
        self.labels = Labels()
        self._plants = plants

    @property
    def holders(self) -> int:
        return len(self.cast.enterprises) + len(self.shops) + 1

    def drafts(self, days: int = clock.DAYS) -> Iterator[Draft]:
        """Everything that comes in before the end of day `days - 1`, and the opening before day 0."""
        self._open()
        carry: list[Draft] = []
        yield from self._until(clock.day_start(0), carry)
        everybody = [*self.cast.enterprises, *self.shops, self.rental]
        wants: dict[int, list] = {}
        for lane in self.cast.lanes:
            wants.setdefault(id(lane.buyer.owner), []).append(lane)
        for day in range(days):
            for owner in everybody:
                owner.live(day)
                for lane in wants.get(id(owner), ()):
                    if owner.working_hours(day):
                        lane.want(day)
            yield from self._until(clock.day_start(day + 1), carry)

    def _until(self, end_ms: int, carry: list[Draft]) -> Iterator[Draft]:
        """Sorted by time of receipt, then by place: what was made before the same moment has one order only."""
        made = sorted([*carry, *self._out], key=_order)
        self._out.clear()
        cut = len(made)
        while cut and made[cut - 1].received_ms >= end_ms:
            cut -= 1
        carry[:] = made[cut:]
        yield from made[:cut]

    # --- before the year ----------------------------------------------------------------------------------------------

    def _open(self) -> None:
        if self._plants:
            from tests.scenario.plants import plant  # noqa: PLC0415

            plant(self)
        for owner in self.cast.enterprises:
            open_enterprise(owner, self.officials, _turn(owner))
        for shop in self.shops:
            self._open_other(shop, _turn(shop), shop.place_stores())
            open_shop(shop, COUNT_MS + _turn(shop) * SECOND)
        self._open_other(self.rental, _turn(self.rental), ({"id": "YARD", "book": "fleet", "class": "yard"},))
        for owner in self.cast.enterprises:
            for at, store in enumerate(owner.stores):
                ms = COUNT_MS + at * 20 * SECOND + owner.rng.randrange(HOUR)
                store.open(ms, round(store.capacity * store.rng.uniform(0.5, 0.7)))
                store.close(-1, ms + 5 * HOUR + at * MINUTE)

    def _open_other(self, owner: Shop | Rental, number: int, stores: tuple) -> None:
        ms = OPENING_MS + number * 20 * SECOND
        self.officials.grant(owner.holder, ms - HOUR, number)
        profile(owner, ms)
        persons(owner, ms + 2 * SECOND)
        place(owner, ms + 10 * SECOND, extra=stores)
        owner.papers = Papers(owner, self.officials)


def _turn(owner: Enterprise) -> int:
    """When the holder's opening is, in small steps; its own whoever else is there."""
    return crc32(owner.holder.encode()) % 600


def _order(draft: Draft) -> tuple[int, str, str, int]:
    return draft.received_ms, draft.holder, draft.book, draft.seq
