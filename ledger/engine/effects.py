"""What folding brings about: alerts with the exact payload of their entries, and all else that is to be committed."""

from __future__ import annotations

import hashlib
import json
from base64 import urlsafe_b64encode
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import msgspec

from ledger.core.ids import check_credit_code, find_personal_data
from ledger.core.times import format_utc
from ledger.engine.inputs import GoodsLine, Input
from ledger.engine.life import Cause, LifeEffects
from ledger.engine.state import Timer
from ledger.model import Alert, LeafIndex, RecordId, UnixMs

LATE_MS = 86_400_000
"""An alert on what happened longer ago than this, when the entry came, is marked late."""
_JSON_INT = 2**53 - 1
_PARTIES = ("buyer", "party", "seller", "path")
"""Fields that name an enterprise beside the holder, or several as `A>B>C`."""


@dataclass(frozen=True, slots=True)
class Identity:
    """Whose alerts these are: the platform's name and key, this log, the engine's own book."""

    log: str
    issuer: str
    keyid: str
    ruleset: str
    site: str = "engine"
    book: str = "alerts"


@dataclass(frozen=True, slots=True)
class Raised:
    """One alert and the payload of its entry; signed outside."""

    alert: Alert
    payload: bytes
    record_id: RecordId


class Moment(msgspec.Struct, frozen=True):
    """The input that is being folded: its index, its record, and the time it stands for. A struct, as `Input` is."""

    index: LeafIndex
    record_id: RecordId
    now_ms: UnixMs
    event_ms: int = -1
    """When that happened which is now known; -1: now. Of a correction, when what it puts right did; of papers, always before."""

    @property
    def cause(self) -> Cause:
        """What a life says brought a step about; nobody's own act."""
        return Cause(self.index, self.record_id, self.now_ms)


@dataclass(slots=True)
class Effects:
    """What folding some inputs asks for; merged over a micro-batch and committed with the cursor."""

    raised: list[Raised] = field(default_factory=list)
    stock: dict[tuple[str, str, str, str], int] = field(default_factory=dict)
    """(holder, site, book, balance key) that changed -> index of the entry."""
    streams: dict[tuple[str, str, str, str], Mapping[str, Any]] = field(default_factory=dict)
    """(holder, site, book, balance key) of bulk streams that a count closed a balance of -> their newest row."""
    lines: list[tuple[Input, list[GoodsLine]]] = field(default_factory=list)
    timers: dict[str, Timer | None] = field(default_factory=dict)
    """Timers set (Timer) or cleared (None) since the last commit, by id."""
    touched_rules: dict[str, int | None] = field(default_factory=dict)
    """Rules of whose health something changed; with the version of one that another set has ended since."""
    life: LifeEffects = field(default_factory=LifeEffects)
    whole: bool = False
    """`stock` and `streams` are all that there are, since entry 0."""


def alert_id_of(rule: str, fingerprint: tuple[str, ...], first_index: int) -> str:
    """engine.md: hex SHA-256 of `hazledger/alert/v1` LF rule LF fingerprint as a JSON array LF first index LF."""
    text = f"hazledger/alert/v1\n{rule}\n{fingerprint_json(fingerprint)}\n{first_index}\n"
    return hashlib.sha256(text.encode()).hexdigest()


def concerned(inputs: Mapping[str, Any], holder: str) -> list[str]:
    """The other enterprises that an alert is about, by credit code and each once: with them it has to be found too.

    A seller who is only named as the source of somebody's purchase is not one of them. What has no valid credit code is
    no enterprise: a person's surrogate, or what an enterprise wrote there.
    """
    found = []
    for name in _PARTIES:
        if name in inputs and not (name == "seller" and "buyer" in inputs):
            found += [part for part in str(inputs[name]).split(">") if part != holder and _is_enterprise(part)]
    return list(dict.fromkeys(found))


def _is_enterprise(text: str) -> bool:
    try:
        check_credit_code(text)
    except ValueError:
        return False
    return True


def fingerprint_json(fingerprint: tuple[str, ...]) -> str:
    """The fingerprint as a compact JSON array, UTF-8, no escapes beyond JSON's own."""
    return json.dumps(fingerprint, ensure_ascii=False, separators=(",", ":"))


def payload_of(alert: Alert, identity: Identity, seq: int, prev: str | None) -> bytes:
    """The exact payload of the alert's entry at this place of the engine's own book."""
    body: dict[str, Any] = {
        "alert_id": alert.alert_id,
        "rule": alert.rule,
        "version": alert.version,
        "ruleset": identity.ruleset,
        "fingerprint": [json_value(part[:256]) for part in alert.fingerprint],
        "first_index": alert.first_index,
        "last_index": alert.last_index,
        "band": alert.band,
        "severity": alert.severity,
        "inputs": alert.inputs,
        "late": alert.late,
    }
    about = {"holder": alert.holder, "site": alert.site}
    about |= {name: alert.extra.get(name, "") for name in ("book", "record", "revises", "regresses")}
    body |= {name: value for name, value in about.items() if value}
    nonce = hashlib.sha256(f"hazledger/alert-nonce/v1\n{alert.alert_id}\n".encode()).digest()
    payload = {
        "v": 1,
        "log": identity.log,
        "kind": "alert",
        "issuer": identity.issuer,
        "site": identity.site,
        "book": identity.book,
        "seq": seq,
        "prev": prev,
        "signers": [identity.keyid],
        "nonce": urlsafe_b64encode(nonce).rstrip(b"=").decode(),
        "event_time": format_utc(alert.opened_ms),
        "body": body,
    }
    return json.dumps(payload, ensure_ascii=False, separators=(",", ":")).encode()


def json_value(value: Any) -> Any:
    """A value for the alert's `inputs`: an integer that JSON's range of formats.md does not hold becomes its text.

    The door refuses an alert that seems to hold personal data (check 3), and an alert that is refused would hold up all
    that follow it: so the text is grouped, lest a sum that somebody chose reads like a resident ID.
    """
    if type(value) is int and not -_JSON_INT <= value <= _JSON_INT:
        return f"{value:,}"
    if type(value) is str and find_personal_data(value):
        return "sha256:" + hashlib.sha256(value.encode()).hexdigest()
    if type(value) in (list, tuple):
        return [json_value(item) for item in value]
    return value
