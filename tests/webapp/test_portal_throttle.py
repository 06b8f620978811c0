"""Sign-in that fails: waits by account, address and known device, in every worker and over restarts."""

from dataclasses import replace

import pytest

from tests.webapp.desk import PASSWORD, form_token, sign_in
from webapp.passwords import (
    hash_password,
    password_matches,
)
from webapp.portal.signin import throttle

MINUTE = 60_000



def test_sign_in__wrong_password__401_and_the_same_words_as_for_no_account(desk, code):
    browser = desk.client()
    wrong = sign_in(browser, "supervisor", "wrong")
    nobody = sign_in(browser, "nobody", "wrong")
    assert wrong.status_code == nobody.status_code == 401
    assert 'value="supervisor"' in wrong.text and 'value="nobody"' in nobody.text
    assert "Hunter" not in sign_in(browser, "My Hunter2!", "wrong").text
    for answer in (wrong, nobody):
        assert "用户名或密码错误" in answer.get_data(as_text=True)


@pytest.mark.parametrize("name", ["supervisor", "nobody"])
def test_sign_in__five_failures__then_429_that_says_how_long_even_for_the_right_password(desk, code, name):
    browser = desk.client()
    browser.set_cookie("hz_lang", "en")
    for _ in range(throttle.FREE_FAILURES):
        assert sign_in(browser, name, "wrong").status_code == 401
    refused = sign_in(browser, name, code)
    assert refused.status_code == 429
    assert refused.headers["Retry-After"] == "30"
    assert "Wait 30 seconds" in refused.get_data(as_text=True)


def test_sign_in__after_the_wait__opens_and_the_count_begins_anew(desk, code):
    browser = desk.client()
    for _ in range(throttle.FREE_FAILURES):
        sign_in(browser, "supervisor", "wrong")
    desk.clock.forward(30_000 - 1)
    assert sign_in(browser, "supervisor", code).status_code == 429
    desk.clock.forward(1)
    assert sign_in(browser, "supervisor", code).status_code == 302
    for _ in range(throttle.FREE_FAILURES):
        assert sign_in(desk.client(), "supervisor", "wrong").status_code == 401


def test_sign_in__lock__holds_in_another_worker(desk, code, tmp_path_factory):
    from webapp import create_app

    browser = desk.client()
    for _ in range(throttle.FREE_FAILURES):
        sign_in(browser, "supervisor", "wrong")
    another = create_app(desk.services).test_client()
    assert sign_in(another, "supervisor", code).status_code == 429


def test_sign_in__lock__holds_after_a_restart(desk, code, tmp_path):
    browser = desk.client()
    for _ in range(throttle.FREE_FAILURES):
        sign_in(browser, "supervisor", "wrong")
    from ledger.adapters.store import open_stores
    from webapp import create_app

    stores = open_stores("sqlite", tmp_path)
    again = create_app(replace(desk.services, portal=stores.portal)).test_client()
    assert sign_in(again, "supervisor", code).status_code == 429
    stores.close()


