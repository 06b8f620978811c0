"""Declared and confirmed licences; what each party to a movement of listed goods has at its event time."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import msgspec

from ledger.catalogue import Classification
from ledger.core.times import format_utc
from ledger.engine.goods import Goods, concentration_ppm
from ledger.engine.inputs import Input, base_amount, counterparty_of, happened_ms
from ledger.engine.register import Register
from ledger.engine.subjects import COMMON, Subject
from ledger.engine.topics.base import Row, Topic, common
from ledger.model import UnixMs

NEEDS = ("highly_toxic", "explosive_precursor")
"""Categories whose trade needs a licence (Decree 591 art. 37-40)."""
MOST_DECLARED = 64
"""Licences of one holder that only it declares; of more the oldest counts no longer. What an authority confirmed always does."""
KEPT_MS = 400 * 86_400_000
"""How long after its last day a licence is remembered."""
_ACTS = {"purchase": "purchase", "sale": "sell", "production": "produce"}
_COVERED_BY = {
    "purchase": frozenset({"purchase", "use", "produce", "trade"}),
    "sell": frozenset({"sell", "trade", "produce"}),
    "produce": frozenset({"produce"}),
}


_PERMIT = COMMON | {
    "code": "str",
    "need": "str",
    "act": "str",
    "party": "str",
    "own": "bool",
    "state": "str",
    "age_ms": "int",
}


class Licence(msgspec.Struct, array_like=True):
    """One licence of one holder. `confirmed` when an authority issued or endorsed it."""

    record_id: str
    """Of a corrected licence: of its correction, since an endorsement means these words."""
    type: str
    number: str
    received_ms: int
    valid_from: str
    valid_to: str
    status: str
    confirmed: bool
    activities: list[str] = []
    """Empty: not stated, so every activity of its type."""
    categories: list[str] = []
    codes: list[str] = []
    sites: list[str] = []
    """Empty: every site of the holder."""
    corrects: str = ""
    allowed: list[tuple[str, str, int, int, str, int]] = []
    """Of items with a quantity: code, form, least and greatest concentration in ppm, dimension, amount."""
    status_ms: int = 0
    """Since when `status` holds, event time; a revocation is none of what happened before it."""
    was: str = ""
    """The status before; "" where nothing says so."""
    limits: list[tuple[str, str, str, int, str, str]] = []
    """The most that may lie in a store: site ("" for any), store, dimension, amount; of which code and category, "" for any."""


class LicencesState(msgspec.Struct):
    """By holder."""

    held: dict[str, list[Licence]] = {}


class _Index:
    """One holder's licences by what is asked of them: beside the state, made anew when the holder has others.

    What it goes by never changes of a licence that is there; that it was confirmed or revoked, and its dates, are looked at.
    """

    __slots__ = ("_by_category", "_covering", "held", "limiting")

    def __init__(self, held: Sequence[Licence]) -> None:
        self.held = held
        self.limiting = [one for one in held if one.limits]
        """Those that limit what may lie in a store."""
        self._by_category: dict[str, list[Licence]] = {}
        self._covering: dict[tuple[str, str, str], tuple[list[Licence], bool]] = {}
        for licence in held:
            for category in licence.categories:
                self._by_category.setdefault(category, []).append(licence)

    def of_category(self, category: str) -> Sequence[Licence]:
        return self._by_category.get(category, ())

    def covering(self, act: str, need: str, code: str) -> tuple[list[Licence], bool]:
        """Those that cover the act and the goods, the newest first; and whether others cover the act alone."""
        found = self._covering.get((act, need, code))
        if found is None:
            acting = [one for one in reversed(self.held) if _covers_act(one, act, need)]
            covering = [one for one in acting if _covers_goods(one, need, code)]
            found = self._covering[act, need, code] = covering, len(covering) < len(acting)
        return found


class Licences(Topic):
    """What each party to a purchase, sale or production needs and has."""

    kinds = frozenset({"licence", "endorse", "movement"})
    reasons = frozenset({"purchase", "sale", "production"})
    goods = frozenset({*NEEDS, "drug_precursor"})
    papers = frozenset({"licence", "endorse"})
    subjects = (
        # What a party to a movement of listed goods needs and has.
        Subject("permit", level=False, fields=_PERMIT),
        # The same of a purchase of drug precursors; `need` is drug_precursor_1, _2 or _3.
        Subject("prefiling", level=False, fields=_PERMIT),
    )

    def __init__(self, state: LicencesState, register: Register) -> None:
        self._state = state
        self._register = register
        self._by_record: dict[str, str] | None = None
        self._indexes: dict[str, _Index] = {}
        self.limited = False
        """Whether the holder of whom the newest record spoke has, or had until then, a licence that limits stores."""

    def apply(self, entry: Input, goods: Sequence[Goods]) -> Iterable[Row]:
        """Take in a licence or its endorsement; the rows of a movement."""
        if entry.kind == "movement":
            return self._rows(entry, goods)
        if entry.kind == "licence":
            self._fold(entry, replaces=entry.body.get("replaces", ""))
        else:
            self._endorse(entry.body["record_id"])
        return ()

    def withdraw(self, before: Input, goods: Sequence[Goods], entry: Input) -> Iterable[Row]:
        """A record that is none of a licence any more; of one that an authority confirmed, that word stands above it. A licence
        is replaced in `correct`; a movement keeps nothing here.
        """
        del goods, entry
        self.limited = False
        if before.kind == "licence":
            held = self.held(before.holder)
            kept = [one for one in held if one.confirmed or before.record_id not in (one.record_id, one.corrects)]
            if len(kept) < len(held):
                self.limited = any(one.limits for one in held)
                self._state.held[before.holder] = kept
        return ()

    def correct(
        self, before: Input, before_goods: Sequence[Goods], entry: Input, goods: Sequence[Goods]
    ) -> Iterable[Row]:
        """A corrected licence takes the place of the one that stood."""
        del before_goods
        if entry.kind != "licence":
            return self.apply(entry, goods)
        self._fold(entry, replaces=before.record_id)
        return ()

    def held(self, holder: str) -> Sequence[Licence]:
        """All licences of a holder that count, declared or confirmed, in force or not."""
        return self._state.held.get(holder, ())

    def limiting(self, holder: str) -> Sequence[Licence]:
        """Those of them that limit what may lie in a store."""
        return self._index(holder).limiting

    def of_category(self, holder: str, category: str) -> Sequence[Licence]:
        """Those of them that name a category."""
        return self._index(holder).of_category(category)

    def unchanged(self, holder: str) -> object:
        """The same object as long as nothing about the holder's licences is another than it was."""
        return self._index(holder)

    def _index(self, holder: str) -> _Index:
        held, index = self.held(holder), self._indexes.get(holder)
        if index is None or index.held is not held:
            index = self._indexes[holder] = _Index(held)
        return index

    def holder_of(self, record_id: str) -> str:
        """Who holds the licence of this record; "" where it is not known."""
        holder = self._holders().get(record_id, "")
        # The index still has what a newer licence took the place of.
        return holder if any(one.record_id == record_id for one in self.held(holder)) else ""

    def _holders(self) -> dict[str, str]:
        """record_id -> holder of all licences; beside the state, made anew after each day's forgetting."""
        if self._by_record is None:
            self._by_record = {one.record_id: holder for holder, held in self._state.held.items() for one in held}
        return self._by_record

    def _fold(self, entry: Input, *, replaces: str) -> None:
        """Take in one licence. An authority's word about the same number stands above the enterprise's."""
        body = entry.body
        holder = body.get("holder", entry.holder)
        items = body.get("items", ())
        new = Licence(
            record_id=entry.correction_id or entry.record_id,
            corrects=entry.record_id if entry.correction_id else "",
            type=body["type"],
            number=body.get("number", ""),
            received_ms=entry.received_ms,
            valid_from=body["valid_from"],
            valid_to=body["valid_to"],
            status=body["status"],
            confirmed=entry.is_authority,
            activities=sorted(body.get("activities", ())),
            categories=sorted(body.get("categories", ())),
            codes=sorted(item["code"] for item in items),
            sites=sorted(body.get("sites", ())),
            allowed=sorted(_allowed(item) for item in items if "quantity" in item),
            limits=sorted(_limit(limit) for limit in body.get("limits", ())),
        )
        new.status_ms = happened_ms(entry)
        known = self._state.held.get(holder, ())
        self.limited = bool(new.limits) or any(one.limits for one in known)
        kept = []
        for old in known:
            same = (replaces != "" and replaces in (old.record_id, old.corrects)) or (
                new.number != "" and (old.type, old.number) == (new.type, new.number)
            )
            if same and old.confirmed and not new.confirmed:
                old.was = old.was or new.status
                self._indexes.pop(holder, None)
                return
            if same and (old.status != new.status or old.was):
                new.was = old.status if old.status != new.status else old.was
                new.status_ms = new.status_ms if old.status != new.status else old.status_ms
            if old.valid_from == new.valid_from and not old.confirmed and _says_the_same(old, new):
                same = True
            if same and not old.confirmed and (entry.correction_id or new.valid_from <= old.valid_to):
                # A declaration that takes another's place while that runs does not put off its check.
                new.received_ms = min(new.received_ms, old.received_ms)
            if not same:
                kept.append(old)
        held = [*kept, new]
        declared = [at for at, one in enumerate(held) if not one.confirmed]
        if len(declared) > MOST_DECLARED:
            del held[declared[0]]
        self._state.held[holder] = held
        self._holders()[new.record_id] = holder

    def prune(self, now_ms: int) -> None:
        """Forget what ran out so long ago that no movement is told of any more that it could have covered."""
        self._by_record = None
        oldest = format_utc(UnixMs(now_ms - KEPT_MS))[:10]
        for holder, held in list(self._state.held.items()):
            kept = [one for one in held if one.valid_to >= oldest]
            if len(kept) == len(held):
                continue  # nothing about them is another than it was
            if kept:
                self._state.held[holder] = kept
            else:
                del self._state.held[holder]
                self._indexes.pop(holder, None)

    def _endorse(self, record_id: str) -> None:
        """An authority confirmed a declared licence."""
        holder = self.holder_of(record_id)
        self._indexes.pop(holder, None)
        held = self.held(holder)
        self.limited = any(one.limits for one in held)
        for licence in held:
            if licence.record_id == record_id:
                licence.confirmed = True

    def _rows(self, entry: Input, goods: Sequence[Goods]) -> Iterator[Row]:
        """One row for each code, need and party of a purchase, a sale, or a production."""
        body = entry.body
        act = _ACTS.get(body["reason"])
        if act is None:
            return
        other = counterparty_of(body)
        parties = [(entry.holder, act)]
        if act == "sell" and self._register.is_inside(other):
            parties.append((other, "purchase"))
        seen = set()
        for line, listing, _ in goods:
            for subject, need in _needs(listing):
                if (line.code, need) in seen:
                    continue
                seen.add((line.code, need))
                for party, does in parties:
                    if subject == "prefiling" and does != "purchase":
                        continue
                    state, age_ms = self._assess(party, does, need, line.code, entry)
                    yield (
                        subject,
                        common(entry)
                        | {
                            "code": line.code,
                            "need": need,
                            "act": does,
                            "party": party,
                            "own": party == entry.holder,
                            "state": state,
                            "age_ms": age_ms,
                        },
                    )

    def _assess(self, party: str, act: str, need: str, code: str, entry: Input) -> tuple[str, int]:
        """(state, age of the declaration in ms): the best that any licence of the party gives; of several that are only declared
        the age of the oldest, since a further one does not put off the check.
        """
        day = entry.event_time[:10]  # the signer's own local day
        came_ms = (entry.before or entry).received_ms
        covering, others = self._index(party).covering(act, need, code)
        best, age_ms = "scope" if others else "missing", 0
        for licence in covering:
            if not _covers_site(licence, party, entry):
                state = "scope"
            elif (status := status_at(licence, entry.event_ms)) in ("revoked", "suspended"):
                state = "revoked"
            elif status != "valid" or licence.valid_to < day:
                state = "expired" if status != "applied" else "missing"
            elif licence.valid_from > day:
                state = "not_yet"
            else:
                state = "valid" if licence.confirmed else "declared"
            if _RANK[state] > _RANK[best]:
                best = state
                age_ms = max(came_ms - licence.received_ms, 0) if state == "declared" else 0
            elif state == best == "declared":
                age_ms = max(age_ms, came_ms - licence.received_ms)
            if best == "valid":
                break  # there is nothing better
        return best, age_ms


