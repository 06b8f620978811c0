"""Every test that a shipped rule carries, run by the fold; this file adds nothing to them."""

import pytest

from ledger.engine.ruletests import run_tests
from ledger.evaluate import shipped_rules

LISTED = {
    "7697-37-2": frozenset({"explosive_precursor"}),
    "143-33-9": frozenset({"highly_toxic"}),
}


def categories(code: str, concentration: str, form: str) -> frozenset[str]:
    return LISTED.get(code, frozenset())


RULES = shipped_rules()
OUTCOMES = run_tests(RULES.rules, categories)


@pytest.mark.parametrize("outcome", OUTCOMES, ids=lambda o: f"{o.rule}: {o.name}")
def test_shipped_rule__own_test__passes(outcome):
    assert outcome.detail == ""
