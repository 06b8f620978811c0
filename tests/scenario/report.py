"""Folds the scenario and compares what came with what was planted.

`python -m tests.scenario.report [--days N] [--seed N] [--rules DIR] [--clean] [--labels FILE] [--alerts FILE]`

Exit code 1 when a planted case of a rule that exists was not found, or the budget is broken; 0 otherwise.
"""

from __future__ import annotations

import argparse
import json
import resource
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

from ledger.catalogue import Catalogue
from ledger.engine.alerts import Effects, Identity, Raised
from ledger.engine.fold import Fold
from ledger.engine.rules import RuleSet
from ledger.engine.state import FoldState
from ledger.evaluate import shipped_rules
from tests.scenario import clock
from tests.scenario.labels import NEAR_MISS, PLANTED, Label, fits
from tests.scenario.stream import PLATFORM, Inputs
from tests.scenario.supervisor import HANDLED, Supervisor
from tests.scenario.world import SEED, World

BUDGET_A_WORKDAY = 5.0
BATCH = 500
PROGRESS_S = 20.0


@dataclass(slots=True)
class Seen:
    """One alert as the report keeps it."""

    rule: str
    severity: str
    band: int
    holder: str
    site: str
    book: str
    record: str
    fingerprint: tuple[str, ...]
    opened_ms: int
    begins: bool
    """The first of its episode; a worse band of one is not another warning."""
    reason: str
    suppressed: bool = False
    by: str = ""
    """Id of the label that explains it."""

    def place(self) -> dict:
        return {
            "holder": self.holder,
            "site": self.site,
            "book": self.book,
            "record": self.record,
            "fingerprint": self.fingerprint,
            "rule": self.rule,
        }


@dataclass
class Outcome:
    """Everything a run tells."""

    rules: tuple[str, ...]
    labels: list[Label]
    days: int
    entries: int = 0
    ticks: int = 0
    cpu_s: float = 0.0
    rss_mb: int = 0
    seen: list[Seen] = field(default_factory=list)
    shadow: dict[str, int] = field(default_factory=dict)
    """Rules in shadow raise nothing; how often they would have."""
    budgets: dict[str, int] = field(default_factory=dict)
    """Alerts a day that a rule allows itself, where it does."""
    errors: list[str] = field(default_factory=list)
    found: dict[str, Seen] = field(default_factory=dict)
    """Planted label -> the alert that found it."""
    fired: dict[str, Seen] = field(default_factory=dict)
    """Near miss -> the alert that should not have come."""

    @property
    def running(self) -> list[Label]:
        """Labels of rules that exist and are live."""
        return [label for label in self.labels if label.rule in self.rules and label.rule not in self.shadow]

    @property
    def missed(self) -> list[Label]:
        return [label for label in self.running if label.kind == PLANTED and label.id not in self.found]

    @property
    def false(self) -> list[Seen]:
        """What no label explains, and asks for somebody."""
        return [s for s in self.seen if not s.by and not s.suppressed and s.severity in HANDLED]

    @property
    def a_workday(self) -> float:
        return sum(s.begins for s in self.false) / max(1, clock.workdays(self.days))

    @property
    def over_budget(self) -> list[str]:
        """Rules that ask for somebody on clean data more often, on average, than their own budget allows."""
        times = Counter(one.rule for one in self.false if one.begins)
        return [rule for rule, most in self.budgets.items() if times[rule] > most * self.days]

    @property
    def good(self) -> bool:
        bad = self.missed or self.fired or self.errors or self.over_budget
        return not bad and self.a_workday <= BUDGET_A_WORKDAY


