"""What is usual for buyers of a substance: how much they buy, which industries buy it, and what they state it is for.

Learned from the buyers' own records as they are received, and for a judgement only from other buyers than the one that
is judged. A correction teaches nothing: one purchase is not much among the thirty that a judgement needs.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import Any

import msgspec

from ledger.engine.goods import Goods
from ledger.engine.inputs import Input
from ledger.engine.register import Register
from ledger.engine.statistics import MIN_SAMPLE, ln_micro, ratio_ppm, robust_z_milli
from ledger.engine.topics.licences import Licences
from ledger.engine.topics.linked import Linked

CONTROLLED = ("explosive_precursor", "highly_toxic", "drug_precursor")
DAY_MS = 86_400_000
FORGET_MS = 400 * DAY_MS
"""A substance that a buyer has not bought for so long no longer speaks for its industry."""
LEARNING_MS = 90 * DAY_MS
"""How long the log is learned from before an industry is compared (catalogue B13)."""
LEAST_EXPECTED = 5
"""Buyers of an industry that would buy a substance by chance, from which on it says something that none does."""
CLASS_SIZE = 128
CLASS_OF_ONE = 4
"""Newest purchases of a substance that are kept, and how many of one buyer: nobody makes the measure alone."""
CLASS_LEAST = 30

HABITS = {
    "party": "str",
    "inside": "bool",
    "industry": "str",
    "scope_known": "bool",
    "in_scope": "bool",
    "statement": "str",
    "statement_age_ms": "int",
    "lift_ppm": "int",
    "prior_known": "bool",
    "class_n": "int",
    "class_z_milli": "int",
}
"""Fields of a row about a purchase. `statement`: of lawful use; none, expired, or stated (and its age)."""


class HabitsState(msgspec.Struct):
    """By buyer|code; by industry; by code; by industry|code; by industry|code|dimension."""

    since_ms: int = -1
    """Receipt of the first purchase."""
    pairs: dict[str, tuple[str, int, int]] = {}
    """Buyer|code -> the buyer's industry, when it was last told, and how often."""
    industries: dict[str, int] = {}
    codes: dict[str, int] = {}
    both: dict[str, int] = {}
    sizes: dict[str, list[tuple[str, int]]] = {}
    """(buyer, ln of the amount in millionths), oldest first."""


