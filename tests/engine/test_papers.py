"""Whose movements a paper speaks of."""

import pytest

from ledger.engine.inputs import Input
from ledger.engine.papers import Papers, PapersState
from ledger.engine.topics.base import Topic
from ledger.engine.topics.linked import Linked, LinkedState
from tests.engine.helpers import HOUR, T0, Run, line

LINKED = LinkedState(beside={"A": {"B": 1}, "B": {"A": 1}, "K": {"L": 1}, "L": {"K": 1}})


class Knowing(Topic):
    def parties(self, paper):
        return ("K",) if paper.kind == "endorse" else ()


class Silent(Topic):
    pass


def paper(kind, body):
    return Input(
        index=0,
        record_id="0" * 64,
        kind=kind,
        holder="A",
        site="S1",
        book="papers",
        seq=1,
        event_time="2026-03-02T08:00:00+08:00",
        event_ms=0,
        received_ms=0,
        is_authority=kind == "endorse",
        body=body,
        signers=(),
    )


@pytest.mark.parametrize(
    ("given", "parties"),
    [
        (paper("profile", {}), {"A", "B"}),
        (paper("licence", {"holder": "L"}), {"K", "L"}),
        (paper("endorse", {"record_id": "1" * 64}), {"A", "B", "K", "L"}),
        (paper("correction", {"kind": "licence", "corrects": "1" * 64, "body": {"holder": "C"}}), {"C"}),
    ],
)
def test_concerned__paper__holder_whom_a_topic_knows_and_all_one_buyer_with_them(given, parties):
    papers = Papers(PapersState(), Linked(LINKED), (Silent(), Knowing()))
    assert papers.concerned(given) == parties


def test_licence__that_turns_out_to_be_none__purchases_before_and_after_it_lack_it():
    body = {"type": "licence", "issuer": "x", "number": "N1", "valid_from": "2020-01-01", "valid_to": "2030-01-01"}
    for bought_at, told_at in ((2 * HOUR, 4 * HOUR), (3 * HOUR + 1, 3 * HOUR + 1)):
        run = Run()
        run.stocktake(line(0))
        licence = run.put("licence", body | {"status": "valid", "categories": ["explosive_precursor"]}, book="office")
        correction = {"corrects": licence.record_id, "kind": "profile", "body": {"roles": ["user"]}}
        if bought_at < 3 * HOUR:
            run.move("in", line(5), at=bought_at, reason="purchase")
            assert not [rule for rule, _ in run.alerts if rule == "C01"]
        run.put("correction", correction, at=3 * HOUR, book="office")
        if bought_at > 3 * HOUR:
            run.move("in", line(5), at=bought_at, reason="purchase")
        run.tick(4 * HOUR)
        assert [r.alert.opened_ms - T0 for r in run.to.raised if r.alert.rule == "C01"] == [told_at]
