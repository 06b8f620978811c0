"""A quick RFC 9162 tree over made-up leaves, for sizes at which the recursive definition would be too slow.

Independent of ledger/core/merkle on purpose: the contract is tested against the RFC, not against our own verifier.
"""

from __future__ import annotations

import hashlib


def _node(left: bytes, right: bytes) -> bytes:
    return hashlib.sha256(b"\x01" + left + right).digest()


class Tree:
    """Leaf i is SHA-256(0x00 ‖ salt ‖ i). All complete subtrees are kept: 64 bytes a leaf."""

    def __init__(self, size: int, salt: bytes = b"") -> None:
        level = [hashlib.sha256(b"\x00" + salt + i.to_bytes(8, "big")).digest() for i in range(size)]
        self._levels = [level]
        while len(level) > 1:
            level = [_node(level[i], level[i + 1]) for i in range(0, len(level) - 1, 2)]
            self._levels.append(level)

    def root(self, size: int) -> bytes:
        return self._range(0, size)

    def _range(self, low: int, high: int) -> bytes:
        """MTH(D[low:high]), section 2.1.1, for the ranges that the recursion meets."""
        width = high - low
        if width & (width - 1) == 0:
            return self._levels[width.bit_length() - 1][low // width]
        k = _split(width)
        return _node(self._range(low, low + k), self._range(low + k, high))

    def consistency(self, old: int, new: int) -> list[bytes]:
        """PROOF(old, D[new]), section 2.1.4.1."""
        return self._subproof(old, 0, new, whole=True)

    def _subproof(self, m: int, low: int, high: int, *, whole: bool) -> list[bytes]:
        if low + m == high:
            return [] if whole else [self._range(low, high)]
        k = _split(high - low)
        if m <= k:
            return [*self._subproof(m, low, low + k, whole=whole), self._range(low + k, high)]
        return [*self._subproof(m - k, low + k, high, whole=False), self._range(low, low + k)]


def _split(n: int) -> int:
    """Largest power of two smaller than n >= 2."""
    return 1 << (n - 1).bit_length() - 1
