"""The ordinary stream: what enterprises do all day when nothing is wrong. It keeps every store within its limits.

Each turn draws from its own generator, seeded by the world's seed and the turn's number, and looks at the state; so the
stream does not depend on how often the world was stopped.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from random import Random

from ledger.demo import acts
from ledger.demo.acts import Act, Turn
from ledger.demo.facilities import Enterprise, Store, outside_holder
from ledger.demo.state import BookState, Place, State, Transit

Tick = Callable[[], int]
"""The next event time, unix milliseconds; never the same twice."""
Spot = tuple[Enterprise, Store]

LOW_PERMILLE, HIGH_PERMILLE = 150, 850
"""Of capacity: below it stock is bought, above it used. A02 warns from 900."""
_KG_MG = 10**6
SEND_BACK = "send-back"
"""A transit whose sender has yet to record that it leaves."""
OUTSIDE = (outside_holder(1), "Outside trading partner 001 (simulated)")
_WEIGHTS = {
    "use": 24,
    "buy": 14,
    "transfer": 26,
    "sell": 8,
    "produce": 8,
    "loss": 4,
    "count": 9,
    "close": 7,
}


class Traffic:
    """The enterprises that lead an ordinary life."""

    def __init__(self, enterprises: Sequence[Enterprise]) -> None:
        self._spots: list[Spot] = [(e, store) for e in enterprises for store in e.stores]
        self._by_goods: dict[tuple[str, str, bool], list[Spot]] = {}
        for spot in self._spots:
            self._by_goods.setdefault(spot[1].goods, []).append(spot)
        self._by_place = {e.place(store): (e, store) for e, store in self._spots}

    def turn(self, state: State, rng: Random, tick: Tick) -> Turn:
        """The next turn: goods that are due arrive first."""
        for goods in state.transits:
            if goods.due_turn > state.turn:
                continue
            if goods.reason != SEND_BACK:
                return Turn([self._arrive(goods, state, rng, tick())])
            if state.book(_place(goods.sender)).mg >= 2 * goods.mg:
                return Turn([self._send_back(goods, state, tick())])
        enterprise, store = rng.choice(self._spots)
        book = state.book(enterprise.place(store))
        what = rng.choices(list(_WEIGHTS), list(_WEIGHTS.values()))[0]
        if what in ("buy", "produce") and self._room(state, (enterprise, store)) < _step_mg(store):
            what = "use"
        if what in ("use", "sell", "transfer", "loss") and book.mg - _floor_mg(store) < _step_mg(store):
            what = "buy"
        return Turn([self._act(what, (enterprise, store), state, rng, tick())])

    def _act(self, what: str, spot: Spot, state: State, rng: Random, ms: int) -> Act:
        enterprise, store = spot
        book = state.book(enterprise.place(store))
        if what == "transfer":
            # Only ever down the list: two that sell the same to each other would be a circular flow.
            buyers = [other for other in self._by_goods[store.goods] if other[0].number > enterprise.number]
            if buyers:
                return self._transfer(spot, rng.choice(buyers), state, rng, ms)
            what = "sell"
        if what == "close":
            done = self._close(spot, book, ms)
            if done is not None:
                return done
            what = "count"
        if what == "produce" and not enterprise.producer:
            what = "buy"
        if what == "loss" and store.sealed:
            what = "count"
        if what == "count":
            return self._count(spot, book, rng, ms)
        most_mg = self._room(state, spot) if what in ("buy", "produce") else book.mg - _floor_mg(store)
        mg, pieces = _portion(store, rng, most_mg)
        number = rng.randint(1, 400)
        outside = (outside_holder(number), f"Outside trading partner {number:03d} (simulated)")
        if what == "buy":
            return acts.purchase(enterprise, store, outside, mg, pieces, ms)
        if what == "produce":
            return acts.move(enterprise, store, "in", "production", mg, pieces, ms)
        if what == "sell":
            return acts.sale(enterprise, store, outside, mg, pieces, ms, f"X{state.turn:07d}", rng)
        if what == "loss":
            lost = min(book.mg // 10_000, 5 * _KG_MG) // 1000 * 1000 + 1000
            return acts.move(
                enterprise, store, "out", "loss", lost, 0, ms, loss_cause=rng.choice(["evaporation", "sampling"])
            )
        return acts.move(enterprise, store, "out", "consumption", mg, pieces, ms, purpose="production")

    def _transfer(self, seller: Spot, buyer: Spot, state: State, rng: Random, ms: int) -> Act:
        enterprise, store = seller
        stock_mg = state.book(enterprise.place(store)).mg - _floor_mg(store)
        mg, pieces = _portion(store, rng, min(stock_mg, self._room(state, buyer)))
        if mg <= 0:
            mg, pieces = _portion(store, rng, stock_mg)
            return acts.sale(enterprise, store, OUTSIDE, mg, pieces, ms, f"X{state.turn:07d}", rng)
        consignment = f"C{state.turn:07d}"
        goods = acts.transit(
            consignment,
            enterprise.place(store),
            buyer[0].place(buyer[1]),
            "purchase",
            mg,
            pieces,
            state.turn + rng.randint(2, 12),
            returns=(not store.sealed or min(store.opening_pieces, buyer[1].opening_pieces) >= 20)
            and rng.random() < 0.15,
        )
        return acts.sale(
            enterprise,
            store,
            (buyer[0].holder, buyer[0].facility.name),
            mg,
            pieces,
            ms,
            consignment,
            rng,
            effects=(goods,),
        )

    def _arrive(self, goods: Transit, state: State, rng: Random, ms: int) -> Act:
        """The receiving end; of some consignments a part will be sent back."""
        receiver, store = self._by_place[_place(goods.receiver)]
        sender, _ = self._by_place[_place(goods.sender)]
        effects: tuple[tuple[object, ...], ...] = ()
        if goods.returns:
            mg, pieces = (store.piece_mg, 1) if store.sealed else (goods.mg // 4, 0)
            due_turn = state.turn + rng.randint(3, 9)
            effects = (
                acts.transit(
                    f"R{state.turn:07d}", _place(goods.receiver), _place(goods.sender), SEND_BACK, mg, pieces, due_turn
                ),
            )
        return acts.arrival(receiver, store, (sender.holder, sender.facility.name), goods, ms, effects=effects)

    def _send_back(self, goods: Transit, state: State, ms: int) -> Act:
        """The buyer returns a part; it is then on its way to the seller."""
        sender, store = self._by_place[_place(goods.sender)]
        receiver, _ = self._by_place[_place(goods.receiver)]
        on_the_way = acts.transit(
            goods.consignment,
            _place(goods.sender),
            _place(goods.receiver),
            "return",
            goods.mg,
            goods.pieces,
            state.turn + 3,
        )
        return acts.move(
            sender,
            store,
            "out",
            "return",
            goods.mg,
            goods.pieces,
            ms,
            consignment=goods.consignment,
            counterparty=acts.counterparty(receiver.holder, receiver.facility.name),
            effects=(("arrived", goods.consignment), on_the_way),
        )

    def _room(self, state: State, spot: Spot) -> int:
        """What may still come into a store, goods on the way to it counted as there."""
        enterprise, store = spot
        place = enterprise.place(store)
        coming = sum(goods.mg for goods in state.transits if _place(goods.receiver) == place)
        return store.capacity_mg * HIGH_PERMILLE // 1000 - state.book(place).mg - coming

    @staticmethod
    def _count(spot: Spot, book: BookState, rng: Random, ms: int) -> Act:
        enterprise, store = spot
        if store.sealed:
            return acts.stocktake(enterprise, store, book.mg, book.pieces, ms)
        # What lies there does not change by being read: the error of the last reading is not in this one.
        true_mg = book.mg - book.error_mg
        mg = max(0, round(rng.gauss(true_mg, true_mg * acts.MEASURED["random_ppm"] / 1_000_000)))
        effects = (("count", mg, book.pieces, acts.local_day(ms), mg - true_mg),)
        return acts.stocktake(enterprise, store, mg, book.pieces, ms, effects=effects)

    @staticmethod
    def _close(spot: Spot, book: BookState, ms: int) -> Act | None:
        """Yesterday's close, where it is missing and nothing moved today."""
        enterprise, store = spot
        yesterday = acts.local_day(ms - acts.DAY_MS)
        if book.closed >= yesterday or book.day > yesterday:
            return None
        return acts.close(enterprise, store, (book.seq, book.mg, book.pieces), yesterday, ms, nil=book.day != yesterday)


def _place(parts: Sequence[str]) -> Place:
    holder, site, book = parts
    return holder, site, book


def _floor_mg(store: Store) -> int:
    return store.capacity_mg * LOW_PERMILLE // 1000


def _step_mg(store: Store) -> int:
    """The least that is moved."""
    return store.piece_mg or max(store.opening_mg // 200, _KG_MG)


def _portion(store: Store, rng: Random, most_mg: int) -> tuple[int, int]:
    """(milligrams, pieces) of one movement, at most `most_mg`; (0, 0) when not even the least fits.

    One to three packages; or half a percent to four percent of the opening stock, a round number of kilograms.
    """
    if store.sealed:
        pieces = max(0, min(rng.randint(1, 3), most_mg // store.piece_mg))
        return pieces * store.piece_mg, pieces
    kilograms = min(store.opening_mg * rng.randint(5, 40) // 1000, most_mg) // _KG_MG
    step = 10 ** max(len(str(kilograms)) - 2, 0)
    return max(kilograms // step * step, 0) * _KG_MG, 0
