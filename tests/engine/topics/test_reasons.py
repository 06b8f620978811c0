"""A topic that names the reasons, or the goods, of its movements has nothing to say, and remembers nothing, of the others."""

import msgspec
import pytest

from ledger.catalogue import Catalogue
from ledger.engine.goods import goods_of
from ledger.engine.register import Register
from ledger.engine.registry import TOPICS, build_topics
from ledger.engine.state import FoldState, encode_state
from ledger.engine.templates import FORMATS
from tests.engine.helpers import NITRIC, RULES, Run, line

CATALOGUE = Catalogue.load()
REASONS = (
    "purchase sale issue return production consumption transfer dilution disposal loss found".split()  # formats.md 4
)
RESTRICTED = RULES.restricted.sets[0].groups[0][0].code
NAMED = [topic for topic in TOPICS if topic.reasons is not None]
OF_GOODS = [topic for topic in TOPICS if topic.goods is not None]
EPHEDRINE = "299-42-3"
FACT = {"valid": True, "minor": False, "age_from": 18, "person": "p"}


@pytest.mark.parametrize("topic", NAMED, ids=lambda topic: topic.__name__)
def test_topic__movements_of_other_reasons__neither_rows_nor_memory(topic):
    state = FoldState()
    register = Register(state.register)
    (one,) = (made for made in build_topics(state, register, RULES.restricted, RULES.numbers) if type(made) is topic)
    heard = 0
    for reason in REASONS:
        for direction in ("in", "out"):
            body = {
                "direction": direction,
                "reason": reason,
                "lines": [
                    line(5, NITRIC),
                    line(3, "143-33-9"),
                    line(2, RESTRICTED),
                    {**line(1, "K1"), "goods": "knife"},
                ],
                "counterparty": {"type": "enterprise", "uscc": "B"},
                "consignment": "C-1",
                "handlers": [{"ref": "H1"}],
                "process": {"id": "P-1"},
            }
            entry = Run().entry("movement", body)
            before = encode_state(state)
            rows = list(one.apply(entry, goods_of(body, CATALOGUE)))
            if reason not in topic.reasons:
                assert not rows and encode_state(state) == before, (reason, direction)
            heard += bool(rows) or encode_state(state) != before
    assert heard


def movement(reason, direction, lines):
    return {
        "direction": direction,
        "reason": reason,
        "lines": lines,
        "counterparty": {"type": "person", "uscc": "B"},
        "consignment": "C-1",
        "handlers": [{"ref": "H1"}],
        "agent": {"ref": "H2"},
    }


@pytest.mark.parametrize("topic", OF_GOODS, ids=lambda topic: topic.__name__)
def test_topic__movements_of_other_goods__neither_rows_nor_memory(topic):
    state = FoldState()
    register = Register(state.register)
    (one,) = (made for made in build_topics(state, register, RULES.restricted, RULES.numbers) if type(made) is topic)
    heard, other = 0, 0
    for item in (NITRIC, "143-33-9", EPHEDRINE, "64-17-5", RESTRICTED, "K1"):
        stated = line(1, item) if item != "K1" else {**line(1, item), "goods": "knife"}
        ids = {f"/body/{place}/id_number": FACT for place in ("agent", "counterparty", "handlers/0")}
        for reason in topic.reasons or REASONS:
            for direction in ("in", "out"):
                body = movement(reason, direction, [stated])
                entry = msgspec.structs.replace(Run().entry("movement", body), facts={"ids": ids})
                (goods,) = goods_of(body, CATALOGUE)
                before = encode_state(state)
                says = bool(list(one.apply(entry, [goods]))) or encode_state(state) != before
                concerned = stated["goods"] in topic.goods or not topic.goods.isdisjoint(goods.categories)
                assert concerned or not says, (item, reason, direction)
                heard, other = heard + says, other + (not concerned)
    assert heard and other


def test_fold__movement_of_several_goods__is_seen_by_topics_of_each():
    """A knife beside nitric acid: both the sale of a knife and the deal with a precursor are told; of each alone, its own."""
    told = []
    knife = {**line(1, "K1"), "goods": "knife"}
    for lines in ([line(1, NITRIC), knife], [line(1, NITRIC)], [knife]):
        run, subjects = Run(), set()
        entry = run.entry("movement", movement("sale", "out", lines))
        run.fold.explain(entry, run.to, lambda rule, subject, row, said, to=subjects: to.add(subject))
        told.append(subjects & {"knife_sale", "deal", "handler", "movement"})
    assert told == [
        {"knife_sale", "deal", "handler", "movement"},
        {"deal", "handler", "movement"},
        {"knife_sale", "movement"},
    ]


def reasons_of(rule, *, seller, by_seller):
    row = {
        "buyer": "B-1", "seller": seller, "by_seller": by_seller, "code": NITRIC, "amount": 5_000_000, "dimension": "mass",
        "n_30d": 5, "sellers_30d": 2, "total_30d": 9_000_000, "threshold": 8_000_000,
    }  # fmt: skip
    chosen = next(one for one in RULES.rules if one.id == rule)
    return {language: template.render(row) for language, template in chosen.bands[-1].reason.items()}


@pytest.mark.parametrize("rule", ["B12", "B10"])
def test_reason__of_a_purchase__names_both_ends_and_who_told(rule):
    told = reasons_of(rule, seller="S-1", by_seller=True)
    assert all("B-1" in text and "S-1" in text for text in told.values())
    assert "by the seller's record" in told["en"] and "据供方记录" in told["zh"]
    own = reasons_of(rule, seller="S-1", by_seller=False)
    assert "S-1" in own["en"] and "by the seller" not in own["en"]
    unknown = reasons_of(rule, seller="", by_seller=False)
    assert not any(word in unknown["en"] for word in (" from S", "last from", "  "))


@pytest.mark.parametrize(("n", "is_said"), [(0, False), (1, False), (2, True)])
def test_reason__sigma_of_the_streams_own_balances__is_said_from_two_on(n, is_said):
    text = FORMATS["own_en"](5_000_000, {"n": n, "dimension": "mass"})
    assert ("standard deviation" in text) is is_said
