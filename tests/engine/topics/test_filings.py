"""Who filed, and for how long that is remembered."""

from ledger.engine.goods import goods_of
from ledger.engine.register import Register, RegisterState
from ledger.engine.topics.filings import FORGET_AFTER_MS, Filings, FilingsState
from tests.engine.helpers import HOUR, T0, Classifier, Run, line

DAY = 24 * HOUR
SELLER, BUYER = "91350100M000100Y43", "91350100000000001X"


def movement(run, holder, direction, other, at):
    body = {"direction": direction, "reason": "purchase" if direction == "in" else "sale", "consignment": "C-1"}
    counterparty = {"counterparty": {"type": "enterprise", "uscc": other}}
    return run.entry("movement", body | counterparty | {"lines": [line(5)]}, holder=holder, at=at)


def test_duty__filed_before_the_act__is_met_for_as_long_as_it_is_held():
    run = Run()
    topic = Filings(FilingsState(), Register(RegisterState()))

    def told(entry):
        return [row for _, row in topic.apply(entry, goods_of(entry.body, Classifier()))]

    told(run.entry("filing", {"consignment": "C-1", "date": "2026-03-02"}, holder=SELLER))
    (duty,) = told(movement(run, SELLER, "out", BUYER, 5 * DAY))
    assert duty["filed"]
    topic.prune(T0 + FORGET_AFTER_MS + 2 * DAY)  # the filing is older than that, the movement is not
    of_seller = [
        row for row in told(movement(run, BUYER, "in", SELLER, FORGET_AFTER_MS + 2 * DAY)) if row["holder"] == SELLER
    ]
    assert [row["filed"] for row in of_seller] == [True]
    for day in (6, 7):
        topic.prune(T0 + FORGET_AFTER_MS + day * DAY)
    assert not topic._state.filed
    assert [duty.holder for duty in topic._state.duties.values()] == [BUYER]
