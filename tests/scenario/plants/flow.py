"""Family B: what passes between enterprises, who buys how much, and how the goods go round."""

from __future__ import annotations

from typing import Any

from tests.scenario import goods as g
from tests.scenario.clock import DAY, HOUR, MINUTE
from tests.scenario.drafts import KG
from tests.scenario.goods import Goods
from tests.scenario.people import make_person
from tests.scenario.plants import purchases
from tests.scenario.plants.papers import buy_outside, trade
from tests.scenario.plants.scene import ALONE, SHARED, Case, Scene, near, planted
from tests.scenario.trade import identity_check

BULK = Goods("7697-37-2", "Nitric acid 68 %", 0, "68", "solution")
ENDS = {"role": "trader"}
"""Cases that begin at an enterprise that may sell."""


def _pair(scene: Scene, goods: Goods, *, many: int = 60, toxic_free: bool = True):
    seller = scene.store(goods, capacity=4 * many, opening=2 * many)
    buyer = scene.store(goods, capacity=4 * many, opening=many, owner=scene.buyer)
    return seller, buyer


# --- B01 both ends ---------------------------------------------------------------------------------------------------


def _arrives(got_permille: int, goods: Goods):
    def play(scene: Scene) -> None:
        many = 8_000 * KG if not goods.sealed else 60
        seller, buyer = _pair(scene, goods, many=many)
        sent = 4_000 * KG if not goods.sealed else 20
        name, leaves = trade(
            scene, seller, buyer, scene.workday(1), 9, sent, got=sent * got_permille // 1000, comes_h=1.5
        )
        scene.label(leaves + HOUR, leaves + 8 * HOUR, holder=seller.owner.holder, **{"in": name})

    return play


# --- B02, B03, B04: one end missing or late --------------------------------------------------------------------------


def _comes(after_h: float | None, *, due_h: float = 2, until_h: float = 30):
    """Expected two hours after it left; comes so many hours after that, or never."""

    def play(scene: Scene) -> None:
        seller, buyer = _pair(scene, g.NITRIC_DRUM)
        comes = None if after_h is None else due_h + after_h
        name, leaves = trade(scene, seller, buyer, scene.workday(1), 8.5, 10, due_h=due_h, comes_h=comes)
        scene.label(leaves, leaves + round((due_h + until_h) * HOUR), holder=seller.owner.holder, **{"in": name})

    return play


def _phantom(seller_logs_h: float | None):
    """A receipt from an enterprise here that recorded no dispatch; or recorded it so many hours later."""

    def play(scene: Scene) -> None:
        # Goods that are counted once a month: what is recorded late lies between no two counts.
        seller, buyer = _pair(scene, g.ETHANOL_DRUM)
        seller.count_days = buyer.count_days = 28
        name = f"T{scene.rng.getrandbits(40):010x}"
        act = scene.at(scene.workday(1), 9.5)
        label = scene.label(act, act + 6 * DAY, holder=buyer.owner.holder)

        def arrive(ms: int) -> None:
            came = buy_outside(
                scene, buyer, 10, ms, consignment=name, counterparty={"type": "enterprise", "uscc": seller.owner.holder}
            )
            label.where["record"] = came.record_id

        scene.do(act, arrive, buyer.owner)
        if seller_logs_h is not None:
            late = act + round(seller_logs_h * HOUR)

            def out(ms: int) -> None:
                seller.move(
                    "out",
                    "sale",
                    10,
                    act - HOUR,
                    received_ms=ms,
                    consignment=name,
                    counterparty={"type": "enterprise", "uscc": buyer.owner.holder},
                    payment_method="bank_transfer",
                    purpose="production",
                    persons={"/body/agent": buyer.owner.agent},
                    identity_checks=[identity_check("agent")],
                )

            scene.do(late, out, seller.owner)

    return play


def _from_outside(evidence: bool):
    def play(scene: Scene) -> None:
        store = scene.store(g.NITRIC_DRUM, capacity=60, opening=20)
        act = scene.at(scene.workday(1), 9.5)
        label = scene.label(act, act + HOUR)

        def arrive(ms: int) -> None:
            more = {} if evidence else {"evidence": None}
            came = buy_outside(scene, store, 6, ms, **more)
            if not evidence:
                del came.body["evidence"]
            label.where["record"] = came.record_id

        scene.do(act, arrive)

    return play


# --- B06 at night ----------------------------------------------------------------------------------------------------


def _moves_at(hour: float, goods: Goods):
    def play(scene: Scene) -> None:
        store = scene.store(goods, capacity=60, opening=30)
        act = scene.at(scene.workday(1), hour)
        scene.do(act, lambda ms: store.move("out", "consumption", 2, ms))
        scene.in_book(store, act, act + HOUR)

    return play


