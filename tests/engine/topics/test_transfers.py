"""What both ends of a transfer remember, and for how long."""

import pytest

from ledger.engine.goods import goods_of
from ledger.engine.register import Register, RegisterState
from ledger.engine.topics.transfers import Transfers, TransfersState
from tests.engine.helpers import HOUR, T0, Classifier, Run, line

DAY = 24 * HOUR
SELLER = "91350100M000100Y43"


def arrival(run, named):
    body = {"direction": "in", "reason": "purchase", "consignment": "C-1", "lines": [line(5)]}
    counterparty = {"type": "enterprise"} | ({"uscc": named} if named else {})
    return run.entry("movement", body | {"counterparty": counterparty}, holder="BUYER")


@pytest.mark.parametrize(
    ("named", "inside", "days_kept"),
    [(SELLER, False, 30), (SELLER, True, 180), ("", False, 180)],
    ids=["seller outside", "seller here", "no seller named"],
)
def test_receipt__that_no_sale_matches__is_kept_as_long_as_one_may_come(named, inside, days_kept):
    register, run = Register(RegisterState()), Run()
    topic = Transfers(TransfersState(), register)
    entry = arrival(run, named)
    list(topic.apply(entry, goods_of(entry.body, Classifier())))
    if inside:
        register.apply(run.entry("grant", {"holder": named, "role": 1}, holder="police", authority=True))
    held = topic._state.arrivals
    topic.prune(T0 + (days_kept - 1) * DAY)
    assert list(held) == ["BUYER/C-1"]
    topic.prune(T0 + (days_kept + 1) * DAY)
    assert held == {}
