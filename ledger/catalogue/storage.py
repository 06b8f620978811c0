"""What may not stand together, and how exposed a site is: costorage_matrix.csv and gb18218_2018_alpha.csv."""

from __future__ import annotations

import csv
import io
from functools import cache
from importlib.resources import files

STRICTEST_ALPHA_MILLI = 2000
_FORBIDDEN = ("prohibit", "own_store")
_SEVERE = (frozenset({"OX", "FL"}), frozenset({"AC", "CN"}))
"""Pairs that burn or poison at once (catalogue E01); explosives with anything else are a third."""


def _read(name: str) -> list[dict[str, str]]:
    text = files(__package__).joinpath(name).read_text(encoding="utf-8")
    return list(csv.DictReader(io.StringIO(text, newline="")))


@cache
def _pairs() -> frozenset[frozenset[str]]:
    rows = [row for row in _read("costorage_matrix.csv") if row["verdict"] in _FORBIDDEN and row["group_b"] != "*"]
    return frozenset(frozenset({row["group_a"], row["group_b"]}) for row in rows)


@cache
def _alone() -> frozenset[str]:
    return frozenset(
        row["group_a"]
        for row in _read("costorage_matrix.csv")
        if row["verdict"] in _FORBIDDEN and row["group_b"] == "*"
    )


def clash(first: frozenset[str], second: frozenset[str]) -> tuple[str, bool] | None:
    """(the pair of storage groups, whether it is severe) when two substances may not share a fire compartment.

    Args:
        first: storage groups of the one substance.
        second: of the other. Groups that both have are no reason to part them.
    """
    found: list[tuple[bool, str]] = []
    for a in first - second:
        if a in _alone():
            found.append((a == "EXP", f"{a}+*"))
        found += [
            (frozenset({a, b}) in _SEVERE, "+".join(sorted((a, b))))
            for b in second - first
            if frozenset({a, b}) in _pairs()
        ]
    found += [(b == "EXP", f"{b}+*") for b in second - first if b in _alone()]
    if not found:
        return None
    severe, pair = min(found, key=lambda item: (not item[0], item[1]))
    return pair, severe


@cache
def _alphas() -> tuple[tuple[int, int], ...]:
    """(least number of people, alpha in thousandths), descending."""
    rows = [
        (int(row["exposed_persons_500m"].strip(">=").partition("-")[0]), round(float(row["alpha"]) * 1000))
        for row in _read("gb18218_2018_alpha.csv")
    ]
    return tuple(sorted(rows, reverse=True))


def alpha_milli(people_500m: int | None) -> int:
    """GB 18218-2018 table 5, thousandths: the correction for people within 500 m; unknown counts as the strictest."""
    if people_500m is None:
        return STRICTEST_ALPHA_MILLI
    return next(alpha for least, alpha in _alphas() if people_500m >= least)
