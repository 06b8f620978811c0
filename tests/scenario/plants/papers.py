"""Licences and purchases that several families of cases need. Papers end with their case, so that the next finds none."""

from __future__ import annotations

from typing import Any

from tests.scenario import clock
from tests.scenario.cast import outside
from tests.scenario.clock import HOUR
from tests.scenario.drafts import KG, Draft, evidence, mass
from tests.scenario.enterprise import SITE, Enterprise
from tests.scenario.opening import AUTHORITY, LICENSER, licence
from tests.scenario.plants.scene import Scene
from tests.scenario.stores import Store

LISTED = ("highly_toxic", "explosive_precursor")


def _date(day: int) -> str:
    return clock.day_text(day)


def _issued(scene: Scene, ms: int, body: dict[str, Any], owner: Enterprise | None) -> None:
    """A paper that the authority itself writes, so that it needs no endorsement."""
    holder = owner or scene.owner
    document = {"issuer": LICENSER, "status": "valid", "holder": holder.holder} | body
    desk = scene.world.officials.desk(AUTHORITY, f"l-{holder.holder}")
    scene.do(ms, lambda at: desk.write("licence", document, at, at), holder)


def grant_licence(
    scene: Scene,
    ms: int,
    *,
    items: list[dict[str, Any]] | None = None,
    categories: list[str] | None = None,
    activities: tuple[str, ...] = ("purchase", "use", "store"),
    days: tuple[int, int] | None = None,
    number: str = "",
    owner: Enterprise | None = None,
    **more: Any,
) -> None:
    days = days or (-100, scene.case.days + 12)
    body: dict[str, Any] = {
        "type": "licence",
        "number": number or f"L-{scene.name}",
        "activities": list(activities),
        "categories": list(LISTED) if categories is None else categories,
        "issued_on": _date(scene.day + days[0]),
        "valid_from": _date(scene.day + days[0]),
        "valid_to": _date(scene.day + days[1]),
    }
    if items is not None:
        body["items"] = items
    _issued(scene, ms, body | more, owner)


def grant_statement(
    scene: Scene, ms: int, *, days: tuple[int, int] | None = None, owner: Enterprise | None = None, **more: Any
) -> None:
    """A statement of lawful use."""
    days = days or (-30, scene.case.days + 12)
    body = {
        "type": "lawful_use_statement",
        "number": f"U-{scene.name}",
        "purpose": "production",
        "issued_on": _date(scene.day + days[0]),
        "valid_from": _date(scene.day + days[0]),
        "valid_to": _date(scene.day + days[1]),
    }
    _issued(scene, ms, body | more, owner)


def grant_certificate(
    scene: Scene,
    ms: int,
    store: Store,
    kilograms: int,
    *,
    days: tuple[int, int] | None = None,
    declared: bool = False,
    checked_ms: int | None = None,
    number: str = "",
    **of: str,
) -> None:
    """A certificate of how much may lie in a store, of everything or of one `code` or `category`. The authority's own, or one
    that the enterprise declares; `checked_ms` is when the authority confirms that.
    """
    days = days or (-100, scene.case.days + 12)
    limits = [{"site": SITE, "store": store.id, "quantity": mass(kilograms * KG), **of}]
    number = number or f"Q-{scene.name}"
    if not declared:
        body = {"issued_on": _date(scene.day + days[0]), "valid_from": _date(scene.day + days[0])}
        body |= {"type": "capacity_certificate", "number": number, "valid_to": _date(scene.day + days[1])}
        _issued(scene, ms, body | {"limits": limits}, None)
        return
    officials, kept = scene.world.officials, list[Draft]()

    def declare(at: int) -> None:
        begins, ends = (_date(scene.day + day) for day in days)
        kept.append(licence(store.owner, "capacity_certificate", number, at, begins, ends, limits=limits))

    scene.do(ms, declare)
    if checked_ms is not None:
        scene.do(checked_ms, lambda at: officials.endorse(kept[0], at))


