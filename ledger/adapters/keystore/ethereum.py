"""Ethereum accounts in keystore v3 files (Web3 Secret Storage Definition, version 3, scrypt)."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

from eth_account import Account
from eth_account.signers.local import LocalAccount

from ledger.adapters.files import read_private, write_whole
from ledger.adapters.recursion import restore_recursion_limit
from ledger.errors import ConfigError

restore_recursion_limit()

ADDRESS_BYTES = 20
SCRYPT_N = 2**14
"""About 50 ms and 16 MB. The file is for a machine that has the passphrase beside it; n only slows a guesser down who
has the file alone. geth's "standard" is 2**18."""


class EthereumAccount:
    """An opened account. Its key is not in its repr, and no method returns it."""

    __slots__ = ("_account",)

    def __init__(self, account: LocalAccount) -> None:
        self._account = account

    def __repr__(self) -> str:
        return f"EthereumAccount(0x{self.address.hex()})"

    @property
    def address(self) -> bytes:
        """20 bytes."""
        return bytes.fromhex(self._account.address[2:])

    def sign_transaction(self, fields: Mapping[str, Any]) -> bytes:
        """The signed transaction (EIP-155 or typed), deterministic (RFC 6979)."""
        return bytes(self._account.sign_transaction(dict(fields)).raw_transaction)


def create_account(path: Path, passphrase: str, *, scrypt_n: int = SCRYPT_N) -> EthereumAccount:
    """Make an account and its keystore file.

    Raises:
        ConfigError: `path` is there already (it is never overwritten), or the passphrase is empty.
    """
    if not passphrase:
        raise ConfigError(f"{path}: an empty passphrase protects nothing")
    account = Account.create()
    document = Account.encrypt(account.key, passphrase, kdf="scrypt", iterations=scrypt_n)
    try:
        write_whole(path, json.dumps(document).encode(), replace=False)
    except FileExistsError as error:
        raise ConfigError(f"{path} is there already; an account is never overwritten") from error
    return EthereumAccount(account)


def address_of(path: Path) -> bytes:
    """The 20 bytes that a keystore file names as its account's, whether or not it still holds the key.

    Raises:
        ConfigError: It is missing, open to others, or names none.
    """
    data = read_private(path, "the account file", partial(_address, path))
    return _address(path, data)


def load_account(path: Path, passphrase: str) -> EthereumAccount:
    """Open a keystore file.

    Raises:
        ConfigError: It is missing, open to others, no keystore v3, or the passphrase is wrong.
    """
    data = read_private(path, "the account file", partial(_parsed, path))
    try:
        key = Account.decrypt(_parsed(path, data), passphrase)
    except ValueError:
        # `from None`: the library's own error may quote what it decrypted.
        raise ConfigError(
            f"{path}: wrong passphrase. Check the file that names it; without the passphrase the account is lost, and "
            "the owner of the contracts must give its role to a new one"
        ) from None
    except (KeyError, TypeError) as error:
        raise ConfigError(f"{path} is no keystore v3 file: a member is missing") from error
    return EthereumAccount(Account.from_key(key))


def _parsed(path: Path, data: bytes) -> dict[str, Any]:
    """The members of a keystore file; ConfigError for what is none of version 3."""
    try:
        document: dict[str, Any] = json.loads(data)
        kind = document["version"], document["crypto"]["kdf"]
    except (ValueError, KeyError, TypeError) as error:
        raise ConfigError(f"{path} is no keystore v3 file") from error
    if kind[0] != 3:
        raise ConfigError(f"{path} is keystore version {kind[0]!r}; version 3 is read")
    return document


def _address(path: Path, data: bytes) -> bytes:
    try:
        address = bytes.fromhex(json.loads(data)["address"].removeprefix("0x"))
    except (ValueError, KeyError, TypeError, AttributeError):
        address = b""
    if len(address) != ADDRESS_BYTES:
        raise ConfigError(f'{path} has no "address" of {ADDRESS_BYTES} bytes in hex')
    return address