class Habits:
    """Reads and writes one HabitsState."""

    def __init__(self, state: HabitsState, register: Register, linked: Linked, licences: Licences) -> None:
        self._state = state
        self._register = register
        self._linked = linked
        self._licences = licences

    # --- learning ----------------------------------------------------------------------------------------------------

    def learn(self, entry: Input, goods: Sequence[Goods]) -> None:
        """Take in a buyer's own record of a purchase."""
        if entry.before is not None:
            return
        state, industry = self._state, industry_of(self._register.profile(entry.holder).industry)
        for line, listing in goods:
            if listing.categories.isdisjoint(CONTROLLED):
                continue
            if state.since_ms < 0:
                state.since_ms = entry.received_ms
            if line.amount > 0:
                sizes = state.sizes.setdefault(f"{industry}|{line.code}|{line.dimension}", [])
                own = [at for at, (buyer, _) in enumerate(sizes) if buyer == entry.holder]
                if len(own) >= CLASS_OF_ONE:
                    del sizes[own[0]]
                sizes.append((entry.holder, ln_micro(line.amount)))
                if len(sizes) > CLASS_SIZE:
                    del sizes[0]
            pair = f"{entry.holder}|{line.code}"
            known, _, times = state.pairs.get(pair, ("", 0, 0))
            if known != industry:
                self._count(pair, -1)
            state.pairs[pair] = industry, entry.received_ms, times + 1
            if known != industry:
                self._count(pair, 1)

    def _count(self, pair: str, by: int) -> None:
        known = self._state.pairs.get(pair)
        if known is None or not known[0]:
            return
        industry, code = known[0], pair.partition("|")[2]
        for counts, at in (
            (self._state.industries, industry),
            (self._state.codes, code),
            (self._state.both, f"{industry}|{code}"),
        ):
            counts[at] = counts.get(at, 0) + by
            if not counts[at]:
                del counts[at]

    def prune(self, now_ms: int) -> None:
        """Forget who has not bought for long."""
        for pair in [pair for pair, (_, told_ms, _) in self._state.pairs.items() if told_ms <= now_ms - FORGET_MS]:
            self._count(pair, -1)
            del self._state.pairs[pair]

    # --- asking ------------------------------------------------------------------------------------------------------

    def about(self, entry: Input, buyer: str, row: dict[str, Any]) -> dict[str, Any]:
        """The fields HABITS of a row about a purchase; of what is not controlled, nothing is asked."""
        categories = set(row["categories"])
        if categories.isdisjoint(CONTROLLED):
            return _NOTHING | {"party": buyer}
        profile = self._register.profile(buyer)
        statement, age_ms = self._statement(buyer, row["code"], categories, entry)
        lift_ppm, known = self._lift(buyer, industry_of(profile.industry), row["code"], entry)
        n, z_milli = self._class(buyer, industry_of(profile.industry), row)
        return {
            "party": self._linked.party(buyer)[0],
            "inside": self._register.is_inside(buyer),
            "industry": profile.industry,
            "scope_known": bool(profile.scope),
            "in_scope": row["code"] in profile.scope or not categories.isdisjoint({*CONTROLLED} & {*profile.scope}),
            "statement": statement,
            "statement_age_ms": age_ms,
            "lift_ppm": lift_ppm,
            "prior_known": known,
            "class_n": n,
            "class_z_milli": z_milli,
        }

    def _statement(self, buyer: str, code: str, categories: set[str], entry: Input) -> tuple[str, int]:
        """The newest statement of lawful use that covers the goods on the signer's own day, and its age then."""
        day, best, age_days = entry.event_time[:10], "none", 0
        for one in self._licences.held(buyer):
            if one.type != "lawful_use_statement":
                continue
            if (one.codes or one.categories) and code not in one.codes and categories.isdisjoint(one.categories):
                continue
            if one.valid_from > day:
                continue
            if one.status != "valid" or one.valid_to < day:
                best = "expired" if best == "none" else best
                continue
            age = (date.fromisoformat(day) - date.fromisoformat(one.valid_from)).days
            best, age_days = "stated", age if best != "stated" else min(age, age_days)
        return best, age_days * DAY_MS if best == "stated" else 0

    def _lift(self, buyer: str, industry: str, code: str, entry: Input) -> tuple[int, bool]:
        """How many times as often as buyers at large those of the industry buy the substance; and whether that is known."""
        state = self._state
        if not industry or state.since_ms < 0 or entry.received_ms - state.since_ms < LEARNING_MS:
            return 0, False
        known = state.pairs.get(f"{buyer}|{code}", ("", 0, 0))[0]
        own, own_industry = known != "", known == industry
        total, of_code = sum(state.industries.values()) - own, state.codes.get(code, 0) - own
        of_industry = state.industries.get(industry, 0) - own_industry
        together = state.both.get(f"{industry}|{code}", 0) - own_industry
        if of_industry * of_code < LEAST_EXPECTED * total or not total:
            return 0, False
        return ratio_ppm(together * total, of_industry * of_code), True

    def _class(self, buyer: str, industry: str, row: dict[str, Any]) -> tuple[int, int]:
        """How many purchases by others of its industry it is compared with, and how far it lies from them.

        Nothing for who has bought the substance often enough to be compared with itself.
        """
        sizes = self._state.sizes.get(f"{industry}|{row['code']}|{row['dimension']}", ())
        times = self._state.pairs.get(f"{buyer}|{row['code']}", ("", 0, 0))[2]
        if len(sizes) < CLASS_LEAST or row["amount"] <= 0 or times >= MIN_SAMPLE:
            return 0, 0
        others = [size for other, size in sizes if other != buyer]
        z_milli = robust_z_milli(ln_micro(row["amount"]), others, CLASS_LEAST)
        return (0, 0) if z_milli is None else (len(others), z_milli)


_NOTHING: dict[str, Any] = {name: {"str": "", "int": 0, "bool": False}[kind] for name, kind in HABITS.items()}


def industry_of(code: str) -> str:
    """The division of a GB/T 4754 code: its first two digits, under which a letter may stand or not."""
    digits = code.lstrip("ABCDEFGHIJKLMNOPQRST")
    return digits[:2]