def grant_filing(
    scene: Scene,
    ms: int,
    items: list[dict[str, Any]],
    *,
    categories: tuple[str, ...] = ("drug_precursor",),
    days: tuple[int, int] | None = None,
    owner: Enterprise | None = None,
) -> None:
    """The filing before a purchase of drug precursors (Decree 445 art. 17)."""
    days = days or (-1, scene.case.days + 12)
    body = {
        "type": "filing",
        "number": f"F-{scene.name}",
        "activities": ["purchase", "use"],
        "categories": list(categories),
        "items": items,
        "issued_on": _date(scene.day + days[0]),
        "valid_from": _date(scene.day + days[0]),
        "valid_to": _date(scene.day + days[1]),
    }
    _issued(scene, ms, body, owner)


def buy_outside(
    scene: Scene, store: Store, pieces: int, ms: int, *, supplier: int = 0, file_after: int | None = None, **more: Any
) -> Draft:
    """A purchase from beyond this jurisdiction, with its evidence, filed the same day unless `file_after` (ms) says otherwise."""
    consignment = f"P{scene.rng.getrandbits(40):010x}"
    body = {
        "consignment": consignment,
        "counterparty": {"type": "enterprise", "uscc": outside(supplier or 950 + scene.rng.randrange(20))},
        "payment_method": "bank_transfer",
        "purpose": "production",
        "evidence": [evidence(scene.rng, "delivery_note", "application/pdf")],
    } | more
    persons = body.pop("persons", {})
    came = store.move("in", "purchase", pieces, ms, persons=persons, **body)
    if store.goods.filed and file_after != -1:
        store.owner.file(consignment, came, ms, scene.rng, after_ms=2 * HOUR if file_after is None else file_after)
    return came


def buy_later(scene: Scene, store: Store, day: int, hour: float, pieces: int, **more: Any) -> int:
    """`buy_outside` on a day of the case; the time."""
    ms = scene.at(day, hour)
    scene.do(ms, lambda at: buy_outside(scene, store, pieces, at, **more), store.owner)
    return ms


def trade(
    scene: Scene,
    seller: Store,
    buyer: Store,
    day: int,
    hour: float,
    sent: int,
    *,
    got: int | None = None,
    due_h: float = 2,
    comes_h: float | None = 2.2,
    sale: dict[str, Any] | None = None,
    purchase: dict[str, Any] | None = None,
    sale_reason: str = "sale",
    buy_reason: str = "purchase",
    files: bool = True,
    sale_received_h: float | None = None,
) -> tuple[str, int]:
    """A consignment from one store to another; (its name, when it leaves). `comes_h` None: it never arrives."""
    from tests.scenario.drafts import enterprise
    from tests.scenario.trade import identity_check

    consignment = f"T{scene.rng.getrandbits(40):010x}"
    leaves = scene.at(day, hour)

    def out(ms: int) -> None:
        body: dict[str, Any] = {
            "consignment": consignment,
            "expected_arrival": clock.local_text(ms + round(due_h * HOUR)),
            "counterparty": enterprise(buyer.owner.holder, buyer.owner.name),
            "purpose": "production",
            "payment_method": "bank_transfer",
            "identity_checks": [identity_check("agent")],
            "persons": {"/body/agent": buyer.owner.agent},
        } | (sale or {})
        persons = body.pop("persons")
        late = None if sale_received_h is None else ms + round(sale_received_h * HOUR)
        draft = seller.move("out", sale_reason, sent, ms, persons=persons, received_ms=late, **body)
        if seller.goods.filed and files:
            seller.owner.file(consignment, draft, ms, scene.rng, after_ms=3 * HOUR)

    def arrive(ms: int) -> None:
        body: dict[str, Any] = {
            "consignment": consignment,
            "counterparty": enterprise(seller.owner.holder, seller.owner.name),
            "purpose": "production",
            "payment_method": "bank_transfer",
        } | (purchase or {})
        amount = sent if got is None else got
        draft = buyer.move("in", buy_reason, amount, ms, **body)
        if buyer.goods.filed and files:
            buyer.owner.file(consignment, draft, ms, scene.rng, after_ms=3 * HOUR)

    scene.do(leaves, out, seller.owner)
    if comes_h is not None:
        scene.do(leaves + round(comes_h * HOUR), arrive, buyer.owner)
    return consignment, leaves
