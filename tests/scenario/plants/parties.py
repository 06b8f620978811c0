"""Family C: licences, who buys, how it is paid, who handles it, and what is filed before a drug precursor is bought."""

from __future__ import annotations

from typing import Any

from tests.scenario import clock
from tests.scenario import goods as g
from tests.scenario.clock import DAY, HOUR, MINUTE, SECOND
from tests.scenario.drafts import KG, mass
from tests.scenario.goods import Goods
from tests.scenario.opening import AUTHORITY, LICENSER, enrol
from tests.scenario.people import make_person
from tests.scenario.plants.papers import buy_later, grant_filing, grant_licence, grant_statement, trade
from tests.scenario.plants.scene import BARE, Case, Scene, near, planted
from tests.scenario.trade import identity_check


# --- C01 licences ----------------------------------------------------------------------------------------------------


def _buys(goods: Goods, *papers: dict[str, Any]):
    """A purchase of four packages by an enterprise with these papers and no others."""

    def play(scene: Scene) -> None:
        store = scene.store(goods, capacity=60, opening=10)
        for n, paper in enumerate(papers):
            grant_licence(scene, scene.at(0, 8.2) + n * MINUTE, number=f"L-{scene.name}-{n}", **paper)
        grant_statement(scene, scene.at(0, 8.4))
        if goods.drug:
            grant_filing(scene, scene.at(0, 8.5), _items(goods, 900))
        act = buy_later(scene, store, scene.workday(1), 10, 4)
        scene.label(act, act + HOUR)

    return play


def _revoked(scene: Scene) -> None:
    """The authority revokes the licence; the enterprise buys two days later."""
    store = scene.store(g.CYANIDE, capacity=60, opening=10)
    number = f"L-{scene.name}"
    grant_licence(scene, scene.at(0, 8.2), number=number)
    desk = scene.world.officials.desk(AUTHORITY, f"l-{scene.owner.holder}")
    body = {
        "type": "licence",
        "number": number,
        "issuer": LICENSER,
        "holder": scene.owner.holder,
        "valid_from": clock.day_text(scene.day - 100),
        "valid_to": clock.day_text(scene.day + 7),
        "status": "revoked",
    }
    scene.do(scene.at(0, 15), lambda ms: desk.write("licence", body, ms, ms))
    act = buy_later(scene, store, scene.workday(1), 10, 4)
    scene.label(act, act + HOUR)


def _last_day(scene: Scene) -> None:
    """The licence ends on the day of the purchase."""
    store = scene.store(g.CYANIDE, capacity=60, opening=10)
    day = scene.workday(1)
    grant_licence(scene, scene.at(0, 8.2), days=(-100, day))
    act = buy_later(scene, store, day, 15, 4)
    scene.label(act, act + HOUR)


def _uses(scene: Scene) -> None:
    """What lies there may be used up without any licence."""
    store = scene.store(g.CYANIDE, capacity=60, opening=10)
    act = scene.at(scene.workday(1), 10)
    scene.do(act, lambda ms: store.move("out", "consumption", 2, ms))
    scene.label(act, act + HOUR)


# --- C02, C03, C04 ---------------------------------------------------------------------------------------------------


def _sells(goods: Goods, **body: Any):
    """A sale of three packages with these members of its body."""

    def play(scene: Scene) -> None:
        store = scene.store(goods, capacity=60, opening=20)
        act = scene.at(scene.workday(1), 10)

        def out(ms: int) -> None:
            name = f"N{scene.rng.getrandbits(40):010x}"
            document = {
                "consignment": name,
                "counterparty": {"type": "person"},
                "payment_method": "bank_transfer",
                "purpose": "production",
                "identity_checks": [identity_check("agent")],
            } | body
            line = document.pop("line", {})
            who = make_person(scene.rng)
            sent = store.move(
                "out",
                "sale",
                3,
                ms,
                line=line,
                persons={"/body/counterparty": who, "/body/agent": make_person(scene.rng)},
                **document,
            )
            if goods.filed:
                store.owner.file(name, sent, ms, scene.rng, after_ms=2 * HOUR)

        scene.do(act, out)
        scene.label(act, act + HOUR)

    return play


def _paid(goods: Goods, method: str):
    """A sale to another enterprise here, paid so."""

    def play(scene: Scene) -> None:
        seller = scene.store(goods, capacity=60, opening=20)
        buyer = scene.store(goods, capacity=60, opening=10, owner=scene.buyer)
        _, act = trade(scene, seller, buyer, scene.workday(1), 9, 8, sale={"payment_method": method})
        scene.label(act, act + HOUR)

    return play


