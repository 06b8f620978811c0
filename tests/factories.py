"""A valid payload of every kind, to be bent by tests: `payload("movement", seq=2, prev=...)`, `encode(document)`.

`body(kind)` gives the body alone. The kind is given by position; `**overrides` replace header members (`kind=` too); a value of `ABSENT` removes one. Everything is
fixed (no clock, no randomness) unless the caller says otherwise.
"""

from __future__ import annotations

import copy
import json
from typing import Any

from ledger.core import record
from ledger.core.ids import credit_code_for, resident_id_for

LOG = "log.example.org/county"
HOLDER = credit_code_for("91320100MA1P0000X")
OTHER_HOLDER = credit_code_for("91320100MA1P00010")
SUPERVISOR = "supervisor.county"
PLATFORM = "platform.county"
SITE = "S1"
STOCK_BOOK = "acid"
OFFICE_BOOK = "office"
STORE = "R1"
RESIDENT_ID = resident_id_for("11010519491231002")
MOBILE = "13800138000"
TIME = "2026-03-02T09:30:00+08:00"
DAY = "2026-03-02"

KEY_A = "0a" * 32
KEY_B = "0b" * 32
ID_A = "aa" * 32
ID_B = "bb" * 32
DIGEST = "cc" * 32
ZERO_32 = "A" * 43 + "="
SD = tuple(sorted("ABCDEFGH"[i] * 42 + "A" for i in range(8)))
NONCE = "AAAAAAAAAAAAAAAAAAAAAA"
ABSENT: Any = object()


def line(code: str = "7697-37-2", value: str = "25.5", unit: str = "KGM", **more: Any) -> dict[str, Any]:
    """A goods line of nitric acid in the store `R1`; `**more` adds or replaces members."""
    document = {
        "goods": "chemical",
        "code": code,
        "quantity": {"value": value, "unit": unit},
        "store": STORE,
        "packaging": "bulk",
        "concentration": "68",
        "form": "liquid",
    }
    return _merged(document, more)


def knife_line(**more: Any) -> dict[str, Any]:
    """One controlled knife in a shop's counter."""
    document = {
        "goods": "knife",
        "code": "dagger",
        "quantity": {"value": "1", "unit": "H87"},
        "attributes": {
            "class": "dagger",
            "blade_mm": 180,
            "tip_angle_deg": 45,
            "tip_radius_um": 100,
            "edged": True,
            "lock": False,
        },
    }
    return _merged(document, more)


def _merged(document: dict[str, Any], more: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in {**document, **more}.items() if value is not ABSENT}


_EVIDENCE = [{"sha256": DIGEST, "media_type": "image/jpeg", "bytes": 20480, "role": "photo"}]

