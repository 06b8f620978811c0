"""Who may read what: every reading route against every kind of asker."""

import pytest

from tests.webapp.desk import DAY_MS
from webapp.auth import new_token
from webapp.security import hash_secret


def routes(desk):
    """(path, roles that may read it) of everything that needs a token."""
    record_id = desk.stores.log.record(desk.stores.log.size() - 1).record_id
    everybody, auditors = {"enterprise", "auditor", "supervisor"}, {"auditor", "supervisor"}
    return {
        f"/api/v1/records/{record_id}": everybody,
        f"/api/v1/records/{record_id}/bundle": everybody,
        f"/api/v1/books/{desk.acid.holder}/S1/acid/head": everybody,
        "/tile/entries/000.p/1": auditors,
        "/tile/records/000.p/1": auditors,
        "/api/v1/alerts": {"supervisor"},
        "/api/v1/stream": {"supervisor"},
    }


def test_reading__without_a_token__401_everywhere(desk):
    desk.stock()
    for path in routes(desk):
        answer = desk.client().get(path)
        assert (answer.status_code, answer.get_json()["type"]) == (401, "urn:hazledger:no-token"), path
        assert answer.headers["WWW-Authenticate"].startswith("Bearer")


@pytest.mark.parametrize("role", ["enterprise", "auditor", "supervisor"])
def test_reading__by_role__only_what_the_role_may(desk, role):
    desk.stock()
    token = desk.bearer(role, desk.acid.holder if role == "enterprise" else None)
    for path, roles in routes(desk).items():
        answer = desk.client().get(path, headers=token)
        assert answer.status_code == (200 if role in roles else 403), path
        answer.close()


def test_reading__another_holders_token__404_exactly_as_for_nothing(desk):
    desk.stock()
    token = desk.bearer("enterprise", desk.other.holder)
    nothing = {
        "records": f"/api/v1/records/{'0' * 64}",
        "bundle": f"/api/v1/records/{'0' * 64}/bundle",
        "head": "/api/v1/books/91320100MA1P99999X/S1/acid/head",
    }
    for path, roles in routes(desk).items():
        answer = desk.client().get(path, headers=token)
        if "enterprise" not in roles:
            assert answer.status_code == 403, path
            continue
        absent = desk.client().get(next(p for name, p in nothing.items() if path.endswith(name) or name in path), headers=token)
        assert answer.status_code == 404, path
        assert answer.get_json() == absent.get_json(), path
    assert desk.made == []


def test_reading__platform_entries__are_no_enterprises_business(desk):
    platform = desk.stores.log.record(0)
    answer = desk.client().get(
        f"/api/v1/records/{platform.record_id}", headers=desk.bearer("enterprise", desk.acid.holder)
    )
    assert answer.status_code == 404


@pytest.mark.parametrize(
    "header",
    ["", "Bearer", "Bearer ", "Basic aaaa", "Bearer hzt_short", "Bearer hzt_" + "a" * 43, "bearer\thzt_x", "Bearer é"],
)
def test_token__not_a_valid_one__401(desk, header):
    answer = desk.client().get("/api/v1/alerts", headers={"Authorization": header})
    assert (answer.status_code, answer.get_json()["type"]) == (401, "urn:hazledger:bad-token")


def test_token__expired__401_from_that_millisecond_on(desk):
    token = desk.bearer("supervisor", lifetime_ms=1000)
    desk.clock.forward(999)
    assert desk.client().get("/api/v1/alerts", headers=token).status_code == 200
    desk.clock.forward(1)
    assert desk.client().get("/api/v1/alerts", headers=token).status_code == 401


def test_token__revoked__401(desk):
    token = desk.bearer("supervisor")
    (row,) = desk.stores.portal.tokens()
    desk.stores.portal.revoke_token(row.token_id, desk.clock())
    assert desk.client().get("/api/v1/alerts", headers=token).status_code == 401


def test_token__at_rest__only_its_digest(desk):
    token, digest, row = new_token("auditor", None, desk.clock(), DAY_MS)
    assert digest == hash_secret(token)
    assert token not in repr(row)
    assert len(token) == len("hzt_") + 43


@pytest.mark.parametrize(("role", "holder"), [("enterprise", None), ("auditor", "91320100MA1P00001W")])
def test_new_token__holder_where_none_belongs_or_missing__refused(role, holder):
    with pytest.raises(ValueError, match="holder"):
        new_token(role, holder, 0, 1)


def test_token_in_the_url__is_not_looked_at(desk):
    token = desk.bearer("supervisor")["Authorization"].removeprefix("Bearer ")
    assert desk.client().get(f"/api/v1/alerts?access_token={token}").status_code == 401
