"""A block header's RLP from the JSON of eth_getBlockByNumber, proven by its own hash.

Yellow Paper section 4.4, with the members that later forks appended: EIP-1559, 4895, 4844, 4788, 7685.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ledger.core import rlp
from ledger.core.trie import parse_header
from ledger.errors import ChainError

_DATA = (
    "parentHash",
    "sha3Uncles",
    "miner",
    "stateRoot",
    "transactionsRoot",
    "receiptsRoot",
    "logsBloom",
)
_QUANTITIES = ("difficulty", "number", "gasLimit", "gasUsed", "timestamp")
_TAIL = ("extraData", "mixHash", "nonce")

# Appended by forks, in this order; a chain may lack some in the middle (Anvil writes blob members before Cancun).
_OPTIONAL = (
    ("baseFeePerGas", True),
    ("withdrawalsRoot", False),
    ("blobGasUsed", True),
    ("excessBlobGas", True),
    ("parentBeaconBlockRoot", False),
    ("requestsHash", False),
)


def header_rlp(block: Mapping[str, Any]) -> bytes:
    """The header of `block` (raw JSON of eth_getBlockByNumber) as RLP, extra-data complete with its seals.

    Raises:
        ChainError: The header does not hash to the block's hash: a member is missing or of a fork not known here.
        KeyError, TypeError, ValueError: The block is malformed.
    """
    items: list[rlp.Rlp] = [_hex(block[name]) for name in _DATA]
    items += [rlp.encode_uint(_number(block[name])) for name in _QUANTITIES]
    items += [_hex(block[name]) for name in _TAIL]
    for name, is_quantity in _OPTIONAL:
        value = block.get(name)
        if value is not None:
            items.append(rlp.encode_uint(_number(value)) if is_quantity else _hex(value))
    header = rlp.encode(items)
    try:
        parsed = parse_header(header)
    except ValueError as error:
        raise ChainError(f"block {block['number']}: {error}") from error
    # A QBFT chain names its blocks without the seals: validators agree on the name before they have sealed it.
    if _hex(block["hash"]) not in (parsed.hash, parsed.qbft_hash):
        raise ChainError(f"block {_number(block['number'])}: its header does not hash to {block['hash']}")
    return header


def _hex(text: str) -> bytes:
    if not text.startswith("0x"):
        raise ValueError("not 0x-hex")
    return bytes.fromhex(text[2:])


def _number(text: str) -> int:
    return int(text, 16)
