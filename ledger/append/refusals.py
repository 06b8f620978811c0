"""The answer to a validly signed record that is refused with 409 or 422: a signed note, the kept envelope, a `refusal` entry.

One per record_id, so many an hour for each key, the rest counted (formats.md section 2).
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable
from typing import Any

from ledger.append import append
from ledger.append.draft import Draft
from ledger.core.note import NoteSigner
from ledger.core.refusal import RefusalNote, build_refusal
from ledger.errors import ConflictError, DisclosureError, LedgerError, PayloadError
from ledger.model import AuthenticRecord, UnixMs
from ledger.ports import Refused

REFUSALS_PER_KEY_AND_HOUR = 60
RESERVED_FOR_FORKS = 10
"""Of these so many are kept free for forks: nobody can spend his hour on harmless refusals and then fork unseen."""
HOUR_MS = 3_600_000

_NOTED = (ConflictError, PayloadError, DisclosureError)
_WITHOUT_NOTE = frozenset({"after-refused-line", "disclosure-repeated"})
"""Refused, but not the record: it was never looked at, or it stands in the log and only what came beside it is wrong."""


class Refusals:
    """Belongs to the one thread that drafts. What it counts is in memory; what it noted, the store knows after a restart."""

    def __init__(self, signer: NoteSigner, entry: Callable[[dict[str, Any], Draft], AuthenticRecord]) -> None:
        """`signer` is the receipt key's. `entry` makes the platform's `refusal` record with this body, signed, unappended."""
        self._signer = signer
        self._entry = entry
        self._recent: dict[str, deque[UnixMs]] = {}
        self._uncounted: Counter[str] = Counter()

    @property
    def counted_only(self) -> int:
        """Refusals that no entry says yet."""
        return sum(self._uncounted.values())

    def answer(self, record: AuthenticRecord, error: LedgerError, draft: Draft) -> None:
        """Give `error` its note, where this refusal of `record` gets one."""
        if isinstance(error, _NOTED) and error.code not in _WITHOUT_NOTE:
            error.refusal = self.refuse(record, error.code, draft)

    def refuse(self, record: AuthenticRecord, code: str, draft: Draft) -> bytes | None:
        """The note for this record_id, the same one each time; None where its key is over the hour's limit.

        Note, envelope and entry are durable with the draft.
        """
        before = draft.store.refused(record.record_id) or next(
            (r for r in draft.refused if r.record_id == record.record_id), None
        )
        if before is not None:
            return before.note
        keyid = record.signatures[0][0]
        recent = self._of_the_hour(keyid, draft)
        reserved = 0 if code == "fork" else RESERVED_FOR_FORKS
        if len(recent) >= REFUSALS_PER_KEY_AND_HOUR - reserved:
            self._uncounted[keyid] += 1
            return None
        body = {
            "record_id": record.record_id,
            "holder": record.holder,
            "site": record.site,
            "book": record.book,
            "seq": record.seq,
            "code": code,
            "keyid": keyid,
            "uncounted": self._uncounted[keyid],
        }
        try:
            logged = self._entry(body, draft)
        except PayloadError:
            return None  # its own place is not of its form, so nothing can name it
        self._uncounted.pop(keyid, None)  # only now does an entry say it
        recent.append(draft.now)
        note = build_refusal(RefusalNote(draft.origin, record.record_id, code, draft.now), self._signer)
        draft.refused.append(
            Refused(
                record_id=record.record_id,
                holder=record.holder,
                site=record.site,
                book=record.book,
                seq=record.seq,
                code=code,
                received=draft.now,
                envelope=record.raw,
                note=note,
                keyid=keyid,
            )
        )
        append([logged], draft)
        return note

    def _of_the_hour(self, keyid: str, draft: Draft) -> deque[UnixMs]:
        """When this key was refused within the last hour."""
        recent = self._recent.setdefault(keyid, deque())
        if not recent:
            recent.extend([draft.now] * draft.store.refused_since(keyid, UnixMs(draft.now - HOUR_MS)))
        while recent and recent[0] < draft.now - HOUR_MS:
            recent.popleft()
        return recent
