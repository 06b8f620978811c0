"""What both ends of a transfer remember, and for how long."""

import pytest

from ledger.engine.goods import goods_of
from ledger.engine.register import Register, RegisterState
from ledger.engine.topics.transfers import Transfers, TransfersState
from tests.engine.helpers import HOUR, T0, Classifier, Run, line

DAY = 24 * HOUR
SELLER = "91350100M000100Y43"


def movement(run, holder, direction, named, at=0):
    body = {"direction": direction, "reason": "purchase" if direction == "in" else "sale", "consignment": "C-1"}
    counterparty = {"type": "enterprise"} | ({"uscc": named} if named else {})
    return run.entry("movement", body | {"counterparty": counterparty, "lines": [line(5)]}, holder=holder, at=at)


def told(topic, entry):
    return list(topic.apply(entry, goods_of(entry.body, Classifier())))


@pytest.mark.parametrize(
    ("named", "inside", "days_kept"),
    [(SELLER, False, 30), (SELLER, True, 180), ("", False, 180)],
    ids=["seller outside", "seller here", "no seller named"],
)
def test_receipt__that_no_sale_matches__is_kept_as_long_as_one_may_come(named, inside, days_kept):
    register, run = Register(RegisterState()), Run()
    topic = Transfers(TransfersState(), register)
    told(topic, movement(run, "BUYER", "in", named))
    if inside:
        register.apply(run.entry("grant", {"holder": named, "role": 1}, holder="police", authority=True))
    held = topic._state.arrivals
    topic.prune(T0 + (days_kept - 1) * DAY)
    assert list(held) == ["BUYER/C-1"]
    topic.prune(T0 + (days_kept + 1) * DAY)
    assert held == {}


@pytest.mark.parametrize("later_ms", [10 * HOUR, 20 * DAY], ids=["the same day", "20 days later"])
def test_transfer__confirmed__both_ends_are_forgotten_at_once(later_ms):
    run = Run()
    topic = Transfers(TransfersState(), Register(RegisterState()))
    told(topic, movement(run, SELLER, "out", "BUYER"))
    told(topic, movement(run, "BUYER", "in", SELLER, at=later_ms))
    for day in range(70):
        topic.prune(T0 + day * DAY + HOUR)
        held = bool(topic._state.opened), bool(topic._state.arrivals)
        assert held == ((True, True) if day * DAY + HOUR < later_ms + 30 * DAY else (False, False)), day