# --- B14, B15, B16, B17 ----------------------------------------------------------------------------------------------


def _passes_on(pieces: int, reason: str, **sale: Any):
    """Twenty drums come in, so many leave a day later."""

    def play(scene: Scene) -> None:
        store = scene.store(g.NITRIC_DRUM, capacity=100, opening=10)
        other = scene.store(g.NITRIC_DRUM, capacity=100, opening=30, owner=scene.others("trader", 1)[0])
        trade(scene, other, store, scene.workday(1), 9, 20)
        _, act = trade(
            scene,
            store,
            other,
            scene.workday(2),
            10,
            pieces,
            sale_reason=reason,
            sale=sale,
            buy_reason="return" if reason == "return" else "purchase",
        )
        scene.label(act, act + HOUR)

    return play


def _circle(parts: tuple[int, ...], sorts: tuple[Goods, ...]):
    """A sells to B, B to C, C to A: so many drums on each leg."""

    def play(scene: Scene) -> None:
        # Another sort each time: what the same traders sold in another case is no part of this circle.
        goods = sorts[scene.time % len(sorts)]
        owners = [scene.owner, *scene.others("trader", 2)]
        stores = [scene.store(goods, capacity=200, opening=40, owner=owner) for owner in owners]
        act = 0
        for n, pieces in enumerate(parts):
            _, act = trade(scene, stores[n % 3], stores[(n + 1) % 3], scene.workday(1 + 3 * n), 9, pieces)
        holders = tuple(owner.holder for owner in owners)
        scene.label(act, act + 6 * HOUR, among=" ".join(holders), **{"in": goods.code})

    return play


