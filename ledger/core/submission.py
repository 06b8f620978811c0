"""What comes in over the wire: an envelope and the disclosures beside it (formats.md section 1).

*Not* checked here: the payload, the signatures, and whether the disclosures match.
"""

from __future__ import annotations

from typing import Any

from ledger.core import strictjson
from ledger.core.disclosure import MAX_DISCLOSURES, parse_disclosure
from ledger.core.dsse import envelope_from_object, refuse_jws, written_by_us
from ledger.errors import DisclosureError, MalformedRecordError, MediaTypeError, TooLargeError
from ledger.model import Disclosure, Envelope

SUBMISSION_TYPE = "application/vnd.hazledger.submission.v1+json"
JSON_TYPE = "application/json"
JOSE_TYPE = "application/jose"
MAX_SUBMISSION_BYTES = 128 * 1024

_MEMBERS = {"envelope", "jws", "disclosures"}
_WRAPPED, _END = b'{"envelope":', b"}"


def parse_submission(raw: bytes, media_type: str = SUBMISSION_TYPE) -> tuple[Envelope, tuple[Disclosure, ...]]:
    """Envelope and disclosures of one submission; one NDJSON line is one too.

    `Envelope.raw` are the exact bytes of the envelope's own JSON value as they came, without the white space around it.

    Args:
        raw: the body, or the line.
        media_type: of the body, parameters and all; decides nothing but whether this is read at all, since a bare
            envelope and a submission have no member in common.

    Raises:
        MediaTypeError: a media type that is not read here.
        TooLargeError: beyond 128 KiB, or an envelope or payload beyond its limit.
        MalformedRecordError: as `dsse.parse_envelope`; code `submission` for other members, `jws-not-supported`.
        DisclosureError: a disclosure that is not well-formed, or more than 64.
    """
    base_type = media_type.partition(";")[0].strip().lower()
    if base_type == JOSE_TYPE:
        refuse_jws()
    if base_type not in (SUBMISSION_TYPE, JSON_TYPE):
        raise MediaTypeError(f"{base_type[:100]!r} is not read here; send {SUBMISSION_TYPE}")
    if len(raw) > MAX_SUBMISSION_BYTES:
        raise TooLargeError(f"the submission is larger than {MAX_SUBMISSION_BYTES} bytes")
    bare = raw.strip(b" \t\r\n")
    wrapped = bare.startswith(_WRAPPED) and bare.endswith(_END)
    envelope = written_by_us(bare[len(_WRAPPED) : -len(_END)] if wrapped else bare)
    if envelope is not None:
        return envelope, ()
    members = strictjson.loads_members(raw)
    if "payloadType" in members:
        return envelope_from_object({name: value for name, (value, _) in members.items()}, bare), ()
    if not members.keys() <= _MEMBERS or ("envelope" in members) == ("jws" in members):
        raise MalformedRecordError(
            "a submission has envelope or jws, perhaps disclosures, and nothing else", code="submission"
        )
    if "jws" in members:
        refuse_jws()
    obj, envelope_raw = members["envelope"]
    disclosures, _ = members.get("disclosures", ([], b""))
    return envelope_from_object(obj, envelope_raw), _disclosures(disclosures)


def _disclosures(listed: Any) -> tuple[Disclosure, ...]:
    if not isinstance(listed, list) or not all(isinstance(text, str) for text in listed):
        raise MalformedRecordError("disclosures is a list of strings", code="submission", pointer="/disclosures")
    if len(listed) > MAX_DISCLOSURES:
        raise DisclosureError(f"more than {MAX_DISCLOSURES} disclosures", code="too-many-disclosures")
    return tuple(parse_disclosure(text) for text in listed)
