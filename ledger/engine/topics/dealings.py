"""Purchases and sales of listed goods: with whom, and how they are paid; and movements outside a site's stated hours."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from ledger.engine.goods import Goods
from ledger.engine.inputs import Input
from ledger.engine.register import Register, local_time
from ledger.engine.subjects import COMMON, Subject
from ledger.engine.topics.base import Row, Topic, common
from ledger.engine.topics.licences import NEEDS

ACTS = {"purchase": "purchase", "sale": "sell"}
NEEDED = frozenset(NEEDS)
_ON_THE_ROAD = ("sale", "transfer", "return")


def first_listed(goods: Sequence[Goods]) -> str:
    """Code of the first goods of a category that needs a licence; "" where there are none."""
    for item in goods:
        if not NEEDED.isdisjoint(item.listing.categories):
            return item.line.code
    return ""


class Dealings(Topic):
    """Remembers nothing."""

    kinds = frozenset({"movement"})
    goods = NEEDED | {"chemical"}
    papers = frozenset({"place"})
    subjects = (
        # A purchase or sale of goods of one listed category, whatever its lines.
        Subject(
            "deal",
            level=False,
            fields=COMMON
            | {
                "need": "str",
                "act": "str",
                "code": "str",
                "counterparty": "str",
                "counterparty_type": "str",
                "payment_method": "str",
                "pesticide": "bool",
            },
        ),
        # A movement of chemicals outside the hours that the site's `place` record states: its shift plan.
        Subject(
            "off_hours",
            level=False,
            fields=COMMON
            | {
                "code": "str",
                "categories": "list",
                "direction": "str",
                "reason": "str",
                "minute": "int",
                "clock": "str",
                "is_workday": "bool",
                "road": "bool",
            },
        ),
    )

    def __init__(self, register: Register) -> None:
        self._register = register

    def apply(self, entry: Input, goods: Sequence[Goods]) -> Iterator[Row]:
        """The rows of one movement."""
        act = ACTS.get(entry.body["reason"])
        if act is not None and first_listed(goods):
            yield from _deals(entry, act, goods)
        chemicals = [item for item in goods if item.line.goods == "chemical"]
        if chemicals and self._register.is_open(entry.holder, entry.site, entry.event_ms) is False:
            yield self._off_hours(entry, chemicals)

    def withdraw(self, before: Input, goods: Sequence[Goods], entry: Input) -> Iterable[Row]:
        """Nothing is remembered."""
        del before, goods, entry
        return ()

    def _off_hours(self, entry: Input, chemicals: Sequence[Goods]) -> Row:
        body = entry.body
        stated = self._register.site_at(entry.holder, entry.site, entry.event_ms)
        local = local_time(stated.zone, entry.event_ms)
        shown = max(chemicals, key=lambda item: sum(need in item.categories for need in NEEDS))
        return (
            "off_hours",
            common(entry)
            | {
                "code": shown.line.code,
                "categories": sorted({category for item in chemicals for category in item.categories}),
                "direction": body["direction"],
                "reason": body["reason"],
                "minute": local.minute,
                "clock": f"{local.minute // 60:02d}:{local.minute % 60:02d}",
                "is_workday": local.is_workday,
                "road": body["direction"] == "out" and body["reason"] in _ON_THE_ROAD and "consignment" in body,
            },
        )


def _deals(entry: Input, act: str, goods: Sequence[Goods]) -> Iterator[Row]:
    body = entry.body
    other = body.get("counterparty", {})
    for need in NEEDS:
        lines = [item.line for item in goods if need in item.categories]
        if not lines:
            continue
        yield (
            "deal",
            common(entry)
            | {
                "need": need,
                "act": act,
                "code": lines[0].code,
                "counterparty": other.get("uscc", ""),
                "counterparty_type": other.get("type", ""),
                "payment_method": body.get("payment_method", ""),
                # Decree 591 art. 38(3) excepts highly toxic pesticides from the ban on sales to natural persons.
                "pesticide": all("pesticide_registration" in line.attributes for line in lines),
            },
        )
