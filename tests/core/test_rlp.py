"""RLP: one spelling for each value. Good vectors: Ethereum Wiki, "RLP", examples (also ethereum/tests, RLPTests)."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.core import rlp

GOOD = [
    (b"dog", "83646f67"),
    ([b"cat", b"dog"], "c88363617483646f67"),
    (b"", "80"),
    ([], "c0"),
    (b"\x00", "00"),
    (b"\x0f", "0f"),
    (b"\x04\x00", "820400"),
    ([[], [[]], [[], [[]]]], "c7c0c1c0c3c0c1c0"),
    (
        b"Lorem ipsum dolor sit amet, consectetur adipisicing elit",
        "b8384c6f72656d20697073756d20646f6c6f722073697420616d65742c20636f6e7365637465747572206164697069736963696e6720656c6974",
    ),
]

BAD = {
    "nothing": "",
    "trailing-byte": "83646f6700",
    "single-byte-with-prefix": "810f",
    "string-cut-short": "83646f",
    "list-cut-short": "c88363617483646f",
    "long-form-for-a-short-string": "b803646f67",
    "long-form-for-a-short-list": "f803646f67",
    "length-with-leading-zero": "b90038" + "61" * 56,
    "length-cut-short": "b9",
    "list-length-cut-short": "f900",
    "item-reaches-past-its-list": "c28363617483",
    "length-beyond-memory": "bfffffffffffffffff",
    "too-deep": bytes(0xC0 + n for n in range(rlp.MAX_DEPTH, -1, -1)).hex(),
}


@pytest.mark.parametrize(("value", "encoded"), GOOD)
def test_rlp__published_vector__both_ways(value, encoded):
    assert rlp.encode(value).hex() == encoded
    assert rlp.decode(bytes.fromhex(encoded)) == value


@pytest.mark.parametrize("defect", BAD)
def test_decode__bad_spelling__refused(defect):
    with pytest.raises(ValueError, match="RLP"):
        rlp.decode(bytes.fromhex(BAD[defect]))


def test_decode__as_deep_as_allowed__read():
    raw = bytes(0xC0 + n for n in range(rlp.MAX_DEPTH - 1, -1, -1))
    assert rlp.encode(rlp.decode(raw)) == raw


VALUES = st.recursive(st.binary(max_size=80), lambda inner: st.lists(inner, max_size=5), max_leaves=20)


@given(VALUES)
def test_decode__what_encode_gives__same(value):
    assert rlp.decode(rlp.encode(value)) == value


@given(st.binary(max_size=64))
def test_decode__any_bytes__refused_or_the_only_spelling(raw):
    try:
        value = rlp.decode(raw)
    except ValueError:
        return
    assert rlp.encode(value) == raw


@pytest.mark.parametrize("bad", [b"\0\1", b"\0", [b"\1"], b"\1" * 33])
def test_decode_uint__not_an_integer__refused(bad):
    with pytest.raises(ValueError, match="RLP"):
        rlp.decode_uint(bad)


@given(st.integers(min_value=0, max_value=2**256 - 1))
def test_decode_uint__what_encode_uint_gives__same(number):
    assert rlp.decode_uint(rlp.encode_uint(number)) == number


def test_encode__neither_bytes_nor_list__type_error():
    with pytest.raises(TypeError):
        rlp.encode(5)


def test_decode_list__a_string__refused():
    with pytest.raises(ValueError, match="list is expected"):
        rlp.decode_list(b"\x83dog")
