"""Movements as they were claimed: one row a goods line."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from ledger.engine.goods import Goods
from ledger.engine.inputs import Input
from ledger.engine.subjects import COMMON, GOODS, Subject
from ledger.engine.topics.base import Row, Topic, common


class Movements(Topic):
    """Remembers nothing."""

    kinds = frozenset({"movement"})
    subjects = (
        # One goods line of a movement, as it was claimed.
        Subject(
            "movement",
            level=False,
            fields=COMMON
            | GOODS
            | {
                "direction": "str",
                "reason": "str",
                "amount": "int",
                "pieces": "int",
                "store": "str",
                "consignment": "str",
                "counterparty": "str",
                "counterparty_type": "str",
                "handlers": "int",
                "ahead_ms": "int",
            },
        ),
    )

    def apply(self, entry: Input, goods: Sequence[Goods]) -> Iterator[Row]:
        """One row for each line."""
        body = entry.body
        other = body.get("counterparty", {})
        shared = common(entry) | {
            "direction": body["direction"],
            "reason": body["reason"],
            "consignment": body.get("consignment", ""),
            "counterparty": other.get("uscc", ""),
            "counterparty_type": other.get("type", ""),
            "handlers": len(body.get("handlers", ())),
            # Of a corrected record, when it came first: that it was corrected later is no late record (D06 has that).
            "ahead_ms": entry.event_ms - (entry.before or entry).received_ms,
        }
        for line, listing, _ in goods:
            yield (
                "movement",
                shared
                | {
                    "code": line.code,
                    "form": line.form,
                    "packaging": line.packaging,
                    "dimension": line.dimension,
                    "categories": sorted(listing.categories),
                    "amount": line.amount,
                    "pieces": line.pieces,
                    "store": line.store,
                },
            )

    def withdraw(self, before: Input, goods: Sequence[Goods], entry: Input) -> Iterable[Row]:
        """Nothing is kept, so nothing is to be undone."""
        del before, goods, entry
        return ()
