"""The scenario's year: about a million entries of 332 holders, made and folded with every shipped rule; what was found of
what was planted, what a supervisor has to handle on a working day, how long a warning takes, and what it costs."""

from __future__ import annotations

import time
from statistics import median

from ledger.core.times import format_utc
from tests.bench.report import Report
from tests.scenario import clock
from tests.scenario.labels import NEAR_MISS, PLANTED
from tests.scenario.report import BUDGET_A_WORKDAY, lines, run
from tests.scenario.world import World


def year(report: Report, days: int = clock.DAYS) -> None:
    """Add the year's rows; CPU seconds, so that other work on the machine does not count."""
    started = time.process_time()
    made = sum(1 for _ in World().drafts(min(days, 30)))
    alone_s = time.process_time() - started
    outcome = run(World(), days, say=lambda text: print(f"    {format_utc(time.time_ns() // 1_000_000)} {text}", flush=True))
    print("\n".join(f"    {line}" for line in lines(outcome)), flush=True)
    planted = [label for label in outcome.running if label.kind == PLANTED]
    near = [label for label in outcome.running if label.kind == NEAR_MISS]
    report.add("entries of the year", outcome.entries, "entries", f"{outcome.ticks:,} of them ticks")
    report.add("made and folded, one core", outcome.entries / outcome.cpu_s, "entries/CPU s", "target >= 5,000")
    report.add("made only", made / alone_s, "entries/CPU s")
    report.add("most memory", outcome.rss_mb, "MB")
    report.ratio("planted cases found", len(planted) - len(outcome.missed), len(planted), 1.0)
    report.add("near misses that fired", len(outcome.fired), f"of {len(near)}", "target 0")
    report.add("to handle a working day on clean data", outcome.a_workday, "warnings", f"target <= {BUDGET_A_WORKDAY:g}")
    waits = [
        (one.opened_ms - label.from_ms) / clock.MINUTE
        for label in planted
        if (one := outcome.found.get(label.id)) is not None
    ]
    if waits:
        report.add("act to warning, median over the planted cases", median(waits), "min", "waits that the law grants included")
