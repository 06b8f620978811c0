"""What a supervisor does, from the unlocked key to the engine's table."""

import base64
import json

import pytest

from ledger.core.times import format_utc
from ledger.errors import DeskError, NotFoundError, StaleError, TransitionError
from ledger.handling import Act, NewOrder
from ledger.model import UnixMs
from tests import kit, supervised
from tests.supervised import DAY, HOUR, SESSION, Supervised


@pytest.fixture
def desk(tmp_path):
    desk = Supervised(tmp_path, books=2)
    desk.unlock()
    yield desk
    desk.close()


def entries(desk, kind):
    records = desk.log.stores.log.records(0, 10_000)
    return [json.loads(base64.b64decode(json.loads(r.envelope)["payload"])) for r in records if r.kind == kind]


def one(desk, alert_id, to, **more):
    (done,) = desk.handler().act(SESSION, [(alert_id, None)], Act(to, **more))
    if done.error:
        raise done.error
    return done


def test_act__acknowledge__is_a_signed_entry_and_moves_the_alert(desk):
    alert_id = desk.alerts()[0]
    done = one(desk, alert_id, "acknowledged")
    assert (done.life.status, done.life.turn) == ("acknowledged", 1)
    (entry,) = entries(desk, "alert_transition")
    assert entry["body"] == {"alert": alert_id, "from": "open", "to": "acknowledged"}
    assert (entry["issuer"], entry["site"], entry["book"], entry["seq"]) == ("supervisor", "desk", "alerts", 1)
    step = desk.store.steps(alert_id)[-1]
    assert (step.before, step.after, step.by, step.record_id) == ("open", "acknowledged", "supervisor", done.record_id)


def test_act__the_whole_way__ends_closed_with_its_outcome(desk):
    alert_id = desk.alerts()[0]
    one(desk, alert_id, "acknowledged")
    one(desk, alert_id, "in_hand", department="chemicals")
    order_id, (under,) = desk.handler().issue(SESSION, [(alert_id, None)], NewOrder("mend-stock", text="Count again."))
    assert under.life.status == "order_issued" and under.life.order_id == order_id
    order = desk.store.order(order_id)
    assert (order.holder, order.status, order.alerts) == (desk.enterprise.holder, "open", (alert_id,))
    assert order.due_ms == under.life.due_ms
    (entry,) = entries(desk, "order")
    assert entry["body"]["basis"] and entry["body"]["findings"] == [{"code": "A01", "alert": alert_id}]
    if supervised.RULES.rules[0].order_template:
        assert entry["body"]["template"] == supervised.RULES.rules[0].order_template
    office = kit.Book(desk.enterprise.key, desk.enterprise.holder, book="office")
    evidence = [{"sha256": "ab" * 32, "media_type": "image/jpeg", "bytes": 5, "role": "photo"}]
    reply = desk.put(office, "reply", {"order": order_id, "action": "counted", "evidence": evidence}, desk.log.clock())
    desk.fold()
    assert desk.life(alert_id).status == "reply_received" and desk.store.order(order_id).status == "waiting"
    _, (judged,) = desk.handler().decide(SESSION, order_id, "accepted")
    assert judged.life.status == "verified" and desk.store.order(order_id).status == "accepted"
    closed = one(desk, alert_id, "closed", outcome="violation_confirmed")
    assert (closed.life.status, closed.life.outcome, closed.life.due_ms) == ("closed", "violation_confirmed", None)
    assert [s.after for s in desk.store.steps(alert_id)] == [
        "open", "acknowledged", "in_hand", "order_issued", "reply_received", "verified", "closed"]  # fmt: skip
    assert desk.store.steps(alert_id)[4].record_id == reply
    assert "Count again." in desk.log.stores.log.disclosures(order_id)[0] or desk.log.stores.log.disclosures(order_id)


def test_act__closing_without_outcome__is_refused_with_what_is_possible(desk):
    with pytest.raises(TransitionError) as refused:
        one(desk, desk.alerts()[0], "closed")
    assert refused.value.code == "outcome-needed" and "acknowledged" in refused.value.possible
    assert not entries(desk, "alert_transition")


@pytest.mark.parametrize(
    ("more", "pointer"),
    [
        ({"outcome": "referred"}, "/referred_to"),
        ({"outcome": "duplicate"}, "/duplicate_of"),
        ({"outcome": "solved"}, "/outcome"),
    ],
)
def test_act__closing_incompletely__names_what_is_missing(desk, more, pointer):
    with pytest.raises(TransitionError) as refused:
        one(desk, desk.alerts()[0], "closed", **more)
    assert refused.value.pointer == pointer