def _runs(last_permille: int):
    """Sixteen production runs with a steady yield; the last one takes so much of what it should."""

    def play(scene: Scene) -> None:
        raw = scene.store(g.NITRIC_DRUM, capacity=900, opening=500)
        made = scene.store(Goods("6484-52-2", "Product", 50 * KG), capacity=3000, opening=100)
        act = 0
        for n in range(16):
            act = scene.at(scene.workday(1 + n), 10)
            used = (20 if n < 15 else 20 * last_permille // 1000) + (n % 2)
            scene.do(act, lambda ms, u=used, k=n: _run(scene, raw, made, u, 10 + k % 2, ms))
        scene.label(act, act + 2 * HOUR)

    return play


def _run(scene: Scene, raw, made, used: int, pieces: int, ms: int) -> None:
    process = f"RUN-{scene.rng.getrandbits(32):08x}"
    out = raw.move("out", "consumption", used, ms, process={"id": process}, purpose="production")
    made.move(
        "in",
        "production",
        pieces,
        ms + 30 * MINUTE,
        process={"id": process, "inputs": [{"record": out.record_id, "line": 0}]},
    )


def _same_agent(days_apart: int, *, same_buyer: bool = False):
    """One person buys for two enterprises that have nothing to do with each other."""

    def play(scene: Scene) -> None:
        seller = scene.store(g.NITRIC_DRUM, capacity=200, opening=80)
        first, second = scene.others("user", 2)
        buyers = [first, first if same_buyer else second]
        person = make_person(scene.rng)
        act = 0
        for n, owner in enumerate(buyers):
            into = scene.store(g.NITRIC_DRUM, capacity=60, opening=10, owner=owner)
            day = scene.workday(1) if n == 0 else scene.day_after(days_apart)
            _, act = trade(scene, seller, into, day, 9 + n, 6, sale={"persons": {"/body/agent": person}})
        scene.label(act, act + 5 * HOUR, **{"in": person.surrogate})

    return play


CASES: tuple[Case, ...] = (
    planted("B01-piece", "B01", "a drum fewer arrives than left", _arrives(950, g.NITRIC_DRUM), **ENDS),
    planted(
        "B01-more", "B01", "two drums more arrive than left", _arrives(1100, g.NITRIC_DRUM), severity="critical", **ENDS
    ),
    planted("B01-bulk", "B01", "three per cent of a bulk load are missing", _arrives(970, BULK), **ENDS),
    near("B01-exact", "B01", "as many drums arrive as left", _arrives(1000, g.NITRIC_DRUM), times=4, **ENDS),
    near("B01-weighed", "B01", "two weighbridges differ by 0.15 %", _arrives(1001, BULK), times=5, **ENDS),
    planted(
        "B02-never", "B02", "never recorded by the buyer", _comes(None, until_h=130), days=9, also=("B04",), **ENDS
    ),
    planted(
        "B02-late",
        "B02",
        "recorded thirty hours after it was due",
        _comes(30.5, until_h=30),
        days=5,
        also=("B04",),
        **ENDS,
    ),
    near("B02-nearly", "B02", "recorded 22 hours after it was due", _comes(22.0), days=5, also=("B04",), **ENDS),
    near("B02-outside", "B02", "recorded three hours after it was due", _comes(3.0), **ENDS),
    planted(
        "B03-nobody", "B03", "no dispatch by the seller in five days", _phantom(None), days=9, severity="high", **ENDS
    ),
    planted("B03-paperless", "B03", "from outside without evidence", _from_outside(evidence=False), severity="medium"),
    near(
        "B03-later",
        "B03",
        "the seller recorded the dispatch two days later",
        _phantom(45),
        days=7,
        also=("D05",),
        **ENDS,
    ),
    near("B03-papers", "B03", "from outside with a delivery note", _from_outside(evidence=True)),
    planted("B04-six", "B04", "six hours late", _comes(6.0), severity="high", **ENDS),
    planted(
        "B04-lost", "B04", "more than a day late", _comes(28.0), severity="critical", days=5, also=("B02",), **ENDS
    ),
    near("B04-three", "B04", "three hours and a half late", _comes(3.5), **ENDS),
    near("B04-early", "B04", "half an hour early", _comes(-0.5), **ENDS),
    planted("B06-night", "B06", "precursor leaves the store at half past ten at night", _moves_at(22.5, g.NITRIC_DRUM)),
    planted("B06-morning", "B06", "precursor leaves the store at four in the morning", _moves_at(4.0, g.HEXAMINE)),
    near("B06-evening", "B06", "a quarter to ten, outside the hours but not at night", _moves_at(21.75, g.NITRIC_DRUM)),
    near("B06-day", "B06", "nine in the morning", _moves_at(9.0, g.NITRIC_DRUM)),
    *purchases.CASES,
    planted(
        "B14-on",
        "B14",
        "a user sells on nine tenths of a receipt within a day",
        _passes_on(18, "sale"),
        stage=ALONE,
        role="user",
        also=("B15",),
    ),
    near(
        "B14-back",
        "B14",
        "a user returns drums to the supplier",
        _passes_on(18, "return"),
        stage=ALONE,
        role="user",
        also=("B15",),
    ),
    near("B14-trader", "B14", "a trader sells on", _passes_on(18, "sale"), stage=ALONE, role="trader", also=("B15",)),
    planted(
        "B15-round",
        "B15",
        "twenty drums come back to the first seller over two others",
        _circle((20, 20, 20), (g.HEXAMINE, g.NITRATE, g.SULFUR)),
        days=14,
        stage=ALONE,
        **ENDS,
    ),
    near(
        "B15-chain",
        "B15",
        "two legs, and nothing comes back",
        _circle((20, 20), (g.ALUMINIUM, g.ZINC, g.DICHROMATE)),
        days=12,
        stage=ALONE,
        **ENDS,
    ),
    near(
        "B15-few",
        "B15",
        "only four of twenty drums come back",
        _circle((20, 20, 4), (g.CHLORATE, g.BOROHYDRIDE, g.PERMANGANATE)),
        days=14,
        stage=ALONE,
        **ENDS,
    ),
    planted("B16-more", "B16", "a run that takes three fifths more", _runs(1600), days=30, stage=ALONE),
    near("B16-same", "B16", "sixteen runs alike", _runs(1000), days=30, stage=ALONE),
    planted(
        "B17-two",
        "B17",
        "one agent buys for two enterprises within nine days",
        _same_agent(9),
        days=14,
        stage=SHARED,
        **ENDS,
    ),
    near("B17-apart", "B17", "one agent, forty days apart", _same_agent(40), days=46, stage=SHARED, **ENDS),
    near(
        "B17-own",
        "B17",
        "one agent, twice for the same enterprise",
        _same_agent(9, same_buyer=True),
        days=14,
        stage=SHARED,
        **ENDS,
    ),
)
LATER: tuple[Case, ...] = (
    planted(
        "B14-few",
        "B14",
        "a user sells two of twenty drums without an approval",
        _passes_on(2, "sale"),
        stage=ALONE,
        role="user",
        severity="high",
        band=1,
        also=("B15",),
    ),
    near(
        "B14-approved",
        "B14",
        "a user sells two of twenty drums with an approval of the transfer",
        _passes_on(2, "sale", permits=[{"type": "transfer_approval", "number": "T-2026-17"}]),
        stage=ALONE,
        role="user",
        also=("B15",),
    ),
)
