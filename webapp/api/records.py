"""POST records, single and batch, and precheck; GET one record and its bundle.

Pushing needs no token: the signature is the authentication. Reading does.
"""

from __future__ import annotations

from typing import Any

import msgspec
from flask import Blueprint, Response, request

from ledger.core.bundle import FILE_SUFFIX
from ledger.core.bundle import MEDIA_TYPE as BUNDLE_TYPE
from ledger.core.dsse import MAX_PAYLOAD_BYTES, PAYLOAD_TYPE
from ledger.core.encoding import is_hex_32
from ledger.core.submission import MAX_SUBMISSION_BYTES
from ledger.errors import NotFoundError
from ledger.model import Appended, Finding, RecordId, StoredRecord
from webapp.api.bodies import media_type, read_body, read_possibly_cut, require_media_type
from webapp.api.problems import HttpError, problem_of
from webapp.auth import Reader, require
from webapp.context import services

blueprint = Blueprint("api_records", __name__)

MAX_BATCH_BYTES = 8 * 1024 * 1024
MAX_BATCH_LINES = 1000
"""portal.md; a batch holds one thread and the sequencer's queue for its length."""
NDJSON = ("application/x-ndjson", "application/ndjson", "application/jsonl")


@blueprint.post("/api/v1/records")
def post_record() -> Response:
    """One submission → 201 and the receipt; the same payload again → 200 and the same receipt."""
    body = read_body(MAX_SUBMISSION_BYTES)
    appended = services().submit(body, media_type())
    return _json(_accepted(appended), 200 if appended.repeat else 201)


@blueprint.post("/api/v1/records:batch")
def post_batch() -> Response:
    """NDJSON → one status per line, in order. Lines of a cut connection count when they came whole."""
    require_media_type(*NDJSON)
    body, whole = read_possibly_cut(MAX_BATCH_BYTES)
    lines = split_lines(body, whole=whole)
    if len(lines) > MAX_BATCH_LINES:
        raise HttpError("too-many-lines", f"{len(lines)} lines")
    answers = services().submit_batch(lines) if lines else ()
    return _json({"results": [_batch_line(answer) for answer in answers]}, 200)


@blueprint.post("/api/v1/precheck")
def post_precheck() -> Response:
    """An unsigned payload → what would be found. Nothing is kept."""
    require_media_type("application/json", PAYLOAD_TYPE)
    findings = services().precheck(read_body(MAX_PAYLOAD_BYTES))
    return _json({"findings": [_finding(f) for f in findings]}, 200)


@blueprint.get("/api/v1/records/<record_id>")
def get_record(record_id: str) -> Response:
    """The record as the log keeps it, without disclosures."""
    record = visible_record(record_id, require("enterprise", "auditor", "supervisor", or_session=True))
    return _json(
        {
            "record_id": record.record_id,
            "index": record.index,
            "holder": record.holder,
            "site": record.site,
            "book": record.book,
            "seq": record.seq,
            "kind": record.kind,
            "type": record.type,
            "received": record.received,
            "level": services().level(record.index),
            "envelope": record.envelope.decode(),
            "entry": record.entry.decode("ascii"),
            "receipt": record.receipt.decode(),
        },
        200,
    )


@blueprint.get("/api/v1/records/<record_id>/bundle")
def get_bundle(record_id: str) -> Response:
    """The one file an auditor verifies; with `?disclosures=true` personal data goes along, not for auditors."""
    reader = require("enterprise", "auditor", "supervisor", or_session=True)
    record = visible_record(record_id, reader)
    wanted = request.args.get("disclosures", "false")
    if wanted not in {"true", "false"} or set(request.args) - {"disclosures"}:
        raise HttpError("bad-parameter", "disclosures is true or false", pointer="/disclosures")
    if wanted == "true" and reader.role == "auditor":
        raise HttpError("wrong-token-role", "disclosures are for the holder and the supervisor")
    return bundle_response(record, reader, disclosures=wanted == "true")


def bundle_response(record: StoredRecord, reader: Reader, *, disclosures: bool) -> Response:
    """The bundle as a download. That it was taken is in the access log before it leaves."""
    body = services().bundle(record.record_id, disclosures=disclosures)
    act = "bundle-with-disclosures" if disclosures else "bundle"
    services().portal.log_access(reader.name, act, record.record_id, services().clock())
    response = Response(body, content_type=BUNDLE_TYPE)
    response.headers["Content-Disposition"] = f'attachment; filename="{record.record_id}{FILE_SUFFIX}"'
    return response


def visible_record(record_id: str, reader: Reader) -> StoredRecord:
    """The record, if there is one and `reader` may know of it; else the same NotFoundError for both cases."""
    record = services().log.record_by_id(RecordId(record_id)) if is_hex_32(record_id) else None
    if record is None or not reader.may_see(record.holder):
        raise NotFoundError("")
    return record


def split_lines(body: bytes, *, whole: bool) -> list[bytes]:
    """The lines of NDJSON at 0x0A only; blank ones are not lines. The last needs no newline if the body came whole.

    A carriage return at the end stays: it is white space to JSON.
    """
    lines = body.split(b"\n")
    if not whole:
        lines.pop()
    return [line for line in lines if line.strip()]


def _accepted(appended: Appended) -> dict[str, Any]:
    receipt = appended.receipt
    return {
        "record_id": receipt.record_id,
        "index": receipt.index,
        "received": receipt.received,
        "repeat": appended.repeat,
        "receipt": receipt.note.decode(),
        "findings": [_finding(f) for f in appended.findings],
    }


def _batch_line(answer: Appended | Exception) -> dict[str, Any]:
    if isinstance(answer, Appended):
        return {"status": 200 if answer.repeat else 201, **_accepted(answer)}
    return problem_of(answer)


def _finding(finding: Finding) -> dict[str, Any]:
    return {
        "code": finding.code,
        "severity": finding.severity,
        "pointer": finding.pointer,
        "detail": finding.detail,
    }


def _json(document: object, status: int) -> Response:
    return Response(msgspec.json.encode(document), status=status, content_type="application/json")
