"""Which topics hear of a record: those of its kind, of a movement those of its reason and goods."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from ledger.engine.goods import Goods
from ledger.engine.inputs import Input
from ledger.engine.topics.base import Topic


class Listening:
    """Some topics, always asked in the same order."""

    def __init__(self, topics: Iterable[Topic]) -> None:
        self._by_kind: dict[str, list[Topic]] = {}
        for topic in topics:
            for kind in topic.kinds:
                self._by_kind.setdefault(kind, []).append(topic)
        self.kinds = frozenset(self._by_kind)
        self._by_goods: dict[tuple[str, str, frozenset[str]], list[Topic]] = {}
        """By a movement's reason, and the kind and the categories of goods; there are some dozens of these."""

    def to_kind(self, kind: str) -> Sequence[Topic]:
        """The topics that listen to records of a kind."""
        return self._by_kind.get(kind, ())

    def to(self, entry: Input, goods: Sequence[Goods]) -> Sequence[Topic]:
        """The topics that listen to a record of these goods."""
        if entry.kind != "movement":
            return self.to_kind(entry.kind)
        reason = entry.body["reason"]
        if len(goods) == 1:
            return self._to_goods(reason, goods[0].line.goods, goods[0].listing.categories)
        kinds = {(item.line.goods, item.listing.categories) for item in goods} or {("", frozenset())}
        found = {topic for kind, categories in kinds for topic in self._to_goods(reason, kind, categories)}
        return [topic for topic in self.to_kind("movement") if topic in found]

    def _to_goods(self, reason: str, kind: str, categories: frozenset[str]) -> Sequence[Topic]:
        found = self._by_goods.get((reason, kind, categories))
        if found is None:
            found = self._by_goods[reason, kind, categories] = [
                one
                for one in self.to_kind("movement")
                if (one.reasons is None or reason in one.reasons)
                and (one.goods is None or kind in one.goods or not one.goods.isdisjoint(categories))
            ]
        return found
