"""What rules listen to: rows of a closed schema that the fold derives from entries.

A *level* subject describes how things stand (a balance, a store): its rules' alerts stay open while the last row holds.
An *event* subject describes what happened (a movement, a count): each row that holds is an occurrence of its own.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

COMMON = {
    "holder": "str",
    "site": "str",
    "book": "str",
    "record_id": "str",
    "index": "int",
    "received_ms": "int",
    "event_ms": "int",
}
_GOODS = {"code": "str", "form": "str", "packaging": "str", "dimension": "str", "categories": "list"}
_REFUSAL = {"code": "str", "seq": "int", "refused_id": "str", "standing_id": "str", "open": "bool"}


@dataclass(frozen=True, slots=True)
class Subject:
    """`fields` by name: int, str, bool or list (of str). Never null: what is not known has a truth value beside it."""

    name: str
    level: bool
    fields: dict[str, str]


SUBJECTS = {
    subject.name: subject
    for subject in (
        # One goods line of a movement, as it was claimed.
        Subject(
            "movement",
            level=False,
            fields=COMMON
            | _GOODS
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
        # The book stock of one balance key after an entry.
        Subject(
            "balance",
            level=True,
            fields=COMMON
            | _GOODS
            | {
                "key": "str",
                "sealed": "bool",
                "balance": "int",
                "lowest": "int",
                "pieces": "int",
                "lowest_pieces": "int",
                "tolerance": "int",
            },
        ),
        # One store's stock against its stated capacity.
        Subject(
            "store",
            level=True,
            fields=COMMON
            | {
                "store": "str",
                "dimension": "str",
                "known": "bool",
                "capacity": "int",
                "stock": "int",
                "fill_ppm": "int",
            },
        ),
        # One balance key at the cut-off of a complete stock-take.
        Subject(
            "count",
            level=False,
            fields=COMMON
            | _GOODS
            | {
                "key": "str",
                "sealed": "bool",
                "opening": "bool",
                "book_amount": "int",
                "counted": "int",
                "difference": "int",
                "shortage": "bool",
                "book_pieces": "int",
                "counted_pieces": "int",
                "difference_pieces": "int",
                "sigma": "int",
                "stocktake": "str",
            },
        ),
        # A sale to another enterprise, until the buyer's own record confirms it.
        Subject(
            "transfer",
            level=True,
            fields=COMMON
            | {
                "consignment": "str",
                "code": "str",
                "buyer": "str",
                "inside": "bool",
                "confirmed": "bool",
                "sale_ms": "int",
                "due_ms": "int",
            },
        ),
        # A validly signed submission that was refused: a fork, a wrong prev, and all else but a gap.
        Subject("refusal", level=False, fields=COMMON | _REFUSAL),
        # One refused for a gap in its book, until what was missing has come.
        Subject("gap", level=True, fields=COMMON | _REFUSAL),
        # What a party to a movement of listed goods needs and has.
        Subject(
            "permit",
            level=False,
            fields=COMMON
            | {
                "code": "str",
                "need": "str",
                "act": "str",
                "party": "str",
                "own": "bool",
                "state": "str",
                "age_ms": "int",
            },
        ),
    )
}


def sample_rows(fields: dict[str, str]) -> Iterator[dict[str, Any]]:
    """Rows on which a condition is tried when it is loaded: small, great and negative numbers, both truth values.

    Several, because `a || b` never looks at b where a is true.
    """
    for number in (0, 1, -1, 10**16):
        for phase in (0, 1, 2, 3):
            row: dict[str, Any] = {}
            for at, (name, kind) in enumerate(fields.items()):
                if kind == "int":
                    row[name] = number if phase % 2 == 0 else number + at
                elif kind == "bool":
                    row[name] = (phase + at * (phase // 2)) % 2 == 0
                elif kind == "list":
                    row[name] = ["highly_toxic", "explosive_precursor"] if phase % 2 == 0 else []
                else:
                    row[name] = "x" if phase % 2 == 0 else ""
            yield row
