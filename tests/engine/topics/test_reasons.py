"""A topic that names the reasons of its movements has nothing to say, and remembers nothing, of the others."""

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
