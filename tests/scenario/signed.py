"""The same year as really signed records, for a real log: keys, disclosures, and record ids in place of the made-up ones.

What the platform writes by itself (grants, refusals, ticks, scrubs) is left to it; its drafts are passed over.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from ledger.client.book import Book
from ledger.core.keys import ED25519, PrivateKey
from ledger.model import Role
from tests.scenario import clock
from tests.scenario.drafts import Draft
from tests.scenario.opening import AUTHORITY, PLATFORM, SUPERVISOR
from tests.scenario.people import disclosures_of

_ROLES = {SUPERVISOR: Role.SUPERVISOR, AUTHORITY: Role.AUTHORITY}


@dataclass(frozen=True, slots=True)
class Enrolment:
    """A key to enrol before the holder's first record."""

    holder: str
    key: PrivateKey
    role: Role


@dataclass(frozen=True, slots=True)
class Submission:
    """One record to send at `received_ms`; `place` is (holder, site, book)."""

    data: bytes
    record_id: str
    place: tuple[str, str, str]
    received_ms: int
    draft: Draft


class SignedOutput:
    """Signs drafts in their order. Holders get a second key for what two persons sign."""

    def __init__(self, log: str) -> None:
        self._log = log
        self._keys: dict[str, list[PrivateKey]] = {}
        self._books: dict[tuple[str, str, str, int], Book] = {}
        self._heads: dict[tuple[str, str, str], Any] = {}
        self._real: dict[str, str] = {}

    def enrolments(self, holders: Iterable[str]) -> list[Enrolment]:
        """Keys for these holders, and for the two authorities."""
        made = []
        for holder in [*holders, *_ROLES]:
            self._keys[holder] = [PrivateKey.generate(ED25519) for _ in range(2)]
            made += [Enrolment(holder, key, _ROLES.get(holder, Role.ENTERPRISE)) for key in self._keys[holder]]
        return made

    def sign(self, draft: Draft) -> Submission | None:
        """The draft as it is sent; None for what the platform writes."""
        if draft.holder == PLATFORM:
            return None
        place = (draft.holder, draft.site, draft.book)
        book = self._books.get((*place, draft.signers))
        if book is None:
            holder, site, name = place
            signers = self._keys[holder][: draft.signers]
            book = Book(log=self._log, holder=holder, site=site, book=name, signers=signers)
            self._books[(*place, draft.signers)] = book
        signed = book.build(
            draft.kind,
            self._named(draft.body),
            event_time=clock.local_text(draft.event_ms),
            disclosures=disclosures_of(draft.persons) if draft.persons else None,
            at=self._heads.get(place),
        )
        self._heads[place] = signed.head
        self._real[draft.record_id] = signed.record_id
        return Submission(signed.submission, signed.record_id, place, draft.received_ms, draft)

    def _named(self, value: Any) -> Any:
        """The value with real record ids where it names records that were signed here."""
        if isinstance(value, str):
            return self._real.get(value, value) if len(value) == 64 else value
        if isinstance(value, list):
            return [self._named(item) for item in value]
        if isinstance(value, dict):
            return {name: self._named(item) for name, item in value.items()}
        return value
