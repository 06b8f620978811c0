"""Sign-in: forced first password, sessions, CSRF."""


import pytest

from tests.webapp.conftest import REAL_DUMMY_HASH, REAL_HASHER
from tests.webapp.desk import PASSWORD, Desk, choose_password, form_token, sign_in
from webapp.auth import IDLE_MS, LIFETIME_MS
from webapp.passwords import (
    MIN_LENGTH,
    common_passwords,
    new_account,
    password_matches,
    weakness_of,
)
from webapp.portal.signin import throttle
from webapp.portal.signin.queries import is_local
from webapp.security import hash_secret

MINUTE = 60_000
PAGES = ["/", "/records", "/alerts", "/enterprises", "/trust", "/trust/access", "/sessions", "/search?q=x", "/trust/trust.json"]


def cookie_of(browser):
    return browser.get_cookie("hz_session")


# --- the first sign-in


def test_first_sign_in__with_the_one_time_code__opens_nothing_but_the_password_page(desk, code):
    browser = desk.client()
    assert sign_in(browser, "supervisor", code).headers["Location"] == "/password"
    for page in PAGES:
        assert browser.get(page).headers["Location"] == "/password", page
    assert browser.get("/api/v1/alerts").status_code == 401
    assert browser.get("/password").status_code == 200


def test_first_sign_in__new_password_chosen__opens_all_and_the_code_is_dead(desk, code):
    browser = desk.client()
    sign_in(browser, "supervisor", code)
    before = cookie_of(browser).value
    assert choose_password(browser, code, PASSWORD).headers["Location"] == "/"
    assert cookie_of(browser).value != before, "the session is rotated"
    for page in PAGES:
        assert browser.get(page).status_code == 200, page
    assert sign_in(desk.client(), "supervisor", code).status_code == 401
    assert sign_in(desk.client(), "supervisor", PASSWORD).status_code == 302


FORMS = {
    "small": str.lower,
    "without dashes": lambda code: code.replace("-", ""),
    "small, with blanks": lambda code: f" {code.lower().replace('-', ' ')} ",
    "a word processor's dashes": lambda code: code.replace("-", "\u2013"),
    "full width": lambda code: "".join(chr(ord(sign) + 0xFEE0) for sign in code),
}


class KeyDesk:
    """Notes with what the supervisor's key would be opened and put under a new password."""

    def __init__(self):
        self.unlocked, self.rekeyed = [], []

    def unlock(self, session, name, password):
        self.unlocked.append(password)

    def rekey(self, name, old, new):
        self.rekeyed.append((old, new))

    def lock(self, session): ...

    def touch(self, session):
        return True


@pytest.mark.parametrize("form", FORMS)
def test_one_time_code__typed_in_another_form__opens_and_so_does_the_key(tmp_path, form):
    keys = KeyDesk()
    desk = Desk(tmp_path, desk=keys)
    account, code = new_account("supervisor")
    desk.stores.portal.save_user(account)
    typed, browser = FORMS[form](code), desk.client()
    assert sign_in(browser, "supervisor", typed).headers["Location"] == "/password"
    assert choose_password(browser, typed, PASSWORD).headers["Location"] == "/"
    assert keys.unlocked == [code, PASSWORD] and keys.rekeyed == [(code, PASSWORD)]
    desk.close()


@pytest.mark.parametrize("bend", [lambda c: c[:-1], lambda c: c + "A", lambda c: c[:-1] + "0", lambda c: "", lambda c: c[::-1]])
def test_one_time_code__not_the_code__opens_nothing(desk, code, bend):
    assert sign_in(desk.client(), "supervisor", bend(code)).status_code == 401


def test_password__that_looks_like_a_code__is_taken_as_it_is_typed(desk, code):
    browser, password = desk.client(), "bettermetervesselkey"
    sign_in(browser, "supervisor", code)
    choose_password(browser, code, password)
    assert sign_in(desk.client(), "supervisor", password).status_code == 302
    assert sign_in(desk.client(), "supervisor", password.upper()).status_code == 401


def test_new_password__the_code_in_another_form__refused(desk, code):
    browser = desk.client()
    sign_in(browser, "supervisor", code)
    assert choose_password(browser, code, code.lower()).status_code == 422


def test_argon2id__real_cost__is_at_least_what_rfc_9106_recommends_for_little_memory():
    from argon2 import Type

    assert REAL_HASHER.type is Type.ID
    assert REAL_HASHER.memory_cost >= 64 * 1024
    assert REAL_HASHER.time_cost >= 3
    assert f"m={REAL_HASHER.memory_cost},t={REAL_HASHER.time_cost},p={REAL_HASHER.parallelism}" in REAL_DUMMY_HASH


def test_password_at_rest__argon2id_and_never_in_the_clear(desk, code):
    browser = desk.client()
    sign_in(browser, "supervisor", code)
    choose_password(browser, code, PASSWORD)
    stored = desk.stores.portal.user("supervisor").password_hash
    assert stored.startswith("$argon2id$")
    assert not password_matches(stored, code)
    assert password_matches(stored, PASSWORD)
    assert PASSWORD not in stored


