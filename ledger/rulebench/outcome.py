"""What a back-test comes to: its alerts beside the live version's, by day and by outcome, and whether that is good enough."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta, tzinfo

from ledger.engine.days import DAY_MS
from ledger.model import Alert
from ledger.ports import EngineReader
from ledger.rulebench.backtest import BackTest, Found

EXAMPLES = 20
PAGE = 500
CONFIRMED = ("violation_confirmed", "referred")
REJECTED = ("false_positive", "no_violation", "data_error")


@dataclass(slots=True)
class Compared:
    """One alert of either side, with its outcome where somebody closed it."""

    how: str
    """`same`, `new` (only the draft finds it) or `lost` (only the live version did)."""
    index: int
    opened_ms: int
    fingerprint: tuple[str, ...]
    holder: str
    site: str
    severity: str
    record_id: str
    reason: dict[str, str]
    outcome: str = ""


@dataclass(slots=True)
class Summary:
    """What a back-test says. Times unix ms; `days` by local date."""

    rule: str
    version: int
    start: int
    end: int
    entries: int
    alerts: int
    suppressed: int
    errors: int
    sites: int
    days: dict[str, int]
    busiest: tuple[str, int]
    """Without those that are suppressed: what the budget is about."""
    mean_per_day: float
    same: int
    new: int
    lost: int
    confusion: dict[str, int]
    """true_positive, false_positive, false_negative, true_negative, unknown: of alerts whose outcome is known."""
    examples: list[Compared]
    us_per_entry: float
    entries_per_s: float
    budget: int | None
    failures: list[str] = field(default_factory=list)
    """Why this is not good enough: above budget, or an expectation failed."""


@dataclass(frozen=True, slots=True)
class Expectations:
    """What has to come of it."""

    at_least: int | None = None
    at_most: int | None = None
    must_find: tuple[str, ...] = ()
    must_not_find: tuple[str, ...] = ()
    """record_ids, or their beginnings, of entries at which an alert is, or is not, to be raised."""


def summary(
    test: BackTest, engine: EngineReader, expected: Expectations, zone: tzinfo, span_ms: tuple[int, int]
) -> Summary:
    """What the alerts come to, beside those of the live version. `span_ms`: receipt of the first and last entry."""
    ours = [one for one in test.found if one.rule == test.rule.id]
    errors = len(test.found) - len(ours)
    compared = _compare(test, ours, engine)
    days = _days(ours, zone, span_ms)
    # What another rule or an exception keeps down is nobody's to handle: the budget asks for the others, as at a promotion.
    handled = _days([one for one in ours if not one.suppressed], zone, span_ms)
    busiest = max(handled.items(), key=lambda item: (item[1], item[0]), default=("", 0))
    entries = max(test.next_index, 1)
    kinds = Counter(one.how for one in compared)
    done = Summary(
        rule=test.rule.id,
        version=test.rule.version,
        start=test.start,
        end=test.end,
        entries=test.end - test.start,
        alerts=len(ours),
        suppressed=sum(one.suppressed for one in ours),
        errors=errors,
        sites=len({(one.holder, one.site) for one in ours}),
        days=days,
        busiest=busiest,
        mean_per_day=round(len(ours) / max(len(days), 1), 3),
        same=kinds["same"],
        new=kinds["new"],
        lost=kinds["lost"],
        confusion=_confusion(compared),
        examples=sorted(compared, key=lambda one: ({"new": 0, "lost": 1, "same": 2}[one.how], one.index))[:EXAMPLES],
        us_per_entry=round(test.cpu_s / entries * 1e6, 2),
        entries_per_s=round(entries / test.cpu_s) if test.cpu_s else 0,
        budget=test.rule.max_per_day,
    )
    done.failures = _failures(done, ours, expected)
    return done


def _days(ours: list[Found], zone: tzinfo, span_ms: tuple[int, int]) -> dict[str, int]:
    """Alerts by local day, idle days too."""
    counted = Counter(_day(one.opened_ms, zone) for one in ours)
    at, last = (datetime.fromisoformat(_day(ms, zone)) for ms in span_ms)
    days: dict[str, int] = {}
    while at <= last:
        days[at.date().isoformat()] = 0
        at += timedelta(days=1)
    return dict(sorted((days | counted).items()))


def _day(ms: int, zone: tzinfo) -> str:
    return datetime.fromtimestamp(ms / 1000, UTC).astimezone(zone).date().isoformat()


def _compare(test: BackTest, ours: list[Found], engine: EngineReader) -> list[Compared]:
    """Pair the alerts of both sides: of the same fingerprint, at the same entry, or else nearest within the quiet time."""
    near_ms = max(test.rule.apart_ms, DAY_MS)
    theirs: dict[tuple[str, ...], list[Alert]] = {}
    for alert in _live(engine, test):
        theirs.setdefault(alert.fingerprint, []).append(alert)
    outcomes = _outcomes(engine, [alert for alerts in theirs.values() for alert in alerts])
    paired: list[Compared] = []
    left: list[Found] = []
    for one in ours:
        match = next((a for a in theirs.get(one.fingerprint, ()) if a.first_index == one.index), None)
        if match is None:
            left.append(one)
            continue
        theirs[one.fingerprint].remove(match)
        paired.append(_compared("same", one, outcomes.get(match.alert_id, "")))
    for one in left:
        close = [a for a in theirs.get(one.fingerprint, ()) if abs(a.opened_ms - one.opened_ms) <= near_ms]
        match = min(close, key=lambda a: abs(a.opened_ms - one.opened_ms), default=None)
        if match is not None:
            theirs[one.fingerprint].remove(match)
        how = "new" if match is None else "same"
        paired.append(_compared(how, one, "" if match is None else outcomes.get(match.alert_id, "")))
    paired.extend(
        Compared(
            how="lost",
            index=int(alert.first_index),
            opened_ms=int(alert.opened_ms),
            fingerprint=alert.fingerprint,
            holder=alert.holder,
            site=alert.site,
            severity=alert.severity,
            record_id=str(alert.extra.get("record", "")),
            reason=dict(alert.reason),
            outcome=outcomes.get(alert.alert_id, ""),
        )
        for alerts in theirs.values()
        for alert in alerts
    )
    return paired


def _compared(how: str, one: Found, outcome: str) -> Compared:
    return Compared(
        how=how,
        index=one.index,
        opened_ms=one.opened_ms,
        fingerprint=one.fingerprint,
        holder=one.holder,
        site=one.site,
        severity=one.severity,
        record_id=one.record_id,
        reason=one.reason,
        outcome=outcome,
    )


def _live(engine: EngineReader, test: BackTest) -> Iterable[Alert]:
    after = 0
    while page := engine.alerts(after_seq=after, rule=test.rule.id, limit=PAGE):
        for seq, alert in page:
            after = seq
            if test.start <= alert.first_index < test.end:
                yield alert


def _outcomes(engine: EngineReader, alerts: list[Alert]) -> dict[str, str]:
    found: dict[str, str] = {}
    for at in range(0, len(alerts), PAGE):
        part = alerts[at : at + PAGE]
        found |= {alert_id: life.outcome for alert_id, life in engine.lives(part).items() if life.outcome}
    return found


def _confusion(compared: Iterable[Compared]) -> dict[str, int]:
    matrix: Counter[str] = Counter()
    for one in compared:
        if one.outcome in CONFIRMED:
            matrix["false_negative" if one.how == "lost" else "true_positive"] += 1
        elif one.outcome in REJECTED:
            matrix["true_negative" if one.how == "lost" else "false_positive"] += 1
        else:
            matrix["unknown"] += 1
    names = ("true_positive", "false_positive", "false_negative", "true_negative", "unknown")
    return {name: matrix[name] for name in names}


def _failures(done: Summary, ours: list[Found], expected: Expectations) -> list[str]:
    failures = []
    if done.budget is not None and done.busiest[1] > done.budget:
        failures.append(f"{done.busiest[1]} alerts on {done.busiest[0]}; the budget is {done.budget} a day")
    if done.errors:
        failures.append(f"the rule raised {done.errors} errors")
    if expected.at_least is not None and done.alerts < expected.at_least:
        failures.append(f"{done.alerts} alerts; at least {expected.at_least} were expected")
    if expected.at_most is not None and done.alerts > expected.at_most:
        failures.append(f"{done.alerts} alerts; at most {expected.at_most} were expected")
    records = {one.record_id for one in ours}
    found = {name for name in expected.must_find + expected.must_not_find if any(r.startswith(name) for r in records)}
    failures += [f"no alert at record {name}, as was expected" for name in expected.must_find if name not in found]
    failures += [
        f"an alert at record {name}, where none was expected" for name in expected.must_not_find if name in found
    ]
    return failures
