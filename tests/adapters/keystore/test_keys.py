"""Key files: signing keys and accounts."""

from __future__ import annotations

import json
import os
import pickle
import stat
from pathlib import Path
from typing import Any

import pytest
from eth_account import Account

from ledger.adapters.keystore.ethereum import address_of, create_account, load_account
from ledger.adapters.keystore.signing import create_key, load_signer, public_key_of, store_key
from ledger.core.encoding import b64_encode
from ledger.core.keys import PrivateKey, load_public_key
from ledger.errors import ConfigError

N = 2**4
PASSPHRASE = "correct horse battery staple 密码"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "keys" / "log.key"


@pytest.mark.parametrize("algorithm", ["Ed25519", "ES256"])
def test_signer__created_and_loaded__same_key_signs(path: Path, algorithm: str) -> None:
    made = create_key(path, algorithm, PASSPHRASE, scrypt_n=N)
    loaded = load_signer(path, PASSPHRASE)
    assert (loaded.spki, loaded.keyid, loaded.algorithm) == (made.spki, made.keyid, algorithm)
    load_public_key(made.spki).verify(loaded.sign(b"message"), b"message")
    assert public_key_of(path) == made.spki


def test_signer__made_with_defaults__loads(path: Path) -> None:
    create_key(path, "Ed25519", PASSPHRASE)
    assert load_signer(path, PASSPHRASE).algorithm == "Ed25519"


@pytest.mark.parametrize("make", [create_key, create_account])
def test_create__new_file__owner_only_and_nothing_beside(path: Path, make: Any) -> None:
    before = os.umask(0)
    arguments = (path, "Ed25519", PASSPHRASE) if make is create_key else (path, PASSPHRASE)
    try:
        make(*arguments, scrypt_n=N)
    finally:
        os.umask(before)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [entry.name for entry in path.parent.iterdir()] == [path.name]


@pytest.mark.parametrize("make", [create_key, create_account])
def test_create__file_exists__refused_and_untouched(path: Path, make: Any) -> None:
    arguments = (path, "Ed25519", PASSPHRASE) if make is create_key else (path, PASSPHRASE)
    make(*arguments, scrypt_n=N)
    before = path.read_bytes()
    with pytest.raises(ConfigError, match="never overwritten"):
        make(*arguments, scrypt_n=N)
    assert path.read_bytes() == before
    assert len(list(path.parent.iterdir())) == 1


@pytest.mark.parametrize("make", [create_key, create_account])
def test_create__empty_passphrase__refused_and_no_file(path: Path, make: Any) -> None:
    arguments = (path, "Ed25519", "") if make is create_key else (path, "")
    with pytest.raises(ConfigError, match="empty passphrase"):
        make(*arguments, scrypt_n=N)
    assert not path.exists()


def test_create_key__unknown_algorithm__refused(path: Path) -> None:
    for algorithm in ("RS256", "SM2-SM3"):
        with pytest.raises(ConfigError):
            create_key(path, algorithm, PASSPHRASE, scrypt_n=N)
    assert not path.exists()


@pytest.mark.parametrize(("make", "load"), [(create_key, load_signer), (create_account, load_account)])
def test_load__wrong_passphrase__says_what_to_do_and_shows_neither(path: Path, make: Any, load: Any) -> None:
    arguments = (path, "Ed25519", PASSPHRASE) if make is create_key else (path, PASSPHRASE)
    make(*arguments, scrypt_n=N)
    with pytest.raises(ConfigError, match="wrong passphrase") as caught:
        load(path, "hunter22")
    assert "hunter22" not in caught.value.detail
    assert str(path) in caught.value.detail
    assert caught.value.__cause__ is None


@pytest.mark.parametrize("load", [load_signer, load_account])
def test_load__missing__config_error(path: Path, load: Any) -> None:
    with pytest.raises(ConfigError, match="cannot be read: No such file"):
        load(path, PASSPHRASE)


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o666])
def test_load__others_may_read__refused_with_the_command(path: Path, mode: int) -> None:
    create_key(path, "Ed25519", PASSPHRASE, scrypt_n=N)
    path.chmod(mode)
    with pytest.raises(ConfigError, match="chmod 600"):
        load_signer(path, PASSPHRASE)


@pytest.mark.parametrize("data", [b"# hazledger\n", b"kX3d81vZ\n", b"{}", b"\x7fELF\xff", b"[" * 9000])
def test_show__another_file_open_to_others__is_no_key_file(path: Path, data: bytes) -> None:
    path.parent.mkdir()
    path.write_bytes(data)
    path.chmod(0o644)
    with pytest.raises(ConfigError, match="is no key file") as refused:
        public_key_of(path)
    assert "chmod" not in refused.value.detail


@pytest.mark.parametrize("data", [b"# hazledger\n", b"{}", b"\x7fELF\xff", b'{"version":4,"crypto":{"kdf":"scrypt"}}'])
@pytest.mark.parametrize("read", [address_of, lambda path: load_account(path, PASSPHRASE)])
def test_account__another_file_open_to_others__is_no_account_file(path: Path, data: bytes, read: Any) -> None:
    path.parent.mkdir()
    path.write_bytes(data)
    path.chmod(0o644)
    with pytest.raises(ConfigError, match="keystore v|has no .address") as refused:
        read(path)
    assert "chmod" not in refused.value.detail


def test_file__written__holds_no_secret_in_clear(path: Path) -> None:
    key = PrivateKey.generate("Ed25519")
    store_key(path, key, PASSPHRASE, scrypt_n=N)
    data = path.read_bytes()
    assert key.to_pkcs8() not in data
    assert key.to_pkcs8()[-32:].hex().encode() not in data
    assert PASSPHRASE.encode() not in data


