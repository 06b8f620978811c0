"""What one stock-take counted of a stream; and the old ones, packed.

A year of a book that is counted every day is some hundred of them, each five hundred bytes as objects: they were half of what
grew in the engine's process from month to month. All that is asked of one after a few more counts is asked by a late or a
corrected record, so they are kept as bytes, at a sixth of that, and read again where they are asked for.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import msgspec

PACKED = 5
"""Periods of a packet: of tonnes in mg it fits what Python's own allocator serves, 512 bytes."""


class Taken(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """One complete stock-take, without what it counted: one value for all streams of its book (see `streams.share`)."""

    record_id: str
    index: int
    cutoff_ms: int
    random_ppm: int
    systematic_ppm: int
    stated: bool
    """Whether the errors are the enterprise's own words; else they are defaults."""


class Period(msgspec.Struct, array_like=True, gc=False):
    """What one stock-take counted of a stream, and what flowed since the one before it.

    Small, and not looked at by the collector, since nothing in them points back.
    """

    taken: Taken
    counted: int
    pieces: int
    came: int = 0
    went: int = 0
    lost: int = 0
    net_pieces: int = 0


_Row = tuple[bytes, str, int, int, int, int, bool, int, int, int, int, int, int]
"""A period in a packet: its record_id in 32 bytes, or else as text, then what `Taken` and `Period` have besides, in their order."""

_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(list[_Row]).decode


def pack(periods: Sequence[Period]) -> bytes:
    """Periods, ascending, as one packet."""
    return _encode([_row(period) for period in periods])


def unpack(packets: Iterable[bytes]) -> list[Period]:
    """The periods of packets, new copies."""
    return [_period(row) for packet in packets for row in _decode(packet)]


def _period(row: _Row) -> Period:
    record, text, index, cutoff_ms, random_ppm, systematic_ppm, stated, *sums = row
    return Period(Taken(record.hex() or text, index, cutoff_ms, random_ppm, systematic_ppm, stated), *sums)


def _row(period: Period) -> _Row:
    taken = period.taken
    try:
        record = bytes.fromhex(taken.record_id)
    except ValueError:
        record = b""
    text = "" if record.hex() == taken.record_id else taken.record_id
    return (
        b"" if text else record,
        text,
        taken.index,
        taken.cutoff_ms,
        taken.random_ppm,
        taken.systematic_ppm,
        taken.stated,
        period.counted,
        period.pieces,
        period.came,
        period.went,
        period.lost,
        period.net_pieces,
    )
