"""Records before they are numbered: what a holder writes, when it happened, when it came in.

A `Desk` is one (holder, site, book): it numbers its records and keeps their order; nothing in a book comes before what
was written earlier in it, whatever the network did.
"""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import Any

from ledger.core.quantity import from_base
from tests.scenario.people import Person

KG = 1_000_000
NOBODY: dict[str, Person] = {}


class Draft:
    """One record on its way to the log. `record_id` is made up; `signed` output puts the real ones in its place."""

    __slots__ = (
        "authority",
        "before",
        "body",
        "book",
        "event_ms",
        "holder",
        "index",
        "kind",
        "persons",
        "received_ms",
        "record_id",
        "seq",
        "signers",
        "site",
        "texts",
    )

    def __init__(
        self,
        desk: Desk,
        seq: int,
        kind: str,
        body: dict[str, Any],
        event_ms: int,
        received_ms: int,
        record_id: str,
        persons: dict[str, Person],
        signers: int,
        before: Draft | None,
        texts: dict[str, str] | None,
    ) -> None:
        self.holder, self.site, self.book, self.authority = desk.holder, desk.site, desk.book, desk.authority
        self.seq, self.kind, self.body, self.event_ms, self.received_ms = seq, kind, body, event_ms, received_ms
        self.index = -1
        self.record_id, self.persons, self.signers, self.before, self.texts = record_id, persons, signers, before, texts


class Desk:
    """Where a holder writes one book. `send` hands a draft over; `late` gives the time when a record comes in."""

    __slots__ = ("_bits", "_clock", "authority", "book", "holder", "seq", "send", "site")

    def __init__(
        self, holder: str, site: str, book: str, rng: Random, send: Callable[[Draft], None], *, authority: bool = False
    ) -> None:
        self.holder, self.site, self.book, self.authority = holder, site, book, authority
        self.send = send
        self.seq = 0
        self._bits = rng.getrandbits
        self._clock = 0

    def write(
        self,
        kind: str,
        body: dict[str, Any],
        event_ms: int,
        received_ms: int,
        *,
        persons: dict[str, Person] = NOBODY,
        signers: int = 1,
        before: Draft | None = None,
        texts: dict[str, str] | None = None,
    ) -> Draft:
        """The next record of this book; it comes in at `received_ms` or right after what was written before it."""
        self._clock = received_ms = max(received_ms, self._clock + 1)
        self.seq += 1
        draft = Draft(
            self,
            self.seq,
            kind,
            body,
            event_ms,
            received_ms,
            f"{self._bits(256):064x}",
            persons,
            signers,
            before,
            texts,
        )
        self.send(draft)
        return draft


def mass(mg: int) -> dict[str, str]:
    """A quantity in kilograms, exact to the milligram."""
    return {"value": from_base(mg, "KGM"), "unit": "KGM"}


def volume(microlitres: int) -> dict[str, str]:
    """A quantity in litres, exact to the microlitre."""
    return {"value": from_base(microlitres, "LTR"), "unit": "LTR"}


def enterprise(holder: str, name: str = "") -> dict[str, str]:
    """A counterparty that is an enterprise."""
    return {"type": "enterprise", "uscc": holder, "name": name} if name else {"type": "enterprise", "uscc": holder}


def evidence(rng: Random, role: str, media_type: str = "image/jpeg") -> dict[str, Any]:
    return {
        "sha256": f"{rng.getrandbits(256):064x}",
        "media_type": media_type,
        "bytes": 20_000 + rng.randrange(400_000),
        "role": role,
    }
