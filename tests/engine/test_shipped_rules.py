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


def test_shipped_rules__whole_pack__is_what_the_catalogue_asks_for_and_the_formats_carry():
    named = "A01-A11 B01-B04 B06 B08-B17 C01-C08 D01-D09 E01-E02 E04 E07-E08 F01-F04 G01-G05 H01-H03 H05"
    spans = [(part[0], int(part[1:3]), int(part[-2:])) for part in named.split()]
    pack = {f"{letter}{number:02d}" for letter, first, last in spans for number in range(first, last + 1)}
    assert {rule.id for rule in RULES.rules} == pack
    assert {rule.id for rule in RULES.rules if rule.status == "shadow"} == {"C07", "D09"}
