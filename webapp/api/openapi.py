"""OpenAPI 3.1 of the HTTP interfaces. A test walks the app's routes and compares.

The record's own form is not repeated here: the JSON Schemas under ledger/core/schemas are part of the format.
"""

from __future__ import annotations

from functools import cache
from typing import Any

from webapp.api.problems import CODES, MEDIA_TYPE

SUBMISSION = "application/vnd.hazledger.submission.v1+json"
RECORD = "application/vnd.hazledger.record.v1+json"
_TEXT: dict[str, Any] = {"type": "string"}
_INT: dict[str, Any] = {"type": "integer", "minimum": 0}
_HEX32: dict[str, Any] = {"type": "string", "pattern": "^[0-9a-f]{64}$"}
_BINARY: dict[str, Any] = {"application/octet-stream": {}}
_READERS = ["enterprise", "auditor", "supervisor"]


@cache
def document() -> dict[str, Any]:
    """The whole description; the same value at each call, not to be changed."""
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "hazledger",
            "version": "1",
            "summary": "A signed, append-only, anchored ledger for hazardous chemicals",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "paths": _ingest() | _reading() | _tiles() | _alerts() | _operations(),
        "components": {
            "schemas": _schemas(),
            "responses": {"Problem": {"description": "RFC 9457", "content": {MEDIA_TYPE: {"schema": _ref("Problem")}}}},
            "securitySchemes": {
                "token": {"type": "http", "scheme": "bearer", "description": "hazledger token new --role …"},
                "session": {"type": "apiKey", "in": "cookie", "name": "hz_session"},
            },
        },
    }


def _ingest() -> dict[str, Any]:
    submission = {"required": True, "content": {SUBMISSION: {}, "application/json": {}, "application/jose": {}}}
    return {
        "/api/v1/records": {
            "post": _call(
                "Push one signed submission",
                {
                    "201": _json("Receipt", "Durable; the receipt"),
                    "200": _json("Receipt", "A repeat; the stored receipt"),
                },
                (400, 401, 403, 409, 413, 415, 422, 503),
                body=submission,
            )
        },
        "/api/v1/records:batch": {
            "post": _call(
                "Push up to 1,000 submissions, one a line, 8 MiB at most",
                {"200": _json("BatchAnswer", "One answer a line, in order")},
                (413, 415, 503),
                body={"required": True, "content": {"application/x-ndjson": {}}},
            )
        },
        "/api/v1/precheck": {
            "post": _call(
                "What would be found in this unsigned payload; nothing is kept",
                {"200": _json("Findings", "The findings; empty when there are none")},
                (400, 413, 415, 422, 503),
                body={"required": True, "content": {RECORD: {}, "application/json": {}}},
            )
        },
    }


def _reading() -> dict[str, Any]:
    record_id = [_path("record_id", _HEX32)]
    return {
        "/api/v1/books/{enterprise}/{site}/{book}/head": {
            "get": _call(
                "Last seq and record_id of a book",
                {"200": _json("Head", "The head; seq 0 for a book without records")},
                (401, 403, 404, 503),
                parameters=[_path(n, _TEXT) for n in ("enterprise", "site", "book")],
                roles=_READERS,
            )
        },
        "/api/v1/records/{record_id}": {
            "get": _call(
                "A record as the log keeps it",
                {"200": _json("Record", "The record")},
                (401, 403, 404, 503),
                parameters=record_id,
                roles=_READERS,
            )
        },
        "/api/v1/records/{record_id}/bundle": {
            "get": _call(
                "The record's proof in one file",
                {"200": {"description": "The bundle", "content": {"application/vnd.hazledger.bundle.v1+json": {}}}},
                (400, 401, 403, 404, 503),
                parameters=[*record_id, _query("disclosures", {"type": "boolean", "default": False})],
                roles=_READERS,
            )
        },
    }


def _tiles() -> dict[str, Any]:
    return {
        "/checkpoint": {
            "get": _call(
                "The newest signed checkpoint",
                {"200": {"description": "A note", "content": {"text/plain": {}}}},
                (404, 503),
            )
        },
        "/tile/{path}": {
            "get": _call(
                "Hash tiles L/N[.p/W] (open); entries/N[.p/W] and records/N[.p/W] (auditor's token)",
                {"200": {"description": "C2SP tlog-tiles", "content": _BINARY}},
                (401, 403, 404, 503),
                parameters=[_path("path", _TEXT)],
                roles=["auditor", "supervisor"],
                optional=True,
            )
        },
    }


def _alerts() -> dict[str, Any]:
    return {
        "/api/v1/alerts": {
            "get": _call(
                "Alerts after a cursor, oldest first",
                {"200": _json("Alerts", "A page; ask again after `next`")},
                (400, 401, 403, 503),
                parameters=[
                    _query("after", _INT),
                    _query("limit", _INT),
                    _query("holder", _TEXT),
                    _query("rule", _TEXT),
                ],
                roles=["supervisor"],
            )
        },
        "/api/v1/stream": {
            "get": _call(
                "Live alerts; resumes after Last-Event-ID",
                {
                    "200": {
                        "description": "alert, heartbeat and signed-out events",
                        "content": {"text/event-stream": {}},
                    }
                },
                (400, 401, 403, 503),
                parameters=[_query("after", _INT), {"name": "Last-Event-ID", "in": "header", "schema": _INT}],
                roles=["supervisor"],
            )
        },
    }


