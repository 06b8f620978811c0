"""Laws and order forms as people read them: every rule that is shipped names both, in both languages."""

import subprocess
import sys

import pytest

from ledger.guidance import _DEFAULT, _GROUNDS, _OF_THE_DEFAULT, forms, ground, is_named, law, what_to_do
from ledger.model import UnixMs
from ledger.rulebench.sheet import sheets
from ledger.rulesets import shipped_rules

RULES = shipped_rules().rules
GROUNDS = sorted({limit.basis for sheet in sheets(shipped_rules(), UnixMs(0)) for limit in sheet.limits if limit.basis})
LAWS = sorted({reference for rule in RULES for reference in rule.legal_basis})


@pytest.mark.parametrize("reference", LAWS)
def test_law__of_a_shipped_rule__is_named_in_both_languages(reference):
    assert is_named(reference)
    zh, en = law(reference, "zh"), law(reference, "en")
    assert any("\u4e00" <= char <= "\u9fff" for char in zh) and " art. " not in zh and "(" not in zh.replace("(b)", "")
    assert en and "from memory" not in en


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.id)
def test_rule__shipped__says_what_to_do_about_its_alerts(rule):
    assert rule.order_template in forms()
    for language in ("zh", "en"):
        title, do = what_to_do(rule.order_template, language)
        assert title and do.endswith("。" if language == "zh" else ".")
    assert not any(char in what_to_do(rule.order_template, "zh")[1] for char in ",;:.()")


@pytest.mark.parametrize("basis", GROUNDS)
def test_ground__of_a_limit_of_a_shipped_rule__is_said_in_both_languages(basis):
    assert ground(basis, "en") == basis
    zh = ground(basis, "zh")
    assert any("\u4e00" <= char <= "\u9fff" for char in zh)
    for word in ("engineering", "parts per", "ppm", "default", "thousandth", "legal_params"):
        assert word not in zh


def test_ground__unknown_or_none__stands_as_it_is():
    assert ground("by the moon", "zh") == "by the moon"
    assert ground("engineering default, by the moon", "zh") == "engineering default, by the moon"
    assert ground("", "zh") == ""


def test_ground__each_known__is_of_a_shipped_rule():
    known = {*_GROUNDS, *(_DEFAULT + rest for rest in _OF_THE_DEFAULT)}
    assert known <= set(GROUNDS)


def test_forms__each__is_used_by_a_rule():
    assert forms() == {rule.order_template for rule in RULES}


@pytest.mark.parametrize(
    ("reference", "zh", "en"),
    [
        ("Decree 591 art. 23(1)", "第二十三条（1）", "art. 23(1)"),
        ("Decree 591 art. 4", "第四条", "art. 4"),
        ("Decree 591 art. 10", "第十条", "art. 10"),
        ("Decree 591 art. 101", "第一百零一条", "art. 101"),
        ("Decree 591 art. 112", "第一百一十二条", "art. 112"),
        ("GB 18218-2018 cl. 4", "第4章", "cl. 4"),
    ],
)
def test_law__article__is_cited_as_the_language_does(reference, zh, en):
    assert law(reference, "zh").endswith(zh)
    assert law(reference, "en").endswith(en)


@pytest.mark.parametrize(
    "reference", ["MPS Order 154 art. 28", "GA 1511-2018", "Hazardous Chemicals Safety Law art. 41"]
)
def test_law__text_that_nobody_had_at_hand__says_so(reference):
    assert "待核对" in law(reference, "zh") and "to be checked" in law(reference, "en")
    assert "待核对" not in law("MPS Order 154 art. 36", "zh")


def test_law_and_form__unknown__stand_as_they_are():
    assert law("Magna Carta art. 39", "zh") == "Magna Carta art. 39" and not is_named("Magna Carta art. 39")
    assert what_to_do("RECT-MOON", "en") == ("", "")


def test_guidance__imported__brings_no_engine():
    code = "import sys, ledger.guidance; print([m for m in sys.modules if m.startswith('ledger.engine')])"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"
