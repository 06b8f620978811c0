"""What an audit says: findings, each with the row, the record and the check; and how much was looked at."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from ledger.core.verification.leaves import AuditFinding

MAX_FINDINGS = 10_000
"""Kept; beyond this they are only counted, so that a store in ruins does not fill the memory."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is not as its evidence says.

    `place` is store and table, or the file; `row` names the row in it; `check` is the number in formats.md section 9 and
    None for a table that is derived by this program's own rules.
    """

    place: str
    row: str
    column: str
    code: str
    detail: str
    check: int | None = None
    index: int | None = None
    record_id: str = ""

    def line(self) -> str:
        """One line for a person."""
        check = "derived" if self.check is None else f"check {self.check}"
        record = f", record {self.record_id}" if self.record_id else ""
        where = " ".join(part for part in (self.place, self.row) if part)
        column = f" {self.column}:" if self.column else ""
        return f"{check} [{self.code}] {where}{record}:{column} {self.detail}"

    def to_json(self) -> dict[str, Any]:
        """The same for a machine."""
        return {
            "place": self.place,
            "row": self.row,
            "column": self.column or None,
            "check": self.check,
            "code": self.code,
            "index": self.index,
            "recordId": self.record_id or None,
            "detail": self.detail,
        }


@dataclass(slots=True)
class Report:
    """Filled in by the parts of the audit. `seen` counts rows by "store.table"."""

    findings: list[Finding] = field(default_factory=list)
    dropped: int = 0
    notes: list[str] = field(default_factory=list)
    seen: dict[str, int] = field(default_factory=dict)
    skipped: list[str] = field(default_factory=list)
    """What could not be looked at, and why."""
    unreachable: str = ""

    @property
    def total(self) -> int:
        """All findings, also those that were only counted."""
        return len(self.findings) + self.dropped

    def add(self, finding: Finding) -> None:
        """Keep or count one."""
        if len(self.findings) < MAX_FINDINGS:
            self.findings.append(finding)
        else:
            self.dropped += 1

    def take(self, found: AuditFinding, place: str = "log.entry") -> None:
        """One of the verifier's own findings about the log."""
        row = "" if found.index is None else f"index {found.index}"
        self.add(Finding(place, row, "", found.code, found.detail, found.check, found.index, found.record_id))

    def saw(self, table: str, count: int = 1) -> None:
        """Count rows that were looked at."""
        self.seen[table] = self.seen.get(table, 0) + count


@dataclass(frozen=True, slots=True)
class Row:
    """A row under comparison: whose columns, under which name, which record it is about."""

    report: Report
    place: str
    name: str
    check: int | None = None
    index: int | None = None
    record_id: str = ""

    def differs(self, column: str, detail: str, *, code: str = "column-differs", check: int | None = None) -> None:
        """A finding about one column."""
        number = self.check if check is None else check
        self.report.add(Finding(self.place, self.name, column, code, detail, number, self.index, self.record_id))

    def compare(self, column: str, stored: Any, derived: Any, *, check: int | None = None) -> None:
        """A finding unless both are the same."""
        if stored != derived:
            detail = f"holds {shown(stored)}, its evidence gives {shown(derived)}"
            self.differs(column, detail, check=check)


def shown(value: Any) -> str:
    """A value short enough for a line; never the text of a disclosure (callers do not pass it)."""
    text = value.hex() if isinstance(value, bytes) else str(value)
    return text if len(text) <= 80 else f"{text[:60]}… ({len(text)} characters)"