def changed(document: dict[str, Any], *names: str, to: Any) -> bytes:
    inner = document
    for name in names[:-1]:
        inner = inner[name]
    inner[names[-1]] = to
    return json.dumps(document).encode()


DEFECTS = {
    "another format": (("format",), "hazledger/key/v2"),
    "unknown kdf": (("kdf", "name"), "pbkdf2"),
    "n no power of two": (("kdf", "n"), 15),
    "n of 64 GB": (("kdf", "n"), 2**26),
    "r as text": (("kdf", "r"), "8"),
    "p of zero": (("kdf", "p"), 0),
    "salt cut short": (("kdf", "salt"), "AAAA"),
    "nonce no base64": (("cipher", "nonce"), "***"),
    "unknown cipher": (("cipher", "name"), "AES-256-CBC"),
    "unknown member": (("comment",), "x"),
}


@pytest.mark.parametrize("defect", DEFECTS)
def test_load_signer__bad_file__config_error(path: Path, defect: str) -> None:
    create_key(path, "Ed25519", PASSPHRASE, scrypt_n=N)
    names, value = DEFECTS[defect]
    path.write_bytes(changed(json.loads(path.read_bytes()), *names, to=value))
    with pytest.raises(ConfigError, match="is no key file"):
        load_signer(path, PASSPHRASE)


@pytest.mark.parametrize("data", [b"", b"{}", b"[]", b"null", b"\xff", b'{"format":1}'])
def test_load__not_a_key_file__config_error(path: Path, data: bytes) -> None:
    path.parent.mkdir()
    path.write_bytes(data)
    path.chmod(0o600)
    with pytest.raises(ConfigError):
        load_signer(path, PASSPHRASE)
    with pytest.raises(ConfigError):
        load_account(path, PASSPHRASE)


def test_load_signer__public_key_exchanged__refused(path: Path, tmp_path: Path) -> None:
    create_key(path, "Ed25519", PASSPHRASE, scrypt_n=N)
    other = create_key(tmp_path / "other", "Ed25519", PASSPHRASE, scrypt_n=N)
    path.write_bytes(changed(json.loads(path.read_bytes()), "spki", to=b64_encode(other.spki)))
    with pytest.raises(ConfigError, match="or the file was changed"):
        load_signer(path, PASSPHRASE)


def test_load_signer__one_bit_of_the_secret__refused(path: Path) -> None:
    create_key(path, "Ed25519", PASSPHRASE, scrypt_n=N)
    document = json.loads(path.read_bytes())
    secret = document["secret"]
    path.write_bytes(changed(document, "secret", to=("A" if secret[0] != "A" else "B") + secret[1:]))
    with pytest.raises(ConfigError, match="or the file was changed"):
        load_signer(path, PASSPHRASE)


def test_repr__keys_and_accounts__no_secret_and_not_to_be_pickled(path: Path, tmp_path: Path) -> None:
    key = PrivateKey.generate("Ed25519")
    signer = store_key(path, key, PASSPHRASE, scrypt_n=N)
    account = create_account(tmp_path / "account", PASSPHRASE, scrypt_n=N)
    for shown in (repr(signer), str(signer), repr(account), f"{account}"):
        assert key.to_pkcs8()[-32:].hex() not in shown
    assert repr(account) == f"EthereumAccount(0x{account.address.hex()})"
    assert signer.keyid[:16] in repr(signer)
    for secret in (signer, account):
        with pytest.raises((TypeError, pickle.PicklingError)):
            pickle.dumps(secret)


# --- accounts ------------------------------------------------------------------------------------------------------


def test_account__created_and_loaded__same_address_and_signature(path: Path) -> None:
    made = create_account(path, PASSPHRASE, scrypt_n=N)
    loaded = load_account(path, PASSPHRASE)
    fields = {"chainId": 1, "nonce": 0, "gas": 21000, "gasPrice": 0, "value": 0, "data": "0x"}
    assert loaded.address == made.address
    assert loaded.sign_transaction(fields) == made.sign_transaction(fields)
    assert Account.recover_transaction(loaded.sign_transaction(fields))[2:].lower() == made.address.hex()


def test_load_account__vector_of_the_definition__opens(path: Path) -> None:
    """Web3 Secret Storage Definition, version 3, test vector for scrypt (made there with n = 2**18)."""
    document = {
        "crypto": {
            "cipher": "aes-128-ctr",
            "cipherparams": {"iv": "83dbcc02d8ccb40e466191a123791e0e"},
            "ciphertext": "d172bf743a674da9cdad04534d56926ef8358534d458fffccd4e6ad2fbde479c",
            "kdf": "scrypt",
            "kdfparams": {
                "dklen": 32,
                "n": 262144,
                "r": 1,
                "p": 8,
                "salt": "ab0c7876052600dd703518d6fc3fe8984592145b591fc8fb5c6d43190334ba19",
            },
            "mac": "2103ac29920d71da29f15d75b4a16dbe95cfd7ff8faea1056c33131d846e3097",
        },
        "id": "3198bc9c-6672-5ab3-d995-4942343ae5b6",
        "version": 3,
    }
    path.parent.mkdir()
    path.write_text(json.dumps(document))
    path.chmod(0o600)
    account = load_account(path, "testpassword")
    assert account.address.hex() == "008aeeda4d805471df9b2a5b0f38a0c3bcba786b"


@pytest.mark.parametrize("version", [1, 4, "3"])
def test_load_account__another_version__named(path: Path, version: object) -> None:
    create_account(path, PASSPHRASE, scrypt_n=N)
    path.write_bytes(changed(json.loads(path.read_bytes()), "version", to=version))
    with pytest.raises(ConfigError, match="version 3 is read"):
        load_account(path, PASSPHRASE)
