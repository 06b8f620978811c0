"""The words of a spreadsheet's cells: what stands in a record -> how it is said in Chinese, the usual word first.

A Chinese word has one meaning in its column. Words that may mean two things are refused with a sentence (`UNCLEAR`).
"""

from __future__ import annotations

WORDS: dict[str, dict[str, tuple[str, ...]]] = {
    "record": {"movement": ("出入库",), "stocktake": ("盘点",)},
    "direction": {"in": ("入库", "入"), "out": ("出库", "出")},
    "reason": {
        "purchase": ("采购", "购买", "购入", "进货"),
        "sale": ("销售", "出售", "售出"),
        "issue": ("领用", "领取", "领料", "发放"),
        "return": ("退库", "退回", "退货", "退料", "归还"),
        "production": ("生产", "产出", "制造"),
        "consumption": ("使用", "消耗", "耗用", "投料"),
        "transfer": ("调拨", "移库", "转库"),
        "dilution": ("稀释",),
        "disposal": ("处置", "销毁"),
        "loss": ("损耗", "损失"),
        "found": ("盘盈", "发现"),
    },
    "loss_cause": {
        "evaporation": ("挥发", "蒸发"),
        "spill": ("泄漏", "洒漏"),
        "sampling": ("取样", "采样", "抽样"),
        "breakage": ("破损", "打碎"),
        "unexplained": ("原因不明", "不明"),
    },
    "goods": {
        "chemical": ("化学品",),
        "explosive": ("爆炸物",),
        "knife": ("刀具", "管制刀具"),
        "vehicle": ("车辆",),
    },
    "unit": {
        "MGM": ("毫克",),
        "GRM": ("克",),
        "KGM": ("千克", "公斤"),
        "TNE": ("吨",),
        "MLT": ("毫升",),
        "LTR": ("升",),
        "MTQ": ("立方米",),
        "H87": ("件",),
    },
    "packaging": {"sealed": ("密封", "密封包装"), "bulk": ("散装",)},
    "form": {
        "solid": ("固体", "固态"),
        "solution": ("溶液",),
        "powder": ("粉末",),
        "pellets": ("丸状",),
        "turnings": ("旋屑",),
        "ribbon": ("带状",),
        "powder-coated": ("有涂层粉末",),
        "powder-uncoated": ("无涂层粉末",),
        "dust": ("尘状",),
        "ash": ("灰状",),
        "massive": ("非粉末形态",),
        "anhydrous": ("无水",),
        "unmodified": ("未改型",),
        "plasticized": ("增塑",),
    },
    "payment_method": {
        "bank_transfer": ("银行转账", "转账"),
        "e_account": ("电子账户",),
        "credit": ("赊账",),
        "cash": ("现金",),
        "barter": ("易货",),
        "none": ("无",),
        "other": ("其他",),
    },
    "complete": {"true": ("是", "yes", "1", "TRUE"), "false": ("否", "no", "0", "FALSE")},
}
UNCLEAR: dict[str, dict[str, str]] = {
    "reason": {
        "报废": "may be goods disposed of (处置) or lost (损耗): write which",
        "盘亏": "is what a stock-take finds and no movement: count (盘点), or write 损耗 with loss_cause (损耗原因) 原因不明",
        "调整": "says not what happened to the goods; a count (盘点) sets the book right",
        "转让": "may be a sale (销售) or a transfer within the enterprise (调拨): write which",
        "转移": "may be a transfer (调拨) or handed out for use (领用): write which",
        "发货": "may be a sale (销售) or a transfer (调拨): write which",
        "配制": "may be a dilution (稀释) or production (生产): write which",
        "生产领用": "may be handed out (领用) or used up (使用): write which",
        "入库": "is a direction (方向); the reason says why, such as 采购",
        "出库": "is a direction (方向); the reason says why, such as 使用",
    },
    "loss_cause": {
        "自然损耗": "may be evaporation (挥发) or unexplained (原因不明): write which",
        "损坏": "may be breakage (破损) or a spill (泄漏): write which",
    },
    "packaging": dict.fromkeys(
        ("桶装", "瓶装", "袋装", "罐装"),
        "does not say whether it is unopened (密封, with pieces) or open (散装): write which",
    ),
    "form": {"液体": "may be a pure liquid (leave the cell empty) or a solution (溶液)"},
    "unit": {"斤": "is half a kilogram: write 千克"},
}
"""Words that people type and that have no one meaning in that column, each with what to write."""
GOES_WITH = {
    "in": ("purchase", "return", "production", "transfer", "dilution", "found", "issue"),
    "out": ("sale", "issue", "return", "consumption", "transfer", "dilution", "disposal", "loss"),
}
"""Direction -> its reasons, as in movement.json."""

_OPEN = frozenset({"form"})
"""Columns where other code words may stand as well."""
_MEANINGS = {
    column: {said: word for word, chinese in words.items() for said in chinese} for column, words in WORDS.items()
}


def meant(column: str, text: str) -> str:
    """What a record holds for this cell; any other text as it is."""
    return _MEANINGS.get(column, {}).get(text, text)


def wrong(column: str, text: str, direction: str = "") -> str:
    """What is wrong with a cell that `meant` has read, and what may stand there; "" when nothing is.

    With a direction, a reason has to go with it.
    """
    words = WORDS.get(column)
    if words is None:
        return ""
    if text in UNCLEAR.get(column, {}):
        return f"{text} {UNCLEAR[column][text]}"
    allowed = GOES_WITH.get(direction, tuple(words)) if column == "reason" else tuple(words)
    if text in allowed or (column in _OPEN and text.isascii()):
        return ""
    listed = ", ".join(_both(column, word) for word in allowed)
    if text in words:
        return f"{_both(column, text)} does not go with {_both('direction', direction)}; with it go {listed}"
    more = ", or another code word of small letters" if column in _OPEN else ""
    return f"{text[:40]!r} is not known; write one of {listed}{more}"


def _both(column: str, word: str) -> str:
    return f"{word} ({WORDS[column][word][0]})"