def test_act__closed__nothing_more_is_possible(desk):
    alert_id = desk.alerts()[0]
    one(desk, alert_id, "closed", outcome="false_positive")
    for to in ("open", "acknowledged", "closed", "snoozed"):
        with pytest.raises(TransitionError) as refused:
            one(desk, alert_id, to, outcome="no_violation" if to == "closed" else None)
        assert refused.value.possible == ()


def test_act__seen_turn_is_old__stale(desk):
    alert_id = desk.alerts()[0]
    one(desk, alert_id, "acknowledged")
    (done,) = desk.handler().act(SESSION, [(alert_id, 0)], Act("in_hand"))
    assert isinstance(done.error, StaleError) and done.record_id is None


def test_act__two_tabs_at_once__one_moves_the_alert_the_other_hears_of_it(desk):
    """Both looked before either was folded: both entries are in the log, the first counts."""
    alert_id = desk.alerts()[0]
    desk.desk.unlock("6" * 64, "supervisor", "violet tram under seven bridges")
    slow = desk.handler()
    first: list = []

    class Quicker:
        """Between the look and the append of the second tab the first one acts; no fold in between."""

        def sign_and_append(self, session, drafts, *, confirmed):
            first.extend(desk.desk.sign_and_append("6" * 64, drafts, confirmed=confirmed))
            return desk.desk.sign_and_append(session, drafts, confirmed=confirmed)

    object.__setattr__(slow, "desk", Quicker())
    (done,) = slow.act(SESSION, [(alert_id, 0)], Act("acknowledged"))
    assert done.error.code == "transition-stale" and "in_hand" in done.error.possible
    assert desk.life(alert_id).turn == 1
    steps = desk.store.steps(alert_id)
    assert [(s.after, s.refused) for s in steps] == [("open", ""), ("acknowledged", ""), ("acknowledged", "transition-stale")]
    assert steps[1].record_id == first[0].receipt.record_id


def test_act__many__one_commit_and_an_answer_each(desk):
    one_, other = desk.alerts()
    done = desk.handler().act(SESSION, [(one_, 0), ("f" * 64, 0), (other, 7), (other, 0)], Act("acknowledged"))
    assert [d.error and d.error.code for d in done] == [None, "not-found", "etag-stale", None]
    assert desk.life(one_).status == desk.life(other).status == "acknowledged"


def test_act__closing_many__asks_for_the_password_again_after_a_while(desk):
    wanted = [(alert_id, None) for alert_id in desk.alerts()]
    desk.seconds.now += 301
    with pytest.raises(DeskError) as refused:
        desk.handler().act(SESSION, wanted, Act("closed", outcome="data_error"))
    assert refused.value.code == "confirm-needed"
    desk.unlock()
    assert all(d.life.status == "closed" for d in desk.handler().act(SESSION, wanted, Act("closed", outcome="data_error")))


def test_issue__alerts_of_one_site__one_order_for_all(desk):
    order_id, done = desk.handler().issue(SESSION, [(a, None) for a in desk.alerts()], NewOrder("mend-stock"))
    assert [d.life.status for d in done] == ["order_issued"] * 2
    assert set(desk.store.order(order_id).alerts) == set(desk.alerts())


def test_issue__an_alert_that_cannot_be__nothing_is_issued(desk):
    one_, other = desk.alerts()
    one(desk, other, "closed", outcome="no_violation")
    with pytest.raises(TransitionError):
        desk.handler().issue(SESSION, [(one_, None), (other, None)], NewOrder("mend-stock"))
    assert not entries(desk, "order") and desk.life(one_).status == "open"


def test_decide__rejected__back_under_the_order_and_the_clock_stood_still(desk):
    alert_id = desk.alerts()[0]
    order_id, _ = desk.handler().issue(SESSION, [(alert_id, None)], NewOrder("mend-stock"))
    due_ms = desk.store.order(order_id).due_ms
    office = kit.Book(desk.enterprise.key, desk.enterprise.holder, book="office")
    desk.put(office, "reply", {"order": order_id, "action": "nothing"}, desk.log.clock())
    desk.fold()
    desk.later(5 * HOUR)
    desk.unlock()
    _, (done,) = desk.handler().decide(SESSION, order_id, "rejected", text="Not enough.")
    assert done.life.status == "order_issued"
    assert 5 * HOUR <= desk.store.order(order_id).due_ms - due_ms < 5 * HOUR + 60_000
    assert desk.life(alert_id).due_ms == desk.store.order(order_id).due_ms


