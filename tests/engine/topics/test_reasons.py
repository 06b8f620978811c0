"""A topic that names the reasons of its movements has nothing to say, and remembers nothing, of the others."""

import pytest

from ledger.catalogue import Catalogue
from ledger.engine.goods import goods_of
from ledger.engine.register import Register
from ledger.engine.registry import TOPICS, build_topics
from ledger.engine.state import FoldState, encode_state
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
    (one,) = (made for made in build_topics(state, register, RULES.restricted) if type(made) is topic)
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
            }
            entry = Run().entry("movement", body)
            before = encode_state(state)
            rows = list(one.apply(entry, goods_of(body, CATALOGUE)))
            if reason not in topic.reasons:
                assert not rows and encode_state(state) == before, (reason, direction)
            heard += bool(rows) or encode_state(state) != before
    assert heard
