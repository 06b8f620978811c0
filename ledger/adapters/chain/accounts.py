"""Accounts that sign transactions, and what can be read off a signed one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from eth_account import Account

from ledger.adapters.recursion import restore_recursion_limit
from ledger.core import rlp
from ledger.core.trie import keccak256

restore_recursion_limit()

_FIRST_LIST_BYTE = 0xC0
_MEMBERS: dict[int | None, tuple[int, int]] = {None: (0, 3), 1: (1, 4), 2: (1, 5)}
"""Transaction type (None: legacy) to the places of nonce and target; value and calldata follow the target."""


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
    """Sender, nonce, target and calldata of a signed transaction.

    Legacy (Yellow Paper section 4.2), EIP-2930 (type 1) and EIP-1559 (type 2); ValueError for any other bytes.
    """
    nonce_at, to_at = _MEMBERS.get(raw[0] if raw and raw[0] < _FIRST_LIST_BYTE else None, (0, 0))
    if not to_at:
        raise ValueError("not a signed transaction of a known type")
    items = rlp.decode_list(raw[1:] if raw[0] < _FIRST_LIST_BYTE else raw)
    if len(items) < to_at + 3:
        raise ValueError("a signed transaction has more members")
    to, data = items[to_at], items[to_at + 2]
    if not isinstance(to, bytes) or not isinstance(data, bytes):
        raise ValueError("a signed transaction's target and calldata are byte strings")  # noqa: TRY004 - bad bytes
    try:
        sender = bytes.fromhex(Account.recover_transaction(raw)[2:])
    except Exception as error:  # Four libraries take part, each with errors of its own.
        raise ValueError(f"not a signed transaction: {error}") from error
    return RawTransaction(sender, rlp.decode_uint(items[nonce_at]), to, data)


def created_address(sender: bytes, nonce: int) -> bytes:
    """Where CREATE puts a contract: the last 20 bytes of keccak-256(RLP[sender, nonce])."""
    return keccak256(rlp.encode([sender, rlp.encode_uint(nonce)]))[12:]
