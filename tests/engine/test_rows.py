"""Every row that the shipped rules' own scripts bring about is of its subject's closed schema: these fields, of these types.

A condition is checked against the declared fields when it is loaded. A field that a topic declares and does not fill would
only be found when a rule reads it, by an error in that rule's health.
"""

import pytest

from ledger.catalogue import Catalogue
from ledger.engine.alerts import Effects, Identity
from ledger.engine.fold import Fold
from ledger.engine.inputs import unix_ms
from ledger.engine.registry import SUBJECTS
from ledger.engine.rules import RuleSet
from ledger.engine.rulescript import read_script
from ledger.engine.ruletests import CLOCK, alert_of
from ledger.engine.state import FoldState
from ledger.rulesets import shipped_rules

IDENTITY = Identity(log="test.example/log", issuer="platform.test", keyid="0" * 64, ruleset="0" * 64)
KINDS = {int: "int", str: "str", bool: "bool", list: "list", tuple: "list"}


def rows_of_all_scripts():
    """subject → the shapes (fields and types) of its rows, with the script that brought each about first."""
    found = {}
    catalogue, nobody = Catalogue.load(), RuleSet((), "0" * 64)
    for rule in shipped_rules().rules:
        for located in rule.tests:
            top = located.mapping("name about events expect", "clock")
            script = read_script(
                top["events"].items(), unix_ms(top["clock"].text()) if "clock" in top else unix_ms(CLOCK)
            )
            by_id = {entry.record_id: entry for entry in script if entry is not None}
            fold = Fold(FoldState(), nobody, catalogue, IDENTITY)

            def see(_rule, subject, row, _values, where=f"{rule.id}: {top['name'].text()}"):
                shape = tuple(sorted((name, KINDS.get(type(value), repr(value))) for name, value in row.items()))
                found.setdefault(subject, {}).setdefault(shape, where)

            for entry in script:
                if entry is None:
                    continue
                fold.explain(fold.with_before(entry, by_id.get), Effects(), see)
                if entry.kind == "alert":
                    fold.witness(alert_of(entry), Effects())
    return found


FOUND = rows_of_all_scripts()


@pytest.mark.parametrize("subject", SUBJECTS)
def test_rows__of_each_subject__are_of_its_declared_fields(subject):
    declared = SUBJECTS[subject].fields
    for shape, script in FOUND[subject].items():
        assert dict(shape) == declared, script
