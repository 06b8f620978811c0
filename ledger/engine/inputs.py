"""What the fold reads: one accepted entry, its payload, its facts row. Nothing else.

The parse is light on purpose: these bytes were checked at the door (check 3) and are in the log; a full schema validation
here would cost more than all the rules. Anything that does not parse is an engine error, and visible as one.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import msgspec

from ledger.core.quantity import to_base
from ledger.core.record import read_instant
from ledger.errors import RuleError
from ledger.model import LeafIndex, RecordId, StoredRecord, UnixMs

AHEAD_MS = 600_000
"""How far clocks may differ. A time claimed further ahead of its receipt counts as this far: nobody puts a movement or
a cut-off beyond every later stock-take by claiming the year 2999."""


class Input(msgspec.Struct, frozen=True):
    """One entry of the log as the fold sees it. `event_ms` is claimed, `received_ms` is ours.

    A struct and no dataclass, as the goods lines are: made for every entry, it costs a fifth.
    """

    index: LeafIndex
    record_id: RecordId
    holder: str
    site: str
    book: str
    seq: int
    kind: str
    event_time: str
    event_ms: UnixMs
    received_ms: UnixMs
    is_authority: bool
    body: dict[str, Any]
    facts: dict[str, Any] = {}
    signers: tuple[str, ...] = ()
    """keyids, ascending."""
    before: Input | None = None
    """Of a correction, and of a corrected record: that record as it stood until now."""
    correction_id: str = ""
    """Of a corrected record: record_id of the correction's own entry."""


class GoodsLine(msgspec.Struct, frozen=True):
    """One goods line in base units. `amount` is mg, microlitres or pieces by `dimension` (mass, volume, count)."""

    goods: str
    code: str
    form: str
    packaging: str
    dimension: str
    amount: int
    pieces: int
    store: str
    concentration: str
    """Percent by mass as written, "" where it is not stated."""
    batch: str = ""
    expires: str = ""
    """YYYY-MM-DD, "" where it is not stated."""
    container: str = ""
    attributes: dict[str, Any] = {}


def plausible_ms(claimed_ms: int, received_ms: int) -> UnixMs:
    """The claimed time, or ten minutes after receipt where it lies further ahead."""
    latest_ms = received_ms + AHEAD_MS
    if claimed_ms <= latest_ms:  # no call of min: this is asked a dozen times for each movement
        return UnixMs(claimed_ms)
    return UnixMs(latest_ms)


def happened_ms(entry: Input) -> UnixMs:
    """When what a record tells of happened, as far as that can be believed. A correction leaves it where it was put at first:
    a time claimed far ahead does not come true by waiting for it.
    """
    before, event_ms = entry.before, entry.event_ms
    # As `plausible_ms`, and no call of it: this is asked five times of each entry.
    latest_ms = (entry.received_ms if before is None else before.received_ms) + AHEAD_MS
    return event_ms if event_ms <= latest_ms else UnixMs(latest_ms)


def counterparty_of(body: dict[str, Any]) -> str:
    """Credit code of the other party of a movement; "" where none is stated, or it has none."""
    code: str = body.get("counterparty", {}).get("uscc", "")
    return code


class _Dsse(msgspec.Struct):
    payload: bytes
    """Standard base64 with its padding, as the door demands (formats.md section 1)."""


class _Payload(msgspec.Struct):
    event_time: str
    body: dict[str, Any]
    issuer: str = ""
    signers: tuple[str, ...] = ()


_decode_dsse = msgspec.json.Decoder(_Dsse).decode
_decode_payload = msgspec.json.Decoder(_Payload).decode


@lru_cache(maxsize=8192)
def unix_ms(time: str) -> UnixMs:
    """Unix milliseconds of an RFC 3339 time of formats.md section 2, exactly. Raises ValueError on any other text: one without
    its offset would be another moment on another machine.
    """
    return read_instant(time)


@lru_cache(maxsize=16384)
def base_amount(value: str, unit: str) -> tuple[int, str]:
    """Quantity in base units and its dimension; stocks repeat the same few texts."""
    return to_base(value, unit)


def parse_input(record: StoredRecord, facts: dict[str, Any] | None = None) -> Input:
    """The input of one stored record.

    Raises: RuleError when the stored bytes do not parse, which only a damaged store or a bug brings about.
    """
    try:
        # No JWS: the door of this version takes none (`dsse.refuse_jws`), so one in the log does not parse either.
        payload = _decode_payload(_decode_dsse(record.envelope).payload)
        event_ms = unix_ms(payload.event_time)
    except ValueError as error:  # msgspec's errors are ValueErrors
        raise RuleError(f"entry {record.index} does not parse: {error}", code="entry-unreadable") from error
    return Input(
        index=record.index,
        record_id=record.record_id,
        holder=record.holder,
        site=record.site,
        book=record.book,
        seq=record.seq,
        kind=record.kind,
        event_time=payload.event_time,
        event_ms=event_ms,
        received_ms=record.received,
        is_authority=bool(payload.issuer),
        body=payload.body,
        facts=_facts(record.kind, facts),
        signers=payload.signers,
    )


def _facts(kind: str, row: dict[str, Any] | None) -> dict[str, Any]:
    """The facts row; of a correction with the pointers of the record that it puts right: /body/body/… as /body/…."""
    if not row or kind != "correction":
        return row or {}
    return {
        part: {pointer.replace("/body/body/", "/body/", 1): fact for pointer, fact in facts.items()}
        for part, facts in row.items()
    }


def goods_lines(body: dict[str, Any]) -> list[GoodsLine]:
    """The goods lines of a movement, stocktake or incident body; empty where it has none."""
    lines = []
    for line in body.get("lines", ()):
        quantity = line["quantity"]
        amount, dimension = base_amount(quantity["value"], quantity["unit"])
        lines.append(
            GoodsLine(
                goods=line["goods"],
                code=line["code"],
                form=line.get("form", ""),
                packaging=line.get("packaging", "bulk"),
                dimension=dimension,
                amount=amount,
                pieces=line.get("pieces", amount if dimension == "count" else 0),
                store=line.get("store", ""),
                concentration=line.get("concentration", ""),
                batch=line.get("batch", ""),
                expires=line.get("expires", ""),
                container=line.get("container", ""),
                attributes=line.get("attributes", {}),
            )
        )
    return lines
