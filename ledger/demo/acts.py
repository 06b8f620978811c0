"""What the world's enterprises do, as unsigned acts: kind, body, disclosures, and what the act does to the state."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta, timezone
from hashlib import sha256
from random import Random
from typing import Any

from ledger.core.ids import resident_id_for
from ledger.core.quantity import from_base
from ledger.demo.facilities import SITE, Enterprise, Store, is_outside
from ledger.demo.state import Place, Transit

ZONE = timezone(timedelta(hours=8))
ZONE_NAME = "Asia/Shanghai"
MINUTE_MS = 60_000
HOUR_MS = 60 * MINUTE_MS
DAY_MS = 24 * HOUR_MS
MEASURED = {"random_ppm": 1000, "systematic_ppm": 500}
"""Level gauges and weighbridges of this world: 0.1 % random, 0.05 % systematic."""

KEEPERS = ("P001", "P002")
"""Who receives, issues and counts: two persons for what is highly toxic (Decree 591 art. 24)."""
CONFIRMED_APART_MS = 9_000

_SURNAMES = "赵钱孙李周吴郑王冯陈褚卫"
_GIVEN = "甲乙丙丁戊己庚辛"


@dataclass(frozen=True, slots=True)
class Act:
    """One record about to be signed. `effects` are what it does to the state once the log accepts it."""

    place: Place
    kind: str
    body: dict[str, Any]
    ms: int
    disclosures: dict[str, str] = field(default_factory=dict)
    ext: dict[str, Any] | None = None
    effects: tuple[tuple[Any, ...], ...] = ()
    rival: int | None = None
    """Stands at the same seq as this other act of its turn, by number."""


@dataclass(frozen=True, slots=True)
class Turn:
    """Acts that are signed together, and in what order they are sent: (number of the act, the log's answer).

    The answer is accepted, repeat, or the code of a refusal. Without `sends`, every act is sent once and accepted.
    """

    acts: list[Act]
    sends: list[tuple[int, str]] | None = None
    label: str = ""


def local_time(ms: int) -> str:
    """RFC 3339 in the sites' zone, with milliseconds."""
    seconds, millis = divmod(ms, 1000)
    return f"{datetime.fromtimestamp(seconds, ZONE):%Y-%m-%dT%H:%M:%S}.{millis:03d}+08:00"


def local_day(ms: int) -> str:
    """The sites' local day."""
    return f"{datetime.fromtimestamp(ms // 1000, ZONE):%Y-%m-%d}"


def year_of(ms: int) -> int:
    """The year by UTC."""
    return datetime.fromtimestamp(ms // 1000, UTC).year


def quantity(mg: int) -> dict[str, str]:
    """In kilograms, exact to the milligram."""
    return {"value": from_base(mg, "KGM"), "unit": "KGM"}


def line(store: Store, mg: int, pieces: int) -> dict[str, Any]:
    """One goods line of what lies in `store`."""
    document: dict[str, Any] = {
        "goods": "chemical",
        "code": store.code,
        "quantity": quantity(mg),
        "store": store.id,
        "packaging": "sealed" if store.sealed else "bulk",
    }
    if store.sealed:
        document["pieces"] = pieces
    if store.form:
        document["form"] = store.form
    return document


def move(
    enterprise: Enterprise,
    store: Store,
    direction: str,
    reason: str,
    mg: int,
    pieces: int,
    ms: int,
    **more: Any,
) -> Act:
    """A movement of one line. `**more` are further members of the body, or an Act's own: effects, disclosures, rival."""
    own = {name: more.pop(name) for name in ("effects", "disclosures", "rival") if name in more}
    body: dict[str, Any] = {"direction": direction, "reason": reason, "lines": [line(store, mg, pieces)]}
    body |= more
    if store.toxic:
        body["handlers"] = [{"ref": ref} for ref in KEEPERS]
        body["confirmed"] = [
            {"keyid": token(enterprise, ref), "at": local_time(ms + at * CONFIRMED_APART_MS)}
            for at, ref in enumerate(KEEPERS)
        ]
    if not store.sealed:
        body["measurement"] = {"method": "weighbridge", **MEASURED}
    sign = 1 if direction == "in" else -1
    effects = (("move", sign * mg, sign * pieces, local_day(ms)), *own.pop("effects", ()))
    return Act(enterprise.place(store), "movement", body, ms, effects=effects, **own)


def stocktake(enterprise: Enterprise, store: Store, mg: int, pieces: int, ms: int, **more: Any) -> Act:
    """A complete stock-take of the store's book, cut off at its event time unless `cut_off_ms` says otherwise."""
    cut_off_ms = more.pop("cut_off_ms", ms)
    measurement = {"method": "count"} if store.sealed else {"method": "level_gauge", **more.pop("errors", MEASURED)}
    body = {
        "cut_off": local_time(cut_off_ms),
        "complete": True,
        "lines": [line(store, mg, pieces)],
        "measurement": measurement,
        "counters": [{"ref": ref} for ref in KEEPERS],
    }
    effects = more.pop("effects", (("count", mg, pieces, local_day(ms)),))
    return Act(enterprise.place(store), "stocktake", body, ms, effects=effects, **more)


def counterparty(holder: str, name: str) -> dict[str, str]:
    """An enterprise at the other end."""
    return {"type": "enterprise", "uscc": holder, "name": name[:128]}


def sale(
    seller: Enterprise,
    store: Store,
    buyer: tuple[str, str],
    mg: int,
    pieces: int,
    ms: int,
    consignment: str,
    rng: Random,
    **more: Any,
) -> Act:
    """A sale to (credit code, name), with the buyer's agent as disclosures (Decree 591 art. 41(1)). All made up."""
    more.setdefault("expected_arrival", local_time(ms + 2 * HOUR_MS))
    return move(
        seller,
        store,
        "out",
        "sale",
        mg,
        pieces,
        ms,
        consignment=consignment,
        counterparty=counterparty(*buyer),
        purpose="production",
        payment_method="bank_transfer",
        disclosures=agent(rng),
        **more,
    )


def purchase(
    buyer: Enterprise, store: Store, seller: tuple[str, str], mg: int, pieces: int, ms: int, **more: Any
) -> Act:
    """The buyer's end of a sale, or a purchase from outside, of which only an invoice can tell (made up, a digest only)."""
    if is_outside(seller[0]):
        digest = sha256(f"demo invoice {seller[0]} {ms}".encode()).hexdigest()
        invoice = {"sha256": digest, "media_type": "application/pdf", "bytes": 48_000, "role": "invoice"}
        more.setdefault("evidence", [invoice])
    return move(buyer, store, "in", "purchase", mg, pieces, ms, counterparty=counterparty(*seller), **more)


def transit(
    consignment: str, sender: Place, receiver: Place, reason: str, mg: int, pieces: int, due_turn: int, **more: Any
) -> tuple[Any, ...]:
    """The effect of goods leaving for another party of this world."""
    return (
        "sent",
        {
            "consignment": consignment,
            "sender": list(sender),
            "receiver": list(receiver),
            "reason": reason,
            "mg": mg,
            "pieces": pieces,
            "due_turn": due_turn,
            "returns": False,
            **more,
        },
    )


def agent(rng: Random) -> dict[str, str]:
    """A made-up person's disclosures (region 990000 and its persons do not exist)."""
    return {"/body/agent/name": _name(rng), "/body/agent/id_number": _id_number(rng)}


def _name(rng: Random) -> str:
    return rng.choice(_SURNAMES) + "演示" + rng.choice(_GIVEN)


def _id_number(rng: Random) -> str:
    birth = f"{rng.randint(1965, 2000)}{rng.randint(1, 12):02d}{rng.randint(1, 28):02d}"
    return resident_id_for(f"990000{birth}{rng.randint(0, 999):03d}")


def profile(enterprise: Enterprise, ms: int, rng: Random) -> Act:
    """Names, role, scope; the facility's real identity in `ext`."""
    facility = enterprise.facility
    body = {
        "names": {"en": facility.name[:200], "zh": f"演示企业{enterprise.number:03d}号（{facility.name[:200]}）"},
        "roles": ["producer", "user"] if enterprise.producer else ["trader", "user"],
        "industry": "C26" if enterprise.producer else "F51",
        "scope": sorted({category.lower() for store in enterprise.stores for category in store.categories}),
        "status": "active",
        "sites": [SITE],
    }
    return Act(
        enterprise.office,
        "profile",
        body,
        ms,
        disclosures={"/body/legal_person/name": _name(rng), "/body/legal_person/id_number": _id_number(rng)},
        ext={
            "demo": "simulated",
            "credit_code": "made-up",
            "source": "EPA-RMP",
            "rmp_facility": facility.facility_id,
            "rmp_submission": facility.submission_id,
            "naics": list(facility.naics),
        },
    )


def person(enterprise: Enterprise, ref: str, ms: int, rng: Random) -> Act:
    """A keeper is enrolled, trained, long in this work; name and number are made up."""
    body = {
        "action": "enrol",
        "ref": ref,
        "role": "keeper",
        "doc_type": "resident_id",
        "doc_valid_to": "2045-12-31",
        "training_valid_to": "2045-12-31",
        "valid_from": "2020-01-01",
        "keyid": token(enterprise, ref),
    }
    disclosures = {"/body/name": _name(rng), "/body/id_number": _id_number(rng)}
    return Act(enterprise.office, "person", body, ms, disclosures=disclosures)


def token(enterprise: Enterprise, ref: str) -> str:
    """The keyid of a keeper's own token; made up, as nobody ever signs with it alone."""
    return sha256(f"demo token {enterprise.holder} {ref}".encode()).hexdigest()


def site(enterprise: Enterprise, ms: int, rng: Random) -> Act:
    """The site with its stores; position and capacities are made up (a grid at sea, on no facility's ground)."""
    row, column = divmod(enterprise.number - 1, 12)
    stores = [
        {
            "id": store.id,
            "book": store.book,
            "unit": f"U{at}",
            "class": "room" if store.sealed else "tank",
            "capacity": quantity(store.capacity_mg),
        }
        for at, store in enumerate(enterprise.stores, start=1)
    ]
    body = {
        "sites": [
            {
                "site": SITE,
                "names": {"zh": f"演示{enterprise.number:03d}号厂区", "en": f"Demo site {enterprise.number:03d}"},
                "zone": ZONE_NAME,
                "position": {"lat_e7": 300_000_000 + row * 200_000, "lon_e7": 1_250_000_000 + column * 200_000},
                "people_500m": rng.choice([0, 12, 40, 75, 120]),
                "stores": stores,
            }
        ]
    }
    return Act(enterprise.office, "place", body, ms)


def licence(enterprise: Enterprise, ms: int, valid_from: str, valid_to: str, **more: Any) -> Act:
    """A declared licence for what the enterprise holds. `codes` narrows it; the number says that it is made up."""
    activities = ["purchase", "use", "sell", "store"] + (["produce"] if enterprise.producer else [])
    stores = [store for store in enterprise.stores if store.licensed]
    body = {
        "type": "licence",
        "number": more.pop("number", f"DEMO-{enterprise.number:03d}-1"),
        "issuer": "Demonstration licensing authority (simulated)",
        "activities": activities,
        "categories": sorted(
            {c for store in stores for c in store.categories} & {"highly_toxic", "explosive_precursor"}
        ),
        "items": [{"goods": "chemical", "code": code} for code in sorted({store.code for store in stores})],
        "valid_from": valid_from,
        "valid_to": valid_to,
        "status": "valid",
    }
    return Act(enterprise.office, "licence", body, ms, **more)


def filing(enterprise: Enterprise, ms: int, valid_from: str, valid_to: str) -> Act:
    """What the enterprise has filed with the authorities: its major hazards, and purchases of drug precursors."""
    body = {
        "type": "filing",
        "number": f"DEMO-{enterprise.number:03d}-F",
        "issuer": "Demonstration county police (simulated)",
        "categories": ["drug_precursor", "major_hazard"],
        "valid_from": valid_from,
        "valid_to": valid_to,
        "status": "valid",
    }
    return Act(enterprise.office, "licence", body, ms)


def statement(enterprise: Enterprise, ms: int, valid_to: str) -> Act:
    """For what the enterprise lawfully uses what it buys, of this day."""
    body = {
        "type": "lawful_use_statement",
        "number": f"DEMO-{enterprise.number:03d}-U",
        "issuer": "Demonstration enterprise itself (simulated)",
        "purpose": "production",
        "valid_from": local_day(ms),
        "valid_to": valid_to,
        "status": "valid",
    }
    return Act(enterprise.office, "licence", body, ms)


def close(
    enterprise: Enterprise, store: Store, state_line: tuple[int, int, int], day: str, ms: int, *, nil: bool
) -> Act:
    """The close of one local day. `state_line` is (last seq, milligrams, pieces)."""
    last_seq, mg, pieces = state_line
    body = {"day": day, "last_seq": last_seq, "lines": [line(store, mg, pieces)], "nil": nil, "final": False}
    return Act(enterprise.place(store), "close", body, ms, effects=(("close", day),))


def arrival(receiver: Enterprise, store: Store, sender: tuple[str, str], goods: Transit, ms: int, **more: Any) -> Act:
    """The receiving end of goods on the way."""
    return move(
        receiver,
        store,
        "in",
        goods.reason,
        goods.mg,
        goods.pieces,
        ms,
        consignment=goods.consignment,
        counterparty=counterparty(*sender),
        effects=(("arrived", goods.consignment), *more.pop("effects", ())),
        **more,
    )
