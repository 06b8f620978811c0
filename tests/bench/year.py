"""The scenario's year: about a million entries of 332 holders, made and folded with every shipped rule; what was found of
what was planted, what a supervisor has to handle on a working day, how long a warning takes, and what it costs."""

from __future__ import annotations

import ctypes
import gc
import resource
import time
from pathlib import Path
from statistics import median

import msgspec

from ledger.cli.processes import settle_memory
from ledger.core.times import format_utc
from ledger.engine.state import FoldState, encode_state
from tests.bench.report import Report
from tests.scenario import clock
from tests.scenario.labels import NEAR_MISS, PLANTED
from tests.scenario.report import BUDGET_A_WORKDAY, lines, run
from tests.scenario.world import World

FULL_AFTER = (2, 6)
"""Most windows are full after two months, all that are not in LONGER's years after six: unmatched ends stay 180 days."""
FLAT = 1.1
"""A tenth more in the last month than when the windows were full is what counts as flat."""
LONGER = {
    "accountancy": "64 to 96 balances of each stream: full after 15 to 22 months of weekly counts",
    "transfers": "ends of a transfer that the other end, known here, never told of: 180 days",
    "filings": "duties and filings: 90 days, unmet ones 360",
    "allowances": "purchases charged to licences: up to 1,200 days",
    "life": "closed alerts: 400 days",
    "inhibition": "as long as the alerts' lives",
    "refusals": "64 record_ids of each book: the scenario's planted cases open 50 new books a month",
    "discipline": "the rhythm of each book",
}
"""Members of the state that go on filling by intent, and until when. What is not here has to be flat."""


class Memory:
    """How large the process and the engine's state are at the end of each month. What is looked at is let go of at once."""

    def __init__(self) -> None:
        self.rows: list[tuple[int, float, float]] = []
        """(month, MB of the process, MB of the state as a snapshot keeps it)."""
        self._parts: list[dict[str, float]] = []
        """MB of each member of the state, by month."""

    def look(self, month: int, state: FoldState) -> None:
        gc.collect()
        size = len(encode_state(state)) / 1e6
        ctypes.CDLL(None).malloc_trim(0)  # what a snapshot took is the allocator's, not the state's
        pages = int(Path("/proc/self/statm").read_text().split()[1])
        self.rows.append((month, pages * resource.getpagesize() / 1e6, size))
        parts = {name: len(msgspec.msgpack.encode(getattr(state, name))) / 1e6 for name in state.__struct_fields__}
        self._parts.append(parts)
        # The five largest, so that what grows has a name.
        largest = ", ".join(f"{name} {mb:.1f}" for name, mb in sorted(parts.items(), key=lambda one: -one[1])[:5])
        print(
            f"    after month {month}: process {self.rows[-1][1]:,.0f} MB, state {size:,.1f} MB: {largest}", flush=True
        )

    def tell(self, report: Report) -> None:
        report.add("process after each month", self.rows[-1][1], "MB", " ".join(f"{mb:,.0f}" for _, mb, _ in self.rows))
        report.add("state after each month", self.rows[-1][2], "MB", " ".join(f"{mb:,.1f}" for _, _, mb in self.rows))
        for month in FULL_AFTER:
            if len(self.rows) <= month:
                break
            early, late = self.rows[month - 1], self.rows[-1]
            report.ratio(f"process, last month / after month {month}", late[1], early[1], FLAT, at_least=False)
            report.ratio(f"state, last month / after month {month}", late[2], early[2], FLAT, at_least=False)
            before, after = self._parts[month - 1], self._parts[-1]
            rest = [sum(mb for name, mb in parts.items() if name not in LONGER) for parts in (after, before)]
            report.ratio("  of it, what no longer window keeps", *rest, FLAT, at_least=False)
            for name, why in LONGER.items():
                report.add(f"  {name}, last month - after month {month}", after[name] - before[name], "MB", why)


def year(report: Report, days: int = clock.DAYS) -> None:
    """Add the year's rows; CPU seconds, so that other work on the machine does not count."""
    started = time.process_time()
    made = sum(1 for _ in World().drafts(min(days, 30)))
    alone_s = time.process_time() - started
    memory = Memory()
    # As every process that folds does: by its own habits Python's collector walks the state again and again, which took a
    # quarter of the time, and more of it the larger the state is.
    settle_memory()
    outcome = run(
        World(),
        days,
        say=lambda text: print(f"    {format_utc(time.time_ns() // 1_000_000)} {text}", flush=True),
        each_month=memory.look,
    )
    print("\n".join(f"    {line}" for line in lines(outcome)), flush=True)
    planted = [label for label in outcome.running if label.kind == PLANTED]
    near = [label for label in outcome.running if label.kind == NEAR_MISS]
    report.add("entries of the year", outcome.entries, "entries", f"{outcome.ticks:,} of them ticks")
    report.add("made and folded, one core", outcome.entries / outcome.cpu_s, "entries/CPU s")
    made_per_s = made / alone_s
    report.add("made only", made_per_s, "entries/CPU s")
    folded = 1 / (outcome.cpu_s / outcome.entries - 1 / made_per_s)
    report.add("folded only, in memory", folded, "entries/CPU s", "the difference of the two above")
    memory.tell(report)
    report.add("most memory", outcome.rss_mb, "MB", "the generator's people and goods included")
    report.ratio("planted cases found", len(planted) - len(outcome.missed), len(planted), 1.0)
    report.add("near misses that fired", len(outcome.fired), f"of {len(near)}", "target 0")
    report.add(
        "to handle a working day on clean data", outcome.a_workday, "warnings", f"target <= {BUDGET_A_WORKDAY:g}"
    )
    waits = [
        (one.opened_ms - label.from_ms) / clock.MINUTE
        for label in planted
        if (one := outcome.found.get(label.id)) is not None
    ]
    if waits:
        report.add(
            "act to warning, median over the planted cases", median(waits), "min", "waits that the law grants included"
        )
