"""Listing conditions: the official list's words as typed data.

A condition is what must hold of a substance for its row of the list to apply: a range of concentration with open or
closed ends, a form, and shares of other constituents (water, nitrogen ...), which a goods line does not carry. Text that
the grammar below does not read whole is kept, and everything decided by it is then *ambiguous*, never dropped.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import IntEnum

PPM_PER_PERCENT = 10_000


class Holds(IntEnum):
    """Whether a condition holds, as far as a goods line can tell."""

    NO = 0
    MAYBE = 1
    YES = 2


@dataclass(frozen=True, slots=True)
class Range:
    """Shares by mass in parts per million; None is without end; an open end does not belong to the range."""

    low_ppm: int | None = None
    high_ppm: int | None = None
    low_open: bool = False
    high_open: bool = False

    def holds(self, ppm: int | None) -> Holds:
        """MAYBE for an unknown share."""
        if ppm is None:
            return Holds.MAYBE
        if self.low_ppm is not None and (ppm < self.low_ppm or (self.low_open and ppm == self.low_ppm)):
            return Holds.NO
        if self.high_ppm is not None and (ppm > self.high_ppm or (self.high_open and ppm == self.high_ppm)):
            return Holds.NO
        return Holds.YES

    def text(self) -> str:
        """For people and as part of balance keys: "8%<c<20%", "c>=60%"."""
        low = "" if self.low_ppm is None else f"{_percent(self.low_ppm)}{'<' if self.low_open else '<='}"
        high = "" if self.high_ppm is None else f"{'<' if self.high_open else '<='}{_percent(self.high_ppm)}"
        return f"{low}c{high}"


@dataclass(frozen=True, slots=True)
class Constituent:
    """The share of something else in it: `name` is water, ethanol, water+ethanol, nitrogen, acetic_acid ..."""

    name: str
    share: Range


@dataclass(frozen=True, slots=True)
class Condition:
    """One row's condition; all parts must hold. `text_zh` is the source's, word for word."""

    text_zh: str
    concentration: Range | None = None
    forms: frozenset[str] = frozenset()
    constituents: tuple[Constituent, ...] = ()
    parsed: bool = True

    def holds(self, concentration_ppm: int | None, form: str | None, listed_forms: frozenset[str]) -> Holds:
        """Whether this row applies; `listed_forms` are those of all rows of the same substance.

        A form that no row lists excludes none of them: the caller then takes the strictest row.
        """
        answer = Holds.YES if self.parsed else Holds.MAYBE
        if self.concentration is not None:
            answer = min(answer, self.concentration.holds(concentration_ppm))
        if self.forms and form not in self.forms:
            answer = min(answer, Holds.NO if form in listed_forms else Holds.MAYBE)
        for constituent in self.constituents:
            # Dry says what a line otherwise cannot: that there is no water or ethanol in it.
            share = 0 if form == "dry" and constituent.name in _LIQUIDS else None
            answer = min(answer, constituent.share.holds(share))
        return answer


_LIQUIDS = frozenset({"water", "ethanol", "water+ethanol"})

_FORMS = {
    "固体": {"solid"},
    "溶液": {"solution"},
    "粉末": {"powder"},
    "粉状": {"powder"},
    "粉末状镁铝合金": {"powder"},
    "丸状、旋屑或带状": {"pellets", "turnings", "ribbon"},
    "有涂层": {"powder-coated"},
    "无涂层": {"powder-uncoated"},
    "尘状": {"dust"},
    "灰状": {"ash"},
    "非粉末形态": {"massive"},
    "无水": {"anhydrous"},
    "未改型的": {"unmodified", "plasticized"},
    "或增塑的": {"unmodified", "plasticized"},
}
_CONSTITUENTS = {
    "水": "water",
    "水或乙醇": "water+ethanol",
    "乙醇": "ethanol",
    "乙酸": "acetic_acid",
    "过氧化氢": "hydrogen_peroxide",
    "氮": "nitrogen",
    "氮量": "nitrogen",
    "增塑剂": "plasticizer",
}
_DRY_OR = "干的或"
_STABILISED = "含有稳定剂"
# The share of the substance itself, in the words of the list; nitrocellulose solution names itself.
_ITSELF = ("含量", "浓度", "含硝化纤维素")

_NUMBER = r"([0-9]+(?:\.[0-9]+)?)%"
_OPERATOR = r"([<>≤≥])"
_ONE_SIDED = re.compile(rf"(\D+?){_OPERATOR}{_NUMBER}")
_TWO_SIDED = re.compile(rf"{_NUMBER}([<≤])(\D+?)([<≤]){_NUMBER}")
_FROM_TO = re.compile(r"(\D+?)([0-9]+(?:\.[0-9]+)?)%～([0-9]+(?:\.[0-9]+)?)%")


def _ppm(percent: str) -> int:
    whole, _, fraction = percent.partition(".")
    return int(whole + fraction.ljust(4, "0")[:4])


def _percent(ppm: int) -> str:
    whole, rest = divmod(ppm, PPM_PER_PERCENT)
    tail = f"{rest:04d}".rstrip("0")
    return f"{whole}.{tail}%" if tail else f"{whole}%"


def _one_sided(operator: str, percent: str) -> Range:
    is_open = operator in "<>"
    if operator in "<≤":
        return Range(high_ppm=_ppm(percent), high_open=is_open)
    return Range(low_ppm=_ppm(percent), low_open=is_open)


def _range_of(clause: str) -> tuple[str, Range] | None:
    """What is measured and its range, of one clause; None where it is no range."""
    if match := _TWO_SIDED.fullmatch(clause):
        low, left, subject, right, high = match.groups()
        return subject, Range(_ppm(low), _ppm(high), low_open=left == "<", high_open=right == "<")
    if match := _FROM_TO.fullmatch(clause):
        subject, low, high = match.groups()
        return subject, Range(_ppm(low), _ppm(high))
    if match := _ONE_SIDED.fullmatch(clause):
        subject, operator, percent = match.groups()
        return subject, _one_sided(operator, percent)
    return None


def parse_condition(text_zh: str) -> Condition:
    """The typed condition of one row; `parsed` is False where a clause was not understood."""
    concentration: Range | None = None
    forms: set[str] = set()
    constituents: list[Constituent] = []
    parsed = True
    for clause in filter(None, text_zh.split("，")):
        if clause in _FORMS:
            forms |= _FORMS[clause]
        elif clause == _STABILISED:
            constituents.append(Constituent("stabiliser", Range(low_ppm=0, low_open=True)))
        elif measured := _range_of(clause.removeprefix(_DRY_OR)):
            subject, share = measured
            if subject in _ITSELF and concentration is None:
                concentration = share
            elif subject.removeprefix("含") in _CONSTITUENTS:
                constituents.append(Constituent(_CONSTITUENTS[subject.removeprefix("含")], share))
            else:
                parsed = False
        else:
            parsed = False
    return Condition(text_zh, concentration, frozenset(forms), tuple(constituents), parsed)
