"""What a supervisor does over HTTP: the key, steps with If-Match, many at once, orders, decisions, the handling rate."""

import functools
import json

import pytest

from ledger.core.times import format_utc
from ledger.handling import Handler
from ledger.model import UnixMs
from ledger.ports import User
from tests.supervised import DAY, NAME, PASSWORD, Supervised
from tests.webapp.desk import Desk
from webapp import desk as web_desk
from webapp.passwords import hash_password


class Acting:
    """A desk with an engine, two alerts, and a supervisor's token whose key is unlocked."""

    def __init__(self, tmp_path, monkeypatch, *, unlocked=True):
        self.desk = Desk(tmp_path)
        self.supervised = Supervised(tmp_path, books=2, log=self.desk.log)
        object.__setattr__(self.desk.services, "desk", self.supervised.desk)
        monkeypatch.setattr(web_desk, "Handler", functools.partial(Handler, sleep=lambda _: self.supervised.fold()))
        self.headers = self.desk.bearer("supervisor")
        self.one, self.other = self.supervised.alerts()
        if unlocked:
            assert self.post("/api/v1/key", {"name": NAME, "password": PASSWORD}).status_code == 200

    def get(self, path, headers=None):
        return self.desk.client().get(path, headers=headers or self.headers)

    def post(self, path, body, headers=None, match=None):
        more = {"If-Match": match} if match else {}
        return self.desk.client().post(
            path, data=json.dumps(body), content_type="application/json", headers=(headers or self.headers) | more
        )

    def step(self, alert_id, body, match='"0"'):
        return self.post(f"/api/v1/alerts/{alert_id}/transitions", body, match=match)


@pytest.fixture
def acting(tmp_path, monkeypatch):
    made = Acting(tmp_path, monkeypatch)
    yield made
    made.desk.close()


def code(answer):
    assert answer.content_type == "application/problem+json", answer.get_data(as_text=True)
    return answer.status_code, answer.get_json()["type"].removeprefix("urn:hazledger:")


def test_alert__one__where_it_stands_what_is_possible_what_happened(acting):
    answer = acting.get(f"/api/v1/alerts/{acting.one}")
    shown = answer.get_json()
    assert answer.headers["ETag"] == '"0"'
    assert (shown["status"], shown["life"]["stage"], shown["life"]["version"]) == ("open", "open", 0)
    assert shown["possible"][0] == "acknowledged"
    assert [(s["from"], s["to"]) for s in shown["steps"]] == [(None, "open")]


def test_transition__with_the_etag_that_was_seen__moves_and_gives_the_next(acting):
    answer = acting.step(acting.one, {"to": "acknowledged"})
    assert answer.status_code == 201 and answer.headers["ETag"] == '"1"'
    assert answer.get_json()["life"]["status"] == "acknowledged"
    assert acting.get(f"/api/v1/alerts/{acting.one}").headers["ETag"] == '"1"'
    record = acting.get(f"/api/v1/records/{answer.get_json()['record_id']}").get_json()
    assert record["kind"] == "alert_transition"


def test_transition__without_if_match__428(acting):
    assert code(acting.step(acting.one, {"to": "acknowledged"}, match=None)) == (428, "etag-needed")


@pytest.mark.parametrize("match", ['"7"', "*", 'W/"0"', "0", '"0", "1"'])
def test_transition__another_etag__412(acting, match):
    assert code(acting.step(acting.one, {"to": "acknowledged"}, match=match)) == (412, "etag-stale")


def test_transition__two_tabs__the_second_hears_412(acting):
    assert acting.step(acting.one, {"to": "acknowledged"}).status_code == 201
    assert code(acting.step(acting.one, {"to": "closed", "outcome": "no_violation"})) == (412, "etag-stale")


def test_transition__not_possible__409_with_what_is(acting):
    answer = acting.step(acting.one, {"to": "verified"})
    assert code(answer) == (409, "transition-refused")
    assert "acknowledged" in answer.get_json()["possible"]


def test_transition__closed_without_outcome__409_names_it(acting):
    answer = acting.step(acting.one, {"to": "closed"})
    assert code(answer) == (409, "outcome-needed") and answer.get_json()["pointer"] == "/outcome"


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({}, "/to"),
        ({"to": "done"}, "/to"),
        ({"to": "closed", "outcome": "fine"}, "/outcome"),
        ({"to": "acknowledged", "why": "x"}, "/why"),
        ({"to": "snoozed", "reason": "Two words", "until": "2027-01-01T00:00:00Z"}, "/reason"),
        ({"to": "snoozed", "reason": "x", "until": "tomorrow"}, "/until"),
        ({"to": "snoozed", "reason": "x", "until": "2026-02-30T00:00:00Z"}, "/until"),
        ({"to": "closed", "outcome": "duplicate", "duplicate_of": "A"}, "/duplicate_of"),
        ({"to": "verified", "evidence": "photo"}, "/evidence"),
    ],
)
def test_transition__body_out_of_form__400_with_its_place(acting, body, pointer):
    answer = acting.step(acting.one, body)
    assert code(answer) == (400, "bad-request") and answer.get_json()["pointer"] == pointer


