"""Legal numbers that stand outside legal_params.csv, in a topic or written out in a rule, are those of its rows.

A number of law belongs in the table, and rules read it by name (`{legal: cn591.filing.days, as: days}`). Some cannot: they
decide what a row is, or the law's text holds more than one number. Who changes a row is told here what else to change.
"""

from datetime import UTC, datetime

import pytest

from ledger.catalogue import Catalogue
from ledger.engine.topics.filings import OTHER_DAYS, STRICT_DAYS
from ledger.engine.topics.rooms import LEVELS
from ledger.findings import TWO_PERSONS
from ledger.rulesets import shipped_rules

CATALOGUE = Catalogue.load()
RULES = {rule.id: rule for rule in shipped_rules().rules}
WRITTEN_OUT = [
    ("B06", "road_from", "cn.road_ban", "from_hour", 60),
    ("B06", "road_to", "cn.road_ban", "to_hour", 60),
    ("G04", "tip_deg", "cn.knife.tip_sharp", "tip_angle_below", 1),
    ("G04", "tip_deg", "cn.knife.tip_blunt", "tip_angle_above", 1),
    ("G04", "sharp_mm", "cn.knife.tip_sharp", "blade_above", 1),
    ("G04", "blunt_mm", "cn.knife.tip_blunt", "blade_above", 1),
    ("G04", "exempt_tip_um", "cn.knife.exempt", "tip_radius_above", 1000),
]


def test_constants__of_topics_and_findings__are_the_laws():
    assert STRICT_DAYS == CATALOGUE.parameter("cn591.filing.days").number
    assert STRICT_DAYS == CATALOGUE.parameter("cn445.filing.class1").number
    assert OTHER_DAYS == CATALOGUE.parameter("cn445.filing.class23").number
    assert TWO_PERSONS == CATALOGUE.parameter("cn591.two_person").number


def test_hazard_levels__of_the_topic__are_the_standards():
    numbers = CATALOGUE.parameter("gb18218.R").numbers
    assert LEVELS == (*((int(1000 * numbers[f"level_{level}_from"]), str(level)) for level in (1, 2, 3)), (0, "4"))


@pytest.mark.parametrize(("rule", "name", "param_id", "part", "factor"), WRITTEN_OUT)
def test_rules_parameter__written_out__is_the_laws_number_from_its_day(rule, name, param_id, part, factor):
    legal = CATALOGUE.parameter(param_id)
    ((from_ms, value),) = RULES[rule].parameters[name].versions
    assert value == legal.numbers[part] * factor
    assert datetime.fromtimestamp(from_ms / 1000, UTC).date() == legal.effective_from
