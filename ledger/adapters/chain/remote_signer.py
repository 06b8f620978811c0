"""An account whose key is in a web3signer-compatible remote signer (eth_signTransaction over JSON-RPC)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ledger.adapters.chain.accounts import read_transaction
from ledger.adapters.chain.rpc import Rpc, Timeouts, from_hex
from ledger.errors import ChainError


class RemoteAccount:
    """`url` is the signer's, `address` the account's 20 bytes. What comes back is checked, not believed."""

    def __init__(self, url: str, address: bytes, *, timeouts: Timeouts | None = None) -> None:
        self._rpc = Rpc([url], timeouts=timeouts)
        self._address = address

    @property
    def address(self) -> bytes:
        """20 bytes."""
        return self._address

    def sign_transaction(self, fields: Mapping[str, Any]) -> bytes:
        """The signed transaction.

        Raises:
            ChainUnreachableError: The signer does not answer.
            ChainError: It refuses, or signs as another account or something else than was asked.
        """
        asked = {name: hex(value) if isinstance(value, int) else value for name, value in fields.items()}
        raw = from_hex(self._rpc.call("eth_signTransaction", {"from": "0x" + self._address.hex(), **asked}))
        try:
            signed = read_transaction(raw)
        except ValueError as error:
            raise ChainError(f"the remote signer returned no signed transaction: {error}") from error
        to = from_hex(str(fields["to"]).lower()) if "to" in fields else b""
        expected = (self._address, fields["nonce"], to, from_hex(fields["data"]))
        if (signed.sender, signed.nonce, signed.to, signed.data) != expected:
            raise ChainError("the remote signer signed something else than it was asked to")
        return raw
