"""Rule sets as they are kept: what loads again, and what was kept by earlier programs."""

import pytest

from ledger.errors import RuleError
from ledger.rulesets import KEPT, as_kept, load_kept, shipped_rules

RULES = shipped_rules()


def test_load_kept__what_is_kept_of_a_set__is_that_set():
    again = load_kept(RULES.digest, {KEPT + RULES.digest: as_kept(RULES)})
    assert (again.digest, again.parts, again.sources, again.legal) == (
        RULES.digest,
        RULES.parts,
        RULES.sources,
        RULES.legal,
    )


def test_load_kept__legal_numbers_of_before_they_could_change__are_one_row_each():
    kept = as_kept(RULES)
    kept["legal"] = {name: list(rows[0]) for name, rows in RULES.legal.items()}
    assert load_kept(RULES.digest, {KEPT + RULES.digest: kept}).legal == RULES.legal


@pytest.mark.parametrize("rows", [[], [["5"]], ["5"], "5", None])
def test_load_kept__legal_number_out_of_form__is_a_set_that_is_not_kept(rows):
    kept = as_kept(RULES)
    kept["legal"] = RULES.legal | {"cn591.filing.days": rows}
    with pytest.raises(RuleError) as raised:
        load_kept(RULES.digest, {KEPT + RULES.digest: kept})
    assert raised.value.code == "ruleset-unknown"


def test_shipped_rules__another_calendar_catalogue_or_restricted_set__is_another_digest(monkeypatch):
    assert "holidays " in RULES.catalogue
    with monkeypatch.context() as during:
        during.setattr("ledger.rulesets.CALENDAR", "holidays 0.0")
        other = shipped_rules()
        assert other.digest != RULES.digest
        assert {part for part in RULES.parts if RULES.parts[part] != other.parts[part]} == {"catalogue"}
    with monkeypatch.context() as during:
        during.setattr("ledger.rulesets.file_digests", lambda: {"substances.csv": "0" * 64})
        assert shipped_rules().digest != RULES.digest
    assert shipped_rules().digest == RULES.digest
