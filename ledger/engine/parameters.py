"""Numbers that rules use, each with the date from which it holds: legal ones by name, the rule's own as written."""

from __future__ import annotations

import csv
from bisect import bisect_right
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime

from ledger.engine.limits import is_name
from ledger.engine.yamlfile import Located
from ledger.model import UnixMs

LegalParams = Mapping[str, tuple[str, str]]
"""param_id -> (value as written, effective_from as YYYY-MM-DD)."""
_FACTORS = {"integer": 1, "hours": 3_600_000, "days": 86_400_000}


@dataclass(frozen=True, slots=True)
class Parameter:
    """Versions as (unix ms from which it holds, value), ascending; the first also serves for what was before it."""

    versions: tuple[tuple[int, int], ...]

    def at(self, at: UnixMs) -> int:
        """The value in force at `at`."""
        if len(self.versions) == 1:
            return self.versions[0][1]
        found = bisect_right([day for day, _ in self.versions], int(at))
        return self.versions[max(found - 1, 0)][1]


def read_legal_params(text: str) -> dict[str, tuple[str, str]]:
    """The table of legal_params.csv: param_id, value, ..., effective_from."""
    return {row["param_id"]: (row["value"], row["effective_from"]) for row in csv.DictReader(text.splitlines())}


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
        parameter = parameters[name] = Parameter(tuple(sorted(_version(version) for version in versions)))
        if len({day for day, _ in parameter.versions}) != len(parameter.versions):
            raise item.wrong("two versions begin on the same day")
    return parameters


def _version(located: Located) -> tuple[int, int]:
    top = located.mapping("value from basis")
    top["basis"].text()
    value = top["value"]
    number = value.integer() if isinstance(value.value, int) else value.duration_ms()
    return _day(top["from"].text(), top["from"]), number


def _legal(located: Located, legal: LegalParams) -> Parameter:
    top = located.mapping("legal as")
    name, factor = top["legal"].text(), _FACTORS[top["as"].text(" ".join(_FACTORS))]
    if name not in legal:
        raise top["legal"].wrong(f"there is no legal parameter {name}")
    value, effective_from = legal[name]
    try:
        number = int(value)
    except ValueError:
        raise top["legal"].wrong(f"the legal parameter {name} is {value!r}, no integer") from None
    return Parameter(((_day(effective_from, top["legal"]), number * factor),))


def _day(text: str, located: Located) -> int:
    try:
        day = date.fromisoformat(text)
    except ValueError:
        raise located.wrong(f"{text!r} is no date") from None
    return int(datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp()) * 1000
