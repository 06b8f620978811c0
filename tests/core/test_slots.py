"""Storage slots against values worked out by hand from Solidity's layout rule."""

import pytest

from ledger.core import slots
from ledger.core.trie import keccak256


def test_mapping_slot__known_value__equal():
    # keccak256(uint256(0) ‖ uint256(0)): the slot of m[0] for a mapping at slot 0, as every Solidity text shows it.
    expected = "ad3228b676f7d3cd4284a5443f17f1962b36e491b30a40b2405849e597ba5fb5"
    assert slots.mapping_slot(bytes(32), slots.word(0)).hex() == expected


def test_sized_slot__nested__log_first_then_size():
    log = b"\1" * 32
    inner = keccak256(log + (2).to_bytes(32, "big"))
    assert slots.sized_slot(2, log, 9) == keccak256((9).to_bytes(32, "big") + inner)


def test_next_slot__last_of_all__wraps():
    assert slots.next_slot(b"\xff" * 32) == bytes(32)
    assert slots.next_slot(slots.word(255)) == slots.word(256)


@pytest.mark.parametrize(("key", "slot"), [(b"\1" * 31, bytes(32)), (bytes(32), b"\1" * 33)])
def test_mapping_slot__not_32_bytes__refused(key, slot):
    with pytest.raises(ValueError, match="32 bytes"):
        slots.mapping_slot(key, slot)


def test_meta__packed__comes_back():
    meta = slots.Meta(1_790_000_000, 12_345)
    assert slots.unpack_meta(slots.pack_meta(meta)) == meta
    assert len(slots.pack_meta(meta)) == 32


@pytest.mark.parametrize("word", [b"\1" + bytes(31), bytes(15) + b"\1" + bytes(16), bytes(31)])
def test_unpack_meta__not_a_meta_word__refused(word):
    with pytest.raises(ValueError, match="metaAt"):
        slots.unpack_meta(word)
