"""Base64, base64url and SHA-256 as formats.md wants them: one text for one value.

RFC 4648 sections 4 and 5. A lenient decoder gives one signature many spellings, so each decoder here re-encodes what it
decoded and compares. Bad text raises ValueError; the caller knows which numbered check it stands in.
"""

from __future__ import annotations

import binascii
import hashlib
import re

import msgspec

_HEX_32 = re.compile(r"[0-9a-f]{64}", re.ASCII)


def b64_encode(data: bytes) -> str:
    """RFC 4648 section 4, with padding, without line ends."""
    return binascii.b2a_base64(data, newline=False).decode("ascii")


def b64_decode(text: str) -> bytes:
    """Strict RFC 4648 section 4.

    Raises:
        ValueError: `text` is not what `b64_encode` gives for the decoded bytes (alphabet, padding, loose end bits).
    """
    return _decode(text)


def b64url_encode(data: bytes) -> str:
    """RFC 4648 section 5, without padding."""
    return b64_encode(data).rstrip("=").replace("+", "-").replace("/", "_")


def b64url_decode(text: str) -> bytes:
    """Strict RFC 4648 section 5 without padding.

    Raises:
        ValueError: `text` is not what `b64url_encode` gives for the decoded bytes.
    """
    if "+" in text or "/" in text or "=" in text:
        raise ValueError("not base64url without padding")
    return _decode(text.replace("-", "+").replace("_", "/") + "=" * (-len(text) % 4))


def _decode(text: str) -> bytes:
    # msgspec's decoder is four times as fast as binascii's strict mode; the comparison does not rely on either's idea of
    # strictness (binascii takes a superfluous "=", both take loose bits in the last character).
    try:
        data: bytes = msgspec.convert(text, bytes)
    except msgspec.DecodeError:
        raise ValueError("not base64") from None
    if b64_encode(data) != text:
        raise ValueError("not the one base64 text of these bytes")
    return data


def sha256(data: bytes) -> bytes:
    """32 bytes."""
    return hashlib.sha256(data).digest()


def sha256_hex(data: bytes) -> str:
    """64 lower-case hex digits."""
    return hashlib.sha256(data).hexdigest()


def is_hex_32(text: object) -> bool:
    """True for 64 lower-case hex digits: the form of a keyid and of a record_id."""
    return isinstance(text, str) and _HEX_32.fullmatch(text) is not None
