"""The tests that rule files carry, with a report that a build server reads."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from time import monotonic
from xml.etree.ElementTree import Element, SubElement, tostring

from ledger.engine.goods import Classifier
from ledger.engine.rules import Rule
from ledger.engine.ruletests import Outcome, run_tests

__all__ = ["Outcome", "Tested", "junit", "run"]


@dataclass(frozen=True, slots=True)
class Tested:
    """One rule, what its tests said, and how long they took."""

    rule: Rule
    outcomes: list[Outcome]
    seconds: float

    @property
    def failed(self) -> list[Outcome]:
        return [outcome for outcome in self.outcomes if outcome.detail]


def run(rules: Iterable[Rule], classifier: Classifier, *, clock_s: Callable[[], float] = monotonic) -> Iterator[Tested]:
    """Run every test of each rule, as written and with a restart at every split point; rule by rule."""
    for rule in rules:
        started = clock_s()
        yield Tested(rule, run_tests([rule], classifier), clock_s() - started)


def junit(tested: Iterable[Tested]) -> bytes:
    """JUnit XML: one suite a rule, one case a test."""
    everything = list(tested)
    root = Element(
        "testsuites",
        name="hazledger rules test",
        tests=str(sum(len(one.outcomes) for one in everything)),
        failures=str(sum(len(one.failed) for one in everything)),
        errors="0",
        time=f"{sum(one.seconds for one in everything):.3f}",
    )
    for one in everything:
        suite = SubElement(
            root,
            "testsuite",
            name=one.rule.id,
            tests=str(len(one.outcomes)),
            failures=str(len(one.failed)),
            errors="0",
            time=f"{one.seconds:.3f}",
        )
        for outcome in one.outcomes:
            case = SubElement(suite, "testcase", classname=f"rules.{outcome.rule}", name=outcome.name)
            if outcome.detail:
                SubElement(case, "failure", message=outcome.detail[:500]).text = outcome.detail
    body: bytes = tostring(root, encoding="utf-8", xml_declaration=True)
    return body
