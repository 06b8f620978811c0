"""A minimal Merkle-Patricia trie *builder* for tests: the other direction of ledger.core.trie, written independently.

Source: Ethereum Yellow Paper, appendix D. Secure tries only (keys are hashed). Checked against Anvil's eth_getProof in
tests/adapters, and against published roots in tests/core/test_trie.py.
"""

from ledger.core import rlp
from ledger.core.trie import keccak256


def hex_prefix(nibbles, leaf):
    flag = 2 if leaf else 0
    if len(nibbles) % 2:
        full = [flag + 1, *nibbles]
    else:
        full = [flag, 0, *nibbles]
    return bytes(full[i] * 16 + full[i + 1] for i in range(0, len(full), 2))


def to_nibbles(data):
    return [n for byte in data for n in (byte >> 4, byte & 15)]


class Trie:
    """A trie over `items` (key -> value bytes). `nodes` maps keccak to RLP, `root` is the root hash."""

    def __init__(self, items, *, secure=True):
        self.nodes = {}
        self.secure = secure
        pairs = [(to_nibbles(keccak256(k) if secure else k), v) for k, v in items.items() if v]
        if not pairs:
            raw = rlp.encode(b"")
        else:
            raw = rlp.encode(self._build(sorted(pairs)))
        self.root = keccak256(raw)
        self.nodes[self.root] = raw

    def _build(self, pairs):
        if len(pairs) == 1:
            return [hex_prefix(pairs[0][0], True), pairs[0][1]]
        common = 0
        first, last = pairs[0][0], pairs[-1][0]
        while common < min(len(first), len(last)) and first[common] == last[common]:
            common += 1
        if common:
            rest = [(k[common:], v) for k, v in pairs]
            return [hex_prefix(first[:common], False), self._ref(self._build(rest))]
        value = b""
        if not pairs[0][0]:
            value, pairs = pairs[0][1], pairs[1:]
        branch = []
        for nibble in range(16):
            part = [(k[1:], v) for k, v in pairs if k[0] == nibble]
            branch.append(self._ref(self._build(part)) if part else b"")
        return [*branch, value]

    def _ref(self, node):
        raw = rlp.encode(node)
        if len(raw) < 32:
            return node
        self.nodes[keccak256(raw)] = raw
        return keccak256(raw)

    def prove(self, key):
        """The nodes from the root to `key` or to the proof of its absence, as eth_getProof lists them."""
        path = to_nibbles(keccak256(key) if self.secure else key)
        found = [self.nodes[self.root]]
        node = rlp.decode(found[0])
        while node:
            if len(node) == 17:
                if not path:
                    break
                child, path = node[path[0]], path[1:]
            else:
                part = to_nibbles(node[0])
                leaf = bool(part[0] & 2)
                part = part[1:] if part[0] & 1 else part[2:]
                if leaf or path[: len(part)] != part:
                    break
                child, path = node[1], path[len(part) :]
            if isinstance(child, list):
                node = child
            elif child:
                raw = self.nodes[child]
                found.append(raw)
                node = rlp.decode(raw)
            else:
                break
        return found


def storage_trie(words):
    """A contract's storage: {slot (32 bytes): word (32 bytes)}; zero words are not stored."""
    return Trie({slot: rlp.encode(word.lstrip(b"\0")) for slot, word in words.items() if word.strip(b"\0")})


def account_rlp(storage_root, code_hash, *, nonce=1, balance=0):
    return rlp.encode([rlp.encode_uint(nonce), rlp.encode_uint(balance), storage_root, code_hash])


def header_rlp(*, state_root, number, timestamp_s, extra=b"", parent=bytes(32)):
    """A header of the Shanghai fork's shape."""
    zero = bytes(32)
    return rlp.encode(
        [
            parent,
            zero,
            bytes(20),
            state_root,
            zero,
            zero,
            bytes(256),
            b"",
            rlp.encode_uint(number),
            rlp.encode_uint(30_000_000),
            b"",
            rlp.encode_uint(timestamp_s),
            extra,
            zero,
            bytes(8),
            b"",
            zero,
        ]
    )
