"""The envelope: DSSE v1.0.2 with one payload type (formats.md section 1).

Source: https://github.com/secure-systems-lab/dsse, protocol.md (PAE) and envelope.md. Narrower than there: exact members,
strict base64, 1 to 4 signatures, each with a keyid. *Not* checked here: the payload's content and the signatures.
"""

from __future__ import annotations

import re
from binascii import a2b_base64, b2a_base64
from collections.abc import Sequence
from typing import Any, Never

import msgspec

from ledger.core import strictjson
from ledger.core.encoding import b64_decode, b64_encode, is_hex_32
from ledger.errors import MalformedRecordError, TooLargeError
from ledger.model import Envelope, Signature

PAYLOAD_TYPE = "application/vnd.hazledger.record.v1+json"
MAX_PAYLOAD_BYTES = 48 * 1024
MAX_ENVELOPE_BYTES = 72 * 1024
"""48 KiB are 64 KiB in base64; the rest is room for four signatures (formats.md section 1)."""
MAX_SIGNATURES = 4
"""As many as `signers` may name (formats.md section 2)."""

_ENVELOPE_MEMBERS = {"payloadType", "payload", "signatures"}
_SIGNATURE_MEMBERS = {"keyid", "sig"}

# An envelope as `encode_envelope` spells it, cut at what differs from one to another.
_OPENING = f'{{"payloadType":"{PAYLOAD_TYPE}","payload":'.encode()
_ONE_SIGNATURE = rb'\{"keyid":"([0-9a-f]{64})","sig":"([A-Za-z0-9+/]*={0,2})"\}'
_SIGNATURE = re.compile(_ONE_SIGNATURE)
_ENDING = re.compile(rb',"signatures":\[%b(?:,%b){0,%d}\]\}' % (_ONE_SIGNATURE, _ONE_SIGNATURE, MAX_SIGNATURES - 1))
_BASE64 = msgspec.json.Decoder(bytes)
"""Of a JSON string: twice as fast as binascii. Strict but for escapes, and loose bits in the last character."""


def pae(payload_type: str, payload: bytes) -> bytes:
    """The signed bytes: `DSSEv1 SP len(type) SP type SP len(payload) SP payload`, lengths in bytes."""
    type_bytes = payload_type.encode()
    return b"DSSEv1 %d %b %d %b" % (len(type_bytes), type_bytes, len(payload), payload)


def parse_envelope(raw: bytes) -> Envelope:
    """The envelope in `raw`, which is kept as it is.

    Raises:
        TooLargeError: beyond 72 KiB, or a payload beyond 48 KiB.
        MalformedRecordError: not strict JSON, or not exactly the members of an envelope (code `envelope`); another
            payload type (code `unknown-format`).
    """
    if len(raw) > MAX_ENVELOPE_BYTES:
        raise TooLargeError(f"the envelope is larger than {MAX_ENVELOPE_BYTES} bytes")
    return envelope_from_object(strictjson.loads(raw), raw)


def envelope_from_object(obj: Any, raw: bytes) -> Envelope:
    """As `parse_envelope`, from what strictjson made of `raw`."""
    if len(raw) > MAX_ENVELOPE_BYTES:
        raise TooLargeError(f"the envelope is larger than {MAX_ENVELOPE_BYTES} bytes")
    if not isinstance(obj, dict) or obj.keys() != _ENVELOPE_MEMBERS:
        raise _bad("an envelope has exactly payloadType, payload and signatures", "")
    payload_type = obj["payloadType"]
    if payload_type != PAYLOAD_TYPE:
        named = repr(payload_type[:100]) if isinstance(payload_type, str) else "no string"
        raise MalformedRecordError(
            f"payloadType is {named}; this version reads {PAYLOAD_TYPE}", code="unknown-format", pointer="/payloadType"
        )
    payload = _decode(obj["payload"], "/payload")
    if len(payload) > MAX_PAYLOAD_BYTES:
        raise TooLargeError(f"the payload is larger than {MAX_PAYLOAD_BYTES} bytes", pointer="/payload")
    listed = obj["signatures"]
    if not isinstance(listed, list) or not 1 <= len(listed) <= MAX_SIGNATURES:
        raise _bad(f"signatures is a list of 1 to {MAX_SIGNATURES}", "/signatures")
    signatures = tuple(_signature(item, f"/signatures/{i}") for i, item in enumerate(listed))
    return Envelope(payload_type=PAYLOAD_TYPE, payload=payload, signatures=signatures, raw=raw)


