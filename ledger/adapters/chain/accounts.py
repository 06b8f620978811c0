"""Accounts that sign transactions, and what can be read off a signed one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from eth_account import Account
from eth_account.typed_transactions.typed_transaction import TypedTransaction
from hexbytes import HexBytes

from ledger.core import rlp
from ledger.core.trie import keccak256


class TransactionSigner(Protocol):
    """An account in use: an opened keystore file, or a remote signer. Its key never leaves it."""

    @property
    def address(self) -> bytes:
        """20 bytes."""

    def sign_transaction(self, fields: Mapping[str, Any]) -> bytes:
        """The signed transaction, ready for eth_sendRawTransaction. Fields are JSON-RPC's names, integers as int."""


@dataclass(frozen=True, slots=True)
class RawTransaction:
    """What the journal needs of a signed transaction. `to` is empty when it creates a contract."""

    sender: bytes
    nonce: int
    to: bytes
    data: bytes


def read_transaction(raw: bytes) -> RawTransaction:
    """Sender, nonce, target and calldata of a signed transaction, legacy or typed; ValueError for other bytes."""
    sender = bytes.fromhex(Account.recover_transaction(raw)[2:])
    if raw[0] < 0x80:
        fields = TypedTransaction.from_bytes(HexBytes(raw)).as_dict()
        return RawTransaction(sender, int(fields["nonce"]), bytes(fields["to"]), bytes(fields["data"]))
    # Yellow Paper section 4.2: nonce, gasPrice, gasLimit, to, value, data, v, r, s.
    items = rlp.decode_list(raw)
    to, data = items[3], items[5]
    if not isinstance(to, bytes) or not isinstance(data, bytes):
        raise ValueError("not a signed transaction")  # noqa: TRY004 - one error for bad bytes
    return RawTransaction(sender, rlp.decode_uint(items[0]), to, data)


def created_address(sender: bytes, nonce: int) -> bytes:
    """Where CREATE puts a contract: the last 20 bytes of keccak-256(RLP[sender, nonce])."""
    return keccak256(rlp.encode([sender, rlp.encode_uint(nonce)]))[12:]
