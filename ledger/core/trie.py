"""Reading Ethereum state out of a set of trie nodes: Yellow Paper, appendix D, "secure" (hashed-key) tries.

A proof is a *set*: nodes are found by their keccak-256 from a root that somebody else vouches for (the header, check
10), so the order in which they were sent says nothing and a made-up node is simply never reached. Every walk records
the nodes it used; what nobody used has no business in a bundle (formats.md section 7).

Not checked here: that the root is the chain's. That is check 10.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from ledger.core import rlp
from ledger.core.rlp import Rlp

MAX_NODES = 64
"""Two accounts, four grants and two checkpoint words take fewer than 50 at 100,000 slots."""

_HASH = 32
# A header of the newest fork has 21 items; 15 is Frontier's. More is another format.
_HEADER_ITEMS = range(15, 33)


def keccak256(data: bytes) -> bytes:
    """Keccak-256 as Ethereum uses it (the padding from before FIPS 202)."""
    # Here and not above: it brings a C parser along, 40 ms for commands that read no chain.
    from Crypto.Hash import keccak  # noqa: PLC0415

    digest: bytes = keccak.new(digest_bits=256, data=data).digest()
    return digest


EMPTY_TRIE_ROOT = bytes.fromhex("56e81f171bcc55a6ff8345e692c0f86e5b48e01b996cadc001622fb5e363b421")
"""keccak-256 of the RLP of the empty string."""
EMPTY_CODE_HASH = bytes.fromhex("c5d2460186f7233c927e7db2dcc703c0e500b653ca82273b7bfad8045d85a470")
"""keccak-256 of no bytes."""


class TrieError(ValueError):
    """The nodes do not prove what was asked: one is missing, malformed, or there are too many. Callers give it their
    check's number.
    """


@dataclass(frozen=True, slots=True)
class Account:
    """The four members of an account in the state trie."""

    nonce: int
    balance: int
    storage_root: bytes
    code_hash: bytes


@dataclass(frozen=True, slots=True)
class Header:
    """What a verifier reads of a block header. `hash` is keccak-256 of the exact RLP; nothing here is authentic yet."""

    hash: bytes
    state_root: bytes
    number: int
    timestamp_s: int
    qbft_hash: bytes | None
    """The name by which a QBFT chain knows the block, when extraData is QBFT's; see `_qbft_hash`."""
    raw: bytes
    """The exact RLP."""


def parse_header(raw: bytes) -> Header:
    """Read a block header's RLP. Items: 3 stateRoot, 8 number, 11 timestamp (Yellow Paper, section 4.4).

    Raises:
        ValueError: not strict RLP, or not of a header's shape.
    """
    items = rlp.decode_list(raw)
    if len(items) not in _HEADER_ITEMS:
        raise ValueError(f"a block header has 15 or more members, this list has {len(items)}")
    state_root = items[3]
    if not isinstance(state_root, bytes) or len(state_root) != _HASH:
        raise ValueError("the header's stateRoot is not 32 bytes")
    return Header(
        hash=keccak256(raw),
        state_root=state_root,
        number=rlp.decode_uint(items[8], max_bytes=8),
        timestamp_s=rlp.decode_uint(items[11], max_bytes=8),
        qbft_hash=_qbft_hash(items),
        raw=raw,
    )


def _qbft_hash(items: list[Rlp]) -> bytes | None:
    """keccak-256 of the header without its seals and with round 0: the block's hash on a QBFT chain.

    Validators agree on a block before its last round and its seals are known, so neither can be part of its name
    (Besu, QbftExtraDataCodec, EXCLUDE_COMMIT_SEALS_AND_ROUND_NUMBER). None when extraData is not QBFT's list of five.
    """
    extra = items[12]
    if not isinstance(extra, bytes):
        return None
    try:
        parts = rlp.decode_list(extra)
    except ValueError:
        return None
    if len(parts) != 5:
        return None
    named = [*items[:12], rlp.encode([*parts[:3], b"", []]), *items[13:]]
    return keccak256(rlp.encode(named))