def run(
    world: World,
    days: int,
    rules: RuleSet | None = None,
    *,
    say: Callable[[str], None] | None = None,
    each_month: Callable[[int, FoldState], None] = lambda _month, _state: None,
) -> Outcome:
    """Fold `days` days of a world that was not walked before. `each_month` sees the state when a month (1 to 12) has ended."""
    rules = rules or shipped_rules()
    identity = Identity("county.test/haz", PLATFORM, "0" * 64, rules.digest)
    fold = Fold(FoldState(), rules, Catalogue.load(), identity)
    inputs, to, seen = Inputs(), Effects(), list[Seen]()
    supervisor = Supervisor(world)
    started, told, month = time.process_time(), time.monotonic(), 1
    for draft in supervisor.among(world.drafts(days)):
        for tick in inputs.ticks(draft.received_ms, fold.next_due):
            fold.step(tick, to)
            supervisor.see(to.raised)
            _take(to, seen)
            to = Effects()
        if (
            draft.received_ms >= clock.START_MS
            and (now := clock.day_date(clock.day_of(draft.received_ms)).month) != month
        ):
            each_month(month, fold.state)
            month = now
        entry = inputs.numbered(draft)
        fold.step(fold.with_before(entry, inputs.find), to)
        if to.raised:
            supervisor.see(to.raised)
        if to.raised or inputs.index % BATCH == 0:
            _take(to, seen)
            to = Effects()
            if say is not None and time.monotonic() - told > PROGRESS_S:
                told = time.monotonic()
                day = clock.day_of(draft.received_ms)
                say(f"day {day} of {days}: {inputs.index:,} entries, {len(seen):,} alerts, {_rss_mb()} MB")
    for tick in inputs.ticks(clock.day_start(days), fold.next_due):
        fold.step(tick, to)
    each_month(month, fold.state)
    shadow = {rule.id: fold.state.health[rule.id].alerts for rule in rules.rules if rule.status == "shadow"}
    _take(to, seen)
    outcome = Outcome(
        rules=tuple(rule.id for rule in rules.rules),
        labels=world.labels.until(clock.day_start(days)),
        days=days,
        entries=inputs.index,
        ticks=inputs.tick_count,
        cpu_s=time.process_time() - started,
        rss_mb=_rss_mb(),
        seen=[one for one in seen if one.rule != "RULE-ERROR"],
        shadow=shadow,
        budgets={rule.id: rule.max_per_day for rule in rules.rules if rule.max_per_day is not None},
        errors=[one.reason for one in seen if one.rule == "RULE-ERROR"],
    )
    judge(outcome, world.labels.listed)
    return outcome


def _rss_mb() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024


def _take(to: Effects, seen: list[Seen]) -> None:
    for raised in to.raised:
        seen.append(_seen(raised))


def _seen(raised: Raised) -> Seen:
    alert = raised.alert
    return Seen(
        rule=alert.rule,
        severity=alert.severity,
        band=alert.band,
        holder=alert.holder,
        site=alert.site,
        book=alert.extra.get("book", ""),
        record=alert.extra.get("record", ""),
        fingerprint=alert.fingerprint,
        opened_ms=alert.opened_ms,
        begins="first_alert" not in alert.extra,
        reason=alert.reason["en"],
        suppressed=bool(alert.extra.get("inhibited") or alert.extra.get("suppressed")),
    )


def judge(outcome: Outcome, labels: list[Label]) -> None:
    """Each alert gets the label that explains it, if any. A label of the rule itself comes before another's `also`."""
    own: dict[str, list[Label]] = defaultdict(list)
    beside: dict[str, list[Label]] = defaultdict(list)
    for label in labels:
        own[label.rule].append(label)
        for rule in label.also:
            beside[rule].append(label)
    for one in outcome.seen:
        place = one.place()
        for label in own[one.rule]:
            if not label.from_ms <= one.opened_ms <= label.until_ms or not fits(label, place):
                continue
            if label.kind == NEAR_MISS:
                if one.severity == "info":
                    continue  # a reminder of what is still in time
                outcome.fired.setdefault(label.id, one)
                continue
            one.by = label.id
            if (not label.severity or label.severity == one.severity) and label.band in (-1, one.band):
                outcome.found.setdefault(label.id, one)
                break
        if one.by:
            continue
        for label in beside[one.rule]:
            holders = label.holders or (label.where.get("holder", ""),)
            if one.holder in holders and label.begins_ms <= one.opened_ms <= label.until_ms + clock.DAY:
                one.by = label.id
                break


# --- what is printed -------------------------------------------------------------------------------------------------


