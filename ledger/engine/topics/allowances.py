"""How much of what a licence permits was bought: purchases charged to the licences that were in force on their day.

A licence's items may state a quantity: the total over its validity (formats.md). Each purchase is charged, in the order of
their days, to the licence in force that ends first and has room; what finds none is over. Of a purchase on a day on which
no licence with a quantity was in force nothing is said here: that is `topics.licences`'s.

A purchase by the litre is charged to an item in kilograms, and the other way round, where the catalogue knows a density of it
(properties.csv, an engineering default): else who buys by the litre would have no limit. Licences in the purchase's own
dimension come first; the row says how much of what is told rests on a density.

Not charged: sales (the buyer's own record is), and what is stated in another dimension than the item where no density is known.
"""

from __future__ import annotations

from bisect import insort
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

import msgspec

from ledger.catalogue.properties import assumed_mass_mg
from ledger.engine.ages import Ages
from ledger.engine.goods import Goods, concentration_ppm
from ledger.engine.inputs import Input
from ledger.engine.statistics import ratio_ppm
from ledger.engine.streams import LIMIT
from ledger.engine.subjects import COMMON, Subject
from ledger.engine.topics.base import Row, Topic, common
from ledger.engine.topics.licences import Licence, Licences

_KINDS = {"licence": "licence", "permit": "licence", "filing": "filing"}
"""A licence's type → what its quantity is a limit of: purchases permitted, or purchases filed beforehand."""
_CONTROLLED = frozenset({"highly_toxic", "explosive_precursor", "drug_precursor"})
MAX_PURCHASES = 4096
"""Of one code and holder; the oldest are forgotten, and no licence is in force so long."""
KEPT_DAYS_MS = 1_200 * 86_400_000


class Purchase(msgspec.Struct, array_like=True, order=True, gc=False):
    """One goods line bought. Sorts by day: what is charged first."""

    day: str
    event_ms: int
    record: bytes
    """record_id."""
    line: int
    site: str
    form: str
    concentration_ppm: int
    """-1 where it is not stated."""
    dimension: str
    amount: int
    received_ms: int
    density_g_per_l: int = 0
    """To be assumed; 0 where none is known."""


class AllowancesState(msgspec.Struct):
    """Purchases of controlled goods by "holder code", and of which limits something was said."""

    bought: dict[str, bytes] = {}
    """Purchases, ascending, in msgpack: three years of them are held, and as objects they take four times that."""
    said: dict[str, int] = {}
    """"holder code kind" → index of the entry."""


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(list[Purchase]).decode


class _Allowance(NamedTuple):
    licence: Licence
    form: str
    low_ppm: int
    high_ppm: int
    dimension: str
    amount: int


class _Charged(NamedTuple):
    """The licences in force on the newest purchase's day, and what was charged to them."""

    dimension: str
    allowed: int
    used: int
    over: int
    assumed: int
    """Of `used`, what was bought by volume or by mass where the licences are of the other."""
    age_ms: int
    """Of the oldest declaration among them when that purchase came; 0 where all were confirmed."""
    licences: int