def _identified(*, match: int = 930, valid: bool = True, valid_to: str = "2033-08-31", agent: bool = True):
    """A sale to an enterprise whose agent shows such papers."""

    def play(scene: Scene) -> None:
        seller = scene.store(g.NITRIC_DRUM, capacity=60, opening=20)
        buyer = scene.store(g.NITRIC_DRUM, capacity=60, opening=10, owner=scene.buyer)
        day = scene.workday(1)
        until = clock.day_text(scene.day + day) if valid_to == "today" else valid_to
        sale: dict[str, Any] = {"identity_checks": [identity_check("agent", match, valid_to=until)]}
        sale["persons"] = {"/body/agent": make_person(scene.rng, id_valid=valid)} if agent else {}
        _, act = trade(scene, seller, buyer, day, 9, 6, sale=sale)
        scene.label(act, act + HOUR)

    return play


# --- C05, C06, C07 ---------------------------------------------------------------------------------------------------


def _handled_by(kind: str):
    """A movement handled by somebody who is not enrolled, whose training ran out, or who is in order."""

    def play(scene: Scene) -> None:
        store = scene.store(g.NITRIC_DRUM, capacity=60, opening=20)
        ref = f"N{scene.rng.getrandbits(20):05x}"
        act = scene.at(scene.workday(1), 10)
        if kind != "unknown":
            training = "2025-11-30" if kind == "untrained" else "2028-01-01"
            scene.do(
                scene.at(0, 9),
                lambda ms: enrol(scene.owner, ref, make_person(scene.rng), ms, training=training),
            )
        scene.do(act, lambda ms: store.move("out", "consumption", 1, ms, handlers_are=[{"ref": ref}]))
        scene.label(act, act + DAY + HOUR, **{"in": ref, "holder": scene.owner.holder})

    return play


def _alone(handlers: int, signers: int, goods: Goods = g.CYANIDE):
    """An issue of highly toxic goods, handled and signed by so many."""

    def play(scene: Scene) -> None:
        store = scene.store(goods, capacity=60, opening=20)
        act = scene.at(scene.workday(1), 10)
        scene.do(act, lambda ms: store.move("out", "consumption", 1, ms, handlers=handlers, signers=signers))
        scene.in_book(store, act, act + HOUR)

    return play


