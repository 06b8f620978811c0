"""What is usual for buyers of a substance: how much they buy, which industries buy it, and what they state it is for.

Learned from the buyers' own records, and for a judgement only from other buyers than the one that is judged. A purchase is
judged by what had happened LAG_MS before it: all of that has come by then, so that the order in which records come plays no part.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Sequence
from datetime import date
from typing import Any

import msgspec

from ledger.engine.days import DAY_MS
from ledger.engine.goods import Goods
from ledger.engine.inputs import Input, happened_ms
from ledger.engine.lanes import HORIZON_MS
from ledger.engine.register import Register
from ledger.engine.statistics import MIN_SAMPLE, ln_micro, ratio_ppm, robust_z_milli
from ledger.engine.topics.licences import Licences, status_at
from ledger.engine.topics.linked import Linked

CONTROLLED = ("explosive_precursor", "highly_toxic", "drug_precursor")
LAG_MS = HORIZON_MS
"""As long as a record may come late."""
FORGET_MS = 400 * DAY_MS
"""A substance that a buyer has not bought for so long no longer speaks for its industry."""
LEARNING_MS = 90 * DAY_MS
"""How long the log is learned from before an industry is compared (catalogue B13)."""
LEAST_EXPECTED = 5
"""Buyers of an industry that would buy a substance by chance, from which on it says something that none does."""
CLASS_SIZE = 128
CLASS_OF_ONE = 4
"""Newest purchases of a substance that are compared with, and how many of one buyer: nobody makes the measure alone."""
MOST_SIZES = 1024
"""Of one class that are kept."""
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


class Pair(msgspec.Struct, array_like=True):
    """A buyer and a substance that it buys."""

    industry: str
    """Of the buyer at the newest purchase."""
    newest_ms: int
    firsts: list[int]
    """Event times of the first MIN_SAMPLE purchases, ascending."""


Size = tuple[int, str, int, int]
"""(event ms, buyer, ln of the amount in millionths, index of the entry): sorts alike whatever came first."""


class HabitsState(msgspec.Struct):
    """By buyer|code; by industry; by code; by industry|code; by industry|code|dimension."""

    since_ms: int = -1
    """The first purchase."""
    pairs: dict[str, Pair] = {}
    industries: dict[str, int] = {}
    codes: dict[str, int] = {}
    both: dict[str, int] = {}
    """Pairs of a known industry."""
    lately: dict[str, int] = {}
    """Pairs whose first purchase is no older than what may be judged -> when that was."""
    sizes: dict[str, list[Size]] = {}
    """Ascending."""


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
        state, at_ms = self._state, happened_ms(entry)
        industry = self._industry(entry)
        for line, listing, _ in goods:
            if listing.categories.isdisjoint(CONTROLLED):
                continue
            if state.since_ms < 0 or at_ms < state.since_ms:
                state.since_ms = at_ms
            if line.amount > 0:
                sizes = state.sizes.setdefault(f"{industry}|{line.code}|{line.dimension}", [])
                insort(sizes, (at_ms, entry.holder, ln_micro(line.amount), _index(entry)))
                del sizes[:-MOST_SIZES]
            self._pair(f"{entry.holder}|{line.code}", industry, at_ms)

    def unlearn(self, before: Input, goods: Sequence[Goods]) -> None:
        """Take a purchase out again. That its buyer buys the substance is not unsaid: a correction seldom means that."""
        industry, index = self._industry(before), _index(before)
        for line, _, _ in goods:
            at = f"{industry}|{line.code}|{line.dimension}"
            kept = [size for size in self._state.sizes.get(at, ()) if size[3] != index]
            if kept:
                self._state.sizes[at] = kept
            else:
                self._state.sizes.pop(at, None)

    def _industry(self, entry: Input) -> str:
        return industry_of(self._register.profile_at(entry.holder, entry.event_ms).industry)

    def _pair(self, name: str, industry: str, at_ms: int) -> None:
        pair = self._state.pairs.get(name)
        if pair is None:
            self._state.pairs[name] = Pair(industry, at_ms, [at_ms])
            self._count(name, industry, 1)
            self._state.lately[name] = at_ms
            return
        if at_ms >= pair.newest_ms and industry != pair.industry:
            self._count(name, pair.industry, -1)
            self._count(name, industry, 1)
            pair.industry = industry
        pair.newest_ms = max(pair.newest_ms, at_ms)
        if at_ms < pair.firsts[0]:
            self._state.lately[name] = at_ms
        if (len(pair.firsts) < MIN_SAMPLE or at_ms < pair.firsts[-1]) and at_ms not in pair.firsts:
            insort(pair.firsts, at_ms)
            del pair.firsts[MIN_SAMPLE:]

    def _count(self, name: str, industry: str, by: int) -> None:
        if not industry:
            return
        code = name.partition("|")[2]
        for counts, at in (
            (self._state.industries, industry),
            (self._state.codes, code),
            (self._state.both, f"{industry}|{code}"),
        ):
            counts[at] = counts.get(at, 0) + by
            if not counts[at]:
                del counts[at]

    def prune(self, now_ms: int) -> None:
        """Forget who has not bought for long, and of sizes those that no purchase is compared with any more."""
        state = self._state
        for name in [name for name, pair in state.pairs.items() if pair.newest_ms <= now_ms - FORGET_MS]:
            self._count(name, state.pairs.pop(name).industry, -1)
        oldest = now_ms - 2 * LAG_MS
        state.lately = {name: at_ms for name, at_ms in state.lately.items() if at_ms > oldest and name in state.pairs}
        for at, sizes in state.sizes.items():
            settled = bisect_left(sizes, (oldest,))
            if settled > CLASS_SIZE:
                state.sizes[at] = [*_newest(sizes[:settled], ""), *sizes[settled:]]

    # --- asking ------------------------------------------------------------------------------------------------------

    def about(self, entry: Input, buyer: str, row: dict[str, Any]) -> dict[str, Any]:
        """The fields HABITS of a row about a purchase; of what is not controlled, nothing is asked."""
        categories = set(row["categories"])
        if categories.isdisjoint(CONTROLLED):
            return _NOTHING | {"party": buyer}
        profile = self._register.profile_at(buyer, entry.event_ms)
        statement, age_ms = self._statement(buyer, row["code"], categories, entry)
        then_ms = happened_ms(entry) - LAG_MS
        lift_ppm, known = self._lift(buyer, industry_of(profile.industry), row["code"], then_ms)
        n, z_milli = self._class(buyer, industry_of(profile.industry), row, then_ms)
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
            if status_at(one, entry.event_ms) != "valid" or one.valid_to < day:
                best = "expired" if best == "none" else best
                continue
            age = (date.fromisoformat(day) - date.fromisoformat(one.valid_from)).days
            best, age_days = "stated", age if best != "stated" else min(age, age_days)
        return best, age_days * DAY_MS if best == "stated" else 0

    def _lift(self, buyer: str, industry: str, code: str, then_ms: int) -> tuple[int, bool]:
        """How many times as often as buyers at large those of the industry buy the substance; and whether that is known."""
        state = self._state
        if not industry or state.since_ms < 0 or then_ms + LAG_MS - state.since_ms < LEARNING_MS:
            return 0, False
        own = f"{buyer}|{code}"
        # Counted are all; of what is not to count, there is little.
        out = [name for name, first_ms in state.lately.items() if first_ms > then_ms and name != own]
        out += [own] if own in state.pairs else []
        left = [(state.pairs[name].industry, name.partition("|")[2]) for name in out if name in state.pairs]
        left = [(of, bought) for of, bought in left if of]
        total = sum(state.industries.values()) - len(left)
        of_code = state.codes.get(code, 0) - sum(bought == code for _, bought in left)
        of_industry = state.industries.get(industry, 0) - sum(of == industry for of, _ in left)
        together = state.both.get(f"{industry}|{code}", 0) - left.count((industry, code))
        if of_industry * of_code < LEAST_EXPECTED * total or not total:
            return 0, False
        return ratio_ppm(together * total, of_industry * of_code), True

    def _class(self, buyer: str, industry: str, row: dict[str, Any], then_ms: int) -> tuple[int, int]:
        """How many purchases by others of its industry it is compared with, and how far it lies from them.

        Nothing for who has bought the substance often enough to be compared with itself.
        """
        sizes = self._state.sizes.get(f"{industry}|{row['code']}|{row['dimension']}", ())
        pair = self._state.pairs.get(f"{buyer}|{row['code']}")
        often = pair is not None and len(pair.firsts) == MIN_SAMPLE and pair.firsts[-1] <= then_ms
        if len(sizes) < CLASS_LEAST or row["amount"] <= 0 or often:
            return 0, 0
        others = [size for _, _, size, _ in _newest(sizes[: bisect_left(sizes, (then_ms,))], buyer)]
        z_milli = robust_z_milli(ln_micro(row["amount"]), others, CLASS_LEAST)
        return (0, 0) if z_milli is None else (len(others), z_milli)


def _index(entry: Input) -> int:
    return int((entry.before or entry).index)


def _newest(sizes: Sequence[Size], but: str) -> list[Size]:
    """The newest CLASS_SIZE of these, CLASS_OF_ONE of one buyer, none of the buyer `but`; ascending."""
    of_one: dict[str, int] = {}
    kept: list[Size] = []
    for size in reversed(sizes):
        times = of_one.get(size[1], 0)
        if size[1] != but and times < CLASS_OF_ONE:
            of_one[size[1]] = times + 1
            kept.append(size)
            if len(kept) == CLASS_SIZE:
                break
    return kept[::-1]


_NOTHING: dict[str, Any] = {name: {"str": "", "int": 0, "bool": False}[kind] for name, kind in HABITS.items()}


def industry_of(code: str) -> str:
    """The division of a GB/T 4754 code: its first two digits, under which a letter may stand or not."""
    digits = code.lstrip("ABCDEFGHIJKLMNOPQRST")
    return digits[:2]
