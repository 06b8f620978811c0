"""Whom an alert is about beside the enterprise whose record raised it."""

import pytest

from ledger.catalogue import Catalogue
from ledger.core.ids import credit_code_for
from ledger.engine import ruletests
from ledger.engine.effects import concerned
from ledger.engine.inputs import unix_ms
from ledger.engine.rulescript import read_script
from ledger.evaluate import shipped_rules

A, B, C = (credit_code_for(f"9135010000000{n:04d}") for n in (1, 2, 3))
RULES = {rule.id: rule for rule in shipped_rules().rules}


@pytest.mark.parametrize(
    ("inputs", "whom"),
    [
        ({"buyer": B, "seller": A}, [B]),
        ({"buyer": A, "seller": B}, []),
        ({"seller": B}, [B]),
        ({"party": B, "buyer": B}, [B]),
        ({"path": f"{A}>{B}>{C}"}, [B, C]),
        ({"buyer": "0" * 64, "party": "nobody", "seller": ""}, []),
        ({"consignment": B, "reference": C}, []),
        ({"buyer": B[:-1] + ("0" if B[-1] != "0" else "1")}, []),
    ],
)
def test_concerned__inputs_of_an_alert__are_other_enterprises_by_their_code(inputs, whom):
    assert concerned(inputs, A) == whom


def alerts_of(rule):
    for test in rule.tests:
        top = test.mapping("name about events expect", "clock")
        clock = unix_ms(top["clock"].text() if "clock" in top else ruletests.CLOCK)
        for raised in ruletests._fold(rule, read_script(top["events"].items(), clock), Catalogue.load(), None):
            yield raised.alert


@pytest.mark.parametrize("rule", ["B01", "B02", "B03", "B04", "B11", "B15", "C01"])
def test_alert__that_names_another_enterprise__is_found_under_it_too(rule):
    found = [alert for alert in alerts_of(RULES[rule]) if alert.rule == rule]
    named = [alert for alert in found if alert.extra.get("concerns")]
    assert named
    for alert in named:
        assert alert.holder not in alert.extra["concerns"]
        assert all(whom in str(alert.inputs) for whom in alert.extra["concerns"])


@pytest.mark.parametrize("rule", ["A01", "A04", "D05", "G02"])
def test_alert__about_its_own_holder_alone__concerns_nobody_else(rule):
    assert not any("concerns" in alert.extra for alert in alerts_of(RULES[rule]))
