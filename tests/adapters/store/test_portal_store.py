"""The portal's store: accounts, sessions, tokens, the access log's chain."""

import hashlib
import json
from concurrent.futures import ThreadPoolExecutor

import pytest

from ledger.adapters.store.portal_store import ACCESS_START, SEEN_GRANULARITY_MS, access_digest
from ledger.errors import StoreError
from ledger.ports import Token, User


@pytest.fixture
def portal(stores):
    return stores.portal


def test_user__saved_and_changed__comes_back(portal, reader):
    assert portal.user("wang") is None
    first = User("wang", "$argon2id$x", True)
    portal.save_user(first)
    assert reader.portal.user("wang") == first
    changed = User("wang", "$argon2id$y", False)
    portal.save_user(changed)
    portal.save_user(User("li", "z", True))
    assert reader.portal.user("wang") == changed
    assert type(reader.portal.user("wang").must_change) is bool


def wait(failed):
    return 0 if failed < 3 else 100 * failed


def test_attempts__one_client__counts_waits_and_is_forgotten(portal, reader):
    assert [portal.count_attempt("a", 10, wait, 1000) for _ in range(3)] == [None] * 3
    assert portal.count_attempt("a", 10, wait, 1000) == 310
    assert portal.count_attempt("a", 309, wait, 1000) == 310
    assert portal.count_attempt("b", 309, wait, 1000) is None
    assert portal.count_attempt("a", 310, wait, 1000) is None
    assert portal.count_attempt("a", 311, wait, 1000) == 710, "the fourth in a row"
    portal.forget_attempts("a")
    assert portal.count_attempt("a", 311, wait, 1000) is None


def test_attempts__quiet_for_long__begin_anew_and_leave_no_row(portal):
    for _ in range(3):
        portal.count_attempt("a", 10, wait, 1000)
    assert portal.count_attempt("b", 310 + 1000, wait, 1000) is None
    assert [portal.count_attempt("a", 310 + 1001, wait, 1000) for _ in range(3)] == [None] * 3
    assert portal.count_attempt("a", 310 + 1001, wait, 1000) is not None


def test_attempts__from_many_workers_at_once__none_is_free(backend):
    def guess(_):
        stores = backend.open()
        answers = [stores.portal.count_attempt("a", 10, wait, 1000) for _ in range(3)]
        stores.close()
        return answers

    with ThreadPoolExecutor(6) as pool:
        answers = [answer for found in pool.map(guess, range(6)) for answer in found]
    assert sorted(answers, key=str) == [310] * 15 + [None] * 3


def test_session__used__remembers_when(portal, reader):
    assert portal.session("h1") is None
    portal.create_session("h1", "wang", 1000, 90_000)
    assert reader.portal.session("h1") == ("wang", 1000, 1000, 90_000)
    portal.touch_session("h1", 1000 + SEEN_GRANULARITY_MS - 1)
    assert reader.portal.session("h1")[2] == 1000
    portal.touch_session("h1", 1000 + SEEN_GRANULARITY_MS)
    assert reader.portal.session("h1")[2] == 1000 + SEEN_GRANULARITY_MS
    portal.touch_session("h1", 500)
    assert reader.portal.session("h1")[2] == 1000 + SEEN_GRANULARITY_MS
    portal.touch_session("unknown", 99_000)
    with pytest.raises(StoreError):
        portal.create_session("h1", "wang", 1, 2)


def test_session__revoked__is_gone(portal):
    for name, user in (("h1", "wang"), ("h2", "wang"), ("h3", "wang"), ("h4", "li")):
        portal.create_session(name, user, 1, 2)
    portal.revoke_session("h1")
    assert portal.session("h1") is None
    portal.touch_session("h1", 10**9)
    assert portal.session("h1") is None
    portal.revoke_sessions_of("wang", but="h3")
    assert [portal.session(name) is None for name in ("h1", "h2", "h3", "h4")] == [True, True, False, False]
    portal.revoke_sessions_of("wang")
    assert portal.session("h3") is None
    assert portal.session("h4") is not None


