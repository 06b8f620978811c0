"""Lists by key that stay short: who repeats one number without end must not make each further record dearer."""

from __future__ import annotations

from typing import TypeVar

T = TypeVar("T")

MAX_SAME = 32
"""Records under one key (a consignment, mostly) that are compared with each other: the newest."""


def add_newest(by: dict[str, list[T]], at: str, item: T) -> None:
    """Append under `at`; beyond MAX_SAME the oldest goes."""
    there = by.setdefault(at, [])
    there.append(item)
    if len(there) > MAX_SAME:
        del there[0]


def keep(by: dict[str, list[T]], at: str, kept: list[T]) -> None:
    """What stays under `at`; an empty list leaves no key behind."""
    if kept:
        by[at] = kept
    else:
        by.pop(at, None)
