"""Payloads that this installation signs itself: the platform's entries, a supervisor's steps. They continue their book like
anybody's record, and go through the same door.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Mapping, Sequence
from typing import Any

from ledger.append.draft import BookKey, Draft
from ledger.core.disclosure import SD_ALG
from ledger.core.encoding import b64url_encode
from ledger.core.record import VERSION
from ledger.core.times import format_utc
from ledger.model import NEVER, AuthenticRecord, Grant, Role, TreeSize
from ledger.ports import Signer

NONCE_BYTES = 18


def own_payload(
    draft: Draft,
    kind: str,
    place: BookKey,
    body: Mapping[str, Any],
    *,
    keyid: str,
    after: AuthenticRecord | None = None,
    digests: Sequence[str] = (),
) -> bytes:
    """The payload that an issuer signs with one key, as the next of its book (formats.md section 2).

    Args:
        draft: gives the log's name, the time, and where the book stands.
        kind: an authority kind.
        place: (issuer, site, book).
        body: of that kind.
        keyid: of the one signer.
        after: a record of this book that is not on the draft yet and stands before this one.
        digests: `_sd`, where there are disclosures.
    """
    issuer, site, book = place
    head = after or draft.book(place)
    document: dict[str, Any] = {
        "v": VERSION,
        "log": draft.origin,
        "kind": kind,
        "issuer": issuer,
        "site": site,
        "book": book,
        "seq": head.seq + 1 if head else 1,
        "prev": head.record_id if head else None,
        "signers": [keyid],
        "nonce": b64url_encode(secrets.token_bytes(NONCE_BYTES)),
        "event_time": format_utc(draft.now),
        "body": body,
    }
    if digests:
        document |= {"_sd": list(digests), "_sd_alg": SD_ALG}
    return json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode()


class OwnKey:
    """For authenticate: the platform's own key counts as known before its grant is mirrored; `append` still asks for the grant."""

    def __init__(self, platform: Signer, issuer: str) -> None:
        self._grant = Grant(
            g="",
            keyid=platform.keyid,
            spki=platform.spki,
            holder=issuer,
            scope="",
            role=Role.PLATFORM,
            enroller="",
            enrolled_at=TreeSize(0),
            revoked_at=NEVER,
        )

    def by_keyid(self, keyid: str) -> tuple[Grant, ...]:
        return (self._grant,) if keyid == self._grant.keyid else ()
