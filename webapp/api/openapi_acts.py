"""OpenAPI of what a supervisor does: key, steps, orders, the handling rate."""

from __future__ import annotations

from typing import Any

from ledger.core.life import OUTCOMES, STATUSES
from webapp.api.openapi_parts import HEX32, INT, TEXT, call, json_of, list_of, object_, path, ref


def paths() -> dict[str, Any]:
    """What is signed with the supervisor's key; by token only."""
    act = (400, 401, 403, 404, 409, 412, 413, 415, 422, 503)
    if_match = {"name": "If-Match", "in": "header", "required": True, "schema": TEXT}

    def signed(summary: str, good: dict[str, Any], bad: tuple[int, ...], body: str, **more: Any) -> dict[str, Any]:
        content = {"application/json": {"schema": ref(body)}}
        made = call(summary, good, bad, body={"required": True, "content": content}, roles=["supervisor"], **more)
        return made | {"security": [{"token": ["supervisor"]}]}

    return {
        "/api/v1/key": {
            "post": signed(
                "Unlock the supervisor's key for this token, until idle for 15 minutes",
                {"200": json_of("Key", "Unlocked")},
                (400, 401, 403, 413, 415, 429, 503),
                "Unlock",
            ),
            "delete": call("Lock it", {"204": {"description": "Locked"}}, (401, 403, 503), roles=["supervisor"])
            | {"security": [{"token": ["supervisor"]}]},
        },
        "/api/v1/alerts/{alert_id}/transitions": {
            "post": signed(
                "One step of one alert, as a signed entry",
                {
                    "201": json_of("Moved", "The alert moved; ETag is the next version"),
                    "202": json_of("Moved", "Durable; the engine has not come so far yet"),
                },
                (*act, 428),
                "Step",
                parameters=[path("alert_id", HEX32), if_match],
            )
        },
        "/api/v1/alerts:act": {
            "post": signed(
                "The same step of a frozen list of alerts",
                {"200": json_of("Results", "One answer each, in order")},
                act,
                "Steps",
            )
        },
        "/api/v1/orders": {
            "get": call(
                "Open orders: an enterprise's own, or all",
                {"200": json_of("Orders", "Newest first")},
                (401, 403, 503),
                roles=["enterprise", "supervisor"],
            )
            | {"security": [{"token": ["enterprise", "supervisor"]}]},
            "post": signed(
                "An order about alerts of one site, each put under it",
                {"201": json_of("Ordered", "Issued")},
                act,
                "NewOrder",
            ),
        },
        "/api/v1/orders/{record_id}/decisions": {
            "post": signed(
                "Judge the reply to an order, extend it, or take it back",
                {"201": json_of("Ordered", "Decided")},
                act,
                "Decision",
                parameters=[path("record_id", HEX32)],
            )
        },
        "/api/v1/handling": {
            "get": call(
                "The handling rate with both its numbers, and how many alerts stand where",
                {"200": json_of("Handling", "As of now")},
                (401, 403, 503),
                roles=["supervisor"],
            )
        },
    }


def schemas() -> dict[str, Any]:
    step = dict.fromkeys(("referred_to", "reason", "until", "department", "text"), TEXT)
    step |= dict.fromkeys(("duplicate_of", "order", "reply", "inspection"), HEX32)
    step |= {
        "to": {"enum": list(STATUSES)},
        "outcome": {"enum": list(OUTCOMES)},
        "evidence": list_of({"type": "object"}),
    }
    wanted = {**list_of(object_(alert_id=HEX32, version=INT)), "minItems": 1, "maxItems": 64}
    times = {
        name: {"type": ["integer", "null"]}
        for name in ("due_ms", "until_ms", "handle_due_ms", "handled_ms", "closed_ms")
    }
    words = {
        name: {"type": ["string", "null"]} for name in ("outcome", "order", "why", "regresses", "taken_back", "stands")
    }
    life = object_(alert_id=HEX32, version=INT, status=TEXT, stage=TEXT, severity=TEXT, **times,
                   recovered={"type": "boolean"}, **words)  # fmt: skip
    order = object_(
        record_id=HEX32, holder=TEXT, site=TEXT, type=TEXT, number=TEXT, severity=TEXT, status=TEXT,
        issued_ms=INT, due_ms=INT, reply={"type": ["string", "null"]}, late={"type": "boolean"}, alerts=list_of(HEX32),
    )  # fmt: skip
    moved = object_(record_id=HEX32, life={"oneOf": [ref("Life"), {"type": "null"}]})
    either = {"oneOf": [{"allOf": [ref("Moved"), object_(status={"enum": [201, 202]})]}, ref("Problem")]}

    def closed(required: tuple[str, ...], properties: dict[str, Any]) -> dict[str, Any]:
        return {"type": "object", "additionalProperties": False, "required": list(required), "properties": properties}

    return {
        "Unlock": closed(("name", "password"), {"name": TEXT, "password": TEXT}),
        "Key": object_(keyid=HEX32),
        "Step": closed(("to",), step),
        "Steps": closed(("alerts", "to"), {"alerts": wanted} | step),
        "NewOrder": closed(
            ("alerts", "measure"),
            {"alerts": wanted, "measure": TEXT, "due": TEXT, "number": TEXT, "text": TEXT}
            | {"type": {"enum": ["rectification", "spot_check", "penalty"]}},
        ),
        "Decision": closed(
            ("decision",),
            {"decision": {"enum": ["accepted", "rejected", "extended", "withdrawn"]}, "due": TEXT, "text": TEXT},
        ),
        "Life": life,
        "Moved": moved,
        "Results": object_(results=list_of(either)),
        "Order": order,
        "Orders": object_(orders=list_of(ref("Order"))),
        "Ordered": object_(record_id=HEX32, results=list_of(either)),
        "Handling": object_(handled=INT, due=INT, statuses={"type": "object"}, as_of_ms=INT),
    }
