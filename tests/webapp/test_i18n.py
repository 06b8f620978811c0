"""No untranslated string."""

import json
import re
from pathlib import Path

import pytest
import yaml
from babel.messages.extract import extract_from_dir
from babel.messages.pofile import read_po

import webapp
from ledger.core import schemas
from webapp.api.problems import CODES
from webapp.i18n import TRANSLATIONS, load_translations
from webapp.portal.members import ACTS_ZH, MEMBERS_ZH, VALUES_ZH

ROOT = Path(webapp.__file__).parent
METHODS = [("**.py", "python"), ("**/templates/**.html", "jinja2")]
KEYWORDS = {"_": None, "gettext": None, "_l": None, "ngettext": (1, 2)}


def message_ids():
    return {
        message if isinstance(message, str) else tuple(message)
        for _, _, message, _, _ in extract_from_dir(str(ROOT), METHODS, keywords=KEYWORDS)
    }


def catalogue():
    with (TRANSLATIONS / "zh" / "LC_MESSAGES" / "messages.po").open("rb") as source:
        return {m.id: m for m in read_po(source, locale="zh") if m.id}


def test_extraction__finds_python_and_templates():
    found = message_ids()
    assert "Name or password is wrong." in found
    assert "Newest alerts" in found
    assert len(found) > 200


def test_every_message__has_chinese__and_no_message_is_left_over():
    assert message_ids() == set(catalogue())
    for message in catalogue().values():
        assert not message.fuzzy
        for text in message.string if isinstance(message.string, tuple) else (message.string,):
            assert re.search(r"[\u4e00-\u9fff，]", text), message.id


def test_every_translation__has_the_same_placeholders():
    for message in catalogue().values():
        wanted = set(re.findall(r"%\((\w+)\)[sd]|\{(\w+)\}", message.id if isinstance(message.id, str) else message.id[1]))
        for text in message.string if isinstance(message.string, tuple) else (message.string,):
            assert set(re.findall(r"%\((\w+)\)[sd]|\{(\w+)\}", text)) == wanted, message.id


def test_templates__no_bare_words_outside_gettext():
    """Letters between tags that no `_()` wraps would stay in one language."""
    allowed = {"hazledger", "SHA-256", "hzb.json", "English", "中文", "….hzb.json", "0x", "…"}
    for path in ROOT.rglob("templates/**/*.html"):
        text = re.sub(r"\{#.*?#\}|\{%.*?%\}|\{\{.*?\}\}", "\0", path.read_text(), flags=re.S)
        text = re.sub(r"<[^>]*>", "\0", text)
        for piece in text.split("\0"):
            word = piece.strip(" \n·%/:()….+")
            assert not re.search(r"[A-Za-z\u4e00-\u9fff]{2}", word) or word in allowed, (path.name, word)


def test_templates__attributes_that_people_read__come_from_gettext():
    for path in ROOT.rglob("templates/**/*.html"):
        for name, value in re.findall(r'\b(aria-label|placeholder|title|alt|data-label|data-text-\w+)="([^"]*)"', path.read_text()):
            assert value.startswith("{{"), (path.name, name, value)


def test_load_translations__english__is_the_message_itself():
    assert load_translations("en").gettext("Alerts") == "Alerts"
    assert load_translations("zh").gettext("Alerts") == "预警"


def properties():
    found, closed = set(), {}

    def walk(node, name=""):
        if isinstance(node, dict):
            if "enum" in node and name:
                closed.setdefault(name, set()).update(v for v in node["enum"] if isinstance(v, str))
            for key, inner in (node.get("properties") or {}).items():
                found.add(key)
                walk(inner, key)
            for key, inner in node.items():
                if key != "properties":
                    walk(inner, name if key in {"items", "anyOf", "oneOf", "allOf", "then"} else "")
        elif isinstance(node, list):
            for inner in node:
                walk(inner, name)

    for path in (Path(schemas.__file__).parent / "record" / "v1").glob("*.json"):
        walk(json.loads(path.read_text()))
    return found, closed


def test_members__every_one_of_the_schemas__has_a_chinese_label():
    found, _ = properties()
    assert found - MEMBERS_ZH.keys() == set()


def test_values__every_closed_list_of_the_schemas__is_in_chinese():
    _, closed = properties()
    assert len(closed) > 10
    for name, values in closed.items():
        assert values - VALUES_ZH.get(name, {}).keys() == set(), name


def test_members__every_input_of_a_shipped_rule__has_a_chinese_label():
    from ledger.engine.registry import SUBJECTS

    fields = {name for subject in SUBJECTS.values() for name in subject.fields}
    for path in (Path(schemas.__file__).parents[2] / "rules").glob("*.yml"):
        fields |= set((yaml.safe_load(path.read_text()).get("parameters") or {}))
    assert len(fields) > 40
    assert fields - MEMBERS_ZH.keys() == set()


def test_acts__every_kind_of_line_in_the_access_log__has_a_chinese_word():
    written = set()
    for path in ROOT.rglob("*.py"):
        text = path.read_text()
        written |= set(re.findall(r'log_act\(\s*"([a-z-]+)"', text))
        written |= set(re.findall(r'"(bundle[a-z-]*)" (?:if|\n)', text))
        written |= set(re.findall(r'log_access\(\s*[\w.]+, "([a-z-]+)"', text))
    assert len(written) >= 8
    assert written - ACTS_ZH.keys() == set()


@pytest.mark.parametrize(
    ("cookie", "header", "language"),
    [(None, "zh-CN,zh;q=0.9", "zh"), (None, "en-US,en;q=0.8", "en"), (None, "", "zh"), ("en", "zh-CN", "en"), ("zh", "en", "zh"), ("xx", "en", "en")],
)
def test_language__of_a_page__by_cookie_then_by_header_then_chinese(desk, cookie, header, language):
    browser = desk.client()
    if cookie:
        browser.set_cookie("hz_lang", cookie)
    html = browser.get("/sign-in", headers={"Accept-Language": header}).get_data(as_text=True)
    assert ("<h1>登录</h1>" in html) == (language == "zh")


def test_language_switch__remembers_and_returns(desk):
    browser = desk.client()
    answer = browser.get("/language/en?next=/sign-in")
    assert answer.headers["Location"] == "/sign-in"
    assert "<h1>Sign in</h1>" in browser.get("/sign-in", headers={"Accept-Language": "zh"}).get_data(as_text=True)
    assert browser.get("/language/zh?next=//evil.example").headers["Location"] == "/"
    browser.get("/language/xx")
    assert browser.get_cookie("hz_lang").value == "zh"


def test_one_time_code__is_one_word_in_chinese():
    assert not [m.id for m in catalogue().values() if "一次性代码" in str(m.string)]
    assert "一次性代码" not in " ".join(f"{code}" for code in CODES.values())
