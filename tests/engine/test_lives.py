"""Lives under any history: no alert is lost, every change is a step, and a fold from index 0 gives the same."""

from copy import deepcopy

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ledger.core.life import OUTCOMES, STAGES, STATUSES
from ledger.core.times import format_utc
from ledger.engine.fold import Fold
from ledger.engine.liferows import rows_of
from ledger.engine.state import FoldState, decode_state, encode_state
from tests.engine.helpers import HOUR, IDENTITY, T0, Run, line
from tests.supervised import some_rules

RULES = some_rules("A01", "A02", "F02", "F03", "F04")
DAY = 24 * HOUR

ACTS = st.one_of(
    st.tuples(st.just("in"), st.integers(1, 300)),
    st.tuples(st.just("out"), st.integers(1, 300)),
    st.tuples(st.just("step"), st.integers(0, 5), st.sampled_from(STATUSES), st.sampled_from(OUTCOMES), st.booleans(),
              st.sampled_from([0, 1, 5, 30, 400])),
    st.tuples(st.just("order"), st.integers(0, 5), st.integers(-1, 10)),
    st.tuples(st.just("reply"), st.integers(0, 3)),
    st.tuples(st.just("decide"), st.integers(0, 3), st.sampled_from(["accepted", "rejected", "extended", "withdrawn"])),
    st.tuples(st.just("tick"),),
    st.tuples(st.just("restart"),),
)  # fmt: skip


class History(Run):
    """A Run that keeps its entries, and what the life's tables would hold."""

    def __init__(self):
        super().__init__(rules=RULES)
        self.entries, self.at = [], 0
        self.life, self.steps, self.orders = {}, {}, {}

    def put(self, kind, body, **more):
        entry = self.entry(kind, body, **more)
        self.entries.append(entry)
        self.fold.step(entry, self.to)
        self.keep()
        return entry

    def keep(self):
        lives, steps, orders = rows_of(self.state.life, self.to.life)
        self.life |= {row.alert_id: row for row in lives}
        for row in steps:
            assert self.steps.setdefault((row.alert_id, row.n), row) == row, "a step is written once"
        self.orders |= {row.record_id: row for row in orders}
        self.to.life.lives.clear()
        self.to.life.steps.clear()
        self.to.life.orders.clear()

    def restart(self):
        self.state = decode_state(encode_state(self.state))
        self.fold = Fold(self.state, self.rules, self.fold._classifier, IDENTITY)

    def act(self, act):
        self.at += HOUR
        kind, *arguments = act
        getattr(self, f"do_{kind}")(*arguments)

    def do_in(self, kg):
        self.move("in", line(kg), at=self.at)

    def do_out(self, kg):
        self.move("out", line(kg), at=self.at)

    def do_tick(self):
        self.at += 20 * HOUR
        self.tick(self.at)

    do_restart = restart

    def do_step(self, n, to, outcome, honest, days):
        alerts = [raised.alert.alert_id for raised in self.to.raised] or ["f" * 64]
        alert_id = alerts[n % len(alerts)]
        life = self.state.life.lives.get(self.state.life.revisions.get(alert_id, alert_id))
        body = {"alert": alert_id, "from": life.standing.status if life and honest else "open", "to": to}
        if to == "closed":
            body |= {"outcome": outcome, "referred_to": "x", "duplicate_of": "e" * 64}
        if to in ("snoozed", "suppressed"):
            body |= {"until": format_utc(T0 + self.at + days * DAY), "reason": "x"}
        if to == "order_issued" and self.state.life.orders:
            body["order"] = list(self.state.life.orders)[n % len(self.state.life.orders)]
        if to == "verified":
            body["inspection"] = "d" * 64
        self.put("alert_transition", body, at=self.at, holder="supervisor", site="desk", book="alerts", authority=True)

    def do_order(self, n, days):
        alerts = [raised.alert.alert_id for raised in self.to.raised]
        body = {"type": "rectification", "holder": "A", "site": "S1", "findings": [], "basis": [],
                "due": format_utc(T0 + self.at + days * DAY)}  # fmt: skip
        if alerts:
            body["alerts"] = [alerts[n % len(alerts)]]
        order = self.desk("order", body)
        if alerts:
            life = self.state.life.lives.get(self.state.life.revisions.get(body["alerts"][0], body["alerts"][0]))
            self.desk("alert_transition", {"alert": body["alerts"][0], "from": life.standing.status if life else "open",
                                           "to": "order_issued", "order": order.record_id})  # fmt: skip

    def do_reply(self, n):
        if self.state.life.orders:
            order = list(self.state.life.orders)[n % len(self.state.life.orders)]
            self.put("reply", {"order": order, "action": "done"}, at=self.at, book="office")

    def do_decide(self, n, decision):
        if self.state.life.orders:
            order = list(self.state.life.orders)[n % len(self.state.life.orders)]
            self.desk("order", {"type": "rectification", "holder": "A", "site": "S1", "findings": [], "basis": [],
                                "due": format_utc(T0 + self.at + 5 * DAY), "replaces": order, "decision": decision})  # fmt: skip

    def desk(self, kind, body):
        return self.put(kind, body, at=self.at, holder="supervisor", site="desk", book=kind, authority=True)


