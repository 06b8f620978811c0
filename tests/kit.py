"""A small real log for tests: SQLite on disk, a sequencer, enrolled keys, books that sign. Only the clock is fake."""

from __future__ import annotations

import base64
import json
import secrets
from pathlib import Path
from zoneinfo import ZoneInfo

from ledger.adapters.store import open_stores
from ledger.core.dsse import PAYLOAD_TYPE, encode_envelope, pae
from ledger.core.grants import grant_id
from ledger.core.keys import PrivateKey
from ledger.core.note import NoteSigner
from ledger.core.receipt import receipt_key_name
from ledger.core.record import record_id_of
from ledger.errors import RollbackError
from ledger.flow import Directory, Door, submit, submit_batch
from ledger.model import Role, Signature, TreeHead, UnixMs
from ledger.sequencer import Identity, Sequencer
from ledger.core.ids import credit_code_for
from tests import factories

ORIGIN = "county.test/haz"
ISSUER = "platform.county"
SUBMISSION = "application/vnd.hazledger.submission.v1+json"
AUTHORITY = "0x" + "a1" * 20
T0 = UnixMs(1_790_000_000_000)


class Clock:
    def __init__(self, now: int = T0) -> None:
        self.now = UnixMs(now)

    def __call__(self) -> UnixMs:
        self.now = UnixMs(self.now + 1)
        return self.now


class MemoryGuard:
    """ports.HeadGuard in memory."""

    def __init__(self) -> None:
        self.head: TreeHead | None = None

    def read(self) -> TreeHead | None:
        return self.head

    def compare_and_swap(self, expected: TreeHead | None, new: TreeHead) -> None:
        if self.head != expected:
            raise RollbackError("another process signed")
        self.head = new


class Book:
    """Signs one book's records in order, as an enterprise's own system does."""

    def __init__(
        self, key: PrivateKey, holder: str, site: str = "S1", book: str = "acid", origin: str = ORIGIN
    ) -> None:
        self.key, self.holder, self.site, self.book, self.origin = key, holder, site, book, origin
        self.seq, self.prev = 0, None

    def payload(self, kind: str = "movement", **overrides) -> bytes:
        document = factories.payload(kind)
        document.pop("issuer", None)
        document.update(
            log=self.origin,
            enterprise=self.holder,
            site=self.site,
            book=self.book,
            seq=self.seq + 1,
            prev=self.prev,
            signers=[self.key.keyid],
            nonce=base64.urlsafe_b64encode(secrets.token_bytes(18)).decode(),
        )
        document.pop("seen", None)
        document.update(overrides)
        return factories.encode(document)

    def sign(self, payload: bytes) -> bytes:
        return encode_envelope(payload, [Signature(self.key.keyid, self.key.sign(pae(PAYLOAD_TYPE, payload)))])

    def took(self, payload: bytes) -> None:
        self.seq, self.prev = self.seq + 1, record_id_of(payload)

    def next(self, kind: str = "movement", **overrides) -> bytes:
        payload = self.payload(kind, **overrides)
        self.took(payload)
        return self.sign(payload)


class Log:
    """One installation without its processes."""

    def __init__(self, state: Path, database: str = "sqlite", *, chain_head=None, guard=None, identity=None) -> None:
        self.clock = Clock()
        self.stores = open_stores(database, state)
        self.stores.migrate()
        self.stores.log.bind_origin(ORIGIN)
        self.guard = guard or MemoryGuard()
        self.platform = PrivateKey.generate("Ed25519") if identity is None else identity.platform
        self.log_key = PrivateKey.generate("Ed25519")
        self.receipt_key = PrivateKey.generate("Ed25519")
        self.identity = identity or Identity(
            origin=ORIGIN,
            issuer=ISSUER,
            platform=self.platform,
            log=NoteSigner(ORIGIN, self.log_key),
            receipt=NoteSigner(receipt_key_name(ORIGIN), self.receipt_key),
            lookup_key=b"k" * 32,
            zone=ZoneInfo("Asia/Shanghai"),
        )
        self.sequencer = Sequencer(self.stores.log, self.identity, self.guard, clock=self.clock, chain_head=chain_head)
        self.door = Door(ORIGIN, Directory(self.stores.log), self.stores.log, self.sequencer)
        if self.stores.log.size() == 0:
            self.grant(self.platform, ISSUER, "", Role.PLATFORM)

    def grant(self, key, holder, scope="", role=Role.ENTERPRISE, enrolled_at=0, revoked_at=None):
        g = grant_id(ORIGIN, key.keyid, holder, scope, int(role)).hex()
        spki = key.public.spki if hasattr(key, "public") else key.spki
        body = {
            "g": g,
            "keyid": key.keyid,
            "spki": base64.b64encode(spki).decode(),
            "holder": holder,
            "scope": scope,
            "role": int(role),
            "enroller": AUTHORITY,
            "enrolled_at": enrolled_at,
            "revoked_at": revoked_at,
            "block": {"number": 1, "hash": "0x" + "00" * 32, "time": 1_790_000_000},
        }
        return self.sequencer.append_platform("grant", "grants", body)

    def enterprise(self, book: str = "acid", site: str = "S1", algorithm: str = "ES256", n: int = 1) -> Book:
        key = PrivateKey.generate(algorithm)
        holder = credit_code_for(f"91320100MA1P{n:05d}")
        self.grant(key, holder)
        return Book(key, holder, site, book)

    def submit(self, envelope: bytes):
        return submit(envelope, SUBMISSION, self.door)

    def batch(self, envelopes):
        return submit_batch(list(envelopes), self.door)

    def close(self) -> None:
        self.sequencer.close()
        self.stores.close()


def document_of(envelope: bytes) -> dict:
    return json.loads(base64.b64decode(json.loads(envelope)["payload"]))