def test_transition__evidence_that_no_record_may_hold__422(acting):
    assert acting.step(acting.one, {"to": "acknowledged", "evidence": [{"sha256": "x"}]}).status_code == 422


@pytest.mark.parametrize("alert_id", ["0" * 64, "x"])
def test_transition__unknown_alert__404(acting, alert_id):
    assert code(acting.step(alert_id, {"to": "acknowledged"})) == (404, "not-found")


def test_key__locked__403_and_nothing_is_signed(tmp_path, monkeypatch):
    acting = Acting(tmp_path, monkeypatch, unlocked=False)
    size = acting.desk.stores.log.size()
    assert code(acting.step(acting.one, {"to": "acknowledged"})) == (403, "key-locked")
    assert code(acting.post("/api/v1/key", {"name": NAME, "password": "wrong"})) == (403, "key-wrong-password")
    assert code(acting.post("/api/v1/key", {"name": "nobody", "password": PASSWORD})) == (403, "no-supervisor-key")
    assert acting.desk.stores.log.size() == size
    acting.desk.close()


def test_key__unlocked_by_one_token__is_not_by_another(acting):
    stranger = acting.desk.bearer("supervisor")
    answer = acting.post(
        f"/api/v1/alerts/{acting.one}/transitions", {"to": "acknowledged"}, headers=stranger, match='"0"'
    )
    assert code(answer) == (403, "key-locked")


def test_key__guessed__must_wait(tmp_path, monkeypatch):
    acting = Acting(tmp_path, monkeypatch, unlocked=False)
    answers = [code(acting.post("/api/v1/key", {"name": NAME, "password": f"guess {n}"})) for n in range(7)]
    assert answers[0] == (403, "key-wrong-password") and answers[-1] == (429, "too-many-requests")
    acting.desk.close()


def test_key__deleted__is_locked(acting):
    assert acting.desk.client().delete("/api/v1/key", headers=acting.headers).status_code == 204
    assert code(acting.step(acting.one, {"to": "acknowledged"})) == (403, "key-locked")


def test_key__idle_for_a_quarter_of_an_hour__is_wiped(acting):
    acting.supervised.seconds.now += 14 * 60
    assert acting.step(acting.one, {"to": "acknowledged"}).status_code == 201
    acting.supervised.seconds.now += 15 * 60
    assert code(acting.step(acting.one, {"to": "in_hand"}, match='"1"')) == (403, "key-locked")


@pytest.mark.parametrize("role", ["auditor", "enterprise", None])
@pytest.mark.parametrize("path", ["/api/v1/key", "/api/v1/alerts:act", "/api/v1/orders", f"/api/v1/alerts/{'0' * 64}/transitions"])
def test_acts__other_roles__refused(acting, role, path):
    holder = acting.desk.acid.holder if role == "enterprise" else None
    headers = acting.desk.bearer(role, holder) if role else {"X-Nobody": "1"}
    assert acting.post(path, {}, headers=headers).status_code == (403 if role else 401)


def test_many__frozen_list__an_answer_each(acting):
    body = {"to": "acknowledged", "alerts": [
        {"alert_id": acting.one, "version": 0}, {"alert_id": acting.other, "version": 3}, {"alert_id": "0" * 64, "version": 0}]}  # fmt: skip
    results = acting.post("/api/v1/alerts:act", body).get_json()["results"]
    assert [r["status"] for r in results] == [201, 412, 404]
    assert [r["alert_id"] for r in results] == [acting.one, acting.other, "0" * 64]
    assert results[0]["life"]["status"] == "acknowledged"


@pytest.mark.parametrize("alerts", [[], "all", [{"alert_id": "0" * 64}], [{"alert_id": "x", "version": 0}], [{"alert_id": "0" * 64, "version": 0}] * 65])
def test_many__list_out_of_form__400(acting, alerts):
    assert code(acting.post("/api/v1/alerts:act", {"to": "acknowledged", "alerts": alerts})) == (400, "bad-request")


def test_many__closed_long_after_the_password__403(acting):
    acting.supervised.seconds.now += 6 * 60
    alerts = [{"alert_id": a, "version": 0} for a in (acting.one, acting.other)]
    answer = acting.post("/api/v1/alerts:act", {"to": "closed", "outcome": "data_error", "alerts": alerts})
    assert code(answer) == (403, "confirm-needed")


