"""What planted cases do, rule by rule (conditions: ledger/rules and engine.md). Each takes a scene and gives one turn."""

from __future__ import annotations

from ledger.demo import acts
from ledger.demo.acts import DAY_MS, HOUR_MS, MINUTE_MS, Turn
from ledger.demo.facilities import Enterprise, Store, outside_holder
from ledger.demo.planted import Scene
from ledger.demo.state import ACCEPTED

KG_MG = 10**6
OUTSIDE = (outside_holder(999), "Outside trading partner 999 (simulated)")


def sealed(_: Enterprise, store: Store) -> bool:
    """Counted packages."""
    return store.sealed and store.opening_pieces >= 4


def bulk(_: Enterprise, store: Store) -> bool:
    """A tank of goods that need no licence."""
    return not store.sealed and not store.licensed and store.opening_mg >= 2000 * KG_MG


def large_bulk(enterprise: Enterprise, store: Store) -> bool:
    """A tank where 0.1 % of the content is far more than A05's floor."""
    return bulk(enterprise, store) and store.opening_mg >= 50_000 * KG_MG


def several_books(enterprise: Enterprise, store: Store) -> bool:
    """A tank beside another store with room."""
    return bulk(enterprise, store) and len(enterprise.stores) == 2


def licensed_bulk(_: Enterprise, store: Store) -> bool:
    """A tank of goods whose trade needs a licence."""
    return not store.sealed and store.licensed and store.opening_mg >= 1000 * KG_MG


def licensed(_: Enterprise, store: Store) -> bool:
    """Goods whose trade needs a licence, packed or not."""
    return store.licensed and (not store.sealed or store.opening_pieces >= 2)


# --- A01: negative stock ---------------------------------------------------------------------------------------------


def one_package_too_many(scene: Scene) -> Turn:
    enterprise, store = scene.spot
    pieces = scene.pieces + 1
    return Turn([acts.move(enterprise, store, "out", "consumption", pieces * store.piece_mg, pieces, scene.tick())])


def tank_overdrawn(scene: Scene) -> Turn:
    enterprise, store = scene.spot
    return Turn([acts.move(enterprise, store, "out", "consumption", scene.mg + 25 * KG_MG, 0, scene.tick())])


def to_the_last_package(scene: Scene) -> Turn:
    enterprise, store = scene.spot
    return Turn([acts.move(enterprise, store, "out", "consumption", scene.mg, scene.pieces, scene.tick())])


def within_tolerance(scene: Scene) -> Turn:
    enterprise, store = scene.spot
    return Turn([acts.move(enterprise, store, "out", "consumption", scene.mg + 50_000, 0, scene.tick())])