class Allowances(Topic):
    """Sees a record after the licences did."""

    kinds = frozenset({"movement", "licence", "endorse"})
    reasons = frozenset({"purchase"})
    goods = _CONTROLLED
    subjects = (
        # What one holder bought of one code under the licences now in force, or under the filings.
        Subject(
            "allowance",
            level=True,
            fields=COMMON
            | {
                "code": "str",
                "kind": "str",
                "dimension": "str",
                "licences": "int",
                "allowed": "int",
                "used": "int",
                "used_ppm": "int",
                "over": "int",
                "over_confirmed": "int",
                "assumed": "int",
                "age_ms": "int",
            },
        ),
    )

    def __init__(self, state: AllowancesState, licences: Licences) -> None:
        self._state = state
        self._licences = licences
        self._ages = Ages((at, _oldest_ms(_decode(held))) for at, held in state.bought.items())

    def apply(self, entry: Input, goods: Sequence[Goods]) -> Iterable[Row]:
        """Charge a purchase; after a licence or its endorsement, all purchases of its holder again."""
        if entry.kind == "movement":
            return self._rows(entry, entry.holder, self._bought(entry, goods))
        return self._rows_of_all(entry)

    def withdraw(self, before: Input, goods: Sequence[Goods], entry: Input) -> Iterable[Row]:
        """Take a purchase out; after a licence that is none any more, all purchases of its holder are charged again."""
        if before.kind != "movement":
            return self._rows_of_all(entry) if before.kind == "licence" else ()
        return self._rows(entry, before.holder, self._withdrawn(before, goods))

    def correct(
        self, before: Input, before_goods: Sequence[Goods], entry: Input, goods: Sequence[Goods]
    ) -> Iterable[Row]:
        """Only what holds in the end is told."""
        if entry.kind != "movement":
            return self._rows_of_all(entry)
        codes = self._withdrawn(before, before_goods) | self._bought(entry, goods)
        return self._rows(entry, entry.holder, codes)

    def prune(self, now_ms: int) -> None:
        """Forget purchases older than any licence lasts."""
        oldest = now_ms - KEPT_DAYS_MS
        for at in self._ages.take(oldest):
            kept = [p for p in self._held(at) if p.event_ms >= oldest]
            self._hold(at, kept)
            if kept:
                self._ages.note(at, _oldest_ms(kept))

    # --- purchases ---------------------------------------------------------------------------------------------------

    def _bought(self, entry: Input, goods: Sequence[Goods]) -> dict[str, None]:
        codes: dict[str, None] = {}
        for purchase, code in _purchases(entry, goods):
            at = f"{entry.holder} {code}"
            held = self._held(at)
            if not held or purchase.event_ms < _oldest_ms(held):
                self._ages.note(at, purchase.event_ms)
            insort(held, purchase)
            self._hold(at, held[-MAX_PURCHASES:])
            codes[code] = None
        return codes

    def _withdrawn(self, before: Input, goods: Sequence[Goods]) -> dict[str, None]:
        codes: dict[str, None] = {}
        for purchase, code in _purchases(before, goods):
            at = f"{before.holder} {code}"
            same = (purchase.record, purchase.line)
            self._hold(at, [p for p in self._held(at) if (p.record, p.line) != same])
            codes[code] = None
        return codes

    def _held(self, at: str) -> list[Purchase]:
        held = self._state.bought.get(at)
        return _decode(held) if held is not None else []

    def _hold(self, at: str, purchases: list[Purchase]) -> None:
        if purchases:
            self._state.bought[at] = _encode(purchases)
        else:
            self._state.bought.pop(at, None)

    # --- rows --------------------------------------------------------------------------------------------------------

    def _rows_of_all(self, entry: Input) -> Iterator[Row]:
        if entry.kind == "endorse":
            holder = self._licences.holder_of(entry.body["record_id"])
        else:
            holder = entry.body.get("holder", entry.holder)
        codes = {at.removeprefix(f"{holder} "): None for at in self._state.bought if at.startswith(f"{holder} ")}
        return self._rows(entry, holder, codes)

    def _rows(self, entry: Input, holder: str, codes: dict[str, None]) -> Iterator[Row]:
        # Statements are the many, and allow no amount that is counted here.
        held = [one for one in self._licences.held(holder) if one.type in _KINDS and one.status != "applied"]
        for code in codes:
            purchases = self._held(f"{holder} {code}")
            for kind in ("licence", "filing"):
                allowances = [
                    _Allowance(licence, *item[1:])
                    for licence in held
                    if _KINDS[licence.type] == kind
                    for item in licence.allowed
                    if item[0] == code and (not licence.activities or "purchase" in licence.activities)
                ]
                name = f"{holder} {code} {kind}"
                if not allowances and name not in self._state.said:
                    continue
                everything = _charge(purchases, allowances)
                confirmed = [a for a in allowances if a.licence.confirmed]
                of_confirmed = _charge(purchases, confirmed) if len(confirmed) < len(allowances) else everything
                if everything is None:
                    self._state.said.pop(name, None)
                    continue
                self._state.said[name] = entry.index
                yield (
                    "allowance",
                    common(entry)
                    | {
                        "holder": holder,
                        "code": code,
                        "kind": kind,
                        "dimension": everything.dimension,
                        "licences": everything.licences,
                        "allowed": everything.allowed,
                        "used": everything.used,
                        "used_ppm": ratio_ppm(everything.used, everything.allowed),
                        "over": everything.over,
                        "over_confirmed": of_confirmed.over if of_confirmed else 0,
                        "assumed": everything.assumed,
                        "age_ms": everything.age_ms,
                    },
                )


