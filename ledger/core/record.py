"""Record payloads: what formats.md section 2 asks of the bytes that are signed (check 3).

`parse_payload` raises on the first thing wrong. Not checked here: the log's own name, the book's chain, grants,
disclosures against `_sd`, and all that is a matter of law; what breaks the law is logged and alerted, never refused.
"""

from __future__ import annotations

import hashlib
import json
import re
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any

import msgspec

from ledger.core import schemas, strictjson
from ledger.core.personal import check_personal_data, suspicious
from ledger.core.quantity import to_base
from ledger.core.schemas import typed
from ledger.errors import PayloadError
from ledger.model import Payload, PayloadHeader, RecordId, Role, UnixMs

VERSION = 1

STOCK_KINDS = frozenset({"movement", "stocktake", "close"})
"""Kinds that carry lines of the book they stand in."""
ENTERPRISE_KINDS = STOCK_KINDS | {
    "incident",
    "rental",
    "person",
    "profile",
    "licence",
    "place",
    "filing",
    "reply",
    "correction",
}
AUTHORITY_KINDS = frozenset(
    {
        "alert",
        "alert_transition",
        "order",
        "inspection",
        "report",
        "endorse",
        "ruleset",
        "grant",
        "refusal",
        "access",
        "scrub",
        "erasure",
        "tick",
    }
)
EITHER_KINDS = frozenset({"licence"})
"""An enterprise declares it under its credit code, or an authority issues it under its own name for a `holder`."""
KINDS = ENTERPRISE_KINDS | AUTHORITY_KINDS
CORRECTABLE_KINDS = ENTERPRISE_KINDS - {"correction"}

_SUPERVISOR_KINDS = frozenset({"alert_transition", "order", "inspection", "report", "endorse", "licence", "erasure"})
_PLATFORM_KINDS = frozenset({"alert", "ruleset", "grant", "refusal", "access", "scrub", "tick", "erasure"})
_MAY_SIGN: dict[Role, frozenset[str]] = {
    Role.ENTERPRISE: ENTERPRISE_KINDS,
    Role.SUPERVISOR: _SUPERVISOR_KINDS,
    Role.PLATFORM: _PLATFORM_KINDS,
    Role.AUTHORITY: _SUPERVISOR_KINDS,
}

MAX_EXT_BYTES = 4096
"""Of `ext` as compact UTF-8 JSON (formats.md); measured so because white space is the sender's."""

PAYLOAD_CODES = (
    "schema",
    "unknown-version",
    "unknown-kind",
    "unknown-member",
    "missing-member",
    "wrong-holder",
    "office-book",
    "credit-code",
    "cas",
    "quantity",
    "prev-seq",
    "signers",
    "event-time",
    "sd-order",
    "ext-size",
    "duplicate-store",
    "personal-data",
)
"""Every `code` that a PayloadError from here can carry."""

