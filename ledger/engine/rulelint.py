"""Everything that is wrong with a rule file, not only the first thing.

Reading stops at the first mistake. So what was wrong is put right with a stand-in, as little of it as makes the message go
away, and the file is read again; until nothing is wrong any more, or a mistake has no stand-in.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from ledger.engine.parameters import LegalParams
from ledger.engine.rules import Rule, read_rule
from ledger.engine.ruletests import ABOUT, check_test
from ledger.engine.yamlfile import Located, load_yaml
from ledger.errors import RuleError

MAX_PROBLEMS = 100
_PLACE = re.compile(r"(?P<file>.*?):(?P<line>\d+): (?P<what>.*)", re.DOTALL)
_MISSING = re.compile(r"the key '(\w+)' is missing")
_BOTH: dict[str, Any] = {"zh": "-", "en": "-"}
_BAND: dict[str, Any] = {"when": "true", "reason": _BOTH}
_STAND_INS: dict[str, Any] = {
    "schema": "rule/1",
    "id": "X-STAND-IN",
    "version": 1,
    "status": "draft",
    "title": _BOTH,
    "severity": "low",
    "legal_basis": ["-"],
    "bands": [_BAND],
    "episode": {"fingerprint": ["holder"], "quiet": "0s"},
    "tests": [],
    "group_by": ["holder"],
}
"""For keys that a rule cannot do without. `on` has none: without it nothing else can be judged."""
_CHILDREN: dict[str, Any] = {
    "bands": _BAND,
    "features": {"agg": "count", "window": "1d"},
    "parameters": {"value": 1, "from": "2000-01-01", "basis": "-"},
}
"""For one item of these, so that its name stays known; an item of any other key is left out."""


@dataclass(frozen=True, slots=True, order=True)
class Problem:
    """Something wrong at a place."""

    file: str
    line: int
    what: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: {self.what}"


def problem_of(error: RuleError, file: str) -> Problem:
    """The place that an error names; line 1 of `file` where it names none."""
    found = _PLACE.fullmatch(error.detail)
    return Problem(found["file"], int(found["line"]), found["what"]) if found else Problem(file, 1, error.detail)


def lint_rule(text: str, file: str, legal: LegalParams) -> tuple[Rule | None, list[Problem]]:
    """(the rule, None when anything is wrong that a run would stumble over; all problems, by line)."""
    try:
        document = load_yaml(text, file)
    except RuleError as error:
        return None, [problem_of(error, file)]
    problems: list[Problem] = []
    rule: Rule | None = None
    while len(problems) < MAX_PROBLEMS:
        rule, problem = _read(document, text, file, legal)
        if problem is None:
            break
        problems.append(problem)
        better = _better(document, problem, text, legal)
        if better is None:
            break
        document = better
    wrong = bool(problems)
    if rule is not None:
        problems += _tests(rule, document, file)
    return None if wrong else rule, sorted(set(problems))


def _read(document: Located, text: str, file: str, legal: LegalParams) -> tuple[Rule | None, Problem | None]:
    try:
        return read_rule(document, text, legal), None
    except RuleError as error:
        return None, problem_of(error, file)


def _better(document: Located, problem: Problem, text: str, legal: LegalParams) -> Located | None:
    """The document with this problem away, if that can be, and no other in its place."""
    second: Located | None = None
    for repaired in _repaired(document, problem):
        left = _read(repaired, text, problem.file, legal)[1]
        if left is None or (left != problem and (left.line != problem.line or not _MISSING.match(left.what))):
            return repaired
        if left != problem and second is None:
            second = repaired
    return second


def _tests(rule: Rule, document: Located, file: str) -> Iterator[Problem]:
    about, wrong = set(), False
    for located in rule.tests:
        try:
            about.add(check_test(located))
        except RuleError as error:
            wrong = True
            yield problem_of(error, file)
    line = document.value["tests"].line if "tests" in document.value else document.line
    for name in ABOUT:
        if not wrong and name not in about and rule.status in ("live", "shadow"):
            yield Problem(file, line, f"a rule has at least one test that is about: {name}")


# --- stand-ins -------------------------------------------------------------------------------------------------------


def _repaired(document: Located, problem: Problem) -> Iterator[Located]:
    """The document with ever more of what is around the problem replaced or left out."""
    top = document.value
    if not isinstance(top, dict):
        return
    missing = _MISSING.match(problem.what)
    if missing and missing[1] in _STAND_INS and missing[1] not in top:
        yield _with(document, missing[1], _made(_STAND_INS[missing[1]], document))
    around = {name: item for name, item in top.items() if name != "on" and item.line <= problem.line <= _last(item)}
    for name, item in around.items():
        yield from _inside(document, name, item, problem.line)
    for name, item in around.items():
        stand_in = _STAND_INS.get(name)
        yield _with(document, name, None if stand_in is None else _made(stand_in, item))


def _inside(document: Located, name: str, item: Located, line: int) -> Iterator[Located]:
    children = item.value if isinstance(item.value, dict) else dict(enumerate(item.value)) if _is_list(item) else {}
    for at, child in children.items():
        if not child.line <= line <= _last(child):
            continue
        stand_in = _CHILDREN.get(name)
        if isinstance(child.value, dict):
            for part in child.value:
                made = stand_in.get(part) if isinstance(stand_in, dict) else None
                smaller = _with(child, part, None if made is None else _made(made, child))
                yield _with(document, name, _with(item, at, smaller))
        yield _with(document, name, _with(item, at, None if stand_in is None else _made(stand_in, child)))


def _is_list(item: Located) -> bool:
    return isinstance(item.value, list)


def _with(parent: Located, at: Any, child: Located | None) -> Located:
    """The parent with another child at this place, or with none."""
    if isinstance(parent.value, dict):
        value: Any = {name: item for name, item in parent.value.items() if name != at}
        if child is not None:
            value = {name: child if name == at else item for name, item in parent.value.items()} | {at: child}
    else:
        value = [child if n == at else item for n, item in enumerate(parent.value) if n != at or child is not None]
    return Located(value, parent.file, parent.line)


def _made(value: Any, where: Located) -> Located:
    if isinstance(value, dict):
        value = {name: _made(item, where) for name, item in value.items()}
    elif isinstance(value, list):
        value = [_made(item, where) for item in value]
    return Located(value, where.file, where.line)


def _last(located: Located) -> int:
    """The last line on which anything of it begins."""
    if isinstance(located.value, dict):
        return max([located.line, *(_last(item) for item in located.value.values())])
    if isinstance(located.value, list):
        return max([located.line, *(_last(item) for item in located.value)])
    return located.line