def test_wait__doubles__to_a_quarter_of_an_hour_at_most():
    waits = [throttle.wait_after(n) // 1000 for n in range(4, 14)]
    assert waits == [0, 30, 60, 120, 240, 480, 900, 900, 900, 900]
    assert throttle.wait_after(10**6) == throttle.LONGEST_WAIT_MS


def test_sign_in__many_names_from_one_address__the_address_waits(desk, code):
    for n in range(throttle.FREE_FAILURES):
        assert sign_in(desk.client(), f"name{n}", "wrong").status_code == 401
    assert sign_in(desk.client(), "supervisor", code).status_code == 429


STRANGER = {"REMOTE_ADDR": "203.0.113.9"}


def left(browser):
    """The browser after its session's end: what stays is the device's cookie."""
    browser.delete_cookie("hz_session")
    return browser


def guess(desk, address=STRANGER, name="supervisor"):
    browser = desk.client()
    token = form_token(browser.get("/sign-in", environ_overrides=address))
    data = {"csrf": token, "username": name, "password": "wrong"}
    return browser.post("/sign-in", data=data, environ_overrides=address).status_code


def test_sign_in__a_stranger_who_never_stops__locks_himself_out_and_not_the_supervisor(desk, code):
    for _ in range(throttle.FREE_FAILURES):
        assert guess(desk) == 401
    assert guess(desk) == 429
    for _ in range(40):
        desk.clock.forward(throttle.LONGEST_WAIT_MS)
        assert guess(desk) == 401
        assert guess(desk) == 429
    assert sign_in(desk.client(), "supervisor", code).status_code == 302


def test_sign_in__a_stranger_at_the_same_address__does_not_lock_out_a_known_device(desk):
    browser = left(desk.supervisor())
    for _ in range(throttle.FREE_FAILURES + 1):
        stranger = sign_in(desk.client(), "supervisor", "wrong")
    assert stranger.status_code == 429
    assert sign_in(browser, "supervisor", PASSWORD).status_code == 302
    assert sign_in(desk.client(), "supervisor", PASSWORD).status_code == 429


def test_sign_in__known_device__has_a_budget_of_its_own_and_not_a_free_one(desk):
    browser = left(desk.supervisor())
    for _ in range(throttle.FREE_FAILURES):
        assert sign_in(browser, "supervisor", "wrong").status_code == 401
    assert sign_in(browser, "supervisor", PASSWORD).status_code == 429
    assert sign_in(desk.client(), "supervisor", PASSWORD).status_code == 302, "its address is another client"


@pytest.mark.parametrize("forged", ["", "A" * 22 + "." + "0" * 64, "A" * 87, "."])
def test_device_cookie__forged__is_no_known_device(desk, code, forged):
    browser = desk.client()
    for _ in range(throttle.FREE_FAILURES):
        browser.set_cookie(throttle.DEVICE_COOKIE, forged, path="/sign-in")
        assert sign_in(browser, "supervisor", "wrong").status_code == 401
    browser.set_cookie(throttle.DEVICE_COOKIE, forged, path="/sign-in")
    assert sign_in(browser, "supervisor", code).status_code == 429


def test_device_cookie__of_one_account__is_none_for_another_name(desk):
    browser = left(desk.supervisor())
    for n in range(throttle.FREE_FAILURES):
        assert sign_in(browser, "deputy", "wrong").status_code == 401
    assert sign_in(browser, "deputy", "wrong").status_code == 429
    assert sign_in(desk.client(), "deputy", "wrong").status_code == 429, "counted at the address"


def test_device_cookie__is_httponly_strict_and_sent_to_the_sign_in_page_alone(desk, code):
    answer = sign_in(desk.client(), "supervisor", code)
    (cookie,) = [c for c in answer.headers.getlist("Set-Cookie") if c.startswith("hz_device=")]
    for part in ("HttpOnly", "SameSite=Strict", "Path=/sign-in", "Max-Age=31536000"):
        assert part in cookie
    refused = sign_in(desk.client(), "supervisor", "wrong")
    assert not [c for c in refused.headers.getlist("Set-Cookie") if c.startswith("hz_device=")]


def test_address_key__ipv6__is_its_network():
    assert throttle.address_key("2001:db8::1") == throttle.address_key("2001:db8::2") != throttle.address_key("2001:db8:1::")
    assert throttle.address_key("10.0.0.1") != throttle.address_key("10.0.0.2")
    assert throttle.address_key(None) == throttle.address_key("nonsense")


def test_password_changed_meanwhile__an_old_sign_in_does_not_put_it_back(desk, code, monkeypatch):
    from webapp.portal.signin import queries

    def slow_match(stored, password):
        user = desk.stores.portal.user("supervisor")
        desk.stores.portal.save_user(replace(user, password_hash=hash_password("changed meanwhile"), must_change=False))
        return True

    monkeypatch.setattr(queries, "password_matches", slow_match)
    assert sign_in(desk.client(), "supervisor", code).status_code == 401
    assert password_matches(desk.stores.portal.user("supervisor").password_hash, "changed meanwhile")