@pytest.mark.parametrize(
    ("new", "again", "said"),
    [
        ("short one", None, "at least 12"),
        ("x" * 129, None, "at most 128"),
        ("password1234", None, "everybody tries"),
        ("!!Administrator2024", None, "everybody tries"),
        ("the supervisor is here", None, "your name"),
        ("aaaabbbbaaaabbbb", None, "repeats itself"),
        ("qwertyuiopasdfgh", None, "repeats itself"),
        ("abcdefghijklmnop", None, "repeats itself"),
        ("violet tram under seven", "violet tram under eight", "differ"),
    ],
)
def test_new_password__weak__refused_and_the_account_unchanged(desk, code, new, again, said):
    browser = desk.client()
    browser.set_cookie("hz_lang", "en")
    sign_in(browser, "supervisor", code)
    data = {"csrf": form_token(browser.get("/password")), "old": code, "new": new, "again": again or new}
    answer = browser.post("/password", data=data)
    assert answer.status_code == 422
    assert said in answer.get_data(as_text=True)
    assert desk.stores.portal.user("supervisor").must_change


def test_new_password__the_old_one__refused():
    assert weakness_of("the same long words", username="x", old="the same long words") == "same"
    assert weakness_of("other quite long words", username="x", old="the same long words") is None


def test_new_password__every_long_common_one__refused():
    for word in common_passwords():
        if len(word) >= MIN_LENGTH:
            assert weakness_of(word.title(), username="qq", old="") in {"common", "simple", "name"}, word


def test_change_password__wrong_present_one__counts_towards_the_lock(desk):
    browser = desk.supervisor()
    for n in range(throttle.FREE_FAILURES):
        answer = choose_password(browser, f"wrong {n}", "another strong sentence")
        assert answer.status_code == 422
    assert choose_password(browser, PASSWORD, "another strong sentence").status_code == 429


def test_change_password__other_sessions_of_the_account__end(desk):
    one, two = desk.supervisor(), desk.supervisor()
    choose_password(one, PASSWORD, "another strong sentence")
    assert one.get("/").status_code == 200
    assert two.get("/").status_code == 302


# --- sessions


def test_session_cookie__httponly_strict_and_random(desk, code):
    answer = sign_in(desk.client(), "supervisor", code)
    (cookie,) = [c for c in answer.headers.getlist("Set-Cookie") if c.startswith("hz_session=")]
    assert "HttpOnly" in cookie
    assert "SameSite=Strict" in cookie
    assert "Expires" not in cookie
    value = cookie.split("=", 1)[1].split(";")[0]
    assert len(value) == 43
    assert desk.stores.portal.session(value) is None
    assert desk.stores.portal.session(hash_secret(value)) is not None


def test_sign_in__an_old_cookie_at_hand__is_not_adopted(desk, code):
    browser = desk.client()
    browser.set_cookie("hz_session", "A" * 43)
    sign_in(browser, "supervisor", code)
    assert cookie_of(browser).value != "A" * 43


def test_session__idle_15_minutes__is_over(desk):
    browser = desk.supervisor()
    desk.clock.forward(IDLE_MS - 1)
    assert browser.get("/").status_code == 200
    desk.clock.forward(IDLE_MS - 1)
    assert browser.get("/").status_code == 200
    desk.clock.forward(IDLE_MS)
    assert browser.get("/").headers["Location"].startswith("/sign-in")
    assert desk.stores.portal.session(hash_secret(cookie_of(browser).value)) is None, "revoked, not only ignored"


def test_session__fetches_of_an_open_page__do_not_keep_it_alive(desk):
    browser = desk.supervisor()
    for _ in range(4):
        desk.clock.forward(5 * MINUTE)
        browser.get("/api/v1/alerts")
    assert browser.get("/").status_code == 302


