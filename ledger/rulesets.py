"""Rule sets by their digest: those that this program ships, and those that were in force before.

What is durable: a set's texts are kept in the engine's tables (content-addressed, under `ruleset/<digest>`) in a commit
before the set is announced, so that every set that a `ruleset` entry names can be loaded again. What a set cannot bring
back is data that lies beside the rules: where the catalogue has changed since, `load_kept` says so.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from functools import cache
from importlib.resources import files
from importlib.resources.abc import Traversable
from typing import Any

from ledger.catalogue import LEGAL, LEGAL_NUMBERS, file_digests
from ledger.catalogue.restricted import RestrictedSets, read_restricted_sets
from ledger.engine.inputs import parse_input
from ledger.engine.parameters import read_legal_params
from ledger.engine.register import CALENDAR
from ledger.engine.restraints import EXCEPTIONS
from ledger.engine.rules import RuleSet, load_rules
from ledger.engine.state import STATE_VERSION
from ledger.errors import ConfigError, RuleError
from ledger.model import LeafIndex
from ledger.ports import LogReader, RecordFilter

__all__ = [
    "EXCEPTIONS",
    "KEPT",
    "RuleSet",
    "announced",
    "as_kept",
    "engines",
    "load_kept",
    "of_another_catalogue",
    "present_catalogue",
    "present_engine",
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


def shipped_legal() -> dict[str, list[tuple[str, str]]]:
    """The legal parameters in ledger/catalogue."""
    return read_legal_params(files("ledger").joinpath("catalogue", "legal_params.csv").read_text(encoding="utf-8"))


def present_catalogue() -> str:
    """What the rows' categories and days come from, by digest: it is part of a rule set's."""
    return " ".join(f"{name}:{digest}" for name, digest in sorted(file_digests().items())) + f" {CALENDAR}"


@cache
def present_engine() -> str:
    """The name of this program's engine: the version of its state, and a digest of the code that folds.

    It stands in `software` of `ruleset` entries, not in the rule set's digest (formats.md section 3 says what that covers): a
    changed comment must not fold the whole log again. *Not* covered: ledger.core, and the packages that the engine uses.
    """
    code = hashlib.sha256()
    for package in ("engine", "catalogue"):
        for name, text in sorted(_code(files("ledger").joinpath(package), package)):
            code.update(f"{name} {hashlib.sha256(text).hexdigest()}\n".encode())
    return f"engine-{STATE_VERSION}.{code.hexdigest()[:16]}"


def _code(directory: Traversable, path: str) -> Iterator[tuple[str, bytes]]:
    for entry in directory.iterdir():
        if entry.is_dir():
            yield from _code(entry, f"{path}/{entry.name}")
        elif entry.name.endswith(".py"):
            yield f"{path}/{entry.name}", entry.read_bytes()


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
        legal = {name: _legal_rows(rows) for name, rows in row["legal"].items()}
        restricted = read_restricted_sets(row["restricted"].encode(), "the restricted sets")
        rules = load_rules(row["rules"], legal, row["catalogue"], restricted)
    except (ConfigError, RuleError, LookupError, TypeError, ValueError, AttributeError) as error:
        raise RuleError(
            f"what is kept as rule set {digest[:16]}… does not load: {error}", code="ruleset-unknown"
        ) from None
    if rules.digest != digest:
        raise RuleError(f"what is kept as rule set {digest[:16]}… is another one", code="ruleset-unknown")
    changed = _changed_since(rules.catalogue)
    if changed and rules.catalogue:
        raise RuleError(
            f"rule set {digest[:16]}… is kept, but it read another catalogue than this program's ({', '.join(sorted(changed))})"
            "; the version of the program that announced it has that catalogue",
            code="catalogue-gone",
        )
    return rules


def of_another_catalogue(digest: str, kept: Mapping[str, Any]) -> bool:
    """Whether the set of this digest is kept, and what was folded by it made other rows than this program's catalogue does."""
    catalogue = kept.get(KEPT + digest, {}).get("catalogue", "")
    return bool(catalogue) and bool(_changed_since(catalogue))


def _legal_rows(rows: list[Any]) -> list[tuple[str, str]]:
    """A legal parameter's rows. Before a parameter could have several, its one row was kept as [value, day]."""
    if rows and isinstance(rows[0], str):
        rows = [rows]
    return [(value, day) for value, day in rows]


def _changed_since(catalogue: str) -> set[str]:
    """What rows come from that is another today; not the legal numbers, which are kept with each set."""
    changed = set(catalogue.split()) ^ set(present_catalogue().split())
    return {one.rpartition(":")[0] or "calendar" for one in changed} - {LEGAL, LEGAL_NUMBERS}


def announced(log: LogReader) -> list[tuple[LeafIndex, str]]:
    """(index, digest) of every `ruleset` entry, ascending. The first set also governs what lies before it."""
    return [(index, str(body["digest"])) for index, body in _announcements(log)]


def engines(log: LogReader) -> list[tuple[LeafIndex, str]]:
    """(index, engine) of every `ruleset` entry, ascending: which program folds from there on (`present_engine`)."""
    return [(index, str(body.get("software", ""))) for index, body in _announcements(log)]


def _announcements(log: LogReader) -> list[tuple[LeafIndex, Mapping[str, Any]]]:
    found: list[tuple[LeafIndex, Mapping[str, Any]]] = []
    before: LeafIndex | None = None
    while page := log.search(RecordFilter(kind="ruleset"), before=before, limit=_PAGE):
        found.extend((record.index, parse_input(record).body) for record in page)
        before = page[-1].index
    return found[::-1]
