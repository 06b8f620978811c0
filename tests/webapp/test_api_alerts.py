"""The list of alerts and the live stream."""

import json
import threading
import time

import pytest

from ledger.errors import StoreError
from tests.webapp.desk import Desk
from webapp import stream
from webapp.api.problems import HttpError
from webapp.stream import AlertHub


def get(desk, path):
    return desk.client().get(path, headers=desk.bearer("supervisor"))


def test_alerts__pages__follow_the_cursor_to_the_end(desk):
    made = [desk.alert().alert_id for _ in range(5)]
    seen, after = [], 0
    while page := get(desk, f"/api/v1/alerts?after={after}&limit=2").get_json():
        seen += [a["alert_id"] for a in page["alerts"]]
        if not page["alerts"]:
            break
        after = page["next"]
    assert seen == made
    assert get(desk, f"/api/v1/alerts?after={after}").get_json() == {"alerts": [], "next": after}


def test_alerts__by_holder_and_rule__only_those(desk):
    desk.alert(rule="A01")
    desk.alert(rule="C01", holder=desk.other.holder)
    for query in (f"holder={desk.other.holder}", "rule=C01"):
        assert [a["rule"] for a in get(desk, f"/api/v1/alerts?{query}").get_json()["alerts"]] == ["C01"]


def test_alerts__an_alert__says_why_in_both_languages(desk):
    desk.alert()
    (alert,) = get(desk, "/api/v1/alerts").get_json()["alerts"]
    assert set(alert["reason"]) == {"zh", "en"}
    assert alert["inputs"] == {"balance_mg": -5, "index": 1}


@pytest.mark.parametrize("query", ["after=-1", "after=x", "limit=0x10", "limit=501", "after=9007199254740993", "sort=1", "after=%C2%B2"])
def test_alerts__wrong_parameter__400(desk, query):
    answer = get(desk, f"/api/v1/alerts?{query}")
    assert (answer.status_code, answer.get_json()["type"]) == (400, "urn:hazledger:bad-parameter")


# --- the stream


class Listener:
    """Reads a stream's events in a thread, as a browser does."""

    def __init__(self, events):
        self.source, self.events = events, []
        self.thread = threading.Thread(target=self._read, daemon=True)
        self.thread.start()

    def _read(self):
        for chunk in self.source:
            fields = dict(line.split(": ", 1) for line in chunk.decode().strip().splitlines() if not line.startswith(":"))
            self.events.append(fields)

    def wait_for(self, kind, count=1, seconds=5):
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            found = [e for e in list(self.events) if e.get("event") == kind]
            if len(found) >= count:
                return found
            time.sleep(0.01)
        raise AssertionError(f"no {count} {kind} in {self.events}")

    def close(self, hub):
        hub.close()
        self.thread.join(5)
        assert not self.thread.is_alive()


@pytest.fixture
def hub(desk):
    made = AlertHub(desk.services)
    yield made
    made.close()


def test_stream__new_alert__comes_with_its_sequence_as_id(desk, hub):
    desk.alert()
    listener = Listener(hub.listen(10**15, lambda: True))
    listener.wait_for("heartbeat")
    alert = desk.alert()
    (event,) = listener.wait_for("alert")
    assert json.loads(event["data"])["alert_id"] == alert.alert_id
    assert int(event["id"]) == json.loads(event["data"])["seq"] == 2
    listener.close(hub)


def test_stream__resumed__everything_after_the_last_id_once_and_in_order(desk, hub):
    for _ in range(5):
        desk.alert()
    listener = Listener(hub.listen(2, lambda: True))
    listener.wait_for("alert", 3)
    desk.alert()
    assert [e["id"] for e in listener.wait_for("alert", 4)] == ["3", "4", "5", "6"]
    listener.close(hub)


def test_stream__several_listeners__one_reader_and_each_gets_all(desk, hub):
    listeners = [Listener(hub.listen(0, lambda: True)) for _ in range(4)]
    for one in listeners:
        one.wait_for("heartbeat")
    assert sum(t.name == "alert-reader" for t in threading.enumerate()) == 1
    for _ in range(3):
        desk.alert()
    for one in listeners:
        assert [e["id"] for e in one.wait_for("alert", 3)] == ["1", "2", "3"]
    hub.close()
    for one in listeners:
        one.thread.join(5)