def _purchases(entry: Input, goods: Sequence[Goods]) -> Iterator[tuple[Purchase, str]]:
    """The controlled lines of a purchase, each with its code."""
    if entry.body["direction"] != "in" or entry.body["reason"] != "purchase":
        return
    for at, (line, listing, _) in enumerate(goods):
        if _CONTROLLED.isdisjoint(listing.categories):
            continue
        share = concentration_ppm(line.concentration)
        yield (
            Purchase(
                entry.event_time[:10],  # the signer's own local day, as licences are dated
                entry.event_ms,
                bytes.fromhex(entry.record_id),
                at,
                entry.site,
                line.form,
                -1 if share is None else share,
                line.dimension,
                line.amount,
                (entry.before or entry).received_ms,
                listing.density_g_per_l,
            ),
            line.code,
        )


def _oldest_ms(purchases: Iterable[Purchase]) -> int:
    return min(purchase.event_ms for purchase in purchases)


def _charge(purchases: Sequence[Purchase], allowances: Sequence[_Allowance]) -> _Charged | None:
    """Charge all purchases; what is told is of the allowances that the newest one that had any could be charged to, in one
    dimension: the purchase's own where there are any.
    """
    ordered = sorted(allowances, key=lambda a: (a.licence.valid_to, a.licence.valid_from, a.licence.record_id))
    used = [0] * len(ordered)
    over = [0] * len(ordered)
    assumed = [0] * len(ordered)
    newest: list[int] = []
    age_ms = 0
    for purchase in purchases:
        eligible = [at for at, allowance in enumerate(ordered) if _covers(allowance, purchase)]
        if not eligible:
            continue
        eligible.sort(key=lambda at, own=purchase.dimension: ordered[at].dimension != own)  # type: ignore[misc]
        newest = [at for at in eligible if ordered[at].dimension == ordered[eligible[0]].dimension]
        rest = purchase.amount
        for at in eligible:
            wanted = _turned(rest, purchase, ordered[at].dimension)
            part = min(wanted, ordered[at].amount - used[at])
            used[at] += part
            if ordered[at].dimension == purchase.dimension:
                rest -= part
            else:
                assumed[at] += part
                rest = rest * (wanted - part) // wanted if wanted else rest
        last, dimension = newest[-1], ordered[newest[-1]].dimension
        beyond = _turned(rest, purchase, dimension)
        over[last] = min(over[last] + beyond, LIMIT)
        assumed[last] = min(assumed[last] + (beyond if dimension != purchase.dimension else 0), LIMIT)
        ages = [
            purchase.received_ms - ordered[at].licence.received_ms
            for at in eligible
            if not ordered[at].licence.confirmed
        ]
        age_ms = max([0, *ages])
    if not newest:
        return None
    return _Charged(
        ordered[newest[-1]].dimension,
        sum(ordered[at].amount for at in newest),
        sum(used[at] + over[at] for at in newest),
        sum(over[at] for at in newest),
        sum(assumed[at] for at in newest),
        age_ms,
        len(newest),
    )


def _turned(amount: int, purchase: Purchase, dimension: str) -> int:
    """An amount of a purchase in a dimension, rounded up."""
    if dimension == purchase.dimension:
        return amount
    if dimension == "mass":
        return assumed_mass_mg(amount, purchase.density_g_per_l)
    return -(-amount * 1000 // purchase.density_g_per_l)


def _covers(allowance: _Allowance, purchase: Purchase) -> bool:
    licence = allowance.licence
    return (
        licence.valid_from <= purchase.day <= licence.valid_to
        and (
            allowance.dimension == purchase.dimension
            or (purchase.density_g_per_l > 0 and "count" not in (allowance.dimension, purchase.dimension))
        )
        and (not licence.sites or purchase.site in licence.sites)
        and allowance.form in ("", purchase.form)
        and (purchase.concentration_ppm < 0 or allowance.low_ppm <= purchase.concentration_ppm <= allowance.high_ppm)
    )
