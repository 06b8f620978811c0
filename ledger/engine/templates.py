"""Reasons in both languages, with the numbers in them: `{difference|amount}`, `{fill_ppm|percent}`, `{buyer}`."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from ledger.core.balancekey import key_parts
from ledger.core.quantity import format_mass, format_volume
from ledger.core.times import format_utc
from ledger.errors import RuleError
from ledger.model import UnixMs

_PLACE = re.compile(r"\{([A-Za-z_]\w*)(?:\|(\w+))?\}")


_NONE = {"mass": "0 kg", "volume": "0 L"}
"""Nothing is said in the unit that people weigh by: "0 mg" reads like a measurement."""
_FIGURES = 3
_Z_SHOWN = 1_000_000
"""Thousandths of sigma above which a number says no more than "far more": where all were the same, sigma is next to nothing."""


def _amount(value: Any, row: Mapping[str, Any]) -> str:
    dimension = row["dimension"]
    if value == 0 and dimension in _NONE:
        return _NONE[dimension]
    if dimension == "mass":
        return format_mass(value)
    return format_volume(value) if dimension == "volume" else f"{value:,}"


def _about(value: Any, row: Mapping[str, Any]) -> str:
    """An estimate: three figures of it, rounded half up; what was counted or weighed is shown exactly (`amount`)."""
    step = 10 ** max(len(str(abs(value))) - _FIGURES, 0)
    return _amount((2 * abs(value) + step) // (2 * step) * step * (-1 if value < 0 else 1), row)


def _percent(value: Any, _: Mapping[str, Any]) -> str:
    sign, size = ("-", -value) if value < 0 else ("", value)
    return f"{sign}{size // 10_000}.{size % 10_000 // 1000} %"


def _fine(value: Any, _: Mapping[str, Any]) -> str:
    sign, size = ("-", -value) if value < 0 else ("", value)
    return f"{sign}{size // 10_000}.{size % 10_000 // 10:03d} %"


def _milli(value: Any, _: Mapping[str, Any]) -> str:
    sign, size = ("-", -value) if value < 0 else ("", value)
    return f"{sign}{size // 1000}.{size % 1000 // 10:02d}"


def _size(value: Any, _: Mapping[str, Any]) -> str:
    """How many sigmas, whichever way: the sentence says which."""
    size = abs(value)
    return f"> {_Z_SHOWN // 1000:,}" if size > _Z_SHOWN else f"{size // 1000}.{size % 1000 // 10:02d}"


def _ratio(value: Any, _: Mapping[str, Any]) -> str:
    """Parts per million as how many times."""
    return f"{value // 1_000_000:,}.{value % 1_000_000 // 10_000:02d}"


def _permille(value: Any, _: Mapping[str, Any]) -> str:
    return f"{value // 10}.{value % 10} %"


def _span(*words: str) -> Callable[[Any, Mapping[str, Any]], str]:
    """A span of time: days, hours and minutes by these words, or seconds where there is no whole minute."""

    def show(value: Any, _: Mapping[str, Any]) -> str:
        days, rest = divmod(value // 60_000, 1440)
        parts = [f"{n} {word}" for n, word in zip((days, *divmod(rest, 60)), words, strict=False) if n]
        return " ".join(parts) or f"{value // 1000} {words[3]}"

    return show


_WORDS = {
    "highly_toxic": ("剧毒化学品", "highly toxic"),
    "explosive_precursor": ("易制爆危险化学品", "explosive precursor"),
    "drug_precursor": ("易制毒化学品", "drug precursor"),
    "hazardous": ("危险化学品", "hazardous chemical"),
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
    "in": ("入库", "receipt"),
    "out": ("出库", "dispatch"),
    "stocktake": ("盘点", "stock count"),
    "movement": ("出入库", "movement"),
    "incident": ("事件", "incident"),
    "filing": ("备案", "filing"),
    "licence": ("许可证", "licence"),
    "person": ("人员", "person"),
    "place": ("场所", "place"),
    "profile": ("单位概况", "profile"),
    "rental": ("租赁", "rental"),
    "reply": ("答复", "reply"),
    "close": ("日结", "daily close"),
    "dagger": ("匕首", "dagger"),
    "three_edged": ("三棱刀", "three-edged"),
    "spring_lock": ("带自锁弹簧刀", "with a spring lock"),
    "folding": ("折叠刀", "folding"),
    "driver": ("驾驶人", "driver"),
    "escort": ("押运人", "escort"),
    "identity": ("有效身份证号", "a valid ID number"),
    "buyer_photo": ("购买人照片", "a photograph of the buyer"),
    "goods_photo": ("刀具照片", "a photograph of the knife"),
    "drug_precursor_1": ("第一类易制毒化学品", "drug precursor of class 1"),
    "drug_precursor_2": ("第二类易制毒化学品", "drug precursor of class 2"),
    "drug_precursor_3": ("第三类易制毒化学品", "drug precursor of class 3"),
}


_GROUPS = {
    "AC": ("酸类", "acid"),
    "BA": ("碱类", "base"),
    "CN": ("氰化物或叠氮化物", "cyanide or azide"),
    "EXP": ("爆炸物", "explosive"),
    "FG": ("易燃气体", "flammable gas"),
    "FL": ("易燃液体", "flammable liquid"),
    "FS": ("易燃固体", "flammable solid"),
    "OG": ("氧化性气体", "oxidising gas"),
    "OP": ("有机过氧化物", "organic peroxide"),
    "OX": ("氧化剂", "oxidiser"),
    "SC": ("自燃物质", "pyrophoric or self-heating"),
    "TG": ("有毒气体", "toxic gas"),
    "TX": ("毒害品", "toxic"),
    "WR": ("遇水反应物质", "water-reactive"),
    "*": ("其他物质", "anything else"),
}
"""Storage groups of costorage_matrix.csv."""


def _pair(language: int) -> Callable[[Any, Mapping[str, Any]], str]:
    """Two storage groups, `FL+OX`, in words."""
    both = ("与", " and ")[language]
    return lambda value, _: both.join(_GROUPS[g][language] if g in _GROUPS else g for g in str(value).split("+"))


def _said(before: str, after: str, nothing: str) -> Callable[[Any, Mapping[str, Any]], str]:
    """A text in its words, or what is said where it is not stated."""
    return lambda value, _: f"{before}{value}{after}" if value else nothing


def _word(language: int) -> Callable[[Any, Mapping[str, Any]], str]:
    """A vocabulary's word in one language, or several joined by ", "; a word that is not listed stands as it is."""

    def show(value: Any, _: Mapping[str, Any]) -> str:
        words = [_WORDS[word][language] if word in _WORDS else word for word in str(value).split(", ")]
        return ("、", ", ")[language].join(words)

    return show