def status_at(licence: Licence, at_ms: int) -> str:
    """A licence counts as revoked, suspended or ended from the day on which that was said; as valid by its own dates."""
    return licence.was if licence.was and licence.status != "valid" and at_ms < licence.status_ms else licence.status


def _needs(listing: Classification) -> Iterator[tuple[str, str]]:
    """(subject, need) of listed goods."""
    for need in NEEDS:
        if need in listing.categories:
            yield "permit", need
    drug_class = listing.substance.drug_precursor_class if listing.substance is not None else None
    if drug_class is not None:
        yield "prefiling", f"drug_precursor_{drug_class}"


_RANK = {"missing": 0, "scope": 1, "not_yet": 2, "expired": 3, "revoked": 4, "declared": 5, "valid": 6}


def _allowed(item: dict[str, Any]) -> tuple[str, str, int, int, str, int]:
    amount, dimension = base_amount(item["quantity"]["value"], item["quantity"]["unit"])
    low = concentration_ppm(item.get("concentration_min", ""))
    high = concentration_ppm(item.get("concentration_max", ""))
    return item["code"], item.get("form", ""), low or 0, 1_000_000 if high is None else high, dimension, amount


def _limit(limit: dict[str, Any]) -> tuple[str, str, str, int, str, str]:
    amount, dimension = base_amount(limit["quantity"]["value"], limit["quantity"]["unit"])
    return limit.get("site", ""), limit["store"], dimension, amount, limit.get("code", ""), limit.get("category", "")


