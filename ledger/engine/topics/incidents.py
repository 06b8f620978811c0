"""Theft, loss and other incidents: when they were found and when they were reported."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from ledger.engine.goods import Goods
from ledger.engine.inputs import Input, plausible_ms, unix_ms
from ledger.engine.subjects import COMMON, Subject
from ledger.engine.topics.base import Row, Topic, common

CONTROLLED = ("highly_toxic", "explosive_precursor", "drug_precursor")


class Incidents(Topic):
    """Remembers nothing: each incident, as it stands, is one row."""

    kinds = frozenset({"incident"})
    subjects = (
        # One incident, as the enterprise states it.
        Subject(
            "incident",
            level=True,
            fields=COMMON
            | {
                "type": "str",
                "code": "str",
                "missing": "bool",
                "controlled": "bool",
                "reported": "bool",
                "discovered_ms": "int",
                "reported_ms": "int",
                "delay_ms": "int",
                "withdrawn": "bool",
            },
        ),
    )

    def apply(self, entry: Input, goods: Sequence[Goods]) -> Iterator[Row]:
        """The incident's row."""
        body = entry.body
        discovered_ms = plausible_ms(unix_ms(body["discovered_at"]), entry.received_ms)
        reported = "reported_at" in body
        reported_ms = unix_ms(body["reported_at"]) if reported else 0
        codes = [line.code for line, _, _ in goods]
        yield (
            "incident",
            common(entry)
            | {
                "type": body["type"],
                "code": codes[0] if codes else "",
                "missing": body["type"] in ("theft", "loss"),
                # Without goods stated nobody can say that they are not controlled.
                "controlled": not goods or any(not item.categories.isdisjoint(CONTROLLED) for item in goods),
                "reported": reported,
                "discovered_ms": discovered_ms,
                "reported_ms": reported_ms,
                "delay_ms": max(reported_ms - discovered_ms, 0) if reported else 0,
                "withdrawn": False,
            },
        )

    def withdraw(self, before: Input, goods: Sequence[Goods], entry: Input) -> Iterable[Row]:
        """The corrected one follows under the same record_id; only another kind in its place ends it."""
        if entry.kind == before.kind:
            return ()
        return [(name, row | {"withdrawn": True}) for name, row in self.apply(before, goods)]
