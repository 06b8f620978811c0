"""Stage 2, authenticate: Submission → AuthenticRecord.

The numbered checks of formats.md section 9 that the door can make: 3 (written for this log), 4 (a grant for holder, book
and kind), 5 (signatures over the exact bytes), 11 (disclosures). It keeps nothing. Whether the grant covers the *index* is
decided by `append` in its own transaction, because only there is the index known.
"""

from __future__ import annotations

from collections.abc import Callable

from ledger.core.disclosure import match_disclosures
from ledger.core.dsse import pae
from ledger.core.grants import covers, scope_covers
from ledger.core.keys import load_public_key
from ledger.core.record import disclosable_pointers
from ledger.errors import GrantError, PayloadError, SignatureError
from ledger.model import AuthenticRecord, Envelope, Grant, Payload, RecordId, Submission
from ledger.places import stores_of
from ledger.ports import GrantDirectory

# `append` looks into the body of these kinds only (opening stock-take, final close, what a correction corrects, the
# stores that a place binds, a mirrored grant, an erasure's digests). All other bodies stay out of the sequencer's socket.
KINDS_WITH_BODY = frozenset({"stocktake", "close", "correction", "place", "grant", "erasure"})


def authenticate(
    submission: Submission, *, origin: str, directory: GrantDirectory, is_known: Callable[[RecordId], bool]
) -> AuthenticRecord:
    """The same record, its signatures verified and its signers' grants looked up.

    `is_known` tells whether a record_id stands in the log already: of a repeat the signatures are checked, revocation
    is not (formats.md section 1). It is asked only where no grant covers the record.

    Raises: PayloadError (422, check 3), SignatureError (401, check 5), GrantError (403, check 4), DisclosureError (422,
    check 11).
    """
    payload, envelope = submission.payload, submission.envelope
    if payload.log != origin:
        raise PayloadError(f"written for the log {payload.log!r}; this is {origin!r}", code="wrong-log", pointer="/log")
    if "seen" in payload.document:
        # Check 13 needs consistency proofs at the door; until it is built, a claim nobody checks is not accepted.
        raise PayloadError(
            "`seen` is not yet checked by this version; leave it out", code="seen-not-supported", pointer="/seen"
        )
    algorithms = verify_signatures(envelope, payload.signers, directory)
    if submission.disclosures:
        corrected = payload.body.get("kind") if payload.kind == "correction" else None
        match_disclosures(
            submission.disclosures, payload, allowed=disclosable_pointers(payload.kind, corrected=corrected)
        )
    uncovered = [k for k in payload.signers if not any(covers(g, payload) for g in directory.by_keyid(k))]
    if uncovered and not is_known(submission.record_id):
        raise _grant_error(uncovered[0], directory.by_keyid(uncovered[0]), payload)
    return AuthenticRecord(
        record_id=submission.record_id,
        raw=envelope.raw,
        type=envelope.payload_type,
        signatures=tuple(
            (s.keyid, algorithm, s.sig) for s, algorithm in zip(envelope.signatures, algorithms, strict=True)
        ),
        holder=payload.holder,
        is_authority=payload.is_authority,
        site=payload.site,
        book=payload.book,
        seq=payload.seq,
        prev=payload.prev,
        kind=payload.kind,
        event_time_ms=payload.event_time_ms,
        body=payload.body if payload.kind in KINDS_WITH_BODY else None,
        disclosures=submission.disclosures,
        stores=stores_of(payload.kind, payload.body),
    )


def verify_signatures(envelope: Envelope, signers: tuple[str, ...], directory: GrantDirectory) -> list[str]:
    """Check 5: exactly the payload's signers, in that order, all over the exact bytes. The keys' algorithms, in order.

    Raises: SignatureError with code signers-mismatch, unknown-key or bad-signature.
    """
    if tuple(s.keyid for s in envelope.signatures) != signers:
        raise SignatureError(
            "the envelope's signatures are not those of the payload's `signers`, in that order",
            code="signers-mismatch",
            pointer="/signatures",
        )
    message = pae(envelope.payload_type, envelope.payload)
    algorithms = []
    for position, signature in enumerate(envelope.signatures):
        grants = directory.by_keyid(signature.keyid)
        if not grants:
            raise SignatureError(
                f"key {signature.keyid} is not enrolled here: either the authority has not enrolled it, or its grant is "
                "not final on the chain yet, which takes up to some minutes",
                code="unknown-key",
                pointer=f"/signatures/{position}/keyid",
            )
        key = load_public_key(grants[0].spki)
        key.verify(signature.sig, message)
        algorithms.append(key.algorithm)
    return algorithms


def _grant_error(keyid: str, grants: tuple[Grant, ...], payload: Payload) -> GrantError:
    """Say which of holder, scope and role is the trouble: the enterprise's helper reads this on the phone."""
    place = f"{payload.site}/{payload.book}"
    of_holder = [g for g in grants if g.holder == payload.holder]
    if not of_holder:
        return GrantError(f"key {keyid} has no grant for holder {payload.holder}", code="no-grant")
    in_scope = [g for g in of_holder if scope_covers(g.scope, payload.site, payload.book)]
    if not in_scope:
        scopes = ", ".join(sorted({g.scope or "all" for g in of_holder}))
        return GrantError(f"key {keyid} is enrolled for {scopes}, not for {place}", code="out-of-scope")
    roles = ", ".join(sorted({g.role.name.lower() for g in in_scope}))
    return GrantError(f"a key of role {roles} may not sign the kind {payload.kind!r}", code="wrong-role")