def test_token__revoked__keeps_the_first_time(portal, reader):
    one = Token("t1", "enterprise", "91330100MA2AXXXX01", 5, 10, None)
    two = Token("t0", "auditor", None, 4, 10, None)
    portal.save_token("hash1", one)
    portal.save_token("hash2", two)
    assert reader.portal.token("hash1") == one
    assert reader.portal.token("t1") is None
    assert reader.portal.tokens() == [two, one]
    portal.revoke_token("t1", 7)
    portal.revoke_token("t1", 9)
    assert reader.portal.token("hash1") == Token("t1", "enterprise", "91330100MA2AXXXX01", 5, 10, 7)
    assert reader.portal.token("hash2").revoked_ms is None
    for token_hash, token in (("hash1", Token("t9", "auditor", None, 1, 1, None)), ("hash9", one)):
        with pytest.raises(StoreError):
            portal.save_token(token_hash, token)


def _check_chain(rows):
    before = bytes(32)
    for number, (n, at, actor, action, target, digest) in enumerate(rows, 1):
        assert n == number
        # Written out again here, so that the form on the disk cannot change unnoticed.
        before = hashlib.sha256(
            before + json.dumps([n, at, actor, action, target], separators=(",", ":")).encode()
        ).digest()
        assert digest == before.hex()


def test_access_log__rows__are_chained_in_order(portal, reader):
    digests = [portal.log_access("wang", "search", f"holder={n} 张", 1000 + n) for n in range(5)]
    rows = reader.portal.access_log(after=0, limit=99)
    assert [row[5] for row in rows] == digests
    assert rows[1][:5] == (2, 1001, "wang", "search", "holder=1 张")
    _check_chain(rows)
    assert reader.portal.access_log(after=2, limit=2) == rows[2:4]
    assert reader.portal.access_log(after=5, limit=2) == []
    assert reader.portal.access_count() == 5
    assert ACCESS_START == bytes(32)
    assert access_digest(ACCESS_START, rows[0][:5]).hex() == digests[0]


def test_access_log__any_row_changed__breaks_the_chain(portal):
    for n in range(3):
        portal.log_access("wang", "search", str(n), n)
    rows = portal.access_log(after=0, limit=9)
    for place in range(3):
        for member in range(1, 5):
            changed = [list(row) for row in rows]
            changed[place][member] = 77 if member == 1 else "other"
            with pytest.raises(AssertionError):
                _check_chain(changed)
    with pytest.raises(AssertionError):
        _check_chain([rows[0], rows[2]])


def test_access_log__text_no_database_takes__is_written_all_the_same(portal):
    portal.log_access("wang", "search", "a\x00b\ud800c", 1)
    rows = portal.access_log(after=0, limit=9)
    assert rows[0][4] == "a\\x00b\\ud800c"
    _check_chain(rows)


def test_access_log__many_workers__one_chain(backend):
    workers = [backend.open().portal for _ in range(4)]
    with ThreadPoolExecutor(8) as pool:
        done = list(pool.map(lambda n: workers[n % 4].log_access(f"w{n % 4}", "view", str(n), n), range(80)))
    rows = workers[0].access_log(after=0, limit=999)
    assert len(rows) == 80
    assert sorted(row[5] for row in rows) == sorted(done)
    _check_chain(rows)


def test_sessions_of__live_ones__newest_first(portal):
    for name, user, created, expires in (
        ("h1", "wang", 1, 50),
        ("h2", "wang", 2, 90),
        ("h3", "wang", 3, 90),
        ("h4", "li", 4, 90),
    ):
        portal.create_session(name, user, created, expires)
    portal.revoke_session("h3")
    assert portal.sessions_of("wang", 10) == [("h2", 2, 2, 90), ("h1", 1, 1, 50)]
    assert portal.sessions_of("wang", 50) == [("h2", 2, 2, 90)]
    assert portal.sessions_of("nobody", 1) == []
