"""Facts: what a set of disclosures says, and what it never says."""

import json
from datetime import UTC, datetime, timedelta, timezone
from zoneinfo import ZoneInfo

import pytest

from ledger.core.disclosure import make_disclosure
from ledger.core.facts import facts_of, linked_value, lookup_digest, lookup_of
from ledger.core.ids import resident_id_for

COUNTY = ZoneInfo("Asia/Shanghai")
KEY = b"k" * 32
AGENT = "/body/agent/id_number"


def shown(name, value, salt=1):
    return make_disclosure(name, value, bytes([salt]) * 16)


def facts(*disclosures, at=datetime(2026, 5, 4, 12, tzinfo=COUNTY), zone=COUNTY):
    surrogate = lambda d: linked_value(d) and lookup_of(KEY, d)[:32]
    return facts_of(disclosures, int(at.timestamp() * 1000), zone, surrogate)


def born(day, order="002"):
    return resident_id_for(f"110105{day}{order}")


def test_facts__no_disclosures_or_only_free_text__none():
    assert facts() is None
    assert facts(shown("/body/purpose_text", "for the school"), shown("/body/vehicle/plate", "京A12345")) is None


def test_facts__an_agent__id_person_and_links():
    number, row = born("19800101"), None
    row = facts(
        shown(AGENT, number), shown("/body/agent/phone", "13800138000"), shown("/body/agent/name", "张三"),
        shown("/body/agent/address", "北京市朝阳区建国路1号"),
    )  # fmt: skip
    assert row == {
        "ids": {AGENT: {"valid": True, "minor": False, "age_from": 18, "person": lookup_digest(KEY, "document", number)[:32]}},
        "links": {
            "/body/agent/phone": lookup_digest(KEY, "phone", "13800138000")[:32],
            "/body/agent/name": lookup_digest(KEY, "name", "张三")[:32],
            "/body/agent/address": lookup_digest(KEY, "address", "北京市朝阳区建国路1号")[:32],
        },
    }


def test_facts__any_row__holds_nothing_of_what_was_disclosed():
    number = born("20150101")
    row = facts(shown(AGENT, number), shown("/body/agent/phone", "13800138000"), shown("/body/agent/name", "张三丰"))
    text = json.dumps(row, ensure_ascii=False)
    assert not any(part in text for part in (number, number[6:14], "2015", "0101", "13800138000", "张三丰"))


@pytest.mark.parametrize(
    ("day", "birth", "expected"),
    [
        ((2026, 5, 3), "20080504", (True, 16)),
        ((2026, 5, 4), "20080504", (False, 18)),
        ((2026, 5, 3), "20100504", (True, 14)),
        ((2026, 5, 4), "20100504", (True, 16)),
        ((2026, 5, 3), "20120504", (True, 0)),
        ((2026, 5, 4), "20120504", (True, 14)),
        ((2026, 2, 28), "20080229", (True, 16)),
        ((2026, 3, 1), "20080229", (False, 18)),
        ((2028, 2, 29), "20100228", (False, 18)),
        ((2026, 5, 4), "19280504", (False, 18)),
        ((2026, 5, 4), "20990101", (True, 0)),
    ],
)
def test_facts__birthday__counts_from_its_day(day, birth, expected):
    row = facts(shown(AGENT, born(birth)), at=datetime(*day, 0, 0, tzinfo=COUNTY))
    assert (row["ids"][AGENT]["minor"], row["ids"][AGENT]["age_from"]) == expected


def test_facts__birthday__is_the_countys_day_not_greenwichs():
    evening = datetime(2026, 5, 3, 16, 30, tzinfo=UTC)  # half past midnight of the 4th in Shanghai
    card = shown(AGENT, born("20080504"))
    assert facts(card, at=evening)["ids"][AGENT]["minor"] is False
    assert facts(card, at=evening, zone=UTC)["ids"][AGENT]["minor"] is True
    assert facts(card, at=evening - timedelta(hours=1))["ids"][AGENT]["minor"] is True
    assert facts(card, at=evening, zone=timezone(timedelta(hours=-5)))["ids"][AGENT]["minor"] is True


@pytest.mark.parametrize("number", ["110105194912310021", "11010520150230002X", "E12345678", "110105491231002", "not known"])
def test_facts__no_resident_number__is_not_valid_and_tells_no_age(number):
    fact = facts(shown(AGENT, number))["ids"][AGENT]
    assert (fact["valid"], fact["minor"], fact["age_from"]) == (False, None, None)
    assert fact["person"]


@pytest.mark.parametrize("number", ["", " ", "-", "无", "0000000000", "XXXXXXXX", "12345"])
def test_facts__a_number_that_names_nobody__has_no_person(number):
    """Else all who leave the field to a dash would be one person, and he would buy in every shop."""
    assert facts(shown(AGENT, number))["ids"][AGENT] == {"valid": False, "minor": None, "age_from": None, "person": None}


@pytest.mark.parametrize(
    ("part", "one", "other"),
    [
        ("id_number", "11010519491231002X", " 110105 19491231 002x "),
        ("id_number", "11010519491231002X", "１１０１０５１９４９１２３１００２Ｘ"),
        ("phone", "13800138000", "+86 138-0013-8000"),
        ("phone", "13800138000", "0086 13800138000"),
        ("address", "北京市朝阳区建国路1号", "北京市 朝阳区，建国路１号"),
        ("name", "张三", " 张 三 "),
        ("name", "Anna Müller", "ANNA MÜLLER"),
    ],
)
def test_linked_value__written_another_way__is_the_same(part, one, other):
    first, second = (linked_value(shown(f"/body/agent/{part}", text)) for text in (one, other))
    assert first == second
    assert first is not None


def test_linked_value__a_landline__keeps_its_86():
    assert linked_value(shown("/body/phone", "8610-8888123")) == ("phone", "86108888123")


def test_lookup__another_key_or_kind__another_digest():
    card, call = shown(AGENT, "13800138000"), shown("/body/agent/phone", "13800138000")
    assert len({lookup_of(KEY, card), lookup_of(KEY, call), lookup_of(b"x" * 32, card)}) == 3
    assert lookup_of(KEY, card) == lookup_of(KEY, shown("/body/body/renter/id_number", "13800138000", salt=9))
    assert lookup_of(KEY, shown("/body/purpose_text", "13800138000")) == ""


def test_facts__a_corrections_pointers__stand_as_they_were_disclosed():
    row = facts(shown("/body/body/agent/id_number", born("19800101")))
    assert list(row["ids"]) == ["/body/body/agent/id_number"]
