"""What is altered behind the program's back, and who must notice: one entry for every column and every kind of file.

A column stands either in CASES (altered: this check of the audit fails, and the finding names this row) or in NOT_EVIDENCE
(with the reason: nothing is proven by it). A column that stands in neither fails the test, so that nobody adds one
without having thought about it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

FAR = 1_000_000
"""Added to keys, so that no other row has it already."""


@dataclass(frozen=True)
class Case:
    """`check` that fails (None: a table that a fresh fold gives); `code` of the finding; `row` a name of its row."""

    check: int | None
    code: str = "column-differs"
    column: str | None = ""
    """The column that the finding names; "" is the altered one, None the row as a whole."""
    value: Any = None
    """What to write; None: alter what is there."""
    row: str | None = None
    """The row that the finding names, where it is not the altered one."""
    where: str = ""
    """Which row is altered; "" is the middle one."""
    verify_log: str | None = None
    """Exported and read by `verify log`: the code of the finding there, about the same record."""


GONE = Case(None, "row-missing", None)


def _keyed(check: int | None) -> Case:
    """A key was altered: the row that ought to be there is missing."""
    return Case(check, "row-missing", None)


def _all(columns: str, case: Case) -> dict[str, Case]:
    return dict.fromkeys(columns.split(), case)


CASES: dict[tuple[str, str], dict[str, Case]] = {
    ("log", "meta"): {"key": Case(2, row="{altered}"), "value": Case(2)},
    ("log", "entry"): {
        "index": Case(7, row="{place}"),
        **_all("record_id holder site book seq type", Case(6)),
        "received": Case(6),
        **_all("kind event_time_ms", Case(3)),
        "leaf_hash": Case(7, verify_log="leaf-differs", where="last"),
        "entry": Case(6, "entry-differs", None, verify_log="entry-differs"),
        "receipt": Case(12, "bad-note-signature"),
        "envelope": Case(5, "bad-signature", None, verify_log="bad-signature"),
    },
    ("log", "tile"): {
        **_all("level n", _keyed(7)),
        "hashes": Case(7, verify_log="leaf-differs"),
        "root": Case(7),
    },
    ("log", "checkpoint"): {"size": Case(8, row="{altered}"), "root": Case(8), "note": Case(8, "bad-note-signature", where="last", verify_log="bad-note-signature")},
    ("log", "book"): {**_all("holder site book", _keyed(3)), **_all("seq record_id opened closed", Case(3))},
    ("log", "grant"): {
        "g": _keyed(4),
        **_all("keyid spki holder scope role enroller enrolled_at revoked_at index", Case(4)),
    },
    ("log", "disclosure"): {
        "digest": Case(11, column="text", row="{altered}"),
        "index": Case(11, "extra-row"),
        "text": Case(11),
        "lookup": Case(11, value="abc"),
    },
    ("log", "lookup"): {
        "digest": Case(11, "extra-row", value="0" * 64, row="{altered}"),
        "surrogate": Case(11, value="0" * 32),
    },
    ("log", "erased"): {"digest": Case(11, "row-missing")},
    ("log", "facts"): {
        "index": Case(3, "facts-differ", "facts", row="{facts}"),
        "facts": Case(11, value='{"ids":{"/body/handlers/0/id_number":{"valid":false,"minor":null}}}', where="first"),
    },
    ("log", "refused"): {
        "record_id": Case(3, "row-missing"),
        **_all("holder site book seq code keyid", Case(3)),
        "received": Case(12),
        "envelope": Case(5, "bad-signature"),
        "note": Case(12, "bad-note-signature"),
    },
    ("engine", "alert"): {
        "seq": _keyed(None),
        **_all(
            "alert_id rule version fingerprint first_index last_index band severity holder site reason inputs opened_ms "
            "late status record_id extra",
            Case(None),
        ),
    },
    ("engine", "party"): _all("seq holder", _keyed(None)),
    ("engine", "outbox"): {"n": _keyed(None), **_all("id record_id envelope index", Case(None))},
    ("engine", "line"): {
        **_all("index line", _keyed(None)),
        **_all(
            "holder site book kind direction reason code dimension amount pieces store event_time_ms counterparty",
            Case(None),
        ),
    },
    ("engine", "stock"): {
        **_all("holder site book key", _keyed(None)),
        **_all("code dimension amount pieces capacity as_of_index event_time_ms", Case(None)),
    },
    ("engine", "stream"): {
        **_all("holder site book key", _keyed(None)),
        **_all(
            "code dimension balances sigma sigma_estimated stated muf z_milli loss_protracted_milli loss_abrupt_milli "
            "stocktake as_of_index event_time_ms",
            Case(None),
        ),
    },
    ("engine", "timer"): {"id": _keyed(None), **_all("due_ms rule data", Case(None))},
    ("engine", "life"): {
        "alert_id": _keyed(None),
        **_all(
            "status stage turn severity due_ms until_ms handle_due_ms handled_ms closed_ms outcome order_id recovered data",
            Case(None),
        ),
    },
    ("engine", "step"): {
        **_all("alert_id n", _keyed(None)),
        **_all("index at_ms before after by record_id refused", Case(None)),
        "note": Case(None, value='{"outcome":"no_violation"}'),
    },
    ("engine", "order"): {
        "record_id": _keyed(None),
        **_all("holder site type number severity status index issued_ms due_ms reply late alerts", Case(None)),
    },
    ("engine", "health"): {
        "rule": _keyed(None),
        **_all("version last_index state error evaluations alerts", Case(None)),
    },
    ("engine", "state"): {"id": _keyed(None), **_all("cursor book_seq book_prev", Case(None))},
    ("engine", "snapshot"): {
        "id": Case(None),
        "cursor": Case(None, "snapshot-differs", "state", row="{altered}"),
        "state": Case(None, "snapshot-differs"),
    },
    ("engine", "extra"): {
        "key": _keyed(None),
        "value": Case(None),
    },
    ("portal", "access"): {
        "n": Case(None, row="{altered}"),
        **_all("at_ms actor action target", Case(None, column="digest")),
        "digest": Case(None),
    },
    ("anchor", "anchor"): {
        "size": Case(9, "size-missing", row="{altered}"),
        **_all("root block_number block_timestamp_s anchored_at_s tx_hash", Case(9)),
        "block_hash": Case(10),
        "proof": Case(9, "store", value=FAR),
    },
    ("anchor", "proof"): {
        "id": Case(10, row="{altered}"),
        **_all("block_number block_hash block_timestamp_s", Case(10)),
        "header": Case(10, column="block_hash"),
        **_all("base depth added removed", Case(9)),
    },
    ("anchor", "node"): {"hash": Case(9, column="rlp", row="{altered}"), "rlp": Case(9)},
    ("anchor", "journal"): {
        "seq": Case(9, row="{altered}"),
        **_all("kind tx_hash", Case(9)),
        "raw_tx": Case(9, column="tx_hash"),
        "block_number": Case(10, column="block_hash"),
        "block_hash": Case(10),
    },
}

CREDENTIAL = "a credential, not evidence: whoever writes the database could as well make a new one; it proves nothing in the log"
NOT_EVIDENCE: dict[tuple[str, str], dict[str, str]] = {
    ("log", "checkpoint"): {"signed_ms": "when, by our own clock; nothing is derived from it, anchoring gives the time"},
    ("anchor", "journal"): {"block_timestamp_s": "read by nobody: the anchor's own time is proven from metaAt"},
    ("portal", "user"): dict.fromkeys("username password_hash must_change".split(), CREDENTIAL),
    ("portal", "attempt"): dict.fromkeys(
        "client failed until_ms".split(), "how long a guesser still waits: forgotten within the hour, and read by nothing but the sign-in"
    ),
    ("portal", "session"): dict.fromkeys(
        "session_hash username created_ms seen_ms expires_ms revoked".split(), CREDENTIAL
    ),
    ("portal", "token"): dict.fromkeys(
        "token_hash token_id role holder created_ms expires_ms revoked_ms".split(), CREDENTIAL
    ),
}

# The name that a finding gives to a row, from its columns.
NAMES = {
    "log.meta": "{key}",
    "log.entry": "index {index}",
    "log.tile": "level {level} n {n}",
    "log.checkpoint": "size {size}",
    "log.book": "{holder}/{site}/{book}",
    "log.grant": "{g}",
    "log.disclosure": "{digest}",
    "log.lookup": "{digest}",
    "log.erased": "{digest}",
    "log.facts": "index {index}",
    "log.refused": "{record_id}",
    "engine.alert": "{seq}",
    "engine.party": "{seq}/{holder}",
    "engine.outbox": "{n}",
    "engine.line": "{index}/{line}",
    "engine.stock": "{holder}/{site}/{book}/{key}",
    "engine.stream": "{holder}/{site}/{book}/{key}",
    "engine.timer": "{id}",
    "engine.life": "{alert_id}",
    "engine.step": "{alert_id}/{n}",
    "engine.order": "{record_id}",
    "engine.health": "{rule}",
    "engine.state": "{id}",
    "engine.snapshot": "cursor {cursor}",
    "engine.extra": "{key}",
    "portal.access": "n {n}",
    "anchor.anchor": "size {size}",
    "anchor.proof": "id {id}",
    "anchor.node": "{hash}",
    "anchor.journal": "seq {seq}",
}

# Every kind of file in the state directory: who notices when it is altered, or why that proves nothing.
FILES = {
    "*.db": "audit",
    "*.db-wal": "part of the database: its columns are the cases above; SQLite drops what fails its checksums, and a lost end is a rollback, which the guard notices",
    "*.db-shm": "SQLite's index of the WAL, made again when missing",
    "trust.json": "audit",
    "guard/signed-head": "audit",
    "guard/signed-head.lock": "empty; only its lock counts",
    "hazledger.toml": "start",
    "keys/*.key": "start",
    "keys/*.account": "start",
    "secrets/passphrase": "start",
    "secrets/web": "signs the browsers' cookies: altered, everybody signs in again",
    "enrolments/*.json": "enrolment",
    "chain/dumps/*": "Anvil's state: a torn or altered one is passed over, the journal makes it again, and every root and grant is compared with the log",
    "chain/anvil.log": "what Anvil said",
    "chain/*.lock": "empty; only its lock counts",
    "chain/home/*": "Anvil's own scratch",
    "locks/*.lock": "empty; only its lock counts",
    "guard/clock-jump.json": "there while ticks pause; taken away, deadlines run by the clock as it is, which is what confirming does",
    "run/*": "socket and status of what runs now, made again at each start",
    "processes.log": "what the processes said",
}


def altered(value: Any, declared: str) -> Any:
    """Another value of the same kind: one more, one bit, one letter."""
    if isinstance(value, bytes):
        return value[:-1] + bytes([value[-1] ^ 1]) if value else bytes(32)
    if isinstance(value, str):
        return value + "x"
    if isinstance(value, bool):
        return not value
    if isinstance(value, int):
        return 1 - value if declared == "BOOLEAN" else value + 1
    return b"\x01" * 32 if declared in ("BLOB", "BYTEA") else 7
