"""The rules of an installation: the shipped ones, with the exceptions and the restricted sets that its settings name."""

import pytest

from ledger.cli.compose import Installation
from ledger.config import load
from ledger.errors import ConfigError, RuleError
from ledger.rulesets import as_kept, load_kept, shipped_rules
from tests.test_config import GOOD, write

AGREED = """schema: exceptions/1
exceptions:
  - {rule: A10, match: {holder: "91110000100000001A"}, reason: works closed, author: desk 3, from: 2026-03-01, until: 2026-06-01}
"""


def installed(tmp_path, text):
    (tmp_path / "agreed.yml").write_text(text)
    return Installation(load(write(tmp_path, GOOD + '[rules]\nexceptions = "agreed.yml"\n'), {}))


def test_rules__with_exceptions__stand_at_their_rule_and_make_another_set(tmp_path):
    rules = installed(tmp_path, AGREED).rules()
    (rule,) = (one for one in rules.rules if one.exceptions)
    assert (rule.id, rule.exceptions[0].author) == ("A10", "desk 3")
    assert rules.digest != shipped_rules().digest
    assert load_kept(rules.digest, {f"ruleset/{rules.digest}": as_kept(rules)}).digest == rules.digest


def test_rules__without__are_the_shipped_ones(tmp_path):
    assert Installation(load(write(tmp_path), {})).rules().digest == shipped_rules().digest


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (AGREED.replace("A10", "A99"), r"agreed\.yml:3: there is no rule A99"),
        (AGREED.replace("2026-06-01", "2027-06-01"), r"agreed\.yml:3: an exception ends .* within 180 days"),
        (AGREED.replace("holder:", "house:"), r"agreed\.yml:3: an exception matches fields of the fingerprint"),
    ],
)
def test_rules__wrong_exceptions__the_file_and_the_line(tmp_path, text, said):
    with pytest.raises(RuleError, match=said):
        installed(tmp_path, text).rules()


def test_rules__exceptions_that_are_not_there__named_with_their_path(tmp_path):
    here = installed(tmp_path, AGREED)
    (tmp_path / "agreed.yml").unlink()
    with pytest.raises(ConfigError, match=r"exceptions .*agreed\.yml"):
        here.rules()
    (tmp_path / "agreed.yml").write_bytes(b"\xff")
    with pytest.raises(ConfigError, match=r"agreed\.yml: this is no UTF-8"):
        here.rules()
