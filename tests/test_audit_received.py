"""How an audit prints a `received` that was changed: as the number it is, and as a time."""

from ledger.audit.log import LogTables
from ledger.audit.report import Report, Row


def said(stored, signed=b"1795392000123"):
    report = Report()
    LogTables._received(Row(report, "log.entry", "index 0", 6), {"received": stored, "entry": b"origin\nrecord\n" + signed + b"\n"})
    return [finding.detail for finding in report.findings]


def test_received__changed__is_a_number_and_a_time():
    assert said(1795392000123) == []
    assert said(1795392000124) == [
        "holds 1795392000124 (2026-11-23T00:00:00.124Z), its evidence gives 1795392000123 (2026-11-23T00:00:00.123Z)"
    ]


def test_received__beyond_any_clock_or_not_a_number__is_printed_all_the_same():
    assert said(2**63 - 1) == [f"holds {2**63 - 1}, its evidence gives 1795392000123 (2026-11-23T00:00:00.123Z)"]
    assert said(7, b"\xff\x00") == ["holds 7 (1970-01-01T00:00:00.007Z), its evidence gives ff00"]