def _together(gap_s: int):
    """Twelve issues confirmed by two keys so many seconds apart."""

    def play(scene: Scene) -> None:
        store = scene.store(g.CYANIDE, capacity=60, opening=40)
        act = 0
        for n in range(12):
            act = scene.at(scene.workday(1 + n // 6), 9 + 0.5 * (n % 6))

            def out(ms: int) -> None:
                first, second = sorted(scene.owner.keyids)
                confirmed = [
                    {"keyid": first, "at": clock.local_text(ms)},
                    {"keyid": second, "at": clock.local_text(ms + gap_s * SECOND)},
                ]
                store.move("out", "consumption", 1, ms, confirmed_by=confirmed)

            scene.do(act, out)
        scene.in_book(store, scene.at(1, 0), act + HOUR)

    return play


# --- C08 -------------------------------------------------------------------------------------------------------------


def _items(goods: Goods, kilograms: int) -> list[dict[str, Any]]:
    return [{"goods": "chemical", "code": goods.code, "quantity": mass(kilograms * KG)}]


def _filed(days: tuple[int, int] | None, *, goods: Goods = g.ACETONE_DRUM, named: Goods | None = None):
    """A purchase of a drug precursor, filed before for these days, or not at all."""

    def play(scene: Scene) -> None:
        store = scene.store(goods, capacity=60, opening=10)
        if days is not None:
            categories = ("drug_precursor",) if named is None else ()
            grant_filing(scene, scene.at(0, 8.3), _items(named or goods, 5000), days=days, categories=categories)
        act = buy_later(scene, store, scene.workday(1), 10, 4)
        scene.label(act, act + HOUR)

    return play


ENDS = {"role": "trader"}
NEW = ("B12", "B13")
"""What a first purchase by a new buyer may bring as well."""

CASES: tuple[Case, ...] = (
    planted(
        "C01-none",
        "C01",
        "bought without any licence",
        _buys(g.CYANIDE),
        stage=BARE,
        severity="critical",
        also=NEW,
    ),
    planted(
        "C01-expired",
        "C01",
        "the licence ran out two days before",
        _buys(g.CYANIDE, {"days": (-300, -2)}),
        stage=BARE,
        band=2,
        also=NEW,
    ),
    planted(
        "C01-scope",
        "C01",
        "the licence is for something else",
        _buys(g.CYANIDE, {"categories": [], "items": [{"goods": "chemical", "code": "1327-53-3"}]}),
        stage=BARE,
        also=(*NEW, "A03"),
    ),
    planted(
        "C01-revoked", "C01", "the licence was revoked the day before", _revoked, stage=BARE, band=0, also=NEW, times=2
    ),
    near("C01-last", "C01", "the licence ends today", _last_day, stage=BARE, also=NEW),
    near("C01-use", "C01", "used up without a licence", _uses, stage=BARE, also=NEW),
    near("C01-good", "C01", "bought under a licence", _buys(g.CYANIDE, {}), stage=BARE, also=NEW),
    near("C01-free", "C01", "goods that need none", _buys(g.ETHANOL_DRUM), stage=BARE, also=NEW, times=2),
    planted(
        "C02-precursor",
        "C02",
        "a precursor sold to a natural person",
        _sells(g.NITRIC_DRUM),
        severity="critical",
        also=("C04",),
        **ENDS,
    ),
    planted(
        "C02-toxic",
        "C02",
        "highly toxic goods sold to a natural person",
        _sells(g.CYANIDE),
        severity="critical",
        also=("C04",),
        **ENDS,
    ),
    near("C02-free", "C02", "ethanol sold to a natural person", _sells(g.ETHANOL_DRUM), also=("C04",), **ENDS),
    near(
        "C02-pesticide",
        "C02",
        "a registered pesticide sold to a natural person",
        _sells(
            Goods("1563-66-2", "Carbofuran", KG, form="solid"),
            line={"attributes": {"pesticide_registration": "PD20151234"}},
        ),
        also=("C04", "C01"),
        **ENDS,
    ),
    planted("C03-cash", "C03", "a precursor paid in cash", _paid(g.NITRIC_DRUM, "cash"), severity="high", **ENDS),
    planted("C03-barter", "C03", "a precursor bartered", _paid(g.HEXAMINE, "barter"), severity="high", **ENDS),
    near("C03-bank", "C03", "paid by bank transfer", _paid(g.NITRIC_DRUM, "e_account"), **ENDS),
    near("C03-free", "C03", "ethanol paid in cash", _paid(g.ETHANOL_DRUM, "cash"), **ENDS),
    planted(
        "C04-number",
        "C04",
        "the agent's ID number has a wrong check character",
        _identified(valid=False),
        severity="high",
        **ENDS,
    ),
    planted("C04-face", "C04", "face and photograph agree to 0.62", _identified(match=620), severity="high", **ENDS),
    planted(
        "C04-expired",
        "C04",
        "the agent's card ran out a year ago",
        _identified(valid_to="2025-01-31"),
        severity="medium",
        **ENDS,
    ),
    near("C04-limit", "C04", "face and photograph agree to 0.80", _identified(match=800), **ENDS),
    near("C04-today", "C04", "the card runs out today", _identified(valid_to="today"), **ENDS),
    near("C04-good", "C04", "papers in order", _identified(), **ENDS),
    planted("C05-unknown", "C05", "handled by somebody who is not enrolled", _handled_by("unknown"), severity="high"),
    planted(
        "C05-untrained", "C05", "handled by somebody whose training ran out", _handled_by("untrained"), severity="low"
    ),
    near("C05-known", "C05", "handled by the enrolled keeper", _alone(0, 0, g.NITRIC_DRUM)),
    near("C05-two", "C05", "handled by two enrolled keepers", _alone(2, 0, g.HEXAMINE)),
    planted("C06-one", "C06", "one person issues highly toxic goods", _alone(1, 1), severity="high"),
    planted("C06-key", "C06", "two persons, one key", _alone(2, 1), severity="medium"),
    near("C06-two", "C06", "two persons, two keys", _alone(2, 2)),
    near("C06-other", "C06", "one person issues goods that are not highly toxic", _alone(1, 1, g.ETHANOL_DRUM)),
    planted("C07-close", "C07", "twelve confirmations by two keys one second apart", _together(1), days=7),
    near("C07-apart", "C07", "twelve confirmations by two keys twenty seconds apart", _together(20), days=7),
    planted(
        "C08-none",
        "C08",
        "a drug precursor bought without filing before",
        _filed(None),
        stage=BARE,
        severity="critical",
        also=NEW,
    ),
    planted(
        "C08-other",
        "C08",
        "the filing names another substance",
        _filed((-1, 6), named=g.TOLUENE_DRUM),
        stage=BARE,
        also=NEW,
    ),
    planted("C08-old", "C08", "the filing ran out two days before", _filed((-90, -2)), stage=BARE, also=NEW),
    near("C08-before", "C08", "filed the day before", _filed((-1, 6)), stage=BARE, also=NEW, times=6),
    near("C08-free", "C08", "goods that need no filing", _filed(None, goods=g.ETHANOL_DRUM), stage=BARE, also=NEW),
)