class NodeSet:
    """A set of RLP trie nodes, and the memory of which were used."""

    def __init__(self, nodes: Iterable[bytes], *, limit: int | None = MAX_NODES) -> None:
        """TrieError when a node stands twice, or when there are more than `limit` (None: a prover's own superset)."""
        self._nodes: dict[bytes, bytes] = {}
        self._used: dict[bytes, None] = {}
        self._parsed: dict[bytes, list[Rlp]] = {}
        for node in nodes:
            digest = keccak256(node)
            if digest in self._nodes:
                raise TrieError(f"trie node {digest.hex()[:16]}… stands in the set twice")
            self._nodes[digest] = node
        if limit is not None and len(self._nodes) > limit:
            raise TrieError(f"{len(self._nodes)} trie nodes; at most {limit} are read")

    def get(self, root: bytes, key: bytes) -> bytes | None:
        """The value stored under `key` (not yet hashed) in the trie with this root, or None when it is proven absent.

        Raises:
            TrieError: a node on the way is missing or malformed, so neither presence nor absence is proven.
        """
        if root == EMPTY_TRIE_ROOT:
            return None
        path = _nibbles(keccak256(key))
        node = self._load(root, is_root=True)
        at = 0
        while True:
            if len(node) == 17:
                if at >= len(path):
                    raise TrieError("a branch where a key has already ended")
                if node[16] != b"":
                    raise TrieError("a branch with a value: keys of a secure trie are all of one length")
                child = node[path[at]]
                at += 1
            else:
                part, is_leaf = _compact(node[0])
                matches = path[at : at + len(part)] == part
                if is_leaf:
                    if at + len(part) != len(path):
                        raise TrieError("a leaf whose path is not as long as a key")
                    return _leaf_value(node[1]) if matches else None
                if at + len(part) >= len(path):
                    raise TrieError("an extension that reaches past the end of a key")
                if not matches:
                    return None
                at += len(part)
                child = node[1]
                if child == b"":
                    raise TrieError("an extension that leads nowhere")
            if child == b"":
                return None
            node = self._child(child)

    def account(self, state_root: bytes, address: bytes) -> Account | None:
        """The account at a 20-byte address, or None when proven absent; TrieError as `get`."""
        value = self.get(state_root, address)
        if value is None:
            return None
        try:
            items = rlp.decode_list(value)
            if len(items) != 4:
                raise ValueError("an account has four members")  # noqa: TRY301 - one exit for every defect
            storage_root, code_hash = items[2], items[3]
            if not (isinstance(storage_root, bytes) and isinstance(code_hash, bytes)):
                raise ValueError("an account's roots are byte strings")  # noqa: TRY301, TRY004 - as above
            if len(storage_root) != _HASH or len(code_hash) != _HASH:
                raise ValueError("an account's roots are 32 bytes")  # noqa: TRY301 - as above
            return Account(rlp.decode_uint(items[0]), rlp.decode_uint(items[1]), storage_root, code_hash)
        except ValueError as error:
            raise TrieError(f"the account's value: {error}") from error

    def storage(self, storage_root: bytes, slot: bytes) -> bytes:
        """The 32-byte word in a storage slot: left-padded, zeros when proven absent; TrieError as `get`."""
        value = self.get(storage_root, slot)
        if value is None:
            return bytes(_HASH)
        try:
            word = rlp.decode(value)
            number = rlp.decode_uint(word)
        except ValueError as error:
            raise TrieError(f"a storage value: {error}") from error
        if number == 0:
            raise TrieError("a storage trie never holds zero")
        return number.to_bytes(_HASH, "big")

    def used(self) -> tuple[bytes, ...]:
        """The nodes that walks have used so far, each once, in the order of first use."""
        return tuple(self._nodes[digest] for digest in self._used)

    def unused(self) -> tuple[bytes, ...]:
        """The nodes that no walk has used."""
        return tuple(node for digest, node in self._nodes.items() if digest not in self._used)

    def _load(self, digest: bytes, *, is_root: bool = False) -> list[Rlp]:
        raw = self._nodes.get(digest)
        if raw is None:
            raise TrieError(f"trie node {digest.hex()[:16]}… is missing")
        self._used[digest] = None
        known = self._parsed.get(digest)
        if known is None:
            if len(raw) < _HASH and not is_root:
                raise TrieError("a node shorter than 32 bytes stands inside its parent, never beside it")
            try:
                known = rlp.decode_list(raw)
            except ValueError as error:
                raise TrieError(f"trie node {digest.hex()[:16]}…: {error}") from error
            self._parsed[digest] = _shaped(known)
        return known

    def _child(self, reference: Rlp) -> list[Rlp]:
        if isinstance(reference, list):
            if len(rlp.encode(reference)) >= _HASH:
                raise TrieError("a node of 32 bytes or more is referred to by its hash, never embedded")
            return _shaped(reference)
        if len(reference) != _HASH:
            raise TrieError("a reference to a trie node is 32 bytes")
        return self._load(reference)


def _shaped(node: list[Rlp]) -> list[Rlp]:
    if len(node) not in (2, 17):
        raise TrieError(f"a trie node has 2 or 17 members, this one has {len(node)}")
    return node


def _nibbles(data: bytes) -> bytes:
    return bytes(nibble for byte in data for nibble in (byte >> 4, byte & 15))


def _compact(encoded: Rlp) -> tuple[bytes, bool]:
    """Nibbles and "is a leaf" of a hex-prefix path (Yellow Paper, appendix C)."""
    if not isinstance(encoded, bytes) or not encoded:
        raise TrieError("a trie path is a non-empty byte string")
    nibbles = _nibbles(encoded)
    flag = nibbles[0]
    if flag > 3 or (not flag & 1 and nibbles[1] != 0):
        raise TrieError("a trie path with an unknown flag")
    part = nibbles[1:] if flag & 1 else nibbles[2:]
    is_leaf = bool(flag & 2)
    if not part and not is_leaf:
        raise TrieError("an extension without a path")
    return part, is_leaf


def _leaf_value(value: Rlp) -> bytes:
    if not isinstance(value, bytes) or not value:
        raise TrieError("a leaf holds a non-empty byte string")
    return value
