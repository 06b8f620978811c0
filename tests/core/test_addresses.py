"""An endpoint's address is shown without what may be a key."""

import pytest

from ledger.cli.rpc import RpcChainView
from ledger.core.addresses import shown_address
from ledger.errors import ChainUnreachableError


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("http://127.0.0.1:8545", "http://127.0.0.1:8545"),
        ("https://node.example/v3/s3cret", "https://node.example"),
        ("https://user:s3cret@node.example:443/", "https://node.example:443"),
        ("https://node.example?key=s3cret", "https://node.example"),
        ("https://node.example?key=a@s3cret", "https://node.example"),
        ("https://node.example/a?b=c@s3cret", "https://node.example"),
    ],
)
def test_shown_address__with_a_key_somewhere__host_and_port_only(url, shown):
    assert shown_address(url) == shown


def test_chain_view__endpoint_that_does_not_answer__said_without_its_key():
    with pytest.raises(ChainUnreachableError) as error:
        RpcChainView("http://user:s3cret@127.0.0.1:9/v3/s3cret?key=s3cret", within_s=2).chain_id()
    assert "http://127.0.0.1:9" in error.value.detail and "s3cret" not in error.value.detail