def test_decide__extended_and_withdrawn__what_becomes_of_the_alert(desk):
    alert_id = desk.alerts()[0]
    order_id, _ = desk.handler().issue(SESSION, [(alert_id, None)], NewOrder("mend-stock"))
    later = UnixMs(desk.store.order(order_id).due_ms + DAY)
    desk.handler().decide(SESSION, order_id, "extended", due_ms=later)
    assert desk.life(alert_id).due_ms == desk.store.order(order_id).due_ms == later
    with pytest.raises(TransitionError):
        one(desk, alert_id, "in_hand")
    with pytest.raises(TransitionError, match="no reply"):
        desk.handler().decide(SESSION, order_id, "accepted")
    _, (done,) = desk.handler().decide(SESSION, order_id, "withdrawn")
    assert done.life.status == "in_hand" and desk.store.order(order_id).status == "withdrawn"
    with pytest.raises(TransitionError, match="withdrawn"):
        desk.handler().decide(SESSION, order_id, "extended", due_ms=UnixMs(later + DAY))


def test_reply__of_another_enterprise__moves_nothing(desk):
    alert_id = desk.alerts()[0]
    order_id, _ = desk.handler().issue(SESSION, [(alert_id, None)], NewOrder("mend-stock"))
    stranger = desk.log.enterprise(n=2)
    office = kit.Book(stranger.key, stranger.holder, book="office")
    desk.put(office, "reply", {"order": order_id, "action": "done"}, desk.log.clock())
    desk.fold()
    assert desk.life(alert_id).status == "order_issued" and desk.store.order(order_id).status == "open"


def test_deadlines__nobody_looks__overdue_then_escalated(desk):
    alert_id = desk.alerts()[0]
    desk.later(29 * 60_000)
    assert desk.life(alert_id).status == "open"
    desk.later(2 * 60_000)
    assert desk.life(alert_id).status == "overdue"
    desk.later(24 * HOUR)
    assert desk.life(alert_id).status == "escalated" and desk.life(alert_id).stage == "open"
    desk.unlock()
    assert one(desk, alert_id, "in_hand").life.status == "in_hand"


def test_deadlines__handling_rate__both_numbers(desk):
    one_, other = desk.alerts()
    assert desk.store.handling(desk.log.clock()) == (0, 0)
    one(desk, one_, "closed", outcome="no_violation")
    desk.later(25 * HOUR)
    assert desk.store.handling(desk.log.clock()) == (1, 2)
    desk.unlock()
    one(desk, other, "closed", outcome="no_violation")
    assert desk.store.handling(desk.log.clock()) == (1, 2)


def test_snooze__until_then__comes_back_by_itself(desk):
    alert_id = desk.alerts()[0]
    until = format_utc(UnixMs(desk.log.clock() + 2 * DAY))
    assert one(desk, alert_id, "snoozed", reason="waiting", until=until).life.status == "snoozed"
    desk.later(DAY)
    assert desk.life(alert_id).status == "snoozed"
    desk.later(DAY + 60_000)
    assert desk.life(alert_id).status == "open"


@pytest.mark.parametrize(("to", "days", "reason"), [("snoozed", 8, "x"), ("suppressed", 181, "x"), ("suppressed", 8, "silence"), ("snoozed", -1, "x")])  # fmt: skip
def test_rest__too_long_or_past__is_refused(desk, to, days, reason):
    until = format_utc(UnixMs(desk.log.clock() + days * DAY))
    with pytest.raises(TransitionError) as refused:
        one(desk, desk.alerts()[0], to, reason=reason, until=until)
    assert refused.value.code == "until-wrong"


def test_exception__the_same_again__is_recorded_counted_and_down(desk):
    alert_id = desk.alerts()[0]
    until = format_utc(UnixMs(desk.log.clock() + 100 * DAY))
    one(desk, alert_id, "suppressed", reason="known-loss", until=until)
    assert desk.store.handling(UnixMs(desk.log.clock() + 2 * DAY))[1] == 1  # the other one
    one(desk, alert_id, "closed", outcome="no_violation")
    again = comes_back(desk)
    life = desk.life(again)
    assert (life.status, life.stage, life.data["why"], life.handle_due_ms) == ("suppressed", "open", "known-loss", None)
    assert desk.store.status_counts() == {"closed": 1, "open": 1, "suppressed": 1}
    assert len(entries(desk, "alert")) == 3  # suppressed, not dropped
    desk.later(101 * DAY)
    assert desk.life(again).stage == "open" and desk.life(again).status != "suppressed"
    assert desk.life(again).handle_due_ms is not None


