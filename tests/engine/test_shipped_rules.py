"""Every test that a shipped rule carries, run by the fold with the shipped catalogue; this file adds nothing to them."""

import pytest

from ledger.catalogue import Catalogue
from ledger.engine.ruletests import run_tests
from ledger.evaluate import shipped_rules

RULES = shipped_rules()
OUTCOMES = run_tests(RULES.rules, Catalogue.load())


@pytest.mark.parametrize("outcome", OUTCOMES, ids=lambda o: f"{o.rule}: {o.name}")
def test_shipped_rule__own_test__passes(outcome):
    assert outcome.detail == ""