def _operations() -> dict[str, Any]:
    page = {"description": "OK", "content": {"application/json": {}}}
    return {
        "/healthz": {"get": _call("This worker answers", {"200": page}, ())},
        "/readyz": {
            "get": _call(
                "Ready, or the parts that are not; why, with a token of supervisor or auditor", {"200": page}, (503,)
            )
        },
        "/metrics": {
            "get": _call("Prometheus text", {"200": {"description": "OK", "content": {"text/plain": {}}}}, ())
        },
        "/openapi.json": {"get": _call("This document", {"200": page}, ())},
    }


def _schemas() -> dict[str, Any]:
    finding = _object(code=_TEXT, severity=_TEXT, pointer={"type": ["string", "null"]}, detail={"type": "object"})
    receipt = _object(
        record_id=_HEX32, index=_INT, received=_INT, repeat={"type": "boolean"}, receipt=_TEXT,
        findings=_list(_ref("Finding")),
    )  # fmt: skip
    problem = _object(
        type={"enum": [f"urn:hazledger:{code}" for code in CODES]}, status=_INT, title=_TEXT, detail=_TEXT
    )
    problem["properties"] |= {
        "note": _TEXT,
        "check": {"type": "integer", "minimum": 1, "maximum": 13},
        "pointer": _TEXT,
        "expected_seq": _INT,
        "expected_prev": {"type": ["string", "null"]},
        "refusal": {"type": "string", "description": "the signed refusal note"},
        "reasons": _list({"type": "object"}),
        "possible": _list(_TEXT),
    }
    alert = _object(
        seq=_INT, alert_id=_TEXT, rule=_TEXT, version=_INT, severity=_TEXT, status=_TEXT, holder=_TEXT, site=_TEXT,
        reason={"type": "object"}, inputs={"type": "object"}, first_index=_INT, last_index=_INT, opened_ms=_INT,
    )  # fmt: skip
    return {
        "Finding": finding,
        "Findings": _object(findings=_list(_ref("Finding"))),
        "Receipt": receipt,
        "Problem": problem,
        "BatchAnswer": _object(
            results=_list(
                {
                    "oneOf": [
                        {"allOf": [_ref("Receipt"), _object(status={"enum": [200, 201]})]},
                        _ref("Problem"),
                    ]
                }
            )
        ),
        "Head": _object(
            enterprise=_TEXT,
            site=_TEXT,
            book=_TEXT,
            seq=_INT,
            record_id={"type": ["string", "null"]},
            closed={"type": "boolean"},
        ),
        "Record": _object(
            record_id=_HEX32,
            index=_INT,
            holder=_TEXT,
            site=_TEXT,
            book=_TEXT,
            seq=_INT,
            kind=_TEXT,
            type=_TEXT,
            received=_INT,
            level={"enum": ["RECEIVED", "LOGGED", "ANCHORED-DEV", "ANCHORED"]},
            envelope=_TEXT,
            entry=_TEXT,
            receipt=_TEXT,
        ),
        "Alert": alert,
        "Alerts": _object(alerts=_list(_ref("Alert")), next=_INT),
    }


def _call(
    summary: str,
    good: dict[str, Any],
    bad: tuple[int, ...],
    *,
    parameters: list[dict[str, Any]] | None = None,
    body: dict[str, Any] | None = None,
    roles: list[str] | None = None,
    optional: bool = False,
) -> dict[str, Any]:
    call: dict[str, Any] = {
        "summary": summary,
        "responses": good | {str(s): {"$ref": "#/components/responses/Problem"} for s in bad},
    }
    if parameters:
        call["parameters"] = parameters
    if body:
        call["requestBody"] = body
    # An empty requirement means: also without.
    call["security"] = [{"token": roles}, {"session": []}] if roles else []
    if roles and optional:
        call["security"].append({})
    return call


def _object(**members: Any) -> dict[str, Any]:
    return {"type": "object", "required": list(members), "properties": members}


def _list(items: dict[str, Any]) -> dict[str, Any]:
    return {"type": "array", "items": items}


def _ref(name: str) -> dict[str, Any]:
    return {"$ref": f"#/components/schemas/{name}"}


def _json(schema: str, text: str) -> dict[str, Any]:
    return {"description": text, "content": {"application/json": {"schema": _ref(schema)}}}


def _path(name: str, schema: dict[str, Any]) -> dict[str, Any]:
    return {"name": name, "in": "path", "required": True, "schema": schema}


def _query(name: str, schema: dict[str, Any]) -> dict[str, Any]:
    return {"name": name, "in": "query", "required": False, "schema": schema}
