"""Rule sets by their digest: those that this program ships, and those that were in force before.

What is durable: a set's texts are kept in the engine's tables (content-addressed, under `ruleset/<digest>`) in a commit
before the set is announced, so that every set that a `ruleset` entry names can be loaded again. What a set cannot bring
back is data that lies beside the rules: where the catalogue has changed since, `load_kept` says so.
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib.resources import files
from typing import Any

from ledger.catalogue import file_digests
from ledger.catalogue.restricted import RestrictedSets, read_restricted_sets
from ledger.engine.inputs import parse_input
from ledger.engine.parameters import read_legal_params
from ledger.engine.register import CALENDAR
from ledger.engine.restraints import EXCEPTIONS
from ledger.engine.rules import RuleSet, load_rules
from ledger.errors import ConfigError, RuleError
from ledger.model import LeafIndex
from ledger.ports import LogReader, RecordFilter

__all__ = [
    "EXCEPTIONS",
    "KEPT",
    "RuleSet",
    "announced",
    "as_kept",
    "load_kept",
    "present_catalogue",
    "shipped_legal",
    "shipped_rules",
    "shipped_sources",
]

KEPT = "ruleset/"
"""Rows of the engine's table `extra` under this name and a digest hold a set's texts."""
_PAGE = 256


def shipped_sources() -> dict[str, str]:
    """The files in ledger/rules by name."""
    return {
        entry.name: entry.read_text(encoding="utf-8")
        for entry in files("ledger").joinpath("rules").iterdir()
        if entry.name.endswith(".yml")
    }


def shipped_legal() -> dict[str, tuple[str, str]]:
    """The legal parameters in ledger/catalogue."""
    return read_legal_params(files("ledger").joinpath("catalogue", "legal_params.csv").read_text(encoding="utf-8"))


def present_catalogue() -> str:
    """What the rows' categories and days come from, by digest: it is part of a rule set's."""
    return " ".join(f"{name}:{digest}" for name, digest in sorted(file_digests().items())) + f" {CALENDAR}"


def shipped_rules(overrides: Mapping[str, str] | None = None, restricted: RestrictedSets | None = None) -> RuleSet:
    """The rules in ledger/rules with the legal parameters in ledger/catalogue. Raises RuleError with file and line.

    `overrides` replaces files by name or adds some. `restricted`: the installation's restricted sets; None: the example.
    """
    return load_rules(shipped_sources() | dict(overrides or {}), shipped_legal(), present_catalogue(), restricted)


def as_kept(rules: RuleSet) -> dict[str, Any]:
    """What is kept of a set: enough to load it again."""
    return {
        "rules": rules.sources,
        "legal": rules.legal,
        "catalogue": rules.catalogue,
        "restricted": rules.restricted.text,
    }


def load_kept(digest: str, kept: Mapping[str, Any]) -> RuleSet:
    """The set of this digest from what was kept of it.

    Raises: RuleError `ruleset-unknown` when it is not kept, or what is kept is not it; `catalogue-gone` when it was of
    another catalogue than this program's, so that the same entries would make other rows today.
    """
    row = kept.get(KEPT + digest)
    if row is None:
        raise RuleError(f"the texts of rule set {digest[:16]}… are not kept here", code="ruleset-unknown")
    try:
        legal = {name: (value, day) for name, (value, day) in row["legal"].items()}
        restricted = read_restricted_sets(row["restricted"].encode(), "the restricted sets")
        rules = load_rules(row["rules"], legal, row["catalogue"], restricted)
    except (ConfigError, RuleError, LookupError, TypeError, ValueError, AttributeError) as error:
        raise RuleError(
            f"what is kept as rule set {digest[:16]}… does not load: {error}", code="ruleset-unknown"
        ) from None
    if rules.digest != digest:
        raise RuleError(f"what is kept as rule set {digest[:16]}… is another one", code="ruleset-unknown")
    if rules.catalogue != present_catalogue() and rules.catalogue:
        raise RuleError(f"rule set {digest[:16]}… was of another catalogue than this program's", code="catalogue-gone")
    return rules


def announced(log: LogReader) -> list[tuple[LeafIndex, str]]:
    """(index, digest) of every `ruleset` entry, ascending. The first set also governs what lies before it."""
    found: list[tuple[LeafIndex, str]] = []
    before: LeafIndex | None = None
    while page := log.search(RecordFilter(kind="ruleset"), before=before, limit=_PAGE):
        found.extend((record.index, str(parse_input(record).body["digest"])) for record in page)
        before = page[-1].index
    return found[::-1]
