"""Every legal number that a rule or a topic uses is the one of the table of legal parameters, with the day from which it holds."""

import re
from datetime import UTC, datetime

import pytest

from ledger.catalogue import Catalogue
from ledger.core.life import HANDLE_MS
from ledger.engine.parameters import legal_parameter
from ledger.engine.registry import LEGAL as BEHIND
from ledger.engine.topics import rooms
from ledger.engine.yamlfile import load_yaml
from ledger.evaluate import shipped_rules
from ledger.rulesets import shipped_legal, shipped_sources

CATALOGUE = Catalogue.load()
TABLE = {parameter.param_id: parameter for parameter in CATALOGUE.parameters}
LEGAL = shipped_legal()
DAY = 86_400_000


def _cited():
    """(rule, parameter, legal parameter, value, from) of each number in a rule file that names a row of the table as its basis."""
    for name, text in shipped_sources().items():
        document = load_yaml(text, name).value
        for parameter, item in document["parameters"].value.items() if "parameters" in document else ():
            for version in item.value if isinstance(item.value, list) else [item]:
                found = re.match(r"[a-z0-9]+(?:\.[a-z0-9_]+)+", str(version.plain().get("basis", "")))
                if found and found[0] in TABLE:
                    yield pytest.param(
                        found[0], version.plain()["value"], version.plain()["from"], id=f"{name[:3]}-{parameter}"
                    )


CITED = list(_cited())
MINUTES = {"00:00-06:00": {0, 360}}


def test_cited__are_all_that_there_are_today():
    assert {case.id for case in CITED} >= {
        "G04-tip_deg",
        "G04-sharp_mm",
        "G04-blunt_mm",
        "G04-exempt_tip_um",
        "B06-road_to",
    }


@pytest.mark.parametrize(("param_id", "value", "since"), CITED)
def test_number__that_cites_a_legal_parameter__stands_in_its_row_and_holds_from_its_day(param_id, value, since):
    text = TABLE[param_id].text
    numbers = {float(number) for number in re.findall(r"\d+(?:\.\d+)?", text)}
    assert {value, value / 1000} & numbers or value in MINUTES.get(text, ()), (value, text)
    assert {day for _, day in LEGAL[param_id]} == {since}


def test_rules__parameters_by_name__are_the_tables_with_its_day():
    rules = {rule.id: rule for rule in shipped_rules().rules}
    for rule_id, name, param_id, factor in (
        ("B02", "filing", "cn591.filing.days", DAY),
        ("B03", "window", "cn591.filing.days", DAY),
        ("C06", "least", "cn591.two_person", 1),
    ):
        ((value, day),) = LEGAL[param_id]
        from_ms = int(datetime.fromisoformat(day).replace(tzinfo=UTC).timestamp() * 1000)
        assert rules[rule_id].parameters[name].versions == ((from_ms, int(value) * factor),)


def test_topics__legal_numbers_behind_their_rows__are_declared_by_each_rule_that_listens_with_the_tables_history():
    """So that a rule's page shows them, and the digest of its set covers them."""
    listening = [(rule, subject) for rule in shipped_rules().rules for subject in rule.on if subject in BEHIND]
    assert [(rule.id, subject) for rule, subject in listening] == [("D01", "duty")]
    for rule, subject in listening:
        (text,) = (text for name, text in shipped_sources().items() if name.startswith(f"{rule.id}-"))
        written = load_yaml(text, rule.id).plain()["parameters"]
        declared = {item["legal"]: rule.parameters[name] for name, item in written.items() if "legal" in item}
        assert {name: declared[name].versions for name in BEHIND[subject]} == {
            name: legal_parameter(name, LEGAL).versions for name in BEHIND[subject]
        }


def test_numbers_written_out__are_the_tables():
    levels = TABLE["gb18218.R"].numbers
    assert {least for least, _ in rooms.LEVELS if least} == {1000 * int(number) for number in levels.values()}
    # Catalogue F02: 1, 3, 7, 30 days by severity, an engineering default and no law.
    assert [ms // DAY for ms in HANDLE_MS.values()] == [1, 3, 7, 30]


def test_table__no_parameter_twice_from_the_same_day():
    for param_id, versions in LEGAL.items():
        assert len({day for _, day in versions}) == len(versions), param_id
