"""What is to be signed, before it is: from a JSON file or a row of a spreadsheet. Checked in full before any key is used."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from ledger.client.book import Book, RecordSigner
from ledger.client.spool import BookPlace
from ledger.core import strictjson
from ledger.core.record import parse_payload
from ledger.core.submission import parse_submission
from ledger.errors import LedgerError, MalformedRecordError, VerificationError

_MEMBERS = {"enterprise", "site", "book", "kind", "event_time", "body", "disclosures", "ext"}
_REQUIRED = {"kind", "event_time", "body"}


class DraftError(LedgerError):
    """What was to be signed is no record. Nothing was signed; `defects` name every one, with its place in the source."""

    default_code = "draft"

    def __init__(self, defects: list[str]) -> None:
        super().__init__("\n".join(defects))
        self.defects = defects


@dataclass(frozen=True, slots=True)
class Draft:
    """One record before it is signed. `source` says to a person where it came from ("row 7")."""

    place: BookPlace
    kind: str
    event_time: str
    body: dict[str, Any]
    disclosures: dict[str, str] = field(default_factory=dict)
    ext: dict[str, Any] | None = None
    source: str = ""


class _NoKey:
    """Signs nothing: for a check of form that must not touch a key."""

    keyid = "0" * 64

    def sign(self, _: bytes) -> bytes:
        return b""


def check(draft: Draft, *, log: str, signers: int = 1) -> None:
    """Everything that can be wrong with a record's form, without a key and without a place in its book.

    Raises: VerificationError with code, pointer and detail.
    """
    holder, site, book = draft.place
    placeholders: list[RecordSigner] = [_Numbered(n) for n in range(signers)]
    Book(log=log, holder=holder, site=site, book=book, signers=placeholders).build(
        draft.kind, draft.body, event_time=draft.event_time, disclosures=draft.disclosures, ext=draft.ext
    )


class _Numbered(_NoKey):
    def __init__(self, number: int) -> None:
        self.keyid = f"{number:064x}"


def check_all(drafts: Iterable[Draft], *, log: str, signers: int = 1) -> None:
    """DraftError that names every draft that is no record."""
    defects = []
    for draft in drafts:
        try:
            check(draft, log=log, signers=signers)
        except VerificationError as error:
            defects.append(f"{draft.source}: {describe(error)}")
    if defects:
        raise DraftError(defects)


def describe(error: VerificationError) -> str:
    """The place inside the record, and what is wrong there."""
    where = f"{error.pointer}: " if error.pointer else ""
    return f"{where}{error.detail} [{error.code}]"


def read_draft(data: bytes, source: str, *, defaults: Mapping[str, str]) -> Draft:
    """A record file: {"kind", "event_time", "body"} and, if any, enterprise, site, book, disclosures, ext.

    Or a submission that was set aside: what it says is taken over, to be signed again at another place of its book.

    `defaults` give enterprise, site and book where the file does not. Numbers follow formats.md (no fractions); the
    quantities in a body are texts.

    Raises: DraftError.
    """
    try:
        document = strictjson.loads(data)
    except MalformedRecordError as error:
        raise DraftError([f"{source}: {describe(error)}"]) from error
    if isinstance(document, dict) and "envelope" in document:
        return _from_submission(data, source)
    if not isinstance(document, dict) or not document.keys() <= _MEMBERS or not document.keys() >= _REQUIRED:
        raise DraftError(
            [f"{source}: a record file is an object with {_named(_REQUIRED)}, perhaps {_named(_MEMBERS - _REQUIRED)}"]
        )
    parts = {name: document.get(name, defaults.get(name)) for name in ("enterprise", "site", "book")}
    missing = [name for name, value in parts.items() if not isinstance(value, str) or not value]
    if missing:
        raise DraftError([f"{source}: say {name} in the file or with --{name}" for name in missing])
    disclosures, body = document.get("disclosures", {}), document["body"]
    texts = (
        (document["kind"], document["event_time"], *disclosures.values()) if isinstance(disclosures, dict) else (None,)
    )
    if not isinstance(body, dict) or not all(isinstance(text, str) for text in texts):
        raise DraftError([f"{source}: kind and event_time are texts, body an object, disclosures an object of texts"])
    return Draft(
        place=(str(parts["enterprise"]), str(parts["site"]), str(parts["book"])),
        kind=document["kind"],
        event_time=document["event_time"],
        body=body,
        disclosures=disclosures,
        ext=document.get("ext"),
        source=source,
    )


def _from_submission(data: bytes, source: str) -> Draft:
    try:
        envelope, disclosures = parse_submission(data)
        payload = parse_payload(envelope.payload)
    except VerificationError as error:
        raise DraftError([f"{source}: {describe(error)}"]) from error
    return Draft(
        place=(payload.holder, payload.site, payload.book),
        kind=payload.kind,
        event_time=payload.event_time,
        body=payload.body,
        disclosures={disclosure.name: disclosure.value for disclosure in disclosures},
        ext=payload.document.get("ext"),
        source=source,
    )


def _named(names: Iterable[str]) -> str:
    return ", ".join(sorted(names))
