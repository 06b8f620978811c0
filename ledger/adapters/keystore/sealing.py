"""Secrets encrypted at rest under the installation's passphrase: scrypt (RFC 7914) and AES-256-GCM, as JSON members.

Not PKCS #8's own encryption: it stretches a passphrase with PBKDF2 only, and a wrong passphrase shows as broken
padding, which cannot be told from a broken file.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.scrypt import Scrypt

from ledger.core.encoding import b64_decode, b64_encode
from ledger.core.members import MemberError, base64_bytes, exact_object, integer
from ledger.errors import ConfigError

SCRYPT_N = 2**15
"""With r = 8: 32 MB and about 80 ms a guess, once per process start for us."""
_R, _P = 8, 1

# A file that asks for more would stop the process by its memory, not by its passphrase.
_MAX_N = 2**20
_SALT, _NONCE = 16, 12

SEALED_MEMBERS = frozenset({"kdf", "cipher", "secret"})


class WrongPassphraseError(ConfigError):
    """The passphrase does not open the file, or the file was changed: nobody can tell which. Check the passphrase first."""


def seal(secret: bytes, bound: bytes, passphrase: str, *, scrypt_n: int = SCRYPT_N) -> dict[str, Any]:
    """The SEALED_MEMBERS of a file: `secret` encrypted, `bound` authenticated beside it. The passphrase is not empty."""
    salt, nonce = os.urandom(_SALT), os.urandom(_NONCE)
    sealed = AESGCM(_stretch(passphrase, salt, scrypt_n, _R, _P)).encrypt(nonce, secret, bound)
    return {
        "kdf": {"name": "scrypt", "n": scrypt_n, "r": _R, "p": _P, "salt": b64_encode(salt)},
        "cipher": {"name": "AES-256-GCM", "nonce": b64_encode(nonce)},
        "secret": b64_encode(sealed),
    }


def check_sealed(document: dict[str, Any]) -> None:
    """MemberError unless SEALED_MEMBERS are of their form, with values that may be worked with."""
    kdf = exact_object(document["kdf"], "/kdf", frozenset({"name", "n", "r", "p", "salt"}))
    cipher = exact_object(document["cipher"], "/cipher", frozenset({"name", "nonce"}))
    named = (kdf["name"], cipher["name"])
    if named != ("scrypt", "AES-256-GCM"):
        raise MemberError(f"another algorithm: {named}", "/kdf")
    n = integer(kdf["n"], "/kdf/n", least=2, most=_MAX_N)
    if n & (n - 1):
        raise MemberError("not a power of two", "/kdf/n")
    integer(kdf["r"], "/kdf/r", least=1, most=32)
    integer(kdf["p"], "/kdf/p", least=1, most=16)
    base64_bytes(kdf["salt"], "/kdf/salt", length=_SALT)
    base64_bytes(cipher["nonce"], "/cipher/nonce", length=_NONCE)
    base64_bytes(document["secret"], "/secret")


def unseal(path: Path, document: dict[str, Any], bound: bytes, passphrase: str, *, if_lost: str) -> bytes:
    """The secret again, of members that `check_sealed` has passed.

    Raises: WrongPassphraseError naming `path`, also when anything was changed; `if_lost` says what then.
    """
    kdf = document["kdf"]
    stretched = _stretch(passphrase, b64_decode(kdf["salt"]), kdf["n"], kdf["r"], kdf["p"])
    try:
        return AESGCM(stretched).decrypt(b64_decode(document["cipher"]["nonce"]), b64_decode(document["secret"]), bound)
    except InvalidTag:
        raise WrongPassphraseError(
            f"{path}: wrong passphrase, or the file was changed. Check the file that names the passphrase; without it "
            f"the key is lost: {if_lost}"
        ) from None


def _stretch(passphrase: str, salt: bytes, n: int, r: int, p: int) -> bytes:
    return Scrypt(salt=salt, length=32, n=n, r=r, p=p).derive(passphrase.encode())
