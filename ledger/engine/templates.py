"""Reasons in both languages, with the numbers in them: `{difference|amount}`, `{fill_ppm|percent}`, `{buyer}`."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from ledger.core.quantity import format_mass, format_volume
from ledger.core.times import format_utc
from ledger.errors import RuleError
from ledger.model import UnixMs

_PLACE = re.compile(r"\{([A-Za-z_]\w*)(?:\|(\w+))?\}")


def _amount(value: Any, row: Mapping[str, Any]) -> str:
    dimension = row["dimension"]
    if dimension == "mass":
        return format_mass(value)
    return format_volume(value) if dimension == "volume" else f"{value:,}"


def _percent(value: Any, _: Mapping[str, Any]) -> str:
    sign, size = ("-", -value) if value < 0 else ("", value)
    return f"{sign}{size // 10_000}.{size % 10_000 // 1000} %"


def _fine(value: Any, _: Mapping[str, Any]) -> str:
    sign, size = ("-", -value) if value < 0 else ("", value)
    return f"{sign}{size // 10_000}.{size % 10_000 // 10:03d} %"


def _milli(value: Any, _: Mapping[str, Any]) -> str:
    sign, size = ("-", -value) if value < 0 else ("", value)
    return f"{sign}{size // 1000}.{size % 1000 // 10:02d}"


def _span(value: Any, _: Mapping[str, Any]) -> str:
    minutes = value // 60_000
    days, rest = divmod(minutes, 1440)
    hours, minutes = divmod(rest, 60)
    parts = [f"{n} {unit}" for n, unit in ((days, "d"), (hours, "h"), (minutes, "min")) if n]
    return " ".join(parts) or "0 min"


_WORDS = {
    "highly_toxic": ("剧毒化学品", "highly toxic"),
    "explosive_precursor": ("易制爆危险化学品", "explosive precursor"),
    "purchase": ("购买", "purchase"),
    "sell": ("销售", "sale"),
    "produce": ("生产", "production"),
    "cash": ("现金", "cash"),
    "barter": ("易货", "barter"),
    "credit": ("赊账", "credit"),
    "none": ("无", "none"),
    "other": ("其他", "other means"),
    "agent": ("经办人", "agent"),
    "counterparty": ("购买人", "buyer"),
    "handler": ("经手人", "handler"),
    "driver": ("驾驶人", "driver"),
    "escort": ("押运人", "escort"),
    "identity": ("有效身份证号", "a valid ID number"),
    "buyer_photo": ("购买人照片", "a photograph of the buyer"),
    "goods_photo": ("刀具照片", "a photograph of the knife"),
    "drug_precursor_1": ("第一类易制毒化学品", "drug precursor of class 1"),
    "drug_precursor_2": ("第二类易制毒化学品", "drug precursor of class 2"),
    "drug_precursor_3": ("第三类易制毒化学品", "drug precursor of class 3"),
}


def _word(language: int) -> Callable[[Any, Mapping[str, Any]], str]:
    """A vocabulary's word in one language, or several joined by ", "; a word that is not listed stands as it is."""

    def show(value: Any, _: Mapping[str, Any]) -> str:
        words = [_WORDS[word][language] if word in _WORDS else word for word in str(value).split(", ")]
        return ("、", ", ")[language].join(words)

    return show


def _pieces(before: str, after: str) -> Callable[[Any, Mapping[str, Any]], str]:
    """How many packages, in brackets, for goods that are counted; nothing for bulk, which has none."""
    return lambda value, row: f"{before}{value:,}{after}" if row["sealed"] else ""


def _seller(before: str, after: str, told: str) -> Callable[[Any, Mapping[str, Any]], str]:
    """The other end of a purchase, and whether it is the one who told of it; nothing where no seller is stated."""
    return lambda value, row: f"{before}{value}{told if row['by_seller'] else ''}{after}" if value else ""


def _own(text: str) -> Callable[[Any, Mapping[str, Any]], str]:
    """The sigma that a stream's own balances give, with their number; nothing before there are two."""
    return lambda value, row: text.format(_amount(value, row), row["n"]) if row["n"] > 1 else ""


FORMATS: dict[str, Callable[[Any, Mapping[str, Any]], str]] = {
    "": lambda value, _: str(value),
    "int": lambda value, _: f"{value:,}",
    "pieces_zh": _pieces("（", " 件）"),
    "pieces_en": _pieces(" (", " pieces)"),
    "seller_zh": _seller("（供方 ", "）", "，据供方记录"),
    "seller_en": _seller(" from ", "", " (by the seller's record)"),
    "last_zh": _seller("；最近一次供方 ", "", "（据供方记录）"),
    "last_en": _seller("; last from ", "", " (by the seller's record)"),
    "own_zh": _own("；按本物料流自身 {1} 次平衡估计的标准差为 {0}"),
    "own_en": _own("; by its own {1} balances the standard deviation is {0}"),
    "kg": lambda value, _: format_mass(value),
    "amount": _amount,
    "percent": _percent,
    "fine": _fine,
    "milli": _milli,
    "time": lambda value, _: format_utc(UnixMs(value)),
    "span": _span,
    "zh": _word(0),
    "en": _word(1),
    "short": lambda value, _: str(value)[:12],
}


class Template:
    """A checked reason in one language. `names` are the fields it shows."""

    __slots__ = ("_source", "names")

    def __init__(self, source: str, fields: Mapping[str, str], parameters: Iterable[str]) -> None:
        """Raises RuleError for an unknown field or format, or a brace that is no place."""
        rest = _PLACE.sub("", source)
        if "{" in rest or "}" in rest:
            raise RuleError("a brace that is no {name} or {name|format}")
        numbers = {name for name, kind in fields.items() if kind == "int"} | set(parameters)
        for name, form in _PLACE.findall(source):
            if name not in fields and name not in numbers:
                raise RuleError(f"unknown name {name} in a reason")
            if form not in FORMATS:
                raise RuleError(f"unknown format {form}; known are {', '.join(sorted(FORMATS)[1:])}")
            if (
                form not in ("", "short", "zh", "en", "seller_zh", "seller_en", "last_zh", "last_en")
                and name not in numbers
            ):
                raise RuleError(f"{name} is no number, so {form} cannot show it")
            if form == "amount" and "dimension" not in fields:
                raise RuleError("amount needs a row with a dimension")
            for start, needed in (
                ("seller_", "by_seller"),
                ("last_", "by_seller"),
                ("own_", "n"),
                ("own_", "dimension"),
            ):
                if form.startswith(start) and needed not in fields:
                    raise RuleError(f"{form} needs a row with {needed}")
            if form.startswith("pieces_") and "sealed" not in fields:
                raise RuleError(f"{form} needs a row that says whether goods are sealed")
        self._source = source
        self.names = tuple(sorted({name for name, _ in _PLACE.findall(source)}))

    def render(self, row: Mapping[str, Any]) -> str:
        """The reason with the row's values."""
        return _PLACE.sub(lambda place: FORMATS[place[2] or ""](row[place[1]], row), self._source)
