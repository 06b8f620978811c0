"""The surrogates that one group commit gives out (engine.md: facts; ledger/core/facts.py says what they are).

One value has one surrogate as long as any disclosure of it is held: at two enterprises, and twice in one commit. When the
last is erased, also earlier in the same commit, the value is nobody's again, and who discloses it anew gets another one.
Two writers never give two: the second's commit fails on the index of its first entry, and on the primary key of `lookup`.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterable
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field

from ledger.core.disclosure import parse_disclosure
from ledger.core.facts import SURROGATE_BYTES, lookup_of
from ledger.errors import ConfigError
from ledger.model import Disclosure
from ledger.ports import LogReader


def check_key(store: LogReader, key: bytes) -> None:
    """Raises ConfigError when `key` is not the one of the lookups that stand in the store.

    Every known person would silently become another one, and no rule that counts a buyer's purchases would find him.
    """
    sample = store.lookup_sample()
    if sample is not None and lookup_of(key, parse_disclosure(sample[0])) != sample[1]:
        raise ConfigError(
            "the lookup key is not the one of this log's surrogates; restore keys/lookup.key from its backup"
        )


@dataclass
class Surrogates:
    """`erased` is the draft's own set of digests that this commit erases; it grows while the commit is drafted."""

    store: LogReader
    key: bytes = field(repr=False)
    erased: AbstractSet[str]
    _known: dict[str, str | None] = field(default_factory=dict)
    """Lookup → surrogate in force, None where the store has none; what was never asked is missing."""
    _fresh: dict[str, str] = field(default_factory=dict)
    _held: dict[str, set[str]] = field(default_factory=dict)
    """Lookup → digests of the disclosures that this commit brings under it."""
    _lookups: dict[str, str] = field(default_factory=dict)

    def read_ahead(self, disclosures: Iterable[Disclosure]) -> None:
        """Ask the store for all of them in one question."""
        asked = {lookup for d in disclosures if (lookup := self.lookup_of(d)) and lookup not in self._known}
        if asked:
            found = self.store.surrogates(sorted(asked))
            self._known.update({lookup: found.get(lookup) for lookup in asked})

    def lookup_of(self, disclosure: Disclosure) -> str:
        """The keyed digest that stands beside the stored disclosure; empty where it links nobody."""
        lookup = self._lookups.get(disclosure.digest)
        if lookup is None:
            lookup = self._lookups[disclosure.digest] = lookup_of(self.key, disclosure)
        return lookup

    def take(self, disclosure: Disclosure) -> str | None:
        """The surrogate of a disclosure that this commit stores; None where it links nobody."""
        lookup = self.lookup_of(disclosure)
        if not lookup:
            return None
        if lookup not in self._known:
            self.read_ahead([disclosure])
        surrogate = self._known[lookup]
        if surrogate is None or self._forgotten(lookup):
            surrogate = self._known[lookup] = self._fresh[lookup] = secrets.token_hex(SURROGATE_BYTES)
        self._held.setdefault(lookup, set()).add(disclosure.digest)
        return surrogate

    def fresh(self) -> tuple[tuple[str, str], ...]:
        """(lookup, surrogate) of those that the store does not have yet."""
        return tuple(sorted(self._fresh.items()))

    def _forgotten(self, lookup: str) -> bool:
        """Whether this commit erases all that was ever disclosed under it."""
        if not self.erased or self._held.get(lookup, set()) - self.erased:
            return False
        return lookup in self._fresh or not self.store.disclosed_under(lookup) - self.erased
