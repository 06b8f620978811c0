"""What a verification says: one line a check, one verdict, one exit code (formats.md section 9).

Portal and command line use this same rule, so that a level means one thing.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import IntEnum
from typing import Any

from ledger.core.trust import QBFT

CHECK_NAMES: Mapping[int, str] = {
    1: "bundle format",
    2: "trust file applies",
    3: "payload well-formed",
    4: "every signer",
    5: "signatures",
    6: "entry rebuilt",
    7: "inclusion",
    8: "checkpoint signed",
    9: "root in the contract's storage",
    10: "header authentic",
    11: "disclosures match",
    12: "receipt agrees",
    13: "seen is consistent",
}

OK = "ok"
FAIL = "FAIL"
SKIP = "skip"

EXIT_OK = 0
EXIT_FAILED = 1
EXIT_USAGE = 2
EXIT_PENDING = 3
EXIT_UNREACHABLE = 4
EXIT_EQUIVOCATION = 5

NOT_VERIFIED = "NOT-VERIFIED"
"""The verdict's word where the caller must name something else before anything can be said (exit 2)."""

# What check 1 or 2 says of a file that is well-formed but of a version, or of a reserved part, that is not read here.
# Nothing in such a file was found wrong, so the exit code is 2 and not 1.
UNKNOWN_FORMAT_CODES = frozenset({"unknown-format", "jws-not-supported", "timestamps-not-supported"})

_RECEIVED_CHECKS = frozenset({1, 2, 3, 5, 6, 7, 8})
_LOGGED_CHECKS = _RECEIVED_CHECKS | {4, 10, 11}


class Level(IntEnum):
    """How far a record is proven; each level contains the one before."""

    NOTHING = 0
    RECEIVED = 1
    LOGGED = 2
    ANCHORED_DEV = 3
    ANCHORED = 4

    @property
    def label(self) -> str:
        """The word of formats.md: ANCHORED-DEV with a hyphen."""
        return self.name.replace("_", "-")

    @classmethod
    def parse(cls, label: str) -> Level:
        """The level of this name; ValueError for another word."""
        for level in cls:
            if level and level.label == label:
                return level
        raise ValueError(f"{label!r} is no level; RECEIVED, LOGGED, ANCHORED-DEV or ANCHORED")


@dataclass(frozen=True, slots=True)
class Check:
    """One line. `status` is ok, FAIL or skip; `code` the machine word of a failure."""

    number: int
    status: str
    detail: str
    code: str = ""

    @property
    def name(self) -> str:
        """The check's name in formats.md section 9."""
        return CHECK_NAMES[self.number]

    def line(self) -> str:
        """`[ok]    7 inclusion: …`, aligned for reading at 3 a.m."""
        return f"{'[' + self.status + ']':<6} {self.number:>2} {self.name}: {self.detail}"


@dataclass(frozen=True, slots=True)
class KeysAsOf:
    """The block whose state answered check 4."""

    block: int
    timestamp_s: int


def level_of(passed: Iterable[int], chain_kind: str | None) -> Level:
    """The level that a set of passed checks reaches when none failed (formats.md section 9)."""
    done = frozenset(passed)
    if not done >= _RECEIVED_CHECKS:
        return Level.NOTHING
    if not done >= _LOGGED_CHECKS:
        return Level.RECEIVED
    if 9 not in done:
        return Level.LOGGED
    return Level.ANCHORED if chain_kind == QBFT else Level.ANCHORED_DEV