_BODIES: dict[str, dict[str, Any]] = {
    "movement": {
        "direction": "out",
        "reason": "sale",
        "lines": [line()],
        "consignment": "C-2026-0001",
        "expected_arrival": "2026-03-02T15:00:00+08:00",
        "counterparty": {"type": "enterprise", "uscc": OTHER_HOLDER, "name": "Example Works", "address": "Road 1"},
        "purpose": "production",
        "payment_method": "bank_transfer",
        "permits": [{"type": "purchase", "number": "P-1", "issuer": "County police"}],
        "handlers": [{"ref": "H001"}, {"ref": "H002"}],
        "measurement": {
            "method": "weighbridge",
            "resolution": {"value": "0.5", "unit": "KGM"},
            "random_ppm": 500,
            "systematic_ppm": 200,
        },
        "identity_checks": [
            {"subject": "agent", "doc_type": "resident_id", "doc_valid_to": "2030-01-01", "match_permille": 930}
        ],
        "evidence": _EVIDENCE,
    },
    "stocktake": {
        "cut_off": TIME,
        "complete": True,
        "lines": [line(value="1000")],
        "counters": [{"ref": "H001"}],
    },
    "close": {"day": DAY, "last_seq": 1, "lines": [line(value="974.5")], "nil": False, "final": False},
    "incident": {
        "type": "loss",
        "lines": [line(value="1")],
        "discovered_at": TIME,
        "reported_at": TIME,
        "reported_to": "police",
    },
    "rental": {
        "action": "out",
        "contract": "R-1",
        "vehicle": {"ref": "V7", "class": "car", "seats": 5},
        "renter": {"type": "person"},
        "drivers": [{}],
        "due_at": "2026-03-05T09:30:00+08:00",
        "identity_checks": [{"subject": "renter", "doc_type": "resident_id"}],
    },
    "person": {
        "action": "enrol",
        "ref": "H001",
        "role": "keeper",
        "training_valid_to": "2027-01-31",
        "keyid": KEY_A,
        "doc_type": "resident_id",
        "doc_valid_to": "9999-12-31",
    },
    "profile": {
        "names": {"zh": "示例化工", "en": "Example Chemicals"},
        "roles": ["user", "shop"],
        "industry": "C2611",
        "scope": ["explosive_precursor"],
        "status": "active",
        "upload_windows": [{"days": [1, 2, 3, 4, 5], "from": "08:00", "to": "18:00"}],
    },
    "licence": {
        "type": "licence",
        "number": "L-2026-1",
        "issuer": "County police",
        "activities": ["purchase", "use"],
        "categories": ["highly_toxic"],
        "items": [{"goods": "chemical", "code": "7697-37-2", "quantity": {"value": "5", "unit": "TNE"}}],
        "limits": [{"store": STORE, "quantity": {"value": "2", "unit": "TNE"}}],
        "valid_from": "2026-01-01",
        "valid_to": "2026-12-31",
        "status": "valid",
    },
    "place": {
        "sites": [
            {
                "site": SITE,
                "names": {"zh": "一厂"},
                "zone": "Asia/Shanghai",
                "position": {"lat_e7": 312304000, "lon_e7": 1214737000},
                "hours": [{"days": [1, 2, 3, 4, 5], "from": "08:00", "to": "18:00"}],
                "people_500m": 40,
                "stores": [
                    {
                        "id": STORE,
                        "book": STOCK_BOOK,
                        "unit": "U1",
                        "class": "room",
                        "compartment": "F1",
                        "capacity": {"value": "2", "unit": "TNE"},
                    }
                ],
            }
        ]
    },
    "filing": {
        "consignment": "C-2026-0001",
        "date": DAY,
        "regime": "explosive_precursor",
        "acknowledgement": {"number": "A-1", "at": TIME},
    },
    "reply": {"order": ID_A, "action": "corrected", "done_at": TIME, "evidence": _EVIDENCE},
    "alert": {
        "rule": "A01",
        "version": 1,
        "ruleset": DIGEST,
        "fingerprint": [HOLDER, SITE, "7697-37-2"],
        "first_index": 7,
        "band": 0,
        "severity": "critical",
        "inputs": {"balance_mg": -1, "entries": [1, 7], "store": STORE, "late": None},
    },
    "alert_transition": {"alert": DIGEST, "from": "open", "to": "acknowledged"},
    "order": {
        "type": "rectification",
        "holder": HOLDER,
        "site": SITE,
        "findings": [{"code": "A02", "alert": DIGEST}],
        "basis": ["cn591.two_person"],
        "measure": "move-stock",
        "due": "2026-03-09T18:00:00+08:00",
    },
    "inspection": {
        "holder": HOLDER,
        "site": SITE,
        "started_at": TIME,
        "inspectors": [{"ref": "P1"}, {"ref": "P2"}],
        "checklist": [{"item": "locks", "result": "ok"}],
        "findings": [],
    },
    "report": {"action": "intake", "category": "smell", "position": {"lat_e7": 312304000, "lon_e7": 1214737000}},
    "endorse": {"record_id": ID_A, "holder": HOLDER},
    "ruleset": {"digest": DIGEST, "versions": [{"rule": "A01", "version": 1, "status": "live"}]},
    "grant": {
        "g": DIGEST,
        "keyid": KEY_A,
        "spki": "MCowBQYDK2VwAyEA" + ZERO_32,
        "holder": HOLDER,
        "scope": "S1/acid",
        "role": 1,
        "enroller": "0x" + "12" * 20,
        "enrolled_at": 0,
        "revoked_at": None,
        "block": {"number": 12, "hash": "0x" + "34" * 32, "time": 1772415000},
    },
    "refusal": {"record_id": ID_A, "holder": HOLDER, "site": SITE, "book": STOCK_BOOK, "seq": 3, "code": "fork"},
    "access": {"digest": DIGEST, "from": 0, "to": 12, "entries": 12},
    "scrub": {"checked": 10, "present": 9, "missing": [DIGEST]},
    "erasure": {"digests": [SD[0]], "basis": "cn591.retention.sales"},
    "tick": {"now": 1772415000000, "facts": DIGEST},
}
_BODIES["correction"] = {"corrects": ID_A, "kind": "movement", "body": _BODIES["movement"]}

_PLATFORM_KINDS = {"alert", "ruleset", "grant", "refusal", "access", "scrub", "tick"}


def body(kind: str, /, **overrides: Any) -> dict[str, Any]:
    """A valid body of this kind; a fresh copy."""
    return _merged(copy.deepcopy(_BODIES[kind]), overrides)


def payload(kind: str = "movement", /, **overrides: Any) -> dict[str, Any]:
    """A valid payload of this kind, as a document; seq 1 unless said otherwise."""
    document: dict[str, Any] = {"v": 1, "log": LOG, "kind": kind}
    if kind in record.ENTERPRISE_KINDS:
        document["enterprise"] = HOLDER
        stock = kind in record.STOCK_KINDS or kind == "correction"
        document |= {"site": SITE, "book": STOCK_BOOK if stock else OFFICE_BOOK}
    else:
        document["issuer"] = PLATFORM if kind in _PLATFORM_KINDS else SUPERVISOR
        document |= {"site": "hq", "book": kind}
    document |= {"seq": 1, "prev": None, "signers": [KEY_A], "nonce": NONCE, "event_time": TIME, "body": body(kind)}
    return _merged(document, overrides)


def issued_licence(**overrides: Any) -> dict[str, Any]:
    """A licence that an authority signs for a holder."""
    members = {"enterprise": ABSENT, "issuer": SUPERVISOR, "site": "hq", "book": "licences"}
    return payload("licence", **{**members, "body": body("licence", holder=HOLDER), **overrides})


def encode(document: Any) -> bytes:
    """The document as the bytes that would be signed."""
    return json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode()
