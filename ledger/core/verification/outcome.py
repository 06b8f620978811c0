"""What `verify log`, `book`, `receipt` and `consistency` print: the same numbered lines, one verdict, one exit code."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from ledger.core.verification.leaves import AuditFinding
from ledger.core.verification.verdict import (
    CHECK_NAMES,
    EXIT_EQUIVOCATION,
    EXIT_FAILED,
    EXIT_OK,
    EXIT_PENDING,
    EXIT_UNREACHABLE,
    EXIT_USAGE,
    FAIL,
    NOT_VERIFIED,
    OK,
    SKIP,
    Check,
)
from ledger.errors import VerificationError

MAX_PRINTED_FINDINGS = 200
"""An altered table gives a finding a row; nobody reads beyond this, and the count says how many there are."""


@dataclass(slots=True)
class Outcome:
    """Lines by number, findings, and the words of the verdict. Filled in by whoever runs the checks."""

    trust_digest: bytes
    subject: str
    """What is verified, for the verdict line."""
    lines: dict[int, Check] = field(default_factory=dict)
    findings: list[AuditFinding] = field(default_factory=list)
    findings_dropped: int = 0
    """Found as well, and only counted."""
    notes: list[str] = field(default_factory=list)
    facts: dict[str, Any] = field(default_factory=dict)
    """For the machine and, as `name value`, for the verdict line."""
    evidence: bytes | None = None
    """Equivocation, proven: the evidence file's bytes."""
    evidence_says: str = ""
    misuse: str = ""
    """What the caller must name otherwise: an endpoint of another chain, a book that no record is of."""
    unreachable: str = ""
    pending: str = ""

    def ok(self, number: int, detail: str) -> None:
        """The line of a check that held, unless it has one."""
        self.lines.setdefault(number, Check(number, OK, detail))

    def skip(self, number: int, detail: str) -> None:
        """The line of a check that was not made, and why."""
        self.lines.setdefault(number, Check(number, SKIP, detail))

    def fail(self, error: VerificationError) -> None:
        """The line of a check that failed; stands over any other."""
        self.lines[error.check] = Check(error.check, FAIL, error.detail, error.code)

    def take(self, findings: Iterable[AuditFinding]) -> None:
        """Findings, each turning its check's line into a failure."""
        self.findings += findings
        for number in {item.check for item in self.findings}:
            mine = [item for item in self.findings if item.check == number]
            more = f" and {len(mine) - 1} more" if len(mine) > 1 else ""
            self.lines[number] = Check(number, FAIL, f"{mine[0].detail}{more}", mine[0].code)

    def close(self, why: str) -> Outcome:
        """Give every check that was not reached its line."""
        for number in CHECK_NAMES:
            self.skip(number, why)
        return self

    @property
    def findings_total(self) -> int:
        """All that were found."""
        return len(self.findings) + self.findings_dropped

    @property
    def failed(self) -> bool:
        """True when a check failed."""
        return any(line.status == FAIL for line in self.lines.values())

    @property
    def exit_code(self) -> int:
        """The first of formats.md section 9 that applies."""
        if self.evidence is not None:
            return EXIT_EQUIVOCATION
        if self.failed:
            return EXIT_FAILED
        if self.misuse:
            return EXIT_USAGE
        if self.unreachable:
            return EXIT_UNREACHABLE
        return EXIT_PENDING if self.pending else EXIT_OK

    @property
    def word(self) -> str:
        """EQUIVOCATION, FAILED, NOT-VERIFIED, UNREACHABLE, PENDING or OK."""
        words = {
            EXIT_EQUIVOCATION: "EQUIVOCATION",
            EXIT_FAILED: "FAILED",
            EXIT_USAGE: NOT_VERIFIED,
            EXIT_UNREACHABLE: "UNREACHABLE",
            EXIT_PENDING: "PENDING",
        }
        return words.get(self.exit_code, "OK")

    @property
    def verdict_line(self) -> str:
        """The one line that a person reads last."""
        why = {
            EXIT_EQUIVOCATION: self.evidence_says,
            EXIT_USAGE: self.misuse,
            EXIT_UNREACHABLE: self.unreachable,
            EXIT_PENDING: self.pending,
        }
        head = f"{self.word}: {self.subject}"
        if self.exit_code in why:
            head += f": {why[self.exit_code]}"
        elif self.failed:
            numbers = ", ".join(str(n) for n, line in sorted(self.lines.items()) if line.status == FAIL)
            count = f", {self.findings_total} findings" if self.findings else ""
            head += f": check {numbers}{count}"
        facts = [f"{name} {value}" for name, value in self.facts.items()]
        return "; ".join([head, *facts, f"trust file {self.trust_digest.hex()}"])

    def text(self) -> list[str]:
        """All that is printed."""
        printed = [line.line() for _, line in sorted(self.lines.items())]
        printed += [f"  {item.line()}" for item in self.findings[:MAX_PRINTED_FINDINGS]]
        if self.findings_total > MAX_PRINTED_FINDINGS:
            printed.append(f"  … and {self.findings_total - MAX_PRINTED_FINDINGS} more findings")
        printed += [f"[note]    {note}" for note in self.notes]
        return [*printed, self.verdict_line]

    def to_json(self) -> dict[str, Any]:
        """The same for a machine (`--json`)."""
        return {
            "verdict": self.word,
            "exitCode": self.exit_code,
            "subject": self.subject,
            "checks": [
                {"check": n, "name": line.name, "status": line.status, "detail": line.detail, "code": line.code or None}
                for n, line in sorted(self.lines.items())
            ],
            "findings": [
                {
                    "index": item.index,
                    "recordId": item.record_id or None,
                    "check": item.check,
                    "code": item.code,
                    "detail": item.detail,
                }
                for item in self.findings[:MAX_PRINTED_FINDINGS]
            ],
            "findingsTotal": self.findings_total,
            "notes": self.notes,
            "facts": self.facts,
            "trustFile": self.trust_digest.hex(),
        }