_FINER_CODES = {"signers": "signers", "event_time": "event-time"}
"""Header members whose form is refused under a word of its own."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)


def record_id_of(payload: bytes) -> RecordId:
    """Lower-case hex SHA-256 of the exact payload bytes."""
    return RecordId(hashlib.sha256(payload).hexdigest())


def may_sign(role: Role, kind: str, *, is_authority: bool | None = None) -> bool:
    """Whether a key of `role` may sign `kind` (formats.md section 2, table of roles).

    `is_authority` says under whose name the record stands, where that is known: an enterprise key signs only under a
    credit code and every other key only under an issuer. A licence signed by an enterprise counts as *declared*.
    """
    if is_authority is not None and is_authority is (role is Role.ENTERPRISE):
        return False
    return kind in _MAY_SIGN[role]


def parse_instant(text: str) -> UnixMs:
    """Unix milliseconds of a time that the schema's `instant` pattern already let through."""
    return UnixMs((datetime.fromisoformat(text) - _EPOCH) // _MILLISECOND)


def read_instant(text: str) -> UnixMs:
    """Unix milliseconds of a time that a person gives. Raises: ValueError unless it is of the schema's form: with a zone, and
    of a year that the formats can write.
    """
    if _instant_form().fullmatch(text) is None:
        raise ValueError("not a time as 2026-12-01T08:00:00+08:00")
    return parse_instant(text)


@cache
def _instant_form() -> re.Pattern[str]:
    return re.compile(schemas.schema("_common")["$defs"]["instant"]["pattern"])


def parse_payload(payload: bytes) -> Payload:
    """The well-formed payload in these bytes.

    Raises:
        MalformedRecordError: the bytes are not strict JSON (`ledger.core.strictjson`).
        PayloadError: check 3, with a code of `PAYLOAD_CODES` and a JSON pointer.
    """
    found = _read_by_type(payload)
    return _payload_of(_checked_document(payload) if found is None else _typed_document(*found))


def check_payload(payload: bytes) -> PayloadHeader:
    """As `parse_payload`, for whoever does not want the body: half the time where a stock record is spelled compactly.

    Raises:
        MalformedRecordError, PayloadError: as `parse_payload`.
    """
    found = _read_by_type(payload)
    if found is None:
        return _payload_of(_checked_document(payload))
    head, rest = found
    return PayloadHeader(
        head.log, head.kind, head.holder, False, head.site, head.book, rest.seq, rest.prev, tuple(rest.signers)
    )


def _read_by_type(payload: bytes) -> tuple[typed.Head, Any] | None:
    """Head and rest of a payload that passes check 3, or None where `_checked_document` has to say so."""
    found = typed.read(payload)
    if found is None or suspicious(found[2]):
        return None
    return found[0], found[1]


def _typed_document(head: typed.Head, rest: Any) -> dict[str, Any]:
    """The whole JSON object of a payload that was read by type, members in the order of the schemas: half the price of parsing
    it once more.
    """
    return {
        "v": VERSION,
        "log": head.log,
        "kind": head.kind,
        "enterprise": head.holder,
        "site": head.site,
        "book": head.book,
        **msgspec.to_builtins(rest),
    }


def _checked_document(payload: bytes) -> dict[str, Any]:
    """What a payload says, by the exact reader and the validator, which also word the refusals."""
    document: dict[str, Any] = strictjson.loads(payload)
    kind = _kind_of(document)
    if not schemas.validator(kind).is_valid(document):
        raise _schema_error(kind, document)
    _check_header(document)
    _check_body(kind, document["body"])
    check_personal_data(payload, document)
    return document


def _payload_of(document: dict[str, Any]) -> Payload:
    return Payload(
        log=document["log"],
        kind=document["kind"],
        holder=document.get("enterprise") or document["issuer"],
        is_authority="issuer" in document,
        site=document["site"],
        book=document["book"],
        seq=document["seq"],
        prev=document["prev"],
        signers=tuple(document["signers"]),
        nonce=document["nonce"],
        event_time=document["event_time"],
        event_time_ms=parse_instant(document["event_time"]),
        sd=tuple(document.get("_sd", ())),
        body=document["body"],
        document=document,
    )


def _kind_of(document: Any) -> str:
    if type(document) is not dict:
        raise PayloadError("A payload is a JSON object.", pointer="")
    if "v" not in document:
        raise PayloadError('The member "v" is required.', code="missing-member", pointer="/v")
    if document["v"] != VERSION or type(document["v"]) is not int:
        raise PayloadError(f"This program knows version {VERSION} only.", code="unknown-version", pointer="/v")
    kind = document.get("kind")
    if type(kind) is not str or kind not in KINDS:
        raise PayloadError("This kind is not known in version 1.", code="unknown-kind", pointer="/kind")
    return kind


def _schema_error(kind: str, document: dict[str, Any]) -> PayloadError:
    """The schema said no; find the word that helps the sender most."""
    holders = [name for name in ("enterprise", "issuer") if name in document]
    allowed = [
        name
        for name, kinds in (("enterprise", ENTERPRISE_KINDS), ("issuer", AUTHORITY_KINDS | EITHER_KINDS))
        if kind in kinds
    ]
    if len(holders) != 1 or holders[0] not in allowed:
        wanted = " or ".join(allowed)
        return PayloadError(
            f"A record of this kind has exactly one holder: {wanted}.", code="wrong-holder", pointer=f"/{allowed[0]}"
        )
    book = document.get("book")
    if _needs_office_book(kind, document) and isinstance(book, str) and not book.startswith("office"):
        return PayloadError("This kind lives in a book whose name begins office.", code="office-book", pointer="/book")
    defect = schemas.first_defect(kind, document)
    if defect is None:  # pragma: no cover - is_valid and iter_errors are one engine
        return PayloadError("Does not match its schema.", pointer="")
    code = _FINER_CODES.get(defect.pointer[1:].partition("/")[0], "schema") if defect.code == "schema" else defect.code
    return PayloadError(defect.detail, code=code, pointer=defect.pointer)


def _needs_office_book(kind: str, document: dict[str, Any]) -> bool:
    if kind == "correction":
        body = document.get("body")
        inner = body.get("kind") if isinstance(body, dict) else None
        return isinstance(inner, str) and inner in CORRECTABLE_KINDS - STOCK_KINDS
    return "enterprise" in document and kind not in STOCK_KINDS


def _check_header(document: dict[str, Any]) -> None:
    if (document["seq"] == 1) is not (document["prev"] is None):
        raise PayloadError("prev is null at seq 1 and only there.", code="prev-seq", pointer="/prev")
    signers = document["signers"]
    if len(signers) > 1 and signers != sorted(signers):
        raise PayloadError("Signers stand in ascending order.", code="signers", pointer="/signers")
    digests = document.get("_sd")
    if digests is not None and digests != sorted(digests):
        raise PayloadError("Digests stand in ascending order.", code="sd-order", pointer="/_sd")
    ext = document.get("ext")
    if ext and len(json.dumps(ext, ensure_ascii=False, separators=(",", ":")).encode()) > MAX_EXT_BYTES:
        raise PayloadError(f"ext is larger than {MAX_EXT_BYTES} bytes.", code="ext-size", pointer="/ext")


def _check_body(kind: str, body: dict[str, Any], base: str = "/body") -> None:
    if kind == "correction":
        _check_body(body["kind"], body["body"], base + "/body")
    elif kind == "place":
        sites: set[str] = set()
        for n, site in enumerate(body["sites"]):
            names = [store["id"] for store in site["stores"]]
            if site["site"] in sites or len(set(names)) != len(names):
                raise PayloadError(
                    "Each site stands once, and each store of a site once.",
                    code="duplicate-store",
                    pointer=f"{base}/sites/{n}",
                )
            sites.add(site["site"])


@cache
def disclosable_pointers(kind: str, corrected: str | None = None) -> tuple[re.Pattern[str], ...]:
    """Patterns (for `fullmatch`) of the RFC 6901 pointers that a disclosure of this kind may name (section 6).

    A correction has its own and, under /body/body, those of the kind that it corrects: `corrected`, or without it
    those of every kind that can be corrected.
    """
    templates = list(schemas.schema(kind)["x-disclosures"])
    if kind == "correction":
        for inner in sorted(CORRECTABLE_KINDS) if corrected is None else [corrected]:
            templates += ["/body" + template for template in schemas.schema(inner)["x-disclosures"]]
    unique = dict.fromkeys(templates)
    return tuple(re.compile(re.escape(name).replace(r"\{n\}", "(?:0|[1-9][0-9]{0,2})")) for name in unique)


class Line(msgspec.Struct, frozen=True):
    """A goods line in base units. Exactly one of `mass_mg`, `volume_ul`, `count` holds the quantity."""

    pointer: str
    goods: str
    code: str
    mass_mg: int | None
    volume_ul: int | None
    count: int | None
    """Of goods counted in H87."""
    store: str | None
    packaging: str | None
    pieces: int | None
    """Packages, where stated; required for sealed ones. For goods in H87 without it, the count."""
    concentration_ppm: int | None
    """Parts per million by mass: 1 % is 10,000."""
    form: str | None
    batch: str | None
    trace: str | None
    container: str | None
    expires: str | None
    direction: str | None
    """"in" or "out" for a movement, else None."""
    attributes: dict[str, Any]


def concentration_to_ppm(percent: str) -> int:
    """Percent by mass with at most three decimals to parts per million, exact: 68.5 is 685,000."""
    whole, _, fraction = percent.partition(".")
    return int(whole) * 10_000 + int(fraction.ljust(3, "0") or "0") * 10


def parse_line(line: dict[str, Any], *, pointer: str = "", direction: str | None = None) -> Line:
    """One goods line that the schema let through."""
    amount, dimension = to_base(line["quantity"]["value"], line["quantity"]["unit"])
    concentration = line.get("concentration")
    return Line(
        pointer=pointer,
        goods=line["goods"],
        code=line["code"],
        mass_mg=amount if dimension == "mass" else None,
        volume_ul=amount if dimension == "volume" else None,
        count=amount if dimension == "count" else None,
        store=line.get("store"),
        packaging=line.get("packaging"),
        pieces=line.get("pieces", amount if dimension == "count" else None),
        concentration_ppm=None if concentration is None else concentration_to_ppm(concentration),
        form=line.get("form"),
        batch=line.get("batch"),
        trace=line.get("trace"),
        container=line.get("container"),
        expires=line.get("expires"),
        direction=direction,
        attributes=line.get("attributes", {}),
    )


def lines_of(payload: Payload) -> list[Line]:
    """The goods lines of a payload; of a correction, those of the corrected body. Empty for kinds without lines."""
    body, base = payload.body, "/body"
    if payload.kind == "correction":
        body, base = body["body"], "/body/body"
    direction = body.get("direction")
    return [
        parse_line(line, pointer=f"{base}/lines/{n}", direction=direction)
        for n, line in enumerate(body.get("lines", ()))
    ]
