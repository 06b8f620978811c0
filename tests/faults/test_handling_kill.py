"""kill -9 between a supervisor's entry and the engine's table, on the really served program: the step counts once."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from ledger.cli.token import make_token
from ledger.core.submission import SUBMISSION_TYPE
from tests import factories
from tests.served import Served

pytestmark = [pytest.mark.chain, pytest.mark.faults]

POINTS = (
    "append.before-commit",
    "append.after-commit",
    "append.before-answer",
    "engine.before-commit",
    "engine.after-commit",
)


@pytest.fixture(scope="module")
def served(tmp_path_factory):
    orders = tmp_path_factory.mktemp("orders")
    state = tmp_path_factory.mktemp("handled") / "s"
    with Served(state, environment={"HAZLEDGER_FAULTS": str(orders)}) as served:
        served.orders = orders
        here = served.installation()
        served.token = make_token(here, "supervisor", None, 1)
        here.stores.close()
        served.book = served.enterprises(1)[0]
        yield served


def call(served, method, path, body=None, headers=None):
    data = None if body is None else json.dumps(body).encode()
    return served.request(method, path, data, {"Content-Type": "application/json"} | (headers or {}), served.token)


def raise_alert(served) -> str:
    """One more negative book: the id of its alert."""
    from tests.kit import Book

    known = {a["alert_id"] for a in alerts(served)}
    served.n = getattr(served, "n", 0) + 1
    book = Book(served.book.key, served.book.holder, book=f"b{served.n}", origin=served.book.origin)
    for kind, body in (
        ("stocktake", factories.body("stocktake", lines=[factories.line(value="100")])),
        ("movement", factories.body("movement", direction="out", reason="consumption", lines=[factories.line(value="900")])),
    ):
        answer = served.post("/api/v1/records", book.next(kind, body=body, event_time=f"2026-03-03T{10 + (kind == 'movement')}:00:00+08:00"), SUBMISSION_TYPE)
        assert answer[0] == 201, answer
    return served.wait_for(
        lambda: next((a["alert_id"] for a in alerts(served) if a["rule"] == "A01" and a["alert_id"] not in known), None),
        30, "the alert",
    )  # fmt: skip


def alerts(served):
    status, answer = call(served, "GET", "/api/v1/alerts?limit=500")
    assert status == 200, answer
    return answer["alerts"]


def unlock(served):
    """The key, once a password was chosen in place of the one-time code: the same word will do here."""
    portal = served.installation().stores.portal
    portal.save_user(replace(portal.user("supervisor"), must_change=False))
    return served.wait_for(
        lambda: call(served, "POST", "/api/v1/key", {"name": "supervisor", "password": served.code})[0] == 200, 30, "the key"
    )


@pytest.mark.timeout(300)
@pytest.mark.parametrize("point", POINTS)
def test_kill__at_a_point_on_the_way__the_step_is_taken_once_or_can_be_taken_again(served, point):
    alert_id = raise_alert(served)
    unlock(served)
    (served.orders / point).write_text("1")
    try:
        call(served, "POST", f"/api/v1/alerts/{alert_id}/transitions", {"to": "acknowledged"}, {"If-Match": '"0"'})
    except OSError:
        pass
    served.wait_for(lambda: not (served.orders / point).exists(), 30, f"{point} to be passed")
    served.wait_ready()

    def taken():
        """Acknowledged already; else the same step again, as a person would who saw no answer."""
        status, shown = call(served, "GET", f"/api/v1/alerts/{alert_id}")
        if status != 200 or shown["status"] != "open":
            return status == 200 and shown
        unlock(served)
        call(served, "POST", f"/api/v1/alerts/{alert_id}/transitions", {"to": "acknowledged"}, {"If-Match": '"0"'})
        return None

    shown = served.wait_for(taken, 60, "the step")
    moved = [(s["from"], s["to"]) for s in shown["steps"] if not s["refused"]]
    assert moved == [(None, "open"), ("open", "acknowledged")]
    assert (shown["life"]["version"], shown["possible"][0]) == (1, "in_hand")


@pytest.mark.timeout(300)
def test_afterwards__the_audit_folds_it_all_again_and_finds_nothing(served):
    from tests.faults.inspection import hazledger

    def settled():
        status, ready = served.get("/readyz")
        return status == 200 and ready["status"] == "ready"

    served.wait_for(settled, 30, "quiet")
    served.service.stop()
    served.service.start_node()
    try:
        done = hazledger("audit", "--state", served.state, "--rpc", served.service.rpc_url)
    finally:
        served.service.node.stop()
    assert done.returncode == 0, done.stdout + done.stderr
