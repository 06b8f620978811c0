from __future__ import annotations

import hashlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ledger.core.merkle import Frontier, inclusion_proof, leaf_hash, root_from, verify_inclusion
from ledger.core.tiles import (
    ENTRIES,
    RECORDS,
    TileReader,
    decode_entry_bundle,
    decode_record_bundle,
    encode_entry_bundle,
    encode_record_bundle,
    parse_tile_path,
    tile_path,
)

PATHS = {
    "tile/0/000": (0, 0, None),
    "tile/0/255": (0, 255, 256),
    "tile/63/999": (63, 999, None),
    "tile/1/x001/000.p/1": (1, 1000, 1),
    "tile/0/x001/x234/067": (0, 1234067, None),
    "tile/0/x001/x234/067.p/255": (0, 1234067, 255),
    "tile/entries/x001/x234/067.p/12": (ENTRIES, 1234067, 12),
    "tile/records/000": (RECORDS, 0, None),
}


@pytest.mark.parametrize(("path", "parts"), PATHS.items())
def test_tile_path__examples_of_the_specification__both_ways(
    path: str, parts: tuple[int | str, int, int | None]
) -> None:
    level, n, width = parts
    assert tile_path(level, n, width) == path
    assert parse_tile_path(path) == (level, n, width or 256)


@given(st.integers(0, 63) | st.sampled_from([ENTRIES, RECORDS]), st.integers(0, 2**55), st.integers(1, 256))
def test_tile_path__any_tile__comes_back(level: int | str, n: int, width: int) -> None:
    assert parse_tile_path(tile_path(level, n, width)) == (level, n, width)


@pytest.mark.parametrize(
    "path",
    [
        "", "tile/0", "tile/0/0", "tile/0/00", "tile/0/0000", "/tile/0/000", "tile/0/000/", "tile/00/000", "tile/64/000",
        "tile/-1/000", "tile/0/001/000", "tile/0/x000/000", "tile/0/x000/x001/000", "tile/0/x001/x000", "tile/0/000.p/0",
        "tile/0/000.p/256", "tile/0/000.p/01", "tile/0/000.p/1000", "tile/0/000.p", "tile/0/000.p/", "tile/0/000.p/1/",
        "tile/0/../000", "tile/data/000", "tile/Entries/000", "tile/0/x1/000", "tile/0/٠٠٠", "tile/0/000\n",
        "tile/0/" + "x999/" * 30 + "999",
    ],
)  # fmt: skip
def test_parse_tile_path__another_spelling__is_refused(path: str) -> None:
    with pytest.raises(ValueError, match="tile"):
        parse_tile_path(path)


def test_tile_path__impossible_tile__is_not_named() -> None:
    for n, width in ((-1, None), (0, 0), (0, 257), (0, -1)):
        with pytest.raises(ValueError, match="tile"):
            tile_path(0, n, width)


BUNDLES = [(encode_entry_bundle, decode_entry_bundle, 2), (encode_record_bundle, decode_record_bundle, 4)]


@pytest.mark.parametrize(("encode", "decode", "header"), BUNDLES, ids=["entries", "records"])
def test_bundle__items__come_back_behind_their_lengths(encode, decode, header) -> None:
    assert encode([b"abc", b""]) == (3).to_bytes(header, "big") + b"abc" + bytes(header)
    for items in ([b""], [b"a"] * 256, [b"x" * 65535, b"y"], [bytes([i]) * i for i in range(256)]):
        assert decode(encode(items)) == items


@pytest.mark.parametrize(("encode", "decode", "header"), BUNDLES, ids=["entries", "records"])
def test_bundle__rests_or_wrong_number__is_refused(encode, decode, header) -> None:
    good = encode([b"abc", b"defg"])
    for cut in range(1, len(good)):
        if cut != header + 3:
            with pytest.raises(ValueError, match="bundle"):
                decode(good[:cut])
    for bad in (
        b"",
        good + b"\0",
        good + bytes(header - 1) + b"\1",
        encode([b"a"] * 256) + encode([b"a"]),
        b"\xff" * header,
    ):
        with pytest.raises(ValueError, match="bundle"):
            decode(bad)
    for items in ([], [b"a"] * 257):
        with pytest.raises(ValueError, match="1 to 256"):
            encode(items)


def test_entry_bundle__entry_of_65536_bytes__is_refused() -> None:
    with pytest.raises(ValueError, match="too long"):
        encode_entry_bundle([bytes(65536)])
    assert decode_record_bundle(encode_record_bundle([bytes(65536)])) == [bytes(65536)]


class Tiles:
    """Tiles of a tree, as a log writes them: level 0 from leaves, level L from full tiles of level L-1."""

    def __init__(self, leaves: list[bytes]) -> None:
        self.levels = [leaves]
        while len(self.levels[-1]) >= 256:
            below = self.levels[-1]
            self.levels.append([self._mth(below[i : i + 256]) for i in range(0, len(below) - 255, 256)])
        self.asked: list[tuple[int, int]] = []

    def _mth(self, hashes: list[bytes]) -> bytes:
        while len(hashes) > 1:
            hashes = [hashlib.sha256(b"\1" + hashes[i] + hashes[i + 1]).digest() for i in range(0, len(hashes), 2)]
        return hashes[0]

    def get(self, level: int, n: int) -> bytes:
        self.asked.append((level, n))
        return b"".join(self.levels[level][n * 256 : (n + 1) * 256])


BIG = [leaf_hash(b"%d" % i) for i in range(70_000)]


@settings(max_examples=25, deadline=None)
@given(st.sampled_from([1, 2, 255, 256, 257, 511, 512, 1000, 65_535, 65_536, 65_537, 70_000]), st.data())
def test_tile_reader__any_tree__gives_roots_and_proofs(size: int, data: st.DataObject) -> None:
    tiles = TILES[size]
    reader = TileReader(tiles.get)
    root = root_from(reader, size)
    assert root == ROOTS[size]
    index = data.draw(st.integers(0, size - 1))
    verify_inclusion(index, size, BIG[index], inclusion_proof(index, size, reader), root)


def _roots(sizes: list[int]) -> dict[int, bytes]:
    frontier, found = Frontier(), {}
    for size, leaf in enumerate(BIG, 1):
        frontier.append(leaf)
        if size in sizes:
            found[size] = frontier.root()
    return found


ROOTS = _roots([1, 2, 255, 256, 257, 511, 512, 1000, 65_535, 65_536, 65_537, 70_000])
TILES = {size: Tiles(BIG[:size]) for size in ROOTS}


def test_tile_reader__one_proof_in_70000_leaves__reads_few_tiles_each_once() -> None:
    tiles = TILES[70_000]
    tiles.asked.clear()
    inclusion_proof(12_345, 70_000, TileReader(tiles.get))
    assert len(tiles.asked) <= 6
    assert len(set(tiles.asked)) == len(tiles.asked)


def test_tile_reader__many_reads__keeps_bounded_memory() -> None:
    reader = TileReader(TILES[70_000].get)
    for index in range(0, 70_000 - 128, 128):
        reader(7, index // 128)
    assert len(reader._tiles) <= 32
    assert len(reader._nodes) <= 8192


def test_tile_reader__broken_tile__is_refused() -> None:
    for tile in (b"", bytes(31), bytes(33), bytes(257 * 32)):
        with pytest.raises(ValueError, match="tile/0/000"):
            TileReader(lambda _level, _n, tile=tile: tile)(0, 0)
    with pytest.raises(ValueError, match="does not hold hash 5"):
        TileReader(TILES[2].get)(0, 5)
