"""Public keys by their exact SPKI, and signatures under them (formats.md, "Keys").

Two encodings exist, and the algorithm is a function of the encoding. Everything else is refused: a compressed point
would be the same key under a second keyid. `SM2-SM3` is reserved: its SPKI is recognised here so that it is refused by
name; its verification would stand beside the other two in `PublicKey.verify`.

Sources: RFC 5480 and RFC 8410 (SPKI), SEC 1 4.1.4 with RFC 3279 2.2.3 in DER (X.690 10.1, 8.3) for ECDSA, RFC 8032
5.1.3 and 5.1.7 for Ed25519. High-s is accepted: signatures are never an identity. *Not* checked: whether a key may sign.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_der_private_key,
)

from ledger.core.encoding import sha256_hex
from ledger.errors import SignatureError

ES256 = "ES256"
ED25519 = "Ed25519"
SM2_SM3 = "SM2-SM3"
"""Reserved (GB/T 32918, GB/T 32905). Refused by name until a version of formats.md defines it."""

_P256_PREFIX = bytes.fromhex("3059301306072a8648ce3d020106082a8648ce3d03010703420004")
_SM2_PREFIX = bytes.fromhex("3059301306072a8648ce3d020106082a811ccf5501822d03420004")
_ED25519_PREFIX = bytes.fromhex("302a300506032b6570032100")
_P256_SPKI_BYTES = 91
_ED25519_SPKI_BYTES = 44
_ED25519_SIGNATURE_BYTES = 64
_ED25519_P = 2**255 - 19
_ED25519_D = -121665 * pow(121666, -1, _ED25519_P) % _ED25519_P

_CACHED_KEYS = 4096
"""A county's keys many times over; a parsed key is about 1 KiB."""

_ECDSA = ec.ECDSA(SHA256())

# Two integers of 32 bytes each, one more where the first bit is set: 254 of 256 signatures, known so in half the time.
_USUAL_INTEGER = rb"(?:\x02\x20[\x01-\x7f]|\x02\x21\x00[\x80-\xff])[\x00-\xff]{31}"
_USUAL_ECDSA_DER = re.compile(rb"\x30[\x44-\x46]%b%b" % (_USUAL_INTEGER, _USUAL_INTEGER))


@dataclass(frozen=True, slots=True)
class PublicKey:
    """A key that passed every test of its encoding. `keyid` is the lower-case hex SHA-256 of `spki`."""

    spki: bytes
    keyid: str
    algorithm: str
    _key: Any = field(repr=False, compare=False)

    @staticmethod
    def parse(spki: bytes) -> PublicKey:
        """From exactly one of the two encodings of formats.md.

        Raises:
            ValueError: another encoding, a point off the curve, a small-order Ed25519 key, or the reserved SM2-SM3.
        """
        spki = bytes(spki)
        if len(spki) == _P256_SPKI_BYTES and spki.startswith(_P256_PREFIX):
            point = spki[len(_P256_PREFIX) - 1 :]
            return PublicKey(
                spki, keyid_of(spki), ES256, ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), point)
            )
        if len(spki) == _ED25519_SPKI_BYTES and spki.startswith(_ED25519_PREFIX):
            raw = spki[len(_ED25519_PREFIX) :]
            _check_ed25519_point(raw)
            return PublicKey(spki, keyid_of(spki), ED25519, ed25519.Ed25519PublicKey.from_public_bytes(raw))
        if spki.startswith(_SM2_PREFIX):
            raise ValueError(f"{SM2_SM3} is reserved and not supported by this version")
        raise ValueError("not an uncompressed P-256 or an Ed25519 SubjectPublicKeyInfo")

    def verify(self, sig: bytes, message: bytes) -> None:
        """Check `sig` (DER for ES256, 64 bytes for Ed25519) over `message`.

        Raises:
            SignatureError: the signature is not well-formed or does not verify.
        """
        try:
            if self.algorithm == ES256:
                check_ecdsa_der(sig)
                self._key.verify(sig, message, _ECDSA)
            else:
                if len(sig) != _ED25519_SIGNATURE_BYTES:
                    raise ValueError("an Ed25519 signature has 64 bytes")  # noqa: TRY301 - one exit for every defect
                self._key.verify(sig, message)
        except ValueError as error:
            raise SignatureError(f"signature of key {self.keyid[:16]} is not well-formed: {error}") from None
        except InvalidSignature:
            raise SignatureError(f"signature of key {self.keyid[:16]} does not verify") from None

    def ed25519_bytes(self) -> bytes:
        """The 32 raw bytes of an Ed25519 key; ValueError for another algorithm."""
        if self.algorithm != ED25519:
            raise ValueError("not an Ed25519 key")
        return self.spki[len(_ED25519_PREFIX) :]


@lru_cache(maxsize=_CACHED_KEYS)
def load_public_key(spki: bytes) -> PublicKey:
    """`PublicKey.parse`, remembered. Raises ValueError as that does (a refusal is not remembered)."""
    return PublicKey.parse(spki)


def keyid_of(spki: bytes) -> str:
    """Lower-case hex SHA-256 of the exact SPKI."""
    return sha256_hex(spki)


def ed25519_spki(raw: bytes) -> bytes:
    """The 44-byte SPKI of 32 raw bytes; their length is checked, the point is not."""
    if len(raw) != 32:
        raise ValueError("an Ed25519 key has 32 bytes")
    return _ED25519_PREFIX + raw


