"""Numbers that rules use, each with the date from which it holds: legal ones by name, the rule's own as written."""

from __future__ import annotations

import csv
from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime

from ledger.engine.days import ZONE_MS
from ledger.engine.limits import is_name
from ledger.engine.yamlfile import Located
from ledger.errors import RuleError
from ledger.model import UnixMs

LegalParams = Mapping[str, Sequence[tuple[str, str]]]
"""param_id -> (value as written, effective_from as YYYY-MM-DD) of each of its rows: a number that changed has several."""
_FACTORS = {"integer": 1, "hours": 3_600_000, "days": 86_400_000, "kilograms": 1_000_000}
"""To the units of rows: milliseconds, milligrams."""


@dataclass(frozen=True, slots=True)
class Parameter:
    """Versions as (first day as unix ms of its midnight in UTC, value), ascending; the first serves for what was before, too.

    The days are the county's: a version holds from its day's local midnight on.
    """

    versions: tuple[tuple[int, int], ...]

    def at(self, at: UnixMs) -> int:
        """The value in force at `at`."""
        return self.version_at(at)[1]

    def version_at(self, at: UnixMs) -> tuple[int, int]:
        """The version in force at `at`."""
        found = bisect_right([day for day, _ in self.versions], int(at) + ZONE_MS)
        return self.versions[max(found - 1, 0)]


def read_legal_params(text: str) -> dict[str, list[tuple[str, str]]]:
    """The table of legal_params.csv: param_id, value, ..., effective_from."""
    found: dict[str, list[tuple[str, str]]] = {}
    for row in csv.DictReader(text.splitlines()):
        found.setdefault(row["param_id"], []).append((row["value"], row["effective_from"]))
    return found


def read_parameters(located: Located | None, fields: Mapping[str, str], legal: LegalParams) -> dict[str, Parameter]:
    """`parameters` of a rule file: name -> {value, from, basis} or {legal, as}, or a list of versions of the first."""
    parameters: dict[str, Parameter] = {}
    if located is None:
        return parameters
    for name, item in located.any_mapping().items():
        if name in fields or not is_name(name):
            raise item.wrong(f"{name!r} is a field of the rows, or no name")
        if isinstance(item.value, dict) and "legal" in item.value:
            parameters[name] = _legal(item, legal)
            continue
        versions = item.items() if isinstance(item.value, list) else [item]
        parameters[name] = _in_order([_version(version) for version in versions], item)
    return parameters


def _in_order(versions: list[tuple[int, int]], located: Located) -> Parameter:
    if len({day for day, _ in versions}) != len(versions):
        raise located.wrong("two versions begin on the same day")
    return Parameter(tuple(sorted(versions)))


def _version(located: Located) -> tuple[int, int]:
    top = located.mapping("value from basis")
    top["basis"].text()
    value = top["value"]
    number = value.integer() if isinstance(value.value, int) else value.duration_ms()
    return _day(top["from"].text(), top["from"]), number


def _legal(located: Located, legal: LegalParams) -> Parameter:
    top = located.mapping("legal as")
    name, factor = top["legal"].text(), _FACTORS[top["as"].text(" ".join(_FACTORS))]
    try:
        return legal_parameter(name, legal, factor)
    except RuleError as error:
        raise top["legal"].wrong(error.detail) from None


def legal_parameter(name: str, legal: LegalParams, factor: int = 1) -> Parameter:
    """A legal number with its history, times `factor`. Raises RuleError where the table has it not, or it is no number."""
    if name not in legal:
        raise RuleError(f"there is no legal parameter {name}")
    versions = []
    for value, effective_from in legal[name]:
        try:
            versions.append((_midnight(effective_from), int(value) * factor))
        except ValueError:
            raise RuleError(
                f"the legal parameter {name} is {value!r} from {effective_from!r}, no integer from a date on"
            ) from None
    if not versions or len({day for day, _ in versions}) != len(versions):
        raise RuleError(f"the legal parameter {name} has no versions, or two that begin on the same day")
    return Parameter(tuple(sorted(versions)))


def _day(text: str, located: Located) -> int:
    try:
        return _midnight(text)
    except ValueError:
        raise located.wrong(f"{text!r} is no date") from None


def _midnight(text: str) -> int:
    """A day's midnight in UTC. Raises ValueError."""
    day = date.fromisoformat(text)
    return int(datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp()) * 1000
