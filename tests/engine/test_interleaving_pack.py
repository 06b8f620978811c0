"""Every shipped rule, on the records of its own tests, in other interleavings of their books: the same findings.

The scripts are those of `ledger/rules` (firing, silent and at the boundary) whose event times lie within seven days and that
more than one book tells. All is received after it happened, a second apart; each book keeps its order, a record comes after
those that it names, and grants come first, as the door has it. What is compared: `tests.engine.interleaving`.
"""

import random

import pytest

from tests.engine.interleaving import APART, DAY, RULES, alone, books_of, grants_of, outcome, scripts, shuffled

ORDERS = 6
HOUR = 3_600_000


def of_several_books():
    for rule, name, entries in scripts():
        times = [entry.event_ms for entry in entries]
        if max(times) - min(times) <= 7 * DAY - 2 * HOUR and len(set(map(books_of, entries))) > 1:
            yield pytest.param(rule, entries, id=f"{rule.id}: {name}")


@pytest.mark.parametrize(("rule", "entries"), list(of_several_books()))
def test_rule__books_of_its_own_tests_in_any_interleaving__same_findings_stand_and_were_said(rule, entries):
    base = max(entry.event_ms for entry in entries) + HOUR
    others = [entry for entry in entries if entry.kind != "grant"]
    grants = [entry for entry in entries if entry.kind == "grant"] + grants_of(others)
    expected = outcome(alone(rule), grants + others, base)
    rng = random.Random(rule.id)
    for found in [expected, *(outcome(alone(rule), grants + shuffled(others, rng), base) for _ in range(ORDERS))]:
        assert found.findings == expected.findings
        assert found.said == found.stands


def test_pack__rules_that_are_left_apart__are_rules_and_have_a_reason():
    assert set(APART) <= {rule.id for rule in RULES.rules} and all(APART.values())