def late_record_explains(scene: Scene) -> Turn:
    """By event time the tank dips below zero until a purchase that was recorded late explains it."""
    enterprise, store = scene.spot
    ms, some = scene.tick(), 200 * KG_MG
    return Turn(
        [
            acts.purchase(enterprise, store, OUTSIDE, some, 0, ms - 2 * MINUTE_MS),
            acts.move(enterprise, store, "out", "consumption", scene.mg + some // 2, 0, ms - 4 * MINUTE_MS),
            acts.purchase(enterprise, store, OUTSIDE, some, 0, ms - 6 * MINUTE_MS),
        ]
    )


# --- A02: over capacity ----------------------------------------------------------------------------------------------


def _fill_to(scene: Scene, permille: int) -> Turn:
    enterprise, store = scene.spot
    mg = store.capacity_mg * permille // 1000 - scene.mg
    return Turn([acts.purchase(enterprise, store, OUTSIDE, mg, 0, scene.tick())])


def five_percent_over(scene: Scene) -> Turn:
    return _fill_to(scene, 1050)


def quarter_over(scene: Scene) -> Turn:
    return _fill_to(scene, 1250)


def almost_full(scene: Scene) -> Turn:
    return _fill_to(scene, 950)


def exactly_nine_tenths(scene: Scene) -> Turn:
    return _fill_to(scene, 900)


def full_only_on_the_way(scene: Scene) -> Turn:
    """What would overfill the tank comes after as much was used: full only if the order were lost."""
    enterprise, store = scene.spot
    some = store.capacity_mg * 3 // 10
    return Turn(
        [
            acts.move(enterprise, store, "out", "consumption", some, 0, scene.tick()),
            acts.purchase(enterprise, store, OUTSIDE, some, 0, scene.tick()),
        ]
    )


# --- A04, A05: book against physical count ---------------------------------------------------------------------------


def package_missing(scene: Scene) -> Turn:
    enterprise, store = scene.spot
    pieces = scene.pieces - 1
    return Turn([acts.stocktake(enterprise, store, pieces * store.piece_mg, pieces, scene.tick())])


def three_percent_missing(scene: Scene) -> Turn:
    enterprise, store = scene.spot
    return Turn([acts.stocktake(enterprise, store, scene.mg * 97 // 100, 0, scene.tick())])


def every_package_there(scene: Scene) -> Turn:
    enterprise, store = scene.spot
    used = acts.move(enterprise, store, "out", "consumption", store.piece_mg, 1, scene.tick())
    left = scene.pieces - 1
    return Turn([used, acts.stocktake(enterprise, store, left * store.piece_mg, left, scene.tick())])


def below_the_floor(scene: Scene) -> Turn:
    enterprise, store = scene.spot
    return Turn([acts.stocktake(enterprise, store, scene.mg - 1_500_000, 0, scene.tick(), errors={})])


def within_measurement_error(scene: Scene) -> Turn:
    """A difference of one tenth of a percent with a gauge of two tenths: less than one sigma."""
    enterprise, store = scene.spot
    errors = {"random_ppm": 2000, "systematic_ppm": 500}
    return Turn([acts.stocktake(enterprise, store, scene.mg - scene.mg // 1000, 0, scene.tick(), errors=errors)])


def used_after_the_cut_off(scene: Scene) -> Turn:
    """The count was cut off before the last use, though it was recorded after it."""
    enterprise, store = scene.spot
    cut_off_ms = scene.tick()
    used = scene.mg // 10
    out = acts.move(enterprise, store, "out", "consumption", used, 0, scene.tick())
    ms = scene.tick()
    counted = acts.stocktake(
        enterprise,
        store,
        scene.mg,
        0,
        ms,
        cut_off_ms=cut_off_ms,
        effects=(("count", scene.mg - used, 0, acts.local_day(ms)),),
    )
    return Turn([out, counted])


# --- B02: missing confirmation ---------------------------------------------------------------------------------------


def _old_sale(scene: Scene, buyer: tuple[str, str], consignment: str, *, sold_h: int, due_h: int) -> acts.Act:
    """A sale so many hours ago, expected to arrive so many hours ago."""
    seller, store = scene.spot
    mg, pieces = (store.piece_mg, 1) if store.sealed else (500 * KG_MG, 0)
    now = scene.tick()
    return acts.sale(
        seller,
        store,
        buyer,
        mg,
        pieces,
        now - sold_h * HOUR_MS,
        consignment,
        scene.rng,
        expected_arrival=acts.local_time(now - due_h * HOUR_MS),
    )


def _confirmation(scene: Scene, consignment: str, ms: int) -> acts.Act:
    seller, _ = scene.spot
    buyer, store = scene.spots[1]
    mg, pieces = (store.piece_mg, 1) if store.sealed else (500 * KG_MG, 0)
    who = (seller.holder, seller.facility.name)
    return acts.purchase(buyer, store, who, mg, pieces, ms, consignment=consignment)


def _buyer(scene: Scene) -> tuple[str, str]:
    return scene.spots[1][0].holder, scene.spots[1][0].facility.name


def never_arrived(scene: Scene) -> Turn:
    return Turn([_old_sale(scene, _buyer(scene), "PLANT-LOST", sold_h=72, due_h=48)])


def buyer_was_first(scene: Scene) -> Turn:
    """The buyer recorded the arrival before the seller recorded the sale."""
    bought = _confirmation(scene, "PLANT-FIRST", scene.tick() - 50 * HOUR_MS)
    return Turn([bought, _old_sale(scene, _buyer(scene), "PLANT-FIRST", sold_h=72, due_h=52)])


def sold_outside(scene: Scene) -> Turn:
    return Turn([_old_sale(scene, OUTSIDE, "PLANT-OUTSIDE", sold_h=72, due_h=48)])


def late_but_confirmed(scene: Scene) -> Turn:
    """Expected 20 hours ago, confirmed now: four hours before it would be asked after."""
    sold = _old_sale(scene, _buyer(scene), "PLANT-LATE", sold_h=30, due_h=20)
    return Turn([sold, _confirmation(scene, "PLANT-LATE", scene.tick())])


# --- D03: gap in the sequence ----------------------------------------------------------------------------------------


def _use_some(scene: Scene, ms: int, *, rival: int | None = None, kilograms: int = 10) -> acts.Act:
    enterprise, store = scene.spot
    return acts.move(enterprise, store, "out", "consumption", kilograms * KG_MG, 0, ms, rival=rival)


def record_left_out(scene: Scene) -> Turn:
    """Two records signed, only the second is sent: the log refuses it and shows the hole."""
    return Turn([_use_some(scene, scene.tick()), _use_some(scene, scene.tick())], [(1, "seq-gap")])


def order_mended(scene: Scene) -> Turn:
    """The second came first and was refused; then both came in order. A reminder at once, nothing critical after."""
    two = [_use_some(scene, scene.tick()), _use_some(scene, scene.tick())]
    return Turn(two, [(1, "seq-gap"), (0, ACCEPTED), (1, ACCEPTED)])


def books_of_their_own(scene: Scene) -> Turn:
    """Two books of one enterprise, by turns: each has its own seq, and no number is missing in either."""
    enterprise, store = scene.spot
    other = next(s for s in enterprise.stores if s is not store)
    return Turn(
        [
            acts.purchase(enterprise, into, OUTSIDE, into.piece_mg or 10 * KG_MG, 1 if into.sealed else 0, scene.tick())
            for into in (store, other, store)
        ]
    )


def old_record_again(scene: Scene) -> Turn:
    """Two records, then the first of them again: an earlier seq, the same bytes."""
    two = [_use_some(scene, scene.tick()), _use_some(scene, scene.tick())]
    return Turn(two, [(0, ACCEPTED), (1, ACCEPTED), (0, "repeat")])


# --- D04: fork -------------------------------------------------------------------------------------------------------


def two_at_one_seq(scene: Scene) -> Turn:
    """Another payload at a seq that is taken: an attempt to tell two stories."""
    ms = scene.tick()
    return Turn([_use_some(scene, ms, kilograms=500), _use_some(scene, ms, rival=0)], [(0, ACCEPTED), (1, "fork")])


def sent_twice(scene: Scene) -> Turn:
    """The same bytes again, as after a lost answer."""
    return Turn([_use_some(scene, scene.tick())], [(0, ACCEPTED), (0, "repeat")])


def refused_then_right(scene: Scene) -> Turn:
    """A movement before the opening stock-take is refused with 422, which frees its seq for the stock-take."""
    enterprise, store = scene.spot
    opening = acts.stocktake(enterprise, store, store.opening_mg, 0, scene.tick())
    wrong = acts.move(enterprise, store, "out", "consumption", 10 * KG_MG, 0, scene.tick())
    return Turn([wrong, replace_rival(opening)], [(0, "book-not-opened"), (1, ACCEPTED)])


def replace_rival(act: acts.Act) -> acts.Act:
    """`act` at the same seq as the first of its turn."""
    return acts.Act(act.place, act.kind, act.body, act.ms, act.disclosures, act.ext, act.effects, rival=0)


# --- C01: licence invalid --------------------------------------------------------------------------------------------


def _sell_some(scene: Scene, buyer: tuple[str, str], ms: int, consignment: str) -> acts.Act:
    seller, store = scene.spot
    mg, pieces = (store.piece_mg, 1) if store.sealed else (50 * KG_MG, 0)
    return acts.sale(seller, store, buyer, mg, pieces, ms, consignment, scene.rng)


def licence_expired(scene: Scene) -> Turn:
    return Turn([_sell_some(scene, OUTSIDE, scene.tick(), "PLANT-EXPIRED")])


def buyer_without_licence(scene: Scene) -> Turn:
    """The seller holds a licence, the buyer none; the goods arrive, so only the licence is wrong."""
    ms = scene.tick()
    buyer, store = scene.spots[1]
    mg, pieces = (store.piece_mg, 1) if store.sealed else (50 * KG_MG, 0)
    seller = (scene.spot[0].holder, scene.spot[0].facility.name)
    sold = _sell_some(scene, _buyer(scene), ms, "PLANT-NOLICENCE")
    bought = acts.purchase(buyer, store, seller, mg, pieces, scene.tick(), consignment="PLANT-NOLICENCE")
    return Turn([sold, bought])


def last_day_of_licence(scene: Scene) -> Turn:
    """A new licence beside the expired one; today is its last day."""
    enterprise, _ = scene.spot
    ms = scene.tick()
    renewed = acts.licence(
        enterprise, ms, acts.local_day(ms - 30 * DAY_MS), acts.local_day(ms), number=f"DEMO-{enterprise.number:03d}-2"
    )
    return Turn([renewed, _sell_some(scene, OUTSIDE, ms, "PLANT-LASTDAY")])


def no_licence_needed(scene: Scene) -> Turn:
    return Turn([_sell_some(scene, OUTSIDE, scene.tick(), "PLANT-FREE")])


def used_without_licence(scene: Scene) -> Turn:
    """Using up what lies there is no trade: the licence expired, the stock may still be consumed."""
    enterprise, store = scene.spot
    mg, pieces = (store.piece_mg, 1) if store.sealed else (50 * KG_MG, 0)
    return Turn([acts.move(enterprise, store, "out", "consumption", mg, pieces, scene.tick())])
