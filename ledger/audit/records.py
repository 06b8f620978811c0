"""What stands or falls with single records: receipts, erased digests, the digest of the facts, refusals."""

from __future__ import annotations

import hashlib
import json
from typing import Any

from ledger.audit.disclosed import DisclosedTables
from ledger.audit.report import Report, Row
from ledger.core.dsse import PAYLOAD_TYPE, pae, parse_envelope
from ledger.core.encoding import b64_decode
from ledger.core.facts import digested
from ledger.core.keys import load_public_key
from ledger.core.merkle import leaf_hash
from ledger.core.receipt import parse_receipt
from ledger.core.record import parse_payload, record_id_of
from ledger.core.refusal import parse_refusal
from ledger.core.trust import TrustFile
from ledger.errors import VerificationError
from ledger.model import Payload
from ledger.ports import TableReader


class RecordTables:
    """Fed with the log's records in order."""

    def __init__(self, tables: TableReader, trust: TrustFile, report: Report, disclosed: DisclosedTables) -> None:
        self._tables = tables
        self._trust = trust
        self._report = report
        self._disclosed = disclosed
        self._erased: dict[str, int] = {}
        self._refused = 0
        self._facts_from = 0
        self._spkis: dict[str, bytes] = {}
        self._sd: dict[int, frozenset[str]] = {}

    def record(self, index: int, row: dict[str, Any], payload: Payload) -> None:
        """One record whose payload could be read; rows of its tile's other tables follow with `tile`."""
        self._receipt(index, row)
        self._sd[index] = frozenset(payload.sd)
        body = payload.body
        if payload.kind == "grant":
            self._spkis[body["keyid"]] = b64_decode(body["spki"])
        elif payload.kind == "erasure":
            self._erased.update(dict.fromkeys(body.get("digests", ()), index))
        elif payload.kind == "refusal":
            self._refusal(index, row, body)
        elif payload.kind == "tick":
            self._tick(index, row, body)
        elif payload.kind == "access":
            self._access(index, row, body)

    def tile(self, first: int, rows: list[dict[str, Any]]) -> None:
        """The disclosures and the facts of these records."""
        self._disclosed.tile(first, rows, self._sd)
        self._sd.clear()

    def finish(self, size: int) -> None:
        """What remains when every record was seen."""
        report = self._report
        self._disclosed.finish(size)
        self._compare_erased()
        report.saw("log.refused", self._refused)
        if self._tables.count("log", "refused") != self._refused:
            self._stray_refusals()

    def _receipt(self, index: int, row: dict[str, Any]) -> None:
        name = Row(self._report, "log.entry", f"index {index}", 12, index, row["record_id"].hex())
        try:
            receipt = parse_receipt(row["receipt"], self._trust.receipt_keys)
        except VerificationError as error:
            name.differs("receipt", error.detail, code=error.code)
            return
        said = (receipt.origin, receipt.record_id, receipt.leaf_hash, receipt.index, receipt.received)
        ours = (self._trust.origin, row["record_id"].hex(), leaf_hash(row["entry"]), index, row["received"])
        if said != ours:
            name.differs("receipt", "the receipt is of another record, leaf, index or time", code="receipt-differs")
        elif receipt.merge_by < receipt.received:
            name.differs("receipt", "merge-by is before received", code="receipt-differs")

    def _tick(self, index: int, row: dict[str, Any], body: dict[str, Any]) -> None:
        """A tick carries the digest of the facts rows since the last one."""
        digest = hashlib.sha256()
        for facts in self._tables.rows("log", "facts", by="index", start=self._facts_from, end=index):
            digest.update(_digested(facts))
        if digest.hexdigest() != body["facts"]:
            name = Row(
                self._report, "log.facts", f"{self._facts_from} to {index - 1}", 3, index, row["record_id"].hex()
            )
            name.differs("facts", "the facts rows do not have the digest that this tick carries", code="facts-differ")
        self._facts_from = index + 1

    def _access(self, index: int, row: dict[str, Any], body: dict[str, Any]) -> None:
        """The access log up to here is the one whose digest this entry carries: no row before was dropped since."""
        end = body.get("to", 1) - 1
        kept = next(self._tables.rows("portal", "access", by="n", start=end, end=end + 1), None)
        name = Row(self._report, "portal.access", f"n {end}", None, index, row["record_id"].hex())
        if kept is None:
            name.differs("", "an access entry covers this row, it is missing", code="row-missing")
        else:
            name.compare("digest", kept["digest"].hex(), body["digest"])

    # --- erased digests ----------------------------------------------------------------------------------------------

    def _compare_erased(self) -> None:
        for row in self._tables.rows("log", "erased"):
            self._report.saw("log.erased")
            if self._erased.pop(row["digest"], None) is None:
                Row(self._report, "log.erased", row["digest"], 11).differs(
                    "digest", "no erasure entry names it", code="extra-row"
                )
        for digest, index in self._erased.items():
            Row(self._report, "log.erased", digest, 11, index).differs(
                "digest", "an erasure entry names it, its row is missing", code="row-missing"
            )

    # --- refusals ----------------------------------------------------------------------------------------------------

    def _refusal(self, index: int, row: dict[str, Any], body: dict[str, Any]) -> None:
        name = Row(self._report, "log.refused", body["record_id"], 3, index, row["record_id"].hex())
        wanted = bytes.fromhex(body["record_id"])
        stored = next(self._tables.rows("log", "refused", by="record_id", start=wanted, end=wanted + b"\x00"), None)
        if stored is None:
            name.differs("record_id", "its row and its envelope are missing", code="row-missing")
            return
        self._refused += 1
        for column in ("holder", "site", "book", "seq", "code", "keyid"):
            name.compare(column, stored[column], body[column])
        self._refusal_note(name, stored)
        self._refused_envelope(name, stored)

    def _refusal_note(self, name: Row, stored: dict[str, Any]) -> None:
        try:
            note = parse_refusal(stored["note"], self._trust.receipt_keys)
        except VerificationError as error:
            name.differs("note", error.detail, code=error.code, check=12)
            return
        if (note.origin, note.record_id, note.code) != (self._trust.origin, stored["record_id"].hex(), stored["code"]):
            name.differs("note", "the signed note refuses another record, or for another reason", check=12)
        elif note.at != stored["received"]:
            name.differs("received", f"the signed note says {note.at}", check=12)

    def _refused_envelope(self, name: Row, stored: dict[str, Any]) -> None:
        """The refused submission is evidence: the very payload, validly signed by the key that the entry names."""
        try:
            envelope = parse_envelope(stored["envelope"])
            if record_id_of(envelope.payload) != stored["record_id"].hex():
                name.differs("envelope", "its payload has another record_id", check=1)
            signature = next((s for s in envelope.signatures if s.keyid == stored["keyid"]), None)
            spki = self._spkis.get(stored["keyid"])
            if signature is None or spki is None:
                name.differs("keyid", "no signature by this key, or no grant of it", check=5)
                return
            load_public_key(spki).verify(signature.sig, pae(PAYLOAD_TYPE, envelope.payload))
        except VerificationError as error:
            name.differs("envelope", error.detail, code=error.code, check=error.check)

    def _stray_refusals(self) -> None:
        """Only when counts differ: which rows no refusal entry names that can still be read."""
        named = {
            _refused_by(entry["envelope"])
            for entry in self._tables.rows("log", "entry", by="kind", start="refusal", end="refusal\x01")
        }
        for row in self._tables.rows("log", "refused"):
            if row["record_id"].hex() not in named:
                Row(self._report, "log.refused", row["record_id"].hex(), 3).differs(
                    "record_id", "no refusal entry names it", code="extra-row"
                )


def _refused_by(envelope: bytes) -> str:
    """The record_id that a refusal names; empty for one that is damaged, which the verifier says."""
    try:
        return str(parse_payload(parse_envelope(envelope).payload).body.get("record_id", ""))
    except VerificationError:
        return ""


def _digested(row: dict[str, Any]) -> bytes:
    """A facts row as ticks digest it; what is no JSON as it stands, so that the digest differs."""
    try:
        return digested(row["index"], json.loads(row["facts"]))
    except ValueError:
        return str(row["facts"]).encode("utf-8", "backslashreplace")
