"""OpenAPI 3.1 of the HTTP interfaces. A test walks the app's routes and compares.

The record's own form is not repeated here: the JSON Schemas under ledger/core/schemas are part of the format.
"""

from __future__ import annotations

from functools import cache
from typing import Any

from webapp.api import openapi_acts
from webapp.api.openapi_parts import HEX32, INT, TEXT, call, json_of, list_of, object_, path, query, ref
from webapp.api.problems import CODES, MEDIA_TYPE

SUBMISSION = "application/vnd.hazledger.submission.v1+json"
RECORD = "application/vnd.hazledger.record.v1+json"
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
        "paths": _ingest() | _reading() | _tiles() | _alerts() | openapi_acts.paths() | _operations(),
        "components": {
            "schemas": _schemas() | openapi_acts.schemas(),
            "responses": {"Problem": {"description": "RFC 9457", "content": {MEDIA_TYPE: {"schema": ref("Problem")}}}},
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
            "post": call(
                "Push one signed submission",
                {
                    "201": json_of("Receipt", "Durable; the receipt"),
                    "200": json_of("Receipt", "A repeat; the stored receipt"),
                },
                (400, 401, 403, 409, 413, 415, 422, 503),
                body=submission,
            )
        },
        "/api/v1/records:batch": {
            "post": call(
                "Push up to 1,000 submissions, one a line, 8 MiB at most",
                {"200": json_of("BatchAnswer", "One answer a line, in order")},
                (413, 415, 503),
                body={"required": True, "content": {"application/x-ndjson": {}}},
            )
        },
        "/api/v1/precheck": {
            "post": call(
                "What would be found in this unsigned payload; nothing is kept",
                {"200": json_of("Findings", "The findings; empty when there are none")},
                (400, 413, 415, 422, 503),
                body={"required": True, "content": {RECORD: {}, "application/json": {}}},
            )
        },
    }


def _reading() -> dict[str, Any]:
    record_id = [path("record_id", HEX32)]
    return {
        "/api/v1/books/{enterprise}/{site}/{book}/head": {
            "get": call(
                "Last seq and record_id of a book",
                {"200": json_of("Head", "The head; seq 0 for a book without records")},
                (401, 403, 404, 503),
                parameters=[path(n, TEXT) for n in ("enterprise", "site", "book")],
                roles=_READERS,
            )
        },
        "/api/v1/records/{record_id}": {
            "get": call(
                "A record as the log keeps it",
                {"200": json_of("Record", "The record")},
                (401, 403, 404, 503),
                parameters=record_id,
                roles=_READERS,
            )
        },
        "/api/v1/records/{record_id}/bundle": {
            "get": call(
                "The record's proof in one file",
                {"200": {"description": "The bundle", "content": {"application/vnd.hazledger.bundle.v1+json": {}}}},
                (400, 401, 403, 404, 503),
                parameters=[*record_id, query("disclosures", {"type": "boolean", "default": False})],
                roles=_READERS,
            )
        },
    }


def _tiles() -> dict[str, Any]:
    return {
        "/checkpoint": {
            "get": call(
                "The newest signed checkpoint",
                {"200": {"description": "A note", "content": {"text/plain": {}}}},
                (404, 503),
            )
        },
        "/tile/{path}": {
            "get": call(
                "Hash tiles L/N[.p/W] (open); entries/N[.p/W] and records/N[.p/W] (auditor's token)",
                {"200": {"description": "C2SP tlog-tiles", "content": _BINARY}},
                (401, 403, 404, 503),
                parameters=[path("path", TEXT)],
                roles=["auditor", "supervisor"],
                optional=True,
            )
        },
    }