def test_order__issued_seen_answered_and_judged(acting):
    body = {"alerts": [{"alert_id": acting.one, "version": 0}], "measure": "mend-stock", "text": "Count again"}
    answer = acting.post("/api/v1/orders", body)
    assert answer.status_code == 201, answer.get_data(as_text=True)
    order_id = answer.get_json()["record_id"]
    holder = acting.supervised.enterprise.holder
    own = acting.get("/api/v1/orders", acting.desk.bearer("enterprise", holder)).get_json()["orders"]
    assert [(o["record_id"], o["status"], o["alerts"]) for o in own] == [(order_id, "open", [acting.one])]
    assert acting.get("/api/v1/orders", acting.desk.bearer("enterprise", acting.desk.acid.holder)).get_json() == {"orders": []}
    refused = acting.post(f"/api/v1/orders/{order_id}/decisions", {"decision": "accepted"})
    assert code(refused) == (409, "transition-refused")
    later = format_utc(UnixMs(own[0]["due_ms"] + DAY))
    extended = acting.post(f"/api/v1/orders/{order_id}/decisions", {"decision": "extended", "due": later})
    assert extended.status_code == 201
    withdrawn = acting.post(f"/api/v1/orders/{order_id}/decisions", {"decision": "withdrawn"}).get_json()
    assert withdrawn["results"][0]["life"]["status"] == "in_hand"
    assert acting.get("/api/v1/orders").get_json() == {"orders": []}


@pytest.mark.parametrize("due", ["0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00", "3000-01-01T00:00:00Z"])
def test_order__due_in_a_year_that_no_record_can_name__400(acting, due):
    body = {"alerts": [{"alert_id": acting.one, "version": 0}], "measure": "mend-stock", "due": due}
    answer = acting.post("/api/v1/orders", body)
    assert code(answer) == (400, "bad-request") and answer.get_json()["pointer"] == "/due"


def test_order__alerts_of_two_sites__409(acting):
    stranger = acting.desk.log.enterprise(n=77)
    book = acting.supervised.negative("b9")
    book.key, book.holder = stranger.key, stranger.holder
    book.seq, book.prev = 0, None
    acting.supervised.put(book, "stocktake", {"cut_off": format_utc(UnixMs(acting.desk.log.clock())), "complete": True,
                                              "lines": []}, acting.desk.log.clock())  # fmt: skip
    acting.supervised.out(book, 10)
    acting.supervised.fold()
    alerts = [{"alert_id": a, "version": 0} for a in (acting.one, acting.supervised.alerts()[-1])]
    answer = acting.post("/api/v1/orders", {"alerts": alerts, "measure": "mend-stock"})
    assert code(answer) == (409, "transition-refused") and "one enterprise" in answer.get_json()["note"]


def test_decision__unknown_order__404(acting):
    for order_id in ("0" * 64, "x"):
        assert code(acting.post(f"/api/v1/orders/{order_id}/decisions", {"decision": "accepted"})) == (404, "not-found")


def test_alerts__by_status_and_severity__only_those(acting):
    acting.step(acting.one, {"to": "acknowledged"})
    for query, wanted in (
        ("status=open", [acting.other]),
        ("status=acknowledged,closed", [acting.one]),
        ("status=closed", []),
        ("severity=critical", [acting.one, acting.other]),
        ("severity=low,info", []),
    ):
        found = acting.get(f"/api/v1/alerts?{query}").get_json()["alerts"]
        assert [a["alert_id"] for a in found] == wanted, query
    for query in ("status=done", "severity=urgent", "status="):
        assert code(acting.get(f"/api/v1/alerts?{query}")) == (400, "bad-parameter")


def test_handling__both_numbers_and_where_all_stand(acting):
    acting.step(acting.one, {"to": "closed", "outcome": "no_violation"})
    acting.desk.clock.forward(2 * DAY)
    answer = acting.get("/api/v1/handling", acting.desk.bearer("supervisor")).get_json()
    assert (answer["handled"], answer["due"], answer["statuses"]) == (1, 2, {"closed": 1, "open": 1})


def test_acts__are_in_the_access_log(acting):
    acting.step(acting.one, {"to": "acknowledged"})
    acts = [(row[3], row[4]) for row in acting.desk.stores.portal.access_log(after=0, limit=100)]
    assert ("key-unlocked", NAME) in acts and ("alert-acknowledged", acting.one) in acts


def test_engine_behind__202_and_the_entry_is_durable(acting, monkeypatch):
    monkeypatch.setattr(web_desk, "Handler", functools.partial(Handler, sleep=lambda _: None))
    answer = acting.step(acting.one, {"to": "acknowledged"})
    assert answer.status_code == 202 and answer.get_json()["life"] is None
    assert acting.desk.stores.log.record_by_id(answer.get_json()["record_id"]) is not None


def test_key__one_time_code__403_until_a_password_was_chosen(tmp_path, monkeypatch):
    acting = Acting(tmp_path, monkeypatch, unlocked=False)
    portal = acting.desk.stores.portal
    portal.save_user(User(NAME, hash_password(PASSWORD), must_change=True))
    assert code(acting.post("/api/v1/key", {"name": NAME, "password": PASSWORD})) == (403, "one-time-code")
    assert code(acting.step(acting.one, {"to": "acknowledged"})) == (403, "key-locked")
    portal.save_user(User(NAME, hash_password(PASSWORD), must_change=False))
    assert acting.post("/api/v1/key", {"name": NAME, "password": PASSWORD}).status_code == 200
    acting.desk.close()
