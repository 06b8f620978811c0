"""What may lie in each store and what does: by certificates in force, else by what its `place` record states.

A licence's limits may be of everything together, of one code or of one category (licence.json, `limits`); each is judged by
itself. One that an authority issued or confirmed counts from its first day to its last, one that is only declared until its
check is due. What counts changes by itself at such a moment: `Change` says when that is next, and the store's rows are told
again then (`topics.stock`, by a timer of the fold).

A store is judged as of the newest moment that is known of it (event time, or a timer's): what is told late is no reason to go
back to an older certificate, and what is told of last month is judged by last month's until a timer comes to it. Days are
those of the site.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, timedelta
from typing import Any, NamedTuple

from ledger.engine.books import Books
from ledger.engine.days import DAY_MS
from ledger.engine.parameters import Parameter
from ledger.engine.register import Register, Site
from ledger.engine.state import Store
from ledger.engine.statistics.fixed import LIMIT_PPM, clamp
from ledger.engine.subjects import COMMON, Subject
from ledger.engine.topics.base import Row
from ledger.engine.topics.licences import Licence, Licences, status_at
from ledger.model import UnixMs

PPM = 1_000_000
LABORATORIES = ("lab_room", "lab_cabinet")
"""Classes of stores in a `place` record."""
CHECK_DUE = "check_due"
"""The parameter of the rule that listens: how long a licence that is only declared counts, in ms."""
_CHECK_DUE = Parameter(((0, 5 * DAY_MS),))
"""Where no rule says so (engine.md: 5 days)."""
_WITHOUT_END = "9999-12-31"
_EVERYTHING = ("", "")

_FIELDS = COMMON | {
    "store": "str",
    "stored": "str",
    "goods": "str",
    "dimension": "str",
    "known": "bool",
    "capacity": "int",
    "stock": "int",
    "fill_ppm": "int",
    "place_capacity": "int",
    "place_ppm": "int",
    "declared": "bool",
    "declared_ms": "int",
    "lapsed": "bool",
    "lapsed_capacity": "int",
    "laboratory": "bool",
    "precursors": "int",
    "assumed_mg": "int",
}
SUBJECTS = (
    # One store's stock against its capacity: what a licence permits there, else what the `place` record states, which stands
    # beside it. `lapsed`: what was declared counts no longer, since nobody has checked it. How much of a laboratory's stock is
    # explosive precursors (mg), and how much of that is a volume by a density to assume.
    Subject("store", level=True, fields=_FIELDS),
    # The same of one code or category in a store, of which a licence states how much of it may lie there; `stored` is the
    # store and the goods.
    Subject("store_goods", level=True, fields=_FIELDS),
)

Which = tuple[str, str]
"""(code, category) of goods, "" for any."""


class Certified(NamedTuple):
    """What a licence permits to lie in one store."""

    dimension: str
    amount: int
    declared_ms: int
    """When the enterprise declared it; -1 where an authority issued or confirmed it."""


class Counting(NamedTuple):
    """What counts of a store at a moment."""

    limits: dict[Which, Certified]
    lapsed: Certified | None
    """A limit of everything together that was declared, is in force by its dates, and counts no longer."""
    change_ms: int
    """When something else counts; 0 for never."""


_NO_LIMITS = Counting({}, None, 0)


class _Known(NamedTuple):
    """What stands of a store whatever lies there, and what that follows from."""

    licences: object
    place: Site
    stated: tuple[str, int | None, str]
    """Its book, capacity and dimension."""
    since_ms: int
    counting: Counting
    limited: list[Which]
    """Of which goods it is limited how much may lie there."""
    fields: dict[str, Any]
    """Of its row; those that tell of what lies there are 0."""


class Capacities:
    """Makes the rows of stores."""

    def __init__(self, books: Books, register: Register, licences: Licences, check_due: Parameter | None) -> None:
        self._books = books
        self._register = register
        self._licences = licences
        self._check_due = check_due or _CHECK_DUE
        self._known: dict[str, _Known] = {}
        """By store (holder/site/store)."""

    def rows(self, base: dict[str, Any], at: str, store: Store, now_ms: int) -> list[Row]:
        """The rows of a store (holder/site/store) that something is known of up to `now_ms`; `store.due_ms` is set."""
        store.as_of_ms = max(store.as_of_ms, now_ms)
        known = self._known_now(at, store)
        counting = known.counting
        store.due_ms = counting.change_ms
        row = base | known.fields
        row["stock"] = stock = store.stock.get(row["dimension"], 0)
        row["fill_ppm"] = _fill_ppm(stock, row["capacity"])
        row["place_ppm"] = _fill_ppm(store.stock.get(store.dimension, 0), row["place_capacity"])
        if row["dimension"] != store.dimension and row["place_capacity"]:
            row |= _by_the_place(row, store)
        if row["laboratory"]:  # how much of explosive precursors lies there
            row["precursors"], row["assumed_mg"] = self._books.mass_in(at, "explosive_precursor")
        rows: list[Row] = [("store", row)]
        if not known.limited and not store.limited:
            return rows
        stated = base | {name: row[name] for name in ("holder", "site", "book", "store")}
        # What is limited no longer is told once more: else its alert would stay open.
        amounts = self._books.amounts_in(at)
        for which in [*known.limited, *(gone for gone in store.limited if gone not in counting.limits)]:
            of_goods = _of_goods(row["store"], which, counting.limits.get(which), amounts)
            rows.append(("store_goods", stated | of_goods))
        store.limited = known.limited
        return rows

    def _known_now(self, at: str, store: Store) -> _Known:
        """What stands of a store as of its newest moment: made anew when there is another licence, another statement on the
        site, or something else counts.
        """
        of_site, _, name = at.rpartition("/")
        holder, _, site = of_site.partition("/")
        place, licences, at_ms = self._register.site_of(of_site), self._licences.unchanged(holder), store.as_of_ms
        stated = store.book, store.capacity, store.dimension
        known = self._known.get(at)
        if (
            known is not None
            and known.licences is licences
            and known.place is place
            and known.stated == stated
            and known.since_ms <= at_ms
            and not 0 < known.counting.change_ms <= at_ms
        ):
            return known
        counting = self._counting(holder, site, name, at_ms)
        fields: dict[str, Any] = {"holder": holder, "site": site, "book": store.book, "store": name}
        fields |= _of_everything(name, store, counting)
        fields["laboratory"] = name in place.stores and place.stores[name].kind in LABORATORIES
        limited = sorted(which for which in counting.limits if which != _EVERYTHING)
        known = self._known[at] = _Known(licences, place, stated, at_ms, counting, limited, fields)
        return known

    def _counting(self, holder: str, site: str, store: str, at_ms: int) -> Counting:
        """Of each goods what an authority confirmed before what is only declared, of these the newest; of several declared ones
        none after that one should have been checked, since a further one does not put that off.
        """
        limiting = self._licences.limiting(holder)
        if not limiting:
            return _NO_LIMITS
        found: dict[Which, Certified] = {}
        lapsed: Certified | None = None
        changes = []
        unchecked: set[Which] = set()
        for licence in limiting:
            if licence.sites and site not in licence.sites:
                continue
            mine = _of_store(licence, site, store)
            if not mine:
                continue
            begins_ms, ends_ms, checked_ms = self._times(licence, holder, site)
            said_ms = licence.status_ms if licence.was and licence.status != "valid" else 0
            changes += [moment for moment in (begins_ms, ends_ms, checked_ms, said_ms) if moment > at_ms]
            if status_at(licence, at_ms) != "valid" or not begins_ms <= at_ms < ends_ms:
                continue
            declared_ms = -1 if licence.confirmed else licence.received_ms
            if at_ms >= checked_ms:
                lapsed = Certified(*mine[_EVERYTHING], declared_ms) if _EVERYTHING in mine else lapsed
                unchecked |= mine.keys()
                continue
            for which, limit in mine.items():
                known = found.get(which)
                if known is None or known.declared_ms >= 0 or licence.confirmed:
                    found[which] = Certified(*limit, declared_ms)
        found = {which: limit for which, limit in found.items() if limit.declared_ms < 0 or which not in unchecked}
        return Counting(found, lapsed, min((moment for moment in changes if moment < _NEVER_MS), default=0))

    def _times(self, licence: Licence, holder: str, site: str) -> tuple[int, int, int]:
        """When it begins and ends by its dates, and when it should have been checked."""
        begins_ms = self._register.day_end_ms(holder, site, _day_before(licence.valid_from))
        without_end = licence.valid_to >= _WITHOUT_END
        ends_ms = _NEVER_MS if without_end else self._register.day_end_ms(holder, site, licence.valid_to)
        if licence.confirmed:
            return begins_ms, ends_ms, _NEVER_MS
        return begins_ms, ends_ms, licence.received_ms + self._check_due.at(UnixMs(licence.received_ms))


_NEVER_MS = 2**62


def _of_everything(name: str, store: Store, counting: Counting) -> dict[str, Any]:
    """The fields about all goods together, as if nothing lay there."""
    certified, lapsed = counting.limits.get(_EVERYTHING), counting.lapsed
    dimension, capacity = store.dimension, store.capacity or 0
    if certified is not None:
        dimension, capacity = certified.dimension, certified.amount
    is_lapsed = certified is None and lapsed is not None and lapsed.dimension == dimension
    declared_ms = certified.declared_ms if certified is not None else -1
    return {
        "stored": name,
        "goods": "",
        "dimension": dimension,
        "known": capacity > 0 or certified is not None,
        "capacity": capacity,
        "stock": 0,
        "fill_ppm": 0,
        "place_capacity": store.capacity or 0,
        "place_ppm": 0,
        "declared": declared_ms >= 0,
        "declared_ms": max(declared_ms, 0),
        "lapsed": is_lapsed,
        "lapsed_capacity": lapsed.amount if lapsed is not None and is_lapsed else 0,
        "laboratory": False,
        "precursors": 0,
        "assumed_mg": 0,
    }


def _by_the_place(row: Mapping[str, Any], store: Store) -> dict[str, Any]:
    """A certificate in litres says nothing of kilograms: what the place states of those stands beside it, and the fuller of
    both is told. The fields that are others then.
    """
    stock, capacity = store.stock.get(store.dimension, 0), row["place_capacity"]
    if (stock > capacity, row["place_ppm"]) <= (row["stock"] > row["capacity"], row["fill_ppm"]):
        return {}
    of_place = {"dimension": store.dimension, "capacity": capacity, "stock": stock, "fill_ppm": row["place_ppm"]}
    return of_place | {"declared": False, "declared_ms": 0}


def _of_goods(
    store: str, which: Which, certified: Certified | None, amounts: Mapping[tuple[str, str, str], int]
) -> dict[str, Any]:
    code, category = which
    goods = ", ".join(part for part in which if part)
    dimension = certified.dimension if certified is not None else "mass"
    capacity = certified.amount if certified is not None else 0
    stock = amounts.get((dimension, code, category), 0)
    declared_ms = certified.declared_ms if certified is not None else -1
    return {
        "stored": f"{store}/{goods}",
        "goods": goods,
        "dimension": dimension,
        "known": certified is not None,
        "capacity": capacity,
        "stock": stock,
        "fill_ppm": _fill_ppm(stock, capacity),
        "place_capacity": 0,
        "place_ppm": 0,
        "declared": declared_ms >= 0,
        "declared_ms": max(declared_ms, 0),
        "lapsed": False,
        "lapsed_capacity": 0,
        "laboratory": False,
        "precursors": 0,
        "assumed_mg": 0,
    }


def _of_store(licence: Licence, site: str, store: str) -> dict[Which, tuple[str, int]]:
    """(dimension, amount) of each goods that the licence limits in a store; of two limits the lesser."""
    found: dict[Which, tuple[str, int]] = {}
    for where, name, dimension, amount, code, category in licence.limits:
        if name == store and where in ("", site):
            known = found.get((code, category))
            found[code, category] = (dimension, amount) if known is None else min(known, (dimension, amount))
    return found


def _day_before(day: str) -> str:
    return (max(date.fromisoformat(day), date(1970, 1, 2)) - timedelta(days=1)).isoformat()


def _fill_ppm(stock: int, capacity: int) -> int:
    """0 where nothing may lie there: no share of nothing."""
    return clamp(stock * PPM // capacity, LIMIT_PPM) if capacity > 0 else 0