def _only(language: int, before: str, after: str, nothing: str) -> Callable[[Any, Mapping[str, Any]], str]:
    """The goods that alone are meant, in a vocabulary's words, or what stands there where all are."""
    word = _word(language)
    return lambda value, row: f"{before}{word(value, row)}{after}" if value else nothing


def _pieces(before: str, after: str, one: str) -> Callable[[Any, Mapping[str, Any]], str]:
    """How many packages, in brackets, for goods that are counted; nothing for bulk, which has none."""
    return lambda value, row: f"{before}{value:,}{one if value in (1, -1) else after}" if row["sealed"] else ""


def _seller(before: str, after: str, told: str) -> Callable[[Any, Mapping[str, Any]], str]:
    """The other end of a purchase, and whether it is the one who told of it; nothing where no seller is stated."""
    return lambda value, row: f"{before}{value}{told if row['by_seller'] else ''}{after}" if value else ""


def _own(text: str) -> Callable[[Any, Mapping[str, Any]], str]:
    """The sigma that a stream's own balances give, with their number; nothing before there are two."""
    return lambda value, row: text.format(_about(value, row), row["n"]) if row["n"] > 1 else ""


def _assumed(text: str) -> Callable[[Any, Mapping[str, Any]], str]:
    """Of how many goods the mass rests on an assumed density, and what of S that is; nothing where all was weighed."""
    return lambda value, row: text.format(value, _ratio(row["assumed_ppm"], row)) if value else ""


def _turned(text: str) -> Callable[[Any, Mapping[str, Any]], str]:
    """How much of an amount was stated in another dimension; nothing where all was in this one."""
    return lambda value, row: text.format(_amount(value, row)) if value else ""


def _counted(text: str) -> Callable[[Any, Mapping[str, Any]], str]:
    """A text with a number in it, or nothing where that is 0."""
    return lambda value, _: text.format(value) if value else ""


def _dense(before: str, after: str) -> Callable[[Any, Mapping[str, Any]], str]:
    """How much of a mass is a volume by an assumed density; nothing where all was weighed."""
    return lambda value, _: f"{before}{format_mass(value)}{after}" if value else ""


def _kind(strength: str, batch: str, between: str, brackets: str) -> Callable[[Any, Mapping[str, Any]], str]:
    """Of a balance key its concentrations and its batch, in brackets; nothing where it has neither."""

    def show(value: Any, _: Mapping[str, Any]) -> str:
        parts = key_parts(value)
        said = [f"{strength}{parts.band.replace('<=', '≤')}"] if parts.band else []
        said += [f"{batch}{parts.batch}"] if parts.batch else []
        return brackets.format(between.join(said)) if said else ""

    return show