def test_stream__more_than_a_tail_behind__reads_the_store(desk, hub, monkeypatch):
    monkeypatch.setattr(stream, "CATCH_UP_AT_ONCE", 2)
    for _ in range(9):
        desk.alert()
    early = Listener(hub.listen(9, lambda: True))
    early.wait_for("heartbeat")
    late = Listener(hub.listen(0, lambda: True))
    assert [e["id"] for e in late.wait_for("alert", 9)] == [str(n) for n in range(1, 10)]
    late.close(hub)


def test_stream__a_number_from_the_future__does_not_deafen_the_others(desk, hub):
    desk.alert()
    first = Listener(hub.listen(10**12, lambda: True))
    first.wait_for("heartbeat")
    desk.alert()
    first.wait_for("alert")
    first.close(hub)


def test_stream__session_or_token_ended__says_so_and_stops(desk, hub):
    listener = Listener(hub.listen(0, lambda: False))
    listener.wait_for("signed-out")
    listener.thread.join(5)
    assert not listener.thread.is_alive()


def test_stream__full_worker__503_and_a_seat_given_back_is_free(tmp_path):
    desk = Desk(tmp_path, max_streams=1)
    hub = AlertHub(desk.services)
    first = hub.listen(0, lambda: True)
    with pytest.raises(HttpError) as refused:
        hub.listen(0, lambda: True)
    assert refused.value.code == "too-many-streams"
    first.close()
    first.close()
    second = hub.listen(0, lambda: True)
    with pytest.raises(HttpError):
        hub.listen(0, lambda: True)
    second.close()
    hub.close()
    desk.close()


class FailingEngine:
    """The engine's reader, out of order while `broken`."""

    def __init__(self, real):
        self.real, self.broken = real, False

    def __getattr__(self, name):
        def call(*args, **kwargs):
            if self.broken:
                raise StoreError("gone")
            return getattr(self.real, name)(*args, **kwargs)

        return call


def test_stream__store_gone__heartbeats_stop_and_return_with_the_store(tmp_path, monkeypatch):
    monkeypatch.setattr(stream, "HEARTBEAT_S", 0.1)
    monkeypatch.setattr(stream, "BACK_OFF_S", 0.05)
    desk = Desk(tmp_path)
    engine = FailingEngine(desk.stores.engine)
    from dataclasses import replace

    services = replace(desk.services, engine=engine, clock=lambda: int(time.time() * 1000))
    hub = AlertHub(services)
    listener = Listener(hub.listen(0, lambda: True))
    listener.wait_for("heartbeat", 2)
    engine.broken = True
    time.sleep(0.4)
    before = len(listener.events)
    beats = len(listener.wait_for("heartbeat"))
    time.sleep(0.4)
    assert len(listener.wait_for("heartbeat")) == beats
    assert len(listener.events) > before, "the comment must still probe the client"
    engine.broken = False
    desk.alert()
    listener.wait_for("alert")
    listener.wait_for("heartbeat", beats + 1)
    listener.close(hub)
    desk.close()


def test_stream__over_http__event_stream_that_no_proxy_may_hold(desk):
    answer = get(desk, "/api/v1/stream")
    assert answer.status_code == 200
    assert answer.content_type.startswith("text/event-stream")
    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.headers["X-Accel-Buffering"] == "no"
    assert next(answer.iter_encoded()) == b"retry: 2000\n\n"
    answer.close()


def test_stream__wrong_last_event_id__400(desk):
    answer = desk.client().get("/api/v1/stream", headers=desk.bearer("supervisor") | {"Last-Event-ID": "abc"})
    assert answer.status_code == 400


def test_stream__revoked_token__ends_the_open_stream(desk, monkeypatch):
    monkeypatch.setattr(stream, "HEARTBEAT_S", 0.1)
    answer = get(desk, "/api/v1/stream")
    listener = Listener(answer.iter_encoded())
    listener.wait_for("heartbeat")
    (row,) = desk.stores.portal.tokens()
    desk.stores.portal.revoke_token(row.token_id, desk.clock())
    listener.wait_for("signed-out")


def test_stream__by_session__needs_no_token_and_ends_with_the_session(desk, monkeypatch):
    monkeypatch.setattr(stream, "HEARTBEAT_S", 0.1)
    browser = desk.supervisor()
    listener = Listener(browser.get("/api/v1/stream").iter_encoded())
    listener.wait_for("heartbeat")
    # Idle for longer than a person may be to act: watching goes on, because a warning must still be seen.
    desk.clock.forward(20 * 60 * 1000)
    listener.wait_for("heartbeat", 3)
    desk.stores.portal.revoke_sessions_of("supervisor")
    listener.wait_for("signed-out")
