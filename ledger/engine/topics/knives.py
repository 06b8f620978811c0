"""Sales of knives: who bought, how many, at how many shops; what may be sold with a permit only; what the record lacks."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import msgspec

from ledger.engine import traces
from ledger.engine.goods import Goods
from ledger.engine.inputs import GoodsLine, Input, plausible_ms
from ledger.engine.people import Check, Who, check_of, who
from ledger.engine.subjects import COMMON, Subject
from ledger.engine.topics.base import Row, Topic, common
from ledger.engine.traces import Trace

PIECES_MS = 30 * 86_400_000
SHOPS_MS = 72 * 3_600_000
PERMIT_ONLY = ("dagger", "three_edged", "spring_lock")
"""1983 Provisional Rule art. 3: daggers, three-edged scrapers, knives with a spring lock (and see `_is_special`)."""
PERMIT_TYPES = ("special_knife_purchase", "special_knife")
"""特种刀具购买证 (1983 Provisional Rule art. 7)."""
BUYER_PHOTO, GOODS_PHOTO = "buyer_photo", "goods_photo"
_UNKNOWN = -1


class KnivesState(msgspec.Struct):
    """By surrogate of a buyer."""

    sales: dict[str, Trace[tuple[int, str]]] = {}
    """(pieces, shop as holder/site) of each sale."""


class Knives(Topic):
    """Rows of sales of knives."""

    kinds = frozenset({"movement"})
    reasons = frozenset({"sale"})
    subjects = (
        # One knife line of a sale. Geometry that is not stated is -1, an age that is not known too.
        Subject(
            "knife_sale",
            level=False,
            fields=COMMON
            | {
                "code": "str",
                "buyer": "str",
                "buyer_type": "str",
                "minor": "bool",
                "age_from": "int",
                "pieces": "int",
                "pieces_30d": "int",
                "shops_72h": "int",
                "class": "str",
                "special": "bool",
                "edged": "bool",
                "blade_mm": "int",
                "tip_angle_deg": "int",
                "tip_radius_um": "int",
                "permitted": "bool",
            },
        ),
        # What the record of a sale lacks, until a correction brings it.
        Subject(
            "knife_record",
            level=True,
            fields=COMMON | {"missing": "str", "complete": "bool", "match_permille": "int"},
        ),
    )

    def __init__(self, state: KnivesState) -> None:
        self._state = state

    def apply(self, entry: Input, goods: Sequence[Goods]) -> Iterator[Row]:
        """The rows of one sale of knives."""
        body = entry.body
        if body["direction"] != "out" or body["reason"] != "sale":
            return
        lines = [item.line for item in goods if item.line.goods == "knife"]
        if not lines:
            return
        buyer_type = body.get("counterparty", {}).get("type", "")
        # An enterprise buys through its agent, and is counted under its own code by its licence, not here.
        place = "agent" if buyer_type in ("enterprise", "foreign") else "counterparty"
        check = check_of(body, place)
        found = who(entry, place, check.doc_type)
        pieces = sum(line.amount for line in lines)
        counts = self._count(entry, found.person, pieces) if buyer_type == "person" and found.person else (pieces, 1)
        permitted = any(permit["type"] in PERMIT_TYPES for permit in body.get("permits", ()))
        shared = common(entry) | {
            "buyer": found.person,
            "buyer_type": buyer_type,
            "minor": found.minor,
            "age_from": found.age_from,
            "pieces": pieces,
            "pieces_30d": counts[0],
            "shops_72h": counts[1],
            "permitted": permitted,
        }
        for line in lines:
            yield "knife_sale", shared | _geometry(line)
        yield "knife_record", common(entry) | _record(body, found, check)

    def withdraw(self, before: Input, goods: Sequence[Goods], entry: Input) -> Iterator[Row]:
        """A corrected sale counts no more, and lacks nothing any more."""
        if not any(item.line.goods == "knife" for item in goods) or before.body["reason"] != "sale":
            return
        person = who(before, "counterparty").person
        if person:
            traces.drop(self._state.sales, person, before.record_id)
        yield (
            "knife_record",
            common(before)
            | {
                "index": entry.index,
                "missing": "",
                "complete": True,
                "match_permille": check_of({}, "").match_permille,
            },
        )

    def prune(self, now_ms: int) -> None:
        """Forget what lies behind the longer window, and a while longer for what comes late."""
        traces.prune(self._state.sales, now_ms - PIECES_MS - traces.LATE_FOR_MS)

    def _count(self, entry: Input, person: str, pieces: int) -> tuple[int, int]:
        """(pieces in the worst 30 days, shops in the worst 72 hours) that hold this sale."""
        at_ms = plausible_ms(entry.event_ms, entry.received_ms)
        shop = f"{entry.holder}/{entry.site}"
        trace = traces.note(self._state.sales, person, at_ms, entry.record_id, (pieces, shop))
        if len(trace) == 1:
            return pieces, 1
        return traces.worst(trace, at_ms, PIECES_MS, _pieces), traces.worst(trace, at_ms, SHOPS_MS, _shops)


def _pieces(sales: Sequence[tuple[int, str]]) -> int:
    return sum(pieces for pieces, _ in sales)


def _shops(sales: Sequence[tuple[int, str]]) -> int:
    return len({shop for _, shop in sales})


def _geometry(line: GoodsLine) -> dict[str, Any]:
    attributes = line.attributes
    return {
        "code": line.code,
        "class": attributes.get("class", ""),
        "special": _is_special(attributes),
        "edged": attributes.get("edged", True),
        "blade_mm": attributes.get("blade_mm", _UNKNOWN),
        "tip_angle_deg": attributes.get("tip_angle_deg", _UNKNOWN),
        "tip_radius_um": attributes.get("tip_radius_um", 0),
    }


def _is_special(attributes: dict[str, Any]) -> bool:
    """Of a class that needs a permit whatever its size; a folding knife whose blade locks is a spring-lock knife."""
    kind = attributes.get("class", "")
    return kind in PERMIT_ONLY or (kind == "folding" and attributes.get("lock", False))


def _record(body: dict[str, Any], found: Who, check: Check) -> dict[str, Any]:
    roles = {item["role"] for item in body.get("evidence", ())}
    missing = [
        word
        for word, is_there in (
            ("identity", found.disclosed and found.valid),
            (BUYER_PHOTO, BUYER_PHOTO in roles),
            (GOODS_PHOTO, GOODS_PHOTO in roles),
        )
        if not is_there
    ]
    return {"missing": ", ".join(missing), "complete": not missing, "match_permille": check.match_permille}