def _alerts() -> dict[str, Any]:
    return {
        "/api/v1/alerts": {
            "get": call(
                "Alerts after a cursor, oldest first",
                {"200": json_of("Alerts", "A page; ask again after `next`")},
                (400, 401, 403, 503),
                parameters=[
                    query("after", INT),
                    query("limit", INT),
                    query("holder", TEXT),
                    query("rule", TEXT),
                    query("severity", {**TEXT, "description": "words with commas between"}),
                    query(
                        "status", {**TEXT, "description": "words with commas between; first alerts of episodes only"}
                    ),
                ],
                roles=["supervisor"],
            )
        },
        "/api/v1/alerts/{alert_id}": {
            "get": call(
                "One alert: where it stands, what can be done, all that happened; its ETag goes into If-Match",
                {"200": json_of("AlertPage", "The alert")},
                (400, 401, 403, 404, 503),
                parameters=[path("alert_id", HEX32)],
                roles=["supervisor"],
            )
        },
        "/api/v1/stream": {
            "get": call(
                "Live alerts; resumes after Last-Event-ID",
                {
                    "200": {
                        "description": "alert, heartbeat and signed-out events",
                        "content": {"text/event-stream": {}},
                    }
                },
                (400, 401, 403, 503),
                parameters=[query("after", INT), {"name": "Last-Event-ID", "in": "header", "schema": INT}],
                roles=["supervisor"],
            )
        },
    }


def _operations() -> dict[str, Any]:
    page = {"description": "OK", "content": {"application/json": {}}}
    return {
        "/healthz": {"get": call("This worker answers", {"200": page}, ())},
        "/readyz": {
            "get": call(
                "Ready, or the parts that are not; why, with a token of supervisor or auditor", {"200": page}, (503,)
            )
        },
        "/metrics": {"get": call("Prometheus text", {"200": {"description": "OK", "content": {"text/plain": {}}}}, ())},
        "/openapi.json": {"get": call("This document", {"200": page}, ())},
    }


def _schemas() -> dict[str, Any]:
    finding = object_(code=TEXT, severity=TEXT, pointer={"type": ["string", "null"]}, detail={"type": "object"})
    receipt = object_(
        record_id=HEX32, index=INT, received=INT, repeat={"type": "boolean"}, receipt=TEXT,
        findings=list_of(ref("Finding")),
    )  # fmt: skip
    problem = object_(type={"enum": [f"urn:hazledger:{code}" for code in CODES]}, status=INT, title=TEXT, detail=TEXT)
    problem["properties"] |= {
        "note": TEXT,
        "check": {"type": "integer", "minimum": 1, "maximum": 13},
        "pointer": TEXT,
        "expected_seq": INT,
        "expected_prev": {"type": ["string", "null"]},
        "refusal": {"type": "string", "description": "the signed refusal note"},
        "reasons": list_of({"type": "object"}),
        "possible": list_of(TEXT),
    }
    alert = object_(
        seq=INT, alert_id=TEXT, rule=TEXT, version=INT, severity=TEXT, status=TEXT, holder=TEXT, site=TEXT, concerns=list_of(TEXT),
        reason={"type": "object"}, inputs={"type": "object"}, first_index=INT, last_index=INT, opened_ms=INT,
        life={"oneOf": [ref("Life"), {"type": "null"}]},
    )  # fmt: skip
    return {
        "Finding": finding,
        "Findings": object_(findings=list_of(ref("Finding"))),
        "Receipt": receipt,
        "Problem": problem,
        "BatchAnswer": object_(
            results=list_of(
                {
                    "oneOf": [
                        {"allOf": [ref("Receipt"), object_(status={"enum": [200, 201]})]},
                        ref("Problem"),
                    ]
                }
            )
        ),
        "Head": object_(
            enterprise=TEXT,
            site=TEXT,
            book=TEXT,
            seq=INT,
            record_id={"type": ["string", "null"]},
            closed={"type": "boolean"},
        ),
        "Record": object_(
            record_id=HEX32,
            index=INT,
            holder=TEXT,
            site=TEXT,
            book=TEXT,
            seq=INT,
            kind=TEXT,
            type=TEXT,
            received=INT,
            level={"enum": ["RECEIVED", "LOGGED", "ANCHORED-DEV", "ANCHORED"]},
            envelope=TEXT,
            entry=TEXT,
            receipt=TEXT,
        ),
        "Alert": alert,
        "AlertPage": {
            "allOf": [ref("Alert"), object_(possible=list_of(TEXT), steps=list_of({"type": "object"}))],
        },
        "Alerts": object_(alerts=list_of(ref("Alert")), next=INT),
    }