def test_session__12_hours__is_over_however_busy(desk):
    browser = desk.supervisor()
    for _ in range(LIFETIME_MS // (10 * MINUTE) - 1):
        desk.clock.forward(10 * MINUTE)
        assert browser.get("/sessions").status_code == 200
    desk.clock.forward(10 * MINUTE)
    assert browser.get("/sessions").status_code == 302


def test_sign_out__the_session_is_dead_also_for_who_kept_the_cookie(desk):
    browser = desk.supervisor()
    kept = cookie_of(browser).value
    token = form_token(browser.get("/"))
    assert browser.post("/sign-out", data={"csrf": token}).headers["Location"] == "/sign-in"
    thief = desk.client()
    thief.set_cookie("hz_session", kept)
    assert thief.get("/").status_code == 302


def test_sessions_page__lists_and_ends_them(desk):
    one, two = desk.supervisor(), desk.supervisor()
    hashes = [hash_secret(cookie_of(b).value) for b in (one, two)]
    page = one.get("/sessions")
    for session_hash in hashes:
        assert session_hash in page.get_data(as_text=True)
    one.post("/sessions/revoke", data={"csrf": form_token(page), "session": hashes[1]})
    assert two.get("/").status_code == 302
    assert one.get("/").status_code == 200
    two = desk.supervisor()
    one.post("/sessions/revoke", data={"csrf": form_token(one.get("/sessions")), "session": "others"})
    assert two.get("/").status_code == 302
    assert one.get("/").status_code == 200
    answer = one.post("/sessions/revoke", data={"csrf": form_token(one.get("/sessions")), "session": "0" * 64})
    assert answer.status_code == 404


def test_user_deleted__no_session_of_it_opens(desk):
    now = desk.clock()
    desk.stores.portal.create_session(hash_secret("B" * 43), "ghost", now, now + 10**6)
    browser = desk.client()
    browser.set_cookie("hz_session", "B" * 43)
    assert browser.get("/").status_code == 302


# --- CSRF and redirects


def post_forms(desk):
    return ["/sign-out", "/sessions/revoke", "/password", f"/records/{'0' * 64}/disclosures", f"/records/{'0' * 64}/bundle-with-disclosures", f"/alerts/{'0' * 64}"]


@pytest.mark.parametrize("token", [None, "", "0" * 64])
def test_forms__without_the_right_token__refused(desk, token):
    browser = desk.supervisor()
    for path in post_forms(desk):
        answer = browser.post(path, data={} if token is None else {"csrf": token})
        assert answer.status_code == 400, path
    assert browser.get("/").status_code == 200


def test_forms__token_of_another_session__refused(desk):
    one, two = desk.supervisor(), desk.supervisor()
    token = form_token(one.get("/"))
    assert two.post("/sign-out", data={"csrf": token}).status_code == 400
    assert two.get("/").status_code == 200


@pytest.mark.parametrize(
    "headers", [{"Origin": "https://evil.example"}, {"Origin": "null"}, {"Sec-Fetch-Site": "cross-site"}, {"Sec-Fetch-Site": "same-site"}]
)
def test_forms__from_another_site__refused_although_the_token_is_right(desk, headers):
    browser = desk.supervisor()
    token = form_token(browser.get("/"))
    assert browser.post("/sign-out", data={"csrf": token}, headers=headers).status_code == 400


def test_every_post_route_of_the_portal__is_behind_the_check(desk):
    """A new form cannot be added without it: every POST route answers 400 or leads to sign-in without a token."""
    for rule in desk.app.url_map.iter_rules():
        if "POST" in rule.methods and not rule.endpoint.startswith("api_"):
            path = rule.rule.replace("<record_id>", "0" * 64).replace("<alert_id>", "0" * 64)
            assert path in {*post_forms(desk), "/sign-in"}, f"add {path} to this test"


def test_sign_in__without_token__refused_and_nothing_tried(desk, code):
    answer = desk.client().post("/sign-in", data={"username": "supervisor", "password": code})
    assert answer.status_code == 400
    for _ in range(throttle.FREE_FAILURES):
        assert sign_in(desk.client(), "supervisor", "wrong").status_code == 401, "none was counted before"


@pytest.mark.parametrize("target", ["//evil.example", "https://evil.example", "/\\evil.example", "javascript:x", "", "records"])
def test_next__elsewhere__goes_to_the_first_page(desk, target):
    assert not is_local(target)
    desk.supervisor()
    browser = desk.client()
    assert sign_in(browser, "supervisor", PASSWORD, next=target).headers["Location"] == "/"


def test_next__a_page_here__is_where_sign_in_leads(desk):
    desk.supervisor()
    browser = desk.client()
    asked = browser.get("/records?kind=movement").headers["Location"]
    assert asked == "/sign-in?next=/records?kind%3Dmovement"
    answer = sign_in(browser, "supervisor", PASSWORD, next="/records?kind=movement")
    assert answer.headers["Location"] == "/records?kind=movement"


def test_access_log__what_was_done__is_in_it_and_no_password_is(desk, code):
    browser = desk.client()
    sign_in(browser, "My Secret Passphrase", "wrong")
    sign_in(browser, "supervisor", code)
    choose_password(browser, code, PASSWORD)
    browser.get("/search?q=13800138000")
    rows = desk.stores.portal.access_log(after=0, limit=100)
    assert [(r[2], r[3]) for r in rows] == [
        ("user:?", "sign-in-failed"),
        ("user:supervisor", "sign-in"),
        ("user:supervisor", "password-changed"),
        ("user:supervisor", "search"),
    ]
    text = repr(rows)
    for secret in ("Secret", code, PASSWORD, "13800138000"):
        assert secret not in text


def test_portal_without_a_session__nothing_but_sign_in(tmp_path):
    desk = Desk(tmp_path)
    for rule in desk.app.url_map.iter_rules():
        if rule.endpoint.startswith("api_") or rule.endpoint in {"static", "signin.sign_in", "portal.set_language"}:
            continue
        path = rule.rule.replace("<record_id>", "0" * 64).replace("<alert_id>", "0" * 64).replace("<alert_id>", "0" * 64)
        path = path.replace("<holder>", desk.acid.holder).replace("<int:index>", "0")
        for method in rule.methods - {"HEAD", "OPTIONS"}:
            answer = desk.client().open(path, method=method)
            assert answer.status_code == 302, path
            assert answer.headers["Location"].startswith("/sign-in"), path
    desk.close()
