"""What keeps findings down: other findings (`inhibited_by`), and exceptions that stand in configuration.

`inhibited_by` is described in `ledger.engine.inhibition`. Exceptions say which findings of a rule are known and agreed, why,
by whom, until when. They stand in a rule file, or for any rule in the file EXCEPTIONS (`schema: exceptions/1`), where each
also names its `rule`:

    exceptions:
      - {match: {holder: 91…, code: 7697-37-2}, reason: "…", author: "…", from: 2026-03-01, until: 2026-08-27}

`match` compares text fields of the rule's fingerprint for equality, all that it names, one of WHO among them: what is agreed with
one is not agreed with all, and every other enterprise has a site S1 too. It is never part of a condition. An alert
that it meets is made, recorded, counted and shown as suppressed, until the day `until` begins (UTC); then it appears.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any

from ledger.engine.days import DAY_MS
from ledger.engine.limits import read_rule_id
from ledger.engine.yamlfile import Located

EXCEPTIONS = "exceptions.yml"
MAX_DAYS = 180
WHO = ("holder", "buyer", "party", "person", "renter", "path", "alert")
"""Fields that say whose finding it is. A fingerprint without any of them may be matched by any field."""


@dataclass(frozen=True, slots=True)
class Inhibitor:
    """A rule whose alerts keep another's down where both rows have the same texts in the fields `on`."""

    rule: str
    on: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Excepted:
    """One exception, in force from `from_ms` and before `until_ms` (unix ms)."""

    match: tuple[tuple[str, str], ...]
    reason: str
    author: str
    from_ms: int
    until_ms: int

    def meets(self, row: Mapping[str, Any], now_ms: int) -> bool:
        """Whether a finding on this row is agreed at this time."""
        return self.from_ms <= now_ms < self.until_ms and all(row[name] == value for name, value in self.match)


def read_exceptions(located: Located, fingerprint: tuple[str, ...]) -> tuple[Excepted, ...]:
    """`exceptions` of a rule file. Raises RuleError with file and line."""
    return tuple(read_exception(item, fingerprint) for item in located.items())


def read_exception(located: Located, fingerprint: tuple[str, ...], more: str = "") -> Excepted:
    """One exception; `more` names further keys that the caller reads."""
    top = located.mapping(f"match reason author from until {more}")
    match = {name: value.text() for name, value in top["match"].any_mapping().items()}
    if not match or not set(match) <= set(fingerprint):
        raise top["match"].wrong(f"an exception matches fields of the fingerprint: {', '.join(fingerprint)}")
    who = [name for name in WHO if name in fingerprint]
    if who and not set(match) & set(who):
        raise top["match"].wrong(f"an exception says whose finding it is: {' or '.join(who)}")
    from_ms, until_ms = _day_ms(top["from"]), _day_ms(top["until"])
    if not 0 < until_ms - from_ms <= MAX_DAYS * DAY_MS:
        raise top["until"].wrong(f"an exception ends after it begins, and within {MAX_DAYS} days")
    return Excepted(tuple(sorted(match.items())), top["reason"].text(), top["author"].text(), from_ms, until_ms)


def read_inhibitors(located: Located, fingerprint: tuple[str, ...], fields: Mapping[str, str]) -> tuple[Inhibitor, ...]:
    """`[RULE]` (the same fingerprint), or `[{rule: RULE, on: [fields of both rules' rows]}]`."""
    found = []
    for item in located.items():
        if isinstance(item.value, str):
            found.append(Inhibitor(read_rule_id(item), fingerprint))
            continue
        top = item.mapping("rule on")
        on = top["on"].texts()
        if not on or any(fields.get(name) != "str" for name in on):
            raise top["on"].wrong("inhibition compares text fields of the rows")
        found.append(Inhibitor(read_rule_id(top["rule"]), on))
    return tuple(found)


def inhibits_itself(rule_id: str, inhibitors: Mapping[str, tuple[Inhibitor, ...]]) -> bool:
    """Whether a rule inhibits itself, if only through others."""
    seen: set[str] = set()
    waiting = [by.rule for by in inhibitors[rule_id]]
    while waiting:
        name = waiting.pop()
        if name == rule_id:
            return True
        if name not in seen and name in inhibitors:
            seen.add(name)
            waiting += [by.rule for by in inhibitors[name]]
    return False


def _day_ms(located: Located) -> int:
    try:
        day = date.fromisoformat(located.text())
    except ValueError:
        raise located.wrong(f"{located.value!r} is no date") from None
    return int(datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp()) * 1000