@dataclass(frozen=True, slots=True)
class Verdict:
    """The answer about one bundle. `level` is what was reached; NOTHING when a check failed."""

    checks: tuple[Check, ...]
    level: Level
    required: Level
    trust_digest: bytes
    lift: Check | None = None
    """When pending: the check that would lift the level, with what to do in its detail."""
    keys_as_of: KeysAsOf | None = None
    existed_by_s: int | None = None
    digests_not_shown: int = 0
    digests: int = 0
    chain_kind: str | None = None
    record_id: str = ""
    index: int | None = None
    unreachable: str = ""
    """Why a source that the caller named did not answer; empty when all did."""
    wrong_endpoint: str = ""
    """Why the endpoint that the caller named is of no use here: it is of another chain. Says nothing about the record."""
    warnings: tuple[str, ...] = field(default=())
    """Findings that are not failures, such as a record that was anchored later than its receipt promised."""

    @property
    def failed(self) -> tuple[Check, ...]:
        """The checks that failed."""
        return tuple(check for check in self.checks if check.status == FAIL)

    @property
    def outcome(self) -> str:
        """FAILED, NOT-VERIFIED (the endpoint is of another chain), PENDING, or the level's own word."""
        if self.failed:
            return "FAILED"
        if self.wrong_endpoint:
            return NOT_VERIFIED
        return "PENDING" if self.pending else self.level.label

    @property
    def pending(self) -> bool:
        """True when nothing failed and the required level is not reached."""
        return not self.failed and (self.level < self.required or self.lift is not None)

    @property
    def exit_code(self) -> int:
        """The first of formats.md section 9 that applies."""
        failed = self.failed
        if failed:
            unknown = all(check.code in UNKNOWN_FORMAT_CODES for check in failed)
            return EXIT_USAGE if unknown else EXIT_FAILED
        if self.wrong_endpoint:
            return EXIT_USAGE
        if self.unreachable:
            return EXIT_UNREACHABLE
        return EXIT_PENDING if self.pending else EXIT_OK

    @property
    def verdict_line(self) -> str:
        """The one line that a person reads last."""
        parts = [self._headline()]
        if self.unreachable:
            parts.append(f"the endpoint did not answer: {self.unreachable}")
        if self.keys_as_of is not None:
            parts.append(f"keys as of block {self.keys_as_of.block}, {utc(self.keys_as_of.timestamp_s)}")
        if self.existed_by_s is not None:
            parts.append(f"existed by {utc(self.existed_by_s)}")
        if self.chain_kind not in (QBFT, None):
            parts.append("development chain: no proof of time")
        if self.digests:
            parts.append(f"{self.digests_not_shown} of {self.digests} digests not shown")
        parts.append(f"trust file {self.trust_digest.hex()}")
        return "; ".join(parts)

    def lines(self) -> list[str]:
        """All that is printed: the checks, the findings, the verdict."""
        notes = [f"[note]    {warning}" for warning in self.warnings]
        return [check.line() for check in self.checks] + notes + [self.verdict_line]

    def to_json(self) -> dict[str, Any]:
        """The same for a machine (`--json`)."""
        return {
            "verdict": self.outcome,
            "level": self.level.label if self.level else None,
            "required": self.required.label,
            "exitCode": self.exit_code,
            "recordId": self.record_id or None,
            "index": self.index,
            "checks": [
                {"check": c.number, "name": c.name, "status": c.status, "detail": c.detail, "code": c.code or None}
                for c in self.checks
            ],
            "liftedBy": None if self.lift is None else {"check": self.lift.number, "detail": self.lift.detail},
            "keysAsOf": None
            if self.keys_as_of is None
            else {"block": self.keys_as_of.block, "time": utc(self.keys_as_of.timestamp_s)},
            "existedBy": None if self.existed_by_s is None else utc(self.existed_by_s),
            "chainKind": self.chain_kind,
            "digests": {"notShown": self.digests_not_shown, "of": self.digests},
            "findings": list(self.warnings),
            "unreachable": self.unreachable or None,
            "wrongEndpoint": self.wrong_endpoint or None,
            "trustFile": self.trust_digest.hex(),
        }

    def _headline(self) -> str:
        if self.failed:
            numbers = ", ".join(str(check.number) for check in self.failed)
            return f"FAILED: check {numbers}. Do not rely on this record"
        if self.wrong_endpoint:
            return f"{NOT_VERIFIED}: {self.wrong_endpoint}. No check failed: this says nothing against the record, nor for it"
        if self.pending:
            reached = f"proven so far: {self.level.label}" if self.level else "nothing proven yet"
            lift = "" if self.lift is None else f"; check {self.lift.number} would lift it: {self.lift.detail}"
            return f"PENDING: {self.required.label} required, {reached}{lift}"
        return self.level.label


def utc(seconds: int) -> str:
    """`2026-11-21 10:40:02 UTC`; the bare number when a header claims a time beyond year 9999."""
    try:
        return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
    except (OverflowError, ValueError, OSError):
        return f"{seconds} s after 1970"
