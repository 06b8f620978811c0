"""Sales of knives: who bought, how many, at how many shops; what may be sold with a permit only; what the record lacks."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from ledger.engine.goods import Goods
from ledger.engine.inputs import GoodsLine, Input
from ledger.engine.people import Check, Who, check_of, who
from ledger.engine.subjects import COMMON, Subject
from ledger.engine.topics.base import Row, Topic, common

PERMIT_ONLY = ("dagger", "three_edged", "spring_lock")
"""1983 Provisional Rule art. 3: daggers, three-edged scrapers, knives with a spring lock (and see `_is_special`)."""
PERMIT_TYPES = ("special_knife_purchase", "special_knife")
"""特种刀具购买证 (1983 Provisional Rule art. 7)."""
BUYER_PHOTO, GOODS_PHOTO = "buyer_photo", "goods_photo"
_UNKNOWN = -1


class Knives(Topic):
    """Rows of sales of knives; remembers nothing."""

    kinds = frozenset({"movement"})
    reasons = frozenset({"sale"})
    goods = frozenset({"knife"})
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
                "class": "str",
                "special": "bool",
                "edged": "bool",
                "blade_mm": "int",
                "tip_angle_deg": "int",
                "tip_radius_um": "int",
                "permitted": "bool",
            },
        ),
        # One sale, whatever its lines: who bought how many knives in which shop.
        Subject(
            "knife_buying",
            level=False,
            fields=COMMON | {"buyer": "str", "buyer_type": "str", "pieces": "int", "shop": "str"},
        ),
        # What the record of a sale lacks, until a correction brings it.
        Subject(
            "knife_record",
            level=True,
            fields=COMMON | {"missing": "str", "complete": "bool", "match_permille": "int"},
        ),
    )

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
        permitted = any(permit["type"] in PERMIT_TYPES for permit in body.get("permits", ()))
        bought = common(entry) | {"buyer": found.person, "buyer_type": buyer_type}
        shared = bought | {"minor": found.minor, "age_from": found.age_from, "permitted": permitted}
        for line in lines:
            yield "knife_sale", shared | _geometry(line)
        # No holder nor site has a slash in it.
        shop, pieces = f"{entry.holder}/{entry.site}", sum(line.amount for line in lines)
        yield "knife_buying", bought | {"pieces": pieces, "shop": shop}
        yield "knife_record", common(entry) | _record(body, found, check)

    def withdraw(self, before: Input, goods: Sequence[Goods], entry: Input) -> Iterator[Row]:
        """A corrected sale lacks nothing any more."""
        if not any(item.line.goods == "knife" for item in goods) or before.body["reason"] != "sale":
            return
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
