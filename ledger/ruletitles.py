"""What rules are called, and what kind of number their inputs are: an id and bare milliseconds say nothing to a person.

Titles are read without the engine, which a web process and most commands do without (it costs a fifth of a second). A rule
that this program does not ship any more has no title here; its alerts keep their reasons.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from types import MappingProxyType
from typing import Any

import yaml

_FORMS = re.compile(r"\{([a-z_][a-z0-9_]*)\|([a-z_]+)\}")
_TIMES = re.compile(r"(?m)^  ([a-z_][a-z0-9_]*): \{(?:value: [0-9]+[smhd]\b|legal: [^,}]+, as: (?:days|hours)\b)")
_SAYS = {
    "amount": "amount",
    "about": "amount",
    "kg": "kg",
    "dense_en": "kg",
    "turned_en": "amount",
    "span": "span",
    "milli": "milli",
    "size": "milli",
} | {
    "percent": "percent",
    "fine": "percent",
    "ratio": "percent",
    "permille": "permille",
}
_GROUNDS = (
    ("milli", "thousandths"),
    ("permille", "permille"),
    ("amount", "microlitres"),
    ("percent", "parts per million"),
    ("percent", "ppm"),
)
_PARTS = re.compile(
    r"(?m)^  ([a-z_][a-z0-9_]*): \{value: -?[0-9]+,.* basis: .*?(thousandths|permille|microlitres|parts per million|ppm)"
)
_OWN: dict[str, Mapping[str, str]] = {
    "RULE-ERROR": {"zh": "规则运行出错", "en": "A rule does not work"},
    "REVOKED": {"zh": "密钥追溯注销，记录失效", "en": "Records voided by a revocation"},
}
"""What the engine says of itself."""


@cache
def rule_titles() -> Mapping[str, Mapping[str, str]]:
    """{"zh": …, "en": …} by the id of every shipped rule, in the order of the ids."""
    found = dict(_OWN)
    for entry in files("ledger").joinpath("rules").iterdir():
        if entry.name.endswith(".yml"):
            head = _head(entry.read_text(encoding="utf-8"))
            found[str(head["id"])] = MappingProxyType(dict(head["title"]))
    return MappingProxyType(dict(sorted(found.items())))


def title_of(rule: str, language: str) -> str:
    """The title of `rule` in "zh" or "en"; nothing for a rule that is not shipped."""
    return rule_titles().get(rule, {}).get(language, "")


@cache
def rule_numbers() -> Mapping[str, Mapping[str, str]]:
    """By rule and input: "amount" (base units of the row's dimension), "kg" (mg), "span" (milliseconds), "percent" (ppm), "permille"
    or "milli" (thousandths of sigma), as far as the rule's file says it: in a reason (`{balance|amount}`), by a parameter that is
    a time (`15m`, or a legal number of days), or in a parameter's basis.
    """
    found: dict[str, Mapping[str, str]] = {}
    for entry in files("ledger").joinpath("rules").iterdir():
        if entry.name.endswith(".yml"):
            text = entry.read_text(encoding="utf-8")
            spans = dict.fromkeys(_TIMES.findall(text), "span")
            forms = {name: _SAYS[form] for name, form in _FORMS.findall(text) if form in _SAYS}
            forms |= {name: next(f for f, word in _GROUNDS if word in basis) for name, basis in _PARTS.findall(text)}
            found[str(_head(text)["id"])] = MappingProxyType(spans | forms)
    return MappingProxyType(found)


def _head(text: str) -> Mapping[str, Any]:
    """`id` and `title` of a rule file, each a line of its own. The whole file is the engine's to read."""
    lines = [line for line in text.splitlines() if line.startswith(("id:", "title:"))]
    head: Mapping[str, Any] = yaml.safe_load("\n".join(lines))
    return head
