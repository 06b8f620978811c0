"""What was disclosed, and what outlives it: disclosures, lookups, surrogates, facts.

The facts rows are the evidence here: ticks, which are entries of the log, carry their digest. A surrogate in `lookup` must
be the one that the facts state of a disclosure under it; so a swapped, merged or invented one shows. With the lookup key
the digests themselves are made again. After an erasure there is nothing to compare, and nothing may be left.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import tzinfo
from typing import Any

from ledger.audit.report import Report, Row
from ledger.core.disclosure import parse_disclosure
from ledger.core.facts import facts_of, linked_value, lookup_of
from ledger.errors import DisclosureError
from ledger.model import Disclosure
from ledger.ports import TableReader

_NO_SURROGATES_YET = frozenset({"minor", "valid"})
"""Members of a fact by a version before log_0002: its persons have no surrogate, and none is expected."""


class DisclosedTables:
    """Fed tile by tile with the digests that each record's `_sd` lists. `key` None: lookups are not made again."""

    def __init__(self, tables: TableReader, report: Report, zone: tzinfo, key: bytes | None) -> None:
        self._tables = tables
        self._report = report
        self._zone = zone
        self._key = key
        self._disclosed = 0

    def tile(self, first: int, rows: list[dict[str, Any]], listed: Mapping[int, frozenset[str]]) -> None:
        """The disclosures and facts of the records first, first + 1, …"""
        held: dict[int, dict[str, tuple[Disclosure, str]]] = {}
        for row in self._tables.rows("log", "disclosure", by="index", start=first, end=first + len(rows)):
            self._disclosed += 1
            record_id = rows[row["index"] - first]["record_id"].hex()
            name = Row(self._report, "log.disclosure", row["digest"], 11, row["index"], record_id)
            disclosure = _parsed(row["text"])
            # The text is personal data: no finding repeats it.
            if disclosure is None or disclosure.digest != row["digest"]:
                name.differs("text", "the string is no disclosure, or does not have this digest")
            else:
                held.setdefault(row["index"], {})[disclosure.name] = disclosure, row["lookup"]
                self._lookup(name, disclosure, row["lookup"])
            if row["digest"] not in listed.get(row["index"], frozenset()):
                name.differs("digest", "not in the record's _sd")
        for row in self._tables.rows("log", "facts", by="index", start=first, end=first + len(rows)):
            self._fact(row, rows[row["index"] - first], held.get(row["index"], {}))

    def finish(self, size: int) -> None:
        """What no record of the log has."""
        self._report.saw("log.disclosure", self._disclosed)
        for start, end in ((size, None), (None, 0)):
            for row in self._tables.rows("log", "disclosure", by="index", start=start, end=end):
                Row(self._report, "log.disclosure", row["digest"], 11).differs(
                    "index", f"{row['index']} is no record of this log", code="extra-row"
                )
        self._report.saw("log.facts", self._tables.count("log", "facts"))
        for row in self._tables.rows("log", "lookup"):
            self._report.saw("log.lookup")
            digest = row["digest"]
            under = self._tables.rows("log", "disclosure", by="lookup", start=digest, end=digest + "\x01")
            if next(under, None) is None:
                Row(self._report, "log.lookup", digest, 11).differs(
                    "digest", "no disclosure is held under it: an erasure must take it along", code="extra-row"
                )

    def _lookup(self, name: Row, disclosure: Disclosure, lookup: str) -> None:
        if lookup and (linked_value(disclosure) is None or self._surrogate(lookup) is None):
            name.differs("lookup", "no surrogate stands under this lookup digest")
        elif lookup and self._key is not None and lookup_of(self._key, disclosure) != lookup:
            name.differs("lookup", "the installation's key gives another lookup digest")

    def _surrogate(self, lookup: str) -> str | None:
        row = next(self._tables.rows("log", "lookup", by="digest", start=lookup, end=lookup + "\x01"), None)
        return None if row is None else str(row["surrogate"])

    def _fact(self, facts: dict[str, Any], row: dict[str, Any], held: dict[str, tuple[Disclosure, str]]) -> None:
        """Facts outlive the strings that gave them; those that are still held must give the same."""
        name = Row(self._report, "log.facts", f"index {facts['index']}", 11, facts["index"], row["record_id"].hex())
        try:
            document = json.loads(facts["facts"])
            stated = {**document.get("ids", {}), **document.get("links", {})}
        except (ValueError, AttributeError, TypeError):
            name.differs("facts", "not of its form")
            return

        def surrogate_of(disclosure: Disclosure) -> str | None:
            lookup = held[disclosure.name][1]
            return self._surrogate(lookup) if lookup else None

        known = [disclosure for disclosure, _ in held.values()]
        derived = facts_of(known, row["event_time_ms"], self._zone, surrogate_of) or {}
        given = {**derived.get("ids", {}), **derived.get("links", {})}
        # What is held and not stated was brought by a repeat: it gives no facts.
        for pointer in sorted(held.keys() & stated.keys()):
            fact, said = given.get(pointer), stated[pointer]
            if isinstance(fact, dict) and isinstance(said, dict):
                if said.keys() == _NO_SURROGATES_YET:
                    fact = {member: fact[member] for member in _NO_SURROGATES_YET}
                elif fact["person"] != said.get("person"):
                    self._another(name, pointer, held[pointer][1])
                    continue
            elif fact != said:
                self._another(name, pointer, held[pointer][1])
                continue
            if fact != said:
                name.differs("facts", f"{pointer}: the disclosed string says otherwise")

    def _another(self, name: Row, pointer: str, lookup: str) -> None:
        """Which of the two was altered, the tick's digest of the facts tells."""
        name.differs("facts", f"{pointer}: another surrogate stands in `lookup`")
        place = Row(self._report, "log.lookup", lookup, 11, name.index, name.record_id)
        place.differs("surrogate", f"the facts of index {name.index} state another")


def _parsed(text: str) -> Disclosure | None:
    try:
        return parse_disclosure(text)
    except DisclosureError:
        return None