@settings(max_examples=150, deadline=None)
@given(st.lists(ACTS, max_size=40))
def test_history__any__no_alert_lost_every_change_a_step_and_the_same_again(acts):
    history = History()
    history.stocktake(line(100))
    history.move("out", line(150), at=0)
    for act in acts:
        history.act(act)

    # No alert is lost: each that was raised stands somewhere, and its table row says where.
    for raised in history.to.raised:
        alert_id = raised.alert.alert_id
        episode = history.state.life.revisions.get(alert_id, alert_id)
        life = history.state.life.lives[episode]
        assert history.life[episode].status == life.standing.status
        assert life.stage in STAGES
    # Every change is a step, and they hang together.
    for episode, row in history.life.items():
        steps = [step for (alert_id, _), step in sorted(history.steps.items()) if alert_id == episode and not step.refused]
        assert steps[0].before == "" and steps[-1].after == row.status
        for one, other in zip(steps, steps[1:], strict=False):
            assert other.before == one.after
    # What a person did names the person and carries that person's entry; what time did carries a tick's.
    entries = {entry.record_id: entry for entry in history.entries}
    for step in history.steps.values():
        if step.by:
            entry = entries[step.record_id]
            assert (entry.kind in ("alert_transition", "order", "reply"), entry.holder) == (True, step.by)
        elif step.before and not step.note:
            assert entries[step.record_id].kind == "tick"
    # Closed is the end.
    closed = {}
    for (alert_id, _), step in sorted(history.steps.items()):
        if not step.refused:
            assert alert_id not in closed
            if step.after == "closed":
                assert step.by, "nothing closes by itself"
                closed[alert_id] = step
    # A deadline or an end of rest that is open has its timer; nothing else has.
    for episode, life in history.state.life.lives.items():
        timer = history.state.timers.get(f"LIFE\x1f{episode}")
        resting = life.beside in ("snoozed", "suppressed")
        due = life.until_ms if resting else life.due_ms
        assert (timer.due_ms if timer else -1) == (due if life.stage != "closed" else -1)
    # Rebuilt from index 0, without the restarts: the same tables and the same state.
    again = History()
    for entry in deepcopy(history.entries):
        again.fold.step(entry, again.to)
        again.keep()
    assert (again.life, again.steps, again.orders) == (history.life, history.steps, history.orders)
    assert encode_state(again.state) == encode_state(history.state)
    assert isinstance(again.state, FoldState)


def _order_about(history, alert_id, *, holder="A", site="S1"):
    body = {"type": "rectification", "holder": holder, "site": site, "findings": [], "basis": [], "alerts": [alert_id],
            "due": format_utc(T0 + history.at + 3 * DAY)}  # fmt: skip
    order = history.desk("order", body)
    history.desk("alert_transition", {"alert": alert_id, "from": "open", "to": "order_issued", "order": order.record_id})
    return order.record_id


@pytest.mark.parametrize(("holder", "site"), [("B", "S1"), ("A", "S2"), ("B", "S2")])
def test_order__about_an_alert_of_another_enterprise_or_site__does_not_put_it_under_itself(holder, site):
    """Who signs it past the door would put an alert to rest that nobody there ever hears of."""
    history = History()
    history.stocktake(line(100))
    history.move("out", line(150), at=HOUR)
    (alert_id,) = history.state.life.lives
    order_id = _order_about(history, alert_id, holder=holder, site=site)
    assert history.state.life.lives[alert_id].standing.status == "open"
    assert history.state.life.orders[order_id].alerts == []
    refused = [step for step in history.steps.values() if step.refused]
    assert [(step.alert_id, step.after, step.refused) for step in refused] == [(alert_id, "order_issued", "transition-refused")]
    order_id = _order_about(history, alert_id)
    assert history.state.life.lives[alert_id].standing.status == "order_issued"
    assert history.state.life.orders[order_id].alerts == [alert_id]
