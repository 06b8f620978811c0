"""`[chain] signer`: the accounts' keys are in a signer, and the installation holds none."""

import json

import pytest

from ledger.adapters.chain.accounts import read_transaction
from ledger.adapters.chain.remote_signer import RemoteAccount
from ledger.cli.compose import SUBMITTER_ACCOUNT, Installation
from ledger.config import FILE_NAME, load
from ledger.errors import ChainError, ConfigError
from tests.adapters.chain.conftest import STRANGER, SUBMITTER
from tests.adapters.chain.signer import signer_url  # noqa: F401 - a fixture

FIELDS = {
    "nonce": 3,
    "to": "0x" + "12" * 20,
    "data": "0xabcd",
    "value": 0,
    "gas": 21_000,
    "maxFeePerGas": 2,
    "maxPriorityFeePerGas": 1,
    "chainId": 31337,
    "type": 2,
}


@pytest.fixture
def here(tmp_path, signer_url):
    (tmp_path / FILE_NAME).write_text(
        f'[log]\norigin = "county.test/haz"\nissuer = "county"\n[chain]\nsigner = "{signer_url}"\n'
    )
    return Installation(load(tmp_path, {}))


def account_file(here, text):
    path = here.config.keys_dir / SUBMITTER_ACCOUNT
    path.parent.mkdir(exist_ok=True)
    path.write_text(text)
    path.chmod(0o600)


def test_account__with_a_signer__signs_there_and_needs_no_key_here(here):
    account_file(here, json.dumps({"address": SUBMITTER.address.hex()}))
    account = here.account(SUBMITTER_ACCOUNT)
    assert isinstance(account, RemoteAccount)
    signed = read_transaction(account.sign_transaction(FIELDS))
    assert (signed.sender, signed.nonce, signed.data) == (SUBMITTER.address, 3, b"\xab\xcd")


def test_account__signer_has_another_key__is_noticed(here):
    account_file(here, json.dumps({"address": "0x" + STRANGER.address.hex()}))
    with pytest.raises(ChainError, match="signed something else"):
        here.account(SUBMITTER_ACCOUNT).sign_transaction(FIELDS)


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"address": 1}', '{"address": "0x12"}', '{"address": "zz"}'])
def test_account__file_without_its_address__says_so(here, text):
    account_file(here, text)
    with pytest.raises(ConfigError, match='"address" of 20 bytes'):
        here.account(SUBMITTER_ACCOUNT)
