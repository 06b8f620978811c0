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
GOODS = {"code": "str", "form": "str", "packaging": "str", "dimension": "str", "categories": "list"}


@dataclass(frozen=True, slots=True)
class Subject:
    """`fields` by name: int, str, bool or list (of str). Never null: what is not known has a truth value beside it."""

    name: str
    level: bool
    fields: dict[str, str]


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
