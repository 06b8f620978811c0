"""What a rule file may not exceed: each limit is one of something behind it, at which it would have failed later."""

import pytest

from ledger.core import schemas
from ledger.engine import limits
from ledger.engine.alerts import RULE_ERROR
from ledger.engine.fold import ENGINE
from ledger.engine.lives import TIMER
from ledger.engine.registry import TOPICS
from ledger.engine.revocations import REVOKED
from ledger.errors import RuleError
from ledger.enginehealth import BESIDE
from tests.engine.rulekit import rule_text, rules_of

GROUPED = "group_by: [holder]\nfeatures:\n  {name}: {{agg: count, window: 24h}}"
OWN = "parameters:\n  {name}: {{value: {value}, from: 2020-01-01, basis: test}}"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        *((rule_text(name), "what is no rule") for name in sorted(limits.RESERVED)),
        (rule_text("1A"), "a letter first"),
        (rule_text("-A"), "a letter first"),
        (rule_text("A" * 33), "2 to 32"),
        (rule_text().replace("version: 1", "version: 1000001"), "at most 1000000"),
        (rule_text(fingerprint=""), "1 to 16 different"),
        (rule_text(fingerprint="holder, holder"), "1 to 16 different"),
        (rule_text(fingerprint=", ".join(["holder"] * 17)), "1 to 16 different"),
        (rule_text(quiet="36526d"), "at most 36525d"),
        (rule_text(quiet="9999999999d"), "at most 36525d"),
        (rule_text(more="for: 9999999999d"), "at most 36525d"),
        (rule_text(more="sla: {ack: 1h, handle: 9999999999d}"), "at most 36525d"),
        (rule_text(more=OWN.format(name="wait", value="9999999999d")), "at most 36525d"),
        (rule_text(more=OWN.format(name="_wait", value=1)), "no name"),
        (rule_text(more=OWN.format(name="w" * 65, value=1)), "no name"),
        (rule_text(more=GROUPED.format(name="_n")), "no name for a feature"),
        (rule_text(more=GROUPED.format(name="n" * 65)), "no name for a feature"),
        (rule_text().replace("en: Test", "en: " + "T" * 2001), "at most 2000 characters"),
        (rule_text().replace("en: some", "en: " + "s" * 2001), "at most 2000 characters"),
        (rule_text() + "# " + "x" * 2_000_000, "at most 2000000 characters"),
        (rule_text(bands=("true",) * 65), "1 to 64 bands"),
    ],
)
def test_rule__beyond_a_limit__is_refused_with_its_line(text, said):
    with pytest.raises(RuleError, match=said) as raised:
        rules_of(text)
    assert raised.value.detail.startswith("0.yml:")


def test_bands__with_the_one_that_not_evaluable_adds__are_as_many_as_an_alert_can_name():
    more = "group_by: [holder]\nfeatures:\n  z: {agg: last, of: event_ms}\nnot_evaluable: info"
    assert len(rules_of(rule_text(bands=("z > 1",) * 63, more=more)).rules[0].bands) == 64
    with pytest.raises(RuleError, match="1 to 64 bands"):
        rules_of(rule_text(bands=("z > 1",) * 64, more=more))


def test_rule__at_its_limits__is_taken():
    text = rule_text("Z" * 32, quiet="36525d", more="for: 36525d").replace("version: 1", "version: 1000000")
    (rule,) = rules_of(text.replace("en: Test", "en: " + "T" * 2000)).rules
    assert rule.bands[0].wait_ms == rule.quiet_ms == 36_525 * 86_400_000


def test_set__of_more_rules_than_an_entry_lists__is_refused_but_for_drafts():
    texts = [rule_text(f"T{n:03}") for n in range(limits.MAX_RULES)]
    rules_of(*texts, rule_text("T999", status="draft"))
    with pytest.raises(RuleError, match="257 rules .* at most 256"):
        rules_of(*texts, rule_text("T999", status="shadow"))


def test_limits__are_those_of_the_entries_that_name_rules():
    body = schemas.schema("alert")["$defs"]["body"]["properties"]
    versions = schemas.schema("ruleset")["$defs"]["body"]["properties"]["versions"]
    assert body["version"]["maximum"] == versions["items"]["properties"]["version"]["maximum"] == limits.MAX_VERSION
    assert body["band"]["maximum"] == limits.MAX_BANDS - 1
    assert body["fingerprint"]["maxItems"] == limits.MAX_FINGERPRINT
    assert versions["maxItems"] == limits.MAX_RULES
    topics = {topic.timer for topic in TOPICS if topic.timer}
    assert {ENGINE, REVOKED, RULE_ERROR, TIMER, *topics, *BESIDE} == limits.RESERVED
