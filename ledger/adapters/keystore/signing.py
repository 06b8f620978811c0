"""Signing keys (P-256, Ed25519) encrypted at rest: scrypt (RFC 7914) and AES-256-GCM, in a small JSON file.

Not PKCS #8's own encryption: it stretches a passphrase with PBKDF2 only, and a wrong passphrase shows as broken
padding, which cannot be told from a broken file.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.scrypt import Scrypt

from ledger.adapters.files import read_private, write_whole
from ledger.core import strictjson
from ledger.core.encoding import b64_decode, b64_encode
from ledger.core.keys import PrivateKey
from ledger.core.members import MemberError, base64_bytes, exact_object, integer
from ledger.errors import ConfigError, MalformedRecordError

FORMAT = "hazledger/key/v1"

SCRYPT_N = 2**15
"""With r = 8: 32 MB and about 80 ms a guess, once per process start for us."""
_R, _P = 8, 1

# A file that asks for more would stop the process by its memory, not by its passphrase.
_MAX_N = 2**20
_SALT, _NONCE = 16, 12


class FileSigner:
    """An opened key (ports.Signer). Its secret is in no repr and no method returns it."""

    __slots__ = ("_key",)

    def __init__(self, key: PrivateKey) -> None:
        self._key = key

    def __repr__(self) -> str:
        return f"FileSigner({self.algorithm}, keyid={self.keyid[:16]}…)"

    @property
    def spki(self) -> bytes:
        """DER, one of the two encodings of formats.md."""
        return self._key.public.spki

    @property
    def keyid(self) -> str:
        """Lower-case hex SHA-256 of `spki`."""
        return self._key.keyid

    @property
    def algorithm(self) -> str:
        """ES256 or Ed25519."""
        return self._key.algorithm

    def sign(self, message: bytes) -> bytes:
        """DER (ES256) or 64 bytes (Ed25519) over `message`."""
        return self._key.sign(message)


def create_key(path: Path, algorithm: str, passphrase: str, *, scrypt_n: int = SCRYPT_N) -> FileSigner:
    """Make a key of `algorithm` (ES256 or Ed25519) and its file, mode 0600.

    Raises:
        ConfigError: `path` is there already (it is never overwritten), the passphrase is empty, or the algorithm is
            unknown.
    """
    try:
        key = PrivateKey.generate(algorithm)
    except ValueError as error:
        raise ConfigError(f"{path}: {error}") from error
    return store_key(path, key, passphrase, scrypt_n=scrypt_n)


def store_key(path: Path, key: PrivateKey, passphrase: str, *, scrypt_n: int = SCRYPT_N) -> FileSigner:
    """As `create_key`, for a key that exists already (an import, a demo's fixed one)."""
    if not passphrase:
        raise ConfigError(f"{path}: an empty passphrase protects nothing")
    salt, nonce = os.urandom(_SALT), os.urandom(_NONCE)
    spki = key.public.spki
    secret = AESGCM(_stretch(passphrase, salt, scrypt_n, _R, _P)).encrypt(nonce, key.to_pkcs8(), _bound(spki))
    document = {
        "format": FORMAT,
        "spki": b64_encode(spki),
        "kdf": {"name": "scrypt", "n": scrypt_n, "r": _R, "p": _P, "salt": b64_encode(salt)},
        "cipher": {"name": "AES-256-GCM", "nonce": b64_encode(nonce)},
        "secret": b64_encode(secret),
    }
    try:
        write_whole(path, (json.dumps(document, indent=1) + "\n").encode(), replace=False)
    except FileExistsError as error:
        raise ConfigError(f"{path} is there already; a key is never overwritten") from error
    return FileSigner(key)


def load_signer(path: Path, passphrase: str) -> FileSigner:
    """Open a key file.

    Raises:
        ConfigError: It is missing, open to others, no key file of this version, or the passphrase is wrong.
    """
    document = _read(path)
    kdf, spki = document["kdf"], b64_decode(document["spki"])
    stretched = _stretch(passphrase, b64_decode(kdf["salt"]), kdf["n"], kdf["r"], kdf["p"])
    try:
        opened = AESGCM(stretched).decrypt(
            b64_decode(document["cipher"]["nonce"]), b64_decode(document["secret"]), _bound(spki)
        )
    except InvalidTag:
        raise ConfigError(
            f"{path}: wrong passphrase, or the file was changed. Check the file that names the passphrase; without it "
            "the key is lost: make a new one and have it enrolled"
        ) from None
    key = PrivateKey.from_pkcs8(opened)
    if key.public.spki != spki:
        raise ConfigError(f"{path}: the file names another public key than it holds")
    return FileSigner(key)


def public_key_of(path: Path) -> bytes:
    """The SPKI of a key file, without its passphrase: for enrolment. ConfigError as `load_signer`."""
    return b64_decode(_read(path)["spki"])


def _read(path: Path) -> dict[str, Any]:
    data = read_private(path, "the key file")
    try:
        return _checked(strictjson.loads(data))
    except (MemberError, MalformedRecordError) as error:
        raise ConfigError(f"{path} is no key file of {FORMAT}: {error}") from error


def _checked(document: Any) -> dict[str, Any]:
    """MemberError unless `document` has the members of FORMAT, with values that may be worked with."""
    exact_object(document, "", frozenset({"format", "spki", "kdf", "cipher", "secret"}))
    kdf = exact_object(document["kdf"], "/kdf", frozenset({"name", "n", "r", "p", "salt"}))
    cipher = exact_object(document["cipher"], "/cipher", frozenset({"name", "nonce"}))
    named = (document["format"], kdf["name"], cipher["name"])
    if named != (FORMAT, "scrypt", "AES-256-GCM"):
        raise MemberError(f"another format or algorithm: {named}", "/format")
    n = integer(kdf["n"], "/kdf/n", least=2, most=_MAX_N)
    if n & (n - 1):
        raise MemberError("not a power of two", "/kdf/n")
    integer(kdf["r"], "/kdf/r", least=1, most=32)
    integer(kdf["p"], "/kdf/p", least=1, most=16)
    base64_bytes(kdf["salt"], "/kdf/salt", length=_SALT)
    base64_bytes(cipher["nonce"], "/cipher/nonce", length=_NONCE)
    base64_bytes(document["spki"], "/spki")
    base64_bytes(document["secret"], "/secret")
    return dict(document)


def _stretch(passphrase: str, salt: bytes, n: int, r: int, p: int) -> bytes:
    return Scrypt(salt=salt, length=32, n=n, r=r, p=p).derive(passphrase.encode())


def _bound(spki: bytes) -> bytes:
    """What the cipher authenticates beside the secret: the public half, so that nobody swaps it."""
    return FORMAT.encode() + b"\n" + spki