def lines(outcome: Outcome) -> list[str]:
    """The report, for people."""
    workdays = max(1, clock.workdays(outcome.days))
    by_rule: dict[str, Counter] = defaultdict(Counter)
    waits: dict[str, list[float]] = defaultdict(list)
    for label in outcome.running:
        by_rule[label.rule][label.kind] += 1
        if label.id in outcome.found:
            by_rule[label.rule]["found"] += 1
            waits[label.rule].append((outcome.found[label.id].opened_ms - label.from_ms) / clock.MINUTE)
        if label.id in outcome.fired:
            by_rule[label.rule]["fired"] += 1
    for one in outcome.seen:
        if not one.by and one.begins:
            by_rule[one.rule]["false" if one.severity in HANDLED and not one.suppressed else "digest"] += 1
    told = [
        "rule  planted found missed | near misses fired | false  a workday  digest | event to warning, median / max"
    ]
    for rule in outcome.rules:
        c = by_rule[rule]
        wait = f"{_span(median(waits[rule]))} / {_span(max(waits[rule]))}" if waits[rule] else "-"
        told.append(
            f"{rule:<6}{c[PLANTED]:>7} {c['found']:>5} {c[PLANTED] - c['found']:>6} | {c[NEAR_MISS]:>11} {c['fired']:>5} "
            f"| {c['false']:>5} {c['false'] / workdays:>10.2f} {c['digest']:>7} | {wait}"
        )
    for rule, times in outcome.shadow.items():
        kinds = Counter(label.kind for label in outcome.labels if label.rule == rule)
        told.append(f"{rule} is in shadow: would have fired {times} times for {kinds[PLANTED]} planted cases")
    absent = sorted({label.rule for label in outcome.labels} - set(outcome.rules))
    if absent:
        told.append(f"rule not there yet: {' '.join(absent)}")
    told += [f"missed: {label.id} ({label.why})" for label in outcome.missed]
    told += [f"near miss fired: {name}: {one.rule} {one.reason}" for name, one in outcome.fired.items()]
    told += [f"rule error: {error}" for error in sorted(set(outcome.errors))[:20]]
    told += [f"over its own budget: {rule}" for rule in outcome.over_budget]
    handled = sum(one.begins for one in outcome.false)
    told.append(
        f"to handle on clean data: {handled} in {workdays} working days, {outcome.a_workday:.2f} a day "
        f"(budget {BUDGET_A_WORKDAY:g})"
    )
    rate = outcome.entries / outcome.cpu_s if outcome.cpu_s else 0
    told.append(
        f"{outcome.entries:,} entries ({outcome.ticks:,} ticks) in {outcome.cpu_s:.0f} CPU s: {rate:,.0f}/s, made and "
        f"folded; at most {outcome.rss_mb} MB"
    )
    return told


def _span(minutes: float) -> str:
    if minutes < 120:
        return f"{minutes:.1f} min"
    return f"{minutes / 60:.1f} h" if minutes < 2880 else f"{minutes / 1440:.1f} d"


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.scenario.report", description=__doc__)
    parser.add_argument("--days", type=int, default=clock.DAYS)
    parser.add_argument("--seed", type=int, default=SEED)
    parser.add_argument("--scale", type=int, default=1, help="take every n-th holder only")
    parser.add_argument("--clean", action="store_true", help="plant nothing")
    parser.add_argument("--labels", type=Path, help="write the list of labels, one JSON object a line")
    parser.add_argument("--alerts", type=Path, help="write every alert, one JSON object a line")
    parser.add_argument("--false", type=int, default=20, help="show so many of the false alarms of each rule")
    options = parser.parse_args()
    world = World(options.seed, scale=options.scale, plants=not options.clean)
    outcome = run(world, options.days, say=lambda text: print(text, file=sys.stderr, flush=True))
    print("\n".join(lines(outcome)))
    shown: Counter = Counter()
    for one in outcome.false:
        shown[one.rule] += 1
        if shown[one.rule] <= options.false:
            print(
                f"  false {one.rule} {one.severity} {clock.local_text(one.opened_ms)[:16]} {one.holder} {one.book}: {one.reason}"
            )
    if options.labels:
        options.labels.write_text(world.labels.to_json(), "utf-8")
    if options.alerts:
        rows = (
            one.place()
            | {
                "severity": one.severity,
                "band": one.band,
                "opened_ms": one.opened_ms,
                "label": one.by,
                "reason": one.reason,
            }
            for one in outcome.seen
        )
        options.alerts.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), "utf-8")
    return 0 if outcome.good else 1


if __name__ == "__main__":
    sys.exit(main())
