"""The portal's edges: where a link may lead, headers that no browser sends, guesses sent all at once."""

import threading

import pytest

from tests.webapp.conftest import cheap_argon2, desk  # noqa: F401 - fixtures
from tests.webapp.desk import PASSWORD
from webapp.api.problems import HttpError
from webapp.passwords import new_account
from webapp.portal.signin import queries
from webapp.portal.signin.throttle import FREE_FAILURES

ELSEWHERE = [
    "/\t/[",
    "/[\t]",
    "/\n\\evil.example",
    "/\t\\evil.example",
    "/\r\nSet-Cookie: a=b",
    "/x\u2028y",
    "//[",
    "/\\/evil.example",
]


@pytest.mark.parametrize("path", ELSEWHERE)
def test_next__control_characters_backslashes_brackets__the_first_page_and_no_500(desk, path):  # noqa: F811
    browser = desk.client()
    assert browser.get("/sign-in", query_string={"next": path}).status_code == 200
    answer = browser.get("/language/zh", query_string={"next": path})
    assert (answer.status_code, answer.headers["Location"]) == (302, "/")


def test_sign_in__an_origin_that_is_no_address__refused_and_no_500(desk):  # noqa: F811
    browser = desk.client()
    browser.get("/sign-in")
    form = {"username": "x", "password": "y", "csrf": "0" * 64}
    assert browser.post("/sign-in", data=form, headers={"Origin": "http://["}).status_code == 400


@pytest.mark.parametrize("last", ["9" * 17, "0" * 20 + "9" * 30, "1" * 5000])
def test_stream__an_event_id_of_too_many_digits__400(desk, last):  # noqa: F811
    answer = desk.client().get("/api/v1/stream", headers=desk.bearer("supervisor") | {"Last-Event-ID": last})
    assert answer.status_code == 400


def test_sign_in__guesses_sent_all_at_once__each_counts(desk, monkeypatch):  # noqa: F811
    account, _ = new_account("supervisor")
    desk.stores.portal.save_user(account)
    together = threading.Barrier(8)
    monkeypatch.setattr(queries, "password_matches", lambda _stored, _password: False)

    def guess():
        with desk.app.test_request_context("/sign-in", environ_base={"REMOTE_ADDR": "203.0.113.9"}):
            together.wait(10)
            try:
                queries.authenticate("supervisor", PASSWORD)
            except HttpError:
                refused.append(1)

    refused: list[int] = []
    threads = [threading.Thread(target=guess) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(refused) == 8 - FREE_FAILURES
