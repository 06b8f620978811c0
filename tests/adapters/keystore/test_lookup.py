"""The lookup key's file."""

import json

import pytest

from ledger.adapters.keystore.lookup import create_lookup_key, load_lookup_key
from ledger.adapters.keystore.signing import create_key, load_signer
from ledger.errors import ConfigError

CHEAP = 2**4


def test_lookup_key__made_and_opened__is_the_same_32_secret_bytes(tmp_path):
    path = tmp_path / "lookup.key"
    create_lookup_key(path, "open sesame", scrypt_n=CHEAP)
    key = load_lookup_key(path, "open sesame")
    assert len(key) == 32 and key == load_lookup_key(path, "open sesame")
    assert path.stat().st_mode & 0o777 == 0o600
    assert key not in path.read_bytes() and key.hex().encode() not in path.read_bytes()
    create_lookup_key(tmp_path / "other.key", "open sesame", scrypt_n=CHEAP)
    assert load_lookup_key(tmp_path / "other.key", "open sesame") != key


def test_lookup_key__there_already__is_never_overwritten(tmp_path):
    path = tmp_path / "lookup.key"
    create_lookup_key(path, "a", scrypt_n=CHEAP)
    before = path.read_bytes()
    with pytest.raises(ConfigError, match="never overwritten"):
        create_lookup_key(path, "a", scrypt_n=CHEAP)
    assert path.read_bytes() == before


def test_lookup_key__wrong_passphrase_or_none__is_not_opened(tmp_path):
    path = tmp_path / "lookup.key"
    create_lookup_key(path, "right", scrypt_n=CHEAP)
    with pytest.raises(ConfigError, match="restore it from its backup"):
        load_lookup_key(path, "wrong")
    with pytest.raises(ConfigError, match="empty passphrase"):
        create_lookup_key(tmp_path / "other", "")


def test_lookup_key__missing__says_who_makes_one(tmp_path):
    with pytest.raises(ConfigError, match="hazledger init"):
        load_lookup_key(tmp_path / "lookup.key", "x")


def test_lookup_key__open_to_others__is_refused(tmp_path):
    path = tmp_path / "lookup.key"
    create_lookup_key(path, "x", scrypt_n=CHEAP)
    path.chmod(0o640)
    with pytest.raises(ConfigError, match="chmod 600"):
        load_lookup_key(path, "x")


def test_lookup_key__no_such_file_at_all_and_open_to_others__is_named_for_what_it_is(tmp_path):
    path = tmp_path / "lookup.key"
    path.write_text("a shopping list")
    path.chmod(0o644)
    with pytest.raises(ConfigError, match="is no file of hazledger/lookup-key/v1"):
        load_lookup_key(path, "x")


@pytest.mark.parametrize("member", ["format", "kdf", "cipher", "secret"])
def test_lookup_key__a_member_altered__is_refused(tmp_path, member):
    path = tmp_path / "lookup.key"
    create_lookup_key(path, "x", scrypt_n=CHEAP)
    document = json.loads(path.read_bytes())
    document[member] = {"name": "none"} if isinstance(document[member], dict) else "AAAA" + document[member][4:]
    path.write_text(json.dumps(document))
    with pytest.raises(ConfigError):
        load_lookup_key(path, "x")


def test_key_files__put_in_each_others_place__are_refused(tmp_path):
    create_lookup_key(tmp_path / "lookup.key", "x", scrypt_n=CHEAP)
    create_key(tmp_path / "log.key", "Ed25519", "x", scrypt_n=CHEAP)
    with pytest.raises(ConfigError):
        load_signer(tmp_path / "lookup.key", "x")
    with pytest.raises(ConfigError):
        load_lookup_key(tmp_path / "log.key", "x")
