"""What a holder declares before anything moves, and what the authority says of it: the last days of 2025."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from random import Random
from typing import Any

from tests.scenario import clock
from tests.scenario.clock import DAY, HOUR, MINUTE, SECOND
from tests.scenario.drafts import Desk, Draft, mass
from tests.scenario.enterprise import SITE, WINDOWS, Enterprise
from tests.scenario.goods import Goods

PLATFORM, AUTHORITY, SUPERVISOR = "platform.county", "licensing.county", "police.county"
OPENING_MS = clock.day_start(-2) + 8 * HOUR
COUNT_MS = clock.day_start(-1) + 13 * HOUR
LICENSER = "County public security bureau (simulated)"
RENEWED_BEFORE_DAYS = 50


class Officials:
    """The platform, the licensing authority, the supervisor: what they write."""

    def __init__(self, seed: int, send: Any) -> None:
        self._seed = seed
        self._rng = Random(f"{seed}/officials")
        ids = Random(f"{seed}/ids/officials")
        self.grants = Desk(PLATFORM, "hq", "grants", ids, send, authority=True)
        self.refusals = Desk(PLATFORM, "hq", "refusals", ids, send, authority=True)
        self.scrubs = Desk(PLATFORM, "hq", "scrubs", ids, send, authority=True)
        self._desks: dict[tuple[str, str], Desk] = {}
        self._send = send

    def grant(self, holder: str, ms: int, number: int) -> None:
        rng = self._rng
        body = {
            "g": f"{rng.getrandbits(256):064x}",
            "keyid": f"{rng.getrandbits(256):064x}",
            "spki": "MCowBQYDK2VwAyEA" + "A" * 43 + "=",
            "holder": holder,
            "scope": "",
            "role": 1,
            "enroller": "0x" + "a1" * 20,
            "enrolled_at": number,
            "revoked_at": None,
            "block": {"number": 1000 + number, "hash": "0x" + "00" * 32, "time": ms // 1000},
        }
        self.grants.write("grant", body, ms, ms)

    def desk(self, issuer: str, book: str) -> Desk:
        """An authority's own book: one for each holder it deals with, so that nobody waits for another's record."""
        found = self._desks.get((issuer, book))
        if found is None:
            found = self._desks[issuer, book] = Desk(
                issuer, "hq", book, Random(f"{self._seed}/ids/{issuer}/{book}"), self._send, authority=True
            )
        return found

    def endorse(self, licence: Draft, ms: int) -> None:
        self.desk(AUTHORITY, f"e-{licence.holder}").write(
            "endorse", {"record_id": licence.record_id, "holder": licence.holder}, ms, ms
        )


def profile(owner: Enterprise, ms: int, *, status: str = "active", upload_windows: Any = None) -> Draft:
    body: dict[str, Any] = {
        "names": {"en": owner.name[:200], "zh": f"模拟企业（{owner.name[:100]}）"},
        "roles": list(owner.roles),
        "industry": owner.industry,
        "scope": sorted({word.lower() for one in (*owner.stores, *owner.planned) for word in one.goods.categories})
        or (["knives"] if owner.kind == "shop" else []),
        "status": status,
        "sites": [SITE],
    }
    if upload_windows is not None:
        body["upload_windows"] = upload_windows
    return owner.office.write(
        "profile", body, ms, owner.received(ms), persons={"/body/legal_person": owner.legal_person}
    )


def place(owner: Enterprise, ms: int, *, extra: tuple[dict[str, Any], ...] = ()) -> Draft:
    stores: list[dict[str, Any]] = []
    for at, store in enumerate(owner.stores):
        document = {
            "id": store.id,
            "book": store.desk.book,
            "unit": f"U{at + 1}",
            "class": store.kind,
            "compartment": store.compartment,
        }
        milligrams = store.capacity_mg
        if milligrams:
            document["capacity"] = mass(milligrams)
        if store.kind == "tank":
            document["design_max"] = mass(milligrams)
        stores.append(document)
    stores += extra
    body = {
        "sites": [
            {
                "site": SITE,
                "names": {"en": "Main site", "zh": "主厂区"},
                "zone": clock.ZONE_NAME,
                "position": {
                    "lat_e7": 300_000_000 + owner.rng.randrange(5_000_000),
                    "lon_e7": 1_200_000_000 + owner.rng.randrange(5_000_000),
                },
                "hours": WINDOWS[owner.shift],
                "people_500m": owner.rng.randrange(150),
                "stores": stores,
            }
        ]
    }
    return owner.office.write("place", body, ms, owner.received(ms))


def persons(owner: Enterprise, ms: int) -> None:
    for at, (ref, who) in enumerate(owner.people):
        role = ("keeper", "keeper", "operator", "safety")[at % 4]
        enrol(owner, ref, who, ms + at * SECOND, role=role)


def enrol(
    owner: Enterprise, ref: str, who: Any, ms: int, *, role: str = "keeper", training: str = "2027-12-31"
) -> Draft:
    body: dict[str, Any] = {
        "action": "enrol",
        "ref": ref,
        "role": role,
        "doc_type": "resident_id",
        "doc_valid_to": "2035-01-01",
        "valid_from": "2025-06-01",
    }
    if training:
        body["training_valid_to"] = training
    return owner.office.write("person", body, ms, owner.received(ms), persons={"/body": who})


def licence(owner: Enterprise, type_: str, number: str, ms: int, valid_from: str, valid_to: str, **more: Any) -> Draft:
    """A licence as the enterprise declares it."""
    body = {
        "type": type_,
        "number": number,
        "issuer": LICENSER,
        "issued_on": valid_from,
        "valid_from": valid_from,
        "valid_to": valid_to,
        "status": "valid",
        **more,
    }
    return owner.office.write("licence", body, ms, owner.received(ms))


@dataclass(frozen=True, slots=True)
class Shelf:
    """Goods that an enterprise has papers for, though no store yet."""

    goods: Goods
    capacity: int


def _items(stores: Sequence[Shelf], factor: int, days: int = 365) -> list[dict[str, Any]]:
    """What a permit names, with amounts well above what is used in its time."""
    found: dict[str, int] = {}
    for store in stores:
        piece = store.goods.piece_mg or 1
        found[store.goods.code] = found.get(store.goods.code, 0) + max(store.capacity, 1) * piece * factor * days // 365
    return [
        {"goods": "chemical", "code": code, "quantity": mass(min(mg // 1_000_000 * 1_000_000, 10**16))}
        for code, mg in sorted(found.items())
    ]


class Papers:
    """The licences of one enterprise, renewed in good time through the year."""

    def __init__(self, owner: Enterprise, officials: Officials) -> None:
        self.owner, self.officials = owner, officials
        self._rng = Random(f"{owner.seed}/papers/{owner.holder}")
        self._numbers = 0

    def declare_all(self, ms: int) -> None:
        owner = self.owner
        shelves = [*owner.stores, *owner.planned]
        listed = [store for store in shelves if store.goods.licensed]
        drugs = [store for store in shelves if store.goods.drug]
        activities = ["purchase", "use", "store"]
        if "trader" in owner.roles or "producer" in owner.roles or owner.kind == "stage":
            activities += ["sell", "trade"]
        if "producer" in owner.roles:
            activities += ["produce"]
        if listed:
            categories = sorted(
                {c for store in listed for c in store.goods.categories} & {"highly_toxic", "explosive_precursor"}
            )
            self._series("licence", listed, ms, days=(500, 1300), activities=activities, categories=categories)
            if "explosive_precursor" in categories:
                chosen = [store for store in listed if store.goods.precursor]
                self._series("lawful_use_statement", chosen, ms + MINUTE, days=(365, 366), purpose="production")
        if drugs:
            self._series(
                "filing", drugs, ms + 2 * MINUTE, days=(365, 366), activities=activities, categories=["drug_precursor"]
            )
        if owner.stores:
            self._certificate(ms + 3 * MINUTE)
            self._hazard_filing(ms + 4 * MINUTE)

    def _series(self, type_: str, stores: Sequence[Shelf], ms: int, *, days: tuple[int, int], **more: Any) -> None:
        """One paper and those that follow it; each is endorsed one or two days later."""
        rng = self._rng
        length = rng.randrange(*days)
        first = -rng.randrange(20, length - 60)
        number = f"{type_[:1].upper()}-{self.owner.holder[10:17]}"
        begins, ends = first, first + length
        self._declare(type_, f"{number}-{self._numbers}", stores, ms, begins, ends, more)
        while ends < clock.DAYS + RENEWED_BEFORE_DAYS:
            self._numbers += 1
            asked = clock.next_workday(ends - RENEWED_BEFORE_DAYS - rng.randrange(10))
            begins, ends = asked, asked + length
            if asked > clock.DAYS:
                break
            number_now = f"{number}-{self._numbers}"
            at = max(clock.day_start(asked), clock.day_start(1)) + 10 * HOUR + rng.randrange(5 * HOUR)
            self.owner.at(
                at,
                lambda when, b=begins, e=ends, n=number_now: self._declare(type_, n, stores, when, b, e, more),
            )
        self._numbers += 1

    def _declare(
        self, type_: str, number: str, stores: Sequence[Shelf], ms: int, begins: int, ends: int, more: dict[str, Any]
    ) -> None:
        draft = licence(
            self.owner,
            type_,
            number,
            ms,
            _date(begins),
            _date(ends),
            items=_items(stores, 60, ends - begins),
            **more,
        )
        self._endorse_later(draft, ms)

    def _endorse_later(self, draft: Draft, ms: int) -> None:
        wait = (
            2 * HOUR + self._rng.randrange(20 * HOUR) if ms < clock.START_MS else DAY + self._rng.randrange(20 * HOUR)
        )
        if ms + wait >= clock.START_MS:
            self.owner.at(ms + wait, lambda when: self.officials.endorse(draft, when))
        else:
            self.officials.endorse(draft, ms + wait)

    def _hazard_filing(self, ms: int) -> None:
        """Large stocks are filed as a major hazard (GB 18218), as nearly all that declared them here have to."""
        if self.owner.kind == "stage":
            return
        body = {"categories": ["major_hazard"]}
        draft = licence(self.owner, "filing", f"H-{self.owner.holder[10:17]}-1", ms, _date(-300), _date(1500), **body)
        self._endorse_later(draft, ms)

    def _certificate(self, ms: int) -> None:
        owner = self.owner
        limits = [
            {
                "site": SITE,
                "store": store.id,
                "quantity": mass(store.capacity_mg),
            }
            for store in owner.stores
            if store.capacity
        ]
        draft = licence(
            owner,
            "capacity_certificate",
            f"Q-{owner.holder[10:17]}-1",
            ms,
            _date(-200),
            _date(900),
            limits=limits[:128],
        )
        self._endorse_later(draft, ms)


def _date(day: int) -> str:
    return (clock.FIRST + timedelta(days=day)).isoformat()


def open_enterprise(owner: Enterprise, officials: Officials, number: int) -> None:
    """Everything a holder declares before the year begins, and its opening counts."""
    ms = OPENING_MS + number * 20 * SECOND
    officials.grant(owner.holder, ms - HOUR, number)
    profile(owner, ms)
    persons(owner, ms + 2 * SECOND)
    place(owner, ms + 10 * SECOND)
    owner.papers = Papers(owner, officials)
    owner.papers.declare_all(ms + 12 * SECOND)