def _says_the_same(old: Licence, new: Licence) -> bool:
    if old.allowed != new.allowed or old.limits != new.limits:
        return False
    return (old.type, old.valid_from, old.valid_to, old.activities, old.categories, old.codes, old.sites) == (
        new.type,
        new.valid_from,
        new.valid_to,
        new.activities,
        new.categories,
        new.codes,
        new.sites,
    )


def _covers_act(licence: Licence, act: str, need: str) -> bool:
    if need in ("drug_precursor_2", "drug_precursor_3"):
        return licence.type == "filing"  # Decree 445 art. 17: filed before the purchase
    if licence.type == "lawful_use_statement":
        return act == "purchase" and need == "explosive_precursor"
    if licence.type not in ("licence", "permit"):
        return False
    return not licence.activities or not _COVERED_BY[act].isdisjoint(licence.activities)


def _covers_goods(licence: Licence, need: str, code: str) -> bool:
    if not licence.categories and not licence.codes:
        return True
    category = "drug_precursor" if need.startswith("drug_precursor") else need
    return category in licence.categories or code in licence.codes


def _covers_site(licence: Licence, party: str, entry: Input) -> bool:
    # Of the other party only the enterprise is known, not the site the goods go to.
    return not licence.sites or party != entry.holder or entry.site in licence.sites