def check_ecdsa_der(sig: bytes) -> None:
    """Strict DER of SEQUENCE { r INTEGER, s INTEGER }, both from 1 to 2^256-1.

    OpenSSL re-encodes and compares, which is nearly this; the rule is written here so that it does not change with the
    library. Whether r and s are below the group's order is left to the verification itself.

    Raises:
        ValueError: any other encoding, negative or zero integers, integers with superfluous zeros, trailing bytes.
    """
    if _USUAL_ECDSA_DER.fullmatch(sig) and sig[1] == len(sig) - 2:
        return
    # 2 + 2 * (2 + 33) is the longest; so every length fits the short form, and the long form is refused with it.
    if not 8 <= len(sig) <= 72 or sig[0] != 0x30 or sig[1] != len(sig) - 2:
        raise ValueError("not a DER SEQUENCE of the signature's length")
    at = _check_der_integer(sig, 2)
    if _check_der_integer(sig, at) != len(sig):
        raise ValueError("not exactly two DER INTEGERs")


def _check_der_integer(sig: bytes, at: int) -> int:
    if at + 3 > len(sig) or sig[at] != 0x02:
        raise ValueError("a DER INTEGER is missing")
    length, first = sig[at + 1], sig[at + 2]
    end = at + 2 + length
    if not 1 <= length <= 33 or end > len(sig):
        raise ValueError("a DER INTEGER has a wrong length")
    if first & 0x80:
        raise ValueError("a DER INTEGER is negative")
    if first == 0 and (length == 1 or not sig[at + 3] & 0x80):
        raise ValueError("a DER INTEGER is zero or not minimal")
    if length == 33 and first != 0:
        raise ValueError("a DER INTEGER is beyond 256 bits")
    return end


def _check_ed25519_point(raw: bytes) -> None:
    """RFC 8032 5.1.3, and refuse the eight points whose order divides 8.

    Under a small-order key one signature verifies for many messages. OpenSSL checks neither on load.
    """
    p = _ED25519_P
    y = int.from_bytes(raw, "little")
    sign, y = y >> 255, y & (2**255 - 1)
    if y >= p:
        raise ValueError("the Ed25519 key is not canonical")
    u, v = (y * y - 1) % p, (_ED25519_D * y * y + 1) % p
    x = u * pow(v, 3, p) * pow(u * pow(v, 7, p), (p - 5) // 8, p) % p
    if v * x * x % p == -u % p:
        x = x * pow(2, (p - 1) // 4, p) % p
    if v * x * x % p != u:
        raise ValueError("the Ed25519 key is not a point of the curve")
    if x == 0 and sign:
        raise ValueError("the Ed25519 key is not canonical")
    for _ in range(3):
        # Doubling by the affine addition law of RFC 8032 5.1; its denominators are never zero on this curve.
        xy2 = _ED25519_D * x * x * y * y % p
        x, y = 2 * x * y * pow(1 + xy2, -1, p) % p, (y * y + x * x) * pow(1 - xy2, -1, p) % p
    if (x, y) == (0, 1):
        raise ValueError("the Ed25519 key is of small order")


class PrivateKey:
    """A signing key for clients, the log and tests. Its secret is in no repr; keep it in an encrypted keystore."""

    __slots__ = ("_key", "public")

    def __init__(self, key: ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey) -> None:
        self._key = key
        spki = key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        self.public = PublicKey.parse(spki)

    def __repr__(self) -> str:
        return f"PrivateKey(keyid={self.public.keyid[:16]}…)"

    @staticmethod
    def generate(algorithm: str = ES256) -> PrivateKey:
        """A fresh key from the operating system's generator; ValueError for an unknown algorithm."""
        if algorithm == ES256:
            return PrivateKey(ec.generate_private_key(ec.SECP256R1()))
        if algorithm == ED25519:
            return PrivateKey(ed25519.Ed25519PrivateKey.generate())
        if algorithm == SM2_SM3:
            raise ValueError(f"{SM2_SM3} is reserved and not supported by this version")
        raise ValueError(f"unknown algorithm {algorithm!r}")

    @staticmethod
    def from_pkcs8(data: bytes) -> PrivateKey:
        """From unencrypted PKCS #8 DER (RFC 5958); ValueError for anything but P-256 and Ed25519."""
        try:
            key = load_der_private_key(data, password=None)
        except TypeError as error:
            raise ValueError("the PKCS #8 key is encrypted") from error
        if isinstance(key, ed25519.Ed25519PrivateKey):
            return PrivateKey(key)
        if isinstance(key, ec.EllipticCurvePrivateKey) and isinstance(key.curve, ec.SECP256R1):
            return PrivateKey(key)
        raise ValueError("the PKCS #8 key is neither P-256 nor Ed25519")

    @staticmethod
    def from_ed25519_seed(seed: bytes) -> PrivateKey:
        """From the 32-byte secret of RFC 8032 5.1.5."""
        return PrivateKey(ed25519.Ed25519PrivateKey.from_private_bytes(seed))

    def to_pkcs8(self) -> bytes:
        """Unencrypted PKCS #8 DER; the caller encrypts it before it touches a disk."""
        return self._key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())

    @property
    def algorithm(self) -> str:
        return self.public.algorithm

    @property
    def keyid(self) -> str:
        return self.public.keyid

    @property
    def spki(self) -> bytes:
        """The public key's only encoding."""
        return self.public.spki

    def sign(self, message: bytes) -> bytes:
        """DER (ES256) or 64 bytes (Ed25519) over `message`."""
        if isinstance(self._key, ed25519.Ed25519PrivateKey):
            return self._key.sign(message)
        return self._key.sign(message, _ECDSA)
