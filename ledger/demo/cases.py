"""The cases themselves, rule by rule (conditions: ledger/rules and engine.md). Ordered so that the first minute shows one of each."""

from __future__ import annotations

from ledger.demo import acts
from ledger.demo.acts import DAY_MS, HOUR_MS, MINUTE_MS, Turn
from ledger.demo.facilities import Enterprise, Store, outside_holder
from ledger.demo.planted import Case, Scene
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
    """A tank where 0.1 % of the content is far more than A04's floor."""
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


# --- A04: book against physical count --------------------------------------------------------------------------------


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


def _case(
    name: str, rule: str, fits: object, play: object, zh: str, en: str, *, fires: bool, parties: int = 1, **more: object
) -> Case:
    return Case(
        id=f"{rule}-{name}",
        rule=rule,
        fires=fires,
        fits=fits,  # type: ignore[arg-type]
        parties=parties,
        why={"zh": zh, "en": en},
        play=play,  # type: ignore[arg-type]
        **more,  # type: ignore[arg-type]
    )


CASES: tuple[Case, ...] = (
    _case(
        "package",
        "A01",
        sealed,
        one_package_too_many,
        "出库比库存多一件",
        "one package more goes out than is there",
        fires=True,
    ),
    _case(
        "overfull",
        "A02",
        bulk,
        five_percent_over,
        "储罐充至核定容量的105%",
        "a tank is filled to 105 % of its capacity",
        fires=True,
    ),
    _case(
        "missing-package", "A04", sealed, package_missing, "盘点少一件", "the count finds one package less", fires=True
    ),
    _case(
        "lost",
        "B02",
        bulk,
        never_arrived,
        "售出三天、应到已过两天，买方无入库",
        "sold three days ago, due two days ago, no word of the buyer",
        fires=True,
        parties=2,
    ),
    _case(
        "gap",
        "D03",
        bulk,
        record_left_out,
        "少报一条，只送来后一条",
        "one record left out, only the next one sent",
        fires=True,
    ),
    _case("fork", "D04", bulk, two_at_one_seq, "同一序号两份不同记录", "two different records at one seq", fires=True),
    _case(
        "expired",
        "C01",
        licensed,
        licence_expired,
        "许可证已过期仍销售",
        "sold on an expired licence",
        fires=True,
        licences=("expired",),
    ),
    _case(
        "last-package",
        "A01",
        sealed,
        to_the_last_package,
        "恰好出清，库存为零",
        "drawn to exactly nothing",
        fires=False,
    ),
    _case(
        "nine-tenths",
        "A02",
        bulk,
        exactly_nine_tenths,
        "恰为核定容量的九成",
        "filled to exactly nine tenths",
        fires=False,
    ),
    _case(
        "all-there", "A04", sealed, every_package_there, "用去一件后盘点相符", "one used, the count agrees", fires=False
    ),
    _case(
        "buyer-first",
        "B02",
        bulk,
        buyer_was_first,
        "买方先报入库，卖方后报销售",
        "the buyer's record came before the seller's",
        fires=False,
        parties=2,
    ),
    _case(
        "own-seq",
        "D03",
        several_books,
        books_of_their_own,
        "同一企业两本台账各自编号",
        "two books, each with its own seq",
        fires=False,
    ),
    _case("repeat", "D04", bulk, sent_twice, "同一记录原样重发", "the same bytes sent twice", fires=False),
    _case(
        "last-day",
        "C01",
        licensed,
        last_day_of_licence,
        "新证的最后一天",
        "on the last day of a renewed licence",
        fires=False,
        licences=("expired",),
    ),
    _case(
        "overdrawn",
        "A01",
        bulk,
        tank_overdrawn,
        "储罐出库比库存多25千克",
        "25 kg more leave a tank than it held",
        fires=True,
    ),
    _case(
        "tolerance",
        "A01",
        bulk,
        within_tolerance,
        "多出50克，在0.1千克容差内",
        "50 g too much, inside the tolerance of 0.1 kg",
        fires=False,
    ),
    _case(
        "explained",
        "A01",
        bulk,
        late_record_explains,
        "迟报的入库解释了短时负数",
        "a purchase recorded late explains the dip",
        fires=False,
    ),
    _case(
        "far-overfull", "A02", bulk, quarter_over, "充至核定容量的125%", "filled to 125 % of its capacity", fires=True
    ),
    _case(
        "close-to-full",
        "A02",
        bulk,
        almost_full,
        "充至核定容量的95%，应提醒",
        "filled to 95 %, which is a reminder",
        fires=True,
    ),
    _case(
        "order-matters",
        "A02",
        bulk,
        full_only_on_the_way,
        "先用后进，从未超量",
        "used first, refilled after: never over",
        fires=False,
    ),
    _case(
        "three-percent",
        "A04",
        licensed_bulk,
        three_percent_missing,
        "剧毒或易制爆储罐盘亏3%",
        "3 % of a listed tank are missing",
        fires=True,
    ),
    _case(
        "floor",
        "A04",
        bulk,
        below_the_floor,
        "盘亏1.5千克，低于2千克起点",
        "1.5 kg short, below the floor of 2 kg",
        fires=False,
    ),
    _case(
        "sigma",
        "A04",
        large_bulk,
        within_measurement_error,
        "差千分之一，小于计量误差",
        "0.1 % short with a gauge of 0.2 %",
        fires=False,
    ),
    _case(
        "cut-off",
        "A04",
        bulk,
        used_after_the_cut_off,
        "截止时刻之后的出库不计入盘点",
        "used after the count's cut-off",
        fires=False,
    ),
    _case(
        "mended",
        "D03",
        bulk,
        order_mended,
        "先后颠倒，随即补齐：只提醒一次",
        "out of order, mended at once: a reminder, nothing critical",
        fires=True,
        severity="medium",
    ),
    _case("old-again", "D03", bulk, old_record_again, "旧记录原样重发", "an earlier record sent again", fires=False),
    _case("outside", "B02", bulk, sold_outside, "买方不在本平台", "the buyer is not on this platform", fires=False),
    _case(
        "late",
        "B02",
        bulk,
        late_but_confirmed,
        "迟到20小时，已确认",
        "20 hours late, and confirmed",
        fires=False,
        parties=2,
    ),
    _case(
        "refused-first",
        "D04",
        bulk,
        refused_then_right,
        "被422退回后改报同一序号",
        "refused with 422, then the right record at the same seq",
        fires=False,
        opened=False,
    ),
    _case(
        "buyer-without",
        "C01",
        licensed,
        buyer_without_licence,
        "买方无许可证",
        "the buyer holds no licence",
        fires=True,
        parties=2,
        licences=("normal", "none"),
    ),
    _case(
        "not-listed",
        "C01",
        bulk,
        no_licence_needed,
        "销售无需许可的品种",
        "sold goods that need no licence",
        fires=False,
    ),
    _case(
        "used",
        "C01",
        licensed,
        used_without_licence,
        "证过期后仅自用",
        "only used after the licence expired",
        fires=False,
        licences=("expired",),
    ),
)
