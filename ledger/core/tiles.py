"""Paths and contents of C2SP tlog-tiles, and a hash reader over them (formats.md section 4).

Source: https://c2sp.org/tlog-tiles. Hash tiles have height 8: tile `L/N` holds the hashes at level 8·L from N·256 on. Beside
the entry bundles of that page stand record bundles of our own, whose lengths have four bytes.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Callable, Sequence

from ledger.core.merkle import HASH_BYTES, node_hash

TILE_HEIGHT = 8
TILE_WIDTH = 256
MAX_TILE_LEVEL = 63
"""The specification's bound; 8·8 levels already hold every 64-bit size."""
MAX_TILE_INDEX = 2**55
"""No 63-bit tree has a tile beyond this one; keeps a path from outside from making a huge number."""
MAX_CACHED_NODES = 8192
"""Hashes inside tiles that one reader remembers: about 1 MB."""

ENTRIES = "entries"
RECORDS = "records"

_PATH = re.compile(
    r"tile/(?P<level>0|[1-9][0-9]?|entries|records)/(?P<n>(?:x[0-9]{3}/)*[0-9]{3})(?:\.p/(?P<width>[1-9][0-9]{0,2}))?",
    re.ASCII,
)


def tile_path(level: int | str, n: int, width: int | None = None) -> str:
    """`tile/<L>/<N>[.p/<W>]` without a leading slash. `level` is a number, ENTRIES or RECORDS; None or 256 is full."""
    if n < 0:
        raise ValueError("a tile's number is not negative")
    groups = [f"{n % 1000:03d}"]
    while n := n // 1000:
        groups.append(f"x{n % 1000:03d}")
    path = f"tile/{level}/{'/'.join(reversed(groups))}"
    if width is None or width == TILE_WIDTH:
        return path
    if not 1 <= width < TILE_WIDTH:
        raise ValueError("a partial tile holds 1 to 255")
    return f"{path}.p/{width}"


def width_at(level: int, n: int, size: int) -> int:
    """How many hashes tile (level, n) has in a tree of `size` leaves: 256 when full, 0 or less beyond the edge."""
    return min(TILE_WIDTH, (size >> (TILE_HEIGHT * level)) - TILE_WIDTH * n)


def parse_tile_path(path: str) -> tuple[int | str, int, int]:
    """(level or ENTRIES or RECORDS, number, width) of a path; ValueError for any other spelling of it."""
    match = _PATH.fullmatch(path)
    if match is None:
        raise ValueError("not a tile's path")
    n = int(match["n"].replace("x", "").replace("/", ""))
    level: int | str = match["level"] if match["level"] in (ENTRIES, RECORDS) else int(match["level"])
    width = int(match["width"] or TILE_WIDTH)
    if (isinstance(level, int) and level > MAX_TILE_LEVEL) or n > MAX_TILE_INDEX or width > TILE_WIDTH:
        raise ValueError("not a tile's path")
    if tile_path(level, n, width) != path:
        raise ValueError("not the one spelling of a tile's path")
    return level, n, width


class TileReader:
    """A HashReader over whole tiles.

    `get_tile(tile_level, n)` returns the concatenated hashes of that tile, as many as there are (32 to 8192 bytes).
    Raises ValueError when a tile does not hold the hash that is asked for. One reader serves one tree size.
    """

    def __init__(self, get_tile: Callable[[int, int], bytes]) -> None:
        self._get_tile = get_tile
        self._tiles: dict[tuple[int, int], bytes] = {}
        self._nodes: dict[tuple[int, int], bytes] = {}

    def __call__(self, level: int, index: int) -> bytes:
        above = level % TILE_HEIGHT
        if above == 0:
            return self._stored(level // TILE_HEIGHT, index)
        key = (level, index)
        node = self._nodes.get(key)
        if node is None:
            node = node_hash(self(level - 1, 2 * index), self(level - 1, 2 * index + 1))
            if len(self._nodes) >= MAX_CACHED_NODES:
                self._nodes.clear()
            self._nodes[key] = node
        return node

    def _stored(self, tile_level: int, index: int) -> bytes:
        n, position = divmod(index, TILE_WIDTH)
        tile = self._tiles.get((tile_level, n))
        if tile is None:
            tile = self._get_tile(tile_level, n)
            if len(tile) % HASH_BYTES or len(tile) > TILE_WIDTH * HASH_BYTES:
                raise ValueError(f"{tile_path(tile_level, n)} is not whole hashes")
            if len(self._tiles) >= MAX_CACHED_NODES // TILE_WIDTH:
                self._tiles.clear()
            self._tiles[tile_level, n] = tile
        found = tile[position * HASH_BYTES : (position + 1) * HASH_BYTES]
        if not found:
            raise ValueError(f"{tile_path(tile_level, n)} does not hold hash {position}")
        return found


def encode_entry_bundle(entries: Sequence[bytes]) -> bytes:
    """Each entry behind its big-endian uint16 length; 1 to 256 entries, or ValueError."""
    return _encode(entries, ">H")


def decode_entry_bundle(data: bytes) -> list[bytes]:
    """Back from `encode_entry_bundle`; ValueError for rests, and for none or more than 256 entries."""
    return _decode(data, ">H")


def encode_record_bundle(envelopes: Sequence[bytes]) -> bytes:
    """Each envelope behind its big-endian uint32 length; 1 to 256 envelopes, or ValueError."""
    return _encode(envelopes, ">I")


def decode_record_bundle(data: bytes) -> list[bytes]:
    """Back from `encode_record_bundle`; ValueError for rests, and for none or more than 256 envelopes."""
    return _decode(data, ">I")


def _encode(items: Sequence[bytes], length_format: str) -> bytes:
    if not 1 <= len(items) <= TILE_WIDTH:
        raise ValueError("a bundle holds 1 to 256")
    try:
        return b"".join(struct.pack(length_format, len(item)) + item for item in items)
    except struct.error:
        raise ValueError("an item is too long for its bundle") from None


def _decode(data: bytes, length_format: str) -> list[bytes]:
    header = struct.calcsize(length_format)
    items: list[bytes] = []
    at = 0
    while at < len(data):
        start = at + header
        if start > len(data) or len(items) == TILE_WIDTH:
            raise ValueError("the bundle ends inside a length, or holds more than 256")
        (length,) = struct.unpack_from(length_format, data, at)
        at = start + length
        if at > len(data):
            raise ValueError("the bundle ends inside an item")
        items.append(data[start:at])
    if not items:
        raise ValueError("the bundle is empty")
    return items
