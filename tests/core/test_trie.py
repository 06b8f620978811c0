"""Trie walks over a node set: presence, absence, and every way in which a set fails to prove either."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ledger.core import rlp
from ledger.core.encoding import sha256
from ledger.core.trie import EMPTY_CODE_HASH, EMPTY_TRIE_ROOT, NodeSet, TrieError, keccak256, parse_header
from tests.trie_builder import Trie, account_rlp, header_rlp, hex_prefix, storage_trie

KEYS = [sha256(b"key %d" % n) for n in range(60)]
ITEMS = {key: rlp.encode(b"value %d" % n) for n, key in enumerate(KEYS)}


def test_keccak256__published_values__equal():
    # Ethereum Yellow Paper: KEC(()) and KEC(RLP("")).
    assert EMPTY_CODE_HASH.hex() == "c5d2460186f7233c927e7db2dcc703c0e500b653ca82273b7bfad8045d85a470"
    assert keccak256(b"") == EMPTY_CODE_HASH
    assert keccak256(b"\x80") == EMPTY_TRIE_ROOT
    assert EMPTY_TRIE_ROOT.hex() == "56e81f171bcc55a6ff8345e692c0f86e5b48e01b996cadc001622fb5e363b421"


def test_builder__published_root__equal():
    # ethereum/tests, TrieTests/trieanyorder.json, "dogs": the builder these tests rest on is right.
    trie = Trie({b"do": b"verb", b"horse": b"stallion", b"doge": b"coin", b"dog": b"puppy"}, secure=False)
    assert trie.root.hex() == "5991bb8c6514148a29db676a14ac506cd2cd5775ace63c30a4fe457715e9ac84"


def test_get__every_key_of_a_trie__its_value_and_exactly_the_proof_used():
    trie = Trie(ITEMS)
    for key, value in ITEMS.items():
        nodes = NodeSet(trie.prove(key))
        assert nodes.get(trie.root, key) == value
        assert nodes.unused() == ()
        assert set(nodes.used()) == set(trie.prove(key))


def test_get__absent_keys__none_and_proven():
    trie = Trie(ITEMS)
    for n in range(100):
        absent = sha256(b"absent %d" % n)
        nodes = NodeSet(trie.prove(absent))
        assert nodes.get(trie.root, absent) is None
        assert nodes.unused() == ()


def test_get__absent_behind_an_extension__none():
    # Two keys whose hashes share a long prefix force an extension; a third key leaves it halfway.
    found = {}
    for n in range(100_000):
        key = b"%d" % n
        prefix = keccak256(key)[:2]
        if prefix in found:
            break
        found[prefix] = key
    trie = Trie({found[prefix]: b"one", key: b"two"})
    assert len(rlp.decode(trie.nodes[trie.root])) == 2
    assert NodeSet(trie.nodes.values()).get(trie.root, b"elsewhere") is None
    assert NodeSet(trie.nodes.values()).get(trie.root, key) == b"two"


def test_get__empty_trie__absent_without_any_node():
    assert NodeSet([]).get(EMPTY_TRIE_ROOT, b"key") is None


@pytest.mark.parametrize("dropped", range(2))
def test_get__node_missing__not_proven(dropped):
    trie = Trie(ITEMS)
    proof = trie.prove(KEYS[7])
    del proof[dropped]
    with pytest.raises(TrieError, match="missing"):
        NodeSet(proof).get(trie.root, KEYS[7])


def test_get__one_bit_flipped_in_any_node__not_proven():
    trie = Trie(ITEMS)
    proof = trie.prove(KEYS[3])
    for at, node in enumerate(proof):
        for bit in range(0, len(node) * 8, 37):
            flipped = bytearray(node)
            flipped[bit // 8] ^= 1 << bit % 8
            changed = [*proof[:at], bytes(flipped), *proof[at + 1 :]]
            with pytest.raises(TrieError):
                NodeSet(changed).get(trie.root, KEYS[3])


def test_node_set__same_node_twice__refused():
    node = Trie(ITEMS).prove(KEYS[0])[0]
    with pytest.raises(TrieError, match="twice"):
        NodeSet([node, node])


def test_node_set__more_than_64__refused_unless_a_provers_own():
    nodes = [rlp.encode([b"x" * 40, b"%d" % n]) for n in range(65)]
    with pytest.raises(TrieError, match="65 trie nodes"):
        NodeSet(nodes)
    NodeSet(nodes[:64])
    NodeSet(nodes, limit=None)


def test_unused__superfluous_node__listed():
    trie = Trie(ITEMS)
    extra = rlp.encode([b"x" * 40, b"y"])
    nodes = NodeSet([*trie.prove(KEYS[0]), extra])
    nodes.get(trie.root, KEYS[0])
    assert nodes.unused() == (extra,)


def nibbles_of(key):
    return [n for byte in keccak256(key) for n in (byte >> 4, byte & 15)]


def leaf(key, value, skip=0):
    return [hex_prefix(nibbles_of(key)[skip:], True), value]


def made(node):
    raw = rlp.encode(node)
    return keccak256(raw), raw


MALFORMED = {
    "three-members": lambda: [b"\x20" + keccak256(b"k"), b"v", b"w"],
    "leaf-path-too-short": lambda: [hex_prefix(nibbles_of(b"k")[:-2], True), b"v"],
    "leaf-path-too-long": lambda: [hex_prefix([*nibbles_of(b"k"), 1, 1], True), b"v"],
    "path-flag-unknown": lambda: [b"\x40" + keccak256(b"k"), b"v"],
    "path-padding-not-zero": lambda: [b"\x2f" + keccak256(b"k"), b"v"],
    "path-empty-string": lambda: [b"", b"v" * 40],
    "path-is-a-list": lambda: [[b"x"], b"v" * 40],
    "extension-without-path": lambda: [b"\x00", b"r" * 32],
    "extension-to-nothing": lambda: [hex_prefix(nibbles_of(b"k")[:3], False), b""],
    "extension-over-the-whole-key": lambda: [hex_prefix(nibbles_of(b"k"), False), b"r" * 32],
    "reference-of-31-bytes": lambda: [hex_prefix(nibbles_of(b"k")[:3], False), b"r" * 31],
    "reference-to-a-missing-node": lambda: [hex_prefix(nibbles_of(b"k")[:3], False), b"r" * 32],
    "empty-leaf-value": lambda: leaf(b"k", b""),
    "leaf-value-is-a-list": lambda: leaf(b"k", [b"v"]),
    "branch-with-a-value": lambda: [b"r" * 32] * 16 + [b"v"],
    "embedded-node-of-32-bytes": lambda: [
        leaf(b"k", b"v" * 40, 1) if n == nibbles_of(b"k")[0] else b"" for n in range(16)
    ]
    + [b""],
    "embedded-node-with-three-members": lambda: [
        [b"a", b"b", b"c"] if n == nibbles_of(b"k")[0] else b"" for n in range(16)
    ]
    + [b""],
}


@pytest.mark.parametrize("defect", MALFORMED)
def test_get__malformed_node__refused(defect):
    root, raw = made(MALFORMED[defect]())
    with pytest.raises(TrieError):
        NodeSet([raw]).get(root, b"k")


def test_get__short_node_referred_to_by_hash__refused():
    child = [hex_prefix([1], True), b"v"]
    first = nibbles_of(b"k")[0]
    root, raw = made([keccak256(rlp.encode(child)) if n == first else b"" for n in range(16)] + [b""])
    with pytest.raises(TrieError, match="shorter than 32"):
        NodeSet([raw, rlp.encode(child)]).get(root, b"k")


def test_get__node_that_is_no_rlp__refused():
    raw = b"\xb8\x01" * 20
    with pytest.raises(TrieError):
        NodeSet([raw]).get(keccak256(raw), b"k")


@settings(max_examples=30)
@given(st.dictionaries(st.binary(min_size=1, max_size=8), st.binary(min_size=1, max_size=40), min_size=1, max_size=30))
def test_get__any_trie__agrees_with_the_builder(items):
    trie = Trie(items)
    for key in [*items, b"not there at all"]:
        nodes = NodeSet(trie.prove(key))
        assert nodes.get(trie.root, key) == items.get(key)
        assert nodes.unused() == ()


def test_account__present_and_absent__read():
    trie = Trie({b"\1" * 20: account_rlp(EMPTY_TRIE_ROOT, EMPTY_CODE_HASH, nonce=3, balance=10**18)})
    nodes = NodeSet(trie.nodes.values())
    account = nodes.account(trie.root, b"\1" * 20)
    assert (account.nonce, account.balance, account.storage_root, account.code_hash) == (
        3,
        10**18,
        EMPTY_TRIE_ROOT,
        EMPTY_CODE_HASH,
    )
    assert nodes.account(trie.root, b"\2" * 20) is None


@pytest.mark.parametrize(
    "value",
    [
        rlp.encode([b"\1", b"\1", bytes(32)]),
        rlp.encode([b"\1", b"\1", bytes(31), bytes(32)]),
        rlp.encode([b"\1", b"\1", bytes(32), [bytes(32)]]),
        rlp.encode([b"\0\1", b"\1", bytes(32), bytes(32)]),
        rlp.encode(b"account"),
        b"\xff",
    ],
)
def test_account__malformed_value__refused(value):
    trie = Trie({b"\1" * 20: value})
    with pytest.raises(TrieError, match="account"):
        NodeSet(trie.nodes.values()).account(trie.root, b"\1" * 20)


def test_storage__words__left_padded_and_zero_when_absent():
    slot = sha256(b"slot")
    trie = storage_trie({slot: (258).to_bytes(32, "big"), sha256(b"other"): sha256(b"x")})
    nodes = NodeSet(trie.nodes.values())
    assert nodes.storage(trie.root, slot) == (258).to_bytes(32, "big")
    assert nodes.storage(trie.root, sha256(b"absent")) == bytes(32)


@pytest.mark.parametrize(
    "value", [rlp.encode(b"\0\1"), rlp.encode(b""), rlp.encode([b"\1"]), rlp.encode(b"\1" * 33), b"\x81\x01"]
)
def test_storage__malformed_value__refused(value):
    slot = sha256(b"slot")
    trie = Trie({slot: value})
    with pytest.raises(TrieError, match="storage"):
        NodeSet(trie.nodes.values()).storage(trie.root, slot)


def test_parse_header__a_header__its_members_and_hash():
    raw = header_rlp(state_root=sha256(b"state"), number=7, timestamp_s=99)
    header = parse_header(raw)
    assert (header.hash, header.state_root, header.number, header.timestamp_s) == (
        keccak256(raw),
        sha256(b"state"),
        7,
        99,
    )
    assert header.qbft_hash is None


def test_parse_header__qbft__the_name_does_not_cover_round_and_seals():
    def sealed(round_number, seals):
        extra = rlp.encode([bytes(32), [b"\1" * 20], b"", rlp.encode_uint(round_number), seals])
        return parse_header(header_rlp(state_root=sha256(b"state"), number=7, timestamp_s=99, extra=extra))

    one, two = sealed(0, [b"a" * 65]), sealed(3, [b"b" * 65, b"c" * 65])
    assert one.hash != two.hash
    assert one.qbft_hash == two.qbft_hash == sealed(0, []).hash


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"\x80",
        rlp.encode([b""] * 14),
        rlp.encode([b""] * 40),
        header_rlp(state_root=bytes(31), number=7, timestamp_s=99),
        rlp.encode([*rlp.decode(header_rlp(state_root=bytes(32), number=7, timestamp_s=9))[:8], b"\0\1"] + [b""] * 8),
        header_rlp(state_root=bytes(32), number=7, timestamp_s=99) + b"\0",
    ],
)
def test_parse_header__not_a_header__refused(raw):
    with pytest.raises(ValueError):
        parse_header(raw)
