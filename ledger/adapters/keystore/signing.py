"""Signing keys (P-256, Ed25519) encrypted at rest (keystore/sealing.py), each in a small JSON file."""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path
from typing import Any

from ledger.adapters.files import read_private, write_whole
from ledger.adapters.keystore.sealing import SCRYPT_N, SEALED_MEMBERS, check_sealed, seal, unseal
from ledger.core import strictjson
from ledger.core.encoding import b64_decode, b64_encode
from ledger.core.keys import PrivateKey
from ledger.core.members import MemberError, base64_bytes, exact_object
from ledger.errors import ConfigError, MalformedRecordError

FORMAT = "hazledger/key/v1"


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
    try:
        write_whole(path, _sealed(key, passphrase, scrypt_n), replace=False)
    except FileExistsError as error:
        raise ConfigError(f"{path} is there already; a key is never overwritten") from error
    return FileSigner(key)


def _sealed(key: PrivateKey, passphrase: str, scrypt_n: int) -> bytes:
    spki = key.public.spki
    document = {
        "format": FORMAT,
        "spki": b64_encode(spki),
        **seal(key.to_pkcs8(), _bound(spki), passphrase, scrypt_n=scrypt_n),
    }
    return (json.dumps(document, indent=1) + "\n").encode()


def load_signer(path: Path, passphrase: str) -> FileSigner:
    """Open a key file.

    Raises:
        ConfigError: It is missing, open to others, no key file of this version, or the passphrase is wrong.
    """
    return FileSigner(_open(path, passphrase))


def rekey(path: Path, old: str, new: str) -> None:
    """Encrypt the key in `path` under another passphrase. Where `new` opens it already nothing is done, so that a change
    that was broken off half way can be made again. ConfigError as `load_signer`, also for an empty `new`.
    """
    if not new:
        raise ConfigError(f"{path}: an empty passphrase protects nothing")
    try:
        _open(path, new)
    except ConfigError:
        key = _open(path, old)
        write_whole(path, _sealed(key, new, _read(path)["kdf"]["n"]))


def _open(path: Path, passphrase: str) -> PrivateKey:
    document = _read(path)
    spki = b64_decode(document["spki"])
    opened = unseal(path, document, _bound(spki), passphrase, if_lost="make a new one and have it enrolled")
    key = PrivateKey.from_pkcs8(opened)
    if key.public.spki != spki:
        raise ConfigError(f"{path}: the file names another public key than it holds")
    return key


def public_key_of(path: Path) -> bytes:
    """The SPKI of a key file, without its passphrase: for enrolment. ConfigError as `load_signer`."""
    return b64_decode(_read(path)["spki"])


def _read(path: Path) -> dict[str, Any]:
    return _parsed(path, read_private(path, "the key file", partial(_parsed, path)))


def _parsed(path: Path, data: bytes) -> dict[str, Any]:
    try:
        return _checked(strictjson.loads(data))
    except (MemberError, MalformedRecordError) as error:
        raise ConfigError(f"{path} is no key file of {FORMAT}: {error}") from error


def _checked(document: Any) -> dict[str, Any]:
    """MemberError unless `document` has the members of FORMAT, with values that may be worked with."""
    exact_object(document, "", frozenset({"format", "spki", *SEALED_MEMBERS}))
    if document["format"] != FORMAT:
        raise MemberError(f"another format: {document['format']}", "/format")
    base64_bytes(document["spki"], "/spki")
    check_sealed(document)
    return dict(document)


def _bound(spki: bytes) -> bytes:
    """What the cipher authenticates beside the secret: the public half, so that nobody swaps it."""
    return FORMAT.encode() + b"\n" + spki