def test_exception__alert_taken_out_of_it__ends_it(desk):
    alert_id = desk.alerts()[0]
    until = format_utc(UnixMs(desk.log.clock() + 100 * DAY))
    one(desk, alert_id, "suppressed", reason="known-loss", until=until)
    assert one(desk, alert_id, "open").life.handle_due_ms is not None
    one(desk, alert_id, "closed", outcome="no_violation")
    assert desk.life(comes_back(desk)).status == "open"


def test_recovery__sets_a_flag__closes_nothing(desk):
    alert_id = desk.alerts()[0]
    desk.come(desk.books[0], 500)
    desk.fold()
    assert (desk.life(alert_id).status, desk.life(alert_id).recovered) == ("open", True)
    desk.out(desk.books[0], 600)
    desk.fold()
    assert (desk.life(alert_id).status, desk.life(alert_id).recovered) == ("open", False)
    assert len(desk.alerts()) == 2


def test_closed__while_its_condition_goes_on__is_not_raised_again(desk):
    one(desk, desk.alerts()[0], "closed", outcome="no_violation")
    desk.out(desk.books[0], 1)
    desk.fold()
    assert len(desk.alerts()) == 2


def test_closed__comes_back__is_a_new_alert_linked_to_the_old_one(desk):
    alert_id = desk.alerts()[0]
    one(desk, alert_id, "closed", outcome="violation_confirmed")
    again = comes_back(desk)
    assert desk.life(again).data["regresses"] == alert_id and desk.life(again).status == "open"
    assert entries(desk, "alert")[-1]["body"]["regresses"] == alert_id


def comes_back(desk):
    """The stock is explained, then below nothing again at once: the new alert's id."""
    desk.come(desk.books[0], 500)
    desk.out(desk.books[0], 600)
    desk.fold()
    (again,) = desk.alerts()[2:]
    return again


def test_snooze__a_worse_band__returns_early(desk):
    """A02 near its capacity is low, above it high: a snoozed low one wakes."""
    place = {"sites": [{"site": "S1", "zone": "Asia/Shanghai", "stores": [
        {"id": "R1", "book": "b2", "class": "room", "capacity": {"value": "100", "unit": "KGM"}}]}]}  # fmt: skip
    book = kit.Book(desk.enterprise.key, desk.enterprise.holder, book="b2")
    other = desk.log.enterprise(n=3)
    book.key, book.holder = other.key, other.holder
    office = kit.Book(other.key, other.holder, book="office")
    desk.put(office, "place", place, desk.log.clock())
    at = desk.log.clock()
    counted = {"cut_off": format_utc(UnixMs(at)), "complete": True, "lines": [supervised.line(95)]}
    desk.put(book, "stocktake", counted, at)
    desk.fold()
    (alert_id,) = [a for a in desk.alerts() if desk.store.alert(a).rule == "A02"]
    until = format_utc(UnixMs(desk.log.clock() + 2 * DAY))
    snoozed = one(desk, alert_id, "snoozed", reason="waiting", until=until).life
    assert snoozed.severity == "low"
    desk.come(book, 10)
    desk.fold()
    life = desk.life(alert_id)
    assert (life.status, life.severity, life.turn) == ("open", "high", 2)
    assert life.handle_due_ms < snoozed.handle_due_ms
    (revision,) = [a for _, a in desk.store.alerts(limit=100) if a.extra.get("first_alert") == alert_id]
    assert desk.life(revision.alert_id) == life
    assert desk.handler().act(SESSION, [(revision.alert_id, 2)], Act("acknowledged"))[0].life.status == "acknowledged"


def test_act__unknown_alert__not_found(desk):
    with pytest.raises(NotFoundError):
        one(desk, "0" * 64, "acknowledged")


def test_act__locked_key__signs_nothing(desk):
    desk.desk.lock(SESSION)
    with pytest.raises(DeskError) as refused:
        one(desk, desk.alerts()[0], "acknowledged")
    assert refused.value.code == "key-locked" and not entries(desk, "alert_transition")