def written_by_us(raw: bytes) -> Envelope | None:
    """The envelope in `raw` when it is spelled exactly as `encode_envelope` spells it, else None.

    Several times as fast as the strict reader and no less strict: whatever is cut out of the bytes here, writing it again
    gives the same bytes. Most of what comes in, and most of a log, is written by our own clients.
    """
    if not raw.startswith(_OPENING) or len(raw) > MAX_ENVELOPE_BYTES or b"\\" in raw:
        return None
    start = len(_OPENING)
    end = raw.find(b'"', start + 1) + 1
    try:
        payload = _BASE64.decode(raw[start:end])
        # Four characters are three bytes, and only the last four may have been written otherwise.
        last = payload[(len(payload) - 1) // 3 * 3 :]
        if len(payload) > MAX_PAYLOAD_BYTES or not raw.endswith(b2a_base64(last, newline=False), 0, end - 1):
            return None
        ending = _ENDING.fullmatch(raw, end)
        if ending is None:
            return None
        signatures: list[Signature] = []
        # Nearly every envelope has one signature, which the ending has found already.
        for keyid, text in [ending.group(1, 2)] if ending[3] is None else _SIGNATURE.findall(raw, end):
            sig = a2b_base64(text)
            if b2a_base64(sig, newline=False) != text:
                return None
            signatures.append(Signature(keyid.decode(), sig))
    except ValueError:  # msgspec.DecodeError is one
        return None
    return Envelope(PAYLOAD_TYPE, payload, tuple(signatures), raw)


def encode_envelope(payload: bytes, signatures: Sequence[Signature]) -> bytes:
    """The envelope as our own clients write it: no white space, members in the order of formats.md."""
    listed = ",".join(_spelled(signature) for signature in signatures)
    return (f'{{"payloadType":"{PAYLOAD_TYPE}","payload":"{b64_encode(payload)}","signatures":[{listed}]}}').encode(
        "ascii"
    )


def _spelled(signature: Signature) -> str:
    return f'{{"keyid":"{signature.keyid}","sig":"{b64_encode(signature.sig)}"}}'


def refuse_jws() -> Never:
    """The second way in is reserved: formats.md section 1 defines it, this version does not read it yet.

    Raises:
        MalformedRecordError: always, code `jws-not-supported`.
    """
    raise MalformedRecordError("JWS is not read by this version; send a DSSE envelope", code="jws-not-supported")


def _signature(item: Any, pointer: str) -> Signature:
    if not isinstance(item, dict) or item.keys() != _SIGNATURE_MEMBERS:
        raise _bad("a signature has exactly keyid and sig", pointer)
    keyid = item["keyid"]
    if not is_hex_32(keyid):
        raise _bad("keyid is 64 lower-case hex digits", f"{pointer}/keyid")
    # Its length is the key's business: a signature of the wrong form fails check 5, not check 1.
    return Signature(keyid, _decode(item["sig"], f"{pointer}/sig"))


def _decode(text: Any, pointer: str) -> bytes:
    if not isinstance(text, str):
        raise _bad("not a string", pointer)
    try:
        return b64_decode(text)
    except ValueError:
        raise MalformedRecordError("not strict base64", code="bad-base64", pointer=pointer) from None


def _bad(detail: str, pointer: str) -> MalformedRecordError:
    return MalformedRecordError(detail, code="envelope", pointer=pointer)