FORMATS: dict[str, Callable[[Any, Mapping[str, Any]], str]] = {
    "": lambda value, _: str(value),
    "int": lambda value, _: f"{value:,}",
    "pieces_zh": _pieces("（", " 件）", " 件）"),
    "pieces_en": _pieces(" (", " pieces)", " piece)"),
    "kind_zh": _kind("浓度 ", "批号 ", "，", "（{}）"),
    "kind_en": _kind("", "batch ", ", ", " ({})"),
    "seller_zh": _seller("（供方 ", "）", "，据供方记录"),
    "seller_en": _seller(" from ", "", " (by the seller's record)"),
    "last_zh": _seller("；最近一次供方 ", "", "（据供方记录）"),
    "last_en": _seller("; last from ", "", " (by the seller's record)"),
    "own_zh": _own("；按本物料流自身 {1} 次平衡，标准差约为 {0}"),
    "own_en": _own("; by its own {1} balances the standard deviation is about {0}"),
    "assumed_zh": _assumed("；S 中 {1} 由体积按默认密度折算（{0:,} 种物质，密度为工程默认值）"),
    "assumed_en": _assumed("; {1} of S is volumes by assumed densities (substances: {0:,}; engineering defaults)"),
    "dense_zh": _dense("（其中 ", " 由体积按工程默认密度折算）"),
    "dense_en": _dense(" (", " of it volumes by assumed densities, an engineering default)"),
    "turned_zh": _turned("（其中 {} 按工程默认密度换算）"),
    "turned_en": _turned(" ({} of it by assumed densities, an engineering default)"),
    "unweighed_zh": _counted("；另有 {:,} 种物质只有体积或件数，未计入"),
    "unweighed_en": _counted("; not counted for want of a mass, substances: {:,}"),
    "age_zh": _counted("（未注明有效期，按易形成过氧化物物质自入库起 {:,} 个月的存放期限推定，工程默认值）"),
    "age_en": _counted(
        " (no date stated; from the age limit of {:,} months for peroxide formers, an engineering default)"
    ),
    "kg": lambda value, _: format_mass(value) if value else _NONE["mass"],
    "amount": _amount,
    "about": _about,
    "percent": _percent,
    "permille": _permille,
    "ratio": _ratio,
    "fine": _fine,
    "milli": _milli,
    "size": _size,
    "time": lambda value, _: format_utc(UnixMs(value)),
    "span": _span("d", "h", "min", "s"),
    "span_zh": _span("天", "小时", "分钟", "秒"),
    "zh": _word(0),
    "en": _word(1),
    "pair_zh": _pair(0),
    "pair_en": _pair(1),
    "only_zh": _only(0, "（", "）", " "),
    "only_en": _only(1, " (", ")", ""),
    "share_zh": lambda value, row: f"（{_percent(value, row)}）" if value else "",
    "share_en": lambda value, row: f" ({_percent(value, row)})" if value else "",
    "batch_zh": _said("（批号 ", "）", ""),
    "batch_en": _said(" (consignment ", ")", ""),
    "goods_zh": _said(" ", " ", "未列明的物品"),
    "goods_en": _said("", "", "goods that are not named"),
    "unit_zh": lambda value, _: "全场（未划分单元）" if value == "*" else f"单元 {value}",
    "unit_en": lambda value, _: "the whole site" if value == "*" else f"unit {value}",
    "path": lambda value, _: " → ".join(str(value).split(">")),
    "short": lambda value, _: str(value)[:12],
}
"""How a value may be shown; those that end in a language are for that language's sentence."""
_OF_TEXT = ("", "short", "zh", "en", "path")
_STARTS_OF_TEXT = ("kind_", "seller_", "last_", "pair_", "batch_", "goods_", "only_", "unit_")
_NEEDS = {
    "amount": ("dimension",),
    "about": ("dimension",),
    "seller": ("by_seller",),
    "last": ("by_seller",),
    "own": ("n", "dimension"),
    "assumed": ("assumed_ppm",),
    "turned": ("dimension",),
    "pieces": ("sealed",),
}
"""Fields of the row that a format, or both languages' formats, looks at beside its own value."""


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
            if form.startswith("kind_") and name != "key":
                raise RuleError(f"{form} shows what a balance key says, and {name} is none")
            if form not in _OF_TEXT and not form.startswith(_STARTS_OF_TEXT) and name not in numbers:
                raise RuleError(f"{name} is no number, so {form} cannot show it")
            lacking = [field for field in _NEEDS.get(form.partition("_")[0], ()) if field not in fields]
            if lacking:
                raise RuleError(f"{form} needs a row with {' and '.join(lacking)}")
        self._source = source
        self.names = tuple(sorted({name for name, _ in _PLACE.findall(source)}))

    def render(self, row: Mapping[str, Any]) -> str:
        """The reason with the row's values."""
        return _PLACE.sub(lambda place: FORMATS[place[2] or ""](row[place[1]], row), self._source)
