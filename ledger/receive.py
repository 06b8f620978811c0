"""Stage 1, receive: bytes → Submission.

When `receive` returns, size, envelope and schema are checked (formats.md section 9, checks 1 and 3) and nothing is kept:
a crash here loses nothing that was acknowledged. No signature is checked yet; that is `authenticate`.
"""

from __future__ import annotations

from ledger.core.record import parse_payload, record_id_of
from ledger.core.submission import parse_submission
from ledger.model import Payload, Submission


def receive(body: bytes, media_type: str) -> Submission:
    """The submission in `body`, strictly read.

    `media_type` is the Content-Type without parameters; an NDJSON line is a submission of its own.

    Raises: MalformedRecordError (400), TooLargeError (413), MediaTypeError (415), PayloadError (422).
    """
    envelope, disclosures = parse_submission(body, media_type)
    return Submission(
        envelope=envelope,
        payload=parse_payload(envelope.payload),
        record_id=record_id_of(envelope.payload),
        disclosures=disclosures,
    )


def prechecked(payload: bytes) -> Payload:
    """The well-formed payload in these unsigned bytes, for `precheck`: nothing is kept, no signature is asked for.

    Raises: MalformedRecordError (400), PayloadError (422).
    """
    return parse_payload(payload)
