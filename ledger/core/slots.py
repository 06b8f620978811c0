"""Where the two contracts keep their words: Solidity's storage layout for mappings, formats.md section 7.

A slot of `mapping(K => V)` at slot p is keccak-256(key ‖ p), both 32 bytes. The base slots come from the trust file;
`log` is SHA-256 of the origin, `g` is `ledger.core.grants.grant_id`.
"""

from __future__ import annotations

from dataclasses import dataclass

from ledger.core.trie import keccak256

_WORD = 32


def mapping_slot(key: bytes, slot: bytes) -> bytes:
    """keccak-256(key ‖ slot); ValueError unless both are 32 bytes."""
    if len(key) != _WORD or len(slot) != _WORD:
        raise ValueError("a mapping's key and slot are 32 bytes each")
    return keccak256(key + slot)


def word(number: int) -> bytes:
    """A non-negative integer as a 32-byte big-endian word (a uint64 key is padded like this)."""
    return number.to_bytes(_WORD, "big")


def grant_slot(grants_slot: int, g: bytes) -> bytes:
    """Slot of KeyRegistry.grants[g]."""
    return mapping_slot(g, word(grants_slot))


def sized_slot(base_slot: int, log: bytes, size: int) -> bytes:
    """Slot of a `mapping(bytes32 log => mapping(uint64 size => …))`: rootAt or metaAt."""
    return mapping_slot(word(size), mapping_slot(log, word(base_slot)))


def head_slot(base_slot: int, log: bytes) -> bytes:
    """First slot of CheckpointLog.head[log]."""
    return mapping_slot(log, word(base_slot))


def next_slot(slot: bytes) -> bytes:
    """The slot after this one: a struct's second word. Wraps as the EVM does."""
    return ((int.from_bytes(slot, "big") + 1) % 2**256).to_bytes(_WORD, "big")


@dataclass(frozen=True, slots=True)
class Meta:
    """metaAt[log][size]: when the contract stored the root."""

    timestamp_s: int
    block: int


def unpack_meta(value: bytes) -> Meta:
    """Read a metaAt word: 16 zero bytes, unix seconds (8), block number (8). ValueError when it is anything else."""
    if len(value) != _WORD or value[:16] != bytes(16):
        raise ValueError("a metaAt word has 16 zero bytes in front")
    return Meta(int.from_bytes(value[16:24], "big"), int.from_bytes(value[24:], "big"))


def pack_meta(meta: Meta) -> bytes:
    """The word that `unpack_meta` reads."""
    return bytes(16) + meta.timestamp_s.to_bytes(8, "big") + meta.block.to_bytes(8, "big")
